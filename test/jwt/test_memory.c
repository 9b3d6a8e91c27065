/* SPDX-License-Identifier: MIT */
/*
 * jwt/test_memory.c - every step again for each of its allocations: that one fails, then that one
 * and all after it. The allocations are those of jansson, and those of config.mem.
 *
 * A failure refuses: no leak, no crash, and never another subject than with memory. jansson does not
 * always tell a lack of memory from wrong syntax, so that is permitted as a reason.
 */
#include "tokens.h"

#include <jansson.h>

static struct {
    size_t calls, fail_at, failed;
    int fail_on;
    long live;
} heap;

static void *failing_malloc(size_t size)
{
    heap.calls++;
    if (heap.fail_at != 0 &&
        (heap.calls == heap.fail_at || (heap.fail_on && heap.calls > heap.fail_at))) {
        heap.failed++;
        return NULL;
    }
    heap.live++;
    return memset(sim_malloc(size), 0xa5, size);
}

static void counted_free(void *block)
{
    heap.live -= block != NULL;
    free(block);
}

static void *failing_malloc_of(size_t size, void *user)
{
    (void)user;
    return failing_malloc(size);
}

static void *no_realloc(void *block, size_t size, void *user)
{
    (void)block, (void)size, (void)user;
    return NULL;
}

static void counted_free_of(void *block, void *user)
{
    (void)user;
    counted_free(block);
}

#define SUBJECT "0123456789-0123456789-0123456789-0123456789-0123456789"
#define KEY_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

static wspool_jwt_config watched(void)
{
    wspool_jwt_config config = jwt_config();
    config.mem = (wspool_mem){failing_malloc_of, no_realloc, counted_free_of, NULL};
    config.cache_entries = 16;
    return config;
}

/* Each step returns 0 or that memory was missing, and asserts everything else. */

static int life(void)
{
    wspool_jwt_config config = watched();
    wspool_jwt *jwt;
    int result = wspool_jwt_new(&jwt, &config);
    assert_true(result == 0 ? jwt != NULL : jwt == NULL);
    wspool_jwt_free(jwt);
    return result == WSPOOL_ERR_NOMEM ? 1 : result;
}

static int verify(void)
{
    static const char *const payload =
        "{'iss':'the-issuer-of-this','sub':'" SUBJECT "','exp':1700000600,'nbf':1700000000}";
    wspool_jwt_config config = jwt_config();
    wspool_jwt_claims claims = {.size = sizeof claims};
    config.issuer = "the-issuer-of-this";
    wspool_jwt *jwt = jwt_make(&config);
    wspool_text token = wspool_text_of(token_with(payload));
    int result = wspool_jwt_verify(jwt, token, NOW, &claims);
    if (result == 0) {
        assert_int_equal(claims.subject.len, strlen(SUBJECT));
        assert_memory_equal(claims.subject.data, SUBJECT, strlen(SUBJECT));
        assert_int_equal(claims.expires, NOW + 600);
    }
    wspool_jwt_free(jwt);
    return result == WSPOOL_REFUSED_NOMEM || result == WSPOOL_REFUSED_TOKEN_MALFORMED ? 1 : result;
}

/* A token that is too late by one digit of its exp, and one for another audience. */
static int refuse(void)
{
    static const char *const payloads[] = {"{'pad':'0123456789abcdef','exp':9007199254740992e0}",
                                           "{'aud':'the-audience-of-another1','exp':1700000600}"};
    wspool_jwt_config config = jwt_config();
    config.audience = "the-audience-of-another";
    wspool_jwt *jwt = jwt_make(&config);
    int missing = 0;
    for (int i = 0; i < 2; i++) {
        int result = wspool_jwt_verify(jwt, wspool_text_of(token_with(payloads[i])), NOW, NULL);
        assert_true(result == WSPOOL_REFUSED_TOKEN_WRONG_AUDIENCE ||
                    result == WSPOOL_REFUSED_TOKEN_MALFORMED || result == WSPOOL_REFUSED_NOMEM);
        missing |= result != WSPOOL_REFUSED_TOKEN_WRONG_AUDIENCE;
    }
    wspool_jwt_free(jwt);
    return missing;
}

static int keys(void)
{
    static const char set[] =
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" KEY_X
        "\",\"kid\":\"a-key-with-a-long-name\"},{\"kty\":\"OKP\",\"x\":\"" KEY_X
        "\",\"crv\":\"Ed25519\",\"kid\":\"another-one\"}]}";
    wspool_jwt_config config = watched();
    wspool_jwt *jwt;
    config.algorithm = WSPOOL_JWT_EDDSA;
    config.secret = NULL;
    if (wspool_jwt_new(&jwt, &config) != 0)
        return 1;
    int result = wspool_jwt_set_keys(jwt, set, strlen(set));
    assert_int_equal(jwt_stats(jwt).keys, result == 0 ? 2 : 0);
    wspool_jwt_free(jwt);
    return result == WSPOOL_ERR_NOMEM || result == WSPOOL_ERR_INVAL ? 1 : result;
}

static int sign(void)
{
    wspool_jwt_config config = jwt_config();
    config.issuer = "me";
    wspool_jwt *jwt = jwt_make(&config);
    wspool_jwt_claims claims = {
        .size = sizeof claims, .subject = wspool_text_of(SUBJECT), .expires = NOW + 1};
    char token[1000];
    int len = wspool_jwt_sign(jwt, &claims, token, sizeof token - 1);
    if (len > 0) {
        heap.fail_at = 0;
        token[len] = '\0';
        wspool_jwt_claims found = {.size = sizeof found};
        assert_int_equal(wspool_jwt_verify(jwt, wspool_text_of(token), NOW, &found), 0);
        assert_int_equal(found.subject.len, strlen(SUBJECT));
    }
    wspool_jwt_free(jwt);
    return len > 0 ? 0 : len == WSPOOL_ERR_NOMEM || len == WSPOOL_ERR_INVAL ? 1 : len;
}

static void run(int (*step)(void), size_t fail_at, int fail_on, int *ended)
{
    heap.calls = heap.failed = 0;
    heap.fail_at = fail_at;
    heap.fail_on = fail_on;
    int missing = step();
    heap.fail_at = 0;
    if (missing != (heap.failed > 0))
        fail_msg("allocation %zu of a step failed, and it returned %d", fail_at, missing);
    assert_int_equal(heap.live, 0);
    *ended = heap.failed == 0;
}

static void expect_nothing_else(int (*step)(void))
{
    int ended = 0;
    json_set_alloc_funcs(failing_malloc, counted_free);
    heap.live = 0;
    run(step, 0, 0, &ended);
    for (int fail_on = 0; fail_on < 2; fail_on++) {
        ended = 0;
        for (size_t at = 1; !ended; at++)
            run(step, at, fail_on, &ended);
    }
    json_set_alloc_funcs(malloc, free);
}

TEST(life_without_memory_fails)
{
    expect_nothing_else(life);
}

TEST(verdict_without_memory_is_out_of_memory)
{
    expect_nothing_else(verify);
}

TEST(refusal_without_memory_stays_a_refusal)
{
    expect_nothing_else(refuse);
}

TEST(keys_without_memory_are_not_set)
{
    expect_nothing_else(keys);
}

TEST(signing_without_memory_fails)
{
    expect_nothing_else(sign);
}
