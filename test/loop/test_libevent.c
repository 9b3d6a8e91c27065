/* SPDX-License-Identifier: MIT */
/* loop/test_libevent.c - wspool/adapters/libevent.h: the scenes of every adapter. */
#define _GNU_SOURCE
#include <wspool/adapters/libevent.h>

#include "scenes.h"

struct base {
    struct event_base *events;
    struct event *bound; /* of a turn */
    void (*call)(void *user);
    void *user;
};

static void libevent_ignore(evutil_socket_t fd, short events, void *user)
{
    (void)fd, (void)events, (void)user;
}

static int libevent_make(struct host *host)
{
    struct base *base = calloc(1, sizeof(*base));
    assert_non_null(base);
    base->events = event_base_new();
    base->bound = event_new(base->events, -1, 0, libevent_ignore, NULL);
    host->base = base;
    return wspool_libevent_new(&host->loop, base->events, &host->config);
}

static struct timeval libevent_time(uint64_t delay)
{
    return (struct timeval){(time_t)(delay / WSPOOL_SECOND),
                            (suseconds_t)(delay % WSPOOL_SECOND / 1000)};
}

static int libevent_turn(struct host *host, uint64_t until)
{
    struct base *base = host->base;
    uint64_t now = wspool_clock();
    struct timeval time = libevent_time(until > now ? until - now : 0);
    if (until != 0 && until != UINT64_MAX)
        event_add(base->bound, &time);
    event_base_loop(base->events, until == 0 ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
    event_del(base->bound);
    event_base_loop(base->events, EVLOOP_NONBLOCK);
    return 0;
}

static void libevent_end(struct host *host)
{
    struct base *base = host->base;
    event_free(base->bound);
    assert_int_equal(event_base_get_num_events(base->events, EVENT_BASE_COUNT_ADDED), 0);
    event_base_free(base->events);
    free(base);
}

static void libevent_expired(evutil_socket_t fd, short events, void *user)
{
    struct base *base = user;
    (void)fd, (void)events;
    base->call(base->user);
}

static void libevent_after(struct host *host, uint64_t delay, void (*call)(void *user), void *user)
{
    struct base *base = host->base;
    struct timeval time = libevent_time(delay);
    base->call = call;
    base->user = user;
    event_base_once(base->events, -1, EV_TIMEOUT, libevent_expired, base, &time);
}

static const struct adapter adapter = {.name = "libevent",
                                       .make = libevent_make,
                                       .turn = libevent_turn,
                                       .end = libevent_end,
                                       .after = libevent_after};
