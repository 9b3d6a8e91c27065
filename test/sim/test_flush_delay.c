/* SPDX-License-Identifier: MIT */
/*
 * sim/test_flush_delay.c - config.flush_delay: messages wait that long and no longer, so that
 * several are written together.
 *
 * Control frames and a queue that is half full do not wait, and a Close takes waiting messages
 * along. A peer that ends meanwhile is not listed for its old messages.
 */
#include "sim.h"

#define DELAY (200 * WSPOOL_MILLISECOND / 1000) /* 200 microseconds */

static sim *sim_delaying(void)
{
    sim *s = sim_new(1);
    s->config.flush_delay = DELAY;
    s->config.ping_interval = 0;
    sim_start(s);
    return s;
}

/* Returns how many peers are listed for a write. Nothing is written. */
static int listed(sim *s)
{
    wspool_id id;
    unsigned wants;
    int writes = 0;
    while (wspool_next(s->pool, &id, &wants) == 1) {
        writes += (wants & WSPOOL_WRITE) != 0;
    }
    return writes;
}

TEST(message_when_published_waits_for_the_delay_and_no_longer)
{
    sim *s = sim_delaying();
    sim_peer *a = sim_join(s, "/all");
    sim_peer *b = sim_join(s, "/all");
    assert_int_equal(sim_broadcast(s, wspool_global("all"), "one"), 2);
    assert_true(wspool_deadline(s->pool) == s->now + DELAY);
    assert_int_equal(listed(s), 0);
    s->now += DELAY - 1;
    SIM_IN(wspool_tick(s->pool, s->now));
    assert_int_equal(listed(s), 0);
    assert_int_equal(sim_send(a, "two"), 0); /* the delay counts from the first message */
    assert_true(wspool_deadline(s->pool) == s->now + 1);
    s->now += 1;
    SIM_IN(wspool_tick(s->pool, s->now));
    struct iovec vectors[4];
    assert_int_equal(wspool_peek(s->pool, a->id, vectors, 4), 1); /* one write for both messages */
    assert_int_equal(vectors[0].iov_len, 5 + 5);
    sim_pump(s);
    sim_expect_message(a, 0, "one");
    sim_expect_message(a, 1, "two");
    sim_expect_message(b, 0, "one");
    assert_true(wspool_deadline(s->pool) > s->now + DELAY);
    /* The delay begins again with the next message. */
    sim_broadcast(s, wspool_global("all"), "three");
    assert_true(wspool_deadline(s->pool) == s->now + DELAY);
    sim_pass(s, DELAY);
    sim_expect_message(b, 1, "three");
    sim_free(s);
}

TEST(control_frames_when_messages_wait_do_not)
{
    sim *s = sim_delaying();
    sim_peer *a = sim_join(s, "/all");
    sim_peer *b = sim_join(s, "/all");
    sim_broadcast(s, wspool_global("all"), "later");
    sim_ping(b, "now");
    sim_pump(s);
    assert_int_equal(b->reader.pongs, 1);
    assert_int_equal(b->reader.messages, 1); /* a write to this peer was due anyway */
    assert_int_equal(a->reader.messages, 0);
    sim_pass(s, DELAY);
    assert_int_equal(a->reader.messages, 1);
    sim_free(s);
}

TEST(close_when_messages_wait_takes_them_along)
{
    sim *s = sim_delaying();
    sim_peer *a = sim_join(s, "/all");
    sim_broadcast(s, wspool_global("all"), "last words");
    SIM_IN(wspool_close(s->pool, a->id, 1000, "bye", 0));
    sim_pump(s);
    sim_expect_message(a, 0, "last words");
    sim_expect_close(a, WSPOOL_END_HOST_CLOSED, 1000);
    sim_pass(s, SEC);
    sim_free(s);
}

TEST(queue_when_half_full_waits_no_longer)
{
    sim *s = sim_new(1);
    s->config.flush_delay = WSPOOL_SECOND;
    s->config.queue_messages = 8;
    s->config.ping_interval = 0;
    sim_start(s);
    sim_peer *a = sim_join(s, "/all");
    for (int i = 0; i < 4; i++)
        sim_broadcast(s, wspool_global("all"), "m");
    assert_int_equal(listed(s), 0);
    sim_broadcast(s, wspool_global("all"), "m");
    assert_true(wspool_deadline(s->pool) == 0);
    sim_pump(s);
    assert_int_equal(a->reader.messages, 5);
    sim_free(s);
}

TEST(peer_when_it_goes_while_its_messages_wait_is_not_listed_for_them)
{
    sim *s = sim_delaying();
    sim_peer *a = sim_join(s, "/all");
    sim_broadcast(s, wspool_global("all"), "nobody hears it");
    sim_cut(a, WSPOOL_GONE_FAILED);
    sim_pump(s);
    assert_true(a->released);
    sim_peer *b = sim_join(s, "/echo"); /* in the same slot */
    assert_int_equal(wspool_slot(b->id), wspool_slot(a->id));
    sim_pass(s, DELAY);
    assert_int_equal(b->reader.messages, 0);
    sim_free(s);
}
