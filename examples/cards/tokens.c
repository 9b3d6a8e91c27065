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
#include <nettle/memops.h>

#define SECRET 32
#define SECRET_HEX ((size_t)2 * SECRET)

struct entry {
    uint64_t number; /* 0: unused */
    time_t expires_at;
    char secret[SECRET_HEX];
    char subject[TOKEN_SUBJECT_MAX + 1];
};

struct tokens {
    unsigned seconds;
    uint64_t last;
    struct entry ring[TOKENS_MAX];
};

struct tokens *tokens_new(unsigned seconds)
{
    struct tokens *tokens = calloc(1, sizeof(*tokens));
    if (tokens) {
        tokens->seconds = seconds;
    }
    return tokens;
}

void tokens_free(struct tokens *tokens)
{
    free(tokens);
}

time_t tokens_mint(struct tokens *tokens, const char *subject, char token[TOKEN_LEN + 1])
{
    struct entry *entry = &tokens->ring[(tokens->last + 1) % TOKENS_MAX];
    uint8_t secret[SECRET];

    if (getentropy(secret, sizeof(secret)) < 0) {
        return 0;
    }
    entry->number = ++tokens->last;
    entry->expires_at = time(NULL) + (time_t)tokens->seconds;
    base16_encode_update(entry->secret, sizeof(secret), secret);
    snprintf(entry->subject, sizeof(entry->subject), "%s", subject);
    snprintf(token, TOKEN_LEN + 1, "%" PRIu64 ".%.*s", entry->number, (int)SECRET_HEX,
             entry->secret);
    return entry->expires_at;
}

/* Splits a token into number and secret. Returns 0 if it is malformed. A number with leading
 * zeros, for example, is malformed because tokens_mint never writes one. */
static uint64_t number_of(wspool_text token, const char **secret)
{
    uint64_t number = 0;
    size_t i, digits = token.len > SECRET_HEX + 1 ? token.len - SECRET_HEX - 1 : 0;

    if (digits == 0 || digits > 18 || token.data[0] == '0' || token.data[digits] != '.') {
        return 0;
    }
    for (i = 0; i < digits; i++) {
        if (token.data[i] < '0' || token.data[i] > '9') {
            return 0;
        }
        number = 10 * number + (uint64_t)(token.data[i] - '0');
    }
    *secret = token.data + digits + 1;
    return number;
}

const char *tokens_check(const struct tokens *tokens, wspool_text token,
                         enum wspool_refusal *reason)
{
    const char *secret = NULL;
    uint64_t number = number_of(token, &secret);
    const struct entry *entry = &tokens->ring[number % TOKENS_MAX];

    *reason = WSPOOL_REFUSED_TOKEN_INVALID;
    if (number == 0 || entry->number != number || !memeql_sec(entry->secret, secret, SECRET_HEX)) {
        return NULL;
    }
    *reason = WSPOOL_REFUSED_TOKEN_EXPIRED;
    return time(NULL) < entry->expires_at ? entry->subject : NULL;
}
