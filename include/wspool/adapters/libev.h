/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/libev.h - a pool on a libev loop. Link with -lwspool_sockets -lwspool -lev.
 *
 *     wspool_sockets *sockets;
 *     if (wspool_libev_new(&sockets, EV_DEFAULT, &config) < 0) ...
 *
 * All else is in wspool/sockets.h. The engine keeps the loop alive until wspool_sockets_free; call
 * that before ev_loop_destroy.
 */
#ifndef WSPOOL_ADAPTERS_LIBEV_H
#define WSPOOL_ADAPTERS_LIBEV_H

#include <stdlib.h>

#include <ev.h>

#include <wspool/watcher.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wspool_libev_ {
    wspool_sockets *sockets;
    struct ev_loop *loop;
    ev_timer timer;
    ev_check check; /* active while a turn is due: runs after the events of this iteration */
} wspool_libev_;

typedef struct wspool_libev_watch_ {
    ev_io io;
    wspool_libev_ *adapter;
    uint64_t tag;
} wspool_libev_watch_;

static inline void wspool_libev_ready_(struct ev_loop *loop, ev_io *io, int events)
{
    const wspool_libev_watch_ *watch = (const wspool_libev_watch_ *)io->data;
    (void)loop;
    wspool_sockets_ready(watch->adapter->sockets, watch->tag,
                         (events & EV_READ ? WSPOOL_WATCH_READ : 0) |
                             (events & EV_WRITE ? WSPOOL_WATCH_WRITE : 0));
}

static inline int wspool_libev_watch_fd_(void *loop, int fd, unsigned events, uint64_t tag,
                                         void **handle)
{
    wspool_libev_ *adapter = (wspool_libev_ *)loop;
    wspool_libev_watch_ *watch = (wspool_libev_watch_ *)*handle;
    int what =
        (events & WSPOOL_WATCH_READ ? EV_READ : 0) | (events & WSPOOL_WATCH_WRITE ? EV_WRITE : 0);
    if (!watch) {
        watch = (wspool_libev_watch_ *)calloc(1, sizeof(*watch));
        if (!watch) {
            return -1;
        }
        watch->adapter = adapter;
        watch->tag = tag;
        ev_init(&watch->io, wspool_libev_ready_);
        watch->io.data = watch;
        *handle = watch;
    }
    ev_io_stop(adapter->loop, &watch->io);
    if (what) {
        ev_io_set(&watch->io, fd, what);
        ev_io_start(adapter->loop, &watch->io);
    }
    if (events == 0) {
        free(watch);
        *handle = NULL;
    }
    return 0;
}

static inline void wspool_libev_expired_(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    wspool_sockets_turn(((wspool_libev_ *)timer->data)->sockets);
}

static inline void wspool_libev_checked_(struct ev_loop *loop, ev_check *check, int events)
{
    (void)loop;
    (void)events;
    wspool_sockets_turn(((wspool_libev_ *)check->data)->sockets);
}

/* A turn that is due at once has a timer too, so that the loop does not sleep before it. */
static inline void wspool_libev_timer_(void *loop, uint64_t when)
{
    wspool_libev_ *adapter = (wspool_libev_ *)loop;
    uint64_t now = when == 0 || when == UINT64_MAX ? when : wspool_clock();
    ev_timer_stop(adapter->loop, &adapter->timer);
    if (when != UINT64_MAX) {
        ev_timer_set(&adapter->timer, when > now ? (double)(when - now) / 1e9 : 0., 0.);
        ev_timer_start(adapter->loop, &adapter->timer);
    }
    if (when == 0) {
        ev_check_start(adapter->loop, &adapter->check);
    } else {
        ev_check_stop(adapter->loop, &adapter->check);
    }
}

static inline void wspool_libev_stop_(void *loop)
{
    wspool_libev_ *adapter = (wspool_libev_ *)loop;
    ev_timer_stop(adapter->loop, &adapter->timer);
    ev_check_stop(adapter->loop, &adapter->check);
    free(adapter);
}

/* As wspool_sockets_new. The loop must outlive the engine. */
static inline int wspool_libev_new(wspool_sockets **sockets, struct ev_loop *loop,
                                   const wspool_config *config)
{
    wspool_libev_ *adapter = (wspool_libev_ *)calloc(1, sizeof(*adapter));
    wspool_watcher watcher = {sizeof(watcher),        adapter,
                              wspool_libev_watch_fd_, wspool_libev_timer_,
                              wspool_libev_stop_,     WSPOOL_WATCHER_NO_END};
    *sockets = NULL;
    if (!adapter) {
        return -1;
    }
    adapter->loop = loop;
    ev_init(&adapter->timer, wspool_libev_expired_);
    ev_init(&adapter->check, wspool_libev_checked_);
    ev_set_priority(&adapter->check, EV_MINPRI);
    adapter->timer.data = adapter->check.data = adapter;
    if (wspool_sockets_new(sockets, config, &watcher) < 0) {
        return -1; /* it has called `stop` */
    }
    adapter->sockets = *sockets;
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif
