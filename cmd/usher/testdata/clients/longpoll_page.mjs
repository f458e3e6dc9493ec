// Autobahn|JS over HTTP long-poll on a page in headless Chromium: URL AUTHID.
//
// The page is of another origin than the router. It logs in with the ticket from
// the environment variable TICKET, has many requests under way at a time, and
// each step is printed as one line of JSON: what and outcome. Exits 0 if it left
// with wamp.close.normal, else 1.

import process from 'node:process';

import { withAutobahn } from './browser.mjs';

const [url, authid] = process.argv.slice(2);

// What the page does; it runs in the browser.
function run(url, authid, ticket) {
  return new Promise((resolve) => {
    const steps = [];
    const step = (what, outcome) => steps.push([what, outcome]);
    const connection = new window.autobahn.Connection({
      transports: [{ type: 'longpoll', url }],
      realm: 'realm1',
      authmethods: ['ticket'],
      authid,
      max_retries: 0,
      onchallenge: () => ticket,
    });
    connection.onopen = async (session, details) => {
      try {
        step('join', [details.authid, details.authrole, session._socket.info.type]);
        await session.register('com.example.add', ([x, y]) => x + y);
        const events = [];
        let all;
        const arrived = new Promise((done) => { all = done; });
        await session.subscribe('com.example.topic', ([n]) => {
          events.push(n);
          if (events.length === 20) all();
        });
        const many = [];
        for (let n = 0; n < 20; n++) {
          many.push(session.publish('com.example.topic', [n], {}, { acknowledge: true, exclude_me: false }));
          many.push(session.call('com.example.add', [n, 1]).then((sum) => { if (sum !== n + 1) throw new Error(`${n} + 1 is ${sum}`); }));
        }
        step('20 publications and calls at a time', (await Promise.all(many)).length);
        await arrived;
        step('events in order', events.every((n, i) => n === i));
      } catch (e) {
        step('failed', e.error || String(e));
      }
      connection.close();
    };
    connection.onclose = (why, details) => {
      step('leave', [why, details.reason]);
      resolve(steps);
      return true; // do not connect again
    };
    connection.open();
  });
}

await withAutobahn(async (open) => {
  const page = await open('127.0.0.1');
  const steps = await page.evaluate(run, url, authid, process.env.TICKET);
  for (const s of steps) console.log(JSON.stringify(s));
  process.exitCode = steps.at(-1)[1][1] === 'wamp.close.normal' ? 0 : 1;
});
