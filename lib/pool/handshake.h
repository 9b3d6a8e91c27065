/* SPDX-License-Identifier: MIT */
/*
 * pool/handshake.h - what is kept of a handshake that can't be decided at once.  Layer 4.
 *
 * Three things make a peer need one: its head comes in parts; a verdict about it is awaited; a
 * hosted one holds a place until its host has sent the 101. First the handshake holds the part of the
 * head that has come; from the judgement on what was found out, the query beside it, and behind
 * the query what came early. There is one buffer for all of that, and head_bytes bound it, so a
 * peer that is not in yet costs its record, one of these and that buffer.
 *
 * The peer owns it (conn.work.handshake), from its first need until it is open or refused; who takes
 * it away from the peer gives it back here. A few are kept for reuse, so that those who come and go
 * cost no allocation, with buffers that suffice for most heads.
 *
 * Invariants:
 * - the buffer holds no more than head_bytes, and `seen` is not beyond what it holds;
 * - the query of what was found out is where the buffer begins, and all there;
 * - the free list is short; what is in it holds nothing, and its buffers are small.
 */
#ifndef WSP_POOL_HELLO_H
#define WSP_POOL_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/freelist.h"
#include "policy/admission.h"

struct wsp_handshake {
    struct wsp_free_item item; /* in the free list */
    struct wsp_bytes head;     /* HEAD: what has come of it; then the query, and what came early */
    size_t seen;               /* HEAD: how much of that was looked at */
    uint32_t pending;          /* PENDING: how many verdicts are awaited */
    struct wsp_entry entry;    /* PENDING, HELD: what was found out; see wsp_handshake_entry */
};

/* Those of one pool. */
struct wsp_handshakes {
    const wspool_mem *mem;
    size_t most; /* head_bytes */
    struct wsp_freelist free_list;
};

void wsp_handshakes_init(struct wsp_handshakes *handshakes, const wspool_mem *mem, size_t most);
/* Frees the free list. */
void wsp_handshakes_fini(struct wsp_handshakes *handshakes);
/* An empty one, or NULL. */
struct wsp_handshake *wsp_handshake_take(struct wsp_handshakes *handshakes);
/* Its owner needs it no more; NULL is nothing. */
void wsp_handshake_give(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake);

/* How many more bytes it may keep. */
static inline size_t wsp_handshake_room(const struct wsp_handshakes *handshakes,
                                        const struct wsp_handshake *handshake)
{
    return handshakes->most - handshake->head.len;
}
/* Keeps bytes for which there is room, behind those that it has. 0 or NOMEM. */
int wsp_handshake_keep(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake,
                       const void *bytes, size_t len);
/* Keeps what was found out beyond the request that it was found in, which may be what `head` holds
 * and is gone then. 0 or NOMEM. */
int wsp_handshake_keep_entry(struct wsp_handshakes *handshakes, struct wsp_handshake *handshake,
                             const struct wsp_entry *entry);
/* What was kept of it, its query where that lies now: valid until the next byte is kept. */
struct wsp_entry *wsp_handshake_entry(struct wsp_handshake *handshake);

/* Do the invariants of one that a peer has hold, those of the free list? 1 or 0. */
int wsp_handshake_check(const struct wsp_handshakes *handshakes,
                        const struct wsp_handshake *handshake);
int wsp_handshakes_check(const struct wsp_handshakes *handshakes);

#endif
