/* SPDX-License-Identifier: MIT */
/* base/spares.c - see base/spares.h.  The list goes through the blocks themselves.  Floor 0. */
#include "base/spares.h"

void wsp_spares_init(struct wsp_spares *spares, size_t size, uint32_t keep)
{
    spares->size = size < sizeof(void *) ? sizeof(void *) : size;
    spares->keep = keep;
    spares->count = 0;
    spares->first = NULL;
}

void wsp_spares_fini(struct wsp_spares *spares, const wspool_mem *mem)
{
    while (spares->first) {
        void *block = spares->first;
        spares->first = *(void **)block;
        wsp_free(mem, block);
    }
    spares->count = 0;
}

void *wsp_spares_take(struct wsp_spares *spares, const wspool_mem *mem)
{
    void *block = spares->first;
    if (!block) {
        return wsp_alloc(mem, spares->size);
    }
    spares->first = *(void **)block;
    spares->count--;
    return block;
}

void wsp_spares_give(struct wsp_spares *spares, const wspool_mem *mem, void *block)
{
    if (!block) {
        return;
    }
    if (spares->count >= spares->keep) {
        wsp_free(mem, block);
        return;
    }
    *(void **)block = spares->first;
    spares->first = block;
    spares->count++;
}

int wsp_spares_check(const struct wsp_spares *spares)
{
    uint32_t seen = 0;
    if (spares->count > spares->keep || spares->size < sizeof(void *)) {
        return 0;
    }
    for (void *block = spares->first; block; block = *(void **)block) {
        if (++seen > spares->count) {
            return 0;
        }
    }
    return seen == spares->count;
}
