/* SPDX-License-Identifier: MIT */
/*
 * uring/nest.c - the next deadline, and the descriptor by which the engine is nested in a loop of
 * the host's.
 *
 * The descriptor is an epoll of three descriptors:
 *
 *   an eventfd  The kernel signals it when a completion has come or is to be fetched. (A loop that
 *               sleeps on the ring itself is not woken for a completion that is to be fetched.)
 *   the waker   The kernel signals the eventfd late when a write to another eventfd is the cause.
 *   a timer     It stands for what the ring cannot know: the pool's deadline, a publication outside
 *               of a turn, and requests that were not handed over yet.
 *
 * The end of each turn sets the timer. Between two turns the deadline hook and each request set it.
 * An engine that is not nested has no such epoll, and makes no system call for it.
 */
#include "uring/internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

void wsp_uring_nest_init(wspool_uring *loop)
{
    loop->nest_fd = loop->nest_timer = loop->nest_event = -1;
}

void wsp_uring_nest_fini(wspool_uring *loop)
{
    wsp_system_close(loop->nest_timer); /* -1 does no harm */
    wsp_system_close(loop->nest_event);
    wsp_system_close(loop->nest_fd);
    wsp_uring_nest_init(loop);
}

void wsp_uring_nest_clear(wspool_uring *loop)
{
    uint64_t count;
    if (loop->nest_fd >= 0) {
        ssize_t ignored = read(loop->nest_event, &count, sizeof count);
        (void)ignored;
    }
}

uint64_t wsp_uring_deadline(const wspool_uring *loop)
{
    uint64_t when = wspool_deadline(loop->pool);
    if (loop->paused_until && loop->paused_until < when) {
        when = loop->paused_until;
    }
    when = loop->lingering.count > 0 && loop->lingering.next < when ? loop->lingering.next : when;
    return loop->waiting.count > 0 && loop->waiting.next < when ? loop->waiting.next : when;
}

/* Returns 1 if a request has to be handed over, or a completion fetched. A completion from before
 * the eventfd was cleared shows here; a later one signals the eventfd. */
static int is_due(const wspool_uring *loop)
{
    const struct io_uring *ring = &loop->ring;
    return !loop->enabled || io_uring_sq_ready(ring) || io_uring_cq_ready(ring) ||
           IO_URING_READ_ONCE(*ring->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* A timer that has expired stays readable until it is set again. Time 0 would disarm it. */
void wsp_uring_nest_set(wspool_uring *loop)
{
    if (loop->nest_fd < 0 || loop->turning) {
        return;
    }
    uint64_t when = is_due(loop) ? 0 : wsp_uring_deadline(loop);
    if (loop->nest_when != when) {
        struct itimerspec time = {.it_value = {(time_t)(when / WSPOOL_SECOND),
                                               (long)(when % WSPOOL_SECOND) + (when == 0)}};
        loop->nest_when = when;
        timerfd_settime(loop->nest_timer, TFD_TIMER_ABSTIME, &time, NULL);
    }
}

static int include(int nest_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(nest_fd, EPOLL_CTL_ADD, fd, &event);
}

static int nest(wspool_uring *loop)
{
    loop->nest_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->nest_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->nest_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->nest_fd < 0 || loop->nest_timer < 0 || loop->nest_event < 0 ||
        include(loop->nest_fd, loop->nest_timer) < 0 ||
        include(loop->nest_fd, loop->nest_event) < 0 ||
        include(loop->nest_fd, loop->waker.read_fd) < 0) {
        return -1;
    }
    int result = io_uring_register_eventfd(&loop->ring, loop->nest_event);
    if (result < 0) {
        errno = -result;
        return -1;
    }
    loop->nest_when = UINT64_MAX;
    wsp_uring_nest_set(loop);
    return 0;
}

int wspool_uring_fd(wspool_uring *loop)
{
    if (!loop) {
        errno = EINVAL;
        return -1;
    }
    if (loop->nest_fd < 0 && nest(loop) < 0) {
        wsp_uring_nest_fini(loop);
        return -1;
    }
    return loop->nest_fd;
}
