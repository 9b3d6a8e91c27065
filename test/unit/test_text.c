/* SPDX-License-Identifier: MIT */
/*
 * unit/test_text.c - wire/text.h: texts are compared, trimmed and measured.
 *
 * All pairs of bytes are compared, and each byte is tried at each place of texts of many lengths.
 * Texts lie next to inaccessible memory.
 */
#include "guard.h"

#include "wire/text.h"

static struct guard guard;

TEST(texts_are_compared_without_case)
{
    wspool_text text;

    text = (wspool_text){guard_at_end(&guard, "WebSocket", 9), 9};
    assert_int_equal(wsp_text_is(text, "websocket"), 1);
    assert_int_equal(wsp_text_is(text, "WEBSOCKET"), 1);
    assert_int_equal(wsp_text_is(text, "WebSocket"), 1);
    assert_int_equal(wsp_text_is(text, "websocke"), 0);
    assert_int_equal(wsp_text_is(text, "websockets"), 0);
    assert_int_equal(wsp_text_is(text, ""), 0);
    /* Only letters have a case: these bytes differ from the text in the same bit. */
    text = (wspool_text){guard_at_end(&guard, "[\\]^@", 5), 5};
    assert_int_equal(wsp_text_is(text, "{|}~`"), 0);
    assert_int_equal(wsp_text_is(text, "[\\]^@"), 1);
    text = (wspool_text){guard_at_end(&guard, "a\0b", 3), 3};
    assert_int_equal(wsp_text_is(text, "a"), 0);
    text = (wspool_text){guard_at_end(&guard, "", 0), 0};
    assert_int_equal(wsp_text_is(text, ""), 1);
    assert_int_equal(wsp_text_is_token(text), 0);
    text = (wspool_text){guard_at_end(&guard, "a b", 3), 3};
    assert_int_equal(wsp_text_is_token(text), 0);
    text = (wspool_text){NULL, 0};
    assert_int_equal(wsp_text_is(text, "a"), 0);
    assert_int_equal(wsp_text_same(text, text), 1);
}

/* Each pair of bytes: equal, or the two cases of one letter. */
TEST(bytes_are_the_same_when_equal_or_one_letter)
{
    int a, b;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            int letter = (a >= 'A' && a <= 'Z') || (a >= 'a' && a <= 'z');
            char one[2] = {'x', (char)a}, other[2] = {'X', (char)b};

            assert_int_equal(wsp_text_same((wspool_text){one, 2}, (wspool_text){other, 2}),
                             a == b || (letter && (a ^ b) == 32));
        }
    }
}

TEST(token_is_made_of_its_bytes_alone)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int c, at;

    for (c = 0; c < 256; c++) {
        int in_token = c != 0 && strchr(token, c) != NULL;

        assert_int_equal(wsp_text_is_token_byte((char)c), in_token);
        for (at = 0; at < 11; at++) { /* bytes are looked at by fours */
            char bytes[] = "abcdefghijk";

            bytes[at] = (char)c;
            assert_int_equal(wsp_text_is_token((wspool_text){guard_at_end(&guard, bytes, 11), 11}),
                             in_token);
        }
    }
}

TEST(trimmed_when_blanks_are_around_it_has_none)
{
    static const char *const cases[][2] = {{"", ""},    {" ", ""},          {"\t \t", ""},
                                           {"a", "a"},  {"  a b\t", "a b"}, {"\ta", "a"},
                                           {"a ", "a"}, {"\ra\n", "\ra\n"}};
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i][0]);
        wspool_text at_end = {guard_at_end(&guard, cases[i][0], len), len}, trimmed;

        trimmed = wsp_text_trimmed(at_end);
        assert_int_equal(trimmed.len, strlen(cases[i][1]));
        assert_memory_equal(trimmed.data, cases[i][1], trimmed.len);
        trimmed = wsp_text_trimmed((wspool_text){guard_at_start(&guard, cases[i][0], len), len});
        assert_int_equal(trimmed.len, strlen(cases[i][1]));
        assert_memory_equal(trimmed.data, cases[i][1], trimmed.len);
    }
}

/* Each byte at each place of each length, with other bytes outside the set behind it. */
TEST(span_ends_at_the_first_byte_outside)
{
    static const unsigned char bounds[][2] = {{' ', '~'}, {'!', '~'}, {0, 127}, {'a', 'a'}, {1, 0}};
    unsigned char bytes[27];
    size_t i, at, len;
    int c;

    for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        unsigned char low = bounds[i][0], high = bounds[i][1];

        for (c = 0; c < 256; c++) {
            for (len = 0; len <= sizeof(bytes); len++) {
                for (at = 0; at <= len; at++) {
                    size_t expected = 0, got;

                    memset(bytes, 'a', sizeof(bytes));
                    if (at < len) {
                        bytes[at] = (unsigned char)c;
                    }
                    bytes[len > 0 ? len - 1 : 0] ^= (unsigned char)(at * 8);
                    while (expected < len && bytes[expected] >= low && bytes[expected] <= high) {
                        expected++;
                    }
                    got = wsp_text_span(
                        (wspool_text){guard_at_end(&guard, (const char *)bytes, len), len}, low,
                        high);
                    if (got != expected) {
                        fail_msg("byte %d at %zu of %zu: %zu instead of %zu", c, at, len, got,
                                 expected);
                    }
                }
            }
        }
    }
    assert_int_equal(wsp_text_span((wspool_text){NULL, 0}, ' ', '~'), 0);
}

BEFORE_ALL
{
    guard_open(&guard, 64);
}
