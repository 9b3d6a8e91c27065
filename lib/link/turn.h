/* SPDX-License-Identifier: MIT */
/*
 * link/turn.h - how much all peers together may cause in a turn of the loop.  Layer 2.
 *
 * What counts is one delivery per message and receiver; what a codec decodes, at the rate of `bytes`
 * for `deliveries`; a change of a membership, which is WSP_TURN_CHANGE deliveries of work; and each
 * message and control frame that caused nothing of these, because it was work, too. A turn lasts from one tick to the next (pool/budget.c). When it is used
 * up, a peer with compressed input waits for a later turn. Any other peer may still cause a small
 * share: so a peer that sends little is served in every turn, whatever others do.
 *
 * A message is never divided. What it causes beyond the turn is missing in the turns after it.
 */
#ifndef WSP_LINK_TURN_H
#define WSP_LINK_TURN_H

#include <stddef.h>
#include <stdint.h>

/* While one peer alone sends messages, nobody waits for it, and joining many deliveries into one
 * write is worth more: so many turns are one then. */
#define WSP_TURN_ALONE 80u
#define WSP_TURN_NOBODY UINT32_MAX
#define WSP_TURN_CHANGE 4u

struct wsp_turn {
    uint64_t deliveries; /* in a turn */
    uint64_t share;      /* of them, what every peer may cause however much the others do */
    uint64_t bytes;      /* decoded ones in a turn, in place of all of those */
    uint64_t others;     /* deliveries that stand for other work, so far */
    uint64_t fraction;   /* of one more: below `bytes` */
    uint64_t end;        /* deliveries and `others` at which this turn is used up */
    uint64_t renew_at;   /* and at which the next tick begins another: half of it is left */
    uint64_t stop_at;    /* and at which reading from the present peer stops */
    uint64_t part;       /* what a peer may cause whose kept input is read now; 0: there is none */
    uint64_t shared;     /* when a message last came from another peer than the one before it */
    uint32_t speaker;    /* slot of the peer that sent the last message */
};

static inline void wsp_turn_init(struct wsp_turn *turn, uint32_t deliveries, uint32_t bytes)
{
    *turn = (struct wsp_turn){.deliveries = deliveries,
                              .share = deliveries / 16 + 2,
                              .bytes = bytes,
                              .end = (uint64_t)deliveries * WSP_TURN_ALONE,
                              .speaker = WSP_TURN_NOBODY};
}

/* So many bytes were decoded. */
static inline void wsp_turn_spend(struct wsp_turn *turn, size_t bytes)
{
    uint64_t cost = bytes * turn->deliveries + turn->fraction;
    turn->others += cost / turn->bytes;
    turn->fraction = cost % turn->bytes;
}

/* A peer has sent a message. */
static inline void wsp_turn_note(struct wsp_turn *turn, uint32_t slot, uint64_t now)
{
    if (turn->speaker != slot) {
        turn->shared = turn->speaker == WSP_TURN_NOBODY ? turn->shared : now;
        turn->speaker = slot;
        turn->renew_at = 0; /* the turn may have been one of a peer alone */
    }
}

#endif
