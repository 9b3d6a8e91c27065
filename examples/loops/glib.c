/* SPDX-License-Identifier: MIT */
/* loops/glib.c - a room on a GLib main loop. Members get messages and the time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wspool/adapters/glib.h> /* glue { */

static wspool_sockets *sockets; /* } glue */

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options others = {.size = sizeof(others), .except = id};
    (void)user;
    others.flags = message->binary ? WSPOOL_BINARY : 0;
    wspool_broadcast(pool, wspool_global(""), message->data, message->len, &others, NULL);
}

static gboolean on_second(gpointer user)
{
    time_t now = time(NULL);
    (void)user;
    wspool_broadcast(wspool_sockets_pool(sockets), wspool_global(""), ctime(&now), 24, NULL, NULL);
    return G_SOURCE_CONTINUE;
}

static void on_drained(wspool_sockets *drained, void *loop) /* glue { */
{
    (void)drained;
    g_main_loop_quit(loop);
}

static gboolean on_signal(gpointer loop)
{
    wspool_sockets_drain(sockets, 0, WSPOOL_CLOSE_GOING_AWAY, on_drained, loop);
    return G_SOURCE_CONTINUE;
} /* } glue */

int main(int argc, char **argv)
{
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    unsigned port = argc > 1 ? (unsigned)atoi(argv[1]) : 9001;
    wspool_config config;
    wspool_config_init(&config);
    config.message.call = on_message;
    if (wspool_glib_new(&sockets, NULL, &config) < 0 || /* glue { */
        wspool_route(wspool_sockets_pool(sockets), "/room", WSPOOL_GLOBAL, NULL) < 0 ||
        wspool_sockets_listen(sockets, "127.0.0.1", port) < 0) {
        return perror("glib"), 1;
    } /* } glue */
    g_unix_signal_add(SIGINT, on_signal, loop);
    g_unix_signal_add(SIGTERM, on_signal, loop);
    g_timeout_add_seconds(1, on_second, NULL);
    g_main_loop_run(loop);
    wspool_sockets_free(sockets); /* glue { } glue */
    g_main_loop_unref(loop);
    return 0;
}
