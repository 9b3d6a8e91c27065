/* SPDX-License-Identifier: MIT */
/*
 * deflate/test_pool.c - libwspool_deflate in a pool: a broadcast is compressed once per window,
 * an idle peer holds no memory, and a decompression bomb costs no more than the message limit.
 */
#include "../sim/sim.h"
#include "side.h"

#define OFFER "Sec-WebSocket-Extensions: permessage-deflate"

static const char text[] = "{\"type\":\"update\",\"data\":{\"card\":42,\"title\":\"a card\"}}"
                           "{\"type\":\"update\",\"data\":{\"card\":43,\"title\":\"a card\"}}"
                           "{\"type\":\"update\",\"data\":{\"card\":44,\"title\":\"a card\"}}"
                           "{\"type\":\"update\",\"data\":{\"card\":45,\"title\":\"a card\"}}"
                           "{\"type\":\"update\",\"data\":{\"card\":46,\"title\":\"a card\"}}";

struct world {
    sim *s;
    side side; /* has its own heap: zlib's memory is counted apart from the pool's */
};

/* `route_flags`: flags for every route. */
static void begin(struct world *w, unsigned route_flags)
{
    side_init(&w->side);
    side_start(&w->side);
    w->s = sim_new(1);
    w->s->keep_heard = 0;
    w->s->keep_journal = 0;
    w->s->config.codec = wspool_deflate_codec(w->side.deflate);
    w->s->config.max_peers = 2000;
    w->s->config.ping_interval = 0;
    assert_int_equal(sim_start_bare(w->s), 0);
    wspool_route_options options;
    wspool_route_options_init(&options, &w->s->config);
    options.codec = route_flags;
    options.name = "all";
    assert_int_equal(wspool_route(w->s->pool, "/all", WSPOOL_GLOBAL, &options), 0);
}

static void end(struct world *w)
{
    sim_free(w->s);
    side_stop(&w->side);
}

/* Decodes one compressed message with a new context. */
static size_t unfold(const uint8_t *in, size_t len, uint8_t *out, size_t max)
{
    static const uint8_t tail[4] = {0, 0, 0xff, 0xff};
    z_stream z = {0};
    uint8_t *whole = sim_malloc(len + 4);
    memcpy(whole, in, len);
    memcpy(whole + len, tail, 4);
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    z.next_in = whole;
    z.avail_in = (uInt)(len + 4);
    z.next_out = out;
    z.avail_out = (uInt)max;
    int result = inflate(&z, Z_SYNC_FLUSH);
    size_t made = max - z.avail_out;
    int good = result == Z_OK && z.avail_in == 0 && z.avail_out > 0;
    inflateEnd(&z);
    free(whole);
    return good ? made : (size_t)-1;
}

static sim_peer *join(struct world *w, const char *parameters)
{
    char extra[200];
    client_request request = {.target = "/all", .extra = extra};
    snprintf(extra, sizeof extra, OFFER "%s\r\n", parameters ? parameters : "");
    if (!parameters)
        request.extra = NULL;
    sim_peer *p = sim_connect(w->s, &request);
    p->reader.unfold = parameters ? unfold : NULL;
    sim_pump(w->s);
    sim_expect_open(p);
    return p;
}

/* Compresses bytes with the stream z and sends them: a whole message, or with `cut_at` a first
 * fragment without its last bytes. */
static void say(sim_peer *p, z_stream *z, const void *bytes_in, size_t len, size_t cut_at)
{
    size_t room = len + 1000;
    uint8_t *out = sim_malloc(room);
    z->next_in = (Bytef *)(uintptr_t)bytes_in;
    z->avail_in = (uInt)len;
    z->next_out = out;
    z->avail_out = (uInt)room;
    assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    size_t n = room - z->avail_out - 4;
    if (cut_at == 0)
        sim_frame(p, FIN | 0x40 | OP_TEXT, out, n);
    else
        sim_frame(p, 0x40 | OP_TEXT, out, n - cut_at);
    free(out);
}

static void deflater(z_stream *z)
{
    *z = (z_stream){0};
    assert_int_equal(deflateInit2(z, 9, Z_DEFLATED, -12, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

TEST(broadcast_when_many_read_it_is_compressed_once_for_each_window)
{
    struct world w;
    sim_peer *peers[60];
    begin(&w, 0);
    for (int i = 0; i < 60; i++)
        peers[i] = join(&w, i % 3 == 0   ? "; client_max_window_bits"
                            : i % 3 == 1 ? "; server_max_window_bits=10"
                                         : NULL);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(sim_broadcast(w.s, wspool_global("all"), text), 60);
        assert_int_equal(side_stats(&w.side).deflated, 2 * i);
    }
    assert_int_equal(sim_stats(w.s).encoded, 5);
    assert_int_equal(sim_stats(w.s).codec_encoded, 10);
    sim_pump(w.s);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(peers[i]->reader.encoded, i % 3 == 2 ? 0 : 5);
        for (size_t k = 0; k < 5; k++)
            sim_expect_message(peers[i], k, text);
    }
    end(&w);
}

TEST(message_when_short_goes_as_it_is)
{
    struct world w;
    begin(&w, 0);
    sim_peer *p = join(&w, "");
    sim_broadcast(w.s, wspool_global("all"), "short");
    sim_pump(w.s);
    sim_expect_message(p, 0, "short");
    assert_int_equal(p->reader.encoded, 0);
    end(&w);
}

TEST(peers_when_idle_hold_nothing_however_many_have_talked)
{
    struct world w;
    z_stream z;
    size_t live = 0;
    begin(&w, 0);
    for (int i = 0; i < 200; i++) {
        sim_peer *p = join(&w, "; client_max_window_bits");
        deflater(&z);
        for (int k = 0; k < 3; k++) {
            say(p, &z, text, strlen(text), 0);
            deflateReset(&z); /* as client_no_context_takeover demands */
        }
        deflateEnd(&z);
        sim_pump(w.s);
        sim_expect_open(p);
        if (i == 20)
            live = side_live(&w.side);
    }
    assert_int_equal(sim_stats(w.s).codec_decoded, 600);
    assert_int_equal(side_live(&w.side), live);
    assert_int_equal(side_stats(&w.side).inflating, 0);
    end(&w);
}

TEST(peer_when_it_keeps_its_context_holds_one_window_and_is_understood)
{
    struct world w;
    z_stream z;
    begin(&w, WSPOOL_DEFLATE_TAKEOVER);
    size_t before = 0, peak_pool = 0;
    for (int i = 0; i < 20; i++) {
        sim_peer *p = join(&w, "; client_max_window_bits");
        deflater(&z);
        for (int k = 0; k < 3; k++)
            say(p, &z, text, strlen(text), 0);
        deflateEnd(&z);
        sim_pump(w.s);
        sim_expect_open(p);
        if (i == 9) {
            before = side_live(&w.side);
            peak_pool = w.s->heap.live_bytes;
        }
    }
    assert_int_equal(sim_stats(w.s).codec_decoded, 60);
    assert_int_equal(side_stats(&w.side).inflating, 20);
    /* 7 KB and a window of 4 KB, as wspool/deflate.h says, and 512 bytes of the pool. */
    assert_in_range((side_live(&w.side) - before) / 10, 4096, 12 * 1024);
    assert_true((w.s->heap.live_bytes - peak_pool) / 10 < 1024);
    while (w.s->peers[w.s->first_live]->released == 0) {
        sim_cut(w.s->peers[w.s->first_live], WSPOOL_GONE_FAILED);
        sim_pump(w.s);
        if (w.s->first_live + 1 == w.s->peer_count)
            break;
    }
    end(&w);
}

TEST(message_when_it_leans_on_the_one_before_without_takeover_is_refused)
{
    struct world w;
    z_stream z;
    begin(&w, 0);
    sim_peer *p = join(&w, "");
    deflater(&z);
    say(p, &z, text, strlen(text), 0);
    say(p, &z, text, strlen(text), 0);
    deflateEnd(&z);
    sim_pump(w.s);
    sim_expect_close(p, WSPOOL_END_BAD_ENCODING, 1007);
    assert_int_equal(sim_stats(w.s).received, 1);
    end(&w);
}

TEST(bomb_when_it_bursts_costs_no_more_than_its_limit)
{
    enum { BOMB = 32 << 20 };
    struct world w;
    z_stream z;
    for (int fragments = 0; fragments < 2; fragments++) {
        uint8_t *zeros = calloc(1, BOMB);
        uint8_t *out = sim_malloc(BOMB / 500);
        begin(&w, 0);
        sim_peer *p = join(&w, "");
        size_t limit = w.s->config.message_bytes;
        size_t pool = w.s->heap.live_bytes, zlib = side_live(&w.side);
        deflater(&z);
        z.next_in = zeros;
        z.avail_in = BOMB;
        z.next_out = out;
        z.avail_out = BOMB / 500;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        size_t len = BOMB / 500 - z.avail_out;
        deflateEnd(&z);
        assert_true(len < limit); /* the compressed message is within the limit */
        w.s->heap.peak_bytes = w.s->heap.live_bytes;
        w.side.heap.peak_bytes = w.side.heap.live_bytes;
        for (size_t at = 0; at < len;) {
            size_t n = fragments && len - at > 97 ? 97 : len - at;
            sim_frame(p, (at == 0 ? 0x40 | OP_BINARY : 0) | (at + n == len ? FIN : 0), out + at, n);
            at += n;
        }
        sim_pump(w.s);
        sim_expect_close(p, WSPOOL_END_TOO_BIG, 1009);
        assert_int_equal(sim_stats(w.s).received, 0);
        assert_true(side_stats(&w.side).inflated_out <= limit + 4096);
        assert_true(w.s->heap.peak_bytes - pool <= limit + limit * 3 / 4 + 16384);
        assert_true(w.side.heap.peak_bytes - zlib <= 41000); /* a stream and its window */
        end(&w);
        free(zeros);
        free(out);
    }
}

TEST(message_when_half_of_it_came_holds_one_inflater_until_its_peer_is_gone)
{
    struct world w;
    z_stream z;
    begin(&w, 0);
    for (int i = 0; i < 30; i++) {
        sim_peer *p = join(&w, "; client_max_window_bits");
        deflater(&z);
        say(p, &z, text, strlen(text), 5);
        deflateEnd(&z);
        sim_pump(w.s);
    }
    assert_int_equal(side_stats(&w.side).inflating, 30);
    assert_true(side_live(&w.side) < 30 * 12288 + 16384);
    sim_pass(w.s, 31 * SEC); /* message_time has passed */
    assert_int_equal(sim_stats(w.s).ended[WSPOOL_END_MESSAGE_TIMEOUT], 30);
    sim_pass(w.s, 10 * SEC);
    assert_int_equal(side_stats(&w.side).inflating, 0);
    assert_true(side_live(&w.side) < 4 * 12288 + 16384);
    end(&w);
}
