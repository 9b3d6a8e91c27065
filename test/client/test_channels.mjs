// SPDX-License-Identifier: MIT
// client/test_channels.mjs - what the browser client delivers: positions, resume, the state that is
// fetched anew, subscriptions that come and go, actions.
import { assert, done, test } from './world.mjs';

const CARDS = 'global:cards';
const ROUTE = { route: CARDS };

// A subscription of the route's channel that is live at offset 10, and what it gets.
async function live(world, options = {}) {
  const client = world.connect('/ws', ROUTE);
  const cards = client.subscribe(CARDS, options);
  const got = [];
  cards.on('message', ({ offset }) => got.push(offset));
  await world.settle();
  world.socket.hello();
  world.socket.subscribed(CARDS, 10);
  await world.settle();
  return { client, cards, got };
}

// The socket ends, and the client is connected again.
async function again(world, hello) {
  world.random = 0;
  world.socket.end();
  await world.tick(0);
  world.socket.hello(hello);
}

const waiting = () => {
  const asked = [];
  const refetch = (why) => new Promise((fulfil, reject) => asked.push({ why, fulfil, reject }));
  return { asked, refetch };
};

// ------------------------------------------------------------------ positions

await test('route_resumes_by_its_url', async (world) => {
  const reasons = [];
  const { cards, got } = await live(world, { refetch: ({ reason }) => void reasons.push(reason) });
  world.socket.publish(CARDS, 11);
  assert.deepEqual(cards.position, { epoch: 'e1', offset: 11 });
  await again(world);
  const { searchParams } = world.socket.url;
  assert.equal(searchParams.get('epoch'), 'e1');
  assert.equal(searchParams.get('offset'), '11');
  let recovered = null;
  cards.on('subscribed', (what) => (recovered = what));
  world.socket.subscribed(CARDS, 13, { recovered: true });
  world.socket.publish(CARDS, 12);
  world.socket.publish(CARDS, 13);
  assert.deepEqual(recovered, { recovered: true, behind: 2, epoch: 'e1', offset: 13 });
  assert.deepEqual(got, [11, 12, 13]);
  assert.deepEqual(reasons, ['first']);
  assert.deepEqual(world.problems.filter(({ kind }) => kind === 'protocol'), []);
});

await test('every_channel_resumes_by_its_own_position', async (world) => {
  const client = await world.connected();
  client.subscribe('item:1');
  client.subscribe('item:2');
  const first = world.socket.said('subscribe');
  assert.deepEqual(first, [{ channel: 'item:1' }, { channel: 'item:2' }]);
  world.socket.subscribed('item:1', 5);
  world.socket.subscribed('item:2', 7, { epoch: 'e2' });
  world.socket.publish('item:2', 9, { epoch: 'e2' }); // offsets may jump
  await again(world);
  assert.deepEqual(world.socket.said('subscribe'), [
    { channel: 'item:1', since: { epoch: 'e1', offset: 5 } },
    { channel: 'item:2', since: { epoch: 'e2', offset: 9 } },
  ]);
});

await test('position_that_the_page_has_already_is_resumed', async (world) => {
  const client = world.connect('/ws', ROUTE);
  const reasons = [];
  client.subscribe(CARDS, {
    position: { epoch: 'e1', offset: 3 },
    refetch: ({ reason }) => void reasons.push(reason),
  });
  await world.settle();
  assert.equal(world.socket.url.searchParams.get('offset'), '3');
  world.socket.hello();
  world.socket.subscribed(CARDS, 10, { recovered: true });
  await world.settle();
  assert.deepEqual(reasons, []);
});

await test('message_twice_is_an_error_and_not_delivered', async (world) => {
  const { got } = await live(world);
  for (const offset of [11, 12, 12, 11, 13]) world.socket.publish(CARDS, offset);
  assert.deepEqual(got, [11, 12, 13]);
  assert.deepEqual(world.problems.map(({ code }) => code), Array(2).fill('a publication twice'));
});

await test('message_before_subscribed_is_an_error', async (world) => {
  const { got } = await live(world);
  await again(world);
  world.socket.publish(CARDS, 11);
  assert.deepEqual(got, []);
  assert.equal(world.problems.at(-1).code, 'a publication before subscribed');
});

await test('message_of_another_epoch_asks_for_the_state', async (world) => {
  const { asked, refetch } = waiting();
  const { got } = await live(world, { position: { epoch: 'e1', offset: 10 }, refetch });
  asked[0]?.fulfil();
  await world.settle();
  world.socket.publish(CARDS, 1, { epoch: 'e9' });
  assert.equal(asked.at(-1).why.reason, 'epoch_changed');
  asked.at(-1).fulfil({ epoch: 'e9', offset: 1 });
  await world.settle();
  world.socket.publish(CARDS, 2, { epoch: 'e9' });
  assert.deepEqual(got, [2]);
});

// ------------------------------------------------------------------ the state anew

await test('state_is_asked_for_once_for_each_reason', async (world) => {
  const seen = [];
  const { cards, got } = await live(world, {
    refetch: ({ reason, offset, follows }) => void seen.push([reason, offset, follows]),
  });
  for (const [reason, offset] of [['too_old', 50], ['epoch_changed', 0], ['unknown_offset', 2]]) {
    await again(world);
    const epoch = reason === 'epoch_changed' ? 'e2' : cards.position.epoch;
    world.socket.subscribed(CARDS, offset, { epoch, reason });
    await world.settle();
  }
  world.socket.say('missed', { channel: CARDS, from: 3, to: 8, reason: 'too_old' });
  await world.settle();
  world.socket.publish(CARDS, 9, { epoch: 'e2' });
  assert.deepEqual(seen, [
    ['first', 10, false],
    ['too_old', 50, false],
    ['epoch_changed', 0, false],
    ['unknown_offset', 2, false],
    ['missed', 8, false],
  ]);
  assert.deepEqual(got, [9]);
});

await test('what_comes_while_the_state_is_fetched_is_delivered_after_it_once', async (world) => {
  const { asked, refetch } = waiting();
  const { cards, got } = await live(world, { refetch });
  for (const offset of [11, 12, 13]) world.socket.publish(CARDS, offset);
  assert.deepEqual(got, []);
  asked[0].fulfil({ epoch: 'e1', offset: 12 });
  await world.settle();
  assert.deepEqual(got, [13]);
  world.socket.say('missed', { channel: CARDS, from: 14, to: 20 });
  asked[1].fulfil({ epoch: 'e1', offset: 22 }); // newer than what has come yet
  await world.settle();
  for (const offset of [21, 22, 23]) world.socket.publish(CARDS, offset);
  assert.deepEqual(got, [13, 23]);
  assert.equal(cards.position.offset, 23);
  assert.deepEqual(world.problems, []);
});

await test('state_that_is_too_old_or_fails_is_fetched_again', async (world) => {
  const { asked, refetch } = waiting();
  const { got } = await live(world, { refetch });
  world.socket.publish(CARDS, 11);
  asked[0].fulfil({ epoch: 'e1', offset: 9 }); // a cache is behind: 10 would be lost
  await world.tick(1000);
  asked[1].reject(new Error('503'));
  await world.tick(2000);
  asked[2].fulfil({ epoch: 'e0', offset: 100 });
  await world.tick(4000);
  asked[3].fulfil({ epoch: 'e1', offset: 10 });
  await world.settle();
  assert.deepEqual(got, [11]);
});

await test('state_is_fetched_again_when_more_is_missed_meanwhile', async (world) => {
  const { asked, refetch } = waiting();
  const { got } = await live(world, { refetch });
  world.socket.say('missed', { channel: CARDS, from: 11, to: 20 });
  assert.equal(asked.length, 1); // one at a time
  asked[0].fulfil({ epoch: 'e1', offset: 10 });
  await world.settle();
  assert.equal(asked[1].why.reason, 'missed');
  asked[1].fulfil({ epoch: 'e1', offset: 20 });
  await world.settle();
  world.socket.publish(CARDS, 21);
  assert.deepEqual(got, [21]);
});

await test('connection_lost_while_the_state_is_fetched_loses_nothing', async (world) => {
  const { asked, refetch } = waiting();
  const { got } = await live(world, { refetch });
  world.socket.publish(CARDS, 11);
  await again(world);
  assert.equal(world.socket.url.searchParams.get('offset'), '11');
  world.socket.subscribed(CARDS, 12, { recovered: true });
  world.socket.publish(CARDS, 12);
  asked[0].fulfil({ epoch: 'e1', offset: 10 });
  await world.settle();
  assert.deepEqual(got, [11, 12]);
});

await test('whole_state_follows_when_the_server_says_so', async (world) => {
  const seen = [];
  const client = await world.connected();
  const cards = client.subscribe('item:1', {
    state: true,
    refetch: ({ follows }) => void seen.push(follows),
  });
  cards.on('message', ({ offset, key }) => seen.push(`${key}${offset}`));
  assert.deepEqual(world.socket.said('subscribe')[0].since, { offset: 0 });
  world.socket.subscribed('item:1', 9, { reset: true });
  world.socket.publish('item:1', 2, { key: 'a' });
  world.socket.publish('item:1', 9, { key: 'b' });
  await world.settle();
  world.socket.publish('item:1', 10, { key: 'a' });
  assert.deepEqual(seen, [true, 'a2', 'b9', 'a10']);
});

await test('state_that_was_asked_for_follows_although_nothing_is_void', async (world) => {
  const seen = [];
  const client = await world.connected();
  const chat = client.subscribe('item:1', {
    state: true,
    refetch: ({ reason, follows }) => void seen.push(reason, follows),
  });
  chat.on('message', ({ offset }) => seen.push(offset));
  world.socket.subscribed('item:1', 3, { recovered: true });
  for (const offset of [2, 3, 4]) world.socket.publish('item:1', offset);
  await world.settle();
  assert.deepEqual(seen, ['first', true, 2, 3, 4]);
});

await test('whole_state_follows_what_a_slow_client_has_missed', async (world) => {
  const seen = [];
  const client = await world.connected();
  const cards = client.subscribe('item:1', {
    refetch: ({ reason, follows }) => void seen.push(reason, follows),
  });
  cards.on('message', ({ offset }) => seen.push(offset));
  world.socket.subscribed('item:1', 5);
  world.socket.say('missed', { channel: 'item:1', from: 6, to: 9, reason: 'too_old', reset: true });
  for (const offset of [2, 9, 10]) world.socket.publish('item:1', offset);
  await world.settle();
  assert.deepEqual(seen, ['first', false, 'missed', true, 2, 9, 10]);
});

await test('second_script_fetches_the_state_for_itself', async (world) => {
  const { client, got } = await live(world);
  world.socket.publish(CARDS, 11);
  const { asked, refetch } = waiting();
  const mine = [];
  const other = client.subscribe(CARDS, { refetch });
  other.on('message', ({ offset }) => mine.push(offset));
  assert.equal(asked[0].why.offset, 11);
  world.socket.publish(CARDS, 12);
  asked[0].fulfil({ epoch: 'e1', offset: 11 });
  await world.settle();
  assert.deepEqual([got, mine], [[11, 12], [12]]);
  other.close();
  world.socket.publish(CARDS, 13);
  assert.deepEqual([got, mine], [[11, 12, 13], [12]]);
});

// ------------------------------------------------------------------ coming and going

// C17
await test('subscription_ends_inside_a_handler', async (world) => {
  const client = await world.connected();
  const item = client.subscribe('item:1');
  const got = [];
  item.on('message', ({ offset }) => {
    got.push(offset);
    item.close();
  });
  world.socket.subscribed('item:1', 0);
  await world.settle();
  world.socket.publish('item:1', 1);
  world.socket.publish('item:1', 2);
  assert.deepEqual(got, [1]);
  assert.deepEqual(world.socket.said('unsubscribe'), [{ channel: 'item:1' }]);
  assert.deepEqual(world.problems, []);
});

// C17
await test('subscription_ends_amid_what_waited_for_the_state', async (world) => {
  const client = await world.connected();
  const { asked, refetch } = waiting();
  const item = client.subscribe('item:1', { refetch });
  const got = [];
  item.on('message', ({ offset }) => {
    got.push(offset);
    item.close();
  });
  world.socket.subscribed('item:1', 0);
  for (const offset of [1, 2, 3]) world.socket.publish('item:1', offset);
  asked[0].fulfil({ epoch: 'e1', offset: 0 });
  await world.settle();
  assert.deepEqual(got, [1]);
});

// C17
await test('resubscription_inside_a_handler_continues_behind_its_message', async (world) => {
  const client = await world.connected();
  const got = [];
  let item = client.subscribe('item:1');
  const handler = ({ offset }) => {
    got.push(offset);
    const { position } = item;
    item.close();
    item = client.subscribe('item:1', { position });
    item.on('message', handler);
  };
  item.on('message', handler);
  world.socket.subscribed('item:1', 0);
  await world.settle();
  world.socket.publish('item:1', 1);
  assert.deepEqual(world.socket.said('subscribe')[1].since, { epoch: 'e1', offset: 1 });
  world.socket.publish('item:1', 2); // on its way when the client left
  world.socket.say('unsubscribed', { channel: 'item:1' });
  world.socket.subscribed('item:1', 2, { recovered: true });
  world.socket.publish('item:1', 2);
  world.socket.say('unsubscribed', { channel: 'item:1' });
  assert.deepEqual(got, [1, 2]);
  assert.deepEqual(world.problems, []);
});

await test('each_event_may_end_the_subscription', async (world) => {
  const client = await world.connected();
  for (const event of ['subscribed', 'unsubscribed', 'error']) {
    const name = `item:${event}`;
    const item = client.subscribe(name, { refetch: () => {} });
    item.on(event, () => item.close());
    world.socket.subscribed(name, 0);
    if (event === 'unsubscribed') world.socket.say('unsubscribed', { channel: name, reason: 'x' });
    if (event === 'error') world.socket.say('error', { channel: name, code: 'not_allowed' });
    await world.settle();
    assert.equal(world.socket.said('unsubscribe').at(-1).channel, name);
  }
});

await test('refused_subscription_is_told_and_asked_again_if_that_may_help', async (world) => {
  const client = await world.connected();
  const codes = [];
  for (const name of ['item:1', 'item:2']) {
    client.subscribe(name).on('error', ({ code }) => codes.push(code));
  }
  world.socket.say('error', { channel: 'item:1', code: 'not_allowed', retry: false });
  world.socket.say('error', { channel: 'item:2', code: 'unavailable', retry: true });
  await world.tick(30000);
  assert.deepEqual(codes, ['not_allowed', 'unavailable']);
  const names = world.socket.said('subscribe').map(({ channel }) => channel);
  assert.deepEqual(names, ['item:1', 'item:2', 'item:2']);
});

await test('message_of_no_subscription_goes_to_the_client', async (world) => {
  const client = await world.connected();
  const types = [];
  client.on('message', ({ type }) => types.push(type));
  world.socket.say('notice', { text: 'x' });
  world.socket.publish('session:1', 1);
  world.socket.say('pong');
  assert.deepEqual(types, ['notice', 'news']);
});

// ------------------------------------------------------------------ actions

await test('action_is_acknowledged_or_refused', async (world) => {
  const client = await world.connected();
  const all = ['a', 'b', 'c', 'd'].map((name) => client.action(name, { text: name }));
  const id = (n) => `${client.instance}-${n}`;
  assert.deepEqual(world.socket.said('action')[0], { text: 'a', name: 'a', id: id(1) });
  world.socket.say('ack', { id: id(1) });
  world.socket.say('error', { id: id(2), code: 'bad_text', message: 'no' });
  world.socket.say('ack', { id: id(3), result: 'repeated' });
  world.socket.say('ack', { id: id(4), result: 'done' });
  assert.deepEqual(await world.outcomes(all), ['done', 'error bad_text', 'repeated', 'done']);
});

await test('actions_wait_in_a_bounded_queue', async (world) => {
  const client = world.connect('/ws', { queue: 2 });
  const all = ['a', 'b', 'c'].map((name) => client.action(name));
  for (const one of all) one.catch(() => {});
  await world.settle();
  world.socket.hello();
  assert.deepEqual(world.socket.said('action').map(({ name }) => name), ['a', 'b']);
  client.close();
  assert.deepEqual(await world.outcomes(all), ['error closed', 'error closed', 'error queue_full']);
});

// C11
await test('actions_are_sent_again_on_each_new_socket_until_acknowledged', async (world) => {
  const client = await world.stable({ token: () => 't' }, { action_epoch: 'A' });
  const all = [client.action('a'), client.action('b')];
  world.socket.say('ack', { id: `${client.instance}-1`, result: 'done' });
  world.socket.end(4001); // another token
  await world.settle();
  world.socket.hello({ action_epoch: 'A' });
  all.push(client.action('c'));
  const sent = world.socket.said('action').map(({ id, name }) => `${name} ${id.split('-')[1]}`);
  assert.deepEqual(sent, ['b 2', 'c 3']);
  world.socket.say('ack', { id: `${client.instance}-2`, result: 'in_doubt' });
  world.socket.say('ack', { id: `${client.instance}-3`, result: 'done' });
  assert.deepEqual(await world.outcomes(all), ['done', 'in_doubt', 'done']);
});

await test('action_sent_before_a_restart_is_in_doubt_and_not_repeated', async (world) => {
  const client = await world.connected({}, { action_epoch: 'A' });
  const lost = client.action('a');
  world.socket.end();
  client.action('b'); // was never sent
  world.random = 0;
  await world.tick(1000);
  world.socket.hello({ action_epoch: 'B' });
  assert.equal(await world.outcome(lost), 'in_doubt');
  assert.deepEqual(world.socket.said('action').map(({ name }) => name), ['b']);
});

await test('no_more_than_64_actions_are_without_an_answer', async (world) => {
  const client = await world.connected({ queue: 100 });
  for (let n = 0; n < 70; n++) client.action('a').catch(() => {});
  assert.equal(world.socket.said('action').length, 64);
  for (const n of [1, 2]) world.socket.say('ack', { id: `${client.instance}-${n}` });
  assert.equal(world.socket.said('action').length, 66);
  client.close();
});

await test('new_action_after_a_restart_goes_again_under_the_next_id_in_order', async (world) => {
  const client = await world.connected({}, { action_epoch: 'A' });
  const first = client.action('a');
  world.socket.say('ack', { id: `${client.instance}-1`, result: 'done' });
  assert.equal(await world.outcome(first), 'done');
  world.socket.end();
  const all = [client.action('b'), client.action('c')];
  await world.tick(30000);
  world.socket.hello({ action_epoch: 'B' });
  const number = (id) => id.split('-')[1];
  const sent = () => world.socket.said('action').map(({ id, name }) => `${name} ${number(id)}`);
  const done = (n) => world.socket.say('ack', { id: `${client.instance}-${n}`, result: 'done' });
  assert.deepEqual(sent(), ['b 2']); // one goes ahead: the server may not know us
  world.socket.say('ack', { id: `${client.instance}-2`, result: 'in_doubt', next: 66 });
  assert.deepEqual(sent(), ['b 2', 'b 66', 'c 67']);
  done(66);
  done(67);
  assert.deepEqual(await world.outcomes(all), ['done', 'done']);
});

done();
