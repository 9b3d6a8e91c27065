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
//   subscribed(here)         what comes next: { recovered, behind, epoch, offset } of wspool.js, and
//                            `away`, how long the connection was lost (null: it was not), and `via`
//
// States: { name: 'closed' } at first and after close(); 'connecting'; 'live'; 'checking', while the
// server is asked whether it still answers; 'waiting' with `until` (milliseconds since 1970), `attempt` and `detail`; 'offline' with `detail`, until the
// network returns or retry() is called; 'refused' with `code` and `detail`, until retry().
import { endInWords, inWords } from './words.js';
import { connect } from './wspool.js';

const PROBE = 1000; // milliseconds between two looks whether the server is back
const SPREAD = 1; // seconds, until the server announces its own

export class Connection {
  state = { name: 'closed' };
  #path;
  #route;
  #api;
  #on;
  #options;
  #client = null;
  #channel = null;
  #id = null; // of the connection, at the server
  #spread = SPREAD;
  #lost = null; // when the connection was lost
  #token = null;
  #renewed = false; // the token was renewed since we were last live
  #refusal = null; // what plain HTTP has said
  #ids = new Set(); // `epoch connection`, of every connection that this object has had

  // `route` is the channel that the path names. `options` are those of wspool.js for it.
  constructor(path, route, api, on, options = {}) {
    this.#path = path;
    this.#route = route;
    this.#api = api;
    this.#on = on;
    this.#options = options;
  }

  // `position` is that of the state that the page has already.
  open(position) {
    if (this.#client) return;
    const client = connect(this.#path, { route: this.#route, token: (how) => this.#newToken(how) });
    this.#client = client;
    client.on('status', (status) => this.#status(status));
    client.on('established', ({ connection, reconnect_spread: spread = SPREAD }) => {
      this.#id = connection;
      this.#spread = spread;
    });
    client.on('error', ({ kind, message }) => kind === 'server' && this.#on.error?.({ message }));
    client.on('draining', (data) => this.#on.draining?.(data));
    const refetch = (why) => this.#on.refetch(why);
    const channel = client.subscribe(this.#route, { ...this.#options, position, refetch });
    this.#channel = channel;
    channel.on('subscribed', (here) => this.#subscribed(here));
    channel.on('message', (message) => this.#on.publication(message));
    this.#status(client.status);
  }

  // A keyed channel, on the same socket. `on.reset(why)` says that all that is known of it is void,
  // and that the whole state follows.
  follow(name, on) {
    const channel = this.#client.subscribe(name, { state: true, refetch: (why) => on.reset(why) });
    channel.on('message', (message) => on.publication(message));
  }

  close() {
    const client = this.#client;
    this.#client = null;
    client?.close();
    this.#become({ name: 'closed' });
  }

  // Ends this connection and begins another one: under a new name, or to show that nothing is lost.
  cut() {
    this.#client?.reconnect();
  }

  // Something has failed: is the connection still good?
  async check() {
    if (this.state.name !== 'live') return;
    this.#become({ name: 'checking' });
    const answers = await this.#client.check();
    if (answers && this.state.name === 'checking') this.#become({ name: 'live' });
  }

  // The position of the last message.
  get position() {
    return this.#channel?.position ?? null;
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

  // Returns whether an id is that of the present connection.
  is(connection) {
    return connection === this.#id;
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

  #subscribed(here) {
    const away = this.#lost && performance.now() - this.#lost;
    this.#lost = null;
    this.#ids.add(`${here.epoch} ${this.#id}`);
    this.#on.subscribed?.({ ...here, away, via: this.#client.status.via });
  }

  #status({ state, attempt, until, code, reason }) {
    if (!this.#client) return;
    const why = endInWords(code, reason);
    const detail = why || 'the connection was lost';
    const told = endInWords(code) || (code >= 400 && code < 600);
    const unknown = this.state.name === 'connecting' && !told;
    if (['live', 'checking'].includes(this.state.name)) this.#lost ??= performance.now();
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
      this.#lookOut();
    } else {
      this.#become({ ...waiting, detail: inWords(reason ?? 'the server takes no connection now') });
    }
  }
  // A user who looks at the page does not wait for the next attempt when the server is back. All
  // pages see that at once, so each waits for its part of the server's spread.
  async #lookOut() {
    const { state } = this;
    const waiting = async (time) => {
      await new Promise((done) => setTimeout(done, time));
      return this.state === state;
    };
    while (await waiting(PROBE)) {
      if (document.visibilityState === 'hidden' || !(await this.#api.reachable())) continue;
      if (await waiting(Math.random() * this.#spread * 1000)) this.#client.connect();
      return;
    }
  }
}
