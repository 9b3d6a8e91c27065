/* SPDX-License-Identifier: MIT */
/*
 * bench/bench_jwt.c - what a verdict on a token costs in time: alone, and as a part of a handshake in
 * hosted mode, with and without the cache. Without sockets.
 *
 * Each timed row runs several times. The program prints the median and the range, and the ratios to
 * a handshake whose token is accepted unseen. No number makes it fail; test/costs counts the
 * instructions of a cached verdict.
 *
 *     build/release/test/bench/bench_jwt [--runs N] [--quick]
 */
#include "../jwt/vectors.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>
#include <nettle/eddsa.h>

#include <wspool/handlers.h>
#include <wspool/jwt.h>
#include <wspool/wspool.h>

#define NOW (RFC_EXP - 1)
#define SECRET "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* ES256 and RS256 are the examples of RFC 7515, appendices A.3 and A.2. The others are signed here. */
static struct subject {
    const char *name;
    enum wspool_jwt_algorithm algorithm;
    const char *keys;
    char token[1000];
} subjects[] = {{"HS256", WSPOOL_JWT_HS256, NULL, ""},
                {"HS384", WSPOOL_JWT_HS384, NULL, ""},
                {"HS512", WSPOOL_JWT_HS512, NULL, ""},
                {"ES256", WSPOOL_JWT_ES256,
                 "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_P256_X
                 "\",\"y\":\"" RFC_P256_Y "\"}]}",
                 RFC_ES256_TOKEN},
                {"RS256", WSPOOL_JWT_RS256,
                 "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RFC_RSA_N "\"}]}",
                 RFC_RS256_TOKEN},
                {"EdDSA", WSPOOL_JWT_EDDSA,
                 "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}]}", ""}};

enum { SUBJECTS = sizeof subjects / sizeof *subjects };

static void encode(char *out, const uint8_t *bytes, size_t len)
{
    base64_encode_raw(out, len, bytes);
    out[BASE64_ENCODE_RAW_LENGTH(len)] = '\0';
    for (char *at = out; *at; at++) {
        *at = (char)(*at == '+' ? '-' : *at == '/' ? '_' : *at == '=' ? '\0' : *at);
    }
}

/* The judge of an algorithm; a token is made if there is none yet. */
static wspool_jwt *judge(struct subject *s, uint32_t cache_entries)
{
    wspool_jwt_config config;
    wspool_jwt *jwt;
    wspool_jwt_config_init(&config);
    config.algorithm = s->algorithm;
    config.secret = s->keys ? NULL : SECRET;
    config.secret_len = s->keys ? 0 : sizeof SECRET - 1;
    config.cache_entries = cache_entries;
    if (wspool_jwt_new(&jwt, &config)) {
        fail(wspool_jwt_problem(&config));
    }
    if (!s->keys && !s->token[0]) {
        wspool_jwt_claims claims = {
            .size = sizeof claims,
            .payload = wspool_text_of("{\"iss\":\"joe\",\"exp\":1300819380,\"root\":true}")};
        if (wspool_jwt_sign(jwt, &claims, s->token, sizeof s->token - 1) < 0) {
            fail("no token");
        }
    }
    if (s->algorithm == WSPOOL_JWT_EDDSA) {
        uint8_t private[ED25519_KEY_SIZE] = {7}, public[ED25519_KEY_SIZE];
        uint8_t signature[ED25519_SIGNATURE_SIZE];
        char text[100], keys[200];
        size_t len = (size_t)sprintf(s->token, "eyJhbGciOiJFZERTQSJ9.%s", RFC_PAYLOAD);
        ed25519_sha512_public_key(public, private);
        ed25519_sha512_sign(public, private, len, (const uint8_t *)s->token, signature);
        s->token[len] = '.';
        encode(s->token + len + 1, signature, sizeof signature);
        encode(text, public, sizeof public);
        snprintf(keys, sizeof keys, s->keys, text);
        if (wspool_jwt_set_keys(jwt, keys, strlen(keys))) {
            fail("no key");
        }
    } else if (s->keys && wspool_jwt_set_keys(jwt, s->keys, strlen(s->keys))) {
        fail("no key");
    }
    return jwt;
}

/* --------------------------------------------------------------------- alone */

static void bench_verify(struct subject *s)
{
    double values[MAX_RUNS];
    char name[80];
    wspool_jwt *jwt = judge(s, 0);
    size_t count = s->keys ? 300 : 5000;
    count = quick ? count / 10 : count;
    for (int run = -1; run < runs; run++) {
        double t = now_ns();
        for (size_t i = 0; i < count; i++) {
            if (wspool_jwt_verify(jwt, wspool_text_of(s->token), NOW, NULL)) {
                fail("a token was refused");
            }
        }
        if (run >= 0) {
            values[run] = (now_ns() - t) / 1000 / (double)count;
        }
    }
    snprintf(name, sizeof name, "verdict %s", s->name);
    print_row(name, values, 2, "us", "");
    wspool_jwt_free(jwt);
}

/* ----------------------------------------------------------------- handshakes */

static uint64_t wall_clock(void *user)
{
    (void)user;
    return NOW * 1000;
}

static void accept_any(wspool *pool, wspool_id id, const wspool_request *request,
                       wspool_verdict *out, void *user)
{
    (void)pool, (void)id, (void)request, (void)user;
    out->kind = WSPOOL_ACCEPT;
}

static void shake_hands(wspool *pool, const char *token, uint64_t now)
{
    static char value[1100];
    wspool_header headers[] = {
        {wspool_text_of("Host"), wspool_text_of("127.0.0.1")},
        {wspool_text_of("Upgrade"), wspool_text_of("websocket")},
        {wspool_text_of("Connection"), wspool_text_of("Upgrade")},
        {wspool_text_of("Sec-WebSocket-Key"), wspool_text_of("dGhlIHNhbXBsZSBub25jZQ==")},
        {wspool_text_of("Sec-WebSocket-Version"), wspool_text_of("13")},
        {wspool_text_of("Authorization"), wspool_text_of(value)}};
    wspool_request request = {.size = sizeof request,
                              .method = wspool_text_of("GET"),
                              .target = wspool_text_of("/echo"),
                              .http_major = 1,
                              .http_minor = 1,
                              .headers = headers,
                              .header_count = sizeof headers / sizeof *headers};
    wspool_answer answer;
    wspool_id id;
    snprintf(value, sizeof value, "Bearer %s", token);
    headers[5].value = wspool_text_of(value);
    if (wspool_upgrade(pool, &request, now, &id, &answer) != WSPOOL_UPGRADE_ACCEPTED) {
        fail("a peer was refused");
    }
    wspool_gone(pool, id, WSPOOL_GONE_EOF, now);
    wspool_release(pool, id);
}

/* Returns the median in microseconds. cache_entries UINT32_MAX: no judge. */
static double bench_handshake(struct subject *s, uint32_t cache_entries)
{
    double values[MAX_RUNS];
    char name[80];
    wspool_config config;
    wspool_handlers handlers = {.size = sizeof handlers, .token = accept_any};
    wspool *pool;
    wspool_jwt *jwt = judge(s, cache_entries == UINT32_MAX ? 0 : cache_entries);
    wspool_config_init(&config);
    config.wall_clock = (wspool_wall_clock_hook){wall_clock, NULL};
    if (wspool_new(&pool, &config, WSPOOL_SECOND) ||
        wspool_route(pool, "/echo", WSPOOL_NONE, NULL) ||
        (cache_entries == UINT32_MAX ? wspool_attach(pool, &handlers)
                                     : wspool_jwt_attach(jwt, pool))) {
        fail("no pool");
    }
    size_t count = quick ? 300 : 2000;
    uint64_t now = WSPOOL_SECOND;
    for (int run = -1; run < runs; run++) {
        double t = now_ns();
        for (size_t i = 0; i < count; i++) {
            shake_hands(pool, s->token, now += 1000);
        }
        if (run >= 0) {
            values[run] = (now_ns() - t) / 1000 / (double)count;
        }
        wspool_tick(pool, now);
    }
    snprintf(name, sizeof name, "handshake, %s, %s", s->name,
             cache_entries == UINT32_MAX ? "accepted unseen"
             : cache_entries             ? "cached"
                                         : "not cached");
    print_row(name, values, 2, "us", "");
    wspool_free(pool);
    wspool_jwt_free(jwt);
    return values[runs / 2]; /* sorted */
}

int main(int argc, char **argv)
{
    rows_begin(argc, argv, "libwspool_jwt");
    for (int i = 0; i < SUBJECTS; i++) {
        bench_verify(&subjects[i]);
    }
    for (int i = 0; i < SUBJECTS; i++) {
        double unseen = bench_handshake(&subjects[i], UINT32_MAX);
        double cached = bench_handshake(&subjects[i], 10000);
        double judged = bench_handshake(&subjects[i], 0);
        printf("%-44s %8.2f times cached, %.1f times not cached\n", "  to the first of these",
               cached / unseen, judged / unseen);
    }
    return 0;
}
