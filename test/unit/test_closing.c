/* SPDX-License-Identifier: MIT */
/*
 * unit/test_closing.c - wire/closing.h: close codes, reasons, and the payloads made of them.
 *
 * Every code from 0 to 65535 is compared with the registry of close codes in RFC 6455 and its later
 * entries. Reasons are tested at each length and with each cut of a UTF-8 character, next to an
 * inaccessible page.
 */
#include "guard.h"

#include "frames.h"
#include "wire/closing.h"

/* The registry of close codes as ranges: the codes that a Close frame may carry. */
static int is_lawful(int code)
{
    static const int ranges[][2] = {
        {1000, 1000}, {1001, 1001}, {1002, 1002}, {1003, 1003}, /* RFC 6455 */
        {1007, 1011},                                           /* RFC 6455 */
        {1012, 1014},                                           /* registered later */
        {3000, 3999}, {4000, 4999},                             /* registered, private */
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1]) {
            return 1;
        }
    }
    return 0;
}

TEST(code_when_reserved_or_unknown_is_not_ok)
{
    for (int code = -70000; code <= 140000; code++) {
        assert_int_equal(wsp_close_code_ok(code) != 0, is_lawful(code));
    }
}

TEST(close_when_code_or_reason_is_unlawful_may_not_be_sent)
{
    char reason[WSP_CLOSE_REASON_MAX + 1];
    memset(reason, 'r', sizeof reason);
    assert_int_equal(wsp_close_may_send(1000, NULL, 0), 1);
    assert_int_equal(wsp_close_may_send(1000, "", 0), 1);
    assert_int_equal(wsp_close_may_send(4999, reason, WSP_CLOSE_REASON_MAX), 1);
    assert_int_equal(wsp_close_may_send(4999, reason, WSP_CLOSE_REASON_MAX + 1), 0);
    assert_int_equal(wsp_close_may_send(1000, "caf\xc3\xa9", 5), 1);
    /* cut in the middle of a character */
    assert_int_equal(wsp_close_may_send(1000, "caf\xc3\xa9", 4), 0);
    assert_int_equal(wsp_close_may_send(1000, "\xff", 1), 0);
    assert_int_equal(wsp_close_may_send(1000, "a\0b", 3), 1);
    for (int code = -1; code <= 65536 + 1000; code++) {
        assert_int_equal(wsp_close_may_send(code, "bye", 3), is_lawful(code));
        assert_int_equal(wsp_close_may_send(code, NULL, 0), is_lawful(code));
    }
}

static int parse(const struct guard *guard, const void *payload, size_t len, int *code)
{
    return wsp_close_parse((const uint8_t *)guard_at_end(guard, payload, len), len, code);
}

TEST(payload_when_empty_is_1005_and_when_of_one_byte_1002)
{
    struct guard guard;
    int code = 0;
    guard_open(&guard, 128);
    assert_int_equal(parse(&guard, "", 0, &code), 0);
    assert_int_equal(code, 1005);
    for (int byte = 0; byte < 256; byte++) {
        uint8_t payload = (uint8_t)byte;
        assert_int_equal(parse(&guard, &payload, 1, &code), 1002);
    }
    guard_close(&guard);
}

TEST(payload_when_it_has_a_code_is_judged_by_it)
{
    struct guard guard;
    guard_open(&guard, 128);
    for (int code = 0; code <= 65535; code++) {
        const uint8_t payload[] = {(uint8_t)(code / 256), (uint8_t)(code % 256), 'b', 'y', 0xff};
        int found = -1;
        int lawful = is_lawful(code);
        assert_int_equal(parse(&guard, payload, 2, &found), lawful ? 0 : 1002);
        assert_true(!lawful || found == code);
        found = -1;
        assert_int_equal(parse(&guard, payload, 4, &found), lawful ? 0 : 1002);
        assert_true(!lawful || found == code);
        assert_int_equal(parse(&guard, payload, 5, &found), lawful ? 1007 : 1002);
    }
    guard_close(&guard);
}

TEST(reason_when_not_utf8_is_1007_wherever_it_breaks)
{
    struct guard guard;
    uint8_t payload[125] = {1000 / 256, 1000 % 256};
    int code;
    guard_open(&guard, 128);
    for (size_t len = 3; len <= sizeof payload; len++) {
        for (size_t at = 2; at < len; at++) {
            memset(payload + 2, 'x', sizeof payload - 2);
            payload[at] = 0xc0;
            assert_int_equal(parse(&guard, payload, len, &code), 1007);
            payload[at] = 0x80;
            assert_int_equal(parse(&guard, payload, len, &code), 1007);
            /* A character of two bytes: valid unless the end cuts it or an x follows. */
            payload[at] = 0xc3;
            assert_int_equal(parse(&guard, payload, len, &code), 1007);
            if (at + 1 < len) {
                payload[at + 1] = 0xa9;
                assert_int_equal(parse(&guard, payload, len, &code), 0);
                assert_int_equal(code, 1000);
            }
        }
    }
    guard_close(&guard);
}

TEST(payload_when_written_is_code_and_reason_and_no_byte_more)
{
    struct guard guard;
    char reason[WSP_CLOSE_REASON_MAX];
    uint64_t random = 41;
    guard_open(&guard, 128);
    for (size_t i = 0; i < sizeof reason; i++) {
        reason[i] = (char)('a' + test_below(&random, 26));
    }
    for (size_t len = 0; len <= sizeof reason; len++) {
        uint8_t *payload = (uint8_t *)guard_room_at_end(&guard, 2 + len);
        int code = 3000 + (int)len * 7, found;
        assert_int_equal(wsp_close_write(payload, code, reason, len), 2 + len);
        assert_int_equal(payload[0], code / 256);
        assert_int_equal(payload[1], code % 256);
        assert_memory_equal(payload + 2, reason, len);
        assert_int_equal(wsp_close_parse(payload, 2 + len, &found), 0);
        assert_int_equal(found, code);
    }
    uint8_t untouched[125];
    memset(untouched, 0x11, sizeof untouched);
    assert_int_equal(wsp_close_write(untouched, 1005, NULL, 0), 0);
    assert_int_equal(untouched[0], 0x11);
    assert_int_equal(wsp_close_write(untouched, 1000, NULL, 0), 2);
    assert_memory_equal(untouched, "\x03\xe8\x11", 3);
    guard_close(&guard);
}
