/* SPDX-License-Identifier: MIT */
/* jwt/tokens.c - see jwt/tokens.h. */
#include "tokens.h"

#include <nettle/hmac.h>

enum { ROOM = 40000, TEXTS = 24 };

static char *next_text(void)
{
    static char texts[TEXTS][ROOM];
    static unsigned next;
    return texts[next++ % TEXTS];
}

const char *token_segment(const void *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *in = bytes;
    char *text = next_text();
    size_t n = 0;
    for (size_t bit = 0; bit < 8 * len; bit += 6) {
        unsigned value = 0;
        for (size_t i = bit; i < bit + 6; i++)
            value = value << 1 | (i < 8 * len && (in[i / 8] >> (7 - i % 8) & 1) != 0);
        assert_true(n + 1 < ROOM);
        text[n++] = digits[value];
    }
    text[n] = '\0';
    return text;
}

static const char *quoted(const char *json)
{
    char *text = next_text();
    assert_true(strlen(json) < ROOM);
    strcpy(text, json);
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    return token_segment(text, strlen(text));
}

const char *token_raw(const char *header, const char *payload, const char *secret)
{
    struct hmac_sha256_ctx hmac;
    uint8_t mac[SHA256_DIGEST_SIZE];
    char *token = next_text();
    snprintf(token, ROOM, "%s.%s", header, payload);
    hmac_sha256_set_key(&hmac, strlen(secret), (const uint8_t *)secret);
    hmac_sha256_update(&hmac, strlen(token), (const uint8_t *)token);
    hmac_sha256_digest(&hmac, sizeof mac, mac);
    strcat(token, ".");
    return strcat(token, token_segment(mac, sizeof mac));
}

const char *token_of(const char *header, const char *payload, const char *secret)
{
    return token_raw(quoted(header), quoted(payload), secret);
}

const char *token_with(const char *payload)
{
    return token_of(HEADER, payload, SECRET);
}

wspool_jwt_config jwt_config(void)
{
    wspool_jwt_config config;
    wspool_jwt_config_init(&config);
    config.secret = SECRET;
    config.secret_len = strlen(SECRET);
    config.cache_entries = 0;
    return config;
}

wspool_jwt *jwt_make(const wspool_jwt_config *config)
{
    wspool_jwt *jwt;
    assert_null(wspool_jwt_problem(config));
    assert_int_equal(wspool_jwt_new(&jwt, config), 0);
    return jwt;
}

wspool_jwt *jwt_default(void)
{
    wspool_jwt_config config = jwt_config();
    return jwt_make(&config);
}

const char *jwt_says_at(wspool_jwt *jwt, const char *token, uint64_t now)
{
    wspool_text text = {token, strlen(token)};
    int verdict = wspool_jwt_verify(jwt, text, now, NULL);
    return verdict == 0  ? "valid"
           : verdict < 0 ? "error"
                         : wspool_refusal_reason((enum wspool_refusal)verdict);
}

const char *jwt_says(wspool_jwt *jwt, const char *token)
{
    return jwt_says_at(jwt, token, NOW);
}

void expect_default(const char *token, const char *verdict)
{
    wspool_jwt *jwt = jwt_default();
    expect_verdict(jwt, token, verdict);
    wspool_jwt_free(jwt);
}

wspool_jwt_stats jwt_stats(const wspool_jwt *jwt)
{
    wspool_jwt_stats stats = {.size = sizeof stats};
    assert_int_equal(wspool_jwt_get_stats(jwt, &stats), 0);
    return stats;
}
