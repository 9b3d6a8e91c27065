// SPDX-License-Identifier: MIT
// status.js - the state of the connection, in the corner of the page.
//
// The countdown is visible only; a screen reader reads each new state once.
import { inWords, setText } from './dom.js';

const TICK = 200;

export class Status {
  #root;
  #text;
  #detail;
  #button;
  #toasts;
  #timer = null;
  #said = 'connecting';

  constructor(root, toasts, retry) {
    this.#root = root;
    this.#text = root.querySelector('.status-text');
    this.#detail = root.querySelector('.status-detail');
    this.#button = root.querySelector('button');
    this.#toasts = toasts;
    this.#button.addEventListener('click', retry);
  }

  // A state of connection.js, or 'catching-up' while the board is fetched.
  show(state) {
    clearInterval(this.#timer);
    this.#root.dataset.state = state.name;
    this.#button.hidden = !['waiting', 'offline', 'refused'].includes(state.name);
    setText(this.#button, state.name === 'waiting' ? 'Now' : 'Try again');
    setText(this.#detail, this.#why(state));
    if (state.name === 'waiting') {
      const tick = () => {
        const seconds = Math.max(0, Math.ceil((state.until - Date.now()) / 1000));
        setText(this.#text, `Reconnecting in ${seconds} s`);
      };
      tick();
      this.#timer = setInterval(tick, TICK);
    } else setText(this.#text, this.#words(state));
    this.#speak(state);
  }

  #words(state) {
    switch (state.name) {
      case 'live':
        return 'Live';
      case 'catching-up':
        return 'Catching up…';
      case 'offline':
        return 'Offline';
      case 'refused':
        return `Refused: ${inWords(state.detail)}`;
      case 'connecting':
        return state.attempt ? 'Reconnecting…' : 'Connecting…';
      default:
        return 'Closed';
    }
  }

  #why({ name, attempt, detail }) {
    if (name === 'waiting' && attempt > 1) return `attempt ${attempt - 1} failed: ${detail}`;
    return name === 'waiting' || name === 'offline' ? detail : '';
  }

  #speak(state) {
    const lost = state.name === 'waiting' || (state.name === 'connecting' && state.attempt > 0);
    const word = lost ? 'Connection lost, reconnecting' : this.#words(state);
    if (word === this.#said || state.name === 'connecting' || state.name === 'catching-up') return;
    this.#said = word;
    this.#toasts.say(word);
  }
}
