/* SPDX-License-Identifier: MIT */
/*
 * unit/test_log.c - pool/log.c: which events are logged, and with which words and levels.
 *
 * Each event has a rate limit of its own, so that an attack neither fills the disk nor hides the
 * records of other events. The next record says how many were suppressed. The hook may look at the
 * peer that the record is about, and close it.
 */
#include "pool.h"

/* Returns the newest record, or the one `before` records earlier. */
static const wspool_log_record *record(const struct host *h, unsigned before)
{
    assert_true(h->calls[ON_LOG] > before);
    return &h->records[(h->calls[ON_LOG] - 1 - before) % HOST_RECORDS];
}

static void assert_record(const wspool_log_record *r, enum wspool_log_level level,
                          const char *event, const char *reason, wspool_id id)
{
    assert_string_equal(r->event, event);
    assert_string_equal(r->reason, reason);
    assert_int_equal(r->level, level);
    assert_true(r->id == id);
}

TEST(life_of_a_peer_is_told_in_the_words_of_the_header)
{
    static struct host h;
    host_init(&h);
    host_start(&h);
    wspool_id id = host_come(&h, "/open", "");
    assert_int_equal(h.calls[ON_LOG], 1);
    assert_record(record(&h, 0), WSPOOL_LOG_DEBUG, "opened", "", id);
    assert_true(record(&h, 0)->now == h.now);
    host_run(&h);
    h.now += 5;
    assert_int_equal(wspool_gone(h.pool, id, WSPOOL_GONE_FAILED, h.now), 0);
    assert_int_equal(h.calls[ON_LOG], 2);
    assert_record(record(&h, 0), WSPOOL_LOG_DEBUG, "closed", wspool_end_text(WSPOOL_END_FAILED),
                  id);
    assert_int_equal(record(&h, 0)->code, WSPOOL_CLOSE_ABNORMAL);
    assert_true(record(&h, 0)->now == h.now);
    host_run(&h);

    id = host_come(&h, "/open", "Origin: null");
    assert_record(record(&h, 0), WSPOOL_LOG_INFO, "refused", "origin", id);
    assert_int_equal(record(&h, 0)->stage, WSPOOL_STAGE_ORIGIN);
    assert_int_equal(record(&h, 0)->status, 403);
    host_run(&h);
    id = host_open(&h);
    assert_int_equal(wspool_gone(h.pool, id, WSPOOL_GONE_EOF, h.now), 0);
    assert_record(record(&h, 0), WSPOOL_LOG_INFO, "refused", "gone", id);
    assert_int_equal(record(&h, 0)->stage, WSPOOL_STAGE_BYTES);
    assert_int_equal(record(&h, 0)->status, 0); /* no peer was left */

    assert_int_equal(wspool_drain(h.pool, 0, 0, h.now), 0);
    assert_record(record(&h, 0), WSPOOL_LOG_INFO, "drain", "", 0);
    assert_int_equal(h.calls[ON_LOG], 5);
    host_end(&h);
}

TEST(closed_bears_the_code_that_was_received)
{
    static struct host h;
    host_init(&h);
    host_start(&h);
    wspool_id id = host_come(&h, "/open", "");
    host_feed(&h, id, "\x88\x82\0\0\0\0\x0f\xa1", 8); /* 4001 */
    host_run(&h);
    assert_record(record(&h, 0), WSPOOL_LOG_DEBUG, "closed",
                  wspool_end_text(WSPOOL_END_PEER_CLOSED), id);
    assert_int_equal(record(&h, 0)->code, 4001);
    host_end(&h);
}

/* Fills the queue of a peer that reads nothing ("slow"), and the output budget of the pool
 * ("shed"). */
TEST(slow_and_shed_are_warnings)
{
    static struct host h;
    static char message[20000];
    struct iovec vectors[4];
    memset(message, 'm', sizeof message);
    host_init(&h);
    h.config.queue_messages = 2;
    h.config.pool_bytes = 60000;
    host_start(&h);
    wspool_id id = host_come(&h, "/room/a", "Authorization: Bearer t");
    host_run(&h);
    unsigned before = h.calls[ON_LOG];
    assert_int_equal(wspool_broadcast(h.pool, wspool_item("a"), "m", 1, NULL, NULL), 1);
    assert_int_equal(wspool_broadcast(h.pool, wspool_item("a"), "m", 1, NULL, NULL), 1);
    assert_int_equal(h.calls[ON_LOG], before);
    assert_int_equal(wspool_broadcast(h.pool, wspool_item("a"), "m", 1, NULL, NULL), 0);
    assert_int_equal(h.calls[ON_LOG], before + 1);
    assert_record(record(&h, 0), WSPOOL_LOG_WARNING, "slow", "queue_full", 0);
    assert_int_equal(wspool_gone(h.pool, id, WSPOOL_GONE_EOF, h.now), 0);
    host_run(&h);

    id = host_come(&h, "/room/a", "Authorization: Bearer t");
    wspool_id other = host_come(&h, "/room/b", "Authorization: Bearer t");
    host_run(&h);
    assert_int_equal(wspool_send(h.pool, id, message, sizeof message, NULL), 0);
    assert_int_equal(wspool_peek(h.pool, id, vectors, 4), 1);
    assert_int_equal(wspool_ack(h.pool, id, 0, h.now), 0); /* blocked */
    before = h.calls[ON_LOG];
    assert_int_equal(wspool_send(h.pool, other, message, sizeof message, NULL), 0);
    assert_int_equal(wspool_send(h.pool, other, message, sizeof message, NULL), 0);
    assert_int_equal(h.calls[ON_LOG], before + 1);
    assert_record(record(&h, 0), WSPOOL_LOG_WARNING, "shed", "", id);
    host_end(&h);
}

TEST(abuse_is_logged_with_the_reason_of_the_host)
{
    static struct host h;
    host_init(&h);
    h.config.abuse_burst = 5;
    host_start(&h);
    wspool_id id = host_come(&h, "/open", "");
    assert_int_equal(wspool_report_abuse(h.pool, id, 1, "malformed"), 0);
    assert_record(record(&h, 0), WSPOOL_LOG_INFO, "abuse", "malformed", id);
    assert_int_equal(wspool_report_abuse(h.pool, id, 1, NULL), 0);
    assert_record(record(&h, 0), WSPOOL_LOG_INFO, "abuse", "", id);
    /* the abuse budget is spent */
    assert_int_equal(wspool_report_abuse(h.pool, id, 4, "malformed"), 0);
    host_run(&h);
    assert_int_equal(wspool_report_abuse(h.pool, id, 1, "malformed"), WSPOOL_ERR_STATE);
    assert_int_equal(h.calls[ON_LOG], 4); /* opened, and three more */
    host_end(&h);
}

/* Refuses `count` peers at the present time. */
static void refuse(struct host *h, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        host_come(h, "/nowhere", "");
        host_run(h);
    }
}

TEST(records_are_left_out_and_counted_when_there_are_too_many)
{
    static struct host h;
    host_init(&h);
    host_start(&h);
    refuse(&h, 20);
    assert_int_equal(h.calls[ON_LOG], 20);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(record(&h, i)->suppressed, 0);
    }
    refuse(&h, 5);
    assert_int_equal(h.calls[ON_LOG], 20);
    assert_int_equal(host_stats(&h).log_suppressed, 5);
    /* Ten records come back per second; the first says how many were suppressed. */
    h.now += WSPOOL_SECOND + 100 * WSPOOL_MILLISECOND;
    refuse(&h, 1);
    assert_int_equal(h.calls[ON_LOG], 21);
    assert_int_equal(record(&h, 0)->suppressed, 5);
    refuse(&h, 20);
    assert_in_range(h.calls[ON_LOG], 30, 31);
    assert_int_equal(record(&h, 0)->suppressed, 0);
    uint64_t more = host_stats(&h).log_suppressed - 5;
    assert_in_range(more, 10, 11);
    h.now += WSPOOL_SECOND;
    refuse(&h, 1);
    assert_int_equal(record(&h, 0)->suppressed, more);
    /* After a long time the limit is twenty again, not more. */
    h.now += 3600 * WSPOOL_SECOND;
    unsigned before = h.calls[ON_LOG];
    refuse(&h, 25);
    assert_int_equal(h.calls[ON_LOG], before + 20);
    host_end(&h);
}

TEST(each_event_has_a_rate_of_its_own)
{
    static struct host h;
    host_init(&h);
    host_start(&h);
    refuse(&h, 30);
    assert_int_equal(h.calls[ON_LOG], 20);
    host_come(&h, "/open", "");
    assert_int_equal(h.calls[ON_LOG], 21);
    assert_string_equal(record(&h, 0)->event, "opened");
    assert_int_equal(record(&h, 0)->suppressed, 0); /* none of these was suppressed */
    assert_int_equal(wspool_drain(h.pool, 0, 0, h.now), 0);
    assert_string_equal(record(&h, 0)->event, "drain");
    host_end(&h);
}

TEST(nothing_is_suppressed_when_nobody_listens)
{
    static struct host h;
    host_init(&h);
    h.config.log.call = NULL;
    host_start(&h);
    refuse(&h, 30);
    assert_int_equal(host_stats(&h).log_suppressed, 0);
    host_end(&h);
}

/* The peer of the record still exists: the host may look at it, and close it. */
static void close_it(struct host *h, enum on hook, wspool_id id)
{
    if (hook == ON_LOG && id != 0) {
        assert_ptr_equal(wspool_user(h->pool, id), h);
        (void)wspool_close(h->pool, id, 1000, "from the log", 0);
        assert_int_equal(wspool_gone(h->pool, id, WSPOOL_GONE_FAILED, h->now), 0);
    }
}

TEST(peer_may_be_closed_inside_the_hook)
{
    static struct host h;
    host_init(&h);
    h.inside = close_it;
    host_start(&h);
    host_come(&h, "/open", "");
    assert_int_equal(h.calls[ON_OPEN], 1);
    assert_int_equal(h.calls[ON_CLOSE], 1);
    host_come(&h, "/nowhere", "");
    host_run(&h);
    assert_int_equal(h.calls[ON_LOG], 3); /* opened, closed, refused */
    assert_int_equal(h.released, 2);
    assert_int_equal(host_stats(&h).handshakes + host_stats(&h).peers, 0);
    host_end(&h);
}
