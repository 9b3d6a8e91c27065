/* SPDX-License-Identifier: MIT */
/*
 * loop/test_nested.c - wspool/adapters/epoll.h nested in a loop of the host's: the scenes of every
 * adapter.
 */
#define _GNU_SOURCE
#include <wspool/adapters/epoll.h>

#include "scenes.h"

#include "base.h"

static int nested_make(struct host *host)
{
    host->base = base_new();
    return wspool_epoll_new(&host->loop, &host->config) < 0 ||
                   base_watch(host->base, wspool_epoll_fd(host->loop)) < 0
               ? -1
               : 0;
}

static int nested_turn(struct host *host, uint64_t until)
{
    int ms = wspool_sockets_ms(until ? wspool_clock() : 0, until);
    return base_sleep(host->base, ms) ? wspool_epoll_turn(host->loop, 0) : 0;
}

static void nested_after(struct host *host, uint64_t delay, void (*call)(void *), void *user)
{
    base_after(host->base, delay, call, user);
}

static void nested_end(struct host *host)
{
    base_free(host->base);
}

static const struct adapter adapter = {.name = "nested",
                                       .make = nested_make,
                                       .turn = nested_turn,
                                       .end = nested_end,
                                       .after = nested_after};
