/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/glib.h - a pool on a GLib main context, so in any GTK program or GLib daemon.
 * Link with -lwspool_sockets -lwspool and what `pkg-config --libs glib-2.0` says.
 *
 *     wspool_sockets *sockets;
 *     if (wspool_glib_new(&sockets, NULL, &config) < 0) ...
 *
 * All else is in wspool/sockets.h. NULL is the default context. The pool's thread is the one that
 * iterates the context.
 */
#ifndef WSPOOL_ADAPTERS_GLIB_H
#define WSPOOL_ADAPTERS_GLIB_H

#include <stdlib.h>

#include <glib-unix.h>
#include <glib.h>

#include <wspool/watcher.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wspool_glib_ {
    wspool_sockets *sockets;
    GMainContext *context;
    GSource *timer;
} wspool_glib_;

typedef struct wspool_glib_watch_ {
    GSource *source;
    wspool_glib_ *adapter;
    uint64_t tag;
} wspool_glib_watch_;

typedef struct wspool_glib_timer_ {
    GSource source;
    wspool_glib_ *adapter;
} wspool_glib_timer_;

static inline gboolean wspool_glib_ready_(gint fd, GIOCondition condition, gpointer user)
{
    const wspool_glib_watch_ *watch = (const wspool_glib_watch_ *)user;
    (void)fd;
    wspool_sockets_ready(watch->adapter->sockets, watch->tag,
                         (condition & G_IO_IN ? WSPOOL_WATCH_READ : 0) |
                             (condition & G_IO_OUT ? WSPOOL_WATCH_WRITE : 0) |
                             (condition & (G_IO_ERR | G_IO_HUP) ? WSPOOL_WATCH_FAILED : 0));
    return G_SOURCE_CONTINUE; /* no effect if the source was destroyed */
}

static inline void wspool_glib_unwatch_(GSource *source)
{
    if (source) {
        g_source_destroy(source);
        g_source_unref(source);
    }
}

static inline int wspool_glib_watch_fd_(void *loop, int fd, unsigned events, uint64_t tag,
                                        void **handle)
{
    wspool_glib_ *adapter = (wspool_glib_ *)loop;
    wspool_glib_watch_ *watch = (wspool_glib_watch_ *)*handle;
    int what = G_IO_ERR | G_IO_HUP | (events & WSPOOL_WATCH_READ ? G_IO_IN : 0) |
               (events & WSPOOL_WATCH_WRITE ? G_IO_OUT : 0);
    if (!watch) {
        watch = (wspool_glib_watch_ *)calloc(1, sizeof(*watch));
        if (!watch) {
            return -1;
        }
        watch->adapter = adapter;
        watch->tag = tag;
        *handle = watch;
    }
    wspool_glib_unwatch_(watch->source);
    if (events == 0) {
        free(watch);
        *handle = NULL;
        return 0;
    }
    watch->source = g_unix_fd_source_new(fd, (GIOCondition)what);
    g_source_set_callback(watch->source, G_SOURCE_FUNC(wspool_glib_ready_), watch, NULL);
    g_source_attach(watch->source, adapter->context);
    return 0;
}

static inline gboolean wspool_glib_expired_(GSource *source, GSourceFunc callback, gpointer user)
{
    (void)callback;
    (void)user;
    wspool_sockets_turn(((wspool_glib_timer_ *)source)->adapter->sockets);
    return G_SOURCE_CONTINUE;
}

static inline void wspool_glib_timer_set_(void *loop, uint64_t when)
{
    wspool_glib_ *adapter = (wspool_glib_ *)loop;
    uint64_t now = when == 0 || when == UINT64_MAX ? when : wspool_clock();
    gint64 left = when > now ? (gint64)((when - now + 999) / 1000) : 0; /* microseconds */
    g_source_set_ready_time(adapter->timer, when == 0            ? 0
                                            : when == UINT64_MAX ? -1
                                                                 : g_get_monotonic_time() + left);
}

static inline void wspool_glib_stop_(void *loop)
{
    wspool_glib_ *adapter = (wspool_glib_ *)loop;
    wspool_glib_unwatch_(adapter->timer);
    if (adapter->context) {
        g_main_context_unref(adapter->context);
    }
    free(adapter);
}

/* As wspool_sockets_new. The engine holds a reference to the context. */
static inline int wspool_glib_new(wspool_sockets **sockets, GMainContext *context,
                                  const wspool_config *config)
{
    static GSourceFuncs functions = {NULL, NULL, wspool_glib_expired_, NULL, NULL, NULL};
    wspool_glib_ *adapter = (wspool_glib_ *)calloc(1, sizeof(*adapter));
    wspool_watcher watcher = {sizeof(watcher),        adapter,           wspool_glib_watch_fd_,
                              wspool_glib_timer_set_, wspool_glib_stop_, WSPOOL_WATCHER_NO_END};
    *sockets = NULL;
    if (!adapter) {
        return -1;
    }
    adapter->context = context ? g_main_context_ref(context) : NULL;
    adapter->timer = g_source_new(&functions, sizeof(wspool_glib_timer_));
    ((wspool_glib_timer_ *)adapter->timer)->adapter = adapter;
    g_source_attach(adapter->timer, context);
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
