// SPDX-License-Identifier: MIT
// client/world.mjs - what the tests of examples/cards/web/wspool.js share: a page that is a script.
//
//     await test('what_when_expected', async (world) => {
//       const client = world.connect('/ws', { route: 'global:cards' });
//       await world.settle();
//       world.socket.hello();                 // the newest socket; connection_established
//       await world.tick(30000);              // fires the timers that are due, in order
//     });
//     done();
//
// The client has globals only. Each test gets a fresh copy of the module and its own globals: the
// clock, timers, chance, WebSocket, fetch, document and window events. Nothing waits for real time.
// A fake socket does what a browser's does, at the worst: close() fires no event.
import { strict as assert } from 'node:assert';
import { webcrypto } from 'node:crypto';
import { load } from './page.mjs';

export { assert, load };

const real = { setImmediate, setTimeout, clearTimeout, now: Date.now, random: Math.random };
const ALL_OF_IT = 60000;

let count = 0;

real.setTimeout(() => {
  console.log('Bail out! nothing happens any more');
  process.exit(1);
}, ALL_OF_IT).unref();

class FakeSocket {
  readyState = 0;
  sent = [];
  closed = false;

  constructor(world, url, protocols) {
    this.url = new URL(url);
    this.protocols = protocols;
    world.sockets.push(this);
  }

  send(text) {
    assert.equal(this.readyState, 1, 'something is sent on a socket that is not open');
    if (!this.closed) this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  // ------- what the server does

  say(type, data = {}, more = {}) {
    this.readyState = 1;
    this.onmessage?.({ data: JSON.stringify({ type, data, ...more, timestamp: 'now' }) });
  }

  hello(data = {}) {
    this.say('connection_established', { connection: '1', heartbeat_seconds: 30, ...data });
  }

  subscribed(channel, offset, more = {}) {
    this.say('subscribed', { channel, epoch: 'e1', offset, recovered: false, ...more });
  }

  publish(channel, offset, more = {}) {
    this.say('news', { n: offset }, { channel, epoch: 'e1', offset, ...more });
  }

  end(code = 1006, reason = '') {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  // The messages of a type that the client has sent; their data.
  said(type) {
    return this.sent.filter((message) => message.type === type).map(({ data }) => data);
  }
}

class World {
  now = 1e12;
  timers = new Set();
  sockets = [];
  requests = [];
  reported = []; // errors in handlers
  random = 0.5;
  #page = new EventTarget();

  async install() {
    const world = this;
    const define = (name, value) =>
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    define('WebSocket', function WebSocket(url, protocols) {
      if (world.blocked) throw new Error('sockets are blocked');
      return new FakeSocket(world, url, protocols);
    });
    define('fetch', (url, options) => this.#fetch(url, options));
    define('crypto', webcrypto);
    define('location', { href: 'http://board.example/page' });
    define('navigator', { onLine: true });
    define('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
    define('addEventListener', this.#page.addEventListener.bind(this.#page));
    define('removeEventListener', this.#page.removeEventListener.bind(this.#page));
    define('reportError', (error) => this.reported.push(error));
    define('setTimeout', (call, time = 0) => {
      const timer = { call, due: this.now + time };
      this.timers.add(timer);
      return timer;
    });
    define('clearTimeout', (timer) => this.timers.delete(timer));
    Date.now = () => this.now;
    Math.random = () => (typeof this.random === 'function' ? this.random() : this.random);
    for (const name of ['localStorage', 'sessionStorage']) {
      Object.defineProperty(globalThis, name, {
        configurable: true,
        get: () => this.storage?.() ?? assert.fail(`${name} is used`),
      });
    }
    this.module = await load();
  }

  connect(url = '/ws', options = {}) {
    const client = this.module.connect(url, options);
    client.on('error', (problem) => this.problems.push(problem));
    return client;
  }

  problems = [];

  // A client that is connected, on its first socket.
  async connected(options = {}, hello = {}) {
    const client = this.connect('/ws', options);
    await this.settle();
    this.socket.hello(hello);
    return client;
  }

  // One that was connected for so long that it counts as stable.
  async stable(options, hello) {
    const client = await this.connected(options, hello);
    await this.tick(6000);
    return client;
  }

  get socket() {
    return this.sockets.at(-1);
  }

  get request() {
    return this.requests.at(-1);
  }

  // Lets promises and streams go on.
  async settle() {
    for (let i = 0; i < 8; i++) await new Promise((go) => real.setImmediate(go));
  }

  // What a promise has come to by now; of an error its code.
  outcome(promise) {
    const failed = ({ code }) => `error ${code}`;
    return Promise.race([promise.catch(failed), this.settle().then(() => 'pending')]);
  }

  outcomes(promises) {
    return Promise.all(promises.map((promise) => this.outcome(promise)));
  }

  // Fires what is due within this time, in order.
  async tick(time) {
    const end = this.now + time;
    await this.settle();
    for (;;) {
      const next = [...this.timers].sort((a, b) => a.due - b.due)[0];
      if (!next || next.due > end) break;
      this.now = Math.max(this.now, next.due);
      this.timers.delete(next);
      next.call();
      await this.settle();
    }
    this.now = end;
  }

  // The page stands still. Then the timers that became due fire before anything else is handled.
  async freeze(time) {
    this.now += time;
    await this.tick(0);
  }

  event(name, more = {}) {
    this.#page.dispatchEvent(Object.assign(new Event(name), more));
  }

  show(visibility) {
    document.visibilityState = visibility;
    document.dispatchEvent(new Event('visibilitychange'));
  }

  #fetch(url, { headers, signal }) {
    const request = { url: new URL(url), headers, signal };
    this.requests.push(request);
    return new Promise((fulfil, reject) => {
      let out = null;
      signal.addEventListener('abort', () => reject(new Error('aborted')));
      request.fail = () => reject(new Error('no network'));
      request.refuse = (status, fields = {}, body = '') =>
        fulfil(new Response(body, { status, headers: fields }));
      request.json = (body) => fulfil(new Response(JSON.stringify(body)));
      request.stream = () => {
        const body = new ReadableStream({ start: (controller) => (out = controller) });
        signal.addEventListener('abort', () => out.error(new Error('aborted')));
        fulfil(new Response(body));
      };
      request.write = (text) => out.enqueue(new TextEncoder().encode(text));
      request.end = () => out.close();
    });
  }
}

export async function test(name, run) {
  const world = new World();
  let problem = null;
  await world.install();
  try {
    await run(world);
    await world.settle();
    assert.deepEqual(world.reported, [], 'a handler has thrown');
  } catch (error) {
    problem = error;
  }
  console.log(`${problem ? 'not ok' : 'ok'} ${++count} - ${name}`);
  if (problem) for (const line of String(problem.stack).split('\n')) console.log(`# ${line}`);
}

export function done() {
  console.log(`1..${count}`);
  process.exit(0);
}
