/* SPDX-License-Identifier: MIT */
/*
 * unit/test_encodings.c - link/encodings.h: one encoded frame for each encoding that members use.
 *
 * Members get the plain frame when a message can't be compressed or does not become shorter. The
 * tests check each encoded frame, that no frame is written over another one that is in use, that
 * frames of one encoding lie side by side, and each shortage of memory and of block space.
 */
#include "support.h"
#include "frames.h"
#include "toy.h"

#include <wspool/error.h>
#include "link/negotiated.h"
#include "link/encodings.h"

#define ENCODED_MAX 6000u

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    struct toy toy;
    wspool_config config;
    struct wsp_counters count;
    struct wsp_link link;
};

static void world_open(struct world *w, uint64_t limit)
{
    memset(w, 0, sizeof *w);
    w->hooks = test_mem_hooks(&w->mem);
    w->toy.mem = &wsp_mem_default; /* only the allocations of the pool fail */
    wspool_config_init(&w->config);
    w->config.codec = toy_hook(&w->toy);
    w->link.mem = &w->hooks;
    w->link.config = &w->config;
    w->link.count = &w->count;
    wsp_blocks_init(&w->link.blocks, &w->hooks, limit, &w->count.block_bytes);
    wsp_outqs_init(&w->link.outqs, &w->hooks);
    wsp_decoders_init(&w->link.decoders, &w->hooks);
}

static void world_close(struct world *w)
{
    toy_check(&w->toy);
    wsp_decoders_fini(&w->link.decoders);
    wsp_outqs_fini(&w->link.outqs);
    wsp_blocks_fini(&w->link.blocks);
    assert_int_equal(wsp_count_read(&w->count.block_bytes), 0);
    assert_int_equal(w->mem.live, 0);
}

/* Makes the plain encoded frame of a message, as a publisher does, and its other encodings. */
static struct wsp_run begin(struct world *w, struct wsp_encodings *encodings, uint8_t opcode,
                            const char *message)
{
    int error;
    size_t len = strlen(message);
    uint32_t frame_len = wsp_frame_head_len(len) + (uint32_t)len;
    uint8_t *room = wsp_blocks_room(&w->link.blocks, frame_len, &error);
    assert_non_null(room);
    wsp_frame_write(room, opcode, message, len);
    struct wsp_run plain = wsp_blocks_commit(&w->link.blocks, frame_len);
    wsp_encodings_init(encodings, &plain, &(struct wsp_message){message, len, opcode});
    return plain;
}

static struct wsp_run get(struct world *w, struct wsp_encodings *encodings, unsigned encoding)
{
    const struct wsp_run *frame = wsp_encodings_of(&w->link, encodings, encoding);
    assert_int_equal(frame->count, 1);
    assert_int_equal(frame->partial, 0);
    return *frame;
}

static void expect_plain(const struct wsp_run *frame, uint8_t opcode, const char *message)
{
    uint8_t expected[ENCODED_MAX + FRAME_HEAD_MAX];
    size_t len = frame_server(expected, FRAME_FIN | opcode, message, strlen(message));
    assert_int_equal(frame->bytes, len);
    assert_memory_equal(frame->block->bytes + frame->offset, expected, len);
}

static size_t encoded_frame(uint8_t *out, unsigned encoding, uint8_t opcode, const char *message)
{
    static uint8_t encoded[2 * ENCODED_MAX + 32];
    size_t len = toy_write(encoded, encoding, message, strlen(message));
    return frame_server(out, FRAME_FIN | FRAME_RSV1 | opcode, encoded, len);
}

static void expect_encoded(const struct wsp_run *frame, unsigned encoding, uint8_t opcode,
                           const char *message)
{
    uint8_t expected[ENCODED_MAX + FRAME_HEAD_MAX];
    size_t len = encoded_frame(expected, encoding, opcode, message);
    assert_int_equal(frame->bytes, len);
    assert_memory_equal(frame->block->bytes + frame->offset, expected, len);
}

static int same_frame(const struct wsp_run *a, const struct wsp_run *b)
{
    return a->block == b->block && a->offset == b->offset && a->bytes == b->bytes;
}

static void expect_counts(const struct world *w, uint64_t encoded, uint64_t bytes)
{
    assert_int_equal(wsp_count_read(&w->count.codec_encoded), encoded);
    assert_int_equal(wsp_count_read(&w->count.codec_encoded_bytes), bytes);
}

static const char aaaa[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char bbbb[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/* ---------------------------------------------------------- encoded frames */

TEST(negotiated_pair_when_put_in_a_byte_comes_out_of_it)
{
    for (unsigned encoding = 0; encoding <= WSPOOL_ENCODINGS; encoding++) {
        for (unsigned decoder = 0; decoder < WSPOOL_DECODERS; decoder++) {
            uint8_t negotiated = wsp_negotiated(encoding, decoder);
            assert_int_equal(wsp_negotiated_encoding(negotiated), encoding);
            assert_int_equal(wsp_negotiated_decoder(negotiated), decoder);
            assert_true(encoding == 0 || negotiated != 0);
        }
    }
}

TEST(frame_when_asked_for_often_is_made_once)
{
    struct world w;
    struct wsp_encodings encodings;
    world_open(&w, UINT64_MAX);
    struct wsp_run plain = begin(&w, &encodings, WSP_TEXT, aaaa);
    assert_int_equal(w.toy.encodes, 0); /* encoded only when the walk finds a reader */
    uint64_t bytes = 0;
    for (int round = 0; round < 3; round++) {
        for (unsigned encoding = 0; encoding <= WSPOOL_ENCODINGS;
             encoding += encoding == 7 ? 2 : 1) {
            struct wsp_run frame = get(&w, &encodings, encoding);
            if (encoding == 0) {
                assert_true(same_frame(&frame, &plain));
                expect_plain(&frame, WSP_TEXT, aaaa);
            } else {
                expect_encoded(&frame, encoding, WSP_TEXT, aaaa);
                bytes += round == 0 ? frame.bytes : 0;
            }
        }
        assert_int_equal(w.toy.encodes, WSPOOL_ENCODINGS - 1);
        assert_int_equal(w.toy.encodes_of[8], 0);
        assert_int_equal(w.toy.encodes_of[WSPOOL_ENCODINGS], 1);
        expect_counts(&w, WSPOOL_ENCODINGS - 1, bytes);
    }
    wsp_encodings_fini(&encodings);
    world_close(&w);
}

TEST(frame_when_coded_has_rsv1_and_the_message_s_opcode)
{
    static const uint8_t opcodes[] = {WSP_TEXT, WSP_BINARY};
    for (int i = 0; i < 2; i++) {
        struct world w;
        struct wsp_encodings encodings;
        world_open(&w, UINT64_MAX);
        begin(&w, &encodings, opcodes[i], aaaa);
        struct wsp_run frame = get(&w, &encodings, 3), plain = get(&w, &encodings, 0);
        assert_int_equal(frame.block->bytes[frame.offset], 0xc0 | opcodes[i]);
        assert_int_equal(plain.block->bytes[plain.offset], 0x80 | opcodes[i]);
        wsp_encodings_fini(&encodings);
        world_close(&w);
    }
}

/* The frame header has 2 or 4 bytes by the encoded length, not by the length of the message. */
TEST(frame_when_large_has_the_head_of_its_own_length)
{
    static char text[ENCODED_MAX];
    for (size_t len = 3000; len < ENCODED_MAX; len += 333) {
        for (unsigned encoding = 1; encoding <= WSPOOL_ENCODINGS; encoding += 7) {
            struct world w;
            struct wsp_encodings encodings;
            memset(text, 'l', len);
            memset(text, 'k', len / 8);
            for (size_t i = 0; i < 90; i++) {
                text[i] = (char)('a' + i % 2);
            }
            text[len] = '\0';
            world_open(&w, UINT64_MAX);
            begin(&w, &encodings, WSP_BINARY, text);
            struct wsp_run frame = get(&w, &encodings, encoding);
            assert_true(frame.bytes > 130 && frame.bytes < 1000);
            expect_encoded(&frame, encoding, WSP_BINARY, text);
            wsp_encodings_fini(&encodings);
            world_close(&w);
        }
    }
}

/* ----------------------------------------------------------- plain instead */

enum { REFUSED, LONGER, EQUAL, NO_GAIN, NO_ROOM, NO_MEMORY, REASONS };

TEST(message_when_it_can_t_be_coded_or_not_well_goes_plain)
{
    for (int why = 0; why < REASONS; why++) {
        struct world w;
        struct wsp_encodings encodings;
        const char *text = why == NO_GAIN ? "abcdefghijklmnopqrstuvwxyz" : aaaa;
        /* The limit of the pool is one block: the one with the plain frame. */
        world_open(&w, why == NO_ROOM ? wsp_block_memory(0) : UINT64_MAX);
        struct wsp_run plain = begin(&w, &encodings, WSP_TEXT, text);
        w.toy.refuse = why == REFUSED;
        w.toy.longer = why == LONGER;
        w.toy.exact = why == EQUAL;
        w.mem.fail_at = why == NO_MEMORY;
        uint64_t bytes = w.link.blocks.bytes;
        for (int again = 0; again < 3; again++) {
            for (unsigned encoding = 1; encoding <= 2; encoding++) {
                struct wsp_run frame = get(&w, &encodings, encoding);
                if (why == NO_MEMORY && encoding == 2) { /* there was memory for this encoding */
                    expect_encoded(&frame, 2, WSP_TEXT, text);
                } else {
                    assert_true(same_frame(&frame, &plain));
                    expect_plain(&frame, WSP_TEXT, text);
                }
            }
        }
        /* the codec is not called twice for the same encoding */
        assert_int_equal(w.toy.encodes, 2);
        assert_int_equal(wsp_count_read(&w.count.codec_encoded), why == NO_MEMORY);
        assert_true(why == NO_MEMORY || w.link.blocks.bytes == bytes);
        struct wsp_run first = get(&w, &encodings, 1);
        wsp_encodings_fini(&encodings);
        /* The block set aside is open again: the next plain frame is written behind the last
         * one. */
        struct wsp_run next = begin(&w, &encodings, WSP_TEXT, bbbb);
        assert_ptr_equal(next.block, plain.block);
        assert_int_equal(next.offset, 0);
        assert_ptr_equal(next.block, first.block);
        wsp_encodings_fini(&encodings);
        world_close(&w);
    }
}

TEST(message_when_empty_is_never_shown_to_the_codec)
{
    struct world w;
    struct wsp_encodings encodings;
    world_open(&w, UINT64_MAX);
    struct wsp_run plain = begin(&w, &encodings, WSP_TEXT, "");
    struct wsp_run frame = get(&w, &encodings, 1);
    assert_true(same_frame(&frame, &plain));
    assert_int_equal(w.toy.encodes, 0);
    expect_counts(&w, 0, 0);
    wsp_encodings_fini(&encodings);
    world_close(&w);
}

TEST(encode_when_by_itself_says_whether_it_was_done)
{
    struct world w;
    struct wsp_run frame;
    world_open(&w, UINT64_MAX);
    assert_int_equal(wsp_encoding_write(
                         &w.link, 4, &(struct wsp_message){aaaa, strlen(aaaa), WSP_BINARY}, &frame),
                     1);
    expect_encoded(&frame, 4, WSP_BINARY, aaaa);
    expect_counts(&w, 1, frame.bytes);
    assert_int_equal(
        wsp_encoding_write(&w.link, 4, &(struct wsp_message){"ab", 2, WSP_TEXT}, &frame), 0);
    assert_int_equal(
        wsp_encoding_write(&w.link, 4, &(struct wsp_message){NULL, 0, WSP_TEXT}, &frame), 0);
    w.link.blocks.limit = w.link.blocks.bytes;
    wsp_block_hold(frame.block);
    struct wsp_run other;
    char *text = malloc(ENCODED_MAX);
    for (size_t i = 0; i < ENCODED_MAX; i++) {
        text[i] = (char)('a' + i / 3 % 26);
    }
    uint64_t made = 0;
    while (wsp_encoding_write(&w.link, 4, &(struct wsp_message){text, ENCODED_MAX, WSP_TEXT},
                              &other)) {
        made++; /* behind the other one, while there is space */
    }
    assert_in_range(made, 1, 10);
    assert_int_equal(wsp_count_read(&w.count.codec_encoded), 1 + made);
    free(text);
    expect_encoded(&frame, 4, WSP_BINARY, aaaa); /* and nothing was written over it */
    assert_null(w.link.blocks.current);          /* plain frames have the current block again */
    assert_ptr_equal(w.link.blocks.alternate, frame.block);
    wsp_block_release(frame.block);
    world_close(&w);
}

/* ------------------------------------------------------------- references */

/* No queue holds a reference: the encoded frames themselves must not be overwritten. */
TEST(frames_when_many_are_not_written_over_each_other)
{
    struct world w;
    struct wsp_encodings encodings;
    struct wsp_run runs[1 + WSPOOL_ENCODINGS];
    world_open(&w, UINT64_MAX);
    for (int round = 0; round < 3; round++) {
        const char *text = round % 2 ? bbbb : aaaa;
        begin(&w, &encodings, WSP_TEXT, text);
        for (unsigned encoding = 0; encoding <= WSPOOL_ENCODINGS; encoding++) {
            runs[encoding] = get(&w, &encodings, encoding);
            for (unsigned before = 0; before <= encoding; before++) {
                if (before == 0) {
                    expect_plain(&runs[0], WSP_TEXT, text);
                } else {
                    expect_encoded(&runs[before], before, WSP_TEXT, text);
                }
            }
        }
        wsp_encodings_fini(&encodings);
        /* The references are released in the end: the next message begins at offset 0 of a
         * block. */
        assert_int_equal(runs[0].offset, 0);
        assert_int_equal(runs[1].offset, 0);
        assert_int_equal(runs[0].block->holds, 1);
        assert_int_equal(runs[1].block->holds, 1);
    }
    assert_int_equal(w.link.blocks.bytes, 2 * wsp_block_memory(0));
    world_close(&w);
}

/* The plain frame needs protection most when space is short: its block is set aside then. */
TEST(frame_when_room_is_short_does_not_cost_the_plain_one)
{
    struct world w;
    struct wsp_encodings encodings;
    world_open(&w, wsp_block_memory(0) + 100);
    for (int i = 0; i < 3; i++) {
        struct wsp_run plain = begin(&w, &encodings, WSP_TEXT, aaaa);
        for (unsigned encoding = 1; encoding < 4; encoding++) {
            struct wsp_run frame = get(&w, &encodings, encoding);
            assert_true(same_frame(&frame, &plain));
        }
        expect_plain(&plain, WSP_TEXT, aaaa);
        wsp_encodings_fini(&encodings);
    }
    /* A frame for one reader alone may use that space: the block set aside is not needed. */
    struct wsp_run frame;
    assert_int_equal(
        wsp_encoding_write(&w.link, 1, &(struct wsp_message){aaaa, strlen(aaaa), WSP_TEXT}, &frame),
        1);
    expect_encoded(&frame, 1, WSP_TEXT, aaaa);
    assert_int_equal(w.link.blocks.bytes, wsp_block_memory(0));
    /* and so may plain frames afterwards */
    begin(&w, &encodings, WSP_TEXT, bbbb);
    assert_int_equal(w.link.blocks.bytes, wsp_block_memory(0));
    wsp_encodings_fini(&encodings);
    world_close(&w);
}

/* ------------------------------------------------------------------- runs */

TEST(messages_when_coded_in_a_row_are_one_run)
{
    for (int plain_readers = 0; plain_readers < 2; plain_readers++) {
        struct world w;
        struct wsp_outq encoded = {.accepts = 2}, plain = {.accepts = 1};
        uint8_t expected[4096];
        size_t len = 0;
        world_open(&w, UINT64_MAX);
        for (int i = 0; i < 20; i++) {
            struct wsp_encodings encodings;
            const char *text = i % 2 ? aaaa : bbbb;
            begin(&w, &encodings, WSP_TEXT, text);
            struct wsp_run frame = get(&w, &encodings, wsp_outq_encoding(&encoded));
            assert_int_equal(wsp_outq_push(&encoded, &w.link.outqs, &frame), 0);
            if (plain_readers) {
                frame = get(&w, &encodings, wsp_outq_encoding(&plain));
                assert_int_equal(wsp_outq_push(&plain, &w.link.outqs, &frame), 0);
            }
            wsp_encodings_fini(&encodings);
            len += encoded_frame(expected + len, 1, WSP_TEXT, text);
            if (i % 3 == 0) { /* a message for plain readers only */
                begin(&w, &encodings, WSP_TEXT, "plain alone");
                if (plain_readers) {
                    frame = get(&w, &encodings, 0);
                    assert_int_equal(wsp_outq_push(&plain, &w.link.outqs, &frame), 0);
                }
                wsp_encodings_fini(&encodings);
            }
        }
        assert_null(encoded.more);
        assert_null(plain.more);
        assert_int_equal(encoded.first.count, 20);
        assert_int_equal(encoded.bytes, len);
        assert_memory_equal(encoded.first.block->bytes + encoded.first.offset, expected, len);
        assert_int_equal(plain.first.count, plain_readers ? 27 : 0);
        wsp_outq_fini(&encoded, &w.link.outqs);
        wsp_outq_fini(&plain, &w.link.outqs);
        world_close(&w);
    }
}
