/* SPDX-License-Identifier: MIT */
/*
 * channel/registry.h - the channels, and which peer is a member of which.  Layer 3.
 *
 * Two arrays point into each other: the members of a channel, and the memberships of a peer.
 *
 *     channel "item 42"   members     [ peer 7, 0 | peer 3, 1 | peer 9, 0 ]
 *     peer 3              memberships [ global "cards", 5 | item "42", 1 ]
 *
 * Joining appends to both arrays. Leaving moves the last entry of each into the gap, and corrects
 * the one entry that points to it. Both take constant time, whatever the size of the channel. The
 * first membership of a peer is in its record; more are in an array of its own.
 *
 * The members [0, live) of a channel are live: what is published is queued for them. The others are
 * behind: each has the offset that it is due, and is refilled from the history (channel/refill.h).
 *
 * A channel becomes active with its first member and inactive with its last; both are reported. It
 * exists while it has members, history, waiters or ids of publishers, and from being seeded to
 * being cleared. Its offset counts messages from 1, and each time it comes into being it has an
 * epoch in which it never had a message before. A channel that does not exist is at offset 0 of the
 * next epoch. A message published to it uses up that epoch, so a reader that knows the earlier
 * position learns that it has missed something.
 *
 * Invariants:
 * - a membership is in exactly two arrays, and they agree: each member of a channel refers to a
 *   membership that points back, and there are as many memberships as members;
 * - each channel has members, waiters, ids, or a history with messages, or is seeded; the messages
 *   end at its offset;
 * - at most all members are live; a member that is behind is due an offset up to the next one;
 * - a channel with a pace has no live members, and has shown messages that it has;
 * - a peer has at most one membership in a channel (a join ensures it; the check is linear and
 *   cannot see it);
 * - a channel has an epoch that was given out, or that the host gave, and a key with a valid kind.
 */
#ifndef WSP_CHANNEL_REGISTRY_H
#define WSP_CHANNEL_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/wspool.h>
#include "base/map.h"
#include "base/freelist.h"
#include "channel/history.h"
#include "channel/ids.h"
#include "channel/pace.h"
#include "channel/peer.h"
#include "policy/route.h"

struct wsp_member {
    struct wsp_peer *peer;
    uint64_t next;       /* behind: the offset that it is due */
    uint16_t membership; /* index in the peer's memberships */
    uint16_t state;      /* behind: it gets the whole state, since this time; 0: it does not */
};

struct wsp_channel {
    struct wsp_map_node node; /* key: the kind, then the name */
    struct wsp_member *members;
    uint32_t count;
    uint32_t cap;
    uint32_t live; /* members[0, live) are live, the others behind */
    uint64_t epoch;
    uint64_t offset;
    struct wsp_history *history;   /* NULL: it keeps no message */
    struct wsp_ids *ids;           /* of publishers; NULL: none */
    struct wspool_waiter *waiters; /* for its next message: pool/waiters.h */
    const struct wsp_rules *rules; /* of its kind */
    struct wsp_pace *pace;         /* NULL: its members get messages at once */
    uint8_t epoch_is_given;        /* by the host */
    uint8_t seeded; /* the host gave its position: it exists until the host clears it */
    uint8_t key[];
};

struct wsp_registry {
    const wspool_mem *mem;
    struct wsp_freelist arrays; /* smallest arrays of members and memberships */
    struct wsp_freelist names;  /* channels with short names */
    struct wsp_map channels;
    uint64_t next_epoch;
    struct wsp_histories *histories;
    struct wsp_rules rules[WSPOOL_TOPIC + 1]; /* index: enum wspool_kind */
    struct wsp_paces paces;                   /* of the channels that have one */
    unsigned priorities;                      /* bit 1 + n: a kind may have priority n */
    struct wsp_counters *count;
    /* Called when a channel has become active (1), or is about to become inactive (0). */
    void (*on_active)(void *owner, const struct wsp_channel *channel, int active);
    void *owner;
};

void wsp_registry_init(struct wsp_registry *registry, const wspool_mem *mem,
                       const struct wsp_siphash_key *seed, uint64_t first_epoch,
                       struct wsp_counters *count);
/* All peers must have left. */
void wsp_registry_fini(struct wsp_registry *registry);

#define WSP_ONLY_NORMAL 2u /* no kind has another priority */

/* Returns 1 if such a channel can exist, else 0. */
int wsp_channel_valid(wspool_channel channel);
struct wsp_channel *wsp_registry_find(const struct wsp_registry *registry, wspool_channel channel);
/* Returns the public name of a channel, valid as long as the channel. */
wspool_channel wsp_channel_name(const struct wsp_channel *channel);

/* Makes the peer a member. Fails with EXISTS, FULL (`max` memberships) or NOMEM: then nothing is
 * changed. */
int wsp_registry_join(struct wsp_registry *registry, struct wsp_peer *peer, wspool_channel channel,
                      uint32_t max);
/* Finds a channel, or makes one without members. Returns NULL without memory. */
struct wsp_channel *wsp_registry_get(struct wsp_registry *registry, wspool_channel channel);
/* The channel ceases to exist if it has no members, history, waiters or ids, and is not seeded. */
void wsp_registry_drop_unused(struct wsp_registry *registry, struct wsp_channel *channel);
/* The same, and if nothing was published to it, its epoch is given out again: so a reader that
 * waited for the first message of a channel still has its position. */
void wsp_registry_drop_unheard(struct wsp_registry *registry, struct wsp_channel *channel);

/* Returns the peer's entry in the members, or NULL when it is no member. */
struct wsp_member *wsp_registry_member(const struct wsp_peer *peer,
                                       const struct wsp_channel *channel);
static inline int wsp_member_is_live(const struct wsp_channel *channel,
                                     const struct wsp_member *member)
{
    return member < channel->members + channel->live;
}
/* A live member is behind from now on, and due the message at `next`. Another member takes its
 * place in the array. */
void wsp_member_fall_behind(struct wsp_channel *channel, struct wsp_member *member, uint64_t next);
/* A member that is behind is live from now on; it moves. */
void wsp_member_catch_up(struct wsp_channel *channel, struct wsp_member *member);
/* Ends a membership. Fails with ABSENT when there is none. */
int wsp_registry_leave(struct wsp_registry *registry, struct wsp_peer *peer,
                       struct wsp_channel *channel);
void wsp_registry_leave_all(struct wsp_registry *registry, struct wsp_peer *peer);

/* Returns the position of a channel, active or not. */
wspool_channel_position wsp_registry_position(const struct wsp_registry *registry,
                                              wspool_channel channel);
/* A message was published to an inactive channel. */
static inline void wsp_registry_missed(struct wsp_registry *registry)
{
    registry->next_epoch++;
}

/* Is the peer a member of that channel? 1 or 0. */
int wsp_registry_is_member(const struct wsp_peer *peer, const struct wsp_channel *channel);

/* Returns the channel of a membership, which must be below the count. */
struct wsp_channel *wsp_membership_channel(const struct wsp_memberships *memberships,
                                           uint32_t membership);

/* Returns its entry in the channel's members. */
struct wsp_member *wsp_membership_member(const struct wsp_memberships *memberships,
                                         uint32_t membership);

/* Returns 1 if both sides agree for every channel, else 0; sets *memberships to their number. */
int wsp_registry_check(const struct wsp_registry *registry, uint64_t *total);

#endif
