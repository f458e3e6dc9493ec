// The advanced profile with wampy: SERIALIZER URL.
//
// Runs each check with sessions of its own and prints one line of JSON for it:
// its name and "ok", or what went wrong. Exits 0 if all are well.
'use strict';

const assert = require('node:assert');
const { Wampy } = require('wampy');
const { JsonSerializer } = require('wampy/JsonSerializer.js');
const { MsgpackSerializer } = require('wampy/MsgpackSerializer.js');
const { CborSerializer } = require('wampy/CborSerializer.js');
const WebSocket = require('ws');

const { events: eventsOf, run, wantError } = require('./checks.js');

const [serializer, url] = process.argv.slice(2);

const serializers = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };

let opened = [];

async function join() {
  const wampy = new Wampy(url, {
    ws: WebSocket, serializer: new serializers[serializer](), realm: 'realm1', autoReconnect: false, authid: 'js', authmethods: ['anonymous'],
    onChallenge: () => '',
  });
  wampy.welcome = await wampy.connect();
  opened.push(wampy);
  return wampy;
}

const idOf = (wampy) => Number(wampy.getSessionId());

const events = () => eventsOf((event) => event);

const first = async (call) => (await call).argsList[0];

const checks = {
  async progressive_results() {
    const caller = await join(); // as a callee it does not announce that it can
    const progress = [];
    const result = await caller.call('com.example.script.count', [3], { progress_callback: (r) => progress.push(r.argsList[0]) });
    assert.deepStrictEqual([progress, result.argsList], [[0, 1, 2], ['done']]);
  },

  async cancel_modes() {
    const [callee, caller] = [await join(), await join()];
    let begun = () => {};
    await callee.register('com.example.slow', () => { begun(); return new Promise(() => {}); });
    for (const mode of ['skip', 'kill', 'killnowait']) { // the callee cannot be interrupted: all count as skip
      const begin = new Promise((tell) => { begun = tell; });
      const call = caller.call('com.example.slow');
      const request = caller.getOpStatus().reqId;
      await begin;
      caller.cancel(request, { mode });
      await wantError('wamp.error.canceled', call);
    }
  },

  async call_timeout() {
    const [callee, caller] = [await join(), await join()];
    await callee.register('com.example.slow', () => new Promise(() => {}));
    await wantError('wamp.error.timeout', caller.call('com.example.slow', [], { timeout: 100 }));
  },

  async shared_registration() {
    const [one, two, caller] = [await join(), await join(), await join()];
    await one.register('com.example.who', () => ({ argsList: ['one'] }), { invoke: 'roundrobin' });
    await two.register('com.example.who', () => ({ argsList: ['two'] }), { invoke: 'roundrobin' });
    const got = [];
    for (let i = 0; i < 4; i += 1) {
      got.push(await first(caller.call('com.example.who')));
    }
    assert.deepStrictEqual(got, ['one', 'two', 'one', 'two']);
  },

  async pattern_registration() {
    const [callee, caller] = [await join(), await join()];
    await callee.register('com.example.p', ({ details }) => ({ argsList: [details.procedure] }), { match: 'prefix' });
    assert.strictEqual(await first(caller.call('com.example.p.a')), 'com.example.p.a');
  },

  async pattern_subscription() {
    const [subscriber, publisher] = [await join(), await join()];
    const [prefix, wildcard] = [events(), events()];
    await subscriber.subscribe('com.example.t', prefix, { match: 'prefix' });
    await subscriber.subscribe('com..t.a', wildcard, { match: 'wildcard' });
    await publisher.publish('com.example.t.a', [1]);
    for (const handler of [prefix, wildcard]) {
      const e = await handler.next();
      assert.deepStrictEqual([e.argsList, e.details.topic], [[1], 'com.example.t.a']);
    }
  },

  async exclude_and_eligible() {
    const [a, b, publisher] = [await join(), await join(), await join()];
    const received = new Map([[a, events()], [b, events()]]);
    for (const [session, handler] of received) {
      await session.subscribe('com.example.t', handler);
    }
    await publisher.publish('com.example.t', ['not a'], { exclude: [idOf(a)] });
    await publisher.publish('com.example.t', ['only a'], { eligible: [idOf(a)] });
    await publisher.publish('com.example.t', ['nobody'], { eligible_authrole: ['others'] });
    await publisher.publish('com.example.t', ['all']);
    for (const [session, want] of [[a, ['only a', 'all']], [b, ['not a', 'all']]]) {
      const handler = received.get(session);
      for (const text of want) {
        assert.strictEqual((await handler.next()).argsList[0], text);
      }
      assert.strictEqual(handler.count(), 0);
    }
  },

  async testament() {
    const [dying, watcher] = [await join(), await join()];
    const handler = events();
    await watcher.subscribe('com.example.will', handler);
    await dying.call('wamp.session.add_testament', ['com.example.will', ['gone'], { who: 'dying' }]);
    dying._ws.terminate(); // the connection is cut
    const e = await handler.next();
    assert.deepStrictEqual([e.argsList, e.argsDict], [['gone'], { who: 'dying' }]);
  },

  async session_meta() {
    const watcher = await join();
    const joined = events();
    await watcher.subscribe('wamp.session.on_join', joined);
    const other = await join();
    assert.strictEqual(Number((await joined.next()).argsList[0].session), idOf(other));
    const sessions = (await first(watcher.call('wamp.session.list'))).map(Number);
    assert.ok(sessions.includes(idOf(other)));
    assert.strictEqual((await first(watcher.call('wamp.session.get', [idOf(other)]))).authrole, 'anybody');
    await wantError('wamp.error.no_such_session', watcher.call('wamp.session.get', [1]));
  },

  async registration_meta() {
    const [watcher, callee] = [await join(), await join()];
    const registration = await callee.register('com.example.meta.p', () => {});
    const id = await first(watcher.call('wamp.registration.lookup', ['com.example.meta.p']));
    assert.strictEqual(id, registration.registrationId);
    assert.strictEqual((await first(watcher.call('wamp.registration.get', [id]))).uri, 'com.example.meta.p');
  },

  async subscription_meta() {
    const [watcher, subscriber] = [await join(), await join()];
    const subscription = await subscriber.subscribe('com.example.meta.t', () => {});
    const id = await first(watcher.call('wamp.subscription.lookup', ['com.example.meta.t']));
    assert.strictEqual(id, subscription.subscriptionId);
    assert.strictEqual(await first(watcher.call('wamp.subscription.count_subscribers', [id])), 1);
  },

  async event_history() {
    const [publisher, reader] = [await join(), await join()];
    const subscription = await reader.subscribe('com.example.history', () => {});
    for (let i = 0; i < 5; i += 1) { // three are kept
      await publisher.publish('com.example.history', [i]);
    }
    const kept = await reader.call('wamp.subscription.get_events', [subscription.subscriptionId]);
    assert.deepStrictEqual(kept.argsList.map((e) => e.args), [[2], [3], [4]]);
  },

  async disclosed() {
    const [callee, caller] = [await join(), await join()];
    await callee.register('com.example.hidden', ({ details }) => ({ argsList: [Number(details.caller) || null] }));
    assert.strictEqual(await first(caller.call('com.example.hidden')), null);
    assert.strictEqual(await first(caller.call('com.example.hidden', [], { disclose_me: true })), idOf(caller));
  },
};

run(checks, async () => {
  for (const wampy of opened) {
    if (wampy.getSessionId()) {
      await wampy.disconnect();
    }
  }
  opened = [];
});
