/* SPDX-License-Identifier: MIT */
/*
 * bench/bench_deflate.c - what compression costs in memory and time, without sockets.
 *
 * Each timed row runs several times. The program prints the median and the range. No number makes
 * it fail. The memory figures are exact; test/deflate/test_memory.c checks them.
 *
 *     build/release/test/bench/bench_deflate [--runs N] [--quick]
 */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wspool/deflate.h>

/* A feed of JSON lines with different numbers. */
static char *json_like(size_t len)
{
    char *text = malloc(len + 200);
    uint64_t random = SEED;
    size_t n = 0;
    if (!text) {
        fail("no memory");
    }
    while (n < len) {
        next_random(&random);
        n += (size_t)sprintf(text + n,
                             "{\"type\":\"card_moved\",\"channel\":\"item:board-%u\",\"offset\":%u,"
                             "\"data\":{\"card\":\"%08x\",\"list\":\"doing\",\"position\":%u}},",
                             (unsigned)(random % 7), (unsigned)(random >> 40),
                             (unsigned)(random >> 20), (unsigned)(random % 100));
    }
    text[len] = '\0';
    return text;
}

/* ------------------------------------------------------------------ memory */

struct codec {
    wspool_deflate *deflate;
    wspool_codec_hook hook;
};

static struct codec start(void)
{
    struct codec c;
    if (wspool_deflate_new(&c.deflate, NULL)) {
        fail("no codec");
    }
    c.hook = wspool_deflate_codec(c.deflate);
    return c;
}

static unsigned long long held(const struct codec *c)
{
    wspool_deflate_stats stats = {.size = sizeof stats};
    wspool_deflate_get_stats(c->deflate, &stats);
    return stats.memory;
}

static unsigned decoder_of(struct codec *c, unsigned route_flags, int ours)
{
    wspool_extension_param param = {.name = {"client_max_window_bits", 22}};
    wspool_extension offer = {{"permessage-deflate", 18}, &param, ours ? 1 : 0};
    wspool_negotiated negotiated = {.size = sizeof negotiated};
    if (!c->hook.negotiate(&offer, route_flags, &negotiated, c->hook.user)) {
        fail("an offer was declined");
    }
    return negotiated.decoder;
}

static void take(struct codec *c, unsigned decoder, void **state, const void *in, size_t len,
                 int last)
{
    static uint8_t room[65536];
    wspool_decoding piece = {in, len, room, sizeof room, last};
    if (c->hook.decode(decoder, state, &piece, c->hook.user) != WSPOOL_DECODED_ALL) {
        fail("a message was not understood");
    }
}

static void print_held(const char *name, unsigned long long bytes)
{
    printf("%-44s %8llu bytes\n", name, bytes);
}

static void bench_held(void)
{
    char *text = json_like(4096), name[80];
    size_t len;
    for (unsigned encoding = 1; encoding <= 7; encoding++) {
        struct codec c = start();
        /* one buffer for compressed messages, 8 KiB here, serves all of them */
        c.hook.encode(encoding, text, 4096, &len, c.hook.user);
        snprintf(name, sizeof name, "held by the pool, window of %u bits", encoding + 8);
        print_held(name, held(&c));
        wspool_deflate_free(c.deflate);
    }
    for (int i = 0; i < 4; i++) {
        enum { PEERS = 1000 };
        static void *peers[PEERS];
        struct codec c = start();
        unsigned decoder = decoder_of(&c, i / 2 ? WSPOOL_DEFLATE_TAKEOVER : 0, i % 2 == 0);
        const char *payload = c.hook.encode(4, text, 4096, &len, c.hook.user);
        unsigned long long fresh = held(&c), free_list, busy, idle;
        for (int round = 0; round < 2; round++) { /* the first round fills the free lists */
            free_list = held(&c) - fresh;
            for (size_t p = 0; p < PEERS; p++) {
                take(&c, decoder, &peers[p], payload, len / 2, 0);
            }
            busy = held(&c) - fresh;
            for (size_t p = 0; p < PEERS; p++) {
                take(&c, decoder, &peers[p], payload + len / 2, len - len / 2, 1);
                c.hook.reset(decoder, &peers[p], round == 0, c.hook.user);
            }
            idle = held(&c) - fresh;
        }
        const char *how = i / 2 ? "with takeover" : "without takeover";
        const char *whose = i % 2 ? "its window" : "our window";
        snprintf(name, sizeof name, "a peer in a message, %s, %s", how, whose);
        print_held(name, busy / PEERS);
        snprintf(name, sizeof name, "a peer idle, %s, %s", how, whose);
        print_held(name, (i / 2 ? idle : idle - free_list) / PEERS);
        print_held("  and spares for all of them", free_list);
        for (size_t p = 0; p < PEERS; p++) {
            c.hook.reset(decoder, &peers[p], 1, c.hook.user);
        }
        wspool_deflate_free(c.deflate);
    }
    free(text);
}

/* -------------------------------------------------------------------- time */

static void bench_message(size_t size)
{
    double values[MAX_RUNS];
    char *text = json_like(size), name[80], more[80];
    struct codec c = start();
    unsigned decoder = decoder_of(&c, 0, 1);
    size_t count = (quick ? 2u << 20 : 16u << 20) / (size + 2048), len = 0;
    const void *payload = NULL;
    for (unsigned encoding = 7; encoding >= 4; encoding -= 3) {
        for (int run = -1; run < runs; run++) { /* the first run warms up */
            double t = now_ns();
            for (size_t i = 0; i < count; i++) {
                payload = c.hook.encode(encoding, text, size, &len, c.hook.user);
                if (!payload) {
                    fail("a message did not get shorter");
                }
            }
            if (run >= 0) {
                values[run] = (now_ns() - t) / (double)count;
            }
        }
        snprintf(name, sizeof name, "compress %zu bytes, window of %u bits", size, encoding + 8);
        snprintf(more, sizeof more, "  to %zu bytes, %.0f %%", len,
                 100.0 * (double)len / (double)size);
        print_row(name, values, 0, "ns", more);
    }
    for (int run = -1; run < runs; run++) {
        double t = now_ns();
        for (size_t i = 0; i < count; i++) {
            void *state = NULL;
            take(&c, decoder, &state, payload, len, 1);
            c.hook.reset(decoder, &state, 0, c.hook.user);
        }
        if (run >= 0) {
            values[run] = (now_ns() - t) / (double)count;
        }
    }
    snprintf(name, sizeof name, "decompress to %zu bytes", size);
    print_row(name, values, 0, "ns", "");
    wspool_deflate_free(c.deflate);
    free(text);
}

int main(int argc, char **argv)
{
    rows_begin(argc, argv, "libwspool_deflate");
    bench_held();
    bench_message(300);
    bench_message(4096);
    return 0;
}
