/* SPDX-License-Identifier: MIT */
/* loop/test_libev.c - wspool/adapters/libev.h: the scenes of every adapter. */
#define _GNU_SOURCE
#include <wspool/adapters/libev.h>

#include "scenes.h"

struct base {
    struct ev_loop *loop;
    ev_timer bound; /* of a turn */
    void (*call)(void *user);
    void *user;
};

static void libev_ignore(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events;
}

static int libev_make(struct host *host)
{
    struct base *base = calloc(1, sizeof(*base));
    assert_non_null(base);
    base->loop = ev_loop_new(EVFLAG_AUTO);
    ev_init(&base->bound, libev_ignore);
    host->base = base;
    return wspool_libev_new(&host->loop, base->loop, &host->config);
}

static int libev_turn(struct host *host, uint64_t until)
{
    struct base *base = host->base;
    uint64_t now = wspool_clock();
    ev_now_update(base->loop);
    if (until != 0 && until != UINT64_MAX) {
        ev_timer_set(&base->bound, until > now ? (double)(until - now) / 1e9 : 0., 0.);
        ev_timer_start(base->loop, &base->bound);
    }
    ev_run(base->loop, until == 0 ? EVRUN_NOWAIT : EVRUN_ONCE);
    ev_timer_stop(base->loop, &base->bound);
    return 0;
}

static void libev_end(struct host *host)
{
    struct base *base = host->base;
    ev_loop_destroy(base->loop);
    free(base);
}

static void libev_expired(int events, void *user)
{
    struct base *base = user;
    (void)events;
    base->call(base->user);
}

static void libev_after(struct host *host, uint64_t delay, void (*call)(void *user), void *user)
{
    struct base *base = host->base;
    base->call = call;
    base->user = user;
    ev_now_update(base->loop);
    ev_once(base->loop, -1, 0, (double)delay / 1e9, libev_expired, base);
}

static const struct adapter adapter = {.name = "libev",
                                       .make = libev_make,
                                       .turn = libev_turn,
                                       .end = libev_end,
                                       .after = libev_after};
