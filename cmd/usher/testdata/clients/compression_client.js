// The npm package ws with compression: URL WINDOW_BITS. It speaks WAMP in JSON by
// hand, publishes large events to itself and prints what compression was agreed on
// and how many arrived as they were sent.
"use strict";

const WebSocket = require("ws");

const [url, bits] = process.argv.slice(2);
const texts = [1, 100, 1000, 20000].map((n) => "usher ".repeat(n));
const step = (what, outcome) => console.log(JSON.stringify([what, outcome]));

const ws = new WebSocket(url, "wamp.2.json", {
  perMessageDeflate: bits === "0" ? true : { serverMaxWindowBits: Number(bits), threshold: 0 },
});
const events = [];
const send = (...message) => ws.send(JSON.stringify(message));

ws.on("open", () => {
  step("extensions", ws.extensions);
  send(1, "realm1", { roles: { publisher: {}, subscriber: {} } });
});
ws.on("message", (data) => {
  const message = JSON.parse(data);
  switch (message[0]) {
    case 2: // WELCOME
      return send(32, 1, {}, "com.example.large");
    case 33: // SUBSCRIBED
      return texts.forEach((text, i) => send(16, 2 + i, { exclude_me: false }, "com.example.large", [text]));
    case 36: // EVENT
      if (events.push(message[4][0]) === texts.length) {
        step("events", JSON.stringify(events) === JSON.stringify(texts));
        send(6, {}, "wamp.close.normal");
      }
      return;
    case 6: // GOODBYE
      step("leave", message[2]);
      return ws.close();
    default:
      step("unexpected", message);
      ws.close();
  }
});
ws.on("error", (error) => step("error", error.message));
