/* SPDX-License-Identifier: MIT */
/* loop/test_glib.c - wspool/adapters/glib.h: the scenes of every adapter. */
#define _GNU_SOURCE
#include <wspool/adapters/glib.h>

#include "scenes.h"

struct later {
    void (*call)(void *user);
    void *user;
};

static int glib_make(struct host *host)
{
    host->base = g_main_context_new();
    return wspool_glib_new(&host->loop, host->base, &host->config);
}

static gboolean glib_ignore(gpointer user)
{
    (void)user;
    return G_SOURCE_CONTINUE;
}

/* The engine's turn runs after the events, in the second iteration. */
static int glib_turn(struct host *host, uint64_t until)
{
    GSource *bound = NULL;
    if (until != 0 && until != UINT64_MAX) {
        bound = g_timeout_source_new((guint)wspool_sockets_ms(wspool_clock(), until));
        g_source_set_callback(bound, glib_ignore, NULL, NULL);
        g_source_attach(bound, host->base);
    }
    g_main_context_iteration(host->base, until != 0);
    wspool_glib_unwatch_(bound);
    g_main_context_iteration(host->base, FALSE);
    return 0;
}

static void glib_end(struct host *host)
{
    g_main_context_unref(host->base);
}

static gboolean glib_expired(gpointer user)
{
    struct later *later = user;
    later->call(later->user);
    return G_SOURCE_REMOVE;
}

static void glib_after(struct host *host, uint64_t delay, void (*call)(void *user), void *user)
{
    GSource *source = g_timeout_source_new((guint)(delay / WSPOOL_MILLISECOND));
    struct later *later = g_new(struct later, 1);
    *later = (struct later){call, user};
    g_source_set_callback(source, glib_expired, later, g_free);
    g_source_attach(source, host->base);
    g_source_unref(source);
}

static const struct adapter adapter = {
    .name = "glib", .make = glib_make, .turn = glib_turn, .end = glib_end, .after = glib_after};
