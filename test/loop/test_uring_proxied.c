/* SPDX-License-Identifier: MIT */
/* loop/test_uring_proxied.c - loop/proxied.h on libwspool_uring. Skipped where the kernel refuses
 * io_uring. */
#include <errno.h>

#include <wspool/uring.h>

#define CLIENTS 64
#define LOOP(name) wspool_uring_##name
#define LOOP_TYPE wspool_uring
#include "host.h"

#include "proxied.h"

static int uring_make(struct host *host)
{
    return wspool_uring_new(&host->loop, &host->config);
}

static int uring_turn(struct host *host, uint64_t until)
{
    return wspool_uring_turn(host->loop, until > 0); /* one millisecond at most */
}

static const struct adapter adapter = {.name = "uring", .make = uring_make, .turn = uring_turn};

BEFORE_ALL
{
    wspool_uring *loop;
    if (wspool_uring_new(&loop, NULL) < 0)
        test_skip_all(wspool_uring_why(errno));
    wspool_uring_free(loop);
}
