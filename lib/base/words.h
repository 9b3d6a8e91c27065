/* SPDX-License-Identifier: MIT */
/*
 * base/words.h - eight bytes at a time, wherever they lie.  Floor 0.
 *
 * In the machine's own order of bytes. memcpy is free of alignment and aliasing trouble;
 * compilers make one instruction of it, and vector instructions of several in a row.
 */
#ifndef WSP_BASE_WORDS_H
#define WSP_BASE_WORDS_H

#include <stdint.h>
#include <string.h>

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

#endif
