/* SPDX-License-Identifier: MIT */
/*
 * base/slots.h - records of one size that never move, named by slot and generation.  Floor 0.
 *
 * Records lie in chunks of WSP_SLOTS_PER_CHUNK, each on a cache line's boundary; a chunk stays
 * until the table goes, for the generations in it must outlive the records. The slot given back
 * last is used first, a new one only when none is free, so a small pool stays small. A record's id
 * is its generation (never 0) in the high half and its slot in the low one; giving a record back
 * raises the generation, so an old id names no new record (until 2^31 others had the same slot).
 *
 * The first bytes of a record belong to this file: struct wsp_slot. The rest is the caller's, and
 * all zero when a record is taken.
 *
 * Invariants:
 * - a record below `top` knows its own index; those above were never used;
 * - its generation is odd while it is taken, and `used` is the number of these;
 * - the list of free slots goes through all others, once each;
 * - there are chunks for all slots below `top`.
 */
#ifndef WSP_BASE_SLOTS_H
#define WSP_BASE_SLOTS_H

#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

#define WSP_SLOTS_CHUNK_BITS 8u
#define WSP_SLOTS_PER_CHUNK (1u << WSP_SLOTS_CHUNK_BITS)
#define WSP_SLOTS_MAX UINT32_C(0xfffff000) /* slots are below it: the rest is for marks */

struct wsp_slot {
    uint32_t index;
    uint32_t generation; /* odd while the record is taken, even while it is free */
};

struct wsp_slots {
    size_t record_size;
    uint8_t **chunks;
    uint32_t chunk_count;
    uint32_t chunk_cap;
    uint32_t used;       /* records taken now */
    uint32_t top;        /* slots ever used: all indices are below it */
    uint32_t first_free; /* head of the list of free slots; UINT32_MAX: none */
};

/* record_size is a multiple of the cache line. */
void wsp_slots_init(struct wsp_slots *slots, size_t record_size);
void wsp_slots_fini(struct wsp_slots *slots, const wspool_mem *mem);

/* A record, all zero behind its struct wsp_slot; NULL when there is no memory. */
void *wsp_slots_take(struct wsp_slots *slots, const wspool_mem *mem);
void wsp_slots_give(struct wsp_slots *slots, void *record);
/* Do the invariants hold? 1 or 0. Linear. */
int wsp_slots_check(const struct wsp_slots *slots);

/* The record in a slot below `top`, taken or not. */
static inline void *wsp_slots_at(const struct wsp_slots *slots, uint32_t index)
{
    return slots->chunks[index >> WSP_SLOTS_CHUNK_BITS] +
           (size_t)(index & (WSP_SLOTS_PER_CHUNK - 1)) * slots->record_size;
}

static inline uint64_t wsp_slot_id(const struct wsp_slot *slot)
{
    return (uint64_t)slot->generation << 32 | slot->index;
}

/* The record that an id names, or NULL for one that is stale or was never given. */
static inline void *wsp_slots_find(const struct wsp_slots *slots, uint64_t id)
{
    uint32_t index = (uint32_t)(id & UINT32_MAX);
    uint32_t generation = (uint32_t)(id >> 32);
    if (index >= slots->top || !(generation & 1u)) {
        return NULL;
    }
    struct wsp_slot *slot = wsp_slots_at(slots, index);
    return slot->generation == generation ? slot : NULL;
}

#endif
