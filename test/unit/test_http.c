/* SPDX-License-Identifier: MIT */
/*
 * unit/test_http.c - wire/http.h: the head of a request, valid and invalid, whole and in pieces.
 *
 * Each case says behind which byte the result is known. Every prefix and every size of piece must
 * give the same result, next to an inaccessible page. All 256 bytes are tried in each part of a
 * head. Other tests show that no line is read twice, and that random heads give the same result for
 * all cuts.
 */
#include "guard.h"

#include <stdio.h>

#include "wire/http.h"

#define REFUSED(word) (-(int)WSPOOL_REFUSED_##word - 1)

/* The bytes up to the one that decides the result, and the bytes behind it. A head that is
 * accepted ends with the first part, and `answer` is OK. */
struct scan_case {
    const char *name;
    int answer;
    const char *until;
    size_t until_len;
    const char *rest;
    size_t rest_len;
};

#define OK 1
#define UNFINISHED 0
#define CASE(name, answer, until, rest) \
    { \
        name, answer, until, sizeof(until) - 1, rest, sizeof(rest) - 1 \
    }
#define GET "GET / HTTP/1.1\r\n"

static const struct scan_case cases[] = {
    CASE("smallest", OK, GET "\r\n", ""),
    CASE("one header", OK, GET "Host: a\r\n\r\n", ""),
    CASE("example of the RFC", OK,
         "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
         "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
         "Origin: http://example.com\r\nSec-WebSocket-Protocol: chat, superchat\r\n"
         "Sec-WebSocket-Version: 13\r\n\r\n",
         ""),
    CASE("bytes of frames behind it", OK, GET "Host: a\r\n\r\n", "\x81\x80\x00\x00\x00\x00\n\n"),
    CASE("another request behind it", OK, GET "Host: a\r\n\r\n", "POST / HTTP/1.1\r\n\r\n"),
    CASE("minor version 9", OK, "GET / HTTP/1.9\r\n\r\n", ""),
    CASE("no value", OK, GET "A:\r\nB: \r\nC:\t \r\n\r\n", ""),
    CASE("no space before the value", OK, GET "A:b\r\n\r\n", ""),
    CASE("tabs in a value", OK, GET "A:\tb\tc\t\r\n\r\n", ""),
    CASE("colons in a value", OK, GET "A: b:c::\r\n\r\n", ""),
    CASE("bytes above 127 in a value", OK, GET "A: \x80\xff\xc3\xa4\r\n\r\n", ""),
    CASE("every byte of a token in a name", OK,
         GET "!#$%&'*+-.^_`|~0123456789abcxyzABCXYZ: b\r\n\r\n", ""),
    CASE("every byte of a target", OK, "GET /!\"$%&'()*+,-./0:;<=>?@A[\\]^_`a{|}~ HTTP/1.1\r\n\r\n",
         ""),
    CASE("target with two slashes", OK, "GET //a HTTP/1.1\r\n\r\n", ""),

    /* RFC 9112, section 2.2 */
    CASE("an empty line first", OK, "\r\n" GET "\r\n", ""),
    CASE("four empty lines first", OK, "\r\n\r\n\r\n\r\n" GET "A: b\r\n\r\n", ""),
    /* RFC 9112, section 3.2.2 */
    CASE("absolute form", OK, "GET http://a.example/ HTTP/1.1\r\n\r\n", ""),
    CASE("absolute form without a path", OK, "GET ws://a.example HTTP/1.1\r\n\r\n", ""),

    CASE("an empty line", UNFINISHED, "\r\n", ""),
    CASE("four empty lines and a half line", UNFINISHED, "\r\n\r\n\r\n\r\nGET / HT", ""),
    CASE("nothing at all", UNFINISHED, "", ""),
    CASE("half a request line", UNFINISHED, "GET / HT", ""),
    CASE("CR of the request line", UNFINISHED, "GET / HTTP/1.1\r", ""),
    CASE("request line", UNFINISHED, GET, ""),
    CASE("half a header", UNFINISHED, GET "Host: a", ""),
    CASE("header", UNFINISHED, GET "Host: a\r\n", ""),
    CASE("half a blank line", UNFINISHED, GET "Host: a\r\n\r", ""),

    /* not HTTP */
    CASE("TLS hello", REFUSED(MALFORMED), "\x16", "\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    CASE("SSL 2 hello", REFUSED(MALFORMED), "\x80", "\x2e\x01\x00\x02"),
    CASE("SSH banner", REFUSED(MALFORMED), "SSH-2.0-OpenSSH_9.2\r\n", ""),
    CASE("HTTP/2 preface", REFUSED(METHOD), "PRI * HTTP/2.0\r\n", "\r\nSM\r\n\r\n"),
    CASE("proxy protocol", REFUSED(MALFORMED), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
         GET "\r\n"),
    CASE("proxy protocol 2", REFUSED(MALFORMED), "\r\n\r\n\0", "\r\nQUIT\n"),
    CASE("redis command", REFUSED(MALFORMED), "*1\r\n", "$4\r\nPING\r\n"),
    CASE("frame", REFUSED(MALFORMED), "\x81", "\x80\x01\x02\x03\x04"),
    CASE("HTTP/0.9", REFUSED(MALFORMED), "GET /\r\n", "\r\n"),

    /* lines */
    CASE("five empty lines first", REFUSED(MALFORMED), "\r\n\r\n\r\n\r\n\r", "\n" GET "\r\n"),
    CASE("bare CR before the request line", REFUSED(MALFORMED), "\rG", "ET / HTTP/1.1\r\n\r\n"),
    CASE("CR CR LF before the request line", REFUSED(MALFORMED), "\r\r", "\n" GET "\r\n"),
    CASE("bare LF behind an empty line", REFUSED(MALFORMED), "\r\n\n", GET "\r\n"),
    CASE("a header behind an empty line", REFUSED(MALFORMED), "\r\nA: b\r\n", GET "\r\n"),
    CASE("bare LF before the request line", REFUSED(MALFORMED), "\n", GET "\r\n"),
    CASE("space before the request line", REFUSED(MALFORMED), " ", GET "\r\n"),
    CASE("bare LF after the request line", REFUSED(MALFORMED), "GET / HTTP/1.1\n", "A: b\r\n\r\n"),
    CASE("bare LF after a header", REFUSED(MALFORMED), GET "A: b\n", "\r\n"),
    CASE("bare LF as blank line", REFUSED(MALFORMED), GET "A: b\r\n\n", ""),
    CASE("LF LF", REFUSED(MALFORMED), "GET / HTTP/1.1\n", "\n"),
    CASE("bare CR in the request line", REFUSED(MALFORMED), "GET /\r ", "HTTP/1.1\r\n\r\n"),
    CASE("bare CR in a name", REFUSED(MALFORMED), GET "A\rB", ": c\r\n\r\n"),
    CASE("bare CR in a value", REFUSED(MALFORMED), GET "A: b\rC", ": d\r\n\r\n"),
    CASE("CR CR LF", REFUSED(MALFORMED), GET "A: b\r\r", "\n\r\n"),
    CASE("CR CR as blank line", REFUSED(MALFORMED), GET "A: b\r\n\r\r", "\n"),
    CASE("bare CR before a header", REFUSED(MALFORMED), GET "\rA", ": b\r\n\r\n"),
    CASE("folded line, space", REFUSED(MALFORMED), GET "A: b\r\n ", "c\r\n\r\n"),
    CASE("folded line, tab", REFUSED(MALFORMED), GET "A: b\r\n\t", "c\r\n\r\n"),
    CASE("folded request line", REFUSED(MALFORMED), GET " ", "A: b\r\n\r\n"),
    CASE("blank line of a space", REFUSED(MALFORMED), GET "A: b\r\n ", "\r\n\r\n"),

    /* control bytes */
    CASE("NUL at the start", REFUSED(MALFORMED), "\0", GET "\r\n"),
    CASE("NUL in the method", REFUSED(MALFORMED), "GE\0", "T / HTTP/1.1\r\n\r\n"),
    CASE("NUL in the target", REFUSED(MALFORMED), "GET /\0", " HTTP/1.1\r\n\r\n"),
    CASE("NUL in a name", REFUSED(MALFORMED), GET "A\0", ": b\r\n\r\n"),
    CASE("NUL in a value", REFUSED(MALFORMED), GET "A: b\0", "c\r\n\r\n"),
    CASE("control byte 1 in a value", REFUSED(MALFORMED), GET "A: \x01", "\r\n\r\n"),
    CASE("vertical tab in a value", REFUSED(MALFORMED), GET "A: \x0b", "\r\n\r\n"),
    CASE("escape in a value", REFUSED(MALFORMED), GET "A: \x1b", "[0m\r\n\r\n"),
    CASE("control byte 31 in a value", REFUSED(MALFORMED), GET "A: \x1f", "\r\n\r\n"),
    CASE("DEL in a value", REFUSED(MALFORMED), GET "A: \x7f", "\r\n\r\n"),
    CASE("DEL in the target", REFUSED(MALFORMED), "GET /\x7f", " HTTP/1.1\r\n\r\n"),

    /* request line */
    CASE("POST", REFUSED(METHOD), "POST / HTTP/1.1\r\n", "\r\n"),
    CASE("HEAD", REFUSED(METHOD), "HEAD / HTTP/1.1\r\n", "\r\n"),
    CASE("lower case get", REFUSED(METHOD), "get / HTTP/1.1\r\n", "\r\n"),
    CASE("GETS", REFUSED(METHOD), "GETS / HTTP/1.1\r\n", "\r\n"),
    CASE("GE", REFUSED(METHOD), "GE / HTTP/1.1\r\n", "\r\n"),
    CASE("CONNECT and its form of target", REFUSED(METHOD), "CONNECT a:80 HTTP/1.1\r\n", "\r\n"),
    CASE("OPTIONS and its form of target", REFUSED(METHOD), "OPTIONS * HTTP/1.1\r\n", "\r\n"),
    CASE("POST before all that follows", REFUSED(METHOD), "POST / HTTP/1.0\r\n", "A : b\r\n\r\n"),
    CASE("no method", REFUSED(MALFORMED), " ", "/ HTTP/1.1\r\n\r\n"),
    CASE("method that is no token", REFUSED(MALFORMED), "G(T / HTTP/1.1\r\n", "\r\n"),
    CASE("method with a byte above 127", REFUSED(MALFORMED), "G\xc3T / HTTP/1.1\r\n", "\r\n"),
    CASE("POST and a byte above 127", REFUSED(MALFORMED), "POST /\xc3\xa4 HTTP/1.1\r\n", "\r\n"),
    CASE("no target", REFUSED(MALFORMED), "GET HTTP/1.1\r\n", "\r\n"),
    CASE("empty target", REFUSED(MALFORMED), "GET  HTTP/1.1\r\n", "\r\n"),
    CASE("two spaces before the target", REFUSED(MALFORMED), "GET  / HTTP/1.1\r\n", "\r\n"),
    CASE("two spaces behind the target", REFUSED(MALFORMED), "GET /  HTTP/1.1\r\n", "\r\n"),
    CASE("space in the target", REFUSED(MALFORMED), "GET /a b HTTP/1.1\r\n", "\r\n"),
    CASE("space at the end of the line", REFUSED(MALFORMED), "GET / HTTP/1.1 \r\n", "\r\n"),
    CASE("tab before the target", REFUSED(MALFORMED), "GET\t/ HTTP/1.1\r\n", "\r\n"),
    CASE("tab behind the target", REFUSED(MALFORMED), "GET /\tHTTP/1.1\r\n", "\r\n"),
    CASE("tab in the target", REFUSED(MALFORMED), "GET /a\tb HTTP/1.1\r\n", "\r\n"),
    CASE("absolute form of another scheme", REFUSED(MALFORMED), "GET ftp://a/ HTTP/1.1\r\n",
         "\r\n"),
    CASE("absolute form without a host", REFUSED(MALFORMED), "GET http:///a HTTP/1.1\r\n", "\r\n"),
    CASE("absolute form with a fragment", REFUSED(MALFORMED), "GET http://a#b HTTP/1.1\r\n",
         "\r\n"),
    CASE("authority form", REFUSED(MALFORMED), "GET a.example:80 HTTP/1.1\r\n", "\r\n"),
    CASE("asterisk form", REFUSED(MALFORMED), "GET * HTTP/1.1\r\n", "\r\n"),
    CASE("relative target", REFUSED(MALFORMED), "GET a/b HTTP/1.1\r\n", "\r\n"),
    CASE("fragment", REFUSED(MALFORMED), "GET /#a HTTP/1.1\r\n", "\r\n"),
    CASE("byte above 127 in the target", REFUSED(MALFORMED), "GET /\xc3\xa4 HTTP/1.1\r\n", "\r\n"),
    CASE("HTTP/1.0", REFUSED(HTTP_VERSION), "GET / HTTP/1.0\r\n", "\r\n"),
    CASE("HTTP/0.9 written out", REFUSED(HTTP_VERSION), "GET / HTTP/0.9\r\n", "\r\n"),
    CASE("HTTP/0.1", REFUSED(HTTP_VERSION), "GET / HTTP/0.1\r\n", "\r\n"),
    CASE("HTTP/2.0", REFUSED(HTTP_VERSION), "GET / HTTP/2.0\r\n", "\r\n"),
    CASE("HTTP/2.1", REFUSED(HTTP_VERSION), "GET / HTTP/2.1\r\n", "\r\n"),
    CASE("HTTP/3.0", REFUSED(HTTP_VERSION), "GET / HTTP/3.0\r\n", "A : b\r\n\r\n"),
    CASE("HTTP/2", REFUSED(MALFORMED), "GET / HTTP/2\r\n", "\r\n"),
    CASE("HTTP/1.10", REFUSED(MALFORMED), "GET / HTTP/1.10\r\n", "\r\n"),
    CASE("HTTP/11.1", REFUSED(MALFORMED), "GET / HTTP/11.1\r\n", "\r\n"),
    CASE("HTTP/01.1", REFUSED(MALFORMED), "GET / HTTP/01.1\r\n", "\r\n"),
    CASE("HTTP/1,1", REFUSED(MALFORMED), "GET / HTTP/1,1\r\n", "\r\n"),
    CASE("HTTP/1.x", REFUSED(MALFORMED), "GET / HTTP/1.x\r\n", "\r\n"),
    CASE("HTTP/x.1", REFUSED(MALFORMED), "GET / HTTP/x.1\r\n", "\r\n"),
    CASE("HTTP/1.:", REFUSED(MALFORMED), "GET / HTTP/1.:\r\n", "\r\n"),
    CASE("HTTP/1./", REFUSED(MALFORMED), "GET / HTTP/1./\r\n", "\r\n"),
    CASE("HTTP/1.", REFUSED(MALFORMED), "GET / HTTP/1.\r\n", "\r\n"),
    CASE("HTTP/+1.1", REFUSED(MALFORMED), "GET / HTTP/+1.1\r\n", "\r\n"),
    CASE("HTTP/-1.1", REFUSED(MALFORMED), "GET / HTTP/-1.1\r\n", "\r\n"),
    CASE("lower case http", REFUSED(MALFORMED), "GET / http/1.1\r\n", "\r\n"),
    CASE("HTTPS/1.1", REFUSED(MALFORMED), "GET / HTTPS/1.1\r\n", "\r\n"),
    CASE("no version", REFUSED(MALFORMED), "GET / \r\n", "\r\n"),

    /* headers */
    CASE("no colon", REFUSED(MALFORMED), GET "Host a\r\n", "\r\n"),
    CASE("one byte for a header", REFUSED(MALFORMED), GET "H\r\n", "\r\n"),
    CASE("no name", REFUSED(MALFORMED), GET ":", " a\r\n\r\n"),
    CASE("space before the colon", REFUSED(MALFORMED), GET "Host : a\r\n", "\r\n"),
    CASE("tab before the colon", REFUSED(MALFORMED), GET "Host\t: a\r\n", "\r\n"),
    CASE("space in a name", REFUSED(MALFORMED), GET "Ho st: a\r\n", "\r\n"),
    CASE("bracket in a name", REFUSED(MALFORMED), GET "Ho(st: a\r\n", "\r\n"),
    CASE("quote in a name", REFUSED(MALFORMED), GET "Ho\"st: a\r\n", "\r\n"),
    CASE("slash in a name", REFUSED(MALFORMED), GET "Ho/st: a\r\n", "\r\n"),
    CASE("at sign in a name", REFUSED(MALFORMED), GET "Ho@st: a\r\n", "\r\n"),
    CASE("brace in a name", REFUSED(MALFORMED), GET "Ho{st: a\r\n", "\r\n"),
    CASE("byte above 127 in a name", REFUSED(MALFORMED), GET "H\xc3\xb6st: a\r\n", "\r\n"),
    CASE("byte above 127 begins a name", REFUSED(MALFORMED), GET "\xc3", "\xb6st: a\r\n\r\n"),
    CASE("the last header is bad", REFUSED(MALFORMED), GET "A: b\r\nC: d\r\nE\r\n", "\r\n"),
};

#define EACH_CASE(one) \
    (one) = cases; \
    (one) < cases + sizeof(cases) / sizeof(cases[0]); \
    (one)++

static struct guard guard;

static void expect(const struct scan_case *one, int answer, int expected)
{
    if (answer != expected) {
        fail_msg("%s: answered %d instead of %d", one->name, answer, expected);
    }
}

/* Returns the result when the bytes come in pieces of `step`. Each piece ends at the
 * inaccessible page, or begins right behind one. */
static int scan_in_steps(const char *bytes, size_t len, size_t step, int at_start)
{
    size_t seen = 0;

    while (seen < len) {
        size_t now = len - seen < step ? len : seen + step;
        const char *at =
            at_start ? guard_at_start(&guard, bytes, now) : guard_at_end(&guard, bytes, now);
        int answer = wsp_http_scan(at, now, seen);

        if (answer != 0) {
            return answer;
        }
        seen = now;
    }
    return 0;
}

TEST(scan_answers_every_case_whatever_the_pieces)
{
    const struct scan_case *one;

    for (EACH_CASE(one)) {
        size_t len = one->until_len + one->rest_len;
        int expected = one->answer == OK ? (int)one->until_len : one->answer;
        char bytes[512];
        size_t cut, step;

        assert_true(len <= sizeof(bytes));
        memcpy(bytes, one->until, one->until_len);
        memcpy(bytes + one->until_len, one->rest, one->rest_len);

        expect(one, wsp_http_scan(guard_at_end(&guard, bytes, len), len, 0), expected);
        expect(one, wsp_http_scan(guard_at_start(&guard, bytes, len), len, 0), expected);
        for (step = 1; step < 9; step++) {
            expect(one, scan_in_steps(bytes, len, step, 0), expected);
            expect(one, scan_in_steps(bytes, len, step, 1), expected);
        }
        /* Each prefix on its own: no result until the deciding byte is there. Then the rest. */
        for (cut = 0; cut <= len; cut++) {
            int answer = wsp_http_scan(guard_at_end(&guard, bytes, cut), cut, 0);

            expect(one, answer, cut < one->until_len ? 0 : expected);
            if (answer == 0) {
                expect(one, wsp_http_scan(guard_at_end(&guard, bytes, len), len, cut), expected);
                expect(one, wsp_http_scan(guard_at_start(&guard, bytes, len), len, cut), expected);
            }
        }
    }
}

/* Parses in pieces of `step`, as the pool does: each call gets all bytes so far. */
static int parse_in_steps(const char *bytes, size_t len, size_t step, wspool_request *request,
                          wspool_header *headers, size_t max)
{
    size_t seen = 0;

    while (seen < len) {
        size_t now = len - seen < step ? len : seen + step;
        int answer =
            wsp_http_parse(guard_at_end(&guard, bytes, now), now, seen, request, headers, max);

        if (answer != 0) {
            return answer;
        }
        seen = now;
    }
    return 0;
}

TEST(parse_answers_as_scan_does_in_every_case)
{
    const struct scan_case *one;

    for (EACH_CASE(one)) {
        wspool_request request;
        wspool_header headers[16];
        char bytes[512];
        size_t len = one->until_len + one->rest_len, cut, step;
        int expected = one->answer == OK ? (int)one->until_len : one->answer;

        memcpy(bytes, one->until, one->until_len);
        memcpy(bytes + one->until_len, one->rest, one->rest_len);
        expect(one, wsp_http_parse(guard_at_end(&guard, bytes, len), len, 0, &request, headers, 16),
               expected);
        expect(one,
               wsp_http_parse(guard_at_start(&guard, bytes, len), len, 0, &request, headers, 16),
               expected);
        for (step = 1; step < 9; step++) {
            expect(one, parse_in_steps(bytes, len, step, &request, headers, 16), expected);
        }
        /* Each prefix on its own, and then the rest. */
        for (cut = 0; cut <= len; cut++) {
            int answer =
                wsp_http_parse(guard_at_end(&guard, bytes, cut), cut, 0, &request, headers, 16);

            expect(one, answer, cut < one->until_len ? 0 : expected);
            if (answer == 0) {
                expect(one,
                       wsp_http_parse(guard_at_end(&guard, bytes, len), len, cut, &request, headers,
                                      16),
                       expected);
            }
        }
    }
}

static void assert_text(wspool_text text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

TEST(parse_points_at_every_part)
{
    static const char head[] = "GET /a/b?c=d HTTP/1.7\r\n"
                               "Host: a.example:80\r\n"
                               "x-Mixed:\t two  words \t \r\n"
                               "Empty:\r\n"
                               "Blank:  \r\n"
                               "\r\n";
    size_t len = sizeof(head) - 1;
    const char *at = guard_at_end(&guard, head, len);
    wspool_request request;
    wspool_header headers[4];
    size_t i;

    memset(&request, 0, sizeof(request));
    request.user = &guard;
    assert_int_equal(wsp_http_parse(at, len, 0, &request, headers, 4), (int)len);
    assert_text(request.method, "GET");
    assert_text(request.target, "/a/b?c=d");
    assert_int_equal(request.http_major, 1);
    assert_int_equal(request.http_minor, 7);
    assert_ptr_equal(request.headers, headers);
    assert_int_equal(request.header_count, 4);
    assert_ptr_equal(request.user, &guard); /* the other members are not changed */
    assert_text(headers[0].name, "Host");
    assert_text(headers[0].value, "a.example:80");
    assert_text(headers[1].name, "x-Mixed");
    assert_text(headers[1].value, "two  words");
    assert_text(headers[2].name, "Empty");
    assert_text(headers[2].value, "");
    assert_text(headers[3].name, "Blank");
    assert_text(headers[3].value, "");
    for (i = 0; i < 4; i++) {
        assert_true(headers[i].name.data >= at && headers[i].name.data < at + len);
        assert_true(headers[i].value.data >= at && headers[i].value.data < at + len);
    }
}

TEST(parse_changes_no_request_when_it_refuses)
{
    static const char head[] = GET "A: b\r\nC\r\n\r\n";
    wspool_request request, before;
    wspool_header headers[4];

    memset(&request, 0x5a, sizeof(request));
    before = request;
    assert_int_equal(wsp_http_parse(head, sizeof(head) - 1, 0, &request, headers, 4),
                     REFUSED(MALFORMED));
    assert_int_equal(wsp_http_parse(head, sizeof(head) - 6, 0, &request, headers, 4), 0);
    assert_memory_equal(&request, &before, sizeof(request));
}

TEST(parse_refuses_one_header_more_than_there_is_room_for)
{
    static const char head[] = GET "A: 1\r\nB: 2\r\nC: 3\r\n\r\n";
    size_t len = sizeof(head) - 1;
    const char *at = guard_at_end(&guard, head, len);
    size_t max;

    for (max = 0; max < 6; max++) {
        wspool_request request;
        struct guard room;
        wspool_header *headers;

        guard_open(&room, sizeof(*headers) * 6);
        headers = (wspool_header *)(void *)guard_room_at_end(&room, sizeof(*headers) * max);
        assert_int_equal(wsp_http_parse(at, len, 0, &request, headers, max),
                         max < 3 ? REFUSED(HEAD_TOO_LARGE) : (int)len);
        if (max >= 3) {
            assert_int_equal(request.header_count, 3);
        }
        guard_close(&room);
    }
}

/* A fault behind the last header that fits into the array is still reported, and an unfinished
 * head still needs more bytes. */
TEST(parse_judges_headers_for_which_there_is_no_room)
{
    static const char bad[] = GET "A: 1\r\nB: 2\r\nC : 3\r\n\r\n";
    static const char good[] = GET "A: 1\r\nB: 2\r\nC: 3\r\n\r\n";
    wspool_request request;
    wspool_header headers[1];

    assert_int_equal(wsp_http_parse(bad, sizeof(bad) - 1, 0, &request, headers, 1),
                     REFUSED(MALFORMED));
    assert_int_equal(wsp_http_parse(good, sizeof(good) - 2, 0, &request, headers, 1), 0);
    assert_int_equal(wsp_http_parse(good, sizeof(good) - 1, 0, &request, headers, 1),
                     REFUSED(HEAD_TOO_LARGE));
}

/* Tries all 256 bytes at each place, and compares with the RFC. */
TEST(every_byte_is_judged_by_its_place)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int c;

    for (c = 0; c < 256; c++) {
        char name[] = GET "A?B: c\r\n\r\n", first[] = GET "?B: c\r\n\r\n";
        char value[] = GET "A: b?c\r\n\r\n", target[] = "GET /?x HTTP/1.1\r\n\r\n";
        int in_token = c != 0 && strchr(token, c) != NULL;
        int in_value = c == '\t' || (c >= ' ' && c != 127);
        int in_target = c > ' ' && c < 127 && c != '#';
        char one = (char)c;

        name[sizeof(GET)] = one;
        first[sizeof(GET) - 1] = one;
        value[sizeof(GET) + 3] = one;
        target[5] = one;
        assert_int_equal(wsp_http_scan(name, sizeof(name) - 1, 0) > 0, in_token || c == ':');
        assert_int_equal(wsp_http_scan(first, sizeof(first) - 1, 0) > 0, in_token);
        assert_int_equal(wsp_http_scan(value, sizeof(value) - 1, 0) > 0, in_value);
        assert_int_equal(wsp_http_scan(target, sizeof(target) - 1, 0) > 0, in_target);
    }
}

/* Tries each byte at every place of a text that is scanned several bytes at a time. */
TEST(every_byte_is_judged_alike_anywhere_in_a_long_text)
{
    char value[] = GET "A: abcdefghijklmnopqrstuvwxy\r\n\r\n";
    char target[] = "GET /abcdefghijklmnopqrstuvwxy HTTP/1.1\r\n\r\n";
    wspool_request request;
    wspool_header headers[1];
    size_t at;
    int c;

    for (c = 0; c < 256; c++) {
        for (at = 0; at < 25; at++) {
            char *in_value = value + sizeof(GET) + 2 + at, *in_target = target + 5 + at;
            char kept[2] = {*in_value, *in_target};

            *in_value = (char)c;
            *in_target = (char)c;
            assert_int_equal(wsp_http_parse(value, sizeof(value) - 1, 0, &request, headers, 1) > 0,
                             c == '\t' || (c >= ' ' && c != 127));
            assert_int_equal(wsp_http_scan(value, sizeof(value) - 1, 0) > 0,
                             c == '\t' || (c >= ' ' && c != 127));
            assert_int_equal(wsp_http_parse(target, sizeof(target) - 1, 0, &request, headers, 1) >
                                 0,
                             c > ' ' && c < 127 && c != '#');
            *in_value = kept[0];
            *in_target = kept[1];
        }
    }
}

/* A line of 256 KiB comes byte by byte. The pages with bytes that were scanned before are
 * inaccessible until the line ends: a scan that reads them again crashes. */
TEST(scan_never_reads_the_line_again_before_it_is_whole)
{
    const size_t len = 262144;
    struct guard large;
    char *at;
    size_t seen, closed = 0;

    guard_open(&large, len);
    at = guard_room_at_start(&large, len);
    memset(at, 'a', len);
    memcpy(at, GET "A: ", sizeof(GET) + 2);
    memcpy(at + len - 4, "\r\n\r\n", 4);
    for (seen = 0; seen < len; seen++) {
        if (seen == len - 3) {
            mprotect(at, closed, PROT_READ);
        } else if (seen < len - 3 && seen >= closed + large.page + 4) {
            closed += large.page;
            assert_int_equal(mprotect(at, closed, PROT_NONE), 0);
        }
        assert_int_equal(wsp_http_scan(at, seen + 1, seen), seen + 1 < len ? 0 : (int)len);
    }
    guard_close(&large);
}

/* The lines before the current one are never read again. */
TEST(scan_never_reads_a_line_again_that_is_done)
{
    const size_t len = 65536;
    struct guard large;
    char *at;
    size_t seen, closed = 0;

    guard_open(&large, len);
    at = guard_room_at_start(&large, len);
    memcpy(at, GET, sizeof(GET) - 1);
    for (seen = sizeof(GET) - 1; seen + 8 < len; seen += 8) {
        memcpy(at + seen, "Abc: d\r\n", 8);
    }
    memset(at + seen, 'x', len - seen);
    for (seen = 0; seen < len; seen++) {
        if (seen >= closed + large.page + 16) {
            closed += large.page;
            assert_int_equal(mprotect(at, closed, PROT_NONE), 0);
        }
        assert_int_equal(wsp_http_scan(at, seen + 1, seen), 0);
    }
    guard_close(&large);
}

/* Heads made of random pieces: the result of scan must not depend on the cuts, and parse must
 * return the same. */
TEST(random_heads_are_answered_alike_in_all_cuts)
{
    static const char *const pieces[] = {
        "GET", " ",   "/",  "/a?b", "HTTP/1.1", "\r\n", "\r\n",     "\r",       "\n",  "A",
        ":",   ": b", "\t", "\x01", "\x80",     GET,    "A: b\r\n", "\r\n\r\n", "POST"};
    uint64_t random = 6455;
    int round, finished = 0;

    for (round = 0; round < 20000; round++) {
        char bytes[256];
        size_t len = 0, count = 1 + (size_t)test_below(&random, 12), i;
        wspool_request request;
        wspool_header headers[16];
        int answer, parsed;

        if (test_below(&random, 2)) {
            memcpy(bytes, GET, sizeof(GET) - 1);
            len = sizeof(GET) - 1;
        }
        for (i = 0; i < count; i++) {
            const char *piece = pieces[test_below(&random, sizeof(pieces) / sizeof(pieces[0]))];

            memcpy(bytes + len, piece, strlen(piece));
            len += strlen(piece);
        }
        answer = wsp_http_scan(guard_at_end(&guard, bytes, len), len, 0);
        assert_int_equal(scan_in_steps(bytes, len, 1, 0), answer);
        assert_int_equal(scan_in_steps(bytes, len, 1 + (size_t)test_below(&random, 20), 1), answer);
        parsed = wsp_http_parse(guard_at_end(&guard, bytes, len), len, 0, &request, headers, 16);
        assert_int_equal(parsed, answer);
        parsed =
            parse_in_steps(bytes, len, 1 + (size_t)test_below(&random, 20), &request, headers, 16);
        assert_int_equal(parsed, answer);
        finished += answer > 0;
    }
    assert_true(finished > 500);
}

/* ------------------------------------------------------------------ heads that others have read */

TEST(line_that_others_read_is_judged_alike)
{
    static const struct {
        const char *method, *target;
        int major, minor;
        int answer;
    } lines[] = {
        {"GET", "/", 1, 1, 0},
        {"GET", "/", 1, 9, 0},
        {"GET", "http://a.example/", 1, 1, 0},
        {"GET", "/", 1, 0, REFUSED(HTTP_VERSION)},
        {"GET", "/", 0, 9, REFUSED(HTTP_VERSION)},
        {"GET", "/", -1, 5, REFUSED(HTTP_VERSION)},
        {"GET", "/", 2, 0, REFUSED(HTTP_VERSION)},
        {"GET", "/", 2, 1, REFUSED(HTTP_VERSION)},
        {"POST", "/", 1, 0, REFUSED(METHOD)},
        {"HEAD", "/", 1, 1, REFUSED(METHOD)},
        {"get", "*", 1, 1, REFUSED(METHOD)},
        {"GE", "/", 1, 1, REFUSED(METHOD)},
        {"GETT", "/", 1, 1, REFUSED(METHOD)},
        {"", "/", 1, 1, REFUSED(MALFORMED)},
        {"G T", "/", 1, 1, REFUSED(MALFORMED)},
        {"GET", "", 1, 1, REFUSED(MALFORMED)},
        {"GET", "/a b", 1, 1, REFUSED(MALFORMED)},
        {"GET", "/\xff", 1, 1, REFUSED(MALFORMED)},
        {"GET", "/#", 1, 1, REFUSED(MALFORMED)},
        {"GET", "a/b", 1, 0, REFUSED(MALFORMED)},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        wspool_request request = {.method = {lines[i].method, strlen(lines[i].method)},
                                  .target = {lines[i].target, strlen(lines[i].target)},
                                  .http_major = lines[i].major,
                                  .http_minor = lines[i].minor};
        if (wsp_http_judge_line(&request) != lines[i].answer) {
            fail_msg("line %zu: %d", i, wsp_http_judge_line(&request));
        }
    }
}

/* Every byte in a name and in a value, as the parser takes them. */
TEST(headers_that_others_read_are_judged_alike)
{
    for (int c = 0; c < 256; c++) {
        char name[] = {'A', (char)c, 'b'}, value[] = {'c', (char)c, 'd'};
        wspool_header headers[2] = {{{name, 3}, {"x", 1}}, {{"A", 1}, {value, 3}}};
        for (int i = 0; i < 2; i++) {
            char head[64];
            size_t len = sizeof GET - 1;
            memcpy(head, GET, len);
            memcpy(head + len, headers[i].name.data, headers[i].name.len);
            len += headers[i].name.len;
            head[len++] = ':';
            head[len++] = ' ';
            memcpy(head + len, headers[i].value.data, headers[i].value.len);
            len += headers[i].value.len;
            memcpy(head + len, "\r\n\r\n", 4);
            len += 4;
            wspool_request request = {.method = {"GET", 3},
                                      .target = {"/", 1},
                                      .headers = &headers[i],
                                      .header_count = 1};
            int scanned = wsp_http_scan(head, len, 0);
            if (i == 0 && c == ':') {
                scanned = REFUSED(MALFORMED); /* to the parser the name ends there */
            }
            assert_int_equal(wsp_http_judge_headers(&request, 1, len), scanned > 0 ? 0 : scanned);
        }
    }
    wspool_header empty = {{NULL, 0}, {NULL, 0}}, named = {{"A", 1}, {NULL, 0}};
    wspool_request request = {.headers = &empty, .header_count = 1};
    assert_int_equal(wsp_http_judge_headers(&request, 1, 99), REFUSED(MALFORMED));
    request.headers = &named;
    assert_int_equal(wsp_http_judge_headers(&request, 1, 99), 0);
}

TEST(headers_that_others_read_are_bounded)
{
    wspool_header headers[3] = {
        {{"A", 1}, {"b", 1}}, {{"C", 1}, {"", 0}}, {{"Dd", 2}, {"\x01", 1}}};
    wspool_request request = {
        .method = {"GET", 3}, .target = {"/", 1}, .headers = headers, .header_count = 2};
    size_t exact = sizeof GET "A: b\r\nC: \r\n\r\n" - 1;
    assert_int_equal(wsp_http_judge_headers(&request, 2, exact), 0);
    assert_int_equal(wsp_http_judge_headers(&request, 1, exact), REFUSED(HEAD_TOO_LARGE));
    assert_int_equal(wsp_http_judge_headers(&request, 2, exact - 1), REFUSED(HEAD_TOO_LARGE));
    /* A malformed header counts first, as in the parser, unless it lies beyond the limit. */
    request.header_count = 3;
    assert_int_equal(wsp_http_judge_headers(&request, 2, exact), REFUSED(MALFORMED));
    assert_int_equal(wsp_http_judge_headers(&request, 2, exact - 1), REFUSED(HEAD_TOO_LARGE));
}

TEST(first_line_is_found_when_it_is_there)
{
    static const char *const complete[] = {GET, "\r\n" GET, "\r\n\r\n\r\n\r\n" GET,
                                           GET "A : b\r\n"};
    static const char *const not [] = {"",
                                       "\r\n",
                                       "GET / HTTP/1.1\r",
                                       "\r\nGET /",
                                       "GET /\r\n",
                                       "POST / HTTP/1.1\r\n",
                                       ("\r\n\r\n\r\n\r\n\r\n" GET)};
    static const char *const heads[] = {"HEAD / HTTP/1.1\r\n", "\r\nHEAD /", "HEAD "};
    static const char *const others[] = {"", "HEAD", "HEADS ", "head ", "GET / HTTP/1.1", "\r\n"};
    for (size_t i = 0; i < sizeof complete / sizeof *complete; i++) {
        size_t len = strlen(complete[i]);
        assert_int_equal(wsp_http_has_request_line(guard_at_end(&guard, complete[i], len), len), 1);
    }
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++) {
        size_t len = strlen(not [i]);
        assert_int_equal(wsp_http_has_request_line(guard_at_end(&guard, not [i], len), len), 0);
    }
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t len = strlen(heads[i]);
        assert_int_equal(wsp_http_is_head(guard_at_end(&guard, heads[i], len), len), 1);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        size_t len = strlen(others[i]);
        assert_int_equal(wsp_http_is_head(guard_at_end(&guard, others[i], len), len), 0);
    }
    assert_int_equal(wsp_http_has_request_line(NULL, 0), 0);
    assert_int_equal(wsp_http_is_head(NULL, 0), 0);
}

BEFORE_ALL
{
    guard_open(&guard, 4096);
}
