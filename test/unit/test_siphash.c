/* SPDX-License-Identifier: MIT */
/*
 * unit/test_siphash.c - base/siphash.h: compared with other implementations.
 *
 * First table: key 00 01 .. 0f, messages 00 01 .. of 0 to 63 bytes, made with
 *         -macopt d-rounds:3 -macopt size:8 -in MESSAGE SIPHASH
 * (which prints the bytes, the lowest first). CPython's hash() of the same bytes objects, where
 * (which prints the lowest byte first). Second table: the hash() of CPython for bytes objects with
 * seed 0, which is a key of zeros, where sys.hash_info.algorithm is siphash13. For the keys of
 * PYTHONHASHSEED, CPython and OpenSSL give the same values.
 */
#include "support.h"
#include "base/siphash.h"

static const uint64_t vectors[64] = {
    UINT64_C(0xabac0158050fc4dc), UINT64_C(0xc9f49bf37d57ca93), UINT64_C(0x82cb9b024dc7d44d),
    UINT64_C(0x8bf80ab8e7ddf7fb), UINT64_C(0xcf75576088d38328), UINT64_C(0xdef9d52f49533b67),
    UINT64_C(0xc50d2b50c59f22a7), UINT64_C(0xd3927d989bb11140), UINT64_C(0x369095118d299a8e),
    UINT64_C(0x25a48eb36c063de4), UINT64_C(0x79de85ee92ff097f), UINT64_C(0x70c118c1f94dc352),
    UINT64_C(0x78a384b157b4d9a2), UINT64_C(0x306f760c1229ffa7), UINT64_C(0x605aa111c0f95d34),
    UINT64_C(0xd320d86d2a519956), UINT64_C(0xcc4fdd1a7d908b66), UINT64_C(0x9cf2689063dbd80c),
    UINT64_C(0x8ffc389cb473e63e), UINT64_C(0xf21f9de58d297d1c), UINT64_C(0xc0dc2f46a6cce040),
    UINT64_C(0xb992abfe2b45f844), UINT64_C(0x7ffe7b9ba320872e), UINT64_C(0x525a0e7fdae6c123),
    UINT64_C(0xf464aeb267349c8c), UINT64_C(0x45cd5928705b0979), UINT64_C(0x3a3e35e3ca9913a5),
    UINT64_C(0xa91dc74e4ade3b35), UINT64_C(0xfb0bed02ef6cd00d), UINT64_C(0x88d93cb44ab1e1f4),
    UINT64_C(0x540f11d643c5e663), UINT64_C(0x2370dd1f8c21d1bc), UINT64_C(0x81157b6c16a7b60d),
    UINT64_C(0x4d54b9e57a8ff9bf), UINT64_C(0x759f12781f2a753e), UINT64_C(0xcea1a3bebf186b91),
    UINT64_C(0x2cf508d3ada26206), UINT64_C(0xb6101c2da3c33057), UINT64_C(0xb3f47496ae3a36a1),
    UINT64_C(0x626b57547b108392), UINT64_C(0xc1d2363299e41531), UINT64_C(0x667cc1923f1ad944),
    UINT64_C(0x65704ffec8138825), UINT64_C(0x24f280d1c28949a6), UINT64_C(0xc2ca1cedfaf8876b),
    UINT64_C(0xc2164bfc9f042196), UINT64_C(0xa16e9c9368b1d623), UINT64_C(0x49fb169c8b5114fd),
    UINT64_C(0x9f3143f8df074c46), UINT64_C(0xc6fdaf2412cc86b3), UINT64_C(0x7eaf49d10a52098f),
    UINT64_C(0x1cf313559d292f9a), UINT64_C(0xc44a30dda2f41f12), UINT64_C(0x36fae98943a71ed0),
    UINT64_C(0x318fb34c73f0bce6), UINT64_C(0xa27abf3670a7e980), UINT64_C(0xb4bcc0db243c6d75),
    UINT64_C(0x23f8d852fdb71513), UINT64_C(0x8f035f4da67d8a08), UINT64_C(0xd89cd0e5b7e8f148),
    UINT64_C(0xf6f4e6bcf7a644ee), UINT64_C(0xaec59ad80f1837f2), UINT64_C(0xc3b2f6154b6694e0),
    UINT64_C(0x9d199062b7bbb3a8),
};

TEST(hash_is_that_of_openssl_when_length_is_0_to_63)
{
    const struct wsp_siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t message[64];
    for (size_t len = 0; len < 64; len++) {
        message[len] = (uint8_t)len;
        assert_true(wsp_siphash13(&key, message, len) == vectors[len]);
    }
}

static const struct {
    const char *text;
    int64_t hash;
} cpython[] = {
    {"a", INT64_C(4644417185603328019)},
    {"item:42", INT64_C(-7608736399810361238)},
    {"websocket", INT64_C(4577229612673450779)},
    {"the quick brown fox jumps over the lazy dog", INT64_C(-9176553165463234003)},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", INT64_C(7143816333827582507)},
};

TEST(hash_is_that_of_cpython_when_the_key_is_zero)
{
    const struct wsp_siphash_key zero = {0, 0};
    for (size_t i = 0; i < sizeof(cpython) / sizeof(cpython[0]); i++) {
        int64_t hash = (int64_t)wsp_siphash13(&zero, cpython[i].text, strlen(cpython[i].text));
        assert_true(hash == cpython[i].hash);
    }
}

TEST(hash_reads_no_pointer_when_length_is_zero)
{
    const struct wsp_siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    assert_true(wsp_siphash13(&key, NULL, 0) == vectors[0]);
}

TEST(hash_is_the_same_when_bytes_are_not_aligned)
{
    const struct wsp_siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t room[80];
    for (size_t shift = 0; shift < 16; shift++) {
        for (size_t i = 0; i < 63; i++) {
            room[shift + i] = (uint8_t)i;
        }
        assert_true(wsp_siphash13(&key, room + shift, 63) == vectors[63]);
    }
}

TEST(hash_differs_when_any_bit_of_key_or_message_does)
{
    struct wsp_siphash_key key = {3, 4};
    uint8_t message[21] = {0};
    uint64_t hash = wsp_siphash13(&key, message, sizeof(message));
    for (unsigned bit = 0; bit < 64; bit++) {
        key.k0 ^= UINT64_C(1) << bit;
        assert_true(wsp_siphash13(&key, message, sizeof(message)) != hash);
        key.k0 ^= UINT64_C(1) << bit;
        key.k1 ^= UINT64_C(1) << bit;
        assert_true(wsp_siphash13(&key, message, sizeof(message)) != hash);
        key.k1 ^= UINT64_C(1) << bit;
    }
    for (size_t bit = 0; bit < sizeof(message) * 8; bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(wsp_siphash13(&key, message, sizeof(message)) != hash);
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < sizeof(message); len++) {
        assert_true(wsp_siphash13(&key, message, len) != hash);
    }
}
