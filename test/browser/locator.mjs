// SPDX-License-Identifier: MIT
// browser/locator.mjs - elements of a page for driver.mjs: they are named before they exist, and
// everything that acts on one waits until there is exactly one that a user could act on.

export class Locator {
  constructor(page, steps) {
    Object.assign(this, { page, steps });
  }

  #with(step) {
    return new Locator(this.page, [...this.steps, step]);
  }

  locator(css, { hasText, has } = {}) {
    return this.#with({ kind: 'css', css, hasText, has: has?.steps });
  }

  getByText(text) {
    return this.#with({ kind: 'text', text });
  }

  getByRole(role, { name, exact, level } = {}) {
    return this.#with({ kind: 'role', role, name, exact, level });
  }

  nth(n) {
    return this.#with({ kind: 'nth', nth: n });
  }

  first() {
    return this.nth(0);
  }

  // Calls a function of the page with the element, once there is one.
  async evaluate(body) {
    const { value } = await this.page.until(
      `(() => {
        const node = __driver.one(${JSON.stringify(this.steps)});
        return node && { value: (${body})(node) };
      })()`,
      this.steps,
    );
    return value;
  }

  textContent = () => this.evaluate((node) => node.textContent);
  inputValue = () => this.evaluate((node) => node.value);
  getAttribute = (name) => this.evaluate(`(node) => node.getAttribute('${name}')`);
  focus = () => this.evaluate((node) => node.focus());
  scrollIntoViewIfNeeded = () => this.evaluate((node) => node.scrollIntoViewIfNeeded());
  boundingBox = () => this.evaluate((node) => node.getBoundingClientRect().toJSON());

  // What it finds now, as an expression for the page.
  get #found() {
    return `__driver.all(${JSON.stringify(this.steps)})`;
  }

  count = () => this.page.run(`${this.#found}.length`);
  isHidden = () => this.page.run(`!${this.#found}.some(__driver.visible)`);

  async waitFor({ state = 'visible' } = {}) {
    const not = state === 'hidden' ? '!' : '';
    await this.page.until(`${not}${this.#found}.some(__driver.visible)`, [state, ...this.steps]);
  }

  // Where it can be clicked.
  #target() {
    return this.page.until(`__driver.target(${JSON.stringify(this.steps)})`, this.steps);
  }

  async hover() {
    const { x, y } = await this.#target();
    await this.page.mouse.move(x, y);
  }

  async click() {
    await this.hover();
    await this.page.mouse.down();
    await this.page.mouse.up();
  }

  async dblclick() {
    await this.click();
    await this.page.mouse.down(2);
    await this.page.mouse.up(2);
  }

  async tap() {
    const at = await this.#target();
    const { session } = this.page;
    const touch = (type, touchPoints) =>
      session.send('Input.dispatchTouchEvent', { type, touchPoints });
    await touch('touchStart', [at]);
    await touch('touchEnd', []);
  }

  async press(keys) {
    await this.focus();
    await this.page.keyboard.press(keys);
  }

  async fill(text) {
    await this.waitFor();
    await this.focus();
    await this.evaluate((node) => node.select());
    if (text) await this.page.keyboard.insertText(text);
    else await this.page.keyboard.press('Delete');
  }

  async screenshot() {
    await this.scrollIntoViewIfNeeded();
    return this.page.screenshot({ clip: { ...(await this.boundingBox()), scale: 1 } });
  }
}
