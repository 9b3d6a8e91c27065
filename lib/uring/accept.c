/* SPDX-License-Identifier: MIT */
/*
 * uring/accept.c - listening sockets: multishot accepts, and pauses when descriptors run out.
 *
 * An accept names a descriptor, and that number may belong to another socket once the listener is
 * closed. So a listener is closed only after the kernel has taken the cancellation, and a
 * completion carries the listener's tag, which is never used twice.
 */
#include "uring/internal.h"

#include <errno.h>
#include <unistd.h>

void wsp_uring_await_newcomers(wspool_uring *loop)
{
    for (int i = 0; i < loop->listener_count; i++) {
        struct wsp_uring_listener *listener = &loop->listeners[i];
        struct io_uring_sqe *sqe;
        if (!listener->armed && loop->enabled && !loop->paused_until &&
            (sqe = wsp_uring_request(loop, listener->tag, WSP_URING_ACCEPT))) {
            io_uring_prep_multishot_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
            listener->armed = 1;
        }
    }
}

void wsp_uring_accepted(wspool_uring *loop, uint64_t tag, const struct io_uring_cqe *cqe,
                        uint64_t now)
{
    int i = (int)(tag & UINT32_MAX), result = cqe->res;
    wspool_id id;
    if (i >= loop->listener_count || loop->listeners[i].tag != tag) {
        if (result >= 0) {
            close(result); /* accepted before the listener was closed */
        }
        return;
    }
    loop->listeners[i].armed = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (result >= 0) {
        loop->accepted++;
        if (loop->listeners[i].proxied) {
            wsp_uring_proxied_add(loop, result, now);
        } else {
            (void)wsp_uring_open(loop, result, NULL, NULL, &id); /* or turned away */
        }
    } else if (!wsp_system_next_may_come(-result) && result != -EAGAIN && result != -ECANCELED) {
        loop->paused_until = now + WSP_URING_REST;
        wsp_uring_expire(loop, WSP_LINGER_ALL_DUE); /* new connections matter more */
    }
    wsp_uring_await_newcomers(loop);
}

int wspool_uring_adopt_listener(wspool_uring *loop, int fd)
{
    if (!loop || loop->listener_count == WSP_LISTENERS) {
        errno = loop ? ENOSPC : EINVAL;
        return -1;
    }
    if (wsp_listen_prepare(fd, &loop->tune) < 0) {
        return -1;
    }
    struct wsp_uring_listener *listener = &loop->listeners[loop->listener_count];
    listener->fd = fd;
    listener->armed = 0;
    listener->proxied = loop->proxies;
    listener->tag = (uint64_t)++loop->listened << 32 | (uint64_t)loop->listener_count;
    loop->listener_count++;
    wsp_uring_await_newcomers(loop);
    return 0;
}

int wspool_uring_listen(wspool_uring *loop, const char *address, unsigned port)
{
    int fds[WSP_LISTENERS], count = loop ? wsp_listen_open(address, port, fds) : 0;
    if (count <= 0) {
        errno = loop ? errno : EINVAL;
        return -1;
    }
    int there = loop->listener_count, taken = wsp_listen_port(fds[0]);
    if (there + count > WSP_LISTENERS) {
        errno = ENOSPC;
    } else {
        for (int i = 0; i < count; i++) { /* what was opened just now can be prepared */
            (void)wspool_uring_adopt_listener(loop, fds[i]);
        }
    }
    for (int i = loop->listener_count - there; i < count; i++) {
        wsp_system_close(fds[i]);
    }
    return loop->listener_count - there == count ? taken : -1;
}

void wspool_uring_kernel_bytes(wspool_uring *loop, size_t bytes)
{
    for (int i = 0; loop && i < loop->listener_count; i++) {
        wsp_tune_set(&(wsp_tune){bytes, 0}, loop->listeners[i].fd);
    }
    if (loop) {
        loop->tune.output = bytes;
    }
}

void wspool_uring_limit(const wspool_uring *loop, int fd)
{
    if (loop) {
        wsp_tune_set(&loop->tune, fd);
    }
}

void wspool_uring_addresses(wspool_uring *loop, int on)
{
    if (loop) {
        loop->addresses = on;
    }
}

void wspool_uring_proxied(wspool_uring *loop, int on)
{
    if (loop) {
        loop->proxies = on;
        loop->addresses |= on;
    }
}

void wspool_uring_stop_listening(wspool_uring *loop)
{
    int count = loop ? loop->listener_count : 0, tries = WSP_URING_TRIES, result = 0;
    for (int i = 0; i < count; i++) {
        if (loop->listeners[i].armed) {
            wsp_uring_cancel(loop, loop->listeners[i].tag, WSP_URING_ACCEPT);
        }
    }
    if (count == 0) {
        return;
    }
    if (loop->enabled && !loop->broken) {
        do {
            result = io_uring_submit_and_get_events(&loop->ring);
        } while ((result < 0 ? wsp_uring_passes(result) : io_uring_sq_ready(&loop->ring) > 0) &&
                 --tries > 0);
        if (result < 0 && result != -EEXIST) {
            loop->broken = -result;
        }
    }
    while (loop->listener_count > 0) {
        close(loop->listeners[--loop->listener_count].fd);
    }
    loop->paused_until = 0;
}
