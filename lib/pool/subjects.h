/* SPDX-License-Identifier: MIT */
/*
 * pool/subjects.h - the subjects of peers, and which peers each of them has.  Layer 4.
 *
 * A subject is stored once, while a side record refers to it: from the moment at which the pool
 * learns it until the peer is released, because the host may ask for it until then. A peer is in
 * the list of its subject from that moment until it closes or ends. The list goes through the
 * parties of the peers (pool/side.h), so entering and leaving it takes constant time and no memory.
 *
 * The peers of a client instance without a subject have a record of their own, which the host does
 * not see as a subject: so all open peers of a client instance are in one list. A peer adds at most
 * one record.
 *
 * The mark of a peer is what a history keeps of an excepted one: a keyed hash of its subject and
 * client instance, so later connections of the instance have it too; or, without a client instance,
 * its id. That two instances have the same mark has a chance of 2^-64; then a reader does not get a
 * message that excepts the other one.
 *
 * Invariants:
 * - a subject is referred to by at least one peer, and at least by those in its list;
 * - the list is linked in both directions, and each peer in it has this subject;
 * - a subject is not empty and not too long.
 */
#ifndef WSP_POOL_SUBJECTS_H
#define WSP_POOL_SUBJECTS_H

#include <stdint.h>

#include "base/map.h"
#include "channel/peer.h"
#include "pool/side.h"

struct wsp_subject {
    struct wsp_map_node node; /* first member: a node is its subject */
    struct wsp_peer *newest;  /* of its list; NULL: empty */
    uint32_t holds;           /* side records that refer to it */
    uint8_t is_anonymous;     /* the text is a client instance without a subject */
    char bytes[];
};

struct wsp_subjects {
    const wspool_mem *mem;
    struct wsp_map map;       /* of subjects */
    struct wsp_map anonymous; /* of client instances without a subject */
};

void wsp_subjects_init(struct wsp_subjects *subjects, const wspool_mem *mem,
                       const struct wsp_siphash_key *seed);
/* Every peer must have been released. */
void wsp_subjects_fini(struct wsp_subjects *subjects);

/* Sets the subject of a side record that has none, and makes the record if there is none. The text
 * is not empty. Returns 0, INVAL when it is too long, or NOMEM: then nothing is changed. */
int wsp_subjects_hold(struct wsp_subjects *subjects, struct wsp_side **side, wspool_text text);
/* The same for a side record with a client instance that has no subject. Returns 0 or NOMEM. */
int wsp_subjects_hold_anonymous(struct wsp_subjects *subjects, struct wsp_side **side);
/* The side record of a peer that is in no list is about to be freed. It may have no subject. */
void wsp_subjects_drop(struct wsp_subjects *subjects, const struct wsp_side *side);

/* The peer has a subject: it is the first in its list from now on. */
void wsp_subjects_enter(struct wsp_peer *peer);
/* It leaves the list, if it is in one. */
void wsp_subjects_leave(struct wsp_peer *peer);

/* Returns 1 if the peer is in the list of its subject, else 0. */
int wsp_subjects_has(const struct wsp_peer *peer);
/* Returns the first peer of a subject, or NULL. The list must not change during a walk, except that
 * peers may enter. */
struct wsp_peer *wsp_subjects_first(const struct wsp_subjects *subjects, wspool_text text);
/* Returns the peer that entered before this one, or NULL. */
static inline struct wsp_peer *wsp_subjects_next(const struct wsp_peer *peer)
{
    return peer->side->party->older;
}
/* Returns 1 if they are one peer, or peers of one client instance, else 0. */
int wsp_subjects_are_same(const struct wsp_peer *peer, const struct wsp_peer *other);
/* Walks the peers in the list for which that is so; `peer` alone if it has no client instance.
 * Returns the one behind `at` (NULL: the first one), or NULL at the end. */
struct wsp_peer *wsp_subjects_same(struct wsp_peer *peer, const struct wsp_peer *at);
/* Returns the mark of a peer, which is not 0. */
uint64_t wsp_subjects_mark(const struct wsp_subjects *subjects, const struct wsp_peer *peer);
/* Returns 1 if a host may ask for that subject, else 0. */
static inline int wsp_subject_valid(wspool_text text)
{
    return text.data && text.len > 0 && text.len <= WSPOOL_SUBJECT_MAX;
}
static inline wspool_text wsp_subject_text(const struct wsp_subject *subject)
{
    return subject && !subject->is_anonymous ? (wspool_text){subject->bytes, subject->node.key_len}
                                             : (wspool_text){"", 0};
}

/* Returns 1 if the invariants hold, else 0; sets *holds to the number of references, and *listed to
 * the number of peers in the lists. Linear. */
int wsp_subjects_check(const struct wsp_subjects *subjects, uint64_t *holds, uint64_t *listed);

#endif
