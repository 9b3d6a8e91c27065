/* SPDX-License-Identifier: MIT */
/*
 * base/slots.h - a table of records that never move, named by slot and generation.  Layer 0.
 *
 * Records lie in chunks of WSP_SLOTS_PER_CHUNK, each aligned to a cache line. A chunk is freed only
 * with the table, because the generations in it must outlive the records. The slot that was freed
 * last is reused first, and a new slot is used only when none is free, so a small pool stays small.
 * The id of a record is its generation (never 0) in the high 32 bits and its slot in the low 32
 * bits. Freeing a record raises the generation, so an old id names no later record until the slot
 * was used 2^31 times.
 *
 * The first bytes of a record are struct wsp_slot and belong to this module. The rest belongs to
 * the caller and is zero when a record is taken.
 *
 * Invariants:
 * - a record below `top` stores its own index; records at or above `top` were never used;
 * - the generation of a taken record is odd, and `used` is the number of taken records;
 * - the list of free slots contains each free slot below `top` once;
 * - there are chunks for all slots below `top`.
 */
#ifndef WSP_BASE_SLOTS_H
#define WSP_BASE_SLOTS_H

#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

#define WSP_SLOTS_CHUNK_BITS 8u
#define WSP_SLOTS_PER_CHUNK (1u << WSP_SLOTS_CHUNK_BITS)
#define WSP_SLOTS_MAX \
    UINT32_C(0xfffff000) /* slots are below it; larger values are free for
                                              markers */

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
    uint32_t top;        /* slots ever used: every index is below it */
    uint32_t first_free; /* head of the list of free slots; UINT32_MAX: none */
};

/* `record_size` must be a multiple of the cache line. */
void wsp_slots_init(struct wsp_slots *slots, size_t record_size);
void wsp_slots_fini(struct wsp_slots *slots, const wspool_mem *mem);

/* Takes a free record, zeroed behind its struct wsp_slot. Returns NULL without memory. */
void *wsp_slots_alloc(struct wsp_slots *slots, const wspool_mem *mem);
void wsp_slots_free(struct wsp_slots *slots, void *record);
/* Returns 1 if the invariants hold, else 0. Linear. */
int wsp_slots_check(const struct wsp_slots *slots);

/* Returns the record in a slot below `top`, taken or free. */
static inline void *wsp_slots_at(const struct wsp_slots *slots, uint32_t index)
{
    return slots->chunks[index >> WSP_SLOTS_CHUNK_BITS] +
           (size_t)(index & (WSP_SLOTS_PER_CHUNK - 1)) * slots->record_size;
}

static inline uint64_t wsp_slot_id(const struct wsp_slot *slot)
{
    return (uint64_t)slot->generation << 32 | slot->index;
}

/* Returns the record that an id names, or NULL for an id that is stale or was never given out. */
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
