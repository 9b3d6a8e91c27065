/* SPDX-License-Identifier: MIT */
/*
 * wspool/sockets.h - a pool on sockets: accept, read, write, linger, wake-up and drain, for any
 * event loop that can watch descriptors. Link with -lwspool_sockets -lwspool.
 *
 * An adapter makes the engine and its pool: wspool/adapters/libuv.h, libevent.h, libev.h or glib.h
 * on a loop that already runs, epoll.h or poll.h for a host without one, or your own
 * (wspool/watcher.h). All other calls are the same on each loop:
 *
 *     wspool_sockets *sockets;
 *     if (wspool_libuv_new(&sockets, loop, &config) < 0 ||
 *         wspool_route(wspool_sockets_pool(sockets), "/room/{name}", WSPOOL_ITEM, NULL) < 0 ||
 *         wspool_sockets_listen(sockets, "127.0.0.1", 9001) < 0) ...
 *     uv_run(loop, UV_RUN_DEFAULT);
 *     wspool_sockets_free(sockets);
 *
 * A publication outside of the loop's turns goes out by itself. A tick handler of the pool
 * (wspool/handlers.h) runs in each turn.
 *
 * Results  0 or a count, or -1 with errno. An error of the pool becomes an errno: INVAL and STATE
 *          EINVAL, NOMEM ENOMEM, REENTRANT EBUSY, STALE ENOENT, FULL ENOSPC, any other EIO.
 *          An adapter that makes no engine says EINVAL if the configuration is wrong
 *          (wspool_config_fault names the member) or has a hook `wake` or `deadline`.
 * Time     The engine passes wspool_clock() to the pool. Do the same where a call of the pool takes
 *          `now` or a time.
 * Threads  Call from the pool's thread. Only wspool_sockets_wake and wspool_sockets_quit may be
 *          called from any thread, and from a signal handler; wspool_sockets_key from any thread.
 * Hooks    A hook of the pool may call everything here except adopt and free (EBUSY).
 * Bounds   A turn reads at most 64 KiB from a peer, and accepts at most 16 connections. Output is
 *          flushed after every 3 bytes of input for each message of `queue_messages`: a peer that
 *          reads is never too slow. Without descriptors or memory, accepting pauses until a
 *          transport closes, or for 100 ms.
 * Linger   When the pool has closed a transport, the engine sends a FIN and discards input until
 *          the client closes, for `closing_time` (in a drain 1 s) and 16 MiB at most. At most 64
 *          transports linger, and only those on which something has come. A client that has not
 *          taken all output by then is reset; so is one that cannot linger and has more than 4 KiB
 *          to take.
 * Memory   A peer holds at most its record, `queue_bytes` of shared messages, an incomplete message
 *          of `message_bytes`, and in the kernel 256 KiB of output (wspool_sockets_kernel_bytes)
 *          and the buffer for its input. The kernel disconnects a TCP client that does not
 *          acknowledge output for `flush_time` and `closing_time` together (10 s at least).
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

/* The pool. wspool_sockets_free frees it. */
wspool *wspool_sockets_pool(const wspool_sockets *sockets);

/* ------------------------------------------------------------------ transports */

/* Listens on a numeric IPv4 or IPv6 address (also "fe80::1%eth0"), on "unix:/path", or on a name:
 * on each of its addresses that this machine has. Looking up a name may block for seconds: do it
 * before the loop runs. "::" takes IPv6 only: listen on "0.0.0.0" as well. Port 0 takes a free
 * port. Returns the port, or 0 for a path, whose `port` is ignored. The path must not exist; the
 * host removes it at the end. EINVAL: no address and no known name, or a bad port or path. ENOSPC:
 * 8 listeners exist. EADDRINUSE, EACCES, ... */
int wspool_sockets_listen(wspool_sockets *sockets, const char *address, unsigned port);

/* Accepts on a listening socket of the host, and owns it unless this fails. EINVAL: it does not
 * listen. ENOSPC: 8 listeners exist. */
int wspool_sockets_adopt_listener(wspool_sockets *sockets, int fd);

/* Closes every listener. The system resets connections that were not accepted yet. */
void wspool_sockets_stop_listening(wspool_sockets *sockets);

/* The most kernel memory for a client's output, for connections from now on. Default: 256 KiB. 0:
 * the system decides (up to 4 MiB on Linux), as it does for a path. A client gets at most half of
 * it per round trip: raise it for fast clients that are far away. */
void wspool_sockets_kernel_bytes(wspool_sockets *sockets, size_t bytes);

/* Sets that limit, and the time in which output must be acknowledged, on a TCP socket of the host:
 * best on the listener of its HTTP server, since connections inherit them. Every listener of
 * the engine has them. */
void wspool_sockets_limit(const wspool_sockets *sockets, int fd);

/* 1: new clients have their numeric address without the port (wspool_address), and
 * config.max_per_key counts them by IPv4 address or IPv6 /64; clients of a path have neither. 0:
 * saves 40 to 80 bytes per peer. Default: 1 if the configuration limits keys (max_per_key, key_*). */
void wspool_sockets_addresses(wspool_sockets *sockets, int on);

/* Writes the key of a client whose address the host has as text, from the header of a proxy that it
 * trusts: for wspool_open_options.key and wspool_request.key, the same key that
 * wspool_sockets_addresses gives. Returns its length: 4, an IPv4 address (also one that is mapped
 * into IPv6), or 8, the /64 of an IPv6 address. EINVAL: anything but one numeric address, as with a
 * port, brackets, a zone, a blank or a list. It resolves no name. Any thread. */
int wspool_sockets_key(wspool_text address, unsigned char key[8]);

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

/* Serves an accepted connection from its HTTP request on. `user` becomes wspool_user; `id` may be
 * NULL. Owns the descriptor, and closes it on failure. ENOSPC: config.max_handshakes is reached.
 * EMFILE: the descriptor is above 16,777,215. */
int wspool_sockets_add(wspool_sockets *sockets, int fd, void *user, wspool_id *id);

/* Serves `id` of wspool_upgrade on this socket, when the host has sent the 101. `bytes`: what the
 * host has read behind the request. On failure closes the descriptor (-1 is allowed), and the peer
 * is gone. */
int wspool_sockets_adopt(wspool_sockets *sockets, wspool_id id, int fd, const void *bytes,
                         size_t len);

/* A peer's descriptor, for getsockopt and the like: do not read, write or close it. ENOENT: the
 * peer has no transport, or `id` is stale. */
int wspool_sockets_descriptor(const wspool_sockets *sockets, wspool_id id);

/* The number of open transports, also of those that linger. */
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

/* ANY THREAD, and signal handlers: the loop takes a turn soon. Remove such a handler before
 * wspool_sockets_free. */
void wspool_sockets_wake(wspool_sockets *sockets);

/* Stops listening and begins wspool_drain. When the last transport has closed, a turn calls `done`
 * once (NULL: no call). It can stop the loop, but not free the engine (EBUSY). EINVAL: the code
 * cannot be sent. */
int wspool_sockets_drain(wspool_sockets *sockets, uint64_t window, int code,
                         void (*done)(wspool_sockets *sockets, void *user), void *user);

/* Returns 1 if the engine was drained and no transport is open. */
int wspool_sockets_drained(const wspool_sockets *sockets);

/* ANY THREAD, and signal handlers: ends the present `run` of epoll.h or poll.h, or the next. */
void wspool_sockets_quit(wspool_sockets *sockets);

/* Frees the pool (close hooks run), closes every descriptor and leaves the loop. NULL is allowed.
 * EBUSY: called from a hook; nothing was done. */
int wspool_sockets_free(wspool_sockets *sockets);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
