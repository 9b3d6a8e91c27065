// SPDX-License-Identifier: MIT
// card.js - one card on the board: its title, the editor of the title, its run.
import { element, icon, oneLine, setText } from './dom.js';

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

  // `on` is { run(id), menu(id, anchor), edit(id), renamed(id, title) }.
  constructor(id, on) {
    this.id = id;
    this.#title = element('p', { class: 'card-title', on: { dblclick: () => on.edit(id) } });
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

  get moreButton() {
    return this.#more;
  }

  get editing() {
    return this.#editor !== null;
  }

  // Enter, or moving the focus away, saves the text; Escape does not.
  edit() {
    if (this.#editor) return;
    const editor = element('textarea', {
      class: 'title-editor',
      rows: 1,
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
    editor.value = this.#title.textContent;
    this.#title.hidden = true;
    this.#title.after(editor);
    this.#fit();
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
    this.#editor = null;
    const title = oneLine(editor.value);
    editor.remove();
    this.#title.hidden = false;
    if (refocus) this.root.focus();
    if (keep && title) this.renamed(this.id, title);
  }
}
