/* SPDX-License-Identifier: MIT */
/*
 * pool/pool.h - struct wspool: the state that the modules of this layer share.  Layer 4.
 *
 * This header has no .c file and knows no other module of the layer but handshake.h, revocations.h
 * and subjects.h. The modules are listed from the bottom to the top; each calls those above it in
 * the list only.
 *
 *     side.h       the side record of a peer: identity, address, key, subject, client instance
 *     handshake.h  what is kept of a peer until it is open or refused
 *     revocations.h which tokens are revoked
 *     subjects.h   the subjects of peers, and which peers each of them has
 *     settings.h   defaults and limits of a configuration
 *     pool.h       struct wspool
 *     wall.h       the wall clock
 *     peers.h      the records of peers: allocate, free, find, walk
 *     call.h       how a public call begins: arguments, reentrancy, peer
 *     contracts.h  the contracts, which render publications
 *     handlers.h   calls the attached handlers of an event, then the hook
 *     log.h        records for the log hook, and their rate
 *     stages.h     counters of the handshake's stages
 *     pace.h       shows the messages of channels with a send interval to their members
 *     deadline.h   tells a sleeping host that its deadline has become earlier
 *     input.h      closes peers when input_bytes is used up
 *     waiters.h    those who wait for the next message of a channel
 *     refill.h     members that are behind get what the histories have for them
 *     grant.h      until when a peer may stay
 *     reap.h       entering and leaving the pool; deferred events; the end of a peer
 *     channels.h   joining, resuming and leaving channels
 *     shed.h       closes peers when pool_bytes is used up
 *     encode.h     encodes messages into the pool's blocks
 *     flush.h      when queued messages are to be written
 *     options.h    the options of a message
 *     heads.h      the peers that have not sent their whole request, the oldest first
 *     breaker.h    turns peers away after too many refusals for lack of capacity
 *     refuse.h     refuses a peer in its handshake
 *     drain.h      closes all peers, spread over a window
 *     duplicates.h the rule for peers of one subject and one client instance
 *     judge.h      decides whether a peer is admitted: policies and hooks
 *     renewal.h    a new token of an open peer; the end of its grant
 *     admit.h      an admitted peer becomes open
 *     accept.h     from the first byte of a transport, or a hosted request, to an open peer
 *     budget.h     bounds what the input of peers may cause in a turn
 *     mailbox.h    verdicts from other threads
 *     check.h      the invariants of all modules
 *     io.c, close.c, publish.c, send.c, read.c, seed.c, tick.c, stats.c, capacity.c, life.c: the
 *     public calls; no module calls them
 *
 * Invariants of the pool, besides those of its modules:
 * - the sets `ready`, `delayed` and `due` name taken records only. Outside of all calls, a peer
 *   with a deferred event is in `due`;
 * - outside of all calls no peer is being judged;
 * - a peer that is pending or has a reserved place has a handshake; a refused peer has none;
 * - a peer that is open or closing was accepted, by a route that exists; a peer that was never
 *   accepted is a member of no channel;
 * - once the end of a peer was processed, the peer holds nothing but its record;
 * - a peer with a subject is in the list of that until it closes or ends;
 * - no peer has spent more than its abuse budget;
 * - the time of the last call is not before the time at which the pool was made;
 * - a drain that has not begun is due never.
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
#include "policy/limits.h"
#include "pool/handshake.h"
#include "pool/revocations.h"
#include "pool/subjects.h"

enum wsp_log_event {
    WSP_LOG_OPENED,
    WSP_LOG_CLOSED,
    WSP_LOG_REFUSED,
    WSP_LOG_SLOW,
    WSP_LOG_SHED,
    WSP_LOG_DRAIN,
    WSP_LOG_ABUSE,
    WSP_LOG_RENEWED,
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
    atomic_int woken; /* 1: the wake hook ran since the mailbox was last emptied */
};

struct wsp_handlers {
    wspool_handlers *list; /* in the order of attaching */
    uint32_t count;
    int token, capacity, log; /* 1: a handler for that event is attached */
    uint64_t deadline;        /* of the tick handlers; UINT64_MAX: none is awaited */
};

struct wsp_contract {
    uint32_t handler;     /* index in the list of handlers */
    uint32_t subprotocol; /* index in config.subprotocols */
};

struct wsp_contracts {
    struct wsp_contract list[WSPOOL_CONTRACTS];
    uint32_t count;
    uint32_t in_use; /* a bit for each contract */
};

struct wsp_drain {
    int on;
    int code;
    uint32_t left;      /* of the peers that were open when it began, if all of them stay */
    uint32_t place;     /* every open peer at a place before it was closed */
    uint32_t last;      /* place: one below a power of two */
    uint32_t random[3]; /* which place a slot has */
    uint8_t shift;
    uint64_t share;    /* when the share of the next peer begins */
    uint64_t next;     /* when that peer is closed; UINT64_MAX: never */
    uint64_t interval; /* the share of one peer */
};

struct wsp_breaker {
    struct wsp_bucket bucket;
    uint64_t until; /* nobody is opened before */
};

struct wsp_heads {
    uint32_t first, last; /* slots and 1: the oldest, the newest; 0: the list is empty */
};

struct wsp_waiters {
    struct wspool_waiter *first, *last; /* all who wait, in the order of their times */
    struct wspool_waiter *woken;
};

struct wspool {
    wspool_config config; /* our own; its lists are our copies */
    struct wsp_counters count;
    struct wsp_link link;
    struct wsp_slots peers;
    struct wsp_registry registry;
    struct wsp_histories histories;
    struct wsp_routes routes;
    struct wsp_origins origins;
    struct wsp_origins hosts;
    struct wsp_handlers handlers;
    struct wsp_contracts contracts;
    struct wsp_drain drain;
    struct wsp_heads heads;
    struct wsp_breaker breaker;
    struct wsp_waiters waiters;
    struct wsp_log log;
    struct wsp_mailbox mailbox;
    struct wsp_handshakes handshakes;
    struct wsp_limits limits;
    struct wsp_subjects subjects;
    struct wsp_revocations revocations;
    struct wsp_timers grants; /* of the peers' grants */
    uint32_t granted;         /* how many peers have one */
    int depth;                /* calls of ours on the stack: more than one means inside a hook */
    uint32_t refills;         /* so far: see refill.c */
    uint64_t wall;            /* see wall.h */
    uint64_t wall_read_at;    /* `now` when that was read */
    int freeing;              /* 1: wspool_free is running, and no peer can be opened */
    uint32_t unmeasured;      /* ticks since the age of a queue was measured */
    uint32_t reserved;        /* places of hosted peers that were accepted and not adopted yet */
    struct wsp_peer *opening; /* its open hooks run */
    struct wsp_peer *judged;  /* hooks are judging it (judge.c) */
    int composing;            /* 1: a contract renders a message, or the application commits it */
    int judged_answer;        /* a refusal that they caused; WSP_ADMITTED: none */
    int idle;                 /* wspool_next has returned 0, and the deadline hook is to be called
                                when wspool_deadline becomes earlier than the host knows */
    int output_is_timed;      /* the next message that is queued may make wspool_deadline earlier:
                                idle, or flush_delay is set */
    uint64_t idle_flush_at;   /* link.flush_at as far as the host knows */
    uint64_t idle_wait_at;    /* wsp_waiters_next as far as the host knows */
    uint64_t idle_pace_at;    /* wsp_pace_next as far as the host knows */
};

/* The outermost call ends with wsp_reap, as it does when a peer is in the set `due`: that is, when
 * `low` of the set is not WSP_BITSET_END. For an empty set one less does. */
static inline void wsp_reap_for_sure(wspool *pool)
{
    struct wsp_bitset *due = &pool->link.due;
    if (due->low == WSP_BITSET_END) {
        due->low = WSP_BITSET_END - 1;
    }
}

/* Returns the limit of a message from this peer: that of its route, in bytes. */
static inline size_t wsp_message_limit(const wspool *pool, const struct wsp_peer *peer)
{
    return pool->routes.list[peer->conn.route].message_bytes;
}

#endif
