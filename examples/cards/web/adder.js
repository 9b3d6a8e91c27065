// SPDX-License-Identifier: MIT
// adder.js - the foot of a column: a button that opens a form for a new card.
//
// The form stays open for the next card. See field.js for what happens to the typed titles.
import { element, icon } from './dom.js';
import { Field, oneLine } from './field.js';
import { TITLE_MAX } from './model.js';

export class Adder {
  root;
  #button;
  #form;
  #input;
  #field;

  // `create(title)` returns a promise: null, or in words why the card was not created.
  constructor(columnName, create) {
    this.#button = element(
      'button',
      { class: 'add', type: 'button', on: { click: () => this.open() } },
      icon('add'),
      element('span', { text: 'Add a card' }),
      element('span', { class: 'unseen', text: ` to ${columnName}` }),
    );
    this.#input = element('textarea', {
      rows: 2,
      dir: 'auto',
      'aria-label': `Title of the new card in ${columnName}`,
      placeholder: 'What is to be done?',
      enterkeyhint: 'done',
    });
    this.#field = new Field(this.#input, {
      most: TITLE_MAX,
      clean: oneLine,
      send: async (title) => {
        const why = await create(title);
        if (!why && !this.#form.hidden) this.#show();
        return why;
      },
      returned: () => this.#reveal(),
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
      this.#field.limit.root,
      element(
        'div',
        { class: 'add-foot' },
        element('button', { class: 'primary', type: 'submit', text: 'Add' }),
        element('button', {
          class: 'quiet',
          type: 'button',
          text: 'Cancel',
          on: { click: () => this.#cancel() },
        }),
      ),
    );
    this.root = element('div', { class: 'adder' }, this.#button, this.#form);
  }

  focus() {
    this.#button.focus();
  }

  open() {
    this.#reveal();
    this.#input.focus();
  }

  #reveal() {
    this.#button.hidden = true;
    this.#form.hidden = false;
    this.#show();
  }

  #show() {
    this.#form.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  #close() {
    this.#form.hidden = true;
    this.#button.hidden = false;
  }

  // The focus stays in the field, also if the button was clicked.
  #submit() {
    this.#field.submit();
    this.#input.focus();
  }

  #cancel() {
    if (this.#field.discard()) return;
    this.#close();
    this.#button.focus();
  }

  #key(event) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === 'Escape') this.#cancel();
    else if (event.key === 'Enter' && event.target === this.#input) this.#submit();
    else return;
    event.preventDefault();
  }

  #left(event) {
    const stays = this.#form.contains(event.relatedTarget) || !document.hasFocus();
    if (!stays && this.#field.idle) this.#close();
  }
}
