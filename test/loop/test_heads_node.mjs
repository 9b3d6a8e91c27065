// SPDX-License-Identifier: MIT
// loop/test_heads_node.mjs - HTTP heads, lawful and broken ones from a fixed seed, go to the echo
// server and to node's own server (node:http). What node's parser refuses must not get a 101 from
// us: a proxy in front would read it in another way. What both read as a lawful handshake must get
// one. STRICTER and LOOSER list the differences that are meant.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';

const HEADS = 600;
const ALL_OF_IT = 120000;

// What we refuse and node takes, and why; then what we take and node refuses.
const STRICTER = [
  [/^\S+ {2,}|^\S+ \S+ {2,}/, 'one space stands between the words of the first line'],
  [/\r\nHost:.*\r\nHost:/s, 'two Hosts: RFC 9112 3.2 demands a 400'],
  [/\r\nOrigin:.*\r\nOrigin:/s, 'two Origins: which one counts?'],
  [/\r\n(Content-Length: 5|Transfer-Encoding:)/, 'a handshake has no body'],
  [/\r\nCookie:/, 'a cookie without an allowed Origin: policy, not syntax'],
];
const LOOSER = [
  [/^GET \/echo HTTP\/1\.2\r\n/, 'a higher minor version is read as ours: RFC 9110 2.5'],
];

function program() {
  if (process.env.WSPOOL_ECHO) return [process.env.WSPOOL_ECHO];
  if (!existsSync('build/examples-asan/echo')) return ['build/examples/echo'];
  // Sanitizers of this age trip over address layouts that are too random.
  const fixed = spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [];
  return [...fixed, 'build/examples-asan/echo'];
}

let state = 12345;
function below(end) { // an LCG: the same heads each time
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return (state >>> 8) % end;
}
const one = (list) => list[below(list.length)];

const LINES = [
  'Host: a.example', 'Upgrade: websocket', 'Connection: Upgrade',
  'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const EXTRA = [
  'X: y', 'X : y', ' X: y', 'X:', 'X', ': y', 'X: a\tb', 'X: a\u0000b', 'X: a\rb', 'X: a\nb',
  'X\u0001: y', 'X(: y', 'X: \u007f', 'X: \u00e9', 'X:  y  ', 'Content-Length: 0',
  'Content-Length: 5', 'Content-Length: -1', 'Content-Length: 0, 0', 'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity', 'Host: b.example', 'Cookie: a=b; c=d', 'X: a\r\n b',
  'Connection: keep-alive', 'Expect: 100-continue', 'Origin: http://a.example',
];
const FIRST = [
  'GET  /echo HTTP/1.1', 'GET /echo  HTTP/1.1', 'GET /echo HTTP/1.2', 'GET /echo HTTP/2.0',
  'GET /echo HTTP/1.1 ', 'GET /echo', 'get /echo HTTP/1.1', 'GET /ec\u0000ho HTTP/1.1',
  'GET\t/echo HTTP/1.1', 'GET /echo http/1.1', 'GET /echo HTTP/11', 'GET /echo HTTP/1.1x',
  'G\u0000T /echo HTTP/1.1', 'GET /echo?a=%zz HTTP/1.1', 'GET echo HTTP/1.1',
];

function head() {
  const lines = [...LINES];
  for (let i = below(3); i > 0; i--) lines.splice(below(lines.length + 1), 0, one(EXTRA));
  if (below(6) === 0) lines.splice(below(lines.length), 1);
  let text = [below(4) === 0 ? one(FIRST) : 'GET /echo HTTP/1.1', ...lines, '', ''].join('\r\n');
  if (below(8) === 0) { // one byte anywhere
    const at = below(text.length);
    text = text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
  }
  return Buffer.from(text, 'latin1');
}

// The status of the answer; 0: none, or the connection ended.
function ask(port, bytes) {
  return new Promise((done) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    const end = () => { socket.destroy(); done(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)); };
    socket.on('data', (data) => { text += data.toString('latin1'); if (/\r\n/.test(text)) end(); });
    socket.on('error', end);
    socket.on('close', end);
    socket.setTimeout(400, end); // a head that is not complete
  });
}

const judge = http.createServer({ insecureHTTPParser: false });
judge.on('upgrade', (request, socket) => {
  const h = request.headers;
  const lawful = request.method === 'GET' && request.url.split('?')[0] === '/echo' && h.host
    && h['sec-websocket-version'] === '13' && /^[\w+/]{22}==$/.test(h['sec-websocket-key'])
    && h.upgrade.toLowerCase() === 'websocket' && request.httpVersion === '1.1';
  socket.end(`HTTP/1.1 ${lawful ? 101 : 200} x\r\n\r\n`);
});
judge.on('request', (request, response) => response.writeHead(200).end());
judge.listen(0, '127.0.0.1');

const [command, ...first] = program();
const server = spawn(command, [...first, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
process.on('exit', () => server.kill('SIGKILL'));
setTimeout(() => { console.log('Bail out! nothing happens any more'); process.exit(1); },
  ALL_OF_IT).unref();
const port = await new Promise((done) => {
  server.stdout.once('data', (data) => done(Number(/:(\d+)/.exec(data)[1])));
});

const loose = [];
const strict = [];
const count = { both: 0, neither: 0 };
const heads = Array.from({ length: HEADS }, head);
for (let i = 0; i < HEADS; i += 20) { // twenty at a time
  await Promise.all(heads.slice(i, i + 20).map(async (bytes) => {
    const [ours, nodes] = [await ask(port, bytes), await ask(judge.address().port, bytes)];
    const text = bytes.toString('latin1');
    const meant = (list) => list.some(([pattern]) => pattern.test(text));
    const line = `${JSON.stringify(text)}: ${ours}, node: ${nodes}`;
    if ((ours === 101) === (nodes === 101)) count[ours === 101 ? 'both' : 'neither']++;
    else if (ours === 101 && !meant(LOOSER)) loose.push(line);
    else if (nodes === 101 && !meant(STRICTER)) strict.push(line);
  }));
}
let number = 0;
function report(good, name, why) {
  console.log(`${good ? '' : 'not '}ok ${++number} - ${name}`);
  if (!good) for (const line of why) console.log(`# ${line}`);
}
report(count.both > 50 && count.neither > 50, 'heads_are_of_both_kinds', [JSON.stringify(count)]);
report(!loose.length, 'what_node_refuses_is_refused', loose);
report(!strict.length, 'what_node_takes_for_a_handshake_is_one', strict);
console.log(`1..${number}`);
process.exit(0);
