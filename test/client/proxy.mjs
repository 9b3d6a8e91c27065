// SPDX-License-Identifier: MIT
// client/proxy.mjs - a TCP proxy on the loopback that does what proxies, networks and machines do.
//
//     const proxy = await Proxy.start(port);   // of the server
//     proxy.url                                // ws://127.0.0.1:PORT
//     proxy.sockets = 'swallow';               // for connections that come from now on
//     proxy.cut();                             // resets all connections
//     proxy.stall();                           // all connections stay open, and nothing moves
//
// sockets: 'pass'; 'refuse' answers an upgrade with 503; 'swallow' passes the 101 and no frame
// behind it. events: 'pass'; 'buffer' keeps the body of a stream for itself. open: false resets
// whoever connects.
import net from 'node:net';

export class Proxy {
  sockets = 'pass';
  events = 'pass';
  open = true;
  port = 0;
  #pairs = new Set();
  #server = null;

  static async start(port) {
    const proxy = new Proxy();
    proxy.port = port;
    proxy.#server = net.createServer((client) => proxy.#accept(client));
    await new Promise((done) => proxy.#server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get host() {
    return `127.0.0.1:${this.#server.address().port}`;
  }

  cut() {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  stall() {
    for (const pair of this.#pairs) pair.stalled = true;
  }

  get connections() {
    return this.#pairs.size;
  }

  #accept(client) {
    client.on('error', () => {});
    if (!this.open) {
      client.destroy();
      return;
    }
    const server = net.connect(this.port, '127.0.0.1');
    const pair = { client, server, stalled: false, keep: null, seen: '' };
    this.#pairs.add(pair);
    server.on('error', () => client.destroy());
    client.on('data', (bytes) => this.#fromClient(pair, bytes));
    server.on('data', (bytes) => this.#fromServer(pair, bytes));
    const end = () => {
      this.#pairs.delete(pair);
      if (pair.stalled) return; // the other side is not told
      client.destroy();
      server.destroy();
    };
    client.on('close', end);
    server.on('close', end);
  }

  #fromClient(pair, bytes) {
    if (pair.stalled) return;
    const text = bytes.toString('latin1');
    if (/^GET [^]*\r\nUpgrade: websocket/i.test(text)) {
      if (this.sockets === 'refuse') {
        pair.client.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        return;
      }
      if (this.sockets === 'swallow') pair.keep = 'after the head';
    }
    if (/^GET \S*\/events/.test(text) && this.events === 'buffer') pair.keep = 'after the head';
    pair.server.write(bytes);
  }

  // Of an answer that is kept, the head passes.
  #fromServer(pair, bytes) {
    if (pair.stalled || pair.keep === 'all') return;
    if (!pair.keep) {
      pair.client.write(bytes);
      return;
    }
    pair.seen += bytes.toString('latin1');
    const head = pair.seen.indexOf('\r\n\r\n');
    if (head < 0) return;
    pair.keep = 'all';
    pair.client.write(Buffer.from(pair.seen.slice(0, head + 4), 'latin1'));
  }
}
