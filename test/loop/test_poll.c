/* SPDX-License-Identifier: MIT */
/* loop/test_poll.c - wspool/adapters/poll.h: the scenes of every adapter. */
#define _GNU_SOURCE
#include <wspool/adapters/poll.h>

#include "scenes.h"

static int poll_make(struct host *host)
{
    return wspool_poll_new(&host->loop, &host->config);
}

static int poll_turn(struct host *host, uint64_t until)
{
    return wspool_poll_turn(host->loop, until);
}

static int poll_run(struct host *host, uint64_t until)
{
    return wspool_poll_run(host->loop, until);
}

static const struct adapter adapter = {
    .name = "poll", .make = poll_make, .turn = poll_turn, .run = poll_run};
