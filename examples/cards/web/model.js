// SPDX-License-Identifier: MIT
// model.js - the cards: the state from the server, with this page's own changes on top.
//
// A change shows at once. It stays as an overlay, field by field, until the server's message about
// it has come. So neither an answer that arrives before earlier messages nor another user's older
// change can make a card jump back and forth. A refusal removes the overlay.
//
// Requests for one card are sent one after the other: two requests at the same time might arrive in
// either order. Changes that are made meanwhile are sent together.
//
// Cards are created one after the other, so that they come in the order in which they were typed.
//
// Handlers: changed(), refused(what, card, error, change): `card` is null if it does not exist any
// more. `change` is { id, before, title }: the title it had, and the one that was refused, if any.

export const TITLE_MAX = 200; // characters

const ECHO_TIME = 2000; // milliseconds; after that the answer counts

export const COLUMNS = [
  { id: 'backlog', name: 'Backlog' },
  { id: 'plan', name: 'Plan' },
  { id: 'implement', name: 'Implement' },
  { id: 'test', name: 'Test' },
  { id: 'review', name: 'Review' },
  { id: 'done', name: 'Done' },
];

export const columnName = (id) => COLUMNS.find((column) => column.id === id)?.name ?? id;

export class Model {
  #api;
  #on;
  #cards = new Map(); // the cards of the server, in its order
  #asked = new Map(); // id -> { overlay, unsent, busy, timer }
  #removing = new Set();
  #creating = []; // [{ title, column_id }]: requests that wait for an answer
  #created = Promise.resolve(); // settled when the last of them has its answer
  live = false; // messages arrive

  constructor(api, on) {
    this.#api = api;
    this.#on = on;
  }

  // The cards to show.
  cards() {
    const shown = [];
    for (const card of this.#cards.values()) {
      if (!this.#removing.has(card.id)) shown.push(this.#overlaid(card));
    }
    return shown;
  }

  get(id) {
    const card = this.#cards.get(id);
    return card && !this.#removing.has(id) ? this.#overlaid(card) : null;
  }

  #overlaid(card) {
    return { ...card, ...this.#asked.get(card.id)?.overlay };
  }

  // ---------------------------------------------------------------- what the server says

  load(cards) {
    this.#cards = new Map(cards.map((card) => [card.id, card]));
    for (const [id, asked] of this.#asked) {
      if (!this.#cards.has(id)) this.#forget(id);
      else if (!asked.busy) this.#forget(id); // the list was made after the answer
    }
    this.#on.changed();
  }

  // Applies a publication. Returns the card before and after (null: it does not exist), and whether
  // the change is our own. Returns null for a message that is not about a card.
  apply({ type, data: card }) {
    const before = this.#cards.get(card?.id) ?? null;
    let after = card;
    let ours = false;
    if (type === 'card_deleted') {
      after = null;
      ours = this.#removing.delete(card.id);
      this.#cards.delete(card.id);
      this.#forget(card.id);
    } else if (type === 'card_created' || type === 'card_updated') {
      ours = before ? this.#confirmed(card) : this.#awaited(card);
      this.#cards.set(card.id, card);
    } else return null;
    this.#on.changed();
    return { before, after, ours };
  }

  // Removes from the overlay what the server now says too.
  #confirmed(card) {
    const asked = this.#asked.get(card.id);
    let ours = false;
    for (const field of Object.keys(asked?.overlay ?? {})) {
      if (card[field] === asked.overlay[field] && !(field in asked.unsent)) {
        delete asked.overlay[field];
        ours = true;
      }
    }
    if (asked && !asked.busy && !Object.keys(asked.overlay).length) this.#forget(card.id);
    return ours;
  }

  #awaited(card) {
    const i = this.#creating.findIndex(
      (wish) => wish.title === card.title && wish.column_id === card.column_id,
    );
    if (i >= 0) this.#creating.splice(i, 1);
    return i >= 0;
  }

  #forget(id) {
    clearTimeout(this.#asked.get(id)?.timer);
    this.#asked.delete(id);
  }

  // ---------------------------------------------------------------- what we ask for

  // How long the server's message about a change may take after the answer.
  #echoTime() {
    return this.live ? ECHO_TIME : 0;
  }

  move(id, column) {
    this.#ask(id, { column_id: column });
  }

  rename(id, title) {
    this.#ask(id, { title });
  }

  #ask(id, changes) {
    const card = this.get(id);
    if (!card || Object.entries(changes).every(([field, value]) => card[field] === value)) return;
    const asked = this.#asked.get(id) ?? { overlay: {}, unsent: {}, busy: false, timer: null };
    this.#asked.set(id, asked);
    Object.assign(asked.overlay, changes);
    Object.assign(asked.unsent, changes);
    this.#on.changed();
    if (!asked.busy) this.#send(id, asked);
  }

  async #send(id, asked) {
    clearTimeout(asked.timer);
    asked.busy = true;
    const before = this.#cards.get(id)?.title ?? '';
    while (Object.keys(asked.unsent).length) {
      const sent = asked.unsent;
      asked.unsent = {};
      try {
        await this.#api.update(id, sent);
      } catch (error) {
        for (const field of Object.keys(sent)) {
          if (!(field in asked.unsent)) delete asked.overlay[field];
        }
        this.#on.changed();
        this.#on.refused('column_id' in sent ? 'moved' : 'renamed', this.get(id), error, {
          id,
          before,
          title: 'title' in asked.unsent ? null : sent.title,
        });
      }
    }
    asked.busy = false;
    asked.timer = setTimeout(() => this.#settle(id, asked), this.#echoTime());
  }

  // The server has agreed to everything that is still in the overlay.
  #settle(id, asked) {
    const card = this.#cards.get(id);
    if (this.#asked.get(id) !== asked) return;
    this.#forget(id);
    if (card) this.#cards.set(id, { ...card, ...asked.overlay });
    this.#on.changed();
  }

  async remove(id) {
    const card = this.get(id);
    if (!card) return;
    this.#removing.add(id);
    this.#on.changed();
    try {
      await this.#api.remove(id);
    } catch (error) {
      if (error.status !== 404) {
        this.#removing.delete(id);
        this.#on.changed();
        this.#on.refused('deleted', card, error);
        return;
      }
    }
    setTimeout(() => {
      if (this.#removing.delete(id)) this.#cards.delete(id);
      this.#forget(id);
    }, this.#echoTime());
  }

  // The card is shown once the server has given it an id. Returns null, or the error.
  create(title, column) {
    const created = this.#created.then(() => this.#create(title, column));
    this.#created = created;
    return created;
  }

  async #create(title, column) {
    const wish = { title, column_id: column };
    this.#creating.push(wish);
    try {
      const card = await this.#api.create(title, column);
      setTimeout(() => {
        if (this.#creating.includes(wish) && !this.#cards.has(card.id)) {
          this.#cards.set(card.id, card);
          this.#on.changed();
        }
        this.#creating = this.#creating.filter((other) => other !== wish);
      }, this.#echoTime());
      return null;
    } catch (error) {
      this.#creating = this.#creating.filter((other) => other !== wish);
      this.#on.refused('created', wish, error);
      return error;
    }
  }
}
