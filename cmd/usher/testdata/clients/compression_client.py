"""Autobahn|Python with compression: FRAMEWORK SERIALIZER URL.

Subscribes to its own large events and calls its own procedure with them, prints
what compression was agreed on and how many arrived as they were sent.
"""

import importlib
import json
import sys

framework, serializer, url = sys.argv[1:]
import txaio  # noqa: E402

if framework == "asyncio":
    import asyncio

    txaio.use_asyncio()
    txaio.config.loop = asyncio.new_event_loop()
    asyncio.set_event_loop(txaio.config.loop)
else:
    txaio.use_twisted()

websocket = importlib.import_module(f"autobahn.{framework}.websocket")
wamp = importlib.import_module(f"autobahn.{framework}.wamp")

from autobahn.wamp import serializer as serializers  # noqa: E402
from autobahn.wamp.types import ComponentConfig, PublishOptions  # noqa: E402
from autobahn.websocket.compress import (  # noqa: E402
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)

SERIALIZERS = {
    "json": serializers.JsonSerializer(),
    "msgpack": serializers.MsgPackSerializer(),
    "cbor": serializers.CBORSerializer(),
    "json.batched": serializers.JsonSerializer(batched=True),
    "msgpack.batched": serializers.MsgPackSerializer(batched=True),
    "cbor.batched": serializers.CBORSerializer(batched=True),
}
TEXTS = ["usher " * n for n in (1, 100, 1000, 20000)] + ["".join(chr(33 + i * i * 7919 % 90) for i in range(50000))]


def step(what, outcome):
    print(json.dumps([what, outcome]), file=sys.__stdout__, flush=True)


class Client(wamp.ApplicationSession):
    async def onJoin(self, details):
        in_use = self._transport.websocket_extensions_in_use
        step("extensions", [e.EXTENSION_NAME for e in in_use])
        events = []
        await self.subscribe(events.append, "com.example.large")
        await self.register(lambda text: text, "com.example.echo")
        results = []
        for text in TEXTS:
            await self.publish("com.example.large", text, options=PublishOptions(acknowledge=True, exclude_me=False))
            results.append(await self.call("com.example.echo", text))
        step("events", events == TEXTS)
        step("results", results == TEXTS)
        self.leave()

    def onLeave(self, details):
        step("leave", details.reason)
        self.disconnect()

    def onDisconnect(self):
        if framework == "twisted":
            from twisted.internet import reactor

            reactor.stop()
        else:
            txaio.config.loop.stop()


def accept(response):
    if isinstance(response, PerMessageDeflateResponse):
        return PerMessageDeflateResponseAccept(response)


factory = websocket.WampWebSocketClientFactory(
    lambda: Client(ComponentConfig("realm1")), url=url, serializers=[SERIALIZERS[serializer]]
)
factory.setProtocolOptions(
    perMessageCompressionOffers=[PerMessageDeflateOffer()], perMessageCompressionAccept=accept
)
host, port = url.removeprefix("ws://").split("/")[0].split(":")
if framework == "twisted":
    from twisted.internet import reactor
    from twisted.internet.endpoints import TCP4ClientEndpoint

    TCP4ClientEndpoint(reactor, host, int(port)).connect(factory)
    reactor.run()
else:
    txaio.config.loop.run_until_complete(txaio.config.loop.create_connection(factory, host, int(port)))
    txaio.config.loop.run_forever()
