// SPDX-License-Identifier: MIT
// client/test_module.mjs - what a page has to load: the browser client is one module without a
// dependency, it and its types are small, and the types name what is there.
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

// The body of what begins with `head`, up to a line that closes it.
const part = (text, head) => text.slice(text.indexOf(head)).split(/\n\}/)[0];
const words = (text, pattern) => [...new Set([...text.matchAll(pattern)].map(([, word]) => word))];
const [js, ts] = [client.join('\n'), types.join('\n')];
const missing = [];
for (const name of ['Client', 'Subscription']) {
  const own = part(js, `class ${name} `);
  const typed = part(ts, `interface ${name}`) + part(ts, `interface ${name}`).split('}> {').pop();
  const methods = words(own, /^  (?:get )?([a-z]\w*)(?:\(| =)/gm);
  const events = words(own, /_emit\('(\w+)'/g);
  for (const word of [...methods, ...events].filter((one) => one !== 'constructor')) {
    if (!new RegExp(`\\b${word}\\b`).test(ts)) missing.push(`${name}: ${word}`);
  }
  for (const word of words(typed, /(\w+)(?:<[^(]*>)?\([^)]*\): (?:void|Promise|Subscription)/g)) {
    if (!methods.includes(word)) missing.push(`${name}: no ${word}`);
  }
}
ok(!missing.length, 'types_name_what_is_there', missing.join(' '));
console.log(`1..${count}`);
