// SPDX-License-Identifier: MIT
// runs.js - runs of cards: all pages see them, on a keyed channel with the newest step of each card.
//
// Handlers: changed(id), ended(id), refused(id, reason), already(id).
const SHOWN = 2500; // milliseconds for which a finished run stays visible on its card
const DOUBT = 5000; // milliseconds without a step, when there should be one
const ALREADY = 409;

export class Runs {
  #api;
  #on;
  #runs = new Map(); // id -> { state: 'starting' | 'running' | 'done', percent, doubt }

  constructor(api, on) {
    this.#api = api;
    this.#on = on;
  }

  of(id) {
    return this.#runs.get(id) ?? null;
  }

  async start(id) {
    if (this.#runs.get(id)?.state === 'running') this.#on.already(id);
    if (this.#runs.has(id)) return;
    this.#doubt(id);
    try {
      await this.#api.run(id);
    } catch (error) {
      this.#remove(id);
      if (error.status === ALREADY) this.#on.already(id);
      else this.#on.refused(id, error.reason);
    }
  }

  // ---------------------------------------------------------------- what the channel says

  // The whole state follows. If the server has restarted, a run that is not in it is lost.
  reset({ reason }) {
    const running = [...this.#runs.keys()].filter((id) => this.of(id).state !== 'done');
    for (const id of running) {
      if (reason === 'epoch_changed') this.#doubt(id);
      else if (this.of(id).state === 'running') this.#remove(id);
    }
  }

  publication({ key: id, removed, data: { percent, status } }) {
    clearTimeout(this.of(id)?.doubt);
    if (!removed) this.#become(id, 'running', percent);
    else if (!this.of(id)) return; // it has ended before this page was loaded
    else if (status === 'done') this.#done(id, percent);
    else this.#remove(id); // its card was deleted
  }

  #done(id, percent) {
    this.#become(id, 'done', percent);
    this.#on.ended(id);
    const done = this.of(id);
    setTimeout(() => this.of(id) === done && this.#remove(id), SHOWN);
  }

  #become(id, state, percent) {
    this.#runs.set(id, { state, percent: Math.min(100, Math.max(0, Number(percent) || 0)) });
    this.#on.changed(id);
  }

  #remove(id) {
    clearTimeout(this.#runs.get(id)?.doubt);
    this.#runs.delete(id);
    this.#on.changed(id);
  }

  // A step should come soon.
  #doubt(id) {
    clearTimeout(this.of(id)?.doubt);
    this.#become(id, 'starting', this.of(id)?.percent);
    this.of(id).doubt = setTimeout(() => {
      this.#remove(id);
      this.#on.refused(id, 'nothing more is heard of it');
    }, DOUBT);
  }
}
