/* SPDX-License-Identifier: MIT */
/* jwt/test_claims.c - exp, nbf, iat, iss, aud and sub, and the configuration that judges them. */
#include "tokens.h"

/* Judges a payload with the issuer `iss`, the audience `aud`, and a leeway. */
static const char *judged(const char *payload, const char *iss, const char *aud, uint32_t leeway)
{
    wspool_jwt_config config = jwt_config();
    config.issuer = iss;
    config.audience = aud;
    config.leeway = leeway;
    wspool_jwt *jwt = jwt_make(&config);
    const char *verdict = jwt_says(jwt, token_with(payload));
    wspool_jwt_free(jwt);
    return verdict;
}

static void expect_time(const char *name, const char *value, uint32_t leeway, const char *verdict)
{
    char payload[200];
    snprintf(payload, sizeof payload, "{'%s':%s%s}", name, value,
             strcmp(name, "exp") == 0 ? "" : ",'exp':1700000600");
    if (strcmp(judged(payload, NULL, NULL, leeway), verdict) != 0)
        fail_msg("%s with a leeway of %u: %s", payload, leeway,
                 judged(payload, NULL, NULL, leeway));
}

TEST(exp_ends_a_token_at_its_second)
{
    expect_time("exp", "1700000001", 0, "valid");
    expect_time("exp", "1700000000", 0, "expired");
    expect_time("exp", "1699999999", 0, "expired");
    expect_time("exp", "0", 0, "expired");
    expect_time("exp", "1699999941", 60, "valid");
    expect_time("exp", "1699999940", 60, "expired");
}

TEST(nbf_and_iat_begin_a_token_at_their_second)
{
    static const char *const names[] = {"nbf", "iat"};
    for (int i = 0; i < 2; i++) {
        expect_time(names[i], "1700000000", 0, "valid");
        expect_time(names[i], "1700000001", 0, "not_yet_valid");
        expect_time(names[i], "1700000060", 60, "valid");
        expect_time(names[i], "1700000061", 60, "not_yet_valid");
        expect_time(names[i], "0", 0, "valid");
    }
}

/* A fraction never makes a token valid for longer. */
TEST(times_may_have_a_fraction)
{
    expect_time("exp", "1700000000.9", 0, "expired");
    expect_time("exp", "1700000001.0", 0, "valid");
    expect_time("exp", "1.700000001e9", 0, "valid");
    expect_time("nbf", "1699999999.1", 0, "valid");
    expect_time("nbf", "1700000000.1", 0, "not_yet_valid");
    expect_time("nbf", "1700000000.0", 0, "valid");
}

TEST(times_out_of_range_are_malformed)
{
    static const char *const names[] = {"exp", "nbf", "iat"};
    static const char *const values[] = {"-1",
                                         "-0.5",
                                         "9007199254740993",
                                         "9007199254740994.0",
                                         "1e300",
                                         "'1700000600'",
                                         "null",
                                         "true",
                                         "[1700000600]",
                                         "{}",
                                         "9223372036854775807"};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
            expect_time(names[i], values[k], 0, "malformed");
    expect_time("exp", "9007199254740992", 60, "valid");
}

TEST(exp_is_needed_unless_the_configuration_says_otherwise)
{
    wspool_jwt_config config = jwt_config();
    expect_default(token_with("{'sub':'a'}"), "invalid");
    config.needs_exp = 0;
    wspool_jwt *jwt = jwt_make(&config);
    expect_verdict(jwt, token_with("{'sub':'a'}"), "valid");
    expect_verdict(jwt, token_with("{'sub':'a','exp':1}"), "expired");
    wspool_jwt_free(jwt);
}

TEST(iss_must_be_the_configured_one)
{
    assert_string_equal(judged("{'exp':1700000600,'iss':'a'}", "a", NULL, 0), "valid");
    assert_string_equal(judged("{'exp':1700000600,'iss':'b'}", NULL, NULL, 0), "valid");
    static const char *const values[] = {"'b'", "'A'", "'a/'", "['a']", "null", "''", "1"};
    for (size_t i = 0; i < 7; i++) {
        char payload[100];
        snprintf(payload, sizeof payload, "{'exp':1700000600,'iss':%s}", values[i]);
        assert_string_equal(judged(payload, "a", NULL, 0), "wrong_issuer");
    }
    assert_string_equal(judged("{'exp':1700000600}", "a", NULL, 0), "wrong_issuer");
}

TEST(aud_must_have_the_configured_one)
{
    static const char *const good[] = {"'a'", "['a']", "['b','a']", "[1,'a']"};
    static const char *const bad[] = {"'b'",  "[]",        "['b','ab']", "'a '",
                                      "null", "{'a':'a'}", "[['a']]"};
    char payload[100];
    for (size_t i = 0; i < 4; i++) {
        snprintf(payload, sizeof payload, "{'exp':1700000600,'aud':%s}", good[i]);
        assert_string_equal(judged(payload, NULL, "a", 0), "valid");
        /* RFC 7519, 4.1.3: whoever is not named must refuse */
        assert_string_equal(judged(payload, NULL, NULL, 0), "wrong_audience");
    }
    for (size_t i = 0; i < 7; i++) {
        snprintf(payload, sizeof payload, "{'exp':1700000600,'aud':%s}", bad[i]);
        assert_string_equal(judged(payload, NULL, "a", 0), "wrong_audience");
    }
    assert_string_equal(judged("{'exp':1700000600}", NULL, "a", 0), "wrong_audience");
}

TEST(sub_is_bounded_text)
{
    char payload[400];
    for (int len = 255; len <= 256; len++) {
        snprintf(payload, sizeof payload, "{'exp':1700000600,'sub':'%0*d'}", len, 7);
        expect_default(token_with(payload), len == 255 ? "valid" : "malformed");
    }
    expect_default(token_with("{'exp':1700000600,'sub':7}"), "malformed");
    expect_default(token_with("{'exp':1700000600,'sub':'a\\u0000b'}"), "malformed");
    expect_default(token_with("{'exp':1700000600,'sub':''}"), "valid");
}

TEST(claims_of_a_valid_token_are_returned)
{
    wspool_jwt *jwt = jwt_default();
    wspool_jwt_claims claims = {.size = sizeof claims};
    const char *payload = "{'sub':'\\u00e4','exp':1700000600,'nbf':1,'iat':2,'role':'x'}";
    const char *token = token_with(payload);
    assert_int_equal(wspool_jwt_verify(jwt, wspool_text_of(token), NOW, &claims), 0);
    assert_int_equal(claims.subject.len, 2);
    assert_memory_equal(claims.subject.data, "\xc3\xa4", 2);
    assert_int_equal(claims.expires, 1700000600);
    assert_int_equal(claims.not_before, 1);
    assert_int_equal(claims.issued_at, 2);
    assert_int_equal(claims.payload.len, strlen(payload));
    assert_memory_equal(claims.payload.data, "{\"sub\":", 7);

    wspool_jwt_claims before = claims;
    assert_int_equal(wspool_jwt_verify(jwt, wspool_text_of(token), NOW + 600, &claims),
                     WSPOOL_REFUSED_TOKEN_EXPIRED);
    assert_memory_equal(&claims, &before, sizeof claims);
    assert_int_equal(wspool_jwt_verify(NULL, wspool_text_of(token), NOW, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_verify(jwt, (wspool_text){NULL, 1}, NOW, NULL), WSPOOL_ERR_INVAL);
    claims.size = 0;
    assert_int_equal(wspool_jwt_verify(jwt, wspool_text_of(token), NOW, &claims), WSPOOL_ERR_INVAL);
    wspool_jwt_free(jwt);
}
