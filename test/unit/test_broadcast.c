/* SPDX-License-Identifier: MIT */
/*
 * unit/test_broadcast.c - channel/broadcast.h: which members get a message, what happens to members
 * whose queue is full, and that each of them is counted.
 *
 * A crowd is a link with open peers that are members of one channel. Its messages are numbered: the
 * payload begins with the number, so that a test can read back what each peer was sent. The last
 * test runs random publishes, writes and allocation failures for each policy, and checks that the
 * counters balance.
 */
#include <wspool/wspool.h>

#include "support.h"
#include "toy.h"
#include "base/bytes.h"
#include "channel/broadcast.h"
#include "link/negotiated.h"
#include "link/receive.h"
#include "link/transmit.h"

#define SMALL 8u             /* bytes of an ordinary payload */
#define ENCODED (2u + SMALL) /* bytes of its encoded frame */
#define NOW (1000 * WSPOOL_SECOND)

struct crowd {
    struct test_mem mem;
    wspool_mem hooks;
    wspool_config config;
    struct wsp_counters count;
    struct wsp_link link;
    struct wsp_registry registry;
    struct wsp_rules *rules; /* of the channel */
    struct wsp_peer *peers;
    uint32_t peer_count;
    struct wsp_channel *channel;
    uint32_t published;
    struct wsp_bytes *sent; /* for each peer: what its transport accepted */
    struct toy toy;
    uint8_t payload[1000]; /* payload of the last message */
    uint32_t payload_len;
};

/* Peers use the encodings 0 (plain), 1, 2 ... below this number in turn. */
static uint32_t encodings_count = 1;

static struct wsp_timer *timer_at(void *owner, uint32_t slot)
{
    struct crowd *c = owner;
    assert_true(slot < c->peer_count);
    return &c->peers[slot].conn.timer;
}

static void on_active(void *owner, const struct wsp_channel *channel, int active)
{
    (void)owner, (void)channel, (void)active;
}

static void open_peer(struct crowd *c, struct wsp_peer *peer)
{
    peer->conn.slot.index = (uint32_t)(peer - c->peers);
    peer->conn.slot.generation = 1;
    wsp_conn_init(&c->link, &peer->conn);
    peer->conn.parser.negotiated = wsp_negotiated(peer->conn.slot.index % encodings_count, 0);
    wsp_conn_open(&c->link, &peer->conn);
    wsp_bitset_remove(&c->link.ready, peer->conn.slot.index);
}

static int join(struct crowd *c, uint32_t peer)
{
    return wsp_registry_join(&c->registry, &c->peers[peer], wspool_topic("t"), 10);
}

/* Makes `peers` peers; the first `members` of them join the channel. */
static void begin(struct crowd *c, uint32_t peers, uint32_t members, enum wspool_slow slow)
{
    struct wsp_siphash_key seed = {1, 2};
    memset(c, 0, sizeof *c);
    c->hooks = test_mem_hooks(&c->mem);
    wspool_config_init(&c->config);
    c->config.queue_messages = 4;
    c->config.queue_bytes = 1000; /* for the watermarks */
    c->config.codec = toy_hook(&c->toy);
    c->toy.mem = &c->hooks;
    c->peers = calloc(peers, sizeof *c->peers);
    c->peer_count = peers;
    c->sent = calloc(peers, sizeof *c->sent);
    struct wsp_link *link = &c->link;
    link->mem = &c->hooks;
    link->config = &c->config;
    link->low_bytes = link->low_messages = UINT32_MAX;
    wsp_conn_lower_watermark(link, link->config->queue_bytes, link->config->queue_messages);
    link->count = &c->count;
    link->now = NOW;
    link->random = 1;
    wsp_blocks_init(&link->blocks, &c->hooks, UINT64_MAX, &c->count.block_bytes);
    wsp_outqs_init(&link->outqs, &c->hooks);
    wsp_decoders_init(&link->decoders, &c->hooks);
    wsp_inbounds_init(&link->inbounds, &c->hooks, &link->decoders, &c->config.codec);
    wsp_timers_init(&link->timers, NOW, timer_at, c);
    link->new_output = &link->ready;
    link->flush_at = UINT64_MAX;
    assert_int_equal(wsp_bitset_reserve(&link->ready, &c->hooks, peers), 0);
    assert_int_equal(wsp_bitset_reserve(&link->due, &c->hooks, peers), 0);
    wsp_registry_init(&c->registry, &c->hooks, &seed, 1, &c->count);
    c->registry.on_active = on_active;
    c->rules = &c->registry.rules[WSPOOL_TOPIC];
    *c->rules = (struct wsp_rules){.slow = slow, .queue_bytes = 1000, .queue_messages = 4};
    for (uint32_t i = 0; i < peers; i++) {
        open_peer(c, &c->peers[i]);
        if (i < members) {
            assert_int_equal(join(c, i), 0);
        }
    }
    c->channel = wsp_registry_find(&c->registry, wspool_topic("t"));
}

static void check(const struct crowd *c)
{
    const struct wsp_counters *n = &c->count;
    uint64_t waiting = 0, bytes = 0;
    for (uint32_t i = 0; i < c->peer_count; i++) {
        const struct wsp_outq *out = &c->peers[i].conn.out;
        assert_int_equal(wsp_conn_check(&c->peers[i].conn), 1);
        assert_true(out->count <= c->rules->queue_messages);
        assert_true(out->bytes <= c->rules->queue_bytes);
        waiting += out->count;
        bytes += out->bytes;
    }
    assert_true(wsp_count_read(&n->deliveries) ==
                wsp_count_read(&n->queued) + wsp_count_read(&n->slow_closes));
    assert_true(wsp_count_read(&n->queued) ==
                wsp_count_read(&n->sent) + wsp_count_read(&n->dropped_closed) + waiting);
    assert_true(wsp_count_read(&n->waiting_bytes) == bytes);
}

static void end(struct crowd *c)
{
    struct wsp_link *link = &c->link;
    check(c);
    for (uint32_t i = 0; i < c->peer_count; i++) {
        wsp_conn_end(link, &c->peers[i].conn, WSPOOL_END_EOF);
        wsp_registry_leave_all(&c->registry, &c->peers[i]);
        wsp_conn_fini(link, &c->peers[i].conn, 1);
    }
    check(c);
    wsp_registry_fini(&c->registry);
    wsp_inbounds_fini(&link->inbounds);
    wsp_decoders_fini(&link->decoders);
    wsp_outqs_fini(&link->outqs);
    wsp_blocks_fini(&link->blocks);
    wsp_bitset_fini(&link->ready, &c->hooks);
    wsp_bitset_fini(&link->due, &c->hooks);
    toy_check(&c->toy);
    assert_int_equal(c->mem.live, 0);
    for (uint32_t i = 0; i < c->peer_count; i++) {
        wsp_bytes_fini(&c->sent[i], &wsp_mem_default);
    }
    free(c->sent);
    free(c->peers);
}

/* The same bytes on each machine, because encoded lengths depend on them. */
static void put_number(void *at, uint32_t number)
{
    for (size_t i = 0; i < sizeof number; i++) {
        ((uint8_t *)at)[i] = (uint8_t)(number >> 8 * i);
    }
}

/* Encodes the next message with `len` bytes of payload. */
static struct wsp_run encode(struct crowd *c, uint32_t len)
{
    uint8_t *payload = c->payload;
    int error = 0;
    uint32_t frame_len = wsp_frame_head_len(len) + len;
    assert_in_range(len, sizeof c->published, sizeof c->payload);
    memset(payload, 0, sizeof c->payload);
    c->payload_len = len;
    put_number(payload, c->published);
    c->published++;
    uint8_t *room = wsp_blocks_room(&c->link.blocks, frame_len, &error);
    assert_non_null(room);
    wsp_frame_write(room, WSP_BINARY, payload, len);
    return wsp_blocks_commit(&c->link.blocks, frame_len);
}

/* Broadcasts the message that was encoded last. `frame` is its plain encoded frame. */
static void walk(struct crowd *c, struct wsp_channel *channel, const struct wsp_run *frame,
                 struct wsp_peer *except, wspool_tally *tally)
{
    struct wsp_encodings encodings;
    channel->offset++;
    wsp_encodings_init(&encodings, frame,
                       &(struct wsp_message){c->payload, c->payload_len, WSP_BINARY});
    if (except)
        wsp_conn_take_messages(&except->conn, 0);
    wsp_broadcast(&c->link, channel, &encodings, 0, tally);
    if (except)
        wsp_conn_take_messages(&except->conn, 1);
    wsp_encodings_fini(&encodings);
}

static wspool_tally publish_except(struct crowd *c, uint32_t len, struct wsp_peer *except)
{
    wspool_tally tally = {.size = sizeof tally};
    struct wsp_run frame = encode(c, len);
    walk(c, c->channel, &frame, except, &tally);
    check(c);
    return tally;
}

static wspool_tally publish(struct crowd *c)
{
    return publish_except(c, SMALL, NULL);
}

static size_t peek(struct wsp_conn *conn, struct iovec *vectors, int *n)
{
    size_t total = 0;
    *n = wsp_outq_peek(&conn->out, vectors, 16);
    for (int i = 0; i < *n; i++) {
        total += vectors[i].iov_len;
    }
    return total;
}

/* Acknowledges `bytes` of the bytes last peeked. */
static void written(struct crowd *c, uint32_t peer, const struct iovec *vectors, size_t bytes)
{
    size_t left = bytes;
    for (int i = 0; left > 0; i++) {
        size_t part = vectors[i].iov_len < left ? vectors[i].iov_len : left;
        assert_int_equal(
            wsp_bytes_append(&c->sent[peer], &wsp_mem_default, vectors[i].iov_base, part, 1u << 30),
            0);
        left -= part;
    }
    assert_int_equal(wsp_conn_ack(&c->link, &c->peers[peer].conn, bytes), 0);
}

/* The transport of the peer accepts everything. */
static void flush(struct crowd *c, uint32_t peer)
{
    struct wsp_conn *conn = &c->peers[peer].conn;
    struct iovec vectors[16];
    int n;
    wsp_conn_writable(&c->link, conn);
    while (conn->state != WSP_CLOSED && !wsp_outq_empty(&conn->out)) {
        written(c, peer, vectors, peek(conn, vectors, &n));
    }
    check(c);
}

static uint32_t number_at(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Stores the numbers of the messages that were sent whole to the peer, at most `max`. Returns
 * how many. */
static uint32_t numbers_of(const struct crowd *c, uint32_t peer, uint32_t *numbers, uint32_t max)
{
    const struct wsp_bytes *sent = &c->sent[peer];
    uint32_t count = 0;
    for (size_t at = 0, whole; at + 2 <= sent->len; at += whole) {
        const uint8_t *frame = sent->data + at;
        whole = frame[1] < 126 || at + 4 <= sent->len ? wsp_frame_encoded_len(frame) : sent->len;
        if (at + whole > sent->len) {
            break;
        }
        if (frame[0] == (0x80 | WSP_BINARY)) {
            assert_true(count < max);
            numbers[count++] = number_at(frame + (frame[1] < 126 ? 2 : 4));
        } else if (frame[0] == (0xc0 | WSP_BINARY)) { /* in the peer's own encoding only */
            uint8_t message[1000];
            uint32_t encoding = peer % encodings_count;
            assert_true(encoding > 0 && count < max && frame[1] < 126);
            size_t len = toy_read(frame + 2, frame[1], message, sizeof message);
            assert_in_range(len, sizeof *numbers, sizeof message);
            uint8_t again[2 * sizeof message + 32];
            assert_int_equal(toy_write(again, encoding, message, len), frame[1]);
            numbers[count++] = number_at(message);
        } else {
            assert_int_equal(frame[0], 0x80 | WSP_CLOSE);
            assert_int_equal(at + whole, sent->len); /* nothing follows a Close */
        }
    }
    return count;
}

/* The transport of the peer accepts nothing. */
static void block(struct crowd *c, uint32_t peer)
{
    struct wsp_conn *conn = &c->peers[peer].conn;
    struct iovec vectors[16];
    int n;
    assert_true(peek(conn, vectors, &n) > 0);
    assert_int_equal(wsp_conn_ack(&c->link, conn, 0), 0);
    assert_int_equal(conn->out.blocked, 1);
}

static void assert_sent(const struct crowd *c, uint32_t peer, const uint32_t *numbers, uint32_t n)
{
    uint32_t got[16];
    assert_int_equal(numbers_of(c, peer, got, 16), n);
    assert_memory_equal(got, numbers, n * sizeof *got);
}

static void assert_tally(wspool_tally t, uint32_t queued, uint32_t slow, uint32_t closed,
                         uint32_t behind)
{
    assert_int_equal(t.queued, queued);
    assert_int_equal(t.slow, slow);
    assert_int_equal(t.closed, closed);
    assert_int_equal(t.behind, behind);
}

static int has_event(struct crowd *c, uint32_t peer, unsigned event)
{
    assert_true(!(c->peers[peer].conn.flags & event) || wsp_bitset_has(&c->link.due, peer));
    return (c->peers[peer].conn.flags & event) != 0;
}

/* ---------------------------------------------------------------- recipients */

/* The walk prefetches records a few places ahead: it must not read past the end of the list. */
TEST(message_goes_to_every_member_when_there_are_any_number)
{
    static const uint32_t counts[] = {0, 1, 2, 11, 12, 13, 14, 23, 24, 25, 100};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        struct crowd c;
        uint32_t n = counts[k];
        begin(&c, n + 1, 1, WSPOOL_SLOW_CLOSE);
        struct wsp_channel exact = {.rules = c.rules, .count = n, .cap = n, .live = n};
        exact.members = malloc(n > 0 ? n * sizeof *exact.members : 1);
        for (uint32_t i = 0; i < n; i++) {
            exact.members[i] = (struct wsp_member){.peer = &c.peers[n - 1 - i]};
        }
        wspool_tally tally = {.size = sizeof tally};
        struct wsp_run frame = encode(&c, SMALL);
        walk(&c, &exact, &frame, NULL, &tally);
        check(&c);
        assert_tally(tally, n, 0, 0, 0);
        assert_true(wsp_count_read(&c.count.deliveries) == n);
        for (uint32_t i = 0; i < n; i++) {
            const struct wsp_outq *out = &c.peers[i].conn.out;
            assert_int_equal(out->count, 1);
            assert_int_equal(out->bytes, ENCODED);
            /* all members share one encoded frame */
            assert_ptr_equal(out->first.block, frame.block);
            assert_int_equal(out->first.offset, frame.offset);
            assert_true(wsp_bitset_has(&c.link.ready, i));
        }
        assert_int_equal(c.peers[n].conn.out.count, 0);
        assert_false(wsp_bitset_has(&c.link.ready, n));
        /* one reference per queue, and one of the store */
        assert_int_equal(frame.block->holds, n + 1);
        free(exact.members);
        end(&c);
    }
}

TEST(messages_are_one_run_when_published_one_behind_the_other)
{
    struct crowd c;
    begin(&c, 20, 20, WSPOOL_SLOW_CLOSE);
    publish(&c);
    size_t calls = c.mem.calls;
    for (int i = 0; i < 3; i++) {
        assert_tally(publish(&c), 20, 0, 0, 0);
    }
    assert_int_equal(c.mem.calls, calls); /* a burst allocates nothing either */
    for (uint32_t i = 0; i < 20; i++) {
        assert_null(c.peers[i].conn.out.more);
        assert_int_equal(c.peers[i].conn.out.first.count, 4);
        flush(&c, i);
        assert_sent(&c, i, (uint32_t[]){0, 1, 2, 3}, 4);
    }
    end(&c);
}

TEST(members_are_those_at_the_moment_of_the_call)
{
    struct crowd c;
    begin(&c, 3, 2, WSPOOL_SLOW_CLOSE);
    publish(&c);
    assert_int_equal(join(&c, 2), 0);
    assert_tally(publish(&c), 3, 0, 0, 0);
    assert_int_equal(wsp_registry_leave(&c.registry, &c.peers[0], c.channel), 0);
    assert_tally(publish(&c), 2, 0, 0, 0);
    for (uint32_t i = 0; i < 3; i++) {
        flush(&c, i);
    }
    assert_sent(&c, 0, (uint32_t[]){0, 1}, 2);
    assert_sent(&c, 1, (uint32_t[]){0, 1, 2}, 3);
    assert_sent(&c, 2, (uint32_t[]){1, 2}, 2);
    end(&c);
}

TEST(one_gets_nothing_when_it_is_excepted)
{
    struct crowd c;
    begin(&c, 15, 14, WSPOOL_SLOW_CLOSE);
    for (uint32_t i = 0; i < 15; i++) { /* the last exception is no member: nobody is excepted */
        assert_tally(publish_except(&c, SMALL, &c.peers[i]), i < 14 ? 13 : 14, 0, 0, 0);
        for (uint32_t k = 0; k < 15; k++) {
            assert_int_equal(c.peers[k].conn.out.count, k < 14 && k != i);
            flush(&c, k);
        }
    }
    end(&c);
}

/* Peers that have ended, or are closing, stay members until the call returns. */
TEST(dead_are_passed_over_when_they_are_members_still)
{
    for (uint32_t dead = 0; dead < 14; dead++) {
        struct crowd c;
        begin(&c, 14, 14, WSPOOL_SLOW_CLOSE);
        uint32_t other = (dead + 5) % 14;
        wsp_conn_end(&c.link, &c.peers[dead].conn, WSPOOL_END_FAILED);
        wsp_conn_close(&c.link, &c.peers[other].conn, WSPOOL_END_HOST_CLOSED, 1000, NULL, 0, 0);
        assert_int_equal(c.channel->count, 14);
        assert_tally(publish(&c), 12, 0, 0, 0);
        assert_true(wsp_count_read(&c.count.deliveries) == 12);
        for (uint32_t i = 0; i < 14; i++) {
            assert_int_equal(c.peers[i].conn.out.count, i != dead && i != other);
        }
        end(&c);
    }
}

TEST(tally_calls_those_slow_that_are_blocked)
{
    struct crowd c;
    begin(&c, 5, 5, WSPOOL_SLOW_BEHIND);
    publish(&c);
    block(&c, 1);
    block(&c, 3);
    for (uint32_t i = 0; i < 5; i++) {
        wsp_bitset_remove(&c.link.ready, i);
    }
    assert_tally(publish(&c), 5, 2, 0, 0);
    for (uint32_t i = 0; i < 5; i++) { /* a blocked peer is not reported as ready to write */
        assert_int_equal(wsp_bitset_has(&c.link.ready, i), i != 1 && i != 3);
    }
    publish(&c);
    publish(&c);
    /* a member that did not get the message counts as behind, not as slow */
    assert_tally(publish(&c), 0, 0, 0, 5);
    end(&c);
}

/* ----------------------------------------------------------------- policies */

static void fill(struct crowd *c, uint32_t messages)
{
    for (uint32_t i = 0; i < messages; i++) {
        assert_tally(publish(c), c->channel->count, 0, 0, 0);
    }
}

static void assert_behind(struct crowd *c, uint32_t peer, uint64_t due)
{
    const struct wsp_conn *conn = &c->peers[peer].conn;
    const struct wsp_member *member = wsp_registry_member(&c->peers[peer], c->channel);
    assert_false(wsp_member_is_live(c->channel, member));
    assert_int_equal(member->next, due);
    assert_int_equal(conn->state, WSP_OPEN);
    assert_true(conn->out.marks & WSP_MARK_BEHIND);
    assert_true(wsp_bitset_has(&c->link.due, peer));
}

TEST(member_falls_behind_when_the_messages_are_full)
{
    struct crowd c;
    begin(&c, 3, 3, WSPOOL_SLOW_BEHIND);
    fill(&c, 4);
    flush(&c, 1);
    assert_tally(publish(&c), 1, 0, 0, 2);
    assert_behind(&c, 0, 5);
    assert_behind(&c, 2, 5);
    assert_true(wsp_member_is_live(c.channel, wsp_registry_member(&c.peers[1], c.channel)));
    flush(&c, 0);
    assert_tally(publish(&c), 1, 0, 0, 2); /* it has room again, and gets nothing */
    assert_behind(&c, 0, 5);
    assert_true(wsp_count_read(&c.count.left_behind) == 4);
    flush(&c, 1);
    flush(&c, 2);
    assert_sent(&c, 0, (uint32_t[]){0, 1, 2, 3}, 4);
    assert_sent(&c, 1, (uint32_t[]){0, 1, 2, 3, 4, 5}, 6);
    assert_sent(&c, 2, (uint32_t[]){0, 1, 2, 3}, 4);
    end(&c);
}

/* With a limit of exactly the bytes that fit, and of one byte less. */
TEST(member_falls_behind_when_the_bytes_are_full)
{
    for (uint32_t room = 3 * ENCODED - 1; room <= 3 * ENCODED; room++) {
        struct crowd c;
        begin(&c, 2, 2, WSPOOL_SLOW_BEHIND);
        c.rules->queue_bytes = room;
        fill(&c, 2);
        int fits = room == 3 * ENCODED;
        assert_tally(publish(&c), fits ? 2 : 0, 0, 0, fits ? 0 : 2);
        assert_tally(publish(&c), 0, 0, 0, 2);
        assert_behind(&c, 0, fits ? 4 : 3);
        end(&c);
    }
}

/* Whoever takes the place of one that falls behind gets the message too, and only once. */
TEST(members_that_stay_live_get_each_message_whoever_falls_behind)
{
    for (uint32_t full = 0; full < 1u << 5; full++) {
        struct crowd c;
        uint32_t behind = 0;
        begin(&c, 5, 5, WSPOOL_SLOW_BEHIND);
        fill(&c, 4);
        for (uint32_t i = 0; i < 5; i++) {
            if (full >> i & 1) {
                behind++;
            } else {
                flush(&c, i);
            }
        }
        assert_tally(publish(&c), 5 - behind, 0, 0, behind);
        for (uint32_t i = 0; i < 5; i++) {
            flush(&c, i);
            assert_sent(&c, i, (uint32_t[]){0, 1, 2, 3, 4}, full >> i & 1 ? 4 : 5);
        }
        end(&c);
    }
}

TEST(peer_is_closed_when_full_and_that_is_the_policy)
{
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        struct crowd c;
        begin(&c, 3, 3, WSPOOL_SLOW_CLOSE);
        if (by_bytes) {
            c.rules->queue_messages = 100;
            c.rules->queue_bytes = 5 * ENCODED - 1;
        }
        fill(&c, 4);
        flush(&c, 1);
        assert_tally(publish(&c), 1, 0, 2, 0);
        assert_true(wsp_count_read(&c.count.slow_closes) == 2);
        /* the messages that waited for closed peers */
        assert_true(wsp_count_read(&c.count.dropped_closed) == 8);
        const struct wsp_conn *conn = &c.peers[0].conn;
        assert_int_equal(conn->state, WSP_CLOSING);
        assert_int_equal(conn->end, WSPOOL_END_SLOW);
        assert_int_equal(conn->code_sent, WSPOOL_CLOSE_SLOW_CONSUMER);
        assert_true(has_event(&c, 0, WSP_DUE_LEAVE));
        assert_int_equal(c.peers[1].conn.state, WSP_OPEN);
        assert_int_equal(c.channel->count, 3); /* the list does not change while it is walked */
        assert_tally(publish(&c), 1, 0, 0, 0);
        flush(&c, 0);
        assert_sent(&c, 0, NULL, 0); /* only the Close */
        end(&c);
    }
}

/* -------------------------------------------------------------- no memory */

/* Leaves the peer with a last run that can't grow, so that the next message needs a second run. */
static void make_gap(struct crowd *c, uint32_t peer)
{
    struct iovec vectors[16];
    int n;
    (void)peek(&c->peers[peer].conn, vectors, &n); /* a run that is being written does not grow */
}

TEST(member_is_slow_when_there_is_no_memory_for_a_run)
{
    for (int slow = WSPOOL_SLOW_CLOSE; slow <= WSPOOL_SLOW_BEHIND; slow++) {
        struct crowd c;
        int closes = slow == WSPOOL_SLOW_CLOSE;
        begin(&c, 15, 15, (enum wspool_slow)slow);
        fill(&c, 1);
        for (uint32_t i = 0; i < 15; i += 2) {
            make_gap(&c, i);
        }
        c.mem.fail_at = 3;
        c.mem.fail_on = 1;
        wspool_tally tally = publish(&c);
        c.mem.fail_at = c.mem.failures = 0;
        c.mem.fail_on = 0;
        assert_tally(tally, 9, 0, closes ? 6 : 0, closes ? 0 : 6);
        assert_true(wsp_count_read(&c.count.slow_closes) == (closes ? 6 : 0));
        uint32_t behind = 0;
        for (uint32_t i = 0; i < 15; i++) {
            const struct wsp_conn *conn = &c.peers[i].conn;
            if (conn->out.marks & WSP_MARK_BEHIND) {
                assert_behind(&c, i, 2);
                behind++;
            } else if (conn->state == WSP_OPEN) {
                assert_int_equal(conn->out.count, 2);
            } else { /* there was no memory for the Close either */
                assert_int_equal(conn->state, WSP_CLOSED);
                assert_int_equal(conn->end, WSPOOL_END_SLOW);
            }
        }
        assert_int_equal(behind, closes ? 0 : 6);
        assert_tally(publish(&c), 9, 0, 0, behind);
        end(&c);
    }
}

TEST(close_ends_the_peer_when_there_is_no_memory_for_it)
{
    struct crowd c;
    begin(&c, 2, 2, WSPOOL_SLOW_CLOSE);
    fill(&c, 4);
    c.mem.fail_at = 1;
    c.mem.fail_on = 1;
    assert_tally(publish(&c), 0, 0, 2, 0);
    c.mem.fail_at = c.mem.failures = 0;
    c.mem.fail_on = 0;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(c.peers[i].conn.state, WSP_CLOSED);
        assert_int_equal(c.peers[i].conn.end, WSPOOL_END_SLOW);
        assert_true(has_event(&c, i, WSP_DUE_ENDED));
    }
    end(&c);
}

/* --------------------------------------------------------------- encodings */

#define LONG 60u /* bytes of a payload that is shorter in every encoding but the plain one: */
static uint32_t encoded_frame_of(uint32_t encoding)
{
    return encoding == 0 ? 2 + LONG : 2 + 6 + 2 * (encoding - 1);
}

static void begin_encodings(struct crowd *c, uint32_t peers, uint32_t of_encodings,
                            enum wspool_slow slow)
{
    encodings_count = of_encodings;
    begin(c, peers, peers, slow);
    c->published = 1; /* 0 would look like the bytes that follow it */
}

static void end_encodings(struct crowd *c)
{
    end(c);
    encodings_count = 1;
}

TEST(members_get_a_frame_in_their_own_encoding)
{
    struct crowd c;
    begin_encodings(&c, 40, 1 + WSPOOL_ENCODINGS, WSPOOL_SLOW_CLOSE);
    for (uint32_t i = 1; i <= 3; i++) {
        uint64_t before = wsp_count_read(&c.count.waiting_bytes);
        assert_tally(publish_except(&c, LONG, NULL), 40, 0, 0, 0);
        uint64_t bytes = 0;
        for (uint32_t k = 0; k < 40; k++) {
            const struct wsp_outq *out = &c.peers[k].conn.out;
            assert_int_equal(wsp_outq_encoding(out), k % encodings_count);
            assert_int_equal(out->count, i);
            assert_int_equal(out->bytes, i * encoded_frame_of(k % encodings_count));
            assert_ptr_equal(out->first.block, c.peers[k % encodings_count].conn.out.first.block);
            assert_int_equal(out->first.offset, c.peers[k % encodings_count].conn.out.first.offset);
            bytes += encoded_frame_of(k % encodings_count);
        }
        assert_int_equal(wsp_count_read(&c.count.waiting_bytes) - before, bytes);
        assert_int_equal(c.toy.encodes, i * WSPOOL_ENCODINGS);
        assert_int_equal(wsp_count_read(&c.count.codec_encoded), i * WSPOOL_ENCODINGS);
    }
    for (uint32_t k = 0; k < 40; k++) {
        flush(&c, k);
        assert_sent(&c, k, (uint32_t[]){1, 2, 3}, 3);
        assert_int_equal(c.sent[k].len, 3 * encoded_frame_of(k % encodings_count));
    }
    assert_int_equal(wsp_count_read(&c.count.waiting_bytes), 0);
    end_encodings(&c);
}

TEST(encoding_is_not_made_when_nobody_reads_it)
{
    struct crowd c;
    begin_encodings(&c, 4, 4, WSPOOL_SLOW_CLOSE); /* one reader of each encoding */
    assert_tally(publish_except(&c, LONG, &c.peers[2]), 3, 0, 0, 0);
    wsp_conn_end(&c.link, &c.peers[3].conn, WSPOOL_END_FAILED);
    assert_tally(publish_except(&c, LONG, &c.peers[0]), 2, 0, 0, 0);
    assert_int_equal(c.toy.encodes_of[1], 2);
    assert_int_equal(c.toy.encodes_of[2], 1);
    assert_int_equal(c.toy.encodes_of[3], 1);
    for (uint32_t k = 0; k < 3; k++) {
        flush(&c, k);
    }
    assert_sent(&c, 0, (uint32_t[]){1}, 1);
    assert_sent(&c, 1, (uint32_t[]){1, 2}, 2);
    assert_sent(&c, 2, (uint32_t[]){2}, 1);
    end_encodings(&c);
}

/* The limit equals two plain frames: more messages fit for members with a shorter encoding. */
TEST(limit_in_bytes_is_of_what_a_member_reads)
{
    for (uint32_t room = 2 * (2 + LONG) - 1; room <= 2 * (2 + LONG); room++) {
        struct crowd c;
        uint32_t fit[4] = {0}, got[4] = {0};
        begin_encodings(&c, 4, 4, WSPOOL_SLOW_BEHIND);
        c.rules->queue_bytes = room;
        c.rules->queue_messages = 1000;
        for (uint32_t i = 1; i <= 20; i++) {
            uint32_t queued = 0;
            for (uint32_t k = 0; k < 4; k++) {
                fit[k] = room / encoded_frame_of(k);
                queued += i <= fit[k];
            }
            assert_tally(publish_except(&c, LONG, NULL), queued, 0, 0, 4 - queued);
        }
        for (uint32_t k = 0; k < 4; k++) {
            uint32_t numbers[32];
            flush(&c, k);
            got[k] = numbers_of(&c, k, numbers, 32);
            assert_int_equal(got[k], fit[k]);
        }
        assert_true(got[0] == room / (2 + LONG) && got[1] > 10);
        end_encodings(&c);
    }
}

TEST(slow_are_closed_in_each_encoding)
{
    struct crowd c;
    begin_encodings(&c, 8, 4, WSPOOL_SLOW_CLOSE);
    c.rules->queue_bytes = 2 * (2 + LONG); /* three messages in encoding 1, two plain ones */
    assert_tally(publish_except(&c, LONG, NULL), 8, 0, 0, 0);
    assert_tally(publish_except(&c, LONG, NULL), 8, 0, 0, 0);
    flush(&c, 4);
    /* peer 0 uses the plain encoding, and its queue was full */
    assert_tally(publish_except(&c, LONG, NULL), 7, 0, 1, 0);
    assert_int_equal(c.peers[0].conn.state, WSP_CLOSING);
    assert_int_equal(c.peers[4].conn.state, WSP_OPEN);
    for (uint32_t k = 1; k < 8; k++) {
        flush(&c, k);
        assert_sent(&c, k, (uint32_t[]){1, 2, 3}, 3);
    }
    end_encodings(&c);
}

/* Without memory for the codec or for the encoded frame, members get the plain message. */
TEST(members_get_it_plain_when_it_can_t_be_encoded)
{
    for (size_t n = 1; n <= 3; n++) {
        struct crowd c;
        begin_encodings(&c, 8, 2, WSPOOL_SLOW_CLOSE);
        struct wsp_run frame = encode(&c, LONG);
        wspool_tally tally = {.size = sizeof tally};
        c.mem.fail_at = n;
        walk(&c, c.channel, &frame, NULL, &tally);
        size_t failures = c.mem.failures;
        c.mem.fail_at = 0;
        assert_tally(tally, 8, 0, 0, 0);
        check(&c);
        assert_int_equal(failures, n < 3);
        for (uint32_t k = 0; k < 8; k++) {
            assert_int_equal(c.peers[k].conn.out.bytes, encoded_frame_of(n < 3 ? 0 : k % 2));
            flush(&c, k);
            assert_sent(&c, k, (uint32_t[]){1}, 1);
        }
        assert_int_equal(c.toy.encodes, 1);
        end_encodings(&c);
    }
}

static void assert_in_order(const struct crowd *c, uint32_t peer)
{
    static uint32_t numbers[10000];
    uint32_t n = numbers_of(c, peer, numbers, 10000);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(numbers[i] < c->published);
        assert_true(i == 0 || numbers[i - 1] < numbers[i]);
    }
}

static void another_comes(struct crowd *c, uint32_t peer)
{
    struct wsp_peer *record = &c->peers[peer];
    struct wsp_memberships memberships = record->memberships;
    assert_in_order(c, peer);
    wsp_conn_end(&c->link, &record->conn, WSPOOL_END_EOF);
    wsp_conn_fini(&c->link, &record->conn, 1);
    memset(record, 0, sizeof *record);
    record->memberships = memberships;
    open_peer(c, record);
    c->sent[peer].len = 0;
}

/* As channel/refill.c does at the head. */
static void catch_up(struct crowd *c, uint32_t peer)
{
    struct wsp_member *member = wsp_registry_member(&c->peers[peer], c->channel);
    if (!wsp_member_is_live(c->channel, member)) {
        wsp_member_catch_up(c->channel, member);
        c->peers[peer].conn.out.marks = 0;
    }
}

/* Publishes while an allocation may fail. */
static void publish_at_random(struct crowd *c, uint64_t *seed, uint64_t sums[3])
{
    wspool_tally t = {.size = sizeof t};
    struct wsp_run frame = encode(c, 4 + (uint32_t)test_below(seed, 60));
    c->mem.fail_at = (size_t)test_below(seed, 5);
    walk(c, c->channel, &frame, NULL, &t);
    c->mem.fail_at = 0;
    sums[0] += t.queued;
    sums[1] += t.closed;
    sums[2] += t.behind;
    assert_true(t.slow <= t.queued);
}

/* Runs for many steps, with transports that accept nothing, a part or everything. */
TEST(books_balance_when_everything_happens_at_random)
{
    enum { PEERS = 30, STEPS = 6000 };
    for (int way = 0; way < 4; way++) { /* each policy, with one encoding and with five */
        int slow = WSPOOL_SLOW_CLOSE + way % 2;
        struct crowd c;
        uint64_t seed = 11 + (uint64_t)slow, sums[3] = {0};
        encodings_count = way < 2 ? 1 : 5;
        begin(&c, PEERS, PEERS, (enum wspool_slow)slow);
        c.rules->queue_messages = 9;
        c.rules->queue_bytes = 300;
        for (int step = 0; step < STEPS; step++) {
            uint32_t i = (uint32_t)test_below(&seed, PEERS);
            struct wsp_conn *conn = &c.peers[i].conn;
            struct iovec vectors[16];
            int n;
            switch (test_below(&seed, 10)) {
            case 0:
            case 1:
                flush(&c, i);
                catch_up(&c, i);
                break;
            case 2: { /* a part of it */
                size_t total = peek(conn, vectors, &n);
                written(&c, i, vectors, (size_t)test_below(&seed, total + 1));
                break;
            }
            case 3: /* a write that stays under way */
                (void)peek(conn, vectors, &n);
                break;
            case 4:
            case 5:
            case 6:
                if (conn->state != WSP_OPEN) {
                    another_comes(&c, i);
                }
                break;
            default:
                publish_at_random(&c, &seed, sums);
                break;
            }
            check(&c);
        }
        for (uint32_t i = 0; i < PEERS; i++) {
            flush(&c, i);
            assert_in_order(&c, i);
        }
        assert_true(wsp_count_read(&c.count.queued) == sums[0]);
        assert_true(wsp_count_read(&c.count.slow_closes) == sums[1]);
        assert_true(wsp_count_read(&c.count.left_behind) == sums[2]);
        assert_true(sums[0] > 5000);
        assert_true(slow == WSPOOL_SLOW_CLOSE ? sums[1] > 500 : sums[2] > 1000);
        assert_true((encodings_count == 1) == (wsp_count_read(&c.count.codec_encoded) < 1000));
        end(&c);
        encodings_count = 1;
    }
}
