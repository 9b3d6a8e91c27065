// SPDX-License-Identifier: MIT
// adder.js - the foot of a column: a button that opens a form for a new card.
//
// The form stays open for the next card. A typed title is removed only when the server has the
// card, so a refusal loses no title.
import { element, icon, oneLine } from './dom.js';

export class Adder {
  root;
  #button;
  #form;
  #input;
  #create;
  #busy = false;

  // `create(title)` returns a promise: true if the card was created.
  constructor(columnName, create) {
    this.#create = create;
    this.#button = element(
      'button',
      { class: 'add', type: 'button', on: { click: () => this.open() } },
      icon('add'),
      element('span', { text: 'Add a card' }),
      element('span', { class: 'unseen', text: ` to ${columnName}` }),
    );
    this.#input = element('textarea', {
      rows: 2,
      'aria-label': `Title of the new card in ${columnName}`,
      placeholder: 'What is to be done?',
      enterkeyhint: 'done',
    });
    this.#form = element(
      'form',
      {
        class: 'add-form',
        hidden: true,
        on: {
          submit: (event) => {
            event.preventDefault();
            this.#submit();
          },
          keydown: (event) => this.#key(event),
          focusout: (event) => this.#left(event),
        },
      },
      this.#input,
      element(
        'div',
        { class: 'add-foot' },
        element('button', { class: 'primary', type: 'submit', text: 'Add' }),
        element('button', {
          class: 'quiet',
          type: 'button',
          text: 'Cancel',
          on: { click: () => this.#close(true) },
        }),
      ),
    );
    this.root = element('div', { class: 'adder' }, this.#button, this.#form);
  }

  focus() {
    this.#button.focus();
  }

  open() {
    this.#button.hidden = true;
    this.#form.hidden = false;
    this.#input.focus();
    this.#form.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  #close(refocus) {
    this.#input.value = '';
    this.#form.hidden = true;
    this.#button.hidden = false;
    if (refocus) this.#button.focus();
  }

  #key(event) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === 'Escape') this.#close(true);
    else if (event.key === 'Enter' && event.target === this.#input) this.#submit();
    else return;
    event.preventDefault();
  }

  #left(event) {
    const stays = this.#form.contains(event.relatedTarget) || !document.hasFocus();
    if (!stays && !this.#busy && !oneLine(this.#input.value)) this.#close(false);
  }

  async #submit() {
    const title = oneLine(this.#input.value);
    if (!title || this.#busy) return;
    this.#busy = true;
    this.#input.readOnly = true;
    const made = await this.#create(title);
    this.#busy = false;
    this.#input.readOnly = false;
    if (made) this.#input.value = '';
    if (made) this.#form.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
}
