/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/epoll.h - wspool/sockets.h on Linux's epoll, for hosts without a loop:
 *
 *     wspool_epoll_new(&sockets, &config);
 *     wspool_route(wspool_sockets_pool(sockets), "/room/{name}", WSPOOL_ITEM, NULL);
 *     wspool_sockets_listen(sockets, "127.0.0.1", 9001);
 *     wspool_epoll_run(sockets, UINT64_MAX);
 *     wspool_sockets_free(sockets);
 *
 * It can be nested in any other loop: watch wspool_epoll_fd(sockets) for reading, and call
 * wspool_epoll_turn(sockets, 0) when it is readable. Results are 0, or -1 with errno.
 */
#ifndef WSPOOL_ADAPTERS_EPOLL_H
#define WSPOOL_ADAPTERS_EPOLL_H

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <wspool/watcher.h>

#define WSPOOL_EPOLL_BATCH_ 256

typedef struct wspool_epoll_ {
    int fd;
    int timer_fd;  /* -1: the loop is not nested */
    uint64_t when; /* of the next turn */
} wspool_epoll_;

/* The handle is NULL if the descriptor is not in the epoll. */
static inline int wspool_epoll_watch_(void *loop, int fd, unsigned events, uint64_t tag,
                                      void **handle)
{
    int what = !events ? EPOLL_CTL_DEL : *handle ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    struct epoll_event event;
    int result;
    event.events = (events & WSPOOL_WATCH_READ ? (uint32_t)EPOLLIN : 0) |
                   (events & WSPOOL_WATCH_WRITE ? (uint32_t)EPOLLOUT : 0) |
                   (events & WSPOOL_WATCH_END ? (uint32_t)EPOLLRDHUP : 0);
    event.data.u64 = tag;
    result = epoll_ctl(((wspool_epoll_ *)loop)->fd, what, fd, &event);
    *handle = events && result == 0 ? loop : NULL;
    return result;
}

static inline void wspool_epoll_timer_(void *user, uint64_t when)
{
    wspool_epoll_ *loop = (wspool_epoll_ *)user;
    loop->when = when;
    if (loop->timer_fd >= 0) { /* 0 would disarm it; UINT64_MAX is 584 years away */
        struct itimerspec time = {
            {0, 0}, {(time_t)(when / WSPOOL_SECOND), (long)(when % WSPOOL_SECOND) + (when == 0)}};
        timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &time, NULL);
    }
}

static inline void wspool_epoll_stop_(void *user)
{
    wspool_epoll_ *loop = (wspool_epoll_ *)user;
    close(loop->timer_fd); /* -1 does no harm */
    close(loop->fd);
    free(loop);
}

/* Makes the loop, the engine and its pool. Fails as wspool_sockets_new does. */
static inline int wspool_epoll_new(wspool_sockets **sockets, const wspool_config *config)
{
    wspool_epoll_ *loop = (wspool_epoll_ *)malloc(sizeof(wspool_epoll_));
    wspool_watcher watcher = {sizeof(watcher),     NULL,
                              wspool_epoll_watch_, wspool_epoll_timer_,
                              wspool_epoll_stop_,  WSPOOL_WATCHER_TURNS};
    if (!loop) {
        return -1;
    }
    loop->timer_fd = -1;
    loop->when = UINT64_MAX;
    loop->fd = epoll_create1(EPOLL_CLOEXEC); /* if that fails, the engine's first `watch` fails */
    watcher.loop = loop;
    return wspool_sockets_new(sockets, config, &watcher);
}

/* One turn. Sleeps until there is something to do or wspool_clock reaches `until`, and does it. 0:
 * does not sleep. UINT64_MAX: no bound. */
static inline int wspool_epoll_turn(wspool_sockets *sockets, uint64_t until)
{
    struct epoll_event events[WSPOOL_EPOLL_BATCH_];
    wspool_epoll_ *loop = (wspool_epoll_ *)wspool_sockets_loop(sockets);
    uint64_t when = until < loop->when ? until : loop->when;
    uint64_t now = when > 0 && when < UINT64_MAX ? wspool_clock() : when; /* no clock needed */
    int i, count = -1;
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
    if (when > now && when - now < 10 * WSPOOL_MILLISECOND) { /* for example flush_delay */
        struct timespec time = {0, (long)(when - now)};
        count = epoll_pwait2(loop->fd, events, WSPOOL_EPOLL_BATCH_, &time, NULL);
        count = count < 0 && errno != ENOSYS ? -2 : count;
    }
#endif
    if (count == -1) {
        count = epoll_wait(loop->fd, events, WSPOOL_EPOLL_BATCH_, wspool_sockets_ms(now, when));
    }
    if (count < 0 && errno != EINTR) {
        return -1;
    }
    for (i = 0; i < count; i++) {
        uint32_t e = events[i].events;
        wspool_sockets_ready(sockets, events[i].data.u64,
                             (e & EPOLLIN ? WSPOOL_WATCH_READ : 0) |
                                 (e & EPOLLOUT ? WSPOOL_WATCH_WRITE : 0) |
                                 (e & EPOLLRDHUP ? WSPOOL_WATCH_END : 0) |
                                 (e & (EPOLLERR | EPOLLHUP) ? WSPOOL_WATCH_FAILED : 0));
    }
    wspool_sockets_turn(sockets);
    return 0;
}

/* Takes turns until wspool_sockets_quit is called, wspool_clock reaches `until` (UINT64_MAX:
 * never), or the engine is drained. */
static inline int wspool_epoll_run(wspool_sockets *sockets, uint64_t until)
{
    int result = 0;
    while (result == 0 && wspool_sockets_goes_on(sockets, until)) {
        result = wspool_epoll_turn(sockets, until);
    }
    return result;
}

/* A descriptor that is readable when a turn has something to do: for a loop to be nested in. */
static inline int wspool_epoll_fd(wspool_sockets *sockets)
{
    wspool_epoll_ *loop = (wspool_epoll_ *)wspool_sockets_loop(sockets);
    struct epoll_event event;
    event.events = EPOLLIN;
    event.data.u64 = 0; /* not a tag of the engine: ignored */
    if (loop->timer_fd < 0) {
        loop->timer_fd = timerfd_create(1 /* CLOCK_MONOTONIC */, TFD_NONBLOCK | TFD_CLOEXEC);
        if (loop->timer_fd < 0 || epoll_ctl(loop->fd, EPOLL_CTL_ADD, loop->timer_fd, &event) < 0) {
            return -1;
        }
        wspool_epoll_timer_(loop, loop->when);
    }
    return loop->fd;
}

#endif
