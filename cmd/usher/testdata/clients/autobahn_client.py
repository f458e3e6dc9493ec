"""The demo's client with Autobahn|Python: FRAMEWORK SERIALIZER URL AUTHID.

The URL is one of a WebSocket, or of a RawSocket: rs://HOST:PORT or rs+unix:///SOCKET.
Logs in with the ticket from the environment variable TICKET, tries what the role
may and may not do, and prints each step as one line of JSON: what and outcome.
First it is quiet for as many seconds as the environment variable IDLE says.
Exits 0 if it joined and left, 1 if it was refused.
"""

import importlib
import json
import os
import sys

framework, serializer, url, authid = sys.argv[1:]
wamp = importlib.import_module(f"autobahn.{framework}.wamp")

from autobahn.wamp import serializer as serializers  # noqa: E402
from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.types import PublishOptions  # noqa: E402

SERIALIZERS = {
    "json": [serializers.JsonSerializer()],
    "msgpack": [serializers.MsgPackSerializer()],
    "cbor": [serializers.CBORSerializer()],
    "json.batched": [serializers.JsonSerializer(batched=True)],
    "msgpack.batched": [serializers.MsgPackSerializer(batched=True)],
    "cbor.batched": [serializers.CBORSerializer(batched=True)],
    "all": None,  # what Autobahn offers by itself
}

# Why the session ended, for the exit status.
ended = []


def step(what, outcome):
    # Twisted's runner turns sys.stdout into a log with time stamps.
    print(json.dumps([what, outcome]), file=sys.__stdout__, flush=True)


async def idle(seconds):
    if framework == "twisted":
        from twisted.internet import reactor, task

        await task.deferLater(reactor, seconds, lambda: None)
    else:
        import asyncio

        await asyncio.sleep(seconds)


class Client(wamp.ApplicationSession):
    def onConnect(self):
        self.join(self.config.realm, ["ticket"], authid)

    def onChallenge(self, challenge):
        step("challenge", [challenge.method, challenge.extra])
        return os.environ["TICKET"]

    async def onJoin(self, details):
        step("join", [details.authid, details.authrole, details.authmethod, details.authprovider])
        await idle(float(os.environ.get("IDLE", 0)))
        await self.attempt("call com.example.add2", self.call, "com.example.add2", 2, 3)
        await self.attempt("register com.example.mul2", self.register, lambda x, y: x * y, "com.example.mul2")
        for topic in ("com.example.topic1", "com.foobar.topic1", "com.example.topic2", "com.foobar.topic2"):
            await self.attempt(f"publish {topic}", self.publish, topic, "hello", options=PublishOptions(acknowledge=True))
        self.leave()

    async def attempt(self, what, do, *args, **kwargs):
        try:
            result = await do(*args, **kwargs)
        except ApplicationError as e:
            step(what, e.error)
        else:
            step(what, result if isinstance(result, int) else "ok")

    def onLeave(self, details):
        step("leave", [details.reason, details.message])
        ended.append(details.reason)
        self.disconnect()

    def onDisconnect(self):
        if url.startswith("rs"):
            return  # the component's runner stops by itself
        if framework == "twisted":
            from twisted.internet import reactor

            if reactor.running:
                reactor.stop()
        else:
            import asyncio

            asyncio.get_event_loop().stop()


def run_component():
    """RawSocket over Unix sockets is only there for components."""
    component = importlib.import_module(f"autobahn.{framework}.component")
    endpoint = {"type": "unix", "path": url.removeprefix("rs+unix://")}
    if url.startswith("rs://"):
        host, port = url.removeprefix("rs://").split(":")
        endpoint = {"type": "tcp", "host": host, "port": int(port)}
    transport = {"type": "rawsocket", "url": "rs://localhost:8081", "endpoint": endpoint, "serializer": serializer, "max_retries": 0}
    component.run([component.Component(transports=[transport], realm="realm1", session_factory=Client)], log_level="error")


try:
    if url.startswith("rs"):
        run_component()
    else:
        wamp.ApplicationRunner(url, "realm1", serializers=SERIALIZERS[serializer]).run(Client)
except SystemExit:
    pass  # the component's runner has a status of its own
sys.exit(0 if ended == ["wamp.close.normal"] else 1)
