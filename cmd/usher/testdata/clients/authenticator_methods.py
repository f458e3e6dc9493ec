"""A remote authenticator of every method with Autobahn|Python: URL.

Joins as the principal "remote" with the ticket from the environment variable TICKET,
registers com.example.authenticate, and answers as Crossbar.io's authenticators do
with the principals of the environment variable PRINCIPALS: a dict in JSON by method,
then by authid, by public key, or by the certificate's SHA-1.
"""

import asyncio
import json
import os
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError

PRINCIPALS = json.loads(os.environ["PRINCIPALS"])


class Authenticator(ApplicationSession):
    def onConnect(self):
        self.join("realm1", ["ticket"], "remote")

    def onChallenge(self, challenge):
        return os.environ["TICKET"]

    async def onJoin(self, details):
        await self.register(self.authenticate, "com.example.authenticate")
        print(json.dumps(["registered"]), flush=True)

    def authenticate(self, realm, authid, details):
        method = details["authmethod"]
        key = details["authid"]
        if method == "cryptosign":
            key = details["authextra"]["pubkey"]
        elif method == "tls":
            key = details["transport"]["client_cert"]["sha1"]
        elif method == "anonymous":
            key = ""
        principal = PRINCIPALS[method].get(key)
        if principal is None:
            raise ApplicationError("com.example.no_such_user", f"no such principal {key}")
        if method == "ticket":
            if details["ticket"] != principal["ticket"]:
                raise ApplicationError("com.example.invalid_ticket", "invalid ticket")
            return principal["role"]
        return principal

    def onLeave(self, details):
        self.disconnect()

    def onDisconnect(self):
        asyncio.get_event_loop().stop()


ApplicationRunner(sys.argv[1], "realm1").run(Authenticator)
