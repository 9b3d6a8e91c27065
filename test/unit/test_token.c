/* SPDX-License-Identifier: MIT */
/*
 * unit/test_token.c - policy/token.h: where the token of a request is looked for.
 *
 * The table has requests with the token in the query, the Authorization header, a cookie and the
 * subprotocol, alone and together, valid and invalid. Requests come in the forms of request.h. The
 * scratch memory has exactly the documented size and ends at an inaccessible page.
 */
#include "request.h"

#include <wspool/error.h>

#include <stdio.h>

#include "policy/token.h"

#define A WSPOOL_TOKEN_AUTHORIZATION
#define S WSPOOL_TOKEN_SUBPROTOCOL
#define C WSPOOL_TOKEN_COOKIE
#define Q WSPOOL_TOKEN_QUERY
#define EMPTY REFUSED(TOKEN_EMPTY)
#define MALFORMED REFUSED(TOKEN_MALFORMED)

struct token_case {
    const char *target, *headers;
    int answer;
    const char *token;
};

static const enum wspool_token_place all_places[WSPOOL_TOKEN_PLACES] = {A, S, C, Q};

/* The scratch memory ends at an inaccessible page and has the size that the header documents. */
static struct guard scratch;

static void expect(const struct token_case *one, const enum wspool_token_place *places)
{
    int form, forms = 0;

    for (form = 0; form < REQUEST_FORMS; form++) {
        struct test_request r;
        struct wsp_token_search search;
        wspool_text token = {"untouched", 9};
        int answer;

        if (!request_make(&r, form, one->target, one->headers)) {
            continue;
        }
        answer = wsp_token_find(headers_of(&r.request), places, 1,
                                guard_room_at_end(&scratch, WSPOOL_TOKEN_MAX), &token, &search);
        if (answer != one->answer || !text_equals(token, one->answer ? "untouched" : one->token)) {
            fail_msg("%s %s, form %d: answered %d, %.*s", one->target, one->headers, form, answer,
                     (int)token.len, token.data);
        }
        request_free(&r);
        forms++;
    }
    assert_true(forms >= REQUEST_PARSED); /* not every target can be in an HTTP head */
}

#define EXPECT_ALL(cases, places) \
    do { \
        size_t i_; \
        for (i_ = 0; i_ < sizeof(cases) / sizeof((cases)[0]); i_++) \
            expect(&(cases)[i_], (places)); \
    } while (0)

TEST(authorization_is_read)
{
    static const enum wspool_token_place places[] = {A, WSPOOL_TOKEN_NONE};
    static const struct token_case cases[] = {
        {"/", "Authorization: Bearer abc.def-ghi_jkl", 0, "abc.def-ghi_jkl"},
        {"/", "authorization: bearer x", 0, "x"},
        {"/", "AUTHORIZATION: BEARER x", 0, "x"},
        {"/", "Authorization: Bearer    x", 0, "x"},
        {"/", "Authorization: Bearer   x   ", 0, "x"},
        {"/", "Authorization: Bearer !~", 0, "!~"},
        {"/", "Authorization: Bearer Bearer", 0, "Bearer"},
        {"/", "Authorization: Bearer a,b", 0, "a,b"},
        {"/", "Host: a", EMPTY, NULL},
        {"/", "Authorization:", EMPTY, NULL},
        {"/", "Authorization: Bearer", EMPTY, NULL},
        {"/", "Authorization: Bearer   ", EMPTY, NULL},
        {"/", "Authorization: Basic dTpw", EMPTY, NULL},
        {"/", "Authorization: Bearerx y", EMPTY, NULL},
        {"/", "Authorization: Bear x", EMPTY, NULL},
        {"/", "Authorization: BearerToken", EMPTY, NULL},
        {"/", "Authorization: xBearer x", EMPTY, NULL},
        {"/", "Authorization: Basic Bearer x", EMPTY, NULL},
        {"/", "Proxy-Authorization: Bearer x", EMPTY, NULL},
        {"/", "Authorization: Bearer a b", MALFORMED, NULL},
        {"/", "Authorization: Bearer a  b", MALFORMED, NULL},
        {"/", "Authorization: Bearer a, Bearer b", MALFORMED, NULL},
        {"/", "Authorization: Bearer a\tb", MALFORMED, NULL},
        {"/", "Authorization: Bearer\tx", MALFORMED, NULL},
        {"/", "Authorization: Bearer \tx", MALFORMED, NULL},
        {"/", "Authorization: Bearer \x80", MALFORMED, NULL},
        {"/", "Authorization: Bearer a\xc3\xa4", MALFORMED, NULL},
        {"/", "Authorization: Bearer x\nAuthorization: Bearer x", MALFORMED, NULL},
        {"/", "Authorization: Bearer x\nauthorization: Basic dTpw", MALFORMED, NULL},
        {"/", "Authorization: Bearer\nAuthorization: Bearer x", MALFORMED, NULL},
        {"/?token=x", "Cookie: wspool_token=x\nSec-WebSocket-Protocol: bearer.x", EMPTY, NULL},
    };

    EXPECT_ALL(cases, places);
}

TEST(subprotocol_is_read)
{
    static const enum wspool_token_place places[] = {S, WSPOOL_TOKEN_NONE};
#define P "Sec-WebSocket-Protocol: "
    static const struct token_case cases[] = {
        {"/", P "bearer.x", 0, "x"},
        {"/", P "wspool.v1.json, bearer.abc.def.ghi", 0, "abc.def.ghi"},
        {"/", P "bearer.abc,wspool.v1.json", 0, "abc"},
        {"/", P "a\n" P "b, bearer.x ,c", 0, "x"},
        {"/", P "bearer.bearer.x", 0, "bearer.x"},
        {"/", P "bearer..", 0, "."},
        {"/", "Host: a", EMPTY, NULL},
        {"/", P, EMPTY, NULL},
        {"/", P "chat", EMPTY, NULL},
        {"/", P "bearer", EMPTY, NULL},
        {"/", P "bearer.", EMPTY, NULL},
        {"/", P "bearer,x", EMPTY, NULL},
        {"/", P "bearerx", EMPTY, NULL},
        {"/", P "Bearer.x", EMPTY, NULL},
        {"/", P "BEARER.x", EMPTY, NULL},
        {"/", P "xbearer.x", EMPTY, NULL},
        {"/", P "bearer.x, bearer.y", MALFORMED, NULL},
        {"/", P "bearer.x, bearer.x", MALFORMED, NULL},
        {"/", P "bearer.x\n" P "bearer.x", MALFORMED, NULL},
        {"/", P "bearer., bearer.x", MALFORMED, NULL},
        {"/", P "bearer.x, bearer.", MALFORMED, NULL},
        {"/", P "bearer.a b", MALFORMED, NULL},
        {"/", P "bearer. x", MALFORMED, NULL},
        {"/", P "bearer.a\xff", MALFORMED, NULL},
        {"/?token=x", "Cookie: wspool_token=x\nAuthorization: Bearer x", EMPTY, NULL},
    };

    EXPECT_ALL(cases, places);
}

TEST(cookie_is_read)
{
    static const enum wspool_token_place places[] = {C, WSPOOL_TOKEN_NONE};
    static const struct token_case cases[] = {
        {"/", "Cookie: wspool_token=x", 0, "x"},
        {"/", "cookie: a=b; wspool_token=abc.def; c=d", 0, "abc.def"},
        {"/", "Cookie: a=b;wspool_token=x;c=d", 0, "x"},
        {"/", "Cookie: a=b;  \twspool_token=x  ; c=d", 0, "x"},
        {"/", "Cookie: ;; ;wspool_token=x;", 0, "x"},
        {"/", "Cookie: a\nCookie: wspool_token=x", 0, "x"},
        {"/", "Cookie: wspool_token=a=b==", 0, "a=b=="},
        {"/", "Cookie: wspool_token=\"x\"", 0, "x"},
        {"/", "Cookie: wspool_token=\"", 0, "\""},
        {"/", "Cookie: wspool_token=\"x", 0, "\"x"},
        {"/", "Cookie: wspool_token=x%41", 0, "x%41"}, /* cookies are not decoded */
        {"/", "Cookie: wspool_token2=y; wspool_token=x", 0, "x"},
        {"/", "Host: a", EMPTY, NULL},
        {"/", "Cookie:", EMPTY, NULL},
        {"/", "Cookie: wspool_token", EMPTY, NULL},
        {"/", "Cookie: wspool_token=", EMPTY, NULL},
        {"/", "Cookie: wspool_token=; a=b", EMPTY, NULL},
        {"/", "Cookie: wspool_token=\"\"", EMPTY, NULL},
        {"/", "Cookie: WSPOOL_TOKEN=x", EMPTY, NULL},
        {"/", "Cookie: wspool_token2=x", EMPTY, NULL},
        {"/", "Cookie: wspool_toke=x", EMPTY, NULL},
        {"/", "Cookie: xwspool_token=x", EMPTY, NULL},
        {"/", "Cookie: wspool_token =x", EMPTY, NULL},
        {"/", "Cookie: a=wspool_token=x", EMPTY, NULL},
        {"/", "Cookie: a=b, wspool_token=x", EMPTY, NULL}, /* a comma does not end a cookie */
        {"/", "Cookie: a=\"b wspool_token=x\"", EMPTY, NULL},
        {"/", "Cookies: wspool_token=x", EMPTY, NULL},
        {"/", "Set-Cookie: wspool_token=x", EMPTY, NULL},
        {"/", "Cookie: wspool_token=x; wspool_token=x", MALFORMED, NULL},
        {"/", "Cookie: wspool_token=x; a=b; wspool_token=y", MALFORMED, NULL},
        {"/", "Cookie: wspool_token=x\nCookie: wspool_token=x", MALFORMED, NULL},
        {"/", "Cookie: wspool_token=; wspool_token=x", MALFORMED, NULL},
        {"/", "Cookie: wspool_token=a b", MALFORMED, NULL},
        {"/", "Cookie: wspool_token= x", MALFORMED, NULL},
        {"/", "Cookie: wspool_token=a\tb", MALFORMED, NULL},
        {"/", "Cookie: wspool_token=\x80", MALFORMED, NULL},
        {"/", "Cookie: wspool_token=\" x\"", MALFORMED, NULL},
        {"/?token=x", "Authorization: Bearer x\nSec-WebSocket-Protocol: bearer.x", EMPTY, NULL},
    };

    EXPECT_ALL(cases, places);
}

TEST(query_is_read)
{
    static const enum wspool_token_place places[] = {Q, WSPOOL_TOKEN_NONE};
    static const struct token_case cases[] = {
        {"/?token=x", "", 0, "x"},
        {"/a/b?c=d&token=abc.def&e=f", "", 0, "abc.def"},
        {"/?token=a%2eb%2F", "", 0, "a.b/"},
        {"/?token=%78", "", 0, "x"},
        {"/?token=a+b", "", 0, "a+b"},
        {"/?token=a%2bb", "", 0, "a+b"},
        {"/?token=a%26token%3db", "", 0, "a&token=b"},
        {"/?token=a%2541", "", 0, "a%41"},
        {"/?token=a=b", "", 0, "a=b"},
        {"/?token=a?b", "", 0, "a?b"},
        {"/?&&token=x&&", "", 0, "x"},
        {"/?token=x&tokens=y&Token=z", "", 0, "x"},
        {"/", "", EMPTY, NULL},
        {"/?", "", EMPTY, NULL},
        {"/?token", "", EMPTY, NULL},
        {"/?token=", "", EMPTY, NULL},
        {"/?token=&a=b", "", EMPTY, NULL},
        {"/?token=%20", "", EMPTY, NULL},
        {"/?token=%20%09", "", EMPTY, NULL},
        {"/?TOKEN=x", "", EMPTY, NULL},
        {"/?tokens=x&atoken=y", "", EMPTY, NULL},
        {"/?%74oken=x", "", EMPTY, NULL},
        {"/token=x", "", EMPTY, NULL},
        {"/&token=x", "", EMPTY, NULL},
        {"/?a=b;token=x", "", EMPTY, NULL},
        {"/?token=x&token=x", "", MALFORMED, NULL},
        {"/?token=x&a=b&token=y", "", MALFORMED, NULL},
        {"/?token=x&token", "", MALFORMED, NULL},
        {"/?token&token=x", "", MALFORMED, NULL},
        {"/?token=&token=x", "", MALFORMED, NULL},
        {"/?token=a%20b", "", MALFORMED, NULL},
        {"/?token=%20a", "", MALFORMED, NULL},
        {"/?token=a%00", "", MALFORMED, NULL},
        {"/?token=%00", "", MALFORMED, NULL},
        {"/?token=a%0d%0ab", "", MALFORMED, NULL},
        {"/?token=a%1f", "", MALFORMED, NULL},
        {"/?token=a%7f", "", MALFORMED, NULL},
        {"/?token=a%80", "", MALFORMED, NULL},
        {"/?token=%ff", "", MALFORMED, NULL},
        {"/?token=%", "", MALFORMED, NULL},
        {"/?token=a%4", "", MALFORMED, NULL},
        {"/?token=a%zz", "", MALFORMED, NULL},
        {"/?token=a%4&b=c", "", MALFORMED, NULL},
        /* Texts that a host may hand in, but that the parser never lets through. */
        {"", "", MALFORMED, NULL},
        {"*", "", MALFORMED, NULL},
        {"/?token=x#y", "", MALFORMED, NULL},
        {"/?token=x y", "", MALFORMED, NULL},
        {"/", "Authorization: Bearer x\nSec-WebSocket-Protocol: bearer.x\nCookie: wspool_token=x",
         EMPTY, NULL},
    };

    EXPECT_ALL(cases, places);
}

TEST(first_place_that_has_something_decides)
{
    static const enum wspool_token_place backwards[] = {Q, C, S, A};
    static const enum wspool_token_place two[] = {C, Q, WSPOOL_TOKEN_NONE, A};
    static const enum wspool_token_place none[] = {WSPOOL_TOKEN_NONE, A, S, C};
#define EVERYWHERE \
    "Authorization: Bearer a\nSec-WebSocket-Protocol: bearer.s\nCookie: wspool_token=c"
    static const struct token_case forwards_cases[] = {
        {"/?token=q", EVERYWHERE, 0, "a"},
        {"/?token=q", "Sec-WebSocket-Protocol: bearer.s\nCookie: wspool_token=c", 0, "s"},
        {"/?token=q", "Cookie: wspool_token=c", 0, "c"},
        {"/?token=q", "", 0, "q"},
        /* With an empty value or another scheme, the next place is looked at. */
        {"/?token=q", "Authorization: Bearer\nCookie: wspool_token=", 0, "q"},
        {"/?token=q", "Authorization: Basic dTpw\nSec-WebSocket-Protocol: bearer.", 0, "q"},
        {"/", "Authorization: Bearer\nCookie: wspool_token=c", 0, "c"},
        {"/?token=", "Authorization: Bearer\nSec-WebSocket-Protocol: chat\nCookie: a=b", EMPTY,
         NULL},
        /* An invalid token stops the search. */
        {"/?token=q", "Authorization: Bearer a b\nCookie: wspool_token=c", MALFORMED, NULL},
        {"/?token=q", "Authorization: Bearer a\nAuthorization: Bearer a", MALFORMED, NULL},
        {"/?token=q", "Sec-WebSocket-Protocol: bearer.a, bearer.b", MALFORMED, NULL},
        {"/?token=q", "Cookie: wspool_token=a b", MALFORMED, NULL},
        /* What comes behind a valid token is not looked at. */
        {"/?token=%", "Authorization: Bearer a\nCookie: wspool_token=x; wspool_token=y", 0, "a"},
    };
    static const struct token_case backwards_cases[] = {
        {"/?token=q", EVERYWHERE, 0, "q"},
        {"/", EVERYWHERE, 0, "c"},
        {"/", "Authorization: Bearer a\nSec-WebSocket-Protocol: bearer.s", 0, "s"},
        {"/?token", "Authorization: Bearer a\nSec-WebSocket-Protocol: chat", 0, "a"},
        {"/?token=%zz", EVERYWHERE, MALFORMED, NULL},
    };
    static const struct token_case two_cases[] = {
        {"/?token=q", EVERYWHERE, 0, "c"},
        {"/?token=q", "Authorization: Bearer a", 0, "q"},
        {"/", "Authorization: Bearer a", EMPTY, NULL},
    };
    static const struct token_case none_cases[] = {
        {"/?token=q", EVERYWHERE, EMPTY, NULL},
    };

    EXPECT_ALL(forwards_cases, all_places);
    EXPECT_ALL(backwards_cases, backwards);
    EXPECT_ALL(two_cases, two);
    EXPECT_ALL(none_cases, none);
}

/* When the list holds all places no entry marks its end: the array behind it must not be read. */
TEST(full_list_of_places_has_no_end_mark)
{
    struct guard guard;
    struct token_case one = {"/", "Host: a", EMPTY, NULL};

    guard_open(&guard, sizeof(all_places));
    expect(&one, (const enum wspool_token_place *)(void *)guard_at_end(&guard, all_places,
                                                                       sizeof(all_places)));
    guard_close(&guard);
}

TEST(longest_token_is_found_and_a_longer_one_refused)
{
    static const struct {
        const char *target, *headers;
    } places[] = {
        {"/", "Authorization: Bearer %s"},
        {"/", "Sec-WebSocket-Protocol: bearer.%s"},
        {"/", "Cookie: wspool_token=%s"},
        {"/?token=%s", ""},
        {"/?token=%%41%s", ""}, /* one more when decoded */
    };
    size_t i, len;

    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        size_t most = WSPOOL_TOKEN_MAX - (i == 4);

        for (len = most - 1; len <= most + 1; len++) {
            char token[WSPOOL_TOKEN_MAX + 2], target[WSPOOL_TOKEN_MAX + 64];
            char headers[WSPOOL_TOKEN_MAX + 64];
            struct token_case one = {target, headers, len > most ? MALFORMED : 0, token};

            memset(token, 't', len);
            token[len] = '\0';
            snprintf(headers, sizeof(headers), i < 3 ? places[i].headers : "Host: a%s",
                     i < 3 ? token : "");
            snprintf(target, sizeof(target), i < 3 ? "/%s" : places[i].target, i < 3 ? "" : token);
            if (i == 4) {
                memmove(token + 1, token, len + 1);
                token[0] = 'A';
            }
            expect(&one, all_places);
        }
    }
}

/* A token that consists of escapes is three times as long on the wire. */
TEST(escaped_token_counts_as_decoded)
{
    char token[WSPOOL_TOKEN_MAX + 1], target[3 * WSPOOL_TOKEN_MAX + 64];
    struct token_case one = {target, "Host: a", 0, token};
    size_t i, len = 8;

    memset(token, 'z', WSPOOL_TOKEN_MAX);
    token[WSPOOL_TOKEN_MAX] = '\0';
    memcpy(target, "/?token=", len);
    for (i = 0; i < WSPOOL_TOKEN_MAX; i++, len += 3) {
        memcpy(target + len, "%7a", 4);
    }
    expect(&one, all_places);
    memcpy(target + len, "%", 2);
    one.answer = MALFORMED;
    expect(&one, all_places);
    memcpy(target + len, "%7a", 4);
    expect(&one, all_places);
}

TEST(only_bytes_of_a_token_are_taken)
{
    struct wsp_token_search search;
    static const char *const names[] = {"Authorization", "Sec-WebSocket-Protocol", "Cookie"};
    static const char *const prefixes[] = {"Bearer a", "bearer.a", "wspool_token=a"};
    size_t place;
    int c;

    for (place = 0; place < 3; place++) {
        for (c = 0; c < 256; c++) {
            char value[32];
            wspool_header header = {{names[place], strlen(names[place])}, {value, 0}};
            wspool_request request = {.headers = &header, .header_count = 1};
            wspool_text token;
            int ends = (place == 1 && c == ',') || (place == 2 && c == ';');
            int answer;

            header.value.len = (size_t)snprintf(value, sizeof(value), "%s?b", prefixes[place]);
            value[header.value.len - 2] = (char)c;
            request.target = (wspool_text){"/", 1};
            answer = wsp_token_find(headers_of(&request), all_places, 1,
                                    guard_room_at_end(&scratch, WSPOOL_TOKEN_MAX), &token, &search);
            assert_int_equal(answer, c >= 33 && c <= 126 ? 0 : MALFORMED);
            if (answer == 0) {
                assert_int_equal(token.len, ends ? 1 : 3);
            }
        }
    }
}

BEFORE_ALL
{
    guard_open(&scratch, WSPOOL_TOKEN_MAX);
}

TEST(cookie_is_passed_over_when_the_page_is_not_trusted)
{
    static const enum wspool_token_place places[WSPOOL_TOKEN_PLACES] = {WSPOOL_TOKEN_COOKIE,
                                                                        WSPOOL_TOKEN_QUERY};
    char room[WSPOOL_TOKEN_MAX];
    struct test_request r;
    struct wsp_token_search search;
    wspool_text token = {NULL, 0};
    assert_true(request_make(&r, REQUEST_PARSED, "/?token=q", "Cookie: wspool_token=c"));
    assert_int_equal(wsp_token_find(headers_of(&r.request), places, 1, room, &token, &search), 0);
    assert_true(text_equals(token, "c"));
    assert_int_equal(wsp_token_find(headers_of(&r.request), places, 0, room, &token, &search), 0);
    assert_true(text_equals(token, "q"));
    request_free(&r);
}

/* Only the token hook sees a token. */
TEST(token_is_hidden_wherever_it_is_in_the_query)
{
    static const enum wspool_token_place in_query[WSPOOL_TOKEN_PLACES] = {WSPOOL_TOKEN_QUERY},
                                         elsewhere[WSPOOL_TOKEN_PLACES] = {WSPOOL_TOKEN_COOKIE};
    static const struct {
        const char *target, *left;
        int copies;
    } cases[] = {
        {"/a", "/a", 0},
        {"/a?", "/a?", 0},
        {"/a?b=c", "/a?b=c", 0},
        {"/a?tokens=c&atoken=d", "/a?tokens=c&atoken=d", 0},
        {"/a?token=t", "/a", 0},
        {"/a?token=", "/a", 0},
        {"/a?token", "/a", 0},
        {"/a?b=c&token=t", "/a?b=c", 0},
        {"http://x?token=t", "http://x", 0},
        {"/a?token=t&b=c", "/a?b=c", 1},
        {"/a?b=c&token=t&d=e", "/a?b=c&d=e", 1},
        {"/a?token=t&token=u", "/a", 1},
        {"/a?token&b&token=u", "/a?b", 1},
        {"/a?token=t&b&token=u&&c", "/a?b&&c", 1},
        {"/a?token=t&", "/a", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_mem mem = {0};
        wspool_mem hooks = test_mem_hooks(&mem);
        struct test_request r;
        char *copy = NULL;
        assert_true(request_make(&r, REQUEST_AT_END, cases[i].target, ""));
        assert_int_equal(wsp_token_hide(&r.request, in_query, &hooks, &copy), 0);
        if (!text_equals(r.request.target, cases[i].left)) {
            fail_msg("%s: %.*s", cases[i].target, (int)r.request.target.len, r.request.target.data);
        }
        assert_int_equal(copy != NULL, cases[i].copies);
        wsp_free(&hooks, copy);
        request_free(&r);
        copy = NULL;
        assert_true(request_make(&r, REQUEST_AT_START, cases[i].target, ""));
        assert_int_equal(wsp_token_hide(&r.request, elsewhere, &hooks, &copy), 0);
        assert_true(text_equals(r.request.target, cases[i].target)); /* it is no place */
        mem.fail_at = 1;
        assert_int_equal(wsp_token_hide(&r.request, in_query, &hooks, &copy),
                         cases[i].copies ? WSPOOL_ERR_NOMEM : 0);
        assert_null(copy);
        assert_int_equal(mem.live, 0);
        request_free(&r);
    }
}

/* The place that decides, and the places that have an empty one before it. */
TEST(places_are_told_where_a_token_was_and_where_there_was_an_empty_one)
{
    static const enum wspool_token_place all[WSPOOL_TOKEN_PLACES] = {
        WSPOOL_TOKEN_AUTHORIZATION, WSPOOL_TOKEN_SUBPROTOCOL, WSPOOL_TOKEN_COOKIE,
        WSPOOL_TOKEN_QUERY};
    static const struct {
        const char *target, *headers;
        enum wspool_token_place found;
        unsigned blank;
    } cases[] = {
        {"/", "X: y", WSPOOL_TOKEN_NONE, 0},
        {"/", "Authorization: Bearer t", WSPOOL_TOKEN_AUTHORIZATION, 0},
        {"/?token=t", "Authorization: Bearer", WSPOOL_TOKEN_QUERY,
         1u << WSPOOL_TOKEN_AUTHORIZATION},
        {"/?token=", "Cookie: wspool_token=", WSPOOL_TOKEN_NONE,
         1u << WSPOOL_TOKEN_COOKIE | 1u << WSPOOL_TOKEN_QUERY},
        {"/", "Authorization: Bearer b a d", WSPOOL_TOKEN_AUTHORIZATION, 0},
        {"/?token=a&token=b", "X: y", WSPOOL_TOKEN_QUERY, 0},
    };
    char room[WSPOOL_TOKEN_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_request r;
        struct wsp_token_search search = {0};
        wspool_text token = {NULL, 0};
        assert_true(request_make(&r, REQUEST_PARSED, cases[i].target, cases[i].headers));
        (void)wsp_token_find(headers_of(&r.request), all, 1, room, &token, &search);
        assert_int_equal(search.done, 1);
        assert_int_equal(search.found, cases[i].found);
        assert_int_equal(search.blank, cases[i].blank);
        request_free(&r);
    }
}
