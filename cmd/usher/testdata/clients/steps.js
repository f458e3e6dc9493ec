// How clients print their steps, each as one line of JSON: what and outcome.
'use strict';

const step = (what, outcome) => console.log(JSON.stringify([what, outcome]));

// attempt prints what came of a promise: outcome of its result, or the error's URI,
// which Autobahn and wampy have under names of their own.
async function attempt(what, promise, outcome) {
  try {
    const result = await promise;
    step(what, outcome ? outcome(result) : 'ok');
  } catch (e) {
    step(what, e.error || e.errorUri || String(e));
  }
}

module.exports = { step, attempt };
