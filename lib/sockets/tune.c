/* SPDX-License-Identifier: MIT */
/*
 * sockets/tune.c - see sockets/tune.h.
 *
 * SO_SNDBUF is the hard bound: it counts memory, also what is sent and not acknowledged. Linux
 * doubles the value, for its own overhead, and no longer adapts it to the connection. Of that,
 * TCP_NOTSENT_LOWAT lets only a quarter be unsent: what waits for a client that does not read waits
 * in the pool, where policies see it. TCP_USER_TIMEOUT ends a connection whose client is gone or
 * keeps its window shut; it is longer than flush_time, so that the pool decides first.
 *
 * Tried: TCP_NOTSENT_LOWAT alone. A client that has earned a large congestion window and then stops
 * acknowledging holds as much as tcp_wmem allows, 4 MiB by default.
 */
#define _GNU_SOURCE
#include "sockets/tune.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define LEAST_TIMEOUT 10000u /* milliseconds: several retransmissions */

wsp_tune wsp_tune_of(const wspool_config *config)
{
    wsp_tune tune = {WSP_TUNE_OUTPUT, 0};
    if (config->flush_time) {
        uint64_t ms = (config->flush_time + config->closing_time) / WSPOOL_MILLISECOND;
        tune.user_timeout = ms < LEAST_TIMEOUT ? LEAST_TIMEOUT
                            : ms > INT_MAX     ? INT_MAX
                                               : (unsigned)ms;
    }
    return tune;
}

static void set(int fd, int level, int name, size_t value)
{
    int number = value > INT_MAX ? INT_MAX : (int)value;
    (void)setsockopt(fd, level, name, &number, sizeof number);
}

void wsp_tune_set(const wsp_tune *tune, int fd)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (tune->output) {
        set(fd, SOL_SOCKET, SO_SNDBUF, tune->output / 2);
#ifdef TCP_NOTSENT_LOWAT
        set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, tune->output / 4);
#endif
    }
#ifdef TCP_USER_TIMEOUT
    if (tune->user_timeout) {
        set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, tune->user_timeout);
    }
#endif
}
