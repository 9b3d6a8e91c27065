// SPDX-License-Identifier: MIT
// wspool.js - a browser client for the contract wspool.v1.json (include/wspool/json.h).
//
// One module, no dependency. It may be copied into a product; wspool.d.ts has its types.
//
//     import { connect } from './wspool.js';
//
//     const client = connect('/api/cards/ws', { route: 'global:cards', token: () => myToken() });
//     const cards = client.subscribe('global:cards', {
//       events: '/api/cards/events', poll: '/api/cards/poll',   // used where WebSocket is blocked
//       refetch: async (why) => {
//         const { list, epoch, offset } = await fetchTheCards();
//         show(list);
//         return { epoch, offset };
//       },
//     });
//     cards.on('message', ({ type, data }) => apply(type, data));
//     client.on('status', ({ state }) => showState(state));
//     await client.action('chat', { text: 'hello' });           // 'done', 'repeated' or 'in_doubt'
//
// ------- Connections
//
// connect(url, options) returns the client of this URL. All scripts of a page that ask for the same
// URL share it: the options are those of the first. close() gives it back; the last one ends it.
//
//   route     the channel that the URL's path names. The server joins it by itself
//   token     a string, or a function that returns one or a promise of one. The function is called
//             before each attempt, and with { renew: true } when the token expires or is refused.
//             null or undefined: no token is needed. A blank one is refused without an attempt, and
//             so is an error that the function throws with a `status` of 401 or 403
//   attempts  attempts in a row without a stable connection until the state is `error`. Default
//             10; Infinity never gives up
//   queue     actions that wait for their acknowledgement, at most. Default 64
//
// status is { state, via, attempt, until, code, reason }, and the event `status` tells each change.
// `code` is what ended the last connection or attempt: a close code, an HTTP status, `empty_token`,
// or 0.
//
//   disconnected  at first, after close(), between two attempts (`until`: when the next one starts,
//                 in milliseconds since 1970), and while a page is not to be seen or is in the
//                 back/forward cache
//   connecting    an attempt runs
//   connected     `via` is `socket`, `events` or `poll`
//   error         no further attempt: they were too many, or the client was refused (`code` is not
//                 0). After too many attempts the page coming into view or online, or connect(),
//                 tries again; after a refusal only connect() does
//
// connect() tries now, and counts attempts anew. reconnect() replaces the connection at once. check()
// asks the server whether it still answers, and gives it 3 s. It returns a promise: false says that
// the connection is given up.
//
// Delays: the first is random within the server's `reconnect_spread`, then within 1, 2, 4 ... 30 s.
// An attempt has 10 s. The count starts anew only when a connection was stable for 5 s, since some
// servers accept and then close. After a close code 40xx there is no attempt (4001: one, with a new
// token); after 42xx, and when the page itself has cut the connection, it starts at once. A second
// 42xx before the connection is stable is treated like any other close.
//
// A page cannot see pings of the frame layer. So the client sends `ping` when the server was quiet
// for `heartbeat_seconds`, and replaces a socket that does not answer, without waiting for its
// close event. When the page comes into view, when the network changes, and when a timer fired
// late (the machine slept, the tab was frozen), the client asks at once and waits 3 s only.
//
// Doors: where sockets fail, the channels that name their doors come by Server-Sent Events, then by
// long polls. Both use fetch(), not EventSource, so that the token goes into a header and the
// status of a refusal is seen. A door that fails or stays mute is passed over until a socket works
// or all doors have failed. Meanwhile the client tries the socket in the background, and changes
// over without a gap. Browsers allow six such connections to a host, for all tabs together: a page
// out of view gives its door back. Actions wait until there is a socket.
//
// ------- Channels
//
// subscribe(name, options) returns a subscription. Its position is kept, and the server sends what
// was missed. Handlers of `message` get { type, channel, epoch, offset, key, data, timestamp };
// offsets rise, and may jump.
//
//   refetch(why)  the one call that says "your state is not to be trusted: fetch it anew". `why` is
//                 { reason, epoch, offset, follows }; reasons are `first`, those of the contract
//                 (`epoch_changed`, `too_old`, `unknown_offset`), `missed` and `overflow`. It
//                 returns the position of the new state (or a promise of it), or nothing: then the
//                 state is taken to be that of `why.offset`. Publications wait until it is
//                 fulfilled; none is lost or comes twice. If it fails, or returns a position that
//                 is too old, it is called again after a while. `follows`: the whole state comes as
//                 publications; clear yours and return nothing
//   position      of the state that the page has already: then refetch is not called at first
//   state         true: asks at first for all that the channel keeps (`follows`): the whole state of
//                 a keyed channel, the last messages of another one
//   events, poll  the URLs of the doors, if the channel has any
//
// `position` is the position of the last message; it is moved before the handlers run. A handler
// may close its subscription and subscribe again. Events: `message`, `subscribed` ({ recovered,
// behind, epoch, offset }: `behind` counts what follows, `offset` is the channel's last),
// `unsubscribed` (the server has removed us), `error`.
//
// ------- Actions
//
// action(name, data) returns a promise. It waits in a queue while there is no socket, and is sent
// again on each new connection until it is acknowledged; the server runs it once. The result is
// `done`, `repeated` (it was done earlier) or `in_doubt` (a restart lies between: look before you
// repeat it). The promise is rejected with an Error that has `code` and `retry`: when the server
// refuses the action, when the queue is full (`queue_full`), and by close() (`closed`).
//
// ------- Events of a client
//
//   status        see above
//   error         { kind, cause, code, attempt, message }: kind is `unavailable` (the first attempt
//                 failed), `attempt_failed` (attempt N failed), `connection` (a connection was
//                 lost), `protocol` (the server broke the contract: a message twice, before
//                 `subscribed`, not JSON) or `server` (the contract's `error`). cause is `network`,
//                 `timeout`, `auth`, `resources`, `refused` or `protocol`
//   established   the data of connection_established
//   draining      the server is about to stop: { seconds }
//   message       messages that belong to no subscription
//
// on(event, handler) and off(event, handler): a handler is known by its identity; adding it twice
// calls it once. An exception in a handler is reported, and the other handlers run.
//
// Nothing is stored: neither localStorage nor sessionStorage, which may throw, and which a
// duplicated tab inherits. The client instance (?client=) is random and lives as long as the
// client.

const PROTOCOL = 'wspool.v1.json';

const ATTEMPT_TIME = 10000; // milliseconds, all of them
const STABLE_TIME = 5000;
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30000;
const LONGEST_RETRY_AFTER = 300000;
const SPREAD = 1000; // until the server announces its own
const HEARTBEAT = 30000;
const PONG_TIME = 10000;
const PROBE_TIME = 3000;
const LATE = 2000; // a timer that fires so much later says that the page stood still
const MUTE_TIME = 60000; // of a stream of events
const POLL_TIME = 35000; // a long poll waits 25 s
const CLIMB = 30000; // from a door back to the socket: the first try, then twice as long
const LONGEST_CLIMB = 300000;
const HELD = 10000; // publications that wait for refetch
const QUEUE = 64;
const IN_FLIGHT = 64; // actions without an answer: the contract's limit
const ATTEMPTS = 10;
const SOCKET_TRIES = 2; // that never worked, before the doors; a timeout counts as two
const UNSTABLE_TRIES = 3; // that worked for a moment: the next such way is given up, too

const between = (code, low, high) => code >= low && code <= high;

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function failure(code, message, more) {
  return Object.assign(new Error(message), { code, retry: false, ...more });
}

class Emitter {
  #handlers = new Map();

  on(event, handler) {
    if (!this.#handlers.has(event)) this.#handlers.set(event, new Set());
    this.#handlers.get(event).add(handler);
    return this;
  }

  off(event, handler) {
    this.#handlers.get(event)?.delete(handler);
    return this;
  }

  _emit(event, value) {
    const handlers = this.#handlers.get(event) ?? new Set();
    for (const handler of [...handlers]) {
      if (!handlers.has(handler)) continue; // an earlier one has removed it
      try {
        handler(value);
      } catch (error) {
        (globalThis.reportError ?? console.error)(error);
      }
    }
  }
}

// ------------------------------------------------------------------ subscriptions

class Subscription extends Emitter {
  #channel;
  #options;
  #held = null; // publications that wait for the new state
  #why = null; // why it has to be fetched
  #fetching = false;
  #timer = null;
  #position;

  constructor(channel, options) {
    super();
    this.#channel = channel;
    this.#options = options;
    this.#position = options.position ?? null;
  }

  get channel() {
    return this.#channel.name;
  }

  get position() {
    return this.#position && { ...this.#position };
  }

  close() {
    if (!this.#channel.members.delete(this)) return;
    clearTimeout(this.#timer);
    this.#held = null;
    this.#channel.left();
  }

  // The state has to be fetched anew.
  _reset(why) {
    this.#held = [];
    this.#why = why;
    if (!this.#fetching) this.#fetch();
  }

  _take(message) {
    if (this.#held) {
      this.#held.push(message);
      if (this.#held.length > HELD) {
        const { epoch, offset } = message;
        this._reset({ reason: 'overflow', epoch, offset, follows: false });
      }
      return;
    }
    const { epoch, offset } = message;
    if (this.#position?.epoch === epoch && offset <= this.#position.offset) return; // it has it
    this.#position = { epoch, offset };
    this._emit('message', message);
  }

  async #fetch() {
    this.#fetching = true;
    for (let round = 0; this.#why; round++) {
      const why = this.#why;
      let position = null;
      this.#why = null;
      try {
        position = (await this.#options.refetch?.({ ...why })) ?? {
          epoch: why.epoch,
          offset: why.follows ? 0 : why.offset,
        };
      } catch (error) {
        this._emit('error', { kind: 'refetch', code: 'refetch', message: String(error), error });
      }
      if (!this.#channel.members.has(this)) break;
      if (this.#why) continue; // yet another reason came meanwhile
      const { epoch } = this.#channel.position ?? why;
      if (position?.epoch === epoch && (why.follows || position.offset >= why.offset)) {
        this.#position = { epoch, offset: position.offset };
        this.#release();
      } else {
        this.#why = why;
        await new Promise((done) => {
          const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** round);
          this.#timer = setTimeout(done, (0.5 + Math.random() / 2) * longest);
        });
      }
    }
    this.#fetching = false;
  }

  #release() {
    const held = this.#held ?? [];
    this.#held = null;
    for (const message of held) {
      if (this.#channel.members.has(this)) this._take(message);
    }
  }
}

// What the client knows of a channel: the position of the transport, and who listens.
class Channel {
  members = new Set();
  position = null;
  live = false; // `subscribed` has come on this connection
  repeats = 0; // up to this offset a change of transport may bring messages again
  doors = {};
  state = false;
  abort = null; // ends its door

  constructor(client, name) {
    this.client = client;
    this.name = name;
  }

  left() {
    if (this.members.size === 0) this.client._leave(this);
  }

  // What `subscribe` says, or undefined.
  since() {
    return this.position ?? (this.state ? { offset: 0 } : undefined);
  }

  subscribed({ epoch, offset, recovered, reason, reset }) {
    const before = this.position;
    this.live = true;
    if (recovered && before?.epoch === epoch) {
      const behind = Math.max(0, offset - before.offset);
      this.#tell('subscribed', { recovered: true, behind, epoch, offset });
      return;
    }
    const follows = Boolean(reset || (recovered && !before)); // then we have asked for the state
    this.position = { epoch, offset: follows ? 0 : offset };
    this.repeats = 0;
    this.#tell('subscribed', { recovered: false, behind: 0, epoch, offset });
    this.reset({ reason: reason ?? 'first', epoch, offset, follows });
  }

  missed({ from, to, reset }) {
    if (!this.live) return;
    const { epoch } = this.position;
    this.position = { epoch, offset: reset ? 0 : to };
    this.reset({ reason: 'missed', epoch, offset: to, from, to, follows: Boolean(reset) });
  }

  reset(why) {
    for (const member of [...this.members]) member._reset(why);
  }

  // Returns null, or what is wrong with this publication.
  publish(message) {
    const { epoch, offset } = message;
    if (!this.live) return 'a publication before subscribed';
    if (epoch !== this.position.epoch) {
      this.position = { epoch, offset };
      this.reset({ reason: 'epoch_changed', epoch, offset, follows: false });
      return 'a publication of another epoch';
    }
    if (offset <= this.position.offset) {
      return offset <= this.repeats ? null : 'a publication twice';
    }
    this.position = { epoch, offset };
    for (const member of [...this.members]) {
      if (this.members.has(member)) member._take(message);
    }
    return null;
  }

  #tell(event, value) {
    for (const member of [...this.members]) member._emit(event, value);
  }
}

// ------------------------------------------------------------------ transports
//
// A transport is { send, close }. It calls on.heard() when bytes came, on.message(envelope) and
// on.end(why). The client ignores all calls of a transport that it has given up.

function openSocket(url, token, on) {
  // The token goes into a header, not into the URL: URLs are logged.
  const socket = new WebSocket(url, token ? [PROTOCOL, `bearer.${token}`] : [PROTOCOL]);
  socket.onmessage = ({ data }) => on.text(data);
  socket.onclose = ({ code, reason }) => on.end({ code, reason });
  socket.onerror = () => {}; // `close` follows, and says more
  return { send: (text) => socket.send(text), close: () => socket.close() };
}

// Returns a response with a body to read, or null after on.end.
async function knock(url, position, token, on, signal) {
  const target = new URL(url, globalThis.location?.href);
  if (position) {
    if (position.epoch) target.searchParams.set('epoch', position.epoch);
    target.searchParams.set('offset', position.offset);
  }
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(target, { headers, signal, cache: 'no-store' });
  if (response.ok) return response;
  const after = Number(response.headers.get('Retry-After')) * 1000 || 0;
  const { error } = await response.json().catch(() => ({})); // of our servers
  on.end({ status: response.status, after, reason: error ?? `status ${response.status}` });
  return null;
}

async function readEvents(url, channel, token, on, signal) {
  const asked = channel.since();
  const response = await knock(url, asked, token, on, signal);
  if (!response) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let first = true;
  for (;;) {
    const { done, value } = await reader.read();
    if (signal.aborted) return;
    if (done) break;
    on.heard();
    // The server says `subscribed` only if something is missing.
    if (first && asked?.epoch) {
      const data = { channel: channel.name, ...asked, recovered: true };
      on.message({ type: 'subscribed', data });
    }
    first = false;
    const events = (text + value).replaceAll('\r\n', '\n').split('\n\n');
    text = events.pop();
    for (const event of events) {
      const fields = event.split('\n');
      const named = fields.includes('event: subscribed');
      const body = fields.filter((line) => line.startsWith('data:')).map((line) => line.slice(5));
      if (!body.length) continue; // a comment: the stream is alive
      const data = JSON.parse(body.join('\n'));
      on.message(named ? { type: 'subscribed', data: { channel: channel.name, ...data } } : data);
      if (signal.aborted) return;
    }
  }
  on.end({ reason: 'the stream has ended' });
}

// The first poll names no position, so it is answered at once: it shows that the door is open.
async function readPolls(url, channel, token, on, signal) {
  const asked = channel.since();
  for (let first = true; !signal.aborted; first = false) {
    const limit = setTimeout(() => on.end({ cause: 'timeout', reason: 'no answer' }), POLL_TIME);
    const body = await knock(url, first ? null : channel.position, token, on, signal)
      .then((response) => response?.json())
      .finally(() => clearTimeout(limit));
    if (!body || signal.aborted) return;
    on.heard();
    const { epoch, offset, messages } = body;
    const recovered = first ? asked?.epoch === epoch : body.recovered;
    if (first || !recovered) {
      const reason = asked?.epoch && !recovered ? 'epoch_changed' : undefined;
      const data = { channel: channel.name, epoch, offset, recovered, reason };
      on.message({ type: 'subscribed', data });
    }
    for (const message of messages) {
      if (!signal.aborted) on.message(message);
    }
  }
}

const READERS = { events: readEvents, poll: readPolls };

// ------------------------------------------------------------------ the client

class Client extends Emitter {
  instance = randomId();
  status = { state: 'disconnected', via: null, attempt: 0, until: null, code: 0, reason: '' };
  #url;
  #options;
  #route = null;
  #channels = new Map();
  #leaving = new Map(); // name -> how many answers `unsubscribed` are to come
  #wanted = false; // connect() was called, close() was not
  #link = null; // the connection, or the attempt
  #candidate = null; // a socket that may replace a door
  #timers = new Set(); // those of the connection, and of the next attempt
  #attempt = 0; // the number of attempts since the last stable connection
  #delays = 0; // and of delays
  #eager = false; // an attempt without a delay was made since then
  #renewed = false; // the token was renewed since then
  #tries = 0; // failures of sockets in a row
  #passed = new Set(); // doors that have failed since then
  #climb = CLIMB;
  #spread = SPREAD;
  #heartbeat = HEARTBEAT;
  #asking = null; // the token hook runs
  #actions = []; // [{ id, data, link, epoch, again, resolve, reject }], in their order
  #count = 0;
  #actionEpoch = null;
  #forgotten = false; // the server does not know our actions: one goes ahead

  constructor(url, options) {
    super();
    this.#url = url;
    this.#options = options;
    if (options.route) {
      this.#route = new Channel(this, options.route);
      this.#channels.set(options.route, this.#route);
    }
  }

  connect() {
    if (!this.#wanted) {
      this.#wanted = true;
      this.#listen('addEventListener');
    }
    if (this.#link) return;
    this.#afresh();
    this.#start();
  }

  reconnect() {
    if (this.#wanted) this.#start();
  }

  check() {
    const link = this.#link;
    if (!link?.up) return Promise.resolve(false);
    if (link.via !== 'socket') return Promise.resolve(true); // a door cannot be asked
    this.#probe(link);
    return new Promise((done) => link.checks.push(done));
  }

  // Gives back what connect(url) has returned; the last one ends the connection.
  close() {
    if (!this.#wanted) return;
    const shared = clients.get(this.#url);
    if (shared?.client === this && --shared.users > 0) return;
    clients.delete(this.#url);
    this.#wanted = false;
    this.#listen('removeEventListener');
    this.#drop();
    for (const channel of [...this.#channels.values()]) {
      for (const member of [...channel.members]) member.close();
    }
    for (const { reject } of this.#actions.splice(0)) {
      reject(failure('closed', 'the client was closed'));
    }
    this.#become('disconnected');
  }

  subscribe(name, options = {}) {
    let channel = this.#channels.get(name);
    const known = Boolean(channel);
    if (!channel) this.#channels.set(name, (channel = new Channel(this, name)));
    const member = new Subscription(channel, options);
    const { position, state, events, poll } = options;
    channel.doors = { events: channel.doors.events ?? events, poll: channel.doors.poll ?? poll };
    channel.state ||= Boolean(state);
    channel.members.add(member);
    const { epoch, offset } = channel.position ?? position ?? {};
    if (!channel.position && position) channel.position = { epoch, offset };
    else if (channel.position && !(position?.epoch === epoch && position.offset >= offset)) {
      member._reset({ reason: 'first', epoch, offset, follows: false });
    }
    if (!known && this.#link?.up) this.#join(channel);
    return member;
  }

  action(name, data = {}) {
    if (this.#actions.length >= (this.#options.queue ?? QUEUE)) {
      return Promise.reject(failure('queue_full', 'too many actions wait', { retry: true }));
    }
    return new Promise((resolve, reject) => {
      this.#actions.push({ data: { ...data, name }, id: null, link: null, resolve, reject });
      this.#flush();
    });
  }

  // ---------------------------------------------------------------- the page

  #listen(how) {
    globalThis[how]?.('online', this.#onOnline);
    globalThis[how]?.('offline', this.#onOffline);
    globalThis[how]?.('pagehide', this.#onPageHide);
    globalThis[how]?.('pageshow', this.#onPageShow);
    globalThis.document?.[how]('visibilitychange', this.#onVisibility);
    globalThis.navigator?.connection?.[how]?.('change', this.#onOffline);
  }

  // `online` may come too early, and navigator.onLine may be wrong in both ways: events only make
  // the client look.
  #onOnline = () => this.#wake();
  #onOffline = () => this.#link?.up && this.#probe(this.#link);

  #onVisibility = () => {
    if (document.visibilityState === 'visible') this.#wake();
    else if (this.#link && this.#link.via !== 'socket') this.#sleep('out of view');
  };

  // A page with a connection is kept out of the back/forward cache, or its connection dies there
  // without a word.
  #onPageHide = ({ persisted }) => persisted && this.#sleep('the page is cached');
  #onPageShow = ({ persisted }) => persisted && !this.#refused && this.#start();

  get #refused() {
    return this.status.state === 'error' && this.status.code !== 0;
  }

  #sleep(reason) {
    if (this.#refused) return;
    this.#drop();
    this.#become('disconnected', { reason });
  }

  #wake() {
    if (this.#link?.up) {
      this.#probe(this.#link);
      if (this.#link?.via !== 'socket') this.#try();
    } else if (!this.#link && !this.#refused) {
      if (this.status.state === 'error') this.#afresh();
      this.#start();
    }
  }

  // ---------------------------------------------------------------- attempts

  #become(state, more = {}) {
    this.status = { state, via: null, attempt: 0, until: null, code: 0, reason: '', ...more };
    this._emit('status', this.status);
  }

  #after(time, call) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      call();
    }, time);
    this.#timers.add(timer);
    return timer;
  }

  #cancel(timer) {
    clearTimeout(timer);
    this.#timers.delete(timer);
  }

  // Gives up the connection and all that waits. Events of a dropped link are not acted upon, and
  // its close is not waited for: it may take minutes.
  #drop() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#leaving.clear();
    this.#abandon(this.#candidate);
    this.#abandon(this.#link);
    this.#candidate = this.#link = null;
    for (const channel of this.#channels.values()) channel.live = false;
  }

  #abandon(link) {
    if (!link) return;
    link.over = true;
    for (const done of link.checks.splice(0)) done(false);
    this.#cancel(link.timer);
    link.transport?.close();
  }

  // The next way to try: sockets first, then the doors that have not failed.
  #via() {
    if (this.#tries < SOCKET_TRIES) return 'socket';
    const has = (door) => [...this.#channels.values()].some(({ doors }) => doors[door]);
    const door = ['events', 'poll'].find((name) => has(name) && !this.#passed.has(name));
    if (door) return door;
    this.#tries = 0;
    this.#passed.clear();
    return 'socket';
  }

  // Forgets the failures, but not that sockets are blocked: only a socket that works shows that.
  #afresh() {
    this.#attempt = this.#delays = 0;
    this.#eager = this.#renewed = false;
  }

  #start() {
    if (!this.#wanted) return;
    const via = this.#via();
    if (via !== 'socket' && globalThis.document?.visibilityState === 'hidden') {
      this.#sleep('out of view');
      return;
    }
    this.#drop();
    this.#attempt++;
    this.#link = this.#open(via);
    this.#become('connecting', { via, attempt: this.#attempt });
  }

  #open(via) {
    const link = { via, up: false, over: false, heard: Date.now(), since: 0, asked: false };
    link.checks = []; // who waits for an answer
    link.timer = this.#after(ATTEMPT_TIME, () => {
      this.#asking = null; // the hook may hang; the next attempt calls it again
      this.#ended(link, { cause: 'timeout', reason: 'no answer in time' });
    });
    this.#enter(link);
    return link;
  }

  async #enter(link) {
    try {
      const token = await this.#token();
      if (link.over) return;
      if (typeof token === 'string' && !token.trim()) this.#refuse('empty_token', 'auth');
      else if (link.via !== 'socket') this.#openDoors(link, token);
      else link.transport = openSocket(this.#target(), token, this.#events(link));
    } catch (error) {
      this.#ended(link, { status: error.status, reason: String(error.message ?? error) });
    }
  }

  // Runs the token hook; calls share a run that has not ended.
  #token(how = {}) {
    const { token } = this.#options;
    if (typeof token !== 'function') return token;
    if (this.#asking) return this.#asking;
    const asking = Promise.resolve(how)
      .then(token)
      .finally(() => {
        if (this.#asking === asking) this.#asking = null;
      });
    this.#asking = asking;
    return asking;
  }

  #target() {
    const url = new URL(this.#url);
    const { epoch, offset } = this.#route?.since() ?? {};
    url.searchParams.set('client', this.instance);
    if (epoch) url.searchParams.set('epoch', epoch);
    if (offset !== undefined) url.searchParams.set('offset', offset);
    return url.href;
  }

  #events(link) {
    const alive = (call) => (value) => {
      if (!link.over) call(value);
    };
    return {
      heard: alive(() => this.#heard(link)),
      text: alive((text) => this.#read(link, text)),
      message: alive((message) => this.#dispatch(link, message)),
      end: alive((why) => this.#ended(link, why)),
    };
  }

  #openDoors(link, token) {
    link.token = token;
    link.transport = {
      close: () => {
        for (const { abort } of this.#channels.values()) abort?.abort();
      },
    };
    for (const channel of this.#channels.values()) this.#openDoor(link, channel);
  }

  #openDoor(link, channel) {
    const url = channel.doors[link.via];
    if (!url) return;
    const on = this.#events(link);
    const { signal } = (channel.abort = new AbortController());
    const limit = this.#after(ATTEMPT_TIME, () => {
      on.end({ cause: 'timeout', reason: 'no answer in time' });
    });
    const heard = () => {
      this.#cancel(limit);
      if (!link.over && !link.up) this.#arrived(link);
      on.heard();
    };
    READERS[link.via](url, channel, link.token, { ...on, heard }, signal).catch((error) => {
      if (!signal.aborted) on.end({ reason: String(error.message ?? error) });
    });
  }

  // The link works. A socket that was tried beside a door takes its place: what the door has
  // brought since may come again.
  #arrived(link) {
    this.#cancel(link.timer);
    if (link === this.#candidate) {
      this.#candidate = null;
      if (this.#route?.position) this.#route.repeats = this.#route.position.offset;
      this.#drop();
      this.#link = link;
    }
    link.up = true;
    link.since = Date.now();
    if (link.via === 'socket') {
      this.#tries = 0;
      this.#passed.clear();
      this.#climb = CLIMB;
    } else this.#tryLater();
    this.#watch(link, link.via === 'socket' ? this.#heartbeat : MUTE_TIME);
    this.#become('connected', { via: link.via });
    if (link.over) return; // a handler has closed us
    for (const channel of this.#channels.values()) {
      if (channel !== this.#route && link.via === 'socket') this.#join(channel);
    }
    this.#flush();
  }

  #tryLater() {
    this.#after((0.5 + Math.random() / 2) * this.#climb, () => this.#try());
    this.#climb = Math.min(LONGEST_CLIMB, this.#climb * 2);
  }

  #try() {
    if (!this.#candidate) this.#candidate = this.#open('socket');
  }

  #ended(link, why) {
    if (link.over) return;
    if (link === this.#candidate) {
      this.#abandon(link);
      this.#candidate = null;
      this.#tryLater();
      return;
    }
    const { code = 0, status = 0 } = why;
    const stable = link.up && Date.now() - link.since >= STABLE_TIME;
    this.#drop();
    const timeout = why.cause === 'timeout';
    const fruitless = !link.up || (!stable && this.#attempt > UNSTABLE_TRIES);
    if (stable) this.#afresh();
    if (link.via !== 'socket') (fruitless || timeout) && this.#passed.add(link.via);
    else if (fruitless) this.#tries += link.up || timeout ? SOCKET_TRIES : 1;

    if ((code === 4001 || status === 401) && this.#renewable()) this.#renew();
    else if (between(code, 4001, 4002)) this.#refuse(code, 'auth', why.reason);
    else if (between(code, 4000, 4099)) this.#refuse(code, 'refused', why.reason);
    else if (status === 401 || status === 403) this.#refuse(status, 'auth', why.reason);
    else if ((between(code, 4200, 4299) || why.eager) && !this.#eager) {
      this.#eager = true;
      this.#start();
    } else this.#wait(link, why);
  }

  #renewable() {
    return typeof this.#options.token === 'function' && !this.#renewed;
  }

  // The next attempt shows another token.
  #renew() {
    this.#renewed = true;
    this.#token({ renew: true }).catch(() => {}); // the attempt waits for the same call
    this.#start();
  }

  #refuse(code, cause, reason = '') {
    this.#drop();
    this.#become('error', { code, reason });
    this.#problem('connection', { cause, code, message: reason });
  }

  #wait(link, { code = 0, status = 0, cause, after = 0, reason = '' }) {
    const attempt = this.#attempt;
    const full = between(code, 4100, 4199) || [1013, 429, 503].includes(code || status);
    let kind = attempt === 1 ? 'unavailable' : 'attempt_failed';
    if (link.up) kind = 'connection';
    cause ??= full ? 'resources' : 'network';
    if (attempt >= (this.#options.attempts ?? ATTEMPTS)) {
      this.#become('error', { attempt, reason: 'too many attempts' });
    } else {
      const longest = this.#delays
        ? Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#delays - 1))
        : this.#spread;
      const delay = Math.max(Math.random() * longest, Math.min(after, LONGEST_RETRY_AFTER));
      this.#delays++;
      this.#after(delay, () => this.#start());
      const until = Date.now() + delay;
      this.#become('disconnected', { attempt, until, code: code || status, reason });
    }
    this.#problem(kind, { cause, code: code || status, attempt, message: reason });
  }

  #problem(kind, more) {
    this._emit('error', { kind, cause: 'protocol', code: 0, attempt: 0, message: '', ...more });
  }

  // ---------------------------------------------------------------- life

  #heard(link) {
    link.heard = Date.now();
    link.asked = link.again = false;
    for (const done of link.checks.splice(0)) done(true);
  }

  // Looks at the link again after `time`. The clock judges, not the timer: timers of hidden tabs
  // are throttled, and those of a machine that slept fire late, before what has come is handled.
  #watch(link, time) {
    const due = Date.now() + time;
    this.#cancel(link.timer);
    link.timer = this.#after(time, () => this.#look(link, Date.now() - due > LATE));
  }

  #look(link, late) {
    link.heard = Math.min(link.heard, Date.now()); // the clock may have been set back
    const quiet = Date.now() - link.heard;
    if (link.via === 'events') {
      // A stream cannot be asked: it is judged by what came.
      if (late) this.#ended(link, { reason: 'the page stood still', eager: true });
      else if (quiet < MUTE_TIME) this.#watch(link, MUTE_TIME - quiet);
      else this.#ended(link, { cause: 'timeout', reason: 'the stream is mute' });
    } else if (link.via === 'socket') {
      if (link.asked && (!late || link.again)) {
        this.#ended(link, { cause: 'timeout', reason: 'the server is silent', eager: link.soon });
      } else if (link.asked || late || quiet >= this.#heartbeat) {
        link.again = link.asked; // late once proves nothing
        this.#ping(link, late);
      } else this.#watch(link, this.#heartbeat - quiet);
    } // each poll has a limit of its own
  }

  // Asks at once whether the server is still there.
  #probe(link) {
    if (link.via !== 'socket') this.#look(link, false);
    else if (!link.asked || !link.soon) this.#ping(link, true);
  }

  #ping(link, soon) {
    link.asked = true;
    link.soon = soon;
    this.#say(link, 'ping');
    this.#watch(link, soon ? PROBE_TIME : PONG_TIME);
  }

  // ---------------------------------------------------------------- what is said

  #say(link, type, data) {
    link.transport.send(JSON.stringify({ type, data }));
  }

  #join(channel) {
    const link = this.#link;
    if (link.via !== 'socket') this.#openDoor(link, channel);
    else this.#say(link, 'subscribe', { channel: channel.name, since: channel.since() });
  }

  // The last subscription of a channel has been closed.
  _leave(channel) {
    if (channel === this.#route) return; // the server joins it again each time
    this.#channels.delete(channel.name);
    channel.abort?.abort();
    if (!this.#link?.up || this.#link.via !== 'socket') return;
    this.#leaving.set(channel.name, (this.#leaving.get(channel.name) ?? 0) + 1);
    this.#say(this.#link, 'unsubscribe', { channel: channel.name });
  }

  // Sends what was not sent on this connection yet. An action gets its id when it is sent first.
  #flush() {
    const link = this.#link;
    if (!link?.up || link.via !== 'socket') return;
    // The server has restarted, and keeps no ids.
    const lost = ({ id, epoch }) => id && epoch !== this.#actionEpoch;
    for (const action of this.#actions.filter(lost)) this.#settle(action, 'in_doubt');
    for (const [i, action] of this.#actions.entries()) {
      if (i >= IN_FLIGHT || (this.#forgotten && i > 0)) break;
      if (action.link === link) continue;
      action.again = Boolean(action.id);
      action.id ??= `${this.instance}-${++this.#count}`;
      action.link = link;
      action.epoch = this.#actionEpoch;
      this.#say(link, 'action', { ...action.data, id: action.id });
    }
  }

  #settle(action, result, error) {
    this.#actions.splice(this.#actions.indexOf(action), 1);
    if (error) action.reject(failure(error.code, error.message, { retry: error.retry }));
    else action.resolve(result ?? 'done');
  }

  // `in_doubt` for an action that was sent once says that the server does not know our earlier
  // ones. Nothing has happened: the action goes again, under an id that the server takes for new.
  #answered({ id, result, next = 0, ...error }, refused) {
    const action = this.#actions.find((one) => one.id === id);
    if (!action) return false;
    this.#forgotten = false;
    this.#count = Math.max(this.#count, next - 1);
    if (result === 'in_doubt' && !action.again && action.link === this.#link) {
      action.id = action.link = null;
    } else this.#settle(action, result, refused ? error : null);
    this.#flush();
    return true;
  }

  #read(link, text) {
    let message;
    this.#heard(link);
    try {
      message = JSON.parse(text);
    } catch {
      message = null;
    }
    if (typeof message?.type === 'string') this.#dispatch(link, message);
    else this.#problem('protocol', { message: 'not a message of the contract' });
  }

  #dispatch(link, message) {
    const { type } = message;
    const data = message.data ?? {};
    const name = message.channel ?? data.channel;
    const channel = this.#leaving.get(name) ? null : this.#channels.get(name);
    if (!link.up && type !== 'connection_established') return;
    if (message.offset !== undefined) this.#publication(channel, name, message);
    else if (type === 'connection_established') this.#established(link, data);
    else if (type === 'subscribed') channel?.subscribed(data);
    else if (type === 'missed') channel?.missed(data);
    else if (type === 'unsubscribed') this.#unsubscribed(channel, data);
    else if (type === 'ack') this.#answered(data, false);
    else if (type === 'error') this.#refusal(channel, data);
    else if (type === 'token_expiring') this.#reauthorise(link);
    else if (type === 'moved') this.#moved(data.url);
    else if (type === 'draining') this._emit('draining', data);
    else if (type !== 'pong' && type !== 'auth_renewed') this._emit('message', message);
  }

  #established(link, data) {
    if (data.heartbeat_seconds > 0) this.#heartbeat = data.heartbeat_seconds * 1000;
    if (data.reconnect_spread >= 0) this.#spread = data.reconnect_spread * 1000;
    const epoch = data.action_epoch ?? null;
    if (epoch !== this.#actionEpoch) this.#forgotten = this.#count > 0;
    this.#actionEpoch = epoch;
    this.#arrived(link);
    this._emit('established', data);
  }

  #publication(channel, name, message) {
    if (this.#leaving.get(name)) return;
    const wrong = channel?.publish(message);
    if (wrong) this.#problem('protocol', { code: wrong, message: `${wrong}: ${name}` });
    if (!channel?.members.size) this._emit('message', message);
  }

  #unsubscribed(channel, data) {
    const answers = this.#leaving.get(data.channel);
    if (answers > 1) this.#leaving.set(data.channel, answers - 1);
    else if (answers) this.#leaving.delete(data.channel);
    else if (channel) {
      channel.live = false;
      for (const member of [...channel.members]) member._emit('unsubscribed', data);
    }
  }

  // An error of the contract belongs to an action, to a channel, or to nothing.
  #refusal(channel, data) {
    if (data.id !== undefined && this.#answered(data, true)) return;
    for (const member of [...(channel?.members ?? [])]) member._emit('error', data);
    if (channel && data.retry) {
      const again = () => this.#channels.get(channel.name) === channel && this.#join(channel);
      this.#after((0.5 + Math.random() / 2) * LONGEST_DELAY, again);
    }
    this.#problem('server', { code: data.code, cause: 'refused', message: data.message });
  }

  async #reauthorise(link) {
    if (typeof this.#options.token !== 'function') return;
    try {
      const token = await this.#token({ renew: true });
      if (!link.over && token?.trim()) this.#say(link, 'auth', { token });
    } catch (error) {
      this.#problem('protocol', { cause: 'auth', message: String(error.message ?? error) });
    }
  }

  // The server closes with 4201 next. An encrypted connection does not move to a plain one.
  #moved(url) {
    const target = new URL(url, this.#url);
    const secure = this.#url.startsWith('wss:');
    if (target.protocol === 'wss:' || (target.protocol === 'ws:' && !secure)) {
      const shared = clients.get(this.#url);
      clients.delete(this.#url);
      this.#url = target.href;
      if (shared) clients.set(this.#url, shared);
    }
  }
}

// ------------------------------------------------------------------ one client for each URL

const clients = new Map(); // URL -> { client, users }

export function connect(url, options = {}) {
  const target = new URL(url, globalThis.location?.href);
  target.protocol = target.protocol.replace('http', 'ws');
  let shared = clients.get(target.href);
  if (!shared) {
    shared = { client: new Client(target.href, options), users: 0 };
    clients.set(target.href, shared);
    shared.client.connect();
  }
  shared.users++;
  return shared.client;
}
