/* SPDX-License-Identifier: MIT */
/*
 * pool/pool.h - the pool: where the rooms below are wired together.  Floor 5.
 *
 * Every public call is one of three kinds. Readers look and change nothing. Calls that a hook may
 * make come in with wsp_enter and go out with wsp_leave; the outermost of them tidies up on its
 * way out (way_out.c), so nothing is freed while anybody walks or reads a frame. Calls that a
 * hook may not make answer REENTRANT when the pool is entered already.
 *
 *     pool.c      life: new, free, route; looking a peer up, giving it back
 *     settings.c  defaults and limits of a configuration
 *     hello.h     what is kept of a peer on its way in (a room of its own)
 *     way_in.c    from a transport's first byte, or a hosted request, to an open peer
 *     flow.c      bytes in and out, what needs attention, time
 *     channels.c  joining, leaving, who is where
 *     publish.c   broadcast and send
 *     shed.c      who goes when the budget for output is spent
 *     way_out.c   what hooks are told when a call is done; the end of a peer
 *     mailbox.c   what other threads leave for the pool's
 *     log.c       records of the log hook, and their rate
 *     stats.c     the numbers and the books: read, never change
 *
 * Invariants of the pool, beside those of the rooms below it:
 * - the sets `attention` and `events` name taken records only, and outside of all calls who has
 *   something to be dealt with on the way out is in `events`;
 * - outside of all calls nobody is being judged;
 * - a peer whose verdict is awaited, or whose place is held, has a hello; who was refused has
 *   none;
 * - who is open or closing was accepted, by a route that there is; who was never accepted is a
 *   member of nothing;
 * - what an ended peer held is gone once its end was dealt with;
 * - messages that were dropped and not told yet are marked so;
 * - nobody has spent more than his nuisance budget;
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
#include "pool/hello.h"

enum wsp_log_event {
    WSP_LOG_OPENED,
    WSP_LOG_CLOSED,
    WSP_LOG_REFUSED,
    WSP_LOG_SLOW,
    WSP_LOG_SHED,
    WSP_LOG_DRAIN,
    WSP_LOG_NUISANCE,
    WSP_LOG_EVENT_COUNT
};

struct wsp_log {
    struct {
        struct wsp_bucket bucket;
        uint64_t suppressed;
    } events[WSP_LOG_EVENT_COUNT];
};

struct wsp_letter; /* see mailbox.c */

struct wsp_mailbox {
    _Atomic(struct wsp_letter *) letters; /* the newest first */
    atomic_int woken;                     /* the wake hook was called since it was last emptied */
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
    struct wsp_drain drain;
    struct wsp_log log;
    struct wsp_mailbox mailbox;
    struct wsp_hellos hellos;
    int depth;               /* calls of ours on the stack: more than one means inside a hook */
    int freeing;             /* nobody comes in any more */
    uint32_t held;           /* places of hosted peers that were accepted and not adopted yet */
    struct wsp_peer *judged; /* hooks are being asked about it (way_in.c) */
    int judged_answer;       /* what they did to it meanwhile */
};

/* ------------------------------------------------------------------ pool.c */

void wsp_way_out(wspool *pool);

static inline void wsp_enter(wspool *pool)
{
    pool->depth++;
}
/* Beyond it sums of times could overflow: wspool.h says that no clock goes there. */
#define WSP_NOW_MAX (UINT64_MAX - WSPOOL_LONGEST - (UINT64_C(1) << 60))

static inline void wsp_enter_at(wspool *pool, uint64_t now)
{
    pool->depth++;
    if (now > pool->link.now && now <= WSP_NOW_MAX) {
        pool->link.now = now;
    }
}
/* The outermost call tidies up. */
static inline void wsp_leave(wspool *pool)
{
    if (--pool->depth == 0 && pool->link.events.low != WSP_BITSET_END) {
        wsp_way_out(pool);
    }
}

/* The peer with that id, or NULL; a stale one is counted. */
static inline struct wsp_peer *wsp_find_peer(wspool *pool, wspool_id id)
{
    struct wsp_peer *peer = wsp_slots_find(&pool->peers, id);
    if (!peer) {
        wsp_count_add(&pool->count.stale_ids, 1);
    }
    return peer;
}
static inline wspool_id wsp_peer_id(const struct wsp_peer *peer)
{
    return wsp_slot_id(&peer->conn.slot);
}
/* Walks the taken records: 0 begins; NULL is the end. */
struct wsp_peer *wsp_next_peer(const wspool *pool, uint32_t *slot);

/* A record for a newcomer, in its slot and sets; *error says why not. */
struct wsp_peer *wsp_take_peer(wspool *pool, int *error);
/* The record is nobody's any more, its id stale. */
void wsp_give_peer(wspool *pool, struct wsp_peer *peer);
void wsp_free_identity(wspool *pool, void *identity);
/* Do the invariants of all rooms hold, and those of the pool? 1 or 0. Linear. The books are another
 * question: wspool_check asks both. */
int wsp_pool_check(const wspool *pool);

/* -------------------------------------------------------------- settings.c */

/* Copies a configuration of any size over the defaults, with lists of its own. INVAL, NOMEM. */
int wsp_settings_copy(wspool_config *copy, const wspool_config *given);
void wsp_settings_fini(wspool_config *copy);

/* ---------------------------------------------------------------- way_in.c */

/* Bytes for a peer that is still on its way in. */
void wsp_way_in_feed(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len);
/* A deadline of the way in has passed. */
void wsp_way_in_timer(wspool *pool, struct wsp_peer *peer);
/* It won't come in. */
void wsp_way_in_refuse(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal);
void wsp_way_in_verdict(wspool *pool, wspool_id id, const wspool_verdict *verdict);
/* Its 101 has left the pool. */
void wsp_way_in_flushed(wspool *pool, struct wsp_peer *peer);
static inline int wsp_on_way_in(const struct wsp_peer *peer)
{
    return peer->conn.state <= WSP_HELD;
}

/* ------------------------------------------------------------------ flow.c */

/* Bytes of a message, for a peer of that route. */
static inline size_t wsp_message_limit(const wspool *pool, const struct wsp_peer *peer)
{
    return pool->routes.list[peer->conn.route].message_bytes;
}
/* When the drain's turn comes for a slot. */
uint64_t wsp_drain_time(const wspool *pool, uint32_t slot);

/* -------------------------------------------------------------- channels.c */

int wsp_join(wspool *pool, struct wsp_peer *peer, wspool_channel channel);
void wsp_on_presence(void *owner, const struct wsp_channel *channel, int present);

/* ------------------------------------------------------------------ shed.c */

/* The pool's budget for output is spent, and an image of `len` bytes needs room: of the blocked
 * peers those are shed that hold most, all with at least half of what the first of them has; but
 * none when that many bytes would not come back though all were, for then they are held by others.
 * Answers how many were shed. */
uint32_t wsp_shed(wspool *pool, uint32_t len);

/* --------------------------------------------------------------- way_out.c */

/* The end of a peer's connection has not been dealt with yet: now. */
void wsp_way_out_end(wspool *pool, struct wsp_peer *peer);

/* --------------------------------------------------------------- mailbox.c */

void wsp_mailbox_read(wspool *pool);
/* Throws away what nobody will read. */
void wsp_mailbox_fini(wspool *pool);
int wsp_mailbox_empty(const wspool *pool);
/* Do the invariants hold? 1 or 0. The pool's thread. */
int wsp_mailbox_check(const wspool *pool);

/* ------------------------------------------------------------------- log.c */

void wsp_log(wspool *pool, enum wsp_log_event event, wspool_log_record record);
/* Do the invariants hold? 1 or 0. */
int wsp_log_check(const wspool *pool);

#endif
