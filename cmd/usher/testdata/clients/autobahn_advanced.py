"""The advanced profile with Autobahn|Python: SERIALIZER URL.

Runs each check with sessions of its own and prints one line of JSON for it: its
name and "ok", or what went wrong. Exits 0 if all are well.
"""

import asyncio
import json
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp import serializer as serializers
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions

serializer, url = sys.argv[1:]
SERIALIZERS = {
    "json": serializers.JsonSerializer,
    "msgpack": serializers.MsgPackSerializer,
    "cbor": serializers.CBORSerializer,
}
PATIENCE = 10  # seconds that a check may take


class Session(ApplicationSession):
    def __init__(self, config):
        super().__init__(config)
        loop = asyncio.get_event_loop()
        self.joined, self.left = loop.create_future(), loop.create_future()

    def onConnect(self):
        self.join(self.config.realm, ["anonymous"])

    def onJoin(self, details):
        self.details = details
        self.joined.set_result(self)

    def onLeave(self, details):
        if not self.left.done():
            self.left.set_result(details.reason)
        self.disconnect()

    def onDisconnect(self):
        if not self.left.done():
            self.left.set_result("lost")


opened = []


async def join():
    made = asyncio.get_event_loop().create_future()

    def make(config):
        session = Session(config)
        made.set_result(session)
        return session

    runner = ApplicationRunner(url, "realm1", serializers=[SERIALIZERS[serializer]()])
    await runner.run(make, start_loop=False)
    session = await made
    opened.append(session)
    return await session.joined


class Events:
    """The events of a subscription, one at a time."""

    def __init__(self):
        self.queue = asyncio.Queue()

    def __call__(self, *args, details=None, **kwargs):
        self.queue.put_nowait((list(args), kwargs, details))

    async def next(self):
        return await self.queue.get()

    def empty(self):
        return self.queue.empty()


def want(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, want {wanted!r}")


async def want_error(uri, awaitable):
    try:
        result = await awaitable
    except ApplicationError as e:
        want(e.error, uri)
        return e
    raise AssertionError(f"got {result!r}, want {uri}")


async def publish(session, topic, *args, **options):
    return await session.publish(topic, *args, options=PublishOptions(acknowledge=True, **options))


async def progressive_results():
    callee, caller = await join(), await join()

    async def count(n, details):
        for i in range(n):
            details.progress(i)
        return "done"

    await callee.register(count, "com.example.count", options=RegisterOptions(details_arg="details"))
    progress = []
    result = await caller.call("com.example.count", 3, options=CallOptions(on_progress=progress.append))
    want((progress, result), ([0, 1, 2], "done"))


async def progressive_script():
    caller = await join()
    progress = []
    result = await caller.call("com.example.script.count", 3, options=CallOptions(on_progress=progress.append))
    want((progress, result), ([0, 1, 2], "done"))


async def canceled_by_caller():
    callee, caller = await join(), await join()
    begun, interrupted = asyncio.Event(), asyncio.Event()

    async def slow():
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            interrupted.set()
            raise

    await callee.register(slow, "com.example.slow")
    call = asyncio.ensure_future(caller.call("com.example.slow"))
    await begun.wait()
    call.cancel()
    await interrupted.wait()


async def call_timeout():
    callee, caller = await join(), await join()

    async def slow():
        await asyncio.sleep(3600)

    await callee.register(slow, "com.example.slow")
    await want_error("wamp.error.timeout", caller.call("com.example.slow", options=CallOptions(timeout=100)))


async def shared_registration():
    first, second, caller = await join(), await join(), await join()
    options = RegisterOptions(invoke="roundrobin")
    await first.register(lambda: "first", "com.example.who", options=options)
    await second.register(lambda: "second", "com.example.who", options=options)
    got = [await caller.call("com.example.who") for _ in range(4)]
    want(got, ["first", "second", "first", "second"])
    third = await join()
    await want_error(
        "wamp.error.procedure_exists_with_different_invocation_policy",
        third.register(lambda: "third", "com.example.who", options=RegisterOptions(invoke="first")),
    )


async def forced_registration():
    first, second, caller = await join(), await join(), await join()
    await first.register(lambda: "first", "com.example.who")
    await want_error("wamp.error.procedure_already_exists", second.register(lambda: "second", "com.example.who"))
    await second.register(lambda: "second", "com.example.who", options=RegisterOptions(force_reregister=True))
    want(await caller.call("com.example.who"), "second")


async def pattern_registration():
    callee, caller = await join(), await join()
    for match, procedure in (("exact", "com.example.p.a"), ("prefix", "com.example.p."), ("wildcard", "com..p.b")):

        def answer(details, match=match):
            return [match, details.procedure]

        await callee.register(answer, procedure, options=RegisterOptions(match=match, details_arg="details"))
    want(await caller.call("com.example.p.a"), ["exact", "com.example.p.a"])
    want(await caller.call("com.example.p.b"), ["prefix", "com.example.p.b"])
    want(await caller.call("com.other.p.b"), ["wildcard", "com.other.p.b"])


async def pattern_subscription():
    subscriber, publisher = await join(), await join()
    exact, prefix, wildcard = Events(), Events(), Events()
    for events, topic, match in ((exact, "com.example.t.a", "exact"), (prefix, "com.example.t.", "prefix"), (wildcard, "com..t.a", "wildcard")):
        await subscriber.subscribe(events, topic, options=SubscribeOptions(match=match, details_arg="details"))
    await publish(publisher, "com.example.t.a", 1)
    for events in (exact, prefix, wildcard):
        args, _, details = await events.next()
        want((args, details.topic), ([1], "com.example.t.a"))
    await publish(publisher, "com.other.t.a", 2)
    args, _, details = await wildcard.next()
    want((args, details.topic), ([2], "com.other.t.a"))
    want((exact.empty(), prefix.empty()), (True, True))


async def exclude_and_eligible():
    a, b, publisher = await join(), await join(), await join()
    to_a, to_b, to_publisher = Events(), Events(), Events()
    for session, events in ((a, to_a), (b, to_b), (publisher, to_publisher)):
        await session.subscribe(events, "com.example.t")
    await publish(publisher, "com.example.t", "not a", exclude=[a._session_id])
    await publish(publisher, "com.example.t", "only a", eligible=[a._session_id])
    await publish(publisher, "com.example.t", "nobody", eligible_authrole=["others"])
    await publish(publisher, "com.example.t", "not b", exclude_authid=[b.details.authid])
    await publish(publisher, "com.example.t", "all", exclude_me=False)
    for events, wanted in ((to_a, ["only a", "not b", "all"]), (to_b, ["not a", "all"]), (to_publisher, ["all"])):
        want([(await events.next())[0][0] for _ in wanted], wanted)
        want(events.empty(), True)


async def retained_event():
    publisher, late = await join(), await join()
    await publish(publisher, "com.example.retained", "old", retain=True)
    await publish(publisher, "com.example.retained", "kept", retain=True)
    await publish(publisher, "com.example.retained", "passing")
    asked, silent = Events(), Events()
    await late.subscribe(silent, "com.example.", options=SubscribeOptions(match="prefix", details_arg="details"))
    await late.subscribe(asked, "com.example.retained", options=SubscribeOptions(get_retained=True, details_arg="details"))
    args, _, details = await asked.next()
    want((args, details.retained), (["kept"], True))
    await publish(publisher, "com.example.retained", "live")
    args, _, details = await asked.next()
    want((args, bool(details.retained)), (["live"], False))
    args, _, _ = await silent.next()
    want(args, ["live"])


async def testament():
    dying, watcher = await join(), await join()
    events = Events()
    await watcher.subscribe(events, "com.example.will")
    await dying.call("wamp.session.flush_testaments")
    await dying.call("wamp.session.add_testament", "com.example.will", ["gone"], {"who": "dying"})
    dying._transport.transport.abort()  # the connection is cut
    args, kwargs, _ = await events.next()
    want((args, kwargs), (["gone"], {"who": "dying"}))


async def session_meta():
    watcher = await join()
    joined, left = Events(), Events()
    await watcher.subscribe(joined, "wamp.session.on_join")
    await watcher.subscribe(left, "wamp.session.on_leave")
    other = await join()
    (info,), _, _ = await joined.next()
    want((info["session"], info["authrole"]), (other._session_id, "anybody"))
    sessions = await watcher.call("wamp.session.list")
    want((other._session_id in sessions, await watcher.call("wamp.session.count")), (True, len(sessions)))
    want((await watcher.call("wamp.session.get", other._session_id))["authid"], other.details.authid)
    await want_error("wamp.error.no_such_session", watcher.call("wamp.session.get", 1))
    session = other._session_id
    other.leave()
    await other.left
    args, _, _ = await left.next()
    want(args[0], session)


async def session_kill():
    killer, victim = await join(), await join()
    session = victim._session_id
    await killer.call("wamp.session.kill", session, reason="com.example.enough", message="go")
    want(await victim.left, "com.example.enough")
    await want_error("wamp.error.no_such_session", killer.call("wamp.session.kill", session))


async def registration_meta():
    watcher, callee = await join(), await join()
    created = Events()
    await watcher.subscribe(created, "wamp.registration.on_create")
    registration = await callee.register(lambda: 1, "com.example.meta.p")
    args, _, _ = await created.next()
    want((args[0], args[1]["id"], args[1]["uri"]), (callee._session_id, registration.id, "com.example.meta.p"))
    want(await watcher.call("wamp.registration.lookup", "com.example.meta.p"), registration.id)
    want(await watcher.call("wamp.registration.match", "com.example.meta.p"), registration.id)
    want(await watcher.call("wamp.registration.list_callees", registration.id), [callee._session_id])
    want((await watcher.call("wamp.registration.get", registration.id))["uri"], "com.example.meta.p")
    await watcher.call("wamp.registration.remove_callee", registration.id, callee._session_id)
    await want_error("wamp.error.no_such_procedure", watcher.call("com.example.meta.p"))


async def subscription_meta():
    watcher, subscriber = await join(), await join()
    created = Events()
    await watcher.subscribe(created, "wamp.subscription.on_create")
    subscription = await subscriber.subscribe(lambda: None, "com.example.meta.t")
    args, _, _ = await created.next()
    want((args[0], args[1]["id"], args[1]["uri"]), (subscriber._session_id, subscription.id, "com.example.meta.t"))
    want(await watcher.call("wamp.subscription.lookup", "com.example.meta.t"), subscription.id)
    want(await watcher.call("wamp.subscription.count_subscribers", subscription.id), 1)
    want(subscription.id in await watcher.call("wamp.subscription.match", "com.example.meta.t"), True)


async def event_history():
    session = await join()
    subscription = await session.subscribe(lambda *_: None, "com.example.history")
    for i in range(5):  # three are kept
        await publish(session, "com.example.history", i)
    events = await session.call("wamp.subscription.get_events", subscription.id)
    want([e["args"] for e in events.results], [[2], [3], [4]])
    newest = await session.call("wamp.subscription.get_events", subscription.id, 2)  # as Crossbar.io has it
    want([e["args"] for e in newest.results[0]], [[4], [3]])


async def disclosed():
    callee, caller = await join(), await join()
    await callee.register(lambda details: details.caller, "com.example.disclosed", options=RegisterOptions(details_arg="details"))
    await callee.register(lambda details: details.caller, "com.example.hidden", options=RegisterOptions(details_arg="details"))
    want(await caller.call("com.example.disclosed"), caller._session_id)
    want(await caller.call("com.example.hidden"), None)
    events = Events()
    await callee.subscribe(events, "com.example.disclosed", options=SubscribeOptions(details_arg="details"))
    await publish(caller, "com.example.disclosed")
    _, _, details = await events.next()
    want(details.publisher, caller._session_id)


CHECKS = [
    progressive_results,
    progressive_script,
    canceled_by_caller,
    call_timeout,
    shared_registration,
    forced_registration,
    pattern_registration,
    pattern_subscription,
    exclude_and_eligible,
    retained_event,
    testament,
    session_meta,
    session_kill,
    registration_meta,
    subscription_meta,
    event_history,
    disclosed,
]


async def main():
    status = 0
    for check in CHECKS:
        try:
            await asyncio.wait_for(check(), PATIENCE)
            outcome = "ok"
        except Exception as e:
            outcome, status = f"{type(e).__name__}: {e}", 1
        print(json.dumps([check.__name__, outcome]), file=sys.__stdout__, flush=True)
        for session in opened:
            if session.is_attached():
                session.leave()
        for session in opened:
            await asyncio.wait_for(session.left, PATIENCE)
        opened.clear()
    return status


sys.exit(asyncio.get_event_loop().run_until_complete(main()))
