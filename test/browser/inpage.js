// SPDX-License-Identifier: MIT
// browser/inpage.js - the part of driver.mjs that runs in the page: it finds elements, moves the
// clock, and stands between the page and its sockets. It runs before any script of the page.
(() => {
  const native = {
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    Date,
    WebSocket,
  };
  const driver = { native };
  Object.defineProperty(window, '__driver', { value: driver });

  // ---------------------------------------------------------------- elements

  const plain = (text) => text.replace(/\s+/g, ' ').trim();
  const includes = (text, part) => plain(text).toLowerCase().includes(plain(part).toLowerCase());
  driver.visible = (node) => {
    const { width, height } = node.getBoundingClientRect();
    return width > 0 && height > 0 && node.checkVisibility({ visibilityProperty: true });
  };

  // `:visible` is no CSS: what comes before it is filtered, what comes behind is looked for inside.
  const byCss = (root, css) =>
    css.split(':visible').reduce(
      (roots, part, i, parts) => {
        const found = part.trim() ? roots.flatMap((r) => [...r.querySelectorAll(part)]) : roots;
        return i < parts.length - 1 ? found.filter(driver.visible) : found;
      },
      [root],
    );

  const MAY_BE = {
    button: 'button, [role="button"]',
    heading: 'h1, h2, h3, [role="heading"]',
    menuitem: '[role="menuitem"]',
    menuitemradio: '[role="menuitemradio"]',
  };

  const KINDS = {
    css: (root, { css, hasText, has }) =>
      byCss(root, css)
        .filter((node) => hasText === undefined || includes(node.textContent, hasText))
        .filter((node) => !has || driver.all(has, node).length > 0),
    text: (root, { text }) =>
      [...root.querySelectorAll('*')].filter(
        (node) =>
          plain(node.textContent) === plain(text) &&
          ![...node.children].some((child) => plain(child.textContent) === plain(text)),
      ),
    // computedRole and computedName are what Chromium tells a screen reader. To ask every element of
    // a page takes seconds on a busy machine.
    role: (root, { role, name, exact, level }) =>
      [...root.querySelectorAll(MAY_BE[role] ?? '*')].filter(
        (node) =>
          node.computedRole === role &&
          (level === undefined || node.matches(`h${level}`)) &&
          (name === undefined ||
            (exact ? plain(node.computedName) === name : includes(node.computedName, name))),
      ),
  };

  // A locator is a list of steps, each inside of what the one before has found.
  driver.all = (steps, root = document) =>
    steps.reduce(
      (roots, step) =>
        step.kind === 'nth'
          ? roots.slice(step.nth, step.nth + 1)
          : [...new Set(roots.flatMap((r) => KINDS[step.kind](r, step)))],
      [root],
    );

  driver.one = (steps) => {
    const found = driver.all(steps);
    if (found.length > 1) throw new Error(`${found.length} elements: ${JSON.stringify(steps)}`);
    return found[0] ?? null;
  };

  const middle = (node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return { x: x + width / 2, y: y + height / 2 };
  };
  const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));

  // The middle of an element that a user could click at and that does not move, or null.
  driver.target = async (steps) => {
    const node = driver.one(steps);
    if (!node || !driver.visible(node) || node.disabled) return null;
    node.scrollIntoViewIfNeeded();
    await frame();
    const before = middle(node);
    await frame();
    const at = middle(node);
    if (at.x !== before.x || at.y !== before.y) return null;
    return node.contains(document.elementFromPoint(at.x, at.y)) ? at : null;
  };

  // ---------------------------------------------------------------- the clock

  // Time goes on by itself, and jumps when it is told to.
  driver.installClock = () => {
    let ahead = 0;
    let ids = 0;
    const timers = new Map();
    const now = () => native.Date.now() + ahead;
    const next = (until) => {
      let first = null;
      for (const timer of timers.values()) {
        if (timer.at <= until && (!first || timer.at < first.at)) first = timer;
      }
      return first;
    };
    const fire = (timer) => {
      if (timer.every) timer.at += timer.every;
      else timers.delete(timer.id);
      timer.run();
    };
    let alarm;
    const wake = () => {
      native.clearTimeout(alarm);
      const first = next(Infinity);
      if (first) alarm = native.setTimeout(late, first.at - now());
    };
    const late = () => {
      for (let timer = next(now()); timer; timer = next(now())) fire(timer);
      wake();
    };
    const set = (repeats) => (run, ms = 0, ...args) => {
      const every = repeats ? Math.max(1, ms) : 0;
      const timer = { id: ++ids, at: now() + ms, every, run: () => run(...args) };
      timers.set(timer.id, timer);
      wake();
      return timer.id;
    };
    window.setTimeout = set(false);
    window.setInterval = set(true);
    window.clearTimeout = window.clearInterval = (id) => timers.delete(id);
    window.Date = class extends native.Date {
      constructor(...given) {
        super(...(given.length ? given : [now()]));
      }
      static now = now;
    };
    driver.runFor = async (ms) => {
      const end = now() + ms;
      for (let timer = next(end); timer; timer = next(end)) {
        ahead += Math.max(0, timer.at - now());
        fire(timer);
        await new Promise((go) => native.setTimeout(go)); // what it has begun comes first
      }
      ahead += Math.max(0, end - now());
      wake();
    };
  };

  // ---------------------------------------------------------------- sockets

  // Every socket whose URL matches is shown to the driver, which decides what happens to it.
  driver.sockets = new Map();
  driver.routeSockets = (pattern) => {
    const Before = window.WebSocket;
    window.WebSocket = class WebSocket extends EventTarget {
      constructor(url, protocols) {
        const whole = new URL(url, location.href).href.replace(/^http/, 'ws');
        if (!pattern.test(whole)) return new Before(url, protocols);
        super();
        Object.assign(this, { url: whole, protocols, protocol: '', extensions: '', readyState: 0 });
        Object.assign(this, { bufferedAmount: 0, binaryType: 'blob', id: driver.sockets.size });
        driver.sockets.set(this.id, this);
        this.tell('new', whole);
      }
      tell(what, data) {
        window.__toDriver(JSON.stringify({ id: this.id, what, data }));
      }
      happens(event) {
        this[`on${event.type}`]?.(event);
        this.dispatchEvent(event);
      }
      send(data) {
        this.tell('sent', data);
      }
      close(code, reason) {
        if (this.readyState > 1) return;
        this.readyState = 2;
        if (this.real) this.real.close(code, reason);
        else native.setTimeout(() => this.closes({ code: code ?? 1005, reason }));
      }

      // What the driver tells it to do.
      opens(protocol = '') {
        if (this.readyState !== 0) return;
        Object.assign(this, { readyState: 1, protocol });
        this.happens(new Event('open'));
      }
      receives(data) {
        if (this.readyState === 1) this.happens(new MessageEvent('message', { data }));
      }
      closes({ code = 1005, reason = '' } = {}) {
        if (this.readyState === 3) return;
        this.readyState = 3;
        this.real?.close();
        this.happens(new CloseEvent('close', { code, reason, wasClean: true }));
      }
      connects() {
        this.real = new native.WebSocket(this.url, this.protocols);
        this.real.onopen = () => this.opens(this.real.protocol);
        this.real.onmessage = ({ data }) => this.tell('received', data);
        this.real.onclose = ({ code, reason }) => this.tell('closed', { code, reason });
      }
      passes(data) {
        this.real.send(data);
      }
    };
    for (const [i, name] of ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'].entries()) {
      window.WebSocket[name] = window.WebSocket.prototype[name] = i;
    }
  };
})();
