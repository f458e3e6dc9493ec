// The demo's client with Autobahn|JS: SERIALIZER URL AUTHID.
//
// Logs in with the ticket from the environment variable TICKET, tries what the
// role may and may not do, and prints each step as one line of JSON: what and
// outcome. Exits 0 if it joined and left, 1 if it was refused.
'use strict';

const autobahn = require('autobahn');

const { step, attempt } = require('./steps.js');

const [serializer, url, authid] = process.argv.slice(2);

const serializers = {
  json: () => new autobahn.serializer.JSONSerializer(),
  msgpack: () => new autobahn.serializer.MsgpackSerializer(),
  cbor: () => new autobahn.serializer.CBORSerializer(),
};

const connection = new autobahn.Connection({
  url,
  realm: 'realm1',
  authmethods: ['ticket'],
  authid,
  serializers: [serializers[serializer]()],
  max_retries: 0,
  onchallenge(session, method, extra) {
    step('challenge', [method, extra]);
    return process.env.TICKET;
  },
});

connection.onopen = async (session, details) => {
  step('join', [details.authid, details.authrole, details.authmethod, details.authprovider]);
  await attempt('call com.example.add2', session.call('com.example.add2', [2, 3]), Number);
  await attempt('register com.example.mul2', session.register('com.example.mul2', ([x, y]) => x * y));
  for (const topic of ['com.example.topic1', 'com.foobar.topic1', 'com.example.topic2', 'com.foobar.topic2']) {
    await attempt(`publish ${topic}`, session.publish(topic, ['hello'], {}, { acknowledge: true }));
  }
  connection.close();
};

connection.onclose = (_why, details) => {
  step('leave', [details.reason, details.message || null]);
  process.exitCode = details.reason === 'wamp.close.normal' ? 0 : 1;
  return true; // do not connect again
};

connection.open();
