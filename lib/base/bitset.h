/* SPDX-License-Identifier: MIT */
/*
 * base/bitset.h - a set of small numbers that is walked in their order.  Floor 0.
 *
 * Two levels: a bit for each number, and a bit for each word of those that is not zero. Adding
 * and removing touch two words; walking skips empty stretches 4096 numbers at a time. The pool
 * keeps in such sets which slots need attention, so that they are visited in memory order.
 *
 * Invariants:
 * - a summary bit is set exactly when its word is not zero;
 * - no member is below `low`, nor at or above `capacity`;
 * - both arrays are there when there is room for anything.
 */
#ifndef WSP_BASE_BITSET_H
#define WSP_BASE_BITSET_H

#include <stddef.h>
#include <stdint.h>
#include "base/bits.h"
#include "base/mem.h"

#define WSP_BITSET_END UINT32_MAX

struct wsp_bitset {
    uint64_t *words;
    uint64_t *summary;
    uint32_t capacity; /* numbers below it have their place */
    uint32_t low;      /* no number below it is in the set: where a walk may begin */
};

/* Makes room for all numbers below `capacity`; 0, or NOMEM and nothing is changed. */
int wsp_bitset_reserve(struct wsp_bitset *set, const wspool_mem *mem, uint32_t capacity);
void wsp_bitset_fini(struct wsp_bitset *set, const wspool_mem *mem);

static inline void wsp_bitset_add(struct wsp_bitset *set, uint32_t number)
{
    uint64_t word = set->words[number >> 6];
    if (word == 0) {
        set->summary[number >> 12] |= UINT64_C(1) << (number >> 6 & 63);
    }
    set->words[number >> 6] = word | UINT64_C(1) << (number & 63);
    if (number < set->low) {
        set->low = number;
    }
}

/* What is left in the word of a number when something was removed. */
static inline void wsp_bitset_leave(struct wsp_bitset *set, uint32_t number, uint64_t left)
{
    set->words[number >> 6] = left;
    if (left == 0) {
        set->summary[number >> 12] &= ~(UINT64_C(1) << (number >> 6 & 63));
    }
}

static inline void wsp_bitset_remove(struct wsp_bitset *set, uint32_t number)
{
    wsp_bitset_leave(set, number, set->words[number >> 6] & ~(UINT64_C(1) << (number & 63)));
}

static inline int wsp_bitset_has(const struct wsp_bitset *set, uint32_t number)
{
    return number < set->capacity && (set->words[number >> 6] >> (number & 63) & 1) != 0;
}

/* The smallest member that is at least `from`, or WSP_BITSET_END. */
uint32_t wsp_bitset_next(const struct wsp_bitset *set, uint32_t from);
/* Takes the smallest member out and answers it, or WSP_BITSET_END. */
uint32_t wsp_bitset_take(struct wsp_bitset *set);
/* The same, but looks no further than the word where the last one was taken, which in a walk is
 * nearly always enough: 1 and *number, or 0 when there is none in it. */
static inline int wsp_bitset_take_near(struct wsp_bitset *set, uint32_t *number)
{
    uint32_t low = set->low;
    if (low >= set->capacity) {
        return 0;
    }
    uint64_t word = set->words[low >> 6]; /* nothing in it is below `low` */
    if (word == 0) {
        return 0;
    }
    wsp_bitset_leave(set, low, word & (word - 1));
    *number = (low & ~UINT32_C(63)) + wsp_lowest_bit(word);
    set->low = *number + 1;
    return 1;
}
/* Is it empty? 1 or 0. */
int wsp_bitset_empty(struct wsp_bitset *set);
/* Do the invariants hold? 1 or 0. Linear in the capacity. */
int wsp_bitset_check(const struct wsp_bitset *set);

#endif
