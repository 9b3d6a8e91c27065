// SPDX-License-Identifier: MIT
// toast.js - short notes at the edge of the page, and text for screen readers only.
import { element, icon } from './dom.js';

const TIME = 7000;
const MOST = 3;

export class Toasts {
  #list;
  #spoken;

  // `list` is a visible live region; `spoken` is one for screen readers only.
  constructor(list, spoken) {
    this.#list = list;
    this.#spoken = spoken;
  }

  // A note that disappears by itself, unless the user points at it or focuses it, or `stays`.
  // `action` is { label, run }.
  show(text, { kind = 'note', action = null, stays = false } = {}) {
    let timer = null;
    const remove = () => {
      clearTimeout(timer);
      toast.remove();
    };
    const start = () => {
      clearTimeout(timer);
      if (!stays) timer = setTimeout(remove, TIME);
    };
    const stop = () => clearTimeout(timer);
    const toast = element(
      'div',
      {
        class: `toast toast-${kind}`,
        data: { stays: stays ? '' : null },
        on: { mouseenter: stop, mouseleave: start, focusin: stop, focusout: start },
      },
      element('p', { text, dir: 'auto' }),
      action &&
        element('button', {
          class: 'toast-action',
          type: 'button',
          text: action.label,
          on: {
            click() {
              remove();
              action.run();
            },
          },
        }),
      element(
        'button',
        { class: 'icon-button', type: 'button', 'aria-label': 'Dismiss', on: { click: remove } },
        icon('close'),
      ),
    );
    this.#list.append(toast);
    const others = this.#list.querySelectorAll('.toast:not([data-stays])');
    for (let i = 0; i < others.length - MOST; i++) others[i].remove();
    start();
  }

  refuse(text) {
    this.show(text, { kind: 'refusal' });
  }

  // Each text gets a node of its own, so that a screen reader reads two equal texts.
  say(text) {
    this.#spoken.append(element('p', { text }));
    while (this.#spoken.children.length > MOST) this.#spoken.firstElementChild.remove();
  }
}
