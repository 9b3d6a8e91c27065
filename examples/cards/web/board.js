// SPDX-License-Identifier: MIT
// board.js - the columns, and moving around in them with the keyboard.
//
// The page is updated from the model: at once for changes that are made here, once a frame for all
// others. A card keeps its element as long as it exists, and only elements in the wrong place are
// moved. So the focus, an open editor and the scroll position survive the changes of other users.
// Tab reaches one card; arrow keys go from card to card.
import { Adder } from './adder.js';
import { CardView } from './card.js';
import { calm, element, setText, shorten } from './dom.js';
import { Drag } from './drag.js';
import { Menu } from './menu.js';
import { COLUMNS, columnName } from './model.js';
import { inWords } from './words.js';

const GLIDE = { duration: 220, easing: 'cubic-bezier(0.2, 0.8, 0.2, 1)' };
const GLIDERS = 60; // cards; if more have moved, they move without animation
const TOUCHED = 1600; // milliseconds for which another user's change is marked

export class Board {
  #root;
  #nav;
  #model;
  #runs;
  #toasts;
  #menu = new Menu();
  #drag;
  #lifted = null; // { id, column } while it is being dragged
  #columns = new Map(); // id -> { root, list, count, adder, pill }
  #views = new Map(); // card id -> CardView
  #current = null; // the card that Tab reaches
  #frame = null; // the requested animation frame, which will render
  #touched = new Set(); // ids of cards to mark in that frame

  constructor(root, nav, { model, runs, toasts }) {
    this.#root = root;
    this.#nav = nav;
    this.#model = model;
    this.#runs = runs;
    this.#toasts = toasts;
    for (const column of COLUMNS) this.#addColumn(column);
    root.addEventListener('keydown', (event) => this.#key(event));
    root.addEventListener('focusin', (event) => this.#focused(event));
    root.addEventListener('scroll', () => this.#mark(), { passive: true });
    root.addEventListener('contextmenu', (event) => this.#contextMenu(event));
    this.#drag = new Drag(root, {
      card: (node) => (this.#viewOf(node)?.editing ? null : (node?.dataset.card ?? null)),
      lift: (id) => this.#lift(id, this.#model.get(id)?.column_id),
      over: (id, column) => this.#lift(id, column ?? this.#model.get(id)?.column_id),
      drop: (id, column) => this.#drop(id, column),
      cancel: () => this.#lift(null),
    });
    this.#mark();
  }

  #addColumn({ id, name }) {
    const count = element('span', { class: 'count' });
    const list = element('ul', { class: 'cards', 'aria-labelledby': `column-${id}` });
    const adder = new Adder(name, async (title) => {
      const error = await this.#model.create(title, id);
      if (!error) this.#toasts.say(`Added to ${name}`);
      return error && `Not added: ${inWords(error.reason ?? error.message)}`;
    });
    const root = element(
      'section',
      { class: 'column', 'aria-labelledby': `column-${id}`, data: { column: id } },
      element(
        'header',
        { class: 'column-head' },
        element('span', { class: 'dot', data: { column: id } }),
        element('h2', { id: `column-${id}`, text: name }),
        count,
      ),
      list,
      adder.root,
    );
    const pillCount = element('span', { class: 'count' });
    const pill = element(
      'button',
      {
        class: 'pill',
        type: 'button',
        data: { column: id },
        on: {
          click: () =>
            root.scrollIntoView({
              behavior: calm() ? 'auto' : 'smooth',
              inline: 'center',
              block: 'nearest',
            }),
        },
      },
      element('span', { class: 'dot', data: { column: id } }),
      element('span', { text: name }),
      pillCount,
    );
    this.#root.append(root);
    this.#nav.append(pill);
    this.#columns.set(id, { root, list, counts: [count, pillCount], adder, pill });
  }

  // ---------------------------------------------------------------- what is shown

  // `touched` is the id of a card that another user has changed.
  renderSoon(touched = null) {
    if (touched) this.#touched.add(touched);
    this.#frame ??= requestAnimationFrame(() => this.render());
  }

  render() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    if (this.#lifted && !this.#model.get(this.#lifted.id)) this.#lost();
    const cards = this.#model.cards();
    const before = this.#places();
    const held = this.#hold();
    const lists = new Map(COLUMNS.map(({ id }) => [id, []]));
    for (const card of cards) {
      const lifted = this.#lifted?.id === card.id;
      const list = lists.get(lifted ? this.#lifted.column : card.column_id);
      if (!list) continue; // a column that this page does not know
      const view = this.#views.get(card.id) ?? this.#newView(card.id);
      view.show(card, this.#runs.of(card.id));
      view.root.classList.toggle('lifted', lifted);
      list.push(view.root);
    }
    this.#arrange(lists);
    this.#release(held);
    for (const view of this.#views.values()) view.reachable(view.id === this.#current);
    this.#glide(before);
    for (const id of this.#touched) this.#markTouched(id);
    this.#touched.clear();
  }

  // Updates a card's run only: no card moves.
  refresh(id) {
    const card = this.#model.get(id);
    if (card) this.#views.get(id)?.show(card, this.#runs.of(id));
  }

  #markTouched(id) {
    const root = this.#views.get(id)?.root;
    if (!root) return;
    root.classList.remove('touched');
    void root.offsetWidth; // restarts the animation
    root.classList.add('touched');
    setTimeout(() => root.classList.remove('touched'), TOUCHED);
  }

  #newView(id) {
    const view = new CardView(id, {
      run: (card) => this.#runs.start(card),
      menu: (card, anchor) => this.#openMenu(card, anchor),
      edit: (card) => this.#views.get(card).edit(),
      renamed: (card, title) => {
        this.#model.rename(card, title);
        this.render();
      },
    });
    this.#views.set(id, view);
    return view;
  }

  #arrange(lists) {
    const wanted = new Map();
    for (const [column, nodes] of lists) for (const node of nodes) wanted.set(node, column);
    for (const [id, view] of this.#views) {
      const column = wanted.get(view.root);
      if (column === undefined) {
        this.#views.delete(id);
        if (view.draft) this.keep(view.title, view.draft, view.root.closest('.column'));
      }
      if (view.root.parentNode !== this.#columns.get(column)?.list) view.root.remove();
    }
    for (const [column, nodes] of lists) {
      const { list, counts } = this.#columns.get(column);
      nodes.forEach((node, i) => {
        if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
      });
      for (const count of counts) setText(count, String(nodes.length));
    }
  }

  // The card that is being dragged was deleted by another user.
  #lost() {
    const { title } = this.#views.get(this.#lifted.id) ?? {};
    this.#drag.abandon();
    this.#lift(null);
    this.#toasts.show(`“${shorten(title ?? '')}” was deleted while you dragged it`);
  }

  // A card was deleted, and `text`, its new title, is only here. `column` is the element of its
  // column.
  keep(title, text, column) {
    const what = `“${shorten(title)}” was deleted while you renamed it.`;
    this.#toasts.show(`${what} Your text: “${text}”`, {
      kind: 'refusal',
      stays: true,
      action: {
        label: 'Add as a card',
        run: async () => {
          const into = column?.dataset.column ?? COLUMNS[0].id;
          if (await this.#model.create(text, into)) this.keep(title, text, column);
        },
      },
    });
  }

  // A new title was refused: it stays in the card's editor.
  resume(id, title, why) {
    this.render();
    this.#views.get(id)?.edit(title, why);
  }

  // Remembers the focus, and where it goes if that card no longer exists.
  #hold() {
    const active = document.activeElement;
    const view = this.#viewOf(active?.closest?.('.card'));
    if (view) return { active, view, next: this.#neighbours(view) };
    if (!this.#views.has(this.#current)) return { next: [] };
    return { next: this.#neighbours(this.#views.get(this.#current)) };
  }

  // The next cards of its column, then the previous ones, then the button that adds a card.
  #neighbours(view) {
    const list = view.root.parentNode;
    const nodes = [...list.children];
    const at = nodes.indexOf(view.root);
    return [...nodes.slice(at + 1), ...nodes.slice(0, at).reverse(), list];
  }

  #release({ active, view, next }) {
    if (!this.#views.has(this.#current)) {
      const near = next.find((node) => this.#viewOf(node));
      this.#current = this.#viewOf(near)?.id ?? this.#anyCard();
    }
    if (!active || document.activeElement === active) return;
    if (active.isConnected) active.focus({ preventScroll: true });
    else if (!this.#views.has(view.id)) {
      const near = next.find((node) => node.isConnected && this.#viewOf(node));
      if (near) near.focus();
      else this.#columns.get(next.at(-1).closest('.column').dataset.column).adder.focus();
    }
  }

  #anyCard() {
    return this.#root.querySelector('.card')?.dataset.card ?? null;
  }

  #viewOf(node) {
    return node ? (this.#views.get(node.dataset?.card) ?? null) : null;
  }

  // Measures the cards. After the change they glide from the old places to the new ones.
  #places() {
    if (calm()) return new Map();
    return new Map([...this.#views.values()].map((v) => [v, v.root.getBoundingClientRect()]));
  }

  #glide(before) {
    const seen = ({ top, bottom }) => bottom > 0 && top < innerHeight;
    const moved = [];
    for (const [view, from] of before) {
      if (!view.root.isConnected || this.#lifted?.id === view.id) continue;
      const to = view.root.getBoundingClientRect();
      const [x, y] = [from.left - to.left, from.top - to.top];
      if (Math.abs(x) + Math.abs(y) >= 1 && (seen(from) || seen(to))) moved.push([view, x, y]);
    }
    if (moved.length > GLIDERS) return;
    for (const [view, x, y] of moved) {
      view.root.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }], GLIDE);
    }
  }

  // Marks the column that is in front on a narrow screen.
  #mark() {
    const box = this.#root.getBoundingClientRect();
    const middle = box.left + box.width / 2;
    for (const { root, pill } of this.#columns.values()) {
      const { left, right } = root.getBoundingClientRect();
      pill.toggleAttribute('data-front', left <= middle && middle < right);
    }
  }

  // ---------------------------------------------------------------- what is done

  #lift(id, column) {
    this.#lifted = id && this.#model.get(id) && column ? { id, column } : null;
    for (const [name, { root, pill }] of this.#columns) {
      root.classList.toggle('over', name === this.#lifted?.column);
      pill.classList.toggle('over', name === this.#lifted?.column);
    }
    this.render();
  }

  #drop(id, column) {
    this.#current = id;
    this.#model.move(id, column);
    this.#lift(null);
    this.#views.get(id)?.root.focus({ preventScroll: true });
    this.#sayPlace(id);
  }

  move(id, column) {
    if (this.#model.get(id)?.column_id === column) return;
    this.#model.move(id, column);
    this.render();
    const root = this.#views.get(id)?.root;
    root?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    this.#sayPlace(id);
  }

  #sayPlace(id) {
    const root = this.#views.get(id)?.root;
    if (!root) return;
    const all = [...root.parentNode.children];
    const column = columnName(root.closest('.column').dataset.column);
    this.#toasts.say(`In ${column}, ${all.indexOf(root) + 1} of ${all.length}`);
  }

  remove(id) {
    const card = this.#model.get(id);
    if (!card) return;
    this.#model.remove(id);
    this.render();
    this.#toasts.show(`Deleted “${card.title}”`, {
      action: { label: 'Undo', run: () => this.#model.create(card.title, card.column_id) },
    });
  }

  #openMenu(id, anchor) {
    const card = this.#model.get(id);
    if (!card) return;
    const moves = COLUMNS.map((column) => ({
      text: column.name,
      column: column.id,
      current: column.id === card.column_id,
      run: () => this.move(id, column.id),
    }));
    const rest = [
      { text: 'Rename', key: 'Enter', run: () => this.#views.get(id)?.edit() },
      { text: 'Run', key: 'R', run: () => this.#runs.start(id) },
      { text: 'Delete', key: 'Del', danger: true, run: () => this.remove(id) },
    ];
    this.#menu.open(
      anchor,
      `Actions for ${card.title}`,
      [{ label: 'Move to', items: moves }, { items: rest }],
      () => this.#views.get(id)?.root.focus({ preventScroll: true }),
    );
  }

  #contextMenu(event) {
    const view = this.#viewOf(event.target.closest('.card'));
    if (!view || view.editing) return;
    event.preventDefault();
    if (!this.#drag.active) this.#openMenu(view.id, view.moreButton);
  }

  // ---------------------------------------------------------------- by keyboard

  #focused(event) {
    const view = this.#viewOf(event.target.closest('.card'));
    if (!view || view.id === this.#current) return;
    this.#views.get(this.#current)?.reachable(false);
    this.#current = view.id;
    view.reachable(true);
  }

  #key(event) {
    const view = this.#viewOf(event.target.closest('.card'));
    if (!view || event.isComposing || event.metaKey || this.#drag.active) return;
    const inButton = event.target !== view.root;
    const carry = event.altKey || event.ctrlKey;
    if (carry && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
      this.#carry(view.id, event.key === 'ArrowLeft' ? -1 : 1);
    } else if (carry || (inButton && (event.key === 'Enter' || event.key === ' '))) return;
    else if (!this.#plainKey(event.key, view)) return;
    event.preventDefault();
  }

  #plainKey(key, view) {
    switch (key.length === 1 ? key.toLowerCase() : key) {
      case 'ArrowUp':
        this.#step(view, -1);
        break;
      case 'ArrowDown':
        this.#step(view, 1);
        break;
      case 'ArrowLeft':
        this.#across(view, -1);
        break;
      case 'ArrowRight':
        this.#across(view, 1);
        break;
      case 'Home':
        view.root.parentNode.firstElementChild.focus();
        break;
      case 'End':
        view.root.parentNode.lastElementChild.focus();
        break;
      case 'Enter':
      case 'F2':
        view.edit();
        break;
      case 'Delete':
      case 'Backspace':
        this.remove(view.id);
        break;
      case 'm':
      case ' ':
      case 'ContextMenu':
        this.#openMenu(view.id, view.moreButton);
        break;
      case 'r':
        this.#runs.start(view.id);
        break;
      case 'n':
        this.#columns.get(view.root.closest('.column').dataset.column).adder.open();
        break;
      default:
        return false;
    }
    return true;
  }

  #step(view, by) {
    const nodes = [...view.root.parentNode.children];
    nodes[nodes.indexOf(view.root) + by]?.focus();
  }

  // Goes to the next column that has a card, at the same height if possible.
  #across(view, by) {
    const at = [...view.root.parentNode.children].indexOf(view.root);
    const names = COLUMNS.map(({ id }) => id);
    let i = names.indexOf(view.root.closest('.column').dataset.column) + by;
    for (; i >= 0 && i < names.length; i += by) {
      const nodes = this.#columns.get(names[i]).list.children;
      if (nodes.length) {
        nodes[Math.min(at, nodes.length - 1)].focus();
        return;
      }
    }
  }

  #carry(id, by) {
    const names = COLUMNS.map((column) => column.id);
    const to = names[names.indexOf(this.#model.get(id)?.column_id) + by];
    if (to) this.move(id, to);
  }
}
