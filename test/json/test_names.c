/* SPDX-License-Identifier: MIT */
/* json/test_names.c - channels, epochs and times as text, and back. */
#define _POSIX_C_SOURCE 200809L /* setenv, tzset */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wspool/json.h>
#include "../sim/sim.h"

/* --------------------------------------------------------------- channels */

static const struct {
    enum wspool_kind kind;
    const char *prefix;
} kinds[] = {{WSPOOL_GLOBAL, "global:"},
             {WSPOOL_ITEM, "item:"},
             {WSPOOL_SESSION, "session:"},
             {WSPOOL_TOPIC, "topic:"}};

/* Returns a copy of exactly this size, so that sanitizers see its end. */
static char *exactly(const void *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

/* `len` bytes of UTF-8, of all lengths of characters, without a NUL. */
static void fill(char *to, size_t len, uint64_t *state)
{
    static const char *const letters[] = {
        "a", "\x01", "\x7f", ":", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8e\xa8", "\""};
    for (size_t n = 0; n < len;) {
        const char *letter = letters[sim_mix(state) % 8];
        size_t size = strlen(letter) <= len - n ? strlen(letter) : 1;
        memcpy(to + n, size == strlen(letter) ? letter : "z", size);
        n += size;
    }
}

TEST(channel_of_every_kind_and_length_is_written_and_read_back)
{
    uint64_t seed = 1;
    for (size_t k = 0; k < 4; k++)
        for (size_t len = 0; len <= WSPOOL_NAME_MAX; len++) {
            size_t prefix = strlen(kinds[k].prefix);
            char bytes[WSPOOL_NAME_MAX];
            char *name;
            char *out = malloc(WSPOOL_JSON_CHANNEL_MAX);
            char *text;
            wspool_channel channel = {WSPOOL_NONE, NULL, 77};
            assert_non_null(out);
            fill(bytes, len, &seed);
            name = exactly(bytes, len);
            memset(out, 'x', WSPOOL_JSON_CHANNEL_MAX);
            assert_int_equal(
                wspool_json_channel_write(wspool_channel_of(kinds[k].kind, name, len), out), 0);
            assert_int_equal(strlen(out), prefix + len);
            assert_memory_equal(out, kinds[k].prefix, prefix);
            assert_memory_equal(out + prefix, name, len);
            text = exactly(out, prefix + len); /* there need be no NUL */
            assert_int_equal(wspool_json_channel_read(text, prefix + len, &channel), 0);
            assert_int_equal(channel.kind, kinds[k].kind);
            assert_int_equal(channel.len, len);
            assert_ptr_equal(channel.name, text + prefix); /* it points into the text */
            free(text);
            free(name);
            free(out);
        }
}

TEST(channel_without_a_name_is_written_with_or_without_a_pointer)
{
    char out[WSPOOL_JSON_CHANNEL_MAX];
    assert_int_equal(wspool_json_channel_write(wspool_channel_of(WSPOOL_TOPIC, NULL, 0), out), 0);
    assert_string_equal(out, "topic:");
    assert_int_equal(wspool_json_channel_write(wspool_channel_of(WSPOOL_ITEM, "", 0), out), 0);
    assert_string_equal(out, "item:");
}

TEST(channel_that_cannot_be_written_answers_inval)
{
    static const struct {
        const char *name;
        size_t len;
    } bad[] = {{"\0", 1},
               {"a\0", 2},
               {"\0a", 2},
               {"a\0b", 3},
               {"\x80", 1},
               {"\xff", 1},
               {"\xc3", 1},
               {"a\xc3(", 3},
               {"\xc0\x80", 2},
               {"\xc1\xbf", 2},
               {"\xe2\x82", 2},
               {"\xe0\x80\x80", 3},
               {"\xed\xa0\x80", 3},
               {"\xed\xbf\xbf", 3},
               {"\xf0\x80\x80\x80", 4},
               {"\xf4\x90\x80\x80", 4},
               {"\xf8\x88\x80\x80\x80", 5},
               {NULL, 1}};
    char out[WSPOOL_JSON_CHANNEL_MAX];
    char longer[WSPOOL_NAME_MAX + 1];
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            char *name = bad[i].name == NULL ? NULL : exactly(bad[i].name, bad[i].len);
            if (wspool_json_channel_write(wspool_channel_of(kinds[k].kind, name, bad[i].len),
                                          out) != WSPOOL_ERR_INVAL)
                fail_msg("name %zu was written", i);
            free(name);
        }
        memset(longer, 'n', sizeof longer);
        assert_int_equal(
            wspool_json_channel_write(wspool_channel_of(kinds[k].kind, longer, sizeof longer), out),
            WSPOOL_ERR_INVAL);
    }
    assert_int_equal(wspool_json_channel_write(wspool_channel_of(WSPOOL_NONE, "x", 1), out),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_channel_write(wspool_channel_of((enum wspool_kind)5, "x", 1), out),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_channel_write(wspool_item("x"), NULL), WSPOOL_ERR_INVAL);
}

TEST(text_that_is_no_channel_answers_inval)
{
    static const char *const bad[] = {
        "",       "i",       "item",   "item;x",  "Item:x", "ITEM:x",  " item:x", ":x",   "x",
        "none:x", "items:x", "global", "globa:x", "sessio", "session", "topics:", "\xff:"};
    wspool_channel channel;
    char longer[8 + WSPOOL_NAME_MAX + 1];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = exactly(bad[i], strlen(bad[i]));
        if (wspool_json_channel_read(text, strlen(bad[i]), &channel) != WSPOOL_ERR_INVAL)
            fail_msg("\"%s\" was read", bad[i]);
        free(text);
    }
    for (size_t k = 0; k < 4; k++) {
        size_t prefix = strlen(kinds[k].prefix);
        for (size_t len = 0; len < prefix; len++) { /* cut off */
            char *text = exactly(kinds[k].prefix, len);
            assert_int_equal(wspool_json_channel_read(text, len, &channel), WSPOOL_ERR_INVAL);
            free(text);
        }
        memset(longer, 'n', sizeof longer);
        memcpy(longer, kinds[k].prefix, prefix);
        assert_int_equal(wspool_json_channel_read(longer, prefix + WSPOOL_NAME_MAX, &channel), 0);
        assert_int_equal(wspool_json_channel_read(longer, prefix + WSPOOL_NAME_MAX + 1, &channel),
                         WSPOOL_ERR_INVAL);
        assert_int_equal(wspool_json_channel_read(longer, SIZE_MAX, &channel), WSPOOL_ERR_INVAL);
    }
    assert_int_equal(wspool_json_channel_read(NULL, 0, &channel), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_channel_read("item:x", 6, NULL), WSPOOL_ERR_INVAL);
}

/* ------------------------------------------------------------------ epochs */

static void round_trip(uint64_t epoch)
{
    char *out = malloc(WSPOOL_JSON_EPOCH_MAX);
    uint64_t value = 0;
    assert_non_null(out);
    memset(out, '!', WSPOOL_JSON_EPOCH_MAX);
    wspool_json_epoch_write(epoch, out);
    assert_in_range(strlen(out), 1, WSPOOL_JSON_EPOCH_MAX - 1);
    assert_int_equal(strspn(out, "0123456789abcdefghijklmnopqrstuvwxyz"), strlen(out));
    for (const char *c = out; *c != '\0'; c++) /* an independent reading of it */
        value = value * 36 + (uint64_t)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
    assert_true(value == epoch);
    assert_true(out[0] != '0' || epoch == 0);
    assert_true(wspool_json_epoch_read(out) == epoch);
    free(out);
}

TEST(epoch_is_written_and_read_back)
{
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++)
        round_trip(sim_mix(&seed) >> (i % 64));
    for (uint64_t power = 1, i = 0; i < 13; i++, power *= 36) {
        round_trip(power);
        round_trip(power - 1);
        round_trip(power + 1);
        round_trip(power * 35);
    }
    round_trip(UINT64_MAX);
    round_trip(UINT64_MAX - 1);
    round_trip((uint64_t)INT64_MAX);
    round_trip((uint64_t)INT64_MAX + 1);
}

TEST(epoch_is_written_in_base_36)
{
    static const struct {
        uint64_t epoch;
        const char *text;
    } table[] = {{0, "0"},
                 {1, "1"},
                 {10, "a"},
                 {35, "z"},
                 {36, "10"},
                 {1295, "zz"},
                 {1296, "100"},
                 {UINT64_C(55451), "16sb"},
                 {UINT64_MAX, "3w5e11264sgsf"}};
    char out[WSPOOL_JSON_EPOCH_MAX];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        wspool_json_epoch_write(table[i].epoch, out);
        assert_string_equal(out, table[i].text);
    }
}

TEST(epoch_that_is_none_of_ours_reads_as_0)
{
    static const char *const bad[] = {
        "",
        "0",
        "00",
        "007",
        "01",
        "0a",
        "A",
        "1A",
        "1 ",
        " 1",
        "1\n",
        "-1",
        "+1",
        "1.0",
        "1_0",
        "1-0",
        "{",
        "`",
        "/",
        ":",
        "@",
        "[",
        "\xc3\xa4",
        "1a2b?",
        "3w5e11264sgsg", /* 2^64 */
        "3w5e11264sgt0",
        "4000000000000",
        "zzzzzzzzzzzzz",
        "10000000000000", /* beyond it */
        "zzzzzzzzzzzzzz",
        "03w5e11264sgsf",
        "00000000000001",
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    assert_true(wspool_json_epoch_read(NULL) == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = exactly(bad[i], strlen(bad[i]) + 1);
        if (wspool_json_epoch_read(text) != 0)
            fail_msg("\"%s\" was read", bad[i]);
        free(text);
    }
}

TEST(epoch_of_any_one_byte_is_read_only_when_it_is_a_digit)
{
    for (int byte = 1; byte < 256; byte++) {
        char text[2] = {(char)byte, '\0'};
        uint64_t value = byte > '0' && byte <= '9'    ? (uint64_t)(byte - '0')
                         : byte >= 'a' && byte <= 'z' ? (uint64_t)(byte - 'a' + 10)
                                                      : 0;
        assert_true(wspool_json_epoch_read(text) == value);
    }
}

/* ------------------------------------------------------------------- times */

static void expect_time(uint64_t milliseconds, const char *text)
{
    char *out = malloc(WSPOOL_JSON_TIME_MAX);
    assert_non_null(out);
    memset(out, '!', WSPOOL_JSON_TIME_MAX);
    wspool_json_time_write(milliseconds, out);
    assert_string_equal(out, text);
    free(out);
}

TEST(time_is_written_as_iso_8601_in_utc)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } table[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {999, "1970-01-01T00:00:00.999Z"},
        {1000, "1970-01-01T00:00:01.000Z"},
        {UINT64_C(86399999), "1970-01-01T23:59:59.999Z"},
        {UINT64_C(86400000), "1970-01-02T00:00:00.000Z"},
        {UINT64_C(68169599999), "1972-02-28T23:59:59.999Z"},
        {UINT64_C(68169600000), "1972-02-29T00:00:00.000Z"},
        {UINT64_C(68256000000), "1972-03-01T00:00:00.000Z"},
        {UINT64_C(946684799999), "1999-12-31T23:59:59.999Z"},
        {UINT64_C(946684800000), "2000-01-01T00:00:00.000Z"},
        {UINT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {UINT64_C(951868800000), "2000-03-01T00:00:00.000Z"},
        {UINT64_C(1709164800000), "2024-02-29T00:00:00.000Z"},
        {UINT64_C(1709251199999), "2024-02-29T23:59:59.999Z"},
        {UINT64_C(1735603200000), "2024-12-31T00:00:00.000Z"},
        {UINT64_C(1753618154000), "2025-07-27T12:09:14.000Z"},
        {UINT64_C(2147483647999), "2038-01-19T03:14:07.999Z"},
        {UINT64_C(2147483648000), "2038-01-19T03:14:08.000Z"},
        {UINT64_C(4102444799999), "2099-12-31T23:59:59.999Z"},
        {UINT64_C(4107542399999), "2100-02-28T23:59:59.999Z"},
        {UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z"}, /* 2100 is no leap year */
        {UINT64_C(4294967296000), "2106-02-07T06:28:16.000Z"},
        {UINT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_time(table[i].ms, table[i].text);
}

/* Later times are written as the last time with a year of four digits. */
TEST(time_beyond_the_year_9999_stays_there)
{
    static const uint64_t table[] = {UINT64_C(253402300800000),
                                     UINT64_C(253402300800123),
                                     UINT64_C(1) << 60,
                                     (uint64_t)INT64_MAX,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect_time(table[i], "9999-12-31T23:59:59.999Z");
}

/* Every day of eight thousand years, computed by the calendar rules. */
TEST(time_of_every_day_follows_the_calendar)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t day = 0;
    for (int year = 1970; year < 10000; year++)
        for (int month = 1; month <= 12; month++) {
            int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            int days = lengths[month - 1] + (month == 2 && leap);
            for (int date = 1; date <= days; date++, day++) {
                char out[WSPOOL_JSON_TIME_MAX];
                char text[40];
                int hour = (int)(day % 24);
                int minute = (int)(day % 60);
                int second = (int)(day % 59);
                int ms = (int)(day % 1000);
                if (day % 5 != 0 && date > 2 && date < days - 1)
                    continue; /* the ends of months all, of the rest some */
                snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month,
                         date, hour, minute, second, ms);
                wspool_json_time_write((((day * 24 + (uint64_t)hour) * 60 + (uint64_t)minute) * 60 +
                                        (uint64_t)second) *
                                               1000 +
                                           (uint64_t)ms,
                                       out);
                assert_string_equal(out, text);
            }
        }
}

TEST(time_does_not_depend_on_the_zone)
{
    assert_int_equal(setenv("TZ", "AEST-10AEDT,M10.1.0,M4.1.0/3", 1), 0);
    tzset();
    expect_time(UINT64_C(1753618154000), "2025-07-27T12:09:14.000Z");
    unsetenv("TZ");
    tzset();
}

TEST(position_that_is_none_is_one_that_no_channel_has)
{
    static const struct {
        const char *epoch;
        const char *offset;
        uint64_t read_epoch, read_offset;
    } table[] = {{"a", "7", 10, 7},
                 {"a", "0", 10, 0},
                 {"a", "007", 10, 7},
                 {"a", NULL, 10, UINT64_MAX},
                 {"a", "", 10, UINT64_MAX},
                 {"a", "-1", 10, UINT64_MAX},
                 {"a", "7x", 10, UINT64_MAX},
                 {"a", "99999999999999999999999", 10, UINT64_MAX},
                 {"", "7", 0, 7},
                 {"", "0", 0, 0}, /* asks for the state */
                 {NULL, "0", 0, 0},
                 {NULL, NULL, 0, UINT64_MAX},
                 {"A", "7", 0, UINT64_MAX},
                 {"A", "0", 0, UINT64_MAX}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        wspool_channel_position read = wspool_json_position_read(table[i].epoch, table[i].offset);
        assert_true(read.epoch == table[i].read_epoch);
        assert_true(read.offset == table[i].read_offset);
    }
}
