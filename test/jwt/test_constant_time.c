/* SPDX-License-Identifier: MIT */
/*
 * jwt/test_constant_time.c - no branch and no address depends on a secret.
 *
 * Under valgrind the bytes of the secrets are undefined, and so is everything that is computed of
 * them: memcheck reports each jump and each address that depends on one. Only the result of
 * memeql_sec may be known: the linker puts known() around it. With memcmp in its place, or with a
 * loop that ends at the first difference, memcheck reports an error.
 *
 * Signing is not judged here: a signature is public, and its base64url comes from a table.
 */
#include "tokens.h"

#include <valgrind/memcheck.h>

int __real_nettle_memeql_sec(const void *a, const void *b, size_t n);
int __wrap_nettle_memeql_sec(const void *a, const void *b, size_t n);

static unsigned compared;

int __wrap_nettle_memeql_sec(const void *a, const void *b, size_t n)
{
    int result = __real_nettle_memeql_sec(a, b, n);
    (void)VALGRIND_MAKE_MEM_DEFINED(&result, sizeof result);
    compared++;
    return result;
}

static void expect_constant_time(const char *token, const char *verdict, unsigned comparisons)
{
    char secret[] = SECRET, old[] = OTHER_SECRET;
    wspool_jwt_config config = jwt_config();
    config.secret = secret;
    config.old_secret = old;
    config.old_secret_len = strlen(old);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof secret - 1);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(old, sizeof old - 1);
    unsigned long errors = VALGRIND_COUNT_ERRORS;
    wspool_jwt *jwt;
    assert_int_equal(wspool_jwt_new(&jwt, &config), 0);
    compared = 0;
    expect_verdict(jwt, token, verdict);
    assert_int_equal(compared, comparisons);
    wspool_jwt_free(jwt);
    assert_int_equal(VALGRIND_COUNT_ERRORS, errors);
}

TEST(verdict_when_valid_does_not_depend_on_the_secret)
{
    expect_constant_time(token_of(HEADER, PAYLOAD, SECRET), "valid", 1);
    expect_constant_time(token_of(HEADER, PAYLOAD, OTHER_SECRET), "valid", 2);
}

/* Signatures that differ from the right one in their first byte, in the last one, and in all. */
TEST(verdict_when_invalid_does_not_depend_on_the_secret)
{
    char token[1000];
    size_t begin;
    strcpy(token, token_of(HEADER, PAYLOAD, SECRET));
    begin = (size_t)(strrchr(token, '.') - token) + 1;
    token[begin] = token[begin] == 'A' ? 'B' : 'A';
    expect_constant_time(token, "invalid", 2);
    strcpy(token, token_of(HEADER, PAYLOAD, SECRET));
    token[begin + 41] = token[begin + 41] == 'A' ? 'B' : 'A';
    expect_constant_time(token, "invalid", 2);
    expect_constant_time(token_of(HEADER, PAYLOAD, "another"), "invalid", 2);
}
