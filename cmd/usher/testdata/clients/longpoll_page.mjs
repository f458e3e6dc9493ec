// Autobahn|JS over HTTP long-poll on a page in headless Chromium: URL AUTHID.
//
// The page is of another origin than the router. It logs in with the ticket from
// the environment variable TICKET, has many requests under way at a time, and
// each step is printed as one line of JSON: what and outcome. Exits 0 if it left
// with wamp.close.normal, else 1.
//
// CHROMIUM names the browser's executable; without it, the one that npm's
// @sparticuz/chromium carries is unpacked into the temporary directory.

import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import puppeteer from 'puppeteer-core';

const [url, authid] = process.argv.slice(2);
const patience = 30_000;

async function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const { default: chromium } = await import('@sparticuz/chromium');
  return chromium.executablePath();
}

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

const library = await readFile(path.join(path.dirname(createRequire(import.meta.url).resolve('autobahn-browser/package.json')), 'autobahn.js'));
const server = http.createServer((request, response) => {
  if (request.url === '/autobahn.js') {
    response.setHeader('Content-Type', 'text/javascript');
    response.end(library);
    return;
  }
  response.setHeader('Content-Type', 'text/html');
  response.end('<!doctype html><meta charset="utf-8"><title>long-poll</title><script src="/autobahn.js"></script>');
});
await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });

const browser = await puppeteer.launch({
  executablePath: await executable(),
  headless: 'shell',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage', '--no-first-run'],
  timeout: patience,
});
try {
  const page = await browser.newPage();
  page.on('console', (message) => console.error(message.text()));
  await page.goto(`http://127.0.0.1:${server.address().port}/`, { timeout: patience });
  const steps = await page.evaluate(run, url, authid, process.env.TICKET);
  for (const s of steps) console.log(JSON.stringify(s));
  process.exitCode = steps.at(-1)[1][1] === 'wamp.close.normal' ? 0 : 1;
} finally {
  await browser.close();
  server.close();
}
