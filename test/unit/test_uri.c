/* SPDX-License-Identifier: MIT */
/*
 * unit/test_uri.c - wire/uri.h: splitting targets, decoding escapes, finding query parameters.
 *
 * Inputs and outputs end at an inaccessible page, and each prefix of a query is tried.
 */
#include "guard.h"

#include "wire/uri.h"

static struct guard guard, room;

static wspool_text at_end(const char *string)
{
    wspool_text text = {guard_at_end(&guard, string, strlen(string)), strlen(string)};

    return text;
}

static wspool_text at_start(const char *string)
{
    wspool_text text = {guard_at_start(&guard, string, strlen(string)), strlen(string)};

    return text;
}

static void assert_text(wspool_text text, const char *expected)
{
    if (text.len != strlen(expected) || memcmp(text.data, expected, text.len) != 0) {
        fail_msg("\"%.*s\" instead of \"%s\"", (int)text.len, text.data, expected);
    }
}

TEST(split_gives_path_and_query)
{
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        {"/", "/", ""},
        {"/a/b", "/a/b", ""},
        {"/a?", "/a", ""},
        {"/a?b=c", "/a", "b=c"},
        {"/?b", "/", "b"},
        {"/a?b?c", "/a", "b?c"},
        {"/a?/b", "/a", "/b"},
        {"//a", "//a", ""},
        {"/%00%zz", "/%00%zz", ""},
        {"/a?b=%26&c", "/a", "b=%26&c"},
        {"/~!$&'()*+,;=:@", "/~!$&'()*+,;=:@", ""},
        {"/http://a/b", "/http://a/b", ""},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wspool_text target = at_end(cases[i].target);
        struct wsp_target parts;

        assert_int_equal(wsp_uri_split(target, &parts), 0);
        assert_text(parts.path, cases[i].path);
        assert_text(parts.query, cases[i].query);
        assert_int_equal(parts.authority.len, 0);
        assert_ptr_equal(parts.path.data, target.data);
        assert_true(parts.query.data + parts.query.len == target.data + target.len);
        assert_int_equal(wsp_uri_split(at_start(cases[i].target), &parts), 0);
        assert_text(parts.path, cases[i].path);
        assert_text(parts.query, cases[i].query);
    }
}

/* RFC 9112, section 3.2.2. */
TEST(split_gives_the_authority_of_the_absolute_form)
{
    static const struct {
        const char *target, *authority, *path, *query;
    } cases[] = {
        {"http://a.example/b?c=d", "a.example", "/b", "c=d"},
        {"https://a.example:8443/", "a.example:8443", "/", ""},
        {"ws://[::1]:80/b", "[::1]:80", "/b", ""},
        {"wss://a/b/c", "a", "/b/c", ""},
        {"HTTP://A.Example/b", "A.Example", "/b", ""},
        {"http://a.example", "a.example", "/", ""}, /* section 3.2.1: an empty path is "/" */
        {"http://a.example?b", "a.example", "/", "b"},
        {"http://a.example?b/c", "a.example", "/", "b/c"},
        {"http://a//b", "a", "//b", ""},
        {"http://u@a/b", "u@a", "/b", ""}, /* for the check of the host */
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wsp_target parts;

        assert_int_equal(wsp_uri_split(at_end(cases[i].target), &parts), 0);
        assert_text(parts.authority, cases[i].authority);
        assert_text(parts.path, cases[i].path);
        assert_text(parts.query, cases[i].query);
        assert_int_equal(wsp_uri_split(at_start(cases[i].target), &parts), 0);
        assert_text(parts.authority, cases[i].authority);
    }
}

TEST(split_refuses_every_other_form)
{
    static const char *const cases[] = {"",
                                        "*",
                                        "a",
                                        "a/b",
                                        "?a=b",
                                        "http:",
                                        "#",
                                        "/#",
                                        "http:/a",
                                        "http://",
                                        "http:///",
                                        "http://?a",
                                        "http//a/",
                                        "://a/",
                                        "ftp://a/",
                                        "httpx://",
                                        "http:a://",
                                        "h://a/",
                                        "http://a#",
                                        "http://a/#",
                                        "a.example:80",
                                        "/a b",
                                        "/a\tb",
                                        "/a?b c",
                                        "/a?b#c",
                                        "/\x01",
                                        "/\x1f",
                                        "/\x7f",
                                        "/\x80",
                                        "/\xff",
                                        "/a?\xc3\xa4",
                                        " /",
                                        "/a ",
                                        "/a\r",
                                        "/a\n",
                                        "\\a",
                                        "http://a b/"};
    wspool_text text = {NULL, 0};
    struct wsp_target parts;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (wsp_uri_split(at_end(cases[i]), &parts) != -1 ||
            wsp_uri_split(at_start(cases[i]), &parts) != -1) {
            fail_msg("\"%s\" was taken", cases[i]);
        }
    }
    assert_int_equal(wsp_uri_split(text, &parts), -1);
    text.data = guard_at_end(&guard, "/a\0b", 4);
    text.len = 4;
    assert_int_equal(wsp_uri_split(text, &parts), -1);
}

/* Decodes into a buffer of `max` bytes that ends at an inaccessible page. */
static int decode(wspool_text text, size_t max, char **out)
{
    *out = guard_room_at_end(&room, max);
    memset(*out, '?', max);
    return wsp_uri_decode(text, *out, max);
}

TEST(decode_turns_escapes_into_bytes)
{
    static const struct {
        const char *raw, *decoded;
        int len;
    } cases[] = {
        {"", "", 0},
        {"abc", "abc", 3},
        {"a+b", "a+b", 3},
        {"%41", "A", 1},
        {"a%20b", "a b", 3},
        {"%2F%2f", "//", 2},
        {"%c3%A4", "\xc3\xa4", 2},
        {"%00", "\0", 1},
        {"%ff%FF", "\xff\xff", 2},
        {"%25", "%", 1},
        {"%2541", "%41", 3}, /* once, not twice */
        {"%09%0a%0d%1F%7f%80", "\t\n\r\x1f\x7f\x80", 6},
        {"%5a%5A%a9%9a", "ZZ\xa9\x9a", 4},
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = (size_t)cases[i].len;
        char *out;

        assert_int_equal(decode(at_end(cases[i].raw), len, &out), cases[i].len);
        assert_memory_equal(out, cases[i].decoded, len);
        assert_int_equal(decode(at_start(cases[i].raw), len + 7, &out), cases[i].len);
        assert_memory_equal(out, cases[i].decoded, len);
        if (len > 0) {
            assert_int_equal(decode(at_end(cases[i].raw), len - 1, &out), -1);
        }
    }
}

TEST(decode_refuses_broken_escapes)
{
    static const char *const cases[] = {"%",   "%4",  "a%",  "a%4",    "%%41", "%4%",  "%g0", "%0g",
                                        "%+1", "%-1", "% 1", "%1 ",    "%0x",  "%x0",  "%/0", "%:0",
                                        "%@0", "%G0", "%`0", "%u0041", "%41%", "%41%4"};
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *out;

        if (decode(at_end(cases[i]), 64, &out) != -1 ||
            decode(at_start(cases[i]), 64, &out) != -1) {
            fail_msg("\"%s\" was taken", cases[i]);
        }
    }
}

TEST(decode_knows_every_pair_of_bytes)
{
    static const char digits[] = "0123456789abcdef";
    int high, low;

    for (high = 0; high < 256; high++) {
        for (low = 0; low < 256; low++) {
            char raw[3] = {'%', (char)high, (char)low};
            const char *a =
                high ? strchr(digits, high >= 'A' && high <= 'F' ? high + 32 : high) : NULL;
            const char *b = low ? strchr(digits, low >= 'A' && low <= 'F' ? low + 32 : low) : NULL;
            wspool_text text = {guard_at_end(&guard, raw, 3), 3};
            char *out;

            if (!a || !b) {
                assert_int_equal(decode(text, 8, &out), -1);
            } else {
                assert_int_equal(decode(text, 8, &out), 1);
                assert_int_equal((unsigned char)out[0], (a - digits) * 16 + (b - digits));
            }
        }
    }
}

TEST(parameter_gives_the_first_of_that_name)
{
    static const struct {
        const char *query, *name, *value; /* NULL: there is none */
    } cases[] = {
        {"", "a", NULL},
        {"a", "a", ""},
        {"a=", "a", ""},
        {"a=b", "a", "b"},
        {"a=b&c=d", "a", "b"},
        {"a=b&c=d", "c", "d"},
        {"a=b&c", "c", ""},
        {"a=b&c&d=e", "c", ""},
        {"a=1&a=2", "a", "1"},
        {"a&a=2", "a", ""},
        {"a=b=c", "a", "b=c"},
        {"a=b;c=d", "a", "b;c=d"},
        {"a=b;c=d", "c", NULL},
        {"&&a=b&&", "a", "b"},
        {"=b&a=c", "a", "c"},
        {"=b", "", "b"},
        {"ab=c", "a", NULL},
        {"a=b", "ab", NULL},
        {"ba=c", "a", NULL},
        {"A=b", "a", NULL},
        {"%61=b", "a", NULL},
        {"b=a=1", "a", NULL},
        {"x=1&token=t%41", "token", "t%41"},
        {"toke=1&tokens=2", "token", NULL},
    };
    wspool_text value, query = {NULL, 0};
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int expected = cases[i].value != NULL;

        assert_int_equal(wsp_uri_parameter(at_end(cases[i].query), cases[i].name, &value),
                         expected);
        if (expected) {
            assert_text(value, cases[i].value);
        }
        assert_int_equal(wsp_uri_parameter(at_start(cases[i].query), cases[i].name, &value),
                         expected);
        if (expected) {
            assert_text(value, cases[i].value);
        }
    }
    assert_int_equal(wsp_uri_parameter(query, "a", &value), 0);
}

/* For each prefix of a query the result is a value or none; nothing behind it is read. */
TEST(parameter_reads_no_prefix_too_far)
{
    static const char query[] = "a=1&bb=22&token=abc%20def&c";
    size_t len;

    for (len = 0; len < sizeof(query); len++) {
        wspool_text text = {guard_at_end(&guard, query, len), len}, value;
        int found = wsp_uri_parameter(text, "token", &value);

        assert_int_equal(found, len >= 15);
        if (found) {
            assert_int_equal(value.len, len < 16 ? 0 : len < 26 ? len - 16 : 9);
        }
    }
}

BEFORE_ALL
{
    guard_open(&guard, 4096);
    guard_open(&room, 4096);
}
