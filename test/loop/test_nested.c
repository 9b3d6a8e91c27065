/* SPDX-License-Identifier: MIT */
/*
 * loop/test_nested.c - wspool/adapters/epoll.h nested in a loop of the host's: the scenes of every
 * adapter. The host sleeps in its own epoll and watches nothing of the adapter but its descriptor.
 */
#define _GNU_SOURCE
#include <sys/timerfd.h>

#include <wspool/adapters/epoll.h>

#include "scenes.h"

/* The host's loop: an epoll, and a timer of the host's. */
struct base {
    int fd;
    int timer_fd;
    void (*call)(void *user);
    void *user;
};

static int watch_in(struct base *base, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(base->fd, EPOLL_CTL_ADD, fd, &event);
}

static int nested_make(struct host *host)
{
    struct base *base = calloc(1, sizeof(*base));
    host->base = base;
    base->fd = epoll_create1(EPOLL_CLOEXEC);
    base->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    return watch_in(base, base->timer_fd) < 0 || wspool_epoll_new(&host->loop, &host->config) < 0 ||
                   watch_in(base, wspool_epoll_fd(host->loop)) < 0
               ? -1
               : 0;
}

static int nested_turn(struct host *host, uint64_t until)
{
    struct base *base = host->base;
    struct epoll_event event;
    int count =
        epoll_wait(base->fd, &event, 1, wspool_sockets_ms(until ? wspool_clock() : 0, until));
    if (count == 1 && event.data.fd == base->timer_fd) {
        struct itimerspec never = {{0, 0}, {0, 0}};
        timerfd_settime(base->timer_fd, 0, &never, NULL);
        base->call(base->user);
        return 0;
    }
    return count == 1 ? wspool_epoll_turn(host->loop, 0) : 0;
}

static void nested_after(struct host *host, uint64_t delay, void (*call)(void *), void *user)
{
    struct base *base = host->base;
    struct itimerspec time = {{0, 0}, {0, (long)delay}};
    base->call = call;
    base->user = user;
    assert_int_equal(timerfd_settime(base->timer_fd, 0, &time, NULL), 0);
}

static void nested_end(struct host *host)
{
    struct base *base = host->base;
    close(base->timer_fd);
    close(base->fd);
    free(base);
}

static const struct adapter adapter = {.name = "nested",
                                       .make = nested_make,
                                       .turn = nested_turn,
                                       .end = nested_end,
                                       .after = nested_after};
