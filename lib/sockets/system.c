/* SPDX-License-Identifier: MIT */
/* sockets/system.c - see sockets/system.h. */
#define _GNU_SOURCE
#include "sockets/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include <wspool/error.h>

int wsp_system_prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
                   fcntl(fd, F_SETFD, FD_CLOEXEC) < 0
               ? -1
               : 0;
}

int wsp_system_accept(int listener, struct sockaddr *address, socklen_t *len)
{
#ifdef __linux__
    return accept4(listener, address, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int fd = accept(listener, address, len);
    if (fd >= 0 && wsp_system_prepare(fd) < 0) {
        wsp_system_close(fd);
        return -1;
    }
    return fd;
#endif
}

int wsp_system_next_may_come(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

void wsp_system_close(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

void wsp_system_reset(int fd)
{
    struct linger none = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

/* ------------------------------------------------------------------- wake-up */

int wsp_waker_init(wsp_waker *waker)
{
#ifdef __linux__
    waker->read_fd = waker->write_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return waker->read_fd < 0 ? -1 : 0;
#else
    int ends[2];
    if (pipe(ends) < 0) {
        waker->read_fd = waker->write_fd = -1;
        return -1;
    }
    waker->read_fd = ends[0];
    waker->write_fd = ends[1];
    if (wsp_system_prepare(ends[0]) < 0 || wsp_system_prepare(ends[1]) < 0) {
        wsp_waker_fini(waker);
        return -1;
    }
    return 0;
#endif
}

void wsp_waker_fini(wsp_waker *waker)
{
    if (waker->write_fd >= 0 && waker->write_fd != waker->read_fd) {
        wsp_system_close(waker->write_fd);
    }
    if (waker->read_fd >= 0) {
        wsp_system_close(waker->read_fd);
    }
    waker->read_fd = waker->write_fd = -1;
}

/* A write fails only if the descriptor is full, and then it is readable already. */
void wsp_waker_wake(const wsp_waker *waker)
{
    uint64_t one = 1;
    int error = errno;
    ssize_t ignored = write(waker->write_fd, &one, sizeof one);
    (void)ignored;
    errno = error;
}

void wsp_waker_clear(const wsp_waker *waker)
{
#ifdef __linux__
    uint64_t count;
    ssize_t ignored = read(waker->read_fd, &count, sizeof count);
    (void)ignored;
#else
    char bytes[512];
    while (read(waker->read_fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {
    }
#endif
}

int wsp_system_errno(int error)
{
    switch (error) {
    case WSPOOL_ERR_INVAL:
    case WSPOOL_ERR_STATE:
        return EINVAL;
    case WSPOOL_ERR_NOMEM:
        return ENOMEM;
    case WSPOOL_ERR_REENTRANT:
        return EBUSY;
    case WSPOOL_ERR_STALE:
        return ENOENT;
    case WSPOOL_ERR_FULL:
        return ENOSPC;
    default:
        return error < 0 ? EIO : 0;
    }
}
