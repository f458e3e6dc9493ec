// Logins with wampy: LOGINS, a list in JSON, as for Autobahn|JS.

import { Wampy } from 'wampy';
import * as cra from 'wampy/wampcra.js';
import * as cryptosign from 'wampy/cryptosign.js';
import nacl from 'tweetnacl';
import WebSocket from 'ws';

let signature; // the last one

async function logIn(login) {
  const prove = {
    ticket: () => login.ticket,
    wampcra: login.secret && cra.sign(login.secret),
    cryptosign: login.key && cryptosign.sign(login.key),
  }[login.method];
  const pair = login.key && nacl.sign.keyPair.fromSeed(Buffer.from(login.key, 'hex'));
  const wampy = new Wampy(login.url, {
    ws: WebSocket,
    realm: login.realm,
    autoReconnect: false,
    authid: login.authid,
    authmethods: [login.method],
    authextra: pair ? { pubkey: Buffer.from(pair.publicKey).toString('hex') } : login.authextra ?? {},
    async onChallenge(method, extra) {
      if (!login.replay) {
        signature = await prove(method, extra);
      }
      return signature;
    },
  });
  let d;
  try {
    d = await wampy.connect();
  } catch (e) {
    return ['refused', e.errorUri, e.details?.message ?? null];
  }
  await wampy.disconnect();
  return ['joined', d.realm ?? login.realm, d.authid, d.authrole, d.authmethod, d.authprovider, d.authextra ?? {}];
}

for (const login of JSON.parse(process.argv[2])) {
  console.log(JSON.stringify(await logIn(login)));
}
