/* SPDX-License-Identifier: MIT */
/*
 * unit/test_headers.c - wire/headers.h: finding headers, counting them, and splitting lists.
 *
 * Every known name is looked up in both cases, and with bytes changed. Texts end at an inaccessible
 * page. A list of 8 MiB shows that a walk over its elements is linear.
 */
#include "guard.h"

#include <ctype.h>
#include <stdio.h>

#include "wire/headers.h"

static const char *const names[WSP_HEADER_COUNT] = {
#define WSP_X(name, string) [WSP_HEADER_##name] = string,
    WSP_HEADERS(WSP_X)
#undef WSP_X
};

static struct guard guard;

static wspool_header header(const char *name, const char *value)
{
    return (wspool_header){{name, strlen(name)}, {value, strlen(value)}};
}

static void assert_text(wspool_text text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

/* Returns the header that is found when only a header of that name is there. The name ends at
 * the inaccessible page. */
static enum wsp_header found_as(const char *name, size_t len)
{
    wspool_header one = {{guard_at_end(&guard, name, len), len}, {"v", 1}};
    wspool_request request = {.headers = &one, .header_count = 1};
    struct wsp_headers headers;
    enum wsp_header found = WSP_HEADER_OTHER;
    int each;

    wsp_headers_find(&headers, &request);
    for (each = 1; each < WSP_HEADER_COUNT; each++) {
        wspool_text value;
        int there = wsp_headers_only(&headers, (enum wsp_header)each, &value);

        assert_int_equal(there, headers.first[each] == &one);
        if (there) {
            assert_int_equal(found, WSP_HEADER_OTHER); /* a name is not two headers */
            found = (enum wsp_header)each;
        }
    }
    return found;
}

TEST(name_is_found_in_any_case_and_no_other_is)
{
    int each, c;

    for (each = 1; each < WSP_HEADER_COUNT; each++) {
        size_t len = strlen(names[each]), i;
        char name[64];

        snprintf(name, sizeof(name), "%s", names[each]);
        assert_int_equal(found_as(name, len), each);
        assert_int_equal(found_as(name, len - 1), WSP_HEADER_OTHER);
        assert_int_equal(found_as(name + 1, len - 1), WSP_HEADER_OTHER);
        name[len] = 's';
        assert_int_equal(found_as(name, len + 1), WSP_HEADER_OTHER);
        for (i = 0; i < len; i++) {
            for (c = 0; c < 256; c++) {
                int same = c == names[each][i] || (isalpha(c) && (c ^ names[each][i]) == 32);

                name[i] = (char)c;
                assert_int_equal(found_as(name, len), same ? each : WSP_HEADER_OTHER);
            }
            name[i] = names[each][i];
        }
        for (i = 0; i < len; i++) {
            name[i] = (char)toupper((unsigned char)name[i]);
        }
        assert_int_equal(found_as(name, len), each);
        for (i = 0; i < len; i++) {
            name[i] = (char)tolower((unsigned char)name[i]);
        }
        assert_int_equal(found_as(name, len), each);
    }
    assert_int_equal(found_as("", 0), WSP_HEADER_OTHER);
    assert_int_equal(found_as("X-Forwarded-Something-Of-Some-Length", 36), WSP_HEADER_OTHER);
}

TEST(only_answers_how_often_it_is_there)
{
    wspool_header list[] = {header("X", "x"),      header("hOST", "a"), header("x", "x"),
                            header("Upgrade", ""), header("Key", "b"),  header("Origin", "c"),
                            header("ORIGIN", "c"), header("y", "")};
    wspool_request request = {.headers = list, .header_count = 8};
    struct wsp_headers headers;
    wspool_text value = {NULL, 0};

    wsp_headers_find(&headers, &request);
    assert_ptr_equal(headers.request, &request);
    assert_int_equal(wsp_headers_only(&headers, WSP_HEADER_HOST, &value), 1);
    assert_text(value, "a");
    assert_int_equal(wsp_headers_only(&headers, WSP_HEADER_UPGRADE, &value), 1);
    assert_text(value, "");
    assert_int_equal(wsp_headers_only(&headers, WSP_HEADER_ORIGIN, &value), -1);
    assert_int_equal(wsp_headers_only(&headers, WSP_HEADER_KEY, &value), 0);
    assert_int_equal(wsp_headers_only(&headers, WSP_HEADER_COOKIE, &value), 0);

    request = (wspool_request){0}; /* a host may hand in no headers, and no array */
    wsp_headers_find(&headers, &request);
    assert_int_equal(wsp_headers_only(&headers, WSP_HEADER_HOST, &value), 0);
    assert_int_equal(wsp_headers_have(&headers, WSP_HEADER_HOST, ""), 0);
}

TEST(next_leads_to_all_of_a_name)
{
    wspool_header list[] = {header("A", ""),      header("Cookie", "1"), header("cookie", "2"),
                            header("Origin", ""), header("COOKIE", "3"), header("B", "")};
    wspool_request request = {.headers = list, .header_count = 6};
    struct wsp_headers headers;

    wsp_headers_find(&headers, &request);
    assert_ptr_equal(headers.first[WSP_HEADER_COOKIE], &list[1]);
    assert_ptr_equal(wsp_headers_next(&headers, WSP_HEADER_COOKIE, &list[1]), &list[2]);
    assert_ptr_equal(wsp_headers_next(&headers, WSP_HEADER_COOKIE, &list[2]), &list[4]);
    assert_null(wsp_headers_next(&headers, WSP_HEADER_COOKIE, &list[4]));
    assert_null(wsp_headers_next(&headers, WSP_HEADER_ORIGIN, &list[3]));
}

TEST(elements_are_walked_across_headers)
{
    static const char *const expected[] = {"a", "b c", "d", "E", "f;g=h"};
    wspool_header list[] = {header("Connection", ",, a ,\tb c\t,"),
                            header("Other", "x, y"),
                            header("Connection", ""),
                            header("CONNECTION", "d"),
                            header("Connection", " , ,"),
                            header("Connection", "E,,f;g=h")};
    wspool_request request = {.headers = list, .header_count = 6};
    struct wsp_headers headers;
    struct wsp_elements walk = {0};
    wspool_text element;
    struct guard each[6];
    size_t i;

    for (i = 0; i < 6; i++) { /* each value ends at an inaccessible page of its own */
        guard_open(&each[i], 64);
        list[i].value.data = guard_at_end(&each[i], list[i].value.data, list[i].value.len);
    }
    wsp_headers_find(&headers, &request);
    for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_int_equal(wsp_headers_element(&headers, WSP_HEADER_CONNECTION, &walk, &element), 1);
        assert_text(element, expected[i]);
    }
    assert_int_equal(wsp_headers_element(&headers, WSP_HEADER_CONNECTION, &walk, &element), 0);
    assert_int_equal(wsp_headers_element(&headers, WSP_HEADER_CONNECTION, &walk, &element), 0);

    assert_int_equal(wsp_headers_have(&headers, WSP_HEADER_CONNECTION, "e"), 1);
    assert_int_equal(wsp_headers_have(&headers, WSP_HEADER_CONNECTION, "D"), 1);
    assert_int_equal(wsp_headers_have(&headers, WSP_HEADER_CONNECTION, "b"), 0);
    assert_int_equal(wsp_headers_have(&headers, WSP_HEADER_CONNECTION, "x"), 0);
    assert_int_equal(wsp_headers_have(&headers, WSP_HEADER_CONNECTION, ""), 0);
    assert_int_equal(wsp_headers_have(&headers, WSP_HEADER_CONNECTION, "f"), 0);
    assert_int_equal(wsp_headers_have(&headers, WSP_HEADER_UPGRADE, "a"), 0);
    for (i = 0; i < 6; i++) {
        guard_close(&each[i]);
    }
}

/* A walk that begins anew for each element would take minutes here. */
TEST(elements_are_walked_in_one_pass)
{
    const size_t len = 4 << 20;
    char *commas = malloc(len);
    wspool_header list[2];
    wspool_request request = {.headers = list, .header_count = 2};
    struct wsp_headers headers;
    struct wsp_elements walk = {0};
    wspool_text element;
    size_t count = 0, i;

    assert_non_null(commas);
    for (i = 0; i < len; i++) {
        commas[i] = i % 2 ? ',' : 'a';
    }
    list[0] = header("Upgrade", "");
    list[0].value = (wspool_text){commas, len};
    list[1] = list[0];
    wsp_headers_find(&headers, &request);
    while (wsp_headers_element(&headers, WSP_HEADER_UPGRADE, &walk, &element)) {
        count++;
    }
    assert_int_equal(count, len);
    free(commas);
}

BEFORE_ALL
{
    guard_open(&guard, 64);
}
