/* SPDX-License-Identifier: MIT */
/*
 * unit/test_stats.c - pool/stats.c: the counters for hosts of any version, and wspool_check.
 *
 * Each counter is changed by hand in a pool with peers in every state: wspool_check must report
 * each single change, and pairs of changes whose sum is right.
 */
#include "pool.h"

/* Makes a pool with peers in the handshake, open, blocked, closing and refused, with memberships
 * and with messages that wait in several blocks. */
static void begin(struct host *h)
{
    static char large[3000];
    struct iovec vectors[4];
    memset(large, 'x', sizeof large);
    host_init(h);
    host_start(h);
    wspool_id ids[4];
    for (size_t i = 0; i < 4; i++) {
        ids[i] = host_come(h, i < 3 ? "/room/a" : "/room/b", "Authorization: Bearer t");
    }
    host_run(h);
    assert_int_equal(wspool_subscribe(h->pool, ids[0], wspool_topic("t")), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(wspool_broadcast(h->pool, wspool_item("a"), large, 3000, NULL, NULL), 3);
    }
    assert_true(wspool_peek(h->pool, ids[0], vectors, 4) > 0);
    assert_int_equal(wspool_ack(h->pool, ids[0], 100, h->now), 0);
    assert_int_equal(wspool_close(h->pool, ids[3], 1000, NULL, 0), 0);
    host_open(h);
    host_feed(h, host_open(h), "GET /", 5);
    host_come(h, "/nowhere", "");
    host_check(h);
}

/* -------------------------------------------------------------------- sizes */

TEST(numbers_are_those_of_the_pool_when_asked_for)
{
    static struct host h;
    begin(&h);
    wspool_statistics s = host_stats(&h);
    assert_int_equal(s.size, sizeof s);
    assert_int_equal(s.attempts, 7);
    assert_int_equal(s.accepted, 4);
    assert_int_equal(s.handshakes, 2);
    assert_int_equal(s.peers, 4);
    assert_int_equal(s.channels, 2);
    assert_int_equal(s.memberships, 4);
    assert_int_equal(s.published, 8);
    assert_int_equal(s.deliveries, 24);
    assert_int_equal(s.queued, 24);
    assert_int_equal(s.waiting, 24);
    assert_int_equal(s.waiting_bytes, 24 * 3004 - 100);
    assert_int_equal(s.encoded, 8);
    assert_int_equal(s.encoded_bytes, 8 * 3004);
    assert_int_equal(s.blocked, 1);
    assert_int_equal(s.refused[WSPOOL_REFUSED_NO_ROUTE], 1);
    assert_int_equal(s.stages[WSPOOL_STAGE_REQUEST_LINE].refused, 1);
    assert_int_equal(s.stages[WSPOOL_STAGE_FLUSHED].passed, 4);
    assert_true(s.block_bytes >= s.encoded_bytes && s.block_bytes < 2 * s.encoded_bytes);
    host_end(&h);
}

/* Each counter is in its own field: each is changed by hand, one by one. */
TEST(each_number_stands_in_its_place)
{
    static struct host h;
    host_init(&h);
    host_start(&h);
    struct wsp_counters *n = &h.pool->count;
    struct wsp_counters kept;
    memcpy(&kept, n, sizeof kept);
    uint64_t value = 1000;
#define WSPOOL_X(name, unit, help) wsp_count_set(&n->name, value++);
#define WSPOOL_DERIVED(name, unit, help) value++;
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES_OR_DERIVED(WSPOOL_X, WSPOOL_DERIVED)
#undef WSPOOL_DERIVED
#undef WSPOOL_X
    for (size_t i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        wsp_count_set(&n->refused[i], value++);
    }
    for (size_t i = 0; i < WSPOOL_END_COUNT; i++) {
        wsp_count_set(&n->ended[i], value++);
    }
    for (size_t i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        wsp_count_set(&n->stages[i].passed, value++);
        wsp_count_set(&n->stages[i].refused, value++);
        wsp_count_set(&n->stages[i].time, value++);
    }
    wspool_statistics s = host_stats(&h);
    value = 1000;
    s.waiting = s.input_bytes = 0; /* these are derived, or kept elsewhere */
#define WSPOOL_X(name, unit, help) \
    assert_true(s.name == value || &s.name == &s.waiting || &s.name == &s.input_bytes); \
    value++;
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES(WSPOOL_X)
#undef WSPOOL_X
    for (size_t i = 0; i < WSPOOL_STATS_REFUSALS; i++) {
        assert_true(s.refused[i] == (i < WSPOOL_REFUSAL_COUNT ? value++ : 0));
    }
    for (size_t i = 0; i < WSPOOL_STATS_ENDS; i++) {
        assert_true(s.ended[i] == (i < WSPOOL_END_COUNT ? value++ : 0));
    }
    for (size_t i = 0; i < WSPOOL_STATS_STAGES; i++) {
        int there = i < WSPOOL_STAGE_COUNT;
        assert_true(s.stages[i].passed == (there ? value++ : 0));
        assert_true(s.stages[i].refused == (there ? value++ : 0));
        assert_true(s.stages[i].time == (there ? value++ : 0));
    }
    memcpy(n, &kept, sizeof kept);
    host_end(&h);
}

TEST(waiting_is_never_below_zero_when_the_numbers_are_apart)
{
    static struct host h;
    host_init(&h);
    host_start(&h);
    wsp_count_set(&h.pool->count.queued, 5); /* a value as another thread may read it */
    wsp_count_set(&h.pool->count.sent, 7);
    assert_int_equal(host_stats(&h).waiting, 0);
    wsp_count_set(&h.pool->count.sent, 3);
    wsp_count_set(&h.pool->count.dropped_closed, 1);
    assert_int_equal(host_stats(&h).waiting, 1);
    wsp_count_set(&h.pool->count.queued, 0);
    wsp_count_set(&h.pool->count.sent, 0);
    wsp_count_set(&h.pool->count.dropped_closed, 0);
    host_end(&h);
}

TEST(no_more_is_written_than_the_host_knows)
{
    static struct host h;
    begin(&h);
    wspool_statistics whole = host_stats(&h);
    for (size_t size = sizeof(size_t); size < sizeof whole; size++) {
        uint8_t *room = malloc(size); /* no byte more */
        memcpy(room, &size, sizeof size);
        assert_int_equal(wspool_stats(h.pool, (wspool_statistics *)(void *)room), 0);
        whole.size = size; /* size is not changed */
        assert_memory_equal(room, &whole, size);
        free(room);
    }
    host_end(&h);
}

TEST(rest_is_left_alone_when_the_host_knows_more)
{
    static struct host h;
    struct {
        wspool_statistics known;
        uint8_t more[50];
    } newer;
    begin(&h);
    memset(&newer, 0xee, sizeof newer);
    newer.known.size = sizeof newer;
    assert_int_equal(wspool_stats(h.pool, &newer.known), 0);
    assert_int_equal(newer.known.size, sizeof newer);
    assert_int_equal(newer.known.attempts, 7);
    for (size_t i = 0; i < sizeof newer.more; i++) {
        assert_int_equal(newer.more[i], 0xee);
    }
    host_end(&h);
}

TEST(arguments_are_refused_when_they_are_none)
{
    static struct host h;
    wspool_statistics s = {.size = sizeof s};
    begin(&h);
    assert_int_equal(wspool_stats(NULL, &s), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_stats(h.pool, NULL), WSPOOL_ERR_INVAL);
    s.size = sizeof s.size - 1;
    s.attempts = 99;
    assert_int_equal(wspool_stats(h.pool, &s), WSPOOL_ERR_INVAL);
    assert_int_equal(s.attempts, 99);
    assert_int_equal(wspool_check(NULL), WSPOOL_ERR_INVAL);
    host_end(&h);
}

/* ------------------------------------------------------------------ balance */

/* While `place` has `value` the counters don't balance; afterwards they do. */
#define BROKEN(place, value) \
    do { \
        __typeof__(place) kept_ = (place); \
        (place) = (__typeof__(place))(value); \
        if (wspool_check(h.pool) != WSPOOL_ERR_INTERNAL) { \
            fail_msg("not seen: " #place); \
        } \
        (place) = kept_; \
        assert_int_equal(wspool_check(h.pool), 0); \
    } while (0)
/* A counter that is one too high, or one too low. */
#define WRONG(number) \
    do { \
        uint64_t right_ = wsp_count_read(&(number)); \
        wsp_count_set(&(number), right_ + 1); \
        if (wspool_check(h.pool) != WSPOOL_ERR_INTERNAL) { \
            fail_msg("not seen: one more " #number); \
        } \
        wsp_count_set(&(number), right_ - 1); \
        if (wspool_check(h.pool) != WSPOOL_ERR_INTERNAL) { \
            fail_msg("not seen: one less " #number); \
        } \
        wsp_count_set(&(number), right_); \
        assert_int_equal(wspool_check(h.pool), 0); \
    } while (0)

TEST(check_sees_it_when_any_number_is_wrong)
{
    static struct host h;
    begin(&h);
    struct wsp_counters *n = &h.pool->count;
    WRONG(n->attempts);
    WRONG(n->accepted);
    WRONG(n->plain);
    WRONG(n->handshakes);
    WRONG(n->peers);
    for (size_t i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        WRONG(n->refused[i]);
    }
    for (size_t i = 0; i < WSPOOL_END_COUNT; i++) {
        WRONG(n->ended[i]);
    }
    WRONG(n->deliveries);
    WRONG(n->queued);
    WRONG(n->sent);
    WRONG(n->dropped_closed);
    WRONG(n->slow_closes);
    WRONG(n->waiting_bytes);
    WRONG(n->channels);
    WRONG(n->memberships);
    WRONG(n->block_bytes);
    host_end(&h);
}

/* Two counters that are wrong by the same amount, so that their sum is right. */
TEST(check_sees_it_when_wrong_numbers_make_up_for_each_other)
{
    static struct host h;
    begin(&h);
    struct wsp_counters *n = &h.pool->count;
#define AGAIN(a, b) \
    wsp_count_add(&n->a, 1); \
    wsp_count_add(&n->b, 1); \
    assert_int_equal(wspool_check(h.pool), WSPOOL_ERR_INTERNAL); \
    wsp_count_sub(&n->a, 1); \
    wsp_count_sub(&n->b, 1); \
    assert_int_equal(wspool_check(h.pool), 0)
    AGAIN(attempts, handshakes);
    AGAIN(accepted, peers);
    AGAIN(deliveries, queued);
#undef AGAIN
    wsp_count_add(&n->attempts, 1); /* and all equations hold */
    wsp_count_add(&n->accepted, 1);
    wsp_count_add(&n->peers, 1);
    assert_int_equal(wspool_check(h.pool), WSPOOL_ERR_INTERNAL);
    wsp_count_sub(&n->attempts, 1);
    wsp_count_sub(&n->accepted, 1);
    wsp_count_sub(&n->peers, 1);
    host_end(&h);
}

TEST(check_sees_it_when_a_queue_is_wrong)
{
    static struct host h;
    begin(&h);
    struct wsp_peer *peer = wsp_slots_at(&h.pool->peers, 0);
    struct wsp_outq *out = &peer->conn.out;
    BROKEN(out->bytes, out->bytes + 1);
    BROKEN(out->count, out->count - 1);
    BROKEN(out->first.bytes, out->first.bytes - 1);
    BROKEN(out->first.count, out->first.count + 1);
    BROKEN(out->accepts, 0);
    BROKEN(peer->conn.state, WSP_CLOSING);
    host_end(&h);
}

TEST(check_sees_it_when_a_block_is_wrong)
{
    static struct host h;
    begin(&h);
    struct wsp_blocks *blocks = &h.pool->link.blocks;
    const struct wsp_peer *peer = wsp_slots_at(&h.pool->peers, 0);
    struct wsp_block *old = peer->conn.out.first.block;
    assert_ptr_not_equal(old, blocks->current);
    BROKEN(old->holds, old->holds + 1);
    BROKEN(old->holds, old->holds - 1);
    BROKEN(old->used, old->cap + 1);
    BROKEN(blocks->current->holds, blocks->current->holds + 1);
    BROKEN(blocks->current->used, 1);
    BROKEN(blocks->bytes, blocks->bytes + 1);
    BROKEN(blocks->current, NULL);
    host_end(&h);
}

TEST(check_sees_it_when_a_membership_is_wrong)
{
    static struct host h;
    begin(&h);
    struct wsp_peer *peer = wsp_slots_at(&h.pool->peers, 0);
    struct wsp_channel *channel = wsp_membership_channel(&peer->memberships, 0);
    BROKEN(peer->memberships.count, 1);
    BROKEN(peer->memberships.count, 3);
    BROKEN(peer->memberships.first_index, 1);
    BROKEN(channel->members[0].membership, 1);
    BROKEN(channel->count, 2);
    BROKEN(h.pool->registry.channels.count, 3);
    host_end(&h);
}

TEST(check_sees_it_when_a_peer_that_ended_is_still_a_member)
{
    static struct host h;
    begin(&h);
    struct wsp_peer *peer = wsp_slots_at(&h.pool->peers, 4); /* has sent nothing yet */
    assert_int_equal(peer->conn.state, WSP_HEAD);
    assert_int_equal(wspool_gone(h.pool, wsp_peer_id(peer), WSPOOL_GONE_EOF, h.now), 0);
    BROKEN(peer->memberships.count, 1);
    assert_int_equal(wsp_registry_join(&h.pool->registry, peer, wspool_topic("t"), 9), 0);
    assert_int_equal(wspool_check(h.pool), WSPOOL_ERR_INTERNAL);
    wsp_registry_leave_all(&h.pool->registry, peer);
    host_end(&h);
}

/* With no block held and nothing waiting, fewer sums can show the error. */
TEST(check_sees_it_when_a_number_of_an_idle_pool_is_wrong)
{
    static struct host h;
    host_init(&h);
    host_start(&h);
    host_come(&h, "/room/a", "Authorization: Bearer t");
    assert_int_equal(wspool_broadcast(h.pool, wspool_item("a"), "m", 1, NULL, NULL), 1);
    host_run(&h);
    struct wsp_counters *n = &h.pool->count;
    WRONG(n->queued);
    WRONG(n->sent);
    WRONG(n->dropped_closed);
    BROKEN(h.pool->reserved, 1);
    BROKEN(h.pool->link.blocks.current->holds, 2);
    host_end(&h);
}

TEST(check_sees_it_when_a_deadline_or_a_mark_is_lost)
{
    static struct host h;
    begin(&h);
    struct wsp_peer *peer = wsp_slots_at(&h.pool->peers, 4);
    BROKEN(peer->conn.timer.prev, WSP_TIMER_OFF);
    BROKEN(h.pool->link.timers.occupied[0], ~UINT64_C(0));
    BROKEN(h.pool->link.ready.summary[0], 0);
    BROKEN(h.pool->link.due.words[0], 1);
    host_end(&h);
}
