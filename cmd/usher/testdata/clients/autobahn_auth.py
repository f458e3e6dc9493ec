"""Logins with Autobahn|Python: FRAMEWORK LOGINS, a list in JSON.

A login has url, method and perhaps realm, authid, ticket, secret, key (the seed of
cryptosign in hexadecimal digits), binding, totp, ca and cert (files in PEM form), tls
("1.2"), authextra, methods (all that are offered), jar (cookies are kept from one
login to the next, under this name), and replay: then the signature is that of the login before. Prints
a line of JSON for each: joined, with realm, authid, role, method, provider and
authextra, or refused, with reason and message.
"""

import asyncio
import importlib
import inspect
import json
import ssl
import sys

from autobahn.wamp.auth import compute_totp, create_authenticator

framework, logins = sys.argv[1], json.loads(sys.argv[2])
PATIENCE = 20  # seconds that a login may take
signature = None  # the last one
jars = {}  # what the router has set, by name


def make_session(base, login, ended):
    method = login["method"]
    known = {"authid": login.get("authid")}
    if method == "wampcra":
        proof = create_authenticator("wampcra", secret=login["secret"], **known)
    elif method == "scram":
        proof = create_authenticator("scram", password=login["secret"], **known)
    elif method == "cryptosign":
        extra = {"channel_binding": login["binding"]} if "binding" in login else {}
        proof = create_authenticator("cryptosign", privkey=login["key"], authextra=extra, **known)
    elif method == "ticket":
        ticket = compute_totp(login["totp"]) if "totp" in login else login["ticket"]
        proof = create_authenticator("ticket", ticket=ticket, **known)
    else:
        proof = None

    class Session(base):
        def onConnect(self):
            extra = dict(login.get("authextra", {}))
            if proof is not None:
                extra.update(proof.authextra)
            cookie = self._transport.http_headers.get("set-cookie")
            if "jar" in login and cookie:
                jars[login["jar"]] = cookie.split(";")[0]
            self.join(login.get("realm"), login.get("methods", [method]), login.get("authid"), authextra=extra or None)

        async def onChallenge(self, challenge):
            global signature
            if not login.get("replay"):
                signature = proof.on_challenge(self, challenge)
                if inspect.isawaitable(signature):
                    signature = await signature
                if isinstance(signature, bytes):
                    signature = signature.decode("ascii")
            return signature

        def onWelcome(self, welcome):
            return proof.on_welcome(self, welcome.authextra) if method == "scram" else None

        def onJoin(self, details):
            extra = dict(details.authextra or {})
            if "scram_server_signature" in extra:
                extra["scram_server_signature"] = "verified"  # or onWelcome would have refused
            ended(["joined", details.realm, details.authid, details.authrole, details.authmethod, details.authprovider, extra])
            self.leave()

        def onLeave(self, details):
            ended(["refused", details.reason, details.message])
            self.disconnect()

        def onDisconnect(self):
            ended(["lost"])

    return Session


def context(login):
    if "ca" not in login:
        return None
    c = ssl.create_default_context(cafile=login["ca"])
    if "cert" in login:
        c.load_cert_chain(login["cert"])
    if login.get("tls") == "1.2":
        c.maximum_version = ssl.TLSVersion.TLSv1_2
    return c


async def log_in(login):
    wamp = importlib.import_module("autobahn.asyncio.wamp")
    outcome = asyncio.get_running_loop().create_future()

    def ended(what):
        if not outcome.done():
            outcome.set_result(what)

    headers = {"Cookie": jars[login["jar"]]} if login.get("jar") in jars else {}
    runner = wamp.ApplicationRunner(login["url"], login.get("realm"), ssl=context(login), headers=headers)
    await runner.run(make_session(wamp.ApplicationSession, login, ended), start_loop=False)
    return await outcome


async def with_asyncio():
    for login in logins:
        try:
            outcome = await asyncio.wait_for(log_in(login), PATIENCE)
        except Exception as e:
            outcome = ["failed", type(e).__name__]
        print(json.dumps(outcome), flush=True)


def with_twisted():
    from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
    from twisted.internet import defer, reactor

    async def run():
        for login in logins:
            outcome = defer.Deferred()
            outcome.addTimeout(PATIENCE, reactor)

            def ended(what, outcome=outcome):
                if not outcome.called:
                    outcome.callback(what)

            runner = ApplicationRunner(login["url"], login.get("realm"))
            runner.run(make_session(ApplicationSession, login, ended), start_reactor=False)
            # Twisted's runner turns sys.stdout into a log with time stamps.
            print(json.dumps(await outcome), file=sys.__stdout__, flush=True)

    def begin():
        defer.ensureDeferred(run()).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()


if framework == "twisted":
    with_twisted()
else:
    asyncio.new_event_loop().run_until_complete(with_asyncio())
