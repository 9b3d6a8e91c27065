/* SPDX-License-Identifier: MIT */
/*
 * laws/test_comeback.c - 10,000 peers come back at once and resume 1,000 messages each: no
 * payload is copied, memory stays within the budgets, and no peer is closed as slow by its own
 * resume, although its channel closes slow peers.
 *
 * All of it is counted. bench/bench_memory prints the times.
 */
#include "../sim/sim.h"

enum { MESSAGES = 1000, LEN = 100, FRAME = LEN + 2, VECTORS = 64, PEER_BYTES = 600 };

struct crowd {
    size_t count;
    wspool *pool;
    wspool_id *ids;
    uint32_t *got; /* messages, by peer */
    const uint8_t *frames[MESSAGES];
    size_t vectors;
    uint64_t now;
};

static wspool_statistics stats_of(const struct crowd *c)
{
    wspool_statistics stats = {.size = sizeof stats};
    assert_int_equal(wspool_stats(c->pool, &stats), 0);
    return stats;
}

/* Each peer gets the same frames from the same place, in order. */
static void take(struct crowd *c, size_t peer, const struct iovec *vector)
{
    const uint8_t *bytes = vector->iov_base;
    assert_int_equal(vector->iov_len % FRAME, 0);
    for (size_t at = 0; at < vector->iov_len; at += FRAME) {
        uint32_t number = c->got[peer]++;
        assert_true(number < MESSAGES);
        if (c->frames[number] == NULL)
            c->frames[number] = bytes + at;
        assert_ptr_equal(c->frames[number], bytes + at);
    }
}

/* Writes what there is. `took`: it is a resume; else the answers to the requests. */
static void flush(struct crowd *c, int took)
{
    struct iovec vectors[VECTORS];
    wspool_id id;
    unsigned wants;
    while (wspool_next(c->pool, &id, &wants) == 1) {
        size_t total = 0, peer = (size_t)(uintptr_t)wspool_user(c->pool, id);
        assert_int_equal(wants & WSPOOL_CLOSE, 0);
        int n = wspool_peek(c->pool, id, vectors, VECTORS);
        for (int i = 0; i < n; i++) {
            total += vectors[i].iov_len;
            if (took)
                take(c, peer, &vectors[i]);
        }
        c->vectors += (size_t)n;
        assert_int_equal(wspool_ack(c->pool, id, total, c->now), 0);
    }
}

static void come(struct crowd *c)
{
    blob request = {0};
    client_put_request(&request, &(client_request){.target = "/none"});
    for (size_t i = 0; i < c->count; i++) {
        wspool_open_options options = {.size = sizeof options, .user = (void *)(uintptr_t)i};
        assert_int_equal(wspool_open(c->pool, &options, c->now, &c->ids[i]), 0);
        assert_int_equal(wspool_feed(c->pool, c->ids[i], request.data, request.len, c->now), 0);
    }
    blob_free(&request);
    flush(c, 0);
    assert_int_equal(stats_of(c).peers, c->count);
}

static void start(struct crowd *c, sim_heap *heap)
{
    wspool_config config;
    wspool_route_options options;
    wspool_config_init(&config);
    config.max_peers = (uint32_t)c->count;
    config.max_handshakes = (uint32_t)c->count;
    config.ping_interval = 0;
    config.mem = sim_heap_hooks(heap);
    assert_int_equal(wspool_new(&c->pool, &config, c->now), 0);
    wspool_route_options_init(&options, &config);
    options.slow = WSPOOL_SLOW_CLOSE;
    assert_int_equal(wspool_route(c->pool, "/none", WSPOOL_NONE, &options), 0);
    options.history.messages = MESSAGES;
    assert_int_equal(wspool_route(c->pool, "/room/{name}", WSPOOL_ITEM, &options), 0);
}

TEST(ten_thousand_that_come_back_get_the_frames_of_the_history)
{
    static struct crowd crowd;
    struct crowd *c = &crowd;
    static sim_heap heap;
    static char message[LEN];
    wspool_channel room = wspool_item("a");
    wspool_channel_position since;
    c->count = sim_slow() ? 1000 : 10000;
    c->now = 1;
    c->ids = sim_malloc(c->count * sizeof *c->ids);
    c->got = sim_malloc(c->count * sizeof *c->got);
    memset(c->got, 0, c->count * sizeof *c->got);
    start(c, &heap);
    come(c);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(wspool_broadcast(c->pool, room, message, LEN, NULL, NULL), 0);
    assert_int_equal(wspool_position(c->pool, room, &since), 0);
    since.offset -= MESSAGES;

    wspool_statistics before = stats_of(c), now;
    size_t heap_before = heap.live_bytes;
    heap.peak_bytes = heap_before;
    for (size_t i = 0; i < c->count; i++)
        assert_int_equal(wspool_resume(c->pool, c->ids[i], room, &since, NULL), 0);
    now = stats_of(c);
    assert_int_equal(now.block_bytes, before.block_bytes);
    assert_int_equal(now.history_bytes, before.history_bytes);
    /* Nodes of queues and a membership. */
    assert_true(heap.live_bytes - heap_before < c->count * PEER_BYTES);
    flush(c, 1);

    now = stats_of(c);
    for (size_t i = 0; i < c->count; i++)
        assert_int_equal(c->got[i], MESSAGES);
    assert_int_equal(now.recovered - before.recovered, c->count * MESSAGES);
    assert_int_equal(now.encoded, before.encoded);
    assert_int_equal(now.block_bytes, before.block_bytes);
    assert_int_equal(now.history_bytes, before.history_bytes);
    assert_int_equal(now.slow_closes, 0);
    assert_int_equal(now.missed, 0);
    assert_int_equal(now.peers, c->count);
    assert_int_equal(now.waiting, 0);
    printf("# %.1f vectors and %.0f bytes a peer\n", (double)c->vectors / (double)c->count,
           (double)(heap.peak_bytes - heap_before) / (double)c->count);
    assert_true(heap.peak_bytes - heap_before < c->count * PEER_BYTES);
    assert_true(c->vectors < c->count * 15); /* adjacent messages are one */
    assert_int_equal(wspool_check(c->pool), 0);
    assert_int_equal(wspool_free(c->pool), 0);
    assert_int_equal(heap.live_bytes, 0);
    free(c->ids);
    free(c->got);
}
