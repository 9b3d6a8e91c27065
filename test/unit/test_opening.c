/* SPDX-License-Identifier: MIT */
/*
 * unit/test_opening.c - wire/opening.h, and the answers of wire/http.h: the handshake of a client.
 * All input ends at an inaccessible page.
 */
#include "guard.h"

#include <stdio.h>

#include "wire/opening.h"
#include "wire/text.h"

static struct guard guard;

BEFORE_ALL
{
    guard_open(&guard, 16384);
}

/* ------------------------------------------------------------------- URLs */

static int parse_url(const char *text, struct wsp_url *url)
{
    return wsp_url_parse((wspool_text){guard_at_end(&guard, text, strlen(text)), strlen(text)},
                         url);
}

static void expect_text(wspool_text text, const char *string)
{
    assert_int_equal(text.len, strlen(string));
    assert_memory_equal(text.data, string, text.len);
}

static void expect_url(const char *text, int secure, const char *host, unsigned port,
                       const char *path, const char *query)
{
    struct wsp_url url;
    assert_int_equal(parse_url(text, &url), 0);
    assert_int_equal(url.secure, secure);
    assert_int_equal(url.port, port);
    expect_text(url.host, host);
    expect_text(url.path, path);
    expect_text(url.query, query);
}

TEST(a_url_has_parts)
{
    struct wsp_url url;
    expect_url("ws://a.example/x/y?z=1", 0, "a.example", 80, "/x/y", "z=1");
    expect_url("WSS://a.example", 1, "a.example", 443, "/", "");
    expect_url("ws://127.0.0.1:9001?a", 0, "127.0.0.1", 9001, "/", "a");
    expect_url("wss://[::1]:65535/", 1, "::1", 65535, "/", "");
    expect_url("ws://[::1]", 0, "::1", 80, "/", "");
    assert_int_equal(parse_url("ws://h:81/", &url), 0);
    expect_text(url.authority, "h:81");
}

TEST(what_is_no_url_is_refused)
{
    static const char *const bad[] = {
        "",           "/x",        "http://h/",   "ws:/h",     "ws://",        "ws:///x",
        "ws://u@h/",  "ws://h/#f", "ws://h:/",    "ws://h:0",  "ws://h:65536", "ws://h:8a",
        "ws://[::1",  "ws://[]/",  "ws://[::1]x", "ws://:80/", "ws://h /",     "ws://h:99999999999",
        "ws://h\r\n/"};
    struct wsp_url url;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse_url(bad[i], &url), -1);
    }
}

/* ---------------------------------------------------------------- request */

TEST(the_key_of_the_rfc_gives_its_accept)
{
    char key[WSP_KEY_LEN + 1], accept[WSP_ACCEPT_LEN + 1];
    wsp_opening_key((const uint8_t *)"the sample nonce", key, accept);
    assert_string_equal(key, "dGhlIHNhbXBsZSBub25jZQ==");
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(a_request_is_what_the_rfc_wants)
{
    static const char *const protocols[] = {"one", "two", NULL};
    static const char whole[] = "GET /p?a=1&client=x HTTP/1.1\r\nHost: h:81\r\n"
                                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                "Sec-WebSocket-Protocol: one, two\r\n"
                                "Authorization: Bearer t0k\r\n\r\n";
    struct wsp_url url;
    struct wsp_opening opening = {&url, wsp_text_of("client=x"),
                                  "dGhlIHNhbXBsZSBub25jZQ==", protocols, wsp_text_of("t0k")};
    char out[512];
    assert_int_equal(wsp_url_parse(wsp_text_of("ws://h:81/p?a=1"), &url), 0);
    assert_int_equal(wsp_opening_write(&opening, NULL, 0), sizeof whole - 1);
    assert_int_equal(wsp_opening_write(&opening, out, sizeof out), sizeof whole - 1);
    assert_memory_equal(out, whole, sizeof whole - 1);
    char *few = (char *)(uintptr_t)guard_at_end(&guard, out, 100);
    wsp_opening_write(&opening, few, 100); /* does not write beyond */
    assert_memory_equal(few, whole, 100);
}

/* ----------------------------------------------------------------- answer */

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define GOOD \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, " \
    "upgrade\r\n" \
    "Sec-WebSocket-Accept: " ACCEPT "\r\n"

static int parse(const char *text, size_t seen, struct wsp_http_answer *answer,
                 wspool_header *headers)
{
    return wsp_http_parse_answer(guard_at_end(&guard, text, strlen(text)), strlen(text), seen,
                                 answer, headers, 8);
}

/* Returns 0 or -1 as wsp_opening_judge, -2 for a malformed answer, -3 for an incomplete one. */
static int judge(const char *text)
{
    static const char *const offered[] = {"one", "two", NULL};
    struct wsp_http_answer answer;
    wspool_header headers[8];
    const char *chosen;
    int len = parse(text, 0, &answer, headers);
    return len <= 0 ? len < 0 ? -2 : -3 : wsp_opening_judge(&answer, ACCEPT, offered, &chosen);
}

TEST(an_answer_is_judged_as_the_rfc_says)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {GOOD "\r\n", 0},
        {GOOD "Sec-WebSocket-Protocol: two\r\n\r\n", 0},
        {GOOD "Sec-WebSocket-Protocol: Two\r\n\r\n", -1},
        {GOOD "Sec-WebSocket-Protocol: one, two\r\n\r\n", -1},
        {GOOD "Sec-WebSocket-Protocol: one\r\nSec-WebSocket-Protocol: one\r\n\r\n", -1},
        {GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", -1},
        {GOOD "Sec-WebSocket-Extensions:\r\n\r\n", 0},
        {GOOD "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", -1},
        {GOOD "Upgrade: websocket\r\n\r\n", -1},
        {"HTTP/1.1 101\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         0},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         -1},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", -1},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket, h2c\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         -1},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: close\r\n"
         "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         -1},
        {"HTTP/1.0 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(judge(cases[i].text), cases[i].result);
    }
}

TEST(a_malformed_answer_is_refused)
{
    static const char *const bad[] = {
        "SSH-2.0-x",
        "h",
        "HTTP/2",
        "HTTP/1.1 99 x\r\n",
        "HTTP/1.1 1010\r\n",
        "HTTP/1.1  101\r\n",
        "HTTP/1.x 101\r\n",
        "HTTP/1.1 101 a\x01\r\n",
        "HTTP/1.1 101 a\n",
        "HTTP/1.1 101 a\r\nA : b\r\n",
        "HTTP/1.1 101 a\r\n folded\r\n",
        "HTTP/1.1 101 a\r\n:\r\n",
        ("HTTP/1.1 101 a\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n"
         "8:\r\n9:\r\n\r\n")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(judge(bad[i]), -2);
    }
}

TEST(an_answer_may_come_in_pieces)
{
    static const char text[] = GOOD "Retry-After: 7\r\n\r\n";
    struct wsp_http_answer answer;
    wspool_header headers[8];
    assert_int_equal(wsp_http_parse_answer(NULL, 0, 0, &answer, headers, 8), 0);
    for (size_t n = 0; n + 1 < sizeof text - 1; n++) {
        const char *bytes = guard_at_end(&guard, text, n + 1);
        assert_int_equal(wsp_http_parse_answer(bytes, n + 1, n, &answer, headers, 8), 0);
    }
    assert_int_equal(parse(text, sizeof text - 2, &answer, headers), sizeof text - 1);
    assert_int_equal(answer.status, 101);
    assert_int_equal(answer.head.header_count, 4);
    assert_int_equal(wsp_opening_retry_after(&answer, 300), 7);
    assert_int_equal(wsp_opening_retry_after(&answer, 5), 5);
}

TEST(retry_after_is_a_number_of_seconds)
{
    static const struct {
        const char *text;
        unsigned seconds;
    } cases[] = {{"0", 0},  {"120", 120}, {"99999999999999999999999", 300},
                 {"-1", 0}, {"1.5", 0},   {"Wed, 21 Oct 2015 07:28:00 GMT", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wsp_http_answer answer;
        wspool_header headers[8];
        char text[128];
        snprintf(text, sizeof text, "HTTP/1.1 503 x\r\nRetry-After: %s\r\n\r\n", cases[i].text);
        assert_true(parse(text, 0, &answer, headers) > 0);
        assert_int_equal(wsp_opening_retry_after(&answer, 300), cases[i].seconds);
    }
}
