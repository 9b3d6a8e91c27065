/* SPDX-License-Identifier: MIT */
/* tokens.c - see tokens.h. */
#define _GNU_SOURCE
#include "tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <wspool/wspool.h>

#define INTERVAL (50 * WSPOOL_MILLISECOND) /* between two tokens of a client */
#define BURST (199 * INTERVAL)             /* how far a client may be ahead of that */
#define BUDGETS 1024

struct tokens {
    wspool_jwt *jwt;
    unsigned seconds;
    uint64_t serial;              /* of the last token that was made here */
    uint64_t paid_until[BUDGETS]; /* index: hash of the client */
};

static wspool_jwt_config with_secret(const void *secret, size_t len)
{
    wspool_jwt_config config;
    wspool_jwt_config_init(&config);
    config.secret = secret;
    config.secret_len = len;
    return config;
}

const char *tokens_problem(const char *secret)
{
    const wspool_jwt_config config = with_secret(secret, strlen(secret));
    return wspool_jwt_problem(&config);
}

struct tokens *tokens_new(const char *secret, unsigned seconds)
{
    struct tokens *tokens = calloc(1, sizeof(*tokens));
    uint8_t random[32];
    if (!tokens || getentropy(random, sizeof(random)) < 0) {
        free(tokens);
        return NULL;
    }
    const wspool_jwt_config config =
        secret ? with_secret(secret, strlen(secret)) : with_secret(random, sizeof(random));
    tokens->seconds = seconds;
    if (wspool_jwt_new(&tokens->jwt, &config) < 0) {
        free(tokens);
        tokens = NULL;
    }
    explicit_bzero(random, sizeof(random));
    return tokens;
}

void tokens_free(struct tokens *tokens)
{
    if (tokens) {
        wspool_jwt_free(tokens->jwt);
        free(tokens);
    }
}

int tokens_attach(struct tokens *tokens, wspool *pool)
{
    return tokens ? wspool_jwt_attach(tokens->jwt, pool) : 0;
}

int tokens_rate(struct tokens *tokens, wspool_text client, uint64_t now)
{
    uint32_t hash = 2166136261; /* FNV-1a */
    size_t i;
    for (i = 0; i < client.len; i++) {
        hash = (hash ^ (unsigned char)client.data[i]) * 16777619;
    }
    uint64_t *until = &tokens->paid_until[(hash ^ hash >> 16) % BUDGETS];
    if (*until > now + BURST) {
        return 0;
    }
    *until = (*until > now ? *until : now) + INTERVAL;
    return 1;
}

time_t tokens_mint(struct tokens *tokens, const char *subject, char token[TOKEN_ROOM])
{
    const time_t now = time(NULL), expires = now + (time_t)tokens->seconds;
    char serial[20]; /* no two tokens are the same, also of one name and second */
    snprintf(serial, sizeof(serial), "%" PRIx64, ++tokens->serial);
    json_t *payload = json_pack("{s:s, s:I, s:I, s:s}", "sub", subject, "iat", (json_int_t)now,
                                "exp", (json_int_t)expires, "jti", serial);
    char *text = json_dumps(payload, JSON_COMPACT);
    const wspool_jwt_claims claims = {.size = sizeof(claims),
                                      .payload = {text, text ? strlen(text) : 0}};
    const int len = text ? wspool_jwt_sign(tokens->jwt, &claims, token, TOKEN_ROOM - 1) : -1;
    json_decref(payload);
    free(text);
    if (len < 0) {
        return 0;
    }
    token[len] = '\0';
    return expires;
}

int tokens_check(struct tokens *tokens, const char *token)
{
    return wspool_jwt_verify(tokens->jwt, wspool_text_of(token), (uint64_t)time(NULL), NULL);
}
