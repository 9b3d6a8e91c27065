// SPDX-License-Identifier: MIT
// client/page.mjs - gives tests a module of examples/cards/web, wspool.js if none is named, afresh
// each time, as each page of a browser gets it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// Not relative to this file: a mutant is a changed copy of the tree, and shares its tests.
const source = (name) => readFileSync(resolve(`examples/cards/web/${name}.js`), 'utf8');

const folder = mkdtempSync(join(tmpdir(), 'wspool-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

let copies = 0;

export async function load(name = 'wspool') {
  const file = join(folder, `${name}-${++copies}.mjs`);
  writeFileSync(file, source(name));
  return import(pathToFileURL(file));
}
