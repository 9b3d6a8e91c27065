/* SPDX-License-Identifier: MIT */
/*
 * threads/test_auth_complete.c - the calls that any thread may make while the pool's thread runs.
 *
 * Verdicts from several threads are delivered exactly once each. Calls of the wake hook are
 * coalesced, but no node stays unread in the mailbox. The stats can be read from any thread. Run it
 * under ThreadSanitizer.
 *
 * cmocka works in one thread only, so the other threads count what they find wrong in `faults`.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* semaphores, barriers */
#endif
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wspool/wspool.h>

#include "../tools/test.h"

#define PEERS 400
#define PATIENCE 30 /* seconds; a wake that does not come in this time never comes */

struct identity {
    int given;
    atomic_int freed;
    uint32_t peer; /* the peer for which it is */
};

static struct world {
    wspool *pool;
    uint64_t now;
    wspool_id ids[PEERS];
    struct identity identities[PEERS];
    int opened[PEERS], closed[PEERS];
    uint32_t opens;
    sem_t wake;
    atomic_uint wakes;
    atomic_int stop;
    atomic_int faults;
    pthread_barrier_t start;
} w;

static uint32_t number_of(wspool_id id)
{
    return (uint32_t)(uintptr_t)wspool_user(w.pool, id);
}

static void on_token(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                     void *user)
{
    (void)pool, (void)id, (void)request, (void)user;
    out->kind = WSPOOL_PENDING;
}

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    uint32_t n = number_of(id);
    const struct identity *identity = wspool_identity(pool, id);
    (void)opened, (void)user;
    /* the identity of this peer, and of no other */
    assert_true(identity == NULL || identity->peer == n);
    w.opened[n]++;
    w.opens++;
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    (void)pool, (void)closed, (void)user;
    w.closed[number_of(id)]++;
}

static void on_identity_free(void *identity, void *user)
{
    (void)user;
    atomic_fetch_add(&((struct identity *)identity)->freed, 1);
}

static void on_wake(void *user)
{
    (void)user;
    atomic_fetch_add(&w.wakes, 1);
    sem_post(&w.wake);
}

static void begin(void)
{
    wspool_config c;
    memset(&w, 0, sizeof w);
    assert_int_equal(sem_init(&w.wake, 0, 0), 0);
    w.now = WSPOOL_SECOND;
    wspool_config_init(&c);
    c.token.call = on_token;
    c.open.call = on_open;
    c.close.call = on_close;
    c.identity_free.call = on_identity_free;
    c.wake.call = on_wake;
    assert_int_equal(wspool_new(&w.pool, &c, w.now), 0);
    assert_int_equal(wspool_route(w.pool, "/{x}", WSPOOL_ITEM, NULL), 0);
}

static void end(void)
{
    assert_int_equal(wspool_check(w.pool), 0);
    assert_int_equal(wspool_free(w.pool), 0);
    assert_int_equal(atomic_load(&w.faults), 0);
    for (uint32_t i = 0; i < PEERS; i++) {
        assert_int_equal(w.identities[i].given, atomic_load(&w.identities[i].freed));
        assert_int_equal(w.opened[i], w.closed[i]);
        assert_true(w.opened[i] <= 1);
    }
    sem_destroy(&w.wake);
}

/* Peer n connects; its verdict is pending. */
static void come(uint32_t n)
{
    static const char request[] =
        "GET /a?token=t HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_int_equal(wspool_open(w.pool,
                                 &(wspool_open_options){.size = sizeof(wspool_open_options),
                                                        .user = (void *)(uintptr_t)n},
                                 w.now, &w.ids[n]),
                     0);
    assert_int_equal(wspool_feed(w.pool, w.ids[n], request, sizeof request - 1, w.now), 0);
    w.identities[n].peer = n;
}

/* May be called in any thread. */
static void say(uint32_t n, enum wspool_verdict_kind kind)
{
    wspool_verdict verdict = {
        .size = sizeof verdict, .kind = kind, .refusal = WSPOOL_REFUSED_TOKEN_EXPIRED};
    if (kind == WSPOOL_ACCEPT) {
        w.identities[n].given = 1;
        verdict.identity = &w.identities[n];
    }
    if (wspool_auth_complete(w.pool, w.ids[n], &verdict) != 0) {
        atomic_fetch_add(&w.faults, 1);
    }
}

/* One turn of the loop: writes everything, releases each peer that has ended. */
static void turn(void)
{
    wspool_id id;
    unsigned wants;
    struct iovec vectors[16];
    assert_int_equal(wspool_tick(w.pool, ++w.now), 0);
    while (wspool_next(w.pool, &id, &wants) == 1) {
        if (wants & WSPOOL_CLOSE) {
            assert_int_equal(wspool_release(w.pool, id), 0);
        } else if (wants & WSPOOL_WRITE) {
            size_t total = 0;
            int count = wspool_peek(w.pool, id, vectors, 16);
            for (int i = 0; i < count; i++) {
                total += vectors[i].iov_len;
            }
            assert_int_equal(wspool_ack(w.pool, id, total, w.now), 0);
        }
    }
}

/* The loop sleeps until the wake hook is called, and wakes for nothing else. */
static void sleep_until_woken(void)
{
    struct timespec until;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += PATIENCE;
    while (sem_timedwait(&w.wake, &until) != 0) {
        if (errno != EINTR) {
            fail_msg("nobody woke the loop: a letter was left lying");
        }
    }
}

static wspool_statistics numbers(void)
{
    wspool_statistics s = {.size = sizeof s};
    if (wspool_stats(w.pool, &s) != 0) {
        atomic_fetch_add(&w.faults, 1);
    }
    return s;
}

/* Returns the number of peers whose verdict was a refusal. */
static uint64_t refused(void)
{
    return numbers().refused[WSPOOL_REFUSED_TOKEN_EXPIRED];
}

/* ------------------------------------------------------------ coalesced wakes */

enum { TEAM = 4 };

/* Accepts a thread's share of the peers: every TEAM-th, beginning with its own number. */
static void *say_yes_to_my_share(void *number)
{
    pthread_barrier_wait(&w.start);
    for (uint32_t n = (uint32_t)(uintptr_t)number; n < PEERS; n += TEAM) {
        say(n, WSPOOL_ACCEPT);
    }
    return NULL;
}

static void start_team(pthread_t *team, void *(*work)(void *))
{
    assert_int_equal(pthread_barrier_init(&w.start, NULL, TEAM), 0);
    for (uintptr_t i = 0; i < TEAM; i++) {
        assert_int_equal(pthread_create(&team[i], NULL, work, (void *)i), 0);
    }
}

static void join_team(pthread_t *team)
{
    for (size_t i = 0; i < TEAM; i++) {
        assert_int_equal(pthread_join(team[i], NULL), 0);
    }
    pthread_barrier_destroy(&w.start);
}

TEST(wake_is_called_once_when_many_threads_leave_verdicts_in_one_sleep)
{
    pthread_t team[TEAM];
    begin();
    for (uint32_t n = 0; n < PEERS; n++) {
        come(n);
    }
    start_team(team, say_yes_to_my_share);
    join_team(team); /* the loop sleeps all that time */
    assert_int_equal(atomic_load(&w.wakes), 1);
    sleep_until_woken();
    turn();
    assert_int_equal(w.opens, PEERS); /* and one tick reads them all */
    for (uint32_t n = 0; n < PEERS; n++) {
        assert_int_equal(w.opened[n], 1);
    }
    end();
}

/* Posts for no peer: they are only counted, so there can be very many of them. */
static uint64_t verdicts_read(void)
{
    return numbers().stale_ids;
}

static void say_to_nobody(void)
{
    static const wspool_verdict no = {.size = sizeof no, .kind = WSPOOL_REFUSE};
    if (wspool_auth_complete(w.pool, 0, &no) != 0) {
        atomic_fetch_add(&w.faults, 1);
    }
}

enum { MANY = 20000 };

static void *say_much_to_nobody(void *unused)
{
    pthread_barrier_wait(&w.start);
    for (int i = 0; i < MANY; i++) {
        say_to_nobody();
    }
    return unused;
}

TEST(no_verdict_is_lost_when_many_threads_leave_very_many)
{
    pthread_t team[TEAM];
    begin();
    start_team(team, say_much_to_nobody);
    join_team(team);
    turn();
    assert_int_equal(verdicts_read(), TEAM * MANY);
    assert_int_equal(atomic_load(&w.wakes), 1);
    end();
}

/* -------------------------------------------------------- no node stays unread */

enum { ROUNDS = 4000 };
static atomic_uint begun, done; /* rounds */
static unsigned each_round;     /* posts per round */

/* A thread that posts as soon as it may. It spins, so that it runs at the same time as the loop. */
static void *leave_verdicts(void *unused)
{
    for (unsigned round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&begun) < round) {
            sched_yield();
        }
        for (unsigned i = 0; i < each_round; i++) {
            say_to_nobody();
            for (volatile unsigned wait = round % 64; wait > 0; wait--) {
            }
        }
        atomic_store(&done, round);
    }
    return unused;
}

static void start_rounds(pthread_t *thread, unsigned verdicts)
{
    begin();
    each_round = verdicts;
    atomic_store(&begun, 0);
    atomic_store(&done, 0);
    assert_int_equal(pthread_create(thread, NULL, leave_verdicts, NULL), 0);
}

static void tick_for_each_wake(void)
{
    while (sem_trywait(&w.wake) == 0) {
        assert_int_equal(wspool_tick(w.pool, ++w.now), 0);
    }
}

/* The loop turns for other reasons and reads nodes before their wake has come. That wake is then
 * superfluous. The next post must wake the loop all the same. */
TEST(loop_is_woken_when_the_last_wake_came_for_nothing)
{
    pthread_t thread;
    start_rounds(&thread, 1);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        uint64_t before = verdicts_read();
        atomic_store(&begun, round);
        while (verdicts_read() == before) {
            assert_int_equal(wspool_tick(w.pool, ++w.now), 0);
        }
        while (atomic_load(&done) < round) {
            sched_yield();
        }
        tick_for_each_wake();
        unsigned wakes = atomic_load(&w.wakes);
        say_to_nobody();
        assert_int_equal(atomic_load(&w.wakes), wakes + 1);
        tick_for_each_wake();
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(verdicts_read(), 2 * ROUNDS);
    end();
}

/* The loop turns only when it is woken, and posts come while it reads others. */
TEST(verdicts_are_all_read_when_the_loop_turns_for_wakes_only)
{
    pthread_t thread;
    start_rounds(&thread, 3);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        atomic_store(&begun, round);
        while (atomic_load(&done) < round) {
            tick_for_each_wake();
        }
        tick_for_each_wake();
        assert_int_equal(verdicts_read(), 3 * round);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(atomic_load(&w.wakes) <= 3 * ROUNDS);
    end();
}

/* ----------------------------------------------------- all at the same time */

/* Accepts, refuses, or both; reads the stats between two verdicts, as a dashboard would. */
static void *say_this_and_that(void *number)
{
    wspool_statistics before = numbers();
    pthread_barrier_wait(&w.start);
    for (uint32_t n = (uint32_t)(uintptr_t)number; n < PEERS; n += TEAM) {
        say(n, n % 3 == 0 ? WSPOOL_REFUSE : WSPOOL_ACCEPT);
        if (n % 7 == 0) {
            say(n, WSPOOL_REFUSE); /* too late, whatever the first verdict was */
        }
        wspool_statistics after = numbers();
        /* Counters only grow, and no gauge is below zero. */
        if (after.accepted < before.accepted || after.queued < before.queued ||
            after.published < before.published || after.waiting > 1000000 ||
            after.handshakes > PEERS || after.peers > PEERS) {
            atomic_fetch_add(&w.faults, 1);
        }
        before = after;
    }
    return NULL;
}

static void *read_numbers(void *unused)
{
    while (!atomic_load(&w.stop)) {
        wspool_statistics s = numbers();
        if (s.waiting_bytes > UINT64_C(1) << 40 || s.waiting > UINT64_C(1) << 30) {
            atomic_fetch_add(&w.faults, 1);
        }
    }
    return unused;
}

TEST(every_verdict_arrives_once_when_everything_goes_on_meanwhile)
{
    static const uint8_t frame[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
    pthread_t team[TEAM], reader;
    uint32_t gone = 0;
    begin();
    for (uint32_t n = 0; n < PEERS; n++) {
        come(n);
    }
    for (uint32_t n = 0; n < PEERS; n += 10) { /* some peers don't wait for their verdict */
        assert_int_equal(wspool_gone(w.pool, w.ids[n], WSPOOL_GONE_EOF, w.now), 0);
        gone++;
    }
    turn();
    start_team(team, say_this_and_that);
    assert_int_equal(pthread_create(&reader, NULL, read_numbers, NULL), 0);
    while (w.opens + refused() + gone < PEERS) {
        sleep_until_woken();
        turn();
        for (uint32_t n = 0; n < PEERS; n += 5) {
            if (w.opened[n] && !w.closed[n]) {
                assert_int_equal(wspool_feed(w.pool, w.ids[n], frame, sizeof frame, w.now), 0);
            }
        }
        assert_true(wspool_broadcast(w.pool, wspool_item("a"), "m", 1, NULL, NULL) >= 0);
        turn();
    }
    join_team(team);
    atomic_store(&w.stop, 1);
    assert_int_equal(pthread_join(reader, NULL), 0);
    turn(); /* the verdicts that came too late */
    for (uint32_t n = 0; n < PEERS; n++) {
        assert_int_equal(w.opened[n], n % 10 != 0 && n % 3 != 0);
    }
    wspool_statistics s = numbers();
    assert_int_equal(s.accepted, w.opens);
    assert_int_equal(s.refused[WSPOOL_REFUSED_GONE], gone);
    assert_int_equal(s.handshakes, 0);
    assert_true(s.received > 0 && s.published > 0);
    end();
}
