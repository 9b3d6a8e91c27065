// SPDX-License-Identifier: MIT
// browser/test_look.mjs - the look of the board and what the page may load: contrast, names, narrow
// screens, content security policy. It writes screenshots to build/screenshots.
import { assert, becomes, board, card, isIn, picture, sleep, start, test } from './browser.mjs';

const world = await start();
const { cards } = world;
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

const CONTRAST = 4.5; // WCAG AA, for text

// Visible texts whose contrast with their background is too low.
const faint = (page) =>
  page.evaluate((least) => {
    const channels = (colour) => {
      const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      paint.fillStyle = colour;
      paint.fillRect(0, 0, 1, 1);
      return [...paint.getImageData(0, 0, 1, 1).data];
    };
    const luminance = ([r, g, b]) => {
      const [x, y, z] = [r, g, b]
        .map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (node) => {
      for (let at = node; at; at = at.parentElement) {
        const colour = channels(getComputedStyle(at).backgroundColor);
        if (colour[3] === 255) return colour;
      }
      return [255, 255, 255, 255];
    };
    const found = [];
    for (const node of document.querySelectorAll('body *')) {
      const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
      if (!own || !node.checkVisibility() || node.closest('.unseen, :disabled, script')) continue;
      const [a, b] = [channels(getComputedStyle(node).color), behind(node)].map(luminance);
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < least) found.push(`${node.className} "${node.textContent}" ${ratio.toFixed(2)}`);
    }
    return found;
  }, CONTRAST);

// Shows one of everything.
async function fill(page, other) {
  for (const one of [page, other]) {
    if (await one.locator('#chat').isHidden()) await one.click('#chat-toggle');
    await one.locator('.chat-note').waitFor({ state: 'hidden' });
  }
  const say = async (one, text) => {
    await one.locator('.chat-form textarea').fill(text);
    await one.keyboard.press('Enter');
    await becomes(() => one.locator('.chat-form textarea').inputValue(), '');
  };
  await say(page, 'Two thousand peers, and /health still answers.');
  await say(other, 'Then let us close the lid on it.');
}

await test('board_is_legible_in_light_and_dark', async () => {
  await cards.create('A title that is so long that it needs more than one line', 'plan');
  for (const colorScheme of ['light', 'dark']) {
    const [page, other] = await Promise.all([world.page({ colorScheme }), world.page()]);
    await fill(page, other);
    await page.locator('.card').nth(1).press('Delete'); // this shows a note
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.locator('.card').nth(1).press('Delete');
    await page
      .locator('.card .run')
      .nth(colorScheme === 'light' ? 0 : 2)
      .click();
    await page.waitForSelector('.card[data-run="running"]');
    await page.locator('.card .more').nth(3).click();
    await sleep(300); // until animations have ended
    assert.deepEqual(await faint(page), [], colorScheme);
    await picture(page, colorScheme);
  }
});

await test('refusals_and_lost_connections_are_legible_too', async () => {
  for (const colorScheme of ['light', 'dark']) {
    for (const code of [4002, 4100]) {
      const page = await world.page({
        colorScheme,
        live: false,
        before: (p) => p.routeWebSocket(/\/api\/cards\/ws/, (socket) => socket.close({ code })),
      });
      page.mayComplain();
      await page.waitForSelector(`.status[data-state="${code === 4002 ? 'refused' : 'waiting'}"]`);
      await page.locator('.add').first().click();
      await page.route('**/api/cards', (route) =>
        route.fulfill({ status: 409, json: { error: 'too_many_cards' } }),
      );
      await page.keyboard.type('x'.repeat(190));
      await page.keyboard.press('Enter');
      await page.waitForSelector('.toast-refusal');
      await page.locator('.add-form:visible textarea').fill('x'.repeat(201)); // the limit is shown
      await sleep(300);
      assert.deepEqual(await faint(page), [], `${colorScheme} ${code}`);
      await picture(page, `${colorScheme}-${code}`);
    }
  }
});

await test('offer_to_keep_a_text_is_legible_too', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const id = await cards.create('Short of time');
    const page = await world.page({ colorScheme });
    await card(page, 'Short of time').press('Enter');
    await page.keyboard.type('A better title');
    await cards.remove(id);
    await page.getByRole('button', { name: 'Add as a card' }).waitFor();
    await sleep(300);
    assert.deepEqual(await faint(page), [], colorScheme);
    await picture(page, `${colorScheme}-kept`);
  }
});

await test('phone_shows_a_column_at_a_time_and_the_page_does_not_scroll', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const page = await world.page({ ...PHONE, colorScheme, deviceScaleFactor: 2 });
    const size = () =>
      page.evaluate(() => {
        const { scrollWidth, scrollHeight } = document.documentElement;
        return [innerWidth, scrollWidth, innerHeight, scrollHeight];
      });
    assert.deepEqual(await size(), [390, 390, 844, 844]);
    assert.equal(
      await page
        .locator('.pill[data-front]')
        .textContent()
        .then((t) => t.slice(0, 7)),
      'Backlog',
    );
    await picture(page, `phone-${colorScheme}`);
    await page.locator('.pill[data-column="implement"]').tap();
    await page.waitForSelector('.pill[data-column="implement"][data-front]');
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('button')]
        .filter((button) => button.checkVisibility())
        .map((button) => [button.className, button.getBoundingClientRect()])
        .filter(([, { width, height }]) => Math.min(width, height) < 34)
        .map(([name, { width, height }]) => `${name} ${width}x${height}`),
    );
    assert.deepEqual(small, [], 'buttons are large enough for a finger');
    await page.locator('.card .more').first().tap();
    await picture(page, `phone-menu-${colorScheme}`);
    await page.keyboard.press('Escape');
    await page.tap('#chat-toggle');
    await picture(page, `phone-chat-${colorScheme}`);
    assert.deepEqual(await size(), [390, 390, 844, 844]);
  }
});

await test('page_has_landmarks_and_everything_has_a_name', async () => {
  const page = await world.page();
  for (const [role, name] of [
    ['main', 'Board'],
    ['complementary', 'Chat'],
    ['region', 'Backlog'],
    ['region', 'Done'],
    ['log', 'Changes'],
    ['log', 'Messages'],
  ]) {
    assert.equal(await page.getByRole(role, { name, exact: true }).count(), 1, `${role} ${name}`);
  }
  assert.equal(await page.getByRole('banner').count(), 1);
  assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Cards');
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll('button, textarea')]
      .filter((node) => node.checkVisibility())
      .filter((node) => !node.getAttribute('aria-label') && !node.innerText?.trim())
      .map((node) => node.outerHTML),
  );
  assert.deepEqual(nameless, []);
  assert.ok((await page.locator('#keys').textContent()).includes('Alt'), 'the keys are told');
});

await test('page_loads_nothing_from_elsewhere_and_runs_nothing_inline', async () => {
  const asked = [];
  const page = await world.page({
    before: async (p) => {
      p.on('request', (request) => asked.push(request.url()));
      await p.addInitScript(() => {
        window.violations = [];
        addEventListener('securitypolicyviolation', (event) => {
          window.violations.push(event.violatedDirective);
        });
      });
    },
  });
  await card(page, (await board(page)).backlog[0]).press('Enter');
  await page.keyboard.press('Escape');
  assert.ok(asked.length > 10);
  assert.deepEqual(
    asked.filter((url) => new URL(url).origin !== cards.url),
    [],
  );
  assert.deepEqual(await page.evaluate(() => window.violations), []);
  page.mayComplain();
  await page.evaluate(() => {
    try {
      new WebSocket('ws://127.0.0.1:9/elsewhere').onerror = () => {};
    } catch {
      // a browser may also throw
    }
  });
  const refused = (what) =>
    becomes(() => page.evaluate((name) => window.violations.includes(name), what), true, what);
  await refused('connect-src'); // the header and the page itself say so
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.hurt = 1';
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  await refused('script-src-elem');
});

await test('what_is_calm_does_not_glide_and_is_marked', async () => {
  const id = await cards.create('Still');
  const page = await world.page({
    reducedMotion: 'reduce',
    before: (p) =>
      p.addInitScript(() => {
        window.marks = new Set();
        new MutationObserver(() => {
          for (const card of document.querySelectorAll('.card.touched')) {
            window.marks.add(getComputedStyle(card).boxShadow);
          }
        }).observe(document, { subtree: true, attributes: true, attributeFilter: ['class'] });
      }),
  });
  const plain = await card(page, 'Still').evaluate((node) => getComputedStyle(node).boxShadow);
  await cards.update(id, { column_id: 'done' });
  await isIn(page, 'Still', 'done');
  const running = await page.evaluate(() => document.getAnimations().length);
  assert.equal(running, 0);
  const marks = await page.evaluate(() => [...window.marks]);
  assert.ok(marks.length === 1 && marks[0] !== plain, marks);
});

await test('right_to_left_titles_begin_at_the_right', async () => {
  await cards.create('مراجعة التصميم', 'plan');
  await cards.create('Review of the design', 'plan');
  const page = await world.page();
  const side = (title) =>
    card(page, title)
      .locator('.card-title')
      .evaluate((node) => {
        const range = document.createRange();
        range.selectNodeContents(node);
        const [text, box] = [range.getBoundingClientRect(), node.getBoundingClientRect()];
        return text.left - box.left < box.right - text.right ? 'left' : 'right';
      });
  assert.deepEqual([await side('مراجعة التصميم'), await side('Review of the design')], ['right', 'left']);
  await card(page, 'مراجعة التصميم').press('Enter');
  const direction = (node) => getComputedStyle(node).direction;
  assert.equal(await page.locator('.title-editor').evaluate(direction), 'rtl');
});

await test('page_enlarged_four_times_is_usable', async () => {
  const page = await world.page({ viewport: { width: 320, height: 256 } });
  const list = page.locator('.cards').first();
  await list.scrollIntoViewIfNeeded();
  assert.ok((await list.boundingBox()).height > 80, 'a list is not squeezed');
  const first = page.locator('.card').first();
  await first.scrollIntoViewIfNeeded();
  const { y, height } = await first.boundingBox();
  assert.ok(y >= 0 && y + height <= 256, 'a whole card is in view');
  await picture(page, 'zoomed');
  await page.locator('.add').first().click();
  await page.keyboard.type('By a magnifier');
  await page.keyboard.press('Enter');
  await isIn(page, 'By a magnifier', 'backlog');
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
  await page.click('#chat-toggle');
  await page.locator('.chat-note').waitFor({ state: 'hidden' });
  assert.ok((await page.locator('.chat-log').boundingBox()).height >= 60);
  await picture(page, 'zoomed-chat');
});

// The colours along the middle of the first visible bar.
const barColours = async (page) => {
  const shot = await page.locator('progress:visible').first().screenshot();
  return page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const paint = canvas.getContext('2d', { willReadFrequently: true });
    paint.drawImage(image, 0, 0);
    const at = (x) => [...paint.getImageData(x, image.height >> 1, 1, 1).data].join();
    return [at(4), at(image.width - 5)];
  }, shot.toString('base64'));
};

await test('progress_is_seen_with_forced_colours', async () => {
  const id = await cards.create('Forced', 'plan');
  const page = await world.page({ forcedColors: 'active' });
  await card(page, 'Forced').press('r');
  await page.waitForFunction((which) => {
    const bar = document.querySelector(`[data-card="${which}"] progress`);
    return bar.value >= 30 && bar.value <= 70;
  }, id);
  await picture(page, 'forced-colours');
  const [done, rest] = await barColours(page);
  assert.notEqual(done, rest, 'the bar differs from its background');
});

await world.end();
