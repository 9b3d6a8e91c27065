/* SPDX-License-Identifier: MIT */
/* deflate/test_encode.c - compression: the result is read by zlib alone. */
#include "side.h"

/* Encodes a message. zlib must decode it with a window of exactly this size. */
static size_t expect_shorter(side *s, unsigned encoding, bytes message)
{
    size_t len = 0;
    const void *at = s->hook.encode(encoding, message.at, message.len, &len, s->hook.user);
    assert_non_null(at);
    assert_in_range(len, 1, message.len - 1);
    bytes payload = bytes_of(at, len);
    z_stream z;
    zlib_inflater(&z, 8 + (int)encoding);
    bytes read = zlib_inflate(&z, payload, 61);
    assert_non_null(read.at);
    assert_int_equal(read.len, message.len);
    assert_memory_equal(read.at, message.at, message.len);
    inflateEnd(&z);
    bytes_free(&read);
    bytes_free(&payload);
    return len;
}

static void expect_as_it_is(side *s, unsigned encoding, const void *message, size_t len)
{
    size_t encoded_len = 0;
    assert_null(s->hook.encode(encoding, message, len, &encoded_len, s->hook.user));
}

TEST(message_of_each_encoding_and_length_is_read_by_zlib)
{
    static const size_t lengths[] = {256,  257,  300,   512,   1000,  4092,  4093,   4096,
                                     5000, 9999, 32768, 65532, 65536, 65537, 100000, 300000};
    side s;
    side_init(&s);
    side_start(&s);
    for (unsigned encoding = 1; encoding <= 7; encoding++) {
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            bytes message = some_text(lengths[i], encoding * 100 + i);
            expect_shorter(&s, encoding, message);
            bytes_free(&message);
        }
    }
    side_stop(&s);
}

TEST(message_of_each_level_is_read_by_zlib)
{
    for (int level = 1; level <= 9; level++) {
        bytes message = some_text(20000, (uint64_t)level);
        side s;
        side_init(&s);
        s.options.level = s.options.mem_level = level;
        side_start(&s);
        for (unsigned encoding = 1; encoding <= 7; encoding++)
            expect_shorter(&s, encoding, message);
        side_stop(&s);
        bytes_free(&message);
    }
}

/* The same random bytes twice, at a distance that only some windows cover. */
TEST(window_of_a_encoding_is_used_and_no_more)
{
    side s;
    side_init(&s);
    side_start(&s);
    for (int window = 9; window <= 15; window++) {
        size_t apart = ((size_t)1 << window) - 300; /* zlib looks back 262 bytes less */
        bytes noise = some_noise(apart, (uint64_t)window);
        bytes message = bytes_join(bytes_of(noise.at, noise.len), bytes_of(noise.at, noise.len));
        size_t len = expect_shorter(&s, (unsigned)window - 8, message);
        assert_true(len < apart + apart / 2);
        if (window > 9)
            expect_as_it_is(&s, (unsigned)window - 9, message.at, message.len);
        bytes_free(&noise);
        bytes_free(&message);
    }
    side_stop(&s);
}

TEST(message_leans_on_none_before_it)
{
    bytes message = some_text(2000, 1), other = some_text(3000, 2);
    size_t len, again;
    side s;
    side_init(&s);
    side_start(&s);
    len = expect_shorter(&s, 7, message);
    again = expect_shorter(&s, 7, message);
    assert_int_equal(again, len);
    expect_shorter(&s, 7, other);
    expect_shorter(&s, 2, message);
    assert_int_equal(expect_shorter(&s, 7, message), len);
    side_stop(&s);
    bytes_free(&message);
    bytes_free(&other);
}

TEST(encoding_is_what_zlib_gives_byte_for_byte)
{
    bytes message = some_text(5000, 3);
    bytes payload = payload_of(message.at, message.len, 15, 6);
    size_t len = 0;
    side s;
    side_init(&s);
    side_start(&s);
    const void *at = s.hook.encode(7, message.at, message.len, &len, s.hook.user);
    assert_int_equal(len, payload.len);
    assert_memory_equal(at, payload.at, payload.len);
    side_stop(&s);
    bytes_free(&message);
    bytes_free(&payload);
}

TEST(message_below_the_threshold_goes_as_it_is)
{
    static const uint32_t thresholds[] = {0, 1, 64, 256, 1000};
    char text[1001];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < 5; i++) {
        side s;
        side_init(&s);
        s.options.threshold = thresholds[i];
        side_start(&s);
        if (thresholds[i] > 1)
            expect_as_it_is(&s, 7, text, thresholds[i] - 1);
        assert_int_equal(side_stats(&s).deflated, 0);
        if (thresholds[i] >= 64) {
            expect_shorter(&s, 7, (bytes){(uint8_t *)text, thresholds[i]});
            assert_int_equal(side_stats(&s).deflated, 1);
        } else {
            expect_as_it_is(&s, 7, text, 1); /* it cannot become shorter */
            expect_shorter(&s, 7, (bytes){(uint8_t *)text, 20});
        }
        side_stop(&s);
    }
}

TEST(message_that_does_not_get_shorter_goes_as_it_is)
{
    size_t passed = 0, edge = 0;
    side s;
    side_init(&s);
    s.options.threshold = 0;
    side_start(&s);
    for (size_t len = 1; len < 70000; len = len * 3 + 1) {
        bytes noise = some_noise(len, len);
        for (unsigned encoding = 1; encoding <= 7; encoding++)
            expect_as_it_is(&s, encoding, noise.at, noise.len);
        passed += 7;
        bytes_free(&noise);
    }
    assert_int_equal(side_stats(&s).passed, passed);
    assert_int_equal(side_stats(&s).deflated, 0);
    /* at the edge: no gain, and a gain of one byte, as zlib alone computes it */
    for (size_t same = 3; same < 60; same++) {
        bytes message = some_noise(40, 7);
        message = bytes_join(message, bytes_of(message.at, same < 40 ? same : 40));
        bytes payload = payload_of(message.at, message.len, 15, 6);
        if (payload.len < message.len)
            assert_int_equal(expect_shorter(&s, 7, message), payload.len);
        else
            expect_as_it_is(&s, 7, message.at, message.len);
        edge |= payload.len == message.len ? 1u : payload.len + 1 == message.len ? 2u : 0;
        bytes_free(&payload);
        bytes_free(&message);
    }
    assert_int_equal(edge, 3); /* both cases occurred */
    side_stop(&s);
}

TEST(encoding_that_was_never_negotiated_goes_as_it_is)
{
    bytes message = some_text(1000, 1);
    side s;
    side_init(&s);
    side_start(&s);
    expect_as_it_is(&s, 0, message.at, message.len);
    expect_as_it_is(&s, 8, message.at, message.len);
    expect_as_it_is(&s, WSPOOL_ENCODINGS, message.at, message.len);
    side_stop(&s);
    bytes_free(&message);
}

TEST(numbers_of_what_was_compressed_add_up)
{
    bytes message = some_text(1000, 1);
    uint64_t out = 0;
    side s;
    side_init(&s);
    side_start(&s);
    for (unsigned encoding = 1; encoding <= 7; encoding++)
        out += expect_shorter(&s, encoding, message);
    expect_as_it_is(&s, 7, message.at, 255);
    wspool_deflate_stats stats = side_stats(&s);
    assert_int_equal(stats.deflated, 7);
    assert_int_equal(stats.deflated_in, 7000);
    assert_int_equal(stats.deflated_out, out);
    assert_int_equal(stats.passed, 1);
    side_stop(&s);
    bytes_free(&message);
}
