/* SPDX-License-Identifier: MIT */
/*
 * base/bitset.c - see base/bitset.h.
 *
 * Capacity always grows by whole summary words (4096 numbers), so that neither array ends inside a
 * word.
 */
#include "base/bitset.h"

#include <string.h>
#include <wspool/error.h>

static uint32_t summary_words(uint32_t capacity)
{
    return (uint32_t)(((uint64_t)capacity + 4095) >> 12);
}

int wsp_bitset_reserve(struct wsp_bitset *set, const wspool_mem *mem, uint32_t capacity)
{
    if (capacity <= set->capacity) {
        return 0;
    }
    /* The capacity at least doubles, so that a set that grows slot by slot is not copied each
     * time. */
    uint32_t twice = set->capacity > UINT32_MAX / 2 ? UINT32_MAX : set->capacity * 2;
    size_t old = summary_words(set->capacity);
    size_t now = summary_words(capacity > twice ? capacity : twice);
    uint64_t *words = wsp_resize(mem, set->words, now, 64 * sizeof(*words));
    if (!words) {
        return WSPOOL_ERR_NOMEM;
    }
    set->words = words;
    uint64_t *summary = wsp_resize(mem, set->summary, now, sizeof(*summary));
    if (!summary) {
        return WSPOOL_ERR_NOMEM;
    }
    set->summary = summary;
    memset(words + old * 64, 0, (now - old) * 64 * sizeof(*words));
    memset(summary + old, 0, (now - old) * sizeof(*summary));
    /* The largest number is WSP_BITSET_END and cannot be a member. */
    set->capacity = now > UINT32_MAX >> 12 ? UINT32_MAX : (uint32_t)now << 12;
    return 0;
}

void wsp_bitset_fini(struct wsp_bitset *set, const wspool_mem *mem)
{
    wsp_free(mem, set->words);
    wsp_free(mem, set->summary);
    memset(set, 0, sizeof(*set));
}

uint32_t wsp_bitset_next(const struct wsp_bitset *set, uint32_t from)
{
    if (from < set->low) {
        from = set->low;
    }
    if (from >= set->capacity) {
        return WSP_BITSET_END;
    }
    uint32_t at = from >> 6;
    uint64_t word = set->words[at] >> (from & 63);
    if (word != 0) {
        return from + wsp_lowest_bit(word);
    }
    at++; /* the first word that the summary is used for */
    uint32_t end = summary_words(set->capacity);
    uint64_t mask = UINT64_MAX << (at & 63);
    for (uint32_t i = at >> 6; i < end; i++, mask = UINT64_MAX) {
        uint64_t group = set->summary[i] & mask;
        if (group != 0) {
            at = i << 6 | wsp_lowest_bit(group);
            return at << 6 | wsp_lowest_bit(set->words[at]);
        }
    }
    return WSP_BITSET_END;
}

uint32_t wsp_bitset_pop(struct wsp_bitset *set)
{
    uint32_t number = wsp_bitset_next(set, set->low);
    if (number == WSP_BITSET_END) {
        set->low = WSP_BITSET_END;
        return WSP_BITSET_END;
    }
    wsp_bitset_remove(set, number);
    set->low = number + 1;
    return number;
}

int wsp_bitset_empty(struct wsp_bitset *set)
{
    /* The next walk begins at the member that was found, or at the end. */
    set->low = wsp_bitset_next(set, set->low);
    return set->low == WSP_BITSET_END;
}

int wsp_bitset_check(const struct wsp_bitset *set)
{
    if (set->capacity != 0 && (!set->words || !set->summary)) {
        return 0;
    }
    for (uint32_t i = 0; i < summary_words(set->capacity); i++) {
        for (uint32_t j = 0; j < 64; j++) {
            uint64_t word = set->words[i << 6 | j];
            if ((word != 0) != (set->summary[i] >> j & 1)) {
                return 0;
            }
            if (word != 0 && (i << 12 | j << 6 | wsp_lowest_bit(word)) < set->low) {
                return 0;
            }
        }
    }
    return 1;
}
