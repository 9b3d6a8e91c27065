/* SPDX-License-Identifier: MIT */
/*
 * deflate/test_decode.c - decompression: messages in pieces of any size, every kind of end, and
 * corrupt messages.
 */
#include "side.h"

static unsigned plain;  /* decoders: no takeover, window of client_window bits */
static unsigned full;   /* no takeover, window of 15 bits */
static unsigned taking; /* takeover, window of client_window bits */
static unsigned full_taking;

static void begin(side *s)
{
    side_init(s);
    side_start(s);
    plain = side_decoder(s, 0, "permessage-deflate; client_max_window_bits");
    full = side_decoder(s, 0, "permessage-deflate");
    taking = side_decoder(s, WSPOOL_DEFLATE_TAKEOVER, "permessage-deflate; client_max_window_bits");
    full_taking = side_decoder(s, WSPOOL_DEFLATE_TAKEOVER, "permessage-deflate");
}

static void rest(side *s, unsigned decoder, void **state)
{
    s->hook.reset(decoder, state, 0, s->hook.user);
}

static void over(side *s, unsigned decoder, void **state)
{
    s->hook.reset(decoder, state, 1, s->hook.user);
    assert_null(*state);
}

/* Decodes one message of a peer that goes on. */
static void next_is(side *s, unsigned decoder, void **state, bytes payload, cut how, bytes message)
{
    bytes out;
    assert_int_equal(side_read(s, decoder, state, payload, how, &out), WSPOOL_DECODED_ALL);
    assert_int_equal(out.len, message.len);
    assert_memory_equal(out.at, message.at, message.len);
    bytes_free(&out);
    rest(s, decoder, state);
}

/* Decodes one message of a new peer. */
static void expect(side *s, unsigned decoder, bytes payload, cut how, const void *message,
                   size_t len)
{
    void *state = NULL;
    next_is(s, decoder, &state, payload, how, (bytes){(uint8_t *)(uintptr_t)message, len});
    over(s, decoder, &state);
}

/* Expects BAD, however the payload is split. */
static void expect_bad(side *s, unsigned decoder, const void *at, size_t len)
{
    static const cut cuts[] = {
        {0}, {.piece = 1}, {.room = 1}, {.piece = 1, .room = 1}, {.tail_alone = 1}};
    bytes payload = bytes_of(at, len);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        void *state = NULL;
        bytes out;
        assert_int_equal(side_read(s, decoder, &state, payload, cuts[i], &out), WSPOOL_DECODED_BAD);
        bytes_free(&out);
        over(s, decoder, &state);
    }
    assert_int_equal(side_stats(s).inflating, 0);
    bytes_free(&payload);
}

#define EXPECT(payload, message) \
    expect_each(&s, (payload), sizeof(payload) - 1, (message), sizeof(message) - 1)
#define EXPECT_BAD(payload) expect_bad(&s, plain, (payload), sizeof(payload) - 1)

/* Splits the input at every two places, with output buffers of 1, 2, 3 and 64 bytes. */
static void expect_each(side *s, const char *at, size_t len, const char *message, size_t out_len)
{
    static const size_t rooms[] = {1, 2, 3, 64};
    bytes payload = bytes_of(at, len);
    for (size_t r = 0; r < 4; r++) {
        for (size_t piece = 0; piece <= len; piece++) {
            expect(s, plain, payload, (cut){.piece = piece, .room = rooms[r]}, message, out_len);
            expect(s, full, payload,
                   (cut){.piece = piece, .room = rooms[r], .most = out_len + 1, .tail_alone = 1},
                   message, out_len);
        }
    }
    bytes_free(&payload);
}

/* ---------------------------------------------------------------- RFC 7692 */

TEST(examples_of_the_rfc_are_read)
{
    side s;
    begin(&s);
    EXPECT("\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");                         /* 7.2.3.1 */
    EXPECT("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello");         /* 7.2.3.3 */
    EXPECT("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello");                     /* 7.2.3.4 */
    EXPECT("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello"); /* 7.2.3.5 */
    EXPECT("\x00", "");                                                      /* 7.2.3.6 */
    side_stop(&s);
}

TEST(example_of_the_rfc_with_a_shared_window_is_read_with_takeover_only)
{
    bytes first = bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7); /* 7.2.3.2 */
    bytes second = bytes_of("\xf2\x00\x11\x00\x00", 5);
    bytes hello = bytes_of("Hello", 5), out;
    side s;
    begin(&s);
    for (size_t room = 0; room < 7; room++) {
        void *peer = NULL;
        for (int i = 0; i < 2; i++)
            next_is(&s, taking, &peer, i ? second : first, (cut){.piece = room, .room = room},
                    hello);
        assert_non_null(peer);
        over(&s, taking, &peer);
        next_is(&s, plain, &peer, first, (cut){0}, hello);
        assert_null(peer);
        assert_int_equal(side_read(&s, plain, &peer, second, (cut){0}, &out), WSPOOL_DECODED_BAD);
        bytes_free(&out);
        over(&s, plain, &peer);
    }
    side_stop(&s);
    bytes_free(&first);
    bytes_free(&second);
    bytes_free(&hello);
}

/* ------------------------------------------------------------------ BFINAL */

TEST(final_block_may_be_the_end_or_not)
{
    side s;
    begin(&s);
    EXPECT("\xf3\x48\xcd\xc9\xc9\x07\x00", "Hello");     /* nothing behind it */
    EXPECT("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello"); /* the beginning of the tail */
    EXPECT("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00", "HelloHello");
    EXPECT("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00", "HelloHello");
    EXPECT("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\xf3\x48\xcd\xc9\xc9\x07\x00",
           "HelloHello");
    EXPECT("\x03\x00", ""); /* an empty one */
    EXPECT("\x03\x00\x00", "");
    EXPECT("\x03\x00\x03\x00\x03\x00\x03\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x03\x00", "Hello");
    EXPECT("\x01\x00\x00\xff\xff", "");
    EXPECT("\x01\x05\x00\xfa\xffHello", "Hello");
    /* the empty block whose tail is not sent may itself have BFINAL */
    EXPECT("\x01", "");
    EXPECT("\xf2\x48\xcd\xc9\xc9\x07\x04", "Hello");
    side_stop(&s);
}

TEST(stream_behind_a_final_block_sees_nothing_of_the_one_before)
{
    side s;
    begin(&s);
    /* the second of 7.2.3.2, behind "Hello" in a final block */
    EXPECT_BAD("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00");
    side_stop(&s);
}

TEST(final_block_of_zlib_is_read_whatever_follows)
{
    side s;
    begin(&s);
    for (uint64_t seed = 1; seed < 30; seed++) {
        bytes a = some_text(sim_mix(&(uint64_t){seed}) % 9000, seed);
        bytes b = some_text(sim_mix(&(uint64_t){seed + 99}) % 900, seed + 50);
        z_stream z;
        zlib_deflater(&z, 12, 6);
        bytes payload = zlib_deflate(&z, a.at, a.len, Z_FINISH);
        deflateReset(&z);
        payload = bytes_join(payload, zlib_deflate(&z, b.at, b.len, Z_FINISH));
        if (seed % 2)
            payload = bytes_join(payload, bytes_of("", 1));
        deflateEnd(&z);
        bytes both = bytes_join(a, b);
        for (uint64_t i = 0; i < 6; i++)
            expect(&s, i % 2 ? taking : plain, payload,
                   (cut){.piece = 1 << i, .room = 200 >> i, .seed = i, .tail_alone = i > 3},
                   both.at, both.len);
        bytes_free(&payload);
        bytes_free(&both);
    }
    side_stop(&s);
}

/* --------------------------------------------------------- whole messages */

TEST(message_of_each_window_is_read_however_it_is_cut)
{
    static const size_t sizes[] = {1, 3, 64, 1000, 0};
    side s;
    begin(&s);
    for (int window = 9; window <= 15; window++) {
        bytes message = some_text(window < 12 ? (size_t)2 << window : 6000, (uint64_t)window);
        for (int level = 0; level <= 9; level += 6) {
            bytes payload = payload_of(message.at, message.len, window, level);
            for (size_t i = 0; i < 25; i++) {
                cut how = {.piece = sizes[i % 5], .room = sizes[i / 5]};
                how.tail_alone = i % 3 == 0;
                how.most = i % 2 == 0 ? message.len : 0;
                if (i % 7 == 0)
                    how.seed = i + 1;
                expect(&s, window <= 12 && i % 2 ? plain : full, payload, how, message.at,
                       message.len);
            }
            bytes_free(&payload);
        }
        bytes_free(&message);
    }
    side_stop(&s);
}

TEST(message_without_payload_is_empty)
{
    bytes none = bytes_of("", 0), hello = bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    bytes again = bytes_of("\xf2\x00\x11\x00\x00", 5), text = bytes_of("Hello", 5);
    void *peer = NULL;
    side s;
    begin(&s);
    expect(&s, plain, none, (cut){0}, "", 0);
    expect(&s, plain, none, (cut){.tail_alone = 1}, "", 0);
    next_is(&s, taking, &peer, hello, (cut){0}, text);
    next_is(&s, taking, &peer, none, (cut){0}, none);
    next_is(&s, taking, &peer, again, (cut){0}, text);
    over(&s, taking, &peer);
    assert_int_equal(side_stats(&s).inflated, 5);
    side_stop(&s);
    bytes_free(&none);
    bytes_free(&hello);
    bytes_free(&again);
    bytes_free(&text);
}

TEST(empty_blocks_without_number_are_read)
{
    bytes payload = {malloc(20000 * 5), 0};
    side s;
    begin(&s);
    for (int i = 0; i < 20000; i++, payload.len += 5)
        memcpy(payload.at + payload.len, "\0\0\0\xff\xff", 5);
    payload.len -= 4;
    expect(&s, plain, payload, (cut){0}, "", 0);
    expect(&s, plain, payload, (cut){.piece = 1, .room = 1}, "", 0);
    expect(&s, plain, payload, (cut){.piece = 1, .room = 1, .most = 1}, "", 0);
    side_stop(&s);
    bytes_free(&payload);
}

/* ------------------------------------------------------------------- bombs */

TEST(message_may_fill_its_room_and_no_byte_more)
{
    side s;
    begin(&s);
    for (size_t len = 1; len < 3000; len = len * 2 + 1) {
        for (int noise = 0; noise < 3; noise++) {
            bytes message = noise == 0 ? some_text(len, len) : some_noise(len, len);
            if (noise == 2)
                memset(message.at, 'a', len);
            bytes payload = payload_of(message.at, message.len, 12, 9), out;
            for (size_t piece = 0; piece < 3; piece++) {
                void *peer = NULL;
                expect(&s, plain, payload, (cut){.piece = piece, .most = len}, message.at, len);
                if (len == 1)
                    continue;
                assert_int_equal(side_read(&s, plain, &peer, payload,
                                           (cut){.piece = piece, .most = len - 1}, &out),
                                 WSPOOL_DECODED_FULL);
                assert_int_equal(out.len, len - 1);
                assert_memory_equal(out.at, message.at, len - 1);
                bytes_free(&out);
                over(&s, plain, &peer);
            }
            bytes_free(&message);
            bytes_free(&payload);
        }
    }
    side_stop(&s);
}

TEST(bomb_is_stopped_at_its_room_and_costs_no_more_memory)
{
    bytes message = {calloc(1, 20 << 20), 20 << 20};
    bytes payload = payload_of(message.at, message.len, 15, 9), out;
    void *peer = NULL;
    side s;
    begin(&s);
    assert_true(payload.len < message.len / 900);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(side_read(&s, full, &peer, payload, (cut){.most = 65536}, &out),
                         WSPOOL_DECODED_FULL);
        assert_int_equal(out.len, 65536);
        assert_true(atomic_load(&s.heap.peak_bytes) < 60000);
        assert_true(side_stats(&s).inflated_in < payload.len);
        bytes_free(&out);
        over(&s, full, &peer);
    }
    assert_int_equal(side_stats(&s).inflated, 0);
    assert_int_equal(side_stats(&s).inflated_out, 10 * 65536);
    side_stop(&s);
    bytes_free(&message);
    bytes_free(&payload);
}

/* ------------------------------------------------------------------ broken */

TEST(message_that_is_cut_short_is_bad)
{
    bytes message = some_text(300, 5);
    side s;
    begin(&s);
    for (size_t level = 0; level <= 9; level += 3) {
        bytes payload = payload_of(message.at, message.len, 12, (int)level);
        /* the first byte of a stored block alone is an empty message */
        for (size_t len = level == 0 ? 2 : 1; len < payload.len; len++)
            expect_bad(&s, plain, payload.at, len);
        bytes_free(&payload);
    }
    EXPECT_BAD("\xf2");
    EXPECT_BAD("\xf2\x48\xcd\xc9\xc9\x07"); /* the example, without its last byte */
    EXPECT_BAD("\xf3\x48\xcd\xc9\xc9\x07");
    EXPECT_BAD("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f");
    side_stop(&s);
    bytes_free(&message);
}

TEST(message_that_is_no_deflate_is_bad)
{
    side s;
    begin(&s);
    EXPECT_BAD("\x06\x00"); /* a block of the fourth type */
    EXPECT_BAD("\xff\xff\xff\xff");
    EXPECT_BAD("\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00"); /* lengths that differ */
    EXPECT_BAD("\xf2\x00\x11\x00\x00");                         /* before the beginning */
    EXPECT_BAD("Hello, this is plain text, marked as compressed");
    EXPECT_BAD("\xf3\x48\xcd\xc9\xc9\x07\x00\xff");             /* behind a final block */
    EXPECT_BAD("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"); /* whose tail was sent too */
    side_stop(&s);
}

/* With any byte changed: no crash, no write beyond the output, and a message that is accepted is
 * the one that zlib decodes. */
TEST(message_with_any_byte_changed_is_bad_or_another)
{
    bytes message = some_text(300, 6);
    bytes payload = payload_of(message.at, message.len, 12, 6);
    size_t bad = 0;
    uint64_t seed = 1;
    side s;
    begin(&s);
    for (size_t i = 0; i < payload.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            void *peer = NULL;
            bytes out;
            cut how = {.piece = sim_mix(&seed) % 9, .room = sim_mix(&seed) % 50, .seed = seed};
            payload.at[i] ^= (uint8_t)(1 << bit);
            enum wspool_decoded answer = side_read(&s, plain, &peer, payload, how, &out);
            assert_true(answer == WSPOOL_DECODED_ALL || answer == WSPOOL_DECODED_BAD);
            bad += answer == WSPOOL_DECODED_BAD;
            if (answer == WSPOOL_DECODED_ALL) {
                z_stream z;
                zlib_inflater(&z, 12);
                bytes read = zlib_inflate(&z, payload, 64);
                inflateEnd(&z);
                if (read.at != NULL) { /* this zlib_inflate stops after a final block */
                    assert_int_equal(out.len, read.len);
                    assert_memory_equal(out.at, read.at, read.len);
                }
                bytes_free(&read);
            }
            payload.at[i] ^= (uint8_t)(1 << bit);
            bytes_free(&out);
            over(&s, plain, &peer);
        }
    }
    assert_true(bad > payload.len);
    expect(&s, plain, payload, (cut){0}, message.at,
           message.len); /* streams on the free list still work */
    side_stop(&s);
    bytes_free(&message);
    bytes_free(&payload);
}

TEST(distance_beyond_the_window_that_we_chose_is_bad)
{
    bytes noise = some_noise(10000, 1);
    bytes message = bytes_join(bytes_of(noise.at, noise.len), bytes_of(noise.at, noise.len));
    bytes payload = payload_of(message.at, message.len, 15, 9), out;
    void *peer = NULL;
    side s;
    begin(&s);
    expect(&s, full, payload, (cut){.room = 500}, message.at, message.len);
    /* zlib accepts a distance that lies in the output buffer, so this is small */
    assert_int_equal(side_read(&s, plain, &peer, payload, (cut){.room = 500}, &out),
                     WSPOOL_DECODED_BAD);
    bytes_free(&out);
    over(&s, plain, &peer);
    side_stop(&s);
    bytes_free(&message);
    bytes_free(&noise);
    bytes_free(&payload);
}

/* ---------------------------------------------------------------- takeover */

TEST(context_is_kept_from_message_to_message)
{
    side s;
    begin(&s);
    for (int window = 9; window <= 15; window++) {
        unsigned decoder = window <= 12 ? taking : full_taking;
        z_stream z;
        zlib_deflater(&z, window, 9);
        bytes noise = some_noise(200, (uint64_t)window);
        void *peer = NULL;
        size_t first = 0;
        for (uint64_t i = 0; i < 40; i++) {
            bytes message = bytes_join(bytes_of(noise.at, noise.len), some_noise(i % 3, i));
            bytes payload = zlib_deflate(&z, message.at, message.len, Z_SYNC_FLUSH);
            payload.len -= 4;
            if (i == 0)
                first = payload.len;
            else
                assert_true(payload.len < first / 4); /* it does refer to the message before */
            next_is(&s, decoder, &peer, payload,
                    (cut){.piece = i * 3 % 17,
                          .room = i * 7 % 130,
                          .seed = i % 4,
                          .tail_alone = i % 5 == 0},
                    message);
            assert_non_null(peer);
            bytes_free(&payload);
            bytes_free(&message);
        }
        over(&s, decoder, &peer);
        deflateEnd(&z);
        bytes_free(&noise);
    }
    assert_int_equal(side_stats(&s).inflated, 7 * 40);
    side_stop(&s);
}

TEST(context_begins_anew_behind_a_final_block)
{
    bytes last = bytes_of("\xf3\x48\xcd\xc9\xc9\x07\x00", 7);
    bytes first = bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    bytes again = bytes_of("\xf2\x00\x11\x00\x00", 5), text = bytes_of("Hello", 5), out;
    bytes empty = bytes_of("", 1), none = bytes_of("", 0);
    side s;
    begin(&s);
    for (size_t room = 0; room < 6; room++) {
        cut how = {.piece = room, .room = room, .tail_alone = room % 2};
        void *peer = NULL;
        next_is(&s, taking, &peer, last, how, text);
        next_is(&s, taking, &peer, first, how, text);
        next_is(&s, taking, &peer, again, how, text);
        next_is(&s, taking, &peer, last, how, text);
        next_is(&s, taking, &peer, empty, how, none);
        next_is(&s, taking, &peer, none, how, none);
        next_is(&s, taking, &peer, last, how, text);
        next_is(&s, taking, &peer, last, how, text);
        assert_int_equal(side_read(&s, taking, &peer, again, how, &out), WSPOOL_DECODED_BAD);
        bytes_free(&out);
        over(&s, taking, &peer);
    }
    side_stop(&s);
    bytes_free(&last);
    bytes_free(&first);
    bytes_free(&again);
    bytes_free(&text);
    bytes_free(&empty);
    bytes_free(&none);
}

TEST(room_of_nothing_is_full_and_loses_nothing)
{
    bytes hello = bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    uint8_t room[5];
    void *peer = NULL;
    side s;
    begin(&s);
    wspool_decoding piece = {hello.at, hello.len, room, 0, 1};
    for (int i = 0; i < 3; i++)
        assert_int_equal(s.hook.decode(plain, &peer, &piece, s.hook.user), WSPOOL_DECODED_FULL);
    piece.out_len = sizeof room;
    assert_int_equal(s.hook.decode(plain, &peer, &piece, s.hook.user), WSPOOL_DECODED_ALL);
    assert_memory_equal(room, "Hello", 5);
    assert_int_equal(piece.out_len, 0);
    over(&s, plain, &peer);
    side_stop(&s);
    bytes_free(&hello);
}

TEST(peers_with_takeover_do_not_see_each_others_context)
{
    bytes hello = bytes_of("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
    bytes again = bytes_of("\xf2\x00\x11\x00\x00", 5), text = bytes_of("Hello", 5), out;
    void *a = NULL, *b = NULL;
    side s;
    begin(&s);
    next_is(&s, taking, &a, hello, (cut){0}, text);
    assert_int_equal(side_read(&s, taking, &b, again, (cut){0}, &out), WSPOOL_DECODED_BAD);
    bytes_free(&out);
    over(&s, taking, &b);
    over(&s, taking, &a);
    /* nor the messages of the last user of a stream from the free list */
    assert_int_equal(side_read(&s, taking, &a, again, (cut){0}, &out), WSPOOL_DECODED_BAD);
    bytes_free(&out);
    over(&s, taking, &a);
    side_stop(&s);
    bytes_free(&hello);
    bytes_free(&again);
    bytes_free(&text);
}

TEST(numbers_of_what_was_read_add_up)
{
    bytes message = some_text(1000, 1), payload = payload_of(message.at, message.len, 12, 6);
    void *peer = NULL;
    side s;
    begin(&s);
    for (size_t i = 0; i < 9; i++)
        next_is(&s, i < 5 ? plain : taking, &peer, payload, (cut){.piece = i, .room = i}, message);
    wspool_deflate_stats stats = side_stats(&s);
    assert_int_equal(stats.inflated, 9);
    assert_int_equal(stats.inflated_in, 9 * payload.len);
    assert_int_equal(stats.inflated_out, 9 * message.len);
    assert_int_equal(stats.inflating, 1);
    over(&s, taking, &peer);
    assert_int_equal(side_stats(&s).inflating, 0);
    side_stop(&s);
    bytes_free(&message);
    bytes_free(&payload);
}
