/* SPDX-License-Identifier: MIT */
/*
 * uring/uring.c - life, drain, getters.
 */
#include "uring/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -------------------------------------------------------------------- life */

static void clear(wspool_uring *loop)
{
    memset(loop, 0, sizeof *loop);
    loop->ring.ring_fd = loop->sends.ring_fd = -1;
    wsp_uring_nest_init(loop);
    loop->waker.read_fd = loop->waker.write_fd = -1;
}

void wsp_uring_fini(wspool_uring *loop)
{
    wspool_uring_stop_listening(loop);
    wsp_uring_cancel_all(loop);
    for (uint32_t slot = 0; slot < loop->room; slot++) {
        if (loop->peers[slot].id) {
            close(loop->peers[slot].fd);
            free(loop->peers[slot].kept);
        }
    }
    for (int i = 0; i < WSP_LINGER_PLACES; i++) {
        if (loop->lingering.places[i].until) {
            close(loop->lingering.places[i].fd);
        }
    }
    for (uint32_t i = 0; i < loop->waiting.room; i++) {
        wsp_system_close(loop->waiting.places[i].fd); /* -1 does no harm */
    }
    if (loop->waker.read_fd >= 0) {
        wsp_waker_fini(&loop->waker);
    }
    wsp_uring_nest_fini(loop);
    wsp_uring_ring_fini(loop);
    free(loop->peers);
    free(loop->waiting.places);
    free(loop->batch);
    clear(loop);
}

static void on_wake(void *user)
{
    wspool_uring_wake(user);
}

/* The hook config.deadline, on the pool's thread. */
static void on_deadline(void *user)
{
    wsp_uring_nest_set(user);
}

int wsp_uring_init(wspool_uring *loop, wspool_config *config)
{
    int result;
    clear(loop);
    result = wsp_uring_ring_init(loop);
    if (result >= 0) {
        loop->batch = malloc(WSP_URING_SENDS * sizeof *loop->batch);
        result = loop->batch ? 0 : -ENOMEM;
    }
    if (result >= 0) {
        result = wsp_waker_init(&loop->waker) < 0 ? -errno : 0;
    }
    if (result < 0) {
        wsp_uring_fini(loop);
        errno = result == -EINVAL ? ENOSYS : -result; /* the kernel is too old for a flag */
        return -1;
    }
    config->wake.call = on_wake;
    config->wake.user = loop;
    config->deadline.call = on_deadline;
    config->deadline.user = loop;
    loop->burst = 3 * (size_t)config->queue_messages; /* the smallest message is 6 bytes */
    loop->linger = config->closing_time;
    loop->handshake_time = config->handshake_time;
    loop->tune = wsp_tune_of(config);
    loop->addresses = wsp_address_is_needed(config);
    return 0;
}

int wspool_uring_new(wspool_uring **out, const wspool_config *given)
{
    wspool_uring *loop;
    wspool_config config;
    int error;

    if (!out) {
        errno = EINVAL;
        return -1;
    }
    *out = NULL;
    wspool_config_init(&config);
    if (given) {
        if (given->size < sizeof given->size || given->size > sizeof config) {
            errno = EINVAL;
            return -1;
        }
        memcpy(&config, given, given->size);
        config.size = sizeof config;
    }
    if (config.wake.call || config.deadline.call) {
        errno = EINVAL;
        return -1;
    }
    loop = malloc(sizeof *loop);
    if (!loop || wsp_uring_init(loop, &config) < 0) {
        error = loop ? errno : ENOMEM;
        free(loop);
        errno = error;
        return -1;
    }
    error = wspool_new(&loop->pool, &config, wspool_clock());
    if (error < 0) {
        wsp_uring_fini(loop);
        free(loop);
        errno = wsp_system_errno(error);
        return -1;
    }
    *out = loop;
    return 0;
}

const char *wspool_uring_why(int error)
{
    switch (error) {
    case ENOSYS:
        return "this kernel has no io_uring, or one that is too old (Linux 6.0 is needed)";
    case EPERM:
    case EACCES:
        return "io_uring is forbidden here, by the sysctl kernel.io_uring_disabled or by the "
               "container's filter of system calls";
    case ENOMEM:
        return "io_uring got no memory; perhaps too little may be locked (ulimit -l)";
    default:
        return strerror(error);
    }
}

int wspool_uring_free(wspool_uring *loop)
{
    if (!loop) {
        return 0;
    }
    if (loop->turning || wspool_free(loop->pool) < 0) {
        errno = EBUSY;
        return -1;
    }
    wsp_uring_fini(loop);
    free(loop);
    return 0;
}

/* ------------------------------------------------------------------- drain */

int wspool_uring_drain(wspool_uring *loop, uint64_t window, int code,
                       void (*done)(wspool_uring *loop, void *user), void *user)
{
    int error = loop ? wspool_drain(loop->pool, window, code, wspool_clock()) : WSPOOL_ERR_INVAL;
    if (error < 0) {
        errno = wsp_system_errno(error);
        return -1;
    }
    wspool_uring_stop_listening(loop);
    loop->draining = 1;
    wsp_uring_proxied_expire(loop, WSP_WAITING_ALL_DUE);
    wsp_linger_shorten(&loop->lingering, wspool_clock() + wsp_linger_time(loop->linger, 1));
    loop->done = done;
    loop->done_user = user;
    wspool_uring_wake(loop); /* if no transport is open, nothing else causes a turn */
    return 0;
}

/* ----------------------------------------------------------------- getters */

wspool *wspool_uring_pool(const wspool_uring *loop)
{
    return loop ? loop->pool : NULL;
}

uint32_t wspool_uring_count(const wspool_uring *loop)
{
    return loop ? loop->count : 0;
}

int wspool_uring_stats_read(const wspool_uring *loop, wspool_uring_stats *stats)
{
    if (!loop || !stats || stats->size < sizeof *stats) {
        errno = EINVAL;
        return -1;
    }
    stats->open = loop->count;
    stats->lingering = loop->lingering.count;
    stats->listeners = (uint32_t)loop->listener_count;
    stats->resting = loop->paused_until > 0;
    stats->accepted = loop->accepted;
    stats->turned_away = loop->turned_away;
    stats->kept = loop->kept;
    return 0;
}
