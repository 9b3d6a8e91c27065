// SPDX-License-Identifier: MIT
// chat.js - a small chat, on a session's socket of its own.
//
// A message appears when the server publishes it, to its author too. The text stays in the field
// until the server acknowledges it, and remains there if the server refuses it.
import { Connection } from './connection.js';
import { element, inWords, setText } from './dom.js';

const KEPT = 200;
const NEAR_END = 40; // pixels from the end; further up the list does not scroll by itself
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const SOCKET = (session) => `/api/chat/ws/${encodeURIComponent(session)}`;

export class Chat {
  #panel;
  #log;
  #form;
  #input;
  #note;
  #toggle;
  #badge;
  #me;
  #toasts;
  #connection;
  #unread = 0;
  #last = null; // the author of the last message

  constructor(panel, toggle, { api, session, me, toasts }) {
    this.#panel = panel;
    this.#log = panel.querySelector('.chat-log');
    this.#form = panel.querySelector('form');
    this.#input = panel.querySelector('textarea');
    this.#note = panel.querySelector('.chat-note');
    this.#toggle = toggle;
    this.#badge = toggle.querySelector('.badge');
    this.#me = me;
    this.#toasts = toasts;
    this.#connection = new Connection(SOCKET(session), api, {
      state: (state) => this.#state(state),
      gap: (reason, head) => {
        if (reason !== 'first') this.#line('Messages sent in the meantime are missing here.');
        this.#connection.seek(head);
      },
      publication: (message) => {
        if (message.type === 'chat_message') this.#said(message.data, message.timestamp);
      },
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    panel.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.show(false, true);
    });
    panel.querySelector('.close').addEventListener('click', () => this.show(false, true));
    toggle.addEventListener('click', () => this.show(this.#panel.hidden, true));
  }

  open() {
    this.#connection.open();
  }

  close() {
    this.#connection.close();
  }

  show(open, focus) {
    this.#panel.hidden = !open;
    this.#toggle.setAttribute('aria-expanded', String(open));
    if (open) {
      this.#count(0);
      this.#log.scrollTop = this.#log.scrollHeight;
    }
    if (focus) (open ? this.#input : this.#toggle).focus();
  }

  #state({ name, detail }) {
    const live = name === 'live';
    const words = {
      connecting: 'Connecting…',
      waiting: 'Reconnecting…',
      offline: 'Offline',
      refused: `Refused: ${inWords(detail ?? '')}`,
    };
    setText(this.#note, words[name] ?? '');
    this.#note.hidden = live;
    this.#form.classList.toggle('away', !live);
    if (!live && name !== 'closed' && name !== 'refused') return;
    this.#form.querySelector('button').disabled = !live;
  }

  // The chat's connection retries when the board's does.
  retry() {
    if (['waiting', 'offline', 'refused'].includes(this.#connection.state.name)) {
      this.#connection.retry();
    }
  }

  async #send() {
    const text = this.#input.value.trim();
    if (!text || this.#input.readOnly) return;
    this.#input.readOnly = true;
    try {
      await this.#connection.action('chat', { text });
      this.#input.value = '';
    } catch (error) {
      this.#toasts.refuse(`Not sent: ${inWords(error.message)}`);
    }
    this.#input.readOnly = false;
  }

  #said({ from, text }, timestamp) {
    const mine = from === this.#me;
    const when = new Date(timestamp);
    const again = this.#last === from;
    this.#last = from;
    this.#add(
      element(
        'li',
        { class: `said${mine ? ' mine' : ''}${again ? ' again' : ''}` },
        element(
          'p',
          { class: 'who' },
          element('span', { text: mine ? 'You' : from }),
          element('time', { datetime: timestamp, text: TIME.format(when) }),
        ),
        element('p', { class: 'what', text }),
      ),
    );
    if (this.#panel.hidden && !mine) {
      this.#count(this.#unread + 1);
      this.#toasts.say(`${from} in the chat: ${text}`);
    }
  }

  #line(text) {
    this.#last = null;
    this.#add(element('li', { class: 'chat-line', text }));
  }

  #add(node) {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    this.#log.append(node);
    while (this.#log.children.length > KEPT) this.#log.firstElementChild.remove();
    if (scrollHeight - clientHeight - scrollTop < NEAR_END) {
      this.#log.scrollTop = this.#log.scrollHeight;
    }
  }

  #count(unread) {
    this.#unread = unread;
    this.#badge.hidden = unread === 0;
    setText(this.#badge, unread > 99 ? '99+' : String(unread));
    const suffix = unread ? `, ${unread} unread` : '';
    this.#toggle.setAttribute('aria-label', `Chat${suffix}`);
  }
}
