/* SPDX-License-Identifier: MIT */
/*
 * unit/test_utf8.c - wire/utf8.h: UTF-8 validation is compared with all of Unicode.
 *
 * The reference of this test knows no ranges. It writes every scalar value (U+0000 to U+10FFFF
 * without the surrogates) in UTF-8 and remembers all prefixes: a text is valid while the bytes
 * behind its last whole character are the prefix of a character. Every prefix is tried with every
 * next byte, in every split.
 */
#include "guard.h"

#include "frames.h"
#include "wire/utf8.h"

enum { NONE, OPEN, WHOLE }; /* no prefix; a prefix; a whole character */

static uint8_t one[1 << 8];
static uint8_t two[1 << 16];
static uint8_t three[1 << 24];
static uint8_t four[8 << 18]; /* for prefixes that begin with F0-F7: the other 21 bits */

/* Writes any value below 2^21 in `len` bytes, overlong or not. */
static void put_in(uint32_t value, size_t len, uint8_t *out)
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; value >>= 6) {
        out[i] = 0x80 | (value & 0x3f);
    }
    out[0] = (uint8_t)(leads[len] | value);
}

static size_t put(uint32_t value, uint8_t *out)
{
    size_t len = value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
    put_in(value, len, out);
    return len;
}

static uint8_t *place(const uint8_t *bytes, size_t len)
{
    size_t index = bytes[0];
    for (size_t i = 1; i < len && len < 4; i++) {
        index = index << 8 | bytes[i];
    }
    switch (len) {
    case 1:
        return &one[index];
    case 2:
        return &two[index];
    case 3:
        return &three[index];
    default:
        return &four[(index & 7) << 18 | (bytes[1] & 0x3fu) << 12 | (bytes[2] & 0x3fu) << 6 |
                     (bytes[3] & 0x3fu)];
    }
}

static int is_surrogate(uint32_t value)
{
    return value >= 0xd800 && value <= 0xdfff;
}

BEFORE_ALL
{
    for (uint32_t value = 0; value <= 0x10ffff; value++) {
        uint8_t bytes[4];
        size_t len = put(value, bytes);
        for (size_t i = 1; i < len && !is_surrogate(value); i++) {
            *place(bytes, i) = OPEN;
        }
        if (!is_surrogate(value)) {
            *place(bytes, len) = WHOLE;
        }
    }
}

/* Returns the reference's result for these bytes, of which all but the last gave OPEN. */
static int judge(const uint8_t *bytes, size_t len)
{
    if (len == 4 && (bytes[3] & 0xc0) != 0x80) {
        return NONE;
    }
    return *place(bytes, len);
}

/* Returns how many bytes of a text are valid. *open says whether it ends inside a character. */
static size_t good_bytes(const uint8_t *text, size_t len, int *open)
{
    size_t begin = 0, i = 0;
    for (; i < len; i++) {
        int verdict = judge(text + begin, i + 1 - begin);
        if (verdict == NONE) {
            break;
        }
        if (verdict == WHOLE) {
            begin = i + 1;
        }
    }
    *open = begin != i;
    return i;
}

/* A text that is fed from its beginning goes through the one-call check, too: both must agree. */
static int feed(struct wsp_utf8 *utf8, const uint8_t *bytes, size_t len)
{
    int begins = utf8->missing == 0;
    int good = wsp_utf8_feed(utf8, bytes, len);
    if (begins) {
        assert_int_equal(wsp_utf8_is_whole(bytes, len), good && wsp_utf8_complete(utf8));
    }
    return good;
}

/* ---------------------------------------------------------- characters */

TEST(character_when_in_unicode_is_good_in_every_split)
{
    for (uint32_t value = 0; value <= 0x10ffff; value++) {
        uint8_t bytes[4];
        size_t len = put(value, bytes);
        if (is_surrogate(value)) {
            continue;
        }
        /* Bit i of the split: the chunk ends behind byte i. */
        for (unsigned split = 0; split < 1u << (len - 1); split++) {
            struct wsp_utf8 utf8 = {0};
            size_t begin = 0;
            for (size_t i = 0; i < len; i++) {
                if (i + 1 == len || (split >> i & 1)) {
                    assert_true(feed(&utf8, bytes + begin, i + 1 - begin));
                    assert_int_equal(wsp_utf8_complete(&utf8), i + 1 == len);
                    begin = i + 1;
                }
            }
        }
    }
}

/* Tries every prefix with every next byte. */
static void walk(const struct wsp_utf8 *utf8, uint8_t bytes[4], size_t len, size_t *tried)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        struct wsp_utf8 next = *utf8;
        bytes[len] = (uint8_t)byte;
        int verdict = judge(bytes, len + 1);
        if (feed(&next, &bytes[len], 1) != (verdict != NONE)) {
            fail_msg("%02x behind %zu bytes", byte, len);
        }
        (*tried)++;
        if (verdict == WHOLE) {
            assert_true(wsp_utf8_complete(&next));
        } else if (verdict == OPEN) {
            assert_false(wsp_utf8_complete(&next));
            walk(&next, bytes, len + 1, tried);
        }
    }
}

TEST(byte_when_behind_any_beginning_is_judged_at_once)
{
    struct wsp_utf8 utf8 = {0};
    uint8_t bytes[4];
    size_t tried = 0;
    walk(&utf8, bytes, 0, &tried);
    assert_true(tried > 256 * (size_t)17000);
}

/* Refused as a whole, and byte by byte no later than at the first byte that can't be right. */
static void expect_bad(const uint8_t *bytes, size_t len)
{
    struct wsp_utf8 utf8 = {0};
    int open;
    size_t good = good_bytes(bytes, len, &open);
    assert_true(good < len);
    assert_false(feed(&utf8, bytes, len));
    utf8 = (struct wsp_utf8){0};
    for (size_t i = 0; i < good; i++) {
        assert_true(feed(&utf8, bytes + i, 1));
    }
    assert_false(feed(&utf8, bytes + good, 1));
}

TEST(form_when_overlong_is_bad)
{
    uint8_t bytes[4];
    for (size_t len = 2; len <= 4; len++) {
        uint32_t end = len == 2 ? 0x80 : len == 3 ? 0x800 : 0x10000;
        for (uint32_t value = 0; value < end; value++) {
            put_in(value, len, bytes);
            expect_bad(bytes, len);
        }
    }
}

TEST(surrogate_when_written_out_is_bad)
{
    uint8_t bytes[6];
    for (uint32_t value = 0xd800; value <= 0xdfff; value++) {
        put_in(value, 3, bytes);
        expect_bad(bytes, 3);
    }
    put_in(0xd83d, 3, bytes); /* also as a pair (CESU-8) */
    put_in(0xde00, 3, bytes + 3);
    expect_bad(bytes, 6);
}

TEST(value_when_beyond_unicode_is_bad)
{
    uint8_t bytes[4];
    for (uint32_t value = 0x110000; value < 0x200000; value++) {
        put_in(value, 4, bytes);
        expect_bad(bytes, 4);
    }
    for (unsigned lead = 0xf8; lead < 0x100; lead++) {
        bytes[0] = (uint8_t)lead;
        expect_bad(bytes, 1);
    }
}

/* Runs of ASCII are skipped several bytes at a time: no other byte may be skipped. */
TEST(byte_when_bad_among_ascii_is_found_at_every_place)
{
    static const uint8_t bad[] = {0x80, 0xbf, 0xc0, 0xc1, 0xf5, 0xff};
    struct guard guard;
    uint8_t text[160];
    guard_open(&guard, sizeof text);
    for (size_t len = 1; len < sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            struct wsp_utf8 utf8 = {0};
            memset(text, 'a' + (int)(at % 26), len);
            const uint8_t *copy = (const uint8_t *)guard_at_end(&guard, text, len);
            assert_true(feed(&utf8, copy, len));
            assert_true(wsp_utf8_complete(&utf8));
            text[at] = bad[(len + at) % sizeof bad];
            copy = (const uint8_t *)guard_at_end(&guard, text, len);
            assert_false(feed(&utf8, copy, len));
        }
    }
    guard_close(&guard);
}

TEST(character_when_among_ascii_is_good_at_every_place)
{
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    struct guard guard;
    uint8_t text[100];
    guard_open(&guard, sizeof text);
    for (size_t c = 0; c < 3; c++) {
        size_t width = strlen(characters[c]);
        for (size_t len = width; len < sizeof text; len++) {
            for (size_t at = 0; at + width <= len; at++) {
                struct wsp_utf8 utf8 = {0};
                memset(text, 'z', len);
                memcpy(text + at, characters[c], width);
                assert_true(feed(&utf8, (const uint8_t *)guard_at_end(&guard, text, len), len));
                assert_true(wsp_utf8_complete(&utf8));
                /* An end that cuts a character: valid so far, but not complete. */
                utf8 = (struct wsp_utf8){0};
                assert_true(feed(&utf8, text, at + width - 1));
                assert_false(wsp_utf8_complete(&utf8));
                /* ASCII can't stand inside a character. */
                assert_false(feed(&utf8, (const uint8_t *)"z", 1));
            }
        }
    }
    guard_close(&guard);
}

TEST(input_when_empty_changes_nothing)
{
    struct wsp_utf8 utf8 = {0};
    assert_true(feed(&utf8, NULL, 0));
    assert_true(wsp_utf8_complete(&utf8));
    assert_true(feed(&utf8, (const uint8_t *)"\xe2\x82", 2));
    struct wsp_utf8 before = utf8;
    assert_true(feed(&utf8, NULL, 0));
    assert_memory_equal(&utf8, &before, sizeof utf8);
    assert_false(wsp_utf8_complete(&utf8));
    assert_true(feed(&utf8, (const uint8_t *)"\xac", 1));
    assert_true(wsp_utf8_complete(&utf8));
}

static size_t write_text(uint8_t *text, size_t room, uint64_t *random)
{
    static const uint32_t ends[] = {0x80, 0x80, 0x800, 0x10000, 0x110000};
    size_t len = 0;
    while (len + 4 <= room) {
        uint32_t value = (uint32_t)test_below(random, ends[test_below(random, 5)]);
        size_t run = test_below(random, 4) ? 1 : (size_t)test_below(random, 70);
        if (is_surrogate(value)) {
            continue;
        }
        while (run-- > 0 && len + 4 <= room) {
            len += put(value, text + len);
            value = value < 0x80 ? (value + 1) % 0x80 : value;
        }
    }
    return len;
}

/* In random pieces: valid exactly up to the byte that the reference gives. */
static void expect_same(const uint8_t *text, size_t len, uint64_t *random)
{
    int open;
    size_t good = good_bytes(text, len, &open), done = 0;
    struct wsp_utf8 utf8 = {0};
    assert_int_equal(feed(&utf8, text, len), good == len);
    if (good == len) {
        assert_int_equal(wsp_utf8_complete(&utf8), !open);
    }
    utf8 = (struct wsp_utf8){0};
    while (done < len) {
        size_t piece = frame_piece(len - done, random);
        int answer = feed(&utf8, text + done, piece);
        done += piece;
        assert_int_equal(answer, done <= good);
        if (!answer) {
            return;
        }
    }
    assert_int_equal(wsp_utf8_complete(&utf8), !open);
}

TEST(text_when_random_is_judged_as_by_a_naive_decoder)
{
    uint64_t random = 31;
    uint8_t text[400];
    for (int round = 0; round < 5000; round++) {
        size_t len = write_text(text, 4 + (size_t)test_below(&random, sizeof text - 3), &random);
        expect_same(text, len, &random);
        for (int damage = 0; damage < 4 && len > 0; damage++) {
            size_t at = (size_t)test_below(&random, len);
            uint8_t was = text[at];
            text[at] = (uint8_t)(test_below(&random, 2) ? test_random(&random)
                                                        : was ^ 1u << test_below(&random, 8));
            expect_same(text, len, &random);
            text[at] = was;
        }
        expect_same(text, (size_t)test_below(&random, len + 1), &random);
    }
    for (int round = 0; round < 30000; round++) {
        size_t len = 1 + (size_t)test_below(&random, 8);
        frame_fill(text, len, &random);
        expect_same(text, len, &random);
    }
}
