// The advanced profile with Autobahn|JS: SERIALIZER URL.
//
// Runs each check with sessions of its own and prints one line of JSON for it:
// its name and "ok", or what went wrong. Exits 0 if all are well.
'use strict';

const assert = require('node:assert');
const autobahn = require('autobahn');

const { events: eventsOf, run, wantError } = require('./checks.js');

const [serializer, url] = process.argv.slice(2);

const serializers = {
  json: () => new autobahn.serializer.JSONSerializer(),
  msgpack: () => new autobahn.serializer.MsgpackSerializer(),
  cbor: () => new autobahn.serializer.CBORSerializer(),
};

let opened = [];

// deferred is a promise that tells of progress, which those of the language don't.
function deferred() {
  const d = { notify: (value) => d.promise.onprogress?.(value) };
  d.promise = new Promise((resolve, reject) => { Object.assign(d, { resolve, reject }); });
  return d;
}

// join returns a session, with a promise of the reason for which it left.
function join() {
  return new Promise((resolve, reject) => {
    const connection = new autobahn.Connection({
      url, realm: 'realm1', authmethods: ['anonymous'], serializers: [serializers[serializer]()], max_retries: 0, use_deferred: deferred,
    });
    let left;
    const gone = new Promise((tell) => { left = tell; });
    connection.onopen = (session, details) => {
      opened.push({ connection, gone });
      resolve(Object.assign(session, { details, gone, connection }));
    };
    connection.onclose = (why, details) => {
      left(details.reason || why);
      reject(new Error(why));
      return true; // do not connect again
    };
    connection.open();
  });
}

const events = () => eventsOf((args, kwargs, details) => ({ args, kwargs, details }));

const publish = (session, topic, args, options) => session.publish(topic, args, {}, { acknowledge: true, ...options });

const checks = {
  async progressive_results() {
    const [callee, caller] = [await join(), await join()];
    await callee.register('com.example.count', ([n], kwargs, details) => {
      for (let i = 0; i < n; i += 1) {
        details.progress([i]);
      }
      return 'done';
    });
    const progress = [];
    const call = caller.call('com.example.count', [3], {}, { receive_progress: true });
    call.onprogress = (value) => progress.push(value);
    assert.deepStrictEqual([await call, progress], ['done', [0, 1, 2]]);
  },

  async cancel_kill() {
    const [callee, caller] = [await join(), await join()];
    let begun;
    const begin = new Promise((tell) => { begun = tell; });
    await callee.register('com.example.slow', () => { begun(); return new Promise(() => {}); });
    const call = caller.call('com.example.slow');
    await begin;
    call.cancel({ mode: 'kill' }); // the callee cannot be interrupted: it counts as skip
    await wantError('wamp.error.canceled', call);
  },

  async call_timeout() {
    const [callee, caller] = [await join(), await join()];
    await callee.register('com.example.slow', () => new Promise(() => {}));
    await wantError('wamp.error.timeout', caller.call('com.example.slow', [], {}, { timeout: 100 }));
  },

  async shared_registration() {
    const [first, second, caller] = [await join(), await join(), await join()];
    await first.register('com.example.who', () => 'first', { invoke: 'roundrobin' });
    await second.register('com.example.who', () => 'second', { invoke: 'roundrobin' });
    const got = [];
    for (let i = 0; i < 4; i += 1) {
      got.push(await caller.call('com.example.who'));
    }
    assert.deepStrictEqual(got, ['first', 'second', 'first', 'second']);
  },

  async pattern_registration() {
    const [callee, caller] = [await join(), await join()];
    for (const [match, procedure] of [['exact', 'com.example.p.a'], ['prefix', 'com.example.p.'], ['wildcard', 'com..p.b']]) {
      await callee.register(procedure, (args, kwargs, details) => `${match} ${details.procedure}`, { match });
    }
    for (const [procedure, want] of [['com.example.p.a', 'exact'], ['com.example.p.b', 'prefix'], ['com.other.p.b', 'wildcard']]) {
      assert.strictEqual(await caller.call(procedure), `${want} ${procedure}`);
    }
  },

  async pattern_subscription() {
    const [subscriber, publisher] = [await join(), await join()];
    const all = [];
    for (const [match, topic] of [['exact', 'com.example.t.a'], ['prefix', 'com.example.t.'], ['wildcard', 'com..t.a']]) {
      all.push(events());
      await subscriber.subscribe(topic, all.at(-1), { match });
    }
    await publish(publisher, 'com.example.t.a', [1]);
    for (const of of all) {
      const e = await of.next();
      assert.deepStrictEqual([e.args, e.details.topic], [[1], 'com.example.t.a']);
    }
  },

  async exclude_and_eligible() {
    const [a, b, publisher] = [await join(), await join(), await join()];
    const received = new Map([[a, events()], [b, events()], [publisher, events()]]);
    for (const [session, handler] of received) {
      await session.subscribe('com.example.t', handler);
    }
    await publish(publisher, 'com.example.t', ['not a'], { exclude: [a.id] });
    await publish(publisher, 'com.example.t', ['only a'], { eligible: [a.id] });
    await publish(publisher, 'com.example.t', ['nobody'], { eligible_authrole: ['others'] });
    await publish(publisher, 'com.example.t', ['not b'], { exclude_authid: [b.details.authid] });
    await publish(publisher, 'com.example.t', ['all'], { exclude_me: false });
    for (const [session, want] of [[a, ['only a', 'not b', 'all']], [b, ['not a', 'all']], [publisher, ['all']]]) {
      const handler = received.get(session);
      for (const text of want) {
        assert.strictEqual((await handler.next()).args[0], text);
      }
      assert.strictEqual(handler.count(), 0);
    }
  },

  async retained_event() {
    const [publisher, late] = [await join(), await join()];
    await publish(publisher, 'com.example.retained.js', ['kept'], { retain: true });
    const handler = events();
    await late.subscribe('com.example.retained.js', handler, { get_retained: true });
    const e = await handler.next();
    assert.deepStrictEqual([e.args, e.details.retained], [['kept'], true]);
  },

  async testament() {
    const [dying, watcher] = [await join(), await join()];
    const handler = events();
    await watcher.subscribe('com.example.will', handler);
    await dying.call('wamp.session.add_testament', ['com.example.will', ['gone'], { who: 'dying' }]);
    dying._socket.close(3000, 'no goodbye'); // the connection ends, the session was not left
    const e = await handler.next();
    assert.deepStrictEqual([e.args, e.kwargs], [['gone'], { who: 'dying' }]);
  },

  async session_meta() {
    const watcher = await join();
    const [joined, left] = [events(), events()];
    await watcher.subscribe('wamp.session.on_join', joined);
    await watcher.subscribe('wamp.session.on_leave', left);
    const other = await join();
    const id = other.id;
    assert.strictEqual(Number((await joined.next()).args[0].session), id);
    const sessions = (await watcher.call('wamp.session.list')).map(Number);
    assert.ok(sessions.includes(id));
    assert.strictEqual(await watcher.call('wamp.session.count'), sessions.length);
    assert.strictEqual((await watcher.call('wamp.session.get', [id])).authid, other.details.authid);
    await wantError('wamp.error.no_such_session', watcher.call('wamp.session.get', [1]));
    other.connection.close();
    assert.strictEqual(Number((await left.next()).args[0]), id);
  },

  async session_kill() {
    const [killer, victim] = [await join(), await join()];
    await killer.call('wamp.session.kill', [victim.id], { reason: 'com.example.enough', message: 'go' });
    assert.strictEqual(await victim.gone, 'com.example.enough');
  },

  async registration_meta() {
    const [watcher, callee] = [await join(), await join()];
    const created = events();
    await watcher.subscribe('wamp.registration.on_create', created);
    const registration = await callee.register('com.example.meta.p', () => 1);
    const [session, details] = (await created.next()).args;
    assert.deepStrictEqual([Number(session), details.id, details.uri], [callee.id, registration.id, 'com.example.meta.p']);
    assert.strictEqual(await watcher.call('wamp.registration.lookup', ['com.example.meta.p']), registration.id);
    assert.strictEqual(await watcher.call('wamp.registration.count_callees', [registration.id]), 1);
  },

  async subscription_meta() {
    const [watcher, subscriber] = [await join(), await join()];
    const created = events();
    await watcher.subscribe('wamp.subscription.on_create', created);
    const subscription = await subscriber.subscribe('com.example.meta.t', () => {});
    const [session, details] = (await created.next()).args;
    assert.deepStrictEqual([Number(session), details.id, details.uri], [subscriber.id, subscription.id, 'com.example.meta.t']);
    assert.strictEqual(await watcher.call('wamp.subscription.lookup', ['com.example.meta.t']), subscription.id);
    assert.strictEqual(await watcher.call('wamp.subscription.count_subscribers', [subscription.id]), 1);
  },

  async event_history() {
    const session = await join();
    const subscription = await session.subscribe('com.example.history', () => {});
    for (let i = 0; i < 5; i += 1) { // three are kept
      await publish(session, 'com.example.history', [i]);
    }
    const kept = await session.call('wamp.subscription.get_events', [subscription.id]);
    assert.deepStrictEqual(kept.args.map((e) => e.args), [[2], [3], [4]]);
  },

  async disclosed() {
    const [callee, caller] = [await join(), await join()];
    const who = (args, kwargs, details) => Number(details.caller) || null;
    await callee.register('com.example.disclosed', who);
    await callee.register('com.example.hidden', who);
    assert.strictEqual(await caller.call('com.example.disclosed'), caller.id);
    assert.strictEqual(await caller.call('com.example.hidden'), null);
    assert.strictEqual(await caller.call('com.example.hidden', [], {}, { disclose_me: true }), caller.id);
    const handler = events();
    await callee.subscribe('com.example.t', handler);
    await publish(caller, 'com.example.t', [], { disclose_me: true });
    assert.strictEqual(Number((await handler.next()).details.publisher), caller.id);
  },
};

run(checks, async () => {
  for (const { connection, gone } of opened) {
    if (connection.isOpen) {
      connection.close();
      await gone;
    }
  }
  opened = [];
});
