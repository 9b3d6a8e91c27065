/* SPDX-License-Identifier: MIT */
/*
 * loop/traffic.h - a pool under traffic, for a host that a test writes on the core calls, and its
 * clients. What every client receives is checked: each message is intact and in order, and what is
 * missing was reported.
 *
 * Included once by a test, which defines `struct line` (both ends of a transport) above the
 * include, and the functions declared below behind it.
 *
 * A round has its own pool, whose limits come from the seed, and eight peers. Two of them read
 * slowly; each may stall. Peers that end are replaced. Host and clients share one thread, and the
 * time is a number that the test moves: a round does not depend on the speed of the machine.
 * The seed of each round is printed:
 *
 *     WSPOOL_SEED=17     begins with this round
 *     WSPOOL_SECONDS=60  for how long rounds begin; at least one is taken
 */
#ifndef WSPOOL_TEST_LOOP_TRAFFIC_H
#define WSPOOL_TEST_LOOP_TRAFFIC_H

#include <zlib.h>

#include "traffic_pool.h"

/* Connects both ends. peer->id is set behind it. */
static void line_open(struct peer *peer);
/* The client's end. Each returns how many bytes it moved; reading sets peer->ended. */
static size_t line_read(struct peer *peer, void *bytes, size_t max);
static size_t line_write(struct peer *peer, const void *bytes, size_t len);
/* The client vanishes. */
static void line_cut(struct peer *peer);
static void line_free(struct peer *peer);
/* A turn of the host's loop. */
static void host_turn(struct traffic *traffic);

/* ----------------------------------------------------------------- clients */

/* Decodes a compressed message. The server never refers to an earlier one. */
static size_t unfold(const uint8_t *in, size_t len, uint8_t *out, size_t max)
{
    static const uint8_t tail[] = {0, 0, 0xff, 0xff};
    z_stream z = {0};
    int result = inflateInit2(&z, -15);
    z.next_out = out;
    z.avail_out = (uInt)max;
    for (int part = 0; part < 2 && (result == Z_OK || result == Z_BUF_ERROR); part++) {
        z.next_in = (Bytef *)(uintptr_t)(part ? tail : in);
        z.avail_in = (uInt)(part ? sizeof(tail) : len);
        result = inflate(&z, Z_SYNC_FLUSH);
    }
    inflateEnd(&z);
    return z.avail_in > 0 || (result != Z_OK && result != Z_BUF_ERROR) ? (size_t)-1
                                                                       : max - z.avail_out;
}

static void client_frame_add(struct peer *peer, unsigned opcode, const void *payload, size_t len)
{
    client_frame frame = {FIN | opcode, payload, len, .key = pick(peer->traffic, 1u << 30)};
    if (!peer->close_sent)
        client_put_frame(&peer->out, &frame);
    peer->close_sent |= opcode == OP_CLOSE;
}

static void client_ping(struct peer *peer)
{
    char number[16];
    int n = snprintf(number, sizeof(number), "%u", ++peer->pings);
    client_frame_add(peer, OP_PING, number, (size_t)n);
}

static void client_message(struct peer *peer)
{
    size_t len = some_len(peer->traffic);
    message_write(peer->traffic->text, UPWARDS, peer->sent_up++, len);
    client_frame_add(peer, OP_TEXT, peer->traffic->text, len);
}

static void client_got(struct peer *peer, const got *frame)
{
    struct traffic *traffic = peer->traffic;
    uint32_t number = 0;
    if (frame->op == OP_TEXT || frame->op == OP_BINARY) {
        unsigned stream = message_check(traffic, frame->data, frame->len, &number);
        REQUIRE(traffic, stream <= TO_ONE);
        REQUIRE(traffic, number >= peer->next[stream]);
        REQUIRE(traffic, number < (stream == TO_ONE ? peer->to_one : traffic->next[stream]));
        peer->next[stream] = number + 1;
        peer->received++;
        traffic->received++;
    } else if (frame->op == OP_PING) {
        client_frame_add(peer, OP_PONG, frame->data, frame->len);
    } else if (frame->op == OP_PONG) {
        char text[16] = "";
        memcpy(text, frame->data, frame->len < 15 ? frame->len : 15);
        number = (uint32_t)atoi(text);
        REQUIRE(traffic, number > peer->ponged && number <= peer->pings);
        peer->ponged = number;
    } else {
        client_frame_add(peer, OP_CLOSE, frame->data, frame->len < 2 ? 0 : 2);
    }
}

/* Reads at most `max` bytes, and writes what can be written. */
static void client_turn(struct peer *peer, size_t max)
{
    static uint8_t bytes[65536];
    if (peer->cut || peer->ended)
        return;
    size_t n = line_read(peer, bytes, max);
    reader_take(&peer->in, bytes, n);
    for (size_t i = 0; i < peer->in.count; i++) {
        client_got(peer, &peer->in.list[i]);
        free(peer->in.list[i].data);
    }
    peer->in.count = 0;
    if (peer->in.fault)
        fail_msg("%s (seed %llu)", peer->in.fault, (unsigned long long)peer->traffic->seed);
    if (peer->ended)
        return;
    peer->written +=
        line_write(peer, peer->out.data + peer->written, peer->out.len - peer->written);
    if (peer->written == peer->out.len)
        peer->written = peer->out.len = 0;
}

/* What a client does of itself. */
static void client_act(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    if (peer->cut || peer->in.status != 101 || peer->out.len > 65536)
        return;
    if (pick(traffic, 10) == 0)
        client_ping(peer);
    if (pick(traffic, 10) == 0)
        client_message(peer);
    if (pick(traffic, 400) == 0)
        client_frame_add(peer, OP_CLOSE, "\x03\xe8", 2);
    if (pick(traffic, 1000) == 0) {
        line_cut(peer);
        peer->cut = 1;
    }
}

/* ------------------------------------------------------------------- peers */

static void peer_open(struct traffic *traffic, unsigned number)
{
    static const char *const targets[] = {"/0/a", "/1/a", "/2/a"};
    struct peer *peer = &traffic->peers[number];
    client_request request = {.target = targets[pick(traffic, 3)]};
    wspool_open_options options = {.size = sizeof(options), .user = peer};
    memset(peer, 0, sizeof(*peer));
    peer->traffic = traffic;
    peer->number = number;
    if (traffic->compressed && pick(traffic, 3) > 0) {
        request.extra = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        peer->in.unfold = unfold;
    }
    client_put_request(&peer->out, &request);
    line_open(peer);
    assert_int_equal(wspool_open(traffic->pool, &options, traffic->now, &peer->id), 0);
}

/* All of it has ended. What it has not received was missed; or was on the way when the line was cut
 * or reset, or when the peer was ended without a Close; or was left behind at its end. */
static void peer_end(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    uint64_t come = peer->received + peer->missed;
    if (peer->cut || peer->reset || peer->closed.code_sent == 0) {
        REQUIRE(traffic, come <= peer->attempted);
    } else {
        uint64_t known = come + peer->closed.messages_lost;
        REQUIRE(traffic, known <= peer->attempted && known + peer->unsure >= peer->attempted);
        REQUIRE(traffic, peer->in.close_code == peer->closed.code_sent);
        REQUIRE(traffic, peer->in.pending.len == 0);
    }
    traffic->encoded += peer->in.encoded;
    line_free(peer);
    reader_free(&peer->in);
    blob_free(&peer->out);
}

static int peer_has_ended(const struct peer *peer)
{
    return peer->id == 0 && (peer->cut || peer->ended);
}

/* An open peer has received all that was meant for it. */
static int peer_has_all(const struct peer *peer)
{
    return peer->open && peer->in.status == 101 &&
           peer->received + peer->missed == peer->attempted && peer->came_up == peer->sent_up &&
           peer->ponged == peer->pings;
}

/* ------------------------------------------------------------------ rounds */

static void traffic_configure(struct traffic *traffic)
{
    static const uint32_t bytes[] = {32768, 65536, 262144};
    static const uint32_t messages[] = {8, 64, 1024};
    static const uint64_t pool_bytes[] = {128 << 10, 512 << 10, 64 << 20};
    wspool_config *config = &traffic->config;
    wspool_config_init(config);
    config->queue_bytes = bytes[pick(traffic, 3)];
    config->queue_messages = messages[pick(traffic, 3)];
    config->pool_bytes = pool_bytes[pick(traffic, 3)];
    config->slow = (enum wspool_slow)pick(traffic, 2);
    config->flush_delay = pick(traffic, 3) == 0 ? 5 * MS : 0;
    config->flush_time = pick(traffic, 6) == 0 ? 300 * MS : 30 * SEC;
    config->ping_interval = 200 * MS;
    config->turn_deliveries = pick(traffic, 3) == 0 ? 16 : 400;
    config->open.call = on_open;
    config->message.call = on_message;
    config->missed.call = on_missed;
    config->close.call = on_close;
    config->entropy.call = on_entropy;
    config->open.user = config->message.user = config->missed.user = config->close.user =
        config->entropy.user = traffic;
    if (traffic->compressed) {
        assert_int_equal(wspool_deflate_new(&traffic->deflate, NULL), 0);
        config->codec = wspool_deflate_codec(traffic->deflate);
    }
}

static struct traffic *traffic_new(uint64_t seed, int compressed)
{
    static const enum wspool_kind kinds[] = {WSPOOL_ITEM, WSPOOL_SESSION, WSPOOL_TOPIC};
    static const char *const patterns[] = {"/0/{n}", "/1/{n}", "/2/{n}"};
    struct traffic *traffic = sim_malloc(sizeof(*traffic));
    memset(traffic, 0, sizeof(*traffic));
    traffic->seed = seed;
    traffic->random = seed * 2 + (unsigned)compressed;
    traffic->now = SEC;
    traffic->compressed = compressed;
    traffic_configure(traffic);
    assert_int_equal(wspool_new(&traffic->pool, &traffic->config, traffic->now), 0);
    for (unsigned i = 0; i < 3; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &traffic->config);
        options.slow = i == 0 ? WSPOOL_SLOW_CLOSE : WSPOOL_SLOW_BEHIND;
        options.history.messages = i == 2 ? 20 : 0;
        assert_int_equal(wspool_route(traffic->pool, patterns[i], kinds[i], &options), 0);
    }
    for (unsigned i = 0; i < PEERS; i++)
        peer_open(traffic, i);
    return traffic;
}

/* What the host does of itself. */
static void host_act(struct traffic *traffic)
{
    for (unsigned n = pick(traffic, 4); n > 0; n--)
        publish(traffic, pick(traffic, CHANNELS));
    struct peer *peer = &traffic->peers[pick(traffic, PEERS)];
    if (peer->open)
        send_one(peer);
    peer = &traffic->peers[pick(traffic, PEERS)];
    if (peer->open && pick(traffic, 100) == 0)
        wspool_close(traffic->pool, peer->id, 1000, NULL, pick(traffic, 2) ? WSPOOL_CLOSE_NOW : 0);
}

static void clients_turn(struct traffic *traffic)
{
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *peer = &traffic->peers[i];
        int slow = i < SLOW_PEERS;
        if (!traffic->finishing) {
            client_act(peer);
            if (peer->stall > 0) {
                peer->stall--;
                continue;
            }
            if (pick(traffic, slow ? 20 : 200) == 0)
                peer->stall = (int)pick(traffic, 100);
        }
        client_turn(peer, 1 + pick(traffic, slow ? 3000 : 65535));
    }
}

static void traffic_step(struct traffic *traffic)
{
    traffic->step++;
    traffic->now += pick(traffic, 8) * MS;
    if (!traffic->finishing)
        host_act(traffic);
    host_turn(traffic);
    clients_turn(traffic);
    for (unsigned i = 0; i < PEERS; i++) {
        if (!peer_has_ended(&traffic->peers[i]))
            continue;
        peer_end(&traffic->peers[i]);
        peer_open(traffic, i);
    }
}

/* Stalls end, and each client receives what waits for it; then all are closed. */
static void traffic_finish(struct traffic *traffic)
{
    unsigned done = 0, last = traffic->step + LAST_STEPS;
    traffic->finishing = 1;
    while (done < PEERS) {
        REQUIRE(traffic, traffic->step < last);
        traffic_step(traffic);
        done = 0;
        for (unsigned i = 0; i < PEERS; i++)
            done += (unsigned)peer_has_all(&traffic->peers[i]);
    }
    net_assert_books(traffic->pool);
    assert_int_equal(net_stats(traffic->pool).waiting, 0);
    assert_int_equal(wspool_drain(traffic->pool, 0, 0, traffic->now), 0);
    while (done > 0) {
        REQUIRE(traffic, traffic->step++ < last);
        traffic->now += MS;
        host_turn(traffic);
        clients_turn(traffic);
        done = 0;
        for (unsigned i = 0; i < PEERS; i++)
            done += !peer_has_ended(&traffic->peers[i]);
    }
    for (unsigned i = 0; i < PEERS; i++)
        peer_end(&traffic->peers[i]);
}

static void traffic_free(struct traffic *traffic)
{
    wspool_statistics stats = net_stats(traffic->pool);
    net_assert_books(traffic->pool);
    assert_int_equal(stats.peers + stats.handshakes, 0);
    assert_int_equal(stats.missed, traffic->missed);
    assert_int_equal(wspool_free(traffic->pool), 0);
    wspool_deflate_free(traffic->deflate);
    free(traffic);
}

/* Takes rounds for this part of WSPOOL_SECONDS. */
static void traffic_run(int compressed, unsigned part)
{
    const char *seconds = getenv("WSPOOL_SECONDS"), *first = getenv("WSPOOL_SEED");
    uint64_t time = (seconds ? strtoull(seconds, NULL, 10) : 3) * SEC / part;
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1, received = 0, encoded = 0;
    uint64_t start = wspool_clock();
    do {
        printf("# seed %llu\n", (unsigned long long)seed);
        fflush(stdout);
        struct traffic *traffic = traffic_new(seed, compressed);
        for (unsigned i = 0; i < STEPS; i++)
            traffic_step(traffic);
        traffic_finish(traffic);
        received += traffic->received;
        encoded += traffic->encoded;
        traffic_free(traffic);
        seed++;
    } while (wspool_clock() - start < time);
    printf("# %llu messages, %llu of them compressed\n", (unsigned long long)received,
           (unsigned long long)encoded);
    assert_true(received > 0);
    assert_int_equal(encoded > 0, compressed);
}

#endif
