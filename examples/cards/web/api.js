// SPDX-License-Identifier: MIT
// api.js - the plain HTTP side: cards, runs, and the token for them and for the sockets.
//
// A server without tokens answers 404, 405 or 501 at /api/token; then requests have no token. A 401
// means that the token has expired or that the server has restarted: a new token is fetched, and
// the request is repeated once.

const PATIENCE = 10000;
const NO_TOKENS_HERE = [404, 405, 501];
const SPARE_SECONDS = 5;

// The server has refused: `status`, and `reason`, the word in its {"error": reason}.
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.name = 'Refused';
    this.status = status;
    this.reason = reason;
  }
}

// The server has not answered.
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
    // A body without JSON, for example a proxy's page: only the status is known.
  }
  return new Refused(response.status, reason);
}

export class Api {
  #subject;
  #token = null; // { token, expires_at }
  #without = false; // this server has no tokens
  #asking = null;
  #lost; // called when the server has not answered

  constructor(subject, lost) {
    this.#subject = subject;
    this.#lost = lost;
  }

  // The server knows nobody by name.
  get anonymous() {
    return this.#without;
  }

  // From the next connection on the user has another name. If it is refused, nothing has changed.
  async rename(subject) {
    const before = this.#subject;
    this.#subject = subject;
    try {
      await this.#newToken();
    } catch (error) {
      this.#subject = before;
      throw error;
    }
  }

  async reachable() {
    const { ok } = await fetch('/health', { cache: 'no-store' }).catch(() => ({ ok: false }));
    return ok;
  }

  // Returns a token, or null if none is needed.
  async token() {
    if (this.#without) return null;
    const now = Date.now() / 1000;
    if (this.#token && this.#token.expires_at - SPARE_SECONDS > now) return this.#token.token;
    this.#asking ??= this.#newToken().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  // Forgets a refused token, unless there is a newer one.
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
      this.#lost();
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

  // Returns { cards, epoch, offset }: the list, and its position in the channel.
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

  // A browser does not tell a page why a handshake failed. Plain HTTP tells whether the server is
  // up, whether `token` (the token of the handshake) is still the current one, and why we are
  // refused.
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
