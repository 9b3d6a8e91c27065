/* SPDX-License-Identifier: MIT */
/*
 * base/slots.c - see base/slots.h.
 *
 * The list of free slots is stored in the free records: the word behind struct wsp_slot holds the
 * next slot. The record that was freed last is most likely still in the cache.
 */
#include "base/slots.h"

#include <string.h>

#define NO_SLOT UINT32_MAX
#define FIRST_CHUNKS 4u

static uint32_t *free_link(void *record)
{
    return (uint32_t *)((uint8_t *)record + sizeof(struct wsp_slot));
}

void wsp_slots_init(struct wsp_slots *slots, size_t record_size)
{
    memset(slots, 0, sizeof(*slots));
    slots->record_size = record_size;
    slots->first_free = NO_SLOT;
}

void wsp_slots_fini(struct wsp_slots *slots, const wspool_mem *mem)
{
    for (uint32_t i = 0; i < slots->chunk_count; i++) {
        wsp_free_aligned(mem, slots->chunks[i]);
    }
    wsp_free(mem, slots->chunks);
    wsp_slots_init(slots, slots->record_size);
}

static int add_chunk(struct wsp_slots *slots, const wspool_mem *mem)
{
    if (slots->chunk_count == WSP_SLOTS_MAX >> WSP_SLOTS_CHUNK_BITS ||
        slots->record_size > SIZE_MAX / WSP_SLOTS_PER_CHUNK) {
        return 0;
    }
    if (slots->chunk_count == slots->chunk_cap) {
        uint32_t cap = slots->chunk_cap ? slots->chunk_cap * 2 : FIRST_CHUNKS;
        uint8_t **chunks = wsp_resize(mem, slots->chunks, cap, sizeof(*chunks));
        if (!chunks) {
            return 0;
        }
        slots->chunks = chunks;
        slots->chunk_cap = cap;
    }
    uint8_t *chunk = wsp_calloc_aligned(mem, slots->record_size * WSP_SLOTS_PER_CHUNK);
    if (!chunk) {
        return 0;
    }
    slots->chunks[slots->chunk_count++] = chunk;
    return 1;
}

void *wsp_slots_alloc(struct wsp_slots *slots, const wspool_mem *mem)
{
    struct wsp_slot *slot;
    if (slots->first_free != NO_SLOT) {
        slot = wsp_slots_at(slots, slots->first_free);
        slots->first_free = *free_link(slot);
        memset(slot + 1, 0, slots->record_size - sizeof(*slot));
    } else {
        /* Records that were never used are zero since the chunk was allocated. */
        if (slots->top >> WSP_SLOTS_CHUNK_BITS == slots->chunk_count && !add_chunk(slots, mem)) {
            return NULL;
        }
        slot = wsp_slots_at(slots, slots->top);
        slot->index = slots->top++;
    }
    /* The generation changes from even to odd. It wraps to 0 and then 1, so a taken record never
     * has generation 0. */
    slot->generation++;
    slots->used++;
    return slot;
}

void wsp_slots_free(struct wsp_slots *slots, void *record)
{
    struct wsp_slot *slot = record;
    slot->generation++;
    *free_link(slot) = slots->first_free;
    slots->first_free = slot->index;
    slots->used--;
}

int wsp_slots_check(const struct wsp_slots *slots)
{
    uint32_t taken = 0, free = 0;
    if (slots->used > slots->top || slots->chunk_count > slots->chunk_cap ||
        slots->top > (uint64_t)slots->chunk_count << WSP_SLOTS_CHUNK_BITS) {
        return 0;
    }
    for (uint32_t i = 0; i < slots->top; i++) {
        const struct wsp_slot *slot = wsp_slots_at(slots, i);
        taken += slot->generation & 1u;
        if (slot->index != i) {
            return 0;
        }
    }
    /* A list with a cycle would be longer than the number of free slots. */
    for (uint32_t i = slots->first_free; i != NO_SLOT; i = *free_link(wsp_slots_at(slots, i))) {
        if (i >= slots->top || ++free > slots->top - slots->used ||
            (((const struct wsp_slot *)wsp_slots_at(slots, i))->generation & 1u)) {
            return 0;
        }
    }
    return taken == slots->used && free == slots->top - slots->used;
}
