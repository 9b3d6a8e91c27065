/* SPDX-License-Identifier: MIT */
/* loop/on_epoll.h - the hosts of loop/host.h on wspool/adapters/epoll.h. */
#ifndef WSPOOL_TEST_LOOP_ON_EPOLL_H
#define WSPOOL_TEST_LOOP_ON_EPOLL_H

#include <wspool/adapters/epoll.h>

#include "host.h"

static int epoll_make(struct host *host)
{
    return wspool_epoll_new(&host->loop, &host->config);
}

static int epoll_turn(struct host *host, uint64_t until)
{
    return wspool_epoll_turn(host->loop, until);
}

static int epoll_run(struct host *host, uint64_t until)
{
    return wspool_epoll_run(host->loop, until);
}

static int epoll_sleeps_exactly(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
    struct epoll_event event;
    return epoll_pwait2(-1, &event, 1, NULL, NULL) < 0 && errno != ENOSYS;
#else
    return 0;
#endif
}

static const struct adapter adapter = {.name = "epoll",
                                       .make = epoll_make,
                                       .turn = epoll_turn,
                                       .run = epoll_run,
                                       .sleeps_exactly = epoll_sleeps_exactly};

#endif
