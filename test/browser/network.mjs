// SPDX-License-Identifier: MIT
// browser/network.mjs - requests and sockets of a page that a test answers itself, for driver.mjs.

// What a closed page can no longer do does not matter.
const gently = (promise) => promise.catch(() => {});

// '**/api/cards/*': ** is anything, * is anything within a segment.
export const globbed = (glob) => {
  const parts = glob.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, (stars) =>
    stars === '*' ? '[^/]*' : '.*',
  );
  return new RegExp(`^${parts}$`);
};
const base64 = (text) => Buffer.from(text).toString('base64');

export class Route {
  #session;
  #paused;

  constructor(session, paused) {
    this.#session = session;
    this.#paused = paused;
  }

  #send(method, params = {}) {
    return gently(this.#session.send(method, { requestId: this.#paused.requestId, ...params }));
  }

  continue({ postData } = {}) {
    return this.#send('Fetch.continueRequest', postData ? { postData: base64(postData) } : {});
  }

  async fetch() {
    const { url, method, headers } = this.#paused.request;
    const answer = await fetch(url, { method, headers });
    return { status: answer.status, body: await answer.text() };
  }

  fulfill({ response, status, json }) {
    return this.#send('Fetch.fulfillRequest', {
      responseCode: response?.status ?? status,
      responseHeaders: [{ name: 'Content-Type', value: 'application/json' }],
      body: base64(response?.body ?? JSON.stringify(json)),
    });
  }
}

// A socket of the page that is routed. Without connectToServer() the driver is the server.
export class RoutedSocket {
  #page;
  #id;
  #url;
  #fromPage = null;
  #fromServer = null;
  connected = false;
  ended = false;

  constructor(page, id, url) {
    this.#page = page;
    this.#id = id;
    this.#url = url;
  }

  tell(what, ...args) {
    const given = args.map((arg) => JSON.stringify(arg)).join();
    return gently(this.#page.run(`__driver.sockets.get(${this.#id}).${what}(${given})`));
  }

  url = () => this.#url;
  send = (data) => this.tell('receives', data);
  onMessage = (hear) => {
    this.#fromPage = hear;
  };

  close(how = {}) {
    this.ended = true;
    return this.tell('closes', how);
  }

  connectToServer() {
    this.connected = true;
    this.tell('connects');
    return {
      send: (data) => this.tell('passes', data),
      onMessage: (hear) => {
        this.#fromServer = hear;
      },
    };
  }

  happened(what, data) {
    if (what === 'closed') this.tell('closes', data);
    else if (what === 'received') (this.#fromServer ?? this.send)(data);
    else if (this.#fromPage) this.#fromPage(data);
    else if (this.connected) this.tell('passes', data);
  }
}
