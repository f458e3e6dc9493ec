// What the checks of the advanced profile share, whichever library they are of.
'use strict';

const assert = require('node:assert');

const patience = 10000; // milliseconds that a check may take

const uriOf = (e) => e.error ?? e.errorUri; // Autobahn's, wampy's

// events hands out the events of a subscription one at a time; of makes one of what
// the handler is called with.
exports.events = (of) => {
  const waiting = [];
  const came = [];
  const handler = (...given) => {
    const event = of(...given);
    if (waiting.length > 0) {
      waiting.shift()(event);
    } else {
      came.push(event);
    }
  };
  handler.next = () => (came.length > 0 ? Promise.resolve(came.shift()) : new Promise((tell) => { waiting.push(tell); }));
  handler.count = () => came.length;
  return handler;
};

exports.wantError = async (uri, promise) => {
  let result;
  try {
    result = await promise;
  } catch (e) {
    assert.strictEqual(uriOf(e), uri);
    return;
  }
  assert.fail(`got ${JSON.stringify(result)}, want ${uri}`);
};

// run runs each check, prints a line of JSON for it, its name and "ok" or what went
// wrong, and ends its sessions. The process exits with 0 if all are well.
exports.run = async (checks, endSessions) => {
  let status = 0;
  for (const [name, check] of Object.entries(checks)) {
    let outcome = 'ok';
    let timer;
    const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error('timed out')), patience); });
    try {
      await Promise.race([check(), late]);
    } catch (e) {
      outcome = uriOf(e) ? `${uriOf(e)} ${JSON.stringify(e.args)}` : String(e.message || e);
      status = 1;
    }
    clearTimeout(timer);
    console.log(JSON.stringify([name, outcome]));
    await endSessions();
  }
  process.exit(status);
};
