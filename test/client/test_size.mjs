// SPDX-License-Identifier: MIT
// client/test_size.mjs - what a page has to load: the browser client is one module without a
// dependency, and it and its types are small.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const CLIENT_BYTES = 12 * 1024; // gzipped, without comments
const TYPE_LINES = 50; // without comments

const read = (name) => readFileSync(`examples/cards/web/${name}`, 'utf8').split('\n');
const COMMENT = /(^|\s+)\/\/ .*$|^\/\/$/;
const code = (lines) => lines.map((line) => line.replace(COMMENT, '')).filter(Boolean);

const client = code(read('wspool.js'));
const types = code(read('wspool.d.ts'));
const bytes = gzipSync(client.join('\n'), { level: 9 }).length;
const outside = client.filter((line) => /\bimport\b|\brequire\b|https?:\/\//.test(line));

let count = 0;
function ok(good, name, why) {
  console.log(`${good ? 'ok' : 'not ok'} ${++count} - ${name}\n# ${why}`);
}
ok(bytes <= CLIENT_BYTES, 'client_has_at_most_12_kilobytes', `${bytes} bytes`);
ok(types.length <= TYPE_LINES, 'types_have_at_most_50_lines', `${types.length} lines`);
ok(!outside.length, 'client_has_no_dependency', outside.join(' '));
console.log(`1..${count}`);
