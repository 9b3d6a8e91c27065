/* SPDX-License-Identifier: MIT */
/*
 * sim/test_frames.c - everything that an open peer can send: valid frames in every cut, and invalid
 * ones with their close codes.
 *
 * Proves a part of law 5 (announced lengths, fragments, pings and the abuse budget are bounded in
 * memory and in number) and of law 6 (a peer that breaks the protocol ends once, with its reason).
 * Tests against a trap of hostile/TRAPS name it (T1 to T24).
 */
#include "sim.h"

static void echo(sim *s, const sim_event *event)
{
    sim_peer *p = event->peer;
    if (event->what == SIM_MESSAGE) {
        const got *m = &p->heard[p->heards - 1];
        wspool_send_options options = {.size = sizeof options,
                                       .flags = m->op == OP_BINARY ? WSPOOL_BINARY : 0};
        assert_int_equal(SIM_IN(wspool_send(s->pool, p->id, m->data, m->len, &options)), 0);
    }
}

static sim_peer *echoing(sim **s, uint64_t seed)
{
    *s = sim_default(seed);
    (*s)->react = echo;
    return sim_join(*s, "/echo");
}

/* ---------------------------------------------------------------- valid */

TEST(message_when_of_any_length_is_echoed_in_every_cut)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 4095, 65535, 65536};
    static const enum sim_chop chops[] = {SIM_WHOLE, SIM_RANDOM, SIM_BYTES};
    for (size_t i = 0; i < 3 * sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i / 3];
        uint8_t *bytes = sim_malloc(size);
        sim *s;
        sim_peer *p = echoing(&s, i);
        for (size_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)('a' + k % 26);
        s->chop = chops[i % 3];
        sim_frame(p, FIN | OP_TEXT, bytes, size);
        sim_frame(p, FIN | OP_BINARY, bytes, size);
        sim_pump(s);
        assert_int_equal(p->reader.messages, 2);
        assert_int_equal(reader_message(&p->reader, 0)->op, OP_TEXT);
        assert_int_equal(reader_message(&p->reader, 1)->op, OP_BINARY);
        assert_true(got_is(reader_message(&p->reader, 0), bytes, size));
        assert_true(got_is(reader_message(&p->reader, 1), bytes, size));
        free(bytes);
        sim_free(s);
    }
}

TEST(message_when_in_fragments_is_put_together)
{
    static const enum sim_chop chops[] = {SIM_WHOLE, SIM_RANDOM, SIM_BYTES};
    for (size_t i = 0; i < 3; i++) {
        sim *s;
        sim_peer *p = echoing(&s, i);
        s->chop = chops[i];
        sim_frame(p, OP_TEXT, "one ", 4);
        sim_frame(p, OP_CONT, "", 0);
        sim_ping(p, "between");
        sim_frame(p, OP_CONT, "two \xc3", 5); /* a character across two fragments */
        sim_frame(p, FIN | OP_PONG, "unasked", 7);
        sim_frame(p, FIN | OP_CONT, "\xbc", 1);
        sim_frame(p, OP_BINARY, "", 0);
        sim_frame(p, FIN | OP_CONT, "", 0);
        sim_pump(s);
        sim_expect_message(p, 0, "one two \xc3\xbc");
        sim_expect_message(p, 1, "");
        assert_int_equal(reader_message(&p->reader, 1)->op, OP_BINARY);
        assert_int_equal(p->reader.pongs, 1);
        assert_true(got_is(reader_pong(&p->reader, 0), "between", 7));
        /* The Ping came before the end of the message, so its Pong does, too. */
        assert_int_equal(p->reader.list[0].op, OP_PONG);
        sim_free(s);
    }
}

TEST(message_when_in_65536_fragments_costs_what_it_carries)
{
    sim *s = sim_new(1);
    sim_peer *p;
    size_t before;
    s->config.abuse_burst = 0; /* no budget: conformance suites send this */
    sim_start(s);
    p = sim_join(s, "/echo");
    before = s->heap.live_bytes;
    s->heap.peak_bytes = before;
    for (int i = 0; i < 65536; i++)
        sim_frame(p, i == 0 ? OP_BINARY : i == 65535 ? FIN | OP_CONT : OP_CONT, "x", 1);
    s->chop = SIM_RANDOM;
    sim_pump(s);
    assert_int_equal(p->heards, 1);
    assert_int_equal(p->heard[0].len, 65536);
    assert_true(s->heap.peak_bytes - before <= 4 * 65536); /* one buffer that doubles (T2) */
    sim_free(s);
}

TEST(stream_when_cut_differently_says_the_same)
{
    uint64_t first_hash = 0;
    char *first_heard = NULL;
    for (uint64_t round = 0; round < 40; round++) {
        sim *s = sim_default(1);
        sim_peer *p = sim_join(s, "/echo");
        uint64_t mix = 77;
        blob heard = {0};
        s->react = echo;
        for (int i = 0; i < 60; i++) {
            char text[300];
            size_t len = (size_t)(sim_mix(&mix) % (i % 9 == 0 ? 300 : 12));
            memset(text, 'a' + i % 26, sizeof text);
            switch (sim_mix(&mix) % 4) {
            case 0:
                sim_frame(p, FIN | OP_TEXT, text, len);
                break;
            case 1:
                sim_frame(p, OP_BINARY, text, len);
                sim_frame(p, FIN | OP_CONT, text, len / 2);
                break;
            case 2:
                sim_frame(p, FIN | OP_PONG, text, len % 126);
                break;
            default:
                sim_frame(p, OP_TEXT, text, len);
                sim_frame(p, OP_CONT, text, len);
                sim_frame(p, FIN | OP_CONT, text, len);
                break;
            }
        }
        sim_say_close(p, 1000, "done");
        s->rng = round + 5; /* other cuts from here on */
        s->chop = round == 0 ? SIM_WHOLE : round == 1 ? SIM_BYTES : SIM_RANDOM;
        sim_pump(s);
        sim_expect_close(p, WSPOOL_END_PEER_CLOSED, 1000);
        for (size_t i = 0; i < p->heards; i++)
            blob_print(&heard, "%u %zu;", p->heard[i].op, p->heard[i].len);
        blob_add(&heard, "", 1);
        if (round == 0) {
            first_hash = p->hash;
            first_heard = (char *)heard.data;
        } else {
            assert_true(p->hash == first_hash);
            assert_string_equal((char *)heard.data, first_heard);
            blob_free(&heard);
        }
        sim_free(s);
    }
    free(first_heard);
}

/* --------------------------------------------------------------- invalid */

typedef struct attack {
    const char *what;
    client_frame frames[3];
    enum wspool_end why;
    int code;
} attack;

#define P(text) .payload = (text), .len = sizeof(text) - 1
#define LONG126 \
    "0123456789012345678901234567890123456789012345678901234567890123456789" \
    "01234567890123456789012345678901234567890123456789012345"

static const attack attacks[] = {
    {"unmasked", {{FIN | OP_TEXT, P("abc"), .unmasked = 1}}, WSPOOL_END_PROTOCOL, 1002},
    {"unmasked and empty", {{FIN | OP_TEXT, P(""), .unmasked = 1}}, WSPOOL_END_PROTOCOL, 1002},
    {"unmasked ping", {{FIN | OP_PING, P(""), .unmasked = 1}}, WSPOOL_END_PROTOCOL, 1002},
    {"rsv1", {{FIN | 0x40 | OP_TEXT, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"rsv2", {{FIN | 0x20 | OP_TEXT, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"rsv3", {{FIN | 0x10 | OP_TEXT, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"rsv1 on a ping", {{FIN | 0x40 | OP_PING, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"rsv1 on an empty continuation",
     {{OP_TEXT, P("a")}, {FIN | 0x40 | OP_CONT, P("")}},
     WSPOOL_END_PROTOCOL,
     1002},
    {"opcode 3", {{FIN | 3, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 4", {{FIN | 4, P("")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 5", {{FIN | 5, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 6", {{FIN | 6, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 7", {{FIN | 7, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 11", {{FIN | 11, P("")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 12", {{FIN | 12, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 13", {{FIN | 13, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 14", {{FIN | 14, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"opcode 15", {{FIN | 15, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"fragmented ping", {{OP_PING, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"fragmented pong", {{OP_PONG, P("")}}, WSPOOL_END_PROTOCOL, 1002},
    {"fragmented close", {{OP_CLOSE, P("\x03\xe8")}}, WSPOOL_END_PROTOCOL, 1002},
    {"ping of 126", {{FIN | OP_PING, P(LONG126)}}, WSPOOL_END_PROTOCOL, 1002},
    {"pong of 126", {{FIN | OP_PONG, P(LONG126)}}, WSPOOL_END_PROTOCOL, 1002},
    {"close of 126", {{FIN | OP_CLOSE, P(LONG126)}}, WSPOOL_END_PROTOCOL, 1002},
    {"ping in 16 bits", {{FIN | OP_PING, P("abc"), .form = 2}}, WSPOOL_END_PROTOCOL, 1002},
    {"3 in 16 bits", {{FIN | OP_TEXT, P("abc"), .form = 2}}, WSPOOL_END_PROTOCOL, 1002},
    {"3 in 64 bits", {{FIN | OP_TEXT, P("abc"), .form = 8}}, WSPOOL_END_PROTOCOL, 1002},
    {"0 in 16 bits", {{FIN | OP_TEXT, P(""), .form = 2}}, WSPOOL_END_PROTOCOL, 1002},
    {"126 in 64 bits", {{FIN | OP_TEXT, P(LONG126), .form = 8}}, WSPOOL_END_PROTOCOL, 1002},
    {"65535 in 64 bits",
     {{FIN | OP_BINARY, P(""), .form = 8, .announced = 65535}},
     WSPOOL_END_PROTOCOL,
     1002},
    {"highest bit of the length",
     {{FIN | OP_BINARY, P(""), .announced = UINT64_C(1) << 63}},
     WSPOOL_END_PROTOCOL,
     1002},
    {"all bits of the length",
     {{FIN | OP_BINARY, P(""), .announced = UINT64_MAX}},
     WSPOOL_END_PROTOCOL,
     1002},
    {"2^62 announced",
     {{FIN | OP_BINARY, P(""), .announced = UINT64_C(1) << 62}},
     WSPOOL_END_TOO_BIG,
     1009},
    {"2^32 announced",
     {{FIN | OP_BINARY, P(""), .announced = UINT64_C(1) << 32}},
     WSPOOL_END_TOO_BIG,
     1009},
    {"65537 announced", {{FIN | OP_BINARY, P(""), .announced = 65537}}, WSPOOL_END_TOO_BIG, 1009},
    {"2^63-1 behind a fragment",
     {{OP_BINARY, P("a")}, {FIN | OP_CONT, P(""), .announced = (UINT64_C(1) << 63) - 1}},
     WSPOOL_END_TOO_BIG,
     1009},
    {"65536 behind a fragment of 1",
     {{OP_BINARY, P("a")}, {FIN | OP_CONT, P(""), .announced = 65536}},
     WSPOOL_END_TOO_BIG,
     1009},
    {"continuation of nothing", {{FIN | OP_CONT, P("abc")}}, WSPOOL_END_PROTOCOL, 1002},
    {"continuation of nothing, open", {{OP_CONT, P("")}}, WSPOOL_END_PROTOCOL, 1002},
    {"text inside a message",
     {{OP_TEXT, P("a")}, {FIN | OP_TEXT, P("b")}},
     WSPOOL_END_PROTOCOL,
     1002},
    {"binary inside a message",
     {{OP_TEXT, P("a")}, {OP_CONT, P("b")}, {OP_BINARY, P("c")}},
     WSPOOL_END_PROTOCOL,
     1002},
    {"continuation behind the end",
     {{OP_TEXT, P("a")}, {FIN | OP_CONT, P("b")}, {FIN | OP_CONT, P("c")}},
     WSPOOL_END_PROTOCOL,
     1002},
    {"close of one byte (T18)", {{FIN | OP_CLOSE, P("\x03")}}, WSPOOL_END_PROTOCOL, 1002},
    {"close with a bad reason (T17)",
     {{FIN | OP_CLOSE, P("\x03\xe8"
                         "bad \xff")}},
     WSPOOL_END_BAD_UTF8,
     1007},
    {"close with half a character",
     {{FIN | OP_CLOSE, P("\x03\xe8"
                         "\xc3")}},
     WSPOOL_END_BAD_UTF8,
     1007},
    {"text: overlong", {{FIN | OP_TEXT, P("\xc0\x80")}}, WSPOOL_END_BAD_UTF8, 1007},
    {"text: overlong of 3", {{FIN | OP_TEXT, P("\xe0\x80\x80")}}, WSPOOL_END_BAD_UTF8, 1007},
    {"text: surrogate", {{FIN | OP_TEXT, P("\xed\xa0\x80")}}, WSPOOL_END_BAD_UTF8, 1007},
    {"text: above the last", {{FIN | OP_TEXT, P("\xf4\x90\x80\x80")}}, WSPOOL_END_BAD_UTF8, 1007},
    {"text: f5", {{FIN | OP_TEXT, P("\xf5\x80\x80\x80")}}, WSPOOL_END_BAD_UTF8, 1007},
    {"text: lone continuation", {{FIN | OP_TEXT, P("abc\x80")}}, WSPOOL_END_BAD_UTF8, 1007},
    {"text: ends in a character", {{FIN | OP_TEXT, P("abc\xe2\x82")}}, WSPOOL_END_BAD_UTF8, 1007},
    {"text: ends in a character, fragments",
     {{OP_TEXT, P("abc\xe2\x82")}, {FIN | OP_CONT, P("")}},
     WSPOOL_END_BAD_UTF8,
     1007},
    {"text: bad far behind",
     {{FIN | OP_TEXT, P(LONG126 LONG126 LONG126 "\xff" LONG126)}},
     WSPOOL_END_BAD_UTF8,
     1007},
};

TEST(frame_when_unlawful_closes_with_its_code)
{
    static const enum sim_chop chops[] = {SIM_WHOLE, SIM_RANDOM, SIM_BYTES};
    for (size_t i = 0; i < 3 * sizeof attacks / sizeof *attacks; i++) {
        const attack *a = &attacks[i / 3];
        sim *s = sim_default(i);
        sim_peer *p = sim_join(s, "/all");
        sim_peer *other = sim_join(s, "/all");
        size_t before = s->heap.peak_bytes;
        print_message("%s, cut %zu\n", a->what, i % 3);
        s->chop = chops[i % 3];
        for (int k = 0; k < 3 && (k == 0 || a->frames[k].payload != NULL); k++) {
            client_frame frame = a->frames[k];
            frame.key = (uint32_t)sim_random(s);
            client_put_frame(&p->in, &frame);
        }
        sim_text(p, "nobody hears this");
        p->mute_close = 1; /* from now on it is out of step */
        sim_pump(s);
        assert_int_equal(p->reader.close_code, a->code);
        assert_int_equal(wspool_member_count(s->pool, wspool_global("all")), 1);
        sim_pass(s, 6 * SEC);
        sim_expect_close(p, a->why, a->code);
        for (size_t k = 0; k < p->heards; k++)
            assert_false(got_is(&p->heard[k], "nobody hears this", 17));
        sim_expect_open(other);
        assert_true(s->heap.peak_bytes < before + 16384); /* T1 */
        sim_free(s);
    }
}

TEST(head_when_unlawful_is_refused_without_its_payload)
{
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        const attack *a = &attacks[i];
        sim *s;
        sim_peer *p;
        if (a->code == 1007 || (a->frames[0].first & 15) == OP_CLOSE || a->frames[1].payload)
            continue; /* these are checked by their contents */
        s = sim_default(i);
        p = sim_join(s, "/echo");
        client_put_head(&p->in, &a->frames[0]);
        p->mute_close = 1;
        sim_pump(s);
        if (p->reader.close_code != a->code) /* T21, T24 */
            fail_msg("%s: the head alone was answered with %d", a->what, p->reader.close_code);
        sim_free(s);
    }
}

TEST(text_when_bad_is_refused_at_its_first_bad_byte)
{
    static const struct {
        const char *bytes;
        size_t len; /* up to and including the first invalid byte */
    } cases[] = {{"ab\x80", 3},     {"ab\xc0", 3},         {"ab\xc3(", 4},
                 {"ab\xe0\x80", 4}, {"ab\xed\xa0", 4},     {"ab\xf0\x80", 4},
                 {"ab\xf4\x90", 4}, {"ab\xe2\x82(", 5},    {"ab\xf0\x9f\x98(", 6},
                 {"ab\xf8", 3},     {"0123456789\xff", 11}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *bytes = cases[i / 2].bytes;
        size_t len = cases[i / 2].len;
        sim *s = sim_default(i);
        sim_peer *p = sim_join(s, "/echo");
        client_frame frame = {.first = i % 2 ? (unsigned)OP_TEXT : FIN | OP_TEXT,
                              .announced = 5000,
                              .key = 0x55aa1234};
        size_t from;
        s->chop = SIM_BYTES;
        p->mute_close = 1;
        client_put_head(&p->in, &frame);
        from = p->in.len;
        sim_write(p, bytes, len);
        for (size_t k = 0; k < len; k++)
            p->in.data[from + k] ^= (uint8_t)(frame.key >> (8 * (3 - k % 4)));
        p->in.len--; /* all but the last byte */
        sim_pump(s);
        assert_int_equal(p->reader.close_code, 0);
        sim_write(p,
                  &(uint8_t){(uint8_t)((uint8_t)bytes[len - 1] ^
                                       (uint8_t)(frame.key >> (8 * (3 - (len - 1) % 4))))},
                  1);
        sim_pump(s);
        assert_int_equal(p->reader.close_code, 1007);
        sim_free(s);
    }
}

TEST(binary_when_not_utf8_is_fine)
{
    sim *s;
    sim_peer *p = echoing(&s, 1);
    sim_frame(p, OP_BINARY, "\xff\xc0", 2);
    sim_frame(p, FIN | OP_CONT, "\x80", 1);
    sim_pump(s);
    assert_true(got_is(reader_message(&p->reader, 0), "\xff\xc0\x80", 3));
    sim_expect_open(p);
    sim_free(s);
}

/* ---------------------------------------------------------------- limits */

TEST(message_when_at_its_limit_is_received_and_one_byte_over_is_1009)
{
    for (int way = 0; way < 8; way++) {
        int over = way % 2;
        int fragments = way / 2 % 2;
        int by_route = way / 4;
        size_t limit = by_route ? 300 : 1000;
        sim *s = sim_new((uint64_t)way);
        wspool_route_options options;
        char *bytes = sim_malloc(limit + 1);
        size_t size = limit + (size_t)over;
        sim_peer *p;
        memset(bytes, 'b', limit + 1);
        s->config.message_bytes = 1000;
        sim_start(s);
        wspool_route_options_init(&options, &s->config);
        options.message_bytes = 300;
        assert_int_equal(wspool_route(s->pool, "/small", WSPOOL_NONE, &options), 0);
        p = sim_join(s, by_route ? "/small" : "/echo");
        s->chop = SIM_RANDOM;
        if (fragments) {
            sim_frame(p, OP_TEXT, bytes, 100);
            sim_frame(p, OP_CONT, bytes, 100);
            sim_frame(p, FIN | OP_CONT, bytes, size - 200);
        } else {
            sim_frame(p, FIN | OP_TEXT, bytes, size);
        }
        sim_pump(s);
        if (over) {
            assert_int_equal(p->heards, 0);
            assert_int_equal(p->reader.close_code, 1009);
            sim_pass(s, 6 * SEC);
            sim_expect_close(p, WSPOOL_END_TOO_BIG, 1009);
        } else {
            assert_int_equal(p->heards, 1);
            assert_int_equal(p->heard[0].len, limit);
            sim_expect_open(p);
        }
        free(bytes);
        sim_free(s);
    }
}

TEST(memory_when_a_message_is_announced_grows_only_as_it_comes)
{
    sim *s = sim_new(1);
    client_frame frame = {.first = FIN | OP_BINARY, .announced = 50000000, .key = 9};
    sim_peer *p;
    size_t before;
    s->config.message_bytes = 100000000;
    sim_start(s);
    p = sim_join(s, "/echo");
    before = s->heap.live_bytes;
    client_put_head(&p->in, &frame);
    sim_write(p, "0123456789", 10);
    sim_pump(s);
    assert_true(s->heap.live_bytes < before + 8192);
    if (sim_libc_counts())
        assert_true(sim_c.live_bytes < 16384);
    sim_free(s);
}

/* ----------------------------------------------------------------- pings */

TEST(ping_when_read_is_answered_in_order)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    char text[126];
    s->chop = SIM_RANDOM;
    for (int i = 0; i < 50; i++) {
        memset(text, 'p', sizeof text);
        snprintf(text, sizeof text, "%d", i);
        sim_frame(p, FIN | OP_PING, text, i == 49 ? 125 : strlen(text));
        sim_pump(s);
        assert_int_equal(p->reader.pongs, i + 1);
        assert_true(got_is(reader_pong(&p->reader, (size_t)i), text, i == 49 ? 125 : strlen(text)));
    }
    sim_ping(p, "");
    sim_pump(s);
    assert_true(got_is(reader_pong(&p->reader, 50), "", 0));
    assert_int_equal(sim_stats(s).pings_received, 51);
    sim_free(s);
}

/* A newer Pong may replace an older one that was not sent (RFC 6455, 5.5.3). */
TEST(pings_when_in_one_read_are_answered_in_order_and_the_last_for_sure)
{
    for (size_t size = 4; size <= 125; size += 11) {
        sim *s = sim_default(1);
        sim_peer *p = sim_join(s, "/echo");
        uint32_t last = 0;
        for (uint32_t i = 1; i <= 200; i++) {
            uint8_t payload[125] = {0};
            memcpy(payload, &i, 4);
            sim_frame(p, FIN | OP_PING, payload, size);
        }
        sim_pump(s);
        assert_true(p->reader.pongs >= 1);
        for (size_t i = 0; i < p->reader.pongs; i++) {
            const got *g = reader_pong(&p->reader, i);
            uint32_t number;
            assert_int_equal(g->len, size);
            memcpy(&number, g->data, 4);
            assert_true(number > last);
            last = number;
        }
        assert_int_equal(last, 200);
        assert_int_equal(p->reader.pongs + sim_stats(s).pongs_dropped, 200);
        sim_free(s);
    }
}

TEST(ping_flood_when_nothing_is_read_holds_bounded_memory)
{
    for (int honest = 0; honest < 2; honest++) {
        sim *s = sim_new(1);
        blob flood = {0};
        sim_peer *p;
        size_t before;
        s->config.abuse_burst = 0;
        sim_start(s);
        p = sim_join(s, "/echo");
        sim_stall(p);
        before = s->heap.live_bytes;
        s->heap.peak_bytes = before;
        for (int i = 0; i < 20000; i++) {
            client_frame frame = {.first = FIN | OP_PING, P("0123456789"), .key = 1};
            client_put_frame(&flood, &frame);
        }
        if (honest) { /* the host stops reading when READ is not set */
            sim_write(p, flood.data, flood.len);
            s->chop = SIM_RANDOM;
            sim_pump(s);
            assert_int_equal(p->reading, 0);
            assert_true(p->fed < p->in.len);
        } else { /* a host that reads on harms only itself */
            for (size_t at = 0; at < flood.len; at += 1600) {
                assert_int_equal(SIM_IN(wspool_feed(s->pool, p->id, flood.data + at, 1600, s->now)),
                                 0);
                s->fed += 1600;
                sim_turn(s);
            }
        }
        assert_true(s->heap.peak_bytes < before + 8192); /* T4 */
        sim_books(s);
        p->in.len = p->fed = 0;
        sim_flow(p);
        sim_pump(s);
        assert_int_equal(p->reading, 1);
        sim_ping(p, "well again");
        sim_pump(s);
        assert_true(got_is(reader_pong(&p->reader, p->reader.pongs - 1), "well again", 10));
        blob_free(&flood);
        sim_free(s);
    }
}

/* --------------------------------------------------------- abuse budget */

/* Kinds: 0 pings, 1 unsolicited pongs, 2 empty fragments, 3 fragments of one byte. */
static void abuse(sim_peer *p, int kind, int first)
{
    switch (kind) {
    case 0:
        sim_ping(p, "n");
        break;
    case 1:
        sim_frame(p, FIN | OP_PONG, "n", 1);
        break;
    default:
        sim_frame(p, first ? OP_BINARY : OP_CONT, "n", kind == 2 ? 0 : 1);
        break;
    }
}

TEST(abuse_when_its_budget_is_spent_closes_with_4103)
{
    for (int kind = 0; kind < 4; kind++) {
        sim *s = sim_new((uint64_t)kind);
        sim_peer *p;
        s->config.abuse_burst = 100;
        s->config.abuse_rate = 10;
        s->config.ping_interval = 0;
        sim_start(s);
        p = sim_join(s, "/echo");
        for (int i = 0; i < 100; i++)
            abuse(p, kind, i == 0);
        sim_pump(s);
        sim_expect_open(p);
        assert_true(sim_stats(s).abuse_cost >=
                    99);   /* the first frame may not count as a fragment */
        s->now += 2 * SEC; /* 20 tokens come back */
        for (int i = 0; i < 18; i++)
            abuse(p, kind, 0);
        sim_pump(s);
        sim_expect_open(p);
        for (int i = 0; i < 6; i++)
            abuse(p, kind, 0);
        p->mute_close = 1;
        sim_pump(s);
        assert_int_equal(p->reader.close_code, WSPOOL_CLOSE_ABUSE);
        sim_pass(s, 6 * SEC);
        sim_expect_close(p, WSPOOL_END_ABUSE, WSPOOL_CLOSE_ABUSE);
        sim_free(s);
    }
}

TEST(abuse_when_messages_are_whole_draws_nothing)
{
    sim *s = sim_new(1);
    sim_peer *p;
    s->config.abuse_burst = 10;
    s->config.abuse_rate = 1;
    sim_start(s);
    p = sim_join(s, "/echo");
    for (int i = 0; i < 1000; i++)
        sim_text(p, "a message");
    sim_pump(s);
    sim_pass(s, 200 * SEC); /* solicited pongs */
    sim_expect_open(p);
    assert_int_equal(p->heards, 1000);
    assert_int_equal(sim_stats(s).abuse_cost, 0);
    sim_free(s);
}

TEST(abuse_when_the_host_reports_it_draws_on_the_same_budget)
{
    sim *s = sim_new(1);
    sim_peer *p;
    s->config.abuse_burst = 100;
    s->config.abuse_rate = 10;
    s->config.ping_interval = 0;
    sim_start(s);
    p = sim_join(s, "/echo");
    for (int i = 0; i < 40; i++)
        sim_ping(p, "");
    sim_pump(s);
    assert_int_equal(SIM_IN(wspool_report_abuse(s->pool, p->id, 60, NULL)), 0);
    sim_pump(s);
    sim_expect_open(p);
    assert_int_equal(sim_stats(s).abuse_cost, 100);
    assert_int_equal(SIM_IN(wspool_report_abuse(s->pool, p->id, 1, NULL)), 0);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_ABUSE, WSPOOL_CLOSE_ABUSE);
    sim_free(s);
}

/* ----------------------------------------------------------------- close */

TEST(close_of_peer_when_lawful_is_echoed)
{
    static const int codes[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011,
                                1012, 1013, 1014, 3000, 3999, 4000, 4100, 4999}; /* T5 */
    static const enum sim_chop chops[] = {SIM_WHOLE, SIM_BYTES};
    for (size_t i = 0; i < 2 * sizeof codes / sizeof *codes; i++) {
        sim *s = sim_default(i);
        sim_peer *p = sim_join(s, "/echo");
        s->chop = chops[i % 2];
        sim_say_close(p, codes[i / 2], i % 3 ? "reason \xe2\x82\xac\xf0\x9f\x98\x80" : NULL);
        sim_pump(s);
        sim_expect_close(p, WSPOOL_END_PEER_CLOSED, codes[i / 2]);
        assert_int_equal(p->closed.code_received, codes[i / 2]);
        sim_free(s);
    }
}

TEST(close_of_peer_when_empty_is_echoed_and_reported_as_1005)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    sim_say_close(p, 0, NULL);
    sim_pump(s);
    sim_expect_end(p, WSPOOL_END_PEER_CLOSED);
    assert_int_equal(p->closed.code_received, 1005);
    assert_true(p->reader.close_code == 1005 || p->reader.close_code == 1000);
    sim_free(s);
}

TEST(close_of_peer_when_unlawful_is_1002)
{
    static const int codes[] = {0,    1,    999,  1004, 1005, 1006, 1015,
                                1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        uint8_t payload[2] = {(uint8_t)(codes[i] >> 8), (uint8_t)codes[i]};
        sim *s = sim_default(i);
        sim_peer *p = sim_join(s, "/echo");
        sim_frame(p, FIN | OP_CLOSE, payload, 2);
        p->said_close = 1;
        sim_pump(s);
        assert_int_equal(p->reader.close_code, 1002);
        sim_pass(s, 6 * SEC);
        sim_expect_close(p, WSPOOL_END_PROTOCOL, 1002);
        sim_free(s);
    }
}

TEST(close_of_peer_when_its_reason_is_full_length_is_echoed)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    char reason[124];
    memset(reason, 'r', 123);
    reason[123] = '\0';
    sim_say_close(p, 1000, reason);
    s->chop = SIM_BYTES;
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_PEER_CLOSED, 1000);
    sim_free(s);
}

/* It breaks the protocol, and no other Close will follow: the peer ends without waiting. */
TEST(close_of_peer_when_too_long_ends_at_once)
{
    char reason[300];
    memset(reason, 'r', sizeof reason);
    memcpy(reason, "\x03\xe8", 2);
    for (size_t i = 0; i < 6; i++) {
        sim *s = sim_default(i);
        sim_peer *p = sim_join(s, "/echo");
        s->chop = (enum sim_chop)(i % 3);
        sim_frame(p, FIN | OP_CLOSE, reason, i < 3 ? 126 : sizeof reason);
        p->said_close = 1;
        sim_pump(s);
        sim_expect_close(p, WSPOOL_END_PROTOCOL, 1002);
        sim_free(s);
    }
}

TEST(bytes_when_behind_a_close_are_ignored)
{
    for (int chop = 0; chop < 3; chop++) {
        sim *s;
        sim_peer *p = echoing(&s, 1);
        s->chop = (enum sim_chop)chop;
        sim_say_close(p, 1000, NULL);
        sim_text(p, "too late");
        sim_ping(p, "too late");
        sim_frame(p, FIN | 0x70 | 15, "garbage", 7);
        sim_pump(s);
        sim_expect_close(p, WSPOOL_END_PEER_CLOSED, 1000);
        assert_int_equal(p->heards, 0);
        assert_int_equal(p->reader.pongs, 0);
        sim_free(s);
    }
}

TEST(close_of_peer_when_said_twice_counts_once)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    sim_stall(p);
    sim_say_close(p, 4001, "first");
    sim_say_close(p, 4002, "second");
    sim_pump(s);
    sim_flow(p);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_PEER_CLOSED, 4001);
    assert_int_equal(p->closed.code_received, 4001);
    assert_int_equal(s->counts[SIM_CLOSED], 1);
    sim_free(s);
}

TEST(close_of_peer_when_echoes_wait_comes_behind_them)
{
    sim *s;
    sim_peer *p = echoing(&s, 1);
    s->chop = SIM_RANDOM;
    sim_text(p, "one");
    sim_text(p, "two");
    sim_say_close(p, 1000, NULL);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_PEER_CLOSED, 1000);
    sim_expect_message(p, 0, "one");
    sim_expect_message(p, 1, "two"); /* T7 */
    assert_int_equal(p->closed.messages_lost, 0);
    sim_free(s);
}

TEST(close_of_host_when_data_waits_comes_behind_it)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/room/a");
    s->chop = SIM_RANDOM;
    for (int i = 0; i < 20; i++)
        assert_int_equal(sim_broadcast(s, wspool_item("a"), i % 2 ? "odd" : "even"), 1);
    assert_int_equal(wspool_close(s->pool, p->id, 4321, "because", 0), 0);
    /* From here on it is a member of no channel, and nothing more is sent to it. */
    assert_int_equal(wspool_member_count(s->pool, wspool_item("a")), 0);
    assert_int_equal(sim_broadcast(s, wspool_item("a"), "late"), 0);
    assert_int_equal(sim_send(p, "late"), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_item("a")), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), WSPOOL_ERR_STATE);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 4321);
    assert_string_equal(p->reader.close_reason, "because");
    assert_int_equal(p->closed.code_received, 4321);
    assert_int_equal(p->reader.messages, 20);
    assert_int_equal(p->closed.messages_lost, 0);
    sim_free(s);
}

TEST(close_of_host_when_now_drops_what_is_queued)
{
    for (int started = 0; started < 2; started++) {
        sim *s = sim_default(1);
        sim_peer *p = sim_join(s, "/echo");
        sim_stall(p);
        if (started)
            p->room = 3; /* half of the first message is sent: it must be completed */
        for (int i = 0; i < 10; i++)
            assert_int_equal(sim_send(p, "a message"), 0);
        sim_pump(s);
        assert_int_equal(SIM_IN(wspool_close(s->pool, p->id, 1001, "at once", WSPOOL_CLOSE_NOW)),
                         0);
        sim_flow(p);
        sim_pump(s);
        sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 1001);
        assert_int_equal(p->reader.messages, started);
        assert_int_equal(p->closed.messages_lost, 10 - started);
        assert_int_equal(sim_stats(s).dropped_closed, 10 - started);
        sim_free(s);
    }
}

TEST(close_when_both_begin_ends_once)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    sim_say_close(p, 4001, "mine");
    assert_int_equal(wspool_close(s->pool, p->id, 4002, "ours", 0), 0);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 4002);
    assert_int_equal(p->closed.code_received, 4001);
    assert_int_equal(s->counts[SIM_CLOSED], 1);
    sim_free(s);
}

TEST(message_when_it_comes_after_our_close_is_not_received)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    p->mute_close = 1;
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), 0);
    sim_text(p, "in flight"); /* valid: the client had not read the server's Close */
    sim_pump(s);
    assert_int_equal(p->ended, 0);
    sim_say_close(p, 1000, NULL);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 1000);
    assert_int_equal(p->closed.code_received, 1000);
    sim_free(s);
}

TEST(transport_when_it_ends_without_close_is_1006)
{
    static const enum wspool_gone_why whys[] = {WSPOOL_GONE_EOF, WSPOOL_GONE_FAILED};
    static const enum wspool_end ends[] = {WSPOOL_END_EOF, WSPOOL_END_FAILED};
    for (int i = 0; i < 4; i++) {
        sim *s = sim_default(1);
        sim_peer *p = sim_join(s, "/room/x");
        if (i >= 2)
            sim_write(p, "\x81\xff\x01", 3); /* in the middle of a frame header */
        sim_pump(s);
        sim_stall(p);
        sim_send(p, "lost");
        s->now += 3 * SEC;
        sim_cut(p, whys[i % 2]);
        sim_pump(s);
        sim_expect_end(p, ends[i % 2]);
        assert_int_equal(p->closed.code_sent, 0);
        assert_int_equal(p->closed.code_received, 1006);
        assert_int_equal(p->closed.messages_lost, 1);
        assert_true(p->closed.open_for == 3 * SEC);
        assert_int_equal(wspool_member_count(s->pool, wspool_item("x")), 0);
        sim_free(s);
    }
}

/* Valid streams with a few bytes changed, and random bytes: the peer is closed or heard, and its
 * neighbour is not affected. */
TEST(bytes_when_random_are_survived)
{
    sim *s = sim_default(77);
    sim_peer *good;
    int rounds = sim_slow() ? 200 : 3000;
    s->react = echo;
    s->chop = SIM_RANDOM;
    s->keep_journal = 0;
    s->config.max_peers = 10000;
    good = sim_join(s, "/all");
    for (int i = 0; i < rounds; i++) {
        sim_peer *p = sim_join(s, "/echo");
        char text[200];
        size_t from;
        memset(text, 'x', sizeof text);
        from = p->in.len;
        if (i % 3 == 0) {
            for (int k = 0; k < 60; k++) {
                uint8_t byte = (uint8_t)sim_random(s);
                sim_write(p, &byte, 1);
            }
        } else {
            for (int k = 0; k < 5; k++) {
                static const unsigned firsts[] = {FIN | OP_TEXT, OP_TEXT,       OP_CONT,
                                                  FIN | OP_CONT, FIN | OP_PING, FIN | OP_CLOSE};
                sim_frame(p, firsts[sim_below(s, 6)], text, (size_t)sim_below(s, 130));
            }
            for (uint64_t k = sim_below(s, 4); k > 0; k--)
                p->in.data[from + sim_below(s, p->in.len - from)] = (uint8_t)sim_random(s);
        }
        p->mute_close = (int)sim_below(s, 2);
        sim_pump(s);
        if (!p->released)
            sim_cut(p, i % 2 ? WSPOOL_GONE_EOF : WSPOOL_GONE_FAILED);
        if (i % 16 == 0)
            sim_pass(s, 6 * SEC);
    }
    sim_pump(s);
    sim_expect_open(good);
    sim_broadcast(s, wspool_global("all"), "unharmed");
    sim_pump(s);
    sim_expect_message(good, 0, "unharmed");
    sim_free(s);
}

TEST(reasons_when_sent_are_those_of_the_header)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    sim_frame(p, FIN | OP_TEXT, "\xff", 1);
    sim_pump(s);
    assert_string_equal(p->reader.close_reason, "text that is not UTF-8");
    sim_free(s);
}
