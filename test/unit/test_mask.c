/* SPDX-License-Identifier: MIT */
/*
 * unit/test_mask.c - wire/mask.h: masking is compared with the loop of RFC 6455, section 5.3.
 *
 * All lengths up to LONGEST are tried at every alignment of source and destination within 16 bytes,
 * and between inaccessible pages. Masking in pieces, with the key turned by each piece's length,
 * must equal masking of the whole.
 */
#include "guard.h"

#include "frames.h"
#include "wire/mask.h"

#define LONGEST 200u

/* The loop of the RFC, one byte at a time. */
static void mask_slowly(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4])
{
    for (size_t i = 0; i < len; i++) {
        dst[i] = src[i] ^ key[i % 4];
    }
}

TEST(copy_when_of_any_length_and_alignment_equals_the_naive_loop)
{
    uint64_t random = 21;
    uint8_t from[LONGEST + 64], to[LONGEST + 64], expected[LONGEST + 64], key[4];
    for (size_t len = 0; len <= LONGEST; len++) {
        for (size_t in = 0; in < 16; in++) {
            for (size_t out = 0; out < 16; out++) {
                frame_fill(from, sizeof from, &random);
                frame_fill(key, sizeof key, &random);
                memset(to, 0x5c, sizeof to);
                memcpy(expected, to, sizeof to);
                if (out % 2) { /* the output is ASCII, except one byte in some cases */
                    for (size_t i = 0; i < len; i++) {
                        from[in + i] = (from[in + i] & 0x7f) ^ (key[i % 4] & 0x80);
                    }
                    if (out % 4 == 1 && len > 0) {
                        from[in + test_below(&random, len)] ^= 0x80;
                    }
                }
                mask_slowly(expected + out, from + in, len, key);
                int ascii = wsp_mask_copy(to + out, from + in, len, key), high = 0;
                for (size_t i = 0; i < len; i++) {
                    high |= expected[out + i] & 0x80;
                }
                assert_int_equal(ascii, high == 0);
                /* The whole buffer: nothing beside the region was written. */
                assert_memory_equal(to, expected, sizeof to);
            }
        }
    }
}

TEST(copy_when_between_inaccessible_pages_reads_and_writes_nothing_else)
{
    static const uint8_t key[4] = {1, 2, 3, 4};
    struct guard from, to;
    uint64_t random = 22;
    uint8_t bytes[LONGEST], expected[LONGEST];
    guard_open(&from, LONGEST);
    guard_open(&to, LONGEST);
    for (size_t len = 0; len <= LONGEST; len++) {
        frame_fill(bytes, len, &random);
        mask_slowly(expected, bytes, len, key);
        uint8_t *at_end = (uint8_t *)guard_room_at_end(&to, len);
        wsp_mask_copy(at_end, (uint8_t *)guard_at_end(&from, bytes, len), len, key);
        assert_memory_equal(at_end, expected, len);
        uint8_t *at_start = (uint8_t *)guard_room_at_start(&to, len);
        wsp_mask_copy(at_start, (uint8_t *)guard_at_start(&from, bytes, len), len, key);
        assert_memory_equal(at_start, expected, len);
    }
    guard_close(&from);
    guard_close(&to);
}

TEST(copy_when_done_in_pieces_with_turned_keys_equals_the_whole)
{
    uint64_t random = 23;
    uint8_t from[1000], whole[1000], pieces[1000], key[4], turned[4];
    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)test_below(&random, sizeof from + 1), done = 0;
        frame_fill(from, len, &random);
        frame_fill(key, sizeof key, &random);
        mask_slowly(whole, from, len, key);
        memcpy(turned, key, 4);
        while (done < len) {
            size_t piece = frame_piece(len - done, &random);
            wsp_mask_copy(pieces + done, from + done, piece, turned);
            wsp_mask_turn(turned, piece);
            done += piece;
        }
        assert_memory_equal(pieces, whole, len);
    }
}

TEST(key_when_turned_begins_where_it_is_told)
{
    for (size_t by = 0; by < 64; by++) {
        uint8_t key[4] = {'a', 'b', 'c', 'd'};
        wsp_mask_turn(key, by);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(key[i], 'a' + (int)((by + i) % 4));
        }
    }
    uint8_t key[4] = {'a', 'b', 'c', 'd'};
    wsp_mask_turn(key, SIZE_MAX - 1); /* a multiple of four, minus two */
    assert_memory_equal(key, "cdab", 4);
}

TEST(copy_when_the_key_is_zero_is_plain_and_done_twice_is_none)
{
    static const uint8_t zero[4] = {0};
    static const uint8_t key[4] = {0x80, 0xff, 0x01, 0x7e};
    uint64_t random = 24;
    uint8_t from[77], once[77], twice[77];
    frame_fill(from, sizeof from, &random);
    wsp_mask_copy(once, from, sizeof from, zero);
    assert_memory_equal(once, from, sizeof from);
    wsp_mask_copy(once, from, sizeof from, key);
    assert_memory_not_equal(once, from, sizeof from);
    wsp_mask_copy(twice, once, sizeof from, key);
    assert_memory_equal(twice, from, sizeof from);
}
