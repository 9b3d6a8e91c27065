/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/poll.h - wspool/sockets.h on POSIX poll, for hosts without a loop, on any system.
 * It is used as wspool/adapters/epoll.h is, with wspool_poll_new and wspool_poll_run.
 *
 * Each turn costs time for each descriptor: it is meant for hundreds of peers, not for thousands.
 * Results are 0, or -1 with errno. What ends in an underscore is private.
 */
#ifndef WSPOOL_ADAPTERS_POLL_H
#define WSPOOL_ADAPTERS_POLL_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>

#include <wspool/watcher.h>

#ifdef POLLRDHUP /* on Linux with _GNU_SOURCE */
#define WSPOOL_POLL_END_ POLLRDHUP
#define WSPOOL_POLL_FLAGS_ WSPOOL_WATCHER_TURNS
#else
#define WSPOOL_POLL_END_ 0
#define WSPOOL_POLL_FLAGS_ (WSPOOL_WATCHER_TURNS | WSPOOL_WATCHER_NO_END)
#endif

/* A descriptor keeps its place, so a turn can walk through them while they come and go. */
typedef struct wspool_poll_ {
    struct pollfd *fds; /* fd -1: a free place */
    uint64_t *tags;     /* of a free place: the next free one */
    size_t used, room;
    size_t free; /* the first free place below `used`; a value from `used` on: none */
    uint64_t when;
} wspool_poll_;

static inline int wspool_poll_grow_(wspool_poll_ *loop)
{
    size_t room = loop->room ? 2 * loop->room : 64;
    struct pollfd *fds = (struct pollfd *)realloc(loop->fds, room * sizeof(*fds));
    uint64_t *tags;
    if (!fds) {
        return -1;
    }
    loop->fds = fds;
    tags = (uint64_t *)realloc(loop->tags, room * sizeof(*tags));
    if (!tags) {
        return -1;
    }
    loop->tags = tags;
    loop->room = room;
    return 0;
}

/* The handle is the place plus 1. */
static inline int wspool_poll_watch_(void *user, int fd, unsigned events, uint64_t tag,
                                     void **handle)
{
    wspool_poll_ *loop = (wspool_poll_ *)user;
    size_t place = (size_t)*handle - 1;
    if (events && !*handle) {
        if (loop->free < loop->used) {
            place = loop->free;
            loop->free = (size_t)loop->tags[place];
        } else if (loop->used < loop->room || wspool_poll_grow_(loop) == 0) {
            place = loop->used++;
            loop->free = SIZE_MAX;
        } else {
            return -1;
        }
        loop->fds[place].fd = fd;
        loop->fds[place].revents = 0;
        loop->tags[place] = tag;
        *handle = (void *)(place + 1);
    } else if (!events) {
        loop->fds[place].fd = -1;
        loop->tags[place] = loop->free;
        loop->free = place;
        *handle = NULL;
    }
    loop->fds[place].events = (short)((events & WSPOOL_WATCH_READ ? POLLIN : 0) |
                                      (events & WSPOOL_WATCH_WRITE ? POLLOUT : 0) |
                                      (events & WSPOOL_WATCH_END ? WSPOOL_POLL_END_ : 0));
    return 0;
}

static inline void wspool_poll_timer_(void *user, uint64_t when)
{
    ((wspool_poll_ *)user)->when = when;
}

static inline void wspool_poll_stop_(void *user)
{
    wspool_poll_ *loop = (wspool_poll_ *)user;
    free(loop->fds);
    free(loop->tags);
    free(loop);
}

/* Makes the loop, the engine and its pool. Fails as wspool_sockets_new does. */
static inline int wspool_poll_new(wspool_sockets **sockets, const wspool_config *config)
{
    wspool_poll_ *loop = (wspool_poll_ *)calloc(1, sizeof(wspool_poll_));
    wspool_watcher watcher = {sizeof(watcher),    NULL,
                              wspool_poll_watch_, wspool_poll_timer_,
                              wspool_poll_stop_,  WSPOOL_POLL_FLAGS_};
    if (!loop) {
        return -1;
    }
    loop->when = UINT64_MAX;
    watcher.loop = loop;
    return wspool_sockets_new(sockets, config, &watcher);
}

/* One turn. Sleeps until there is something to do or wspool_clock reaches `until`, and does it. 0:
 * does not sleep. UINT64_MAX: no bound. */
static inline int wspool_poll_turn(wspool_sockets *sockets, uint64_t until)
{
    wspool_poll_ *loop = (wspool_poll_ *)wspool_sockets_loop(sockets);
    uint64_t when = until < loop->when ? until : loop->when;
    size_t i, used = loop->used;
    int count = poll(loop->fds, (nfds_t)used, wspool_sockets_ms(when ? wspool_clock() : 0, when));
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
        return -1;
    }
    for (i = 0; i < used && count >= 0; i++) {
        short e = loop->fds[i].revents;
        if (loop->fds[i].fd >= 0 && e) {
            wspool_sockets_ready(
                sockets, loop->tags[i],
                (e & POLLIN ? WSPOOL_WATCH_READ : 0) | (e & POLLOUT ? WSPOOL_WATCH_WRITE : 0) |
                    (e & WSPOOL_POLL_END_ ? WSPOOL_WATCH_END : 0) |
                    (e & (POLLERR | POLLHUP | POLLNVAL) ? WSPOOL_WATCH_FAILED : 0));
        }
    }
    wspool_sockets_turn(sockets);
    return 0;
}

/* Takes turns until wspool_sockets_quit is called, wspool_clock reaches `until` (UINT64_MAX:
 * never), or the engine is drained. */
static inline int wspool_poll_run(wspool_sockets *sockets, uint64_t until)
{
    int result = 0;
    while (result == 0 && wspool_sockets_goes_on(sockets, until)) {
        result = wspool_poll_turn(sockets, until);
    }
    return result;
}

#endif
