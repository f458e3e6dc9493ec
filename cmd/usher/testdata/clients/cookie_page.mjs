// Autobahn|JS with cookies on pages in headless Chromium: URL of the WebSocket, URL
// of the long-poll path.
//
// One page is of the router's site, 127.0.0.1, another of localhost, which is a site
// of its own. Each connection offers cookie and ticket, as joe; the ticket is that of
// the environment variable TICKET. What it comes to is printed as one line of JSON.

import process from 'node:process';

import { withAutobahn } from './browser.mjs';

const [websocket, longpoll] = process.argv.slice(2);

// What a page does; it runs in the browser.
function run(type, url, ticket, procedure) {
  return new Promise((resolve) => {
    let challenged = false;
    const connection = new window.autobahn.Connection({
      transports: [{ type, url }],
      realm: 'realm1',
      authmethods: ['cookie', 'ticket'],
      authid: 'joe',
      max_retries: 0,
      onchallenge: () => { challenged = true; return ticket; },
    });
    let outcome;
    connection.onopen = async (session, details) => {
      outcome = ['joined', details.authid, details.authmethod, details.authprovider, challenged, document.cookie];
      if (procedure) await session.call(procedure);
      connection.close();
    };
    connection.onclose = (why, details) => {
      resolve(outcome ?? [why, details.reason, challenged]);
      return true; // do not connect again
    };
    connection.open();
  });
}

await withAutobahn(async (open) => {
  const ticket = process.env.TICKET;
  const show = async (what, page, ...args) => console.log(JSON.stringify([what, await page.evaluate(run, ...args)]));
  const page = await open('127.0.0.1');
  await show('first', page, 'websocket', websocket, ticket);
  await show('again', page, 'websocket', websocket, 'wrong');
  await page.reload();
  await show('reloaded', page, 'websocket', websocket, 'wrong');
  await show('long-poll', page, 'longpoll', longpoll, 'wrong');
  await show('another site', await open('localhost'), 'websocket', websocket, 'wrong');
  await show('logs out', page, 'websocket', websocket, 'wrong', 'wamp.session.logout');
  await show('logged out', page, 'websocket', websocket, 'wrong');
});
