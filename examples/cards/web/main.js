// SPDX-License-Identifier: MIT
// main.js - puts the page together.
//
//   dom.js         elements without markup        toast.js    notes, and text for screen readers
//   api.js         plain HTTP, the token          status.js   the state of the connection
//   wspool.js      a client that reconnects       runs.js     runs, on sockets of their own
//   connection.js  the page's use of it
//   model.js       the cards                      chat.js     the chat, on a session's socket
//   board.js       columns, keyboard, focus       names.js    the name of the user
//   card.js adder.js menu.js drag.js              the parts of the board
//   field.js       text fields that lose no text
//
// The board is fetched first. Then the socket connects with the position that came with the board,
// so the page shows the board soon and misses nothing. When the server cannot bridge a gap,
// wspool.js asks for the board again. Where sockets are blocked, the board comes by events or by
// polls.
import { Api } from './api.js';
import { Board } from './board.js';
import { Chat } from './chat.js';
import { Connection } from './connection.js';
import { inWords, shorten } from './dom.js';
import { columnName, Model } from './model.js';
import { myName } from './names.js';
import { Runs } from './runs.js';
import { Status } from './status.js';
import { Toasts } from './toast.js';

const WIDE = '(min-width: 1360px)'; // wide enough for the chat beside the board

const find = (selector) => document.querySelector(selector);

const me = myName();
const api = new Api(me);
const toasts = new Toasts(find('#toasts'), find('#spoken'));
const model = new Model(api, {
  changed: () => board.renderSoon(),
  refused: (what, card, { reason, message }, change) => {
    const which = card ? ` “${shorten(card.title)}”` : '';
    const why = `Not ${what}${which}: ${inWords(reason ?? message)}`;
    if (change?.title && !card) board.keep(change.before, change.title, null);
    else toasts.refuse(why);
    if (change?.title && card) board.resume(change.id, change.title, why);
  },
});
const runs = new Runs(api, {
  changed: (id) => board.refresh(id),
  ended: (id) => toasts.say(`The run of ${model.get(id)?.title} is done`),
  refused: (id, reason) => {
    const card = model.get(id);
    if (card) toasts.refuse(`The run of “${shorten(card.title)}” has ended: ${inWords(reason)}`);
  },
});
const board = new Board(find('#board'), find('#pills'), { model, runs, toasts });
const handlers = {
  state: () => showState(),
  refetch: () => fetchBoard(),
  publication: (message) => published(message),
  error: ({ message }) => toasts.refuse(message),
  draining: () => toasts.show('The server is about to restart.'),
};
const doors = { events: '/api/cards/events', poll: '/api/cards/poll' };
const connection = new Connection('/api/cards/ws', 'global:cards', api, handlers, doors);
const status = new Status(find('#status'), toasts, () => {
  connection.retry();
  chat.retry();
});
const chat = new Chat(find('#chat'), find('#chat-toggle'), {
  api,
  session: new URLSearchParams(location.search).get('session') || 'lobby',
  toasts,
});

// ------------------------------------------------------------------ the board and its channel

let fetching = false;

// Returns the position of the board. It is called again if this fails.
async function fetchBoard() {
  fetching = true;
  showState();
  const { cards, epoch, offset } = await api.cards();
  model.load(cards);
  runs.prune((id) => model.get(id) !== null);
  find('#board').removeAttribute('aria-busy');
  fetching = false;
  showState();
  return { epoch, offset };
}

function showState() {
  const { state } = connection;
  model.live = state.name === 'live';
  if (state.name === 'live' && fetching) status.show({ name: 'catching-up' });
  else if (state.name !== 'closed') status.show(state);
}

function published(message) {
  const change = model.apply(message);
  if (!change) return;
  const { before, after, ours } = change;
  if (!after) runs.stop(before?.id ?? message.data.id);
  if (ours) return;
  if (after) board.renderSoon(after.id);
  toasts.say(inWordsOf(before, after));
}

// Describes another user's change for screen readers.
function inWordsOf(before, after) {
  if (!after) return `${before?.title ?? 'A card'} was deleted`;
  if (!before) return `${after.title} was added to ${columnName(after.column_id)}`;
  if (before.column_id !== after.column_id) {
    return `${after.title} was moved to ${columnName(after.column_id)}`;
  }
  return `${before.title} was renamed ${after.title}`;
}

// ------------------------------------------------------------------ beginning

find('#me').textContent = me;
chat.show(matchMedia(WIDE).matches, false);

const position = await fetchBoard().catch(() => undefined);
connection.open(position);
chat.open();
