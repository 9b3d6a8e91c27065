/* SPDX-License-Identifier: MIT */
/* pool/waiters.c - see pool/waiters.h. */
#include "pool/waiters.h"

/* ------------------------------------------------------------------- lists */

static void push(wspool_waiter **list, wspool_waiter *waiter)
{
    waiter->next = *list;
    waiter->link = list;
    if (waiter->next) {
        waiter->next->link = &waiter->next;
    }
    *list = waiter;
}

static void take(wspool_waiter *waiter)
{
    *waiter->link = waiter->next;
    if (waiter->next) {
        waiter->next->link = waiter->link;
    }
    waiter->next = NULL;
    waiter->link = NULL;
}

static void insert_by_time(struct wsp_waiters *waiters, wspool_waiter *waiter)
{
    waiter->earlier = waiters->last;
    while (waiter->earlier && waiter->earlier->until > waiter->until) {
        waiter->earlier = waiter->earlier->earlier;
    }
    wspool_waiter **before = waiter->earlier ? &waiter->earlier->later : &waiters->first;
    waiter->later = *before;
    *before = waiter;
    *(waiter->later ? &waiter->later->earlier : &waiters->last) = waiter;
}

static void remove_by_time(struct wsp_waiters *waiters, wspool_waiter *waiter)
{
    *(waiter->earlier ? &waiter->earlier->later : &waiters->first) = waiter->later;
    *(waiter->later ? &waiter->later->earlier : &waiters->last) = waiter->earlier;
    waiter->earlier = waiter->later = NULL;
}

/* ----------------------------------------------------------------- waiting */

void wsp_waiter_add(wspool *pool, struct wsp_channel *channel, wspool_waiter *waiter,
                    uint64_t until)
{
    waiter->until = until;
    waiter->channel = channel;
    push(&channel->waiters, waiter);
    insert_by_time(&pool->waiters, waiter);
    wsp_count_add(&pool->count.waiters, 1);
}

void wsp_waiter_remove(wspool *pool, wspool_waiter *waiter)
{
    struct wsp_channel *channel = waiter->channel;
    take(waiter);
    remove_by_time(&pool->waiters, waiter);
    wsp_count_sub(&pool->count.waiters, 1);
    waiter->channel = NULL;
    if (channel) {
        wsp_registry_drop_unheard(&pool->registry, channel);
    }
}

/* They come in the order in which they began to wait: both lists have the newest first. */
void wsp_waiters_wake(wspool *pool, struct wsp_channel *channel)
{
    wspool_waiter *waiter;
    while ((waiter = channel->waiters) != NULL) {
        take(waiter);
        waiter->channel = NULL;
        push(&pool->waiters.woken, waiter);
    }
    wsp_reap_for_sure(pool);
}

void wsp_waiters_call(wspool *pool)
{
    struct wsp_waiters *waiters = &pool->waiters;
    uint64_t bound = wsp_count_read(&pool->count.waiters);
    while (bound-- > 0 && wsp_waiters_next(pool) <= pool->link.now) {
        int woken = waiters->woken != NULL;
        wspool_waiter *waiter = woken ? waiters->woken : waiters->first;
        wsp_waiter_remove(pool, waiter);
        waiter->call(pool, waiter, woken);
    }
}

void wsp_waiters_fini(wspool *pool)
{
    while (pool->waiters.first) {
        wsp_waiter_remove(pool, pool->waiters.first);
    }
}

int wsp_waiters_check(const wspool *pool)
{
    const struct wsp_waiters *waiters = &pool->waiters;
    const wspool_waiter *before = NULL;
    uint64_t count = 0, woken = 0, without = 0;
    for (const wspool_waiter *each = waiters->first; each; each = each->later, count++) {
        if (each->earlier != before || (before && before->until > each->until) || !each->link ||
            *each->link != each) {
            return 0;
        }
        without += !each->channel;
        before = each;
    }
    for (const wspool_waiter *each = waiters->woken; each; each = each->next) {
        woken++;
    }
    return waiters->last == before && woken == without &&
           count == wsp_count_read(&pool->count.waiters);
}
