/* SPDX-License-Identifier: MIT */
/*
 * jwt/test_token.c - the compact serialization and the header of a token: base64url, JSON, `alg`,
 * `crit`. Each token here that is not malformed has a signature that holds.
 */
#include "tokens.h"

#include "jwt/base64url.h"

TEST(token_when_it_is_good_is_valid)
{
    expect_default(token_with(PAYLOAD), "valid");
    expect_default(token_of("{'alg':'HS256'}", PAYLOAD, SECRET), "valid");
    expect_default(token_of("{'alg':'HS256','kid':'a','x':{'y':[1]}}", PAYLOAD, SECRET), "valid");
}

/* -------------------------------------------------------------- base64url */

TEST(base64url_is_what_rfc_4648_says)
{
    static const char *const texts[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    for (size_t i = 0; i < 7; i++) {
        char text[16];
        uint8_t bytes[8];
        size_t len = strlen(texts[i]);
        assert_int_equal(WSP_BASE64URL_ENCODED(i), len);
        assert_int_equal(WSP_BASE64URL_DECODED(len), i);
        wsp_base64url_encode((const uint8_t *)"foobar", i, text);
        assert_memory_equal(text, texts[i], len);
        assert_int_equal(wsp_base64url_decode(texts[i], len, bytes), 1);
        assert_memory_equal(bytes, "foobar", i);
    }
}

TEST(base64url_of_all_bytes_comes_back)
{
    uint8_t bytes[256], again[256];
    char text[342];
    for (unsigned i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    for (size_t len = 0; len <= 256; len++) {
        wsp_base64url_encode(bytes, len, text);
        assert_memory_equal(text, token_segment(bytes, len), WSP_BASE64URL_ENCODED(len));
        assert_int_equal(wsp_base64url_decode(text, WSP_BASE64URL_ENCODED(len), again), 1);
        assert_memory_equal(bytes, again, len);
    }
}

/* For each text of two characters: it is accepted if and only if it is that of its byte. */
TEST(base64url_has_one_text_for_each_byte)
{
    unsigned accepted = 0;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            char text[2] = {(char)a, (char)b}, again[2];
            uint8_t byte;
            if (!wsp_base64url_decode(text, 2, &byte))
                continue;
            accepted++;
            wsp_base64url_encode(&byte, 1, again);
            assert_memory_equal(text, again, 2);
        }
    assert_int_equal(accepted, 256);
}

TEST(base64url_with_padding_spaces_or_other_characters_is_malformed)
{
    static const char *const texts[] = {"Zg==", "Zm8=", "Z",  "Zm9vZ", "Zm9v\n", " Zm9v", "Zm 9",
                                        "Zh",   "Zm9",  "+A", "/w",    "Zm9v=",  "Zg%3D"};
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(wsp_base64url_decode(texts[i], strlen(texts[i]), bytes), 0);
}

/* --------------------------------------------------------------- segments */

TEST(token_when_blank_is_empty)
{
    expect_default("", "empty_token");
    expect_default("  \t ", "empty_token");
    wspool_jwt *jwt = jwt_default();
    assert_int_equal(wspool_jwt_verify(jwt, (wspool_text){NULL, 0}, NOW, NULL),
                     WSPOOL_REFUSED_TOKEN_EMPTY);
    wspool_jwt_free(jwt);
}

TEST(token_when_it_has_not_three_segments_is_malformed)
{
    const char *good = token_with(PAYLOAD);
    char text[1000];
    size_t last = (size_t)(strrchr(good, '.') - good);
    expect_default("x", "malformed");
    expect_default(".", "malformed");
    expect_default("..", "malformed");
    expect_default("...", "malformed");
    snprintf(text, sizeof text, "%.*s", (int)last, good);
    expect_default(text, "malformed");
    snprintf(text, sizeof text, "%.*s.", (int)last, good); /* without a signature */
    expect_default(text, "malformed");
    snprintf(text, sizeof text, "%s.", good);
    expect_default(text, "malformed");
    snprintf(text, sizeof text, "%s.YQ", good);
    expect_default(text, "malformed");
    snprintf(text, sizeof text, ".%s", good);
    expect_default(text, "malformed");
    expect_default(token_raw("", token_segment("{}", 2), SECRET), "malformed");
    expect_default(token_raw(token_segment("{\"alg\":\"HS256\"}", 15), "", SECRET), "malformed");
}

TEST(token_when_it_has_other_bytes_is_malformed)
{
    const char *good = token_with(PAYLOAD);
    char text[1000];
    snprintf(text, sizeof text, "%s\n", good);
    expect_default(text, "malformed");
    snprintf(text, sizeof text, " %s", good);
    expect_default(text, "malformed");
    snprintf(text, sizeof text, "%s=", good);
    expect_default(text, "malformed");
    for (size_t i = 0; i < strlen(good); i++) {
        strcpy(text, good);
        text[i] = '*';
        expect_default(text, "malformed");
    }
}

/* The last character of the signature has two bits that belong to no byte. A lenient decoder takes
 * four texts for one signature. */
TEST(token_when_unused_bits_are_set_is_malformed)
{
    char text[1000];
    strcpy(text, token_with(PAYLOAD));
    text[strlen(text) - 1]++;
    expect_default(text, "malformed");
}

TEST(token_when_any_character_is_changed_is_refused)
{
    const char *good = token_with(PAYLOAD);
    wspool_jwt *jwt = jwt_default();
    char text[1000];
    for (size_t i = 0; i < strlen(good); i++) {
        strcpy(text, good);
        text[i] = text[i] == 'A' ? 'E' : 'A';
        if (strcmp(text, good) != 0)
            assert_string_not_equal(jwt_says(jwt, text), "valid");
    }
    expect_verdict(jwt, good, "valid");
    wspool_jwt_free(jwt);
}

/* A token of exactly `len` characters, whose signature holds. */
static const char *token_of_length(size_t len)
{
    static char payload[WSPOOL_TOKEN_MAX + 100];
    for (size_t pad = len / 4 * 3 - 200; pad < len; pad++) {
        snprintf(payload, sizeof payload, "{'exp':1700000600,'x':'%*s'}", (int)pad, "");
        const char *token = token_with(payload);
        if (strlen(token) >= len)
            return strlen(token) == len ? token : NULL;
    }
    return NULL;
}

TEST(token_when_longer_than_the_limit_is_malformed)
{
    size_t longest = WSPOOL_TOKEN_MAX;
    while (!token_of_length(longest)) /* not every length is one of base64url */
        longest--;
    assert_true(longest > WSPOOL_TOKEN_MAX - 4);
    expect_default(token_of_length(longest), "valid");
    size_t longer = WSPOOL_TOKEN_MAX + 1;
    while (!token_of_length(longer))
        longer++;
    expect_default(token_of_length(longer), "malformed");
}

/* ------------------------------------------------------------------- JSON */

TEST(header_when_no_object_is_malformed)
{
    static const char *const headers[] = {"x",
                                          "[]",
                                          "null",
                                          "'HS256'",
                                          "{",
                                          "{}",
                                          "{'alg':null}",
                                          "{'alg':1}",
                                          "{'alg':['HS256']}",
                                          "{'alg':'HS256'} x",
                                          "{'alg':'HS256'},{}",
                                          "{'alg':'HS256'}]",
                                          "{'alg':'HS256','kid':1}",
                                          "{'alg':'HS256','a':nan}",
                                          "{'alg':'HS256','a':1e400}",
                                          "{'alg':'HS256','a':'\\u0000'}",
                                          "{'alg':'HS256','a':'\xff'}",
                                          "{'alg':'HS256','a':18446744073709551616}"};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        expect_default(token_of(headers[i], PAYLOAD, SECRET), "malformed");
    char nul[] = "{\"alg\":\"HS256\"}\0";
    expect_default(token_raw(token_segment(nul, sizeof nul), token_segment("{}", 2), SECRET),
                   "malformed");
}

/* Two readers could take different ones. */
TEST(token_when_a_name_is_twice_is_malformed)
{
    static const char *const headers[] = {
        "{'alg':'HS256','alg':'HS256'}", "{'alg':'none','alg':'HS256'}",
        "{'alg':'HS256','\\u0061lg':'HS256'}", "{'alg':'HS256','x':{'y':1,'y':1}}"};
    static const char *const payloads[] = {"{'exp':1700000600,'exp':1700000600}",
                                           "{'exp':1700000600,'sub':'a','sub':'b'}",
                                           "{'exp':1700000600,'x':[{'y':1,'y':1}]}"};
    for (size_t i = 0; i < 4; i++)
        expect_default(token_of(headers[i], PAYLOAD, SECRET), "malformed");
    for (size_t i = 0; i < 3; i++)
        expect_default(token_with(payloads[i]), "malformed");
}

TEST(token_when_it_nests_too_deep_is_malformed)
{
    static char payload[3000];
    for (int depth = 15; depth <= 16; depth++) {
        /* brackets and a quote that are text, then brackets */
        int n = sprintf(payload, "{'exp':1700000600,'s':'[[[{{{\\'[','x':");
        memset(payload + n, '[', (size_t)depth);
        memset(payload + n + depth, ']', (size_t)depth);
        strcpy(payload + n + 2 * depth, "}");
        expect_default(token_with(payload), depth == 15 ? "valid" : "malformed");
    }
    memset(payload, '[', 2900);
    payload[2900] = '\0';
    expect_default(token_with(payload), "malformed");
    expect_default(token_of(payload, PAYLOAD, SECRET), "malformed");
}

/* The object is read as a part of an array: nothing in it may end that array. */
TEST(payload_when_it_is_more_than_an_object_is_malformed)
{
    static const char *const payloads[] = {"{'exp':1700000600},{'exp':1700000600}",
                                           "{'exp':1700000600},1",
                                           "{'exp':1700000600}]",
                                           "{'exp':1700000600}],[",
                                           "{'exp':1700000600} {}",
                                           "1,{'exp':1700000600}",
                                           "]",
                                           "",
                                           " "};
    for (size_t i = 0; i < 9; i++)
        expect_default(token_with(payloads[i]), "malformed");
    expect_default(token_with(" \r\n{'exp':1700000600}\t"), "valid");
}

/* -------------------------------------------------------------- algorithm */

/* libwspool fixes the algorithm by configuration: libjwt CVE-2026-44699, CVE-2023-48238 and
 * CVE-2026-34950 took it from the token. */
TEST(algorithm_when_the_token_names_another_is_invalid)
{
    static const char *const names[] = {"none",  "None",  "NONE",   "hs256", "HS384",
                                        "HS512", "RS256", "ES256",  "EdDSA", "HS2566",
                                        "HS25",  "",      " HS256", "HS256 "};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char header[64];
        snprintf(header, sizeof header, "{'alg':'%s'}", names[i]);
        expect_default(token_of(header, PAYLOAD, SECRET), "invalid");
    }
}

TEST(algorithm_none_without_a_signature_is_malformed) /* RFC 7519, section 6.1 */
{
    expect_default("eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9"
                   "leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
                   "malformed");
}

TEST(critical_extensions_are_invalid) /* RFC 7515, section 4.1.11 */
{
    static const char *const values[] = {"['exp']", "['b64']", "[]", "null", "'x'"};
    for (size_t i = 0; i < 5; i++) {
        char header[64];
        snprintf(header, sizeof header, "{'alg':'HS256','b64':true,'crit':%s}", values[i]);
        expect_default(token_of(header, PAYLOAD, SECRET), "invalid");
    }
}

/* A key that the token brings (CVE-2018-0114) is not used. */
TEST(keys_of_a_header_are_ignored)
{
    const char *header = "{'alg':'HS256','jku':'https://a.example/k','x5u':'https://a.example/x',"
                         "'jwk':{'kty':'oct','k':'ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA'}}";
    expect_default(token_of(header, PAYLOAD, OTHER_SECRET), "invalid");
    expect_default(token_of(header, PAYLOAD, SECRET), "valid");
}

TEST(signature_when_of_another_secret_or_cut_is_invalid)
{
    char text[1000];
    expect_default(token_of(HEADER, PAYLOAD, OTHER_SECRET), "invalid");
    expect_default(token_of(HEADER, PAYLOAD, ""), "invalid");
    strcpy(text, token_with(PAYLOAD));
    text[strlen(text) - 43 + 8] = '\0'; /* its first six bytes, of 32 */
    expect_default(text, "invalid");
    strcpy(text, token_with(PAYLOAD));
    text[strlen(text) - 1] = 'A'; /* one bit, or none */
    strcat(text, "A");            /* and one byte more */
    expect_default(text, "invalid");
}

/* Nothing of a payload is judged before the signature holds (Centrifugo CVE-2026-32301). */
TEST(payload_of_a_wrong_signature_is_not_read)
{
    static const char *const payloads[] = {"x", "{'exp':1}", "{'exp':1700000600,'nbf':1700000500}",
                                           "{}", "[[[[[[[[[[[[[[[[[[[[[[[[[["};
    for (size_t i = 0; i < 5; i++)
        expect_default(token_of(HEADER, payloads[i], OTHER_SECRET), "invalid");
}
