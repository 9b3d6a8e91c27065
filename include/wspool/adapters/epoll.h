/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/epoll.h - a pool on Linux's epoll: listen, accept, read, write, timer.
 *
 * Nothing of it is in the library: it uses the public interface only, as your own loop would.
 * Use it as it is, or copy it, with wspool/adapters/sockets.h, and make it yours.
 *
 *     wspool_config config;
 *     wspool_epoll loop;
 *
 *     wspool_config_init(&config);
 *     config.message.call = on_message;
 *     wspool_epoll_init(&loop, &config);
 *     wspool_new(&loop.pool, &config, wspool_clock());
 *     wspool_route(loop.pool, "/room/{name}", WSPOOL_ITEM, NULL);
 *     wspool_epoll_listen(&loop, "127.0.0.1", 9001);
 *     wspool_epoll_run(&loop, UINT64_MAX);
 *     wspool_free(loop.pool);
 *     wspool_epoll_fini(&loop);
 *
 * In a host that has a loop already: put loop.fd into the host's own epoll (EPOLLIN), sleep no
 * longer than wspool_epoll_wait_ms says, and then call wspool_epoll_turn(&loop, 0).
 *
 * Conventions
 *   Calls    answer 0 or a count, or -1 with errno set, as the system's own do.
 *   Threads  the pool's; wspool_epoll_wake and wspool_epoll_quit may be called from any thread,
 *            and from a signal handler.
 *   Place    a wspool_epoll must not move between init and fini.
 *
 * How it works
 *   - Level-triggered. epoll_data carries the id of a peer, so an event for one that was closed
 *     earlier in the same batch, its descriptor used again perhaps, is known to be stale.
 *   - epoll_ctl is called when what is awaited has changed, not for each message.
 *   - A transport that the pool is done with lingers until the other side has closed it too, for
 *     `linger` at most: wspool/adapters/sockets.h says why, and what bounds it.
 *   - Fairness: at most 64 KiB are read from a peer in a turn. The output is flushed whenever
 *     `burst` bytes have come: so many that even if each message among them were the smallest
 *     there is and went to everybody, it would fit into half of an empty queue. A reader that
 *     keeps up is never taken for a slow one.
 *   - Out of descriptors or memory: accepting rests until a peer has gone, or for 100 ms. Those
 *     who come wait in the backlog meanwhile.
 */
#ifndef WSPOOL_ADAPTERS_EPOLL_H
#define WSPOOL_ADAPTERS_EPOLL_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <wspool/adapters/sockets.h>
#include <wspool/wspool.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef _GNU_SOURCE /* which is when the system's header hides it */
int accept4(int fd, struct sockaddr *address, socklen_t *len, int flags);
#endif

#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 35)
#define WSPOOL_EPOLL_PWAIT2
#endif
#endif

#define WSPOOL_EPOLL_READ 65536 /* bytes: read from one peer in one turn, at most */
#define WSPOOL_EPOLL_BATCH 256  /* events, and connections accepted, in one turn */
#define WSPOOL_EPOLL_VECTORS 16 /* in one write */
#define WSPOOL_EPOLL_LISTENERS WSPOOL_SOCKETS_LISTENERS

/* What epoll_data holds when it is not the id of a peer. The slots of these can't be reached. */
#define WSPOOL_EPOLL_WAKE_TAG UINT64_MAX
#define WSPOOL_EPOLL_LISTENER_TAG (UINT64_MAX - WSPOOL_EPOLL_LISTENERS) /* of the first */

typedef struct wspool_epoll_peer {
    wspool_id id; /* 0: nobody has this slot */
    int fd;
    uint8_t blocked; /* the last write was short */
    uint8_t ended;   /* the other side has closed it, or it failed: nothing more comes or goes */
    uint16_t armed;  /* what epoll was told to await: EPOLLIN, EPOLLOUT, EPOLLRDHUP; all fit */
} wspool_epoll_peer;

/* `pool` is the host's to set, `burst` and `linger` its to change; the others are to be read
 * only. */
typedef struct wspool_epoll {
    wspool *pool;
    int fd;                   /* the epoll itself: readable when a turn has something to do */
    uint32_t count;           /* transports that are open; those that linger are among them */
    uint64_t turned_away;     /* transports closed because the pool or epoll would not have them */
    size_t burst;             /* bytes fed between two flushes; 0: as many as there are */
    uint64_t linger;          /* nanoseconds, at most; 0: they are closed at once */
    size_t fed;               /* bytes fed since the last one */
    wspool_epoll_peer *peers; /* by slot */
    uint32_t room;            /* slots in `peers` */
    int wake_fd;
    int listeners[WSPOOL_EPOLL_LISTENERS];
    int listener_count;
    int accepting; /* connections to be accepted in the next turn that has some */
    int draining;
    int quit;
    uint64_t rest_until;   /* accepting rests until then; 0: it doesn't */
    unsigned char *buffer; /* WSPOOL_EPOLL_READ bytes */
    wspool_sockets_lingerers lingering;
} wspool_epoll;

/* ------------------------------------------------------------------ waking */

/* ANY THREAD. Makes the loop take a turn: what config.wake wants, `user` being the loop. */
static inline void wspool_epoll_wake(void *user)
{
    wspool_sockets_wake(((wspool_epoll *)user)->wake_fd);
}

/* ANY THREAD. Makes wspool_epoll_run return. */
static inline void wspool_epoll_quit(wspool_epoll *loop)
{
    wspool_sockets_quit(loop->wake_fd);
}

/* ------------------------------------------------------------------- peers */

static inline int wspool_epoll_control_(wspool_epoll *loop, int what, int fd, uint32_t events,
                                        uint64_t tag)
{
    struct epoll_event event;
    memset(&event, 0, sizeof(event));
    event.events = events;
    event.data.u64 = tag;
    return epoll_ctl(loop->fd, what, fd, &event);
}

/* The transport of a peer; NULL when it has none here, be it that the id is stale. */
static inline wspool_epoll_peer *wspool_epoll_peer_(wspool_epoll *loop, wspool_id id)
{
    uint32_t slot = wspool_slot(id);
    return slot < loop->room && loop->peers[slot].id == id ? &loop->peers[slot] : NULL;
}

/* Moves the bytes of a peer whose transport is this non-blocking socket. On success the loop owns
 * the descriptor. For a peer of hosted mode there is wspool_epoll_adopt. */
static inline int wspool_epoll_add(wspool_epoll *loop, wspool_id id, int fd)
{
    uint32_t slot = wspool_slot(id);
    wspool_epoll_peer *peers = (wspool_epoll_peer *)wspool_sockets_table(
        loop->peers, &loop->room, slot, sizeof(wspool_epoll_peer));
    if (!peers) {
        return -1;
    }
    loop->peers = peers;
    if (wspool_epoll_control_(loop, EPOLL_CTL_ADD, fd, EPOLLIN, id) < 0) {
        return -1;
    }
    peers[slot].id = id;
    peers[slot].fd = fd;
    peers[slot].armed = EPOLLIN;
    peers[slot].blocked = 0;
    peers[slot].ended = 0;
    loop->count++;
    return 0;
}

/* A connection that was accepted, its socket non-blocking: the pool reads the request and
 * answers it. `user` becomes wspool_user. When it can't be had the socket is closed: -1. */
static inline int wspool_epoll_open(wspool_epoll *loop, int fd, void *user)
{
    uint64_t now = wspool_clock();
    wspool_id id = 0;
    wspool_open_options options;
    memset(&options, 0, sizeof(options));
    options.size = sizeof(options);
    options.user = user;
    if (wspool_open(loop->pool, &options, now, &id) == 0) {
        if (wspool_epoll_add(loop, id, fd) == 0) {
            return 0;
        }
        wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now);
        wspool_release(loop->pool, id);
    }
    close(fd);
    loop->turned_away++;
    return -1;
}

/* Hosted mode: the 101 for the id that wspool_upgrade gave was sent on this non-blocking socket,
 * and these bytes had been read behind the request. The loop owns the descriptor, whatever comes
 * of it; when the pool or epoll would not have it (-1), or it is -1 itself, the peer is gone. */
static inline int wspool_epoll_adopt(wspool_epoll *loop, wspool_id id, int fd, const void *bytes,
                                     size_t len)
{
    uint64_t now = wspool_clock();
    if (fd >= 0 && wspool_adopt(loop->pool, id, bytes, len, now) == 0 &&
        wspool_epoll_add(loop, id, fd) == 0) {
        return 0;
    }
    wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now); /* it is listed for CLOSE by this */
    if (fd >= 0) {
        close(fd);
    }
    loop->turned_away++;
    return -1;
}

static inline void wspool_epoll_arm_(wspool_epoll *loop, wspool_epoll_peer *peer, uint32_t events)
{
    if (peer->armed != events) {
        peer->armed = (uint16_t)events;
        wspool_epoll_control_(loop, EPOLL_CTL_MOD, peer->fd, events, peer->id);
    }
}

/* ----------------------------------------------------------------- closing */

/* Closing it takes it out of epoll, but only if nobody else has this socket. While a child that the
 * host has forked has it, epoll would tell of it in every turn, and what is closed here can't be
 * taken out any more; to be told once, instead, would cost a call for each read. */
static inline void wspool_epoll_shut_(wspool_epoll *loop, int fd)
{
    wspool_epoll_control_(loop, EPOLL_CTL_DEL, fd, 0, 0);
    close(fd);
    loop->count--;
    loop->rest_until = loop->rest_until ? 1 : 0; /* there is a descriptor again */
}

/* Who has lingered long enough by `now` is closed. */
static inline void wspool_epoll_hurry_(wspool_epoll *loop, uint64_t now)
{
    wspool_sockets_linger *place;
    while ((place = wspool_sockets_overdue(&loop->lingering, now))) {
        wspool_sockets_leave_place(&loop->lingering, place);
        wspool_sockets_discard_all(place->fd, loop->buffer, WSPOOL_EPOLL_READ);
        wspool_epoll_shut_(loop, place->fd);
    }
}

/* An event for a transport that has no peer any more, or none at all. */
static inline void wspool_epoll_lingers_on_(wspool_epoll *loop, wspool_id id)
{
    wspool_sockets_linger *place = wspool_sockets_lingers(&loop->lingering, id);
    if (place && wspool_sockets_discard(place, loop->buffer, WSPOOL_EPOLL_READ)) {
        wspool_sockets_leave_place(&loop->lingering, place);
        wspool_epoll_shut_(loop, place->fd);
    }
}

/* The pool is done with a peer. Its transport keeps the id by which epoll knows it. */
static inline void wspool_epoll_close_(wspool_epoll *loop, wspool_id id, uint64_t now)
{
    wspool_epoll_peer *peer = wspool_epoll_peer_(loop, id);
    if (peer) {
        int lingers = !peer->ended && shutdown(peer->fd, SHUT_WR) == 0;
        if (lingers && loop->linger > 0 &&
            wspool_sockets_take_place(&loop->lingering, peer->fd, id, now + loop->linger)) {
            wspool_epoll_arm_(loop, peer, EPOLLIN);
        } else {
            if (lingers) {
                wspool_sockets_discard_all(peer->fd, loop->buffer, WSPOOL_EPOLL_READ);
            }
            wspool_epoll_shut_(loop, peer->fd);
        }
        peer->id = 0;
    }
    wspool_release(loop->pool, id);
}

/* ----------------------------------------------------------------- writing */

/* Nearly always there is one vector, and send is the quicker call. (writev would raise SIGPIPE.) */
static inline ssize_t wspool_epoll_send_(int fd, struct iovec *vectors, int count)
{
    struct msghdr message;
    if (count == 1) {
        return send(fd, vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    memset(&message, 0, sizeof(message));
    message.msg_iov = vectors;
    message.msg_iovlen = (size_t)count;
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static inline void wspool_epoll_write_(wspool_epoll *loop, wspool_epoll_peer *peer, uint64_t now)
{
    struct iovec vectors[WSPOOL_EPOLL_VECTORS];
    size_t total = 0;
    ssize_t sent;
    int i, count = wspool_peek(loop->pool, peer->id, vectors, WSPOOL_EPOLL_VECTORS);

    if (count <= 0) {
        return;
    }
    for (i = 0; i < count; i++) {
        total += vectors[i].iov_len;
    }
    sent = wspool_epoll_send_(peer->fd, vectors, count);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        peer->ended = 1;
        wspool_gone(loop->pool, peer->id, WSPOOL_GONE_FAILED, now);
        return;
    }
    peer->blocked = (uint8_t)(sent < 0 || (size_t)sent < total);
    wspool_ack(loop->pool, peer->id, sent < 0 ? 0 : (size_t)sent, now);
}

/* Whose verdict is awaited is neither read from nor written to: it may leave meanwhile. */
static inline uint32_t wspool_epoll_awaited_(const wspool_epoll_peer *peer, unsigned wants)
{
    uint32_t room = peer->blocked ? (uint32_t)EPOLLOUT : 0;
    if (wants & WSPOOL_READ) {
        return room | (uint32_t)EPOLLIN;
    }
    return room ? room : (uint32_t)EPOLLRDHUP;
}

/* Does what the pool wants done. The bound is for hosts that send more from a hook as soon as
 * there is room: they don't keep the turn from ending.
 * Tried: writing to a peer as soon as what was read from it is fed. Messages from others can't join
 * then, and an echo of 64 bytes, 16 outstanding, took 294 ns instead of 284. */
static inline void wspool_epoll_flush_(wspool_epoll *loop, uint64_t now)
{
    uint64_t bound = 2 * (uint64_t)loop->count + 16;
    wspool_id id;
    unsigned wants;

    loop->fed = 0;
    while (bound-- > 0 && wspool_next(loop->pool, &id, &wants) == 1) {
        wspool_epoll_peer *peer = wspool_epoll_peer_(loop, id);
        if (wants & WSPOOL_CLOSE) {
            wspool_epoll_close_(loop, id, now);
        } else if (peer) {
            if (wants & WSPOOL_WRITE) {
                wspool_epoll_write_(loop, peer, now);
                peer = wspool_epoll_peer_(loop, id); /* a hook may have added another one */
            }
            if (peer) {
                wspool_epoll_arm_(loop, peer, wspool_epoll_awaited_(peer, wants));
            }
        }
    }
}

/* ----------------------------------------------------------------- reading */

/* Reads up to the bound, in bursts: as long as they come full, the peer is there and READ is
 * among its wants. */
static inline void wspool_epoll_read_(wspool_epoll *loop, wspool_id id, uint32_t events,
                                      uint64_t now)
{
    size_t burst = loop->burst - 1 < WSPOOL_EPOLL_READ ? loop->burst : WSPOOL_EPOLL_READ;
    size_t left = WSPOOL_EPOLL_READ;
    wspool_epoll_peer *peer;

    while (left >= burst && (peer = wspool_epoll_peer_(loop, id)) && peer->armed & EPOLLIN) {
        ssize_t n = recv(peer->fd, loop->buffer, burst, MSG_DONTWAIT);
        if (n < 0 && !(events & (EPOLLERR | EPOLLHUP)) &&
            (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            peer->ended = 1;
            wspool_gone(loop->pool, id, n == 0 ? WSPOOL_GONE_EOF : WSPOOL_GONE_FAILED, now);
            return;
        }
        wspool_feed(loop->pool, id, loop->buffer, (size_t)n, now);
        loop->fed += (size_t)n;
        left -= (size_t)n;
        if (loop->fed >= burst) {
            wspool_epoll_flush_(loop, now);
        }
        if ((size_t)n < burst) {
            return;
        }
    }
}

/* An event for a peer. */
static inline void wspool_epoll_event_(wspool_epoll *loop, wspool_id id, uint32_t events,
                                       uint64_t now)
{
    wspool_epoll_peer *peer = wspool_epoll_peer_(loop, id);
    if (!peer) {
        wspool_epoll_lingers_on_(loop, id);
        return;
    }
    if (events & EPOLLOUT) {
        if (peer->blocked) {
            peer->blocked = 0; /* EPOLLOUT stays armed: most often the flush blocks again */
            wspool_writable(loop->pool, id, now);
            peer = wspool_epoll_peer_(loop, id); /* a hook may have added another one */
        } else {
            wspool_epoll_arm_(loop, peer, peer->armed & ~(uint32_t)EPOLLOUT);
        }
    }
    if (peer && events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
        if (peer->armed & EPOLLIN) {
            wspool_epoll_read_(loop, id, events, now);
        } else if (events & (EPOLLERR | EPOLLHUP)) {
            peer->ended = 1; /* a reset while not reading */
            wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now);
        } else if (peer->armed == EPOLLRDHUP) {
            if (wspool_sockets_at_end(peer->fd)) {
                peer->ended = 1;
                wspool_gone(loop->pool, id, WSPOOL_GONE_EOF, now);
            } else { /* what it said before is to be heard first */
                wspool_epoll_arm_(loop, peer, 0);
            }
        }
    }
}

/* --------------------------------------------------------------- accepting */

static inline void wspool_epoll_listeners_(wspool_epoll *loop, uint32_t events)
{
    int i;
    for (i = 0; i < loop->listener_count; i++) {
        wspool_epoll_control_(loop, EPOLL_CTL_MOD, loop->listeners[i], events,
                              WSPOOL_EPOLL_LISTENER_TAG + (uint64_t)i);
    }
}

/* As many as came the last time, and twice as many when that was not all: so that the call which
 * finds nobody, and costs as much as the others, is seldom made. Who is left comes next turn. */
static inline void wspool_epoll_accept_(wspool_epoll *loop, int listener, uint64_t now)
{
    int came = 0, batch = loop->accepting > 0 ? loop->accepting : 1;
    loop->accepting = 2 * batch < WSPOOL_EPOLL_BATCH ? 2 * batch : WSPOOL_EPOLL_BATCH;
    while (batch-- > 0) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            came++;
            wspool_epoll_open(loop, fd, NULL);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            loop->accepting = came;
            return;
        } else if (!wspool_sockets_next_may_come(errno)) {
            loop->rest_until = now + WSPOOL_SOCKETS_REST;
            wspool_epoll_listeners_(loop, 0);
            wspool_epoll_hurry_(loop, WSPOOL_SOCKETS_ALL_OVERDUE); /* newcomers come first */
            return;
        }
    }
}

/* Accepts on a listening socket of the host's (from a service manager, say). On success the loop
 * owns the descriptor. Whoever connects from then on inherits TCP_NODELAY from it. ENOSPC:
 * WSPOOL_EPOLL_LISTENERS are there already; EINVAL: it does not listen. */
static inline int wspool_epoll_adopt_listener(wspool_epoll *loop, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (loop->listener_count == WSPOOL_EPOLL_LISTENERS) {
        errno = ENOSPC;
        return -1;
    }
    if (wspool_sockets_prepare(fd) < 0 || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        wspool_epoll_control_(loop, EPOLL_CTL_ADD, fd, loop->rest_until ? 0 : (uint32_t)EPOLLIN,
                              WSPOOL_EPOLL_LISTENER_TAG + (uint64_t)loop->listener_count) < 0) {
        return -1;
    }
    loop->listeners[loop->listener_count++] = fd;
    return 0;
}

/* Listens on a numeric IPv4 or IPv6 address; port 0 takes a free one. Answers the port. */
static inline int wspool_epoll_listen(wspool_epoll *loop, const char *host, unsigned port)
{
    int fd = wspool_sockets_listen(host, port);
    if (fd >= 0 && wspool_epoll_adopt_listener(loop, fd) < 0) {
        wspool_sockets_close(fd);
        return -1;
    }
    return fd < 0 ? -1 : wspool_sockets_port(fd);
}

/* ------------------------------------------------------------------- turns */

static inline uint64_t wspool_epoll_deadline_(const wspool_epoll *loop)
{
    return wspool_sockets_deadline(loop->pool, loop->rest_until, &loop->lingering);
}

/* How long the loop may sleep, as epoll_wait wants it: -1 is for ever. */
static inline int wspool_epoll_wait_ms(const wspool_epoll *loop)
{
    return wspool_sockets_ms(wspool_clock(), wspool_epoll_deadline_(loop));
}

/* Sleeps until something comes or `then`. A flush_delay is much shorter than the millisecond that
 * epoll_wait counts in, so where the system can it is told nanoseconds. */
static inline int wspool_epoll_sleep_(wspool_epoll *loop, struct epoll_event *events, uint64_t then)
{
    uint64_t now = then > 0 && then < UINT64_MAX ? wspool_clock() : then; /* no need to ask */
#ifdef WSPOOL_EPOLL_PWAIT2
    if (then > now && then - now < 10 * WSPOOL_MILLISECOND) {
        struct timespec time = {0, (long)(then - now)};
        int count = epoll_pwait2(loop->fd, events, WSPOOL_EPOLL_BATCH, &time, NULL);
        if (count >= 0 || errno != ENOSYS) {
            return count;
        }
    }
#endif
    return epoll_wait(loop->fd, events, WSPOOL_EPOLL_BATCH, wspool_sockets_ms(now, then));
}

/* One turn: sleeps until there is something to do, `max_ms` at most (-1: no bound), and does it.
 * -1 when epoll_wait failed, which takes a broken descriptor. */
static inline int wspool_epoll_turn(wspool_epoll *loop, int max_ms)
{
    struct epoll_event events[WSPOOL_EPOLL_BATCH];
    uint64_t now, tag, then = wspool_epoll_deadline_(loop);
    int i, count;

    if (max_ms >= 0 && then > 0) {
        uint64_t bound = max_ms ? wspool_clock() + (uint64_t)max_ms * WSPOOL_MILLISECOND : 0;
        then = bound < then ? bound : then;
    }
    count = wspool_epoll_sleep_(loop, events, then);
    if (count < 0 && errno != EINTR) {
        return -1;
    }
    now = wspool_clock();
    for (i = 0; i < count; i++) {
        tag = events[i].data.u64;
        if (tag == WSPOOL_EPOLL_WAKE_TAG) {
            loop->quit |= wspool_sockets_woken(loop->wake_fd);
        } else if (tag >= WSPOOL_EPOLL_LISTENER_TAG) {
            wspool_epoll_accept_(loop, loop->listeners[tag - WSPOOL_EPOLL_LISTENER_TAG], now);
        } else {
            wspool_epoll_event_(loop, tag, events[i].events, now);
        }
    }
    wspool_tick(loop->pool, now);
    wspool_epoll_flush_(loop, now);
    wspool_epoll_hurry_(loop, now);
    if (loop->rest_until && loop->rest_until <= now) {
        loop->rest_until = 0;
        wspool_epoll_listeners_(loop, EPOLLIN);
    }
    return 0;
}

/* Takes turns until wspool_epoll_quit is called, or `until` has come (UINT64_MAX: never), or,
 * once draining, nobody is left. loop->count says how many are. */
static inline int wspool_epoll_run(wspool_epoll *loop, uint64_t until)
{
    uint64_t now;
    int result = 0;
    while (result == 0 && !loop->quit && !(loop->draining && loop->count == 0) &&
           (now = wspool_clock()) < until) {
        result = wspool_epoll_turn(loop, wspool_sockets_ms(now, until));
    }
    loop->quit = 0;
    return result;
}

/* -------------------------------------------------------------------- life */

/* Stops listening. Those who wait in the backlog are reset by the system. */
static inline void wspool_epoll_deafen(wspool_epoll *loop)
{
    while (loop->listener_count > 0) {
        int fd = loop->listeners[--loop->listener_count];
        wspool_epoll_control_(loop, EPOLL_CTL_DEL, fd, 0, 0);
        close(fd);
    }
    loop->rest_until = 0;
}

/* The graceful end: stops listening and begins wspool_drain. Then wspool_epoll_run, with a
 * deadline of the host's choice: it returns when everybody has gone. */
static inline int wspool_epoll_drain(wspool_epoll *loop, uint64_t window, int code)
{
    int result = wspool_drain(loop->pool, window, code, wspool_clock());
    if (result < 0) {
        errno = EINVAL;
        return -1;
    }
    wspool_epoll_deafen(loop);
    loop->draining = 1;
    return 0;
}

/* Closes every descriptor and frees what init and the peers took. The pool is the host's to
 * free, before this. */
static inline void wspool_epoll_fini(wspool_epoll *loop)
{
    uint32_t slot;
    wspool_epoll_deafen(loop);
    for (slot = 0; slot < loop->room; slot++) {
        if (loop->peers[slot].id) {
            close(loop->peers[slot].fd);
        }
    }
    wspool_epoll_hurry_(loop, WSPOOL_SOCKETS_ALL_OVERDUE);
    if (loop->wake_fd >= 0) {
        close(loop->wake_fd);
    }
    if (loop->fd >= 0) {
        close(loop->fd);
    }
    free(loop->peers);
    free(loop->buffer);
    memset(loop, 0, sizeof(*loop));
    loop->fd = loop->wake_fd = -1;
}

/* Before wspool_new, with the configuration that the pool will have: it takes the wake hook,
 * unless the host has one already; `burst` follows from queue_messages, `linger` from
 * closing_time. */
static inline int wspool_epoll_init(wspool_epoll *loop, wspool_config *config)
{
    memset(loop, 0, sizeof(*loop));
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = wspool_sockets_waker();
    loop->buffer = (unsigned char *)malloc(WSPOOL_EPOLL_READ);
    if (loop->fd < 0 || loop->wake_fd < 0 || !loop->buffer ||
        wspool_epoll_control_(loop, EPOLL_CTL_ADD, loop->wake_fd, EPOLLIN, WSPOOL_EPOLL_WAKE_TAG) <
            0) {
        int error = errno;
        wspool_epoll_fini(loop);
        errno = error;
        return -1;
    }
    if (!config->wake.call) {
        config->wake.call = wspool_epoll_wake;
        config->wake.user = loop;
    }
    loop->burst = 3 * (size_t)config->queue_messages; /* the smallest message is 6 bytes */
    loop->linger = config->closing_time;
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif
