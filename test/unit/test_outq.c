/* SPDX-License-Identifier: MIT */
/*
 * unit/test_outq.c - link/{outq,peek}.h: the output queue is compared with a simple model.
 *
 * The model is a list of messages, a list of control frames and a Close, each with the number of
 * its bytes that are sent. After each step of a random walk a peek must return a prefix of what the
 * model would send, and the sums must be equal. In half of the walks each store has another
 * priority. The other tests show each promise of the header alone: order, drops, half-sent frames,
 * memory, and failed allocations.
 */
#include "support.h"
#include "frames.h"

#include <wspool/error.h>
#include "link/outq.h"
#include "link/peek.h"
#include "link/compact.h"

/* What the queues of a test share: three block stores, as if there were three pools, so that one
 * queue gets runs from several current blocks. */
enum { STORES = 3 };

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    wsp_count gauge;
    struct wsp_blocks stores[STORES];
    struct wsp_outqs outqs;
    uint32_t next_id; /* of messages */
    int8_t priority_of[4096];
};

enum { NORMAL, HIGH, LOW }; /* stores, when each has another priority */
static const int priorities[STORES] = {0, 1, -1};

static void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->hooks = test_mem_hooks(&w->mem);
    for (size_t i = 0; i < STORES; i++) {
        wsp_blocks_init(&w->stores[i], &w->hooks, UINT64_MAX, &w->gauge);
    }
    wsp_outqs_init(&w->outqs, &w->hooks);
}

static void give_priorities(struct world *w)
{
    for (size_t i = 0; i < STORES; i++) {
        wsp_blocks_choose(&w->stores[i], priorities[i]);
    }
}

/* All queues are freed: only the stores may hold blocks now. */
static void world_close(struct world *w)
{
    for (size_t i = 0; i < STORES; i++) {
        const struct wsp_block *current = w->stores[i].current;
        if (current) {
            assert_int_equal(current->holds, 1);
            assert_int_equal(w->stores[i].bytes, sizeof *current + current->cap);
        }
        wsp_blocks_fini(&w->stores[i]);
    }
    wsp_outqs_fini(&w->outqs);
    assert_int_equal(w->mem.live, 0);
}

/* Writes a message with a number of its own into a store. The test holds a reference to its run,
 * so that it stays until it was pushed; release it then. `payload` is at least 4. */
static struct wsp_run publish(struct world *w, size_t store, size_t payload)
{
    uint8_t frame[70000];
    uint8_t bytes[69980];
    int error = 0;
    uint32_t id = ++w->next_id;
    assert_true(payload >= 4 && payload <= sizeof bytes);
    for (size_t i = 0; i < payload; i++) {
        bytes[i] = (uint8_t)(id * 31 + i);
    }
    memcpy(bytes, &id, sizeof id);
    w->priority_of[id % 4096] = (int8_t)w->stores[store].priority;
    size_t len = frame_server(frame, FRAME_FIN | 2, bytes, payload);
    uint8_t *room = wsp_blocks_room(&w->stores[store], (uint32_t)len, &error);
    assert_non_null(room);
    memcpy(room, frame, len);
    struct wsp_run run = wsp_blocks_commit(&w->stores[store], (uint32_t)len);
    wsp_block_hold(run.block);
    return run;
}

/* Publishes a message and pushes it. Returns 0 or the error. */
static int push(struct world *w, struct wsp_outq *q, size_t store, size_t payload)
{
    struct wsp_run run = publish(w, store, payload);
    int answer = wsp_outq_push(q, &w->outqs, &run);
    wsp_block_release(run.block);
    assert_true(wsp_outq_check(q));
    return answer < 0 ? answer : 0;
}

/* ------------------------------------------------------------------- model */

struct item {
    uint8_t *bytes;
    size_t len;
    size_t sent;
    size_t peeked; /* bytes returned by the last peek */
    int pong;
    int priority;
};

enum { ITEMS = 4000, VECTORS = 20 };

struct items {
    struct item *all[ITEMS];
    size_t count;
};

struct model {
    struct wsp_outq q;
    struct items messages;
    struct items controls;
    struct item *close;
    size_t lane_start, lane_end; /* where the control bytes lie in their WSP_CONTROL_BYTES */
    /* The last peek. */
    struct items order; /* what was to be sent, in this order */
    struct iovec vectors[VECTORS];
    int vector_count;
    uint8_t *copy;
    size_t peeked;
    /* The bytes that the peer received. */
    uint8_t *stream;
    size_t stream_len, stream_cap;
    /* How often each case happened. */
    size_t acks, replaced, left_out, full, dropped, failed, partly, half_lane, overtook;
    const struct world *world;
};

static struct item *item_add(struct items *items, const void *bytes, size_t len)
{
    struct item *item = calloc(1, sizeof *item);
    assert_non_null(item);
    assert_true(items->count < ITEMS);
    item->bytes = malloc(len);
    assert_non_null(item->bytes);
    memcpy(item->bytes, bytes, len);
    item->len = len;
    items->all[items->count++] = item;
    return item;
}

/* The last item goes behind all of its own or a higher priority, and behind those that are sent or
 * peeked in part. Returns 1 if it overtakes any. */
static int item_overtake(struct items *items, int priority)
{
    size_t at = items->count - 1;
    struct item *last = items->all[at];
    last->priority = priority;
    for (; at > 0; at--) {
        const struct item *before = items->all[at - 1];
        if (before->priority >= priority || before->sent > 0 || before->peeked > 0) {
            break;
        }
        items->all[at] = items->all[at - 1];
    }
    items->all[at] = last;
    return at + 1 < items->count;
}

static void item_remove(struct items *items, size_t at)
{
    free(items->all[at]->bytes);
    free(items->all[at]);
    items->count--;
    memmove(&items->all[at], &items->all[at + 1], (items->count - at) * sizeof *items->all);
}

static int untouched(const struct item *item)
{
    return item->sent == 0 && item->peeked == 0;
}

static size_t rest_of(const struct items *items)
{
    size_t rest = 0;
    for (size_t i = 0; i < items->count; i++) {
        rest += items->all[i]->len - items->all[i]->sent;
    }
    return rest;
}

static void sum_run(const struct wsp_run *run, void *user)
{
    size_t *sums = user;
    assert_non_null(run->block);
    assert_true(run->block->holds >= 1);
    sums[0] += run->bytes;
    sums[1] += run->count;
}

static void check(const struct model *m)
{
    size_t sums[2] = {0, 0};
    assert_true(wsp_outq_check(&m->q));
    assert_int_equal(m->q.bytes, rest_of(&m->messages));
    assert_int_equal(m->q.count, m->messages.count);
    assert_int_equal(wsp_outq_empty(&m->q) != 0,
                     m->messages.count == 0 && m->controls.count == 0 && !m->close);
    assert_int_equal(wsp_outq_close_sent(&m->q), !m->close);
    assert_int_equal(wsp_outq_under_way(&m->q), m->peeked > 0);
    wsp_outq_each(&m->q, sum_run, sums);
    assert_int_equal(sums[0], m->q.bytes);
    assert_int_equal(sums[1], m->q.count);
    /* The bytes that were peeked have not changed. */
    size_t at = 0;
    for (int i = 0; i < m->vector_count; i++) {
        assert_memory_equal(m->copy + at, m->vectors[i].iov_base, m->vectors[i].iov_len);
        at += m->vectors[i].iov_len;
    }
}

/* Order: rest of a half-sent message, control, messages, Close. */
static void put_in_order(struct model *m)
{
    struct items *order = &m->order;
    size_t first = 0;
    order->count = 0;
    if (m->controls.count > 0 && m->messages.count > 0 && m->messages.all[0]->sent > 0) {
        order->all[order->count++] = m->messages.all[0];
        first = 1;
    }
    for (size_t i = 0; i < m->controls.count; i++) {
        order->all[order->count++] = m->controls.all[i];
    }
    for (size_t i = first; i < m->messages.count; i++) {
        order->all[order->count++] = m->messages.all[i];
    }
    if (m->close) {
        order->all[order->count++] = m->close;
    }
    for (size_t i = 0; i < order->count; i++) {
        order->all[i]->peeked = 0;
    }
}

static void model_peek(struct model *m, int max)
{
    free(m->copy);
    m->copy = NULL;
    m->peeked = 0;
    m->vector_count = 0;
    put_in_order(m);
    int n = wsp_outq_peek(&m->q, m->vectors, max);
    assert_true(n >= 0 && n <= max);
    for (int i = 0; i < n; i++) {
        assert_int_not_equal(m->vectors[i].iov_len, 0);
        m->peeked += m->vectors[i].iov_len;
    }
    m->copy = malloc(m->peeked + 1);
    assert_non_null(m->copy);
    m->vector_count = n;
    size_t got = 0, at = 0;
    for (int i = 0; i < n; i++) {
        memcpy(m->copy + got, m->vectors[i].iov_base, m->vectors[i].iov_len);
        got += m->vectors[i].iov_len;
    }
    if (n < max) { /* there was space for more vectors: this is all */
        assert_int_equal(got, rest_of(&m->order));
    } else {
        assert_int_not_equal(got, 0);
    }
    size_t items = 0;
    for (; items < m->order.count && at < got; items++) {
        struct item *item = m->order.all[items];
        item->peeked = item->len - item->sent;
        assert_true(at + item->peeked <= got); /* whole, or not at all */
        assert_memory_equal(m->copy + at, item->bytes + item->sent, item->peeked);
        at += item->peeked;
    }
    assert_int_equal(at, got);
    m->order.count = items; /* the others may be dropped */
}

static void receive(struct model *m, const void *bytes, size_t len)
{
    if (m->stream_len + len > m->stream_cap) {
        m->stream_cap = 2 * (m->stream_len + len);
        m->stream = realloc(m->stream, m->stream_cap);
        assert_non_null(m->stream);
    }
    if (len > 0) {
        memcpy(m->stream + m->stream_len, bytes, len);
    }
    m->stream_len += len;
}

static void remove_sent(struct items *items)
{
    for (size_t i = items->count; i-- > 0;) {
        if (items->all[i]->sent == items->all[i]->len) {
            item_remove(items, i);
        }
    }
}

/* The fast path for a queue that is always emptied. Where it applies it must be taken; elsewhere
 * it must do nothing. */
static int ack_whole(struct model *m, size_t bytes, struct wsp_acked *acked)
{
    int whole = bytes > 0 && bytes == m->peeked && m->vector_count == 1 && !m->q.control &&
                !m->q.more && bytes == rest_of(&m->messages);
    uint32_t messages = wsp_outq_whole(&m->q, bytes);
    assert_int_equal(messages != 0, whole);
    if (!whole) {
        check(m);
        return 0;
    }
    wsp_outq_ack_whole(&m->q);
    *acked = (struct wsp_acked){.messages = messages};
    return 1;
}

static void model_ack(struct model *m, struct world *w, size_t bytes)
{
    struct wsp_acked acked = {77, 77};
    size_t left = bytes, messages = 0;
    check(m);
    assert_int_equal(wsp_outq_ack(&m->q, &w->outqs, m->peeked + 1, &acked), WSPOOL_ERR_INVAL);
    check(m);
    receive(m, m->copy, bytes);
    if (m->acks++ % 2 || !ack_whole(m, bytes, &acked)) {
        assert_int_equal(wsp_outq_ack(&m->q, &w->outqs, bytes, &acked), 0);
    }
    for (size_t i = 0; i < m->order.count; i++) {
        struct item *item = m->order.all[i];
        size_t n = item->peeked < left ? item->peeked : left;
        item->sent += n;
        item->peeked = 0;
        left -= n;
        for (size_t c = 0; c < m->controls.count; c++) {
            m->lane_start += m->controls.all[c] == item ? n : 0;
        }
    }
    for (size_t i = 0; i < m->messages.count; i++) {
        messages += m->messages.all[i]->sent == m->messages.all[i]->len;
    }
    remove_sent(&m->messages);
    remove_sent(&m->controls);
    if (m->close && m->close->sent == m->close->len) {
        free(m->close->bytes);
        free(m->close);
        m->close = NULL;
    }
    if (m->controls.count == 0 && !m->close) {
        m->lane_start = m->lane_end = 0;
    }
    assert_int_equal(acked.messages, messages);
    assert_int_equal(acked.partly != 0, bytes < m->peeked);
    m->partly += bytes < m->peeked;
    m->half_lane += m->controls.count > 0 && m->controls.all[0]->sent > 0;
    m->vector_count = 0;
    m->peeked = 0;
    m->order.count = 0;
    check(m);
}

/* Pushes one run of one or more encoded frames. */
static int model_push(struct model *m, struct world *w, const struct wsp_run *run)
{
    const struct wsp_runs *last = m->q.more ? m->q.more->last : NULL;
    const struct wsp_block *before = last ? last->runs[last->end - 1].block : m->q.first.block;
    int another = m->q.bytes > 0 && before != run->block;
    int tail_priority = before ? before->priority : 0;
    int answer = wsp_outq_push(&m->q, &w->outqs, run);
    const uint8_t *frame = run->block->bytes + run->offset;
    if (answer >= 0) {
        assert_true(answer == another || run->block->priority > 0 || tail_priority < 0);
        for (uint32_t i = 0; i < run->count; i++) {
            size_t len = wsp_frame_encoded_len(frame);
            item_add(&m->messages, frame, len);
            m->overtook += (size_t)item_overtake(&m->messages, run->block->priority);
            frame += len;
        }
    } else {
        assert_int_equal(answer, WSPOOL_ERR_NOMEM);
        m->failed++;
    }
    check(m);
    return answer;
}

static int lane_has_room(struct model *m, size_t len)
{
    int peeked = 0;
    for (size_t i = 0; i < m->controls.count; i++) {
        peeked |= m->controls.all[i]->peeked > 0;
    }
    if (m->lane_end + len > WSP_CONTROL_BYTES && !peeked) {
        m->lane_end -= m->lane_start;
        m->lane_start = 0;
    }
    return m->lane_end + len <= WSP_CONTROL_BYTES;
}

static void model_control(struct model *m, struct world *w, const void *frame, size_t len)
{
    int answer = wsp_outq_control(&m->q, &w->outqs, frame, len);
    if (answer == WSPOOL_ERR_NOMEM) {
        assert_int_equal(m->controls.count, 0);
        m->failed++;
    } else if (m->close || !lane_has_room(m, len)) {
        assert_int_equal(answer, WSPOOL_ERR_FULL);
        m->full++;
    } else {
        assert_int_equal(answer, 0);
        item_add(&m->controls, frame, len);
        m->lane_end += len;
    }
    check(m);
}

static void model_pong(struct model *m, struct world *w, const void *frame, size_t len)
{
    size_t count = m->controls.count;
    int answer = wsp_outq_pong(&m->q, &w->outqs, frame, len);
    if (answer == WSPOOL_ERR_NOMEM) {
        assert_int_equal(count, 0);
        m->failed++;
    } else if (m->close) {
        assert_int_equal(answer, 1);
        m->left_out++;
    } else if (lane_has_room(m, len)) {
        assert_int_equal(answer, 0);
        item_add(&m->controls, frame, len)->pong = 1;
        m->lane_end += len;
    } else {
        const struct item *last = count ? m->controls.all[count - 1] : NULL;
        assert_int_equal(answer, 1);
        if (last && last->pong && untouched(last) &&
            m->lane_end - last->len + len <= WSP_CONTROL_BYTES) {
            m->lane_end = m->lane_end - last->len + len;
            item_remove(&m->controls, count - 1);
            item_add(&m->controls, frame, len)->pong = 1;
            m->replaced++;
        } else {
            m->left_out++;
        }
    }
    check(m);
}

static void model_close(struct model *m, struct world *w, const void *frame, size_t len)
{
    int answer = wsp_outq_close(&m->q, &w->outqs, frame, len);
    if (answer) {
        assert_int_equal(answer, WSPOOL_ERR_NOMEM);
        m->failed++;
    } else {
        struct items one = {.count = 0};
        m->close = item_add(&one, frame, len);
    }
    check(m);
}

/* Removes all messages that are not being written. */
static void model_drop(struct model *m, struct world *w)
{
    uint32_t dropped = wsp_outq_drop_all(&m->q, &w->outqs), n = 0;
    for (size_t i = m->messages.count; i-- > 0;) {
        if (untouched(m->messages.all[i])) {
            item_remove(&m->messages, i);
            n++;
        }
    }
    assert_int_equal(dropped, n);
    m->dropped += n;
    check(m);
}

static void items_clear(struct items *items)
{
    while (items->count > 0) {
        item_remove(items, items->count - 1);
    }
}

/* The peer received whole frames, messages of one priority in the order of their numbers, and
 * nothing behind a Close. The last frame may be cut when the queue was discarded. */
static void check_stream(const struct model *m, int complete)
{
    size_t at = 0;
    uint32_t last[STORES] = {0};
    int closed = 0;
    while (at + 2 <= m->stream_len) {
        size_t len = wsp_frame_encoded_len(m->stream + at);
        if (at + len > m->stream_len) {
            break;
        }
        assert_false(closed);
        if (m->stream[at] == (FRAME_FIN | WSP_BINARY)) {
            uint32_t id;
            size_t head = m->stream[at + 1] < 126 ? 2 : m->stream[at + 1] == 126 ? 4 : 10;
            memcpy(&id, m->stream + at + head, sizeof id);
            uint32_t *before = &last[1 + m->world->priority_of[id]];
            assert_true(id > *before);
            *before = id;
        } else if (m->stream[at] == (FRAME_FIN | WSP_CLOSE)) {
            closed = 1;
        } else {
            assert_true(m->stream[at] == (FRAME_FIN | WSP_PING) ||
                        m->stream[at] == (FRAME_FIN | WSP_PONG));
        }
        at += len;
    }
    assert_true(!complete || at == m->stream_len);
}

static void model_fini(struct model *m, struct world *w, int complete)
{
    wsp_outq_fini(&m->q, &w->outqs);
    assert_true(wsp_outq_check(&m->q));
    assert_true(wsp_outq_empty(&m->q));
    check_stream(m, complete);
    items_clear(&m->messages);
    items_clear(&m->controls);
    if (m->close) {
        free(m->close->bytes);
        free(m->close);
    }
    free(m->copy);
    free(m->stream);
    free(m);
}

static struct model *model_new(const struct world *w)
{
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->world = w;
    return m;
}

/* -------------------------------------------------------------- random walk */

struct walk {
    struct world world;
    struct model *queues[2];
    uint64_t random;
    unsigned weights[8];
    int failing; /* one allocation in that many fails; 0: none */
};

static uint64_t below(struct walk *t, uint64_t end)
{
    return test_below(&t->random, end);
}

/* Lets an allocation of the next call fail, in some cases. */
static void arm(struct walk *t)
{
    t->world.mem.fail_at = t->failing && below(t, (uint64_t)t->failing) == 0 ? 1 : 0;
}

static void walk_push(struct walk *t)
{
    struct world *w = &t->world;
    uint64_t kind = below(t, 30);
    w->mem.fail_at = 0; /* only allocations of the queues may fail */
    size_t payload = 4 + (size_t)below(t, kind == 0 ? 69000 : kind < 4 ? 3000 : 60);
    struct wsp_run run = publish(w, (size_t)below(t, below(t, 4) ? 1 : STORES), payload);
    if (kind > 25) { /* two frames that lie side by side, as one run */
        struct wsp_run more = publish(w, 0, 4 + (size_t)below(t, 100));
        if (more.block == run.block && more.offset == run.offset + run.bytes) {
            run.bytes += more.bytes;
            run.count++;
        }
        wsp_block_release(more.block);
    }
    unsigned to = 1 + (unsigned)below(t, 4); /* this queue, the other one, both, or none */
    for (size_t i = 0; i < 2; i++) {
        if ((to >> i & 1) && t->queues[i]->q.accepts) {
            arm(t);
            (void)model_push(t->queues[i], w, &run);
        }
    }
    w->mem.fail_at = 0;
    wsp_block_release(run.block);
}

static void walk_control(struct walk *t, struct model *m, int pong)
{
    uint8_t payload[WSP_CONTROL_MAX], frame[2 + WSP_CONTROL_MAX];
    size_t len = (size_t)below(t, below(t, 2) ? WSP_CONTROL_MAX + 1 : 10);
    if (!m->q.accepts && !m->close) {
        return; /* its Close was sent: the connection has ended */
    }
    frame_fill(payload, len, &t->random);
    if (pong) {
        len = frame_server(frame, FRAME_FIN | WSP_PONG, payload, len);
        model_pong(m, &t->world, frame, len);
    } else {
        len = frame_server(frame, FRAME_FIN | WSP_PING, payload, len);
        model_control(m, &t->world, frame, len);
    }
}

static void walk_close(struct walk *t, struct model *m)
{
    uint8_t frame[WSP_CLOSE_FRAME_MAX], payload[WSP_CONTROL_MAX];
    size_t len = (size_t)below(t, sizeof payload + 1);
    frame_fill(payload, len, &t->random);
    if (m->q.accepts) {
        m->q.accepts = 0;
        model_close(m, &t->world, frame, frame_server(frame, FRAME_FIN | WSP_CLOSE, payload, len));
    }
}

/* Returns all, nothing, one byte, or any number between. */
static size_t walk_amount(struct walk *t, size_t most)
{
    switch (below(t, 4)) {
    case 0:
        return most;
    case 1:
        return most < 3 ? 0 : (size_t)below(t, 3);
    default:
        return (size_t)below(t, most + 1);
    }
}

static size_t compacted; /* sum over all walks */

static void walk_compact(struct walk *t, struct model *m)
{
    const struct wsp_block *before = m->q.first.block;
    wsp_outq_compact(&m->q, &t->world.outqs, &t->world.stores[below(t, STORES)],
                     (uint32_t)below(t, 3000));
    compacted += m->q.first.block != before;
}

static void walk_step(struct walk *t)
{
    struct model *m = t->queues[below(t, 2)];
    unsigned sum = 0, step = 0;
    for (size_t i = 0; i < 8; i++) {
        sum += t->weights[i];
    }
    for (uint64_t at = below(t, sum); at >= t->weights[step]; step++) {
        at -= t->weights[step];
    }
    arm(t);
    switch (step) {
    case 0:
    case 1:
        walk_push(t);
        break;
    case 2:
        walk_control(t, m, 0);
        break;
    case 3:
        walk_control(t, m, 1);
        break;
    case 4:
        model_peek(m, 1 + (int)below(t, below(t, 2) ? 3 : VECTORS));
        break;
    case 5:
        model_ack(m, &t->world, walk_amount(t, m->peeked));
        break;
    case 6:
        if (below(t, 10) == 0) {
            model_drop(m, &t->world);
        }
        break;
    default:
        if (below(t, 60) == 0) {
            walk_close(t, m);
        }
        break;
    }
    if (below(t, 8) == 0) {
        walk_compact(t, m);
    }
    t->world.mem.fail_at = 0;
    check(t->queues[0]);
    check(t->queues[1]);
}

struct seen {
    size_t replaced, left_out, full, dropped, failed, partly, half_lane, closed, chunks, overtook;
};

static void walk(uint64_t seed, int steps, int failing, struct seen *seen)
{
    struct walk *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->random = seed;
    t->failing = failing;
    world_open(&t->world);
    if (seed % 2) {
        give_priorities(&t->world);
    }
    for (size_t i = 0; i < 2; i++) {
        t->queues[i] = model_new(&t->world);
        t->queues[i]->q.accepts = 1;
    }
    /* Some walks mostly push, some mostly drop, some nearly never write. */
    for (size_t i = 0; i < 8; i++) {
        t->weights[i] = 1 + (unsigned)below(t, below(t, 3) ? 4 : 20);
    }
    for (int i = 0; i < steps; i++) {
        walk_step(t);
        size_t chunks = 0;
        for (const struct wsp_runs *c = t->queues[0]->q.more; c; c = c->next) {
            chunks++;
        }
        seen->chunks = chunks > seen->chunks ? chunks : seen->chunks;
    }
    for (size_t i = 0; i < 2; i++) {
        struct model *m = t->queues[i];
        int complete = below(t, 3) != 0;
        while (complete && !wsp_outq_empty(&m->q)) {
            model_peek(m, 1 + (int)below(t, VECTORS));
            model_ack(m, &t->world, below(t, 2) ? m->peeked : 1 + (size_t)below(t, m->peeked));
        }
        seen->replaced += m->replaced;
        seen->left_out += m->left_out;
        seen->full += m->full;
        seen->dropped += m->dropped;
        seen->failed += m->failed;
        seen->partly += m->partly;
        seen->half_lane += m->half_lane;
        seen->closed += !m->q.accepts;
        seen->overtook += m->overtook;
        model_fini(m, &t->world, complete);
    }
    world_close(&t->world);
    free(t);
}

/* The walks are useful only if they reach every case. */
static void check_seen(const struct seen *seen)
{
    assert_int_not_equal(seen->replaced, 0);
    assert_int_not_equal(seen->left_out, 0);
    assert_int_not_equal(seen->full, 0);
    assert_int_not_equal(seen->dropped, 0);
    assert_int_not_equal(seen->partly, 0);
    assert_int_not_equal(seen->half_lane, 0);
    assert_int_not_equal(seen->closed, 0);
    assert_true(seen->overtook > 500);
    assert_true(seen->chunks >= 3);
    assert_int_not_equal(compacted, 0);
    compacted = 0;
}

TEST(queue_when_used_at_random_sends_what_the_model_would)
{
    struct seen seen = {0};
    for (uint64_t seed = 1; seed <= 160; seed++) {
        walk(seed, 400, 0, &seen);
    }
    check_seen(&seen);
    assert_int_equal(seen.failed, 0);
}

TEST(queue_when_allocations_fail_at_random_loses_nothing)
{
    struct seen seen = {0};
    for (uint64_t seed = 1001; seed <= 1080; seed++) {
        walk(seed, 400, 1 + (int)(seed % 3), &seen);
    }
    check_seen(&seen);
    assert_int_not_equal(seen.failed, 0);
}

/* ---------------------------------------------------------- single promises */

/* A queue with shared state of its own, and the results of its last peek and ack. */
struct scene {
    struct world w;
    struct wsp_outq q;
    struct iovec vectors[64];
    struct wsp_acked acked;
};

static void begin(struct scene *s)
{
    memset(s, 0, sizeof *s);
    s->q.accepts = 1;
    world_open(&s->w);
}

static void end(struct scene *s)
{
    wsp_outq_fini(&s->q, &s->w.outqs);
    world_close(&s->w);
}

static void put(struct scene *s, size_t store, size_t payload)
{
    assert_int_equal(push(&s->w, &s->q, store, payload), 0);
}

static int control(struct scene *s, const uint8_t *frame, size_t len)
{
    return wsp_outq_control(&s->q, &s->w.outqs, frame, len);
}

static int pong(struct scene *s, const uint8_t *frame, size_t len)
{
    return wsp_outq_pong(&s->q, &s->w.outqs, frame, len);
}

static uint32_t drop_all(struct scene *s)
{
    uint32_t dropped = wsp_outq_drop_all(&s->q, &s->w.outqs);
    assert_true(wsp_outq_check(&s->q));
    return dropped;
}

static int peek(struct scene *s, int max)
{
    return wsp_outq_peek(&s->q, s->vectors, max);
}

static int ack(struct scene *s, size_t bytes)
{
    return wsp_outq_ack(&s->q, &s->w.outqs, bytes, &s->acked);
}

static int vectors_of(struct wsp_outq *q)
{
    struct iovec vectors[64];
    return wsp_outq_peek(q, vectors, 64);
}

TEST(burst_when_published_in_a_row_is_one_vector_and_needs_no_memory)
{
    struct scene s;
    begin(&s);
    put(&s, 0, 10);
    size_t calls = s.w.mem.calls;
    for (int i = 1; i < 32; i++) {
        put(&s, 0, 10);
    }
    assert_int_equal(vectors_of(&s.q), 1);
    assert_int_equal(s.w.mem.calls, calls);
    assert_int_equal(ack(&s, s.q.bytes), 0);
    assert_int_equal(s.acked.messages, 32);
    assert_int_equal(s.acked.partly, 0);
    assert_true(wsp_outq_empty(&s.q));
    /* A peer that reads fast can go on like that for ever. */
    for (int i = 0; i < 5000; i++) {
        put(&s, 0, 10);
        assert_int_equal(vectors_of(&s.q), 1);
        assert_int_equal(ack(&s, s.q.bytes), 0);
    }
    assert_int_equal(s.w.mem.calls, calls);
    end(&s);
}

TEST(burst_when_behind_other_runs_still_joins)
{
    struct scene s;
    begin(&s);
    for (int round = 1; round <= 30; round++) {
        size_t store = (size_t)(round % STORES);
        for (int i = 0; i < 5; i++) {
            put(&s, store, 10);
        }
        assert_int_equal(vectors_of(&s.q), round);
    }
    assert_int_equal(s.q.count, 150);
    end(&s);
}

TEST(run_when_peeked_does_not_grow_until_the_ack)
{
    struct scene s;
    begin(&s);
    for (int behind = 0; behind < 2; behind++) {
        put(&s, (size_t)behind, 10);
        assert_int_equal(peek(&s, 4), 1 + behind);
        size_t peeked = s.q.bytes;
        put(&s, (size_t)behind, 10);
        assert_int_equal(s.vectors[behind].iov_len, 12);
        assert_int_equal(ack(&s, peeked), 0);
        assert_int_equal(s.acked.messages, 1 + behind);
        assert_int_equal(s.acked.partly, 0);
        assert_int_equal(vectors_of(&s.q), 1);
        /* Now it may be dropped: none of it is being written. */
        assert_int_equal(ack(&s, 0), 0);
        put(&s, (size_t)behind, 10);
        assert_int_equal(vectors_of(&s.q), 1);
        assert_int_equal(ack(&s, behind ? 24 : 12), 0);
    }
    end(&s);
}

static const uint8_t ping[] = {0x89, 0x01, 'p'};
static const uint8_t bye[] = {0x88, 0x02, 0x03, 0xe8};

static void expect_vector(const struct iovec *vector, const void *bytes, size_t len)
{
    assert_int_equal(vector->iov_len, len);
    assert_memory_equal(vector->iov_base, bytes, len);
}

TEST(control_when_a_message_is_half_sent_goes_right_behind_it)
{
    struct scene s;
    begin(&s);
    for (int i = 0; i < 3; i++) {
        put(&s, 0, 10);
    }
    assert_int_equal(control(&s, ping, sizeof ping), 0);
    assert_int_equal(peek(&s, 8), 2); /* no message is half sent: control comes first */
    expect_vector(&s.vectors[0], ping, sizeof ping);
    assert_int_equal(s.vectors[1].iov_len, 36);
    assert_int_equal(ack(&s, sizeof ping + 12 + 5), 0);
    assert_int_equal(s.acked.messages, 1);
    assert_int_equal(s.acked.partly, 1);
    assert_null(s.q.control);
    assert_int_equal(control(&s, ping, sizeof ping), 0);
    assert_int_equal(peek(&s, 8), 3);
    assert_int_equal(s.vectors[0].iov_len, 7);
    expect_vector(&s.vectors[1], ping, sizeof ping);
    assert_int_equal(s.vectors[2].iov_len, 12);
    /* Fewer vectors give the same order, cut short. */
    assert_int_equal(peek(&s, 1), 1);
    assert_int_equal(s.vectors[0].iov_len, 7);
    assert_int_equal(ack(&s, 8), WSPOOL_ERR_INVAL);
    assert_int_equal(ack(&s, 6), 0);
    assert_int_equal(s.acked.messages, 0);
    assert_int_equal(peek(&s, 2), 2);
    assert_int_equal(s.vectors[0].iov_len, 1);
    expect_vector(&s.vectors[1], ping, sizeof ping);
    /* Cut inside the control frame: its rest comes before the message. */
    assert_int_equal(ack(&s, 2), 0);
    assert_int_equal(s.acked.messages, 1);
    assert_int_equal(peek(&s, 8), 2);
    expect_vector(&s.vectors[0], ping + 1, 2);
    assert_int_equal(ack(&s, 14), 0);
    assert_int_equal(s.acked.messages, 1);
    assert_true(wsp_outq_empty(&s.q));
    end(&s);
}

TEST(close_when_messages_wait_comes_behind_them_and_nothing_behind_it)
{
    struct scene s;
    begin(&s);
    put(&s, 0, 10);
    assert_int_equal(pong(&s, ping, sizeof ping), 0);
    assert_int_equal(wsp_outq_close(&s.q, &s.w.outqs, bye, sizeof bye), 0);
    assert_int_equal(control(&s, ping, sizeof ping), WSPOOL_ERR_FULL);
    assert_int_equal(pong(&s, ping, sizeof ping), 1);
    assert_int_equal(peek(&s, 8), 3);
    expect_vector(&s.vectors[0], ping, sizeof ping);
    assert_int_equal(s.vectors[1].iov_len, 12);
    expect_vector(&s.vectors[2], bye, sizeof bye);
    assert_int_equal(ack(&s, 3 + 12 + 1), 0);
    assert_true(wsp_outq_check(&s.q));
    assert_int_equal(s.acked.messages, 1);
    assert_int_equal(control(&s, ping, sizeof ping), WSPOOL_ERR_FULL);
    assert_int_equal(peek(&s, 8), 1);
    expect_vector(&s.vectors[0], bye + 1, sizeof bye - 1);
    assert_int_equal(ack(&s, 3), 0);
    assert_int_equal(s.acked.partly, 0);
    assert_true(wsp_outq_empty(&s.q));
    end(&s);
}

TEST(pong_when_the_lane_is_full_takes_the_place_of_the_last)
{
    struct scene s;
    uint8_t frame[2 + WSP_CONTROL_MAX], payload[WSP_CONTROL_MAX] = {0};
    size_t len = sizeof frame, fits = WSP_CONTROL_BYTES / sizeof frame;
    begin(&s);
    for (size_t i = 0; i < 100; i++) {
        payload[0] = (uint8_t)i;
        len = frame_server(frame, FRAME_FIN | WSP_PONG, payload, sizeof payload);
        assert_int_equal(pong(&s, frame, len), i >= fits);
    }
    assert_int_equal(peek(&s, 2), 1);
    const uint8_t *sent = s.vectors[0].iov_base;
    assert_int_equal(s.vectors[0].iov_len, fits * len);
    for (size_t i = 0; i < fits; i++) {
        assert_int_equal(sent[i * len + 2], i + 1 < fits ? i : 99);
    }
    /* All are being written: this one is dropped, and nothing moves. */
    payload[0] = 200;
    len = frame_server(frame, FRAME_FIN | WSP_PONG, payload, sizeof payload);
    assert_int_equal(pong(&s, frame, len), 1);
    assert_int_equal(sent[(fits - 1) * len + 2], 99);
    end(&s);
}

/* The last pong is dropped only when the new one fits into its place. */
TEST(pong_when_too_long_for_the_place_of_the_last_is_left_out)
{
    struct scene s;
    uint8_t frame[2 + WSP_CONTROL_MAX], payload[WSP_CONTROL_MAX] = {0};
    begin(&s);
    for (size_t i = 0; i < 14; i++) { /* 1778 of 1904 bytes */
        frame_server(frame, FRAME_FIN | WSP_PING, payload, 125);
        assert_int_equal(control(&s, frame, 127), 0);
    }
    frame_server(frame, FRAME_FIN | WSP_PONG, payload, 100);
    assert_int_equal(pong(&s, frame, 102), 0);
    frame_server(frame, FRAME_FIN | WSP_PONG, payload, 125);
    assert_int_equal(pong(&s, frame, 127), 1);
    assert_int_equal(peek(&s, 2), 1);
    assert_int_equal(s.vectors[0].iov_len, 14 * 127 + 102);
    end(&s);
}

TEST(control_when_too_long_for_the_lane_is_full_and_leaves_nothing)
{
    struct scene s;
    static const uint8_t bytes[WSP_CONTROL_BYTES + 1];
    begin(&s);
    assert_int_equal(control(&s, bytes, sizeof bytes), WSPOOL_ERR_FULL);
    assert_true(wsp_outq_empty(&s.q));
    assert_int_equal(control(&s, bytes, WSP_CONTROL_BYTES), 0);
    assert_int_equal(control(&s, bytes, 1), WSPOOL_ERR_FULL);
    assert_int_equal(peek(&s, 2), 1);
    assert_int_equal(ack(&s, WSP_CONTROL_BYTES), 0);
    assert_int_equal(s.acked.messages, 0);
    assert_true(wsp_outq_empty(&s.q));
    end(&s);
}

TEST(message_when_half_sent_or_peeked_is_never_dropped)
{
    struct scene s;
    begin(&s);
    for (int i = 0; i < 10; i++) { /* first run: 1-5, second run: 6-10 */
        put(&s, i >= 5, 10);
    }
    assert_int_equal(peek(&s, 1), 1);
    assert_int_equal(ack(&s, 15), 0); /* 1, and a quarter of 2 */
    assert_int_equal(s.acked.messages, 1);
    assert_int_equal(peek(&s, 1), 1); /* the rest of 2, and 3-5 */
    assert_int_equal(drop_all(&s), 5);
    assert_int_equal(s.q.count, 4);
    put(&s, 0, 10); /* what is peeked does not grow */
    assert_int_equal(ack(&s, 9), 0);
    assert_int_equal(s.acked.messages, 1);
    assert_int_equal(drop_all(&s), 4);
    assert_true(wsp_outq_empty(&s.q));
    assert_null(s.q.first.block);
    end(&s);
}

/* The half-sent message is the first of its run, and of a chunk's. Nothing is allocated. */
TEST(messages_behind_the_half_sent_one_are_dropped_without_memory)
{
    struct scene s;
    begin(&s);
    for (int i = 0; i < 14; i++) { /* 1-5, and a full chunk */
        put(&s, i < 5 ? 0 : 1 + (size_t)i % 2, 10);
    }
    assert_int_equal(peek(&s, 1), 1);
    assert_int_equal(ack(&s, 1), 0);
    s.w.mem.fail_at = 1;
    assert_int_equal(drop_all(&s), 13);
    assert_int_equal(s.q.count, 1);
    assert_null(s.q.more);
    assert_int_equal(drop_all(&s), 0);
    s.w.mem.fail_at = 0;
    assert_int_equal(peek(&s, 2), 1);
    assert_int_equal(s.vectors[0].iov_len, 11);
    end(&s);
}

/* A control frame lies between the two parts of a run, and only the first part was peeked. */
TEST(messages_when_only_the_half_sent_one_was_peeked_are_dropped_right_behind_it)
{
    struct scene s;
    begin(&s);
    for (int i = 0; i < 6; i++) { /* 1-3, 4-6 */
        put(&s, i >= 3, 10);
    }
    assert_int_equal(peek(&s, 1), 1);
    assert_int_equal(ack(&s, 5), 0);
    assert_int_equal(control(&s, ping, sizeof ping), 0);
    assert_int_equal(peek(&s, 2), 2); /* rest of 1, the ping */
    assert_int_equal(drop_all(&s), 5);
    assert_int_equal(ack(&s, 7 + 3), 0);
    assert_int_equal(s.acked.messages, 1);
    assert_true(wsp_outq_empty(&s.q));
    end(&s);
}

/* Frames a little longer than half a block, and single ones among the frames of other peers. */
TEST(memory_when_compacted_is_near_what_waits)
{
    for (int other = 0; other < 2; other++) {
        struct scene s;
        begin(&s);
        size_t count = other ? 40 : 24, payload = other ? 1000 : 8157, encodings = payload + 4;
        for (size_t i = 0; i < count; i++) {
            put(&s, 0, payload);
            if (other) { /* released at once */
                for (int k = 0; k < 16; k++) {
                    struct wsp_run run = publish(&s.w, 0, payload);
                    wsp_block_release(run.block);
                }
            }
        }
        size_t before = s.w.mem.bytes;
        assert_true(before > 16000 * (count - 1));
        /* Below the limit nothing is moved. */
        wsp_outq_compact(&s.q, &s.w.outqs, &s.w.stores[0], 1u << 30);
        assert_int_equal(s.w.mem.bytes, before);
        assert_int_not_equal(peek(&s, 64), 0);
        /* nothing moves while the host is writing all of it */
        wsp_outq_compact(&s.q, &s.w.outqs, &s.w.stores[0], s.q.bytes);
        assert_int_equal(s.w.mem.bytes, before);
        assert_int_equal(ack(&s, 10), 0);
        wsp_outq_compact(&s.q, &s.w.outqs, &s.w.stores[0], s.q.bytes);
        /* Besides the current block. */
        assert_true(s.w.mem.bytes <= s.q.bytes + s.q.bytes / 32 + 16384 + 2048);
        assert_true(wsp_outq_check(&s.q));
        assert_int_equal(s.q.bytes, count * encodings - 10);
        assert_int_equal(s.q.count, count);
        int n = peek(&s, 64);
        const uint8_t *last = s.vectors[n - 1].iov_base;
        uint32_t id = 1 + (uint32_t)(count - 1) * (other ? 17 : 1); /* of the last message */
        assert_memory_equal(last + s.vectors[n - 1].iov_len - payload, &id, sizeof id);
        end(&s);
    }
}

TEST(calls_when_there_is_no_memory_change_nothing)
{
    struct scene s;
    begin(&s);
    s.w.mem.fail_at = 1;
    assert_int_equal(control(&s, ping, sizeof ping), WSPOOL_ERR_NOMEM);
    s.w.mem.fail_at = 1;
    assert_int_equal(pong(&s, ping, sizeof ping), WSPOOL_ERR_NOMEM);
    s.w.mem.fail_at = 1;
    assert_int_equal(wsp_outq_close(&s.q, &s.w.outqs, bye, sizeof bye), WSPOOL_ERR_NOMEM);
    assert_true(wsp_outq_empty(&s.q));
    struct wsp_run runs[12];
    for (size_t i = 0; i < 12; i++) { /* each from another store than the one before */
        runs[i] = publish(&s.w, i % STORES, 10);
    }
    for (size_t i = 0; i < 12; i++) {
        uint32_t holds = runs[i].block->holds, bytes = s.q.bytes;
        s.w.mem.fail_at = 1;
        int answer = wsp_outq_push(&s.q, &s.w.outqs, &runs[i]);
        s.w.mem.fail_at = 0;
        /* The second and the eleventh message need a new chunk. */
        assert_int_equal(answer, i == 1 || i == 10 ? WSPOOL_ERR_NOMEM : i > 0);
        if (answer < 0) {
            assert_int_equal(runs[i].block->holds, holds);
            assert_int_equal(s.q.bytes, bytes);
            assert_true(wsp_outq_check(&s.q));
            assert_int_equal(wsp_outq_push(&s.q, &s.w.outqs, &runs[i]), 1);
        }
        assert_int_equal(runs[i].block->holds, holds + 1);
    }
    assert_int_equal(peek(&s, 30), 12);
    assert_int_equal(ack(&s, s.q.bytes), 0);
    assert_int_equal(s.acked.messages, 12);
    for (size_t i = 0; i < 12; i++) {
        wsp_block_release(runs[i].block);
    }
    end(&s);
}

TEST(ack_when_of_more_than_was_peeked_is_inval)
{
    struct scene s;
    begin(&s);
    assert_int_equal(ack(&s, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(ack(&s, 0), 0);
    assert_int_equal(s.acked.partly, 0);
    put(&s, 0, 10);
    assert_int_equal(ack(&s, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wsp_outq_whole(&s.q, 12), 0);
    assert_int_equal(peek(&s, 4), 1);
    put(&s, 0, 10); /* not peeked */
    assert_int_equal(ack(&s, 13), WSPOOL_ERR_INVAL);
    assert_int_equal(ack(&s, SIZE_MAX), WSPOOL_ERR_INVAL);
#if SIZE_MAX > UINT32_MAX
    assert_int_equal(ack(&s, (size_t)UINT32_MAX + 13), WSPOOL_ERR_INVAL);
#endif
    assert_int_equal(ack(&s, 12), 0);
    assert_int_equal(ack(&s, 1), WSPOOL_ERR_INVAL); /* once only */
    assert_int_equal(control(&s, ping, sizeof ping), 0);
    assert_int_equal(ack(&s, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(peek(&s, 1), 1);
    assert_int_equal(ack(&s, 4), WSPOOL_ERR_INVAL);
    assert_int_equal(ack(&s, 3), 0);
    assert_int_equal(s.q.count, 1);
    end(&s);
}

/* --------------------------------------------------------- bytes under way */

/* Copies the bytes of the last peek into one buffer. */
static size_t copy_peeked(const struct scene *s, int n, uint8_t *into, size_t room)
{
    size_t len = 0;
    for (int i = 0; i < n; i++) {
        assert_true(len + s->vectors[i].iov_len <= room);
        memcpy(into + len, s->vectors[i].iov_base, s->vectors[i].iov_len);
        len += s->vectors[i].iov_len;
    }
    return len;
}

TEST(pin_when_of_more_than_was_peeked_or_nothing_is_inval)
{
    struct scene s;
    begin(&s);
    assert_int_equal(wsp_outq_pin(&s.q, 1), WSPOOL_ERR_INVAL);
    put(&s, 0, 10);
    assert_int_equal(control(&s, ping, sizeof ping), 0);
    assert_int_equal(peek(&s, 4), 2);
    assert_int_equal(wsp_outq_pin(&s.q, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wsp_outq_pin(&s.q, sizeof ping + 13), WSPOOL_ERR_INVAL);
    assert_int_equal(wsp_outq_pin(&s.q, SIZE_MAX), WSPOOL_ERR_INVAL);
    assert_int_equal(s.q.marks, 0);
    assert_int_equal(wsp_outq_pin(&s.q, sizeof ping + 12), 0);
    assert_int_equal(ack(&s, sizeof ping + 13), WSPOOL_ERR_INVAL);
    end(&s);
}

/* Only a part of the peeked bytes is under way: the rest may still change. */
TEST(pinned_when_fewer_than_peeked_are_just_those)
{
    struct scene s;
    begin(&s);
    put(&s, 0, 10);
    put(&s, 1, 10);
    put(&s, 0, 10);
    assert_int_equal(peek(&s, 4), 3);
    assert_int_equal(wsp_outq_pin(&s.q, 12), 0);
    assert_int_equal(drop_all(&s), 2);
    assert_int_equal(peek(&s, 4), 1);
    assert_int_equal(ack(&s, 12), 0);
    assert_true(wsp_outq_empty(&s.q));
    assert_int_equal(s.q.marks, 0);
    end(&s);
}

/* A control frame normally overtakes messages, but it must not come between bytes that are under
 * way. */
TEST(control_when_queued_behind_pinned_bytes_waits_for_them)
{
    struct scene s;
    begin(&s);
    put(&s, 0, 10);
    put(&s, 0, 10);
    assert_int_equal(peek(&s, 4), 1);
    assert_int_equal(wsp_outq_pin(&s.q, 24), 0);
    assert_int_equal(pong(&s, ping, sizeof ping), 0);
    assert_int_equal(ack(&s, 0), 0);
    assert_int_equal(s.acked.partly, 1);
    assert_int_equal(drop_all(&s), 0);
    assert_int_equal(peek(&s, 4), 1);
    assert_int_equal(s.vectors[0].iov_len, 24);
    assert_int_equal(ack(&s, 12), 0); /* the rest stays pinned */
    assert_int_equal(peek(&s, 4), 1);
    assert_int_equal(s.vectors[0].iov_len, 12);
    assert_int_equal(ack(&s, 12), 0);
    assert_int_equal(s.acked.partly, 0);
    assert_int_equal(peek(&s, 4), 1);
    assert_int_equal(s.vectors[0].iov_len, sizeof ping);
    assert_int_equal(ack(&s, sizeof ping), 0);
    end(&s);
}

/* Whatever happens meanwhile, a peek begins with the pinned bytes, and the bytes sent are a
 * sequence of whole frames. */
TEST(pinned_when_all_else_changes_stay_and_come_first)
{
    enum { ROOM = 400000 };
    uint8_t *pinned = malloc(ROOM), *seen = malloc(ROOM);
    size_t pins = 0, parts = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct scene s;
        uint64_t random = seed * 7919;
        size_t len = 0, taken = 0;
        uint64_t left_of_frame = 0;
        begin(&s);
        if (seed % 2) {
            give_priorities(&s.w);
        }
        for (int step = 0; step < 200; step++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            unsigned r = (unsigned)(random >> 33);
            switch (r % 8) {
            case 0:
            case 1:
                put(&s, r / 8 % STORES, 4 + r / 64 % 300);
                break;
            case 2:
                (void)control(&s, ping, sizeof ping);
                break;
            case 3:
                (void)pong(&s, ping, sizeof ping);
                break;
            case 4:
                if (r / 8 % 8 == 0) {
                    (void)drop_all(&s);
                }
                break;
            default: {
                int n = peek(&s, 1 + (int)(r / 8 % 12));
                size_t got = copy_peeked(&s, n, seen, ROOM);
                if (len > taken) {
                    size_t same = got < len - taken ? got : len - taken;
                    assert_memory_equal(seen, pinned + taken, same);
                    got = same;
                    len = taken + same; /* there was no vector for the rest */
                } else if (got > 0 && r / 128 % 2) {
                    len = 1 + r / 256 % got;
                    taken = 0;
                    memcpy(pinned, seen, len);
                    assert_int_equal(wsp_outq_pin(&s.q, len), 0);
                    pins++;
                    break;
                }
                size_t acked = got > 0 ? r / 128 % (got + 1) : 0;
                assert_int_equal(ack(&s, acked), 0);
                parts += len > taken && acked > 0 && acked < len - taken;
                taken = len > taken ? taken + acked : len;
                for (size_t i = 0;
                     i < acked;) { /* all frames here have headers of two or four bytes */
                    if (left_of_frame == 0) {
                        assert_true(seen[i] == 0x82 || seen[i] == ping[0]);
                        left_of_frame = 1000000; /* the length comes next */
                        i++;
                    } else if (left_of_frame == 1000000) {
                        left_of_frame = seen[i] == 126 ? 2000000 : seen[i];
                        i++;
                    } else if (left_of_frame == 2000000) {
                        left_of_frame = 3000000 + ((uint64_t)seen[i++] << 8);
                    } else if (left_of_frame >= 3000000) {
                        left_of_frame = left_of_frame - 3000000 + seen[i++];
                    } else {
                        i++;
                        left_of_frame--;
                    }
                }
                break;
            }
            }
            assert_true(wsp_outq_check(&s.q));
        }
        end(&s);
    }
    assert_true(pins > 1000 && parts > 500);
    free(pinned);
    free(seen);
}

/* Returns the store of the message that a peek gives out next, and writes it. */
static int next_message(struct scene *s)
{
    uint32_t id;
    assert_true(peek(s, 1) == 1);
    memcpy(&id, (uint8_t *)s->vectors[0].iov_base + 2, sizeof id);
    assert_int_equal(ack(s, 12), 0);
    int priority = s->w.priority_of[id];
    return priority > 0 ? HIGH : priority < 0 ? LOW : NORMAL;
}

TEST(message_when_of_a_higher_priority_overtakes_all_but_what_is_partly_sent)
{
    struct scene s;
    begin(&s);
    give_priorities(&s.w);
    for (int i = 0; i < 3; i++) {
        put(&s, LOW, 10);
    }
    assert_int_equal(peek(&s, 4), 1);
    assert_int_equal(ack(&s, 5), 0);
    for (int i = 0; i < 3; i++) {
        put(&s, NORMAL, 10);
        put(&s, HIGH, 10);
    }
    assert_int_equal(s.q.count, 9);
    assert_int_equal(s.q.bytes, 9 * 12 - 5);
    assert_int_equal(control(&s, ping, sizeof ping), 0);
    assert_int_equal(wsp_outq_close(&s.q, &s.w.outqs, bye, sizeof bye), 0);
    assert_int_equal(peek(&s, 6), 6);
    const size_t lens[] = {7, sizeof ping, 36, 36, 24, sizeof bye};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(s.vectors[i].iov_len, lens[i]);
    }
    assert_int_equal(ack(&s, 7 + sizeof ping), 0);
    static const int order[] = {HIGH, HIGH, HIGH, NORMAL, NORMAL, NORMAL, LOW, LOW};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        assert_int_equal(next_message(&s), order[i]);
    }
    end(&s);
}

/* The pinned bytes end within the second message: the third may be overtaken. */
TEST(message_when_of_a_higher_priority_goes_behind_the_pinned_ones)
{
    struct scene s;
    begin(&s);
    give_priorities(&s.w);
    for (int i = 0; i < 3; i++) {
        put(&s, NORMAL, 10);
    }
    assert_int_equal(peek(&s, 4), 1);
    assert_int_equal(wsp_outq_pin(&s.q, 15), 0);
    put(&s, HIGH, 10);
    assert_int_equal(peek(&s, 4), 1);
    assert_int_equal(s.vectors[0].iov_len, 15);
    assert_int_equal(ack(&s, 15), 0);
    assert_int_equal(peek(&s, 4), 3);
    assert_int_equal(s.vectors[0].iov_len, 9);
    assert_int_equal(ack(&s, 9), 0);
    assert_int_equal(next_message(&s), HIGH);
    assert_int_equal(next_message(&s), NORMAL);
    end(&s);
}

TEST(queue_when_let_go_of_gives_everything_back)
{
    struct scene s;
    begin(&s);
    for (int i = 0; i < 100; i++) {
        put(&s, (size_t)(i % STORES), 500);
    }
    assert_int_equal(control(&s, ping, sizeof ping), 0);
    assert_int_equal(wsp_outq_close(&s.q, &s.w.outqs, bye, sizeof bye), 0);
    assert_int_equal(peek(&s, 4), 4);
    wsp_outq_fini(&s.q, &s.w.outqs);
    assert_true(wsp_outq_empty(&s.q));
    assert_null(s.q.more);
    assert_null(s.q.first.block);
    assert_int_equal(s.q.count, 0);
    wsp_outq_fini(&s.q, &s.w.outqs); /* a second call is harmless */
    world_close(&s.w);
}

TEST(check_when_a_number_is_wrong_sees_it)
{
    struct scene s;
    begin(&s);
    assert_true(wsp_outq_check(&s.q));
    put(&s, 0, 10);
    put(&s, 1, 10);
    s.q.bytes++;
    assert_false(wsp_outq_check(&s.q));
    s.q.bytes--;
    s.q.count++;
    assert_false(wsp_outq_check(&s.q));
    s.q.count--;
    s.q.first.count++;
    s.q.count++;
    assert_false(wsp_outq_check(&s.q));
    s.q.first.count--;
    s.q.count--;
    s.q.first.partial = 5; /* says that the first frame is half sent, which it is not */
    assert_false(wsp_outq_check(&s.q));
    s.q.first.partial = 0;
    s.q.peeked = 25;
    assert_false(wsp_outq_check(&s.q));
    s.q.peeked = 0;
    assert_true(wsp_outq_check(&s.q));
    end(&s);
}
