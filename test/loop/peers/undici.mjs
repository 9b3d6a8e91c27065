// SPDX-License-Identifier: MIT
// A client of undici, node's HTTP client. See test_peers.py.
import { createRequire } from 'node:module';

// undici 5.15 writes the length of a frame from the pool to the start of the pool.
Buffer.poolSize = 0;
process.removeAllListeners('warning'); // that WebSockets are experimental
const { WebSocket } = createRequire(import.meta.url)('undici');
const messages = [
  'gr\u00fc\u00df dich \u4e16\u754c',
  'not empty', // undici 5.15 misreads what follows an empty message
  Uint8Array.from({ length: 256 }, (_, i) => i),
  new Uint8Array(65535).fill(120),
];
const same = (sent, got) =>
  typeof sent === 'string' ? sent === got : Buffer.from(sent).equals(Buffer.from(got));

const ws = new WebSocket(process.argv[2]);
ws.binaryType = 'arraybuffer';
let sent = 0;
ws.onopen = () => {
  console.log(ws.extensions ? 'deflate' : 'plain');
  ws.send(messages[sent]);
};
ws.onmessage = ({ data }) => {
  console.log(same(messages[sent++], data) ? 'same' : 'different');
  if (sent < messages.length) ws.send(messages[sent]);
  else ws.close(3001, 'mine');
};
ws.onerror = () => console.log('refused');
ws.onclose = ({ code }) => {
  console.log(`closed ${code}`);
  process.exit(); // undici keeps a finished connection for a while
};
