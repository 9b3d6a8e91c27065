/* SPDX-License-Identifier: MIT */
/* loop/test_libuv.c - wspool/adapters/libuv.h: the scenes of every adapter, and closed handles. */
#define _GNU_SOURCE
#include <wspool/adapters/libuv.h>

#include "scenes.h"

struct base {
    uv_loop_t loop;
    uv_timer_t bound; /* of a turn */
    uv_timer_t after;
    void (*call)(void *user);
    void *user;
};

static int libuv_make(struct host *host)
{
    struct base *base = calloc(1, sizeof(*base));
    assert_non_null(base);
    uv_loop_init(&base->loop);
    uv_timer_init(&base->loop, &base->bound);
    uv_timer_init(&base->loop, &base->after);
    base->after.data = base;
    host->base = base;
    return wspool_libuv_new(&host->loop, &base->loop, &host->config);
}

static void libuv_ignore(uv_timer_t *timer)
{
    (void)timer;
}

/* The engine's turn runs after the events, in the second run. */
static int libuv_turn(struct host *host, uint64_t until)
{
    struct base *base = host->base;
    uv_update_time(&base->loop);
    if (until != 0 && until != UINT64_MAX)
        uv_timer_start(&base->bound, libuv_ignore,
                       (uint64_t)wspool_sockets_ms(wspool_clock(), until), 0);
    uv_run(&base->loop, until == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    uv_timer_stop(&base->bound);
    uv_run(&base->loop, UV_RUN_NOWAIT);
    return 0;
}

/* The engine is freed: none of its handles keeps the loop alive, and one more run closes them. */
static void libuv_end(struct host *host)
{
    struct base *base = host->base;
    uv_close((uv_handle_t *)&base->bound, NULL);
    uv_close((uv_handle_t *)&base->after, NULL);
    uv_run(&base->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&base->loop), 0);
    free(base);
}

static void libuv_expired(uv_timer_t *timer)
{
    struct base *base = timer->data;
    base->call(base->user);
}

static void libuv_after(struct host *host, uint64_t delay, void (*call)(void *user), void *user)
{
    struct base *base = host->base;
    base->call = call;
    base->user = user;
    uv_update_time(&base->loop);
    uv_timer_start(&base->after, libuv_expired, delay / WSPOOL_MILLISECOND, 0);
}

static const struct adapter adapter = {.name = "libuv",
                                       .make = libuv_make,
                                       .turn = libuv_turn,
                                       .end = libuv_end,
                                       .after = libuv_after};
