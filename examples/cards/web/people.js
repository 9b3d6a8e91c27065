// SPDX-License-Identifier: MIT
// people.js - who else has the board open, on a keyed channel: a key for each person.
//
// A person who reconnects may be removed and come back at once, so a removal shows after a moment.
import { element } from './dom.js';

const SHOWN = 5; // further ones are counted
const COLOURS = 6; // of page.css
const PATIENCE = 1500; // milliseconds

const initials = (name) =>
  name.split(/\s+/).map((word) => [...word][0] ?? '').slice(0, 2).join('').toUpperCase();

export class People {
  #list;
  #isMe;
  #people = new Map(); // key -> { name, me }
  #leaving = new Map(); // key -> timer

  // `isMe(connection)` tells this page from the others.
  constructor(list, isMe) {
    this.#list = list;
    this.#isMe = isMe;
  }

  reset() {
    for (const key of this.#people.keys()) this.#leaves(key);
  }

  publication({ key, removed, data }) {
    clearTimeout(this.#leaving.get(key));
    if (removed) this.#leaves(key);
    else {
      this.#people.set(key, { name: data.name, me: this.#isMe(data.connection) });
      this.#show();
    }
  }

  #leaves(key) {
    const leave = () => {
      this.#people.delete(key);
      this.#show();
    };
    clearTimeout(this.#leaving.get(key));
    this.#leaving.set(key, setTimeout(leave, PATIENCE));
  }

  #show() {
    const others = [...this.#people].filter(([, { me }]) => !me);
    const shown = others.slice(0, SHOWN).map(([key, { name }]) =>
      element(
        'li',
        { class: 'person', title: name, data: { colour: String(Number(key) % COLOURS) } },
        element('span', { 'aria-hidden': 'true', text: initials(name) }),
        element('span', { class: 'unseen', text: name }),
      ),
    );
    const more = others.length - shown.length;
    this.#list.replaceChildren(...shown);
    if (more > 0) this.#list.append(element('li', { class: 'person-more', text: `+${more}` }));
    this.#list.hidden = others.length === 0;
  }
}
