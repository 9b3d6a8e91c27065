/* SPDX-License-Identifier: MIT */
/*
 * unit/test_inbound.c - link/inbound.h: from bytes to messages and control frames.
 *
 * The tests cover fragments under every cut, limits, and faults, which must be found at the byte
 * that makes them. After a fault the parser stays in step with the peer, so that the peer's Close
 * is found.
 *
 * A stream is written together with the events that it must cause. It is fed in pieces as a
 * connection does: wsp_inbound_next until an error, wsp_inbound_discard from then on.
 */
#include "support.h"
#include "frames.h"

#include <wspool/error.h>
#include "link/inbound.h"

#define NO_LIMIT ((size_t)1 << 30)

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    struct wsp_decoders decoders;
    struct wsp_inbounds inbounds;
};

static void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->hooks = test_mem_hooks(&w->mem);
    wsp_decoders_init(&w->decoders, &w->hooks);
    wsp_inbounds_init(&w->inbounds, &w->hooks, &w->decoders, NULL);
}

static void world_close(struct world *w)
{
    wsp_inbounds_fini(&w->inbounds);
    wsp_decoders_fini(&w->decoders);
    assert_int_equal(w->mem.live, 0);
}

/* ------------------------------------------------------------------ streams */

struct result {
    enum wsp_input_kind kind;
    unsigned opcode; /* MESSAGE, CONTROL */
    uint8_t *data;   /* MESSAGE, CONTROL */
    size_t len;      /* of MESSAGE, CONTROL and FRAME */
    enum wspool_end end;
};

struct events {
    struct result *all;
    size_t count, cap;
};

static void events_add(struct events *events, enum wsp_input_kind kind, unsigned opcode,
                       const void *data, size_t len, enum wspool_end end)
{
    if (events->count == events->cap) {
        events->cap = events->cap ? 2 * events->cap : 16;
        events->all = realloc(events->all, events->cap * sizeof *events->all);
        assert_non_null(events->all);
    }
    struct result *result = &events->all[events->count++];
    *result = (struct result){.kind = kind, .opcode = opcode, .len = len, .end = end};
    if (data && len > 0) {
        result->data = malloc(len);
        assert_non_null(result->data);
        memcpy(result->data, data, len);
    }
}

static void events_free(struct events *events)
{
    for (size_t i = 0; i < events->count; i++) {
        free(events->all[i].data);
    }
    free(events->all);
    memset(events, 0, sizeof *events);
}

static void expect_events(const struct events *got, const struct events *expected)
{
    for (size_t i = 0; i < got->count && i < expected->count; i++) {
        const struct result *a = &got->all[i], *b = &expected->all[i];
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->opcode, b->opcode);
        assert_int_equal(a->len, b->len);
        assert_int_equal(a->end, b->end);
        assert_true(!b->data == !a->data);
        if (b->data) {
            assert_memory_equal(a->data, b->data, b->len);
        }
    }
    assert_int_equal(got->count, expected->count);
}

struct stream {
    uint8_t *bytes;
    size_t len, cap;
    struct events expected;
    uint64_t random;
};

static uint8_t *stream_room(struct stream *s, size_t len)
{
    if (s->len + len > s->cap) {
        s->cap = 2 * (s->len + len);
        s->bytes = realloc(s->bytes, s->cap);
        assert_non_null(s->bytes);
    }
    return s->bytes + s->len;
}

/* Writes a frame of any form, with a key of its own. Adds no expected event. */
static void stream_raw(struct stream *s, struct frame_form form, const void *payload, size_t len)
{
    uint8_t key[4];
    frame_fill(key, 4, &s->random);
    form.key = form.key ? key : NULL;
    s->len += frame_write(stream_room(s, len + FRAME_HEAD_MAX), &form, payload, len);
}

static const uint8_t masked[4]; /* marks a form as masked */

static void stream_frame(struct stream *s, unsigned first, const void *payload, size_t len)
{
    stream_raw(s, (struct frame_form){.first = first, .key = masked}, payload, len);
}

static void stream_message(struct stream *s, unsigned opcode, const void *payload, size_t len)
{
    stream_frame(s, FRAME_FIN | opcode, payload, len);
    events_add(&s->expected, WSP_INPUT_MESSAGE, opcode, payload, len, 0);
}

static void stream_control(struct stream *s, unsigned opcode, const void *payload, size_t len)
{
    stream_frame(s, FRAME_FIN | opcode, payload, len);
    events_add(&s->expected, WSP_INPUT_CONTROL, opcode, payload, len, 0);
}

/* Writes one fragment of the message `whole`. The last fragment adds the message to the expected
 * events. */
static void stream_fragment(struct stream *s, unsigned opcode, const uint8_t *whole, size_t from,
                            size_t to, size_t len, int last)
{
    stream_frame(s, (last ? FRAME_FIN : 0) | (from > 0 || opcode == 0 ? 0 : opcode), whole + from,
                 to - from);
    if (last) {
        events_add(&s->expected, WSP_INPUT_MESSAGE, opcode, whole, len, 0);
    } else {
        events_add(&s->expected, WSP_INPUT_FRAME, 0, NULL, to - from, 0);
    }
}

static void stream_error(struct stream *s, enum wspool_end end)
{
    events_add(&s->expected, WSP_INPUT_ERROR, 0, NULL, 0, end);
}

static void stream_free(struct stream *s)
{
    free(s->bytes);
    events_free(&s->expected);
}

/* --------------------------------------------------------------------- peers */

struct peer {
    struct world *world;
    struct wsp_inbound *in;
    struct wsp_frame_parser parser;
    size_t limit;
    uint64_t now;
    int discarding;
    int closed; /* its Close was received: nothing behind it counts */
    struct events got;
};

static void peer_check(const struct peer *p, const struct wsp_input_result *result)
{
    const struct wsp_inbound *in = p->in;
    if (!in || p->discarding) {
        return;
    }
    if (result->kind == WSP_INPUT_MORE) {
        /* No memory is held between messages. */
        assert_true(in->decoder != NULL || in->message != 0);
        assert_true(in->message != 0 || in->buffer.len == 0);
    }
    if (result->kind == WSP_INPUT_FRAME) {
        assert_null(in->decoder);
    }
}

static void record(struct peer *p, const struct wsp_input_result *result)
{
    int shows = result->kind == WSP_INPUT_MESSAGE || result->kind == WSP_INPUT_CONTROL;
    int counts = shows || result->kind == WSP_INPUT_FRAME;
    events_add(&p->got, result->kind, shows ? result->opcode : 0, shows ? result->data : NULL,
               counts ? result->len : 0, result->kind == WSP_INPUT_ERROR ? result->end : 0);
}

/* One read: a block of exactly that size, freed after the call. */
static void feed(struct peer *p, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct wsp_input_result result;
    struct wsp_input input = {.bytes = copy, .len = len, .limit = p->limit, .now = p->now};
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    do {
        if (p->closed) {
            break;
        }
        memset(&result, 0xee, sizeof result);
        if (p->discarding) {
            wsp_inbound_discard(&p->world->inbounds, &p->in, &p->parser, &input, &result);
            assert_true(result.kind == WSP_INPUT_MORE || result.kind == WSP_INPUT_ERROR ||
                        (result.kind == WSP_INPUT_CONTROL && result.opcode == WSP_CLOSE));
        } else {
            wsp_inbound_next(&p->world->inbounds, &p->in, &p->parser, &input, &result);
        }
        assert_ptr_equal(input.bytes, copy + len - input.len);
        peer_check(p, &result);
        if (result.kind == WSP_INPUT_MORE) {
            assert_int_equal(input.len, 0);
            break;
        }
        record(p, &result);
        p->discarding |= result.kind == WSP_INPUT_ERROR;
        p->closed = result.kind == WSP_INPUT_CONTROL && result.opcode == WSP_CLOSE;
    } while (p->got.count < 100000);
    free(copy);
}

static void peer_open(struct peer *p, struct world *w, size_t limit)
{
    memset(p, 0, sizeof *p);
    p->world = w;
    p->limit = limit;
}

static void peer_close(struct peer *p)
{
    wsp_inbound_fini(&p->world->inbounds, &p->in);
    assert_null(p->in);
    events_free(&p->got);
}

enum { WHOLE, BYTES, RANDOM, WAYS };

static void feed_pieces(struct peer *p, const uint8_t *bytes, size_t len, int way, uint64_t *random)
{
    size_t done = 0;
    while (done < len) {
        size_t piece = way == WHOLE ? len : way == BYTES ? 1 : frame_piece(len - done, random);
        feed(p, bytes + done, piece);
        done += piece;
    }
}

/* Feeds the stream to a new peer in each way, and compares the events. */
static void expect_stream(struct world *w, const struct stream *s, size_t limit)
{
    uint64_t random = 61;
    for (int round = 0; round < WAYS + 4; round++) {
        struct peer p;
        peer_open(&p, w, limit);
        feed_pieces(&p, s->bytes, s->len, round < WAYS ? round : RANDOM, &random);
        expect_events(&p.got, &s->expected);
        peer_close(&p);
    }
}

/* ------------------------------------------------------------------ messages */

TEST(message_when_whole_is_received_under_every_cut)
{
    struct world w;
    world_open(&w);
    for (int by_wslay = 0; by_wslay < 2; by_wslay++) {
        w.decoders.wslay_unmasks = by_wslay;
        for (size_t len = 0; len <= 5; len++) {
            struct stream s = {.random = len};
            stream_message(&s, WSP_TEXT + len % 2, "abcdef", len);
            for (unsigned cuts = 0; cuts < 1u << (s.len - 1); cuts++) {
                struct peer p;
                size_t begin = 0;
                peer_open(&p, &w, 5);
                for (size_t i = 0; i < s.len; i++) {
                    if (i + 1 == s.len || (cuts >> i & 1)) {
                        feed(&p, s.bytes + begin, i + 1 - begin);
                        begin = i + 1;
                    }
                }
                expect_events(&p.got, &s.expected);
                assert_null(p.in);
                peer_close(&p);
            }
            stream_free(&s);
        }
    }
    world_close(&w);
}

TEST(message_when_in_fragments_with_control_frames_between_is_received_under_all_cuts)
{
    struct world w;
    struct stream stream = {.random = 62};
    static const uint8_t text[] = "ab\xc3\xa9";
    world_open(&w);
    stream_fragment(&stream, WSP_TEXT, text, 0, 3, 4, 0); /* cut inside a character */
    stream_control(&stream, WSP_PING, "p", 1);
    stream_control(&stream, WSP_PONG, "", 0);
    stream_frame(&stream, 0, "", 0); /* an empty fragment */
    events_add(&stream.expected, WSP_INPUT_FRAME, 0, NULL, 0, 0);
    stream_fragment(&stream, WSP_TEXT, text, 3, 4, 4, 1);
    stream_control(&stream, WSP_PING, "q", 1);
    stream_message(&stream, WSP_BINARY, "\xff", 1);
    expect_stream(&w, &stream, 4);
    for (size_t one = 0; one <= stream.len; one++) {
        for (size_t two = one; two <= stream.len; two++) {
            struct peer p;
            peer_open(&p, &w, 4);
            feed(&p, stream.bytes, one);
            feed(&p, stream.bytes + one, two - one);
            feed(&p, stream.bytes + two, stream.len - two);
            expect_events(&p.got, &stream.expected);
            assert_null(p.in);
            peer_close(&p);
        }
    }
    stream_free(&stream);
    world_close(&w);
}

/* Fills a text message with ASCII, a binary message with any bytes. */
static void fill_for(unsigned opcode, uint8_t *bytes, size_t len, uint64_t *random)
{
    frame_fill(bytes, len, random);
    for (size_t i = 0; i < len && opcode == WSP_TEXT; i++) {
        bytes[i] = bytes[i] % 95 + 32;
    }
}

static void add_random_control(struct stream *s, uint64_t *random)
{
    uint8_t payload[WSP_CONTROL_MAX];
    size_t len = (size_t)test_below(random, sizeof payload + 1);
    frame_fill(payload, len, random);
    stream_control(s, test_below(random, 2) ? WSP_PING : WSP_PONG, payload, len);
}

static void add_random_message(struct stream *s, uint64_t *random)
{
    uint8_t payload[20000];
    unsigned opcode = test_below(random, 2) ? WSP_TEXT : WSP_BINARY;
    size_t len = (size_t)test_below(random, test_below(random, 4) ? 200 : sizeof payload);
    fill_for(opcode, payload, len, random);
    if (test_below(random, 2)) {
        stream_message(s, opcode, payload, len);
        return;
    }
    size_t done = 0;
    int first = 1, last = 0;
    while (!last) {
        size_t piece = (size_t)test_below(random, len - done + 1);
        last = test_below(random, 4) == 0;
        piece = last ? len - done : piece;
        stream_frame(s, (last ? FRAME_FIN : 0) | (first ? opcode : 0), payload + done, piece);
        done += piece;
        first = 0;
        if (last) {
            events_add(&s->expected, WSP_INPUT_MESSAGE, opcode, payload, len, 0);
        } else {
            events_add(&s->expected, WSP_INPUT_FRAME, 0, NULL, piece, 0);
        }
        while (!last && test_below(random, 3) == 0) {
            add_random_control(s, random);
        }
    }
}

TEST(streams_when_random_are_received_in_random_pieces)
{
    struct world w;
    world_open(&w);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct stream s = {.random = seed};
        uint64_t random = seed;
        w.decoders.wslay_unmasks = seed % 2;
        for (int i = 0; i < 12; i++) {
            if (test_below(&random, 3) == 0) {
                add_random_control(&s, &random);
            }
            add_random_message(&s, &random);
        }
        stream_control(&s, WSP_CLOSE, "\x03\xe8", 2);
        stream_frame(&s, FRAME_FIN | WSP_TEXT, "never heard", 11);
        expect_stream(&w, &s, NO_LIMIT);
        stream_free(&s);
    }
    world_close(&w);
}

/* Two peers whose bytes come in turns share the free lists, and nothing else. */
TEST(peers_when_they_take_turns_do_not_mix)
{
    enum { PEERS = 30 };
    struct world w;
    struct peer peers[PEERS];
    struct stream streams[PEERS];
    size_t done[PEERS] = {0}, open = PEERS;
    uint64_t random = 63;
    world_open(&w);
    for (size_t i = 0; i < PEERS; i++) {
        streams[i] = (struct stream){.random = i};
        peer_open(&peers[i], &w, NO_LIMIT);
        for (int n = 0; n < 6; n++) {
            add_random_message(&streams[i], &random);
        }
        stream_control(&streams[i], WSP_CLOSE, "\x0f\xa0", 2);
    }
    while (open > 0) {
        size_t i = (size_t)test_below(&random, PEERS), left = streams[i].len - done[i];
        if (left > 0) {
            size_t piece = 1 + (size_t)test_below(&random, left < 300 ? left : 300);
            feed(&peers[i], streams[i].bytes + done[i], piece);
            done[i] += piece;
            open -= done[i] == streams[i].len;
        }
    }
    for (size_t i = 0; i < PEERS; i++) {
        expect_events(&peers[i].got, &streams[i].expected);
        peer_close(&peers[i]);
        stream_free(&streams[i]);
    }
    world_close(&w);
}

/* --------------------------------------------------------------------- memory */

TEST(message_when_it_comes_in_one_piece_takes_a_buffer_of_its_size)
{
    struct world w;
    struct peer p;
    struct stream s = {.random = 64};
    uint8_t payload[4096];
    struct wsp_input_result result;
    world_open(&w);
    peer_open(&p, &w, NO_LIMIT);
    fill_for(WSP_TEXT, payload, sizeof payload, &s.random);
    stream_message(&s, WSP_TEXT, payload, sizeof payload);
    struct wsp_input input = {.bytes = s.bytes, .len = s.len, .limit = NO_LIMIT};
    wsp_inbound_next(&w.inbounds, &p.in, &p.parser, &input, &result);
    assert_int_equal(result.kind, WSP_INPUT_MESSAGE);
    assert_int_equal(result.len, sizeof payload);
    assert_memory_equal(result.data, payload, sizeof payload);
    assert_int_equal(p.in->buffer.cap, sizeof payload);
    wsp_inbound_next(&w.inbounds, &p.in, &p.parser, &input, &result);
    assert_int_equal(result.kind, WSP_INPUT_MORE);
    assert_null(p.in);
    /* The same again allocates nothing. */
    size_t calls = w.mem.calls;
    for (int i = 0; i < 1000; i++) {
        feed(&p, s.bytes, s.len);
    }
    assert_int_equal(w.mem.calls, calls);
    stream_free(&s);
    peer_close(&p);
    world_close(&w);
}

TEST(head_when_not_complete_holds_no_memory)
{
    struct world w;
    uint8_t head[FRAME_HEAD_MAX];
    struct frame_form form = {.first = FRAME_FIN | WSP_BINARY, .key = masked};
    world_open(&w);
    size_t len = frame_head(head, &form, 70000);
    struct peer p;
    peer_open(&p, &w, NO_LIMIT);
    for (size_t i = 0; i + 1 < len; i++) {
        feed(&p, head + i, 1);
        assert_null(p.in);
        assert_int_equal(w.mem.calls, 0);
    }
    feed(&p, head + len - 1, 1);
    assert_non_null(p.in);
    peer_close(&p);
    world_close(&w);
}

TEST(memory_when_a_length_is_announced_grows_only_with_what_comes)
{
    struct world w;
    uint8_t head[FRAME_HEAD_MAX], zero[1000] = {0};
    struct frame_form form = {.first = FRAME_FIN | WSP_BINARY, .key = masked};
    world_open(&w);
    struct peer p;
    peer_open(&p, &w, NO_LIMIT);
    feed(&p, head, frame_head(head, &form, NO_LIMIT));
    assert_int_equal(p.got.count, 0);
    size_t before = w.mem.bytes;
    for (size_t come = 1000; come <= 100000; come += 1000) {
        feed(&p, zero, sizeof zero);
        assert_true(w.mem.bytes - before < 2 * come + 256);
    }
    assert_int_equal(p.in->buffer.len, 100000);
    peer_close(&p);
    world_close(&w);
}

TEST(fragments_when_tiny_and_many_cost_what_they_carry)
{
    struct world w;
    struct peer p;
    uint8_t frame[20];
    world_open(&w);
    peer_open(&p, &w, 65536);
    feed(&p, frame, frame_client(frame, WSP_BINARY, "x", 1));
    for (int i = 0; i < 20000; i++) {
        feed(&p, frame, frame_client(frame, WSP_CONTINUATION, "x", (size_t)i % 2));
        assert_int_equal(w.decoders.free_list.count, 1); /* each peer returns its decoder */
    }
    assert_int_equal(p.in->buffer.len, 10001);
    assert_true(w.mem.bytes < 3 * 10001 + 2048);
    assert_int_equal(p.got.count, 20001);
    peer_close(&p);
    world_close(&w);
}

static void check_free(const struct world *w)
{
    size_t bytes = 0, count = 0;
    for (const struct wsp_inbound *in = (const void *)w->inbounds.free_list.first; in;
         in = (const void *)in->item.next) {
        bytes += in->buffer.cap;
        count++;
        assert_int_equal(in->buffer.len, 0);
        assert_null(in->decoder);
    }
    assert_int_equal(w->inbounds.free_bytes, bytes);
    assert_int_equal(w->inbounds.free_list.count, count);
    assert_true(bytes <= 256 * 1024);
}

TEST(buffers_when_messages_are_over_are_given_back_but_for_a_few)
{
    enum { PEERS = 40, KEPT = 16 };
    struct world w;
    struct peer peers[PEERS];
    struct stream s = {.random = 65};
    static uint8_t payload[60000];
    world_open(&w);
    fill_for(WSP_TEXT, payload, sizeof payload, &s.random);
    stream_message(&s, WSP_TEXT, payload, sizeof payload);
    for (size_t i = 0; i < PEERS; i++) {
        peer_open(&peers[i], &w, NO_LIMIT);
        feed(&peers[i], s.bytes, s.len - 1);
        assert_true(peers[i].in->buffer.len >= 50000);
    }
    size_t full = w.mem.bytes;
    assert_true(full >= PEERS * sizeof payload);
    for (size_t i = 0; i < PEERS; i++) {
        feed(&peers[i], s.bytes + s.len - 1, 1);
        assert_null(peers[i].in);
        expect_events(&peers[i].got, &s.expected);
    }
    assert_int_equal(w.inbounds.free_list.count, KEPT);
    assert_int_not_equal(w.inbounds.free_bytes, 0);
    check_free(&w);
    assert_true(w.mem.bytes < 256 * 1024 + KEPT * 1000);
    /* When they are used again, the count of the free list goes down. */
    for (size_t i = 0; i < PEERS; i++) {
        feed(&peers[i], s.bytes, 100);
        assert_int_equal(w.inbounds.free_list.count, i < KEPT ? KEPT - 1 - i : 0);
        check_free(&w);
    }
    for (size_t i = 0; i < PEERS; i++) {
        peer_close(&peers[i]);
    }
    stream_free(&s);
    world_close(&w);
}

/* Routes have different limits, and share the free list. */
TEST(buffer_when_it_is_greater_than_the_limit_is_not_taken_over)
{
    struct world w;
    struct peer large, small;
    static uint8_t payload[60000], frame[60000 + FRAME_HEAD_MAX];
    world_open(&w);
    peer_open(&large, &w, sizeof payload);
    peer_open(&small, &w, 1000);
    for (int whole = 0; whole < 2; whole++) {
        feed(&large, frame, frame_client(frame, WSP_BINARY | FRAME_FIN, payload, sizeof payload));
        assert_int_equal(w.inbounds.free_bytes, sizeof payload);
        size_t len = frame_client(frame, WSP_BINARY | (whole ? FRAME_FIN : 0), payload, 400);
        frame[len] = FRAME_FIN | WSP_PING; /* the frame that follows keeps the buffer in use */
        frame[len + 1] = 0x80 | 1;
        memset(frame + len + 2, 0, 4);
        feed(&small, frame, len + 6);
        assert_non_null(small.in);
        assert_true(small.in->buffer.cap <= small.limit);
        check_free(&w);
        peer_close(&small);
        peer_open(&small, &w, 1000);
    }
    peer_close(&small);
    peer_close(&large);
    world_close(&w);
}

TEST(peer_when_it_goes_anywhere_in_a_stream_leaks_nothing)
{
    struct world w;
    struct stream s = {.random = 66};
    world_open(&w);
    stream_fragment(&s, WSP_TEXT, (const uint8_t *)"abcdef", 0, 3, 6, 0);
    stream_control(&s, WSP_PING, "ping", 4);
    stream_fragment(&s, WSP_TEXT, (const uint8_t *)"abcdef", 3, 6, 6, 1);
    stream_control(&s, WSP_CLOSE, "\x03\xe8", 2);
    for (size_t at = 0; at <= s.len; at++) {
        struct peer p;
        peer_open(&p, &w, NO_LIMIT);
        feed_pieces(&p, s.bytes, at, (int)(at % 2), &s.random);
        peer_close(&p);
        wsp_inbound_fini(&w.inbounds, &p.in); /* harmless when nothing is held */
        assert_true(w.inbounds.free_list.count <= 2);
    }
    stream_free(&s);
    world_close(&w);
}

/* --------------------------------------------------------------------- limits */

TEST(message_when_at_its_limit_is_received_and_one_byte_over_is_too_big)
{
    static const size_t limits[] = {0, 1, 125, 126, 4095, 4096, 4097, 65535, 65536};
    struct world w;
    static uint8_t payload[65537];
    world_open(&w);
    memset(payload, 'l', sizeof payload);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        size_t limit = limits[i];
        struct stream at = {.random = 67}, over = {.random = 68};
        stream_message(&at, WSP_TEXT, payload, limit);
        stream_message(&at, WSP_BINARY, payload, limit); /* each message may have the whole limit */
        stream_frame(&over, FRAME_FIN | WSP_TEXT, payload, limit + 1);
        stream_error(&over, WSPOOL_END_TOO_BIG);
        expect_stream(&w, &at, limit);
        expect_stream(&w, &over, limit);
        stream_free(&at);
        stream_free(&over);
    }
    world_close(&w);
}

TEST(fragments_when_over_the_limit_together_are_too_big)
{
    struct world w;
    static const uint8_t payload[64] = "0123456789012345678901234567890123456789";
    world_open(&w);
    for (size_t one = 0; one <= 30; one += 6) {
        for (size_t two = 0; one + two <= 30; two += 5) {
            struct stream at = {.random = 69}, over = {.random = 70}, empty = {.random = 71};
            stream_fragment(&at, WSP_TEXT, payload, 0, one, 30, 0);
            stream_frame(&at, 0, payload + one, two);
            events_add(&at.expected, WSP_INPUT_FRAME, 0, NULL, two, 0);
            stream_control(&at, WSP_PING, payload, 40); /* control frames do not count */
            stream_frame(&at, FRAME_FIN, payload + one + two, 30 - one - two);
            events_add(&at.expected, WSP_INPUT_MESSAGE, WSP_TEXT, payload, 30, 0);
            expect_stream(&w, &at, 30);

            stream_fragment(&over, WSP_TEXT, payload, 0, one, 31, 0);
            stream_frame(&over, 0, payload + one, two);
            events_add(&over.expected, WSP_INPUT_FRAME, 0, NULL, two, 0);
            stream_control(&over, WSP_PING, payload, 40);
            stream_frame(&over, two % 2 ? FRAME_FIN : 0, payload, 31 - one - two);
            stream_error(&over, WSPOOL_END_TOO_BIG);
            expect_stream(&w, &over, 30);

            /* An empty last fragment fits into a full message. */
            stream_fragment(&empty, WSP_TEXT, payload, 0, 30, 30, 0);
            stream_frame(&empty, FRAME_FIN, "", 0);
            events_add(&empty.expected, WSP_INPUT_MESSAGE, WSP_TEXT, payload, 30, 0);
            expect_stream(&w, &empty, 30);
            stream_free(&at);
            stream_free(&over);
            stream_free(&empty);
        }
    }
    world_close(&w);
}

TEST(size_when_announced_over_the_limit_is_refused_with_the_head)
{
    static const uint64_t sizes[] = {101, 126, 65536, UINT64_C(1) << 32, (UINT64_C(1) << 63) - 1};
    struct world w;
    world_open(&w);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int fragment = 0; fragment < 2; fragment++) {
            struct peer p;
            uint8_t frame[FRAME_HEAD_MAX + 10];
            struct frame_form form = {.first = fragment ? 0 : WSP_BINARY, .key = masked};
            peer_open(&p, &w, 100);
            if (fragment) {
                feed(&p, frame, frame_client(frame, WSP_BINARY, "abc", 3));
                assert_int_equal(p.got.count, 1);
            }
            size_t len = frame_head(frame, &form, sizes[i]);
            feed(&p, frame, len - 1);
            assert_int_equal(p.got.count, fragment);
            size_t peak = w.mem.peak;
            feed(&p, frame + len - 1, 1);
            assert_int_equal(p.got.count, fragment + 1);
            assert_int_equal(p.got.all[fragment].kind, WSP_INPUT_ERROR);
            assert_int_equal(p.got.all[fragment].end, WSPOOL_END_TOO_BIG);
            assert_true(w.mem.peak - peak < 1000);
            peer_close(&p);
        }
    }
    world_close(&w);
}

/* --------------------------------------------------------------------- faults */

TEST(order_of_frames_when_wrong_is_a_protocol_error)
{
    static const struct {
        unsigned before, bad; /* first bytes of two frames; `before` 0: there is no frame before */
    } cases[] = {
        {0, FRAME_FIN | WSP_CONTINUATION},        {0, WSP_CONTINUATION},
        {FRAME_FIN | WSP_TEXT, FRAME_FIN | 0},    {FRAME_FIN | WSP_BINARY, 0},
        {WSP_TEXT, FRAME_FIN | WSP_TEXT},         {WSP_TEXT, WSP_TEXT},
        {WSP_TEXT, FRAME_FIN | WSP_BINARY},       {WSP_BINARY, WSP_BINARY},
        {FRAME_FIN | WSP_PING, WSP_CONTINUATION},
    };
    struct world w;
    world_open(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream s = {.random = i};
        unsigned opcode = cases[i].before & 15;
        if (opcode == WSP_PING) {
            stream_control(&s, opcode, "x", 1);
        } else if (cases[i].before & FRAME_FIN) {
            stream_message(&s, opcode, "x", 1);
        } else if (cases[i].before) {
            stream_fragment(&s, opcode, (const uint8_t *)"x", 0, 1, 1, 0);
        }
        stream_frame(&s, cases[i].bad, "y", 1);
        stream_error(&s, WSPOOL_END_PROTOCOL);
        stream_control(&s, WSP_CLOSE, "\x03\xe8now", 5);
        expect_stream(&w, &s, NO_LIMIT);
        stream_free(&s);
    }
    world_close(&w);
}

/* Frames that are invalid by themselves, first in the stream or inside a message. Their payload
 * looks like frames and must not be read as such. */
TEST(frame_when_unlawful_is_a_protocol_error_and_the_close_behind_it_is_found)
{
    const struct frame_form bad[] = {
        {.first = FRAME_FIN | 0x40 | WSP_TEXT, .key = masked},
        {.first = FRAME_FIN | 0x20 | WSP_TEXT, .key = masked},
        {.first = FRAME_FIN | 0x10 | WSP_PING, .key = masked},
        {.first = FRAME_FIN | 3, .key = masked},
        {.first = FRAME_FIN | 7, .key = masked},
        {.first = FRAME_FIN | 11, .key = masked},
        {.first = FRAME_FIN | 15, .key = masked},
        {.first = FRAME_FIN | WSP_TEXT},
        {.first = FRAME_FIN | WSP_PING},
        {.first = WSP_PING, .key = masked},
        {.first = FRAME_FIN | WSP_PONG, .key = masked, .length_form = FRAME_16_BITS},
        {.first = FRAME_FIN | WSP_PONG, .key = masked, .length_form = FRAME_64_BITS},
        {.first = FRAME_FIN | WSP_TEXT, .key = masked, .length_form = FRAME_16_BITS},
        {.first = FRAME_FIN | WSP_TEXT, .key = masked, .length_form = FRAME_64_BITS},
        {.first = FRAME_FIN | WSP_TEXT, .length_form = FRAME_64_BITS},
    };
    struct world w;
    uint8_t trap[40];
    size_t len = 0;
    world_open(&w);
    while (len + 8 <= sizeof trap) {
        len += frame_client(trap + len, FRAME_FIN | WSP_CLOSE, "\x0f\xa1", 2);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t payload = 0; payload <= len; payload += 8) {
            for (int within = 0; within < 2; within++) {
                struct stream s = {.random = i};
                if (within) {
                    stream_fragment(&s, WSP_TEXT, (const uint8_t *)"abc", 0, 1, 3, 0);
                } else {
                    stream_message(&s, WSP_BINARY, "abc", 3);
                }
                stream_raw(&s, bad[i], trap, payload);
                stream_error(&s, WSPOOL_END_PROTOCOL);
                /* All that follows is skipped, valid or not, except the Close. */
                stream_frame(&s, FRAME_FIN | WSP_TEXT, "\xff\xff", 2);
                stream_frame(&s, FRAME_FIN | WSP_PING, trap, 16);
                stream_raw(&s, bad[(i + 1) % (sizeof bad / sizeof *bad)], trap, len);
                stream_frame(&s, 0, "", 0);
                stream_control(&s, WSP_CLOSE, "\x0f\xa0really", 8);
                stream_frame(&s, FRAME_FIN | WSP_CLOSE, "\x0f\xa2", 2);
                expect_stream(&w, &s, NO_LIMIT);
                stream_free(&s);
            }
        }
    }
    world_close(&w);
}

/* Refused at the two bytes that make it invalid; no decoder is borrowed for it. */
TEST(frame_when_its_first_two_bytes_are_bad_is_refused_with_them)
{
    static const uint8_t bad[][2] = {{0xc1, 0x85}, {0x81, 0x05}, {0x83, 0x85}, {0x09, 0x85},
                                     {0x89, 0xfe}, {0x8b, 0x80}, {0x88, 0xff}};
    struct world w;
    world_open(&w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct peer p;
        peer_open(&p, &w, NO_LIMIT);
        feed(&p, bad[i], 1);
        assert_int_equal(p.got.count, 0);
        feed(&p, bad[i] + 1, 1);
        assert_int_equal(p.got.count, 1);
        assert_int_equal(p.got.all[0].kind, WSP_INPUT_ERROR);
        assert_int_equal(p.got.all[0].end, WSPOOL_END_PROTOCOL);
        assert_int_equal(w.decoders.free_list.count, 0);
        peer_close(&p);
    }
    world_close(&w);
}

/* An invalid Close is an error, and it counts as the peer's Close: no other will follow it. */
TEST(close_when_unlawful_by_itself_is_an_error_and_is_found)
{
    const struct frame_form forms[] = {
        {.first = FRAME_FIN | FRAME_RSV1 | WSP_CLOSE, .key = masked},
        {.first = WSP_CLOSE, .key = masked},
        {.first = FRAME_FIN | WSP_CLOSE},
        {.first = FRAME_FIN | WSP_CLOSE, .key = masked, .length_form = FRAME_16_BITS},
    };
    struct world w;
    world_open(&w);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        for (size_t len = 0; len <= 4; len++) {
            struct stream s = {.random = i};
            stream_raw(&s, forms[i], "\x03\xe8xy", len);
            stream_error(&s, WSPOOL_END_PROTOCOL);
            events_add(&s.expected, WSP_INPUT_CONTROL, WSP_CLOSE, "\x03\xe8xy", len, 0);
            expect_stream(&w, &s, NO_LIMIT);
            stream_free(&s);
        }
    }
    /* So does a Close that is too long: as much of its payload is kept as a Close may have. */
    uint8_t endless[300] = "\x03\xe8";
    for (size_t len = 126; len <= 300; len += 87) {
        struct stream s = {.random = len};
        memset(endless + 2, 'r', len - 2);
        stream_frame(&s, FRAME_FIN | WSP_CLOSE, endless, len);
        stream_error(&s, WSPOOL_END_PROTOCOL);
        events_add(&s.expected, WSP_INPUT_CONTROL, WSP_CLOSE, endless, WSP_CONTROL_MAX, 0);
        expect_stream(&w, &s, NO_LIMIT);
        stream_free(&s);
    }
    world_close(&w);
}

TEST(error_when_too_big_or_not_utf8_still_finds_the_close)
{
    struct world w;
    uint8_t trap[64];
    size_t len = 0;
    world_open(&w);
    while (len + 8 <= sizeof trap) {
        len += frame_client(trap + len, FRAME_FIN | WSP_CLOSE, "\x0f\xa1", 2);
    }
    struct stream big = {.random = 72}, text = {.random = 73};
    stream_frame(&big, FRAME_FIN | WSP_BINARY, trap, len);
    stream_error(&big, WSPOOL_END_TOO_BIG);
    stream_frame(&big, FRAME_FIN | WSP_BINARY, trap, len);
    stream_control(&big, WSP_CLOSE, "\x03\xf1", 2);
    expect_stream(&w, &big, 20);
    stream_fragment(&text, WSP_TEXT, (const uint8_t *)"abc", 0, 2, 3, 0);
    stream_control(&text, WSP_PING, "", 0);
    stream_frame(&text, 0, trap, len); /* 0x88 can't begin a character */
    stream_error(&text, WSPOOL_END_BAD_UTF8);
    stream_frame(&text, FRAME_FIN, "d", 1);
    stream_control(&text, WSP_CLOSE, "", 0);
    expect_stream(&w, &text, NO_LIMIT);
    stream_free(&big);
    stream_free(&text);
    world_close(&w);
}

/* ---------------------------------------------------------------------- UTF-8 */

TEST(text_when_bad_is_refused_at_its_first_bad_byte)
{
    static const struct {
        const char *text;
        size_t len, good; /* `good`: bytes that are valid so far */
    } cases[] = {
        {"abc\xff", 4, 3},
        {"\x80", 1, 0},
        {"\xc3(", 2, 1},
        {"a\xe2\x82(", 4, 3},
        {"\xf0\x9f\x98(", 4, 3},
        {"\xf0\x9f\x98\x80\xbf", 5, 4},
        {"\xed\xa0\x80", 3, 1},
        {"\xe0\x9f\x80", 3, 1},
        {"\xf4\x90\x80\x80", 4, 1},
        {"\xc3\xa9\xc3\xa9\xc0\xaf", 6, 4},
        {"0123456789012345678901234567890123456789\xfe", 41, 40},
    };
    struct world w;
    uint64_t random = 74;
    world_open(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        for (size_t cut = 0; cut <= cases[i].len; cut++) {
            /* Two fragments with a ping between them; the second is longer than the frames that
             * follow. */
            struct stream s = {.random = random};
            struct peer p;
            uint8_t rest[60] = {0};
            size_t bad_at;
            memcpy(rest, text + cut, cases[i].len - cut);
            stream_frame(&s, WSP_TEXT, text, cut);
            bad_at = s.len - cut + cases[i].good;
            stream_frame(&s, FRAME_FIN | WSP_PING, "\xff", 1);
            stream_frame(&s, FRAME_FIN, rest, sizeof rest);
            if (cases[i].good >= cut) {
                bad_at = s.len - sizeof rest + cases[i].good - cut;
            }
            peer_open(&p, &w, NO_LIMIT);
            feed_pieces(&p, s.bytes, bad_at, cut % 2 ? BYTES : RANDOM, &random);
            for (size_t e = 0; e < p.got.count; e++) {
                assert_int_not_equal(p.got.all[e].kind, WSP_INPUT_ERROR);
            }
            feed(&p, s.bytes + bad_at, 1);
            assert_int_equal(p.got.all[p.got.count - 1].kind, WSP_INPUT_ERROR);
            assert_int_equal(p.got.all[p.got.count - 1].end, WSPOOL_END_BAD_UTF8);
            peer_close(&p);
            stream_free(&s);
        }
    }
    world_close(&w);
}

TEST(text_when_it_ends_inside_a_character_is_refused_at_its_end)
{
    static const char text[] = "a\xf0\x9f\x98\x80";
    struct world w;
    world_open(&w);
    for (size_t len = 1; len <= 5; len++) {
        int whole = len == 1 || len == 5;
        struct stream one = {.random = 75}, two = {.random = 76}, next = {.random = 77};
        stream_frame(&one, FRAME_FIN | WSP_TEXT, text, len);
        stream_frame(&two, WSP_TEXT, text, len);
        events_add(&two.expected, WSP_INPUT_FRAME, 0, NULL, len, 0);
        stream_frame(&two, FRAME_FIN, "", 0);
        if (whole) {
            events_add(&one.expected, WSP_INPUT_MESSAGE, WSP_TEXT, text, len, 0);
            events_add(&two.expected, WSP_INPUT_MESSAGE, WSP_TEXT, text, len, 0);
        } else {
            stream_error(&one, WSPOOL_END_BAD_UTF8);
            stream_error(&two, WSPOOL_END_BAD_UTF8);
        }
        expect_stream(&w, &one, NO_LIMIT);
        expect_stream(&w, &two, NO_LIMIT);
        /* The same bytes are a valid binary message, and leave no state to the text that
         * follows. */
        stream_message(&next, WSP_BINARY, text, len);
        stream_message(&next, WSP_TEXT, "b", 1);
        expect_stream(&w, &next, NO_LIMIT);
        stream_free(&one);
        stream_free(&two);
        stream_free(&next);
    }
    world_close(&w);
}

/* ---------------------------------------------------------------- no memory */

TEST(memory_when_it_fails_anywhere_is_an_error_and_the_close_is_found)
{
    static uint8_t payload[3000];
    struct stream s = {.random = 78};
    uint64_t random = 79;
    memset(payload, 'm', sizeof payload);
    stream_message(&s, WSP_TEXT, payload, 10);
    stream_fragment(&s, WSP_TEXT, payload, 0, 200, 3000, 0);
    stream_control(&s, WSP_PING, "ping", 4);
    stream_fragment(&s, WSP_TEXT, payload, 200, 1000, 3000, 0);
    stream_fragment(&s, WSP_TEXT, payload, 1000, 3000, 3000, 1);
    for (size_t i = 0; i + 8 <= sizeof payload; i += 8) { /* looks like many frames */
        frame_client(payload + i, FRAME_FIN | WSP_CLOSE, "\x0f\xa1", 2);
    }
    stream_message(&s, WSP_BINARY, payload, 2000);
    stream_control(&s, WSP_CLOSE,
                   "\x03\xe8"
                   "bye",
                   5);
    for (int way = 0; way < WAYS; way++) {
        size_t n = 1, failures = 1;
        for (; failures > 0; n++) {
            struct world w;
            struct peer p;
            world_open(&w);
            w.mem.fail_at = n;
            peer_open(&p, &w, NO_LIMIT);
            feed_pieces(&p, s.bytes, s.len, way, &random);
            failures = w.mem.failures;
            if (failures == 0) {
                expect_events(&p.got, &s.expected);
            } else {
                /* A beginning of the expected events, then the error, then the Close. */
                size_t heard = p.got.count - 2;
                assert_true(p.got.count >= 2 && heard < s.expected.count);
                struct events beginning = {p.got.all, heard, 0};
                struct events expected = {s.expected.all, heard, 0};
                expect_events(&beginning, &expected);
                assert_int_equal(p.got.all[heard].kind, WSP_INPUT_ERROR);
                assert_int_equal(p.got.all[heard].end, WSPOOL_END_NOMEM);
                assert_int_equal(p.got.all[heard + 1].kind, WSP_INPUT_CONTROL);
                assert_int_equal(p.got.all[heard + 1].len, 5);
                assert_memory_equal(p.got.all[heard + 1].data,
                                    "\x03\xe8"
                                    "bye",
                                    5);
            }
            peer_close(&p);
            world_close(&w);
        }
        assert_true(n > 4);
    }
    stream_free(&s);
}

TEST(close_when_there_is_no_memory_to_read_it_is_found)
{
    for (size_t n = 1; n <= 2; n++) { /* the allocation for the header, and the one for decoding */
        struct world w;
        struct peer p;
        uint8_t frame[20];
        world_open(&w);
        peer_open(&p, &w, NO_LIMIT);
        w.mem.fail_at = n;
        feed(&p, frame, frame_client(frame, FRAME_FIN | WSP_CLOSE, "\x0f\xa0", 2));
        assert_int_equal(p.got.count, 2);
        assert_int_equal(p.got.all[0].end, WSPOOL_END_NOMEM);
        assert_int_equal(p.got.all[1].kind, WSP_INPUT_CONTROL);
        assert_memory_equal(p.got.all[1].data, "\x0f\xa0", 2);
        peer_close(&p);
        world_close(&w);
    }
}

TEST(discard_when_there_is_no_memory_is_an_error)
{
    struct world w;
    struct peer p;
    uint8_t frame[20];
    world_open(&w);
    peer_open(&p, &w, NO_LIMIT);
    p.discarding = 1;
    w.mem.fail_at = 1;
    size_t len = frame_client(frame, FRAME_FIN | WSP_TEXT, "abc", 3);
    struct wsp_input input = {.bytes = frame, .len = len};
    struct wsp_input_result result;
    wsp_inbound_discard(&w.inbounds, &p.in, &p.parser, &input, &result);
    assert_int_equal(result.kind, WSP_INPUT_ERROR);
    assert_int_equal(result.end, WSPOOL_END_NOMEM);
    assert_ptr_equal(input.bytes, frame); /* nothing was consumed: the host may call again */
    assert_null(p.in);
    peer_close(&p);
    world_close(&w);
}

/* -------------------------------------------------------------------- discard */

/* The host may close at any byte of the stream: the peer's Close is still found. */
TEST(close_when_the_host_has_closed_anywhere_is_found)
{
    struct world w;
    struct stream s = {.random = 80};
    uint64_t random = 81;
    static const uint8_t closing[] = "\x0f\xa0good bye";
    uint8_t trap[24];
    world_open(&w);
    for (size_t i = 0; i < sizeof trap; i += 8) {
        frame_client(trap + i, FRAME_FIN | WSP_CLOSE, "\x0f\xa1", 2);
    }
    stream_message(&s, WSP_BINARY, trap, sizeof trap);
    stream_fragment(&s, WSP_BINARY, trap, 0, 16, 24, 0);
    stream_control(&s, WSP_PING, trap, 8);
    stream_fragment(&s, WSP_BINARY, trap, 16, 24, 24, 1);
    for (size_t len = 0; len < sizeof closing; len += len < 3 ? 1 : 7) {
        struct stream all = {.random = len};
        memcpy(stream_room(&all, s.len), s.bytes, s.len);
        all.len = s.len;
        size_t begin = all.len;
        stream_control(&all, WSP_CLOSE, closing, len);
        /* The Close is not complete before this point. */
        for (size_t cut = 0; cut < all.len; cut++) {
            for (int way = 0; way < WAYS; way++) {
                struct peer p;
                w.decoders.wslay_unmasks = (int)(cut % 2);
                peer_open(&p, &w, NO_LIMIT);
                feed_pieces(&p, all.bytes, cut, way, &random);
                assert_false(p.closed);
                events_free(&p.got);
                p.discarding = 1;
                feed_pieces(&p, all.bytes + cut, all.len - cut, way, &random);
                expect_events(&p.got, &all.expected);
                peer_close(&p);
            }
        }
        assert_true(begin < all.len);
        stream_free(&all);
    }
    stream_free(&s);
    world_close(&w);
}

/* The message hook may close while its message lies in the decoder or in the buffer. */
TEST(close_when_the_host_closes_from_a_message_is_found)
{
    struct world w;
    struct stream s = {.random = 82};
    world_open(&w);
    stream_message(&s, WSP_TEXT, "in place", 8);
    stream_fragment(&s, WSP_TEXT, (const uint8_t *)"gathered", 0, 4, 8, 0);
    stream_control(&s, WSP_PING, "now", 3);
    stream_fragment(&s, WSP_TEXT, (const uint8_t *)"gathered", 4, 8, 8, 1);
    stream_message(&s, WSP_TEXT, "", 0);
    stream_control(&s, WSP_CLOSE, "\x03\xe8", 2);
    for (size_t stop = 0; stop + 1 < s.expected.count; stop++) {
        struct peer p;
        struct wsp_input_result result = {0};
        struct wsp_input input = {.bytes = s.bytes, .len = s.len, .limit = NO_LIMIT};
        peer_open(&p, &w, NO_LIMIT);
        for (size_t i = 0; i <= stop; i++) {
            wsp_inbound_next(&w.inbounds, &p.in, &p.parser, &input, &result);
            assert_int_equal(result.kind, s.expected.all[i].kind);
        }
        wsp_inbound_discard(&w.inbounds, &p.in, &p.parser, &input, &result);
        assert_int_equal(result.kind, WSP_INPUT_CONTROL);
        assert_int_equal(result.opcode, WSP_CLOSE);
        assert_int_equal(result.len, 2);
        assert_memory_equal(result.data, "\x03\xe8", 2);
        assert_int_equal(input.len, 0);
        wsp_inbound_discard(&w.inbounds, &p.in, &p.parser, &input, &result);
        assert_int_equal(result.kind, WSP_INPUT_MORE); /* once only */
        assert_true(p.in->buffer.cap <= 1024 && p.in->buffer.len == 0);
        peer_close(&p);
    }
    stream_free(&s);
    world_close(&w);
}

/* A decoder from the free list held the bytes of another peer. */
TEST(unused_one_when_another_peer_sent_its_close_with_it_shows_nothing_of_it)
{
    struct world w;
    uint8_t frame[40];
    world_open(&w);
    for (int way = 0; way < 3; way++) {
        struct peer first, second;
        peer_open(&first, &w, NO_LIMIT);
        feed(&first, frame, frame_client(frame, FRAME_FIN | WSP_CLOSE, "\x0f\xa0secret", 8));
        assert_true(first.closed);
        peer_close(&first);
        peer_open(&second, &w, way == 1 ? 3 : NO_LIMIT);
        second.discarding = way == 0; /* closed by the host; too big; invalid */
        size_t len = frame_client(frame, FRAME_FIN | (way == 2 ? 3 : WSP_TEXT), "text", 4);
        feed(&second, frame, len);
        assert_int_equal(second.got.count, way == 0 ? 0 : 1);
        assert_false(second.closed);
        feed(&second, frame, frame_client(frame, FRAME_FIN | WSP_PING, "ping", 4));
        assert_int_equal(second.got.count, way == 0 ? 0 : 1);
        feed(&second, frame, frame_client(frame, FRAME_FIN | WSP_CLOSE, "", 0));
        assert_true(second.closed);
        assert_int_equal(second.got.all[second.got.count - 1].len, 0);
        peer_close(&second);
    }
    world_close(&w);
}

TEST(memory_when_discarding_is_given_back)
{
    struct world w;
    struct peer p;
    static uint8_t payload[50000], frame[50000 + FRAME_HEAD_MAX];
    world_open(&w);
    peer_open(&p, &w, NO_LIMIT);
    size_t len = frame_client(frame, WSP_BINARY, payload, sizeof payload);
    feed(&p, frame, len);
    assert_true(w.mem.bytes > 50000);
    p.discarding = 1;
    feed(&p, frame, 1);
    assert_true(w.mem.bytes < 2000);
    feed(&p, frame + 1, len - 1);
    for (int i = 0; i < 10; i++) {
        feed(&p, frame, len);
    }
    assert_true(w.mem.bytes < 2000);
    assert_int_equal(p.got.count, 1);
    peer_close(&p);
    world_close(&w);
}

/* ---------------------------------------------------------------------- times */

TEST(input_when_there_is_no_memory_to_keep_it_is_not_kept)
{
    struct world w;
    struct wsp_inbound *in = NULL;
    struct wsp_input input = {.bytes = (const uint8_t *)"abc", .len = 3, .limit = 1000};
    world_open(&w);
    for (size_t n = 1; n <= 2; n++) { /* the record, then the bytes */
        w.mem.fail_at = n;
        assert_int_equal(wsp_inbound_keep(&w.inbounds, &in, &w.inbounds.unread, 0, &input),
                         WSPOOL_ERR_NOMEM);
        assert_int_equal(in != NULL, n == 2);
        assert_int_equal(w.inbounds.unread.count, 0);
        wsp_inbound_fini(&w.inbounds, &in);
        wsp_inbounds_fini(&w.inbounds);
    }
    w.mem.fail_at = 0;
    assert_int_equal(wsp_inbound_keep(&w.inbounds, &in, &w.inbounds.unread, 0, &input), 0);
    assert_int_equal(w.inbounds.unread.count, 1);
    wsp_inbound_fini(&w.inbounds, &in);
    world_close(&w);
}

TEST(start_of_a_message_when_under_way_is_kept_until_it_is_over)
{
    struct world w;
    struct peer p;
    uint8_t frame[40];
    world_open(&w);
    peer_open(&p, &w, NO_LIMIT);
    p.now = 1000;
    feed(&p, frame, frame_client(frame, WSP_TEXT, "abc", 3));
    assert_int_equal(p.in->started, 1000);
    assert_int_equal(p.in->received, 3);
    p.now = 2000; /* a control frame or a further fragment does not restart the time */
    size_t len = frame_client(frame, FRAME_FIN | WSP_PING, "ping", 4);
    feed(&p, frame, len - 1);
    assert_int_equal(p.in->started, 1000);
    feed(&p, frame + len - 1, 1);
    feed(&p, frame, frame_client(frame, WSP_CONTINUATION, "def", 3));
    assert_int_equal(p.in->started, 1000);
    assert_true(p.in->received >= 6);
    feed(&p, frame, frame_client(frame, FRAME_FIN, "", 0));
    assert_null(p.in);
    p.now = 4000; /* a control frame by itself */
    len = frame_client(frame, FRAME_FIN | WSP_PING, "ping", 4);
    feed(&p, frame, len - 1);
    assert_int_equal(p.in->started, 4000);
    assert_int_equal(p.in->received, 0);
    p.now = 5000;
    feed(&p, frame + len - 1, 1);
    feed(&p, frame, frame_client(frame, WSP_BINARY, "x", 1));
    assert_int_equal(p.in->started, 5000);
    assert_int_equal(p.in->received, 1);
    peer_close(&p);
    world_close(&w);
}
