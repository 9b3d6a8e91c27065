/* SPDX-License-Identifier: MIT */
/*
 * unit/test_decoding.c - link/inbound.h with a codec: compressed messages under every cut.
 *
 * The tests cover the limits on the decoded length, UTF-8 validation of the decoded text, and the
 * codec's state: it is kept exactly as long as the codec asks for, and freed exactly once.
 *
 * The codec is that of unit/toy.h, which checks each call. A stream is written together with a
 * transcript: one line for each event that the connection must report.
 */
#include "support.h"
#include "frames.h"
#include "toy.h"

#include <inttypes.h>

#include "link/negotiated.h"
#include "link/encodings.h"
#include "link/inbound.h"

#define STEP 4096u /* the most output space that the codec gets in one step */
#define NO_LIMIT ((size_t)1 << 30)
#define KEEPS TOY_TAKEOVER

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    struct toy toy;
    wspool_codec_hook hook;
    struct wsp_decoders decoders;
    struct wsp_inbounds inbounds;
};

static void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->hooks = test_mem_hooks(&w->mem);
    w->toy.mem = &w->hooks;
    w->hook = toy_hook(&w->toy);
    wsp_decoders_init(&w->decoders, &w->hooks);
    wsp_inbounds_init(&w->inbounds, &w->hooks, &w->decoders, &w->hook);
}

static void world_close(struct world *w)
{
    toy_check(&w->toy);
    wsp_inbounds_fini(&w->inbounds);
    wsp_decoders_fini(&w->decoders);
    assert_int_equal(w->mem.live, 0);
}

/* ------------------------------------------------------------------ streams */

#define LINES 20000

struct lines {
    char text[LINES];
    size_t len;
};

static void add_line(struct lines *lines, const char *what, unsigned opcode, const void *data,
                     size_t len)
{
    const uint8_t *bytes = data;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; data && i < len; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    int n = snprintf(lines->text + lines->len, LINES - lines->len, "%s %u %zu %016" PRIx64 "\n",
                     what, opcode, len, data ? hash : 0);
    assert_true(n > 0 && lines->len + (size_t)n < LINES);
    lines->len += (size_t)n;
}

struct stream {
    uint8_t bytes[200000];
    size_t len;
    struct lines expected;
};

static void put_frame(struct stream *s, unsigned first, const void *payload, size_t len)
{
    assert_true(s->len + len + FRAME_HEAD_MAX <= sizeof s->bytes);
    s->len += frame_client(s->bytes + s->len, first, payload, len);
}

static void hear_error(struct stream *s, enum wspool_end end)
{
    add_line(&s->expected, "ERROR", (unsigned)end, NULL, 0);
}

static void put_control(struct stream *s, unsigned opcode, const char *payload)
{
    put_frame(s, FRAME_FIN | opcode, payload, strlen(payload));
    add_line(&s->expected, "CONTROL", opcode, payload, strlen(payload));
}

/* Writes an encoded message in that many frames, with pings between them. Adds nothing to the
 * transcript. */
static void put_encoded(struct stream *s, unsigned opcode, const uint8_t *encoded, size_t len,
                        size_t frames)
{
    size_t from = 0;
    for (size_t i = 0; i < frames; i++) {
        size_t to = i + 1 == frames ? len : len * (i + 1) / frames;
        put_frame(s, (i == 0 ? FRAME_RSV1 | opcode : 0) | (i + 1 == frames ? FRAME_FIN : 0),
                  encoded + from, to - from);
        if (i + 1 < frames) {
            add_line(&s->expected, "FRAME", 0, NULL, to - from);
            put_control(s, WSP_PING, "between");
        }
        from = to;
    }
}

static void hear_message(struct stream *s, int encoded, unsigned opcode, const void *message,
                         size_t len)
{
    add_line(&s->expected, encoded ? "CODED" : "PLAIN", opcode, message, len);
}

static void put_message(struct stream *s, unsigned opcode, const void *message, size_t len,
                        size_t frames)
{
    uint8_t *encoded = malloc(2 * len + 32);
    put_encoded(s, opcode, encoded, toy_write(encoded, 2, message, len), frames);
    hear_message(s, 1, opcode, message, len);
    free(encoded);
}

static void put_plain(struct stream *s, unsigned opcode, const void *message, size_t len)
{
    put_frame(s, FRAME_FIN | opcode, message, len);
    hear_message(s, 0, opcode, message, len);
}

static struct stream *stream_new(void)
{
    struct stream *s = calloc(1, sizeof *s);
    assert_non_null(s);
    return s;
}

/* --------------------------------------------------------------------- peers */

struct peer {
    struct world *world;
    struct wsp_inbound *in;
    struct wsp_frame_parser parser;
    size_t limit;
    unsigned decoder;
    int failed;
    int closed;
    size_t most; /* the most bytes that its buffer ever held */
    struct lines got;
};

static void peer_open(struct peer *p, struct world *w, size_t limit, unsigned decoder)
{
    memset(p, 0, sizeof *p);
    p->world = w;
    p->limit = limit;
    p->decoder = decoder;
    p->parser.negotiated = wsp_negotiated(1 + decoder % WSPOOL_ENCODINGS, decoder);
}

static void peer_close(struct peer *p)
{
    wsp_inbound_fini(&p->world->inbounds, &p->in);
    assert_null(p->in);
}

static void peer_check(struct peer *p, const struct wsp_input_result *result)
{
    const struct wsp_inbound *in = p->in;
    if (!in) {
        return;
    }
    p->most = in->buffer.len > p->most ? in->buffer.len : p->most;
    assert_true(in->buffer.len <= p->limit);
    assert_true(in->buffer.cap <= 256 || in->buffer.cap <= 2 * p->limit);
    if (result->kind == WSP_INPUT_MORE && !p->failed) {
        /* between messages only the state that the codec keeps is held */
        assert_true(in->decoder != NULL || in->message != 0 || in->state != NULL);
        if (in->message == 0 && !in->decoder) {
            assert_null(in->buffer.data);
            assert_true(!in->state || (p->decoder & KEEPS));
        }
    }
    if (p->failed && result->kind == WSP_INPUT_MORE) {
        assert_null(in->state);
        assert_true(in->buffer.len == 0 && in->buffer.cap <= 1024);
    }
}

static void feed(struct peer *p, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct wsp_input input = {.bytes = copy, .len = len, .limit = p->limit};
    struct wsp_input_result result;
    memcpy(copy, bytes, len);
    do {
        if (p->closed) {
            break;
        }
        memset(&result, 0xee, sizeof result);
        if (p->failed) {
            wsp_inbound_discard(&p->world->inbounds, &p->in, &p->parser, &input, &result);
        } else {
            wsp_inbound_next(&p->world->inbounds, &p->in, &p->parser, &input, &result);
        }
        peer_check(p, &result);
        switch (result.kind) {
        case WSP_INPUT_MORE:
            assert_int_equal(input.len, 0);
            break;
        case WSP_INPUT_FRAME:
            add_line(&p->got, "FRAME", 0, NULL, result.len);
            break;
        case WSP_INPUT_MESSAGE:
            assert_non_null(result.data);
            assert_true(result.encoded == 0 || result.encoded == 1);
            add_line(&p->got, result.encoded ? "CODED" : "PLAIN", result.opcode, result.data,
                     result.len);
            break;
        case WSP_INPUT_CONTROL:
            add_line(&p->got, "CONTROL", result.opcode, result.data, result.len);
            p->closed = result.opcode == WSP_CLOSE;
            break;
        case WSP_INPUT_ERROR:
            add_line(&p->got, "ERROR", (unsigned)result.end, NULL, 0);
            p->failed = 1;
            break;
        }
    } while (result.kind != WSP_INPUT_MORE);
    free(copy);
}

enum { WHOLE, BYTES, RANDOM, WAYS = RANDOM + 4 };

static void feed_pieces(struct peer *p, const uint8_t *bytes, size_t len, int way, uint64_t *random)
{
    for (size_t done = 0, piece; done < len; done += piece) {
        piece = way == WHOLE ? len : way == BYTES ? 1 : frame_piece(len - done, random);
        feed(p, bytes + done, piece);
    }
}

/* Feeds the stream to new peers in each way and compares. The peers negotiated `decoder`; the
 * codec either knows that a message is complete, or does not. */
static void expect_heard(const struct stream *s, size_t limit, unsigned decoder)
{
    uint64_t random = 61;
    for (int round = 0; round < 2 * WAYS; round++) {
        struct world w;
        struct peer p;
        world_open(&w);
        w.toy.unsure = round % 2;
        peer_open(&p, &w, limit, decoder);
        feed_pieces(&p, s->bytes, s->len, round / 2, &random);
        assert_string_equal(p.got.text, s->expected.text);
        assert_true(w.toy.most_room <= STEP);
        peer_close(&p);
        world_close(&w);
    }
}

static void expect_and_free(struct stream *s, size_t limit)
{
    /* 5 and 15 keep a state */
    for (unsigned decoder = 0; decoder < WSPOOL_DECODERS; decoder += 5) {
        expect_heard(s, limit, decoder);
    }
    free(s);
}

/* ------------------------------------------------------------------ messages */

TEST(message_when_encoded_is_received_under_every_cut)
{
    struct stream *s = stream_new();
    put_message(s, WSP_TEXT, "heellllo wwwwwwwwwwooooorld", 27, 1);
    put_message(s, WSP_BINARY, "\xff\xff\xff\0\0", 5, 1);
    put_control(s, WSP_CLOSE, "\x03\xe8");
    for (unsigned decoder = 0; decoder < 2; decoder++) {
        for (size_t a = 0; a <= s->len; a++) {
            for (size_t b = a; b <= s->len; b++) {
                struct world w;
                struct peer p;
                world_open(&w);
                peer_open(&p, &w, 27, decoder);
                feed(&p, s->bytes, a);
                feed(&p, s->bytes + a, b - a);
                feed(&p, s->bytes + b, s->len - b);
                assert_string_equal(p.got.text, s->expected.text);
                peer_close(&p);
                world_close(&w);
            }
        }
    }
    free(s);
}

TEST(message_when_encoded_in_fragments_with_controls_between_is_received)
{
    static const char text[] = "aaaaaaaaaabbbbbbbbbbcccccccccccccccccccccccccccccccccccde";
    struct stream *s = stream_new();
    for (size_t frames = 2; frames < 20; frames++) {
        put_message(s, WSP_TEXT, text, sizeof text - 1, frames); /* also more frames than bytes */
        put_control(s, WSP_PONG, "");
    }
    expect_and_free(s, NO_LIMIT);
}

TEST(messages_when_plain_and_encoded_in_turn_are_told_apart)
{
    struct stream *s = stream_new();
    put_plain(s, WSP_TEXT, "plain", 5);
    put_message(s, WSP_TEXT, "coded", 5, 3);
    put_plain(s, WSP_TEXT, "plain again", 11);
    put_frame(s, WSP_BINARY, "\x00", 1); /* a plain message in fragments: not decoded */
    add_line(&s->expected, "FRAME", 0, NULL, 1);
    put_frame(s, FRAME_FIN, "B", 1);
    hear_message(s, 0, WSP_BINARY, "\0B", 2);
    put_message(s, WSP_BINARY, "coded again", 11, 1);
    put_plain(s, WSP_BINARY, "", 0);
    expect_and_free(s, 100);
}

TEST(message_when_empty_is_received)
{
    struct stream *s = stream_new();
    for (unsigned opcode = WSP_TEXT; opcode <= WSP_BINARY; opcode++) {
        put_frame(s, FRAME_FIN | FRAME_RSV1 | opcode, "", 0); /* a fragment without input */
        hear_message(s, 1, opcode, "", 0);
        put_encoded(s, opcode, (const uint8_t *)"\0N\0N", 4, 1);
        hear_message(s, 1, opcode, "", 0);
        put_encoded(s, opcode, (const uint8_t *)"", 0, 3); /* only empty fragments */
        hear_message(s, 1, opcode, "", 0);
        put_message(s, opcode, "x", 1, 1);
    }
    /* The last fragment is empty: the message is complete with it and not before. */
    put_frame(s, FRAME_RSV1 | WSP_TEXT, "\3y", 2);
    add_line(&s->expected, "FRAME", 0, NULL, 2);
    put_frame(s, 0, "", 0);
    add_line(&s->expected, "FRAME", 0, NULL, 0);
    put_frame(s, FRAME_FIN, "", 0);
    hear_message(s, 1, WSP_TEXT, "yyy", 3);
    expect_heard(s, 3, 0);
    expect_and_free(s, 1000);
}

/* Messages of all sizes near the output space of a step, in all shapes. */
TEST(streams_when_random_are_received_in_random_pieces)
{
    static uint8_t bytes[20000];
    uint64_t random = 71;
    for (int round = 0; round < 12; round++) {
        struct stream *s = stream_new();
        for (int i = 0; i < 12 && s->len < sizeof s->bytes / 2; i++) {
            size_t len = (size_t)test_below(&random, test_below(&random, 3) ? 40 : 9000);
            unsigned opcode = WSP_TEXT + (unsigned)test_below(&random, 2);
            for (size_t n = 0; n < len;) {
                size_t run = 1 + (size_t)test_below(&random, 400);
                run = run < len - n ? run : len - n;
                memset(bytes + n, 'a' + (int)test_below(&random, 3), run);
                n += run;
            }
            if (test_below(&random, 3) == 0) {
                put_plain(s, opcode, bytes, len);
            } else {
                put_message(s, opcode, bytes, len, 1 + (size_t)test_below(&random, 4));
            }
        }
        put_control(s, WSP_CLOSE, "\x03\xe8");
        expect_and_free(s, 9000);
    }
}

/* -------------------------------------------------------------------- limits */

TEST(message_when_at_its_limit_is_received_and_one_byte_over_is_too_big)
{
    static const size_t limits[] = {1,        2,        255,          256,          257,  STEP - 1,
                                    STEP,     STEP + 1, 2 * STEP - 1, 2 * STEP,     5000, 9999,
                                    3 * STEP, 16384,    16385,        5 * STEP + 7, 65536};
    static uint8_t bytes[65537];
    memset(bytes, 'm', sizeof bytes);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        size_t limit = limits[i];
        for (size_t frames = 1; frames <= 3; frames += 2) {
            struct stream *s = stream_new();
            put_message(s, WSP_BINARY, bytes, limit, frames);
            put_message(s, WSP_TEXT, bytes, limit, frames);
            expect_heard(s, limit, 0);
            expect_heard(s, limit, KEEPS);
            free(s);
        }
        /* The byte too many is the last of a long run, or a run by itself, or comes with the
         * last fragment. The event that finds it is the error, and the Close behind it is found,
         * too. */
        for (int how = 0; how < 3; how++) {
            struct stream *s = stream_new();
            static uint8_t encoded[3000];
            size_t len = toy_write(encoded, 1, bytes, limit + (how == 0));
            if (how > 0) {
                memcpy(encoded + len, "\1!", 2);
            }
            if (how == 2) {
                put_frame(s, FRAME_RSV1 | WSP_BINARY, encoded, len);
                add_line(&s->expected, "FRAME", 0, NULL, len);
                put_frame(s, FRAME_FIN, encoded + len, 2);
            } else {
                put_frame(s, FRAME_FIN | FRAME_RSV1 | WSP_BINARY, encoded,
                          len + (how == 1 ? 2 : 0));
            }
            hear_error(s, WSPOOL_END_TOO_BIG);
            put_control(s, WSP_CLOSE, "\x03\xe8");
            expect_heard(s, limit, 0);
            expect_heard(s, limit, KEEPS);
            free(s);
        }
    }
}

TEST(bomb_when_it_bursts_is_too_big_and_costs_no_more_than_the_limit)
{
    static const size_t limits[] = {1, 100, STEP, 65536, 1 << 20};
    for (size_t i = 0; i < 5; i++) {
        struct stream *s = stream_new();
        struct world w;
        struct peer p;
        /* found before the last frame of the message */
        put_frame(s, FRAME_RSV1 | WSP_TEXT, "\5a\0X", 4);
        world_open(&w);
        peer_open(&p, &w, limits[i], 0);
        feed(&p, s->bytes, s->len);
        hear_error(s, WSPOOL_END_TOO_BIG);
        assert_string_equal(p.got.text, s->expected.text);
        assert_true(p.most <= limits[i]);
        assert_true(w.toy.decodes <= limits[i] / STEP + 2);
        assert_int_equal(w.toy.least_room, limits[i] < STEP ? 1 : w.toy.least_room);
        /* The old buffer and the new one while it grows, and the memory that a frame needs
         * anyway. */
        assert_true(w.mem.peak <= 2 * (limits[i] + STEP) + 16384);
        peer_close(&p);
        world_close(&w);
        free(s);
    }
}

TEST(input_when_it_produces_nothing_has_an_end_nevertheless)
{
    static const size_t limits[] = {1, 3, 4, 1000, 4096, 10001};
    static uint8_t nothing[2 * 10001];
    for (size_t i = 0; i < sizeof nothing; i++) {
        nothing[i] = i % 2 ? 'N' : 0;
    }
    for (size_t i = 0; i < 6; i++) {
        size_t most = limits[i] + limits[i] / 4 + 1024;
        for (int over = 0; over < 2; over++) {
            for (size_t part = 1; part < most; part = part * 5 + 1) {
                struct world w;
                struct peer p;
                struct stream *s = stream_new();
                size_t sent = most - most % 2; /* whole pairs */
                put_frame(s, FRAME_RSV1 | WSP_BINARY, nothing, part);
                put_frame(s, 0, nothing + part, sent - part);
                if (over) { /* the frame's header shows it */
                    uint8_t head[FRAME_HEAD_MAX];
                    struct frame_form form = {.first = FRAME_FIN, .key = head};
                    size_t len = frame_head(head, &form, most - sent + 1);
                    memcpy(s->bytes + s->len, head, len);
                    s->len += len;
                } else {
                    put_frame(s, FRAME_FIN, nothing, 0);
                }
                world_open(&w);
                peer_open(&p, &w, limits[i], 0);
                feed(&p, s->bytes, s->len);
                add_line(&s->expected, "FRAME", 0, NULL, part);
                add_line(&s->expected, "FRAME", 0, NULL, sent - part);
                if (over) {
                    hear_error(s, WSPOOL_END_TOO_BIG);
                } else {
                    hear_message(s, 1, WSP_BINARY, "", 0);
                }
                assert_string_equal(p.got.text, s->expected.text);
                peer_close(&p);
                world_close(&w);
                free(s);
            }
        }
        /* In one frame: exactly the limit, and one byte more, which the frame's header shows. */
        for (size_t more = 0; more < 2; more++) {
            uint8_t head[FRAME_HEAD_MAX], key[4] = {1, 2, 3, 4};
            struct frame_form form = {.first = FRAME_FIN | FRAME_RSV1 | WSP_BINARY, .key = key};
            struct world w;
            struct peer p;
            world_open(&w);
            peer_open(&p, &w, limits[i], 0);
            feed(&p, head, frame_head(head, &form, most + more));
            assert_int_equal(p.failed, more);
            peer_close(&p);
            world_close(&w);
        }
    }
}

/* The higher limit on the bytes received is for encoded messages only. */
TEST(message_when_plain_gets_no_more_than_the_limit)
{
    for (int before = 0; before < 2; before++) {
        struct stream *s = stream_new();
        if (before) {
            put_message(s, WSP_TEXT, "aaaaaaa", 7, 2);
        }
        put_plain(s, WSP_TEXT, "1234567890", 10);
        put_frame(s, WSP_TEXT, "12345", 5);
        add_line(&s->expected, "FRAME", 0, NULL, 5);
        put_frame(s, FRAME_FIN, "678901", 6);
        hear_error(s, WSPOOL_END_TOO_BIG);
        put_control(s, WSP_CLOSE, "");
        expect_and_free(s, 10);
    }
}

/* ---------------------------------------------------------------------- text */

TEST(text_when_encoded_is_judged_by_what_comes_out)
{
    struct stream *s = stream_new();
    uint8_t long_text[2 * STEP + 1];
    /* the encoded bytes themselves are not UTF-8 */
    put_encoded(s, WSP_TEXT, (const uint8_t *)"\xffg\xc0h", 4, 2);
    uint8_t text[255 + 192];
    memset(text, 'g', 255);
    memset(text + 255, 'h', 192);
    hear_message(s, 1, WSP_TEXT, text, sizeof text);
    /* each byte of a character is a run, and comes in another piece */
    put_message(s, WSP_TEXT, "\xe2\x82\xac\xf0\x9f\x98\x80", 7, 5);
    /* or the bytes lie on both sides of a step */
    memset(long_text, 'a', sizeof long_text);
    for (size_t at = STEP - 3; at < STEP; at++) {
        long_text[at] = 'a';
        memcpy(long_text + at + 1, "\xf0\x9f\x98\x80", 4);
        put_message(s, WSP_TEXT, long_text, sizeof long_text, 1);
    }
    /* a binary message need not be UTF-8 */
    put_message(s, WSP_BINARY, "\xc0\x80\xff\xe2", 4, 2);
    expect_and_free(s, NO_LIMIT);
}

TEST(text_when_bad_is_refused_at_its_first_bad_byte)
{
    static const struct {
        const char *text;
        size_t len, bad; /* `bad`: the first byte that can't be right */
    } cases[] = {
        {"\xff", 1, 0},         {"abc\x80", 4, 3},
        {"a\xc0\xaf", 3, 1},    {"\xe2\x82x", 3, 2},
        {"\xed\xa0\x80", 3, 1}, {"\xf0\x9f\x98\xf0", 4, 3},
        {"\xf5", 1, 0},         {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xe2\x28", 40, 39},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream *s = stream_new();
        struct world w;
        struct peer p;
        uint8_t encoded[200];
        size_t len = 0, fed;
        /* encoded bytes up to and including those of the bad byte */
        size_t fatal = 0;
        for (size_t n = 0; n < cases[i].len; n++) { /* one run for each byte */
            encoded[len++] = 1;
            encoded[len++] = (uint8_t)cases[i].text[n];
            fatal = n == cases[i].bad ? len : fatal;
        }
        put_frame(s, FRAME_RSV1 | WSP_TEXT, encoded, len);
        world_open(&w);
        peer_open(&p, &w, NO_LIMIT, 0);
        for (fed = 0; !p.failed && fed < s->len; fed++) {
            feed(&p, s->bytes + fed, 1);
        }
        assert_int_equal(p.failed, 1);
        assert_int_equal(fed, s->len - len + fatal);
        hear_error(s, WSPOOL_END_BAD_UTF8);
        assert_string_equal(p.got.text, s->expected.text);
        peer_close(&p);
        world_close(&w);
        put_control(s, WSP_CLOSE, "\x0f\xa0");
        expect_and_free(s, NO_LIMIT);
    }
}

TEST(text_when_it_ends_inside_a_character_is_refused_at_its_end)
{
    for (size_t frames = 1; frames < 4; frames++) {
        struct stream *s = stream_new();
        static const char text[] = "ab\xf0\x9f\x98";
        uint8_t encoded[64];
        size_t len = toy_write(encoded, 1, text, 5);
        put_encoded(s, WSP_TEXT, encoded, len, frames);
        hear_error(s, WSPOOL_END_BAD_UTF8);
        put_control(s, WSP_CLOSE, "\x03\xe8");
        expect_and_free(s, NO_LIMIT);
    }
    /* The rest of one message does not become part of the next. */
    struct stream *s = stream_new();
    put_message(s, WSP_BINARY, "\xf0\x9f\x98", 3, 1);
    put_message(s, WSP_TEXT, "a", 1, 1);
    expect_and_free(s, NO_LIMIT);
}

/* -------------------------------------------------------------------- faults */

TEST(encoding_when_bad_is_an_error_and_the_close_behind_it_is_found)
{
    static const struct {
        const char *encoded;
        size_t len;
        enum wspool_end end;
    } cases[] = {
        {"\0B", 2, WSPOOL_END_BAD_ENCODING},
        {"\3a\0B\3b", 6, WSPOOL_END_BAD_ENCODING},
        {"\3a\2", 3, WSPOOL_END_BAD_ENCODING}, /* the end of the message cuts a pair */
        {"\0L", 2, WSPOOL_END_BAD_ENCODING},   /* refers to a run that does not exist */
        {"\0M", 2, WSPOOL_END_NOMEM},
        {"\3a\0Mxx", 6, WSPOOL_END_NOMEM},
        {"\0Bthis looks like a Close: \x88\x82\0\0\0\0\x03\xe9 and is none", 45,
         WSPOOL_END_BAD_ENCODING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream *s = stream_new();
        put_plain(s, WSP_TEXT, "before", 6);
        put_frame(s, FRAME_FIN | FRAME_RSV1 | WSP_BINARY, cases[i].encoded, cases[i].len);
        hear_error(s, cases[i].end);
        put_frame(s, FRAME_FIN | FRAME_RSV1 | WSP_TEXT, "\3a", 2); /* not reported */
        put_frame(s, FRAME_RSV1 | 5, "?", 1);
        put_control(s, WSP_CLOSE, "\x0f\xa0why");
        expect_and_free(s, NO_LIMIT);
    }
}

TEST(rsv1_when_not_at_a_message_s_beginning_is_a_protocol_error)
{
    static const struct {
        unsigned in_message; /* a fragment comes before it, with RSV1 or without */
        unsigned first;
    } cases[] = {
        {FRAME_RSV1, FRAME_RSV1},
        {FRAME_RSV1, FRAME_FIN | FRAME_RSV1},
        {1, FRAME_FIN | FRAME_RSV1},
        {FRAME_RSV1, FRAME_FIN | FRAME_RSV1 | WSP_PING},
        {0, FRAME_FIN | FRAME_RSV1 | WSP_PONG},
        {0, FRAME_RSV1},
        {0, FRAME_FIN | 0x20 | WSP_TEXT},
        {0, FRAME_FIN | FRAME_RSV1 | 0x10 | WSP_TEXT},
        {FRAME_RSV1, FRAME_FIN | FRAME_RSV1 | WSP_TEXT}, /* a message begins inside another */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream *s = stream_new();
        if (cases[i].in_message) {
            put_frame(s, (cases[i].in_message & FRAME_RSV1) | WSP_TEXT, "\3a", 2);
            add_line(&s->expected, "FRAME", 0, NULL, 2);
        }
        put_frame(s, cases[i].first, "\3b", 2);
        hear_error(s, WSPOOL_END_PROTOCOL);
        put_control(s, WSP_CLOSE, "\x03\xe8");
        expect_and_free(s, NO_LIMIT);
    }
}

TEST(rsv1_when_nothing_was_negotiated_is_a_protocol_error)
{
    struct stream *s = stream_new();
    struct world w;
    struct peer p;
    put_message(s, WSP_TEXT, "aaaa", 4, 1);
    world_open(&w);
    peer_open(&p, &w, NO_LIMIT, 0);
    p.parser.negotiated = 0;
    feed(&p, s->bytes, s->len);
    s->expected.len = 0;
    hear_error(s, WSPOOL_END_PROTOCOL);
    assert_string_equal(p.got.text, s->expected.text);
    assert_int_equal(w.toy.decodes, 0);
    peer_close(&p);
    world_close(&w);
    free(s);
}

/* Returns FULL for ever, and does nothing. */
static enum wspool_decoded stand_still(unsigned decoder, void **state, wspool_decoding *piece,
                                       void *user)
{
    (void)decoder, (void)state, (void)piece;
    assert_true(++*(size_t *)user < 100);
    return WSPOOL_DECODED_FULL;
}

TEST(codec_when_it_stands_still_is_bad_encoding_not_a_loop)
{
    for (size_t len = 0; len < 3; len++) {
        struct stream *s = stream_new();
        struct world w;
        struct peer p;
        size_t calls = 0;
        put_frame(s, FRAME_FIN | FRAME_RSV1 | WSP_TEXT, "\2a", len);
        world_open(&w);
        w.hook.decode = stand_still;
        w.hook.user = &calls;
        peer_open(&p, &w, NO_LIMIT, 0);
        feed(&p, s->bytes, s->len);
        hear_error(s, WSPOOL_END_BAD_ENCODING);
        assert_string_equal(p.got.text, s->expected.text);
        assert_int_equal(calls, 1);
        peer_close(&p);
        w.hook.user = &w.toy;
        world_close(&w);
        free(s);
    }
}

TEST(memory_when_it_fails_anywhere_is_an_error_and_the_close_is_found)
{
    static uint8_t bytes[3 * STEP];
    uint64_t random = 79;
    memset(bytes, 'm', sizeof bytes);
    for (int way = 0; way < WAYS; way++) {
        for (unsigned decoder = 0; decoder < 2; decoder++) {
            struct stream *s = stream_new();
            put_message(s, WSP_TEXT, bytes, 10, 1);
            put_message(s, WSP_TEXT, bytes, sizeof bytes, 3);
            put_plain(s, WSP_BINARY, bytes, 2000);
            put_message(s, WSP_BINARY, bytes, 6000, 2);
            size_t before = s->expected.len;
            put_control(s, WSP_CLOSE, "\x03\xe8tschau");
            const char *close = s->expected.text + before;
            size_t n = 1, failures = 1;
            for (; failures > 0; n++) {
                struct world w;
                struct peer p;
                world_open(&w);
                w.mem.fail_at = n;
                peer_open(&p, &w, NO_LIMIT, decoder);
                feed_pieces(&p, s->bytes, s->len, way, &random);
                failures = w.mem.failures;
                if (failures == 0) {
                    assert_string_equal(p.got.text, s->expected.text);
                } else { /* a beginning of the expected events, the error, the Close */
                    struct lines error = {.len = 0};
                    add_line(&error, "ERROR", WSPOOL_END_NOMEM, NULL, 0);
                    size_t tail = error.len + strlen(close);
                    assert_true(p.got.len >= tail);
                    size_t heard = p.got.len - tail;
                    assert_memory_equal(p.got.text, s->expected.text, heard);
                    assert_memory_equal(p.got.text + heard, error.text, error.len);
                    assert_string_equal(p.got.text + heard + error.len, close);
                }
                peer_close(&p);
                world_close(&w);
            }
            assert_true(n > 6);
            free(s);
        }
    }
}

/* Frames in any order with any encoded bytes, including orders to fail. The events are the same
 * for all cuts, and whether or not the codec knows that a message is complete. */
TEST(streams_when_of_any_bytes_are_received_alike_under_all_cuts)
{
    static const uint8_t counts[] = {0, 0, 1, 2, 40, 255};
    static const uint8_t alphabet[] = {'N', 'N', 'N', 'N', 'N', 'L', 'X', 'B', 'M', 0};
    static const unsigned firsts[] = {FRAME_FIN | FRAME_RSV1 | WSP_TEXT,
                                      FRAME_FIN | FRAME_RSV1 | WSP_BINARY,
                                      FRAME_RSV1 | WSP_TEXT,
                                      FRAME_RSV1 | WSP_BINARY,
                                      WSP_CONTINUATION,
                                      WSP_CONTINUATION,
                                      WSP_CONTINUATION,
                                      FRAME_FIN | WSP_CONTINUATION,
                                      FRAME_FIN | WSP_CONTINUATION,
                                      FRAME_FIN | WSP_TEXT,
                                      FRAME_FIN | WSP_PING};
    uint64_t random = 83;
    size_t messages = 0, errors = 0;
    for (int round = 0; round < 400; round++) {
        struct stream *s = stream_new();
        int in_message = 0;
        for (int i = 0; i < 12; i++) {
            uint8_t bytes[100];
            size_t len = (size_t)test_below(&random, test_below(&random, 2) ? 5 : sizeof bytes);
            unsigned first = firsts[test_below(&random, sizeof firsts / sizeof *firsts)];
            int control = (first & 8) != 0, goes_on = (first & 15) == WSP_CONTINUATION;
            if (!control && goes_on != in_message && test_below(&random, 20) > 0) {
                continue; /* out of order: in few cases */
            }
            in_message = control ? in_message : !(first & FRAME_FIN);
            for (size_t k = 0; k + 1 < len; k += 2) {
                uint8_t count = counts[test_below(&random, sizeof counts)];
                size_t orders = test_below(&random, 40) ? 5 : sizeof alphabet;
                bytes[k] = count;
                bytes[k + 1] = alphabet[test_below(&random, orders)];
            }
            put_frame(s, first, bytes, len - len % 2);
        }
        put_frame(s, FRAME_FIN | WSP_CLOSE, "\x03\xe8", 2);
        size_t limit = 1 + (size_t)test_below(&random, 9000);
        for (int way = 0; way < 2 * WAYS; way++) {
            struct world w;
            struct peer p;
            world_open(&w);
            w.toy.unsure = way % 2;
            peer_open(&p, &w, limit, (unsigned)round % WSPOOL_DECODERS);
            feed_pieces(&p, s->bytes, s->len, way / 2, &random);
            if (way == 0) {
                s->expected = p.got;
                messages += strstr(p.got.text, "CODED") != NULL;
                errors += p.failed != 0;
            }
            assert_string_equal(p.got.text, s->expected.text);
            peer_close(&p);
            world_close(&w);
        }
        free(s);
    }
    assert_true(messages > 50 && errors > 50 && errors < 350);
}

/* --------------------------------------------------------------------- state */

TEST(state_when_the_codec_keeps_it_serves_the_next_message)
{
    struct stream *s = stream_new();
    put_message(s, WSP_TEXT, "aaaaaaa", 7, 2);
    put_encoded(s, WSP_TEXT, (const uint8_t *)"\0L\0L", 4, 1); /* refers to the message before */
    hear_message(s, 1, WSP_TEXT, "aaaaaaaaaaaaaa", 14);
    put_control(s, WSP_PING, "idle");
    put_plain(s, WSP_TEXT, "plain in between", 16);
    put_frame(s, FRAME_FIN | FRAME_RSV1 | WSP_TEXT, "", 0);
    hear_message(s, 1, WSP_TEXT, "", 0);
    put_encoded(s, WSP_BINARY, (const uint8_t *)"\0L\2b\0L", 6, 3);
    hear_message(s, 1, WSP_BINARY, "aaaaaaabbbb", 11);
    for (unsigned decoder = 1; decoder < WSPOOL_DECODERS; decoder += 2) {
        expect_heard(s, NO_LIMIT, decoder);
    }
    free(s);
}

TEST(state_when_not_kept_is_new_with_each_message)
{
    struct stream *s = stream_new();
    put_message(s, WSP_TEXT, "aaaaaaa", 7, 2);
    put_encoded(s, WSP_TEXT, (const uint8_t *)"\2b\0L", 4, 2);
    hear_message(s, 1, WSP_TEXT, "bbbb", 4);
    put_frame(s, FRAME_FIN | FRAME_RSV1 | WSP_TEXT, "\0L", 2);
    hear_error(s, WSPOOL_END_BAD_ENCODING);
    for (unsigned decoder = 0; decoder < WSPOOL_DECODERS; decoder += 2) {
        expect_heard(s, NO_LIMIT, decoder);
    }
    free(s);
}

TEST(states_when_of_many_peers_do_not_mix)
{
    struct world w;
    /* more peers than the free list keeps buffers */
    struct peer *peers = calloc(40, sizeof *peers);
    world_open(&w);
    for (unsigned i = 0; i < 40; i++) {
        peer_open(&peers[i], &w, NO_LIMIT, i % WSPOOL_DECODERS);
    }
    for (int round = 0; round < 6; round++) {
        for (unsigned i = 0; i < 40; i++) {
            struct stream *s = stream_new();
            char text[] = "......";
            memset(text, 'a' + (int)(i % 26), 6);
            if (round % 2 == 0 || !(i % WSPOOL_DECODERS & KEEPS)) {
                put_message(s, WSP_TEXT, text, 6, 1 + i % 2);
            } else {
                put_encoded(s, WSP_TEXT, (const uint8_t *)"\0L", 2, 1 + i % 2);
                hear_message(s, 1, WSP_TEXT, text, 6);
            }
            peers[i].got.len = 0;
            feed(&peers[i], s->bytes, s->len);
            assert_string_equal(peers[i].got.text, s->expected.text);
            free(s);
        }
        /* an odd `decoder` keeps a state, an even one keeps nothing */
        size_t kept = 0;
        for (unsigned i = 0; i < 40; i++) {
            assert_true(!peers[i].in == !(i % WSPOOL_DECODERS & KEEPS));
            kept += peers[i].in != NULL;
        }
        assert_int_equal(w.toy.live, kept);
    }
    for (unsigned i = 0; i < 40; i++) {
        peer_close(&peers[i]);
    }
    world_close(&w);
    free(peers);
}

/* An idle peer that has sent a message costs its record and the codec's state, but no buffer. */
TEST(buffer_when_a_state_is_kept_is_given_back)
{
    struct world w;
    struct peer p;
    struct stream *s = stream_new();
    static uint8_t bytes[60000];
    world_open(&w);
    peer_open(&p, &w, NO_LIMIT, KEEPS);
    put_message(s, WSP_BINARY, bytes, 1, 1);
    feed(&p, s->bytes, s->len);
    size_t small = w.mem.bytes;
    s->len = 0;
    put_message(s, WSP_BINARY, bytes, sizeof bytes, 2);
    feed(&p, s->bytes, s->len);
    assert_true(w.mem.bytes <= small);
    assert_int_equal(w.toy.live, 1);
    assert_non_null(p.in->state);
    peer_close(&p);
    assert_int_equal(w.toy.overs, 1);
    world_close(&w);
    free(s);
}

/* The peer disconnects, or the host closes, at each byte of the stream. */
TEST(state_when_the_peer_goes_anywhere_is_given_back_once)
{
    struct stream *s = stream_new();
    put_message(s, WSP_TEXT, "aaaaabbbbbbc", 12, 2);
    put_plain(s, WSP_TEXT, "plain", 5);
    put_message(s, WSP_BINARY, "ddddd", 5, 1);
    put_control(s, WSP_CLOSE, "\x03\xe8");
    for (unsigned decoder = 0; decoder < 2; decoder++) {
        for (int discards = 0; discards < 2; discards++) {
            for (size_t cut = 0; cut <= s->len; cut++) {
                struct world w;
                struct peer p;
                world_open(&w);
                peer_open(&p, &w, NO_LIMIT, decoder);
                for (size_t i = 0; i < cut; i++) {
                    feed(&p, s->bytes + i, 1);
                }
                size_t live = w.toy.live;
                assert_true(live <= 1 && w.toy.overs == 0);
                if (discards && !p.closed) {
                    p.failed = 1;
                    feed(&p, s->bytes + cut, s->len - cut);
                    assert_int_equal(p.closed, 1);
                    assert_int_equal(w.toy.live, 0);
                    assert_int_equal(w.toy.overs, live);
                }
                peer_close(&p);
                assert_int_equal(w.toy.live, 0);
                assert_int_equal(w.toy.overs, live);
                world_close(&w);
            }
        }
    }
    free(s);
}

/* The host closes from inside the message hook: the message stays valid there, and the next call
 * discards it. */
TEST(state_when_the_host_closes_from_a_message_is_given_back)
{
    for (unsigned decoder = 0; decoder < 2; decoder++) {
        struct stream *s = stream_new();
        struct world w;
        struct wsp_input_result result;
        struct wsp_inbound *in = NULL;
        struct wsp_frame_parser parser = {.negotiated = wsp_negotiated(1, decoder)};
        put_message(s, WSP_TEXT, "aaaa", 4, 1);
        put_control(s, WSP_CLOSE, "\x03\xe8");
        struct wsp_input input = {.bytes = s->bytes, .len = s->len, .limit = 100};
        world_open(&w);
        wsp_inbound_next(&w.inbounds, &in, &parser, &input, &result);
        assert_int_equal(result.kind, WSP_INPUT_MESSAGE);
        assert_memory_equal(result.data, "aaaa", 4);
        wsp_inbound_discard(&w.inbounds, &in, &parser, &input, &result);
        assert_int_equal(result.kind, WSP_INPUT_CONTROL);
        assert_int_equal(result.len, 2);
        assert_int_equal(w.toy.live, 0);
        assert_int_equal(w.toy.overs, 1);
        wsp_inbound_fini(&w.inbounds, &in);
        world_close(&w);
        free(s);
    }
}

/* The bytes received of an unfinished message, which extend its deadline, are counted as they
 * came on the wire. */
TEST(received_when_encoded_counts_what_came_on_the_wire)
{
    struct stream *s = stream_new();
    struct world w;
    struct peer p;
    put_frame(s, FRAME_RSV1 | WSP_TEXT,
              "\xff"
              "a\xff"
              "b",
              4);
    put_frame(s, FRAME_FIN | WSP_PING, "12345678", 8);
    put_frame(s, 0, "\1c", 2);
    world_open(&w);
    peer_open(&p, &w, NO_LIMIT, 0);
    feed(&p, s->bytes, s->len);
    assert_non_null(p.in);
    assert_int_equal(p.in->received, 6);
    assert_int_equal(p.in->buffer.len, 511);
    peer_close(&p);
    world_close(&w);
    free(s);
}
