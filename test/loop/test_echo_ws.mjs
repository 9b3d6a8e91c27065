// SPDX-License-Identifier: MIT
// loop/test_echo_ws.mjs - a real peer: the package ws, Debian's node-ws, on /echo and in a room.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';

const PATIENCE = 60000;
let WebSocket;
try {
  WebSocket = createRequire(import.meta.url)('/usr/share/nodejs/ws');
} catch {
  console.log('1..0 # SKIP node-ws is not installed');
  process.exit(0);
}

let count = 0;
let failed = 0;
function ok(good, name, ...why) {
  count++;
  if (!good) failed++;
  console.log(`${good ? '' : 'not '}ok ${count} - ${name}`);
  if (!good) for (const w of why) console.log(`# ${w}`);
}

function program() {
  if (process.env.WSPOOL_ECHO) return [process.env.WSPOOL_ECHO];
  if (!existsSync('build/examples-asan/echo')) return ['build/examples/echo'];
  // Sanitizers of this version fail if the address layout is too random.
  const fixed = spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [];
  return [...fixed, 'build/examples-asan/echo'];
}

const [command, ...first] = program();
const io = process.env.WSPOOL_IO ? ['--io', process.env.WSPOOL_IO] : [];
const server = spawn(command, [...first, ...io, '--port', '0'],
                     { stdio: ['ignore', 'pipe', 'inherit'] });
process.on('exit', () => server.kill('SIGKILL'));
setTimeout(() => {
  console.log('Bail out! nothing happens any more');
  process.exit(1);
}, PATIENCE).unref();
const line = await new Promise((done) => server.stdout.once('data', (d) => done(String(d))));
const url = line.trim().split(' ').pop();

// A client whose messages and end can be awaited.
function connect(path, options = {}) {
  const peer = new WebSocket(url + path, { perMessageDeflate: false, ...options });
  const queue = [];
  const takers = [];
  peer.on('message', (data, binary) => {
    const message = binary ? data : String(data);
    if (takers.length) takers.shift()(message);
    else queue.push(message);
  });
  peer.next = () => (queue.length ? Promise.resolve(queue.shift())
    : new Promise((done) => takers.push(done)));
  peer.ended = new Promise((done) => {
    peer.on('close', (code, reason) => done([code, String(reason)]));
  });
  peer.refused = new Promise((done) => {
    peer.on('unexpected-response', (request, response) => {
      let body = '';
      response.on('data', (part) => { body += part; });
      response.on('end', () => done([response.statusCode, body]));
    });
  });
  peer.on('error', () => {});
  peer.opened = new Promise((done) => { peer.on('open', () => done(peer)); });
  return peer;
}

const peer = await connect('/echo').opened;
for (const [name, message] of [['text', 'hello'], ['empty_text', ''],
  ['unicode', 'grüß dich, 世界 \u{1F30D}'], ['binary', randomBytes(1000)],
  ['empty_binary', Buffer.alloc(0)], ['64_KiB', randomBytes(65536)]]) {
  peer.send(message);
  const back = await peer.next();
  ok(typeof message === 'string' ? back === message : message.equals(back), `${name}_comes_back`);
}
peer.send('in ', { fin: false });
peer.send('', { fin: false });
peer.send('parts', { fin: true });
ok((await peer.next()) === 'in parts', 'fragments_come_back_as_one_message');
peer.send(Buffer.from([1, 2]), { fin: false });
const ponged = new Promise((done) => { peer.once('pong', (data) => done(String(data))); });
peer.ping('between fragments');
ok((await ponged) === 'between fragments', 'ping_between_fragments_is_answered');
peer.send(Buffer.from([3]), { fin: true });
ok(Buffer.from([1, 2, 3]).equals(await peer.next()), 'fragments_around_a_ping_come_back');
for (let i = 0; i < 1000; i++) peer.send(String(i));
let inOrder = true;
for (let i = 0; i < 1000; i++) inOrder = (await peer.next()) === String(i) && inOrder;
ok(inOrder, 'thousand_at_once_come_back_in_order');
peer.close(1000, 'done');
ok((await peer.ended)[0] === 1000, 'close_is_answered');

const bare = await connect('/echo').opened;
bare.close();
ok((await bare.ended)[0] === 1005, 'close_without_a_code_is_answered_without_one');

const big = await connect('/echo').opened;
big.send(randomBytes(65537));
const [code, reason] = await big.ended;
ok(code === 1009 && reason !== '', 'message_that_is_too_big_is_closed_with_1009', code, reason);

const deflated = await connect('/echo', { perMessageDeflate: true }).opened;
deflated.send('plain');
ok((await deflated.next()) === 'plain' && deflated.extensions === '', 'extension_is_declined');
deflated.terminate();

for (const [path, options, status, word] of [
  ['/nowhere', {}, 404, 'no_route'],
  ['/echo', { origin: 'https://elsewhere.example' }, 403, 'origin'],
  ['/echo', { protocolVersion: 8 }, 426, 'websocket_version'],
]) {
  const [got, body] = await connect(path, options).refused;
  ok(got === status && JSON.parse(body).error === word, `${word}_is_${status}`, got, body);
}
const same = await connect('/echo', { origin: url.replace('ws:', 'http:') }).opened;
same.send('hello');
ok((await same.next()) === 'hello', 'page_of_the_same_host_may_connect');

const members = await Promise.all([1, 2, 3].map(() => connect('/room/caf%C3%A9').opened));
const door = await connect('/publish').opened;
members[0].send('to the others');
ok((await members[1].next()) === 'to the others' && (await members[2].next()) === 'to the others',
  'room_hears_its_member');
door.send('café\nto all');
const heard = await Promise.all(members.map((m) => m.next()));
ok(heard.every((h) => h === 'to all'), 'room_hears_what_is_published', heard);

server.kill('SIGTERM');
const ends = await Promise.all([same, door, ...members].map((m) => m.ended));
ok(ends.every(([c]) => c === 4200), 'everybody_is_told_when_the_server_ends', JSON.stringify(ends));
const status = server.exitCode ?? await new Promise((done) => server.once('exit', done));
ok(status === 0, 'server_ends_well', status);

console.log(`1..${count}`);
process.exit(failed ? 1 : 0);
