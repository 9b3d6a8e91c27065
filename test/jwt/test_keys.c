/* SPDX-License-Identifier: MIT */
/*
 * jwt/test_keys.c - JWK sets, and ES256, RS256 and EdDSA.
 *
 * The examples of the RFCs, and tokens that nettle signs here with Ed25519, so that a test can make
 * any header.
 */
#include "tokens.h"

#include <nettle/eddsa.h>

#include "jwt/base64url.h"
#include "vectors.h"

/* ------------------------------------------------------ examples of RFCs */

/* RFC 7515, appendix A.1, which is also that of RFC 7519, section 3.1. */
static const char hs256_token[] = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_PAYLOAD
                                  ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
#define HS256_KEY \
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
static const char rs256_key[] = "'kty':'RSA','n':'" RFC_RSA_N "','e':'AQAB'";
static const char es256_key[] =
    "'kty':'EC','crv':'P-256','x':'" RFC_P256_X "','y':'" RFC_P256_Y "'";
static const char eddsa_key[] = "'kty':'OKP','crv':'Ed25519','x':'" RFC_ED25519_X "'";

/* Keys that serve none of these. */
static const char p384_key[] =
    "'crv':'P-384','kty':'EC','x':'"
    "qztfiEtAARRTtHeCSDybC6MGTJGSHIx0mSlWUaTGNTog2P4gMtv0FZKxyUcWCgx2','y':'"
    "0zPjorH5XODJXYRklFw2RfHyfp7Rx_kq-haaSDBIFgh2o0yW-oqsg6Q26LXKbniT'";
static const char x25519_key[] =
    "'crv':'X25519','kty':'OKP','x':'9RkSWO6yE3Q9w877aczrhMiD02ZPYtfGcrjt3DtfRxo'";
static const char short_rsa_key[] = "'e':'AQAB','kty':'RSA','n':'zokqarAK93cE-xn7B-"
                                    "ikN59KJ4xc7VLzbP7gL0GDn0VWsaTefu0OQFhyg99fy7HnG5FxPmxUux-"
                                    "LDxT9EOt5OsWwegl0i61OXLxXnwxWJA3hHqgExCvX7dqnICyLzkeWHYZ6dV5Mv"
                                    "6r_To-scm_ie2fik4PxtgYWiWLe4nBvdVM'";

#define RFC_TIME (RFC_EXP - 1) /* the last second of those tokens */

static wspool_jwt *judge(enum wspool_jwt_algorithm algorithm)
{
    wspool_jwt_config config = jwt_config();
    config.algorithm = algorithm;
    config.secret = NULL;
    return jwt_make(&config);
}

/* Gives a set whose JSON is written with ' for ". */
static int set(wspool_jwt *jwt, const char *json)
{
    char *text = strcpy(sim_malloc(strlen(json) + 1), json);
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    int result = wspool_jwt_set_keys(jwt, text, strlen(text));
    free(text);
    return result;
}

/* A set with one key, and with more members of that key. */
static int set_one(wspool_jwt *jwt, const char *key, const char *more)
{
    static char json[2000];
    snprintf(json, sizeof json, "{'keys':[{%s%s}]}", key, more);
    return set(jwt, json);
}

static void expect_example(enum wspool_jwt_algorithm algorithm, const char *key, const char *token,
                           const char *verdict)
{
    wspool_jwt *jwt = judge(algorithm);
    char changed[2000];
    expect_verdict(jwt, token, "no_secret");
    assert_int_equal(set_one(jwt, key, ""), 0);
    assert_int_equal(jwt_stats(jwt).keys, 1);
    assert_string_equal(jwt_says_at(jwt, token, RFC_TIME), verdict);
    /* Each byte of the payload and of the signature counts. */
    for (size_t i = (size_t)(strchr(token, '.') - token) + 1; i < strlen(token); i += 7) {
        strcpy(changed, token);
        changed[i] = token[i] == 'A' ? 'E' : 'A';
        if (token[i] != '.')
            assert_string_equal(jwt_says_at(jwt, changed, RFC_TIME), "invalid");
    }
    wspool_jwt_free(jwt);
}

TEST(example_of_rfc_7515_a_1_is_valid)
{
    uint8_t secret[64];
    wspool_jwt_config config = jwt_config();
    wspool_jwt *jwt;
    assert_int_equal(wsp_base64url_decode(HS256_KEY, strlen(HS256_KEY), secret), 1);
    config.secret = secret;
    config.secret_len = sizeof secret;
    config.issuer = "joe";
    jwt = jwt_make(&config);
    assert_string_equal(jwt_says_at(jwt, hs256_token, RFC_TIME), "valid");
    assert_string_equal(jwt_says_at(jwt, hs256_token, RFC_TIME + 1), "expired");
    wspool_jwt_free(jwt);
}

TEST(example_of_rfc_7515_a_2_is_valid)
{
    expect_example(WSPOOL_JWT_RS256, rs256_key, RFC_RS256_TOKEN, "valid");
}

TEST(example_of_rfc_7515_a_3_is_valid)
{
    expect_example(WSPOOL_JWT_ES256, es256_key, RFC_ES256_TOKEN, "valid");
}

TEST(example_of_rfc_8037_a_4_has_a_good_signature)
{
    expect_example(WSPOOL_JWT_EDDSA, eddsa_key, RFC_EDDSA_TOKEN, "malformed");
}

/* ------------------------------------------------------------- signatures */

/* A token with this payload part and these bytes as its signature. */
static const char *with_signature(const char *token, const uint8_t *bytes, size_t len)
{
    static char text[4000];
    int keep = (int)(strrchr(token, '.') - token);
    snprintf(text, sizeof text, "%.*s.%s", keep, token, token_segment(bytes, len));
    return text;
}

/* r and s of 0, or of the group's order (CVE-2022-21449), hold for no message. */
TEST(signature_es256_out_of_range_is_invalid)
{
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                      0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    wspool_jwt *jwt = judge(WSPOOL_JWT_ES256);
    uint8_t rs[72] = {0};
    assert_int_equal(set_one(jwt, es256_key, ""), 0);
    static const size_t lengths[] = {1, 63, 64, 65, 70, 72};
    for (size_t i = 0; i < 6; i++)
        expect_verdict(jwt, with_signature(RFC_ES256_TOKEN, rs, lengths[i]), "invalid");
    memcpy(rs, order, 32);
    memcpy(rs + 32, order, 32);
    expect_verdict(jwt, with_signature(RFC_ES256_TOKEN, rs, 64), "invalid");
    memset(rs, 0xff, sizeof rs);
    expect_verdict(jwt, with_signature(RFC_ES256_TOKEN, rs, 64), "invalid");
    memset(rs, 0, sizeof rs);
    rs[31] = rs[63] = 1;
    expect_verdict(jwt, with_signature(RFC_ES256_TOKEN, rs, 64), "invalid");
    wspool_jwt_free(jwt);
}

/* Zeros in front do not change the number, but the length must be that of the modulus. */
TEST(signature_of_another_length_is_invalid)
{
    wspool_jwt *jwt = judge(WSPOOL_JWT_RS256), *ed = judge(WSPOOL_JWT_EDDSA);
    const char *text = strrchr(RFC_RS256_TOKEN, '.') + 1;
    uint8_t bytes[400] = {0};
    assert_int_equal(set_one(jwt, rs256_key, ""), 0);
    assert_int_equal(wsp_base64url_decode(text, strlen(text), bytes + 1), 1);
    assert_string_equal(jwt_says_at(jwt, with_signature(RFC_RS256_TOKEN, bytes + 1, 256), RFC_TIME),
                        "valid");
    expect_verdict(jwt, with_signature(RFC_RS256_TOKEN, bytes, 257), "invalid");
    expect_verdict(jwt, with_signature(RFC_RS256_TOKEN, bytes + 1, 255), "invalid");
    memset(bytes, 0, sizeof bytes);
    expect_verdict(jwt, with_signature(RFC_RS256_TOKEN, bytes, 256), "invalid");
    memset(bytes, 0xff, sizeof bytes);
    expect_verdict(jwt, with_signature(RFC_RS256_TOKEN, bytes, 256), "invalid");
    assert_int_equal(set_one(ed, eddsa_key, ""), 0);
    for (size_t len = 62; len <= 66; len++)
        expect_verdict(ed, with_signature(RFC_EDDSA_TOKEN, bytes, len), "invalid");
    wspool_jwt_free(ed);
    wspool_jwt_free(jwt);
}

/* ------------------------------------------------------------------- sets */

/* The seed of the private key number n is 32 times this number. */
static const char *ed_public(uint8_t n)
{
    uint8_t private[32], public[32];
    memset(private, n, sizeof private);
    ed25519_sha512_public_key(public, private);
    return token_segment(public, sizeof public);
}

static const char *ed_token(uint8_t n, const char *header)
{
    static char text[1000];
    uint8_t private[32], public[32], signature[64];
    memset(private, n, sizeof private);
    ed25519_sha512_public_key(public, private);
    strcpy(text, token_of(header, PAYLOAD, SECRET));
    *strrchr(text, '.') = '\0';
    ed25519_sha512_sign(public, private, strlen(text), (const uint8_t *)text, signature);
    strcat(text, ".");
    strcat(text, token_segment(signature, sizeof signature));
    return text;
}

static const char *ed_jwk(uint8_t n, const char *more)
{
    static char texts[4][300];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, 300, "{'kty':'OKP','crv':'Ed25519','x':'%s'%s}", ed_public(n), more);
    return text;
}

static int set_two(wspool_jwt *jwt, const char *first, const char *second)
{
    static char json[2000];
    snprintf(json, sizeof json, "{'keys':[%s,%s]}", first, second);
    return set(jwt, json);
}

TEST(key_is_chosen_by_its_kid)
{
    wspool_jwt *jwt = judge(WSPOOL_JWT_EDDSA);
    assert_int_equal(set_two(jwt, ed_jwk(1, ",'kid':'a'"), ed_jwk(2, ",'kid':'b'")), 0);
    assert_int_equal(jwt_stats(jwt).keys, 2);
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA','kid':'a'}"), "valid");
    expect_verdict(jwt, ed_token(2, "{'alg':'EdDSA','kid':'b'}"), "valid");
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA','kid':'b'}"), "invalid");
    expect_verdict(jwt, ed_token(2, "{'alg':'EdDSA','kid':'a'}"), "invalid");
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA','kid':'c'}"), "invalid");
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA','kid':'aa'}"), "invalid");
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA','kid':''}"), "invalid");
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA'}"), "invalid");
    expect_verdict(jwt, ed_token(1, "{'alg':'HS256','kid':'a'}"), "invalid");
    expect_verdict(jwt, ed_token(1, "{'alg':'ES256','kid':'a'}"), "invalid");
    wspool_jwt_free(jwt);
}

TEST(key_when_it_is_the_only_one_needs_no_kid)
{
    wspool_jwt *jwt = judge(WSPOOL_JWT_EDDSA);
    assert_int_equal(set_two(jwt, ed_jwk(1, ""), "{'kty':'oct','k':'AAAA'}"), 0);
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA'}"), "valid");
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA','kid':'a'}"), "invalid");
    assert_int_equal(set_two(jwt, ed_jwk(1, ""), ed_jwk(2, ",'kid':'b'")), 0);
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA'}"), "invalid");
    expect_verdict(jwt, ed_token(2, "{'alg':'EdDSA','kid':'b'}"), "valid");
    wspool_jwt_free(jwt);
}

TEST(keys_are_replaced_at_run_time)
{
    wspool_jwt *jwt = judge(WSPOOL_JWT_EDDSA);
    uint64_t memory = 0;
    for (uint8_t n = 1; n < 5; n++) {
        assert_int_equal(set_two(jwt, ed_jwk(n, ",'kid':'a'"), ed_jwk(9, ",'kid':'b'")), 0);
        expect_verdict(jwt, ed_token(n, "{'alg':'EdDSA','kid':'a'}"), "valid");
        expect_verdict(jwt, ed_token(n - 1, "{'alg':'EdDSA','kid':'a'}"), "invalid");
        assert_true(n == 1 || jwt_stats(jwt).memory == memory);
        memory = jwt_stats(jwt).memory;
    }
    wspool_jwt_free(jwt);
}

TEST(set_that_cannot_be_used_changes_nothing)
{
    static const char *const sets[] = {"",
                                       "x",
                                       "[]",
                                       "{}",
                                       "{'keys':{}}",
                                       "{'keys':[]}",
                                       "{'keys':[1,null,[],'x',{}]}",
                                       "{'keys':[{'kty':'oct','k':'AAAA'}]}",
                                       "{'keys':[],'keys':[]}"};
    static char big[WSPOOL_JWT_KEY_SET_MAX + 100];
    wspool_jwt *jwt = judge(WSPOOL_JWT_EDDSA);
    const char *token = "{'alg':'EdDSA','kid':'a'}";
    assert_int_equal(set_two(jwt, ed_jwk(1, ",'kid':'a'"), ed_jwk(2, ",'kid':'b'")), 0);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        assert_int_equal(set(jwt, sets[i]), WSPOOL_ERR_INVAL);
    /* Nobody could tell these keys apart. */
    assert_int_equal(set_two(jwt, ed_jwk(3, ",'kid':'a'"), ed_jwk(4, ",'kid':'a'")),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(set_two(jwt, ed_jwk(3, ""), ed_jwk(4, "")), WSPOOL_ERR_INVAL);
    /* A member twice. */
    assert_int_equal(set_two(jwt, ed_jwk(3, ",'kid':'a','kid':'a'"), "{}"), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_set_keys(jwt, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_set_keys(NULL, "{}", 2), WSPOOL_ERR_INVAL);
    for (unsigned more = 0; more < 2; more++) {
        int n = snprintf(big, sizeof big, "{'keys':[%s]}", ed_jwk(1, ",'kid':'a'"));
        memset(big + n, ' ', sizeof big - (size_t)n);
        big[WSPOOL_JWT_KEY_SET_MAX + more] = '\0';
        assert_int_equal(set(jwt, big), more ? WSPOOL_ERR_INVAL : 0);
    }
    expect_verdict(jwt, ed_token(1, token), "valid");
    wspool_jwt_free(jwt);
}

TEST(set_has_at_most_64_usable_keys)
{
    static char json[WSPOOL_JWT_KEY_SET_MAX];
    wspool_jwt *jwt = judge(WSPOOL_JWT_EDDSA);
    for (int keys = 64; keys <= 65; keys++) {
        size_t n = (size_t)sprintf(json, "{'keys':[");
        for (int i = 0; i < keys; i++) {
            char kid[30];
            snprintf(kid, sizeof kid, ",'kid':'%d'", i);
            n += (size_t)sprintf(json + n, "{'kty':'oct'},%s,", ed_jwk(1, kid));
        }
        strcpy(json + n, "{}]}");
        assert_int_equal(set(jwt, json), keys == 64 ? 0 : WSPOOL_ERR_FULL);
        assert_int_equal(jwt_stats(jwt).keys, 64);
    }
    expect_verdict(jwt, ed_token(1, "{'alg':'EdDSA','kid':'63'}"), "valid");
    wspool_jwt_free(jwt);
}

/* RFC 7517, section 4. */
TEST(key_for_another_use_is_passed_over)
{
    static const char *const good[] = {",'use':'sig'", ",'alg':'EdDSA'", ",'key_ops':['verify']",
                                       ",'key_ops':['sign','verify'],'use':'sig','x5c':[]"};
    static const char *const bad[] = {",'use':'enc'",        ",'use':1",      ",'alg':'ES256'",
                                      ",'alg':'none'",       ",'key_ops':[]", ",'key_ops':['sign']",
                                      ",'key_ops':'verify'", ",'kid':1",      ",'kid':null"};
    wspool_jwt *jwt = judge(WSPOOL_JWT_EDDSA);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(set_one(jwt, eddsa_key, good[i]), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(set_one(jwt, eddsa_key, bad[i]), WSPOOL_ERR_INVAL);
    char kid[400];
    for (int len = 255; len <= 256; len++) {
        snprintf(kid, sizeof kid, ",'kid':'%0*d'", len, 1);
        assert_int_equal(set_one(jwt, eddsa_key, kid), len == 255 ? 0 : WSPOOL_ERR_INVAL);
    }
    wspool_jwt_free(jwt);
}

static void expect_unusable(enum wspool_jwt_algorithm algorithm, const char *key)
{
    wspool_jwt *jwt = judge(algorithm);
    assert_int_equal(set_one(jwt, key, ""), WSPOOL_ERR_INVAL);
    wspool_jwt_free(jwt);
}

/* A key serves one algorithm: an RSA key is no secret of HMAC (libjwt CVE-2026-44699), and no key
 * of another curve. */
TEST(key_of_another_kind_is_not_usable)
{
    static const enum wspool_jwt_algorithm each[] = {WSPOOL_JWT_ES256, WSPOOL_JWT_RS256,
                                                     WSPOOL_JWT_EDDSA};
    const char *const keys[] = {
        es256_key, rs256_key,  eddsa_key,
        p384_key,  x25519_key, "'kty':'oct','k':'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T'"};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 6; k++)
            if (i != k)
                expect_unusable(each[i], keys[k]);
}

TEST(key_es256_off_its_curve_is_not_usable)
{
    static const char *const keys[] = {
        /* x and y are exchanged; y is cut; x is absent; x of the key is longer */
        "'kty':'EC','crv':'P-256','y':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',"
        "'x':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0'",
        "'kty':'EC','crv':'P-256','x':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',"
        "'y':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5Q'",
        "'kty':'EC','crv':'P-256','y':'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU'",
        "'kty':'EC','crv':'P-256','x':'AH_NzidwtsRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF',"
        "'y':'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0'",
        "'kty':'EC','crv':'P-256','x':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',"
        "'y':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'"};
    for (size_t i = 0; i < 5; i++)
        expect_unusable(WSPOOL_JWT_ES256, keys[i]);
}

TEST(key_rs256_that_is_weak_is_not_usable)
{
    static const char *const exponents[] = {"", "AQ", "Ag", "AQAA", "AA", "AQAB=", "AQAAAAE"};
    char key[1000];
    expect_unusable(WSPOOL_JWT_RS256, short_rsa_key);
    for (size_t i = 0; i < 7; i++) {
        size_t n = (size_t)(strstr(rs256_key, "'e'") - rs256_key);
        snprintf(key, sizeof key, "%.*s'e':'%s'", (int)n, rs256_key, exponents[i]);
        expect_unusable(WSPOOL_JWT_RS256, key);
    }
    /* Even; of more than 8,192 bits. */
    strcpy(key, rs256_key);
    strstr(key, "XpoQ'")[3] = 'A';
    expect_unusable(WSPOOL_JWT_RS256, key);
    static char big[2000];
    uint8_t number[1025];
    memset(number, 0xff, sizeof number);
    snprintf(big, sizeof big, "'kty':'RSA','e':'AQAB','n':'%s'",
             token_segment(number, sizeof number));
    expect_unusable(WSPOOL_JWT_RS256, big);
}
