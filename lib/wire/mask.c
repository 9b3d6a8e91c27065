/* SPDX-License-Identifier: MIT */
/*
 * wire/mask.c - see wire/mask.h.
 *
 * Four machine words a step: compilers turn that into vector instructions on every machine that
 * has them, and memcpy keeps it free of alignment and aliasing trouble.
 */
#include "wire/mask.h"

#include <string.h>

void wsp_mask_copy(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4])
{
    uint64_t word;
    memcpy(&word, key, 4);
    memcpy((uint8_t *)&word + 4, key, 4);
    size_t i = 0;
    for (; i + 32 <= len; i += 32) {
        uint64_t w[4];
        memcpy(w, src + i, 32);
        w[0] ^= word;
        w[1] ^= word;
        w[2] ^= word;
        w[3] ^= word;
        memcpy(dst + i, w, 32);
    }
    for (; i + 8 <= len; i += 8) {
        uint64_t w;
        memcpy(&w, src + i, 8);
        w ^= word;
        memcpy(dst + i, &w, 8);
    }
    for (; i < len; i++) {
        dst[i] = src[i] ^ key[i & 3];
    }
}

void wsp_mask_turn(uint8_t key[4], size_t by)
{
    uint8_t turned[4];
    for (size_t i = 0; i < 4; i++) {
        turned[i] = key[(i + by) & 3];
    }
    memcpy(key, turned, 4);
}
