/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/libuv.h - a pool on a libuv loop. Link with -lwspool_sockets -lwspool -luv.
 *
 *     wspool_sockets *sockets;
 *     if (wspool_libuv_new(&sockets, uv_default_loop(), &config) < 0) ...
 *
 * All else is in wspool/sockets.h. The engine keeps the loop alive until wspool_sockets_free; then
 * let the loop run once more (libuv closes the handles) before uv_loop_close.
 */
#ifndef WSPOOL_ADAPTERS_LIBUV_H
#define WSPOOL_ADAPTERS_LIBUV_H

#include <errno.h>
#include <stdlib.h>
#include <uv.h>
#include <wspool/watcher.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wspool_libuv_ {
    wspool_sockets *sockets;
    uv_timer_t timer;
    uv_idle_t idle; /* active while a turn is due: it runs before the loop sleeps */
    int open;       /* how many of these two handles are open */
} wspool_libuv_;

typedef struct wspool_libuv_watch_ {
    uv_poll_t poll;
    wspool_libuv_ *adapter;
    uint64_t tag;
    int what; /* the events: UV_READABLE, UV_WRITABLE, UV_DISCONNECT */
} wspool_libuv_watch_;

static inline void wspool_libuv_ready_(uv_poll_t *poll, int status, int events)
{
    const wspool_libuv_watch_ *watch = (const wspool_libuv_watch_ *)poll->data;
    if (status < 0) { /* libuv has stopped the handle, but one turn may not read all that is left */
        uv_poll_start(poll, watch->what, wspool_libuv_ready_);
    }
    wspool_sockets_ready(watch->adapter->sockets, watch->tag,
                         (events & UV_READABLE ? WSPOOL_WATCH_READ : 0) |
                             (events & UV_WRITABLE ? WSPOOL_WATCH_WRITE : 0) |
                             (events & UV_DISCONNECT ? WSPOOL_WATCH_END : 0) |
                             (status < 0 ? WSPOOL_WATCH_FAILED : 0));
}

static inline void wspool_libuv_unwatched_(uv_handle_t *handle)
{
    free(handle->data);
}

static inline int wspool_libuv_watch_fd_(void *loop, int fd, unsigned events, uint64_t tag,
                                         void **handle)
{
    wspool_libuv_watch_ *watch = (wspool_libuv_watch_ *)*handle;
    if (!watch) {
        watch = (wspool_libuv_watch_ *)calloc(1, sizeof(*watch));
        if (!watch) {
            return -1;
        }
        watch->adapter = (wspool_libuv_ *)loop;
        watch->tag = tag;
        errno = -uv_poll_init(watch->adapter->idle.loop, &watch->poll, fd);
        if (errno) {
            free(watch);
            return -1;
        }
        watch->poll.data = *handle = watch;
    }
    watch->what = (events & WSPOOL_WATCH_READ ? UV_READABLE : 0) |
                  (events & WSPOOL_WATCH_WRITE ? UV_WRITABLE : 0) |
                  (events & WSPOOL_WATCH_END ? UV_DISCONNECT : 0);
    if (events) {
        uv_poll_start(&watch->poll, watch->what, wspool_libuv_ready_);
    } else {
        uv_close((uv_handle_t *)&watch->poll, wspool_libuv_unwatched_);
        *handle = NULL;
    }
    return 0;
}

static inline void wspool_libuv_expired_(uv_timer_t *timer)
{
    wspool_sockets_turn(((wspool_libuv_ *)timer->data)->sockets);
}

static inline void wspool_libuv_idle_(uv_idle_t *idle)
{
    wspool_sockets_turn(((wspool_libuv_ *)idle->data)->sockets);
}

static inline void wspool_libuv_timer_(void *loop, uint64_t when)
{
    wspool_libuv_ *adapter = (wspool_libuv_ *)loop;
    uv_timer_stop(&adapter->timer);
    if (when == 0) {
        uv_idle_start(&adapter->idle, wspool_libuv_idle_);
        return;
    }
    uv_idle_stop(&adapter->idle);
    if (when != UINT64_MAX) {
        int ms = wspool_sockets_ms(wspool_clock(), when);
        uv_timer_start(&adapter->timer, wspool_libuv_expired_, (uint64_t)(ms > 0 ? ms : 1), 0);
    }
}

static inline void wspool_libuv_closed_(uv_handle_t *handle)
{
    wspool_libuv_ *adapter = (wspool_libuv_ *)handle->data;
    free(--adapter->open == 0 ? adapter : NULL);
}

static inline void wspool_libuv_stop_(void *loop)
{
    wspool_libuv_ *adapter = (wspool_libuv_ *)loop;
    uv_close((uv_handle_t *)&adapter->timer, wspool_libuv_closed_);
    uv_close((uv_handle_t *)&adapter->idle, wspool_libuv_closed_);
}

/* As wspool_sockets_new. */
static inline int wspool_libuv_new(wspool_sockets **sockets, uv_loop_t *loop,
                                   const wspool_config *config)
{
    wspool_libuv_ *adapter = (wspool_libuv_ *)calloc(1, sizeof(*adapter));
    wspool_watcher watcher = {sizeof(watcher),        adapter,
                              wspool_libuv_watch_fd_, wspool_libuv_timer_,
                              wspool_libuv_stop_,     0};
    *sockets = NULL;
    if (!adapter) {
        return -1;
    }
    adapter->open = 2;
    uv_timer_init(loop, &adapter->timer);
    uv_idle_init(loop, &adapter->idle);
    adapter->timer.data = adapter->idle.data = adapter;
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
