// SPDX-License-Identifier: MIT
// browser/test_firefox.mjs - the board in Firefox, driven by the npm package puppeteer-core: two tabs,
// a network without sockets, and one that is away for OUTAGE seconds. Skipped where one of them is
// not installed. Firefox has no switch to go offline, so its sockets lead through a proxy.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { resolve } from 'node:path';
import { assert, Cards, sleep } from './browser.mjs';

const OUTAGE = Number(process.env.OUTAGE ?? 2) * 1000;
const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';

function puppeteer() {
  try {
    if (existsSync(FIREFOX)) return createRequire(resolve('build/node_modules/'))('puppeteer-core');
    console.log('1..0 # SKIP firefox is not installed');
  } catch {
    console.log('1..0 # SKIP the npm package puppeteer-core is not installed');
  }
  return process.exit(0);
}

// Passes bytes to the server, until it is cut.
class Proxy {
  #pairs = new Set();
  away = false;

  static async start(port) {
    const proxy = new Proxy();
    const server = createServer((client) => proxy.#passes(client, port));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    proxy.url = `http://127.0.0.1:${server.address().port}`;
    return proxy;
  }

  #passes(client, port) {
    if (this.away) return client.resetAndDestroy();
    const server = connect(port, '127.0.0.1');
    for (const [one, other] of [[client, server], [server, client]]) {
      this.#pairs.add(one);
      one.pipe(other);
      one.on('error', () => {}).on('close', () => {
        this.#pairs.delete(one);
        other.destroy();
      });
    }
  }

  cut() {
    this.away = true;
    for (const socket of this.#pairs) socket.resetAndDestroy?.() ?? socket.destroy();
  }
}

let count = 0;
let failed = 0;
async function test(name, body) {
  const why = await body().then(() => null, (error) => error);
  count++;
  failed += Boolean(why);
  console.log(`${why ? 'not ' : ''}ok ${count} - ${name}`);
  for (const line of String(why?.stack ?? '').split('\n').filter(Boolean)) console.log(`# ${line}`);
}

const library = puppeteer();
const [cards, browser] = await Promise.all([
  Cards.start(),
  library.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true }),
]);
const proxy = await Proxy.start(cards.port);

const live = (page) => page.waitForSelector('.status[data-state="live"]', { timeout: 90000 });
const isIn = (page, title, column) =>
  page.waitForFunction(
    (wanted, where) =>
      [...document.querySelectorAll('.card-title')].find((node) => node.textContent === wanted)
        ?.closest('.column').dataset.column === where,
    { timeout: 60000 },
    title,
    column,
  );

async function open(before = () => {}) {
  const page = await browser.newPage();
  await before(page);
  await page.goto(proxy.url);
  await live(page);
  return page;
}

await test('two_tabs_see_each_other_and_the_same', async () => {
  const [one, other] = [await open(), await open()];
  const id = await cards.create('Travelling');
  await cards.update(id, { column_id: 'review' });
  for (const page of [one, other]) {
    await isIn(page, 'Travelling', 'review');
    await page.waitForSelector('.person');
  }
  await one.close();
  await other.close();
});

// Sockets, and with `door` 'poll' events too, lead nowhere until window.blocked is false.
const block = (door) => (page) =>
  page.evaluateOnNewDocument((which) => {
    const { WebSocket, fetch } = window;
    Object.assign(window, { blocked: true, opened: 0, asked: [] });
    window.WebSocket = function (url, protocols) {
      const to = window.blocked ? url.replace('/api/', '/none/') : url;
      const socket = new WebSocket(to, protocols);
      if (url.includes('/cards/')) socket.addEventListener('open', () => window.opened++);
      return socket;
    };
    window.fetch = (url, how) => {
      const { pathname } = new URL(url, location.href);
      if (which === 'poll' && pathname.endsWith('/events')) return fetch('/none', how);
      window.asked.push(pathname.split('/').pop());
      return fetch(url, how);
    };
  }, door);

await test('board_follows_by_events_or_polls_where_sockets_are_blocked_and_returns', async () => {
  for (const door of ['events', 'poll']) {
    const page = await open(block(door));
    const id = await cards.create(`By ${door}`);
    await isIn(page, `By ${door}`, 'backlog');
    assert.ok(await page.evaluate((which) => window.asked.includes(which), door), door);
    await page.evaluate(() => {
      window.blocked = false;
      dispatchEvent(new Event('online'));
    });
    await page.waitForFunction(() => window.opened === 1);
    await cards.update(id, { column_id: 'done' });
    await isIn(page, `By ${door}`, 'done');
    await page.close();
  }
});

await test('page_whose_network_was_away_recovers', async () => {
  const page = await open();
  const id = await cards.create('Moved meanwhile');
  await isIn(page, 'Moved meanwhile', 'backlog');
  proxy.cut();
  await page.waitForFunction(() => document.querySelector('#status').dataset.state !== 'live');
  await cards.update(id, { column_id: 'test' });
  await sleep(OUTAGE);
  proxy.away = false;
  await live(page);
  await isIn(page, 'Moved meanwhile', 'test');
  await page.waitForSelector('.status-badge:not([hidden])');
  const badge = await page.$eval('.status-badge', (node) => node.textContent);
  assert.match(badge, /^Back in [\d.]+ m?s, (1 change recovered|by events)$/);
  await page.close();
});

await browser.close();
await cards.ended();
console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
