/* SPDX-License-Identifier: MIT */
/*
 * base/bitset.h - a set of small numbers, walked in ascending order.  Layer 0.
 *
 * The set has two levels: one bit per number, and one summary bit per word of numbers that is not
 * zero. Adding and removing touch two words. A walk skips 4096 absent numbers at a time. The pool
 * keeps slots in such sets, so that peers are visited in memory order.
 *
 * Invariants:
 * - a summary bit is set exactly when its word is not zero;
 * - no member is below `low`, or at or above `capacity`;
 * - both arrays are allocated when `capacity` is above 0.
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
    uint32_t capacity; /* members must be below it */
    uint32_t low;      /* no member is below it: a walk may begin here */
};

/* Makes room for all numbers below `capacity`. Returns 0, or WSPOOL_ERR_NOMEM with nothing
 * changed. */
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

/* Stores `left` as the word of `number`, after a member of that word was removed. */
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

/* Returns 0 if `low` shows that the set is empty, else 1. After a walk to the end it returns 0
 * until something is added. */
static inline int wsp_bitset_may_have(const struct wsp_bitset *set)
{
    return set->low < set->capacity;
}

/* Returns the smallest member that is not below `from`, or WSP_BITSET_END. */
uint32_t wsp_bitset_next(const struct wsp_bitset *set, uint32_t from);
static inline int wsp_bitset_has_any(const struct wsp_bitset *set)
{
    return wsp_bitset_may_have(set) && wsp_bitset_next(set, set->low) != WSP_BITSET_END;
}
/* Removes and returns the smallest member, or returns WSP_BITSET_END. */
uint32_t wsp_bitset_pop(struct wsp_bitset *set);
/* As wsp_bitset_pop, but looks only at the word in which the last member was found. In a walk
 * that is nearly always enough. Returns 1 and sets *number, or returns 0 when that word has no
 * member. */
static inline int wsp_bitset_pop_near(struct wsp_bitset *set, uint32_t *number)
{
    uint32_t low = set->low;
    if (low >= set->capacity) {
        return 0;
    }
    uint64_t word = set->words[low >> 6]; /* no member of this word is below `low` */
    if (word == 0) {
        return 0;
    }
    wsp_bitset_leave(set, low, word & (word - 1));
    *number = (low & ~UINT32_C(63)) + wsp_lowest_bit(word);
    set->low = *number + 1;
    return 1;
}
/* Returns 1 if the set is empty, else 0. */
int wsp_bitset_empty(struct wsp_bitset *set);
/* Returns 1 if the invariants hold, else 0. Linear in the capacity. */
int wsp_bitset_check(const struct wsp_bitset *set);

#endif
