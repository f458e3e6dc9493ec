// A small WAMP client: one session over WebSocket in JSON, with tickets.
//
// What is asked is answered, refused or given up after answerWithin milliseconds.

const answerWithin = 10_000;

const HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, AUTHENTICATE = 5, GOODBYE = 6, ERROR = 8;
const PUBLISH = 16, PUBLISHED = 17, CALL = 48, RESULT = 50, REGISTER = 64, REGISTERED = 65;

// WampError is an answer that says no: an ABORT or an ERROR.
export class WampError extends Error {
  constructor(uri, text) {
    super(text || uri);
    this.uri = uri;
  }
}

export class Session {
  #socket;
  #observe;
  #lastRequest = 0;
  #requests = new Map(); // request id -> {resolve, reject, timer}
  #joined = null; // {resolve, reject} until WELCOME or ABORT
  #left = null; // {resolve} until GOODBYE is answered

  // observe is called with ('sent' or 'received', message) for each message.
  constructor(observe = () => {}) {
    this.#observe = observe;
  }

  // join resolves to WELCOME's details. onChallenge gets method and extra and
  // returns the ticket.
  join({ url, realm, authid, onChallenge }) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end(new Error('the router did not answer in time')), answerWithin);
      const settle = (f) => (value) => {
        clearTimeout(timer);
        this.#joined = null;
        f(value);
      };
      this.#joined = { resolve: settle(resolve), reject: settle(reject), onChallenge };
      this.#socket = new WebSocket(url, ['wamp.2.json']);
      this.#socket.onopen = () => this.#send([HELLO, realm, {
        agent: 'usher demo page',
        authid,
        authmethods: ['ticket'],
        roles: { caller: {}, callee: {}, publisher: {}, subscriber: {} },
      }]);
      this.#socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
      this.#socket.onclose = (event) => this.#end(new Error(`connection closed (${event.code}${event.reason && ' ' + event.reason})`));
    });
  }

  // call resolves to the first argument of the result.
  async call(procedure, ...args) {
    const [, , , results = []] = await this.#request(CALL, {}, procedure, args);
    return results[0];
  }

  register(procedure) {
    return this.#request(REGISTER, {}, procedure);
  }

  publish(topic, ...args) {
    return this.#request(PUBLISH, { acknowledge: true }, topic, args);
  }

  // leave resolves to the reason with which the router answered.
  leave() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end(new Error('the router did not answer GOODBYE in time')), answerWithin);
      const settle = (f) => (value) => {
        clearTimeout(timer);
        this.#left = null;
        f(value);
      };
      this.#left = { resolve: settle(resolve), reject: settle(reject) };
      this.#send([GOODBYE, {}, 'wamp.close.normal']);
    });
  }

  // close cuts the connection, whatever is under way.
  close() {
    this.#socket?.close();
  }

  #request(type, options, uri, ...rest) {
    const id = ++this.#lastRequest;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#requests.delete(id);
        reject(new Error('no answer in time'));
      }, answerWithin);
      this.#requests.set(id, { resolve, reject, timer });
      this.#send([type, id, options, uri, ...rest]);
    });
  }

  #send(message) {
    if (this.#socket.readyState !== WebSocket.OPEN) return; // onclose tells whoever waits
    this.#socket.send(JSON.stringify(message));
    this.#observe('sent', message);
  }

  #receive(message) {
    this.#observe('received', message);
    switch (message[0]) {
      case CHALLENGE:
        this.#send([AUTHENTICATE, this.#joined.onChallenge(message[1], message[2]), {}]);
        break;
      case WELCOME:
        this.#joined.resolve({ session: message[1], ...message[2] });
        break;
      case ABORT:
        this.#end(new WampError(message[2], message[1].message));
        break;
      case GOODBYE:
        if (this.#left) {
          this.#left.resolve(message[2]);
          this.#socket.close();
        } else { // the router closes the session
          this.#send([GOODBYE, {}, 'wamp.close.goodbye_and_out']);
          this.#end(new WampError(message[2], message[1].message));
        }
        break;
      case ERROR:
        this.#take(message[2])?.reject(new WampError(message[4], message[5]?.[0]));
        break;
      case RESULT:
      case PUBLISHED:
      case REGISTERED:
        this.#take(message[1])?.resolve(message);
        break;
    }
  }

  #take(id) {
    const request = this.#requests.get(id);
    if (request) {
      this.#requests.delete(id);
      clearTimeout(request.timer);
    }
    return request;
  }

  // end tells all who wait that nothing more will come.
  #end(error) {
    this.#joined?.reject(error);
    this.#left?.reject(error);
    for (const id of [...this.#requests.keys()]) this.#take(id).reject(error);
    this.#socket.close();
  }
}
