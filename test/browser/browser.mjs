// SPDX-License-Identifier: MIT
// browser/browser.mjs - what the browser tests share: examples/cards, Chromium, TAP.
//
//     const world = await start();                    // server, browser; skips without Chromium
//     await test('what_when_expected', async () => { const page = await world.page(); ... });
//     await world.end();                              // prints the plan, exits
//
// The server is build/examples-asan/cards if that was built, else build/examples/cards;
// WSPOOL_CARDS names another one. Each page has a context of its own, so each is another user. A
// page is closed when its test ends. A message on its console fails the test, unless the test calls
// page.mayComplain(). No test measures time: PATIENCE only ends what hangs.
import { spawn, spawnSync } from 'node:child_process';
import { strict as assert } from 'node:assert';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export { assert, sleep };

const PATIENCE = 30000;
const ALL_OF_IT = 280000;
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function skip(why) {
  console.log(`1..0 # SKIP ${why}`);
  process.exit(0);
}

function chromium() {
  const programs = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];
  const found = [process.env.CHROMIUM, ...programs].find((p) => p && existsSync(p));
  return found ?? skip('chromium is not installed');
}

// What drives the browser: driver.mjs, or with NPM=1 Playwright, whose interface it has.
async function driver() {
  if (process.env.NPM === '1') {
    try {
      return createRequire(resolve('build/node_modules/'))('playwright-core').chromium;
    } catch {
      console.error('# the npm package playwright-core is not installed: driver.mjs is used');
    }
  }
  return import('./driver.mjs');
}

function program() {
  if (process.env.WSPOOL_CARDS) return [process.env.WSPOOL_CARDS];
  if (!existsSync('build/examples-asan/cards')) return ['build/examples/cards'];
  // Sanitizers of this version fail when address layouts are randomised with too many bits.
  const fixed = spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [];
  return [...fixed, 'build/examples-asan/cards'];
}

// ------------------------------------------------------------------ the server

export class Cards {
  #process = null;
  #token = null;
  url = null;

  // `port` 0 takes a free one.
  static async start({ port = 0, demo = true, env = {} } = {}) {
    const cards = new Cards();
    const [command, ...first] = program();
    const flags = [...first, demo ? '--demo' : '--no-tokens', '--port', String(port)];
    cards.#process = spawn(command, flags, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    cards.#process.stderr.on('data', (text) => {
      for (const line of String(text).trimEnd().split('\n')) console.log(`# ${line}`);
    });
    process.on('exit', cards.kill);
    const line = await new Promise((done) => {
      cards.#process.stdout.once('data', (text) => done(String(text)));
      cards.#process.once('exit', () => done('(it has ended)'));
    });
    assert.match(line, /^listening on http:\/\//, 'the server has started');
    cards.url = line.trim().split(' ').pop();
    return cards;
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  // Ends at once, as in a power cut.
  kill = () => this.#process.kill('SIGKILL');

  // Ends in an orderly way. Returns the exit status.
  async ended() {
    const gone = new Promise((done) => this.#process.once('exit', done));
    this.#process.kill('SIGTERM');
    return gone;
  }

  async killed() {
    const gone = new Promise((done) => this.#process.once('exit', done));
    this.kill();
    await gone;
  }

  // Plain HTTP, like a client that is no browser.
  async ask(method, path, body) {
    if (!this.#token) {
      const answer = await fetch(`${this.url}/api/token`, {
        method: 'POST',
        body: JSON.stringify({ subject: 'somebody else' }),
      });
      this.#token = answer.ok ? (await answer.json()).token : 'none';
    }
    return fetch(this.url + path, {
      method,
      body: body && JSON.stringify(body),
      headers: { Authorization: `Bearer ${this.#token}` },
    });
  }

  async create(title, column = 'backlog') {
    const answer = await this.ask('POST', '/api/cards', { title, column_id: column });
    assert.equal(answer.status, 201, 'a card is created');
    return (await answer.json()).id;
  }

  async update(id, changes) {
    assert.equal((await this.ask('PATCH', `/api/cards/${id}`, changes)).status, 200);
  }

  async remove(id) {
    assert.equal((await this.ask('DELETE', `/api/cards/${id}`)).status, 204);
  }
}

// ------------------------------------------------------------------ the browser

let count = 0;
let failed = 0;
let opened = []; // pages of the current test

class World {
  #browser;
  cards;

  constructor(browser, cards) {
    this.#browser = browser;
    this.cards = cards;
  }

  // Opens a page in a new context, or beside another page, and waits until the board is live.
  // `before(page)` is called first, when nothing is loaded; `live: false` does not wait.
  async page({ before, live = true, url = this.cards.url, beside, ...options } = {}) {
    const viewport = { width: 1440, height: 860 };
    const context =
      beside?.context() ??
      (await this.#browser.newContext({ viewport, locale: 'en-GB', ...options }));
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const complaints = [];
    let may = false;
    page.mayComplain = () => {
      may = true;
    };
    page.complaints = () => (may ? [] : complaints);
    page.on('console', (said) => {
      if (said.type() === 'error' || said.type() === 'warning') complaints.push(said.text());
    });
    page.on('pageerror', (error) => complaints.push(error.stack));
    opened.push(page);
    await before?.(page);
    await page.goto(url);
    if (live) await isLive(page);
    return page;
  }

  async close() {
    await this.#browser.close();
    return this.cards.ended();
  }

  async end() {
    await test('server_ends_well', async () => {
      assert.equal(await this.close(), 0); // a sanitizer would report here, too
    });
    console.log(`1..${count}`);
    process.exit(failed ? 1 : 0);
  }
}

export async function start() {
  const executablePath = chromium();
  setTimeout(() => {
    console.log('Bail out! nothing happens any more');
    process.exit(1);
  }, ALL_OF_IT).unref();
  const browsers = await driver();
  const [browser, cards] = await Promise.all([
    browsers.launch({ executablePath, args: FLAGS }), // with a temporary profile
    Cards.start(),
  ]);
  return new World(browser, cards);
}

export async function test(name, body) {
  let why = null;
  try {
    await body();
    for (const page of opened) assert.deepEqual(page.complaints(), [], 'the console is quiet');
  } catch (error) {
    why = error;
  }
  count++;
  if (why) failed++;
  console.log(`${why ? 'not ' : ''}ok ${count} - ${name}`);
  if (why) {
    for (const line of String(why.stack).split('\n').slice(0, 20)) console.log(`# ${line}`);
    await picture(opened[0], `failed-${name}`).catch(() => {});
  }
  await Promise.all([...new Set(opened.map((page) => page.context()))].map((c) => c.close()));
  opened = [];
}

export async function picture(page, name, options = {}) {
  mkdirSync('build/screenshots', { recursive: true });
  writeFileSync(`build/screenshots/${name}.png`, await page.screenshot(options));
}

// ------------------------------------------------------------------ what a page shows

export const status = (page) => page.textContent('.status-text');

export async function isLive(page) {
  await page.waitForSelector('.status[data-state="live"]');
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn))));
}

export const state = (page, name) => page.waitForSelector(`.status[data-state="${name}"]`);

// A title occurs once in these tests.
export const card = (page, title) =>
  page.locator('#board .card', { has: page.getByText(title, { exact: true }) });

// Returns { column: [title, ...] }.
export function board(page) {
  return page.evaluate(() => {
    const titles = (column) =>
      [...column.querySelectorAll('.card-title')].map((title) => title.textContent);
    const columns = [...document.querySelectorAll('.column')];
    return Object.fromEntries(columns.map((column) => [column.dataset.column, titles(column)]));
  });
}

export async function columnOf(page, title) {
  const found = Object.entries(await board(page)).find(([, titles]) => titles.includes(title));
  return found?.[0] ?? null;
}

// Asks until the result is the wanted one.
export async function becomes(ask, wanted, what) {
  const end = Date.now() + PATIENCE;
  let got = await ask();
  while (JSON.stringify(got) !== JSON.stringify(wanted) && Date.now() < end) {
    await sleep(20);
    got = await ask();
  }
  assert.deepEqual(got, wanted, what);
}

export const isIn = (page, title, column) => becomes(() => columnOf(page, title), column, title);

// The title of the card that has the focus.
export const focused = (page) =>
  page.evaluate(
    () => document.activeElement.closest('.card')?.querySelector('.card-title').textContent ?? null,
  );

export const toast = (page, text) => page.locator('.toast', { hasText: text }).waitFor();
