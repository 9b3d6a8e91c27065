// SPDX-License-Identifier: MIT
// api.js - the plain HTTP side: cards, runs, and the token that they and the sockets show.
//
// A server that hands out no tokens (404, 405 or 501 at /api/token) is spoken to without one. A 401
// means that the token has expired, or that the server has been started anew: a new one is fetched,
// once, and the same asked again.

const PATIENCE = 10000;
const NO_TOKENS_HERE = [404, 405, 501];
const SPARE_SECONDS = 5;

// The server has said no: `status`, and `reason`, the word in its {"error": reason}.
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.name = 'Refused';
    this.status = status;
    this.reason = reason;
  }
}

// Nobody has answered.
export class Unreachable extends Error {
  constructor(cause) {
    super('the server cannot be reached', { cause });
    this.name = 'Unreachable';
    this.reason = this.message;
  }
}

async function refusal(response) {
  let reason = response.statusText || `status ${response.status}`;
  try {
    const { error } = await response.json();
    if (typeof error === 'string' && error) reason = error;
  } catch {
    // A proxy's page, say: the status will have to do.
  }
  return new Refused(response.status, reason);
}

export class Api {
  #subject;
  #token = null; // { token, expires_at }
  #without = false; // this server hands out none
  #asking = null;

  constructor(subject) {
    this.#subject = subject;
  }

  // The token to show, or null where none is needed.
  async token() {
    if (this.#without) return null;
    const now = Date.now() / 1000;
    if (this.#token && this.#token.expires_at - SPARE_SECONDS > now) return this.#token.token;
    this.#asking ??= this.#newToken().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  // Forgets a token that was refused, unless a newer one is there already.
  forget(token) {
    if (this.#token?.token === token) this.#token = null;
  }

  async #newToken() {
    const response = await this.#fetch('POST', '/api/token', { subject: this.#subject }, null);
    if (NO_TOKENS_HERE.includes(response.status)) {
      this.#without = true;
      return null;
    }
    if (!response.ok) throw await refusal(response);
    this.#token = await response.json();
    return this.#token.token;
  }

  async #fetch(method, path, body, token) {
    const headers = { Accept: 'application/json' };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (token) headers.Authorization = `Bearer ${token}`;
    try {
      return await fetch(path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: 'no-store',
        signal: AbortSignal.timeout(PATIENCE),
      });
    } catch (error) {
      throw new Unreachable(error);
    }
  }

  async #ask(method, path, body) {
    let token = await this.token();
    let response = await this.#fetch(method, path, body, token);
    if (response.status === 401 && token) {
      this.forget(token);
      token = await this.token();
      response = await this.#fetch(method, path, body, token);
    }
    if (!response.ok) throw await refusal(response);
    return response.status === 204 ? null : response.json();
  }

  // { cards, epoch, offset }: the list, and the position in the channel that belongs to it.
  cards() {
    return this.#ask('GET', '/api/cards');
  }

  create(title, column) {
    return this.#ask('POST', '/api/cards', { title, column_id: column });
  }

  update(id, changes) {
    return this.#ask('PATCH', `/api/cards/${encodeURIComponent(id)}`, changes);
  }

  remove(id) {
    return this.#ask('DELETE', `/api/cards/${encodeURIComponent(id)}`);
  }

  run(id) {
    return this.#ask('POST', `/api/cards/${encodeURIComponent(id)}/run`);
  }

  // A handshake that failed tells a page nothing. Plain HTTP does: is the server there, is `token`
  // (the one that was shown) still the one to show, and if we are not wanted, why?
  async examine(token) {
    try {
      await this.cards();
      return { verdict: (await this.token()) === token ? 'well' : 'renewed' };
    } catch (error) {
      if (error instanceof Unreachable) return { verdict: 'unreachable' };
      if (error.status === 401 || error.status === 403) {
        return { verdict: 'refused', reason: error.reason };
      }
      return { verdict: 'trouble', reason: error.reason };
    }
  }
}
