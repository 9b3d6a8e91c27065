/* SPDX-License-Identifier: MIT */
/*
 * unit/test_origin.c - policy/origin.h: which Origin may connect.
 *
 * A page of the same host and a page on the allow list may. The tables hold the attempts to look
 * like one of them: other ports, schemes, userinfo, dots, prefixes and suffixes. The last test
 * changes, removes and adds every byte of an allowed origin.
 */
#include "request.h"

#include <stdio.h>

#include <wspool/error.h>

#include "base/mem.h"
#include "policy/origin.h"

static int admits(const struct wsp_origins *origins, const char *headers)
{
    int form, admitted = -1;

    for (form = 0; form < REQUEST_FORMS; form++) {
        struct test_request r;
        int answer;

        if (!request_make(&r, form, "/", headers)) {
            continue;
        }
        answer = wsp_origins_judge(origins, headers_of(&r.request)) != WSP_ORIGIN_STRANGE;
        request_free(&r);
        if (admitted != -1 && answer != admitted) {
            fail_msg("form %d differs: %s", form, headers);
        }
        admitted = answer;
    }
    return admitted;
}

/* Returns 1 if the list allows this Origin. The Host is another one. */
static int allows(const struct wsp_origins *origins, const char *origin)
{
    char headers[4096];

    snprintf(headers, sizeof(headers), "Host: elsewhere.example\nOrigin: %s", origin);
    return admits(origins, headers);
}

TEST(same_host_is_admitted)
{
    static const struct {
        const char *origin, *host;
        int admitted;
    } cases[] = {
        {"http://a.example", "a.example", 1},
        {"https://a.example", "a.example", 1}, /* TLS may end in front of the server */
        {"http://a.example", "a.example:80", 1},
        {"http://a.example:80", "a.example", 1},
        {"https://a.example", "a.example:443", 1},
        {"https://a.example:443", "a.example", 1},
        {"http://a.example:8080", "a.example:8080", 1},
        {"https://a.example:8080", "a.example:8080", 1},
        {"ws://a.example", "a.example:80", 1},
        {"wss://a.example", "a.example:443", 1},
        {"http://A.Example", "a.eXAMPLE", 1},
        {"HTTP://a.example", "a.example", 1},
        {"http://localhost:9001", "localhost:9001", 1},
        {"http://127.0.0.1:9001", "127.0.0.1:9001", 1},
        {"http://[::1]:9001", "[::1]:9001", 1},
        {"http://[2001:DB8::1]", "[2001:db8::1]", 1},
        {"http://[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]:80", 1},
        {"http://a_b.example", "a_b.example", 1},
        {"http://xn--4ca.example", "xn--4ca.example", 1},
        {"http://a.example.", "a.example.", 1},
        {"app+x.y-1://a.example:7", "a.example:7", 1},

        {"http://b.example", "a.example", 0},
        {"http://a.example", "b.example", 0},
        {"http://a.example.evil.example", "a.example", 0},
        {"http://evil-a.example", "a.example", 0},
        {"http://evil.a.example", "a.example", 0},
        {"http://example", "a.example", 0},
        {"http://a.exampl", "a.example", 0},
        {"http://a.examples", "a.example", 0},
        {"http://a.example.", "a.example", 0},
        {"http://a.example", "a.example.", 0},
        {"http://aXexample", "a.example", 0}, /* a dot is not a pattern */
        {"http://a.example:8080", "a.example", 0},
        {"http://a.example", "a.example:8080", 0},
        {"http://a.example:8080", "a.example:8081", 0},
        {"https://a.example", "a.example:80", 0},
        {"http://a.example", "a.example:443", 0},
        {"http://a.example:443", "a.example", 0},
        {"http://localhost", "127.0.0.1", 0}, /* loopback names are not treated as equal */
        {"http://127.0.0.1", "localhost", 0},
        {"http://[::1]", "127.0.0.1", 0},
        {"http://[::1]", "localhost", 0},
        {"http://[::1]:9001", "[::1]:9002", 0},
        {"http://[::2]", "[::1]", 0},
        {"http://::1", "::1", 0},
        {"http://::1:80", "::1:80", 0},
        {"http://[::1", "[::1", 0},
        {"http://[::1]x", "[::1]x", 0},
        {"http://[::1]x80", "[::1]", 0},
        {"http://[::1]80", "[::1]", 0},
        {"http://[::1]", "[::1]x80", 0},
        {"http://[]", "[]", 0},
        {"http://[::1%25lo]", "[::1%25lo]", 0},
        {"http://[a.example]", "[a.example]", 0},

        {"null", "a.example", 0},
        {"null", "null", 0},
        {"NULL", "null", 0},
        {"http://null", "a.example", 0},
        {"", "a.example", 0},
        {"a.example", "a.example", 0},
        {"//a.example", "a.example", 0},
        {"://a.example", "a.example", 0},
        {":a.example", "a.example", 0},
        {"http:a.example", "a.example", 0},
        {"http:/a.example", "a.example", 0},
        {"http:///a.example", "a.example", 0},
        {"http//a.example", "a.example", 0},
        {"http", "http", 0},
        {"http:", "a.example", 0},
        {"http:/", "a.example", 0},
        {"http://", "a.example", 0},
        {"http://:80", ":80", 0},
        {"1http://a.example:80", "a.example", 0},
        {"ht tp://a.example:80", "a.example:80", 0},
        {"ht_tp://a.example:80", "a.example:80", 0},
        {"-x://a.example:80", "a.example:80", 0},
        {"file://", "a.example", 0},
        {"file:///etc", "a.example", 0},
        {"app://a.example", "a.example", 0}, /* the scheme has no known port */
        {"https+x://a.example", "a.example", 0},
        {"http://a.example/", "a.example", 0},
        {"http://a.example/b", "a.example", 0},
        {"http://a.example?b", "a.example", 0},
        {"http://a.example#b", "a.example", 0},
        {"http://a.example\\b", "a.example", 0},
        {"http://u@a.example", "a.example", 0},
        {"http://a.example@b.example", "b.example", 0},
        {"http://a.example@b.example", "a.example", 0},
        {"http://u:p@a.example", "a.example", 0},
        {"http://a.example:80@b.example", "a.example", 0},
        {"http://a.example b", "a.example", 0},
        {"http://a.example http://b.example", "a.example", 0},
        {"http://b.example http://a.example", "a.example", 0},
        {"http://a.example, http://b.example", "a.example", 0},
        {"http://a.example,", "a.example", 0},
        {"http://*", "a.example", 0},
        {"http://*.example", "a.example", 0},
        {"*", "a.example", 0},
        {"http://a%2eexample", "a.example", 0},
        {"http://\xc3\xa4.example", "\xc3\xa4.example", 0},
        {"\"http://a.example\"", "a.example", 0},
        {"<http://a.example>", "a.example", 0},

        {"http://a.example:", "a.example", 0},
        {"http://a.example:0", "a.example:0", 0},
        {"http://a.example:080", "a.example", 0},
        {"http://a.example:00080", "a.example", 0},
        {"http://a.example:+80", "a.example", 0},
        {"http://a.example:-80", "a.example", 0},
        {"http://a.example: 80", "a.example", 0},
        {"http://a.example:80 80", "a.example", 0},
        {"http://a.example:80:80", "a.example", 0},
        {"http://a.example:8a", "a.example:8a", 0},
        {"http://a.example:a", "a.example:a", 0},
        {"http://a.example:0x50", "a.example", 0},
        {"http://a.example:65535", "a.example:65535", 1},
        {"http://a.example:65536", "a.example:65536", 0},
        {"http://a.example:65616", "a.example", 0}, /* 80, if it wrapped */
        {"http://a.example:99999", "a.example:99999", 0},
        {"http://a.example:100000", "a.example:100000", 0},
        {"http://a.example:4294967376", "a.example", 0},
        {"http://a.example:18446744073709551696", "a.example", 0},
        {"http://a.example:1", "a.example:1", 1},

        {"http://a.example", "a.example:", 0},
        {"http://a.example", "a.example:080", 0},
        {"http://a.example", "a.example:+80", 0},
        {"http://a.example", "a.example:80:80", 0},
        {"http://a.example", "a.example:65616", 0},
        {"http://a.example", "a.example/", 0},
        {"http://a.example", "a.example, a.example", 0},
        {"http://a.example", "http://a.example", 0},
        {"http://a.example", "u@a.example", 0},
        {"http://a.example", "", 0},
    };
    struct wsp_origins origins;
    size_t i;

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, NULL), 0);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char headers[512];

        snprintf(headers, sizeof(headers), "Host: %s\nOrigin: %s", cases[i].host, cases[i].origin);
        if (admits(&origins, headers) != cases[i].admitted) {
            fail_msg("origin %s at host %s", cases[i].origin, cases[i].host);
        }
    }
    wsp_origins_fini(&origins, &wsp_mem_default);
}

TEST(request_without_origin_is_admitted_unless_it_has_a_cookie)
{
    static const char *const list[] = {"https://good.example", NULL};
    struct wsp_origins origins;
    int with_list;

    for (with_list = 0; with_list < 2; with_list++) {
        assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, with_list ? list : NULL), 0);
        assert_int_equal(admits(&origins, "Host: a"), 1);
        assert_int_equal(admits(&origins, "Host: a\nAuthorization: Bearer x"), 1);
        assert_int_equal(admits(&origins, "Host: a\nCookie: a=b"), 0);
        assert_int_equal(admits(&origins, "Host: a\nCOOKIE:"), 0);
        assert_int_equal(admits(&origins, "Host: a\nCookie: a=b\nCookie: c=d"), 0);
        assert_int_equal(admits(&origins, "Host: a\nOrigin: http://a\nCookie: a=b"), 1);
        assert_int_equal(admits(&origins, "Host: a\nOrigin:"), 0);
        assert_int_equal(admits(&origins, ""), 1);
        wsp_origins_fini(&origins, &wsp_mem_default);
    }
}

TEST(two_of_a_header_are_refused)
{
    struct wsp_origins origins;
    static const char *const list[] = {"http://a", NULL};

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, NULL), 0);
    assert_int_equal(admits(&origins, "Host: a\nOrigin: http://a\nOrigin: http://a"), 0);
    assert_int_equal(admits(&origins, "Host: a\nOrigin: http://a\norigin: http://b"), 0);
    assert_int_equal(admits(&origins, "Host: a\nHost: a\nOrigin: http://a"), 0);
    assert_int_equal(admits(&origins, "Origin: http://a"), 0);
    wsp_origins_fini(&origins, &wsp_mem_default);

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, list), 0);
    assert_int_equal(admits(&origins, "Host: b\nOrigin: http://a"), 1);
    assert_int_equal(admits(&origins, "Host: b\nOrigin: http://a\nOrigin: http://a"), 0);
    wsp_origins_fini(&origins, &wsp_mem_default);
}

TEST(listed_origin_is_admitted)
{
    static const char *const list[] = {"https://good.example",       "http://Dev.Example:3000",
                                       "HTTPS://[2001:DB8::1]:8443", "app://com.example:1",
                                       "https://dot.example.",       NULL};
    static const struct {
        const char *origin;
        int admitted;
    } cases[] = {
        {"https://good.example", 1},
        {"https://good.example:443", 1},
        {"HTTPS://GOOD.example", 1},
        {"http://dev.example:3000", 1},
        {"https://[2001:db8::1]:8443", 1},
        {"app://com.example:1", 1},
        {"https://dot.example.", 1},
        {"http://good.example", 0}, /* in the list the scheme counts */
        {"wss://good.example", 0},  /* even with the same port */
        {"http://good.example:443", 0},
        {"https://good.example:444", 0},
        {"https://good.example:80", 0},
        {"https://good.example.", 0},
        {"https://dot.example", 0},
        {"https://good.example.evil.example", 0},
        {"https://evilgood.example", 0},
        {"https://x.good.example", 0},
        {"https://goodXexample", 0},
        {"https://good.example/", 0},
        {"https://good.example@evil.example", 0},
        {"https://evil.example/https://good.example", 0},
        {"http://dev.example", 0},
        {"https://dev.example:3000", 0},
        {"http://dev.example:30000", 0},
        {"http://dev.example:300", 0},
        {"https://[2001:db8::1]", 0},
        {"https://[2001:db8::2]:8443", 0},
        {"https://2001:db8::1:8443", 0},
        {"app://com.example", 0},
        {"null", 0},
        {"", 0},
        {"https://good.example https://good.example", 0},
    };
    struct wsp_origins origins;
    size_t i;

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, list), 0);
    assert_int_equal(origins.count, 5);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (allows(&origins, cases[i].origin) != cases[i].admitted) {
            fail_msg("origin %s", cases[i].origin);
        }
    }
    /* the same host is still allowed */
    assert_int_equal(admits(&origins, "Host: b.example\nOrigin: http://b.example"), 1);
    wsp_origins_fini(&origins, &wsp_mem_default);
}

TEST(list_with_a_bad_entry_is_refused)
{
    static const char *const bad[] = {
        "",
        "*",
        "a.example",
        "https://",
        "https://a.example/",
        "https://a.example/b",
        "https://*",
        "https://*.",
        "https://*.*.a.example",
        "https://a.*.example",
        "https://a*.example",
        "https://*.0.0.1",
        "https://*.[::1]",
        "*.a.example",
        "NULL",
        "file:///",
        "https://a.example:*",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:0443",
        "https://a.example:65536",
        "https://a.example:+443",
        "https://u@a.example",
        "https://a.example?",
        "https://a.example#",
        "https://a example",
        " https://a.example",
        "https://a.example ",
        "https://[::1",
        "https://[::g]",
        "https://[1]",
        "https://::1",
        "app://a.example/",
        "://a.example",
        "https//a.example",
        "https:a.example",
        "https://a.example,https://b.example",
    };
    size_t i, place;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (place = 0; place < 3; place++) {
            const char *list[4] = {"https://one.example", "https://two.example",
                                   "https://three.example", NULL};
            struct test_mem mem = {0};
            wspool_mem hooks = test_mem_hooks(&mem);
            struct wsp_origins origins;

            list[place] = bad[i];
            memset(&origins, 0x5a, sizeof(origins));
            if (wsp_origins_init(&origins, &hooks, list) != WSPOOL_ERR_INVAL) {
                fail_msg("\"%s\" was taken", bad[i]);
            }
            assert_int_equal(mem.live, 0);
            assert_int_equal(mem.failures, 0);
            assert_null(origins.list);
            assert_int_equal(origins.count, 0);
        }
    }
}

TEST(list_is_a_copy)
{
    char one[] = "https://good.example";
    const char *list[] = {one, NULL};
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_origins origins;

    assert_int_equal(wsp_origins_init(&origins, &hooks, list), 0);
    memset(one, 'x', sizeof(one));
    list[0] = NULL;
    assert_int_equal(allows(&origins, "https://good.example"), 1);
    wsp_origins_fini(&origins, &hooks);
    assert_int_equal(mem.live, 0);
    wsp_origins_fini(&origins, &hooks); /* there is nothing left to free */
}

TEST(empty_list_holds_no_memory)
{
    static const char *const empty[] = {NULL};
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_origins origins;

    assert_int_equal(wsp_origins_init(&origins, &hooks, empty), 0);
    assert_int_equal(mem.calls, 0);
    assert_int_equal(allows(&origins, "https://good.example"), 0);
    wsp_origins_fini(&origins, &hooks);
}

TEST(list_survives_every_failing_allocation)
{
    static const char *const list[] = {"https://a.example", "https://b.example:1",
                                       "https://c.example", NULL};
    size_t n, failed = 0;

    for (n = 1;; n++) {
        struct test_mem mem = {.fail_at = n};
        wspool_mem hooks = test_mem_hooks(&mem);
        struct wsp_origins origins;
        int rc;

        memset(&origins, 0x5a, sizeof(origins));
        rc = wsp_origins_init(&origins, &hooks, list);
        if (mem.failures == 0) {
            assert_int_equal(rc, 0);
            assert_int_equal(allows(&origins, "https://b.example:1"), 1);
            assert_int_equal(allows(&origins, "https://c.example"), 1);
            wsp_origins_fini(&origins, &hooks);
            assert_int_equal(mem.live, 0);
            break;
        }
        assert_int_equal(rc, WSPOOL_ERR_NOMEM);
        assert_int_equal(mem.live, 0);
        assert_null(origins.list);
        assert_int_equal(origins.count, 0);
        failed++;
    }
    assert_true(failed >= 2);
}

TEST(origin_is_trusted_when_it_is_of_the_host_or_listed)
{
    static const char *const list[] = {"https://good.example", NULL};
    static const struct {
        const char *headers;
        enum wsp_origin_kind kind;
    } cases[] = {
        {"Host: a", WSP_ORIGIN_ABSENT},
        {"Host: a\nCookie: a=b", WSP_ORIGIN_STRANGE},
        {"Host: a\nOrigin: http://a\nCookie: a=b", WSP_ORIGIN_TRUSTED},
        {"Host: a\nOrigin: https://good.example", WSP_ORIGIN_TRUSTED},
        {"Host: a\nOrigin: https://evil.example", WSP_ORIGIN_STRANGE},
        {"Host: a\nOrigin: null", WSP_ORIGIN_STRANGE},
    };
    struct wsp_origins origins;

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, list), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct test_request r;
        assert_true(request_make(&r, REQUEST_PARSED, "/", cases[i].headers));
        assert_int_equal(wsp_origins_judge(&origins, headers_of(&r.request)), cases[i].kind);
        request_free(&r);
    }
    wsp_origins_fini(&origins, &wsp_mem_default);
}

/* RFC 9112, section 3.2.2. */
TEST(authority_of_the_target_replaces_host)
{
    struct wsp_origins origins;
    struct test_request r;
    struct wsp_headers headers;

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, NULL), 0);
    assert_true(request_make(&r, REQUEST_PARSED, "/", "Host: a.example\nOrigin: http://b.example"));
    wsp_headers_find(&headers, &r.request);
    assert_int_equal(wsp_origins_judge(&origins, &headers), WSP_ORIGIN_STRANGE);
    headers.authority = (wspool_text){"b.example:80", 12};
    assert_int_equal(wsp_origins_judge(&origins, &headers), WSP_ORIGIN_TRUSTED);
    headers.authority = (wspool_text){"b.example:81", 12};
    assert_int_equal(wsp_origins_judge(&origins, &headers), WSP_ORIGIN_STRANGE);
    request_free(&r);
    wsp_origins_fini(&origins, &wsp_mem_default);
}

TEST(opaque_origin_is_admitted_when_it_is_listed)
{
    static const char *const list[] = {"chrome-extension://abcdefghijklmnop",
                                       "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
                                       "capacitor://localhost",
                                       "app://obsidian.md",
                                       "vscode-webview://1a2b3c",
                                       "file://",
                                       "null",
                                       NULL};
    static const char *const others[] = {"chrome-extension://abcdefghijklmno",
                                         "chrome-extension://abcdefghijklmnopq",
                                         "moz-extension://abcdefghijklmnop",
                                         "capacitor://localhost:80",
                                         "capacitor://",
                                         "app://obsidian.md.evil",
                                         "app://",
                                         "files://",
                                         "file:///",
                                         "file://localhost",
                                         "http://null",
                                         "null://",
                                         "NULL",
                                         "nul",
                                         "nulls",
                                         "null null"};
    struct wsp_origins origins;

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, list), 0);
    assert_int_equal(wsp_origins_check(&origins), 1);
    for (size_t i = 0; list[i]; i++) {
        if (!allows(&origins, list[i])) {
            fail_msg("%s is refused", list[i]);
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (allows(&origins, others[i])) {
            fail_msg("%s is admitted", others[i]);
        }
    }
    wsp_origins_fini(&origins, &wsp_mem_default);
    /* It is never that of the same host. */
    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, NULL), 0);
    assert_int_equal(admits(&origins, "Host: localhost\nOrigin: capacitor://localhost"), 0);
    assert_int_equal(admits(&origins, "Host: null\nOrigin: null"), 0);
    wsp_origins_fini(&origins, &wsp_mem_default);
}

TEST(pattern_stands_for_one_or_more_labels)
{
    static const char *const list[] = {"https://*.example.com", "http://*.b.example:8080",
                                       "app://*.x", NULL};
    static const struct {
        const char *origin;
        int admitted;
    } cases[] = {
        {"https://a.example.com", 1},
        {"https://a.example.com:443", 1},
        {"https://a.b.example.com", 1},
        {"HTTPS://A.Example.COM", 1},
        {"http://a.b.example:8080", 1},
        {"app://y.x", 1},
        {"https://example.com", 0},
        {"https://.example.com", 0},
        {"https://evilexample.com", 0},
        {"https://a.example.com.evil.example", 0},
        {"https://a.example.comx", 0},
        {"https://a.example.com:444", 0},
        {"http://a.example.com", 0},
        {"https://*.example.com", 0},
        {"https://a.example.com.", 0},
        {"https://evil.example/.example.com", 0},
        {"https://evil.example@a.example.com", 0},
        {"http://a.b.example", 0},
        {"app://x", 0},
    };
    struct wsp_origins origins;

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, list), 0);
    assert_int_equal(wsp_origins_check(&origins), 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (allows(&origins, cases[i].origin) != cases[i].admitted) {
            fail_msg("origin %s", cases[i].origin);
        }
    }
    wsp_origins_fini(&origins, &wsp_mem_default);
}

static int is_ours(const struct wsp_origins *hosts, const char *host)
{
    wspool_header header = {{"Host", 4}, {host, strlen(host)}};
    wspool_request request = {.headers = &header, .header_count = 1};

    return wsp_hosts_admit(hosts, headers_of(&request));
}

TEST(host_is_admitted_when_it_is_listed)
{
    static const char *const list[] = {"localhost",      "127.0.0.1",   "[::1]",
                                       "a.example:9001", "*.b.example", NULL};
    static const char *const ours[] = {"localhost",      "LocalHost:80", "localhost:9001",
                                       "127.0.0.1:1",    "[::1]",        "[::1]:9001",
                                       "a.example:9001", "x.b.example",  "x.y.b.example:7"};
    static const char *const others[] = {"evil.example",
                                         "localhost.",
                                         "localhost.evil.example",
                                         "127.0.0.2",
                                         "[::2]",
                                         "a.example",
                                         "a.example:80",
                                         "b.example",
                                         "xb.example",
                                         "",
                                         "localhost:",
                                         "localhost:0",
                                         "localhost:x",
                                         "u@localhost",
                                         "localhost,evil"};
    struct wsp_origins hosts;
    struct wsp_headers headers;
    wspool_request none = {.header_count = 0};

    assert_int_equal(wsp_hosts_init(&hosts, &wsp_mem_default, list), 0);
    assert_int_equal(wsp_hosts_check(&hosts), 1);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (!is_ours(&hosts, ours[i])) {
            fail_msg("%s is refused", ours[i]);
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (is_ours(&hosts, others[i])) {
            fail_msg("%s is admitted", others[i]);
        }
    }
    wsp_headers_find(&headers, &none);
    assert_int_equal(wsp_hosts_admit(&hosts, &headers), 0);
    headers.authority = (wspool_text){"localhost", 9};
    assert_int_equal(wsp_hosts_admit(&hosts, &headers), 1);
    wsp_origins_fini(&hosts, &wsp_mem_default);
    /* Without a list: any. */
    assert_int_equal(wsp_hosts_init(&hosts, &wsp_mem_default, NULL), 0);
    assert_int_equal(is_ours(&hosts, "evil.example"), 1);
    wsp_origins_fini(&hosts, &wsp_mem_default);
}

TEST(list_of_hosts_with_a_bad_entry_is_refused)
{
    static const char *const bad[] = {"",    "*",       "*.",  "http://a", "a/b",   "u@a",
                                      "a:",  "a:0",     "a:b", "a:65536",  "*.*.a", "*.0.0.1",
                                      "*.1", "*.[::1]", "a.*", "a b"};
    static const char *const empty[] = {NULL};
    struct wsp_origins hosts;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *list[] = {"good.example", bad[i], NULL};
        if (wsp_hosts_init(&hosts, &wsp_mem_default, list) != WSPOOL_ERR_INVAL) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_null(hosts.list);
    }
    assert_int_equal(wsp_hosts_init(&hosts, &wsp_mem_default, empty), WSPOOL_ERR_INVAL);
}

/* One byte added, removed or changed in an allowed origin makes a different origin. */
TEST(every_changed_byte_makes_another_origin)
{
    static const char good[] = "https://good.example:8443";
    static const char *const list[] = {good, NULL};
    struct wsp_origins origins;
    char text[sizeof(good) + 2];
    size_t i;
    int c;

    assert_int_equal(wsp_origins_init(&origins, &wsp_mem_default, list), 0);
    for (i = 0; i + 1 < sizeof(good); i++) {
        wspool_header headers[2] = {{{"Host", 4}, {"a", 1}}, {{"Origin", 6}, {text, 0}}};
        wspool_request request = {.headers = headers, .header_count = 2};

        memcpy(text, good, i); /* without byte i */
        memcpy(text + i, good + i + 1, sizeof(good) - i - 1);
        headers[1].value.len = sizeof(good) - 2;
        assert_int_equal(wsp_origins_judge(&origins, headers_of(&request)), WSP_ORIGIN_STRANGE);
        headers[1].value.data = good; /* only the first i bytes */
        headers[1].value.len = i;
        assert_int_equal(wsp_origins_judge(&origins, headers_of(&request)), WSP_ORIGIN_STRANGE);
        headers[1].value.data = text;
        for (c = 0; c < 256; c++) {
            int letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

            memcpy(text, good, sizeof(good)); /* another byte i */
            text[i] = (char)c;
            headers[1].value.len = sizeof(good) - 1;
            assert_int_equal(wsp_origins_judge(&origins, headers_of(&request)) !=
                                 WSP_ORIGIN_STRANGE,
                             c == good[i] || (letter && (c | 32) == good[i]));
            memcpy(text, good, i); /* one more byte before it */
            text[i] = (char)c;
            memcpy(text + i + 1, good + i, sizeof(good) - i);
            headers[1].value.len = sizeof(good);
            assert_int_equal(wsp_origins_judge(&origins, headers_of(&request)), WSP_ORIGIN_STRANGE);
        }
    }
    wsp_origins_fini(&origins, &wsp_mem_default);
}
