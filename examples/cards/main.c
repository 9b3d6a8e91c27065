/* SPDX-License-Identifier: MIT */
/*
 * main.c - a board of cards that several browsers share: WebSockets added to a plain HTTP server.
 *
 * The HTTP server is libmicrohttpd, and the pool works in hosted mode (see glue.c). One thread
 * waits on one epoll descriptor, which contains the descriptors of both.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "app.h"
#include "http.h"
#include "options.h"
#include "peers.h"
#include "runs.h"

#define DRAIN_WINDOW (4 * WSPOOL_SECOND)       /* every peer is told to leave in its first half */
#define DRAIN_DEADLINE (9 * WSPOOL_SECOND / 2) /* peers that are left then are cut off */
#define DESCRIPTORS_KEPT 24                    /* for files and the program itself */
#define HTTP_SHARE 8                           /* HTTP connections may have an eighth of the rest */
#define HTTP_MIN 24                            /* ... at least this, */
#define HTTP_MAX 1000                          /* and at most this */

static struct app app;
static volatile sig_atomic_t told_to_end; /* number of signals received */

static void on_signal(int number)
{
    (void)number;
    told_to_end++;
    wspool_sockets_wake(app.sockets);
}

/* ----------------------------------------------------------------------- setup */

/* Raises the limit of descriptors as far as allowed, and shares them out: sets app.descriptors.
 * Returns the number of HTTP connections. */
static uint32_t share_descriptors(void)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    uint32_t all = limit.rlim_cur > 1u << 30 ? 1u << 30 : (uint32_t)limit.rlim_cur;
    uint32_t rest = all > DESCRIPTORS_KEPT ? all - DESCRIPTORS_KEPT : 0;
    uint32_t http = rest / HTTP_SHARE < HTTP_MIN   ? HTTP_MIN
                    : rest / HTTP_SHARE > HTTP_MAX ? HTTP_MAX
                                                   : rest / HTTP_SHARE;
    app.descriptors = rest > http ? rest - http : 1;
    return http;
}

/* The page is in the source tree, two folders above the program. */
static int open_web(const char *given)
{
    char program[PATH_MAX], path[PATH_MAX + 32];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program));
    int fd;

    while (len > 0 && program[len - 1] != '/') {
        len--;
    }
    snprintf(path, sizeof(path), "%.*s../../examples/cards/web", (int)(len > 0 ? len : 0), program);
    fd = open(given ? given : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "cards: %s: %s: no web page is served\n", given ? given : path,
                strerror(errno));
    }
    return fd;
}

/* Returns 0, or -1 if they cannot be stored. */
static int add_demo_cards(void)
{
    static const struct card_patch patches[] = {
        {"Open this page in a second window, and move me: I move in both", "backlog"},
        {"Drag me to another column", "backlog"},
        {"Press Run. Everybody sees how far it is", "plan"},
        {"Cut the connection, below: this page is back before you notice", "implement"},
        {"Freeze this tab, below, and change cards in the other window: nothing is lost", "test"},
        {"Say something in the chat, and load the page again: it is still there", "review"},
        {"Delete me, and take it back", "done"},
    };
    struct card draft;
    size_t i;
    for (i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
        if (card_draft(&app.cards, NULL, &patches[i], &draft) < 0) {
            return -1;
        }
        cards_put(&app.cards, &draft);
        if (store_card(app.store, &draft) < 0) {
            return -1;
        }
    }
    return 0;
}

static int start(const struct options *options)
{
    struct sigaction action = {.sa_flags = 0};
    uint32_t most = share_descriptors();
    int port;

    app.demo = options->demo;
    app.loopback = options->loopback;
    app.per_address = options->per_address;
    app.poll_time = options->poll_seconds * WSPOOL_SECOND;
    app.web = open_web(options->web);
    if (options->web && app.web < 0) {
        return -1;
    }
    if (!options->no_tokens) {
        app.tokens = tokens_new(options->secret, options->token_seconds);
        if (options->secret) { /* nothing that can read our memory finds it */
            explicit_bzero(options->secret, strlen(options->secret));
        }
    } else {
        fputs("cards: no token is asked for: every user of this machine may connect\n", stderr);
    }
    if (options->db && store_open(&app.store, options->db, &app.cards) < 0) {
        return -1;
    }
    if (options->demo && app.cards.last_id == 0 && add_demo_cards() < 0) {
        return -1;
    }
    action.sa_handler = SIG_IGN; /* libmicrohttpd sends files with sendfile, which has no
                                    MSG_NOSIGNAL */
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL); /* a database that may not grow is a full one */
    if ((!options->no_tokens && !app.tokens) || peers_start(&app, options) < 0) {
        return -1;
    }
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    port = http_start(&app, (const struct sockaddr *)&options->address, most);
    if (port < 0) {
        fprintf(stderr, "cards: %s, port %u: %s\n", options->host, options->port,
                errno ? strerror(errno) : "libmicrohttpd cannot listen there");
        return -1;
    }
    printf(strchr(options->host, ':') ? "listening on http://[%s]:%d\n"
                                      : "listening on http://%s:%d\n",
           options->host, port);
    fflush(stdout);
    return 0;
}

/* ------------------------------------------------------------------------ loop */

/* Returns the shorter of two waits in milliseconds; -1 means no limit. */
static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int ms_until(uint64_t then)
{
    uint64_t now = wspool_clock();
    uint64_t ms = then > now ? (then - now) / WSPOOL_MILLISECOND + 1 : 0;
    return then == UINT64_MAX ? -1 : ms > 60000 ? 60000 : (int)ms;
}

static void turn(int epoll, uint64_t until)
{
    struct epoll_event events[2];
    int wait = sooner(ms_until(runs_deadline(&app)), ms_until(until));

    wait = sooner(wait, ms_until(connections_deadline(&app.connections)));
    wait = sooner(wait, http_wait_ms(&app));
    epoll_wait(epoll, events, 2, wait);
    http_turn(&app);
    runs_tick(&app, wspool_clock());
    diagnosis_tick(&app, wspool_clock());
    wspool_epoll_turn(app.sockets, 0); /* last: what the others have published goes out */
}

static int run(void)
{
    struct epoll_event readable = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t end;

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, wspool_epoll_fd(app.sockets), &readable) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, http_fd(&app), &readable) < 0) {
        perror("cards: epoll");
        return -1;
    }
    while (told_to_end == 0) {
        turn(epoll, UINT64_MAX);
    }
    end = wspool_clock() + DRAIN_DEADLINE;
    app.draining = 1;
    doors_end(&app);
    wspool_json_drain(app.json, app.pool, DRAIN_WINDOW, wspool_clock());
    while (told_to_end == 1 && wspool_sockets_count(app.sockets) > 0 && wspool_clock() < end) {
        turn(epoll, end);
    }
    close(epoll);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = options_read(argc, argv);
    struct sigaction action = {.sa_flags = 0};
    if (start(&options) < 0 || run() < 0) {
        return 1;
    }
    action.sa_handler = SIG_IGN; /* the handler must not see what is freed */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    http_stop(&app);
    peers_stop(&app);
    store_close(app.store); /* after everything that is published */
    tokens_free(app.tokens);
    cards_clear(&app.cards);
    if (app.web >= 0) {
        close(app.web);
    }
    return 0;
}
