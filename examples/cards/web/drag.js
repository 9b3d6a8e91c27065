// SPDX-License-Identifier: MIT
// drag.js - dragging a card with a mouse, a pen or a finger.
//
// It uses pointer events, because touch does not cause the events of HTML drag and drop. A mouse
// drags after a small movement. A finger must rest first, so that it can still scroll. A copy of
// the card follows the pointer; the card itself shows at once where it would land. Escape puts it
// back.
//
// The host is { card(node): id or null, lift(id), over(id, column), drop(id, column), cancel(id) }.
// Columns, and all other drop targets, have data-column.

const SLACK = 6; // pixels
const REST = 260; // milliseconds
const EDGE = 56; // pixels from the edge; the board scrolls by itself there
const SPEED = 14; // pixels a frame, at the edge itself

export class Drag {
  #scroller;
  #host;
  #press = null; // { id, node, pointer, x, y, timer }: may become a drag
  #ghost = null;
  #column = null;
  #at = { x: 0, y: 0 };

  constructor(scroller, host) {
    this.#scroller = scroller;
    this.#host = host;
    scroller.addEventListener('pointerdown', (event) => this.#down(event));
    // These listeners exist from the start: only at the first touch does a browser check whether
    // any listener may prevent scrolling.
    scroller.addEventListener('touchmove', (event) => this.#ghost && event.preventDefault(), {
      passive: false,
    });
    scroller.addEventListener('contextmenu', (event) => {
      if (this.#press?.touch) event.preventDefault();
    });
  }

  get active() {
    return this.#ghost !== null;
  }

  // The card does not exist any more: nothing is dropped, and the host is not called.
  abandon() {
    if (this.#press) this.#end();
  }

  #down(event) {
    const node = event.target.closest('.card');
    const id = this.#host.card(node);
    const taken = event.target.closest('button, textarea, input, a');
    if (this.#press || !id || taken || event.button !== 0 || !event.isPrimary) return;
    const touch = event.pointerType === 'touch';
    this.#at = { x: event.clientX, y: event.clientY };
    this.#press = { id, node, touch, pointer: event.pointerId, ...this.#at, timer: null };
    if (touch) this.#press.timer = setTimeout(() => this.#lift(), REST);
    addEventListener('pointermove', this.#move);
    addEventListener('pointerup', this.#up);
    addEventListener('pointercancel', this.#cancel);
    addEventListener('keydown', this.#key, true);
    addEventListener('blur', this.#cancel);
  }

  #move = (event) => {
    const press = this.#press;
    if (event.pointerId !== press.pointer) return;
    this.#at = { x: event.clientX, y: event.clientY };
    if (this.#ghost) {
      this.#follow();
      return;
    }
    const far = Math.hypot(event.clientX - press.x, event.clientY - press.y) > SLACK;
    if (far && press.touch) this.#end();
    else if (far) this.#lift();
  };

  #up = (event) => {
    if (event.pointerId !== this.#press.pointer) return;
    const { id } = this.#press;
    const column = this.#column;
    const lifted = this.active;
    this.#end();
    if (!lifted) return;
    // Otherwise the click that follows would edit the card's title.
    addEventListener('click', stop, { capture: true, once: true });
    setTimeout(() => removeEventListener('click', stop, { capture: true }));
    if (column) this.#host.drop(id, column);
    else this.#host.cancel(id);
  };

  #cancel = () => {
    const { id } = this.#press;
    const lifted = this.active;
    this.#end();
    if (lifted) this.#host.cancel(id);
  };

  #key = (event) => {
    if (event.key !== 'Escape' || !this.active) return;
    event.preventDefault();
    event.stopPropagation();
    this.#cancel();
  };

  #end() {
    clearTimeout(this.#press.timer);
    removeEventListener('pointermove', this.#move);
    removeEventListener('pointerup', this.#up);
    removeEventListener('pointercancel', this.#cancel);
    removeEventListener('keydown', this.#key, true);
    removeEventListener('blur', this.#cancel);
    document.documentElement.classList.remove('dragging');
    this.#ghost?.remove();
    this.#ghost = null;
    this.#column = null;
    this.#press = null;
  }

  #lift() {
    const { id, node } = this.#press;
    if (!node.isConnected) {
      this.#end();
      return;
    }
    const box = node.getBoundingClientRect();
    this.#ghost = node.cloneNode(true);
    this.#ghost.classList.add('ghost');
    this.#ghost.removeAttribute('id');
    this.#ghost.setAttribute('aria-hidden', 'true');
    this.#ghost.inert = true;
    Object.assign(this.#ghost.style, {
      left: `${box.left}px`,
      top: `${box.top}px`,
      width: `${box.width}px`,
      height: `${box.height}px`,
    });
    document.body.append(this.#ghost);
    document.documentElement.classList.add('dragging');
    getSelection()?.removeAllRanges();
    navigator.vibrate?.(8);
    this.#host.lift(id);
    this.#follow();
    requestAnimationFrame(this.#scroll);
  }

  #follow() {
    const { id, x, y } = this.#press;
    const column =
      document.elementFromPoint(this.#at.x, this.#at.y)?.closest('[data-column]')?.dataset.column ??
      null;
    this.#ghost.style.transform = `translate(${this.#at.x - x}px, ${this.#at.y - y}px)`;
    if (column !== this.#column) {
      this.#column = column;
      this.#host.over(id, column);
    }
  }

  #scroll = () => {
    if (!this.active) return;
    const box = this.#scroller.getBoundingClientRect();
    const pull = (at, low, high) => {
      if (at < low + EDGE) return -Math.min(1, (low + EDGE - at) / EDGE);
      if (at > high - EDGE) return Math.min(1, (at - high + EDGE) / EDGE);
      return 0;
    };
    const inside = this.#at.y > box.top && this.#at.y < box.bottom;
    const by = inside ? Math.round(SPEED * pull(this.#at.x, box.left, box.right)) : 0;
    const before = this.#scroller.scrollLeft;
    if (by) this.#scroller.scrollLeft += by;
    if (this.#scroller.scrollLeft !== before) this.#follow();
    requestAnimationFrame(this.#scroll);
  };
}

function stop(event) {
  event.preventDefault();
  event.stopPropagation();
}
