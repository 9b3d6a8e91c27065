// SPDX-License-Identifier: MIT
// browser/driver.mjs - drives Chromium over the pipe of its DevTools, so that the tests need no
// other package. It has the part of Playwright's interface that the tests of this folder use;
// inpage.js is its part in the page.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Keyboard, Mouse } from './input.mjs';
import { Locator } from './locator.mjs';
import { globbed, Route, RoutedSocket } from './network.mjs';

const INPAGE = readFileSync(new URL('inpage.js', import.meta.url), 'utf8');
const POLL = 20;

// ------------------------------------------------------------------ the protocol

class Session {
  #pipe;
  #id;
  #heard = new Map();

  constructor(pipe, id) {
    this.#pipe = pipe;
    this.#id = id;
  }

  send(method, params = {}) {
    return this.#pipe.send(method, params, this.#id);
  }

  on(event, hear) {
    this.#heard.set(event, [...(this.#heard.get(event) ?? []), hear]);
  }

  once(event) {
    return new Promise((done) => this.on(event, done));
  }

  happened(event, params) {
    for (const hear of this.#heard.get(event) ?? []) hear(params);
  }
}

class Pipe {
  #input;
  #sent = new Map();
  #sessions = new Map();
  #count = 0;
  root;

  constructor(chromium) {
    this.#input = chromium.stdio[3];
    this.root = this.session(undefined);
    let rest = '';
    chromium.stdio[4].setEncoding('utf8').on('data', (text) => {
      const messages = (rest + text).split('\0');
      rest = messages.pop();
      for (const message of messages) this.#receive(JSON.parse(message));
    });
    this.#input.on('error', () => {}); // it has ended
    chromium.once('exit', () => {
      for (const { method, fail } of this.#sent.values()) fail(new Error(`${method}: no browser`));
    });
  }

  session(id) {
    const session = new Session(this, id);
    this.#sessions.set(id, session);
    return session;
  }

  send(method, params, sessionId) {
    const id = ++this.#count;
    this.#input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((done, fail) => this.#sent.set(id, { method, done, fail }));
  }

  #receive({ id, result, error, method, params, sessionId }) {
    if (id === undefined) {
      this.#sessions.get(sessionId)?.happened(method, params);
      return;
    }
    const { method: asked, done, fail } = this.#sent.get(id);
    this.#sent.delete(id);
    if (error) fail(new Error(`${asked}: ${error.message}`));
    else done(result);
  }
}

// ------------------------------------------------------------------ pages

const call = (body, arg) => `(${body})(${arg === undefined ? '' : JSON.stringify(arg)})`;

class Page {
  #context;
  #patience = 30000;
  #routes = [];
  #heard = new Map();
  #socketRoutes = [];
  #routed = new Map();
  #sockets = new Map();

  constructor(context, session) {
    this.#context = context;
    this.session = session;
    this.keyboard = new Keyboard(session);
    this.mouse = new Mouse(session);
    this.clock = {
      install: () => this.addInitScript('() => __driver.installClock()'),
      runFor: (ms) => this.run(`__driver.runFor(${ms})`),
    };
  }

  context = () => this.#context;
  setDefaultTimeout = (ms) => {
    this.#patience = ms;
  };

  async begin({ viewport, isMobile, hasTouch, deviceScaleFactor = 1, ...media }) {
    const { session } = this;
    const features = [
      ['prefers-color-scheme', media.colorScheme ?? 'light'],
      ['prefers-reduced-motion', media.reducedMotion ?? 'no-preference'],
      ['forced-colors', media.forcedColors ?? 'none'],
    ].map(([name, value]) => ({ name, value }));
    this.#listen();
    const size = { ...viewport, deviceScaleFactor, mobile: Boolean(isMobile) };
    await Promise.all([
      ...['Page', 'Runtime', 'Network', 'Log'].map((domain) => session.send(`${domain}.enable`)),
      session.send('Emulation.setDeviceMetricsOverride', size),
      session.send('Emulation.setTouchEmulationEnabled', { enabled: Boolean(hasTouch) }),
      session.send('Emulation.setEmulatedMedia', { features }),
      session.send('Emulation.setLocaleOverride', { locale: media.locale }),
      session.send('Emulation.setFocusEmulationEnabled', { enabled: true }),
      session.send('Runtime.addBinding', { name: '__toDriver' }),
      session.send('Page.addScriptToEvaluateOnNewDocument', { source: INPAGE }),
    ]);
  }

  // -------- events

  on(event, hear) {
    this.#heard.set(event, [...(this.#heard.get(event) ?? []), hear]);
  }

  #happened(event, what) {
    for (const hear of this.#heard.get(event) ?? []) hear(what);
  }

  #listen() {
    const { session } = this;
    const said = (type, text) => this.#happened('console', { type: () => type, text: () => text });
    session.on('Runtime.consoleAPICalled', ({ type, args }) =>
      said(type, args.map((arg) => arg.value ?? arg.description).join(' ')),
    );
    session.on('Log.entryAdded', ({ entry: { level, text, url = '' } }) =>
      said(level, `${text} ${url}`),
    );
    session.on('Runtime.exceptionThrown', ({ exceptionDetails: { text, exception } }) =>
      this.#happened('pageerror', { stack: exception?.description ?? text }),
    );
    session.on('Network.requestWillBeSent', ({ request: { url, method } }) =>
      this.#happened('request', { url: () => url, method: () => method }),
    );
    session.on('Network.responseReceived', ({ response: { status } }) =>
      this.#happened('response', { status: () => status }),
    );
    session.on('Network.webSocketCreated', ({ requestId, url }) => {
      const heard = {};
      this.#sockets.set(requestId, heard);
      this.#happened('websocket', {
        url: () => url,
        on: (event, hear) => {
          heard[event] = hear;
        },
      });
    });
    session.on('Network.webSocketClosed', ({ requestId }) =>
      this.#sockets.get(requestId)?.close?.(),
    );
    session.on('Network.webSocketFrameReceived', ({ requestId, response }) =>
      this.#sockets.get(requestId)?.framereceived?.({ payload: response.payloadData }),
    );
    session.on('Fetch.requestPaused', (paused) => {
      const found = this.#routes.findLast(({ pattern }) => pattern.test(paused.request.url));
      const route = new Route(session, paused);
      if (found) found.handle(route);
      else route.continue();
    });
    session.on('Runtime.bindingCalled', ({ payload }) => {
      const { id, what, data } = JSON.parse(payload);
      if (what === 'new') this.#opened(id, data);
      else this.#routed.get(id).happened(what, data);
    });
  }

  // -------- scripts

  async run(expression) {
    const { result, exceptionDetails } = await this.session.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (!exceptionDetails) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  // Evaluates until the result is neither null nor false.
  async until(expression, what = expression) {
    for (const end = Date.now() + this.#patience; ; await sleep(POLL)) {
      const value = await this.run(expression);
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited in vain: ${JSON.stringify(what)}`);
    }
  }

  evaluate = (body, arg) => this.run(call(body, arg));
  waitForFunction = (body, arg) => this.until(call(body, arg));
  addInitScript = (body, arg) =>
    this.session.send('Page.addScriptToEvaluateOnNewDocument', { source: call(body, arg) });

  async #loads(load) {
    const loaded = this.session.once('Page.loadEventFired');
    await load();
    await loaded;
  }

  goto = (url) => this.#loads(() => this.session.send('Page.navigate', { url }));
  reload = () => this.#loads(() => this.session.send('Page.reload'));

  // -------- elements

  #root = new Locator(this, []);
  locator = (css, options) => this.#root.locator(css, options);
  getByText = (text) => this.#root.getByText(text);
  getByRole = (role, options) => this.#root.getByRole(role, options);
  waitForSelector = (css) => this.locator(css).waitFor();
  textContent = (css) => this.locator(css).textContent();
  getAttribute = (css, name) => this.locator(css).getAttribute(name);
  click = (css) => this.locator(css).click();
  tap = (css) => this.locator(css).tap();

  async screenshot({ clip } = {}) {
    const { data } = await this.session.send('Page.captureScreenshot', { clip });
    return Buffer.from(data, 'base64');
  }

  // -------- the network

  async route(glob, handle) {
    this.#routes.push({ glob, handle, pattern: globbed(glob) });
    await this.session.send('Fetch.enable', { patterns: [{ urlPattern: '*/api/*' }] });
  }

  unroute(glob) {
    this.#routes = this.#routes.filter((route) => route.glob !== glob);
  }

  async routeWebSocket(pattern, handle) {
    this.#socketRoutes.push({ pattern, handle });
    await this.addInitScript(`() => __driver.routeSockets(${pattern})`);
  }

  async #opened(id, url) {
    const socket = new RoutedSocket(this, id, url);
    this.#routed.set(id, socket);
    await this.#socketRoutes.find(({ pattern }) => pattern.test(url)).handle(socket);
    if (!socket.connected && !socket.ended) socket.tell('opens');
  }
}

class Context {
  #pipe;
  #id;
  #options;
  #pages = [];

  constructor(pipe, id, options) {
    this.#pipe = pipe;
    this.#id = id;
    this.#options = options;
  }

  async newPage() {
    const { root } = this.#pipe;
    const about = { url: 'about:blank', browserContextId: this.#id };
    const { targetId } = await root.send('Target.createTarget', about);
    const { sessionId } = await root.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, this.#pipe.session(sessionId));
    await page.begin(this.#options);
    this.#pages.push(page);
    return page;
  }

  newCDPSession = async (page) => page.session;

  setOffline(offline) {
    const how = { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    return Promise.all(
      this.#pages.map(({ session }) => session.send('Network.emulateNetworkConditions', how)),
    );
  }

  close() {
    return this.#pipe.root.send('Target.disposeBrowserContext', { browserContextId: this.#id });
  }
}

// { newContext(options), close() }
export async function launch({ executablePath, args }) {
  const profile = mkdtempSync(join(tmpdir(), 'wspool-browser-'));
  const flags = [
    '--headless',
    '--remote-debugging-pipe',
    '--enable-blink-features=ComputedAccessibilityInfo',
    '--disable-background-timer-throttling',
    '--disable-renderer-backgrounding',
    '--disable-backgrounding-occluded-windows',
    '--hide-scrollbars',
    `--user-data-dir=${profile}`,
  ];
  const chromium = spawn(executablePath, [...flags, ...args], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((done) => chromium.once('exit', done));
  process.once('exit', () => {
    chromium.kill('SIGKILL');
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  });
  const pipe = new Pipe(chromium);
  return {
    newContext: async (options) => {
      const { browserContextId } = await pipe.root.send('Target.createBrowserContext');
      return new Context(pipe, browserContextId, options);
    },
    close: () => {
      pipe.root.send('Browser.close').catch(() => {}); // it may end before it answers
      return ended;
    },
  };
}
