// SPDX-License-Identifier: MIT
// browser/test_board.mjs - the board in a real browser: cards, keyboard, mouse and touch.
import { assert, becomes, board, card, Cards, columnOf, focused, isIn } from './browser.mjs';
import { sleep, start, test, toast } from './browser.mjs';

const world = await start();
const { cards } = world;

// Drags from the middle of a card to the middle of another element.
async function middle(locator) {
  const { x, y, width, height } = await locator.boundingBox();
  return { x: x + width / 2, y: y + height / 2 };
}

const column = (page, id) => page.locator(`.column[data-column="${id}"]`);

async function carry(page, title, id) {
  await card(page, title).scrollIntoViewIfNeeded();
  const from = await middle(card(page, title).locator('.card-title'));
  const to = await middle(column(page, id));
  await page.mouse.move(from.x, from.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 12, from.y + 4);
  await page.mouse.move(to.x, to.y, { steps: 4 });
}

// ------------------------------------------------------------------ two pages, one board

await test('card_moved_in_one_page_is_seen_in_the_other', async () => {
  await cards.create('Travelling');
  const [one, other] = await Promise.all([world.page(), world.page()]);
  await card(one, 'Travelling').focus();
  await one.keyboard.press('Alt+ArrowRight');
  await isIn(other, 'Travelling', 'plan');
  await card(other, 'Travelling').focus();
  await other.keyboard.press('Alt+ArrowRight');
  await isIn(one, 'Travelling', 'implement');
  assert.deepEqual(await board(one), await board(other));
});

await test('card_created_in_one_page_is_seen_in_the_other', async () => {
  const [one, other] = await Promise.all([world.page(), world.page()]);
  await column(one, 'review').getByRole('button', { name: 'Add a card' }).click();
  await one.keyboard.type('Born here');
  await one.keyboard.press('Enter');
  await isIn(other, 'Born here', 'review');
  await isIn(one, 'Born here', 'review');
  await one.keyboard.type('And a sister'); // the form stays open for the next card
  await one.keyboard.press('Enter');
  await isIn(other, 'And a sister', 'review');
  const all = (await board(one)).review.filter((title) => title === 'Born here');
  assert.equal(all.length, 1, 'once');
});

await test('title_with_markup_stays_text', async () => {
  const title = '<img src=x onerror="window.hurt=1"><b>bold</b>';
  await cards.create(title);
  const page = await world.page();
  assert.equal(await columnOf(page, title), 'backlog');
  const other = '<svg onload="window.hurt=1">';
  await cards.create(other);
  await isIn(page, other, 'backlog');
  await page.locator('.card', { hasText: 'onload' }).locator('.more').click();
  assert.equal(await page.locator('.menu').getAttribute('aria-label'), `Actions for ${other}`);
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  assert.equal(await page.locator('#board .card-title > *').count(), 0);
});

await test('card_renamed_in_place_is_renamed_for_all', async () => {
  await cards.create('Old name');
  const [one, other] = await Promise.all([world.page(), world.page()]);
  await card(one, 'Old name').locator('.card-title').dblclick();
  await one.keyboard.type('New name');
  await one.keyboard.press('Enter');
  await isIn(other, 'New name', 'backlog');
  await card(one, 'New name').press('Enter');
  await one.keyboard.type('Never mind');
  await one.keyboard.press('Escape');
  assert.equal(await focused(one), 'New name');
  assert.equal(await columnOf(one, 'Never mind'), null);
});

await test('card_deleted_is_gone_for_all_and_undo_brings_it_back', async () => {
  await cards.create('Regretted', 'test');
  const [one, other] = await Promise.all([world.page(), world.page()]);
  await card(one, 'Regretted').locator('.more').click();
  await one.getByRole('menuitem', { name: 'Delete' }).click();
  await one.getByRole('button', { name: 'Undo' }).hover(); // so that the note stays
  await isIn(other, 'Regretted', null);
  await isIn(one, 'Regretted', null);
  await one.getByRole('button', { name: 'Undo' }).click();
  await isIn(other, 'Regretted', 'test');
});

await test('change_by_somebody_else_is_announced_and_an_own_one_is_not', async () => {
  const id = await cards.create('Herald');
  const page = await world.page();
  const heard = () => page.locator('#spoken').textContent();
  await cards.update(id, { column_id: 'review' });
  await becomes(async () => (await heard()).includes('Herald was moved to Review'), true);
  await becomes(() => card(page, 'Herald').getAttribute('class'), 'card touched');
  await card(page, 'Herald').press('Alt+ArrowRight');
  await becomes(async () => (await heard()).includes('In Done'), true);
  await becomes(
    async () =>
      (await (await cards.ask('GET', '/api/cards')).json()).cards.find((c) => c.id === id)
        .column_id,
    'done',
  );
  await cards.update(id, { title: 'Herald the second' });
  await isIn(page, 'Herald the second', 'done');
  assert.ok(!(await heard()).includes('was moved to Done'), 'that was us');
});

// ------------------------------------------------------------------ refusals, optimism

await test('refused_action_says_why_and_is_taken_back', async () => {
  await cards.create('Stubborn');
  const page = await world.page();
  page.mayComplain(); // the browser logs each 400
  await page.route('**/api/cards/*', (route) =>
    route.continue({ postData: JSON.stringify({ column_id: 'nirvana' }) }),
  );
  await card(page, 'Stubborn').press('Alt+ArrowRight');
  await toast(page, 'Not moved “Stubborn”: bad column');
  await isIn(page, 'Stubborn', 'backlog');
});

const NO = (route) => route.fulfill({ status: 400, json: { error: 'bad_title' } });
const slowly = async (route) => {
  await sleep(80);
  await route.continue();
};
const field = (page) => page.locator('.add-form:visible textarea');

await test('refused_creation_returns_what_was_typed', async () => {
  const page = await world.page();
  page.mayComplain(); // the browser logs each 400
  await page.route('**/api/cards', NO);
  await page.locator('.add').first().click();
  await page.keyboard.type('alpha');
  await page.keyboard.press('Enter');
  await toast(page, 'Not created “alpha”: bad title');
  await becomes(() => field(page).inputValue(), 'alpha');
  assert.equal(await page.locator('.add-form:visible .limit').textContent(), 'Not added: bad title');
  await page.unroute('**/api/cards');
  let answer;
  await page.route('**/api/cards', async (route) => {
    await new Promise((go) => (answer = go));
    await NO(route);
  });
  await page.keyboard.press('Enter');
  await page.keyboard.type('beta');
  await becomes(() => Boolean(answer), true);
  answer();
  await becomes(() => page.locator('.toast').count(), 2);
  assert.equal(await field(page).inputValue(), 'beta', 'what is being typed stays');
  await page.unroute('**/api/cards');
  await page.keyboard.press('Enter');
  await isIn(page, 'beta', 'backlog');
  assert.equal(await field(page).inputValue(), 'alpha', 'and then it is there again');
  await page.keyboard.press('Escape');
  await page.locator('.add-form').first().waitFor({ state: 'hidden' });
});

await test('titles_typed_while_the_server_answers_are_all_created_in_order', async () => {
  const page = await world.page();
  await page.route('**/api/cards', slowly);
  await column(page, 'test').getByRole('button', { name: 'Add a card' }).click();
  for (const title of ['alpha one', 'alpha two', 'alpha three']) {
    await page.keyboard.type(title, { delay: 5 });
    await page.keyboard.press('Enter');
    assert.equal(await field(page).inputValue(), '', 'cleared at once');
  }
  await page.keyboard.type('half');
  await isIn(page, 'alpha three', 'test');
  const titles = (await board(page)).test.filter((title) => title.startsWith('alpha '));
  assert.deepEqual(titles, ['alpha one', 'alpha two', 'alpha three']);
  assert.equal(await field(page).inputValue(), 'half');
});

await test('focus_stays_in_the_field_after_a_click_on_add', async () => {
  const page = await world.page();
  await page.locator('.add').first().click();
  await page.keyboard.type('Clicked');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.keyboard.type('and on');
  await isIn(page, 'Clicked', 'backlog');
  assert.equal(await field(page).inputValue(), 'and on');
});

await test('limit_of_a_title_is_shown_and_nothing_longer_is_sent', async () => {
  await cards.create('Limited');
  const page = await world.page();
  let asked = 0;
  page.on('request', (request) => (asked += request.method() !== 'GET'));
  const note = () => page.locator('.limit:visible').textContent();
  await page.locator('.add').first().click();
  await field(page).fill('🌍'.repeat(190));
  assert.equal(await note(), '10 left, of 200 characters', 'an emoji is one character');
  await field(page).fill('y'.repeat(201));
  await page.keyboard.press('Enter');
  assert.equal(await note(), '1 too many, of 200 characters');
  assert.equal(await field(page).getAttribute('aria-invalid'), 'true');
  assert.equal(await field(page).inputValue(), 'y'.repeat(201), 'and nothing is lost');
  await field(page).fill('\u200b \u2060\u3164');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await card(page, 'Limited').press('Enter');
  await page.keyboard.insertText('z'.repeat(202));
  await page.keyboard.press('Enter');
  assert.equal(await note(), '2 too many, of 200 characters');
  assert.equal(await page.locator('.title-editor').inputValue(), 'z'.repeat(202));
  await page.keyboard.press('Escape');
  await isIn(page, 'Limited', 'backlog');
  assert.equal(asked, 0);
});

await test('refused_title_stays_in_the_editor', async () => {
  await cards.create('Old title');
  const page = await world.page();
  page.mayComplain(); // the browser logs each 400
  await page.route('**/api/cards/*', NO);
  await card(page, 'Old title').press('Enter');
  await page.keyboard.type('New title');
  await page.keyboard.press('Enter');
  await toast(page, 'Not renamed “Old title”: bad title');
  const editor = page.locator('.title-editor');
  await becomes(() => editor.inputValue(), 'New title');
  await page.unroute('**/api/cards/*');
  await page.keyboard.press('Enter'); // the editor has the focus
  await isIn(page, 'New title', 'backlog');
});

await test('text_for_a_card_that_was_deleted_is_kept', async () => {
  const [edited, late] = [await cards.create('Edited'), await cards.create('Late')];
  const page = await world.page();
  page.mayComplain(); // because of the 404
  await card(page, 'Edited').press('Enter');
  await page.keyboard.type('Long thought');
  await cards.remove(edited);
  await toast(page, '“Edited” was deleted while you renamed it. Your text: “Long thought”');
  await page.getByRole('button', { name: 'Add as a card' }).click();
  await isIn(page, 'Long thought', 'backlog');
  await page.route('**/api/cards/*', async (route) => {
    await cards.remove(late); // before the new title arrives
    await route.continue();
  });
  await card(page, 'Late').press('Enter');
  await page.keyboard.type('Too late');
  await page.keyboard.press('Enter');
  await toast(page, '“Late” was deleted while you renamed it. Your text: “Too late”');
});

await test('drag_of_a_card_that_was_deleted_ends', async () => {
  const id = await cards.create('Snatched');
  const page = await world.page();
  let asked = 0;
  await carry(page, 'Snatched', 'test');
  await cards.remove(id);
  await toast(page, '“Snatched” was deleted while you dragged it');
  assert.equal(await page.locator('.ghost').count(), 0);
  assert.equal(await page.locator('.dragging').count(), 0);
  page.on('request', (request) => (asked += request.method() === 'PATCH'));
  await page.mouse.move(400, 300);
  await page.mouse.up();
  assert.equal(await page.locator('.ghost, .over').count(), 0);
  assert.equal(asked, 0);
});

await test('move_shows_before_the_server_has_answered_and_stays', async () => {
  const id = await cards.create('Eager');
  const page = await world.page();
  let answer;
  const asked = new Promise((done) => {
    page.route(`**/api/cards/${id}`, async (route) => {
      done();
      await new Promise((go) => (answer = go));
      await route.continue();
    });
  });
  await card(page, 'Eager').press('Alt+ArrowRight');
  await asked;
  assert.equal(await columnOf(page, 'Eager'), 'plan');
  // Another user's change comes first, and ours after it: the card does not jump back and forth.
  await cards.update(id, { column_id: 'done' });
  await cards.update(id, { title: 'Eager still' });
  await isIn(page, 'Eager still', 'plan');
  answer();
  await becomes(
    async () =>
      (await (await cards.ask('GET', '/api/cards')).json()).cards.find((c) => c.id === id)
        .column_id,
    'plan',
  );
  await isIn(page, 'Eager still', 'plan');
  await cards.update(id, { column_id: 'review' }); // and a change that comes now is newer than ours
  await isIn(page, 'Eager still', 'review');
});

await test('moves_in_a_row_arrive_in_order', async () => {
  const id = await cards.create('Hasty');
  const [page, other] = await Promise.all([world.page(), world.page()]);
  let [now, most] = [0, 0];
  await page.route(`**/api/cards/${id}`, async (route) => {
    most = Math.max(most, ++now);
    await sleep(100);
    now--;
    await route.continue();
  });
  await card(page, 'Hasty').focus();
  for (let i = 0; i < 5; i++) await page.keyboard.press('Alt+ArrowRight');
  await isIn(page, 'Hasty', 'done');
  await isIn(other, 'Hasty', 'done');
  assert.equal(most, 1, 'one request at a time');
});

await test('burst_of_changes_on_a_full_board_is_shown', async () => {
  const server = await Cards.start();
  const ids = [];
  for (let i = 0; i < 900; i++) ids.push(await server.create(`Of many ${i}`));
  const page = await world.page({ url: server.url });
  await Promise.all(ids.slice(0, 200).map((id) => server.update(id, { column_id: 'review' })));
  await becomes(async () => (await board(page)).backlog.includes('Of many 199'), false);
  assert.equal(
    (await board(page)).review.filter((title) => title.startsWith('Of many')).length,
    200,
  );
  page.mayComplain(); // because of the server that ends
  await server.killed();
});

// ------------------------------------------------------------------ by keyboard only

await test('everything_can_be_done_by_keyboard_alone', async () => {
  for (const [title, where] of [
    ['K1', 'plan'],
    ['K2', 'plan'],
    ['K3', 'implement'],
  ]) {
    await cards.create(title, where);
  }
  const page = await world.page();
  for (let i = 0; i < 12 && !(await focused(page)); i++) await page.keyboard.press('Tab');
  assert.ok(await focused(page), 'Tab reaches a card');
  const go = async (key, title) => {
    await page.keyboard.press(key);
    assert.equal(await focused(page), title, key);
  };
  await card(page, 'K1').focus(); // its position depends on the cards of other tests
  await go('ArrowDown', 'K2');
  await go('ArrowUp', 'K1');
  await go('End', 'K2');
  const { backlog, plan } = await board(page);
  const beside = Math.min(plan.indexOf('K2'), backlog.length - 1);
  await go('ArrowLeft', backlog[beside]);
  await card(page, 'K2').focus();
  await go('Alt+ArrowRight', 'K2');
  assert.equal(await columnOf(page, 'K2'), 'implement');
  await go('Control+ArrowRight', 'K2');
  assert.equal(await columnOf(page, 'K2'), 'test');
  await go('Control+ArrowLeft', 'K2');
  await isIn(page, 'K2', 'implement');

  await page.keyboard.press('Enter');
  await page.keyboard.type('K2 renamed');
  await go('Enter', 'K2 renamed');

  await page.keyboard.press('m');
  await page.keyboard.press('End');
  await page.keyboard.press('Home');
  await page.keyboard.press('t'); // to the item with that first letter
  await page.keyboard.press('Enter');
  await isIn(page, 'K2 renamed', 'test');
  assert.equal(await focused(page), 'K2 renamed', 'the menu gives the focus back');

  await page.keyboard.press('n');
  await page.keyboard.type('K4');
  await page.keyboard.press('Enter');
  await isIn(page, 'K4', 'test');
  await page.keyboard.press('Escape');

  await card(page, 'K2 renamed').focus();
  const { test: column } = await board(page);
  const next = column[column.indexOf('K2 renamed') + 1];
  await go('Delete', next);
  await isIn(page, 'K2 renamed', null);
});

await test('only_one_card_and_its_buttons_are_in_the_order_of_tab', async () => {
  const page = await world.page();
  const reached = await page.locator('#board .card[tabindex="0"]').count();
  const buttons = await page.locator('#board .card button[tabindex="0"]').count();
  assert.deepEqual([reached, buttons], [1, 2]);
});

await test('focus_follows_a_card_that_somebody_else_moves', async () => {
  const id = await cards.create('Held', 'plan');
  const page = await world.page();
  await card(page, 'Held').focus();
  await cards.update(id, { column_id: 'review' });
  await isIn(page, 'Held', 'review');
  assert.equal(await focused(page), 'Held');
  await cards.remove(id);
  await isIn(page, 'Held', null);
  const near = await page.evaluate(() => document.activeElement.closest('.column')?.dataset.column);
  assert.equal(near, 'review', 'and goes to a neighbour when the card is deleted');
});

await test('open_editor_outlives_what_others_do_with_its_card', async () => {
  const id = await cards.create('Draft', 'plan');
  const page = await world.page();
  await card(page, 'Draft').press('Enter');
  await page.keyboard.type('Half a');
  await cards.update(id, { column_id: 'review' });
  await becomes(() => page.locator('.column[data-column="review"] .title-editor').count(), 1);
  await page.keyboard.type(' sentence');
  await page.keyboard.press('Enter');
  await isIn(page, 'Half a sentence', 'review');
});

// ------------------------------------------------------------------ by mouse and finger

await test('card_is_dragged_by_mouse', async () => {
  await cards.create('Dragged');
  const [page, other] = await Promise.all([world.page(), world.page()]);
  await carry(page, 'Dragged', 'test');
  assert.equal(await page.locator('.ghost').count(), 1);
  assert.equal(await columnOf(page, 'Dragged'), 'test', 'it shows where it would land');
  assert.equal(await columnOf(other, 'Dragged'), 'backlog', 'for others it has not moved');
  await page.mouse.up();
  await isIn(other, 'Dragged', 'test');
  assert.equal(await page.locator('.ghost').count(), 0);
  assert.equal(await focused(page), 'Dragged');
});

await test('drag_is_given_up_with_escape', async () => {
  await cards.create('Put back');
  const page = await world.page();
  let asked = 0;
  page.on('request', (request) => (asked += request.method() === 'PATCH'));
  await carry(page, 'Put back', 'test');
  await page.keyboard.press('Escape');
  await page.mouse.up();
  assert.equal(await columnOf(page, 'Put back'), 'backlog');
  await carry(page, 'Put back', 'plan');
  await page.mouse.move(5, 5); // outside of all columns
  await page.mouse.up();
  assert.equal(await columnOf(page, 'Put back'), 'backlog');
  assert.equal(asked, 0);
});

await test('finger_scrolls_unless_it_has_rested_on_a_card', async () => {
  for (let i = 0; i < 10; i++) await cards.create(`Crowd ${i}`); // so that the list scrolls
  await cards.create('Touched');
  const page = await world.page({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  });
  const finger = await page.context().newCDPSession(page);
  const touch = (type, x, y) =>
    finger.send('Input.dispatchTouchEvent', {
      type,
      touchPoints: type === 'touchEnd' ? [] : [{ x, y }],
    });
  const left = () => page.evaluate(() => document.querySelector('#board').scrollLeft);
  const comesToRest = async () => {
    for (let [at, before] = [await left(), -1]; at !== before; [at, before] = [await left(), at]) {
      await sleep(150);
    }
    return left();
  };
  await card(page, 'Touched').scrollIntoViewIfNeeded();
  const { x, y } = await middle(card(page, 'Touched').locator('.card-title'));

  await touch('touchStart', x + 100, y);
  for (let i = 1; i <= 8; i++) await touch('touchMove', x + 100 - 30 * i, y);
  await touch('touchEnd');
  assert.ok((await comesToRest()) > 200, 'one swipe, one column');
  assert.equal(await columnOf(page, 'Touched'), 'backlog');

  await page.locator('.pill[data-column="backlog"]').tap();
  await becomes(comesToRest, 0);
  await touch('touchStart', x, y);
  await page.waitForSelector('.ghost');
  const pill = await middle(page.locator('.pill[data-column="plan"]'));
  await touch('touchMove', (x + pill.x) / 2, (y + pill.y) / 2);
  await touch('touchMove', pill.x, pill.y);
  await becomes(() => columnOf(page, 'Touched'), 'plan', 'a name above takes it too');
  assert.equal(await left(), 0, 'and the board does not follow the finger');
  await touch('touchEnd');
  await becomes(
    async () =>
      (await (await cards.ask('GET', '/api/cards')).json()).cards.find((c) => c.title === 'Touched')
        .column_id,
    'plan',
  );
});

await world.end();
