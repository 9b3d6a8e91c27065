/* SPDX-License-Identifier: MIT */
/*
 * loop/host.h - a server on an adapter, what its hooks were told, and its clients, in one thread.
 *
 * Included once by a test. An adapter plugs in with a `struct adapter` named `adapter`, which the
 * test defines below the include; on_epoll.h is the shortest one to copy. What may be defined
 * before (the defaults are right for all that stands on wspool/sockets.h):
 *
 *     LOOP(name), LOOP_TYPE   the calls of the engine, and its type
 *     LOOP_FLUSH(host)        writes all output, without a look at what came
 *     CLIENTS                 how many a host may have
 *
 *     struct host host;
 *     host_init(&host);       // host.config may be changed now ...
 *     host_start(&host);      // ... and host.react from here on
 *     client = host_client(&host, "/echo");
 *     net_client_text(client, "hello", 5);
 *     UNTIL(&host, client->in.messages == 1);
 *     host_end(&host);        // all is told, the books balance
 */
#ifndef WSPOOL_TEST_LOOP_HOST_H
#define WSPOOL_TEST_LOOP_HOST_H

#include "net.h"

#ifndef LOOP
#include <wspool/sockets.h>
#define LOOP(name) wspool_sockets_##name
#define LOOP_TYPE wspool_sockets
#define LOOP_FLUSH(host) wspool_sockets_turn((host)->loop)
#endif
#ifndef CLIENTS
#define CLIENTS 8
#endif

struct host;

/* What exactly the engine waits for on the socket of a peer. */
enum awaited { FOR_NOTHING, FOR_BYTES, FOR_ROOM };

/* How a loop is driven. */
struct adapter {
    const char *name;
    /* Makes host->loop from host->config; a loop of the host's own goes into host->base. 0 or -1 */
    int (*make)(struct host *host);
    /* Runs the loop until it has done something, or wspool_clock reaches `until` (0: it does not
     * sleep; UINT64_MAX: no bound). 0 or -1 */
    int (*turn)(struct host *host, uint64_t until);
    /* host->loop was freed: frees host->base. May be NULL */
    void (*end)(struct host *host);
    /* Has the loop call this once, after so many nanoseconds: outside of any turn of the engine.
     * NULL: the loop has no timers for the host */
    void (*after)(struct host *host, uint64_t delay, void (*call)(void *user), void *user);
    /* For loops that are the adapter's own, else NULL: takes turns as wspool_epoll_run does */
    int (*run)(struct host *host, uint64_t until);
    /* Can a sleep be told nanoseconds here? NULL: no */
    int (*sleeps_exactly)(void);
    /* NULL: what net.h has seen of the watcher hooks tells it */
    int (*is_awaited)(struct host *host, wspool_id id, enum awaited what);
};
static const struct adapter adapter;

struct host {
    LOOP_TYPE *loop; /* the engine */
    wspool *pool;
    void *base; /* the loop of the host's own, if it has one */
    wspool_config config;
    unsigned port;
    net_client clients[CLIENTS];
    size_t count;
    /* what the hooks were told */
    unsigned opened;
    wspool_id ids[CLIENTS]; /* in the order of opening */
    unsigned closed;
    wspool_closed last;
    unsigned ends[WSPOOL_END_COUNT];
    unsigned messages;
    void (*react)(struct host *host, wspool_id id, const wspool_message *message);
    wspool_id asked; /* the peer whose verdict is pending */
};

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    struct host *host = user;
    (void)pool;
    (void)opened;
    if (host->opened < CLIENTS)
        host->ids[host->opened] = id;
    host->opened++;
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    struct host *host = user;
    (void)pool;
    (void)id;
    host->closed++;
    host->last = *closed;
    host->ends[closed->why]++;
}

/* Echoes, unless the test has a reaction of its own. */
static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    struct host *host = user;
    wspool_send_options options = {.size = sizeof(options),
                                   .flags = message->binary ? WSPOOL_BINARY : 0};
    host->messages++;
    if (host->react)
        host->react(host, id, message);
    else
        assert_int_equal(wspool_send(pool, id, message->data, message->len, &options), 0);
}

/* A reaction: echoes short messages. Longer ones only cause load. */
static inline void answer_words(struct host *host, wspool_id id, const wspool_message *message)
{
    if (message->len < 10)
        wspool_send(host->pool, id, message->data, message->len, NULL);
}

/* The configuration may be changed between these two. */
static void host_init(struct host *host)
{
    memset(host, 0, sizeof(*host));
    wspool_config_init(&host->config);
    host->config.open.call = on_open;
    host->config.open.user = host;
    host->config.close.call = on_close;
    host->config.close.user = host;
    host->config.message.call = on_message;
    host->config.message.user = host;
}

/* Without a listener. */
static void host_make(struct host *host)
{
    assert_int_equal(adapter.make(host), 0);
    host->pool = LOOP(pool)(host->loop);
    assert_int_equal(wspool_route(host->pool, "/echo", WSPOOL_NONE, NULL), 0);
    assert_int_equal(wspool_route(host->pool, "/room/{name}", WSPOOL_ITEM, NULL), 0);
}

static inline void host_start(struct host *host)
{
    host_make(host);
    int port = LOOP(listen)(host->loop, "127.0.0.1", 0);
    assert_true(port > 0);
    host->port = (unsigned)port;
}

/* Runs the loop until it has done something, for `ms` milliseconds at most. -1: no bound. */
static int host_sleep(struct host *host, int ms)
{
    uint64_t until = ms < 0   ? UINT64_MAX
                     : ms > 0 ? wspool_clock() + (uint64_t)ms * WSPOOL_MILLISECOND
                              : 0;
    return adapter.turn(host, until);
}

/* Runs until then, or until the engine is drained. */
static inline int host_run(struct host *host, uint64_t until)
{
    if (adapter.run)
        return adapter.run(host, until);
    while (!LOOP(drained)(host->loop) && wspool_clock() < until)
        if (adapter.turn(host, until) < 0)
            return -1;
    return 0;
}

static void host_turn(struct host *host)
{
    for (size_t i = 0; i < host->count; i++)
        net_client_turn(&host->clients[i]);
    assert_int_equal(host_sleep(host, 1), 0);
    for (size_t i = 0; i < host->count; i++)
        net_client_turn(&host->clients[i]);
}

/* Takes turns until `condition` holds. */
#define UNTIL(host, condition) \
    for (uint64_t since_ = 0; !(condition) && net_patient(&since_);) \
    host_turn(host)

static inline net_client *host_client(struct host *host, const char *target)
{
    net_client *client = &host->clients[host->count++];
    unsigned before = host->opened;
    net_client_open(client, host->port, target);
    UNTIL(host, host->opened > before && client->in.status == 101);
    return client;
}

/* Returns the number of open transports. */
static uint32_t host_count(const struct host *host)
{
    return LOOP(count)(host->loop);
}

/* A number of LOOP(stats_read). */
#define HOST_STAT(host, name) (LOOP(stats_read)((host)->loop, net_loop_stats), net_loop_stats->name)
static LOOP(stats) net_loop_stats[1] = {{.size = sizeof(LOOP(stats))}};

static inline int is_awaited(struct host *host, wspool_id id, enum awaited what)
{
    return adapter.is_awaited
               ? adapter.is_awaited(host, id, what)
               : net_watched(LOOP(descriptor)(host->loop, id)) == (what == FOR_BYTES  ? 1u
                                                                   : what == FOR_ROOM ? 2u
                                                                                      : 4u);
}

/* Frees the engine and the loop. */
static void host_free(struct host *host)
{
    assert_int_equal(LOOP(free)(host->loop), 0);
    if (adapter.end)
        adapter.end(host);
}

static void host_end(struct host *host)
{
    for (size_t i = 0; i < host->count; i++) {
        assert_null(host->clients[i].in.fault);
        net_client_free(&host->clients[i]);
    }
    if (host_count(host) > 0)
        UNTIL(host, host_count(host) == 0);
    net_assert_books(host->pool);
    assert_int_equal(host->opened, host->closed);
    host_free(host);
}

#endif
