// The page: logs in with what the form says and shows each step's outcome.

import { Session, WampError } from './wamp.js';

const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
const shownMessages = 200;

const byId = (id) => document.getElementById(id);
const form = byId('login');
const steps = byId('steps');
const status = byId('status');
const messages = byId('messages');

// The steps after the login, each with what the frontend role may expect.
const program = [
  ['call com.example.add2', (s) => s.call('com.example.add2', 2, 3), 'result', 'add2(2, 3)'],
  ['register com.example.mul2', (s) => s.register('com.example.mul2'), 'registered'],
  ['publish com.example.topic1', (s) => s.publish('com.example.topic1', 'hello from the page'), 'published'],
  ['publish com.foobar.topic1', (s) => s.publish('com.foobar.topic1', 'hello from the page'), 'published'],
  ['publish com.example.topic2', (s) => s.publish('com.example.topic2', 'hello from the page'), 'published'],
  ['publish com.foobar.topic2', (s) => s.publish('com.foobar.topic2', 'hello from the page'), 'published'],
];

function element(name, className, text) {
  const e = document.createElement(name);
  e.className = className;
  e.textContent = text;
  return e;
}

// show adds one step. kind is 'ok', 'denied' or 'failed'; outcome is for
// programs (data-outcome), text for people.
function show(what, kind, outcome, text) {
  const item = element('li', kind, '');
  item.dataset.step = what;
  item.dataset.outcome = outcome;
  const words = { ok: 'done', denied: 'denied', failed: 'failed' };
  item.append(element('span', 'badge', words[kind]), element('code', 'what', what), element('span', 'text', text));
  steps.append(item);
}

function say(state, text) {
  status.dataset.state = state;
  status.textContent = text;
}

// showError adds a step that an error ended, and returns whether it was the
// router's answer rather than a fault.
function showError(what, error) {
  const answered = error instanceof WampError;
  show(what, answered ? 'denied' : 'failed', answered ? error.uri : 'failed',
    answered && error.message !== error.uri ? `${error.uri}: ${error.message}` : error.message);
  return answered;
}

function observe(direction, message) {
  const shown = message[0] === 5 ? [5, '***', message[2]] : message; // the ticket is not shown twice
  const lines = messages.textContent.split('\n').slice(-shownMessages);
  messages.textContent = [...lines, `${direction === 'sent' ? '→' : '←'} ${JSON.stringify(shown)}`].join('\n').trimStart();
}

async function run(authid, ticket) {
  steps.replaceChildren();
  messages.textContent = '';
  say('running', `Logging in as ${authid} …`);
  const session = new Session(observe);
  let step = 'join';
  try {
    const welcome = await session.join({
      url,
      realm: 'realm1',
      authid,
      onChallenge(method, extra) {
        show('challenge', 'ok', `${method} ${JSON.stringify(extra)}`, `the router asks for a ${method}`);
        return ticket;
      },
    });
    show('join', 'ok', [welcome.authid, welcome.authrole, welcome.authmethod, welcome.authprovider].join(' '),
      `session ${welcome.session}, role ${welcome.authrole}`);
    say('running', `Logged in as ${welcome.authid}, role ${welcome.authrole}.`);
    for (const [what, act, done, label] of program) {
      try {
        const value = await act(session);
        const outcome = done === 'result' ? String(value) : done;
        show(what, 'ok', outcome, label ? `${label} = ${outcome}` : outcome);
      } catch (error) {
        if (!showError(what, error)) throw error;
      }
    }
    step = 'leave';
    const reason = await session.leave();
    show('leave', 'ok', reason, reason);
    say('done', `${welcome.authid} was logged in with the role ${welcome.authrole}, and left.`);
  } catch (error) {
    const isShown = steps.lastElementChild?.dataset.outcome === 'failed';
    const refused = isShown ? false : showError(step, error);
    say(refused ? 'refused' : 'failed', refused ? `${authid} was refused.` : `It failed: ${error.message}. Is the router running?`);
  } finally {
    session.close();
  }
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const buttons = form.querySelectorAll('button');
  for (const b of buttons) b.disabled = true;
  try {
    await run(byId('authid').value, byId('ticket').value);
  } finally {
    for (const b of buttons) b.disabled = false;
  }
});

for (const preset of document.querySelectorAll('.preset')) {
  preset.addEventListener('click', () => {
    byId('authid').value = preset.dataset.authid;
    byId('ticket').value = preset.dataset.ticket;
    form.requestSubmit();
  });
}
