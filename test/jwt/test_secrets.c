/* SPDX-License-Identifier: MIT */
/*
 * jwt/test_secrets.c - configuration, secrets and their rotation, and tokens that are signed.
 */
#include "tokens.h"

static const char long_secret[] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void expect_problem(const wspool_jwt_config *config, const char *part)
{
    wspool_jwt *jwt = (wspool_jwt *)(uintptr_t)1;
    const char *problem = wspool_jwt_problem(config);
    assert_non_null(problem);
    assert_non_null(strstr(problem, part));
    assert_int_equal(wspool_jwt_new(&jwt, config), WSPOOL_ERR_INVAL);
    assert_null(jwt);
}

/* A key of no bytes verifies what anybody can sign (libjwt CVE-2026-44699). */
TEST(secret_when_absent_or_short_refuses_to_start)
{
    static const struct {
        enum wspool_jwt_algorithm algorithm;
        size_t least;
    } each[] = {{WSPOOL_JWT_HS256, 32}, {WSPOOL_JWT_HS384, 48}, {WSPOOL_JWT_HS512, 64}};
    for (size_t i = 0; i < 3; i++) {
        wspool_jwt_config config = jwt_config();
        char number[20];
        snprintf(number, sizeof number, "%zu bytes", each[i].least);
        config.algorithm = each[i].algorithm;
        config.secret = NULL;
        config.secret_len = 100;
        expect_problem(&config, number);
        config.secret = long_secret;
        config.secret_len = 0;
        expect_problem(&config, number);
        config.secret_len = each[i].least - 1;
        expect_problem(&config, number);
        config.secret_len = each[i].least;
        assert_null(wspool_jwt_problem(&config));
        config.old_secret = long_secret;
        config.old_secret_len = each[i].least - 1;
        expect_problem(&config, number);
        config.old_secret_len = each[i].least;
        wspool_jwt_free(jwt_make(&config));
    }
}

TEST(configuration_out_of_range_is_refused)
{
    wspool_jwt_config config = jwt_config();
    expect_problem(NULL, "wspool_jwt_config_init");
    config.size = 0;
    expect_problem(&config, "wspool_jwt_config_init");
    config = jwt_config();
    config.algorithm = (enum wspool_jwt_algorithm)0;
    expect_problem(&config, "algorithm");
    config.algorithm = (enum wspool_jwt_algorithm)(WSPOOL_JWT_EDDSA + 1);
    expect_problem(&config, "algorithm");
    config.algorithm = WSPOOL_JWT_ES256; /* a secret beside a key set */
    expect_problem(&config, "secret");
    config = jwt_config();
    config.leeway = 61;
    expect_problem(&config, "leeway");
    config = jwt_config();
    config.issuer = "";
    expect_problem(&config, "issuer");
    config = jwt_config();
    config.audience = "";
    expect_problem(&config, "audience");
    config = jwt_config();
    config.cache_time = 301;
    expect_problem(&config, "cache_time");
    config.cache_time = 0;
    expect_problem(&config, "cache_time");
    config = jwt_config();
    config.cache_entries = WSPOOL_JWT_CACHE_MAX + 1;
    expect_problem(&config, "cache_entries");
    config = jwt_config();
    config.mem.malloc = sim_heap_hooks(NULL).malloc;
    expect_problem(&config, "mem");
    assert_int_equal(wspool_jwt_new(NULL, &config), WSPOOL_ERR_INVAL);
    wspool_jwt_free(NULL);
}

TEST(statistics_need_a_size)
{
    wspool_jwt *jwt = jwt_default();
    wspool_jwt_stats stats = {.size = sizeof stats};
    assert_int_equal(wspool_jwt_get_stats(NULL, &stats), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_get_stats(jwt, NULL), WSPOOL_ERR_INVAL);
    stats.size = 0;
    assert_int_equal(wspool_jwt_get_stats(jwt, &stats), WSPOOL_ERR_INVAL);
    wspool_jwt_free(jwt);
}

TEST(configuration_is_copied)
{
    wspool_jwt_config config = jwt_config();
    char secret[] = SECRET, iss[] = "me", aud[] = "you";
    config.secret = secret;
    config.issuer = iss;
    config.audience = aud;
    wspool_jwt *jwt = jwt_make(&config);
    memset(secret, 'x', sizeof secret);
    memset(iss, 'x', sizeof iss);
    memset(aud, 'x', sizeof aud);
    expect_verdict(jwt, token_with("{'exp':1700000600,'iss':'me','aud':'you'}"), "valid");
    wspool_jwt_free(jwt);
}

TEST(secrets_while_they_rotate_are_both_accepted)
{
    wspool_jwt *jwt = jwt_default();
    const char *old = token_of(HEADER, PAYLOAD, SECRET);
    const char *new = token_of(HEADER, PAYLOAD, OTHER_SECRET);
    const size_t len = strlen(SECRET);
    expect_verdict(jwt, old, "valid");
    expect_verdict(jwt, new, "invalid");
    assert_int_equal(wspool_jwt_set_secrets(jwt, OTHER_SECRET, len, SECRET, len), 0);
    expect_verdict(jwt, old, "valid");
    expect_verdict(jwt, new, "valid");
    assert_int_equal(wspool_jwt_set_secrets(jwt, OTHER_SECRET, len, NULL, 0), 0);
    expect_verdict(jwt, old, "invalid");
    expect_verdict(jwt, new, "valid");

    assert_int_equal(wspool_jwt_set_secrets(jwt, SECRET, 31, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_set_secrets(jwt, NULL, len, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_set_secrets(jwt, SECRET, len, SECRET, 31), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_set_secrets(NULL, SECRET, len, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_set_keys(jwt, "{\"keys\":[]}", 11), WSPOOL_ERR_INVAL);
    expect_verdict(jwt, old, "invalid");
    expect_verdict(jwt, new, "valid");
    wspool_jwt_free(jwt);
}

/* ---------------------------------------------------------------- signing */

static const char *sign(wspool_jwt *jwt, const wspool_jwt_claims *claims)
{
    static char token[WSPOOL_TOKEN_MAX + 1];
    int len = wspool_jwt_sign(jwt, claims, token, sizeof token - 1);
    assert_in_range(len, 1, WSPOOL_TOKEN_MAX);
    token[len] = '\0';
    return token;
}

TEST(signed_token_is_valid_under_its_algorithm_only)
{
    static const enum wspool_jwt_algorithm each[] = {WSPOOL_JWT_HS256, WSPOOL_JWT_HS384,
                                                     WSPOOL_JWT_HS512};
    wspool_jwt_claims claims = {.size = sizeof claims, .expires = NOW + 1};
    wspool_jwt *judges[3];
    for (int i = 0; i < 3; i++) {
        wspool_jwt_config config = jwt_config();
        config.algorithm = each[i];
        config.secret = long_secret;
        config.secret_len = 64;
        judges[i] = jwt_make(&config);
    }
    for (int i = 0; i < 3; i++) {
        const char *token = sign(judges[i], &claims);
        for (int k = 0; k < 3; k++)
            expect_verdict(judges[k], token, i == k ? "valid" : "invalid");
    }
    for (int i = 0; i < 3; i++)
        wspool_jwt_free(judges[i]);
}

TEST(signed_token_is_valid_under_its_secret_only)
{
    char other_secret[65];
    memcpy(other_secret, long_secret, sizeof other_secret);
    other_secret[63] = '!';
    for (int i = 0; i < 3; i++) {
        wspool_jwt_claims claims = {.size = sizeof claims, .expires = NOW + 1};
        wspool_jwt_config config = jwt_config();
        config.algorithm = (enum wspool_jwt_algorithm)(WSPOOL_JWT_HS256 + i);
        config.secret = long_secret;
        config.secret_len = 64;
        wspool_jwt *jwt = jwt_make(&config);
        config.secret = other_secret;
        wspool_jwt *other = jwt_make(&config);
        const char *token = sign(jwt, &claims);
        expect_verdict(jwt, token, "valid");
        expect_verdict(other, token, "invalid");
        wspool_jwt_free(other);
        wspool_jwt_free(jwt);
    }
}

TEST(signed_claims_come_back)
{
    wspool_jwt_config config = jwt_config();
    config.issuer = "me";
    config.audience = "\"you\"";
    wspool_jwt *jwt = jwt_make(&config);
    wspool_jwt_claims claims = {.size = sizeof claims,
                                .subject = wspool_text_of("\"\\\n\xc3\xa4"),
                                .expires = NOW + 60,
                                .not_before = NOW - 1,
                                .issued_at = NOW};
    wspool_jwt_claims found = {.size = sizeof found};
    const char *token = sign(jwt, &claims);
    assert_int_equal(wspool_jwt_verify(jwt, wspool_text_of(token), NOW, &found), 0);
    assert_int_equal(found.subject.len, claims.subject.len);
    assert_memory_equal(found.subject.data, claims.subject.data, found.subject.len);
    assert_int_equal(found.expires, claims.expires);
    assert_int_equal(found.not_before, claims.not_before);
    assert_int_equal(found.issued_at, claims.issued_at);

    claims = (wspool_jwt_claims){.size = sizeof claims,
                                 .payload = wspool_text_of("{\"exp\":1700000001,\"iss\":\"me\","
                                                           "\"aud\":[\"\\\"you\\\"\"]}")};
    token = sign(jwt, &claims);
    assert_int_equal(wspool_jwt_verify(jwt, wspool_text_of(token), NOW, &found), 0);
    assert_int_equal(found.payload.len, claims.payload.len);
    assert_memory_equal(found.payload.data, claims.payload.data, found.payload.len);
    wspool_jwt_free(jwt);
}

TEST(signing_with_what_no_token_can_say_is_refused)
{
    static char big[WSPOOL_TOKEN_MAX], token[2 * WSPOOL_TOKEN_MAX];
    wspool_jwt *jwt = jwt_default();
    wspool_jwt_claims good = {.size = sizeof good, .expires = NOW}, bad;
    int len = wspool_jwt_sign(jwt, &good, token, sizeof token);
    assert_true(len > 0);
    assert_int_equal(wspool_jwt_sign(jwt, &good, token, (size_t)len), len);
    assert_int_equal(wspool_jwt_sign(jwt, &good, token, (size_t)len - 1), WSPOOL_ERR_TOO_BIG);
    memset(big, ' ', sizeof big);
    bad = good;
    bad.payload = (wspool_text){big, sizeof big};
    assert_int_equal(wspool_jwt_sign(jwt, &bad, token, sizeof token), WSPOOL_ERR_TOO_BIG);
    bad.payload.len = WSPOOL_TOKEN_MAX / 4 * 3;
    assert_int_equal(wspool_jwt_sign(jwt, &bad, token, sizeof token), WSPOOL_ERR_TOO_BIG);
    static const wspool_text subjects[] = {{"\xff", 1}, {"a\0b", 3}, {big, 256}};
    for (int i = 0; i < 3; i++) {
        bad = good;
        bad.subject = subjects[i];
        assert_int_equal(wspool_jwt_sign(jwt, &bad, token, sizeof token), WSPOOL_ERR_INVAL);
    }
    bad = good;
    bad.issued_at = (UINT64_C(1) << 53) + 1;
    assert_int_equal(wspool_jwt_sign(jwt, &bad, token, sizeof token), WSPOOL_ERR_INVAL);
    bad = good;
    bad.size = 0;
    assert_int_equal(wspool_jwt_sign(jwt, &bad, token, sizeof token), WSPOOL_ERR_INVAL);
    wspool_jwt_free(jwt);

    wspool_jwt_config config = jwt_config();
    config.algorithm = WSPOOL_JWT_ES256;
    config.secret = NULL;
    jwt = jwt_make(&config);
    assert_int_equal(wspool_jwt_sign(jwt, &good, token, sizeof token), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_set_secrets(jwt, SECRET, 32, NULL, 0), WSPOOL_ERR_INVAL);
    wspool_jwt_free(jwt);
}

/* ----------------------------------------------------------------- wiping */

static struct {
    void *blocks[8];
    size_t sizes[8];
    int count;
    unsigned left; /* bytes that were not zero when a block was freed */
} heap;

static void *watched_malloc(size_t size, void *user)
{
    (void)user;
    void *block = malloc(size);
    assert_in_range(heap.count, 0, 7);
    heap.blocks[heap.count] = block;
    heap.sizes[heap.count++] = size;
    return block;
}

static void *watched_realloc(void *block, size_t size, void *user)
{
    (void)block, (void)size, (void)user;
    return NULL;
}

static void watched_free(void *block, void *user)
{
    (void)user;
    for (int i = 0; i < heap.count; i++)
        for (size_t k = 0; heap.blocks[i] == block && k < heap.sizes[i]; k++)
            heap.left += ((uint8_t *)block)[k] != 0;
    free(block);
}

/* Bytes that occur in none of the blocks. */
static int is_in_memory(const void *bytes, size_t len)
{
    for (int i = 0; i < heap.count; i++)
        for (size_t k = 0; k + len <= heap.sizes[i]; k++)
            if (memcmp((uint8_t *)heap.blocks[i] + k, bytes, len) == 0)
                return 1;
    return 0;
}

TEST(secrets_are_not_stored_and_memory_is_zeroed_before_it_is_freed)
{
    wspool_jwt_config config = jwt_config();
    memset(&heap, 0, sizeof heap);
    config.mem = (wspool_mem){watched_malloc, watched_realloc, watched_free, NULL};
    config.cache_entries = 80;
    wspool_jwt *jwt = jwt_make(&config);
    expect_verdict(jwt, token_with(PAYLOAD), "valid");
    assert_false(is_in_memory(SECRET, 16));
    assert_true(jwt_stats(jwt).memory > 80 * 128);
    wspool_jwt_free(jwt);
    assert_int_equal(heap.left, 0);
}
