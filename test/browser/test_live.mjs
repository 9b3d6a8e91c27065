// SPDX-License-Identifier: MIT
// browser/test_live.mjs - the page's sockets in a real browser: runs, chat, and every way to lose a
// connection and to reconnect.
import { assert, becomes, board, card, Cards, columnOf, isIn, isLive } from './browser.mjs';
import { sleep, start, state, status, test, toast } from './browser.mjs';

const world = await start();
const { cards } = world;

const BOARD_SOCKET = /\/api\/cards\/ws/;

// To the page it looks closed before anything was received.
const slam = (socket) => socket.close({ code: 3000 });

// Answers a fallback door of the board with 503.
const closed = (page, door) =>
  page.route(`**/api/cards/${door}*`, (route) => route.fulfill({ status: 503, json: {} }));

// Every state that the page shows, with its text, from the first.
const record = (page) =>
  page.addInitScript(() => {
    window.states = [];
    addEventListener('DOMContentLoaded', () => {
      const root = document.querySelector('#status');
      const note = () => {
        const text = root.querySelector('.status-text').textContent;
        const last = window.states.at(-1);
        if (last?.name !== root.dataset.state) {
          window.states.push({ name: root.dataset.state, text });
        } else if (last.name === 'connecting') last.text = text;
      };
      note();
      new MutationObserver(note).observe(root, {
        attributes: true,
        childList: true,
        subtree: true,
        characterData: true,
      });
    });
  });

// Without the states in which the board is fetched again: these depend on other users.
const states = (page) =>
  page.evaluate(() => {
    const without = window.states.filter(({ name }) => name !== 'catching-up');
    return without.filter(({ name }, i) => name !== without[i - 1]?.name);
  });
const names = async (page) => (await states(page)).map(({ name }) => name);

// Intercepts the board's socket between the page and the server. `each(socket, nth)` decides what
// happens. Returns the URLs that were requested.
async function between(page, each) {
  const urls = [];
  await page.routeWebSocket(BOARD_SOCKET, (socket) => {
    urls.push(socket.url());
    each(socket, urls.length);
  });
  return urls;
}

// The tokens that the page shows on the board's socket, from the first. They are subprotocols.
const keepTokens = (page) =>
  page.addInitScript(() => {
    window.tokens = [];
    window.WebSocket = class extends window.WebSocket {
      constructor(url, protocols) {
        super(url, protocols);
        if (String(url).includes('/api/cards/ws')) window.tokens.push(protocols[1]);
      }
    };
  });
const tokensOf = (page) => page.evaluate(() => window.tokens);

// ------------------------------------------------------------------ runs

await test('run_is_shown_up_to_100_percent', async () => {
  const id = await cards.create('Runner');
  const page = await world.page({
    before: (p) =>
      p.addInitScript(() => {
        window.percents = [];
        new MutationObserver(() => {
          for (const bar of document.querySelectorAll('.progress:not([hidden]) progress')) {
            if (window.percents.at(-1) !== bar.value) window.percents.push(bar.value);
          }
        }).observe(document, { subtree: true, childList: true, attributes: true });
      }),
  });
  const sockets = [];
  page.on('websocket', (socket) => sockets.push(new URL(socket.url()).pathname));
  await card(page, 'Runner').getByRole('button', { name: 'Run Runner' }).click();
  await page.waitForSelector(`.card[data-card="${id}"][data-run="done"]`);
  const percents = await page.evaluate(() => window.percents);
  assert.equal(percents.at(-1), 100);
  assert.ok(percents.length > 10, `steps: ${percents}`);
  assert.deepEqual(
    percents,
    [...percents].sort((a, b) => a - b),
    'never backwards',
  );
  assert.deepEqual(sockets, [], 'on a channel of the socket that it has');
  assert.equal(await card(page, 'Runner').locator('.percent').textContent(), 'Done');
  await card(page, 'Runner').getByRole('button', { name: 'Run Runner' }).waitFor(); // the card can
                                                                                    // run again
});

await test('run_that_somebody_else_has_begun_is_seen_by_all', async () => {
  const id = await cards.create('Shared run');
  const page = await world.page();
  assert.equal((await cards.ask('POST', `/api/cards/${id}/run`)).status, 202);
  await page.waitForSelector(`.card[data-card="${id}"][data-run="running"]`);
  await card(page, 'Shared run').press('r');
  await toast(page, '“Shared run” is running already');
  const late = await world.page();
  await Promise.all(
    [page, late].map((one) => one.waitForSelector(`.card[data-card="${id}"][data-run="done"]`)),
  );
  const latest = await world.page({
    before: (p) =>
      p.addInitScript(() => {
        window.runs = 0;
        new MutationObserver(() => {
          window.runs += document.querySelectorAll('.progress:not([hidden])').length;
        }).observe(document, { subtree: true, childList: true, attributes: true });
      }),
  });
  await latest.locator('.person').first().waitFor(); // the keyed channels have come
  assert.equal(await latest.evaluate(() => window.runs), 0, 'what is over is not shown');
});

await test('run_of_a_card_that_is_deleted_ends', async () => {
  const id = await cards.create('Short lived');
  const page = await world.page();
  await card(page, 'Short lived').press('r');
  await page.waitForSelector(`.card[data-card="${id}"][data-run="running"]`);
  await cards.remove(id);
  await isIn(page, 'Short lived', null);
  assert.equal(await page.locator('.toast').count(), 0);
});

await test('run_lost_with_its_server_is_given_up', async () => {
  let server = await Cards.start();
  const { port, url } = server;
  const id = await server.create('Cut short');
  const page = await world.page({ url, before: (p) => p.clock.install() });
  page.mayComplain();
  await card(page, 'Cut short').press('r');
  await page.waitForSelector('.card[data-run="running"]');
  await server.killed();
  server = await Cards.start({ port });
  assert.equal(await server.create('Cut short'), id);
  await page.waitForSelector(`.card[data-card="${id}"][data-run="starting"]`); // it is in doubt
  await page.clock.runFor(6000);
  await toast(page, 'nothing more is heard of it');
  assert.equal(await page.locator('.card:not([data-run="idle"])').count(), 0);
  await server.killed();
});

// ------------------------------------------------------------------ states

await test('connection_says_connecting_then_live', async () => {
  const page = await world.page({ before: record });
  assert.deepEqual(
    (await states(page)).map(({ name, text }) => [name, text]),
    [
      ['connecting', 'Connecting…'],
      ['live', 'Live'],
    ],
  );
});

await test('after_40xx_it_does_not_come_back_by_itself', async () => {
  let urls;
  const page = await world.page({
    live: false,
    before: async (p) => {
      await p.clock.install();
      urls = await between(p, (socket, nth) => {
        if (nth === 1) socket.close({ code: 4003, reason: '' });
        else socket.connectToServer();
      });
    },
  });
  page.mayComplain(); // the chat's socket follows the same clock
  await state(page, 'refused');
  assert.equal(await status(page), 'Refused: replaced by a newer connection');
  await page.clock.runFor(300000);
  assert.equal(urls.length, 1);
  assert.equal(await status(page), 'Refused: replaced by a newer connection');
  await page.getByRole('button', { name: 'Try again' }).click();
  await isLive(page);
});

await test('after_4001_it_comes_back_once_with_another_token', async () => {
  let urls;
  const page = await world.page({
    live: false,
    before: async (p) => {
      urls = await between(p, (socket) => socket.close({ code: 4001, reason: 'token expired' }));
      await keepTokens(p);
    },
  });
  await state(page, 'refused');
  assert.equal(await status(page), 'Refused: your access has expired');
  assert.equal(urls.length, 2);
  const tokens = await tokensOf(page);
  assert.equal(tokens.length, 2);
  assert.notEqual(tokens[0], tokens[1]);
});

await test('after_42xx_it_comes_back_at_once', async () => {
  const urls = [];
  const page = await world.page({
    before: async (p) => {
      await p.addInitScript(() => {
        Math.random = () => 0.999; // otherwise the wait might be zero
      });
      await record(p);
      await p.routeWebSocket(BOARD_SOCKET, (socket) => {
        urls.push(socket.url());
        const server = socket.connectToServer();
        if (urls.length === 1) {
          server.onMessage((message) => {
            socket.send(message);
            if (JSON.parse(message).type === 'subscribed') socket.close({ code: 4200 });
          });
        }
      });
    },
  });
  page.mayComplain(); // it may say something before it hears that the socket is closed
  await becomes(() => urls.length, 2);
  await isLive(page);
  assert.ok(!(await names(page)).includes('waiting'), JSON.stringify(await states(page)));
});

await test('waits_grow_to_30_s_with_full_jitter_and_end_after_ten', async () => {
  let open = false;
  const page = await world.page({
    live: false,
    before: async (p) => {
      await p.addInitScript(() => {
        Math.random = () => 0.5; // so that every wait is half of the maximum
      });
      await p.clock.install();
      await record(p);
      for (const door of ['events', 'poll']) await closed(p, door);
      await between(p, (socket) =>
        open ? socket.connectToServer() : socket.close({ code: 4100 }),
      );
    },
  });
  page.mayComplain(); // the chat's socket follows the same clock
  for (let i = 0; i < 3000; i++) {
    const now = (await names(page)).at(-1);
    if (now === 'offline') break;
    if (now === 'waiting') await page.clock.runFor(500);
    else await new Promise((resolve) => setTimeout(resolve, 10)); // an attempt fails in its own time
  }
  const waits = (await states(page)).filter(({ name }) => name === 'waiting');
  const seconds = [1, 1, 1, 2, 4, 8, 15, 15, 15]; // each at least the wait: 0.5, 0.5, 1, 2, 4 ...
  assert.deepEqual(
    waits.map(({ text }) => text),
    seconds.map((s) => `Reconnecting in ${s} s`),
  );
  assert.equal(await status(page), 'Offline');
  open = true;
  await page.clock.runFor(300000);
  assert.equal(await status(page), 'Offline', 'it has given up');
  await page.getByRole('button', { name: 'Try again' }).click();
  await isLive(page);
});

await test('without_a_network_it_waits_for_one', async () => {
  let cut;
  const page = await world.page({
    before: (p) =>
      between(p, (socket) => {
        socket.connectToServer();
        cut = () => socket.close({ code: 4100 });
      }),
  });
  page.mayComplain();
  await page.context().setOffline(true);
  await cut();
  await state(page, 'offline');
  assert.equal(await page.textContent('.status-detail'), 'no network');
  await page.context().setOffline(false);
  await isLive(page);
});

await test('socket_that_has_gone_silent_is_given_up', async () => {
  let deaf = false;
  const heard = [];
  const page = await world.page({
    before: async (p) => {
      await p.clock.install();
      await record(p);
      await between(p, (socket) => {
        const server = socket.connectToServer();
        socket.onMessage((message) => {
          const { type } = JSON.parse(message);
          if (type === 'ping') heard.push(type);
          if (!deaf) server.send(message);
        });
      });
    },
  });
  page.mayComplain(); // the chat's socket follows the same clock
  await page.clock.runFor(31000);
  await becomes(() => heard, ['ping'], 'it asks');
  await sleep(300); // for the answer, which does not follow the page's clock
  await page.clock.runFor(11000);
  assert.deepEqual(await names(page), ['connecting', 'live'], 'it was answered');
  deaf = true;
  await page.clock.runFor(31000);
  await becomes(() => heard.length, 2);
  await page.clock.runFor(11000);
  await becomes(async () => (await names(page)).includes('waiting'), true);
});

// ------------------------------------------------------------------ coming back

await test('position_is_shown_and_what_was_missed_comes_on_the_socket', async () => {
  const id = await cards.create('Moved meanwhile');
  let socket;
  let open = true;
  let urls;
  const page = await world.page({
    before: async (p) => {
      await p.addInitScript(() => {
        Math.random = () => 0.999; // otherwise the wait might be over before it is looked at
      });
      urls = await between(p, (ws) => {
        socket = ws;
        if (open) ws.connectToServer();
        else ws.close({ code: 4100 });
      });
    },
  });
  const { epoch, offset } = await (await cards.ask('GET', '/api/cards')).json();
  let fetches = 0;
  page.on('request', (request) => (fetches += request.url().endsWith('/api/cards')));
  open = false;
  await socket.close({ code: 4100, reason: 'slow consumer' });
  await state(page, 'waiting');
  assert.equal(await page.textContent('.status-detail'), 'this page was too slow');
  await cards.update(id, { column_id: 'review' });
  assert.equal(await columnOf(page, 'Moved meanwhile'), 'backlog');
  open = true;
  await isIn(page, 'Moved meanwhile', 'review');
  const query = new URL(urls.at(-1)).searchParams;
  assert.deepEqual([query.get('epoch'), Number(query.get('offset'))], [epoch, offset]);
  assert.equal(fetches, 0, 'what was missed came on the socket');
});

await test('messages_that_are_missed_make_it_fetch_the_board', async () => {
  const missed = await cards.create('Missed');
  const page = await world.page({
    before: (p) =>
      between(p, (socket) => {
        const server = socket.connectToServer();
        server.onMessage((message) => {
          const { channel, offset, data } = JSON.parse(message);
          if (data?.id !== missed) {
            socket.send(message);
            return;
          }
          const range = { channel, from: offset, to: offset, reason: 'too_old' };
          socket.send(JSON.stringify({ type: 'missed', data: range }));
        });
      }),
  });
  await cards.update(missed, { column_id: 'review' });
  await isIn(page, 'Missed', 'review');
});

await test('what_happens_while_the_board_is_fetched_is_not_lost', async () => {
  const id = await cards.create('In between');
  let fetches = 0;
  const page = await world.page({
    live: false,
    before: async (p) => {
      await between(p, (socket) => {
        const server = socket.connectToServer();
        server.onMessage((message) => {
          const { type, data } = JSON.parse(message);
          if (type !== 'subscribed') socket.send(message);
          else {
            const lost = { ...data, recovered: false, reason: 'too_old' };
            socket.send(JSON.stringify({ type, data: lost }));
          }
        });
      });
      await p.route('**/api/cards', async (route) => {
        fetches++;
        const response = await route.fetch(); // the list as it is now ...
        if (fetches === 2) await cards.update(id, { column_id: 'done' });
        if (fetches === 2) await sleep(200); // ... arrives after the message about this change
        await route.fulfill({ response });
        if (fetches === 1) await cards.update(id, { column_id: 'test' }); // before the socket opens
      });
    },
  });
  await isLive(page);
  await isIn(page, 'In between', 'done');
  assert.equal(fetches, 2);
});

await test('board_follows_by_events_or_polls_where_sockets_are_blocked_and_returns', async () => {
  for (const door of ['events', 'poll']) {
    let open = false;
    let urls;
    const asked = [];
    const page = await world.page({
      before: async (p) => {
        p.mayComplain(); // because of the 503
        p.on('request', (request) => asked.push(new URL(request.url()).pathname));
        urls = await between(p, (socket) => (open ? socket.connectToServer() : slam(socket)));
        if (door === 'poll') await closed(p, 'events');
      },
    });
    const id = await cards.create(`By ${door}`);
    await isIn(page, `By ${door}`, 'backlog');
    assert.ok(asked.includes(`/api/cards/${door}`), asked);
    open = true;
    const { length } = urls;
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await becomes(() => urls.length > length, true);
    await cards.update(id, { column_id: 'review' });
    await isIn(page, `By ${door}`, 'review');
    await isLive(page);
  }
});

await test('server_killed_and_started_again_both_recover', async () => {
  let server = await Cards.start();
  const { port, url } = server;
  await server.create('Of the first life');
  const [one, other] = await Promise.all([
    world.page({ url, before: record }),
    world.page({ url, before: record }),
  ]);
  one.mayComplain(); // because of the refused connections
  other.mayComplain();
  await server.killed();
  await Promise.all([state(one, 'waiting'), state(other, 'waiting')]);
  assert.match(await status(one), /^Reconnecting in \d+ s$/);
  assert.match(await one.textContent('.status-detail'), /\w/);
  await card(one, 'Of the first life').press('Alt+ArrowRight');
  await toast(one, 'the server cannot be reached');
  await isIn(one, 'Of the first life', 'backlog'); // in its column again

  server = await Cards.start({ port });
  const id = await server.create('Of the second life');
  await server.update(id, { column_id: 'review' });
  await Promise.all([isLive(one), isLive(other)]);
  await isIn(one, 'Of the second life', 'review');
  await isIn(one, 'Of the first life', null);
  await becomes(() => board(other), await board(one));
  await card(one, 'Of the second life').press('Alt+ArrowRight');
  await isIn(other, 'Of the second life', 'done');
  await one.locator('.chat-note').waitFor({ state: 'hidden' }); // the chat has reconnected too
  await server.killed();
});

await test('server_without_tokens_is_spoken_to_without_one', async () => {
  const server = await Cards.start({ demo: false });
  const sockets = [];
  const page = await world.page({
    url: server.url,
    before: (p) => p.on('websocket', (socket) => sockets.push(socket.url())),
  });
  page.mayComplain(); // because of the 404
  await server.create('Open to all');
  await isIn(page, 'Open to all', 'backlog');
  assert.ok(sockets.length > 0 && sockets.every((url) => !url.includes('token=')), sockets);
  await server.killed();
});

await test('token_that_expires_is_replaced', async () => {
  const server = await Cards.start({ env: { TOKEN_SECONDS: '7' } });
  const page = await world.page({ url: server.url });
  const tokens = [];
  page.on('request', (request) => request.url().endsWith('/api/token') && tokens.push(request));
  page.on('response', (response) => assert.notEqual(response.status(), 401));
  const id = await server.create('Patient');
  await isIn(page, 'Patient', 'backlog');
  await page.evaluate(() => {
    const { now } = Date;
    Date.now = () => now() + 3000; // by the page's clock it is about to expire
  });
  await card(page, 'Patient').press('Alt+ArrowRight');
  await becomes(
    async () =>
      (await (await server.ask('GET', '/api/cards')).json()).cards.find((c) => c.id === id)
        .column_id,
    'plan',
  );
  assert.equal(tokens.length, 1);
  page.mayComplain(); // because of the server that ends
  await server.killed();
});

await test('no_url_holds_a_token', async () => {
  const urls = [];
  const headers = [];
  await cards.create('Quiet');
  const page = await world.page({
    before: async (p) => {
      p.on('request', (request) => urls.push(request.url()));
      p.on('websocket', (socket) => urls.push(socket.url()));
      const network = await p.context().newCDPSession(p);
      await network.send('Network.enable');
      network.on('Network.webSocketWillSendHandshakeRequest', ({ request }) =>
        headers.push(request.headers['Sec-WebSocket-Protocol']),
      );
    },
  });
  await card(page, 'Quiet').press('r');
  await page.waitForSelector('.card[data-run="running"]');
  assert.ok(urls.filter((url) => url.startsWith('ws')).length >= 2, urls);
  assert.deepEqual(
    urls.filter((url) => url.includes('token=')),
    [],
  );
  assert.ok(headers.length >= 2);
  for (const header of headers) assert.match(header, /^wspool\.v1\.json, ?bearer\.[\w.-]+$/);
});

await test('token_refused_twice_is_a_refusal_with_its_reason', async () => {
  const page = await world.page({
    live: false,
    before: async (p) => {
      const refusal = { status: 401, json: { error: 'wrong_audience' } };
      for (const path of ['cards', 'cards/events*', 'cards/poll*']) {
        await p.route(`**/api/${path}`, (route) => route.fulfill(refusal));
      }
      await between(p, slam);
    },
  });
  page.mayComplain(); // because of the 401
  await state(page, 'refused');
  assert.equal(await status(page), 'Refused: the server does not accept your access token');
});

await test('handshake_refused_for_an_old_token_is_repeated_at_once_with_a_new_one', async () => {
  let [urls, fetches] = [[], 0];
  const page = await world.page({
    live: false,
    before: async (p) => {
      p.mayComplain(); // because of the 401
      await p.addInitScript(() => {
        Math.random = () => 0.9; // so that the answer to the question why comes before an attempt
      });
      await record(p);
      await p.route('**/api/cards', (route) =>
        ++fetches === 2
          ? route.fulfill({ status: 401, json: { error: 'invalid' } })
          : route.continue(),
      );
      urls = await between(p, (socket, nth) =>
        nth === 1 ? slam(socket) : socket.connectToServer(),
      );
      await keepTokens(p);
    },
  });
  await isLive(page);
  assert.equal(urls.length, 2);
  const tokens = await tokensOf(page);
  assert.equal(tokens.length, 2);
  assert.notEqual(tokens[0], tokens[1]);
  assert.ok(!(await names(page)).includes('waiting'));
});

await world.end();
