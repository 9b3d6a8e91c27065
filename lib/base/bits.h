/* SPDX-License-Identifier: MIT */
/*
 * base/bits.h - position of the lowest and the highest set bit of a word.  Layer 0.
 *
 * The only file that names the compiler's builtins for this.
 */
#ifndef WSP_BASE_BITS_H
#define WSP_BASE_BITS_H

#include <stdint.h>

/* Position (0 to 63) of the lowest or highest set bit. The word must not be 0. */
static inline uint32_t wsp_lowest_bit(uint64_t word)
{
    return (uint32_t)__builtin_ctzll(word);
}

static inline uint32_t wsp_highest_bit(uint64_t word)
{
    return 63u - (uint32_t)__builtin_clzll(word);
}

#endif
