// A page in headless Chromium with a compressed WebSocket: PAGE URL.
//
// Chromium offers permessage-deflate by itself. The page speaks WAMP in JSON by
// hand, publishes large events to itself, and prints what was agreed on and
// whether they arrived as they were sent.

import process from 'node:process';

import { patience, withBrowser } from './browser.mjs';

const [page, url] = process.argv.slice(2);

// What the page does; it runs in the browser.
function run(url) {
  return new Promise((resolve) => {
    const steps = [];
    const texts = [1, 100, 1000, 20000].map((n) => 'usher '.repeat(n));
    const events = [];
    const ws = new WebSocket(url, 'wamp.2.json');
    const send = (...message) => ws.send(JSON.stringify(message));
    ws.onopen = () => {
      steps.push(['extensions', ws.extensions]);
      send(1, 'realm1', { roles: { publisher: {}, subscriber: {} } });
    };
    ws.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message[0] === 2) send(32, 1, {}, 'com.example.large');
      if (message[0] === 33) texts.forEach((text, i) => send(16, 2 + i, { exclude_me: false }, 'com.example.large', [text]));
      if (message[0] === 36 && events.push(message[4][0]) === texts.length) {
        steps.push(['events', JSON.stringify(events) === JSON.stringify(texts)]);
        send(6, {}, 'wamp.close.normal');
      }
      if (message[0] === 6) {
        steps.push(['leave', message[2]]);
        ws.close();
      }
    };
    ws.onclose = () => resolve(steps);
  });
}

await withBrowser(async (browser) => {
  const tab = await browser.newPage();
  await tab.goto(page, { timeout: patience });
  for (const s of await tab.evaluate(run, url)) console.log(JSON.stringify(s));
});
