// SPDX-License-Identifier: MIT
// browser/input.mjs - the keyboard and the mouse of driver.mjs.
import { setTimeout as sleep } from 'node:timers/promises';

const NAMED = {
  Enter: [13, '\r'],
  Tab: [9],
  Escape: [27],
  End: [35],
  Home: [36],
  ArrowLeft: [37],
  ArrowUp: [38],
  ArrowRight: [39],
  ArrowDown: [40],
  Delete: [46],
  Backspace: [8],
};
const MODIFIERS = { Alt: [1, 18], Control: [2, 17] };

function keyOf(name) {
  if (NAMED[name]) {
    const [windowsVirtualKeyCode, text] = NAMED[name];
    return { key: name, code: name, windowsVirtualKeyCode, text };
  }
  const upper = name.toUpperCase();
  const code = /[A-Z]/.test(upper) ? `Key${upper}` : /\d/.test(name) ? `Digit${name}` : '';
  return { key: name, code, windowsVirtualKeyCode: upper.charCodeAt(0), text: name };
}

export class Keyboard {
  #session;

  constructor(session) {
    this.#session = session;
  }

  #event(type, params) {
    return this.#session.send('Input.dispatchKeyEvent', { type, ...params });
  }

  // 'Alt+ArrowRight': the last is the key.
  async press(combination) {
    const held = combination.split('+');
    const { text, ...key } = keyOf(held.pop());
    let modifiers = 0;
    const modify = (type, name) => {
      const [bit, windowsVirtualKeyCode] = MODIFIERS[name];
      modifiers ^= bit;
      return this.#event(type, { key: name, windowsVirtualKeyCode, modifiers });
    };
    for (const name of held) await modify('rawKeyDown', name);
    if (text && !held.length) await this.#event('keyDown', { ...key, text });
    else await this.#event('rawKeyDown', { ...key, modifiers });
    await this.#event('keyUp', { ...key, modifiers });
    for (const name of held.reverse()) await modify('keyUp', name);
  }

  async type(text, { delay = 0 } = {}) {
    for (const letter of text) {
      if (/[a-z0-9 ]/i.test(letter)) await this.press(letter);
      else await this.insertText(letter);
      if (delay) await sleep(delay);
    }
  }

  insertText(text) {
    return this.#session.send('Input.insertText', { text });
  }
}

export class Mouse {
  #session;
  #at = { x: 0, y: 0 };
  #buttons = 0;

  constructor(session) {
    this.#session = session;
  }

  #event(type, more = {}) {
    return this.#session.send('Input.dispatchMouseEvent', {
      type,
      ...this.#at,
      buttons: this.#buttons,
      button: this.#buttons ? 'left' : 'none',
      ...more,
    });
  }

  async move(x, y, { steps = 1 } = {}) {
    const from = this.#at;
    for (let i = 1; i <= steps; i++) {
      this.#at = { x: from.x + ((x - from.x) * i) / steps, y: from.y + ((y - from.y) * i) / steps };
      await this.#event('mouseMoved');
    }
  }

  down(clickCount = 1) {
    this.#buttons = 1;
    return this.#event('mousePressed', { clickCount });
  }

  up(clickCount = 1) {
    this.#buttons = 0;
    return this.#event('mouseReleased', { button: 'left', clickCount });
  }

  wheel(deltaX, deltaY) {
    return this.#event('mouseWheel', { deltaX, deltaY });
  }
}
