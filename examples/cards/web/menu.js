// SPDX-License-Identifier: MIT
// menu.js - the menu of a card: where to move it, and the other actions.
//
// Only one menu is open at a time. Arrow keys, Home, End and first letters move in it. Escape, Tab,
// and a click or the wheel outside close it; then the focus returns to where it was.
import { element, icon } from './dom.js';

const EDGE = 8;

export class Menu {
  #root = null;
  #back = null;

  get isOpen() {
    return this.#root !== null;
  }

  // `groups` is a list of { label, items: [{ text, run, current, danger, key }] }.
  open(anchor, label, groups, back) {
    this.close(false);
    this.#back = back;
    this.#root = element('div', {
      class: 'menu',
      role: 'menu',
      'aria-label': label,
      on: { keydown: (event) => this.#key(event), contextmenu: (e) => e.preventDefault() },
    });
    for (const group of groups) this.#root.append(this.#group(group));
    document.body.append(this.#root);
    this.#place(anchor.getBoundingClientRect());
    (this.#items().find((item) => !item.hasAttribute('aria-disabled')) ?? this.#root).focus();
    addEventListener('pointerdown', this.#outside, true);
    addEventListener('resize', this.#away);
    addEventListener('wheel', this.#outside, { capture: true, passive: true });
  }

  close(refocus = true) {
    if (!this.#root) return;
    removeEventListener('pointerdown', this.#outside, true);
    removeEventListener('resize', this.#away);
    removeEventListener('wheel', this.#outside, { capture: true });
    this.#root.remove();
    this.#root = null;
    if (refocus) this.#back?.();
  }

  #outside = (event) => {
    if (!this.#root.contains(event.target)) this.close(false);
  };

  #away = () => this.close();

  #items() {
    return [...this.#root.querySelectorAll('[role^="menuitem"]')];
  }

  #group({ label, items }) {
    return element(
      'div',
      { class: 'menu-group', role: 'group', 'aria-label': label },
      label && element('p', { class: 'menu-label', 'aria-hidden': 'true', text: label }),
      ...items.map((item) => this.#item(item)),
    );
  }

  #item({ text, run, current, danger, key, column }) {
    return element(
      'button',
      {
        class: danger ? 'menu-item danger' : 'menu-item',
        type: 'button',
        role: current === undefined ? 'menuitem' : 'menuitemradio',
        'aria-checked': current === undefined ? null : String(current),
        'aria-disabled': current ? 'true' : null,
        tabindex: '-1',
        on: {
          click: () => {
            if (current) return;
            this.close();
            run();
          },
        },
      },
      column && element('span', { class: 'dot', data: { column } }),
      element('span', { class: 'menu-text', text }),
      current && icon('check'),
      key && element('kbd', { text: key, 'aria-hidden': 'true' }),
    );
  }

  #key(event) {
    const items = this.#items();
    const at = items.indexOf(document.activeElement);
    const go = {
      ArrowDown: (at + 1) % items.length,
      ArrowUp: (at - 1 + items.length) % items.length,
      Home: 0,
      End: items.length - 1,
    }[event.key];
    event.stopPropagation();
    if (event.key === 'Escape' || event.key === 'Tab') this.close();
    else if (go !== undefined) items[go].focus();
    else if (event.key.length === 1 && event.key !== ' ') {
      const begins = (item) =>
        item.querySelector('.menu-text').textContent.toLowerCase().startsWith(event.key);
      [...items.slice(at + 1), ...items.slice(0, at + 1)].find(begins)?.focus();
    } else return;
    event.preventDefault();
  }

  // Puts the menu below the button with the same right edge, or wherever there is room.
  #place(anchor) {
    const { width, height } = this.#root.getBoundingClientRect();
    const left = Math.min(Math.max(EDGE, anchor.right - width), innerWidth - width - EDGE);
    const below = anchor.bottom + 4;
    const top = below + height + EDGE <= innerHeight ? below : anchor.top - height - 4;
    this.#root.style.left = `${left}px`;
    this.#root.style.top = `${Math.max(EDGE, Math.min(top, innerHeight - height - EDGE))}px`;
  }
}
