/* SPDX-License-Identifier: MIT */
/* base/freelist.c - see base/freelist.h. */
#include "base/freelist.h"

void wsp_freelist_init(struct wsp_freelist *list, size_t size, uint32_t keep)
{
    size_t least = sizeof(struct wsp_free_item);
    *list = (struct wsp_freelist){.size = size < least ? least : size, .keep = keep};
}

void wsp_freelist_fini(struct wsp_freelist *list, const wspool_mem *mem)
{
    void *item;
    while ((item = wsp_freelist_pop(list)) != NULL) {
        wsp_free(mem, item);
    }
}

void *wsp_freelist_take(struct wsp_freelist *list, const wspool_mem *mem)
{
    void *item = wsp_freelist_pop(list);
    return item ? item : wsp_alloc(mem, list->size);
}

void wsp_freelist_give(struct wsp_freelist *list, const wspool_mem *mem, void *item)
{
    if (item && !wsp_freelist_is_full(list)) {
        wsp_freelist_push(list, item);
    } else {
        wsp_free(mem, item);
    }
}

int wsp_freelist_check(const struct wsp_freelist *list)
{
    uint32_t count = 0;
    if (list->count > list->keep || list->size < sizeof(struct wsp_free_item)) {
        return 0;
    }
    for (const struct wsp_free_item *item = list->first; item; item = item->next) {
        if (++count > list->count) {
            return 0;
        }
    }
    return count == list->count;
}
