// SPDX-License-Identifier: MIT
// words.js - what a user reads of a refusal or of a close: what happened. What happens next is the
// state beside it: a countdown, or a button.
//
// The server's words are those of wspool/handshake.h (refusals) and wspool/close.h (close codes), or
// the application's own. "bad_title" is for programs; users read "bad title".

const NO_ACCESS = 'the server does not accept your access token';
const FULL = 'the server has no room for more connections';
const BUSY = 'the server is too busy for more connections';

const REFUSALS = {
  // 401
  empty_token: NO_ACCESS,
  malformed: NO_ACCESS,
  invalid: NO_ACCESS,
  wrong_audience: NO_ACCESS,
  wrong_issuer: NO_ACCESS,
  wrong_subject: NO_ACCESS,
  no_secret: 'the server cannot check access tokens',
  not_yet_valid: 'your access has not begun yet; is the clock right?',
  expired: 'your access has expired',
  revoked: 'your access was withdrawn',
  // 403
  origin: 'the server does not accept this address of the page',
  not_allowed: 'you are not allowed to do this',
  // 429
  too_many: 'too many connections in a short time',
  rate: 'too many requests in a short time',
  // 503
  full: FULL,
  capacity: FULL,
  capacity_connections: FULL,
  capacity_files: FULL,
  capacity_own_memory: FULL,
  capacity_memory: BUSY,
  capacity_cpu: BUSY,
  capacity_pressure: BUSY,
  gave_way: BUSY,
  draining: 'the server is about to restart',
  verdict_timeout: 'the server could not check your access in time',
  out_of_memory: BUSY,
};

const CLOSES = {
  4001: REFUSALS.expired,
  4002: 'you are not allowed to be here',
  4003: 'replaced by a newer connection',
  4004: 'an older connection has the place',
  4005: 'this page and the server do not understand each other',
  4100: 'this page was too slow',
  4101: FULL,
  4102: 'too many messages in a short time',
  4103: 'this page has sent too much',
  4200: 'the server is going down',
  4201: 'the server has moved',
  4202: 'the connection has lived its time',
};

// The texts that the library gives to closes of its own say no more than their code, except for
// this one: it shares the code 4002.
const REVOKED = 'token revoked';
const LIBRARY = [
  'token expired',
  'not allowed',
  'message contract broken',
  'slow consumer',
  'shed for capacity',
  'shed for its incomplete input',
  'rate limit',
  'abuse budget spent',
  'drain',
  'moved',
  'lifetime reached',
];

// Of a word of the server.
export function inWords(reason) {
  const word = String(reason);
  return Object.hasOwn(REFUSALS, word) ? REFUSALS[word] : word.replaceAll('_', ' ');
}

// Of a close code or HTTP status and its reason. An application's own reason stays. Returns '' if
// nothing is known.
export function endInWords(code, reason = '') {
  if (reason === REVOKED) return REFUSALS.revoked;
  return (LIBRARY.includes(reason) ? '' : inWords(reason)) || (CLOSES[code] ?? '');
}
