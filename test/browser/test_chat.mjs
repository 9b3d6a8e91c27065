// SPDX-License-Identifier: MIT
// browser/test_chat.mjs - the chat in a browser: who hears it, what is typed, where it scrolls.
import { assert, becomes, sleep, start, test } from './browser.mjs';

const world = await start();
const { cards } = world;

const said = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('.said')].map((line) => [
      line.querySelector('.who span').textContent,
      line.querySelector('.what').textContent,
    ]),
  );

async function say(page, text) {
  await page.locator('.chat-form textarea').fill(text);
  await page.keyboard.press('Enter');
  await becomes(() => page.locator('.chat-form textarea').inputValue(), '');
}

await test('chat_goes_between_two_pages', async () => {
  const url = `${cards.url}/?session=two`;
  const [one, other] = await Promise.all([world.page({ url }), world.page({ url })]);
  const elsewhere = await world.page({ url: `${cards.url}/?session=three` });
  const [a, b] = await Promise.all([one.textContent('#me span'), other.textContent('#me span')]);
  for (const page of [one, other]) await page.locator('.chat-note').waitFor({ state: 'hidden' });
  await say(one, 'hello <b>you</b>');
  await becomes(() => said(other), [[a, 'hello <b>you</b>']]);
  await say(other, 'grüß dich, 世界');
  await becomes(
    () => said(one),
    [
      ['You', 'hello <b>you</b>'],
      [b, 'grüß dich, 世界'],
    ],
  );
  assert.deepEqual(await said(elsewhere), [], 'another session does not hear it');
});

await test('message_to_a_closed_chat_is_counted', async () => {
  const url = `${cards.url}/?session=count`;
  const [one, other] = await Promise.all([world.page({ url }), world.page({ url })]);
  for (const page of [one, other]) await page.locator('.chat-note').waitFor({ state: 'hidden' });
  await other.click('#chat .close');
  await say(one, 'are you there?');
  await becomes(() => other.locator('.badge:visible').textContent(), '1');
  assert.equal(await other.getAttribute('#chat-toggle', 'aria-label'), 'Chat, 1 unread');
  await other.click('#chat-toggle');
  assert.equal(await other.locator('.badge:visible').count(), 0);
  assert.equal(await other.evaluate(() => document.activeElement.tagName), 'TEXTAREA');
});

// `each(message, server)` gets what the page says on the chat's socket.
const chatThrough = (each) => (page) =>
  page.routeWebSocket(/\/api\/chat\/ws/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((message) => each(JSON.parse(message), (m) => server.send(m), socket));
  });

await test('messages_typed_while_the_server_answers_are_all_sent_in_order', async () => {
  const url = `${cards.url}/?session=fast`;
  const before = chatThrough(async (message, send) => {
    await sleep(80);
    send(JSON.stringify(message));
  });
  const page = await world.page({ url, before });
  await page.locator('.chat-note').waitFor({ state: 'hidden' });
  await page.locator('.chat-form textarea').focus();
  for (const word of ['alpha', 'beta', 'gamma']) {
    await page.keyboard.type(word, { delay: 5 });
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('.chat-form textarea').inputValue(), '', 'cleared at once');
  }
  await page.keyboard.type('half');
  await becomes(() => said(page), [
    ['You', 'alpha'],
    ['You', 'beta'],
    ['You', 'gamma'],
  ]);
  assert.equal(await page.locator('.chat-form textarea').inputValue(), 'half');
});

await test('refused_message_says_why_and_returns', async () => {
  const before = chatThrough(({ data, type }, send, socket) => {
    if (type !== 'action') return;
    const error = { id: data.id, code: 'bad_text', message: 'bad text' };
    socket.send(JSON.stringify({ type: 'error', data: error }));
  });
  const page = await world.page({ before });
  await page.locator('.chat-note').waitFor({ state: 'hidden' });
  await page.locator('.chat-form textarea').fill('Listen');
  await page.keyboard.press('Enter');
  await page.locator('.toast', { hasText: 'Not sent: bad text' }).waitFor();
  await becomes(() => page.locator('.chat-form textarea').inputValue(), 'Listen');
});

await test('message_that_is_too_long_is_not_sent', async () => {
  const page = await world.page();
  await page.locator('.chat-note').waitFor({ state: 'hidden' });
  await page.locator('.chat-form textarea').fill('z'.repeat(1003));
  await page.keyboard.press('Enter');
  const note = await page.locator('.chat-form .limit').textContent();
  assert.equal(note, '3 too many, of 1000 characters');
  assert.equal(await page.locator('.chat-form textarea').inputValue(), 'z'.repeat(1003));
});

await test('chat_follows_after_a_long_message_and_marks_what_is_new', async () => {
  const url = `${cards.url}/?session=long`;
  const [one, other] = await Promise.all([world.page({ url }), world.page({ url })]);
  for (const page of [one, other]) await page.locator('.chat-note').waitFor({ state: 'hidden' });
  const behind = () =>
    one.evaluate(() => {
      const { scrollHeight, clientHeight, scrollTop } = document.querySelector('.chat-log');
      return Math.round(scrollHeight - clientHeight - scrollTop) > 2;
    });
  const long = Array.from({ length: 40 }, (_, i) => `line ${i}`).join('\n');
  await say(one, long);
  await say(other, long);
  for (let i = 0; i < 3; i++) await say(other, `short ${i}`);
  await becomes(async () => (await said(one)).length, 5);
  await becomes(behind, false, 'it follows');
  await one.locator('.chat-form textarea').fill(long); // the list gets lower
  await say(other, 'while you type');
  await becomes(async () => (await said(one)).length, 6);
  await becomes(behind, false, 'it follows beside a long draft');

  await one.locator('.chat-log').hover();
  await one.mouse.wheel(0, -600);
  await becomes(behind, true);
  await say(other, 'far below');
  const more = one.getByRole('button', { name: 'New messages' });
  await more.waitFor();
  assert.equal(await behind(), true, 'who reads further up is left alone');
  await more.click();
  await becomes(behind, false);
  await more.waitFor({ state: 'hidden' });
});

await test('another_tab_of_the_same_name_is_not_you', async () => {
  const url = `${cards.url}/?session=twins`;
  const page = await world.page({ url });
  const twin = await page.context().newPage();
  const name = await page.textContent('#me span');
  await twin.addInitScript((given) => {
    sessionStorage.setItem('cards.name', given); // as a duplicated tab
  }, name);
  await twin.goto(url);
  for (const each of [page, twin]) await each.locator('.chat-note').waitFor({ state: 'hidden' });
  await say(page, 'from the first');
  await becomes(async () => (await said(twin)).length, 1);
  assert.deepEqual(await said(twin), [[name, 'from the first']]);
  assert.notEqual(await twin.textContent('#me span'), name, 'and it has a name of its own');
  await twin.reload();
  await twin.locator('.chat-note').waitFor({ state: 'hidden' });
  assert.equal(await twin.textContent('#me span'), name, 'which a reload keeps'); // set by the script
  await say(twin, 'from the second');
  await becomes(async () => (await said(page)).at(-1)[0], name, 'the name does not decide');
});

await world.end();
