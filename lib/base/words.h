/* SPDX-License-Identifier: MIT */
/*
 * base/words.h - eight or sixteen bytes at a time, wherever they lie.  Floor 0.
 *
 * In the machine's own order of bytes. memcpy is free of alignment and aliasing trouble, and
 * compilers make one instruction of it. The one place that names their vectors: of two words,
 * which every machine of today has; where there are none they make words of it.
 */
#ifndef WSP_BASE_WORDS_H
#define WSP_BASE_WORDS_H

#include <stdint.h>
#include <string.h>

#define WSP_HIGH_BITS UINT64_C(0x8080808080808080) /* of each byte; set in none of ASCII */

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

/* Pairs are handed over by their address: of a function that takes or answers one by value, gcc
 * says that its ABI changes where there is no SSE (i386), inline or not. */
static inline void wsp_pair_load(wsp_pair *pair, const uint8_t *bytes)
{
    memcpy(pair, bytes, sizeof *pair);
}

static inline void wsp_pair_store(uint8_t *bytes, const wsp_pair *pair)
{
    memcpy(bytes, pair, sizeof *pair);
}

#endif
