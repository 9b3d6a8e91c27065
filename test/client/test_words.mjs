// SPDX-License-Identifier: MIT
// client/test_words.mjs - a user reads sentences, not the words that the library has for programs:
// for each refusal and each close code that a page may meet, as the public headers list them.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { load } from './page.mjs';

const { inWords, endInWords } = await load('words');
const list = (file, name) => {
  const text = readFileSync(`include/wspool/${file}`, 'utf8');
  const begin = text.indexOf(`#define WSPOOL_${name}(X)`);
  const rows = text.slice(begin, text.indexOf('\n\n', begin));
  return [...rows.matchAll(/X\(\w+, (\d+), "([^"]+)"\)/g)].map(([, code, word]) => [+code, word]);
};

let count = 0;
function test(name, run) {
  let problem = null;
  try {
    run();
  } catch (error) {
    problem = error;
  }
  console.log(`${problem ? 'not ok' : 'ok'} ${++count} - ${name}`);
  if (problem) for (const line of String(problem.stack).split('\n')) console.log(`# ${line}`);
}

// A page shows a good request: of the other refusals it meets those that the state of the server, or
// of its token, may bring.
test('each_refusal_that_a_page_meets_has_a_sentence', () => {
  const met = list('handshake.h', 'REFUSALS').filter(([code]) => [401, 403, 429, 503].includes(code));
  assert.ok(met.length >= 20, 'the list is read');
  for (const [, word] of met) {
    assert.match(inWords(word), /^[a-z]+( [^ ]+){2,}$/, word);
    assert.notEqual(inWords(word), word.replaceAll('_', ' '), word);
  }
});

test('each_close_has_a_sentence_with_or_without_the_reason_of_the_library', () => {
  const codes = list('close.h', 'CLOSE_CODES');
  assert.ok(codes.length >= 12, 'the list is read');
  for (const [code, word] of codes) {
    const sentence = endInWords(code);
    assert.match(sentence, / /, word);
    assert.equal(endInWords(code, word), sentence, word);
  }
  const ends = list('close.h', 'ENDS').filter(([code]) => code >= 4000);
  assert.ok(ends.length >= 10, 'the list is read');
  for (const [code, word] of ends) {
    if (word !== 'token revoked') assert.equal(endInWords(code, word), endInWords(code), word);
  }
});

test('token_that_was_revoked_is_told_from_a_door_that_is_shut', () => {
  assert.equal(endInWords(4002, 'token revoked'), inWords('revoked'));
  assert.notEqual(endInWords(4002, 'token revoked'), endInWords(4002));
});

test('reason_of_an_application_stays', () => {
  assert.equal(endInWords(4002, 'the board is closed'), 'the board is closed');
  assert.equal(endInWords(4100, 'bad_title'), 'bad title');
  assert.equal(endInWords(1006), '');
  assert.equal(inWords('constructor'), 'constructor');
});
console.log(`1..${count}`);
