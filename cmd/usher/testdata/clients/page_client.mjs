// The demo's page in headless Chromium: URL AUTHID.
//
// Types the authid and the ticket from the environment variable TICKET into the
// form, runs it, and prints each step that the page shows as one line of JSON:
// what and outcome. Exits 0 if the page says that it is done, 1 if it was
// refused, 2 if anything else happened, an error on the page's console included.

import process from 'node:process';

import { patience, withBrowser } from './browser.mjs';

const [url, authid] = process.argv.slice(2);

await withBrowser(async (browser) => {
  const page = await browser.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.location().url?.endsWith('/favicon.ico')) faults.push(message.text());
  });
  await page.goto(url, { timeout: patience });
  await page.$eval('#authid', (input, value) => { input.value = value; }, authid);
  await page.$eval('#ticket', (input, value) => { input.value = value; }, process.env.TICKET);
  await page.click('#run');
  const ended = await page.waitForSelector('#status[data-state="done"], #status[data-state="refused"], #status[data-state="failed"]', { timeout: patience });
  const state = await ended.evaluate((status) => status.dataset.state);
  const steps = await page.$$eval('#steps li', (items) => items.map((i) => [i.dataset.step, i.dataset.outcome, i.querySelector('.text').textContent]));
  for (const [what, outcome, text] of steps) console.log(JSON.stringify([what, outcome, text]));
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 2 : { done: 0, refused: 1 }[state] ?? 2;
});
