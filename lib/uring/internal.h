/* SPDX-License-Identifier: MIT */
/*
 * uring/internal.h - what the files of libwspool_uring share. A companion: public headers only, and
 * the parts of lib/sockets/ that know no engine.
 *
 *     ring.c      the two rings, requests, the shared read buffers
 *     peers.c     the transports by slot, and what the kernel was asked about each
 *     completion.c  what a completion for a peer means
 *     accept.c    listening sockets
 *     proxied.c   connections whose PROXY header is awaited
 *     read.c      bytes of peers, and those that are kept while READ is absent
 *     write.c     the batch of writes, and the flush
 *     linger.c    closing a transport
 *     nest.c      the next deadline, and the descriptor for a loop of the host's
 *     turn.c      completions, one turn, run
 *     uring.c     life, drain, getters
 *
 * Two rings. `ring` holds what is awaited: reads, polls, accepts. `sends` holds writes, and is
 * empty between two flushes: a write does not wait for room in a socket (MSG_DONTWAIT), and a
 * flush ends when all its writes have completed. So at any other time:
 *   - the pool knows which peers are blocked;
 *   - no write is under way, so a peer may be released and the pool may be freed;
 *   - each peer has at most one write at a time, in order.
 *
 * Invariants
 *   - user_data is the id of a peer (or the tag of a listener, or the number of a place) and the
 *     operation, in three bits above the highest slot.
 *   - A transport is closed and its peer released when `armed` is 0: then no completion can come
 *     for it. The last operation stays in `armed` until its completion has been handled.
 *   - Any call of the pool may run a hook, the hook may add a transport, and that may move `peers`:
 *     look the peer up again behind each such call.
 *   - under_way counts operations (cancellations excepted) whose last completion was not seen.
 */
#ifndef WSP_URING_INTERNAL_H
#define WSP_URING_INTERNAL_H

#include <liburing.h> /* first: it says what it wants to see of the system's headers */

#include <stdint.h>
#include <sys/socket.h>

#include <wspool/uring.h>

#include "sockets/address.h"
#include "sockets/linger.h"
#include "sockets/listen.h"
#include "sockets/system.h"
#include "sockets/table.h"
#include "sockets/waiting.h"

#define WSP_URING_ENTRIES 256         /* requests handed over at a time */
#define WSP_URING_COMPLETIONS 4096    /* more wait in the kernel */
#define WSP_URING_BUFFERS 64          /* a power of two */
#define WSP_URING_BUFFER (16384 + 64) /* bytes: a message of 16 KiB with its header */
#define WSP_URING_KEPT (16u << 20)    /* bytes read for peers whose READ is absent, in all */
#define WSP_URING_SENDS 128           /* in one system call */
#define WSP_URING_VECTORS 16          /* in one write */
#define WSP_URING_TRIES 1000          /* while the kernel has no memory for a moment */
#define WSP_URING_REST (100 * WSPOOL_MILLISECOND) /* without descriptors or memory */

enum wsp_uring_op {
    WSP_URING_READ,   /* bytes came */
    WSP_URING_WRITE,  /* a blocked transport has room */
    WSP_URING_ERROR,  /* a transport that is not read from has failed */
    WSP_URING_FEED,   /* a NOP: feed the kept bytes */
    WSP_URING_ACCEPT, /* in place of the id: the tag of a listener */
    WSP_URING_WAKE,
    WSP_URING_PLACE, /* a connection without a peer: in place of the id, the number of its linger
                      * place; from WSP_LINGER_PLACES on, the tag of a waiting place */
    WSP_URING_CANCEL /* ignored: the cancelled operation completes as well */
};
#define WSP_URING_OP_SHIFT 29
#define WSP_URING_OP_MASK ((uint64_t)7 << WSP_URING_OP_SHIFT)

enum wsp_uring_end {
    WSP_URING_HERE,
    WSP_URING_EOF_SEEN, /* the input has ended; the pool was not told yet */
    WSP_URING_ENDED     /* the pool was told, or need not be told */
};

struct wsp_uring_peer {
    wspool_id id; /* 0: the slot has no transport */
    int fd;
    unsigned char armed;       /* operations that are under way: a bit for each */
    unsigned char cancelled;   /* those of them that are being cancelled */
    unsigned char reading;     /* READ is among its wants */
    unsigned char waiting;     /* for a verdict: it is neither read nor written */
    unsigned char blocked;     /* the last write was short */
    unsigned char sending;     /* it is in the batch */
    unsigned char closing;     /* the pool is done with it */
    unsigned char ended;       /* enum wsp_uring_end */
    unsigned char reset;       /* close it with a reset */
    unsigned char spoke;       /* the client has sent something */
    unsigned char half_closed; /* by the client: a poll would return at once */
    uint32_t last_read;        /* the turn in which bytes came last */
    unsigned char *kept;       /* read, but not fed yet */
    size_t kept_at, kept_len;
};

struct wsp_uring_listener {
    int fd;
    int armed;
    int proxied;  /* connections begin with a PROXY header */
    uint64_t tag; /* its index and its serial number */
};

struct wsp_uring_send {
    wspool_id id;
    size_t total;
    int result;
    struct msghdr message;
    struct iovec vectors[WSP_URING_VECTORS];
};

struct wspool_uring {
    wspool *pool;
    uint32_t count;               /* open transports, and those that linger or wait */
    uint64_t accepted;            /* connections accepted */
    uint64_t turned_away;         /* transports closed because the pool or the ring refused them */
    size_t burst;                 /* bytes fed between two flushes; 0: as many as there are */
    uint64_t linger;              /* nanoseconds, at most; 0: transports are closed at once */
    size_t fed;                   /* bytes fed since the last flush */
    struct wsp_uring_peer *peers; /* by slot */
    uint32_t room;                /* slots in `peers` */
    wsp_waker waker;
    struct wsp_uring_listener listeners[WSP_LISTENERS];
    int listener_count;
    uint32_t listened; /* the serial number of the newest listener */
    wsp_tune tune;     /* options of the sockets */
    int addresses;     /* the pool is told the address of each client */
    int proxies;       /* the next listeners are for a proxy */
    wsp_waiting waiting;
    uint64_t handshake_time; /* how long a PROXY header is awaited */
    int draining;
    int drained; /* `done` was called */
    void (*done)(wspool_uring *loop, void *user);
    void *done_user;
    _Atomic int quit;
    int turning;           /* a turn is under way: free and another turn are refused */
    int enabled;           /* the first turn was taken */
    uint32_t turns;        /* taken */
    int broken;            /* errno of a broken ring; 0: it works */
    uint64_t paused_until; /* accepting pauses until then; 0: it does not pause */
    uint64_t under_way;    /* operations whose last completion has not been seen */
    size_t kept;           /* bytes kept for all peers */
    struct io_uring ring;
    struct io_uring sends;
    struct wsp_uring_send *batch; /* WSP_URING_SENDS of them */
    unsigned batched;
    void *memory;                     /* for these three: */
    struct io_uring_buf_ring *shared; /* the buffers that the kernel may fill */
    unsigned char *buffers;
    unsigned char *scratch; /* one more buffer, for discarded bytes */
    wsp_linger lingering;
    int nest_fd; /* of nest.c; -1: the engine is not nested */
    int nest_timer, nest_event;
    uint64_t nest_when; /* what the timer is set to */
};

/* ------------------------------------------------------------------ ring.c */

/* Makes both rings and the buffers. 0, or a negative errno: what was made stays for fini. */
int wsp_uring_ring_init(wspool_uring *loop);
void wsp_uring_ring_fini(wspool_uring *loop);

/* The thread that calls this is the one thread that may use the rings from then on. */
void wsp_uring_ring_enable(wspool_uring *loop);

/* Returns 1 if a second try may succeed: the kernel was interrupted, or has no memory at the
 * moment. */
int wsp_uring_passes(int error);

/* Room for a request. NULL, with errno: this is not the thread of the first turn (EEXIST), or the
 * ring takes nothing any more, which the turn reports. */
struct io_uring_sqe *wsp_uring_request(wspool_uring *loop, uint64_t id, enum wsp_uring_op op);
void wsp_uring_cancel(wspool_uring *loop, uint64_t id, enum wsp_uring_op op);

/* Hands the requests over and waits for the first completion, `time_left` nanoseconds at most
 * (UINT64_MAX: no bound). -1, with errno, only when the ring is broken or this is the wrong thread
 * (EEXIST). */
int wsp_uring_wait(wspool_uring *loop, uint64_t time_left);

/* Cancels all that is under way and waits for it, so that every socket can be closed at once: left
 * to itself the kernel closes them some time later. Gives up after some seconds. */
void wsp_uring_cancel_all(wspool_uring *loop);

/* Returns a read buffer by its number. lend gives it to the kernel again. */
unsigned char *wsp_uring_buffer(wspool_uring *loop, unsigned number);
void wsp_uring_lend(wspool_uring *loop, unsigned number);

/* ----------------------------------------------------------------- peers.c */

/* Returns the transport of a peer, or NULL if it has none or the id is stale. */
struct wsp_uring_peer *wsp_uring_peer(const wspool_uring *loop, wspool_id id);

void wsp_uring_arm(wspool_uring *loop, struct wsp_uring_peer *peer, enum wsp_uring_op op);
void wsp_uring_disarm(wspool_uring *loop, struct wsp_uring_peer *peer, enum wsp_uring_op op);

/* Brings what the kernel was asked for in line with what is wanted. Before the first turn it asks
 * for nothing. A read that was cancelled and is wanted again is asked for when its last completion
 * has come. */
void wsp_uring_ask(wspool_uring *loop, struct wsp_uring_peer *peer);

/* Makes an accepted connection a peer. `from` is its address when it is known already, else NULL.
 * -1 with errno: the descriptor was closed. */
int wsp_uring_open(wspool_uring *loop, int fd, const struct sockaddr_storage *from, void *user,
                   wspool_id *id);

/* Frees what was kept of a peer. */
void wsp_uring_forget(wspool_uring *loop, struct wsp_uring_peer *peer);

/* ------------------------------------------------------------ completion.c */

/* Handles a completion for a peer. */
void wsp_uring_peer_completed(wspool_uring *loop, wspool_id id, enum wsp_uring_op op,
                              const struct io_uring_cqe *cqe, uint64_t now);

/* ---------------------------------------------------------------- accept.c */

/* Requests an accept on every listener that has none under way, unless accepting pauses. */
void wsp_uring_await_newcomers(wspool_uring *loop);
void wsp_uring_accepted(wspool_uring *loop, uint64_t tag, const struct io_uring_cqe *cqe,
                        uint64_t now);

/* --------------------------------------------------------------- proxied.c */

/* Waits for the header of a connection that was accepted. Closes it if there is no place. */
void wsp_uring_proxied_add(wspool_uring *loop, int fd, uint64_t now);

/* Handles a completion for a waiting place. */
void wsp_uring_proxied_event(wspool_uring *loop, uint64_t number, int result, uint64_t now);

/* Resets the connections whose time is over at `now`; during a drain, closes them. */
void wsp_uring_proxied_expire(wspool_uring *loop, uint64_t now);

/* ------------------------------------------------------------------ read.c */

/* A read has brought bytes (`result` of them), the end (0), or a negative errno. */
void wsp_uring_read(wspool_uring *loop, wspool_id id, int result, const unsigned char *bytes,
                    uint64_t now);

/* READ is back for a peer whose bytes or end were kept. */
void wsp_uring_feed_kept(wspool_uring *loop, wspool_id id, uint64_t now);

/* ----------------------------------------------------------------- write.c */

/* Serves every peer that wspool_next reports. It ends even if hooks send more whenever a queue has
 * room. */
void wsp_uring_flush(wspool_uring *loop, uint64_t now);

/* ---------------------------------------------------------------- linger.c */

/* The pool is done with a peer: closes its transport as soon as no operation is under way. `reset`:
 * its client made no progress, so the transport does not linger. */
void wsp_uring_close(wspool_uring *loop, wspool_id id, int reset, uint64_t now);
/* No operation of it is under way any more. */
void wsp_uring_closed(wspool_uring *loop, struct wsp_uring_peer *peer, uint64_t now);

/* Closes a descriptor that `count` counts. No operation of it is under way. */
void wsp_uring_shut(wspool_uring *loop, int fd, int reset);

/* Handles a completion for a linger place. */
void wsp_uring_lingers_on(wspool_uring *loop, uint64_t number, int result);
/* Closes the transports whose time to linger is over at `now`. */
void wsp_uring_expire(wspool_uring *loop, uint64_t now);

/* ------------------------------------------------------------------ nest.c */

/* Returns the time of the next turn, if no completion comes before. */
uint64_t wsp_uring_deadline(const wspool_uring *loop);

void wsp_uring_nest_init(wspool_uring *loop);
void wsp_uring_nest_fini(wspool_uring *loop);
/* The completions that are there now are about to be handled. */
void wsp_uring_nest_clear(wspool_uring *loop);
/* Sets the timer to the time of the next turn. Does nothing within a turn, or when the engine is
 * not nested. */
void wsp_uring_nest_set(wspool_uring *loop);

/* ----------------------------------------------------------------- uring.c */

/* All of a loop but its pool, in place. init fills the wake and deadline hooks of `config`. When it
 * fails (-1, errno) nothing is left to be undone. */
int wsp_uring_init(wspool_uring *loop, wspool_config *config);
void wsp_uring_fini(wspool_uring *loop);

#endif
