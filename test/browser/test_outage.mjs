// SPDX-License-Identifier: MIT
// browser/test_outage.mjs - what the page shows of others, and of its own recovery: each way in which
// a browser loses its server, with every card right behind it. OUTAGE is how many seconds the
// network is away.
import { assert, becomes, board, card, Cards, isIn, isLive, sleep } from './browser.mjs';
import { start, state, status, test, toast } from './browser.mjs';

const OUTAGE = Number(process.env.OUTAGE ?? 2) * 1000;
const BOARD_SOCKET = /\/api\/cards\/ws/;

const world = await start();
const { cards } = world;

const badge = (page) => page.locator('.status-badge:visible').textContent();
const name = (page) => page.textContent('#me span');
const others = (page) =>
  page.evaluate(() => [...document.querySelectorAll('.person')].map((node) => node.title));

// Three changes of three kinds, and what a page then shows of them.
async function three(tag) {
  const id = await cards.create(`Moved ${tag}`);
  const lost = await cards.create(`Deleted ${tag}`);
  return {
    make: async () => {
      await cards.update(id, { column_id: 'review' });
      await cards.create(`New ${tag}`, 'plan');
      await cards.remove(lost);
    },
    seen: async (page) => {
      await isIn(page, `Moved ${tag}`, 'review');
      await isIn(page, `New ${tag}`, 'plan');
      await isIn(page, `Deleted ${tag}`, null);
      const { cards: all } = await (await cards.ask('GET', '/api/cards')).json();
      const shown = Object.values(await board(page)).flat();
      assert.deepEqual(shown.sort(), all.map(({ title }) => title).sort(), 'every card is right');
    },
  };
}

// ------------------------------------------------------------------ what it demonstrates

await test('page_says_what_it_shows_until_it_is_told_that_this_is_known', async () => {
  const page = await world.page();
  assert.match(await page.textContent('#about'), /shared live over WebSocket/);
  assert.equal(await page.getAttribute('#about a', 'target'), '_blank');
  await page.click('#about .close');
  await page.reload();
  await isLive(page);
  assert.equal(await page.locator('#about').isHidden(), true);
});

await test('page_that_is_cut_says_how_long_it_was_away_and_what_it_recovered', async () => {
  const changes = await three('while cut');
  let count = 0;
  const page = await world.page({
    before: (p) =>
      p.routeWebSocket(BOARD_SOCKET, async (socket) => {
        if (++count === 2) await changes.make();
        socket.connectToServer();
      }),
  });
  page.mayComplain(); // of what it says on the socket that is cut
  await page.click('#lab .cut');
  await becomes(async () => /^Back in [\d.]+ m?s, 3 changes recovered$/.test(await badge(page)), true);
  await changes.seen(page);
});

// The changes must come while it stands still: on a busy machine that may need a second try.
await test('page_that_freezes_itself_says_what_it_caught_up', async () => {
  const said = [];
  const wanted = /^Stood still for 5\.0 s, [123] changes? caught up$/;
  while (!wanted.test(said.at(-1)) && said.length < 4) {
    const changes = await three(`while frozen ${said.length}`);
    const page = await world.page({
      before: (p) =>
        p.addInitScript(() => {
          const now = performance.now.bind(performance);
          performance.now = () => 2 * now(); // half as long
        }),
    });
    await page.click('#lab .freeze');
    await sleep(100);
    await changes.make();
    await changes.seen(page);
    said.push(await badge(page));
  }
  assert.match(said.at(-1), wanted);
});

// ------------------------------------------------------------------ people

await test('people_see_each_other_and_a_name_may_be_chosen', async () => {
  const [one, other] = await Promise.all([world.page(), world.page()]);
  await becomes(() => others(one), [await name(other)]);
  await becomes(() => others(other), [await name(one)]);
  await one.locator('#me button').click();
  await one.locator('#me textarea').fill('Ada');
  await one.keyboard.press('Enter');
  await becomes(() => others(other), ['Ada']);
  await isLive(one);
  await one.locator('.chat-note').waitFor({ state: 'hidden' });
  await one.locator('.chat-form textarea').fill('It is me');
  await one.keyboard.press('Enter');
  await becomes(
    () => other.evaluate(() => document.querySelector('.said:last-of-type .who span')?.textContent),
    'Ada',
  );
  await one.reload();
  await isLive(one);
  assert.equal(await name(one), 'Ada');
  await becomes(() => one.locator('.said.mine').count(), 0); // said before it was loaded
  await one.getByText('It is me').waitFor();
  await one.getByText('You joined').waitFor();
  await one.goto('about:blank');
  await becomes(() => others(other), []);
});

await test('two_tabs_of_a_browser_are_two_people_and_see_the_same', async () => {
  const one = await world.page();
  const other = await world.page({ beside: one });
  const changes = await three('in two tabs');
  await becomes(() => others(one), [await name(other)]);
  await changes.make();
  await changes.seen(one);
  await changes.seen(other);
});

// ------------------------------------------------------------------ outages

await test('page_whose_browser_is_offline_says_so_and_recovers', async () => {
  const changes = await three('while offline');
  const page = await world.page();
  page.mayComplain();
  await page.context().setOffline(true);
  await changes.make();
  await sleep(OUTAGE);
  await page.context().setOffline(false);
  await changes.seen(page);
  await isLive(page);
});

await test('tab_that_its_browser_has_frozen_recovers', async () => {
  const changes = await three('in a frozen tab');
  const page = await world.page();
  const tab = await page.context().newCDPSession(page);
  await tab.send('Page.setWebLifecycleState', { state: 'frozen' });
  await changes.make();
  await sleep(OUTAGE);
  await tab.send('Page.setWebLifecycleState', { state: 'active' });
  await changes.seen(page);
  await isLive(page);
});

await test('server_that_stands_still_makes_it_doubt_the_connection', async () => {
  let first = null;
  const page = await world.page({
    before: (p) =>
      p.routeWebSocket(BOARD_SOCKET, (socket) => {
        const server = socket.connectToServer();
        first ??= socket;
        socket.onMessage((message) => socket === first || server.send(message));
      }),
  });
  page.mayComplain();
  await page.evaluate(() => dispatchEvent(new Event('offline')));
  await state(page, 'checking');
  assert.equal(await status(page), 'Checking…');
  assert.match(await badge(page), /^Back in /); // there was no answer within 3 s
  await isLive(page);
});

await test('card_that_a_restart_has_lost_is_named_and_can_be_added_again', async () => {
  let server = await Cards.start();
  const { port, url } = server;
  const page = await world.page({
    url,
    before: (p) =>
      p.addInitScript(() => {
        Math.random = () => 0.999; // so that attempts are far apart
        window.left = []; // seconds that were left when an attempt began
        addEventListener('DOMContentLoaded', () => {
          const root = document.querySelector('#status');
          let text = '';
          new MutationObserver(() => {
            if (root.dataset.state === 'connecting' && text) window.left.push(parseInt(text, 10));
            text = root.dataset.state === 'waiting' ? root.textContent.match(/\d+ s/)?.[0] : '';
          }).observe(root, { attributes: true, subtree: true, childList: true });
        });
      }),
  });
  page.mayComplain();
  const lost = await server.create('Not kept', 'test');
  await isIn(page, 'Not kept', 'test');
  await server.killed();
  await page.waitForFunction(() => /in [78] s/.test(document.querySelector('#status').textContent));
  server = await Cards.start({ port });
  await isLive(page);
  const seconds = await page.evaluate(() => window.left.at(-1));
  assert.ok(seconds >= 2, `it saw that the server was back: ${seconds} s were left`);
  await toast(page, 'The server has restarted without “Not kept”');
  await page.getByRole('button', { name: 'Add again' }).click();
  await isIn(page, 'Not kept', 'test');
  assert.equal(await server.create('Next'), String(Number(lost) + 1));
  await server.killed();
});

await world.end();
