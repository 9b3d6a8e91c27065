/* SPDX-License-Identifier: MIT */
/*
 * unit/test_conn.c - link/{conn,receive,transmit,liveness}.h: the states of a connection, its
 * deadlines, and its Close frames.
 *
 * The link belongs to the test: there is no pool and no channel, and the test sets the clock by
 * hand. Deadlines are tested the way a host meets them: it sleeps until wsp_timers_next and then
 * lets the timers fire. Each event is tried in each state, so that no event brings a closed
 * connection back.
 */
#include "support.h"
#include "frames.h"

#include <wspool/error.h>
#include <wspool/wspool.h>
#include "link/conn.h"
#include "link/liveness.h"
#include "link/receive.h"
#include "link/transmit.h"

#define SEC WSPOOL_SECOND
#define MS WSPOOL_MILLISECOND
#define COARSE (UINT64_C(1) << WSP_COARSE_TIME_BITS)
#define LIMIT 1000u /* bytes of a message */

enum { CONNS = 8, SENTS = 4000 };

/* What a peer has read from the server. */
struct sent {
    unsigned opcode;
    size_t len;
    uint8_t payload[300];
};

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    wspool_config config;
    struct wsp_counters count;
    struct wsp_link link;
    struct wsp_conn conns[CONNS];
    /* what the peer that was looked at last has read */
    struct sent sent[SENTS];
    size_t sent_count;
    size_t fired; /* timers that fired */
    /* what the message hook saw, and what it must do */
    size_t messages;
    char last[64];
    int last_binary;
    int close_from_hook; /* 1: close, 2: end */
};

static struct wsp_timer *timer_at(void *owner, uint32_t slot)
{
    struct world *w = owner;
    assert_true(slot < CONNS);
    return &w->conns[slot].timer;
}

static struct world *world_of(struct wsp_link *link)
{
    return (struct world *)(void *)((char *)link - offsetof(struct world, link));
}

static int answers; /* of contested connections */

static void on_answer(struct wsp_link *link, struct wsp_conn *conn)
{
    (void)link;
    assert_int_equal(conn->out.marks & WSP_MARK_CONTESTED, 0);
    answers++;
}

static void on_message(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *data,
                       size_t len, int binary)
{
    struct world *w = world_of(link);
    assert_int_equal(conn->state, WSP_OPEN);
    w->messages++;
    memset(w->last, 0, sizeof w->last);
    memcpy(w->last, data, len < sizeof w->last ? len : sizeof w->last - 1);
    w->last_binary = binary;
    if (w->close_from_hook == 1) {
        wsp_conn_close(link, conn, WSPOOL_END_HOST_CLOSED, 4000, "hook", 4, 0);
    } else if (w->close_from_hook == 2) {
        wsp_conn_end(link, conn, WSPOOL_END_FAILED);
    }
}

static struct world *world_open(void)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->hooks = test_mem_hooks(&w->mem);
    wspool_config_init(&w->config);
    w->config.ping_jitter = 0;
    struct wsp_link *link = &w->link;
    link->mem = &w->hooks;
    link->config = &w->config;
    link->low_bytes = link->low_messages = UINT32_MAX;
    wsp_conn_lower_watermark(link, link->config->queue_bytes, link->config->queue_messages);
    link->count = &w->count;
    link->created_at = 77 * SEC + 12345;
    link->now = link->created_at + 5 * SEC + 678;
    link->random = 4711;
    link->on_message = on_message;
    link->on_answer = on_answer;
    wsp_blocks_init(&link->blocks, &w->hooks, UINT64_MAX, &w->count.block_bytes);
    wsp_outqs_init(&link->outqs, &w->hooks);
    wsp_inbounds_init(&link->inbounds, &w->hooks, &link->decoders, NULL);
    wsp_timers_init(&link->timers, link->now, timer_at, w);
    wsp_decoders_init(&link->decoders, &w->hooks);
    link->new_output = &link->ready;
    link->flush_at = UINT64_MAX;
    assert_int_equal(wsp_bitset_reserve(&link->ready, &w->hooks, CONNS), 0);
    assert_int_equal(wsp_bitset_reserve(&link->due, &w->hooks, CONNS), 0);
    return w;
}

static void world_close(struct world *w)
{
    struct wsp_link *link = &w->link;
    for (uint32_t i = 0; i < CONNS; i++) {
        struct wsp_conn *conn = &w->conns[i];
        if (conn->slot.generation) {
            wsp_conn_end(link, conn, WSPOOL_END_POOL_FREED);
            wsp_conn_fini(link, conn, 1);
        }
    }
    wsp_inbounds_fini(&link->inbounds);
    wsp_decoders_fini(&link->decoders);
    wsp_outqs_fini(&link->outqs);
    wsp_blocks_fini(&link->blocks);
    wsp_bitset_fini(&link->ready, &w->hooks);
    wsp_bitset_fini(&link->due, &w->hooks);
    assert_true(wsp_timers_check(&link->timers));
    assert_int_equal(w->mem.live, 0);
    free(w);
}

static struct wsp_conn *make(struct world *w, uint32_t index, enum wsp_state state)
{
    struct wsp_conn *conn = &w->conns[index];
    memset(conn, 0, sizeof *conn);
    conn->slot.index = index;
    conn->slot.generation = 1;
    wsp_conn_init(&w->link, conn);
    conn->state = (uint8_t)state;
    return conn;
}

static struct wsp_conn *open_one(struct world *w, uint32_t index)
{
    struct wsp_conn *conn = make(w, index, WSP_HEAD);
    wsp_conn_open(&w->link, conn);
    assert_int_equal(conn->state, WSP_OPEN);
    return conn;
}

static void check(const struct world *w)
{
    for (size_t i = 0; i < CONNS; i++) {
        assert_true(!w->conns[i].slot.generation || wsp_conn_check(&w->conns[i]));
    }
}

/* ----------------------------------------------------------------------- time */

static void tick(struct world *w, uint64_t now)
{
    uint32_t slot;
    assert_true(now >= w->link.now);
    w->link.now = now;
    while ((slot = wsp_timers_fire(&w->link.timers, now)) != WSP_TIMER_NONE) {
        w->fired++;
        if (w->conns[slot].state >= WSP_OPEN) {
            wsp_conn_timer(&w->link, &w->conns[slot]);
        }
    }
    check(w);
}

/* Sleeps from deadline to deadline until `until`. */
static void sleep_until(struct world *w, uint64_t until)
{
    for (;;) {
        uint64_t next = wsp_timers_next(&w->link.timers);
        if (next > until) {
            break;
        }
        tick(w, next > w->link.now ? next : w->link.now + 1);
    }
    tick(w, until);
}

static void sleep_for(struct world *w, uint64_t time)
{
    sleep_until(w, w->link.now + time);
}

/* Sleeps from deadline to deadline. Returns the time at which the connection leaves its state,
 * or UINT64_MAX if it does not within a day. */
static void drain(struct world *w, struct wsp_conn *conn);

static uint64_t when_it_changes(struct world *w, struct wsp_conn *conn)
{
    uint64_t give_up = w->link.now + 86400 * SEC;
    uint8_t state = conn->state;
    while (conn->state == state) {
        uint64_t next = wsp_timers_next(&w->link.timers);
        if (next > give_up) {
            return UINT64_MAX;
        }
        tick(w, next > w->link.now ? next : w->link.now + 1);
        if ((conn->flags & WSP_PING_WAITS) && !conn->out.blocked) {
            drain(w, conn);
        }
    }
    return w->link.now;
}

/* The last chance: the peer is ended only after that time, in which its input can be read. */
#define CHANCE (33 * WSPOOL_MILLISECOND + WSP_TIMERS_TICK)

/* Not before `due`, and at most the last chance and one tick of the timers later. */
static void expect_time(uint64_t time, uint64_t due)
{
    if (time < due || time > due + CHANCE + WSP_TIMERS_TICK) {
        fail_msg("off by %lld ns", (long long)(time - due));
    }
}

/* The same for a time measured from a coarse timestamp: at most one unit of it later. */
static void expect_coarse_time(uint64_t time, uint64_t due)
{
    if (time < due || time > due + COARSE + CHANCE + WSP_TIMERS_TICK) {
        fail_msg("off by %lld ns", (long long)(time - due));
    }
}

/* ---------------------------------------------------------------------- bytes */

static void receive(struct world *w, struct wsp_conn *conn, const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    wsp_conn_receive(&w->link, conn, copy, len, LIMIT);
    free(copy);
    check(w);
}

static void receive_frame(struct world *w, struct wsp_conn *conn, unsigned first,
                          const void *payload, size_t len)
{
    uint8_t frame[4096];
    assert_true(len + FRAME_HEAD_MAX <= sizeof frame);
    receive(w, conn, frame, frame_client(frame, first, payload, len));
}

static int push(struct world *w, struct wsp_conn *conn, size_t payload)
{
    uint8_t frame[3000], bytes[2990];
    int error = 0;
    assert_true(payload <= sizeof bytes);
    memset(bytes, 'm', payload);
    uint32_t len = (uint32_t)frame_server(frame, FRAME_FIN | WSP_TEXT, bytes, payload);
    uint8_t *room = wsp_blocks_room(&w->link.blocks, len, &error);
    if (!room) {
        return error;
    }
    memcpy(room, frame, len);
    struct wsp_run run = wsp_blocks_commit(&w->link.blocks, len);
    error = wsp_conn_push(&w->link, conn, &run);
    if (error < 0) {
        return error;
    }
    wsp_conn_update_watermark(
        &w->link, conn, wsp_conn_high_watermark(w->config.queue_bytes, w->config.queue_messages));
    wsp_count_add(&w->count.waiting_bytes, len);
    return 0;
}

static size_t peek(struct wsp_conn *conn, uint8_t *bytes, size_t room)
{
    struct iovec vectors[16];
    size_t len = 0;
    int n = wsp_outq_peek(&conn->out, vectors, 16);
    for (int i = 0; i < n; i++) {
        assert_true(len + vectors[i].iov_len <= room);
        memcpy(bytes + len, vectors[i].iov_base, vectors[i].iov_len);
        len += vectors[i].iov_len;
    }
    return len;
}

static int ack(struct world *w, struct wsp_conn *conn, size_t bytes)
{
    int error = wsp_conn_ack(&w->link, conn, bytes);
    check(w);
    return error;
}

/* The transport accepts all output; the frames are in w->sent. */
static size_t take_all(struct world *w, struct wsp_conn *conn)
{
    static uint8_t bytes[600000];
    w->sent_count = 0;
    for (;;) {
        size_t at = 0, len = peek(conn, bytes, sizeof bytes);
        if (len == 0) {
            return w->sent_count;
        }
        while (at < len) {
            size_t frame = wsp_frame_encoded_len(bytes + at);
            size_t head = bytes[at + 1] < 126 ? 2 : 4;
            struct sent *sent = &w->sent[w->sent_count++];
            assert_true(w->sent_count < SENTS && bytes[at + 1] < 127 && at + frame <= len);
            assert_int_equal(bytes[at] & 0xf0, FRAME_FIN);
            sent->opcode = bytes[at] & 15;
            sent->len = frame - head;
            memcpy(sent->payload, bytes + at + head,
                   sent->len < sizeof sent->payload ? sent->len : sizeof sent->payload);
            at += frame;
        }
        assert_int_equal(ack(w, conn, len), 0);
    }
}

/* The transport accepts all output, and the frames are ignored. */
static void drain(struct world *w, struct wsp_conn *conn)
{
    uint8_t bytes[4000];
    size_t len;
    while ((len = peek(conn, bytes, sizeof bytes)) > 0) {
        assert_int_equal(ack(w, conn, len), 0);
    }
}

static void expect_sent(const struct world *w, size_t at, unsigned opcode, const void *payload,
                        size_t len)
{
    assert_true(at < w->sent_count);
    assert_int_equal(w->sent[at].opcode, opcode);
    assert_int_equal(w->sent[at].len, len);
    assert_memory_equal(w->sent[at].payload, payload, len);
}

/* Checks that the connection sent nothing but a Close with this code and reason. */
static void expect_close_sent(struct world *w, struct wsp_conn *conn, int code, const char *reason)
{
    uint8_t payload[125] = {(uint8_t)(code >> 8), (uint8_t)code};
    memcpy(payload + 2, reason, strlen(reason));
    assert_int_equal(take_all(w, conn), 1);
    expect_sent(w, 0, WSP_CLOSE, payload, 2 + strlen(reason));
}

/* Returns 1 if the connection was marked ready since the last call. */
static int noticed(struct world *w, const struct wsp_conn *conn)
{
    int was = wsp_bitset_has(&w->link.ready, conn->slot.index);
    wsp_bitset_remove(&w->link.ready, conn->slot.index);
    return was;
}

static unsigned events(struct world *w, struct wsp_conn *conn)
{
    unsigned all = WSP_DUE_LEAVE | WSP_DUE_ENDED | WSP_DUE_PRESSURE;
    unsigned were = conn->flags & all;
    assert_int_equal(wsp_bitset_has(&w->link.due, conn->slot.index), were != 0);
    wsp_bitset_remove(&w->link.due, conn->slot.index);
    conn->flags = (uint16_t)(conn->flags & ~all);
    return were;
}

static const uint8_t code_1000[] = {0x03, 0xe8};

/* --------------------------------------------------------------------- states */

TEST(connection_when_made_waits_for_its_handshake_and_no_longer)
{
    static const enum wsp_state states[] = {WSP_HEAD, WSP_PENDING, WSP_RESERVED, WSP_REFUSED};
    struct world *w = world_open();
    w->config.handshake_time = 7 * SEC;
    for (size_t i = 0; i < 4; i++) {
        struct wsp_conn *conn = make(w, (uint32_t)i, states[i]);
        assert_int_equal(conn->state, states[i]);
        assert_int_equal(conn->deadline, w->link.now + 7 * SEC);
        assert_int_equal(conn->since, w->link.now);
        assert_int_equal(conn->out.accepts, 0);
        assert_true(wsp_conn_check(conn));
        int reads = states[i] == WSP_HEAD || states[i] == WSP_REFUSED;
        assert_int_equal(wsp_conn_wants(conn), reads ? WSPOOL_READ : 0);
    }
    uint64_t due = w->link.now + 7 * SEC, next = wsp_timers_next(&w->link.timers);
    assert_true(next <= due + WSP_TIMERS_TICK);
    assert_int_equal(wsp_timers_fire(&w->link.timers, due - 1), WSP_TIMER_NONE);
    for (int i = 0; i < 4; i++) {
        uint32_t slot = wsp_timers_fire(&w->link.timers, due + WSP_TIMERS_TICK);
        assert_true(slot < 4);
        wsp_timers_arm(&w->link.timers, slot, due + SEC); /* as the owner of the slot would */
    }
    world_close(w);
}

TEST(connection_when_opened_pings_listens_and_takes_messages)
{
    static const enum wsp_state states[] = {WSP_HEAD, WSP_PENDING, WSP_RESERVED};
    struct world *w = world_open();
    for (uint32_t i = 0; i < 3; i++) {
        struct wsp_conn *conn = make(w, i, states[i]);
        sleep_for(w, 3 * SEC);
        wsp_conn_open(&w->link, conn);
        assert_int_equal(conn->state, WSP_OPEN);
        assert_int_equal(conn->since, w->link.now);
        assert_int_equal(conn->out.accepts, 1);
        assert_int_equal(conn->deadline, w->link.now + w->config.ping_interval);
        assert_true(noticed(w, conn));
        assert_int_equal(wsp_conn_wants(conn), WSPOOL_READ);
        receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "hello", 5);
        assert_int_equal(w->messages, i + 1);
        assert_string_equal(w->last, "hello");
        assert_int_equal(w->last_binary, 0);
        assert_int_equal(push(w, conn, 10), 0);
        assert_true(noticed(w, conn));
        assert_int_equal(wsp_conn_wants(conn), WSPOOL_READ | WSPOOL_WRITE);
        assert_int_equal(take_all(w, conn), 1);
        assert_int_equal(wsp_conn_wants(conn), WSPOOL_READ);
    }
    world_close(w);
}

/* Brings a new connection into a state. */
static struct wsp_conn *in_state(struct world *w, enum wsp_state state)
{
    struct wsp_conn *conn;
    if (state <= WSP_REFUSED) {
        return make(w, 0, state);
    }
    conn = open_one(w, 0);
    if (state == WSP_CLOSING) {
        wsp_conn_close(&w->link, conn, WSPOOL_END_DRAIN, 4200, "drain", 5, 0);
    } else if (state == WSP_CLOSED) {
        wsp_conn_end(&w->link, conn, WSPOOL_END_EOF);
    }
    assert_int_equal(conn->state, state);
    (void)events(w, conn);
    (void)noticed(w, conn);
    return conn;
}

TEST(connection_when_closed_from_any_state_goes_where_the_graph_says)
{
    for (int from = WSP_HEAD; from <= WSP_CLOSED; from++) {
        for (int how = 0; how < 2; how++) {
            struct world *w = world_open();
            struct wsp_conn *conn = in_state(w, (enum wsp_state)from);
            uint8_t end = conn->end;
            uint64_t deadline = conn->deadline;
            if (how) {
                wsp_conn_close(&w->link, conn, WSPOOL_END_HOST_CLOSED, 4001, "x", 1, 0);
            } else {
                wsp_conn_fail(&w->link, conn, WSPOOL_END_PROTOCOL, 1);
            }
            if (from == WSP_OPEN) {
                assert_int_equal(conn->state, WSP_CLOSING);
                assert_int_equal(conn->end, how ? WSPOOL_END_HOST_CLOSED : WSPOOL_END_PROTOCOL);
                assert_int_equal(conn->code_sent, how ? 4001 : 1002);
                assert_int_equal(events(w, conn), WSP_DUE_LEAVE);
                assert_true(noticed(w, conn));
                expect_close_sent(w, conn, how ? 4001 : 1002, how ? "x" : "protocol error");
                assert_int_equal(conn->state, WSP_CLOSING); /* the Close of the peer is awaited */
            } else {
                assert_int_equal(conn->state, from);
                assert_int_equal(conn->end, end);
                assert_int_equal(conn->deadline, deadline);
                assert_int_equal(events(w, conn), 0);
                if (from == WSP_CLOSING) { /* only the first Close is sent */
                    expect_close_sent(w, conn, 4200, "drain");
                } else {
                    assert_true(wsp_outq_empty(&conn->out));
                }
            }
            check(w);
            world_close(w);
        }
    }
}

TEST(connection_when_ended_from_any_state_is_closed_and_told_once)
{
    for (int from = WSP_HEAD; from <= WSP_CLOSED; from++) {
        struct world *w = world_open();
        struct wsp_conn *conn = in_state(w, (enum wsp_state)from);
        if (from == WSP_OPEN) { /* a ping is unanswered */
            sleep_for(w, 31 * SEC);
            assert_true(conn->flags & WSP_PINGED);
        }
        wsp_conn_end(&w->link, conn, WSPOOL_END_FAILED);
        assert_int_equal(conn->state, WSP_CLOSED);
        assert_int_equal(conn->end, from == WSP_CLOSED    ? WSPOOL_END_EOF
                                    : from == WSP_CLOSING ? WSPOOL_END_DRAIN
                                                          : WSPOOL_END_FAILED);
        assert_int_equal(conn->out.accepts, 0);
        assert_int_equal(wsp_conn_wants(conn), WSPOOL_CLOSE);
        assert_int_equal(events(w, conn), from == WSP_CLOSED ? 0 : WSP_DUE_ENDED | WSP_DUE_LEAVE);
        assert_int_equal(noticed(w, conn), from != WSP_CLOSED);
        assert_int_equal(wsp_timers_next(&w->link.timers), WSP_TIMERS_NEVER);
        check(w);
        /* No frame brings it back. */
        receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "late", 4);
        receive_frame(w, conn, FRAME_FIN | WSP_CLOSE, code_1000, 2);
        wsp_conn_timer(&w->link, conn);
        assert_int_equal(ack(w, conn, 0), 0);
        assert_int_equal(ack(w, conn, 1000), 0);
        wsp_conn_end(&w->link, conn, WSPOOL_END_IDLE);
        assert_int_equal(conn->state, WSP_CLOSED);
        assert_int_equal(conn->code_received, 0);
        assert_int_equal(w->messages, 0);
        assert_int_equal(events(w, conn), 0);
        assert_int_equal(wsp_timers_next(&w->link.timers), WSP_TIMERS_NEVER);
        world_close(w);
    }
}

TEST(check_when_a_number_is_wrong_sees_it)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    conn->out.accepts = 0;
    assert_false(wsp_conn_check(conn));
    conn->out.accepts = 1;
    conn->state = WSP_CLOSING;
    assert_false(wsp_conn_check(conn));
    conn->out.accepts = 0;
    wsp_timers_disarm(&w->link.timers, 0);
    assert_false(wsp_conn_check(conn)); /* waits for nothing */
    wsp_timers_arm(&w->link.timers, 0, w->link.now + SEC);
    assert_true(wsp_conn_check(conn));
    conn->state = WSP_CLOSED;
    assert_false(wsp_conn_check(conn)); /* armed, but ended */
    conn->state = WSP_OPEN;
    conn->out.accepts = 1;
    conn->out.bytes = 1;
    assert_false(wsp_conn_check(conn));
    conn->out.bytes = 0;
    assert_true(wsp_conn_check(conn));
    world_close(w);
}

/* --------------------------------------------------------------- pings, pongs */

TEST(ping_when_its_interval_is_shorter_than_the_wait_for_its_answer_keeps_it)
{
    struct world *w = world_open();
    w->config.ping_interval = 5 * SEC;
    w->config.pong_time = 60 * SEC;
    struct wsp_conn *conn = open_one(w, 0);
    for (size_t i = 1; i <= 5; i++) {
        sleep_for(w, 5 * SEC + WSP_TIMERS_TICK);
        assert_int_equal(wsp_count_read(&w->count.pings_sent), i);
        assert_int_equal(take_all(w, conn), 1);
        receive_frame(w, conn, FRAME_FIN | WSP_PONG, "", 0);
    }
    world_close(w);
}

TEST(ping_when_there_is_no_memory_is_tried_again)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    w->mem.fail_at = 1;
    sleep_for(w, 31 * SEC);
    assert_int_equal(w->mem.failures, 1);
    assert_int_equal(conn->state, WSP_OPEN);
    assert_int_equal(wsp_count_read(&w->count.pings_sent), 0);
    assert_false(conn->flags & WSP_PINGED);
    sleep_for(w, 11 * SEC); /* no ping was sent, so no pong is missing */
    assert_int_equal(conn->state, WSP_OPEN);
    assert_int_equal(wsp_count_read(&w->count.pings_sent), 1);
    assert_int_equal(take_all(w, conn), 1);
    world_close(w);
}

/* Whatever waits or fails: only a byte that comes after the ping has left is an answer. */
TEST(contested_connection_is_asked_at_once_and_answers_once)
{
    enum { PLAIN, PINGED_BEFORE, NO_MEMORY, PINGS_OFF, WAYS };
    for (int way = 0; way < WAYS; way++) {
        struct world *w = world_open();
        w->config.ping_interval = way == PINGS_OFF ? 0 : 30 * SEC;
        struct wsp_conn *conn = open_one(w, 0);
        answers = 0;
        if (way == PINGED_BEFORE) {
            sleep_for(w, 31 * SEC);
        }
        w->mem.fail_at = way == NO_MEMORY;
        wsp_conn_contest(&w->link, conn);
        check(w);
        if (way == NO_MEMORY) {
            receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "x", 1);
            assert_int_equal(wsp_count_read(&w->count.pings_sent), 0);
            sleep_for(w, 11 * SEC);
        }
        assert_int_equal(wsp_count_read(&w->count.pings_sent), 1);
        receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "x", 1);
        assert_int_equal(answers, 0);
        assert_int_equal(take_all(w, conn), 1);
        wsp_conn_contest(&w->link, conn); /* again: it was asked already */
        assert_int_equal(wsp_count_read(&w->count.pings_sent), 1);
        receive_frame(w, conn, FRAME_FIN | WSP_PONG, "", 0);
        assert_int_equal(answers, 1);
        receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "x", 1);
        assert_int_equal(answers, 1);
        sleep_for(w, 20 * SEC);
        assert_int_equal(conn->state, WSP_OPEN);
        assert_int_equal(wsp_count_read(&w->count.pings_sent), 1);
        wsp_conn_contest(&w->link, conn);
        wsp_conn_close(&w->link, conn, WSPOOL_END_HOST_CLOSED, 1000, NULL, 0, 0);
        check(w);
        world_close(w);
    }
}

TEST(pong_when_there_is_no_memory_for_it_closes)
{
    for (int all = 0; all < 2; all++) {
        struct world *w = world_open();
        struct wsp_conn *conn = open_one(w, 0);
        receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "x", 1); /* puts buffers into the free list */
        w->mem.fail_at = 1;
        w->mem.fail_on = all;
        receive_frame(w, conn, FRAME_FIN | WSP_PING, "x", 1);
        w->mem.fail_on = 0;
        assert_int_equal(conn->end, WSPOOL_END_NOMEM);
        assert_int_equal(conn->state, all ? WSP_CLOSED : WSP_CLOSING);
        if (!all) {
            expect_close_sent(w, conn, 1011, "out of memory");
        }
        world_close(w);
    }
}

/* --------------------------------------------------------------- abuse budget */

TEST(abuse_when_its_budget_is_spent_closes)
{
    static const struct {
        unsigned first;
        size_t len;
        int draws;
    } cases[] = {
        {FRAME_FIN | WSP_PING, 0, 1}, {FRAME_FIN | WSP_PONG, 0, 1},
        {WSP_CONTINUATION, 0, 1},     {WSP_CONTINUATION, 15, 1},
        {WSP_CONTINUATION, 16, 0},    {FRAME_FIN | WSP_CONTINUATION, 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_open();
        w->config.abuse_burst = 5;
        w->config.abuse_rate = 1;
        struct wsp_conn *conn = open_one(w, 0);
        uint8_t payload[20] = "12345678901234567";
        for (int n = 0; n < 5; n++) {
            if ((cases[i].first & 15) == 0 && (n == 0 || (cases[i].first & FRAME_FIN))) {
                receive_frame(w, conn, WSP_TEXT, payload, 17); /* long enough to cost nothing */
            }
            receive_frame(w, conn, cases[i].first, payload, cases[i].len);
            assert_int_equal(conn->state, WSP_OPEN);
        }
        assert_int_equal(wsp_count_read(&w->count.abuse_cost), cases[i].draws * 5);
        (void)take_all(w, conn);
        if (cases[i].first == (FRAME_FIN | WSP_CONTINUATION)) {
            receive_frame(w, conn, WSP_TEXT, payload, 17);
        }
        receive_frame(w, conn, cases[i].first, payload, cases[i].len);
        assert_int_equal(conn->state, cases[i].draws ? WSP_CLOSING : WSP_OPEN);
        if (cases[i].draws) {
            assert_int_equal(conn->end, WSPOOL_END_ABUSE);
            expect_close_sent(w, conn, 4103, "abuse budget spent"); /* and no pong for it */
            assert_int_equal(wsp_count_read(&w->count.pongs_dropped), 0);
        }
        world_close(w);
    }
}

TEST(abuse_when_time_passes_is_forgiven)
{
    struct world *w = world_open();
    w->config.abuse_burst = 5;
    w->config.abuse_rate = 2;
    struct wsp_conn *conn = open_one(w, 0);
    for (int i = 0; i < 100; i++) {
        receive_frame(w, conn, FRAME_FIN | WSP_PING, "", 0);
        sleep_for(w, 600 * MS);
        (void)take_all(w, conn);
    }
    assert_int_equal(conn->state, WSP_OPEN);
    wsp_conn_abuse(&w->link, conn, 3); /* the host may draw from the budget, too */
    assert_int_equal(conn->state, WSP_OPEN);
    wsp_conn_abuse(&w->link, conn, 3);
    assert_int_equal(conn->state, WSP_CLOSING);
    assert_int_equal(conn->end, WSPOOL_END_ABUSE);
    world_close(w);
}

TEST(abuse_when_without_a_budget_is_only_counted)
{
    struct world *w = world_open();
    w->config.abuse_burst = 0;
    struct wsp_conn *conn = open_one(w, 0);
    for (int i = 0; i < 20000; i++) {
        receive_frame(w, conn, FRAME_FIN | WSP_PONG, "", 0);
    }
    assert_int_equal(conn->state, WSP_OPEN);
    assert_int_equal(wsp_count_read(&w->count.abuse_cost), 20000);
    world_close(w);
}

/* One pong for each ping that the server sent costs no abuse budget. */
TEST(pong_when_it_answers_a_ping_is_no_abuse)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    sleep_for(w, 31 * SEC);
    assert_int_equal(take_all(w, conn), 1);
    receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "x", 1); /* a sign of life, and then the pong */
    receive_frame(w, conn, FRAME_FIN | WSP_PONG, "", 0);
    assert_int_equal(wsp_count_read(&w->count.abuse_cost), 0);
    receive_frame(w, conn, FRAME_FIN | WSP_PONG, "", 0);
    assert_int_equal(wsp_count_read(&w->count.abuse_cost), 1);
    world_close(w);
}

/* -------------------------------------------------------------------- closing */

TEST(close_when_not_answered_ends_after_its_time)
{
    for (int taken = 0; taken < 3; taken++) {
        struct world *w = world_open();
        struct wsp_conn *conn = open_one(w, 0);
        /* flush_time does not apply to a connection that has a deadline anyway */
        w->config.flush_time = SEC;
        assert_int_equal(push(w, conn, 10), 0);
        sleep_for(w, SEC);
        uint64_t closed = w->link.now;
        wsp_conn_close(&w->link, conn, WSPOOL_END_SHED, 4101, "shed", 4, 0);
        if (taken == 1) {
            assert_int_equal(take_all(w, conn), 2);
        } else if (taken == 2) { /* a part is sent, then the transport blocks */
            uint8_t bytes[100];
            assert_int_equal(peek(conn, bytes, sizeof bytes), 12 + 8);
            assert_int_equal(ack(w, conn, 13), 0);
        }
        sleep_for(w, 2 * SEC);
        receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "no Close", 8);
        expect_time(when_it_changes(w, conn), closed + 5 * SEC);
        assert_int_equal(conn->state, WSP_CLOSED);
        assert_int_equal(conn->end, WSPOOL_END_SHED);
        assert_int_equal(conn->code_sent, taken == 1 ? 4101 : 0); /* it was never sent */
        wsp_conn_fini(&w->link, conn, 0);
        assert_int_equal(conn->lost, taken ? 0 : 1);
        world_close(w);
    }
}

/* The deadline of the ping has no effect any more. */
TEST(close_when_a_ping_is_out_ends_after_its_time_all_the_same)
{
    for (int way = 0; way < 4; way++) {
        struct world *w = world_open();
        struct wsp_conn *conn = open_one(w, 0);
        uint8_t bytes[200];
        sleep_for(w, 31 * SEC);
        assert_true(conn->flags & WSP_PINGED);
        if (way == 3) { /* blocked */
            assert_int_equal(push(w, conn, 10), 0);
            assert_int_not_equal(peek(conn, bytes, sizeof bytes), 0);
            assert_int_equal(ack(w, conn, 3), 0);
        }
        uint64_t closed = w->link.now;
        wsp_conn_close(&w->link, conn, WSPOOL_END_HOST_CLOSED, 1000, "", 0, 0);
        sleep_for(w, SEC);
        if (way == 1) {
            receive_frame(w, conn, FRAME_FIN | WSP_PONG, "", 0);
        } else if (way == 2) {
            receive(w, conn, "\x8a", 1);
        } else if (way == 3) {
            wsp_conn_writable(&w->link, conn);
        }
        expect_time(when_it_changes(w, conn), closed + 5 * SEC);
        assert_int_equal(conn->state, WSP_CLOSED);
        assert_int_equal(conn->end, WSPOOL_END_HOST_CLOSED);
        world_close(w);
    }
}

TEST(close_when_there_is_no_memory_for_it_is_over_at_once)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    assert_int_equal(push(w, conn, 10), 0);
    w->mem.fail_at = 1;
    wsp_conn_close(&w->link, conn, WSPOOL_END_LIFETIME, 4202, "x", 1, 0);
    assert_int_equal(w->mem.failures, 1);
    assert_int_equal(conn->state, WSP_CLOSED);
    assert_int_equal(conn->end, WSPOOL_END_LIFETIME);
    assert_int_equal(conn->code_sent, 0);
    assert_int_equal(events(w, conn), WSP_DUE_ENDED | WSP_DUE_LEAVE);
    check(w);
    wsp_conn_fini(&w->link, conn, 0);
    assert_int_equal(conn->lost, 1);
    assert_int_equal(wsp_count_read(&w->count.dropped_closed), 1);
    assert_int_equal(wsp_count_read(&w->count.waiting_bytes), 0);
    world_close(w);
}

TEST(close_when_there_is_no_memory_to_wait_for_the_other_is_over_at_once)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    wsp_conn_close(&w->link, conn, WSPOOL_END_DRAIN, 4200, "drain", 5, 0);
    w->mem.fail_at = 1;
    receive_frame(w, conn, FRAME_FIN | WSP_TEXT, "x", 1);
    assert_int_equal(conn->state, WSP_CLOSED);
    assert_int_equal(conn->end, WSPOOL_END_DRAIN);
    assert_int_equal(conn->code_sent, 0); /* it was not sent yet */
    world_close(w);
}

TEST(ends_when_failed_say_the_code_and_text_of_the_header)
{
    static const struct {
        int code;
        const char *text;
    } ends[] = {
#define WSPOOL_X(name, code, text) {code, text},
        WSPOOL_ENDS(WSPOOL_X)
#undef WSPOOL_X
    };
    for (size_t i = 0; i < WSPOOL_END_COUNT; i++) {
        if (ends[i].code == 0) {
            continue; /* nothing is sent */
        }
        struct world *w = world_open();
        struct wsp_conn *conn = open_one(w, 0);
        wsp_conn_fail(&w->link, conn, (enum wspool_end)i, 0);
        assert_int_equal(conn->end, i);
        assert_int_equal(conn->code_sent, ends[i].code);
        expect_close_sent(w, conn, ends[i].code, ends[i].text);
        world_close(w);
    }
}

/* ----------------------------------------------------------------------- input */

TEST(memory_when_it_fails_anywhere_ends_or_closes_with_nomem)
{
    uint8_t bytes[2000], payload[600];
    memset(payload, 'f', sizeof payload);
    size_t len = frame_client(bytes, WSP_TEXT, payload, 300);
    len += frame_client(bytes + len, FRAME_FIN | WSP_PING, "p", 1);
    len += frame_client(bytes + len, FRAME_FIN, payload, 600);
    for (int all = 0; all < 2; all++) {
        size_t failures = 1, n = 1;
        for (; failures > 0; n++) {
            struct world *w = world_open();
            struct wsp_conn *conn = open_one(w, 0);
            w->mem.fail_at = n;
            w->mem.fail_on = all;
            receive(w, conn, bytes, len);
            failures = w->mem.failures;
            w->mem.fail_at = 0;
            w->mem.fail_on = 0;
            w->mem.failures = 0;
            if (failures > 0) {
                assert_true(conn->state == WSP_CLOSED || conn->state == WSP_CLOSING);
                assert_int_equal(conn->end, WSPOOL_END_NOMEM);
                receive_frame(w, conn, FRAME_FIN | WSP_CLOSE, code_1000, 2);
                (void)take_all(w, conn);
                assert_int_equal(conn->state, WSP_CLOSED);
            } else {
                assert_int_equal(conn->state, WSP_OPEN);
                assert_int_equal(w->messages, 1);
            }
            world_close(w);
        }
        assert_true(n > 4);
    }
}

TEST(hook_when_it_closes_hears_no_more_and_the_close_behind_is_found)
{
    for (int how = 1; how <= 2; how++) {
        struct world *w = world_open();
        struct wsp_conn *conn = open_one(w, 0);
        uint8_t bytes[200];
        size_t len = frame_client(bytes, FRAME_FIN | WSP_BINARY, "one", 3);
        len += frame_client(bytes + len, FRAME_FIN | WSP_TEXT, "two", 3);
        len += frame_client(bytes + len, FRAME_FIN | WSP_CLOSE, code_1000, 2);
        w->close_from_hook = how;
        receive(w, conn, bytes, len);
        assert_int_equal(w->messages, 1);
        assert_string_equal(w->last, "one");
        assert_int_equal(w->last_binary, 1);
        if (how == 1) {
            assert_int_equal(conn->state, WSP_CLOSING);
            assert_int_equal(conn->code_received, 1000);
            expect_close_sent(w, conn, 4000, "hook");
            assert_int_equal(conn->end, WSPOOL_END_HOST_CLOSED);
        } else {
            assert_int_equal(conn->code_received, 0);
            assert_int_equal(conn->end, WSPOOL_END_FAILED);
        }
        assert_int_equal(conn->state, WSP_CLOSED);
        world_close(w);
    }
}

/* --------------------------------------------------------------------- output */

/* Fills the output queue; the transport accepts `bytes` of it. */
static void block_it(struct world *w, struct wsp_conn *conn, size_t bytes)
{
    uint8_t room[4000];
    assert_int_equal(push(w, conn, 1000), 0);
    assert_true(peek(conn, room, sizeof room) > bytes);
    assert_int_equal(ack(w, conn, bytes), 0);
    assert_int_equal(conn->out.blocked, 1);
}

TEST(output_when_not_taken_blocks_until_writable)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    uint8_t room[4000];
    (void)noticed(w, conn);
    block_it(w, conn, 10);
    assert_int_equal(wsp_count_read(&w->count.blocked), 1);
    assert_int_equal(wsp_count_read(&w->count.sent_bytes), 10);
    assert_true(noticed(w, conn)); /* READ was removed */
    assert_int_equal(wsp_conn_wants(conn), 0);
    assert_int_equal(push(w, conn, 10), 0);
    assert_false(noticed(w, conn)); /* there is nothing new to report */
    receive_frame(w, conn, FRAME_FIN | WSP_PING, "", 0);
    assert_false(noticed(w, conn));
    size_t len = peek(conn, room, sizeof room); /* the host tries again all the same */
    assert_int_equal(ack(w, conn, 5), 0);
    assert_int_equal(wsp_count_read(&w->count.blocked), 1);
    assert_true(noticed(w, conn));
    /* once, because the transport took something */
    assert_int_equal(wsp_conn_wants(conn), WSPOOL_READ);
    receive_frame(w, conn, FRAME_FIN | WSP_PONG, "", 0);
    assert_true(noticed(w, conn));
    assert_int_equal(wsp_conn_wants(conn), 0);
    wsp_conn_writable(&w->link, conn);
    assert_true(noticed(w, conn));
    assert_int_equal(wsp_conn_wants(conn), WSPOOL_READ | WSPOOL_WRITE);
    assert_int_equal(peek(conn, room, sizeof room), len - 5);
    assert_int_equal(ack(w, conn, len - 5 + 1), WSPOOL_ERR_INVAL);
    assert_int_equal(ack(w, conn, len - 5), 0);
    assert_int_equal(wsp_conn_wants(conn), WSPOOL_READ);
    assert_int_equal(wsp_count_read(&w->count.sent), 2);
    assert_int_equal(wsp_count_read(&w->count.waiting_bytes), 0);
    wsp_conn_writable(&w->link, conn); /* harmless */
    assert_int_equal(wsp_conn_wants(conn), WSPOOL_READ);
    world_close(w);
}

TEST(output_when_more_waits_than_was_peeked_is_noticed_again)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    uint8_t room[100];
    assert_int_equal(push(w, conn, 10), 0);
    size_t len = peek(conn, room, sizeof room);
    assert_int_equal(push(w, conn, 10), 0);
    (void)noticed(w, conn);
    assert_int_equal(ack(w, conn, len), 0);
    assert_true(noticed(w, conn));
    assert_int_equal(wsp_conn_wants(conn), WSPOOL_READ | WSPOOL_WRITE);
    assert_int_equal(take_all(w, conn), 1);
    assert_false(noticed(w, conn));
    world_close(w);
}

TEST(output_when_it_moves_has_as_much_more_time_as_it_has_moved)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    uint8_t room[4000];
    w->config.ping_interval = 0;
    w->config.flush_time = 20 * SEC;
    assert_int_equal(push(w, conn, 2500), 0);
    block_it(w, conn, 10);
    uint64_t last_progress = w->link.now;
    sleep_for(w, 5 * SEC);
    wsp_conn_writable(&w->link, conn);
    (void)peek(conn, room, sizeof room);
    assert_int_equal(ack(w, conn, 2200), 0); /* half a second */
    last_progress += UINT64_C(8) << WSP_COARSE_TIME_BITS;
    for (int i = 0; i < 3; i++) { /* a call of writable, or a byte, is not progress */
        sleep_for(w, 5 * SEC);
        wsp_conn_writable(&w->link, conn);
        (void)peek(conn, room, sizeof room);
        assert_int_equal(ack(w, conn, i == 1), 0);
    }
    expect_coarse_time(when_it_changes(w, conn), last_progress + 20 * SEC);
    assert_int_equal(conn->end, WSPOOL_END_FLUSH_TIMEOUT);
    world_close(w);
}

TEST(output_when_all_was_taken_forgets_that_it_stood_still)
{
    struct world *w = world_open();
    w->config.flush_time = 20 * SEC;
    w->config.ping_interval = 0;
    struct wsp_conn *conn = open_one(w, 0);
    block_it(w, conn, 0);
    sleep_for(w, 15 * SEC);
    wsp_conn_writable(&w->link, conn);
    assert_int_equal(take_all(w, conn), 1);
    sleep_for(w, 15 * SEC);
    assert_int_equal(conn->state, WSP_OPEN);
    uint64_t blocked = w->link.now;
    block_it(w, conn, 0);
    expect_coarse_time(when_it_changes(w, conn), blocked + 20 * SEC);
    world_close(w);
}

TEST(pong_when_output_flows_again_is_awaited_on)
{
    struct world *w = world_open();
    w->config.flush_time = 0;
    struct wsp_conn *conn = open_one(w, 0);
    sleep_for(w, 31 * SEC);
    assert_int_equal(take_all(w, conn), 1);
    block_it(w, conn, 0);
    sleep_for(w, 55 * SEC);
    uint64_t writable = w->link.now;
    wsp_conn_writable(&w->link, conn);
    uint64_t over = when_it_changes(w, conn);
    assert_true(over >= writable + 10 * SEC - COARSE &&
                over <= writable + 10 * SEC + COARSE + CHANCE);
    assert_int_equal(conn->end, WSPOOL_END_PONG_TIMEOUT);
    world_close(w);
}

/* ------------------------------------------------------------ other deadlines */

TEST(message_when_it_is_over_has_no_deadline)
{
    struct world *w = world_open();
    w->config.ping_interval = 0;
    struct wsp_conn *conn = open_one(w, 0);
    receive_frame(w, conn, WSP_TEXT, "a", 1);
    sleep_for(w, 29 * SEC);
    receive_frame(w, conn, FRAME_FIN, "b", 1);
    assert_int_equal(when_it_changes(w, conn), UINT64_MAX);
    w->config.message_time = 0; /* switched off */
    receive_frame(w, conn, WSP_TEXT, "a", 1);
    assert_int_equal(when_it_changes(w, conn), UINT64_MAX);
    world_close(w);
}

/* While output is blocked nothing is read, so the deadlines of reading do not run. */
TEST(deadlines_of_reading_when_blocked_stand_still)
{
    for (int way = 0; way < 8; way++) {
        struct world *w = world_open();
        int idle = way & 1;
        w->config.ping_interval = way & 2 ? 30 * SEC : 0;
        w->config.flush_time = way & 4 ? 500 * SEC : 0;
        w->config.idle_time = idle ? 25 * SEC : 0;
        w->config.message_time = idle ? 0 : 25 * SEC;
        w->config.pong_time = 1000 * SEC;
        struct wsp_conn *conn = open_one(w, 0);
        receive_frame(w, conn, WSP_TEXT, "a", 1);
        sleep_for(w, 5 * SEC);
        block_it(w, conn, 10);
        sleep_for(w, 200 * SEC);
        assert_int_equal(conn->state, WSP_OPEN);
        uint64_t writable = w->link.now;
        wsp_conn_writable(&w->link, conn);
        drain(w, conn);
        uint64_t over = when_it_changes(w, conn);
        uint64_t left = 20 * SEC; /* coarse timestamps, at both ends of the pause */
        assert_true(over >= writable + left - COARSE &&
                    over <= writable + left + 2 * COARSE + CHANCE);
        assert_int_equal(conn->end, idle ? WSPOOL_END_IDLE : WSPOOL_END_MESSAGE_TIMEOUT);
        world_close(w);
    }
}

/* The nearest deadline takes effect first, also when another timer fired before. */
TEST(deadlines_when_all_are_on_come_in_their_order)
{
    uint64_t random = 92;
    for (int round = 0; round < 400; round++) {
        struct world *w = world_open();
        uint64_t unit = 100 * MS;
        w->config.ping_interval = unit * (1 + test_below(&random, 60));
        w->config.pong_time = unit * (1 + test_below(&random, 60));
        w->config.idle_time = unit * test_below(&random, 60);
        w->config.message_time = unit * test_below(&random, 60);
        w->config.lifetime = unit * test_below(&random, 60);
        w->config.flush_time = unit * test_below(&random, 60);
        struct wsp_conn *conn = open_one(w, 0);
        uint64_t opened = w->link.now, due = UINT64_MAX, coarse = UINT64_MAX;
        int blocked = test_below(&random, 2) != 0;
        if (test_below(&random, 2)) {
            receive_frame(w, conn, WSP_TEXT, "a", 1);
            due = w->config.message_time && !blocked ? opened + w->config.message_time : due;
        }
        if (blocked) {
            block_it(w, conn, 0);
            coarse = w->config.flush_time ? opened + w->config.flush_time : coarse;
        } else {
            uint64_t dead = opened + w->config.ping_interval + w->config.pong_time;
            due = dead < due ? dead : due;
            coarse = w->config.idle_time ? opened + w->config.idle_time : coarse;
        }
        if (w->config.lifetime && opened + w->config.lifetime < due) {
            due = opened + w->config.lifetime;
        }
        uint64_t over = when_it_changes(w, conn);
        if (due == UINT64_MAX && coarse == UINT64_MAX) {
            assert_int_equal(over, UINT64_MAX);
        } else if (due <= coarse) {
            /* The time for the pong counts from the moment when the ping was sent. */
            assert_true(over >= due && over <= due + CHANCE + 2 * WSP_TIMERS_TICK);
        } else {
            uint64_t latest = coarse + COARSE + CHANCE + WSP_TIMERS_TICK;
            assert_true(over >= coarse && over <= latest);
        }
        world_close(w);
    }
}

/* ---------------------------------------------------------------- after the end */

TEST(connection_when_let_go_of_counts_what_was_lost_and_holds_nothing)
{
    struct world *w = world_open();
    struct wsp_conn *conn = open_one(w, 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(push(w, conn, 100), 0);
        assert_int_equal(push(w, open_one(w, 1), 100), 0);
        wsp_conn_end(&w->link, &w->conns[1], WSPOOL_END_EOF);
        wsp_conn_fini(&w->link, &w->conns[1], 0);
    }
    receive_frame(w, conn, WSP_TEXT, "half of a message", 17);
    receive_frame(w, conn, FRAME_FIN | WSP_PING, "", 0);
    wsp_conn_end(&w->link, conn, WSPOOL_END_FAILED);
    wsp_conn_fini(&w->link, conn, 0);
    assert_int_equal(conn->lost, 20);
    assert_int_equal(wsp_count_read(&w->count.dropped_closed), 40);
    assert_int_equal(wsp_count_read(&w->count.waiting_bytes), 0);
    assert_null(conn->work.inbound);
    assert_null(conn->out.first.block);
    assert_null(conn->out.more);
    assert_null(conn->out.control);
    wsp_conn_fini(&w->link, conn, 1);
    assert_int_equal(conn->lost, 20);
    assert_int_equal(wsp_count_read(&w->count.dropped_closed), 40);
    world_close(w);
}

/* --------------------------------------------------------------- random walk */

struct life {
    uint8_t state, end;
    size_t ended; /* how often the end was reported */
    uint64_t closing_since;
    uint8_t in[1200]; /* the bytes that the peer is writing */
    size_t in_at, in_len;
    uint8_t *out; /* all bytes that the peer has read */
    size_t out_len;
};

static void life_check(struct world *w, struct wsp_conn *conn, struct life *life)
{
    assert_true(wsp_conn_check(conn));
    assert_true(conn->state >= life->state); /* never back to an earlier state */
    assert_true(conn->state >= WSP_OPEN);
    if (life->state >= WSP_CLOSING) {
        assert_int_equal(conn->end, life->end);
    } else if (conn->state >= WSP_CLOSING) {
        life->closing_since = w->link.now;
    }
    if (conn->state == WSP_CLOSING) { /* this state has a deadline */
        assert_true(w->link.now <= life->closing_since + w->config.closing_time + SEC + CHANCE);
    }
    life->state = conn->state;
    life->end = conn->end;
    unsigned said = events(w, conn);
    life->ended += (said & WSP_DUE_ENDED) != 0;
    assert_int_equal(life->ended, conn->state == WSP_CLOSED);
}

static void life_write(struct world *w, struct wsp_conn *conn, struct life *life, uint64_t *random)
{
    uint8_t room[70000];
    size_t len = conn->state == WSP_CLOSED ? 0 : peek(conn, room, sizeof room);
    size_t n = test_below(random, 2) ? len : (size_t)test_below(random, len + 1);
    if (n > 0) {
        life->out = realloc(life->out, life->out_len + n);
        assert_non_null(life->out);
        memcpy(life->out + life->out_len, room, n);
        life->out_len += n;
    }
    assert_int_equal(wsp_conn_ack(&w->link, conn, n), 0);
}

/* Writes a frame, mostly a valid one that fits the frames before it. Often writes only a part of
 * it, and the rest at the next call. */
static void life_write_frame(const struct wsp_conn *conn, struct life *life, uint64_t *random)
{
    uint8_t payload[1100];
    const struct wsp_inbound *in = conn->work.inbound;
    int within = conn->state == WSP_OPEN && in && in->message;
    size_t len = (size_t)test_below(random, test_below(random, 6) ? 100 : 1050);
    unsigned first = within ? 0 : 1 + (unsigned)test_below(random, 2);
    if (test_below(random, 3)) {
        first |= FRAME_FIN;
    }
    if (test_below(random, 6) == 0) {
        first = FRAME_FIN | (test_below(random, 2) ? WSP_PING : WSP_PONG);
    }
    if (test_below(random, 100) == 0) {
        first = (unsigned)test_below(random, 256);
    }
    if (test_below(random, 80) == 0) {
        first = FRAME_FIN | WSP_CLOSE;
    }
    len = first & 8 && len > 125 ? 125 : len;
    memset(payload, test_below(random, 100) ? 'a' : 0xff, sizeof payload);
    if ((first & 15) == WSP_CLOSE) {
        memcpy(payload, code_1000, 2);
        len = len % 20 == 1 ? 2 : len % 20;
    }
    life->in_len = frame_client(life->in, first, payload, len);
    life->in_at = 0;
}

static void life_read(struct world *w, struct wsp_conn *conn, struct life *life, uint64_t *random)
{
    if (life->in_at == life->in_len) {
        life_write_frame(conn, life, random);
    }
    size_t n = life->in_len - life->in_at;
    n = test_below(random, 3) ? n : 1 + (size_t)test_below(random, n);
    wsp_conn_receive(&w->link, conn, life->in + life->in_at, n, LIMIT);
    life->in_at += n;
}

static void life_check_out(const struct life *life)
{
    size_t at = 0;
    int closed = 0;
    while (at + 2 <= life->out_len) {
        assert_false(closed); /* nothing follows a Close */
        assert_int_equal(life->out[at] & 0xf0, FRAME_FIN);
        closed = (life->out[at] & 15) == WSP_CLOSE;
        size_t head = life->out[at + 1] < 126 ? 2 : 4;
        if (at + head > life->out_len) {
            break;
        }
        at += wsp_frame_encoded_len(life->out + at);
    }
}

static void life_step(struct world *w, struct wsp_conn *conn, struct life *life, uint64_t *random)
{
    struct wsp_link *link = &w->link;
    w->mem.fail_at = test_below(random, 40) ? 0 : (size_t)(1 + test_below(random, 3));
    w->close_from_hook = test_below(random, 150) ? 0 : 1 + (int)test_below(random, 2);
    switch (test_below(random, 12)) {
    case 0:
    case 1:
    case 2:
        life_read(w, conn, life, random);
        break;
    case 3:
    case 4:
        if (conn->out.accepts) {
            (void)push(w, conn, (size_t)test_below(random, 1500));
        }
        break;
    case 5:
    case 6:
    case 7:
        life_write(w, conn, life, random);
        break;
    case 8:
        wsp_conn_writable(link, conn);
        break;
    case 9:
    case 10:
        w->mem.fail_at = test_below(random, 12) ? 0 : 1;
        sleep_for(w, test_below(random, test_below(random, 4) ? 2 * SEC : 12 * SEC));
        break;
    default:
        if (test_below(random, 12) == 0) {
            wsp_conn_close(link, conn, WSPOOL_END_HOST_CLOSED, 4321, "random", 6,
                           (int)test_below(random, 2));
        } else if (test_below(random, 40) == 0) {
            wsp_conn_end(link, conn, WSPOOL_END_FAILED);
        }
        break;
    }
    w->mem.fail_at = 0;
    life_check(w, conn, life);
}

TEST(connection_when_used_at_random_never_goes_back)
{
    size_t ends[WSPOOL_END_COUNT] = {0};
    for (uint64_t seed = 1; seed <= 800; seed++) {
        uint64_t random = seed;
        struct world *w = world_open();
        struct life life = {.state = WSP_OPEN};
        w->config.ping_interval = test_below(&random, 4) * 7 * SEC;
        w->config.pong_time = 5 * SEC;
        w->config.idle_time = test_below(&random, 4) * 20 * SEC;
        w->config.message_time = test_below(&random, 3) * 10 * SEC;
        w->config.flush_time = test_below(&random, 3) * 6 * SEC;
        w->config.lifetime = test_below(&random, 3) * 50 * SEC;
        w->config.abuse_burst = (uint32_t)test_below(&random, 3) * 2;
        w->config.abuse_rate = 1;
        struct wsp_conn *conn = open_one(w, 0);
        life_check(w, conn, &life);
        for (int i = 0; i < 200; i++) {
            life_step(w, conn, &life, &random);
        }
        ends[conn->end] += conn->state == WSP_CLOSED;
        life_check_out(&life);
        free(life.out);
        world_close(w);
    }
    /* The random walks are useful only if they reach every way of ending. */
    static const enum wspool_end all[] = {
        WSPOOL_END_PEER_CLOSED,   WSPOOL_END_HOST_CLOSED,     WSPOOL_END_PROTOCOL,
        WSPOOL_END_BAD_UTF8,      WSPOOL_END_TOO_BIG,         WSPOOL_END_ABUSE,
        WSPOOL_END_NOMEM,         WSPOOL_END_MESSAGE_TIMEOUT, WSPOOL_END_PONG_TIMEOUT,
        WSPOOL_END_FLUSH_TIMEOUT, WSPOOL_END_LIFETIME,        WSPOOL_END_FAILED};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (ends[all[i]] == 0) {
            fail_msg("nobody ended with: %s", wspool_end_text(all[i]));
        }
    }
}
