// Autobahn|JS with cookies on pages in headless Chromium: URL of the WebSocket, URL
// of the long-poll path.
//
// One page is of the router's site, 127.0.0.1, another of localhost, which is a site
// of its own. Each connection offers cookie and ticket, as joe; the ticket is that of
// the environment variable TICKET. What it comes to is printed as one line of JSON.
//
// CHROMIUM names the browser's executable; without it, the one that npm's
// @sparticuz/chromium carries is unpacked into the temporary directory.

import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import puppeteer from 'puppeteer-core';

const [websocket, longpoll] = process.argv.slice(2);
const patience = 30_000;

async function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const { default: chromium } = await import('@sparticuz/chromium');
  return chromium.executablePath();
}

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

const library = await readFile(path.join(path.dirname(createRequire(import.meta.url).resolve('autobahn-browser/package.json')), 'autobahn.js'));
const server = http.createServer((request, response) => {
  if (request.url === '/autobahn.js') {
    response.setHeader('Content-Type', 'text/javascript');
    response.end(library);
    return;
  }
  response.setHeader('Content-Type', 'text/html');
  response.end('<!doctype html><meta charset="utf-8"><title>cookies</title><script src="/autobahn.js"></script>');
});
await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });

const browser = await puppeteer.launch({
  executablePath: await executable(),
  headless: 'shell',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage', '--no-first-run'],
  timeout: patience,
});
try {
  const open = async (host) => {
    const page = await browser.newPage();
    page.on('console', (message) => console.error(message.text()));
    await page.goto(`http://${host}:${server.address().port}/`, { timeout: patience });
    return page;
  };
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
} finally {
  await browser.close();
  server.close();
}
