/* SPDX-License-Identifier: MIT */
/*
 * wspool/sockets.h - a pool on sockets: accept, read, write, linger, wake-up and drain, for any
 * event loop that can watch descriptors. Link with -lwspool_sockets -lwspool.
 *
 * Most hosts use it through an adapter: wspool/adapters/libuv.h, libevent.h, libev.h or glib.h for
 * a loop that already runs, epoll.h or poll.h for a host without one. An adapter's `new` makes the
 * engine and its pool. The rest of this header is the same on each of them:
 *
 *     wspool_sockets *sockets;
 *     if (wspool_libuv_new(&sockets, loop, &config) < 0 ||
 *         wspool_route(wspool_sockets_pool(sockets), "/room/{name}", WSPOOL_ITEM, NULL) < 0 ||
 *         wspool_sockets_listen(sockets, "127.0.0.1", 9001) < 0) {
 *         ...
 *     }
 *     uv_run(loop, UV_RUN_DEFAULT);
 *     wspool_sockets_free(sockets);
 *
 * What is published outside of the loop's turns goes out by itself. A host that wants to run its
 * own code each turn attaches a tick handler to the pool.
 *
 * Conventions
 *   Results  0 or a count, or -1 with errno set, as the system's calls do. An error of the pool
 *            comes as an errno too: INVAL and STATE as EINVAL, NOMEM as ENOMEM, REENTRANT as EBUSY,
 *            a stale id as ENOENT, FULL as ENOSPC, anything else as EIO.
 *   Threads  the pool's; only wspool_sockets_wake and wspool_sockets_quit may be called from any
 *            thread, and from a signal handler.
 *   Hooks    of the pool may call everything here but ready and turn (ignored), and adopt and free
 *            (EBUSY).
 *
 * Bounds
 *   64 KiB are read from a peer in a turn, at most. Output is flushed after each 3 bytes of input
 *   for each message of `queue_messages`, so a peer that reads is never taken for a slow one. 256
 *   connections are accepted in a turn. When descriptors or memory run out, accepting rests until a
 *   transport has closed, or for 100 ms. A transport that the pool has closed lingers (it sends a
 *   FIN, and discards what it receives) until the client closes it too: for `closing_time` and
 *   16 MiB at most, and 64 of them at a time.
 */
#ifndef WSPOOL_SOCKETS_H
#define WSPOOL_SOCKETS_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/wspool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool_sockets wspool_sockets;

/* ----------------------------------------------------------------- transports */

/* The pool. It belongs to the engine: wspool_sockets_free frees it. */
wspool *wspool_sockets_pool(const wspool_sockets *sockets);

/* Listens on a numeric IPv4 or IPv6 address, or on "unix:/path" (`port` is ignored; the path must
 * not exist, and is the host's to remove). Port 0 takes a free one. An IPv6 listener takes IPv6
 * only: listen twice for both. Returns the port, 0 for a path.
 * EINVAL: not a numeric address, a port above 65535, a path that is too long. ENOSPC: 8 listeners
 * are there. EADDRINUSE, EACCES and so on: the system's. */
int wspool_sockets_listen(wspool_sockets *sockets, const char *address, unsigned port);

/* Accepts on a listening socket of the host's, from a service manager for example. On success the
 * engine owns the descriptor; on failure the host still does. EINVAL: it does not listen. ENOSPC.
 *  */
int wspool_sockets_adopt_listener(wspool_sockets *sockets, int fd);

/* Closes every listener. The system resets the connections in their backlogs. */
void wspool_sockets_stop_listening(wspool_sockets *sockets);

/* Tells the pool who connects from now on (on = 1), or not (0): the numeric address of the client,
 * without a port, for the hooks and wspool_address; and as its key for config.max_per_key the IPv4
 * address or the /64 of the IPv6 address. Both are empty on a path. A peer takes 40 to 80 bytes
 * more then. Default: 1 when config.max_per_key is set, else 0. */
void wspool_sockets_addresses(wspool_sockets *sockets, int on);

/* Serves a connection that the host has accepted: the pool reads the HTTP request and answers it.
 * `user` becomes wspool_user. `id` may be NULL. The engine owns the descriptor whatever the result
 * is: on failure it is closed. ENOSPC: the pool has no room for a handshake. */
int wspool_sockets_add(wspool_sockets *sockets, int fd, void *user, wspool_id *id);

/* Hosted mode: the host has sent the 101 for `id` (wspool_upgrade) on this socket, and has read
 * these bytes behind the request. Calls wspool_adopt. The engine owns the descriptor whatever the
 * result is: on failure it is closed and the peer is gone. `fd` -1 is a failure too. */
int wspool_sockets_adopt(wspool_sockets *sockets, wspool_id id, int fd, const void *bytes,
                         size_t len);

/* The descriptor of a peer's transport: for getsockopt, getpeername and the like. Do not read,
 * write or close it. ENOENT: there is none, or `id` is stale. */
int wspool_sockets_descriptor(const wspool_sockets *sockets, wspool_id id);

/* How many transports are open. Those that linger are among them. */
uint32_t wspool_sockets_count(const wspool_sockets *sockets);

typedef struct wspool_sockets_stats {
    size_t size;          /* sizeof(wspool_sockets_stats), set by the caller */
    uint32_t open;        /* transports, those that linger among them */
    uint32_t lingering;   /* transports without a peer that wait for the client's end */
    uint32_t listeners;   /* listening sockets */
    int resting;          /* 1: accepting rests, because descriptors or memory ran out */
    uint64_t accepted;    /* connections accepted, since the beginning */
    uint64_t turned_away; /* connections closed because the pool or the loop did not take them */
} wspool_sockets_stats;

/* EINVAL: size too small. */
int wspool_sockets_stats_read(const wspool_sockets *sockets, wspool_sockets_stats *stats);

/* ------------------------------------------------------------------------ life */

/* ANY THREAD, and signal handlers, until wspool_sockets_free: take the handler away before. Makes
 * the loop take a turn soon. */
void wspool_sockets_wake(wspool_sockets *sockets);

/* The graceful end: stops listening, and begins wspool_drain with this window and code. When the
 * last transport has closed, `done` is called once, from a turn; it may be NULL. It cannot free the
 * engine (EBUSY): let it stop the loop. EINVAL: not a close code to send. */
int wspool_sockets_drain(wspool_sockets *sockets, uint64_t window, int code,
                         void (*done)(wspool_sockets *sockets, void *user), void *user);

/* 1: it was drained, and no transport is left. */
int wspool_sockets_drained(const wspool_sockets *sockets);

/* ANY THREAD, and signal handlers. Makes the run of epoll.h or poll.h return: the one under way, or
 * the next one. (A loop of the host's own has a call of its own for that.) */
void wspool_sockets_quit(wspool_sockets *sockets);

/* Frees the pool (close hooks run), closes every descriptor and leaves the loop. NULL is fine.
 * EBUSY: called from a hook; nothing was done. */
int wspool_sockets_free(wspool_sockets *sockets);

/* --------------------------------------------------------- adapters: the loop
 *
 * An adapter fills a wspool_watcher, and calls wspool_sockets_ready and wspool_sockets_turn. */

#define WSPOOL_WATCH_READ 1u
#define WSPOOL_WATCH_WRITE 2u
#define WSPOOL_WATCH_END 4u /* the client's half close; a loop that cannot tell never reports it */
#define WSPOOL_WATCH_FAILED \
    8u /* reported without being asked for: an error or hang-up. A loop that
                                  cannot tell it apart reports READ and WRITE instead */

/* The adapter calls wspool_sockets_turn after each batch of events, and its timer stays set until it
 * is replaced. Then `ready` asks for no turn, and a turn sets the timer only when the time changes.
 * (Otherwise a timer that has fired is spent.) */
#define WSPOOL_WATCHER_TURNS 1u
/* The loop never reports END: the engine looks for it every 100 ms, where END is awaited. */
#define WSPOOL_WATCHER_NO_END 2u

typedef struct wspool_watcher {
    size_t size; /* sizeof(wspool_watcher) */
    void *loop;  /* first argument of the hooks */

    /* Watches a descriptor for exactly these events (READ, WRITE, END), level-triggered, and
     * reports them with `tag`. 0 events: stops watching it, and sets *handle to NULL; the engine
     * closes the descriptor next, or watches it again later. *handle is the adapter's own word for
     * this descriptor, NULL at first; `tag` is the same for as long as it is not NULL. Returns 0,
     * or -1 with errno (never for 0 events). */
    int (*watch)(void *loop, int fd, unsigned events, uint64_t tag, void **handle);

    /* Sets the only timer: wspool_sockets_turn is to be called when wspool_clock reaches `when`;
     * 0: as soon as the hook's caller has returned to the loop, and before the loop sleeps;
     * UINT64_MAX: not at all. Replaces the time that was set before. */
    void (*timer)(void *loop, uint64_t when);

    /* The engine is being freed, or could not be made: nothing is watched any more. It does not
     * touch `loop` again, so the adapter may free it here. May be NULL. */
    void (*stop)(void *loop);

    unsigned flags; /* WSPOOL_WATCHER_TURNS, WSPOOL_WATCHER_NO_END */
} wspool_watcher;

/* Makes the engine, and its pool with this configuration (NULL: the defaults), whose wake and
 * deadline hooks must be empty: the engine fills them. The watcher is copied. `watch` and `timer`
 * are called already. On failure `stop` was called, and *sockets is NULL.
 * EINVAL: as for wspool_new, or half a watcher. ENOMEM, EMFILE, EIO (no entropy). */
int wspool_sockets_new(wspool_sockets **sockets, const wspool_config *config,
                       const wspool_watcher *watcher);

/* Events of the descriptor with this tag. A tag that is stale is ignored, so a batch may go on
 * after a descriptor in it was closed. Asks for a turn (timer 0). */
void wspool_sockets_ready(wspool_sockets *sockets, uint64_t tag, unsigned events);

/* One turn: ticks the pool, writes all output, and sets the timer anew. Call it when the timer
 * fires. A loop that knows where a batch of events ends calls it there, and saves a wake-up. */
void wspool_sockets_turn(wspool_sockets *sockets);

/* For an adapter's run: 0 when wspool_sockets_quit was called (that is forgotten by this), when
 * wspool_clock has reached `until`, or when the engine is drained. Otherwise 1. */
int wspool_sockets_goes_on(wspool_sockets *sockets, uint64_t until);

/* watcher.loop. */
void *wspool_sockets_loop(const wspool_sockets *sockets);

/* From `now` to `when` in milliseconds, as poll and epoll_wait want it: rounded up, so that a sleep
 * is never too short, INT_MAX at most, and -1 when `when` is UINT64_MAX. */
int wspool_sockets_ms(uint64_t now, uint64_t when);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
