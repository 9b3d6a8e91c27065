/* SPDX-License-Identifier: MIT */
/*
 * unit/test_upgrade.c - wire/upgrade.h: the checks of the opening handshake and the bytes of the
 * response.
 *
 * The tables hold valid and invalid requests by RFC 6455, section 4. Responses are written into
 * memory of exactly the right size, and into one byte less. Every refusal that exists is checked
 * for its status line, headers and length.
 */
#include "request.h"

#include <stdio.h>

#include "wire/upgrade.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
#define GOOD \
    "Host: a.example\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n" KEY

struct request_case {
    const char *name;
    int answer;
    const char *headers;
};

#define EACH_CASE(one, cases) \
    (one) = (cases); \
    (one) < (cases) + sizeof(cases) / sizeof((cases)[0]); \
    (one)++

/* The three steps in the order in which the pool takes them. */
static int check_all(const wspool_request *request, char accept[WSP_ACCEPT_LEN + 1])
{
    int rc = wsp_upgrade_check_head(headers_of(request));

    if (rc == 0) {
        rc = wsp_upgrade_check_version(headers_of(request));
    }
    return rc ? rc : wsp_upgrade_check_key(headers_of(request), accept);
}

enum step { HEAD, VERSION, KEY_STEP, ALL };

static void expect(const struct request_case *one, enum step step)
{
    int form, forms = 0;

    for (form = 0; form < REQUEST_FORMS; form++) {
        struct test_request r;
        char accept[WSP_ACCEPT_LEN + 1];
        int answer;

        if (!request_make(&r, form, "/", one->headers)) {
            continue;
        }
        answer = step == HEAD       ? wsp_upgrade_check_head(headers_of(&r.request))
                 : step == VERSION  ? wsp_upgrade_check_version(headers_of(&r.request))
                 : step == KEY_STEP ? wsp_upgrade_check_key(headers_of(&r.request), accept)
                                    : check_all(&r.request, accept);
        request_free(&r);
        if (answer != one->answer) {
            fail_msg("%s, form %d: answered %d instead of %d", one->name, form, answer,
                     one->answer);
        }
        forms++;
    }
    assert_int_equal(forms, REQUEST_FORMS);
}

TEST(head_is_judged)
{
    static const struct request_case cases[] = {
        {"plain", 0, GOOD},
        {"host with a port", 0, "Host: a.example:8080"},
        {"host is an address", 0, "Host: 192.0.2.1:80"},
        {"host is an address in brackets", 0, "Host: [2001:db8::1]:80"},
        {"host in any case", 0, "hOST: a_b.Example."},
        {"no host", REFUSED(HOST), KEY},
        {"empty host", REFUSED(HOST), "Host:\n" KEY},
        {"blank host", REFUSED(HOST), "Host:   \n" KEY},
        {"host with a space", REFUSED(HOST), "Host: a b"},
        {"host with a tab", REFUSED(HOST), "Host: a\tb"},
        {"host with a path", REFUSED(HOST), "Host: a/b"},
        {"host with a backslash", REFUSED(HOST), "Host: a\\b"},
        {"host with a user", REFUSED(HOST), "Host: a@b"},
        {"host with a query", REFUSED(HOST), "Host: a?b"},
        {"host with a fragment", REFUSED(HOST), "Host: a#b"},
        {"two hosts in one header", REFUSED(HOST), "Host: a,b"},
        {"host with a byte above 127", REFUSED(HOST), "Host: \xc3\xa4.example"},
        {"two hosts", REFUSED(MALFORMED), "Host: a\nHost: b"},
        {"the same host twice", REFUSED(MALFORMED), "Host: a\nHost: a"},
        {"host twice in other case", REFUSED(MALFORMED), "Host: a\nhost: a"},
        {"host twice, one of them empty", REFUSED(MALFORMED), "Host: a\nHost:"},
        {"two keys", REFUSED(MALFORMED), GOOD "\n" KEY},
        {"two keys apart", REFUSED(MALFORMED), KEY "\n" GOOD},
        {"two versions", REFUSED(MALFORMED), GOOD "\nSec-WebSocket-Version: 13"},
        {"two other versions", REFUSED(MALFORMED), GOOD "\nsec-websocket-version: 8"},
        {"two origins", REFUSED(MALFORMED), GOOD "\nOrigin: http://a\nOrigin: http://a"},
        {"one origin", 0, GOOD "\nOrigin: http://a"},
        {"two of another header", 0, GOOD "\nCookie: a\nCookie: a"},
        {"two of a header like it", 0, GOOD "\nHosts: a\nHosts: a"},
        {"content length 0", 0, GOOD "\nContent-Length: 0"},
        {"content length 1", REFUSED(BODY), GOOD "\nContent-Length: 1"},
        {"content length 10", REFUSED(BODY), GOOD "\nContent-Length: 10"},
        {"content length 00", REFUSED(BODY), GOOD "\nContent-Length: 00"},
        {"content length +0", REFUSED(BODY), GOOD "\nContent-Length: +0"},
        {"content length -0", REFUSED(BODY), GOOD "\nContent-Length: -0"},
        {"content length 0x0", REFUSED(BODY), GOOD "\nContent-Length: 0x0"},
        {"content length 0, 0", REFUSED(BODY), GOOD "\nContent-Length: 0, 0"},
        {"empty content length", REFUSED(BODY), GOOD "\nContent-Length:"},
        {"content length in words", REFUSED(BODY), GOOD "\nContent-Length: none"},
        {"huge content length", REFUSED(BODY), GOOD "\nContent-Length: 18446744073709551616"},
        {"two content lengths of 0", REFUSED(BODY), GOOD "\nContent-Length: 0\ncontent-length: 0"},
        {"chunked", REFUSED(BODY), GOOD "\nTransfer-Encoding: chunked"},
        {"identity", REFUSED(BODY), GOOD "\ntransfer-encoding: identity"},
        {"empty transfer encoding", REFUSED(BODY), GOOD "\nTransfer-Encoding:"},
        {"two transfer encodings", REFUSED(BODY),
         GOOD "\nTransfer-Encoding: identity\nTransfer-Encoding: chunked"},
        {"both", REFUSED(BODY), GOOD "\nContent-Length: 0\nTransfer-Encoding: chunked"},
        {"no headers", REFUSED(HOST), ""},
        {"duplicates before all else", REFUSED(MALFORMED), KEY "\n" KEY "\nContent-Length: 1"},
        {"host before body", REFUSED(HOST), KEY "\nContent-Length: 1"},
    };
    const struct request_case *one;

    for (EACH_CASE(one, cases)) {
        expect(one, HEAD);
    }
}

/* The authority of a target in absolute form is a host; the header must be valid all the same. */
TEST(authority_is_judged_like_host)
{
    static const struct {
        const char *authority, *host;
        int answer;
    } cases[] = {
        {"a.example", "a.example", 0},
        {"a.example:80", "b", 0},
        {"[::1]:80", "b", 0},
        {"u@a.example", "a", REFUSED(HOST)},
        {"a,b", "a", REFUSED(HOST)},
        {"a\\b", "a", REFUSED(HOST)},
        {"\xc3\xa4", "a", REFUSED(HOST)},
        {"a", "", REFUSED(HOST)},
        {"a", "b/c", REFUSED(HOST)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wspool_header header = {{"Host", 4}, {cases[i].host, strlen(cases[i].host)}};
        wspool_request request = {.headers = &header, .header_count = 1};
        struct wsp_headers headers;
        wsp_headers_find(&headers, &request);
        headers.authority = (wspool_text){cases[i].authority, strlen(cases[i].authority)};
        assert_int_equal(wsp_upgrade_check_head(&headers), cases[i].answer);
        request.header_count = 0;
        wsp_headers_find(&headers, &request);
        headers.authority = (wspool_text){"a", 1};
        assert_int_equal(wsp_upgrade_check_head(&headers), REFUSED(HOST));
    }
}

#define UP "Upgrade: websocket\nConnection: Upgrade\n"

TEST(version_is_judged)
{
    static const struct request_case cases[] = {
        {"plain", 0, UP "Sec-WebSocket-Version: 13"},
        {"any case", 0, "upgrade: WebSocket\nCONNECTION: upGRADE\nsec-websocket-VERSION: 13"},
        {"as Firefox says it", 0,
         "Connection: keep-alive, Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13"},
        {"tokens in several headers", 0,
         "Connection: keep-alive\nConnection: a,,Upgrade\nUpgrade: h2c\nUpgrade: a/1, websocket\n"
         "Sec-WebSocket-Version: 13"},
        {"spaces around the version", 0, UP "Sec-WebSocket-Version:   13  "},
        {"nothing", REFUSED(UPGRADE), "Host: a"},
        {"no upgrade", REFUSED(UPGRADE), "Connection: Upgrade\nSec-WebSocket-Version: 13"},
        {"no connection", REFUSED(UPGRADE), "Upgrade: websocket\nSec-WebSocket-Version: 13"},
        {"empty upgrade", REFUSED(UPGRADE),
         "Upgrade:\nConnection: Upgrade\nSec-WebSocket-Version: 13"},
        {"upgrade to something else", REFUSED(UPGRADE),
         "Upgrade: h2c\nConnection: Upgrade\nSec-WebSocket-Version: 13"},
        {"upgrade to websockets", REFUSED(UPGRADE),
         "Upgrade: websockets\nConnection: Upgrade\nSec-WebSocket-Version: 13"},
        {"upgrade to websocket/13", REFUSED(UPGRADE),
         "Upgrade: websocket/13\nConnection: Upgrade\nSec-WebSocket-Version: 13"},
        {"upgrade to web socket", REFUSED(UPGRADE),
         "Upgrade: web socket\nConnection: Upgrade\nSec-WebSocket-Version: 13"},
        {"connection keep-alive", REFUSED(UPGRADE),
         "Upgrade: websocket\nConnection: keep-alive\nSec-WebSocket-Version: 13"},
        {"connection keep-alive Upgrade", REFUSED(UPGRADE),
         "Upgrade: websocket\nConnection: keep-alive Upgrade\nSec-WebSocket-Version: 13"},
        {"connection not-upgrade", REFUSED(UPGRADE),
         "Upgrade: websocket\nConnection: not-upgrade, upgraded\nSec-WebSocket-Version: 13"},
        {"no version", REFUSED(VERSION), UP},
        {"empty version", REFUSED(VERSION), UP "Sec-WebSocket-Version:"},
        {"version 8", REFUSED(VERSION), UP "Sec-WebSocket-Version: 8"},
        {"version 0", REFUSED(VERSION), UP "Sec-WebSocket-Version: 0"},
        {"version 14", REFUSED(VERSION), UP "Sec-WebSocket-Version: 14"},
        {"version 1", REFUSED(VERSION), UP "Sec-WebSocket-Version: 1"},
        {"version 130", REFUSED(VERSION), UP "Sec-WebSocket-Version: 130"},
        {"version 013", REFUSED(VERSION), UP "Sec-WebSocket-Version: 013"},
        {"version +13", REFUSED(VERSION), UP "Sec-WebSocket-Version: +13"},
        {"version -13", REFUSED(VERSION), UP "Sec-WebSocket-Version: -13"},
        {"version 13.0", REFUSED(VERSION), UP "Sec-WebSocket-Version: 13.0"},
        {"version 0xd", REFUSED(VERSION), UP "Sec-WebSocket-Version: 0xd"},
        {"version 13, 8", REFUSED(VERSION), UP "Sec-WebSocket-Version: 13, 8"},
        {"version 8, 13", REFUSED(VERSION), UP "Sec-WebSocket-Version: 8, 13"},
        {"version 13,", REFUSED(VERSION), UP "Sec-WebSocket-Version: 13,"},
        {"version \"13\"", REFUSED(VERSION), UP "Sec-WebSocket-Version: \"13\""},
        {"version 1 3", REFUSED(VERSION), UP "Sec-WebSocket-Version: 1 3"},
        {"two versions", REFUSED(VERSION),
         UP "Sec-WebSocket-Version: 13\nSec-WebSocket-Version: 13"},
    };
    const struct request_case *one;

    for (EACH_CASE(one, cases)) {
        expect(one, VERSION);
    }
}

TEST(key_is_judged)
{
#define K "Sec-WebSocket-Key: "
    static const struct request_case cases[] = {
        {"example of the RFC", 0, K "dGhlIHNhbXBsZSBub25jZQ=="},
        {"zeros", 0, K "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"ones", 0, K "/////////////////////w=="},
        {"plus and slash", 0, K "+/+/+/+/+/+/+/+/+/+/+w=="},
        {"any case of the name", 0, "SEC-websocket-KEY: AAAAAAAAAAAAAAAAAAAAAA=="},
        {"spaces around it", 0, K "  AAAAAAAAAAAAAAAAAAAAAA==  "},
        {"no key", REFUSED(KEY), "Host: a"},
        {"empty key", REFUSED(KEY), K},
        {"a word", REFUSED(KEY), K "test"},
        {"15 bytes", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAA"},
        {"15 bytes, filled up", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAA===="},
        {"17 bytes", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAAA="},
        {"18 bytes", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAAAA"},
        {"no padding", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAA"},
        {"half a padding", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAA="},
        {"padding too long", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAA==="},
        {"padding first", REFUSED(KEY), K "==AAAAAAAAAAAAAAAAAAAAAA"},
        {"padding inside", REFUSED(KEY), K "AAAAAAAAAA==AAAAAAAAAAAA"},
        {"padding of one, and one more", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAA=A="},
        {"bits behind the last byte: 1", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAB=="},
        {"bits behind the last byte: 8", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAI=="},
        {"bits behind the last byte: 15", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAP=="},
        {"alphabet of URLs, minus", REFUSED(KEY), K "-AAAAAAAAAAAAAAAAAAAAA=="},
        {"alphabet of URLs, underscore", REFUSED(KEY), K "_AAAAAAAAAAAAAAAAAAAAA=="},
        {"space inside", REFUSED(KEY), K "AAAAAAAAAA AAAAAAAAAAAA=="},
        {"space inside, of 24", REFUSED(KEY), K "AAAAAAAAAA AAAAAAAAAAA=="},
        {"tab inside, of 24", REFUSED(KEY), K "AAAAAAAAAA\tAAAAAAAAAAA=="},
        {"space before the padding, of 24", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAA ="},
        {"spaces, and 16 bytes in more than 24", REFUSED(KEY), K "AAAA AAAAAAAAAAAAAAAAAA=="},
        {"byte above 127", REFUSED(KEY),
         K "AAAAAAAAAA\xc3"
           "AAAAAAAAAAA=="},
        {"in quotes", REFUSED(KEY), K "\"AAAAAAAAAAAAAAAAAAAAAA==\""},
        {"two in one header", REFUSED(KEY), K "AAAAAAAAAAAAAAAAAAAAAA==, AAAA"},
        {"two keys", REFUSED(KEY), KEY "\n" KEY},
    };
    const struct request_case *one;

    for (EACH_CASE(one, cases)) {
        expect(one, KEY_STEP);
    }
}

/* Of the 64 possible last characters before the padding, four leave no bits over; only these
 * make a valid key. */
TEST(key_has_one_form_only)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char accept[WSP_ACCEPT_LEN + 1];
    struct guard guard;
    int c, taken = 0;

    guard_open(&guard, 24);
    for (c = 0; c < 256; c++) {
        char key[] = "AAAAAAAAAAAAAAAAAAAAA?==";
        const char *digit = c ? strchr(alphabet, c) : NULL;
        wspool_header header = {{"Sec-WebSocket-Key", 17}, {NULL, 24}};
        wspool_request request = {.headers = &header, .header_count = 1};
        int rc;

        key[21] = (char)c;
        header.value.data = guard_at_end(&guard, key, 24);
        rc = wsp_upgrade_check_key(headers_of(&request), accept);
        assert_int_equal(rc, digit && (digit - alphabet) % 16 == 0 ? 0 : REFUSED(KEY));
        taken += rc == 0;
    }
    assert_int_equal(taken, 4);
    guard_close(&guard);
}

TEST(accept_is_the_one_of_the_rfc)
{
    static const char *const keys[][2] = {
        {K "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, /* RFC 6455, 1.3 */
        /* widely used as an example */
        {K "x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
    };
    size_t i;
    int form;

    for (i = 0; i < 2; i++) {
        for (form = 0; form < REQUEST_FORMS; form++) {
            struct test_request r;
            char accept[WSP_ACCEPT_LEN + 2];

            memset(accept, '?', sizeof(accept));
            assert_int_equal(request_make(&r, form, "/", keys[i][0]), 1);
            assert_int_equal(wsp_upgrade_check_key(headers_of(&r.request), accept), 0);
            assert_string_equal(accept, keys[i][1]);
            assert_int_equal(accept[WSP_ACCEPT_LEN + 1], '?');
            request_free(&r);
        }
    }
}

TEST(steps_come_in_their_order)
{
    static const struct request_case cases[] = {
        {"good", 0, GOOD},
        {"all is wrong", REFUSED(MALFORMED), "Host:\nHost:\nContent-Length: 1"},
        {"body before upgrade", REFUSED(BODY), "Host: a\nContent-Length: 1"},
        {"upgrade before version", REFUSED(UPGRADE), "Host: a\nSec-WebSocket-Version: 8"},
        {"version before key", REFUSED(VERSION), "Host: a\n" UP},
        {"key last", REFUSED(KEY), "Host: a\n" UP "Sec-WebSocket-Version: 13"},
    };
    const struct request_case *one;

    for (EACH_CASE(one, cases)) {
        expect(one, ALL);
    }
}

/* ------------------------------------------------------------- subprotocols */

static char longest[WSP_SUBPROTOCOL_MAX + 1], too_long[WSP_SUBPROTOCOL_MAX + 2];

TEST(subprotocol_is_the_first_offered_that_we_have)
{
    static const char *const ours[] = {"chat",     "wspool.v1.json", "Chat",   "superchat",
                                       "bearer.x", longest,          too_long, NULL};
    static const char *const none[] = {NULL};
#define P "Sec-WebSocket-Protocol: "
    static const struct {
        const char *headers, *chosen;
        int malformed;
    } cases[] = {
        {"Host: a", NULL, 0},
        {P, NULL, 0},
        {P "chat", "chat", 0},
        {P "superchat, chat", "superchat", 0},
        {P "x,chat", "chat", 0},
        {P "x\n" P "y, superchat", "superchat", 0},
        {"sec-websocket-protocol: Chat", "Chat", 0},
        {P "CHAT", NULL, 0},
        {P "chats, cha, chat2", NULL, 0},
        {P ", ,chat,", "chat", 0},
        {P "wspool.v1.json, bearer.abc.def", "wspool.v1.json", 0},
        {P "bearer.x, chat", "chat", 0},
        {P "bearer.x", NULL, 0},
        {P "chat, su per", NULL, 1},
        {P "su per, chat", NULL, 1},
        {P "chat;q=1", NULL, 1},
        {P "\"chat\"", NULL, 1},
        {P "chat, a/b", NULL, 1},
        {P "chat\n" P "{}", NULL, 1},
        {P "ch\xc3\xa4t", NULL, 1},
        {P "a=b", NULL, 1},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int form;

        for (form = 0; form < REQUEST_FORMS; form++) {
            struct test_request r;
            const char *chosen;
            int malformed = 7;

            assert_int_equal(request_make(&r, form, "/", cases[i].headers), 1);
            chosen = wsp_upgrade_subprotocol(headers_of(&r.request), ours, &malformed);
            if (malformed != cases[i].malformed || !chosen != !cases[i].chosen ||
                (chosen && strcmp(chosen, cases[i].chosen) != 0)) {
                fail_msg("%s: %s, %d", cases[i].headers, chosen ? chosen : "none", malformed);
            }
            if (chosen) {
                const char *const *one = ours;

                while (*one && *one != chosen) {
                    one++;
                }
                /* a pointer into the list of the server, not a copy */
                assert_ptr_equal(*one, chosen);
            }
            malformed = 7;
            assert_null(wsp_upgrade_subprotocol(headers_of(&r.request), NULL, &malformed));
            assert_int_equal(malformed, cases[i].malformed);
            assert_null(wsp_upgrade_subprotocol(headers_of(&r.request), none, &malformed));
            assert_int_equal(malformed, cases[i].malformed);
            request_free(&r);
        }
    }
}

TEST(subprotocol_that_no_answer_can_hold_is_never_chosen)
{
    static const char *const ours[] = {too_long, longest, NULL};
    char headers[1024];
    struct test_request r;
    int malformed;

    snprintf(headers, sizeof(headers), P "%s", too_long);
    request_make(&r, REQUEST_AT_END, "/", headers);
    assert_null(wsp_upgrade_subprotocol(headers_of(&r.request), ours, &malformed));
    assert_int_equal(malformed, 0);
    request_free(&r);
    snprintf(headers, sizeof(headers), P "%s, %s", too_long, longest);
    request_make(&r, REQUEST_AT_END, "/", headers);
    assert_ptr_equal(wsp_upgrade_subprotocol(headers_of(&r.request), ours, &malformed), longest);
    request_free(&r);
}

/* ---------------------------------------------------------------- responses */

/* Writes into memory that ends at an inaccessible page: of the exact size, and one byte less. */
static void assert_written(const wspool_answer *answer, const char *expected)
{
    size_t len = strlen(expected), max;
    struct guard guard;
    char *out;

    guard_open(&guard, WSP_UPGRADE_MAX);
    assert_true(len <= WSP_UPGRADE_MAX);
    out = guard_room_at_end(&guard, len);
    assert_int_equal(wsp_upgrade_write(answer, (wspool_text){0}, out, len), (int)len);
    if (memcmp(out, expected, len) != 0) {
        fail_msg("written:\n%.*s", (int)len, out);
    }
    for (max = 0; max < len; max++) {
        assert_int_equal(
            wsp_upgrade_write(answer, (wspool_text){0}, guard_room_at_end(&guard, max), max), -1);
    }
    out = guard_room_at_end(&guard, WSP_UPGRADE_MAX);
    memset(out, '?', WSP_UPGRADE_MAX);
    assert_int_equal(wsp_upgrade_write(answer, (wspool_text){0}, out, WSP_UPGRADE_MAX), (int)len);
    assert_memory_equal(out, expected, len);
    for (max = len; max < WSP_UPGRADE_MAX; max++) {
        assert_int_equal(out[max], '?'); /* not even a NUL is written behind the limit */
    }
    guard_close(&guard);
}

TEST(header_that_a_host_may_add_is_a_token_and_not_ours)
{
    static const struct {
        const char *name, *value;
        int good;
    } cases[] = {
        {"Server", "x", 1},
        {"Set-Cookie", "a=b; Path=/", 1},
        {"X", "", 1},
        {"X", " \ta\x80\xff", 1},
        {"Sec-WebSocket", "x", 1},
        {"Sec-WebSocke", "x", 1},
        {"Sec-Fetch-Site", "x", 1},
        {"Upgraded", "x", 1},
        {"", "x", 0},
        {"a b", "x", 0},
        {"a:", "x", 0},
        {"a\r\nb", "x", 0},
        {"\xc3\xa4", "x", 0},
        {"X", "a\nb", 0},
        {"X", "a\rb", 0},
        {"X", "a\r\nSet-Cookie: b", 0},
        {"X", "\x01", 0},
        {"X", "\x7f", 0},
        {"Connection", "close", 0},
        {"UPGRADE", "h2c", 0},
        {"content-length", "1", 0},
        {"Content-Type", "text/html", 0},
        {"Transfer-Encoding", "chunked", 0},
        {"Sec-WebSocket-Accept", "x", 0},
        {"sec-websocket-protocol", "x", 0},
        {"Sec-WebSocket-", "x", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (wsp_upgrade_may_add(cases[i].name, cases[i].value) != cases[i].good) {
            fail_msg("%s: %s", cases[i].name, cases[i].value);
        }
    }
}

TEST(page_has_a_status_a_type_and_a_short_body)
{
    static char much[WSPOOL_PAGE_MAX + 1];
    const struct {
        int status;
        const char *type, *body;
        size_t len;
        int good;
    } cases[] = {
        {200, NULL, "ok", 2, 1},
        {200, NULL, NULL, 0, 1},
        {599, "text/html", "", 0, 1},
        {204, NULL, "", 0, 1},
        {304, NULL, NULL, 0, 1},
        {200, "x", much, WSPOOL_PAGE_MAX - 1, 1},
        {200, NULL, much, WSPOOL_PAGE_MAX - 25, 1},
        {0, NULL, "ok", 2, 0},
        {-1, NULL, "ok", 2, 0},
        {101, NULL, "", 0, 0},
        {199, NULL, "ok", 2, 0},
        {600, NULL, "ok", 2, 0},
        {426, NULL, "ok", 2, 0},
        {204, NULL, "x", 1, 0},
        {205, NULL, "x", 1, 0},
        {304, NULL, "x", 1, 0},
        {200, "", "ok", 2, 0},
        {200, "a\r\nb", "ok", 2, 0},
        {200, much, "", 0, 1}, /* too long for a body beside it */
        {200, much, "x", 1, 0},
        {200, NULL, NULL, 1, 0},
        {200, "x", much, WSPOOL_PAGE_MAX, 0},
        {200, NULL, much, WSPOOL_PAGE_MAX - 24, 0},
        {200, "x", much, SIZE_MAX, 0},
    };
    memset(much, 'x', sizeof much - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wspool_page page = {.status = cases[i].status,
                            .type = cases[i].type,
                            .body = {cases[i].body, cases[i].len}};
        assert_int_equal(wsp_upgrade_page_is_good(&page), cases[i].good);
    }
}

TEST(page_is_written_with_its_length_and_closes)
{
    wspool_answer answer;
    wspool_page page = {.status = 200, .body = {"ok\n", 3}};
    wsp_upgrade_page(&answer, &page);
    assert_written(&answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                            "Content-Length: 3\r\nConnection: close\r\n\r\nok\n");
    page = (wspool_page){.status = 510, .type = "a/b", .body = {"x", 1}};
    wsp_upgrade_page(&answer, &page);
    assert_written(&answer, "HTTP/1.1 510 \r\nContent-Type: a/b\r\nContent-Length: 1\r\n"
                            "Connection: close\r\n\r\nx");
    page = (wspool_page){.status = 204};
    wsp_upgrade_page(&answer, &page);
    assert_written(&answer, "HTTP/1.1 204 \r\nConnection: close\r\n\r\n");
}

TEST(longest_page_and_longest_headers_fit)
{
    static char body[WSPOOL_PAGE_MAX], added[WSPOOL_ADDED_HEADERS_MAX];
    char out[WSP_UPGRADE_MAX + WSPOOL_ADDED_HEADERS_MAX];
    wspool_answer answer;
    wspool_page page = {.status = 511, .type = "x", .body = {body, WSPOOL_PAGE_MAX - 1}};
    memset(added, 'a', sizeof added);
    memcpy(added + sizeof added - 2, "\r\n", 2);
    wsp_upgrade_page(&answer, &page);
    int len = wsp_upgrade_write(&answer, (wspool_text){added, sizeof added}, out, sizeof out);
    assert_true(len > (int)(sizeof body + sizeof added));
    assert_memory_equal(out + len - (WSPOOL_PAGE_MAX - 1) - 6, "aa\r\n\r\n", 6);
}

static const char accept_value[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

TEST(accepted_request_is_answered_with_101)
{
    wspool_answer answer;
    char subprotocol[] = "wspool.v1.json", accept[sizeof(accept_value)];

    memset(&answer, 0x5a, sizeof(answer));
    wsp_upgrade_accept(&answer, accept_value, NULL, NULL);
    assert_int_equal(answer.status, 101);
    assert_int_equal(answer.header_count, 3);
    assert_string_equal(answer.body, "");
    assert_int_equal(answer.body_len, 0);
    assert_written(&answer, "HTTP/1.1 101 Switching Protocols\r\n"
                            "Upgrade: websocket\r\n"
                            "Connection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                            "\r\n");

    memset(&answer, 0x5a, sizeof(answer));
    memcpy(accept, accept_value, sizeof(accept));
    wsp_upgrade_accept(&answer, accept, subprotocol, NULL);
    memset(subprotocol, 'x', sizeof(subprotocol)); /* the response has its own copies */
    memset(accept, 'x', sizeof(accept));
    assert_int_equal(answer.header_count, 4);
    assert_written(&answer, "HTTP/1.1 101 Switching Protocols\r\n"
                            "Upgrade: websocket\r\n"
                            "Connection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                            "Sec-WebSocket-Protocol: wspool.v1.json\r\n"
                            "\r\n");
}

TEST(longest_subprotocol_fits_in_the_answer)
{
    wspool_answer answer;
    char expected[1024], out[WSP_UPGRADE_MAX];

    wsp_upgrade_accept(&answer, accept_value, longest, NULL);
    snprintf(expected, sizeof(expected),
             "HTTP/1.1 101 Switching Protocols\r\n"
             "Upgrade: websocket\r\n"
             "Connection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n"
             "Sec-WebSocket-Protocol: %s\r\n"
             "\r\n",
             accept_value, longest);
    assert_written(&answer, expected);
    /* A longer one isn't written past the end. */
    wsp_upgrade_accept(&answer, accept_value, too_long, NULL);
    assert_int_equal(answer.header_count, 3);
    assert_true(wsp_upgrade_write(&answer, (wspool_text){0}, out, sizeof(out)) > 0);
}

TEST(extension_that_was_negotiated_is_in_the_answer)
{
    wspool_answer answer;
    char extension[] = "x-toy; form=3", subprotocol[] = "p";

    for (int with = 0; with < 2; with++) {
        memset(&answer, 0x5a, sizeof(answer));
        memcpy(subprotocol, "p", sizeof(subprotocol));
        memcpy(extension, "x-toy; form=3", sizeof(extension));
        wsp_upgrade_accept(&answer, accept_value, with ? subprotocol : NULL, extension);
        memset(extension, 'x', sizeof(extension)); /* the response has its own copies */
        memset(subprotocol, 'x', sizeof(subprotocol));
        assert_int_equal(answer.header_count, 4 + with);
        assert_written(&answer, with ? "HTTP/1.1 101 Switching Protocols\r\n"
                                       "Upgrade: websocket\r\n"
                                       "Connection: Upgrade\r\n"
                                       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                       "Sec-WebSocket-Protocol: p\r\n"
                                       "Sec-WebSocket-Extensions: x-toy; form=3\r\n"
                                       "\r\n"
                                     : "HTTP/1.1 101 Switching Protocols\r\n"
                                       "Upgrade: websocket\r\n"
                                       "Connection: Upgrade\r\n"
                                       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                       "Sec-WebSocket-Extensions: x-toy; form=3\r\n"
                                       "\r\n");
    }
}

/* All copied texts at their longest: the sanitizer watches the end of the struct. */
TEST(longest_of_all_texts_fit_in_the_answer)
{
    wspool_answer *answer = malloc(sizeof(*answer));
    char extension[WSPOOL_NEGOTIATED_BYTES], expected[1024];

    memset(extension, 'e', sizeof(extension));
    extension[sizeof(extension) - 1] = '\0';
    wsp_upgrade_accept(answer, accept_value, longest, extension);
    assert_int_equal(answer->header_count, 5);
    assert_true(answer->headers[4].value + strlen(answer->headers[4].value) <
                answer->text + sizeof(answer->text));
    snprintf(expected, sizeof(expected),
             "HTTP/1.1 101 Switching Protocols\r\n"
             "Upgrade: websocket\r\n"
             "Connection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n"
             "Sec-WebSocket-Protocol: %s\r\n"
             "Sec-WebSocket-Extensions: %s\r\n"
             "\r\n",
             accept_value, longest, extension);
    assert_written(answer, expected);
    /* A subprotocol that is omitted does not move the extension. */
    wsp_upgrade_accept(answer, accept_value, too_long, "x");
    assert_int_equal(answer->header_count, 4);
    assert_string_equal(answer->headers[3].value, "x");
    free(answer);
}

TEST(refused_request_is_answered_with_its_status)
{
    static const struct {
        enum wspool_refusal refusal;
        const char *expected;
    } cases[] = {
        {WSPOOL_REFUSED_MALFORMED, "HTTP/1.1 400 Bad Request\r\n"
                                   "Content-Type: application/json\r\n"
                                   "Content-Length: 21\r\n"
                                   "Connection: close\r\n"
                                   "\r\n"
                                   "{\"error\":\"malformed\"}"},
        {WSPOOL_REFUSED_TOKEN_EXPIRED, "HTTP/1.1 401 Unauthorized\r\n"
                                       "Content-Type: application/json\r\n"
                                       "WWW-Authenticate: Bearer\r\n"
                                       "Content-Length: 19\r\n"
                                       "Connection: close\r\n"
                                       "\r\n"
                                       "{\"error\":\"expired\"}"},
        {WSPOOL_REFUSED_ORIGIN, "HTTP/1.1 403 Forbidden\r\n"
                                "Content-Type: application/json\r\n"
                                "Content-Length: 18\r\n"
                                "Connection: close\r\n"
                                "\r\n"
                                "{\"error\":\"origin\"}"},
        {WSPOOL_REFUSED_NO_ROUTE, "HTTP/1.1 404 Not Found\r\n"
                                  "Content-Type: application/json\r\n"
                                  "Content-Length: 20\r\n"
                                  "Connection: close\r\n"
                                  "\r\n"
                                  "{\"error\":\"no_route\"}"},
        {WSPOOL_REFUSED_METHOD, "HTTP/1.1 405 Method Not Allowed\r\n"
                                "Content-Type: application/json\r\n"
                                "Allow: GET\r\n"
                                "Content-Length: 30\r\n"
                                "Connection: close\r\n"
                                "\r\n"
                                "{\"error\":\"method_not_allowed\"}"},
        {WSPOOL_REFUSED_TIMEOUT, "HTTP/1.1 408 Request Timeout\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Content-Length: 29\r\n"
                                 "Connection: close\r\n"
                                 "\r\n"
                                 "{\"error\":\"handshake_timeout\"}"},
        {WSPOOL_REFUSED_VERSION, "HTTP/1.1 426 Upgrade Required\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Upgrade: websocket\r\n"
                                 "Sec-WebSocket-Version: 13\r\n"
                                 "Content-Length: 29\r\n"
                                 "Connection: close, Upgrade\r\n"
                                 "\r\n"
                                 "{\"error\":\"websocket_version\"}"},
        {WSPOOL_REFUSED_UPGRADE, "HTTP/1.1 426 Upgrade Required\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Upgrade: websocket\r\n"
                                 "Sec-WebSocket-Version: 13\r\n"
                                 "Content-Length: 28\r\n"
                                 "Connection: close, Upgrade\r\n"
                                 "\r\n"
                                 "{\"error\":\"upgrade_required\"}"},
        {WSPOOL_REFUSED_RATE, "HTTP/1.1 429 Too Many Requests\r\n"
                              "Content-Type: application/json\r\n"
                              "Retry-After: 7\r\n"
                              "Content-Length: 20\r\n"
                              "Connection: close\r\n"
                              "\r\n"
                              "{\"error\":\"too_many\"}"},
        {WSPOOL_REFUSED_HEAD_TOO_LARGE, "HTTP/1.1 431 Request Header Fields Too Large\r\n"
                                        "Content-Type: application/json\r\n"
                                        "Content-Length: 26\r\n"
                                        "Connection: close\r\n"
                                        "\r\n"
                                        "{\"error\":\"head_too_large\"}"},
        {WSPOOL_REFUSED_DRAINING, "HTTP/1.1 503 Service Unavailable\r\n"
                                  "Content-Type: application/json\r\n"
                                  "Retry-After: 7\r\n"
                                  "Content-Length: 20\r\n"
                                  "Connection: close\r\n"
                                  "\r\n"
                                  "{\"error\":\"draining\"}"},
        {WSPOOL_REFUSED_HTTP_VERSION, "HTTP/1.1 505 HTTP Version Not Supported\r\n"
                                      "Content-Type: application/json\r\n"
                                      "Content-Length: 24\r\n"
                                      "Connection: close\r\n"
                                      "\r\n"
                                      "{\"error\":\"http_version\"}"},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wspool_answer answer;

        memset(&answer, 0x5a, sizeof(answer));
        wsp_upgrade_refuse(&answer, cases[i].refusal, 7);
        assert_int_equal(answer.refusal, cases[i].refusal);
        assert_written(&answer, cases[i].expected);
    }
}

/* Every refusal: status line with a phrase, a body of the right length, the headers that its
 * status needs, line breaks only where they belong, and space for the longest Retry-After. */
TEST(every_refusal_has_a_whole_answer)
{
    int refusal;

    for (refusal = 0; refusal < WSPOOL_REFUSAL_COUNT; refusal++) {
        int status = wspool_refusal_status((enum wspool_refusal)refusal);
        wspool_answer answer;
        char out[WSP_UPGRADE_MAX + 1], body[64], length[64], phrase;
        size_t i;
        int len;

        memset(&answer, 0x5a, sizeof(answer));
        wsp_upgrade_refuse(&answer, (enum wspool_refusal)refusal, 4294967295u);
        assert_int_equal(answer.status, status);
        assert_int_equal(answer.refusal, refusal);
        assert_true(answer.header_count <= WSPOOL_ANSWER_HEADERS);
        len = wsp_upgrade_write(&answer, (wspool_text){0}, out, WSP_UPGRADE_MAX);
        if (status == 0) {
            assert_int_equal(len, 0);
            assert_int_equal(answer.header_count, 0);
            assert_int_equal(answer.body_len, 0);
            assert_string_equal(answer.body, "");
            continue;
        }
        assert_true(len > 0);
        out[len] = '\0';
        snprintf(body, sizeof(body), "{\"error\":\"%s\"}",
                 wspool_refusal_reason((enum wspool_refusal)refusal));
        assert_string_equal(answer.body, body);
        assert_int_equal(answer.body_len, strlen(body));
        assert_string_equal(strstr(out, "\r\n\r\n") + 4, body);
        snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", strlen(body));
        assert_non_null(strstr(out, length));
        assert_int_equal(sscanf(out, "HTTP/1.1 %d %c", &len, &phrase), 2);
        assert_int_equal(len, status);
        assert_true(phrase >= 'A' && phrase <= 'Z');
        assert_int_equal(strstr(out, "\r\nAllow: GET\r\n") != NULL, status == 405);
        assert_int_equal(strstr(out, "\r\nWWW-Authenticate: Bearer\r\n") != NULL, status == 401);
        assert_int_equal(strstr(out, "\r\nSec-WebSocket-Version: 13\r\n") != NULL, status == 426);
        assert_int_equal(strstr(out, "\r\nUpgrade: websocket\r\n") != NULL, status == 426);
        assert_int_equal(strstr(out, "\r\nRetry-After: 4294967295\r\n") != NULL,
                         status == 429 || status == 503);
        assert_non_null(strstr(out, status == 426 ? "\r\nConnection: close, Upgrade\r\n"
                                                  : "\r\nConnection: close\r\n"));
        for (i = 0; i < answer.header_count; i++) {
            assert_int_equal(strcspn(answer.headers[i].name, "\r\n: "),
                             strlen(answer.headers[i].name));
            assert_int_equal(strcspn(answer.headers[i].value, "\r\n"),
                             strlen(answer.headers[i].value));
        }
        /* The answer to HEAD. */
        wsp_upgrade_drop_body(&answer);
        assert_int_equal(answer.body_len, 0);
        assert_string_equal(answer.body, "");
        len = wsp_upgrade_write(&answer, (wspool_text){0}, out, WSP_UPGRADE_MAX);
        out[len] = '\0';
        assert_int_equal(len, (int)(strstr(out, "\r\n\r\n") + 4 - out));
        assert_null(strstr(out, "Content-Length"));
    }
}

/* A host sends the headers of the answer as they are (RFC 9110, section 7.8). */
TEST(answer_with_upgrade_has_it_in_connection_too)
{
    static const enum wspool_refusal both[] = {WSPOOL_REFUSED_UPGRADE, WSPOOL_REFUSED_VERSION};
    for (int k = 0; k < 2; k++) {
        wspool_answer answer;
        int found = 0;
        wsp_upgrade_refuse(&answer, both[k], 5);
        for (size_t i = 0; i < answer.header_count; i++) {
            found += strcmp(answer.headers[i].name, "Connection") == 0 &&
                     strcmp(answer.headers[i].value, "Upgrade") == 0;
        }
        assert_int_equal(found, 1);
    }
}

BEFORE_ALL
{
    memset(longest, 'l', sizeof(longest) - 1);
    memset(too_long, 't', sizeof(too_long) - 1);
}
