// SPDX-License-Identifier: MIT
// runs.js - runs of cards: each is watched on the card's own socket while it lasts.
//
// The socket connects first and the request follows, so that the page does not miss the first step.
// If another user has started the run already, the page watches that run.
//
// Handlers: changed(id), ended(id), refused(id, reason).
import { Connection } from './connection.js';

const SHOWN = 2500; // milliseconds for which a finished run stays visible on its card
const DOUBT = 5000; // milliseconds without a message, after messages were missed
const ALREADY = 409;

export class Runs {
  #api;
  #on;
  #runs = new Map(); // id -> { state: 'starting' | 'running' | 'done', percent, connection, doubt }

  constructor(api, on) {
    this.#api = api;
    this.#on = on;
  }

  of(id) {
    return this.#runs.get(id) ?? null;
  }

  start(id) {
    if (this.#runs.has(id)) return;
    const run = { state: 'starting', percent: 0, connection: null, doubt: null };
    this.#runs.set(id, run);
    const path = `/api/execution/ws/${encodeURIComponent(id)}`;
    run.connection = new Connection(path, `item:${id}`, this.#api, {
      state: ({ name, detail }) => {
        if (name === 'live') this.#ask(id, run);
        else if (name === 'refused' || name === 'offline') this.#fail(id, run, detail);
      },
      refetch: ({ reason }) => {
        if (reason !== 'first') this.#doubt(id, run);
      },
      publication: ({ type, data }) => {
        if (type === 'execution_progress') this.#progress(id, run, data);
      },
    });
    this.#on.changed(id);
    run.connection.open();
  }

  // Forgets the runs of cards that no longer exist.
  prune(exists) {
    for (const id of this.#runs.keys()) if (!exists(id)) this.stop(id);
  }

  stop(id) {
    const run = this.#runs.get(id);
    clearTimeout(run?.doubt);
    run?.connection.close();
    this.#runs.delete(id);
  }

  async #ask(id, run) {
    if (run.state !== 'starting') return;
    run.state = 'running';
    this.#on.changed(id);
    try {
      await this.#api.run(id);
    } catch (error) {
      if (error.status !== ALREADY) this.#fail(id, run, error.reason);
    }
  }

  #progress(id, run, { percent, status }) {
    if (this.#runs.get(id) !== run || run.state === 'done') return;
    clearTimeout(run.doubt);
    if (status === 'cancelled') {
      this.#fail(id, run, 'cancelled');
      return;
    }
    run.percent = Math.min(100, Math.max(0, Number(percent) || 0));
    if (run.percent >= 100 || status === 'done') {
      run.state = 'done';
      run.connection.close();
      this.#on.ended(id);
      setTimeout(() => {
        if (this.#runs.get(id) === run) this.#runs.delete(id);
        this.#on.changed(id);
      }, SHOWN);
    }
    this.#on.changed(id);
  }

  // The end may be among the missed messages, or the server may have lost the run.
  #doubt(id, run) {
    clearTimeout(run.doubt);
    run.doubt = setTimeout(() => this.#fail(id, run, 'nothing more is heard of it'), DOUBT);
  }

  #fail(id, run, reason) {
    clearTimeout(run.doubt);
    if (this.#runs.get(id) !== run || run.state === 'done') return;
    run.connection.close();
    this.#runs.delete(id);
    this.#on.changed(id);
    this.#on.refused(id, reason);
  }
}
