/* SPDX-License-Identifier: MIT */
/*
 * base/siphash.c - see base/siphash.h.
 *
 * SipHash (Aumasson and Bernstein, 2012) with one round per word and three at the end: the variant
 * for hash tables. Neither libc nor nettle has it. Words are read byte by byte in little-endian
 * order, which compilers turn into one load.
 */
#include "base/siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(struct state *s)
{
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline uint64_t load_word(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static inline void mix(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

uint64_t wsp_siphash13(const struct wsp_siphash_key *key, const void *data, size_t len)
{
    /* The constants spell "somepseudorandomlygeneratedbytes". */
    struct state s = {
        key->k0 ^ UINT64_C(0x736f6d6570736575),
        key->k1 ^ UINT64_C(0x646f72616e646f6d),
        key->k0 ^ UINT64_C(0x6c7967656e657261),
        key->k1 ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *bytes = data;
    size_t at = 0;
    for (; len - at >= 8; at += 8) {
        mix(&s, load_word(bytes + at));
    }
    uint64_t last = (uint64_t)len << 56;
    for (unsigned shift = 0; at < len; at++, shift += 8) {
        last |= (uint64_t)bytes[at] << shift;
    }
    mix(&s, last);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
