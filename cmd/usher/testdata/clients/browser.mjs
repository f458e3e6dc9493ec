// Headless Chromium, and pages for it.
//
// CHROMIUM names the browser's executable; without it, the one that npm's
// @sparticuz/chromium carries is unpacked into the temporary directory.

import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import puppeteer from 'puppeteer-core';

export const patience = 30_000; // milliseconds

async function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const { default: chromium } = await import('@sparticuz/chromium');
  return chromium.executablePath();
}

// withBrowser calls what uses the browser, and closes it.
export async function withBrowser(use) {
  const browser = await puppeteer.launch({
    executablePath: await executable(),
    headless: 'shell',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage', '--no-first-run'],
    timeout: patience,
  });
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}

// withAutobahn serves an empty page that has loaded Autobahn|JS, and calls what uses
// the browser with a function that opens it, at 127.0.0.1 or another name of this
// machine.
export async function withAutobahn(use) {
  const library = await readFile(path.join(path.dirname(createRequire(import.meta.url).resolve('autobahn-browser/package.json')), 'autobahn.js'));
  const server = http.createServer((request, response) => {
    if (request.url === '/autobahn.js') {
      response.setHeader('Content-Type', 'text/javascript');
      response.end(library);
      return;
    }
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><meta charset="utf-8"><title>Autobahn</title><script src="/autobahn.js"></script>');
  });
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  try {
    await withBrowser((browser) => use(async (host) => {
      const page = await browser.newPage();
      page.on('console', (message) => console.error(message.text()));
      await page.goto(`http://${host}:${server.address().port}/`, { timeout: patience });
      return page;
    }));
  } finally {
    server.close();
  }
}
