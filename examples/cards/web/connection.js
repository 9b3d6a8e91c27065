// SPDX-License-Identifier: MIT
// connection.js - a socket that reconnects by itself, and knows whether it has missed messages.
//
// It speaks the contract wspool.v1.json. A connection is on one path, and that path is one channel.
// Publications carry an epoch and an offset. When we reconnect, the position of the last message
// goes into the URL, and the server first sends what was missed. If it cannot, says that messages
// are missing, or an offset is, `gap` is called: the page fetches the whole state, and calls seek()
// with the position of that state.
// Publications that arrive in between are held back and delivered after it, so none is lost.
//
// Handlers are passed to the constructor once, so changing a handler never needs a new connection:
//   state(state)             see below; called at every change
//   gap(reason, head)        messages may be missing; call seek()
//   publication(message)     the next one, in order, none twice
//   error(data)              the server reports an error that belongs to no action
//   draining(data)           the server is about to stop
//
// States: { name: 'closed' } at first and after close(); 'connecting'; 'live'; 'waiting' with
// `until` (milliseconds since 1970), `attempt` and `detail`; 'offline' with `detail`, until the
// network returns or retry() is called; 'refused' with `code` and `detail`, until retry().

export const PROTOCOL = 'wspool.v1.json';

const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30000;
const ATTEMPTS = 10;
const ATTEMPT_TIME = 10000;
const PONG_TIME = 10000;
const STABLE_TIME = 5000; // milliseconds; after so long live, the count of attempts restarts
const HELD = 1000; // messages kept while the state is fetched; if more come, the loss is noticed

// 40xx: do not reconnect unchanged. 41xx: reconnect after a wait. 42xx: reconnect at once.
const REASONS = {
  4001: 'the token has expired',
  4002: 'not allowed',
  4003: 'replaced by a newer connection',
  4004: 'an older connection has the place',
  4005: 'contract broken',
  4100: 'this page was too slow',
  4101: 'the server has no room',
  4102: 'too many messages',
  4103: 'too much abuse',
  4200: 'the server is going down',
  4201: 'the server has moved',
  4202: 'the connection has lived its time',
};

const between = (code, low, high) => code >= low && code <= high;

export class Connection {
  state = { name: 'closed' };
  #path;
  #api;
  #on;
  #socket = null;
  #turn = 0; // number of the current socket: events of earlier sockets are ignored
  #attempt = 0;
  #atOnce = -Infinity; // when we last reconnected without waiting
  #renewed = false; // the token was renewed since we were last live
  #token = null;
  #timer = null; // for this attempt, or for the next one
  #stable = null;
  #silence = null;
  #heartbeat = 30000;
  #position = null;
  #holding = false;
  #held = [];
  #actions = new Map(); // id -> { name, fields, resolve, reject }
  #actionCount = 0;
  // The client instance: with it the ids of our actions are ours, on each of our connections.
  #name = [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join('');
  #connection = null; // its id at the server
  #ids = new Set(); // `epoch connection`, of every connection that this object has had

  constructor(path, api, on) {
    this.#path = path;
    this.#api = api;
    this.#on = on;
  }

  open() {
    if (this.state.name !== 'closed') return;
    addEventListener('online', this.#wake);
    addEventListener('offline', this.#sleep);
    document.addEventListener('visibilitychange', this.#wake);
    this.retry();
  }

  close() {
    removeEventListener('online', this.#wake);
    removeEventListener('offline', this.#sleep);
    document.removeEventListener('visibilitychange', this.#wake);
    this.#drop();
    this.#become({ name: 'closed' });
  }

  // Connects now, and restarts the count of attempts.
  retry() {
    this.#attempt = 0;
    this.#connect();
  }

  // The page's state is now that of this position.
  seek({ epoch, offset }) {
    this.#position = { epoch, offset };
    this.#holding = false;
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#published(message);
  }

  // Returns whether this page, not only this user, has caused a message that names a connection. A
  // server that has restarted uses ids again, in another epoch.
  isOurs({ epoch, data }) {
    return this.#ids.has(`${epoch} ${data.connection}`);
  }

  // Returns a promise: fulfilled when the server acknowledges the action, rejected with its reason,
  // or when the connection is lost.
  action(name, fields) {
    if (this.state.name !== 'live') return Promise.reject(new Error('not connected'));
    return new Promise((resolve, reject) => this.#act({ name, fields, resolve, reject }));
  }

  // ---------------------------------------------------------------- coming and going

  #wake = () => {
    const { name } = this.state;
    const asleep = name === 'waiting' || name === 'offline';
    if (asleep && navigator.onLine && document.visibilityState === 'visible') this.retry();
  };

  #sleep = () => {
    if (this.state.name === 'waiting') this.#wait('');
    else if (this.state.name === 'live') this.#ping(); // checks whether it is still live
  };

  #become(state) {
    this.state = state;
    this.#on.state?.(state);
  }

  #drop() {
    this.#turn++;
    clearTimeout(this.#timer);
    clearTimeout(this.#stable);
    clearTimeout(this.#silence);
    this.#socket?.close();
    this.#socket = null;
    const actions = [...this.#actions.values()];
    this.#actions.clear();
    for (const { reject } of actions) reject(new Error('the connection was lost'));
  }

  async #connect() {
    this.#drop();
    const turn = this.#turn;
    this.#become({ name: 'connecting', attempt: this.#attempt });
    this.#timer = setTimeout(() => {
      this.#drop();
      this.#wait('the server took too long');
    }, ATTEMPT_TIME);
    try {
      this.#token = await this.#api.token();
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#drop();
      if (error.status === 401 || error.status === 403) this.#refuse(0, error.reason);
      else this.#wait(error.message);
      return;
    }
    if (turn !== this.#turn) return;
    let seen = false;
    // The token goes into a header, not into the URL: URLs are logged.
    const protocols = this.#token ? [PROTOCOL, `bearer.${this.#token}`] : [PROTOCOL];
    const socket = new WebSocket(this.#url(), protocols);
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      seen = true;
      if (turn === this.#turn) this.#heard(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (turn === this.#turn) this.#closed(code, reason, seen);
    };
  }

  #act(action) {
    const id = `${this.#name}-${++this.#actionCount}`;
    this.#actions.set(id, action);
    this.#say('action', { ...action.fields, id, name: action.name });
  }

  // No id is sent twice. So one that is in doubt was not done: the server has restarted, and does
  // not know us. The number `next` is good.
  #acknowledged({ id, result, next }) {
    const action = this.#actions.get(id);
    this.#actions.delete(id);
    if (action && result === 'in_doubt') {
      this.#actionCount = Math.max(this.#actionCount, next - 1);
      this.#act(action);
    } else action?.resolve();
  }

  #url() {
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('client', this.#name);
    if (this.#position) {
      url.searchParams.set('epoch', this.#position.epoch);
      url.searchParams.set('offset', this.#position.offset);
    }
    return url;
  }

  #closed(code, reason, seen) {
    this.#drop();
    if (code === 4001 && !this.#renewed) {
      // Another token is needed to reconnect.
      this.#api.forget(this.#token);
      this.#renewed = true;
      this.#connect();
    } else if (between(code, 4000, 4099)) this.#refuse(code, reason);
    else if (between(code, 4200, 4299) && Date.now() - this.#atOnce > STABLE_TIME) {
      this.#atOnce = Date.now();
      this.#connect();
    } else if (seen || REASONS[code]) {
      this.#wait(reason || REASONS[code] || 'the connection was lost');
    } else this.#examine();
  }

  // The handshake failed, and a browser does not say why.
  async #examine() {
    const turn = this.#turn;
    const { verdict, reason } = await this.#api.examine(this.#token);
    if (turn !== this.#turn) return;
    if (verdict === 'renewed' && !this.#renewed) {
      this.#renewed = true;
      this.#connect();
    } else if (verdict === 'refused') this.#refuse(0, reason);
    else if (verdict === 'unreachable') this.#wait('the server cannot be reached');
    else this.#wait(reason ?? 'the server takes no connection now');
  }

  #refuse(code, reason) {
    this.#become({ name: 'refused', code, detail: reason || REASONS[code] || `code ${code}` });
  }

  // Exponential backoff with full jitter: a random wait between nothing and the whole delay, so
  // that clients that were cut off together do not reconnect together.
  #wait(detail) {
    clearTimeout(this.#timer);
    if (!navigator.onLine) this.#become({ name: 'offline', detail: 'no network' });
    else if (this.#attempt >= ATTEMPTS) this.#become({ name: 'offline', detail });
    else {
      const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempt);
      const delay = Math.random() * longest;
      this.#attempt++;
      this.#timer = setTimeout(() => this.#connect(), delay);
      const until = Date.now() + delay;
      this.#become({ name: 'waiting', until, attempt: this.#attempt, detail });
    }
  }

  // ---------------------------------------------------------------- what is said

  #say(type, data) {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ type, data }));
    }
  }

  // A page cannot send pings of the frame layer. So it sends a ping message after the server was
  // quiet for one heartbeat interval.
  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#ping(), this.#heartbeat);
  }

  #ping() {
    this.#say('ping');
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#drop();
      this.#wait('the server has gone silent');
    }, PONG_TIME);
  }

  #heard(text) {
    this.#listen();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    const data = message.data ?? {};
    switch (message.type) {
      case 'connection_established':
        this.#connection = data.connection;
        if (data.heartbeat_seconds > 0) this.#heartbeat = data.heartbeat_seconds * 1000;
        this.#listen();
        break;
      case 'subscribed':
        this.#subscribed(data);
        break;
      case 'ack':
        this.#acknowledged(data);
        break;
      case 'error':
        if (this.#actions.has(data.id)) {
          this.#actions.get(data.id).reject(new Error(data.message || data.code));
          this.#actions.delete(data.id);
        } else this.#on.error?.(data);
        break;
      case 'missed':
        this.#gap('missed', { epoch: this.#position.epoch, offset: data.to });
        break;
      case 'draining':
        this.#on.draining?.(data);
        break;
      case 'pong':
      case 'unsubscribed':
        break;
      default:
        if (Number.isInteger(message.offset)) this.#published(message);
    }
  }

  #subscribed({ epoch, offset, recovered, reason }) {
    if (this.state.name !== 'live') {
      clearTimeout(this.#timer);
      this.#renewed = false;
      this.#stable = setTimeout(() => {
        this.#attempt = 0;
      }, STABLE_TIME);
      this.#become({ name: 'live' });
    }
    this.#ids.add(`${epoch} ${this.#connection}`);
    const head = { epoch, offset };
    if (!this.#position) this.#gap('first', head);
    else if (!recovered) this.#gap(reason ?? 'not_recovered', head);
    else if (this.#holding) this.#gap('interrupted', head); // the last gap was never closed
  }

  #gap(reason, head) {
    this.#holding = true;
    this.#on.gap(reason, head);
  }

  #published(message) {
    if (this.#holding || !this.#position) {
      this.#held.push(message);
      if (this.#held.length > HELD) this.#held.shift();
      return;
    }
    const { epoch, offset } = this.#position;
    const follows = message.epoch === epoch && message.offset <= offset + 1;
    if (!follows) {
      this.#held.push(message);
      this.#gap(message.epoch === epoch ? 'jump' : 'epoch_changed', {
        epoch: message.epoch,
        offset: message.offset - 1,
      });
    } else if (message.offset === offset + 1) {
      this.#position = { epoch, offset: message.offset };
      this.#on.publication(message);
    }
  }
}
