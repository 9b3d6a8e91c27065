// SPDX-License-Identifier: MIT
// connection.js - a path of this server, by wspool.js: its token, and its state in the page's
// words.
//
// Handlers are passed to the constructor once:
//   state(state)             see below; called at every change
//   refetch(why)             messages may be missing: as in wspool.js
//   publication(message)     the next one, in order, none twice
//   error(data)              the server reports an error that belongs to no action
//   draining(data)           the server is about to stop
//
// States: { name: 'closed' } at first and after close(); 'connecting'; 'live'; 'waiting' with
// `until` (milliseconds since 1970), `attempt` and `detail`; 'offline' with `detail`, until the
// network returns or retry() is called; 'refused' with `code` and `detail`, until retry().
import { connect } from './wspool.js';

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

export class Connection {
  state = { name: 'closed' };
  #path;
  #route;
  #api;
  #on;
  #doors;
  #client = null;
  #token = null;
  #renewed = false; // the token was renewed since we were last live
  #refusal = null; // what plain HTTP has said
  #ids = new Set(); // `epoch connection`, of every connection that this object has had

  // `route` is the channel that the path names. `doors` are the URLs `events` and `poll`, if any.
  constructor(path, route, api, on, doors = {}) {
    this.#path = path;
    this.#route = route;
    this.#api = api;
    this.#on = on;
    this.#doors = doors;
  }

  // `position` is that of the state that the page has already.
  open(position) {
    if (this.#client) return;
    let connection = null; // its id at the server
    const client = connect(this.#path, { route: this.#route, token: (how) => this.#newToken(how) });
    this.#client = client;
    client.on('status', (status) => this.#status(status));
    client.on('established', (data) => (connection = data.connection));
    client.on('error', ({ kind, message }) => kind === 'server' && this.#on.error?.({ message }));
    client.on('draining', (data) => this.#on.draining?.(data));
    const refetch = (why) => this.#on.refetch(why);
    const channel = client.subscribe(this.#route, { ...this.#doors, position, refetch });
    channel.on('subscribed', ({ epoch }) => this.#ids.add(`${epoch} ${connection}`));
    channel.on('message', (message) => this.#on.publication(message));
    this.#status(client.status);
  }

  close() {
    const client = this.#client;
    this.#client = null;
    client?.close();
    this.#become({ name: 'closed' });
  }

  // Connects now, and restarts the count of attempts.
  retry() {
    this.#renewed = false;
    this.#client?.connect();
  }

  // Returns whether this page, not only this user, has caused a message that names a connection. A
  // server that has restarted uses ids again, in another epoch.
  isOurs({ epoch, data }) {
    return this.#ids.has(`${epoch} ${data.connection}`);
  }

  action(name, fields) {
    return this.#client.action(name, fields);
  }

  async #newToken({ renew }) {
    const refusal = this.#refusal;
    this.#refusal = null;
    if (refusal) throw Object.assign(new Error(refusal), { status: 403 }); // ends the attempts
    if (renew) this.#api.forget(this.#token);
    this.#token = await this.#api.token();
    return this.#token;
  }

  #become(state) {
    this.state = state;
    this.#on.state?.(state);
  }

  #status({ state, attempt, until, code, reason }) {
    if (!this.#client) return;
    const detail = reason || REASONS[code] || 'the connection was lost';
    const told = REASONS[code] || (code >= 400 && code < 600);
    const unknown = this.state.name === 'connecting' && !told;
    if (state === 'connected') {
      this.#renewed = false;
      this.#become({ name: 'live' });
    } else if (state === 'connecting') this.#become({ name: 'connecting', attempt: attempt - 1 });
    else if (state === 'error' && code) this.#become({ name: 'refused', code, detail });
    else if (!navigator.onLine) this.#become({ name: 'offline', detail: 'no network' });
    else if (!until) this.#become({ name: 'offline', detail });
    else if (unknown) this.#examine({ name: 'waiting', until, attempt, detail });
    else this.#become({ name: 'waiting', until, attempt, detail });
  }

  // The handshake failed, and a browser does not say why: plain HTTP may tell.
  async #examine(waiting) {
    const client = this.#client;
    const { status } = client;
    const { verdict, reason } = await this.#api.examine(this.#token);
    if (client !== this.#client || client.status.state === 'connected') return;
    if (verdict === 'renewed' && !this.#renewed) {
      this.#renewed = true;
      client.reconnect();
    } else if (verdict === 'refused') {
      this.#refusal = reason;
      client.reconnect();
    } else if (client.status !== status) {
      // The next attempt runs already.
    } else if (verdict === 'unreachable') {
      this.#become({ ...waiting, detail: 'the server cannot be reached' });
    } else {
      this.#become({ ...waiting, detail: reason ?? 'the server takes no connection now' });
    }
  }
}
