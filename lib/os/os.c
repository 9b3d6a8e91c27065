/* SPDX-License-Identifier: MIT */
/* os/os.c - see os/os.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* clock_gettime and getrandom, in strict C11 */
#endif
#include "os/os.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <wspool/wspool.h>

uint64_t wspool_clock(void)
{
    struct timespec now;
    /* Fails only for an unknown clock or a bad pointer, and neither occurs. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * WSPOOL_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t wsp_os_wall_clock(void *user)
{
    struct timespec now;
    (void)user;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int wsp_os_entropy(void *bytes, size_t len, void *user)
{
    (void)user;
    uint8_t *at = bytes;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            return -1;
        }
    }
    return 0;
}
