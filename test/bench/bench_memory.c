/* SPDX-License-Identifier: MIT */
/*
 * bench/bench_memory.c - what the library itself costs: whole pools in memory, without sockets.
 *
 * Each row runs several times. The program prints the median and the range. No time makes it fail.
 * Allocations and vectors do not vary between runs: they are printed here and checked in test/sim.
 *
 *     build/release/test/bench/bench_memory [--runs N] [--quick]
 */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wspool/diagnose.h>
#include <wspool/wspool.h>

#define PAYLOAD 64

static uint64_t allocations;

static void *counting_malloc(size_t size, void *user)
{
    (void)user;
    allocations++;
    return malloc(size);
}
static void *counting_realloc(void *block, size_t size, void *user)
{
    (void)user;
    allocations++;
    return realloc(block, size);
}
static void counting_free(void *block, void *user)
{
    (void)user;
    free(block);
}

/* ------------------------------------------------------------------- pools */

static const char request[] = "GET /room/a HTTP/1.1\r\n"
                              "Host: bench\r\n"
                              "Upgrade: websocket\r\n"
                              "Connection: Upgrade\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "\r\n";

struct bench {
    wspool *pool;
    wspool_id *ids;
    size_t peers;
    uint64_t now;
    uint64_t messages; /* messages that the hook got */
};

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    struct bench *b = user;
    (void)pool;
    (void)id;
    (void)message;
    b->messages++;
}

/* One turn of a host whose transports are always writable: flushes every peer that has output. */
static size_t flush(struct bench *b, size_t *vectors)
{
    wspool_id id;
    unsigned wants;
    size_t writes = 0;
    while (wspool_next(b->pool, &id, &wants) == 1) {
        struct iovec iov[64];
        size_t bytes = 0;
        if (wants & WSPOOL_CLOSE) {
            wspool_release(b->pool, id);
            continue;
        }
        int n = wspool_peek(b->pool, id, iov, 64);
        for (int i = 0; i < n; i++) {
            bytes += iov[i].iov_len;
        }
        wspool_ack(b->pool, id, bytes, b->now);
        *vectors += (size_t)n;
        writes += n > 0;
    }
    return writes;
}

static void connect_peer(struct bench *b, size_t i)
{
    if (wspool_open(b->pool, NULL, b->now, &b->ids[i]) ||
        wspool_feed(b->pool, b->ids[i], request, sizeof request - 1, b->now)) {
        fail("a peer could not connect");
    }
}

static void start_with(struct bench *b, size_t peers, uint32_t history)
{
    wspool_config config;
    size_t vectors = 0;
    *b = (struct bench){.peers = peers, .now = 1};
    wspool_config_init(&config);
    config.max_peers = (uint32_t)peers + 1;
    config.max_handshakes = (uint32_t)peers + 1;
    config.ping_interval = 0;
    config.mem = (wspool_mem){counting_malloc, counting_realloc, counting_free, NULL};
    config.message = (wspool_message_hook){on_message, b};
    b->ids = malloc(peers * sizeof *b->ids);
    wspool_route_options options;
    wspool_route_options_init(&options, &config);
    options.history.messages = history;
    if (!b->ids || wspool_new(&b->pool, &config, b->now) ||
        wspool_route(b->pool, "/room/{name}", WSPOOL_ITEM, &options)) {
        fail("no pool");
    }
    for (size_t i = 0; i < peers; i++) {
        connect_peer(b, i);
    }
    flush(b, &vectors);
    if ((size_t)wspool_member_count(b->pool, wspool_item("a")) != peers) {
        fail("not everybody is in the room");
    }
}

static void start(struct bench *b, size_t peers)
{
    start_with(b, peers, 0);
}

static void stop(struct bench *b)
{
    if (wspool_check(b->pool)) {
        fail("the counters do not balance");
    }
    wspool_free(b->pool);
    free(b->ids);
}

/* Every peer leaves and joins again, in random order. */
static void shuffle(struct bench *b)
{
    uint64_t random = SEED;
    size_t vectors = 0;
    for (size_t i = b->peers - 1; i > 0; i--) {
        next_random(&random);
        size_t j = random % (i + 1);
        wspool_id id = b->ids[i];
        b->ids[i] = b->ids[j];
        b->ids[j] = id;
    }
    for (size_t i = 0; i < b->peers; i++) {
        wspool_gone(b->pool, b->ids[i], WSPOOL_GONE_EOF, b->now);
    }
    /* Released in random order, so that new peers take the slots in that order. */
    for (size_t i = 0; i < b->peers; i++) {
        wspool_release(b->pool, b->ids[i]);
    }
    for (size_t i = 0; i < b->peers; i++) {
        connect_peer(b, i);
    }
    flush(b, &vectors);
}

/* -------------------------------------------------------------------- rows */

static void bench_broadcast(size_t peers, int shuffled, int burst)
{
    struct bench b;
    double values[MAX_RUNS];
    char message[PAYLOAD], name[80], more[120];
    size_t rounds = (quick ? 200000u : 2000000u) / peers / (size_t)burst + 2;
    size_t vectors = 0, writes = 0;
    uint64_t before = 0;
    memset(message, 'x', sizeof message);
    start(&b, peers);
    if (shuffled) {
        shuffle(&b);
    }
    for (int run = -1; run < runs; run++) { /* the first run warms up */
        double t = now_ns();
        vectors = writes = 0;
        before = allocations;
        for (size_t i = 0; i < rounds; i++) {
            for (int k = 0; k < burst; k++) {
                if (wspool_broadcast(b.pool, wspool_item("a"), message, sizeof message, NULL,
                                     NULL) != (int)peers) {
                    fail("a member was left out");
                }
            }
            writes += flush(&b, &vectors);
        }
        if (run >= 0) {
            values[run] = (now_ns() - t) / (double)(rounds * peers);
        }
    }
    snprintf(name, sizeof name, "broadcast%s to %zu%s", burst > 1 ? " 32 in a burst" : "", peers,
             shuffled ? ", shuffled" : "");
    snprintf(more, sizeof more, "  %.2f vectors a write, %.3f allocations a broadcast",
             (double)vectors / (double)writes,
             (double)(allocations - before) / (double)(rounds * (size_t)burst));
    print_row(name, values, 2, burst > 1 ? "ns/peer and burst" : "ns/peer", more);
    stop(&b);
}

/* All members leave, and come back at once to everything that the history has. */
static void bench_resume(size_t peers, uint32_t messages)
{
    struct bench b;
    double values[MAX_RUNS];
    char message[PAYLOAD], name[80], more[120];
    wspool_channel room = wspool_item("a");
    wspool_statistics stats = {.size = sizeof stats};
    uint64_t most = 0, before = 0;
    memset(message, 'x', sizeof message);
    start_with(&b, peers, messages);
    for (uint32_t i = 0; i < messages; i++) {
        size_t vectors = 0;
        wspool_broadcast(b.pool, room, message, sizeof message, NULL, NULL);
        flush(&b, &vectors);
    }
    for (int run = -1; run < runs; run++) {
        wspool_channel_position since;
        size_t vectors = 0;
        for (size_t i = 0; i < peers; i++) {
            wspool_unsubscribe(b.pool, b.ids[i], room);
        }
        wspool_position(b.pool, room, &since);
        since.offset -= messages;
        wspool_stats(b.pool, &stats);
        const uint64_t recovered = stats.recovered;
        before = allocations;
        double t = now_ns();
        for (size_t i = 0; i < peers; i++) {
            if (wspool_resume(b.pool, b.ids[i], room, &since, NULL)) {
                fail("a peer could not resume");
            }
        }
        wspool_stats(b.pool, &stats);
        most = stats.block_bytes + stats.history_bytes;
        flush(&b, &vectors);
        if (run >= 0) {
            values[run] = (now_ns() - t) / (double)(peers * messages);
        }
        wspool_stats(b.pool, &stats);
        if (stats.recovered - recovered != peers * messages || stats.slow_closes > 0) {
            fail("a message was not recovered");
        }
    }
    snprintf(name, sizeof name, "%zu come back to %u messages each", peers, messages);
    snprintf(more, sizeof more, "  %.1f KiB of frames in all, %.3f allocations a peer",
             (double)most / 1024, (double)(allocations - before) / (double)peers);
    print_row(name, values, 2, "ns/message", more);
    stop(&b);
}

static void bench_ingest(size_t len, const char *what, int text)
{
    struct bench b;
    double values[MAX_RUNS];
    char name[80];
    size_t frames = (quick ? 4u << 20 : 64u << 20) / len;
    uint8_t *frame = malloc(len + 14);
    size_t n = 0;
    start(&b, 1);
    frame[n++] = (uint8_t)(0x80 | (text ? 1 : 2));
    if (len < 126) {
        frame[n++] = (uint8_t)(0x80 | len);
    } else if (len < 65536) {
        frame[n++] = 0x80 | 126;
        frame[n++] = (uint8_t)(len >> 8);
        frame[n++] = (uint8_t)len;
    } else {
        frame[n++] = 0x80 | 127;
        for (int i = 7; i >= 0; i--) {
            frame[n++] = (uint8_t)(len >> 8 * i);
        }
    }
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    memcpy(frame + n, key, 4);
    n += 4;
    for (size_t i = 0; i < len; i++) {
        frame[n + i] = (uint8_t)('a' + i % 26) ^ key[i % 4];
    }
    for (int run = -1; run < runs; run++) {
        uint64_t before = b.messages;
        double t = now_ns();
        for (size_t i = 0; i < frames; i++) {
            wspool_feed(b.pool, b.ids[0], frame, n + len, b.now);
        }
        if (b.messages - before != frames) {
            fail("a message was not understood");
        }
        if (run >= 0) {
            values[run] = (double)(frames * len) / (now_ns() - t);
        }
    }
    snprintf(name, sizeof name, "ingest of masked %s, %zu bytes", what, len);
    print_row(name, values, 2, "GB/s", "");
    free(frame);
    stop(&b);
}

static void bench_handshake(void)
{
    struct bench b;
    double values[MAX_RUNS];
    size_t count = quick ? 5000 : 50000;
    size_t vectors = 0;
    start(&b, 1);
    for (int run = -1; run < runs; run++) {
        double t = now_ns();
        for (size_t i = 0; i < count; i++) {
            wspool_id id;
            wspool_open(b.pool, NULL, b.now, &id);
            wspool_feed(b.pool, id, request, sizeof request - 1, b.now);
            flush(&b, &vectors);
            wspool_gone(b.pool, id, WSPOOL_GONE_EOF, b.now);
            flush(&b, &vectors);
        }
        if (run >= 0) {
            values[run] = (now_ns() - t) / (double)count;
        }
    }
    print_row("handshake, join, leave, release", values, 2, "ns", "");
    stop(&b);
}

static void bench_echo(void)
{
    struct bench b;
    double values[MAX_RUNS];
    size_t count = quick ? 20000 : 400000;
    size_t vectors = 0;
    static const uint8_t frame[] = {0x81, 0x84, 0, 0, 0, 0, 'p', 'i', 'n', 'g'};
    start(&b, 1);
    for (int run = -1; run < runs; run++) {
        double t = now_ns();
        for (size_t i = 0; i < count; i++) {
            wspool_feed(b.pool, b.ids[0], frame, sizeof frame, b.now);
            wspool_send(b.pool, b.ids[0], "ping", 4, NULL);
            flush(&b, &vectors);
        }
        if (run >= 0) {
            values[run] = (now_ns() - t) / (double)count;
        }
    }
    print_row("echo of 4 bytes: feed, send, peek, ack", values, 2, "ns", "");
    stop(&b);
}

/* With readers that are closed as slow, so that all peers are looked at, and channels without
 * messages, so that all channels are. */
static void bench_diagnosis(size_t peers, unsigned channels)
{
    static wspool_diagnosis diagnosis;
    struct bench b;
    double values[MAX_RUNS];
    char name[64];
    start(&b, peers);
    for (size_t i = 0; i < peers; i++) {
        snprintf(name, sizeof name, "t%zu", i % channels);
        if (wspool_subscribe(b.pool, b.ids[i], wspool_topic(name))) {
            fail("no member");
        }
    }
    for (int i = 0; i < 2000; i++) { /* nobody reads them: the queues of these members are full */
        wspool_broadcast(b.pool, wspool_topic("t0"), "x", 1, NULL, NULL);
    }
    const uint64_t before = allocations;
    for (int run = -1; run < runs; run++) {
        double t = now_ns();
        diagnosis.size = sizeof diagnosis;
        if (wspool_diagnose(b.pool, NULL, &diagnosis) || diagnosis.issue_count == 0) {
            fail("no diagnosis");
        }
        if (run >= 0) {
            values[run] = (now_ns() - t) / 1e3;
        }
    }
    if (allocations != before) {
        fail("a diagnosis allocates");
    }
    snprintf(name, sizeof name, "diagnosis of %zu peers and %u channels", peers, channels);
    print_row(name, values, 1, "us", ", 0 allocations");
    stop(&b);
}

int main(int argc, char **argv)
{
    rows_begin(argc, argv, "libwspool " WSPOOL_VERSION);
    bench_broadcast(1000, 0, 1);
    bench_broadcast(10000, 0, 1);
    if (!quick) {
        bench_broadcast(100000, 0, 1);
        bench_broadcast(100000, 1, 1);
    }
    bench_broadcast(1000, 0, 32);
    bench_resume(quick ? 1000 : 10000, 1000);
    bench_ingest(64, "text", 1);
    bench_ingest(4096, "text", 1);
    bench_ingest(65536, "text", 1);
    bench_ingest(4096, "binary", 0);
    bench_echo();
    bench_handshake();
    bench_diagnosis(10000, 1000);
    return 0;
}
