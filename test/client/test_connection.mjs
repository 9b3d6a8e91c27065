// SPDX-License-Identifier: MIT
// client/test_connection.mjs - when the browser client connects, and when it does not: attempts,
// delays, close codes, tokens, life and death of a socket, the page's own events.
import { assert, done, load, test } from './world.mjs';

const CARDS = { route: 'global:cards' };
const state = (client) => client.status.state;

// ------------------------------------------------------------------ the way in

await test('connects_with_subprotocol_client_instance_and_token', async (world) => {
  const client = world.connect('/ws?x=1', { token: 'abc' });
  await world.settle();
  const { url, protocols } = world.socket;
  assert.equal(url.origin + url.pathname, 'ws://board.example/ws');
  assert.equal(url.searchParams.get('x'), '1');
  assert.equal(url.searchParams.get('client'), client.instance);
  assert.match(client.instance, /^[0-9a-f]{32}$/);
  assert.deepEqual(protocols, ['wspool.v1.json', 'bearer.abc']);
  assert.equal(state(client), 'connecting');
  world.socket.hello();
  assert.equal(state(client), 'connected');
  assert.equal(client.status.via, 'socket');
});

await test('scripts_of_a_page_share_a_connection', async (world) => {
  const { connect } = world.module;
  const one = connect('/ws');
  const other = connect('ws://board.example/ws');
  assert.equal(one, other);
  assert.notEqual(connect('/other'), one);
  await world.settle();
  assert.equal(world.sockets.length, 2);
  one.close();
  assert.equal(world.sockets[0].closed, false);
  other.close();
  assert.equal(world.sockets[0].closed, true);
  assert.equal(state(one), 'disconnected');
  assert.notEqual(connect('/ws'), one);
});

await test('blank_token_is_refused_without_an_attempt', async (world) => {
  for (const token of ['', '  ', () => '\t', async () => '']) {
    const client = world.connect(`/ws${world.problems.length}`, { token });
    await world.settle();
    assert.equal(state(client), 'error');
    assert.equal(client.status.code, 'empty_token');
    assert.equal(world.problems.at(-1).cause, 'auth');
  }
  await world.tick(600000);
  assert.equal(world.sockets.length, 0);
});

await test('no_token_is_needed_without_one', async (world) => {
  world.connect('/ws', { token: async () => null });
  await world.settle();
  assert.deepEqual(world.socket.protocols, ['wspool.v1.json']);
});

await test('error_classes_by_attempt', async (world) => {
  await world.connect();
  await world.settle();
  world.socket.end();
  await world.tick(1000);
  world.socket.end();
  await world.tick(1000);
  world.socket.hello();
  await world.tick(6000);
  world.socket.end();
  const seen = world.problems.map(({ kind, attempt }) => [kind, attempt]);
  assert.deepEqual(seen, [['unavailable', 1], ['attempt_failed', 2], ['connection', 0]]);
});

// C2
await test('stuck_in_connecting_ends_after_ten_seconds', async (world) => {
  const client = world.connect();
  await world.tick(9999);
  assert.equal(world.sockets.length, 1);
  await world.tick(1);
  assert.equal(state(client), 'disconnected');
  assert.equal(world.problems.at(-1).cause, 'timeout');
  assert.equal(world.sockets[0].closed, true);
  await world.tick(1000);
  assert.equal(world.sockets.length, 2);
});

await test('handshake_without_first_message_is_not_connected', async (world) => {
  const client = world.connect();
  await world.settle();
  world.socket.readyState = 1; // open, and the proxy swallows each frame
  await world.tick(9999);
  assert.equal(state(client), 'connecting');
  await world.tick(1001);
  assert.equal(world.sockets.length, 2);
});

// ------------------------------------------------------------------ delays

// C15
await test('first_delay_is_within_the_announced_spread', async (world) => {
  const delays = [];
  for (const random of [0, 0.25, 0.999]) {
    world.random = random;
    const client = world.connect(`/ws${random}`);
    await world.settle();
    world.socket.hello({ reconnect_spread: 8 });
    await world.tick(6000);
    world.socket.end();
    delays.push(client.status.until - world.now);
    client.close();
  }
  assert.deepEqual(delays, [0, 2000, 7992]);
});

await test('backoff_doubles_to_thirty_seconds_then_gives_up', async (world) => {
  const client = world.connect();
  const delays = [];
  world.random = 0.5;
  await world.settle();
  for (let attempt = 1; attempt < 10; attempt++) {
    world.socket.end();
    delays.push(client.status.until - world.now);
    assert.equal(client.status.attempt, attempt);
    await world.tick(client.status.until - world.now);
  }
  assert.deepEqual(delays, [500, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  world.socket.end();
  assert.equal(state(client), 'error');
  assert.equal(client.status.code, 0);
  assert.equal(world.problems.at(-1).kind, 'attempt_failed');
  await world.tick(3600000);
  assert.equal(world.sockets.length, 10);
  client.connect();
  await world.settle();
  assert.equal(world.sockets.length, 11);
  world.socket.end();
  assert.equal(client.status.until - world.now, 500);
});

await test('attempts_may_be_endless', async (world) => {
  const client = world.connect('/ws', { attempts: Infinity });
  for (let attempt = 0; attempt < 50; attempt++) {
    await world.settle();
    world.socket.end();
    await world.tick(client.status.until - world.now);
  }
  assert.equal(world.sockets.length, 51);
});

// C6
await test('server_that_accepts_and_closes_does_not_reset_the_backoff', async (world) => {
  const client = world.connect();
  world.random = 1;
  await world.settle();
  for (let i = 0; i < 6; i++) {
    world.socket.hello();
    await world.tick(1000);
    world.socket.end();
    await world.tick(client.status.until - world.now);
  }
  world.socket.hello();
  world.socket.end();
  assert.equal(client.status.until - world.now, 30000);
  await world.tick(30000);
  world.socket.hello();
  await world.tick(5000); // stable
  world.socket.end();
  assert.equal(client.status.until - world.now, 1000);
});

// ------------------------------------------------------------------ close codes

await test('no_attempt_after_a_code_40xx', async (world) => {
  for (const code of [4000, 4001, 4002, 4003, 4004, 4005, 4099]) {
    const client = world.connect(`/ws${code}`, { token: 'static' });
    await world.settle();
    world.socket.hello();
    await world.tick(6000);
    world.socket.end(code, 'no');
    assert.equal(state(client), 'error');
    assert.equal(client.status.code, code);
    assert.equal(world.problems.at(-1).cause, code === 4001 || code === 4002 ? 'auth' : 'refused');
  }
  const { length } = world.sockets;
  world.event('online');
  world.show('visible');
  await world.tick(3600000);
  assert.equal(world.sockets.length, length);
});

await test('code_41xx_waits_and_says_resources', async (world) => {
  const client = await world.stable();
  world.socket.end(4101, 'shed');
  assert.equal(client.status.until - world.now, 500);
  assert.equal(world.problems.at(-1).cause, 'resources');
});

await test('code_42xx_reconnects_at_once_but_only_once', async (world) => {
  const client = await world.stable();
  world.socket.end(4200, 'drain');
  await world.settle();
  assert.equal(world.sockets.length, 2);
  world.socket.hello();
  world.socket.end(4200, 'drain');
  await world.settle();
  assert.equal(world.sockets.length, 2);
  assert.equal(state(client), 'disconnected');
});

await test('moved_connects_to_the_new_url', async (world) => {
  await world.stable();
  world.socket.say('moved', { url: 'ws://other.example/ws' });
  world.socket.end(4201);
  await world.settle();
  assert.equal(world.socket.url.host, 'other.example');
});

// ------------------------------------------------------------------ tokens

// C12
await test('token_hook_is_called_before_each_attempt', async (world) => {
  let n = 0;
  world.connect('/ws', { token: () => `t${++n}` });
  await world.settle();
  world.socket.end();
  await world.tick(1000);
  const tokens = world.sockets.map(({ protocols }) => protocols[1]);
  assert.deepEqual(tokens, ['bearer.t1', 'bearer.t2']);
});

await test('code_4001_is_answered_with_a_new_token_once', async (world) => {
  const asked = [];
  const client = world.connect('/ws', {
    token: (how) => {
      asked.push(how.renew ?? false);
      return `t${asked.length}`;
    },
  });
  await world.settle();
  world.socket.hello();
  await world.tick(6000);
  world.socket.end(4001);
  await world.settle();
  assert.deepEqual(asked, [false, true]);
  assert.equal(world.socket.protocols[1], 'bearer.t2');
  world.socket.hello();
  world.socket.end(4001);
  assert.equal(state(client), 'error');
  assert.equal(client.status.code, 4001);
});

await test('token_that_expires_is_renewed_on_the_connection', async (world) => {
  let n = 0;
  await world.connected({ token: async () => `t${++n}` });
  world.socket.say('token_expiring', { expires_at: 1 });
  await world.settle();
  assert.deepEqual(world.socket.said('auth'), [{ token: 't2' }]);
  assert.equal(world.sockets.length, 1);
});

// C13
await test('close_is_not_undone_by_a_token_that_comes_late', async (world) => {
  let come;
  const client = world.connect('/ws', { token: () => new Promise((fulfil) => (come = fulfil)) });
  await world.settle();
  client.close();
  come('late');
  await world.tick(60000);
  assert.equal(world.sockets.length, 0);
  assert.equal(state(client), 'disconnected');
});

// C13
await test('token_hook_is_not_called_twice_at_a_time', async (world) => {
  const running = [];
  const client = world.connect('/ws', {
    token: () => new Promise((fulfil) => running.push(fulfil)),
  });
  await world.settle();
  client.reconnect();
  world.show('visible');
  client.reconnect();
  await world.settle();
  assert.equal(running.length, 1);
  running[0]('one');
  await world.settle();
  assert.equal(world.sockets.length, 1);
  assert.equal(world.socket.protocols[1], 'bearer.one');
});

await test('token_hook_that_hangs_or_fails_costs_one_attempt', async (world) => {
  const ways = [() => new Promise(() => {}), () => Promise.reject(new Error('no')), () => 'good'];
  world.connect('/ws', { token: () => ways.shift()() });
  await world.tick(10000);
  await world.tick(2000);
  await world.tick(2000);
  assert.deepEqual(world.problems.map(({ message }) => message), ['no answer in time', 'no']);
  assert.equal(world.socket.protocols[1], 'bearer.good');
});

await test('token_hook_that_is_refused_itself_ends_the_attempts', async (world) => {
  const token = async () => {
    throw Object.assign(new Error('who are you?'), { status: 403 });
  };
  const client = world.connect('/ws', { token });
  await world.tick(60000);
  const { code, reason } = client.status;
  assert.deepEqual([state(client), code, reason], ['error', 403, 'who are you?']);
});

// ------------------------------------------------------------------ life and death

await test('quiet_server_is_asked_and_its_pong_is_enough', async (world) => {
  const client = await world.connected({}, { heartbeat_seconds: 20 });
  for (let i = 1; i <= 5; i++) {
    await world.tick(20000);
    assert.equal(world.socket.said('ping').length, i);
    world.socket.say('pong');
  }
  assert.equal(state(client), 'connected');
  assert.equal(world.sockets.length, 1);
});

// C1
await test('dead_socket_is_replaced_without_its_close_event', async (world) => {
  const client = await world.connected();
  await world.tick(30000);
  assert.deepEqual(world.socket.said('ping').length, 1);
  await world.tick(10000);
  assert.equal(state(client), 'disconnected');
  assert.equal(world.sockets[0].closed, true);
  await world.tick(500);
  assert.equal(world.sockets.length, 2);
  world.socket.hello();
  assert.equal(state(client), 'connected');
});

// C10
await test('events_of_a_replaced_socket_are_not_acted_upon', async (world) => {
  const client = await world.connected(CARDS);
  const news = [];
  client.subscribe('global:cards').on('message', ({ offset }) => news.push(offset));
  const old = world.socket;
  old.subscribed('global:cards', 0);
  await world.settle();
  client.reconnect();
  await world.settle();
  world.socket.hello();
  world.socket.subscribed('global:cards', 0, { recovered: true });
  client.on('draining', () => news.push('draining'));
  old.publish('global:cards', 1);
  old.say('draining', { seconds: 1 });
  old.end(4003, 'replaced');
  assert.equal(state(client), 'connected');
  assert.deepEqual(news, []);
  await world.tick(60);
  assert.equal(world.sockets.length, 2);
});

// C3
await test('throttled_timers_do_not_make_a_socket_dead', async (world) => {
  const client = await world.connected();
  for (let i = 0; i < 10; i++) { // timers fire once a minute, messages come in between
    world.now += 60000;
    await world.tick(0);
    world.socket.say('pong');
  }
  assert.equal(world.sockets.length, 1);
  assert.equal(state(client), 'connected');
});

// C3
await test('frozen_tab_reads_before_it_judges', async (world) => {
  const client = await world.connected();
  await world.tick(30000); // a ping is out
  await world.freeze(3600000); // its pong waits behind the timer
  assert.equal(state(client), 'connected');
  world.socket.say('pong');
  await world.tick(10000);
  assert.equal(world.sockets.length, 1);
});

await test('clock_that_is_set_back_does_not_stop_the_watch', async (world) => {
  await world.stable();
  world.now -= 7200000;
  for (const timer of world.timers) timer.due -= 7200000; // timers do not follow that clock
  await world.tick(60000);
  assert.ok(world.socket.said('ping').length >= 1);
});

await test('machine_that_slept_finds_the_dead_socket_in_three_seconds', async (world) => {
  const client = await world.stable();
  await world.freeze(3600000);
  assert.equal(world.socket.said('ping').length, 1);
  await world.tick(3000);
  assert.equal(world.sockets.length, 2); // at once: only this page was away
  assert.equal(state(client), 'connecting');
});

await test('frozen_twice_the_dead_socket_is_found_all_the_same', async (world) => {
  await world.stable();
  for (let i = 0; i < 3; i++) await world.freeze(60000); // each timer of a hidden tab is late
  assert.equal(world.sockets.length, 2);
});

// C4
await test('no_timer_outlives_close', async (world) => {
  for (const end of [() => {}, () => world.socket.end(), () => world.socket.hello()]) {
    const client = world.connect();
    await world.settle();
    end();
    client.close();
    assert.equal(world.timers.size, 0);
    const { length } = world.sockets;
    await world.tick(600000);
    assert.equal(world.sockets.length, length);
  }
});

await test('close_is_heard_in_each_handler', async (world) => {
  for (const when of ['connecting', 'connected', 'disconnected', 'error']) {
    const client = world.connect(`/${when}`, { attempts: 2 });
    client.on('status', (status) => status.state === when && client.close());
    await world.settle();
    world.socket.hello();
    if (when !== 'connected') world.socket.end(when === 'error' ? 4000 : 1006);
    await world.settle();
    if (when === 'connecting') client.reconnect();
    assert.equal(state(client), 'disconnected', when);
    assert.equal(world.timers.size, 0, when);
    assert.equal(world.socket.closed || world.socket.readyState === 3, true, when);
  }
});

// ------------------------------------------------------------------ the page

// C8
await test('page_that_comes_into_view_ends_the_wait_and_makes_one_socket', async (world) => {
  const client = await world.stable({}, { reconnect_spread: 30 });
  world.socket.end();
  assert.equal(client.status.until - world.now, 15000);
  world.show('visible');
  await world.settle();
  assert.equal(world.sockets.length, 2);
  world.socket.hello();
  await world.tick(20000); // the wait that was pending would end now
  assert.equal(world.sockets.length, 2);
});

// C9
await test('tab_switch_keeps_a_healthy_socket', async (world) => {
  const client = await world.stable();
  for (let i = 1; i < 4; i++) {
    world.show('hidden');
    await world.tick(1000);
    world.show('visible');
    assert.equal(world.socket.said('ping').length, i);
    world.socket.say('pong');
    await world.tick(4000);
  }
  assert.equal(world.sockets.length, 1);
  assert.equal(state(client), 'connected');
});

await test('tab_switch_finds_a_dead_socket_in_three_seconds', async (world) => {
  await world.stable();
  world.show('visible');
  await world.tick(2999);
  assert.equal(world.sockets.length, 1);
  await world.tick(1);
  assert.equal(world.sockets.length, 2);
});

await test('check_tells_whether_the_server_answers', async (world) => {
  const client = await world.stable();
  const both = [client.check(), client.check()];
  assert.equal(world.socket.said('ping').length, 1);
  assert.deepEqual(await world.outcomes(both), ['pending', 'pending']);
  world.socket.say('pong');
  assert.deepEqual(await world.outcomes(both), [true, true]);
  const third = client.check();
  await world.tick(3000);
  assert.equal(await world.outcome(third), false);
  assert.equal(await world.outcome(client.check()), false, 'it is connecting');
});

// C7
await test('network_events_are_hints', async (world) => {
  navigator.onLine = false; // under a VPN
  const client = await world.stable();
  world.event('offline');
  world.socket.say('pong');
  await world.tick(5000);
  assert.equal(state(client), 'connected');
  world.socket.end();
  await world.tick(1000);
  assert.equal(world.sockets.length, 2); // it tries all the same
  world.socket.end();
  world.event('online'); // too early
  await world.settle();
  assert.equal(world.sockets.length, 3);
  world.socket.end();
  await world.tick(5000);
  assert.equal(world.sockets.length, 4);
  world.socket.hello();
  assert.equal(state(client), 'connected');
});

// C14
await test('network_switch_is_noticed_in_three_seconds', async (world) => {
  await world.stable();
  world.event('offline');
  await world.tick(3000);
  assert.equal(world.sockets.length, 2);
});

// C14
await test('error_is_not_for_ever', async (world) => {
  const client = world.connect('/ws', { attempts: 1 });
  const ways = [() => world.event('online'), () => world.show('visible'), () => client.connect()];
  for (const wake of ways) {
    await world.settle();
    world.socket.end();
    assert.equal(state(client), 'error');
    wake();
    assert.equal(state(client), 'connecting');
  }
});

// C5
await test('cached_page_closes_its_socket_and_returns_with_a_new_one', async (world) => {
  const client = await world.stable();
  world.event('pagehide', { persisted: true });
  assert.equal(world.socket.closed, true);
  assert.equal(state(client), 'disconnected');
  await world.tick(600000);
  assert.equal(world.sockets.length, 1);
  world.event('pageshow', { persisted: true });
  await world.settle();
  assert.equal(world.sockets.length, 2);
});

// C5
await test('page_that_returns_does_not_trust_its_socket', async (world) => {
  await world.stable();
  world.event('pageshow', { persisted: true }); // without pagehide; the socket died silently
  await world.settle();
  assert.equal(world.sockets.length, 2);
  assert.equal(world.sockets[0].closed, true);
});

// C18
await test('nothing_is_stored_and_a_duplicated_tab_is_somebody_else', async (world) => {
  const kept = {};
  world.storage = () => ({
    getItem: (key) => kept[key] ?? null,
    setItem: (key, value) => (kept[key] = value),
  });
  const one = world.connect();
  const duplicate = (await load()).connect('/ws');
  assert.notEqual(one.instance, duplicate.instance);
  assert.deepEqual(kept, {});
  delete world.storage;
  (await load()).connect('/ws'); // where storage throws
  await world.settle();
  assert.equal(world.sockets.length, 3);
});

// ------------------------------------------------------------------ handlers

await test('handlers_are_known_by_identity_and_do_not_stop_each_other', async (world) => {
  const client = world.connect();
  const calls = [];
  const broken = () => {
    throw new Error('broken');
  };
  const first = () => calls.push('first');
  const leaving = () => {
    calls.push('leaving');
    client.off('established', leaving).off('established', gone);
  };
  const gone = () => calls.push('gone');
  client.on('established', broken).on('established', first).on('established', first);
  client.on('established', leaving).on('established', gone);
  await world.settle();
  world.socket.hello();
  world.socket.hello();
  assert.deepEqual(calls, ['first', 'leaving', 'first']);
  assert.deepEqual(world.reported.splice(0).map(({ message }) => message), ['broken', 'broken']);
});

await test('what_is_not_of_the_contract_is_reported', async (world) => {
  const client = await world.connected();
  for (const data of ['{', '[]', '1', 'null', '{"data":{}}']) world.socket.onmessage({ data });
  assert.deepEqual(world.problems.map(({ kind }) => kind), Array(5).fill('protocol'));
  assert.equal(state(client), 'connected');
});

done();
