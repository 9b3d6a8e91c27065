// SPDX-License-Identifier: MIT
// status.js - the state of the connection, in the corner of the page.
//
// The countdown is visible only; a screen reader reads each new state once.
import { setText } from './dom.js';

const TICK = 200;
const BADGE_TIME = 12000;

const PASSING = ['connecting', 'checking', 'catching-up']; // states that are not spoken of

const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
const count = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`;

// "Back in 90 ms, 12 changes recovered". A stream of events does not say how many follow.
export function backInWords({ away, via, recovered, behind }, what) {
  if (via === 'events' && recovered) return `Back in ${duration(away)}, by events`;
  const news = behind ? `${count(behind, what)} recovered` : 'nothing missed';
  return `Back in ${duration(away)}, ${recovered ? news : 'all fetched anew'}`;
}

// "Stood still for 5.0 s, 3 changes caught up"
export function thawedInWords(time, behind) {
  return `Stood still for ${duration(time)}, ${behind ? `${count(behind, 'change')} caught up` : 'nothing missed'}`;
}

export class Status {
  #root;
  #text;
  #detail;
  #button;
  #badge;
  #toasts;
  #timer = null;
  #fading = null;
  #said = 'connecting';

  constructor(root, toasts, retry) {
    this.#root = root;
    this.#text = root.querySelector('.status-text');
    this.#detail = root.querySelector('.status-detail');
    this.#button = root.querySelector('button');
    this.#badge = root.querySelector('.status-badge');
    this.#toasts = toasts;
    this.#button.addEventListener('click', retry);
  }

  // For a while, beside the state.
  badge(text) {
    clearTimeout(this.#fading);
    setText(this.#badge, text);
    this.#badge.hidden = false;
    this.#fading = setTimeout(() => (this.#badge.hidden = true), BADGE_TIME);
    this.#toasts.say(text);
  }

  // A state of connection.js, or 'catching-up' while the board is fetched.
  show(state) {
    clearInterval(this.#timer);
    this.#root.dataset.state = state.name;
    if (state.name === 'waiting') this.#badge.hidden = true;
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
      case 'checking':
        return 'Checking…';
      case 'catching-up':
        return 'Catching up…';
      case 'offline':
        return 'Offline';
      case 'refused':
        return `Refused: ${state.detail}`;
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
    if (word === this.#said || PASSING.includes(state.name)) return;
    this.#said = word;
    this.#toasts.say(word);
  }
}
