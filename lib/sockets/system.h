/* SPDX-License-Identifier: MIT */
/*
 * sockets/system.h - what differs between systems: accept, write without a signal, wake-up.
 *
 * Linux has one call for each. Elsewhere POSIX calls take their place.
 */
#ifndef WSP_SOCKETS_SYSTEM_H
#define WSP_SOCKETS_SYSTEM_H

#include <sys/socket.h>
#include <sys/uio.h>

/* Accepts a connection: its socket is non-blocking and close-on-exec. `address` may be NULL. */
int wsp_system_accept(int listener, struct sockaddr *address, socklen_t *len);

/* Is this error of accept about one connection only? Then the next one may be accepted at once. The
 * others (EMFILE, ENFILE, ENOBUFS, ENOMEM) take time to pass. */
int wsp_system_next_may_come(int error);

#ifndef MSG_NOSIGNAL /* where the host has to ignore SIGPIPE */
#define MSG_NOSIGNAL 0
#endif

/* Writes what the socket takes now: no SIGPIPE, no waiting. Nearly always there is one vector, and
 * send is the quicker call. (writev would raise SIGPIPE.) */
static inline ssize_t wsp_system_send(int fd, struct iovec *vectors, int count)
{
    if (count == 1) {
        return send(fd, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Makes a descriptor non-blocking and close-on-exec. 0 or -1. */
int wsp_system_prepare(int fd);

/* Closes a descriptor, and leaves errno as it was. */
void wsp_system_close(int fd);

/* Closes a connection with a reset: what was not sent yet is thrown away. */
void wsp_system_reset(int fd);

/* Something readable that any thread and any signal handler can cause. On Linux both ends are one
 * descriptor. */
typedef struct wsp_waker {
    int read_fd;
    int write_fd;
} wsp_waker;

int wsp_waker_init(wsp_waker *waker);
void wsp_waker_fini(wsp_waker *waker);
/* ANY THREAD. Leaves errno as it was. */
void wsp_waker_wake(const wsp_waker *waker);
/* It is not readable any more, until somebody wakes it again. */
void wsp_waker_clear(const wsp_waker *waker);

#endif
