// SPDX-License-Identifier: MIT
// client/test_cards.mjs - the browser client against the real examples/cards, with a proxy between
// them that cuts, stalls, swallows, buffers and refuses.
//
// Cards change all the time. After each trouble the client's cards must become those of the server.
// Meanwhile each publication must come once and in its order, and none may be left out unless the
// state was fetched anew. The client's clock runs twenty times as fast as ours.
import { strict as assert } from 'node:assert';
import { createRequire } from 'node:module';
import { Cards } from '../browser/browser.mjs';
import { load } from './page.mjs';
import { Proxy } from './proxy.mjs';

const FAST = 20;
const ALL_OF_IT = 120000;
const PATIENCE = 30000;
const BOARD = 'global:cards';

const real = { setTimeout, now: Date.now, random: Math.random };
const window = new EventTarget();
const began = real.now();

try {
  globalThis.WebSocket = createRequire(import.meta.url)('/usr/share/nodejs/ws');
} catch {
  console.log('1..0 # SKIP node-ws is not installed');
  process.exit(0);
}
globalThis.setTimeout = (call, time = 0, ...more) => real.setTimeout(call, time / FAST, ...more);
Math.random = () => real.random() / 10; // short delays
Date.now = () => began + (real.now() - began) * FAST;
globalThis.addEventListener = window.addEventListener.bind(window);
globalThis.removeEventListener = window.removeEventListener.bind(window);
globalThis.crypto ??= (await import('node:crypto')).webcrypto;

real.setTimeout(() => {
  console.log('Bail out! nothing happens any more');
  process.exit(1);
}, ALL_OF_IT).unref();

const sleep = (time) => new Promise((done) => real.setTimeout(done, time));

async function until(what, condition) {
  for (const start = real.now(); !(await condition()); ) {
    if (real.now() - start > PATIENCE) throw new Error(`waited in vain: ${what}`);
    await sleep(10);
  }
}

// ------------------------------------------------------------------ server, proxy, page

let server = await Cards.start();
const proxy = await Proxy.start(server.port);
const { connect } = await load();

const cards = new Map();
let fetched = 0; // how often the state was fetched
let last = null; // the last publication
const wrong = []; // what must not happen
let ends = 0; // of connections and attempts

async function token() {
  const answer = await fetch(`${server.url}/api/token`, {
    method: 'POST',
    body: '{"subject":"page"}',
  });
  if (!answer.ok) throw new Error(`no token: ${answer.status}`);
  return (await answer.json()).token;
}

const client = connect(`ws://${proxy.host}/api/cards/ws`, {
  route: BOARD,
  attempts: Infinity,
  token,
});
client.on('error', (problem) => problem.kind === 'protocol' && wrong.push(problem));
client.on('status', ({ state: now }) => (ends += now !== 'connected'));
const board = client.subscribe(BOARD, {
  events: `http://${proxy.host}/api/cards/events`,
  poll: `http://${proxy.host}/api/cards/poll`,
  refetch: async () => {
    const { list, position } = await state();
    cards.clear();
    for (const card of list) cards.set(card.id, card);
    fetched++;
    last = position;
    return position;
  },
});
board.on('message', ({ type, epoch, offset, data }) => {
  if (epoch !== last.epoch || offset !== last.offset + 1) {
    wrong.push(`${epoch}:${offset} behind ${last.epoch}:${last.offset}`);
  }
  last = { epoch, offset };
  if (type === 'card_deleted') cards.delete(data.id);
  else cards.set(data.id, data);
});

async function state() {
  const answer = await server.ask('GET', '/api/cards');
  const { cards: list, epoch, offset } = await answer.json();
  return { list, position: { epoch, offset } };
}

// Somebody else changes cards, until told to stop.
let changing = true;
const change = async () => {
  const ids = [];
  for (let n = 0; changing; n++) {
    try {
      if (ids.length < 3) ids.push(await server.create(`card ${n}`));
      else if (n % 7 === 0) await server.remove(ids.shift());
      else await server.update(ids[n % 3], { title: `changed ${n}` });
    } catch {
      ids.length = 0; // the server is away, or has forgotten them
    }
    await sleep(5);
  }
};

// Does what ends the connection, and waits for the client to see it.
async function ending(how) {
  const before = ends;
  await how();
  await until('the end is seen', () => ends > before);
}

const connected = (via) => () => client.status.state === 'connected' && client.status.via === via;
const shown = (list) => JSON.stringify([...list].sort((a, b) => (a.id < b.id ? -1 : 1)));

// The client has what the server has, and more has come.
async function follows() {
  const before = last;
  await until('more has come', () => last !== before);
  changing = false;
  await changes;
  await until('the cards are those of the server', async () =>
    shown((await state()).list) === shown(cards.values()));
  changing = true;
  changes = change();
}

let count = 0;
async function test(name, run) {
  let problem = null;
  wrong.length = 0;
  try {
    await run();
    await follows();
    assert.deepEqual(wrong, []);
  } catch (error) {
    problem = error;
  }
  console.log(`${problem ? 'not ok' : 'ok'} ${++count} - ${name}`);
  if (problem) for (const line of String(problem.stack).split('\n')) console.log(`# ${line}`);
}

let changes = change();

// ------------------------------------------------------------------ what happens

await test('board_is_fetched_once_and_followed', async () => {
  await until('the state was fetched', () => fetched === 1 && connected('socket')());
});

await test('cut_loses_nothing_and_fetches_nothing', async () => {
  for (let i = 0; i < 3; i++) {
    await ending(() => proxy.cut());
    await until('the socket is back', connected('socket'));
    await follows();
  }
  assert.equal(fetched, 1);
});

await test('dead_socket_is_found_when_the_network_changes', async () => {
  await ending(() => {
    proxy.stall();
    window.dispatchEvent(new Event('offline'));
  });
  await until('the socket is back', connected('socket'));
  assert.equal(fetched, 1);
});

await test('swallowed_frames_lead_to_a_door_and_back', async () => {
  proxy.sockets = 'swallow';
  await ending(() => proxy.cut());
  await until('a door is open', () => client.status.state === 'connected');
  await follows();
  await ending(() => proxy.cut());
  await until('a door is open again', () => client.status.state === 'connected');
  await follows();
  proxy.sockets = 'pass';
  window.dispatchEvent(new Event('online'));
  await until('the socket is back', connected('socket'));
  assert.equal(fetched, 1);
});

await test('refused_sockets_and_buffered_events_lead_to_polls_and_back', async () => {
  proxy.sockets = 'refuse';
  proxy.events = 'buffer';
  proxy.cut();
  await until('polls are answered', connected('poll'));
  await follows();
  proxy.sockets = proxy.events = 'pass';
  await until('the socket is back by itself', connected('socket'));
  assert.equal(fetched, 1);
});

await test('time_without_a_network_costs_no_card', async () => {
  proxy.open = false;
  proxy.cut();
  await until('attempts have failed', () => client.status.attempt >= 3);
  proxy.open = true;
  window.dispatchEvent(new Event('online'));
  await until('the socket is back', connected('socket'));
  assert.equal(fetched, 1);
});

await test('each_action_is_done_once_however_often_its_socket_is_cut', async () => {
  const chat = connect(`ws://${proxy.host}/api/chat/ws/lobby`, {
    route: 'session:lobby',
    attempts: Infinity,
    token,
  });
  const heard = [];
  chat.subscribe('session:lobby').on('message', ({ data }) => heard.push(data.text));
  const texts = Array.from({ length: 30 }, (_, n) => `text ${n}`);
  const results = [];
  for (const [n, text] of texts.entries()) {
    results.push(chat.action('chat', { text }));
    if (n % 5 === 0) proxy.cut();
    if (n % 3 === 0) await sleep(15);
  }
  for (const result of await Promise.all(results)) assert.match(result, /^(done|repeated)$/);
  await until('all were heard', () => heard.length >= texts.length);
  assert.deepEqual(heard, texts);
  chat.close();
  await until('the socket is back', connected('socket'));
});

await test('restarted_server_is_followed_and_the_state_is_fetched_anew', async () => {
  changing = false;
  await changes;
  await ending(() => server.killed());
  server = await Cards.start();
  proxy.port = server.port;
  changing = true;
  changes = change();
  await until('the state was fetched', () => fetched === 2);
  await until('the client is back', () => client.status.state === 'connected');
});

client.close();
changing = false;
await changes;
server.kill();
console.log(`1..${count}`);
process.exit(0);
