// Logins with Autobahn|JS: LOGINS, a list in JSON.
//
// A login has url, method and perhaps realm, authid, ticket, secret, key (the seed of
// cryptosign in hexadecimal digits), and replay: then the signature is that of the
// login before. Prints a line of JSON for each: joined, with realm, authid, role,
// method, provider and authextra, or refused, with reason and message.
'use strict';

const autobahn = require('autobahn');
const nacl = require('tweetnacl');

const logins = JSON.parse(process.argv[2]);
let signature; // the last one

function answer(login, pair, method, extra) {
  switch (method) {
    case 'ticket':
      return login.ticket;
    case 'wampcra': {
      let key = login.secret;
      if (extra.salt) {
        key = autobahn.auth_cra.derive_key(key, extra.salt, extra.iterations, extra.keylen);
      }
      return autobahn.auth_cra.sign(key, extra.challenge);
    }
    case 'cryptosign':
      return autobahn.auth_cryptosign.sign_challenge(pair, extra);
  }
  throw new Error(`challenged by ${method}`);
}

function logIn(login) {
  const pair = login.key && nacl.sign.keyPair.fromSeed(Buffer.from(login.key, 'hex'));
  const connection = new autobahn.Connection({
    url: login.url,
    realm: login.realm,
    authmethods: [login.method],
    authid: login.authid,
    authextra: pair ? { pubkey: autobahn.auth_cryptosign.public_key(pair) } : login.authextra,
    max_retries: 0,
    onchallenge(session, method, extra) {
      if (!login.replay) {
        signature = answer(login, pair, method, extra);
      }
      return signature;
    },
  });
  return new Promise((done) => {
    connection.onopen = (session, d) => {
      done(['joined', d.realm || login.realm, d.authid, d.authrole, d.authmethod, d.authprovider, d.authextra || {}]);
      connection.close();
    };
    connection.onclose = (_why, d) => {
      done(['refused', d.reason, d.message || null]);
      return true; // do not connect again
    };
    connection.open();
  });
}

(async () => {
  for (const login of logins) {
    console.log(JSON.stringify(await logIn(login)));
  }
})();
