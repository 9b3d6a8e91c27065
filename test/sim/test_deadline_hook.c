/* SPDX-License-Identifier: MIT */
/*
 * sim/test_deadline_hook.c - config.deadline: a host that sleeps until wspool_deadline is told when
 * the deadline becomes earlier.
 *
 * The hook must be called once, outside of calls of the pool, and not when the deadline stays the
 * same or moves later. Each public call is made while the host sleeps.
 */
#include "sim.h"

static wspool *told_pool;
static int told;
static uint64_t told_of; /* the result of wspool_deadline in the hook, where that call is allowed */

static void on_deadline(void *user)
{
    (void)user;
    told++;
    told_of = told_pool ? wspool_deadline(told_pool) : 1;
}

static sim *sim_told(uint64_t flush_delay)
{
    sim *s = sim_new(1);
    s->config.deadline = (wspool_deadline_hook){on_deadline, NULL};
    s->config.flush_delay = flush_delay;
    s->config.ping_interval = 0;
    told_pool = NULL;
    sim_start(s);
    told_pool = s->pool;
    told = 0;
    return s;
}

/* The loop goes to sleep: all that follows happens outside of its turn. */
static void sleep_now(sim *s)
{
    sim_pump(s);
    told = 0;
    told_of = 77;
}

TEST(hook_when_something_is_published_while_the_loop_sleeps_is_called_once)
{
    sim *s = sim_told(0);
    sim_peer *p = sim_join(s, "/all");
    for (int way = 0; way < 4; way++) {
        sleep_now(s);
        switch (way) {
        case 0:
            sim_broadcast(s, wspool_global("all"), "x");
            break;
        case 1:
            sim_send(p, "x"); /* the fast path */
            break;
        case 2:
            wspool_send(s->pool, p->id, "", 0, NULL);
            wspool_send(s->pool, p->id, NULL, 0, NULL); /* the general path */
            break;
        default:
            wspool_close(s->pool, p->id, 1000, NULL, 0);
            break;
        }
        assert_int_equal(told, 1);
        assert_int_equal(told_of, 0);
        sim_broadcast(s, wspool_global("all"), "y");
        assert_int_equal(told, 1);
    }
    /* its end is handled before the call returns */
    wspool_gone(s->pool, p->id, WSPOOL_GONE_EOF, s->now);
    assert_int_equal(told, 1);
    sim_free(s);
}

TEST(hook_when_nothing_is_due_sooner_is_not_called)
{
    sim *s = sim_told(0);
    sim_peer *p = sim_join(s, "/all");
    sleep_now(s);
    wspool_broadcast(s->pool, wspool_global("empty"), "x", 1, NULL, NULL);
    wspool_subscribe(s->pool, p->id, wspool_item("1"));
    wspool_writable(s->pool, 12345, s->now);
    assert_int_equal(told, 0);
    /* The deadline of a second new peer is later than that of the first. */
    sim_open(s, NULL);
    assert_int_equal(told, 1);
    assert_true(told_of > s->now);
    sleep_now(s);
    s->now += 5 * WSPOOL_SECOND;
    sim_open(s, NULL);
    assert_int_equal(told, 0);
    sim_free(s);
}

TEST(hook_when_messages_may_wait_is_called_for_the_end_of_that)
{
    sim *s = sim_told(WSPOOL_MILLISECOND);
    sim_join(s, "/all");
    sleep_now(s);
    sim_broadcast(s, wspool_global("all"), "x");
    assert_int_equal(told, 1);
    uint64_t first = s->now + WSPOOL_MILLISECOND;
    assert_true(told_of == first);
    /* The host sleeps until then, and a second message changes nothing. */
    sleep_now(s);
    s->now += WSPOOL_MILLISECOND / 2;
    wspool_tick(s->pool, s->now);
    sim_broadcast(s, wspool_global("all"), "y");
    assert_int_equal(told, 0);
    assert_true(wspool_deadline(s->pool) == first);
    sim_free(s);
}

/* A host may answer the hook by setting its timer to wspool_deadline. */
TEST(hook_when_the_deadline_moves_again_is_called_again)
{
    sim *s = sim_told(WSPOOL_MILLISECOND);
    sim_join(s, "/all");
    sleep_now(s);
    sim_peer *newcomer = sim_open(s, NULL);
    assert_int_equal(told, 1);
    assert_true(told_of > s->now + WSPOOL_SECOND); /* its handshake_time */
    sim_broadcast(s, wspool_global("all"), "x");
    assert_int_equal(told, 2);
    assert_true(told_of == s->now + WSPOOL_MILLISECOND);
    sim_broadcast(s, wspool_global("all"), "y");
    assert_int_equal(told, 2);
    wspool_gone(s->pool, newcomer->id, WSPOOL_GONE_EOF, s->now);
    assert_int_equal(told, 3);
    assert_int_equal(told_of, 0);
    wspool_drain(s->pool, 0, 0, s->now);
    assert_int_equal(told, 3);
    sim_free(s);
}

static void publish_from_a_hook(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE) {
        wspool_id id;
        unsigned wants;
        sim_broadcast(s, wspool_global("all"), "x");
        sim_send(event->peer, "x");
        assert_int_equal(wspool_open(s->pool, NULL, s->now, &id), 0);
        assert_int_equal(told, 0); /* not inside a call of the pool */
        while (wspool_next(s->pool, &id, &wants) == 1) {
            /* A hook that calls wspool_next is no loop that goes to sleep: the new peer is still
             * reported. */
        }
    }
}

TEST(hook_when_another_hook_publishes_is_called_behind_it)
{
    sim *s = sim_told(0);
    sim_peer *p = sim_join(s, "/all");
    sleep_now(s);
    sim_text(p, "hello");
    s->react = publish_from_a_hook;
    assert_int_equal(wspool_feed(s->pool, p->id, p->in.data, p->in.len, s->now), 0);
    p->fed = p->in.len;
    s->react = NULL;
    assert_int_equal(told, 1);
    sim_free(s);
}

TEST(hook_when_nobody_has_looked_yet_is_called_for_the_first)
{
    sim *s = sim_told(0);
    sim_peer *first = sim_open(s, NULL);
    assert_int_equal(told, 1);
    sim_open(s, NULL);
    assert_int_equal(told, 1);
    wspool_gone(s->pool, first->id, WSPOOL_GONE_EOF, s->now);
    assert_int_equal(told, 2);
    assert_int_equal(told_of, 0);
    sim_free(s);
}
