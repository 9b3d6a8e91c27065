// SPDX-License-Identifier: MIT
// client/page.mjs - gives tests the module examples/cards/web/wspool.js, afresh each time, as each
// page of a browser gets it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// Not relative to this file: a mutant is a changed copy of the tree, and shares its tests.
const SOURCE = readFileSync(resolve('examples/cards/web/wspool.js'), 'utf8');

const folder = mkdtempSync(join(tmpdir(), 'wspool-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

let copies = 0;

export async function load() {
  const file = join(folder, `wspool-${++copies}.mjs`);
  writeFileSync(file, SOURCE);
  return import(pathToFileURL(file));
}
