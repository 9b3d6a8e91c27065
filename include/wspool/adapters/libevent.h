/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/libevent.h - a pool on a libevent base. Link with -lwspool_sockets -lwspool
 * -levent_core.
 *
 *     wspool_sockets *sockets;
 *     if (wspool_libevent_new(&sockets, base, &config) < 0) ...
 *
 * All else is in wspool/sockets.h. The engine keeps the base busy until wspool_sockets_free; call
 * that before event_base_free.
 */
#ifndef WSPOOL_ADAPTERS_LIBEVENT_H
#define WSPOOL_ADAPTERS_LIBEVENT_H

#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include <wspool/watcher.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wspool_libevent_ {
    wspool_sockets *sockets;
    struct event_base *base;
    struct event *timer;
    int turning; /* 1: within a turn. A turn that becomes due waits for the next iteration */
} wspool_libevent_;

typedef struct wspool_libevent_watch_ {
    struct event *event;
    wspool_libevent_ *adapter;
    uint64_t tag;
} wspool_libevent_watch_;

static inline void wspool_libevent_ready_(evutil_socket_t fd, short events, void *user)
{
    const wspool_libevent_watch_ *watch = (const wspool_libevent_watch_ *)user;
    (void)fd;
    wspool_sockets_ready(watch->adapter->sockets, watch->tag,
                         (events & EV_READ ? WSPOOL_WATCH_READ : 0) |
                             (events & EV_WRITE ? WSPOOL_WATCH_WRITE : 0));
}

static inline int wspool_libevent_watch_fd_(void *loop, int fd, unsigned events, uint64_t tag,
                                            void **handle)
{
    wspool_libevent_ *adapter = (wspool_libevent_ *)loop;
    wspool_libevent_watch_ *watch = (wspool_libevent_watch_ *)*handle;
    int what =
        (events & WSPOOL_WATCH_READ ? EV_READ : 0) | (events & WSPOOL_WATCH_WRITE ? EV_WRITE : 0);
    if (!watch) {
        watch = (wspool_libevent_watch_ *)calloc(1, sizeof(*watch));
        if (!watch) {
            return -1;
        }
        watch->adapter = adapter;
        watch->tag = tag;
        watch->event = event_new(adapter->base, fd, 0, wspool_libevent_ready_, watch);
    } else {
        event_del(watch->event);
    }
    *handle = watch;
    if (events && watch->event) {
        event_assign(watch->event, adapter->base, fd, (short)(what | EV_PERSIST),
                     wspool_libevent_ready_, watch);
        if (!what || event_add(watch->event, NULL) == 0) {
            return 0;
        }
    }
    if (watch->event) {
        event_free(watch->event);
    }
    free(watch);
    *handle = NULL;
    errno = ENOMEM;
    return events ? -1 : 0;
}

static inline void wspool_libevent_expired_(evutil_socket_t fd, short events, void *user)
{
    wspool_libevent_ *adapter = (wspool_libevent_ *)user;
    (void)fd;
    (void)events;
    adapter->turning = 1;
    wspool_sockets_turn(adapter->sockets);
    adapter->turning = 0;
}

static inline void wspool_libevent_timer_(void *loop, uint64_t when)
{
    wspool_libevent_ *adapter = (wspool_libevent_ *)loop;
    uint64_t now = when == 0 || when == UINT64_MAX ? when : wspool_clock();
    uint64_t left = when > now ? (when - now + 999) / 1000 : 0; /* microseconds */
    struct timeval time;
    time.tv_sec = (time_t)(left / 1000000);
    time.tv_usec = (suseconds_t)(left % 1000000);
    event_del(adapter->timer);
    if (when == 0 && !adapter->turning) {
        event_active(adapter->timer, EV_TIMEOUT, 1); /* after the events of this iteration */
    } else if (when != UINT64_MAX) {
        event_add(adapter->timer, &time);
    }
}

static inline void wspool_libevent_stop_(void *loop)
{
    wspool_libevent_ *adapter = (wspool_libevent_ *)loop;
    event_free(adapter->timer);
    free(adapter);
}

/* As wspool_sockets_new. The base must outlive the engine. */
static inline int wspool_libevent_new(wspool_sockets **sockets, struct event_base *base,
                                      const wspool_config *config)
{
    wspool_libevent_ *adapter = (wspool_libevent_ *)calloc(1, sizeof(*adapter));
    wspool_watcher watcher = {sizeof(watcher),           adapter,
                              wspool_libevent_watch_fd_, wspool_libevent_timer_,
                              wspool_libevent_stop_,     WSPOOL_WATCHER_NO_END};
    *sockets = NULL;
    if (!adapter) {
        return -1;
    }
    adapter->base = base;
    adapter->timer = event_new(base, -1, 0, wspool_libevent_expired_, adapter);
    if (!adapter->timer) {
        free(adapter);
        errno = ENOMEM;
        return -1;
    }
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
