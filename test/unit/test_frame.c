/* SPDX-License-Identifier: MIT */
/*
 * unit/test_frame.c - wire/frame.h: every form of a frame header, every cut, every length at which
 * the form changes.
 *
 * The frame-header parser is compared with a second one, written here from RFC 6455. All input ends
 * at an inaccessible page.
 */
#include "guard.h"

#include "frames.h"
#include "wire/frame.h"

static const uint8_t key[4] = {0x01, 0x80, 0xfe, 0x7f};

/* A frame header, and the expected result. */
struct head {
    uint8_t bytes[FRAME_HEAD_MAX];
    size_t len;
    uint64_t length;
    unsigned first;
    int masked;
    int start_is_good; /* its first two bytes are valid */
    int is_good;
};

static void make_head(struct head *head, unsigned first, int masked, uint64_t length,
                      enum frame_length_encoding how)
{
    struct frame_form form = {.first = first, .key = masked ? key : NULL, .length_form = how};
    unsigned opcode = first & 15;
    head->len = frame_head(head->bytes, &form, length);
    head->length = length;
    head->first = first;
    head->masked = masked;
    head->start_is_good = masked && (first & 0x70) == 0;
    switch (opcode) {
    case 0:
    case 1:
    case 2:
        break;
    case 8:
    case 9:
    case 10:
        /* The whole message in one frame, and so short that the length needs no more bytes. */
        head->start_is_good = head->start_is_good && (first & FRAME_FIN) && how == FRAME_7_BITS;
        break;
    default:
        head->start_is_good = 0;
        break;
    }
    head->is_good = head->start_is_good && how == frame_shortest(length) && length < 1ull << 63;
}

static void expect_frame(const struct head *head, const struct wsp_frame *frame)
{
    assert_int_equal(frame->length, head->length);
    assert_int_equal(frame->opcode, head->first & 15);
    assert_int_equal(frame->fin, head->first >> 7);
    assert_int_equal(frame->rsv, head->first >> 4 & 7);
    assert_int_equal(frame->masked, head->masked);
    assert_memory_equal(frame->key, head->masked ? key : (const uint8_t *)"\0\0\0\0", 4);
}

/* Feeds a header in two pieces; `more` bytes of the payload follow the second. `first` may be 0:
 * then all comes at once. */
static void feed_cut(const struct guard *guard, const struct head *head, size_t first, size_t more)
{
    struct wsp_frame_parser parser = {.have = 0};
    struct wsp_frame frame;
    uint8_t rest[FRAME_HEAD_MAX + 8] = {0};
    enum wsp_frame_parsed answer;
    const uint8_t *at;
    size_t len;
    if (first > 0) {
        const uint8_t *begin = (const uint8_t *)guard_at_end(guard, head->bytes, first);
        at = begin;
        len = first;
        memset(&frame, 0xee, sizeof frame);
        answer = wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame);
        if (first >= 2 && !head->start_is_good) {
            /* Refused at its second byte, however much of the rest is there. */
            assert_int_equal(answer, WSP_PARSED_BAD);
            assert_ptr_equal(at, begin + 2);
            assert_int_equal(len, first - 2);
            assert_int_equal(frame.opcode, head->first & 15);
            assert_int_equal(frame.length, 0);
            assert_int_equal(parser.have, 2);
            answer = wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame);
        }
        assert_int_equal(answer, WSP_PARSED_MORE);
        assert_ptr_equal(at, begin + first);
        assert_int_equal(len, 0);
        assert_int_equal(parser.have, first);
    }
    memcpy(rest, head->bytes + first, head->len - first);
    len = head->len - first + more;
    at = (const uint8_t *)guard_at_end(guard, rest, len);
    const uint8_t *end = at + head->len - first;
    memset(&frame, 0xee, sizeof frame);
    answer = wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame);
    if (first == 1 && !head->start_is_good && head->len > 2) {
        assert_int_equal(answer, WSP_PARSED_BAD);
        assert_int_equal(parser.have, 2);
        assert_int_equal(len, head->len - 2 + more);
        answer = wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame);
    }
    assert_int_equal(answer, head->is_good ? WSP_PARSED_HEAD : WSP_PARSED_BAD);
    assert_ptr_equal(at, end);
    assert_int_equal(len, more);
    assert_int_equal(parser.have, 0);
    expect_frame(head, &frame);
}

static void feed_bytes(const struct guard *guard, const struct head *head)
{
    struct wsp_frame_parser parser = {.have = 0};
    struct wsp_frame frame;
    memset(&frame, 0xee, sizeof frame);
    for (size_t i = 0; i < head->len; i++) {
        const uint8_t *at = (const uint8_t *)guard_at_end(guard, head->bytes + i, 1);
        const uint8_t *end = at + 1;
        size_t len = 1;
        enum wsp_frame_parsed answer =
            wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame);
        assert_ptr_equal(at, end);
        assert_int_equal(len, 0);
        if (i + 1 == head->len) {
            assert_int_equal(answer, head->is_good ? WSP_PARSED_HEAD : WSP_PARSED_BAD);
        } else if (i == 1 && !head->start_is_good) {
            assert_int_equal(answer, WSP_PARSED_BAD);
            assert_int_equal(frame.length, 0);
        } else {
            assert_int_equal(answer, WSP_PARSED_MORE);
            assert_int_equal(parser.have, i + 1);
        }
    }
    assert_int_equal(parser.have, 0);
    expect_frame(head, &frame);
}

static void try_head(const struct guard *guard, const struct head *head)
{
    feed_bytes(guard, head);
    for (size_t cut = 0; cut < head->len; cut++) {
        feed_cut(guard, head, cut, 0);
        feed_cut(guard, head, cut, 5);
    }
}

static const uint64_t lengths[] = {0,
                                   1,
                                   124,
                                   125,
                                   126,
                                   127,
                                   128,
                                   255,
                                   256,
                                   65534,
                                   65535,
                                   65536,
                                   65537,
                                   UINT64_C(0xffffffff),
                                   UINT64_C(0x100000000),
                                   UINT64_C(0x0123456789abcdef),
                                   UINT64_C(0x7fffffffffffffff),
                                   UINT64_C(0x8000000000000000),
                                   UINT64_MAX};
#define LENGTHS (sizeof lengths / sizeof *lengths)

TEST(head_when_of_any_shape_and_in_any_cut_is_read_and_judged)
{
    static const uint64_t few[][2] = {
        {FRAME_7_BITS, 0},  {FRAME_7_BITS, 125},  {FRAME_16_BITS, 126},   {FRAME_16_BITS, 65535},
        {FRAME_16_BITS, 0}, {FRAME_16_BITS, 125}, {FRAME_64_BITS, 65536}, {FRAME_64_BITS, 65535}};
    struct guard guard;
    struct head head;
    guard_open(&guard, 64);
    for (unsigned first = 0; first < 256; first++) {
        for (int masked = 0; masked < 2; masked++) {
            for (size_t i = 0; i < sizeof few / sizeof *few; i++) {
                make_head(&head, first, masked, few[i][1], (enum frame_length_encoding)few[i][0]);
                try_head(&guard, &head);
            }
        }
    }
    guard_close(&guard);
}

/* With a negotiated codec RSV1 alone may be set in the first frame of a message. Nothing else
 * that is invalid becomes valid. */
TEST(rsv1_when_negotiated_is_lawful_at_a_message_s_beginning_alone)
{
    static const uint8_t pairs[] = {0, 1, 15, 0x10, 0xff};
    for (size_t c = 0; c < sizeof pairs; c++) {
        for (unsigned first = 0; first < 256; first++) {
            for (int masked = 0; masked < 2; masked++) {
                uint8_t bytes[FRAME_HEAD_MAX];
                struct frame_form form = {.first = first, .key = masked ? key : NULL};
                size_t len = frame_head(bytes, &form, 3);
                unsigned opcode = first & 15, reserved = first & 0x70;
                int known = opcode <= 2 || (opcode >= 8 && opcode <= 10 && (first & FRAME_FIN));
                int begins = opcode == 1 || opcode == 2;
                int good = masked && known &&
                           (reserved == 0 || (reserved == FRAME_RSV1 && begins && pairs[c]));
                for (size_t cut = 0; cut < len; cut++) {
                    struct wsp_frame_parser parser = {.negotiated = pairs[c]};
                    struct wsp_frame frame;
                    const uint8_t *at = bytes;
                    size_t left = cut;
                    if (cut > 0) { /* refused at the second byte, whatever follows */
                        enum wsp_frame_parsed answer =
                            wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &left, &frame);
                        assert_int_equal(answer,
                                         cut >= 2 && !good ? WSP_PARSED_BAD : WSP_PARSED_MORE);
                    }
                    left = (size_t)(bytes + len - at);
                    enum wsp_frame_parsed answer =
                        wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &left, &frame);
                    if (cut == 1 && !good && len > 2) { /* that byte comes only now */
                        assert_int_equal(answer, WSP_PARSED_BAD);
                        assert_int_equal(left, len - 2);
                        answer = wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &left, &frame);
                    }
                    assert_int_equal(answer, good ? WSP_PARSED_HEAD : WSP_PARSED_BAD);
                    assert_int_equal(left, 0);
                    assert_int_equal(frame.rsv, reserved >> 4);
                    assert_int_equal(frame.opcode, opcode);
                    assert_int_equal(frame.length, 3);
                    assert_int_equal(parser.have, 0);
                    assert_int_equal(parser.negotiated, pairs[c]);
                }
            }
        }
    }
}

TEST(length_when_at_a_boundary_is_read_exactly_and_refused_unless_shortest)
{
    static const unsigned firsts[] = {FRAME_FIN | 1, FRAME_FIN | 2, 1, 0, FRAME_FIN | 9};
    struct guard guard;
    struct head head;
    guard_open(&guard, 64);
    for (size_t i = 0; i < LENGTHS; i++) {
        for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
            for (enum frame_length_encoding how = FRAME_7_BITS; how <= FRAME_64_BITS; how++) {
                if (frame_shortest(lengths[i]) <= how) {
                    make_head(&head, firsts[f], 1, lengths[i], how);
                    try_head(&guard, &head);
                }
            }
        }
    }
    /* The expected results, written as numbers. */
    const struct {
        uint64_t length;
        enum frame_length_encoding how;
        int good;
    } said[] = {
        {0, FRAME_7_BITS, 1},
        {125, FRAME_7_BITS, 1},
        {125, FRAME_16_BITS, 0},
        {126, FRAME_16_BITS, 1},
        {126, FRAME_64_BITS, 0},
        {127, FRAME_16_BITS, 1},
        {65535, FRAME_16_BITS, 1},
        {65535, FRAME_64_BITS, 0},
        {65536, FRAME_64_BITS, 1},
        {UINT64_C(1) << 32, FRAME_64_BITS, 1},
        {(UINT64_C(1) << 63) - 1, FRAME_64_BITS, 1},
        {UINT64_C(1) << 63, FRAME_64_BITS, 0},
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        make_head(&head, FRAME_FIN | 2, 1, said[i].length, said[i].how);
        assert_int_equal(head.is_good, said[i].good);
    }
    guard_close(&guard);
}

TEST(input_when_empty_changes_nothing)
{
    struct wsp_frame_parser parser = {.have = 0};
    struct wsp_frame frame;
    const uint8_t *at = NULL;
    size_t len = 0;
    assert_int_equal(wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame),
                     WSP_PARSED_MORE);
    assert_int_equal(parser.have, 0);
    const uint8_t byte = 0x81;
    at = &byte;
    len = 1;
    assert_int_equal(wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame),
                     WSP_PARSED_MORE);
    assert_int_equal(wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame),
                     WSP_PARSED_MORE);
    assert_int_equal(parser.have, 1);
    assert_ptr_equal(at, &byte + 1);
}

/* The frame behind a refused header is found, because the header's length is known. */
TEST(heads_when_good_and_bad_follow_each_other_stay_in_step)
{
    enum { COUNT = 4000 };
    uint64_t random = 11;
    struct head *heads = calloc(COUNT, sizeof *heads);
    uint8_t *stream = malloc(COUNT * FRAME_HEAD_MAX);
    size_t total = 0, seen = 0, good = 0, early = 0;
    assert_non_null(heads);
    assert_non_null(stream);
    for (size_t i = 0; i < COUNT; i++) {
        enum frame_length_encoding how = (enum frame_length_encoding)(1 + test_below(&random, 3));
        uint64_t length = lengths[test_below(&random, LENGTHS)];
        unsigned first = (unsigned)test_below(&random, 256);
        if (test_below(&random, 2)) {
            first = FRAME_FIN | (unsigned)test_below(&random, 3);
            how = frame_shortest(length);
        } else if (frame_shortest(length) > how) {
            length = test_below(&random, 126);
        }
        make_head(&heads[i], first, test_below(&random, 8) != 0, length, how);
        memcpy(stream + total, heads[i].bytes, heads[i].len);
        total += heads[i].len;
        good += (size_t)heads[i].is_good;
    }
    assert_true(good > COUNT / 4 && good < COUNT * 3 / 4);
    for (int round = 0; round < 20; round++) {
        struct wsp_frame_parser parser = {.have = 0};
        struct wsp_frame frame;
        size_t fed = 0;
        seen = 0;
        while (fed < total) {
            size_t piece = frame_piece(total - fed, &random);
            /* A copy of exactly that size, so that the sanitizer detects a byte read too far. */
            uint8_t *copy = malloc(piece);
            assert_non_null(copy);
            memcpy(copy, stream + fed, piece);
            const uint8_t *at = copy;
            size_t len = piece;
            enum wsp_frame_parsed answer;
            while ((answer = wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame)) !=
                   WSP_PARSED_MORE) {
                if (parser.have > 0) {
                    assert_int_equal(answer, WSP_PARSED_BAD);
                    assert_false(heads[seen].start_is_good);
                    early++;
                    continue;
                }
                assert_true(seen < COUNT);
                assert_int_equal(answer, heads[seen].is_good ? WSP_PARSED_HEAD : WSP_PARSED_BAD);
                expect_frame(&heads[seen], &frame);
                seen++;
            }
            assert_int_equal(len, 0);
            assert_ptr_equal(at, copy + piece);
            free(copy);
            fed += piece;
        }
        assert_int_equal(seen, COUNT);
        assert_int_equal(parser.have, 0);
    }
    assert_int_not_equal(early, 0);
    free(heads);
    free(stream);
}

TEST(opcode_when_above_seven_is_control)
{
    for (unsigned opcode = 0; opcode < 16; opcode++) {
        assert_int_equal(wsp_opcode_is_control(opcode) != 0, opcode >= 8);
    }
}

TEST(frame_length_when_of_our_own_frames_is_head_and_payload)
{
    struct guard guard;
    guard_open(&guard, 64);
    for (size_t i = 0; i < LENGTHS && lengths[i] < UINT32_MAX - 10; i++) {
        uint8_t head[FRAME_HEAD_MAX];
        struct frame_form form = {.first = FRAME_FIN | 2};
        size_t n = frame_head(head, &form, lengths[i]);
        assert_int_equal(wsp_frame_head_len(lengths[i]), n);
        /* Nothing but the header is read. */
        const uint8_t *frame = (const uint8_t *)guard_at_end(&guard, head, n);
        assert_int_equal(wsp_frame_encoded_len(frame), n + lengths[i]);
    }
    assert_int_equal(wsp_frame_head_len(UINT64_C(1) << 32), 10);
    assert_int_equal(wsp_frame_head_len(UINT64_MAX), 10);
    guard_close(&guard);
}

/* The fast path accepts nothing that the frame-header parser would refuse. */
TEST(message_when_whole_is_what_the_frame_parser_lets_through_and_all_there)
{
    static const uint64_t sizes[] = {0,   1,   5,     125,   126,   127,
                                     128, 300, 65535, 65536, 65537, UINT64_C(1) << 62};
    static const enum frame_length_encoding forms[] = {FRAME_7_BITS, FRAME_16_BITS, FRAME_64_BITS};
    uint8_t *const bytes = calloc(1, FRAME_HEAD_MAX + 65540);
    size_t whole = 0;
    assert_non_null(bytes);
    for (unsigned first = 0; first < 256; first++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes * 6; i++) {
            uint64_t length = sizes[i / 6];
            struct frame_form form = {
                .first = first, .key = i % 2 ? key : NULL, .length_form = forms[i / 2 % 3]};
            if (form.length_form == FRAME_7_BITS && length > 127) {
                continue;
            }
            size_t head = frame_head(bytes, &form, length);
            for (size_t less = 0; less < 3; less++) {
                size_t all = head + (length < 65538 ? (size_t)length : 65538);
                size_t ends[] = {all - (less < all ? less : all), head - less, all + less};
                for (size_t e = 0; e < 3; e++) {
                    struct wsp_frame_parser parser = {.negotiated = less == 1};
                    struct wsp_frame by_parser, frame;
                    const uint8_t *at = bytes;
                    size_t left = ends[e];
                    memset(&frame, 0xee, sizeof frame);
                    size_t n = wsp_frame_is_whole(bytes, ends[e], &frame);
                    int good = wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &left, &by_parser) ==
                                   WSP_PARSED_HEAD &&
                               (first == (FRAME_FIN | 1) || first == (FRAME_FIN | 2)) &&
                               by_parser.length <= left && by_parser.length < 65536;
                    assert_int_equal(n, good ? head : 0);
                    whole += (size_t)good;
                    if (good) {
                        assert_int_equal(frame.length, by_parser.length);
                        assert_memory_equal(frame.key, by_parser.key, 4);
                        assert_int_equal(frame.opcode, by_parser.opcode);
                        assert_true(frame.fin && frame.masked && frame.rsv == 0);
                    }
                }
            }
        }
    }
    assert_true(whole > 50);
    free(bytes);
}

/* ------------------------------------------------------------ other roles */

TEST(a_server_must_not_mask)
{
    for (unsigned masked = 0; masked < 2; masked++) {
        for (size_t cut = 0; cut < 3; cut++) {
            uint8_t bytes[6] = {0x81, (uint8_t)(masked << 7), 1, 2, 3, 4};
            struct wsp_frame_parser parser = {.have = 0};
            struct wsp_frame frame;
            const uint8_t *at = bytes;
            size_t len = cut;
            if (cut > 0) {
                enum wsp_frame_parsed answer =
                    wsp_frame_parser_feed(&parser, WSP_UNMASKED, &at, &len, &frame);
                if (cut == 2) {
                    assert_int_equal(answer, masked ? WSP_PARSED_BAD : WSP_PARSED_HEAD);
                    continue;
                }
            }
            len = sizeof bytes - cut;
            assert_int_equal(wsp_frame_parser_feed(&parser, WSP_UNMASKED, &at, &len, &frame),
                             masked ? WSP_PARSED_BAD : WSP_PARSED_HEAD);
        }
    }
}

TEST(a_masked_frame_is_read_as_it_was_written)
{
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536};
    uint8_t *payload = malloc(65536), *out = malloc(65536 + WSP_HEAD_MAX), *back = malloc(65536);
    for (size_t i = 0; i < 65536; i++) {
        payload[i] = (uint8_t)(i * 7);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct wsp_frame_parser parser = {.have = 0};
        struct wsp_frame frame;
        const uint8_t *at = out;
        size_t len = wsp_frame_head_len(sizes[i]) + 4 + sizes[i];
        wsp_frame_write_masked(out, WSP_BINARY, key, payload, sizes[i]);
        assert_int_equal(wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &len, &frame),
                         WSP_PARSED_HEAD);
        assert_int_equal(frame.length, sizes[i]);
        assert_int_equal(len, sizes[i]);
        assert_int_equal(frame.opcode, WSP_BINARY);
        for (size_t k = 0; k < len; k++) {
            back[k] = at[k] ^ frame.key[k & 3];
        }
        assert_memory_equal(back, payload, len);
    }
    free(payload);
    free(out);
    free(back);
}
