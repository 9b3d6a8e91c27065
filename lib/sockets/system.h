/* SPDX-License-Identifier: MIT */
/*
 * sockets/system.h - what differs between systems: accept, write without a signal, wake-up; and the
 * pool's errors as the system's.
 *
 * Linux has one call for each of the former. Elsewhere POSIX calls take their place.
 */
#ifndef WSP_SOCKETS_SYSTEM_H
#define WSP_SOCKETS_SYSTEM_H

#include <sys/socket.h>
#include <sys/uio.h>

/* Accepts a connection: its socket is non-blocking and close-on-exec. `address` may be NULL. */
int wsp_system_accept(int listener, struct sockaddr *address, socklen_t *len);

/* Returns 1 if this error of accept concerns one connection only: the next one may be accepted at
 * once. The other errors (EMFILE, ENFILE, ENOBUFS, ENOMEM) last for a while. */
int wsp_system_next_may_come(int error);

#ifndef MSG_NOSIGNAL /* on such a system the host must ignore SIGPIPE */
#define MSG_NOSIGNAL 0
#endif

/* Writes what the socket takes now. Does not wait and raises no SIGPIPE, as writev would. One
 * vector is the usual case, and send is faster than sendmsg. */
static inline ssize_t wsp_system_send(int fd, struct iovec *vectors, int count)
{
    if (count == 1) {
        return send(fd, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Makes a descriptor non-blocking and close-on-exec. Returns 0 or -1. */
int wsp_system_prepare(int fd);

/* Closes a descriptor and keeps errno. */
void wsp_system_close(int fd);

/* Returns the errno that stands for an error of the pool; 0 for a result that is none. */
int wsp_system_errno(int error);

/* Closes a connection with a reset. Bytes that were not sent yet are discarded. */
void wsp_system_reset(int fd);

/* A descriptor that any thread and any signal handler can make readable. On Linux both ends are one
 * descriptor. */
typedef struct wsp_waker {
    int read_fd;
    int write_fd;
} wsp_waker;

int wsp_waker_init(wsp_waker *waker);
void wsp_waker_fini(wsp_waker *waker);
/* ANY THREAD. Makes read_fd readable and keeps errno. */
void wsp_waker_wake(const wsp_waker *waker);
/* Makes read_fd unreadable until the next wake. */
void wsp_waker_clear(const wsp_waker *waker);

#endif
