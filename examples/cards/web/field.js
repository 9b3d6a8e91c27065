// SPDX-License-Identifier: MIT
// field.js - a text field that loses no text.
//
// What is submitted leaves the field at once, so that typing can go on, and is sent when what was
// submitted before has its answer. A refused text returns: into the field if that is empty, else
// as soon as it is. A text that is too long, or shows nothing, is not submitted.
import { element, setText } from './dom.js';

const NEAR = 20; // characters before the limit; from there on the rest is shown

// Characters as the server counts them: an emoji is one.
export const lengthOf = (text) => [...text].length;

// Only spaces, and characters that show nothing.
export const isBlank = (text) =>
  !/[^\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u.test(text);

// A title is one line, even if the pasted text has several.
export const oneLine = (text) => text.replace(/\s+/g, ' ').trim();

// Shows under `input` how much room is left, when it is little. `clean` is what is done to the text
// before it is sent.
export class Limit {
  root = element('p', { class: 'limit', role: 'status', hidden: true });
  #input;
  #most;
  #clean;

  constructor(input, most, clean) {
    this.#input = input;
    this.#most = most;
    this.#clean = clean;
    input.maxLength = 8 * most; // stops a book from being pasted; UTF-16 units, and spaces count
    input.addEventListener('input', () => this.show());
  }

  // Returns whether the text fits. `why` is shown as long as it does.
  show(why = '') {
    const left = this.#most - lengthOf(this.#clean(this.#input.value));
    const words = left < 0 ? `${-left} too many` : left <= NEAR ? `${left} left` : '';
    setText(this.root, words ? `${words}, of ${this.#most} characters` : why);
    this.root.hidden = !this.root.textContent;
    this.#input.setAttribute('aria-invalid', String(left < 0));
    return left >= 0;
  }
}

export class Field {
  limit;
  #input;
  #clean;
  #send;
  #on;
  #sent = Promise.resolve();
  #waiting = 0;
  #refused = []; // texts that wait for an empty field

  // `send(text)` returns a promise: null, or in words why it was refused. `returned(text)` is
  // called when a text has come back.
  constructor(input, { most, clean, send, returned = () => {} }) {
    this.limit = new Limit(input, most, clean);
    this.#input = input;
    this.#clean = clean;
    this.#send = send;
    this.#on = { returned };
  }

  // Nothing would be lost if the field went away.
  get idle() {
    return this.#waiting === 0 && this.#refused.length === 0 && isBlank(this.#input.value);
  }

  submit() {
    const text = this.#clean(this.#input.value);
    if (isBlank(text) || !this.limit.show()) return;
    this.#next();
    this.#waiting++;
    this.#sent = this.#sent.then(async () => {
      const why = await this.#send(text);
      this.#waiting--;
      if (why) this.#return(text, why);
    });
  }

  // Throws the text away. Returns whether another one has taken its place.
  discard() {
    this.#next();
    return this.#input.value !== '';
  }

  #next() {
    this.#input.value = this.#refused.shift() ?? '';
    this.limit.show();
  }

  #return(text, why) {
    const free = this.#input.value === '';
    if (free) this.#input.value = text;
    else this.#refused.push(text);
    this.limit.show(free ? why : `${why}. It comes back after this text`);
    this.#on.returned(text);
  }
}
