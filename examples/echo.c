/* SPDX-License-Identifier: MIT */
/*
 * examples/echo.c - a WebSocket server in one file: echo, rooms, and a door to publish by.
 *
 *   /echo         each message comes back
 *   /room/{name}  each message goes to every other member of the room
 *   /publish      NAME, line feed, PAYLOAD: the payload goes to every member of the room NAME
 *
 * The pool reads the HTTP request itself (raw mode); one of the adapters moves the bytes.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <wspool/adapters/epoll.h>
#include <wspool/deflate.h>
#include <wspool/uring.h>

#define DRAIN_WINDOW (2 * WSPOOL_SECOND)   /* within it everybody is told to go */
#define DRAIN_DEADLINE (4 * WSPOOL_SECOND) /* who is still there then is cut off */
#define MESSAGE_MAX (1u << 29)
#define CONNECTIONS_MAX 1000000u

/* What a route is for: given as route_user, and so known for each message. */
static char echo_route, room_route, publish_route;

/* One of these moves the bytes. */
static int with_uring;
static wspool_sockets *sockets;
static wspool_uring *uring;

/* ------------------------------------------------------------------- hooks */

/* The name, up to the line feed, goes by the rule that holds for names in a path. */
static int publish(wspool *pool, const wspool_message *message, const wspool_send_options *options)
{
    const uint8_t *end = message->len ? memchr(message->data, '\n', message->len) : NULL;
    size_t len = end ? (size_t)(end - message->data) : 0;
    if (len == 0 || len > WSPOOL_NAME_MAX || memchr(message->data, '/', len)) {
        return -1;
    }
    wspool_broadcast(pool, wspool_channel_of(WSPOOL_ITEM, message->data, len), end + 1,
                     message->len - len - 1, options, NULL);
    return 0;
}

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options options = {sizeof(options), message->binary ? WSPOOL_BINARY : 0, id};
    wspool_channel room;
    (void)user;

    if (message->route_user == &echo_route) {
        if (wspool_send(pool, id, message->data, message->len, &options) < 0) {
            wspool_close(pool, id, WSPOOL_CLOSE_SLOW_CONSUMER, NULL, 0);
        }
    } else if (message->route_user == &room_route) {
        if (wspool_channels_of(pool, id, &room, 1) == 1) {
            wspool_broadcast(pool, room, message->data, message->len, &options, NULL);
        }
    } else if (publish(pool, message, &options) < 0) {
        wspool_close(pool, id, WSPOOL_CLOSE_POLICY, "NAME, line feed, PAYLOAD", 0);
    }
}

static void on_signal(int number)
{
    (void)number;
    with_uring ? wspool_uring_quit(uring) : wspool_sockets_quit(sockets);
}

/* ----------------------------------------------------------------- options */

struct settings {
    const char *host;
    unsigned port;
    unsigned message_bytes;
    unsigned connections;
    unsigned flush_delay; /* microseconds */
    int deflate;
};

static const char usage[] = "usage: echo [--host ADDRESS] [--port PORT] [--io epoll|uring]\n"
                            "            [--threads N] [--deflate] [--max-message BYTES]\n"
                            "            [--max-connections N] [--flush-delay MICROSECONDS]\n";

static const char help[] =
    "  --host ADDRESS        numeric, IPv4 or IPv6 (127.0.0.1)\n"
    "  --port PORT           0 takes a free one (9001)\n"
    "  --io epoll|uring      what moves the bytes; uring needs Linux 6.0 (epoll)\n"
    "  --threads N           more than 1 is not built yet (1)\n"
    "  --deflate             agree to permessage-deflate (RFC 7692)\n"
    "  --max-message BYTES   longest message taken (65536)\n"
    "  --max-connections N   how many at a time (100000, or what the system allows)\n"
    "  --flush-delay MICROSECONDS  how long a message may wait for others to join it (0)\n"
    "\n"
    "/echo sends back, /room/{name} passes on to the room, /publish takes NAME\\nPAYLOAD.\n";

static _Noreturn void fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "echo: %s: %s\n", what, why);
    exit(status);
}

static unsigned number(const char *option, const char *text, unsigned min, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value < min || value > max) {
        fprintf(stderr, "echo: --%s: not a number from %u to %u: %s\n%s", option, min, max, text,
                usage);
        exit(2);
    }
    return (unsigned)value;
}

/* As many descriptors as we may have, and how many peers fit into them. */
static unsigned connections_default(void)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 100016 ? 100000
           : limit.rlim_cur > 32   ? (unsigned)limit.rlim_cur - 16
                                   : 16;
}

static struct settings settings_from(int argc, char **argv)
{
    static const struct option options[] = {{"host", required_argument, NULL, 'a'},
                                            {"port", required_argument, NULL, 'p'},
                                            {"io", required_argument, NULL, 'i'},
                                            {"threads", required_argument, NULL, 't'},
                                            {"deflate", no_argument, NULL, 'd'},
                                            {"max-message", required_argument, NULL, 'm'},
                                            {"max-connections", required_argument, NULL, 'c'},
                                            {"flush-delay", required_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct settings settings = {"127.0.0.1", 9001, 65536, connections_default(), 0, 0};
    int option, index = 0;

    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        switch (option) {
        case 'a':
            settings.host = optarg;
            break;
        case 'p':
            settings.port = number("port", optarg, 0, 65535);
            break;
        case 'i':
            with_uring = strcmp(optarg, "uring") == 0;
            if (!with_uring && strcmp(optarg, "epoll") != 0) {
                fail(2, "--io", "epoll or uring");
            }
            break;
        case 't':
            if (number("threads", optarg, 1, 1024) > 1) {
                fail(2, "--threads above 1", "not built yet");
            }
            break;
        case 'd':
            settings.deflate = 1;
            break;
        case 'm':
            settings.message_bytes = number("max-message", optarg, 1, MESSAGE_MAX);
            break;
        case 'c':
            settings.connections = number("max-connections", optarg, 1, CONNECTIONS_MAX);
            break;
        case 'f':
            settings.flush_delay = number("flush-delay", optarg, 0, 1000000);
            break;
        case 'h':
            printf("%s%s", usage, help);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        exit(2);
    }
    return settings;
}

/* -------------------------------------------------------------------- main */

static void add_route(wspool *pool, const wspool_config *config, const char *pattern,
                      enum wspool_kind kind, char *purpose, unsigned codec)
{
    wspool_route_options options;
    int error;
    wspool_route_options_init(&options, config);
    options.user = purpose;
    options.codec = codec;
    error = wspool_route(pool, pattern, kind, &options);
    if (error < 0) {
        fail(1, pattern, wspool_strerror(error));
    }
}

static int run(uint64_t until)
{
    return with_uring ? wspool_uring_run(uring, until) : wspool_epoll_run(sockets, until);
}

int main(int argc, char **argv)
{
    struct settings settings = settings_from(argc, argv);
    struct sigaction action;
    wspool_config config;
    wspool *pool;
    wspool_deflate *deflate = NULL;
    int error, port;

    /* All peers of a test come from one address and are in a hurry: limits are generous. What is
     * queued for a peer holds its longest message, and all that one read can ask to be echoed. */
    wspool_config_init(&config);
    config.max_peers = settings.connections;
    config.max_handshakes = settings.connections;
    config.message_bytes = settings.message_bytes;
    config.queue_bytes = settings.message_bytes + (4u << 20);
    config.queue_messages = 65536;
    config.pool_bytes = UINT64_C(2) << 30;
    config.flush_delay = settings.flush_delay * WSPOOL_SECOND / 1000000;
    config.message.call = on_message;
    if (settings.deflate) {
        error = wspool_deflate_new(&deflate, NULL);
        if (error < 0) {
            fail(1, "deflate", wspool_strerror(error));
        }
        config.codec = wspool_deflate_codec(deflate);
    }
    if (with_uring) {
        if (wspool_uring_new(&uring, &config) < 0) {
            fail(1, "--io uring (try --io epoll)", wspool_uring_why(errno));
        }
        pool = wspool_uring_pool(uring);
    } else {
        if (wspool_epoll_new(&sockets, &config) < 0) {
            fail(1, "epoll", strerror(errno));
        }
        pool = wspool_sockets_pool(sockets);
    }
    /* Who talks much is worth the memory of a context. */
    add_route(pool, &config, "/echo", WSPOOL_NONE, &echo_route, WSPOOL_DEFLATE_TAKEOVER);
    add_route(pool, &config, "/room/{name}", WSPOOL_ITEM, &room_route, 0);
    add_route(pool, &config, "/publish", WSPOOL_NONE, &publish_route, 0);

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    port = with_uring ? wspool_uring_listen(uring, settings.host, settings.port)
                      : wspool_sockets_listen(sockets, settings.host, settings.port);
    if (port < 0) {
        fail(1, settings.host, errno == EINVAL ? "not a numeric address" : strerror(errno));
    }
    printf(strchr(settings.host, ':') ? "listening on ws://[%s]:%d\n" : "listening on ws://%s:%d\n",
           settings.host, port);
    fflush(stdout);

    if (run(UINT64_MAX) < 0) { /* until a signal comes */
        fail(1, "loop", strerror(errno));
    }
    with_uring ? wspool_uring_drain(uring, DRAIN_WINDOW, WSPOOL_CLOSE_DRAIN, NULL, NULL)
               : wspool_sockets_drain(sockets, DRAIN_WINDOW, WSPOOL_CLOSE_DRAIN, NULL, NULL);
    run(wspool_clock() + DRAIN_DEADLINE); /* or until a second one does */

    action.sa_handler = SIG_IGN; /* the handler must not see what is freed */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    wspool_uring_free(uring); /* one of them is NULL */
    wspool_sockets_free(sockets);
    wspool_deflate_free(deflate);
    return 0;
}
