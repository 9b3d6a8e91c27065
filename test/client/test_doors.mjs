// SPDX-License-Identifier: MIT
// client/test_doors.mjs - the browser client where sockets are blocked: down to events, to polls,
// and back up to a socket.
import { assert, done, test } from './world.mjs';

const CARDS = 'global:cards';
const DOORS = { events: '/events', poll: '/poll' };

// A client whose sockets fail, at its first door.
async function blocked(world, options = {}, doors = DOORS) {
  const client = world.connect('/ws', { route: CARDS, ...options });
  const got = [];
  const reasons = [];
  const cards = client.subscribe(CARDS, {
    ...doors,
    refetch: ({ reason }) => void reasons.push(reason),
  });
  cards.on('message', ({ offset }) => got.push(offset));
  world.random = 0;
  await world.settle();
  await block(world);
  return { client, cards, got, reasons };
}

// The socket of this attempt fails, and that of the next one.
async function block(world) {
  for (let i = 0; i < 2; i++) {
    world.socket.end();
    await world.tick(0);
  }
}

const publication = (offset, epoch = 'e1') =>
  JSON.stringify({ type: 'news', channel: CARDS, epoch, offset, data: {} });
const event = (offset) => `id: e1:${offset}\ndata: ${publication(offset)}\n\n`;
const lost = (offset) => {
  const data = JSON.stringify({ epoch: 'e1', offset, recovered: false });
  return `id: e1:${offset}\nevent: subscribed\ndata: ${data}\n\n`;
};

async function write(world, text) {
  world.request.write(text);
  await world.settle();
}

// At the door of events, live at offset 10.
async function streaming(world, options) {
  const page = await blocked(world, options);
  world.request.stream();
  await write(world, lost(10));
  return page;
}

async function answer(world, offset, messages = [], more = {}) {
  world.request.json({
    messages: messages.map((n) => JSON.parse(publication(n))), epoch: 'e1', offset, recovered: true,
    ...more,
  });
  await world.settle();
}

// ------------------------------------------------------------------ down

await test('events_after_two_sockets_have_failed', async (world) => {
  const { client, got, reasons } = await blocked(world, { token: 'abc' });
  assert.equal(world.sockets.length, 2);
  assert.equal(world.request.url.href, 'http://board.example/events');
  assert.equal(world.request.headers.Authorization, 'Bearer abc');
  assert.equal(client.status.state, 'connecting');
  world.request.stream();
  await write(world, lost(10));
  assert.deepEqual([client.status.state, client.status.via], ['connected', 'events']);
  const text = event(11) + ':\n\n' + event(12) + event(13).replaceAll('\n', '\r\n');
  const pieces = text.match(/.{1,7}/gs);
  for (const piece of pieces) await write(world, piece);
  assert.deepEqual(got, [11, 12, 13]);
  assert.deepEqual(reasons, ['first']);
});

await test('one_socket_that_hangs_is_enough', async (world) => {
  world.random = 0;
  const client = world.connect('/ws', { route: CARDS });
  client.subscribe(CARDS, DOORS);
  await world.tick(10000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.requests.length, 1);
});

await test('stream_resumes_by_its_position', async (world) => {
  const { got, reasons, client } = await streaming(world);
  await write(world, event(11));
  await world.tick(6000);
  world.request.end(); // as proxies do it, each minute
  await world.tick(0);
  assert.equal(world.sockets.length, 2); // sockets are blocked: that is known
  assert.equal(world.request.url.search, '?epoch=e1&offset=11');
  world.request.stream();
  await write(world, ':\n\n');
  assert.equal(client.status.state, 'connected');
  await write(world, event(12));
  assert.deepEqual(got, [11, 12]);
  await write(world, lost(90)); // it was too slow
  await write(world, event(91));
  assert.deepEqual(got, [11, 12, 91]);
  assert.deepEqual(reasons, ['first', 'first']);
  assert.deepEqual(world.problems.filter(({ kind }) => kind === 'protocol'), []);
});

// C16
await test('proxy_that_buffers_events_is_passed_over_for_good', async (world) => {
  const { client } = await blocked(world);
  world.request.stream(); // the head comes, and no byte of the body
  await world.tick(10000);
  assert.equal(world.requests[0].signal.aborted, true);
  assert.equal(world.request.url.pathname, '/poll');
  await answer(world, 10);
  assert.equal(client.status.via, 'poll');
  await world.tick(6000);
  for (let i = 0; i < 3; i++) {
    world.request.fail();
    await world.tick(0);
    assert.equal(world.request.url.pathname, '/poll');
    await answer(world, 10);
    await world.tick(6000);
  }
  const opened = world.requests.filter(({ url }) => url.pathname === '/events');
  assert.equal(opened.length, 1);
});

// C16
await test('stream_that_falls_mute_is_passed_over', async (world) => {
  await streaming(world);
  world.blocked = true;
  await world.tick(50000);
  await write(world, ':\n\n');
  await world.tick(50000);
  assert.equal(world.requests.length, 1);
  await world.tick(10000);
  await world.tick(0);
  assert.equal(world.request.url.pathname, '/poll');
});

await test('sockets_that_work_for_a_moment_only_lead_to_a_door_at_last', async (world) => {
  world.random = 0;
  const client = world.connect('/ws', { route: CARDS });
  client.subscribe(CARDS, DOORS);
  await world.settle();
  for (let i = 1; i <= 4; i++) {
    assert.equal(world.sockets.length, i);
    assert.equal(world.requests.length, 0);
    world.socket.hello();
    await world.tick(1000);
    world.socket.end();
    await world.tick(0);
  }
  assert.equal(world.request.url.pathname, '/events');
});

await test('without_doors_sockets_are_tried_on', async (world) => {
  await blocked(world, {}, {});
  await block(world);
  assert.equal(world.sockets.length, 5);
  assert.equal(world.requests.length, 0);
});

await test('server_that_is_away_costs_both_doors_and_then_sockets_again', async (world) => {
  await blocked(world);
  world.request.fail();
  await world.tick(0);
  world.request.fail();
  await world.tick(0);
  assert.equal(world.sockets.length, 3);
  await block(world);
  assert.equal(world.request.url.pathname, '/events'); // no door is lost for ever
});

// ------------------------------------------------------------------ polls

await test('polls_bring_what_was_missed_and_what_is_new', async (world) => {
  const { client, got, reasons } = await blocked(world, {}, { poll: '/poll' });
  assert.equal(world.request.url.search, ''); // answered at once: the door is open
  await answer(world, 10, [], { recovered: false });
  assert.equal(client.status.via, 'poll');
  assert.equal(world.request.url.search, '?epoch=e1&offset=10');
  await answer(world, 12, [11, 12]);
  assert.equal(world.request.url.search, '?epoch=e1&offset=12');
  await answer(world, 90, [], { recovered: false });
  await answer(world, 91, [91]);
  assert.deepEqual(got, [11, 12, 91]);
  assert.deepEqual(reasons, ['first', 'first']);
});

await test('poll_of_another_epoch_asks_for_the_state', async (world) => {
  const { reasons } = await blocked(world, {}, { poll: '/poll' });
  await answer(world, 10);
  await answer(world, 3, [], { epoch: 'e2', recovered: false });
  assert.deepEqual(reasons, ['first', 'first']);
  assert.equal(world.request.url.search, '?epoch=e2&offset=3');
});

await test('poll_without_an_answer_ends', async (world) => {
  const { client } = await blocked(world, {}, { poll: '/poll' });
  world.blocked = true;
  await answer(world, 10);
  await world.tick(34999);
  assert.equal(client.status.state, 'connected');
  await world.tick(1);
  assert.equal(client.status.state, 'connecting');
});

// C15
await test('retry_after_of_a_door_is_kept', async (world) => {
  const { client } = await blocked(world, {}, { poll: '/poll' });
  world.request.refuse(503, { 'Retry-After': '20' });
  await world.settle();
  assert.equal(client.status.until - world.now, 20000);
  assert.equal(world.problems.at(-1).cause, 'resources');
});

await test('token_that_a_door_refuses_is_renewed_once', async (world) => {
  const asked = [];
  const { client } = await blocked(world, { token: (how) => `t${asked.push(how.renew ?? false)}` });
  world.request.refuse(401);
  await world.settle();
  assert.equal(asked.at(-1), true);
  await block(world);
  world.request.refuse(401, {}, '{"error":"expired"}');
  await world.settle();
  const { state, code, reason } = client.status;
  assert.deepEqual([state, code, reason], ['error', 401, 'expired']);
});

await test('actions_wait_for_a_socket', async (world) => {
  const { client } = await streaming(world);
  const said = client.action('chat');
  await world.tick(15000);
  world.socket.hello();
  world.socket.say('ack', { id: `${client.instance}-1`, result: 'done' });
  assert.equal(await world.outcome(said), 'done');
});

// ------------------------------------------------------------------ and up

await test('socket_takes_over_without_a_gap_and_without_a_repetition', async (world) => {
  const { client, got } = await streaming(world);
  await world.tick(15000);
  assert.equal(world.sockets.length, 3);
  assert.equal(world.socket.url.searchParams.get('offset'), '10');
  const stream = world.request;
  await write(world, event(11)); // the door goes on until the socket is there
  world.socket.hello();
  assert.equal(stream.signal.aborted, true);
  assert.deepEqual([client.status.state, client.status.via], ['connected', 'socket']);
  world.socket.subscribed(CARDS, 12, { recovered: true });
  for (const offset of [11, 12]) world.socket.publish(CARDS, offset);
  assert.deepEqual(got, [11, 12]);
  world.socket.publish(CARDS, 12);
  assert.deepEqual(world.problems.filter(({ kind }) => kind === 'protocol').length, 1);
});

await test('socket_is_tried_more_and_more_seldom', async (world) => {
  await streaming(world);
  const times = [];
  const { now } = world;
  world.random = 1;
  for (let i = 0; i < 300; i++) {
    await write(world, ':\n\n');
    await world.tick(10000);
    if (world.socket.readyState === 3) continue;
    times.push(Math.round((world.now - now) / 10000) * 10);
    world.socket.end();
  }
  assert.deepEqual(times.slice(0, 5), [20, 80, 200, 440, 740]);
});

await test('page_that_comes_into_view_tries_the_socket_at_once', async (world) => {
  const { client } = await streaming(world);
  world.event('online');
  await world.settle();
  assert.equal(world.sockets.length, 3);
  assert.equal(client.status.via, 'events');
});

// C16
await test('page_out_of_view_gives_its_door_back', async (world) => {
  const { client } = await streaming(world);
  world.show('hidden');
  assert.equal(world.request.signal.aborted, true);
  assert.equal(client.status.state, 'disconnected');
  await world.tick(600000);
  world.event('online');
  await world.tick(600000);
  assert.equal(world.requests.length, 1);
  world.show('visible');
  await world.settle();
  assert.equal(world.requests.length, 2);
  assert.equal(world.request.url.search, '?epoch=e1&offset=10');
});

// C4
await test('no_timer_of_a_door_outlives_close', async (world) => {
  for (const door of ['events', 'poll']) {
    const { client } = await blocked(world, {}, { [door]: `/${door}` });
    if (door === 'poll') await answer(world, 10);
    client.close();
    await world.settle();
    assert.equal(world.timers.size, 0);
    assert.equal(world.request.signal.aborted, true);
  }
});

done();
