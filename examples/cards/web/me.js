// SPDX-License-Identifier: MIT
// me.js - the name of this user, and the field to choose another one.
import { setText } from './dom.js';
import { isBlank, oneLine } from './field.js';
import { NAME_MAX } from './names.js';

export class Me {
  #button;
  #field;
  #rename;
  #name;

  // `rename(name)` resolves to true if the user has the name now.
  constructor(root, name, rename) {
    this.#button = root.querySelector('button');
    this.#field = root.querySelector('textarea');
    this.#rename = rename;
    this.#name = name;
    this.#field.maxLength = NAME_MAX;
    this.#button.addEventListener('click', () => this.#edit());
    this.#field.addEventListener('blur', () => this.#finish(true));
    this.#field.addEventListener('keydown', (event) => {
      if (event.isComposing || !['Enter', 'Escape'].includes(event.key)) return;
      event.preventDefault();
      this.#finish(event.key === 'Enter');
      this.#button.focus();
    });
    this.#show();
  }

  // The server knows names, so that there is one to choose.
  set named(yes) {
    this.#button.disabled = !yes;
  }

  #show() {
    setText(this.#button.querySelector('span'), this.#name);
    this.#button.hidden = false;
    this.#field.hidden = true;
  }

  #edit() {
    this.#button.hidden = true;
    this.#field.hidden = false;
    this.#field.value = this.#name;
    this.#field.focus();
    this.#field.select();
  }

  async #finish(keep) {
    if (this.#field.hidden) return;
    const name = oneLine(this.#field.value);
    this.#show();
    if (!keep || isBlank(name) || name === this.#name) return;
    if (await this.#rename(name)) this.#name = name;
    this.#show();
  }
}
