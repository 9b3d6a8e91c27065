/* SPDX-License-Identifier: MIT */
/*
 * sockets/engine.h - what the files of the engine share: its state, and who changes what.
 *
 *   sockets.c    life, turns, and the entry points that the loop calls
 *   accept.c     listeners: `listeners`, `batch`, `paused_until`
 *   transport.c  peers and those that linger: `peers`, `lingering`, `count`, `fed`
 *   proxied.c    connections of a proxy without an address yet: `waiting`
 *   listen.c, address.c, linger.c, proxy.c, waiting.c, system.c, tune.c  know no engine;
 *                libwspool_uring uses them too
 *
 * Invariants
 *   - The loop watches a descriptor under a tag. The tag of a peer is its id, and stays the tag
 *     while its transport lingers. The other tags end in 0xffffffNN, which is no slot of a peer:
 *     NN 0xff is the waker, any other NN a listener, with a generation in the upper half. A
 *     connection without a PROXY header has 0xfffffNNN, NNN below 0x400, with a generation too. So
 *     an event of a descriptor that was closed earlier in the same batch is recognised as stale.
 *   - The loop stops watching a descriptor before it is closed: a forked child may keep the
 *     socket open, and epoll would go on reporting it.
 *   - `peers` may move whenever a hook of the pool runs: no pointer into it is used after a call
 *     of the pool that can run one.
 *   - `count` counts transports with a peer, those that linger, and those in `waiting`.
 */
#ifndef WSP_SOCKETS_ENGINE_H
#define WSP_SOCKETS_ENGINE_H

#include <errno.h>

#include <wspool/watcher.h>

#include "sockets/linger.h"
#include "sockets/listen.h"
#include "sockets/system.h"
#include "sockets/waiting.h"

#define WSP_SOCKETS_READ 65536 /* bytes: read from one peer in one turn, at most */
/* Connections accepted in one turn. Each may cost 40 us and more: accepting it, the refusal of one
 * that gives way, and closing that. Open peers wait meanwhile. */
#define WSP_SOCKETS_BATCH 16
#define WSP_SOCKETS_VECTORS 16 /* in one write */
#define WSP_SOCKETS_LOOK (100 * WSPOOL_MILLISECOND) /* between two looks for an end */
#define WSP_SOCKETS_REST (100 * WSPOOL_MILLISECOND) /* the pause of accepting */

#define WSP_TAG_LISTENERS UINT32_C(0xffffff00) /* lower half of the first listener's tag */
#define WSP_TAG_PROXIED UINT32_C(0xfffff000)   /* of the first place in `waiting` */
#define WSP_TAG_WAKER (UINT64_MAX)

#define WSP_WATCHED (WSPOOL_WATCH_READ | WSPOOL_WATCH_WRITE | WSPOOL_WATCH_END)
#define WSP_FD_MAX 0xffffff /* the largest descriptor of a transport */

typedef struct wsp_transport {
    void *handle;             /* the adapter's */
    uint32_t generation;      /* the upper half of the peer's id; 0: no peer has this slot */
    unsigned fd : 24;         /* WSP_FD_MAX at most */
    unsigned watched : 3;     /* events that the loop watches for: READ, WRITE, END */
    unsigned blocked : 1;     /* the last write was short */
    unsigned spoke : 1;       /* the client has sent something */
    unsigned half_closed : 1; /* the client ended its direction while output is blocked */
    unsigned ended : 1; /* the client closed it, or it failed: it is not read or written again */
} wsp_transport;
_Static_assert(sizeof(wsp_transport) <= 16, "an idle transport costs 16 bytes at most");

typedef struct wsp_listener {
    uint64_t tag;
    void *handle;
    int fd; /* -1: the place is free */
    uint8_t watched;
    uint8_t proxied; /* connections begin with a PROXY header */
} wsp_listener;

struct wspool_sockets {
    wspool *pool;
    wspool_watcher watcher;
    uint64_t timer;   /* what the loop's timer was set to */
    uint64_t look_at; /* when wsp_transport_look is due; UINT64_MAX: not at all */
    uint64_t now;     /* of the current turn, which begins with its first event; 0: no turn */
    unsigned inside;  /* 1: an entry point of the loop is on the stack */

    wsp_transport *peers; /* by slot */
    uint32_t room;        /* slots in `peers` */
    uint32_t count;
    wsp_linger lingering;
    wsp_tune tune;         /* options of the sockets */
    uint64_t linger;       /* how long a transport lingers at most, in nanoseconds */
    size_t burst;          /* bytes fed between two flushes, WSP_SOCKETS_READ at most */
    size_t fed;            /* bytes fed since the last flush */
    unsigned char *buffer; /* WSP_SOCKETS_READ bytes */

    wsp_listener listeners[WSP_LISTENERS];
    uint32_t generation;   /* of the newest listener */
    int batch;             /* how many connections the next accept event accepts */
    uint64_t paused_until; /* accepting pauses until then; 0: it does not pause */
    int addresses;         /* 1: the pool gets the address of each client */
    uint64_t accepted;
    uint64_t turned_away;

    int proxies; /* 1: the next listeners are for a proxy */
    wsp_waiting waiting;
    uint64_t handshake_time; /* how long a PROXY header is awaited */

    wsp_waker waker;
    void *waker_handle;
    _Atomic int quit;
    int draining;
    void (*done)(wspool_sockets *sockets, void *user);
    void *done_user;
};

/* Makes the loop watch a descriptor for these events. 0 events: the loop forgets it. Returns 0 or
 * -1. */
static inline int wsp_engine_watch(wspool_sockets *s, int fd, unsigned events, uint64_t tag,
                                   void **handle)
{
    return s->watcher.watch(s->watcher.loop, fd, events, tag, handle);
}

#endif
