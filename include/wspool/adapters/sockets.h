/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/sockets.h - what every loop over Linux's sockets needs, whatever it waits with:
 * waking, listening, the peers' table, lingering, time.
 *
 * wspool/adapters/epoll.h and libwspool_uring include it; who copies the former copies this one
 * too. It knows neither loops nor rings. A loop of your own may use it.
 *
 * Conventions
 *   Calls    answer 0 or a count, or -1 with errno set, as the system's own do.
 *   Threads  wspool_sockets_wake and wspool_sockets_quit may be called from any thread, and from a
 *            signal handler.
 */
#ifndef WSPOOL_ADAPTERS_SOCKETS_H
#define WSPOOL_ADAPTERS_SOCKETS_H

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wspool/wspool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WSPOOL_SOCKETS_LISTENERS 4                     /* that one loop may have */
#define WSPOOL_SOCKETS_REST (100 * WSPOOL_MILLISECOND) /* without descriptors or memory */
#define WSPOOL_SOCKETS_LINGERERS 64                    /* at a time */
#define WSPOOL_SOCKETS_LINGER_BYTES ((size_t)16 << 20) /* more than both kernels hold of it */
#define WSPOOL_SOCKETS_DISCARD_BYTES ((size_t)1 << 20) /* at once, where there is no lingering */

/* Closes it, and leaves errno as it was. */
static inline void wspool_sockets_close(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

/* ------------------------------------------------------------------ waking */

/* A descriptor that is readable when somebody has woken the loop. */
static inline int wspool_sockets_waker(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

static inline void wspool_sockets_say_(int waker, uint64_t what)
{
    int error = errno; /* of whoever was interrupted by this signal */
    ssize_t ignored = write(waker, &what, sizeof(what));
    (void)ignored; /* it can only be full, and then the loop will wake */
    errno = error;
}

/* ANY THREAD. Makes the loop take a turn. */
static inline void wspool_sockets_wake(int waker)
{
    wspool_sockets_say_(waker, 1);
}

/* ANY THREAD. The same, and it is to end. */
static inline void wspool_sockets_quit(int waker)
{
    wspool_sockets_say_(waker, UINT64_C(1) << 32); /* more than all the wakes before it */
}

/* The loop has woken. Is it to end? */
static inline int wspool_sockets_woken(int waker)
{
    uint64_t count = 0;
    ssize_t n = read(waker, &count, sizeof(count));
    return n > 0 && count >> 32;
}

/* -------------------------------------------------------------------- time */

/* From `now` to `then` in milliseconds, rounded up: sleeping so long is never too short. -1, which
 * is for ever, when `then` is UINT64_MAX. */
static inline int wspool_sockets_ms(uint64_t now, uint64_t then)
{
    uint64_t ms = then <= now ? 0 : (then - now - 1) / WSPOOL_MILLISECOND + 1;
    return then == UINT64_MAX ? -1 : ms > INT_MAX ? INT_MAX : (int)ms;
}

/* --------------------------------------------------------------- listening */

/* Is it a socket that listens? If so: whoever connects from now on inherits TCP_NODELAY from it.
 * EINVAL: it does not listen, and waiting for somebody there would never end. */
static inline int wspool_sockets_prepare(int listener)
{
    int one = 1, listens = 0;
    socklen_t len = sizeof(listens);
    if (getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0) {
        return -1;
    }
    if (!listens) {
        errno = EINVAL;
        return -1;
    }
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* no TCP: no harm */
    return 0;
}

typedef union wspool_sockets_address_ {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} wspool_sockets_address_;

/* A socket that listens on a numeric IPv4 or IPv6 address; port 0 takes a free one. */
static inline int wspool_sockets_listen(const char *host, unsigned port)
{
    wspool_sockets_address_ address;
    socklen_t len = sizeof(address.v4);
    int fd, one = 1;

    memset(&address, 0, sizeof(address));
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &address.v4.sin_addr) != 1) {
        address.v6.sin6_family = AF_INET6; /* the port lies at the same place */
        len = sizeof(address.v6);
        if (inet_pton(AF_INET6, host, &address.v6.sin6_addr) != 1) {
            port = UINT_MAX;
        }
    }
    if (port > 65535) {
        errno = EINVAL;
        return -1;
    }
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
                    bind(fd, &address.any, len) < 0 || listen(fd, SOMAXCONN) < 0)) {
        wspool_sockets_close(fd);
        fd = -1;
    }
    return fd;
}

/* On which port it listens. */
static inline int wspool_sockets_port(int listener)
{
    wspool_sockets_address_ address;
    socklen_t len = sizeof(address);
    memset(&address, 0, sizeof(address));
    return getsockname(listener, &address.any, &len) < 0 ? -1 : ntohs(address.v4.sin_port);
}

/* Is this error of accept about one connection only? Then the next may be accepted at once. The
 * others (EMFILE, ENFILE, ENOBUFS, ENOMEM) take time to pass. */
static inline int wspool_sockets_next_may_come(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

/* ------------------------------------------------------------------- peers */

/* A table of entries of this size by the slots of peers, made longer so that it has this slot; new
 * entries are zero. NULL: there is no memory, and the table is as it was. */
static inline void *wspool_sockets_table(void *table, uint32_t *room, uint32_t slot, size_t size)
{
    uint32_t wanted = slot < 32 ? 64 : 2 * slot;
    if (slot < *room) {
        return table;
    }
    table = realloc(table, wanted * size);
    if (table) {
        memset((char *)table + *room * size, 0, (wanted - *room) * size);
        *room = wanted;
    }
    return table;
}

/* Has the other side half closed it, and is nothing left to be read? */
static inline int wspool_sockets_at_end(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* --------------------------------------------------------------- lingering */

/*
 * A socket that is closed while the other side still sends resets the connection, and that throws
 * away what was written to it but did not arrive yet: our last answer. So when the pool is done
 * with a peer, the loop ends its own direction only (the FIN stands behind all that was written)
 * and throws away what comes, until the other side has closed too. Who does not within a time, or
 * sends too much, is closed all the same. Only so many may linger at a time, and none while there
 * are no descriptors for newcomers; the others are closed at once, when what has come is read.
 */
typedef struct wspool_sockets_linger {
    uint64_t until; /* 0: nobody has this place */
    wspool_id id;   /* whose transport it was */
    size_t left;    /* bytes that may still come */
    int fd;
} wspool_sockets_linger;

#define WSPOOL_SOCKETS_ALL_OVERDUE (UINT64_MAX - 1) /* as `now`: everybody's time is over */

/* All zero: nobody lingers. */
typedef struct wspool_sockets_lingerers {
    uint32_t count;
    uint64_t next; /* no one's time is over before; of no meaning when nobody lingers */
    wspool_sockets_linger places[WSPOOL_SOCKETS_LINGERERS];
} wspool_sockets_lingerers;

/* A place for a descriptor whose own direction was shut down; NULL when all are taken. */
static inline wspool_sockets_linger *wspool_sockets_take_place(wspool_sockets_lingerers *all,
                                                               int fd, wspool_id id, uint64_t until)
{
    wspool_sockets_linger *place = all->places;
    if (all->count == WSPOOL_SOCKETS_LINGERERS) {
        return NULL;
    }
    while (place->until) {
        place++;
    }
    place->until = until;
    place->id = id;
    place->left = WSPOOL_SOCKETS_LINGER_BYTES;
    place->fd = fd;
    all->next = all->count++ == 0 || until < all->next ? until : all->next;
    return place;
}

/* The descriptor is closed, or about to be. */
static inline void wspool_sockets_leave_place(wspool_sockets_lingerers *all,
                                              wspool_sockets_linger *place)
{
    place->until = 0;
    all->count--;
}

/* Who lingers by this id; NULL: nobody. */
static inline wspool_sockets_linger *wspool_sockets_lingers(wspool_sockets_lingerers *all,
                                                            wspool_id id)
{
    int i;
    for (i = 0; all->count > 0 && i < WSPOOL_SOCKETS_LINGERERS; i++) {
        if (all->places[i].until && all->places[i].id == id) {
            return &all->places[i];
        }
    }
    return NULL;
}

/* Something came, or the end. Reads it; 1: there is nothing more to wait for. */
static inline int wspool_sockets_discard(wspool_sockets_linger *place, void *buffer, size_t size)
{
    ssize_t n = recv(place->fd, buffer, size, MSG_DONTWAIT);
    if (n < 0) {
        return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    }
    if (n == 0 || (size_t)n > place->left) {
        return 1;
    }
    place->left -= (size_t)n;
    return 0;
}

/* Somebody whose time is over by `now`; NULL: nobody's is. The caller closes it, or sets `until`
 * to UINT64_MAX: then it is not told of again. */
static inline wspool_sockets_linger *wspool_sockets_overdue(wspool_sockets_lingerers *all,
                                                            uint64_t now)
{
    int i;
    if (all->count == 0 || all->next > now) {
        return NULL;
    }
    all->next = UINT64_MAX;
    for (i = 0; i < WSPOOL_SOCKETS_LINGERERS; i++) {
        uint64_t until = all->places[i].until;
        if (until && until <= now) {
            all->next = 0; /* there may be more of them */
            return &all->places[i];
        }
        all->next = until && until < all->next ? until : all->next;
    }
    return NULL;
}

/* Instead of lingering: reads what has come already. */
static inline void wspool_sockets_discard_all(int fd, void *buffer, size_t size)
{
    size_t left = WSPOOL_SOCKETS_DISCARD_BYTES;
    ssize_t n;
    while ((n = recv(fd, buffer, size, MSG_DONTWAIT)) > 0 && left > (size_t)n) {
        left -= (size_t)n;
    }
}

/* ------------------------------------------------------------------- turns */

/* When a loop has something to do by itself; UINT64_MAX: never. `rest_until`: accepting rests
 * until then; 0: it doesn't. */
static inline uint64_t wspool_sockets_deadline(const wspool *pool, uint64_t rest_until,
                                               const wspool_sockets_lingerers *lingering)
{
    uint64_t then = wspool_deadline(pool);
    if (rest_until && rest_until < then) {
        then = rest_until;
    }
    return lingering->count > 0 && lingering->next < then ? lingering->next : then;
}

#ifdef __cplusplus
}
#endif

#endif
