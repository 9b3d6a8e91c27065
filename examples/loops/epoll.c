/* SPDX-License-Identifier: MIT */
/* loops/epoll.c - a room on epoll; the adapter owns the loop. Members get messages and the time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wspool/adapters/epoll.h> /* glue { */

static wspool_sockets *sockets; /* } glue */

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options others = {.size = sizeof(others), .except = id};
    (void)user;
    others.flags = message->binary ? WSPOOL_BINARY : 0;
    wspool_broadcast(pool, wspool_global(""), message->data, message->len, &others, NULL);
}

static void publish_time(void)
{
    time_t now = time(NULL);
    wspool_broadcast(wspool_sockets_pool(sockets), wspool_global(""), ctime(&now), 24, NULL, NULL);
}

static void on_signal(int number) /* glue { */
{
    (void)number;
    wspool_sockets_quit(sockets); /* NOLINT(bugprone-signal-handler): it may be called here */
} /* } glue */

int main(int argc, char **argv)
{
    unsigned port = argc > 1 ? (unsigned)atoi(argv[1]) : 9001;
    wspool_config config;
    wspool_config_init(&config);
    config.message.call = on_message;
    if (wspool_epoll_new(&sockets, &config) < 0 || /* glue { */
        wspool_route(wspool_sockets_pool(sockets), "/room", WSPOOL_GLOBAL, NULL) < 0 ||
        wspool_sockets_listen(sockets, "127.0.0.1", port) < 0) {
        return perror("epoll"), 1;
    } /* } glue */
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    for (uint64_t next = wspool_clock(); wspool_clock() >= next;) { /* until a signal */
        publish_time();
        next += WSPOOL_SECOND;
        wspool_epoll_run(sockets, next); /* glue { } glue */
    }
    wspool_sockets_drain(sockets, 0, WSPOOL_CLOSE_GOING_AWAY, NULL, NULL); /* glue { */
    wspool_epoll_run(sockets, wspool_clock() + 10 * WSPOOL_SECOND);
    signal(SIGINT, SIG_IGN); /* on_signal uses the engine */
    signal(SIGTERM, SIG_IGN);
    wspool_sockets_free(sockets); /* } glue */
    return 0;
}
