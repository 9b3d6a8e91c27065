/* SPDX-License-Identifier: MIT */
/*
 * loop/test_async.c - a host whose transport takes buffers and ends its writes later, as io_uring,
 * IOCP and libuv do: wspool_under_way.
 *
 * The transport is memory: a write keeps pointers into the pool, and copies from there in pieces,
 * in later turns, until it ends, short or whole. A write of a peer that has ended goes on until the
 * transport lets go of it.
 */
#include <stddef.h>
#include <stdint.h>

#include "../sim/client.h"

#include <wspool/wspool.h>

enum { VECTORS = 16 };

/* A write that has begun. */
struct write {
    struct iovec vectors[VECTORS];
    int count;
    size_t bytes, done;
    int whole;     /* it does not end short */
    uint8_t *copy; /* what the bytes were when it began; NULL: no write has begun */
};

struct line {
    blob down, up;         /* bytes on their way */
    size_t down_at, up_at; /* how many of them were read */
    size_t room;           /* bytes that `down` holds at most */
    struct write write;
    int reading;  /* the host reads */
    int full;     /* a write has ended short */
    unsigned end; /* what wspool_next has said of the end; 0: nothing */
    int down_ended;
};

#include "traffic.h"

/* ---------------------------------------------------------- the client's end */

static void line_open(struct peer *peer)
{
    peer->line.reading = 1;
    peer->line.room = 500 + pick(peer->traffic, peer->number < SLOW_PEERS ? 4000 : 100000);
}

static size_t blob_take(blob *from, size_t *at, void *bytes, size_t max)
{
    size_t n = from->len - *at < max ? from->len - *at : max;
    if (n > 0)
        memcpy(bytes, from->data + *at, n);
    *at += n;
    if (*at == from->len)
        from->len = *at = 0;
    return n;
}

static size_t line_read(struct peer *peer, void *bytes, size_t max)
{
    struct line *line = &peer->line;
    size_t n = blob_take(&line->down, &line->down_at, bytes, max);
    peer->ended = n == 0 && line->down_ended;
    return n;
}

static size_t line_write(struct peer *peer, const void *bytes, size_t len)
{
    struct line *line = &peer->line;
    size_t on_the_way = line->up.len - line->up_at;
    size_t n = on_the_way > 4096 ? 0 : len < 4096 ? len : 4096;
    blob_add(&line->up, bytes, n);
    return n;
}

static void line_cut(struct peer *peer)
{
    (void)peer; /* the host sees peer->cut */
}

static void line_free(struct peer *peer)
{
    REQUIRE(peer->traffic, !peer->line.write.copy);
    blob_free(&peer->line.down);
    blob_free(&peer->line.up);
}

/* ------------------------------------------------------------ the transport */

static size_t room_of(const struct line *line)
{
    size_t on_the_way = line->down.len - line->down_at;
    return on_the_way < line->room ? line->room - on_the_way : 0;
}

/* Copies bytes from where the pool has them, and checks that they are what they were. */
static void write_go_on(struct peer *peer, size_t bytes)
{
    struct write *write = &peer->line.write;
    size_t skip = write->done;
    write->done += bytes;
    for (int i = 0; i < write->count && bytes > 0; i++) {
        const struct iovec *vector = &write->vectors[i];
        if (skip >= vector->iov_len) {
            skip -= vector->iov_len;
            continue;
        }
        size_t n = vector->iov_len - skip < bytes ? vector->iov_len - skip : bytes;
        const uint8_t *from = (const uint8_t *)vector->iov_base + skip;
        REQUIRE(peer->traffic, memcmp(from, write->copy + (write->done - bytes), n) == 0);
        if (!peer->cut)
            blob_add(&peer->line.down, from, n);
        bytes -= n;
        skip = 0;
    }
    REQUIRE(peer->traffic, bytes == 0);
}

/* Peeks, and remembers what was peeked. Returns the number of bytes. */
static size_t write_begin(struct peer *peer)
{
    struct write *write = &peer->line.write;
    int max = pick(peer->traffic, 3) ? VECTORS : 1 + (int)pick(peer->traffic, 3);
    memset(write, 0, sizeof(*write));
    write->count = wspool_peek(peer->traffic->pool, peer->id, write->vectors, max);
    REQUIRE(peer->traffic, write->count >= 0);
    for (int i = 0; i < write->count; i++)
        write->bytes += write->vectors[i].iov_len;
    if (write->bytes > 0) {
        write->copy = sim_malloc(write->bytes);
        size_t at = 0;
        for (int i = 0; i < write->count; at += write->vectors[i++].iov_len)
            memcpy(write->copy + at, write->vectors[i].iov_base, write->vectors[i].iov_len);
    }
    return write->bytes;
}

static void write_end(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    struct write *write = &peer->line.write;
    size_t done = write->done;
    peer->line.full = done < write->bytes;
    free(write->copy);
    write->copy = NULL;
    if (peer->cut)
        assert_int_equal(wspool_gone(traffic->pool, peer->id, WSPOOL_GONE_FAILED, traffic->now), 0);
    else
        assert_int_equal(wspool_ack(traffic->pool, peer->id, done, traffic->now), 0);
}

/* The pool has output: tries a write that ends at once, or begins one that ends later. */
static void host_write(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    struct write *write = &peer->line.write;
    REQUIRE(traffic, !write->copy); /* not listed while a write is under way */
    size_t bytes = write_begin(peer);
    if (bytes == 0)
        return;
    if (pick(traffic, 8) == 0) {
        size_t room = room_of(&peer->line);
        write_go_on(peer, bytes < room ? bytes : room);
        write_end(peer);
        return;
    }
    if (pick(traffic, 4) == 0) { /* the transport takes only a part */
        bytes = 1 + pick(traffic, (unsigned)bytes);
        write->bytes = bytes;
    }
    write->whole = (int)pick(traffic, 2);
    assert_int_equal(wspool_under_way(traffic->pool, peer->id, bytes, traffic->now), 0);
}

/* A write copies some bytes, or ends. */
static void transport_turn(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    struct line *line = &peer->line;
    struct write *write = &line->write;
    if (write->copy && pick(traffic, 2)) {
        size_t left = write->bytes - write->done, room = peer->cut ? left : room_of(line);
        size_t most = 1 + pick(traffic, pick(traffic, 2) ? 100 : 20000);
        room = room < left ? room : left;
        write_go_on(peer, room < most ? room : most);
        if (write->done == write->bytes || peer->cut || line->end ||
            (!write->whole && write->done > 0 && pick(traffic, 4) == 0))
            write_end(peer);
    }
    if (line->full && room_of(line) > 0 && pick(traffic, 2)) {
        line->full = 0;
        assert_int_equal(wspool_writable(traffic->pool, peer->id, traffic->now), 0);
    }
}

/* ----------------------------------------------------------------- the host */

static void host_read(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    struct line *line = &peer->line;
    uint8_t bytes[2048];
    if (!line->reading || line->end || pick(traffic, 2))
        return;
    size_t n = blob_take(&line->up, &line->up_at, bytes, 1 + pick(traffic, sizeof(bytes)));
    if (n > 0)
        assert_int_equal(wspool_feed(traffic->pool, peer->id, bytes, n, traffic->now), 0);
    else if (peer->cut)
        assert_int_equal(wspool_gone(traffic->pool, peer->id, WSPOOL_GONE_EOF, traffic->now), 0);
}

/* The peer is released when no write of it is under way. */
static void host_end(struct peer *peer)
{
    if (peer->line.end == 0 || peer->line.write.copy)
        return;
    if (peer->line.end & WSPOOL_RESET) {
        peer->reset = 1;
        peer->line.down.len = peer->line.down_at = 0;
    }
    peer->line.down_ended = 1;
    assert_int_equal(wspool_release(peer->traffic->pool, peer->id), 0);
    peer->id = 0;
}

static void host_turn(struct traffic *traffic)
{
    for (unsigned i = 0; i < PEERS; i++) {
        if (traffic->peers[i].id == 0)
            continue;
        transport_turn(&traffic->peers[i]);
        host_read(&traffic->peers[i]);
        host_end(&traffic->peers[i]);
    }
    assert_int_equal(wspool_tick(traffic->pool, traffic->now), 0);
    wspool_id id;
    for (unsigned wants; wspool_next(traffic->pool, &id, &wants) == 1;) {
        struct peer *peer = peer_of(traffic->pool, id, traffic);
        peer->line.reading = (wants & WSPOOL_READ) != 0;
        if (wants & WSPOOL_WRITE)
            host_write(peer);
        if (wants & WSPOOL_CLOSE) {
            peer->line.end = wants;
            host_end(peer);
        }
    }
    assert_int_equal(wspool_check(traffic->pool), 0);
}

TEST(frames_arrive_intact_when_writes_end_later)
{
    traffic_run(0, 2);
}

TEST(compressed_frames_arrive_intact_when_writes_end_later)
{
    traffic_run(1, 2);
}
