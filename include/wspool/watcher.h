/* SPDX-License-Identifier: MIT */
/*
 * wspool/watcher.h - how an adapter joins the engine of wspool/sockets.h to an event loop. Hosts
 * need it only to write an adapter of their own.
 *
 * An adapter fills a wspool_watcher. From the loop it calls wspool_sockets_ready for each event,
 * and wspool_sockets_turn when the timer fires. Both do nothing inside a hook of the pool.
 * wspool/adapters/libuv.h is a model for a loop of the host's, poll.h for a loop that the adapter
 * owns.
 */
#ifndef WSPOOL_WATCHER_H
#define WSPOOL_WATCHER_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/sockets.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Events. */
#define WSPOOL_WATCH_READ 1u
#define WSPOOL_WATCH_WRITE 2u
#define WSPOOL_WATCH_END 4u    /* the client has closed its direction */
#define WSPOOL_WATCH_FAILED 8u /* an error or hang-up. Only reported; else report READ and WRITE */

/* wspool_watcher.flags. */
#define WSPOOL_WATCHER_TURNS 1u  /* see wspool_sockets_turn */
#define WSPOOL_WATCHER_NO_END 2u /* the loop cannot report END: the engine looks every 100 ms */

typedef struct wspool_watcher {
    size_t size; /* sizeof(wspool_watcher) */
    void *loop;  /* first argument of the hooks */

    /* Watches a descriptor for exactly these events (READ, WRITE, END), level-triggered, and
     * reports them with `tag`. 0: stops, and sets *handle to NULL. *handle is the adapter's word
     * for the descriptor, NULL at first; while it is not, `tag` is constant. Returns 0, or -1 with
     * errno (never for 0 events). */
    int (*watch)(void *loop, int fd, unsigned events, uint64_t tag, void **handle);

    /* Sets the only timer: wspool_sockets_turn when wspool_clock reaches `when`. 0: before the
     * loop sleeps. UINT64_MAX: never. */
    void (*timer)(void *loop, uint64_t when);

    /* May be NULL. The engine was freed, or could not be made: nothing is watched, and the adapter
     * may free `loop`. */
    void (*stop)(void *loop);

    unsigned flags; /* WSPOOL_WATCHER_* */
} wspool_watcher;

/* Makes the engine and its pool (config NULL: the defaults), and copies the watcher. config.wake
 * and config.deadline must be empty: the engine fills them. On failure calls `stop`, and *sockets
 * is NULL. EINVAL: as wspool_new, or no `watch` or `timer`. ENOMEM, EMFILE, EIO (no entropy). */
int wspool_sockets_new(wspool_sockets **sockets, const wspool_config *config,
                       const wspool_watcher *watcher);

/* Handles events of the descriptor with this tag. A stale tag is ignored: a batch may go on after
 * one of its descriptors was closed. */
void wspool_sockets_ready(wspool_sockets *sockets, uint64_t tag, unsigned events);

/* One turn: ticks the pool, writes all output, and sets the timer. Call it when the timer fires;
 * wspool_sockets_ready sets the timer to 0 for that. With WSPOOL_WATCHER_TURNS it does not: then
 * call this after each batch of events, too. A timer that has fired must stay set, since this sets
 * only a time that differs. */
void wspool_sockets_turn(wspool_sockets *sockets);

/* For an adapter's run: 0 after wspool_sockets_quit (once), when wspool_clock has reached `until`,
 * and when the engine is drained; else 1. */
int wspool_sockets_goes_on(wspool_sockets *sockets, uint64_t until);

/* Returns watcher.loop. */
void *wspool_sockets_loop(const wspool_sockets *sockets);

/* The milliseconds from `now` to `when`, as poll and epoll_wait want them: rounded up, INT_MAX at
 * most, -1 if `when` is UINT64_MAX. */
int wspool_sockets_ms(uint64_t now, uint64_t when);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
