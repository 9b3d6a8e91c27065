/* SPDX-License-Identifier: MIT */
/*
 * wspool/adapters/uring.h - a pool on Linux's io_uring: listen, accept, read, write, timer.
 *
 * Nothing of it is in the library: it uses the public interface only, as your own loop would. Who
 * copies it takes wspool/adapters/sockets.h along. It needs liburing 2.3 (link with -luring) and
 * Linux 6.0; 6.1 is better. It is used as wspool/adapters/epoll.h is, call by call:
 *
 *     wspool_config config;
 *     wspool_uring loop;
 *
 *     wspool_config_init(&config);
 *     config.message.call = on_message;
 *     if (wspool_uring_init(&loop, &config) < 0)
 *         fprintf(stderr, "%s\n", wspool_uring_why(errno));
 *     wspool_new(&loop.pool, &config, wspool_clock());
 *     wspool_route(loop.pool, "/room/{name}", WSPOOL_ITEM, NULL);
 *     wspool_uring_listen(&loop, "127.0.0.1", 9001);
 *     wspool_uring_run(&loop, UINT64_MAX);
 *     wspool_free(loop.pool);
 *     wspool_uring_fini(&loop);
 *
 * In a host that has a loop already: await loop.fd (EPOLLIN), sleep no longer than
 * wspool_uring_wait_ms says, and then call wspool_uring_turn(&loop, 0). The host's own sleep may be
 * interrupted (EINTR): that is how the kernel calls a thread to its ring.
 *
 * Conventions
 *   Calls    answer 0 or a count, or -1 with errno set, as the system's own do.
 *   Threads  the pool's; it is the one that takes the first turn: what was opened and listened for
 *            before, in whatever thread, is asked for then. wspool_uring_wake and
 *            wspool_uring_quit may be called from any thread, and from a signal handler.
 *   Place    a wspool_uring must not move between init and fini.
 *
 * How it works
 *   - A turn is two system calls, however many peers take part: one hands over what the peers
 *     are awaited for, and waits; one carries all writes.
 *   - Writes have a ring of their own, in which nothing stays: they do not wait for room in a
 *     socket, and a flush ends when all of them have. So the pool knows at once who is blocked,
 *     no write is under way when a peer is released or the pool is freed, and each peer has one
 *     write at a time, in order. Who is blocked is polled for POLLOUT.
 *   - Reads are multishot, into buffers that all peers share: who is silent holds none. What the
 *     kernel has read for a peer whose READ is withdrawn meanwhile is kept, and fed when READ is
 *     back; the pool sees no difference. (WSPOOL_URING_KEPT bounds it for all of them together:
 *     what goes beyond is fed all the same, and the peer's queue pays.)
 *   - user_data is the id of a peer and what was asked for. A transport is closed, and its peer
 *     released, when nothing of it is left in the kernel: no completion is ever for another one.
 *   - A transport that the pool is done with lingers until the other side has closed it too, for
 *     `linger` at most: wspool/adapters/sockets.h says why, and what bounds it.
 *   - Fairness: a turn has WSPOOL_URING_BUFFERS buffers for everybody; for whom none was left is
 *     read from first in the next, before those who took them. The output is flushed whenever
 *     `burst` bytes have been fed, as in wspool/adapters/epoll.h: a reader that keeps up is never
 *     taken for a slow one.
 *   - Who has half closed can't be polled without waking at once. When such a one reads nothing,
 *     or is not to be read from, he is looked at every 100 ms.
 *   - Out of descriptors or memory: accepting rests until a peer has gone, or for 100 ms. Those
 *     who come wait in the backlog meanwhile.
 */
#ifndef WSPOOL_ADAPTERS_URING_H
#define WSPOOL_ADAPTERS_URING_H

#include <liburing.h> /* first: it says what it wants to see of the system's headers */

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wspool/adapters/sockets.h>
#include <wspool/wspool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WSPOOL_URING_ENTRIES 256         /* requests handed over at a time */
#define WSPOOL_URING_COMPLETIONS 4096    /* more wait in the kernel */
#define WSPOOL_URING_BUFFERS 64          /* a power of two */
#define WSPOOL_URING_BUFFER (16384 + 64) /* bytes: a message of 16 KiB with its head */
#define WSPOOL_URING_KEPT (16u << 20)    /* bytes read for peers that are not to be read from */
#define WSPOOL_URING_SENDS 128           /* in one system call */
#define WSPOOL_URING_VECTORS 16          /* in one write */
#define WSPOOL_URING_LISTENERS WSPOOL_SOCKETS_LISTENERS
#define WSPOOL_URING_TRIES 1000 /* while the kernel has no memory for a moment */

/* What a completion is about: three bits of user_data, above the highest slot there can be. */
enum wspool_uring_op {
    WSPOOL_URING_READ,   /* bytes came */
    WSPOOL_URING_ROOM,   /* a blocked transport has room */
    WSPOOL_URING_ERROR,  /* one that is not read from has failed */
    WSPOOL_URING_FEED,   /* what was kept is to be fed; it is time to read on */
    WSPOOL_URING_ACCEPT, /* in place of the id: the tag of a listener */
    WSPOOL_URING_WAKE,
    WSPOOL_URING_LINGER, /* in place of the id: the place of one who lingers */
    WSPOOL_URING_CANCEL  /* of no interest: what was cancelled tells */
};
#define WSPOOL_URING_OP_SHIFT 29
#define WSPOOL_URING_OP_MASK ((uint64_t)7 << WSPOOL_URING_OP_SHIFT)

typedef struct wspool_uring_peer {
    wspool_id id; /* 0: nobody has this slot */
    int fd;
    unsigned char armed;     /* what the kernel has of it: a bit for each operation */
    unsigned char cancelled; /* which of these it was asked to give back */
    unsigned char reading;   /* READ is among its wants */
    unsigned char waiting;   /* for a verdict: neither READ nor room is awaited */
    unsigned char blocked;   /* the last write was short */
    unsigned char sending;   /* it is in the batch */
    unsigned char closing;   /* the pool is done with it */
    unsigned char ended;     /* 1: nothing will come, and the pool is to hear of it; 2: it has */
    unsigned char hung;      /* half closed: polling it would not wait */
    uint32_t heard;          /* the turn in which bytes came last */
    unsigned char *kept;     /* read, but not fed yet */
    size_t kept_at, kept_len;
} wspool_uring_peer;

typedef struct wspool_uring_listener {
    int fd;
    int armed;
    uint64_t tag; /* where it is, and which of those that were there */
} wspool_uring_listener;

typedef struct wspool_uring_send {
    wspool_id id;
    size_t total;
    int result;
    struct msghdr message;
    struct iovec vectors[WSPOOL_URING_VECTORS];
} wspool_uring_send;

/* `pool` is the host's to set, `burst` and `linger` its to change; the others are to be read
 * only. */
typedef struct wspool_uring {
    wspool *pool;
    int fd;               /* the ring's: readable when a turn has something to do */
    uint32_t count;       /* transports that are open; those that linger are among them */
    uint64_t turned_away; /* transports closed because the pool or the ring would not have them */
    size_t burst;         /* bytes fed between two flushes; 0: as many as there are */
    uint64_t linger;      /* nanoseconds, at most; 0: they are closed at once */
    size_t fed;           /* bytes fed since the last one */
    wspool_uring_peer *peers; /* by slot */
    uint32_t room;            /* slots in `peers` */
    int wake_fd;
    wspool_uring_listener listeners[WSPOOL_URING_LISTENERS];
    int listener_count;
    uint32_t listened; /* how many there ever were */
    int draining;
    int quit;
    int enabled;         /* the first turn was taken */
    uint32_t turns;      /* taken */
    int broken;          /* the errno of a ring that takes nothing any more */
    uint64_t rest_until; /* accepting rests until then; 0: it doesn't */
    uint64_t under_way;  /* operations whose last completion has not been seen */
    size_t kept;         /* bytes kept for all peers */
    struct io_uring ring;
    struct io_uring sends;
    wspool_uring_send *batch; /* WSPOOL_URING_SENDS of them */
    unsigned batched;
    void *memory;                     /* for these three: */
    struct io_uring_buf_ring *shared; /* the buffers that the kernel may fill */
    unsigned char *buffers;
    unsigned char *scratch; /* one more, for what nobody wants to know */
    wspool_sockets_lingerers lingering;
} wspool_uring;

/* In words that help: what the errno of a wspool_uring_init that failed means. */
static inline const char *wspool_uring_why(int error)
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

/* ------------------------------------------------------------------ waking */

/* ANY THREAD. Makes the loop take a turn: what config.wake wants, `user` being the loop. */
static inline void wspool_uring_wake(void *user)
{
    wspool_sockets_wake(((wspool_uring *)user)->wake_fd);
}

/* ANY THREAD. Makes wspool_uring_run return. */
static inline void wspool_uring_quit(wspool_uring *loop)
{
    wspool_sockets_quit(loop->wake_fd);
}

/* ---------------------------------------------------------------- requests */

/* Is it worth another try? The kernel was interrupted, or has too much to do at the moment. */
static inline int wspool_uring_passes_(int error)
{
    return error == -EINTR || error == -EAGAIN || error == -EBUSY;
}

/* Room for a request. NULL, with errno: this is not the thread of the first turn (EEXIST), or the
 * ring takes nothing any more, of which the turn tells. */
static inline struct io_uring_sqe *wspool_uring_request_(wspool_uring *loop, uint64_t id,
                                                         enum wspool_uring_op op)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
    int tries = WSPOOL_URING_TRIES;
    while (!sqe && !loop->broken) {
        int result = io_uring_submit(&loop->ring);
        if (result == -EEXIST) {
            errno = EEXIST;
            return NULL;
        }
        if (result < 0 && (!wspool_uring_passes_(result) || --tries == 0)) {
            loop->broken = -result;
        }
        sqe = io_uring_get_sqe(&loop->ring);
    }
    if (!sqe) {
        errno = loop->broken;
    } else {
        loop->under_way += op != WSPOOL_URING_CANCEL;
        sqe->user_data = id | (uint64_t)op << WSPOOL_URING_OP_SHIFT;
    }
    return sqe;
}

static inline void wspool_uring_cancel_(wspool_uring *loop, uint64_t id, enum wspool_uring_op op)
{
    struct io_uring_sqe *sqe = wspool_uring_request_(loop, 0, WSPOOL_URING_CANCEL);
    if (sqe) {
        io_uring_prep_cancel64(sqe, id | (uint64_t)op << WSPOOL_URING_OP_SHIFT, 0);
        sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    }
}

/* Asks for something about a peer, unless that is under way already. A poll also ends when the
 * other side has half closed, and would again at once: then time takes its place. */
static inline void wspool_uring_arm_(wspool_uring *loop, wspool_uring_peer *peer,
                                     enum wspool_uring_op op)
{
    static struct __kernel_timespec later = {0, WSPOOL_SOCKETS_REST}; /* never written to */
    struct io_uring_sqe *sqe;
    if (peer->armed & 1u << op || !(sqe = wspool_uring_request_(loop, peer->id, op))) {
        return;
    }
    if (op == WSPOOL_URING_READ) {
        io_uring_prep_recv_multishot(sqe, peer->fd, NULL, 0, 0);
        sqe->flags = IOSQE_BUFFER_SELECT;
        sqe->buf_group = 0;
    } else if (op == WSPOOL_URING_FEED) {
        io_uring_prep_nop(sqe);
    } else if (peer->hung) {
        io_uring_prep_timeout(sqe, &later, 0, 0);
    } else {
        io_uring_prep_poll_add(sqe, peer->fd,
                               POLLERR | POLLHUP | (op == WSPOOL_URING_ROOM ? POLLOUT : 0));
    }
    peer->armed = (unsigned char)(peer->armed | 1u << op);
}

static inline void wspool_uring_disarm_(wspool_uring *loop, wspool_uring_peer *peer,
                                        enum wspool_uring_op op)
{
    if ((peer->armed & ~peer->cancelled) & 1u << op) {
        wspool_uring_cancel_(loop, peer->id, op);
        peer->cancelled = (unsigned char)(peer->cancelled | 1u << op);
    }
}

/* Brings what the kernel was asked for in line with what is wanted; before the first turn it is
 * asked for nothing. A read that was cancelled and is wanted again is asked for when its last
 * completion has come. */
static inline void wspool_uring_ask_(wspool_uring *loop, wspool_uring_peer *peer)
{
    if (peer->closing || !loop->enabled) {
        return;
    }
    if (!peer->reading) {
        wspool_uring_disarm_(loop, peer, WSPOOL_URING_READ);
    } else if (peer->kept || peer->ended == 1) {
        wspool_uring_arm_(loop, peer, WSPOOL_URING_FEED);
    } else if (!peer->ended && !(peer->armed & 1u << WSPOOL_URING_FEED)) {
        wspool_uring_arm_(loop, peer, WSPOOL_URING_READ);
    }
    if (peer->blocked) {
        wspool_uring_arm_(loop, peer, WSPOOL_URING_ROOM);
    } else if (!peer->reading) {
        wspool_uring_arm_(loop, peer, WSPOOL_URING_ERROR);
    }
}

/* ------------------------------------------------------------------- peers */

/* The transport of a peer; NULL when it has none here, be it that the id is stale. */
static inline wspool_uring_peer *wspool_uring_peer_(wspool_uring *loop, wspool_id id)
{
    uint32_t slot = wspool_slot(id);
    return slot < loop->room && loop->peers[slot].id == id ? &loop->peers[slot] : NULL;
}

/* Moves the bytes of a peer whose transport is this socket. On success the loop owns the
 * descriptor. For a peer of hosted mode there is wspool_uring_adopt. EEXIST: this is not the thread
 * of the first turn; not every call notices that. */
static inline int wspool_uring_add(wspool_uring *loop, wspool_id id, int fd)
{
    uint32_t slot = wspool_slot(id);
    wspool_uring_peer *peers = (wspool_uring_peer *)wspool_sockets_table(
        loop->peers, &loop->room, slot, sizeof(wspool_uring_peer));
    wspool_uring_peer *peer;
    if (!peers) {
        return -1;
    }
    loop->peers = peers;
    peer = &peers[slot];
    memset(peer, 0, sizeof(*peer));
    peer->id = id;
    peer->fd = fd;
    peer->reading = 1;
    wspool_uring_ask_(loop, peer);
    if (loop->broken || (loop->enabled && !peer->armed)) {
        peer->id = 0;
        errno = loop->broken ? loop->broken : EEXIST;
        return -1;
    }
    loop->count++;
    return 0;
}

/* A connection that was accepted: the pool reads the request and answers it. `user` becomes
 * wspool_user. When it can't be had the socket is closed: -1. */
static inline int wspool_uring_open(wspool_uring *loop, int fd, void *user)
{
    uint64_t now = wspool_clock();
    wspool_id id = 0;
    wspool_open_options options;
    memset(&options, 0, sizeof(options));
    options.size = sizeof(options);
    options.user = user;
    if (wspool_open(loop->pool, &options, now, &id) == 0) {
        if (wspool_uring_add(loop, id, fd) == 0) {
            return 0;
        }
        wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now);
        wspool_release(loop->pool, id);
    }
    close(fd);
    loop->turned_away++;
    return -1;
}

/* Hosted mode: the 101 for the id that wspool_upgrade gave was sent on this socket, and these
 * bytes had been read behind the request. The loop owns the descriptor, whatever comes of it; when
 * the pool or the ring would not have it (-1), or it is -1 itself, the peer is gone. */
static inline int wspool_uring_adopt(wspool_uring *loop, wspool_id id, int fd, const void *bytes,
                                     size_t len)
{
    uint64_t now = wspool_clock();
    if (fd >= 0 && wspool_adopt(loop->pool, id, bytes, len, now) == 0 &&
        wspool_uring_add(loop, id, fd) == 0) {
        return 0;
    }
    wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now); /* it is listed for CLOSE by this */
    if (fd >= 0) {
        close(fd);
    }
    loop->turned_away++;
    return -1;
}

/* ----------------------------------------------------------------- closing */

static inline void wspool_uring_forget_(wspool_uring *loop, wspool_uring_peer *peer)
{
    loop->kept -= peer->kept_len;
    free(peer->kept);
    peer->kept = NULL;
    peer->kept_at = peer->kept_len = 0;
}

static inline void wspool_uring_shut_(wspool_uring *loop, int fd)
{
    close(fd);
    loop->count--;
    loop->rest_until = loop->rest_until ? 1 : 0; /* there is a descriptor again */
}

/* Waits for what one who lingers has to say. When that can't be asked for, it is closed. */
static inline void wspool_uring_await_lingerer_(wspool_uring *loop, wspool_sockets_linger *place)
{
    struct io_uring_sqe *sqe = wspool_uring_request_(
        loop, (uint64_t)(place - loop->lingering.places), WSPOOL_URING_LINGER);
    if (sqe) {
        io_uring_prep_poll_add(sqe, place->fd, POLLIN);
    } else {
        wspool_sockets_leave_place(&loop->lingering, place);
        wspool_uring_shut_(loop, place->fd);
    }
}

/* Something came, the other side has closed it too, or its time was over. */
static inline void wspool_uring_lingers_on_(wspool_uring *loop, uint64_t number, int result)
{
    wspool_sockets_linger *place = &loop->lingering.places[number];
    if (result < 0 || place->until == UINT64_MAX) {
        wspool_sockets_discard_all(place->fd, loop->scratch, WSPOOL_URING_BUFFER);
    } else if (!wspool_sockets_discard(place, loop->scratch, WSPOOL_URING_BUFFER)) {
        wspool_uring_await_lingerer_(loop, place);
        return;
    }
    wspool_sockets_leave_place(&loop->lingering, place);
    wspool_uring_shut_(loop, place->fd);
}

/* Who has lingered long enough by `now` is closed as soon as the kernel has nothing of it. */
static inline void wspool_uring_hurry_(wspool_uring *loop, uint64_t now)
{
    wspool_sockets_linger *place;
    while ((place = wspool_sockets_overdue(&loop->lingering, now))) {
        place->until = UINT64_MAX;
        wspool_uring_cancel_(loop, (uint64_t)(place - loop->lingering.places), WSPOOL_URING_LINGER);
    }
}

/* The kernel has nothing of it any more. */
static inline void wspool_uring_closed_(wspool_uring *loop, wspool_uring_peer *peer, uint64_t now)
{
    wspool_id id = peer->id;
    wspool_sockets_linger *place = NULL;
    if (!peer->ended && loop->linger > 0) {
        place = wspool_sockets_take_place(&loop->lingering, peer->fd, id, now + loop->linger);
    }
    if (place) {
        wspool_uring_await_lingerer_(loop, place);
    } else {
        if (!peer->ended) {
            wspool_sockets_discard_all(peer->fd, loop->scratch, WSPOOL_URING_BUFFER);
        }
        wspool_uring_shut_(loop, peer->fd);
    }
    peer->id = 0;
    wspool_release(loop->pool, id);
}

/* The pool is done with a peer. */
static inline void wspool_uring_close_(wspool_uring *loop, wspool_id id, uint64_t now)
{
    wspool_uring_peer *peer = wspool_uring_peer_(loop, id);
    unsigned op;
    if (!peer) {
        wspool_release(loop->pool, id);
        return;
    }
    if (!peer->ended && shutdown(peer->fd, SHUT_WR) < 0) {
        peer->ended = 2;
    }
    peer->closing = 1;
    wspool_uring_forget_(loop, peer);
    for (op = WSPOOL_URING_READ; op <= WSPOOL_URING_FEED; op++) {
        wspool_uring_disarm_(loop, peer, (enum wspool_uring_op)op);
    }
    if (!peer->armed) {
        wspool_uring_closed_(loop, peer, now);
    }
}

/* ----------------------------------------------------------------- writing */

/* Puts the output of a peer into the batch. Its bytes lie in the pool until the ack. */
static inline void wspool_uring_gather_(wspool_uring *loop, wspool_uring_peer *peer)
{
    wspool_uring_send *send = &loop->batch[loop->batched];
    int i, count = wspool_peek(loop->pool, peer->id, send->vectors, WSPOOL_URING_VECTORS);
    struct io_uring_sqe *sqe = count > 0 ? io_uring_get_sqe(&loop->sends) : NULL;

    if (!sqe) {
        return;
    }
    send->id = peer->id;
    send->result = -EAGAIN;
    send->total = 0;
    for (i = 0; i < count; i++) {
        send->total += send->vectors[i].iov_len;
    }
    if (count == 1) { /* nearly always, and it is the quicker call */
        io_uring_prep_send(sqe, peer->fd, send->vectors[0].iov_base, send->total,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
        memset(&send->message, 0, sizeof(send->message));
        send->message.msg_iov = send->vectors;
        send->message.msg_iovlen = (size_t)count;
        io_uring_prep_sendmsg(sqe, peer->fd, &send->message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    sqe->user_data = loop->batched++;
    peer->sending = 1;
}

static inline void wspool_uring_sent_(wspool_uring *loop, const wspool_uring_send *send,
                                      uint64_t now)
{
    wspool_uring_peer *peer = wspool_uring_peer_(loop, send->id);
    int n = send->result;
    if (!peer) {
        return;
    }
    peer->sending = 0;
    if (n < 0 && n != -EAGAIN && n != -EINTR) {
        peer->ended = 2;
        wspool_gone(loop->pool, send->id, WSPOOL_GONE_FAILED, now);
        return;
    }
    peer->blocked = n < 0 || (size_t)n < send->total;
    wspool_ack(loop->pool, send->id, n < 0 ? 0 : (size_t)n, now);
    peer = wspool_uring_peer_(loop, send->id); /* a hook may have added another one */
    if (peer && peer->blocked) {
        wspool_uring_ask_(loop, peer);
    }
}

/* Writes the batch, and does not come back before each of its writes has ended: at once, since
 * none of them waits for anything. */
static inline void wspool_uring_write_(wspool_uring *loop, uint64_t now)
{
    unsigned i, ended = 0, count = loop->batched;
    int tries = WSPOOL_URING_TRIES;
    while (ended < count && !loop->broken) {
        int result = io_uring_submit_and_wait(&loop->sends, count - ended);
        struct io_uring_cqe *cqe = NULL;
        if (result < 0 && (!wspool_uring_passes_(result) || --tries == 0)) {
            loop->broken = -result;
        }
        for (; io_uring_peek_cqe(&loop->sends, &cqe) == 0; ended++) {
            loop->batch[cqe->user_data].result = cqe->res;
            io_uring_cqe_seen(&loop->sends, cqe);
        }
    }
    for (i = 0; i < count; i++) {
        wspool_uring_sent_(loop, &loop->batch[i], now);
    }
    loop->batched = 0;
}

/* Does what the pool wants done. The bound is for hosts that send more from a hook as soon as
 * there is room: they don't keep the turn from ending. */
static inline void wspool_uring_flush_(wspool_uring *loop, uint64_t now)
{
    uint64_t left = 2 * (uint64_t)loop->count + 16;
    int wrote;

    loop->fed = 0;
    do {
        wspool_id id;
        unsigned wants;
        while (loop->batched < WSPOOL_URING_SENDS && left > 0 &&
               wspool_next(loop->pool, &id, &wants) == 1) {
            wspool_uring_peer *peer = wspool_uring_peer_(loop, id);
            left--;
            if (peer && peer->sending) { /* a hook made something more of it */
                wspool_uring_write_(loop, now);
                peer = wspool_uring_peer_(loop, id);
            }
            if (wants & WSPOOL_CLOSE) {
                wspool_uring_close_(loop, id, now);
            } else if (peer) {
                peer->reading = (wants & WSPOOL_READ) != 0;
                peer->waiting = !peer->reading && !peer->blocked;
                wspool_uring_ask_(loop, peer);
                if (wants & WSPOOL_WRITE) {
                    wspool_uring_gather_(loop, peer);
                }
            }
        }
        wrote = loop->batched > 0;
        wspool_uring_write_(loop, now);
    } while (wrote && left > 0);
}

/* ----------------------------------------------------------------- reading */

/* Feeds bytes in bursts, as long as the peer is there and READ is among its wants. Answers how
 * many it took. */
static inline size_t wspool_uring_feed_(wspool_uring *loop, wspool_id id,
                                        const unsigned char *bytes, size_t len, uint64_t now)
{
    size_t burst = loop->burst ? loop->burst : SIZE_MAX, taken = 0;
    wspool_uring_peer *peer;

    while (taken < len && (peer = wspool_uring_peer_(loop, id)) && peer->reading &&
           !peer->closing) {
        size_t n = burst > loop->fed ? burst - loop->fed : 1;
        n = n < len - taken ? n : len - taken;
        wspool_feed(loop->pool, id, bytes + taken, n, now);
        taken += n;
        loop->fed += n;
        if (loop->fed >= burst) {
            wspool_uring_flush_(loop, now);
        }
    }
    return taken;
}

/* Keeps bytes until READ is back, behind those that are kept already. When there are too many of
 * them in all, the peer gets its own now. */
static inline void wspool_uring_keep_(wspool_uring *loop, wspool_uring_peer *peer,
                                      const unsigned char *bytes, size_t len, uint64_t now)
{
    wspool_id id = peer->id;
    unsigned char *kept = NULL;
    if (loop->kept + len <= WSPOOL_URING_KEPT) {
        kept = (unsigned char *)realloc(peer->kept, peer->kept_len + len);
    }
    if (kept) {
        memcpy(kept + peer->kept_len, bytes, len);
        peer->kept = kept;
        peer->kept_len += len;
        loop->kept += len;
        return;
    }
    if (peer->kept) {
        wspool_feed(loop->pool, id, peer->kept + peer->kept_at, peer->kept_len - peer->kept_at,
                    now);
        wspool_uring_forget_(loop, wspool_uring_peer_(loop, id)); /* a hook may have added one */
    }
    wspool_feed(loop->pool, id, bytes, len, now);
}

/* There is no more to come from it. What its last bytes were answered goes out first. */
static inline void wspool_uring_end_(wspool_uring *loop, wspool_id id, uint64_t now)
{
    wspool_uring_peer *peer;
    if (loop->fed > 0) {
        wspool_uring_flush_(loop, now);
    }
    peer = wspool_uring_peer_(loop, id); /* it is there: an operation is under way */
    if (peer->ended == 1 && !peer->kept && peer->reading && !peer->closing) {
        peer->ended = 2;
        wspool_gone(loop->pool, id, WSPOOL_GONE_EOF, now);
    }
}

/* READ is back for a peer of whom something was kept: bytes, that there are no more, or both. */
static inline void wspool_uring_feed_kept_(wspool_uring *loop, wspool_id id, uint64_t now)
{
    wspool_uring_peer *peer = wspool_uring_peer_(loop, id);
    if (peer->kept) {
        size_t taken = wspool_uring_feed_(loop, id, peer->kept + peer->kept_at,
                                          peer->kept_len - peer->kept_at, now);
        peer = wspool_uring_peer_(loop, id); /* it is there: this operation was under way */
        peer->kept_at += taken;
        if (peer->kept_at >= peer->kept_len) {
            wspool_uring_forget_(loop, peer);
        }
    }
    if (peer->ended == 1) {
        wspool_uring_end_(loop, id, now);
    }
}

/* A read has brought bytes, or the end of them, or an error. */
static inline void wspool_uring_read_(wspool_uring *loop, wspool_id id, int result,
                                      const unsigned char *bytes, uint64_t now)
{
    wspool_uring_peer *peer = wspool_uring_peer_(loop, id);
    size_t taken = 0, len = result > 0 ? (size_t)result : 0;

    if (peer->closing || peer->ended) {
        return;
    }
    if (len > 0) {
        peer->heard = loop->turns;
        if (!peer->kept) {
            taken = wspool_uring_feed_(loop, id, bytes, len, now);
            peer = wspool_uring_peer_(loop, id);
        }
        if (taken < len && peer && !peer->closing) {
            wspool_uring_keep_(loop, peer, bytes + taken, len - taken, now);
        }
    } else if (result == 0) {
        peer->ended = 1;
        wspool_uring_end_(loop, id, now);
    } else if (result == -ENOBUFS) {
        if (peer->heard == loop->turns && peer->reading) { /* it got some: others are first */
            wspool_uring_arm_(loop, peer, WSPOOL_URING_FEED);
        }
    } else if (result != -ECANCELED && result != -EAGAIN && result != -EINTR) {
        peer->ended = 2;
        wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now);
    }
}

/* -------------------------------------------------------------- completion */

static inline unsigned char *wspool_uring_buffer_(wspool_uring *loop, unsigned number)
{
    return loop->buffers + (size_t)number * WSPOOL_URING_BUFFER;
}

/* Gives a buffer to the kernel. */
static inline void wspool_uring_lend_(wspool_uring *loop, unsigned number)
{
    io_uring_buf_ring_add(loop->shared, wspool_uring_buffer_(loop, number), WSPOOL_URING_BUFFER,
                          (unsigned short)number, io_uring_buf_ring_mask(WSPOOL_URING_BUFFERS), 0);
    io_uring_buf_ring_advance(loop->shared, 1);
}

/* A poll has ended for nothing that was asked for. */
static inline unsigned char wspool_uring_half_closed_(int result)
{
    return result > 0 && !(result & (POLLOUT | POLLERR | POLLHUP));
}

static inline int wspool_uring_failed_(const wspool_uring_peer *peer)
{
    struct pollfd about;
    about.fd = peer->fd;
    about.events = about.revents = 0;
    return poll(&about, 1, 0) == 1;
}

static inline void wspool_uring_peer_completed_(wspool_uring *loop, wspool_id id,
                                                enum wspool_uring_op op,
                                                const struct io_uring_cqe *cqe, uint64_t now)
{
    wspool_uring_peer *peer = wspool_uring_peer_(loop, id);
    unsigned number = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

    if (!peer) {
        return;
    }
    /* A transport whose last operation this is stays armed until the end of it: a flush in
     * between may want to close it. */
    switch (op) {
    case WSPOOL_URING_READ:
        wspool_uring_read_(loop, id, cqe->res, wspool_uring_buffer_(loop, number), now);
        break;
    case WSPOOL_URING_FEED:
        wspool_uring_feed_kept_(loop, id, now);
        break;
    case WSPOOL_URING_ROOM:
        peer->hung |= wspool_uring_half_closed_(cqe->res);
        if (peer->blocked && !peer->closing && !wspool_uring_half_closed_(cqe->res)) {
            peer->blocked = 0;
            wspool_writable(loop->pool, id, now);
        }
        break;
    default: /* who is read from learns of it by reading */
        peer->hung |= wspool_uring_half_closed_(cqe->res);
        if (!peer->reading && !peer->closing && wspool_uring_failed_(peer)) {
            peer->ended = 2;
            wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now);
        } else if (peer->hung && peer->waiting && !peer->closing && !peer->kept &&
                   peer->ended < 2 && (peer->ended || wspool_sockets_at_end(peer->fd))) {
            peer->ended = 2;
            wspool_gone(loop->pool, id, WSPOOL_GONE_EOF, now);
        }
    }
    peer = wspool_uring_peer_(loop, id); /* a hook may have added another one */
    if (!peer || cqe->flags & IORING_CQE_F_MORE) {
        return;
    }
    peer->armed = (unsigned char)(peer->armed & ~(1u << op));
    peer->cancelled = (unsigned char)(peer->cancelled & ~(1u << op));
    if (!peer->closing) {
        wspool_uring_ask_(loop, peer);
    } else if (!peer->armed) {
        wspool_uring_closed_(loop, peer, now);
    }
}

/* --------------------------------------------------------------- accepting */

static inline void wspool_uring_listeners_(wspool_uring *loop)
{
    int i;
    for (i = 0; i < loop->listener_count; i++) {
        wspool_uring_listener *listener = &loop->listeners[i];
        struct io_uring_sqe *sqe;
        if (!listener->armed && loop->enabled && !loop->rest_until &&
            (sqe = wspool_uring_request_(loop, listener->tag, WSPOOL_URING_ACCEPT))) {
            io_uring_prep_multishot_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
            listener->armed = 1;
        }
    }
}

static inline void wspool_uring_accept_(wspool_uring *loop, uint64_t tag,
                                        const struct io_uring_cqe *cqe, uint64_t now)
{
    int i = (int)(tag & UINT32_MAX), result = cqe->res;
    if (i >= loop->listener_count || loop->listeners[i].tag != tag) {
        if (result >= 0) {
            close(result); /* it came too late: nobody listens there any more */
        }
        return;
    }
    loop->listeners[i].armed = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (result >= 0) {
        wspool_uring_open(loop, result, NULL);
    } else if (!wspool_sockets_next_may_come(-result) && result != -EAGAIN &&
               result != -ECANCELED) {
        loop->rest_until = now + WSPOOL_SOCKETS_REST;
        wspool_uring_hurry_(loop, WSPOOL_SOCKETS_ALL_OVERDUE); /* newcomers come first */
    }
    wspool_uring_listeners_(loop);
}

/* Accepts on a listening socket of the host's (from a service manager, say). On success the loop
 * owns the descriptor. Whoever connects from then on inherits TCP_NODELAY from it. ENOSPC:
 * WSPOOL_URING_LISTENERS are there already; EINVAL: it does not listen. */
static inline int wspool_uring_adopt_listener(wspool_uring *loop, int fd)
{
    wspool_uring_listener *listener = &loop->listeners[loop->listener_count];
    if (loop->listener_count == WSPOOL_URING_LISTENERS) {
        errno = ENOSPC;
        return -1;
    }
    if (wspool_sockets_prepare(fd) < 0) {
        return -1;
    }
    listener->fd = fd;
    listener->armed = 0;
    listener->tag = (uint64_t)++loop->listened << 32 | (uint64_t)loop->listener_count;
    loop->listener_count++;
    wspool_uring_listeners_(loop);
    return 0;
}

/* Listens on a numeric IPv4 or IPv6 address; port 0 takes a free one. Answers the port. */
static inline int wspool_uring_listen(wspool_uring *loop, const char *host, unsigned port)
{
    int fd = wspool_sockets_listen(host, port);
    if (fd >= 0 && wspool_uring_adopt_listener(loop, fd) < 0) {
        wspool_sockets_close(fd);
        return -1;
    }
    return fd < 0 ? -1 : wspool_sockets_port(fd);
}

/* ------------------------------------------------------------------- turns */

static inline void wspool_uring_await_wake_(wspool_uring *loop)
{
    struct io_uring_sqe *sqe = wspool_uring_request_(loop, 0, WSPOOL_URING_WAKE);
    if (sqe) {
        io_uring_prep_poll_multishot(sqe, loop->wake_fd, POLLIN);
    }
}

/* The thread that does this is the rings' own from then on. What was opened before is asked for. */
static inline void wspool_uring_begin_(wspool_uring *loop)
{
    uint32_t slot;
    /* io_uring_enable_rings is missing in the shared liburing of 2.3 */
    int result = io_uring_register((unsigned)loop->fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (result >= 0) {
        result =
            io_uring_register((unsigned)loop->sends.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    }
    loop->broken = result < 0 ? -result : 0;
    loop->enabled = 1;
    wspool_uring_await_wake_(loop);
    wspool_uring_listeners_(loop);
    for (slot = 0; slot < loop->room; slot++) {
        if (loop->peers[slot].id) {
            wspool_uring_ask_(loop, &loop->peers[slot]);
        }
    }
}

static inline void wspool_uring_completed_(wspool_uring *loop, const struct io_uring_cqe *cqe,
                                           uint64_t now)
{
    enum wspool_uring_op op =
        (enum wspool_uring_op)((cqe->user_data & WSPOOL_URING_OP_MASK) >> WSPOOL_URING_OP_SHIFT);
    uint64_t id = cqe->user_data & ~WSPOOL_URING_OP_MASK;

    if (op == WSPOOL_URING_CANCEL) {
        return;
    }
    loop->under_way -= !(cqe->flags & IORING_CQE_F_MORE);
    if (op == WSPOOL_URING_ACCEPT) {
        wspool_uring_accept_(loop, id, cqe, now);
    } else if (op == WSPOOL_URING_LINGER) {
        wspool_uring_lingers_on_(loop, id, cqe->res);
    } else if (op != WSPOOL_URING_WAKE) {
        wspool_uring_peer_completed_(loop, id, op, cqe, now);
    } else {
        loop->quit |= wspool_sockets_woken(loop->wake_fd);
        if (!(cqe->flags & IORING_CQE_F_MORE)) {
            wspool_uring_await_wake_(loop);
        }
    }
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        wspool_uring_lend_(loop, cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    }
}

static inline uint64_t wspool_uring_deadline_(const wspool_uring *loop)
{
    return wspool_sockets_deadline(loop->pool, loop->rest_until, &loop->lingering);
}

/* How long the host may sleep, as epoll_wait wants it: -1 is for ever. (0 also when something is
 * to be handed to the kernel, which a turn does.) */
static inline int wspool_uring_wait_ms(const wspool_uring *loop)
{
    return !loop->enabled || io_uring_sq_ready(&loop->ring)
               ? 0
               : wspool_sockets_ms(wspool_clock(), wspool_uring_deadline_(loop));
}

/* Hands over what was asked for, and waits for the first completion. Nothing but a broken ring is
 * an error: that the kernel took less, or nothing just now, is none. */
static inline int wspool_uring_wait_(wspool_uring *loop, uint64_t time_left)
{
    struct __kernel_timespec time;
    struct io_uring_cqe *first;
    int result;
    time.tv_sec = (long long)(time_left / WSPOOL_SECOND);
    time.tv_nsec = (long long)(time_left % WSPOOL_SECOND);
    if (!loop->broken) {
        result = io_uring_submit_and_wait_timeout(&loop->ring, &first, 1,
                                                  time_left == UINT64_MAX ? NULL : &time, NULL);
        if (result == -EEXIST) { /* another thread's: nothing has happened to the ring */
            errno = EEXIST;
            return -1;
        }
        if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN &&
            result != -EBUSY) {
            loop->broken = -result;
        }
    }
    errno = loop->broken;
    return loop->broken ? -1 : 0;
}

/* One turn: sleeps until there is something to do, `max_ms` at most (-1: no bound), and does it.
 * -1 when a ring is broken, or this is not the thread that took the first turn (EEXIST). */
static inline int wspool_uring_turn(wspool_uring *loop, int max_ms)
{
    uint64_t then = wspool_uring_deadline_(loop), wait = then, now;
    unsigned count;

    if (then > 0 && then < UINT64_MAX) {
        now = wspool_clock();
        wait = then > now ? then - now : 0;
    }
    if (max_ms >= 0 && wait > (uint64_t)max_ms * WSPOOL_MILLISECOND) {
        wait = (uint64_t)max_ms * WSPOOL_MILLISECOND;
    }
    if (!loop->enabled) {
        wspool_uring_begin_(loop);
    }
    if (wspool_uring_wait_(loop, wait) < 0) {
        return -1;
    }
    now = wspool_clock();
    loop->turns++;
    for (count = io_uring_cq_ready(&loop->ring); count > 0; count--) {
        struct io_uring_cqe *cqe = NULL, copy;
        if (io_uring_peek_cqe(&loop->ring, &cqe) < 0) {
            break;
        }
        memcpy(&copy, cqe, sizeof(copy));
        io_uring_cqe_seen(&loop->ring, cqe);
        wspool_uring_completed_(loop, &copy, now);
    }
    wspool_tick(loop->pool, now);
    wspool_uring_flush_(loop, now);
    wspool_uring_hurry_(loop, now);
    if (loop->rest_until && loop->rest_until <= now) {
        loop->rest_until = 0;
        wspool_uring_listeners_(loop);
    }
    errno = loop->broken;
    return loop->broken ? -1 : 0;
}

/* Takes turns until wspool_uring_quit is called, or `until` has come (UINT64_MAX: never), or,
 * once draining, nobody is left. loop->count says how many are. */
static inline int wspool_uring_run(wspool_uring *loop, uint64_t until)
{
    uint64_t now;
    int result = 0;
    while (result == 0 && !loop->quit && !(loop->draining && loop->count == 0) &&
           (now = wspool_clock()) < until) {
        result = wspool_uring_turn(loop, wspool_sockets_ms(now, until));
    }
    loop->quit = 0;
    return result;
}

/* -------------------------------------------------------------------- life */

/* Stops listening. Those who wait in the backlog are reset by the system. */
static inline void wspool_uring_deafen(wspool_uring *loop)
{
    int i, count = loop->listener_count, tries = WSPOOL_URING_TRIES, result = 0;
    for (i = 0; i < count; i++) {
        if (loop->listeners[i].armed) {
            wspool_uring_cancel_(loop, loop->listeners[i].tag, WSPOOL_URING_ACCEPT);
        }
    }
    /* As long as it is awaited it is open; and what was asked for names a descriptor, which may
     * be another one's once it is closed. */
    if (count > 0 && loop->enabled && !loop->broken) {
        do {
            result = io_uring_submit_and_get_events(&loop->ring);
        } while ((result < 0 ? wspool_uring_passes_(result) : io_uring_sq_ready(&loop->ring) > 0) &&
                 --tries > 0);
        if (result < 0 && result != -EEXIST) {
            loop->broken = -result;
        }
    }
    while (loop->listener_count > 0) {
        close(loop->listeners[--loop->listener_count].fd);
    }
    loop->rest_until = 0;
}

/* The graceful end: stops listening and begins wspool_drain. Then wspool_uring_run, with a
 * deadline of the host's choice: it returns when everybody has gone. */
static inline int wspool_uring_drain(wspool_uring *loop, uint64_t window, int code)
{
    int result = wspool_drain(loop->pool, window, code, wspool_clock());
    if (result < 0) {
        errno = EINVAL;
        return -1;
    }
    wspool_uring_deafen(loop);
    loop->draining = 1;
    return 0;
}

/* Takes back all that is under way, so that every socket is closed when fini returns: left to
 * itself the kernel does that some time later. A few seconds are more than it takes. */
static inline void wspool_uring_settle_(wspool_uring *loop)
{
    struct io_uring_sqe *sqe;
    int rounds = 50;
    if (!loop->enabled || loop->broken ||
        !(sqe = wspool_uring_request_(loop, 0, WSPOOL_URING_CANCEL))) {
        return;
    }
    io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    while (loop->under_way > 0 && rounds > 0) {
        struct io_uring_cqe *cqe = NULL;
        uint64_t before = loop->under_way;
        if (wspool_uring_wait_(loop, WSPOOL_SOCKETS_REST) < 0) {
            return;
        }
        while (io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
            uint64_t op = (cqe->user_data & WSPOOL_URING_OP_MASK) >> WSPOOL_URING_OP_SHIFT;
            loop->under_way -= op != WSPOOL_URING_CANCEL && !(cqe->flags & IORING_CQE_F_MORE);
            if (op == WSPOOL_URING_ACCEPT && cqe->res >= 0) {
                close(cqe->res);
            }
            io_uring_cqe_seen(&loop->ring, cqe);
        }
        rounds -= loop->under_way == before; /* only those in which nothing came */
    }
}

/* Closes every descriptor and frees what init and the peers took. The pool is the host's to
 * free, before this. */
static inline void wspool_uring_fini(wspool_uring *loop)
{
    uint32_t slot;
    int i;
    wspool_uring_deafen(loop);
    wspool_uring_settle_(loop);
    for (slot = 0; slot < loop->room; slot++) {
        if (loop->peers[slot].id) {
            close(loop->peers[slot].fd);
            free(loop->peers[slot].kept);
        }
    }
    for (i = 0; i < WSPOOL_SOCKETS_LINGERERS; i++) {
        if (loop->lingering.places[i].until) {
            close(loop->lingering.places[i].fd);
        }
    }
    if (loop->wake_fd >= 0) {
        close(loop->wake_fd);
    }
    if (loop->sends.ring_fd >= 0) {
        io_uring_queue_exit(&loop->sends);
    }
    if (loop->ring.ring_fd >= 0) {
        io_uring_queue_exit(&loop->ring);
    }
    free(loop->peers);
    free(loop->batch);
    free(loop->memory);
    memset(loop, 0, sizeof(*loop));
    loop->fd = loop->wake_fd = loop->ring.ring_fd = loop->sends.ring_fd = -1;
}

/* A ring of one thread, whose completions come when that thread asks for them: the first turn
 * says which one it is. Linux 6.1 can that best, 6.0 almost as well. */
static inline int wspool_uring_ring_(struct io_uring *ring, unsigned entries, unsigned completions)
{
    const unsigned flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED |
                           IORING_SETUP_SINGLE_ISSUER;
    struct io_uring_params params;
    int result;
    memset(&params, 0, sizeof(params));
    params.flags = flags | IORING_SETUP_DEFER_TASKRUN;
    params.cq_entries = completions;
    result = io_uring_queue_init_params(entries, ring, &params);
    if (result == -EINVAL) {
        memset(&params, 0, sizeof(params));
        params.flags = flags | IORING_SETUP_COOP_TASKRUN;
        params.cq_entries = completions;
        result = io_uring_queue_init_params(entries, ring, &params);
    }
    if (result < 0) {
        ring->ring_fd = -1;
    }
    return result;
}

/* The memory for reading, and what the kernel may have of it: everything. */
static inline int wspool_uring_buffers_(wspool_uring *loop)
{
    struct io_uring_buf_reg about;
    size_t page = (size_t)sysconf(_SC_PAGESIZE); /* where the kernel wants its part to begin */
    unsigned i;
    int result;

    loop->memory = malloc(2 * page + (size_t)(WSPOOL_URING_BUFFERS + 1) * WSPOOL_URING_BUFFER);
    if (!loop->memory) {
        return -ENOMEM;
    }
    loop->shared = (struct io_uring_buf_ring *)(((uintptr_t)loop->memory + page - 1) / page * page);
    loop->buffers = (unsigned char *)loop->shared + page;
    loop->scratch = wspool_uring_buffer_(loop, WSPOOL_URING_BUFFERS);
    memset(&about, 0, sizeof(about));
    about.ring_addr = (uint64_t)(uintptr_t)loop->shared;
    about.ring_entries = WSPOOL_URING_BUFFERS;
    result = io_uring_register_buf_ring(&loop->ring, &about, 0);
    if (result == 0) {
        io_uring_buf_ring_init(loop->shared);
        for (i = 0; i < WSPOOL_URING_BUFFERS; i++) {
            wspool_uring_lend_(loop, i);
        }
    }
    return result;
}

/* Before wspool_new, with the configuration that the pool will have: it takes the wake hook,
 * unless the host has one already; `burst` follows from queue_messages, `linger` is closing_time.
 * When it fails,
 * wspool_uring_why says what that means; ENOSYS and EPERM: use another adapter. */
static inline int wspool_uring_init(wspool_uring *loop, wspool_config *config)
{
    int result;
    memset(loop, 0, sizeof(*loop));
    loop->fd = loop->wake_fd = loop->ring.ring_fd = loop->sends.ring_fd = -1;
    result = wspool_uring_ring_(&loop->ring, WSPOOL_URING_ENTRIES, WSPOOL_URING_COMPLETIONS);
    if (result >= 0) {
        result = wspool_uring_ring_(&loop->sends, WSPOOL_URING_SENDS, 2 * WSPOOL_URING_SENDS);
    }
    if (result >= 0) {
        result = wspool_uring_buffers_(loop);
    }
    if (result >= 0) {
        loop->batch = (wspool_uring_send *)malloc(WSPOOL_URING_SENDS * sizeof(wspool_uring_send));
        result = loop->batch ? 0 : -ENOMEM;
    }
    if (result >= 0) {
        loop->wake_fd = wspool_sockets_waker();
        result = loop->wake_fd < 0 ? -errno : 0;
    }
    if (result < 0) {
        wspool_uring_fini(loop);
        errno = result == -EINVAL ? ENOSYS : -result; /* it doesn't know what it was asked for */
        return -1;
    }
    loop->fd = loop->ring.ring_fd;
    if (!config->wake.call) {
        config->wake.call = wspool_uring_wake;
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
