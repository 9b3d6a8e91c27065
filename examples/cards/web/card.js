// SPDX-License-Identifier: MIT
// card.js - one card on the board: its title, the editor of the title, its run.
import { element, icon, setText } from './dom.js';
import { isBlank, Limit, oneLine } from './field.js';
import { TITLE_MAX } from './model.js';

export class CardView {
  id;
  root;
  #title;
  #run;
  #more;
  #progress;
  #bar;
  #percent;
  #editor = null;
  #limit = null; // of the editor

  // `on` is { run(id), menu(id, anchor), edit(id), renamed(id, title) }.
  constructor(id, on) {
    this.id = id;
    this.#title = element('p', {
      class: 'card-title',
      dir: 'auto',
      on: { dblclick: () => on.edit(id) },
    });
    this.#run = element(
      'button',
      { class: 'run', type: 'button', on: { click: () => on.run(id) } },
      icon('run'),
      element('span', { text: 'Run' }),
    );
    this.#bar = element('progress', { max: 100 });
    this.#percent = element('span', { class: 'percent', 'aria-hidden': 'true' });
    this.#progress = element('div', { class: 'progress' }, this.#bar, this.#percent);
    this.#more = element(
      'button',
      {
        class: 'icon-button more',
        type: 'button',
        'aria-haspopup': 'menu',
        on: { click: () => on.menu(id, this.#more) },
      },
      icon('more'),
    );
    this.root = element(
      'li',
      { class: 'card', tabindex: '-1', data: { card: id } },
      this.#title,
      element('div', { class: 'card-foot' }, this.#run, this.#progress, this.#more),
    );
    this.renamed = on.renamed;
  }

  // `run` is null, or { state, percent } of runs.js.
  show(card, run) {
    setText(this.#title, card.title);
    this.root.setAttribute('aria-label', card.title);
    this.#run.setAttribute('aria-label', `Run ${card.title}`);
    this.#more.setAttribute('aria-label', `More for ${card.title}`);
    this.root.dataset.run = run?.state ?? 'idle';
    this.#run.hidden = run !== null;
    this.#progress.hidden = run === null;
    if (run) {
      this.#bar.value = run.percent;
      this.#bar.setAttribute('aria-label', `Run of ${card.title}`);
      setText(this.#percent, run.state === 'done' ? 'Done' : `${Math.round(run.percent)} %`);
    }
  }

  // Only the buttons of the focused card can be reached by Tab, so that few Tabs leave the board.
  reachable(yes) {
    this.root.tabIndex = yes ? 0 : -1;
    this.#run.tabIndex = yes ? 0 : -1;
    this.#more.tabIndex = yes ? 0 : -1;
  }

  get title() {
    return this.#title.textContent;
  }

  get moreButton() {
    return this.#more;
  }

  get editing() {
    return this.#editor !== null;
  }

  // The text that would be lost with the card, or null.
  get draft() {
    const text = this.#editor ? oneLine(this.#editor.value) : '';
    return isBlank(text) || text === this.#title.textContent ? null : text;
  }

  // Enter, or moving the focus away, saves the text; Escape does not. `text` is a title that was
  // refused, and `why` says why: then the focus moves here only if it was on this card or nowhere.
  edit(text = null, why = '') {
    if (this.#editor) return;
    const { activeElement } = document;
    const editor = element('textarea', {
      class: 'title-editor',
      rows: 1,
      dir: 'auto',
      'aria-label': 'Title',
      on: {
        keydown: (event) => {
          event.stopPropagation();
          if (event.isComposing) return;
          if (event.key === 'Enter') this.#finish(true, true);
          else if (event.key === 'Escape') this.#finish(false, true);
          else return;
          event.preventDefault();
        },
        // When another user moves the card, its element is removed and inserted again.
        blur: () => queueMicrotask(() => document.activeElement !== editor && this.#leave()),
        input: () => this.#fit(),
      },
    });
    this.#editor = editor;
    this.#limit = new Limit(editor, TITLE_MAX, oneLine);
    editor.value = text ?? this.#title.textContent;
    this.#title.hidden = true;
    this.#title.after(editor, this.#limit.root);
    this.#limit.show(why);
    this.#fit();
    if (text !== null && activeElement !== document.body && activeElement !== this.root) return;
    editor.focus();
    editor.select();
  }

  #leave() {
    if (document.hasFocus()) this.#finish(true, false);
  }

  #fit() {
    this.#editor.style.height = 'auto';
    this.#editor.style.height = `${this.#editor.scrollHeight}px`;
  }

  #finish(keep, refocus) {
    const editor = this.#editor;
    if (!editor) return;
    const title = oneLine(editor.value);
    if (keep && !isBlank(title) && !this.#limit.show()) return;
    this.#editor = null;
    editor.remove();
    this.#limit.root.remove();
    this.#title.hidden = false;
    if (refocus) this.root.focus();
    if (keep && !isBlank(title)) this.renamed(this.id, title);
  }
}
