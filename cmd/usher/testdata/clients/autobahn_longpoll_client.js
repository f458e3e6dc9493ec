// Autobahn|JS over HTTP long-poll: URL AUTHID.
//
// Logs in with the ticket from the environment variable TICKET, registers,
// calls, subscribes and publishes, many requests at a time, and prints each step
// as one line of JSON: what and outcome. Exits 0 if it left with
// wamp.close.normal, else 1. With the environment variable STOP, the id of the
// router's process, it does not leave, but has the router stop.
'use strict';

const http = require('node:http');

// The part of XMLHttpRequest that Autobahn|JS uses, as a browser has it: several
// requests at a time, on connections that are kept, and order is not guaranteed.
const agent = new http.Agent({ keepAlive: true, maxSockets: 6 });

globalThis.XMLHttpRequest = class {
  readyState = 0;
  status = 0;
  responseText = '';
  timeout = 0;
  #headers = {};

  open(method, url) {
    this.request = { method, url };
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  send(body) {
    const headers = { ...this.#headers, 'Content-Length': body ? Buffer.byteLength(body) : 0 };
    const request = http.request(this.request.url, { method: this.request.method, headers, agent }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => {
        this.status = response.statusCode;
        this.statusText = response.statusMessage;
        this.responseText = Buffer.concat(parts).toString();
        this.#done();
      });
      response.on('error', () => this.#done());
    });
    request.on('error', () => this.#done());
    if (this.timeout > 0) {
      setTimeout(() => { if (this.readyState !== 4) this.ontimeout?.(); }, this.timeout).unref();
    }
    request.end(body);
  }

  #done() {
    if (this.readyState === 4) return;
    this.readyState = 4;
    this.onreadystatechange();
  }
};

const autobahn = require('autobahn');

const { step, attempt } = require('./steps.js');

const [url, authid] = process.argv.slice(2);

const connection = new autobahn.Connection({
  transports: [{ type: 'longpoll', url }],
  realm: 'realm1',
  authmethods: ['ticket'],
  authid,
  max_retries: 0,
  onchallenge(session, method, extra) {
    step('challenge', [method, extra]);
    return process.env.TICKET;
  },
});

connection.onopen = async (session, details) => {
  step('join', [details.authid, details.authrole, details.authmethod, details.authprovider]);
  await attempt('register com.example.add', session.register('com.example.add', ([x, y]) => x + y));
  await attempt('call com.example.add', session.call('com.example.add', [2, 3]));
  let received = 0;
  let all;
  const arrived = new Promise((resolve) => { all = resolve; });
  const events = [];
  await attempt('subscribe com.example.topic', session.subscribe('com.example.topic', ([n]) => {
    events.push(n);
    if (++received === 20) all();
  }));
  const many = [];
  for (let n = 0; n < 20; n++) {
    many.push(session.publish('com.example.topic', [n], {}, { acknowledge: true, exclude_me: false }));
    many.push(session.call('com.example.add', [n, 1]).then((sum) => { if (sum !== n + 1) throw new Error(`${n} + 1 is ${sum}`); }));
  }
  await attempt('20 publications and calls at a time', Promise.all(many), (results) => results.length);
  await arrived;
  step('events in order', events.every((n, i) => n === i));
  await attempt('a large argument', session.call('com.example.add', ['x'.repeat(300000), 'ü']), (s) => [s.length, s.at(-1)]);
  await new Promise((resolve) => { setTimeout(resolve, 600); }); // its receive requests find nothing
  await attempt('call com.example.none', session.call('com.example.none'));
  if (process.env.STOP) {
    process.kill(Number(process.env.STOP), 'SIGTERM');
    return;
  }
  connection.close();
};

connection.onclose = (why, details) => {
  step('leave', [details.reason, details.message || null]);
  process.exitCode = details.reason === 'wamp.close.normal' ? 0 : 1;
  return true; // do not connect again
};

connection.open();
