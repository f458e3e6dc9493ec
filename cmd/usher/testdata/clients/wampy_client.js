// The demo's client with wampy: SERIALIZER URL AUTHID.
//
// Logs in with the ticket from the environment variable TICKET, tries what the
// role may and may not do, and prints each step as one line of JSON: what and
// outcome. Exits 0 if it joined and left, 1 if it was refused.
'use strict';

const { Wampy } = require('wampy');
const { JsonSerializer } = require('wampy/JsonSerializer.js');
const { MsgpackSerializer } = require('wampy/MsgpackSerializer.js');
const { CborSerializer } = require('wampy/CborSerializer.js');
const WebSocket = require('ws');

const { step, attempt } = require('./steps.js');

const [serializer, url, authid] = process.argv.slice(2);

const serializers = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };

const wampy = new Wampy(url, {
  ws: WebSocket,
  serializer: new serializers[serializer](),
  realm: 'realm1',
  autoReconnect: false,
  authid,
  authmethods: ['ticket'],
  onChallenge(method, extra) {
    step('challenge', [method, extra]);
    return process.env.TICKET;
  },
});

async function main() {
  let welcome;
  try {
    welcome = await wampy.connect();
  } catch (e) {
    step('leave', [e.errorUri, e.details?.message ?? null]);
    return 1;
  }
  step('join', [welcome.authid, welcome.authrole, welcome.authmethod, welcome.authprovider]);
  await attempt('call com.example.add2', wampy.call('com.example.add2', [2, 3]), (r) => Number(r.argsList[0]));
  await attempt('register com.example.mul2', wampy.register('com.example.mul2', ({ argsList: [x, y] }) => ({ argsList: [x * y] })));
  for (const topic of ['com.example.topic1', 'com.foobar.topic1', 'com.example.topic2', 'com.foobar.topic2']) {
    await attempt(`publish ${topic}`, wampy.publish(topic, ['hello']));
  }
  await wampy.disconnect();
  step('leave', ['answered', null]);
  return 0;
}

main().then((status) => { process.exitCode = status; });
