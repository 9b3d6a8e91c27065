/* SPDX-License-Identifier: MIT */
/*
 * wspool/sockets.h - a pool on sockets: accept, read, write, linger, wake-up and drain, for any
 * event loop that can watch descriptors. Link with -lwspool_sockets -lwspool.
 *
 * Use it through an adapter: wspool/adapters/libuv.h, libevent.h, libev.h or glib.h for a loop that
 * already runs, epoll.h or poll.h for a host without one. The adapter's `new` makes the engine and
 * its pool. All other calls are the same on each loop:
 *
 *     wspool_sockets *sockets;
 *     if (wspool_libuv_new(&sockets, loop, &config) < 0 ||
 *         wspool_route(wspool_sockets_pool(sockets), "/room/{name}", WSPOOL_ITEM, NULL) < 0 ||
 *         wspool_sockets_listen(sockets, "127.0.0.1", 9001) < 0) ...
 *     uv_run(loop, UV_RUN_DEFAULT);
 *     wspool_sockets_free(sockets);
 *
 * A publication outside of the loop's turns goes out by itself. To run code in each turn, attach a
 * tick handler to the pool (wspool/handlers.h).
 *
 * Results  0 or a count, or -1 with errno. An error of the pool becomes an errno: INVAL and STATE
 *          EINVAL, NOMEM ENOMEM, REENTRANT EBUSY, STALE ENOENT, FULL ENOSPC, any other EIO.
 * Threads  Call from the pool's thread. Only wspool_sockets_wake and wspool_sockets_quit may be
 *          called from any thread, and from a signal handler.
 * Hooks    A hook of the pool may call everything here except adopt and free, which fail with
 *          EBUSY, and ready and turn, which do nothing.
 * Bounds   A turn reads 64 KiB from a peer at most, and accepts 256 connections at most. Output is
 *          flushed after every 3 bytes of input for each message of `queue_messages`, so a peer
 *          that reads is never too slow. When descriptors or memory run out, accepting pauses until
 *          a transport closes, or for 100 ms. A transport that the pool has closed lingers: the
 *          engine sends a FIN and discards input until the client closes, for `closing_time` and 16
 *          MiB at most (in a drain for 1 s). At most 64 transports linger. One on which nothing has
 *          come does not linger. A client that has not taken all output by then is reset; so is one
 *          that cannot linger and has more than 4 KiB to take.
 * Memory   A peer holds at most its record, `queue_bytes` of shared messages, one incomplete
 *          message of `message_bytes`, and in the kernel 256 KiB of output
 *          (wspool_sockets_kernel_bytes) and the buffer for its input. A TCP client that does not
 *          acknowledge output for `flush_time` and `closing_time` together (10 s at least) is
 *          disconnected by the kernel.
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

/* The pool. It belongs to the engine: wspool_sockets_free frees it. */
wspool *wspool_sockets_pool(const wspool_sockets *sockets);

/* ------------------------------------------------------------------ transports */

/* Listens on a numeric IPv4 or IPv6 address (also with a zone: "fe80::1%eth0"), on "unix:/path", or
 * on a name: on each address of it that this machine has. Looking up a name may block for seconds,
 * so do it before the loop runs. Returns the port, 0 for a path. Port 0 takes a free port. "::"
 * takes IPv6 only: listen on "0.0.0.0" as well. A path must not exist; the host removes it at the
 * end; `port` is ignored.
 * EINVAL: no address, and no known name; or a bad port or path. ENOSPC: 8 listeners exist.
 * EADDRINUSE, EACCES, ... */
int wspool_sockets_listen(wspool_sockets *sockets, const char *address, unsigned port);

/* Accepts on a listening socket of the host. The engine owns the descriptor on success, the host on
 * failure. EINVAL: the socket does not listen. ENOSPC: 8 listeners exist. */
int wspool_sockets_adopt_listener(wspool_sockets *sockets, int fd);

/* Closes every listener. The system resets the connections that were not accepted yet. */
void wspool_sockets_stop_listening(wspool_sockets *sockets);

/* The most memory that the kernel holds of a client's output, for connections from now on: 256 KiB.
 * 0: the system decides (up to 4 MiB on Linux). A client gets at most half of it per round trip, so
 * raise it for fast clients that are far away. A path has the system's limit. */
void wspool_sockets_kernel_bytes(wspool_sockets *sockets, size_t bytes);

/* Sets that limit, and the time in which output must be acknowledged, on a TCP socket that the host
 * opened. Best for the listener of the host's HTTP server, since its connections inherit them. The
 * listeners of `listen` and `adopt_listener` have them. */
void wspool_sockets_limit(const wspool_sockets *sockets, int fd);

/* 1: wspool_address and the hooks get the numeric address of each new client, without its port, and
 * config.max_per_key counts clients by IPv4 address or IPv6 /64. Clients of a path have neither.
 * 0: no addresses, and 40 to 80 bytes less per peer. Default: 1 if config.max_per_key is set. */
void wspool_sockets_addresses(wspool_sockets *sockets, int on);

/* 1: listeners that are made from now on are for a proxy, which sends a header of the PROXY
 * protocol (version 1 or 2) before the bytes of each client. The address in it replaces the
 * connection's, for wspool_address, hooks and config.max_per_key; addresses are switched on.
 * Whoever can connect there chooses its address, so listen where only the proxy can. The proxy's
 * own connections (UNKNOWN, LOCAL) keep their address, and a client of a path has none.
 *
 * A connection is reset if its header is malformed, is longer than 107 bytes (version 1) or 536
 * (version 2), or has not come whole within config.handshake_time. It counts as turned_away, and
 * config.log gets a record "refused" with the reason "proxy_header", at most ten a second. 1,024
 * connections may wait for their header; beyond that, they are closed. 0: no header. Default: 0. */
void wspool_sockets_proxied(wspool_sockets *sockets, int on);

/* Serves an accepted connection: the pool reads the HTTP request and answers it. `user` becomes
 * wspool_user; `id` may be NULL. The engine owns the descriptor in any case, and closes it on
 * failure. ENOSPC: config.max_handshakes is reached. */
int wspool_sockets_add(wspool_sockets *sockets, int fd, void *user, wspool_id *id);

/* Serves `id` of wspool_upgrade on this socket, where the host has sent the 101. `bytes` are what
 * the host has read behind the request. On failure the descriptor is closed (-1 is allowed) and the
 * peer is gone. */
int wspool_sockets_adopt(wspool_sockets *sockets, wspool_id id, int fd, const void *bytes,
                         size_t len);

/* The descriptor of a peer, for getsockopt and the like. Do not read, write or close it. ENOENT:
 * the peer has no transport, or `id` is stale. */
int wspool_sockets_descriptor(const wspool_sockets *sockets, wspool_id id);

/* The number of open transports. Those that linger count. */
uint32_t wspool_sockets_count(const wspool_sockets *sockets);

typedef struct wspool_sockets_stats {
    size_t size;          /* sizeof(wspool_sockets_stats), set by the caller */
    uint32_t open;        /* transports, including those that linger or wait for a PROXY header */
    uint32_t lingering;   /* transports without a peer that wait for the client to close */
    uint32_t listeners;   /* listening sockets */
    int resting;          /* 1: accepting pauses, because descriptors or memory ran out */
    uint64_t accepted;    /* connections accepted */
    uint64_t turned_away; /* connections closed because the pool or the loop refused them */
} wspool_sockets_stats;

/* EINVAL: size too small. */
int wspool_sockets_stats_read(const wspool_sockets *sockets, wspool_sockets_stats *stats);

/* ------------------------------------------------------------------------ life */

/* ANY THREAD, and signal handlers, until wspool_sockets_free. The loop takes a turn soon. Remove
 * such a handler before wspool_sockets_free. */
void wspool_sockets_wake(wspool_sockets *sockets);

/* Stops listening and begins wspool_drain with this window and code. When the last transport has
 * closed, a turn calls `done` once (NULL: no call). It can stop the loop, but not free the engine
 * (EBUSY). EINVAL: the code cannot be sent. */
int wspool_sockets_drain(wspool_sockets *sockets, uint64_t window, int code,
                         void (*done)(wspool_sockets *sockets, void *user), void *user);

/* Returns 1 if the engine was drained and no transport is open. */
int wspool_sockets_drained(const wspool_sockets *sockets);

/* ANY THREAD, and signal handlers. Ends the current `run` of epoll.h or poll.h, or else the next.
 *  */
void wspool_sockets_quit(wspool_sockets *sockets);

/* Frees the pool (close hooks run), closes every descriptor and leaves the loop. NULL is allowed.
 * EBUSY: called from a hook; nothing was done. */
int wspool_sockets_free(wspool_sockets *sockets);

/* -------------------------------------------------------------------- adapters
 *
 * An adapter fills a wspool_watcher, and calls wspool_sockets_ready and wspool_sockets_turn. */

#define WSPOOL_WATCH_READ 1u
#define WSPOOL_WATCH_WRITE 2u
#define WSPOOL_WATCH_END 4u    /* the client has closed its direction */
#define WSPOOL_WATCH_FAILED 8u /* an error or hang-up. Only reported; else report READ and WRITE */

#define WSPOOL_WATCHER_TURNS \
    1u /* turn is called after each batch, and a timer that has fired stays
                                    set: ready sets no timer, and turn only a new time */
#define WSPOOL_WATCHER_NO_END 2u /* the loop cannot report END: the engine checks every 100 ms */

typedef struct wspool_watcher {
    size_t size; /* sizeof(wspool_watcher) */
    void *loop;  /* first argument of the hooks */

    /* Watches a descriptor for exactly these events (READ, WRITE, END), level-triggered, and
     * reports them with `tag`. 0 events: stops watching, and sets *handle to NULL. *handle is the
     * adapter's word for this descriptor, NULL at first; `tag` is constant while it is not NULL.
     * Returns 0, or -1 with errno (never for 0 events). */
    int (*watch)(void *loop, int fd, unsigned events, uint64_t tag, void **handle);

    /* Sets the only timer, which calls wspool_sockets_turn when wspool_clock reaches `when`. 0: as
     * soon as control is back in the loop, before it sleeps. UINT64_MAX: never. */
    void (*timer)(void *loop, uint64_t when);

    /* May be NULL. The engine is freed, or could not be made. Nothing is watched, and `loop` is not
     * used any more: the adapter may free it. */
    void (*stop)(void *loop);

    unsigned flags; /* WSPOOL_WATCHER_* */
} wspool_watcher;

/* Makes the engine and its pool (config NULL: the defaults). config.wake and config.deadline must
 * be empty: the engine fills them. Copies the watcher, and calls `watch` and `timer`. On failure
 * calls `stop` and sets *sockets to NULL. EINVAL: as wspool_new, or no `watch` or `timer`. ENOMEM,
 * EMFILE, EIO (no entropy). */
int wspool_sockets_new(wspool_sockets **sockets, const wspool_config *config,
                       const wspool_watcher *watcher);

/* Handles events of the descriptor with this tag, and sets the timer to 0. A stale tag is ignored:
 * a batch may go on after one of its descriptors was closed. */
void wspool_sockets_ready(wspool_sockets *sockets, uint64_t tag, unsigned events);

/* One turn: ticks the pool, writes all output, and sets the timer. Call it when the timer fires,
 * and at the end of each batch of events if the loop knows where that is. */
void wspool_sockets_turn(wspool_sockets *sockets);

/* For an adapter's run. Returns 0 after wspool_sockets_quit (once), when wspool_clock has reached
 * `until`, and when the engine is drained; otherwise 1. */
int wspool_sockets_goes_on(wspool_sockets *sockets, uint64_t until);

/* Returns watcher.loop. */
void *wspool_sockets_loop(const wspool_sockets *sockets);

/* Returns the milliseconds from `now` to `when`, as poll and epoll_wait want them: rounded up,
 * INT_MAX at most, -1 if `when` is UINT64_MAX. */
int wspool_sockets_ms(uint64_t now, uint64_t when);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
