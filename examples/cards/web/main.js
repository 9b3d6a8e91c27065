// SPDX-License-Identifier: MIT
// main.js - puts the page together.
//
//   dom.js         elements without markup        toast.js    notes, and text for screen readers
//   api.js         plain HTTP, the token          status.js   the state of the connection
//   wspool.js      a client that reconnects       lab.js      cut and freeze this page
//   connection.js  the page's use of it           runs.js     runs, on a keyed channel
//   model.js       the cards                      people.js   who is here, on another one
//   board.js       columns, keyboard, focus       chat.js     the chat, on a session's socket
//   names.js me.js the name of the user
//   card.js adder.js menu.js drag.js              the parts of the board
//   field.js       text fields that lose no text
//   words.js       refusals and closes, in a user's words
//
// The board is fetched first. Then the socket connects with the position that came with the board,
// so the page shows the board soon and misses nothing. When the server cannot bridge a gap,
// wspool.js asks for the board again. Where sockets are blocked, the board comes by events or by
// polls.
import { Api } from './api.js';
import { Board } from './board.js';
import { Chat } from './chat.js';
import { Connection } from './connection.js';
import { shorten } from './dom.js';
import { Lab } from './lab.js';
import { Me } from './me.js';
import { columnName, Model } from './model.js';
import { keepName, myName } from './names.js';
import { People } from './people.js';
import { Runs } from './runs.js';
import { backInWords, Status } from './status.js';
import { Toasts } from './toast.js';
import { inWords } from './words.js';

const WIDE = '(min-width: 1360px)'; // wide enough for the chat beside the board

const find = (selector) => document.querySelector(selector);

const name = myName();
const api = new Api(name, () => connection.check());
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
  already: (id) => toasts.show(`“${shorten(model.get(id)?.title ?? '')}” is running already`),
});
const board = new Board(find('#board'), find('#pills'), { model, runs, toasts });
const handlers = {
  state: () => showState(),
  refetch: (why) => fetchBoard(why),
  publication: (message) => published(message),
  subscribed: (here) => here.away !== null && status.badge(backInWords(here, 'change')),
  error: ({ message }) => toasts.refuse(message),
  draining: () => toasts.show('The server is about to restart.'),
};
const doors = { events: '/api/cards/events', poll: '/api/cards/poll' };
const connection = new Connection('/api/cards/ws', 'global:cards', api, handlers, doors);
const status = new Status(find('#status'), toasts, () => {
  connection.retry();
  chat.retry();
});
const people = new People(find('#people'), (id) => connection.is(id));
const chat = new Chat(find('#chat'), find('#chat-toggle'), {
  api,
  session: new URLSearchParams(location.search).get('session') || 'lobby',
  toasts,
});

new Lab(find('#lab'), { about: find('#about'), veil: find('#veil'), api, connection, status });
const me = new Me(find('#me'), name, async (chosen) => {
  try {
    await api.rename(chosen);
  } catch (error) {
    toasts.refuse(`Not renamed: ${inWords(error.reason)}`);
    return false;
  }
  keepName(chosen);
  connection.cut(); // a connection has the name of its token
  chat.cut();
  return true;
});

// ------------------------------------------------------------------ the board and its channel

let fetching = false;

// Returns the position of the board. It is called again if this fails.
async function fetchBoard({ reason } = {}) {
  fetching = true;
  showState();
  const { cards, epoch, offset } = await api.cards();
  const before = model.cards();
  model.load(cards);
  if (reason === 'epoch_changed') nameLost(before);
  find('#board').removeAttribute('aria-busy');
  fetching = false;
  showState();
  return { epoch, offset };
}

function showState() {
  const { state } = connection;
  model.live = ['live', 'checking'].includes(state.name);
  if (state.name === 'live' && fetching) status.show({ name: 'catching-up' });
  else if (state.name !== 'closed') status.show(state);
}

// The server has restarted, and may not have kept all cards. Ids are used again then.
function nameLost(before) {
  const lost = before.filter(({ id, title }) => model.get(id)?.title !== title);
  if (!lost.length) return;
  const rest = lost.length > 1 ? ` and ${lost.length - 1} more` : '';
  toasts.show(`The server has restarted without “${shorten(lost[0].title)}”${rest}`, {
    kind: 'refusal',
    stays: true,
    action: {
      label: 'Add again',
      run: () => lost.forEach(({ title, column_id: column }) => model.create(title, column)),
    },
  });
}

function published(message) {
  const change = model.apply(message);
  if (!change) return;
  const { before, after, ours } = change;
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

addEventListener('offline', () => connection.check());
chat.show(matchMedia(WIDE).matches, false);

const position = await fetchBoard().catch(() => undefined);
me.named = !api.anonymous;
connection.open(position);
connection.follow('topic:people', people);
connection.follow('topic:runs', runs);
chat.open();
