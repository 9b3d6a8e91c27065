/* SPDX-License-Identifier: MIT */
/*
 * loop/base.h - a loop of the host's, for an engine that is nested in it: an epoll with a timer. It
 * watches nothing of the engine but one descriptor.
 */
#ifndef WSPOOL_TEST_LOOP_BASE_H
#define WSPOOL_TEST_LOOP_BASE_H

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host.h"

struct base {
    int fd;
    int timer_fd;
    void (*call)(void *user);
    void *user;
};

static int base_watch(struct base *base, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(base->fd, EPOLL_CTL_ADD, fd, &event);
}

static struct base *base_new(void)
{
    struct base *base = calloc(1, sizeof(*base));
    base->fd = epoll_create1(EPOLL_CLOEXEC);
    base->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    assert_int_equal(base_watch(base, base->timer_fd), 0);
    return base;
}

/* Sleeps until something is readable, for `ms` at most. Returns 1 if it is the engine's
 * descriptor. */
static int base_sleep(struct base *base, int ms)
{
    struct epoll_event event;
    int count = epoll_wait(base->fd, &event, 1, ms);
    if (count == 1 && event.data.fd == base->timer_fd) {
        struct itimerspec never = {{0, 0}, {0, 0}};
        timerfd_settime(base->timer_fd, 0, &never, NULL);
        base->call(base->user);
        return 0;
    }
    return count == 1;
}

static void base_after(struct base *base, uint64_t delay, void (*call)(void *), void *user)
{
    struct itimerspec time = {{0, 0}, {0, (long)delay}};
    base->call = call;
    base->user = user;
    assert_int_equal(timerfd_settime(base->timer_fd, 0, &time, NULL), 0);
}

static void base_free(struct base *base)
{
    close(base->timer_fd);
    close(base->fd);
    free(base);
}

#endif
