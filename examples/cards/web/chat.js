// SPDX-License-Identifier: MIT
// chat.js - a small chat, on a session's socket of its own.
//
// A page that is loaded gets what was said before, and one that was away gets what it missed.
//
// A message appears when the server publishes it, to its author too. See field.js for what happens
// to a text that the server refuses.
//
// The list follows the last message, unless the user has scrolled away from it; then a button tells
// of new messages. Only scrolling decides that: when the list gets smaller it still follows.
import { Connection } from './connection.js';
import { calm, element, setText } from './dom.js';
import { Field } from './field.js';
import { backInWords } from './status.js';
import { inWords } from './words.js';

const TEXT_MAX = 1000; // characters
const KEPT = 200;
const NEAR_END = 40; // pixels from the end that count as the end
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
  #toasts;
  #connection;
  #unread = 0;
  #last = null; // the author of the last message
  #field;
  #more; // the button that tells of new messages
  #following = true;
  #at = 0; // scrollTop
  #before = 0; // up to this offset it was said before the page was loaded

  constructor(panel, toggle, { api, session, toasts }) {
    this.#panel = panel;
    this.#log = panel.querySelector('.chat-log');
    this.#form = panel.querySelector('form');
    this.#input = panel.querySelector('textarea');
    this.#more = panel.querySelector('.chat-more');
    this.#note = panel.querySelector('.chat-note');
    this.#toggle = toggle;
    this.#badge = toggle.querySelector('.badge');
    this.#toasts = toasts;
    const handlers = {
      state: (state) => this.#state(state),
      refetch: ({ reason, offset }) => {
        this.#before = reason === 'first' ? offset : 0;
        if (reason !== 'first') this.#line('Messages sent in the meantime are missing here.');
      },
      publication: (message) => {
        if (message.type === 'chat_message') this.#said(message);
      },
      subscribed: (here) => {
        if (here.away !== null && here.behind) this.#line(backInWords(here, 'message'));
      },
    };
    const options = { state: true };
    this.#connection = new Connection(SOCKET(session), `session:${session}`, api, handlers, options);
    this.#field = new Field(this.#input, {
      most: TEXT_MAX,
      clean: (text) => text.trim(),
      send: (text) => this.#send(text),
    });
    this.#form.prepend(this.#field.limit.root);
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#field.submit();
      this.#input.focus();
    });
    this.#log.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#follow()).observe(this.#log);
    this.#more.addEventListener('click', () => {
      this.#log.scrollTo({ top: this.#log.scrollHeight, behavior: calm() ? 'auto' : 'smooth' });
      this.#log.focus({ preventScroll: true });
    });
    this.#input.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#field.submit();
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

  cut() {
    this.#connection.cut();
  }

  show(open, focus) {
    this.#panel.hidden = !open;
    this.#toggle.setAttribute('aria-expanded', String(open));
    if (open) {
      this.#count(0);
      this.#following = true;
      this.#follow();
    }
    if (focus) (open ? this.#input : this.#toggle).focus();
  }

  #state({ name, detail }) {
    const live = name === 'live';
    const words = {
      connecting: 'Connecting…',
      waiting: 'Reconnecting…',
      offline: 'Offline',
      refused: `Refused: ${detail ?? ''}`,
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

  // Returns null, or in words why the server refused.
  async #send(text) {
    try {
      const result = await this.#connection.action('chat', { text });
      if (result === 'in_doubt') this.#toasts.refuse('Perhaps not sent: the server has restarted');
      return null;
    } catch (error) {
      const why = `Not sent: ${inWords(error.message)}`;
      this.#toasts.refuse(why);
      return why;
    }
  }

  // Another tab may have our name, but it is not us.
  #said(message) {
    const { from, text } = message.data;
    const { timestamp, offset } = message;
    const mine = this.#connection.isOurs(message);
    const who = mine ? this.#connection : from;
    const when = new Date(timestamp);
    const again = this.#last === who;
    this.#last = who;
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
        element('p', { class: 'what', dir: 'auto', text }),
      ),
      mine,
    );
    if (offset === this.#before) this.#line('You joined');
    if (this.#panel.hidden && !mine && offset > this.#before) {
      this.#count(this.#unread + 1);
      this.#toasts.say(`${from} in the chat: ${text}`);
    }
  }

  #line(text) {
    this.#last = null;
    this.#add(element('li', { class: 'chat-line', text }));
  }

  #add(node, mine = false) {
    this.#log.append(node);
    while (this.#log.children.length > KEPT) this.#log.firstElementChild.remove();
    this.#following ||= mine;
    this.#more.hidden = this.#following;
    this.#follow();
  }

  #follow() {
    if (this.#following) this.#log.scrollTop = this.#log.scrollHeight;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    const [before, now] = [this.#at, scrollTop];
    this.#at = now;
    if (scrollHeight - clientHeight - scrollTop < NEAR_END) {
      this.#following = true;
      this.#more.hidden = true;
    } else if (now < before) this.#following = false; // it has moved up: the user did that
  }

  #count(unread) {
    this.#unread = unread;
    this.#badge.hidden = unread === 0;
    setText(this.#badge, unread > 99 ? '99+' : String(unread));
    const suffix = unread ? `, ${unread} unread` : '';
    this.#toggle.setAttribute('aria-label', `Chat${suffix}`);
  }
}
