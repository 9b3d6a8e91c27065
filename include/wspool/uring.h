/* SPDX-License-Identifier: MIT */
/*
 * wspool/uring.h - a pool on Linux's io_uring. Link with -lwspool_uring -lwspool.
 *
 * It does what wspool/sockets.h does, with the same calls by another name, but on completions: a
 * turn is two system calls, however many peers take part in it. It needs Linux 6.0 (6.1 is better)
 * and brings its own loop:
 *
 *     wspool_uring *uring;
 *     if (wspool_uring_new(&uring, &config) < 0) {
 *         fprintf(stderr, "%s\n", wspool_uring_why(errno));
 *         ...
 *     }
 *     wspool_route(wspool_uring_pool(uring), "/room/{name}", WSPOOL_ITEM, NULL);
 *     wspool_uring_listen(uring, "127.0.0.1", 9001);
 *     wspool_uring_run(uring, UINT64_MAX);
 *     wspool_uring_free(uring);
 *
 * It does not fall back to epoll by itself: that is another library, which a host may not want. If
 * wspool_uring_new fails, make the other engine with the same configuration; routes and hooks are
 * the same for its pool. examples/echo --io auto does so:
 *
 *     if (wspool_uring_new(&uring, &config) < 0 && wspool_epoll_new(&sockets, &config) < 0) ...
 *     pool = uring ? wspool_uring_pool(uring) : wspool_sockets_pool(sockets);
 *
 * It can be nested in any other loop: watch wspool_uring_fd(uring) for reading, and call
 * wspool_uring_turn(uring, 0) when it is readable. The kernel may interrupt the sleep of that loop
 * (EINTR). A publication outside of a turn goes out by itself.
 *
 * Results  As in wspool/sockets.h: 0 or a count, or -1 with errno.
 * Threads  The thread of the first turn is the pool's. Before that turn, peers and listeners may be
 *          added from any thread. Only wspool_uring_wake and wspool_uring_quit may be called from
 *          any thread, and from a signal handler.
 * Hooks    A hook of the pool may call everything here except turn, run, adopt and free (EBUSY).
 * Bounds   A turn reads 64 buffers of 16 KiB. A peer that found none is first in the next turn.
 *          Half-closed peers that are not read from are looked at every 100 ms. Flushing,
 *          accepting, lingering and waiting for a PROXY header: as in wspool/sockets.h.
 * Memory   1 MiB of read buffers and 170 KiB for a batch of 128 writes, beside the rings. What the
 *          kernel had read when the pool paused a peer is kept, up to 16 MiB; more is fed at once,
 *          and counts against the peer's queue.
 */
#ifndef WSPOOL_URING_H
#define WSPOOL_URING_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/wspool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool_uring wspool_uring;

/* ------------------------------------------------------------------------ life */

/* Makes the rings and the pool (config NULL: the defaults). config.wake and config.deadline must
 * be empty: the loop fills them. On failure *uring is NULL, and wspool_uring_why says what errno
 * means here. ENOSYS, EPERM, EACCES: no io_uring; use wspool/sockets.h. EINVAL: as wspool_new.
 * ENOMEM, EIO (no entropy). */
int wspool_uring_new(wspool_uring **uring, const wspool_config *config);

/* ANY THREAD. Returns a text for the errno of a wspool_uring_new that failed. */
const char *wspool_uring_why(int error);

/* Frees the pool (close hooks run), and closes every descriptor before it returns. NULL is
 * allowed. EBUSY: called from a hook; nothing was done. */
int wspool_uring_free(wspool_uring *uring);

/* As wspool_sockets_drain. wspool_uring_run returns when the last transport has closed. */
int wspool_uring_drain(wspool_uring *uring, uint64_t window, int code,
                       void (*done)(wspool_uring *uring, void *user), void *user);

/* Returns 1 if the loop was drained and no transport is open. */
int wspool_uring_drained(const wspool_uring *uring);

/* ----------------------------------------------------------------------- turns */

/* Takes turns until wspool_uring_quit is called, wspool_clock reaches `until` (UINT64_MAX: never),
 * or the loop is drained. Errors: as wspool_uring_turn. */
int wspool_uring_run(wspool_uring *uring, uint64_t until);

/* One turn: sleeps until there is something to do, `max_ms` at most (-1: no bound), and does it.
 * EEXIST: not the thread of the first turn; nothing was done. EBUSY: called from a hook. Any other
 * errno: a ring is broken. Call wspool_uring_free. */
int wspool_uring_turn(wspool_uring *uring, int max_ms);

/* ANY THREAD, and signal handlers: the loop takes a turn soon. */
void wspool_uring_wake(wspool_uring *uring);

/* ANY THREAD, and signal handlers: wspool_uring_run returns. */
void wspool_uring_quit(wspool_uring *uring);

/* A descriptor that is readable when a turn has something to do: for a loop to be nested in. The
 * first call makes it. A turn is three or four system calls then. EEXIST: not the thread of the
 * first turn. EMFILE, ENOMEM. */
int wspool_uring_fd(wspool_uring *uring);

/* ------------------------------------------------------------------ transports
 *
 * Each as its namesake in wspool/sockets.h. EEXIST: not the thread of the first turn; not every
 * call notices that. */

wspool *wspool_uring_pool(const wspool_uring *uring);
int wspool_uring_listen(wspool_uring *uring, const char *address, unsigned port);
int wspool_uring_adopt_listener(wspool_uring *uring, int fd);
void wspool_uring_stop_listening(wspool_uring *uring);
void wspool_uring_addresses(wspool_uring *uring, int on);
void wspool_uring_proxied(wspool_uring *uring, int on);
void wspool_uring_kernel_bytes(wspool_uring *uring, size_t bytes);
void wspool_uring_limit(const wspool_uring *uring, int fd);
int wspool_uring_add(wspool_uring *uring, int fd, void *user, wspool_id *id);
int wspool_uring_adopt(wspool_uring *uring, wspool_id id, int fd, const void *bytes, size_t len);
int wspool_uring_descriptor(const wspool_uring *uring, wspool_id id);
uint32_t wspool_uring_count(const wspool_uring *uring);

typedef struct wspool_uring_stats {
    size_t size;   /* sizeof(wspool_uring_stats), set by the caller */
    uint32_t open; /* this and the next five: as in wspool_sockets_stats */
    uint32_t lingering;
    uint32_t listeners;
    int resting;
    uint64_t accepted;
    uint64_t turned_away;
    size_t kept; /* bytes read for peers that are paused */
} wspool_uring_stats;

/* EINVAL: size too small. */
int wspool_uring_stats_read(const wspool_uring *uring, wspool_uring_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
