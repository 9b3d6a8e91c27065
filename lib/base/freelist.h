/* SPDX-License-Identifier: MIT */
/*
 * base/freelist.h - items kept for reuse: the one free list of the library.  Layer 0.
 *
 * At most `keep` items are kept, so a busy pool allocates nothing and a quiet one holds little. The
 * newest is reused first. There are two ways to use a list:
 * - items without state: take and give, which allocate and free what the list lacks;
 * - items that keep something of their own, a buffer say: pop and push. Whoever pops from an empty
 *   list makes an item, and whoever finds the list full destroys one.
 *
 * An item begins with a struct wsp_free_item, which is its own again once it is taken.
 *
 * Invariants:
 * - `count` is the length of the list, and at most `keep`;
 * - an item has room for a struct wsp_free_item.
 */
#ifndef WSP_BASE_FREELIST_H
#define WSP_BASE_FREELIST_H

#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

struct wsp_free_item {
    struct wsp_free_item *next;
};

struct wsp_freelist {
    struct wsp_free_item *first;
    size_t size; /* of each item that the list allocates */
    uint32_t keep;
    uint32_t count;
};

void wsp_freelist_init(struct wsp_freelist *list, size_t size, uint32_t keep);
/* Frees the items. Where they keep something, pop them first. */
void wsp_freelist_fini(struct wsp_freelist *list, const wspool_mem *mem);

/* Returns an item, or NULL when the list is empty. */
static inline void *wsp_freelist_pop(struct wsp_freelist *list)
{
    struct wsp_free_item *item = list->first;
    if (item) {
        list->first = item->next;
        list->count--;
    }
    return item;
}
static inline int wsp_freelist_is_full(const struct wsp_freelist *list)
{
    return list->count >= list->keep;
}
/* Keeps an item. The list must not be full. */
static inline void wsp_freelist_push(struct wsp_freelist *list, struct wsp_free_item *item)
{
    item->next = list->first;
    list->first = item;
    list->count++;
}
/* Takes an item out of the middle: `link` is the pointer of the list that leads to it. */
static inline void wsp_freelist_unlink(struct wsp_freelist *list, struct wsp_free_item **link)
{
    *link = (*link)->next;
    list->count--;
}

/* Returns an item whose contents are undefined, or NULL without memory. */
void *wsp_freelist_take(struct wsp_freelist *list, const wspool_mem *mem);
/* Keeps or frees an item; NULL is nothing. */
void wsp_freelist_give(struct wsp_freelist *list, const wspool_mem *mem, void *item);

/* Returns 1 if the invariants hold, else 0. */
int wsp_freelist_check(const struct wsp_freelist *list);

#endif
