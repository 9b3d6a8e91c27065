/* SPDX-License-Identifier: MIT */
/*
 * base/words.h - loads and stores of eight or sixteen bytes at any address.  Layer 0.
 *
 * Bytes are in the machine's own order. memcpy avoids alignment and aliasing problems, and
 * compilers make one instruction of it. This is the only file that names the compiler's vector
 * type: two words, which every current machine has; elsewhere the compiler uses plain words.
 */
#ifndef WSP_BASE_WORDS_H
#define WSP_BASE_WORDS_H

#include <stdint.h>
#include <string.h>

#define WSP_HIGH_BITS UINT64_C(0x8080808080808080) /* the high bit of each byte; clear in ASCII */

typedef uint64_t wsp_pair __attribute__((vector_size(16)));

static inline uint64_t wsp_word_load(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline void wsp_word_store(uint8_t *bytes, uint64_t word)
{
    memcpy(bytes, &word, sizeof word);
}

/* Pairs are passed by address: gcc warns that the ABI of a function that takes or returns one by
 * value changes where there is no SSE (i386), inline or not. */
static inline void wsp_pair_load(wsp_pair *pair, const uint8_t *bytes)
{
    memcpy(pair, bytes, sizeof *pair);
}

static inline void wsp_pair_store(uint8_t *bytes, const wsp_pair *pair)
{
    memcpy(bytes, pair, sizeof *pair);
}

#endif
