/* SPDX-License-Identifier: MIT */
/* tokens.c - see tokens.h. */
#define _GNU_SOURCE
#include "tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <wspool/wspool.h>

#define SIGNATURE_HEX ((size_t)2 * SHA256_DIGEST_SIZE)
#define INTERVAL (50 * WSPOOL_MILLISECOND) /* between two tokens of a client */
#define BURST (199 * INTERVAL)             /* how far a client may be ahead of that */
#define BUDGETS 1024

struct tokens {
    unsigned seconds;
    uint64_t serial;
    struct hmac_sha256_ctx key;
    uint64_t paid_until[BUDGETS]; /* index: hash of the client */
};

struct tokens *tokens_new(unsigned seconds)
{
    struct tokens *tokens = calloc(1, sizeof(*tokens));
    uint8_t secret[32];
    if (tokens && getentropy(secret, sizeof(secret)) < 0) {
        free(tokens);
        tokens = NULL;
    }
    if (tokens) {
        tokens->seconds = seconds;
        hmac_sha256_set_key(&tokens->key, sizeof(secret), secret);
    }
    explicit_bzero(secret, sizeof(secret));
    return tokens;
}

void tokens_free(struct tokens *tokens)
{
    free(tokens);
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

static void sign(const struct tokens *tokens, const char *text, size_t len, char hex[SIGNATURE_HEX])
{
    struct hmac_sha256_ctx key = tokens->key;
    uint8_t digest[SHA256_DIGEST_SIZE];
    hmac_sha256_update(&key, len, (const uint8_t *)text);
    hmac_sha256_digest(&key, sizeof(digest), digest);
    base16_encode_update(hex, sizeof(digest), digest);
}

time_t tokens_mint(struct tokens *tokens, const char *subject, char token[TOKEN_LEN + 1])
{
    time_t expires_at = time(NULL) + (time_t)tokens->seconds;
    size_t subject_len = strnlen(subject, TOKEN_SUBJECT_MAX);
    size_t len = (size_t)snprintf(token, TOKEN_LEN, "%jd.%" PRIu64 ".", (intmax_t)expires_at,
                                  ++tokens->serial);

    base16_encode_update(token + len, subject_len, (const uint8_t *)subject);
    len += 2 * subject_len;
    sign(tokens, token, len, token + len + 1);
    token[len] = '.';
    token[len + 1 + SIGNATURE_HEX] = '\0';
    return expires_at;
}

int tokens_check(const struct tokens *tokens, wspool_text token,
                 char subject[TOKEN_SUBJECT_MAX + 1], enum wspool_refusal *reason)
{
    size_t len = token.len > SIGNATURE_HEX ? token.len - SIGNATURE_HEX - 1 : 0;
    size_t subject_len = TOKEN_SUBJECT_MAX;
    struct base16_decode_ctx hex;
    char signature[SIGNATURE_HEX];
    char text[TOKEN_LEN + 1];

    *reason = WSPOOL_REFUSED_TOKEN_INVALID;
    sign(tokens, token.data, len, signature);
    if (len == 0 || token.len > TOKEN_LEN || token.data[len] != '.' ||
        !memeql_sec(signature, token.data + len + 1, SIGNATURE_HEX)) {
        return 0;
    }
    /* From here on it is a text of tokens_mint. */
    memcpy(text, token.data, len);
    text[len] = '\0';
    const char *encoded = strrchr(text, '.') + 1;
    base16_decode_init(&hex);
    base16_decode_update(&hex, &subject_len, (uint8_t *)subject, strlen(encoded), encoded);
    subject[subject_len] = '\0';
    *reason = WSPOOL_REFUSED_TOKEN_EXPIRED;
    return time(NULL) < (time_t)strtoll(text, NULL, 10);
}
