/* SPDX-License-Identifier: MIT */
/*
 * pool/pool.h - struct wspool: the state that the modules of this layer share.  Layer 4.
 *
 * This header has no .c file and knows no other module of the layer but handshake.h and keys.h. The
 * modules are listed from the bottom to the top; each calls those above it in the list only.
 *
 *     side.h       the side record of a peer: identity, address, key
 *     handshake.h  what is kept of a peer until it is open or refused
 *     keys.h       how many peers each peer key has
 *     settings.h   defaults and limits of a configuration
 *     pool.h       struct wspool
 *     peers.h      records of peers: take, give, find, next
 *     call.h       how a public call begins: arguments, re-entry, peer
 *     handlers.h   who is told of an event: attached handlers, then hooks
 *     log.h        records of the log hook, and their rate
 *     stages.h     the books of the handshake's stages
 *     deadline.h   telling a host that sleeps when it is due sooner
 *     reap.h       entering and leaving the pool; deferred events; the end of a peer
 *     channels.h   joining, leaving, who is where
 *     drain.h      closing all peers, spread over a window
 *     shed.h       which peers are closed when the budget for output is spent
 *     refuse.h     the end of a handshake that comes to nothing
 *     judge.h      may a peer come in: asks policy and hooks
 *     accept.h     from a transport's first byte, or a hosted request, to an open peer
 *     budget.h     what peers may cause in a turn of the loop
 *     mailbox.h    verdicts that other threads leave
 *     check.h      the invariants of all modules
 *     io.c, close.c, publish.c, tick.c, stats.c, life.c: public calls, which nobody here calls
 *
 * Invariants of the pool, beside those of the modules below it:
 * - the sets `ready`, `delayed` and `due` name taken records only, and outside of all calls
 *   a peer with an event that was not dealt with is in `due`;
 * - outside of all calls no peer is being judged;
 * - a peer whose verdict is awaited, or whose place is held, has a handshake; a refused one has
 *   none;
 * - a peer that is open or closing was accepted, by a route that exists; one that was never
 *   accepted is a member of nothing;
 * - what an ended peer held is gone once its end was dealt with;
 * - a peer with messages that were dropped and not told yet is marked so;
 * - no peer has spent more than its abuse budget;
 * - the time of the last call is not before the pool's beginning;
 * - a drain divides its window among one slot at least.
 */
#ifndef WSP_POOL_POOL_H
#define WSP_POOL_POOL_H

#include <stdatomic.h>
#include <stdint.h>

#include <wspool/wspool.h>
#include "base/counters.h"
#include "base/slots.h"
#include "channel/registry.h"
#include "link/link.h"
#include "policy/admission.h"
#include "pool/handshake.h"
#include "pool/keys.h"

enum wsp_log_event {
    WSP_LOG_OPENED,
    WSP_LOG_CLOSED,
    WSP_LOG_REFUSED,
    WSP_LOG_SLOW,
    WSP_LOG_SHED,
    WSP_LOG_DRAIN,
    WSP_LOG_ABUSE,
    WSP_LOG_EVENT_COUNT
};

struct wsp_log {
    struct {
        struct wsp_bucket bucket;
        uint64_t suppressed;
    } events[WSP_LOG_EVENT_COUNT];
};

struct wsp_mailbox_node; /* see mailbox.c */

struct wsp_mailbox {
    _Atomic(struct wsp_mailbox_node *) nodes; /* the newest first */
    atomic_int woken; /* the wake hook was called since it was last emptied */
};

struct wsp_handlers {
    wspool_handlers *list; /* in the order of attaching */
    uint32_t count;
    int token, capacity, log; /* 1: one of them has such a handler */
    uint64_t deadline;        /* of the tick handlers; UINT64_MAX: none is awaited */
};

struct wsp_drain {
    int on;
    int code;
    uint64_t start;
    uint64_t window;
    uint32_t slots; /* how many the window is divided among */
};

struct wspool {
    wspool_config config; /* our own; its lists are our copies */
    struct wsp_counters count;
    struct wsp_link link;
    struct wsp_slots peers;
    struct wsp_registry registry;
    struct wsp_routes routes;
    struct wsp_origins origins;
    struct wsp_handlers handlers;
    struct wsp_drain drain;
    struct wsp_log log;
    struct wsp_mailbox mailbox;
    struct wsp_handshakes handshakes;
    struct wsp_keys keys;
    int depth;               /* calls of ours on the stack: more than one means inside a hook */
    int freeing;             /* nobody comes in any more */
    uint32_t reserved;       /* places of hosted peers that were accepted and not adopted yet */
    struct wsp_peer *judged; /* hooks are being asked about it (judge.c) */
    int judged_answer;       /* what they did to it meanwhile */
    int idle;                /* wspool_next has returned 0, and the deadline hook is to be called
                                when wspool_deadline becomes earlier than it was then */
    uint64_t idle_flush_at;  /* link.flush_at of then */
};

/* Bytes of a message, for a peer of that route. */
static inline size_t wsp_message_limit(const wspool *pool, const struct wsp_peer *peer)
{
    return pool->routes.list[peer->conn.route].message_bytes;
}

#endif
