/* SPDX-License-Identifier: MIT */
/*
 * deflate/test_memory.c - memory that libwspool_deflate holds, failing allocations, and which
 * options are valid.
 */
#include "side.h"

static unsigned plain, full, taking; /* decoders: 12 bits, 15 bits, 12 bits with takeover */

static void begin(side *s)
{
    plain = side_decoder(s, 0, "permessage-deflate; client_max_window_bits");
    full = side_decoder(s, 0, "permessage-deflate");
    taking = side_decoder(s, WSPOOL_DEFLATE_TAKEOVER, "permessage-deflate; client_max_window_bits");
}

/* Returns the bytes allocated; the statistics must say the same. */
static size_t memory_of(side *s)
{
    assert_int_equal(side_stats(s).memory, side_live(s));
    return side_live(s);
}

/* Decodes a part of a message, or with `last` its end. */
static enum wspool_decoded read_some(side *s, unsigned decoder, void **state, bytes payload,
                                     int last)
{
    uint8_t room[4000];
    wspool_decoding piece = {payload.at, payload.len, room, sizeof room, last};
    return s->hook.decode(decoder, state, &piece, s->hook.user);
}

/* ------------------------------------------------------------------- held */

TEST(peers_without_takeover_hold_nothing_between_messages)
{
    enum { PEERS = 100 };
    bytes message = some_text(3000, 1), payload = payload_of(message.at, message.len, 12, 6);
    bytes half = bytes_of(payload.at, payload.len / 2);
    bytes other = bytes_of(payload.at + half.len, payload.len - half.len);
    void *peers[PEERS] = {NULL};
    size_t idle = 0, busy;
    side s;
    side_init(&s);
    side_start(&s);
    begin(&s);
    size_t fresh = memory_of(&s);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < PEERS; i++) {
            unsigned decoder = i % 2 && round < 2 ? full : plain;
            assert_int_equal(read_some(&s, decoder, &peers[i], half, 0), WSPOOL_DECODED_ALL);
            assert_non_null(peers[i]);
            assert_int_equal(side_stats(&s).inflating, i + 1);
        }
        busy = memory_of(&s);
        assert_in_range(busy, fresh + PEERS * 11000u, fresh + PEERS * 45000u);
        for (size_t i = 0; i < PEERS; i++) {
            unsigned decoder = i % 2 && round < 2 ? full : plain;
            assert_int_equal(read_some(&s, decoder, &peers[i], other, 1), WSPOOL_DECODED_ALL);
            s.hook.reset(decoder, &peers[i], 0, s.hook.user);
            assert_null(peers[i]);
        }
        idle = memory_of(&s);
        assert_in_range(idle, fresh + 1, fresh + 4 * 41000u);
        assert_int_equal(side_stats(&s).inflating, 0);
    }
    /* the free streams now have small windows, and also serve a peer with a larger one */
    assert_in_range(idle, fresh + 1, fresh + 4 * 12000u);
    size_t calls = atomic_load(&s.heap.calls);
    assert_int_equal(read_some(&s, plain, &peers[0], payload, 1), WSPOOL_DECODED_ALL);
    assert_int_equal(atomic_load(&s.heap.calls), calls);
    assert_int_equal(memory_of(&s), idle);
    s.hook.reset(plain, &peers[0], 0, s.hook.user);
    assert_int_equal(read_some(&s, full, &peers[0], payload, 1), WSPOOL_DECODED_ALL);
    s.hook.reset(full, &peers[0], 0, s.hook.user);
    assert_in_range(memory_of(&s), idle + 25000, idle + 33000);
    side_stop(&s);
    bytes_free(&message);
    bytes_free(&payload);
    bytes_free(&half);
    bytes_free(&other);
}

TEST(peers_with_takeover_hold_their_window_until_they_go)
{
    enum { PEERS = 20 };
    bytes message = some_text(3000, 1), payload = payload_of(message.at, message.len, 12, 6);
    void *peers[PEERS] = {NULL};
    side s;
    side_init(&s);
    side_start(&s);
    begin(&s);
    size_t fresh = memory_of(&s);
    for (size_t i = 0; i < PEERS; i++) {
        assert_int_equal(read_some(&s, taking, &peers[i], payload, 1), WSPOOL_DECODED_ALL);
        s.hook.reset(taking, &peers[i], 0, s.hook.user);
        assert_non_null(peers[i]);
    }
    assert_int_equal(side_stats(&s).inflating, PEERS);
    assert_in_range(memory_of(&s), fresh + PEERS * 11000u, fresh + PEERS * 12000u);
    for (size_t i = 0; i < PEERS; i++) {
        s.hook.reset(taking, &peers[i], 1, s.hook.user);
        assert_null(peers[i]);
    }
    s.hook.reset(taking, &peers[0], 1, s.hook.user); /* a peer that has sent nothing */
    assert_int_equal(side_stats(&s).inflating, 0);
    assert_in_range(memory_of(&s), fresh + 1, fresh + 4 * 12000u);
    side_stop(&s);
    bytes_free(&message);
    bytes_free(&payload);
}

TEST(deflaters_are_made_at_first_use_one_for_each_encoding)
{
    bytes message = some_text(1000, 1);
    size_t len, before;
    side s;
    side_init(&s);
    side_start(&s);
    assert_in_range(memory_of(&s), 1, 2000);
    assert_null(
        s.hook.encode(7, message.at, 255, &len, s.hook.user)); /* below the threshold: no stream */
    assert_in_range(memory_of(&s), 1, 2000);
    before = memory_of(&s);
    assert_non_null(s.hook.encode(7, message.at, message.len, &len, s.hook.user));
    assert_in_range(memory_of(&s) - before, 260000, 280000);
    before = memory_of(&s);
    for (int i = 0; i < 100; i++)
        assert_non_null(s.hook.encode(7, message.at, message.len, &len, s.hook.user));
    assert_int_equal(memory_of(&s), before);
    assert_non_null(s.hook.encode(1, message.at, message.len, &len, s.hook.user));
    assert_in_range(memory_of(&s) - before, 100000, 150000);
    side_stop(&s);
    bytes_free(&message);
}

TEST(buffer_of_a_huge_message_goes_with_the_next_small_one)
{
    bytes message = some_text(2000000, 1);
    size_t len, before;
    side s;
    side_init(&s);
    side_start(&s);
    assert_non_null(s.hook.encode(7, message.at, 65532, &len, s.hook.user));
    before = memory_of(&s);
    for (int i = 0; i < 2; i++) {
        assert_non_null(s.hook.encode(7, message.at, message.len, &len, s.hook.user));
        assert_true(memory_of(&s) > before + 1900000);
        /* a message below the threshold suffices */
        assert_null(s.hook.encode(7, message.at, 10, &len, s.hook.user));
        assert_true(memory_of(&s) < before);
        assert_non_null(s.hook.encode(7, message.at, 65532, &len, s.hook.user));
        assert_int_equal(memory_of(&s), before);
    }
    side_stop(&s);
    bytes_free(&message);
}

/* ------------------------------------------------------------------ failing */

static void expect_message(side *s, unsigned decoder, void **state, bytes payload, bytes message,
                           int *starved)
{
    bytes out;
    enum wspool_decoded answer =
        side_read(s, decoder, state, payload, (cut){.piece = 100, .room = 1000}, &out);
    if (answer == WSPOOL_DECODED_NOMEM) {
        ++*starved;
    } else {
        assert_int_equal(answer, WSPOOL_DECODED_ALL);
        assert_int_equal(out.len, message.len);
        assert_memory_equal(out.at, message.at, message.len);
    }
    bytes_free(&out);
    s->hook.reset(decoder, state, answer != WSPOOL_DECODED_ALL, s->hook.user);
    memory_of(s);
}

/* Uses everything once. Returns how many steps were done without for lack of memory. */
static int scenario(side *s, bytes message, bytes payload)
{
    void *peers[7] = {NULL};
    int starved = 0;
    if (wspool_deflate_new(&s->deflate, &s->options) != 0) {
        assert_null(s->deflate);
        return 1;
    }
    s->hook = wspool_deflate_codec(s->deflate);
    for (unsigned i = 0; i < 8; i++) {
        size_t len;
        const void *at = s->hook.encode(i % 4 * 2 + 1, message.at, message.len, &len, s->hook.user);
        starved += at == NULL;
        memory_of(s);
    }
    for (int i = 0; i < 14; i++)
        expect_message(s,
                       i % 3 == 0   ? taking
                       : i % 3 == 1 ? plain
                                    : full,
                       &peers[i % 7], payload, message, &starved);
    for (int i = 0; i < 7; i++)
        s->hook.reset(i % 2 ? taking : plain, &peers[i], 1, s->hook.user);
    assert_int_equal(side_stats(s).inflating, 0);
    return starved;
}

static void run_scenario_with_failures(int fail_on)
{
    bytes message = some_text(3000, 1), payload = payload_of(message.at, message.len, 12, 6);
    size_t count = 0, fail_at;
    side s;
    side_init(&s);
    side_start(&s);
    begin(&s);
    side_stop(&s);
    for (fail_at = 0; fail_at == 0 || fail_at <= count; fail_at++) {
        atomic_store(&s.heap.calls, 0);
        s.heap.fail_at = fail_at;
        s.heap.fail_on = fail_on;
        s.heap.failed = 0;
        int starved = scenario(&s, message, payload);
        if (fail_at == 0)
            count = atomic_load(&s.heap.calls);
        assert_int_equal(s.heap.failed > 0, fail_at > 0);
        assert_int_equal(starved > 0, fail_at > 0);
        s.heap.fail_at = 0;
        if (s.deflate != NULL) { /* works as if nothing had failed */
            void *peer = NULL;
            size_t len;
            starved = 0;
            assert_non_null(s.hook.encode(7, message.at, message.len, &len, s.hook.user));
            expect_message(&s, full, &peer, payload, message, &starved);
            assert_int_equal(starved, 0);
        }
        side_stop(&s);
    }
    assert_true(count > 20);
    bytes_free(&message);
    bytes_free(&payload);
}

TEST(each_allocation_may_fail)
{
    run_scenario_with_failures(0);
}

TEST(each_allocation_may_fail_and_all_behind_it)
{
    run_scenario_with_failures(1);
}

/* ------------------------------------------------------------------ options */

TEST(options_out_of_range_answer_inval)
{
    static const struct {
        int level, mem_level, server_window, client_window, answer;
    } rows[] = {
        {6, 8, 15, 12, 0},
        {1, 1, 9, 9, 0},
        {9, 9, 15, 15, 0},
        {0, 8, 15, 12, WSPOOL_ERR_INVAL},
        {-1, 8, 15, 12, WSPOOL_ERR_INVAL},
        {10, 8, 15, 12, WSPOOL_ERR_INVAL},
        {6, 0, 15, 12, WSPOOL_ERR_INVAL},
        {6, 10, 15, 12, WSPOOL_ERR_INVAL},
        {6, 8, 8, 12, WSPOOL_ERR_INVAL},
        {6, 8, 16, 12, WSPOOL_ERR_INVAL},
        {6, 8, 15, 8, WSPOOL_ERR_INVAL},
        {6, 8, 15, 16, WSPOOL_ERR_INVAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wspool_deflate_options options;
        wspool_deflate *deflate = (wspool_deflate *)&options; /* not NULL */
        wspool_deflate_options_init(&options);
        options.level = rows[i].level;
        options.mem_level = rows[i].mem_level;
        options.server_window = rows[i].server_window;
        options.client_window = rows[i].client_window;
        assert_int_equal(wspool_deflate_new(&deflate, &options), rows[i].answer);
        assert_int_equal(deflate == NULL, rows[i].answer != 0);
        wspool_deflate_free(deflate);
    }
}

TEST(half_a_set_of_memory_hooks_answers_inval)
{
    sim_heap heap = {0};
    for (int which = 0; which < 8; which++) {
        wspool_mem all = sim_heap_hooks(&heap), none = {0};
        wspool_deflate_options options;
        wspool_deflate *deflate;
        wspool_deflate_options_init(&options);
        options.mem.malloc = which & 1 ? all.malloc : none.malloc;
        options.mem.realloc = which & 2 ? all.realloc : none.realloc;
        options.mem.free = which & 4 ? all.free : none.free;
        options.mem.user = &heap;
        assert_int_equal(wspool_deflate_new(&deflate, &options),
                         which == 0 || which == 7 ? 0 : WSPOOL_ERR_INVAL);
        wspool_deflate_free(deflate);
    }
    assert_int_equal(atomic_load(&heap.live_blocks), 0);
}

TEST(defaults_are_those_of_the_header)
{
    wspool_deflate_options options;
    wspool_deflate_options_init(&options);
    assert_int_equal(options.size, sizeof options);
    assert_int_equal(options.threshold, 256);
    assert_int_equal(options.level, 6);
    assert_int_equal(options.mem_level, 8);
    assert_int_equal(options.server_window, 15);
    assert_int_equal(options.client_window, 12);
    assert_null(options.mem.malloc);
    wspool_deflate *deflate;
    assert_int_equal(wspool_deflate_new(&deflate, NULL), 0);
    wspool_codec_hook hook = wspool_deflate_codec(deflate);
    assert_true(hook.negotiate != NULL && hook.encode != NULL && hook.decode != NULL &&
                hook.reset != NULL);
    wspool_deflate_free(deflate);
    wspool_deflate_free(NULL);
    hook = wspool_deflate_codec(NULL);
    assert_true(hook.negotiate == NULL && hook.encode == NULL && hook.decode == NULL &&
                hook.reset == NULL);
}

TEST(structs_of_other_sizes_are_taken_for_what_they_have)
{
    struct {
        wspool_deflate_stats known;
        uint64_t more;
    } large = {.known.size = sizeof large, .more = 7};
    wspool_deflate_stats small = {
        .size = offsetof(wspool_deflate_stats, deflated_in), .deflated = 9, .deflated_in = 9};
    wspool_deflate_options options;
    wspool_deflate *deflate;
    wspool_deflate_options_init(&options);
    options.size = offsetof(wspool_deflate_options, level); /* a host with an older header */
    options.level = 99;
    assert_int_equal(wspool_deflate_new(&deflate, &options), 0);
    assert_int_equal(wspool_deflate_get_stats(deflate, &large.known), 0);
    assert_int_equal(large.known.size, sizeof large);
    assert_int_equal(large.more, 7);
    assert_true(large.known.memory > 0);
    assert_int_equal(wspool_deflate_get_stats(deflate, &small), 0);
    assert_int_equal(small.deflated, 0);
    assert_int_equal(small.deflated_in, 9);
    small.size = sizeof small.size - 1;
    assert_int_equal(wspool_deflate_get_stats(deflate, &small), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_deflate_get_stats(NULL, &large.known), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_deflate_get_stats(deflate, NULL), WSPOOL_ERR_INVAL);
    wspool_deflate_free(deflate);
    options.size = sizeof options.size - 1;
    assert_int_equal(wspool_deflate_new(&deflate, &options), WSPOOL_ERR_INVAL);
    struct { /* a newer header: unknown members must be zero */
        wspool_deflate_options known;
        uint64_t more;
    } newer = {.more = 0};
    wspool_deflate_options_init_sized(&newer.known, sizeof newer);
    assert_int_equal(wspool_deflate_new(&deflate, &newer.known), 0);
    wspool_deflate_free(deflate);
    newer.more = 1;
    assert_int_equal(wspool_deflate_new(&deflate, &newer.known), WSPOOL_ERR_INVAL);
    newer.known.size = SIZE_MAX;
    assert_int_equal(wspool_deflate_new(&deflate, &newer.known), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_deflate_new(NULL, NULL), WSPOOL_ERR_INVAL);
}

TEST(defaults_when_there_is_nowhere_to_write_them_are_not_written)
{
    size_t small = 7;
    wspool_deflate_options_init_sized(NULL, sizeof(wspool_deflate_options));
    wspool_deflate_options_init_sized((wspool_deflate_options *)(void *)&small, sizeof small - 1);
    assert_int_equal(small, 7);
}
