/* SPDX-License-Identifier: MIT */
/*
 * base/bits.h - the lowest and the highest bit of a word.  Floor 0.
 *
 * The one place that names the compiler's builtins for them.
 */
#ifndef WSP_BASE_BITS_H
#define WSP_BASE_BITS_H

#include <stdint.h>

/* The position of a bit, 0 to 63, in a word that is not zero. */
static inline uint32_t wsp_lowest_bit(uint64_t word)
{
    return (uint32_t)__builtin_ctzll(word);
}

static inline uint32_t wsp_highest_bit(uint64_t word)
{
    return 63u - (uint32_t)__builtin_clzll(word);
}

#endif
