// SPDX-License-Identifier: MIT
// lab.js - what a visitor can do to this page: cut its connection, or freeze it, and see it recover;
// and the line that says what the page shows.
import { thawedInWords } from './status.js';

const FREEZE = 5000; // milliseconds
const PATIENCE = 3000; // until a thawed page has caught up
const READ = 'cards.about';

const frame = () => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));

export class Lab {
  #api;
  #connection;
  #status;
  #veil;

  constructor(root, { about, veil, api, connection, status }) {
    this.#api = api;
    this.#connection = connection;
    this.#status = status;
    this.#veil = veil;
    root.querySelector('.cut').addEventListener('click', () => connection.cut());
    root.querySelector('.freeze').addEventListener('click', () => this.#freeze());
    this.#about(about);
  }

  // A tab may be frozen by its browser at any time. This one freezes itself: no script runs, and no
  // message is read. What has come meanwhile is read behind the loop.
  async #freeze() {
    this.#veil.hidden = false;
    await frame();
    const began = performance.now();
    while (performance.now() - began < FREEZE);
    const before = this.#connection.position;
    this.#veil.hidden = true;
    const now = await this.#api.cards().catch(() => null);
    if (!before || now?.epoch !== before.epoch) return; // the status says why
    const end = performance.now() + PATIENCE;
    while (this.#connection.position.offset < now.offset && performance.now() < end) await frame();
    if (this.#connection.position.offset < now.offset) return; // it is reconnecting
    this.#status.badge(thawedInWords(FREEZE, now.offset - before.offset));
  }

  #about(about) {
    let read = false;
    try {
      read = localStorage.getItem(READ) !== null;
    } catch {
      // If the browser stores nothing, the line shows each time.
    }
    about.hidden = read;
    about.querySelector('a').href = location.href;
    about.querySelector('.close').addEventListener('click', () => {
      about.hidden = true;
      try {
        localStorage.setItem(READ, 'read');
      } catch {
        // as above
      }
    });
  }
}
