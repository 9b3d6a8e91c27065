/* SPDX-License-Identifier: MIT */
/*
 * channel/registry.h - channels, and who is a member of which.  Layer 3.
 *
 * Two arrays that point into each other: a channel's members, and a peer's seats.
 *
 *     channel "item 42"   members [ peer 7, seat 0 | peer 3, seat 1 | peer 9, seat 0 ]
 *     peer 3              seats   [ global "cards", index 5 | item "42", index 1 ]
 *
 * Joining appends to both; leaving moves the last one of each into the hole and corrects the one
 * place that points to it. Both take constant time whatever the channel's size. A peer's first
 * seat lies in its record; more of them are an array of its own.
 *
 * A channel appears with its first member and goes with its last; both are told. Its offset
 * counts messages from 1, and each time it appears it has an epoch that it never had before. One
 * that isn't there stands at offset 0 of the next epoch; a message that finds nobody uses that
 * epoch up, so whoever was told of that position before learns that something was missed.
 *
 * Invariants:
 * - a membership is on exactly two arrays, and they agree: each member of a channel sits on a seat
 *   that points back, and there are as many seats as members;
 * - no channel is empty: it goes with its last member;
 * - a peer has one seat in a channel at most (a join sees to that; the check is linear and can't);
 * - a channel has an epoch that was given out, and a name of a kind that there is.
 */
#ifndef WSP_CHANNEL_REGISTRY_H
#define WSP_CHANNEL_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/wspool.h>
#include "base/map.h"
#include "base/freelist.h"
#include "channel/peer.h"

struct wsp_member {
    struct wsp_peer *peer;
    uint32_t seat; /* which of the peer's seats this is */
};

struct wsp_channel {
    struct wsp_map_node node; /* key: the kind, then the name */
    struct wsp_member *members;
    uint32_t count;
    uint32_t cap;
    uint64_t epoch;
    uint64_t offset;
    uint8_t slow; /* enum wspool_slow */
    uint8_t key[];
};

struct wsp_registry {
    const wspool_mem *mem;
    struct wsp_freelist arrays; /* first arrays of members and of seats: those that come and go */
    struct wsp_freelist names;  /* channels whose names are short */
    struct wsp_map channels;
    uint64_t next_epoch;
    uint64_t gone; /* how many channels have gone so far */
    struct wsp_counters *count;
    /* Told when a channel has appeared (1) or is about to go (0). */
    void (*on_presence)(void *owner, const struct wsp_channel *channel, int present);
    void *owner;
};

void wsp_registry_init(struct wsp_registry *registry, const wspool_mem *mem,
                       const struct wsp_siphash_key *seed, uint64_t first_epoch,
                       struct wsp_counters *count);
/* Every peer must have left. */
void wsp_registry_fini(struct wsp_registry *registry);

/* Is it one that can exist? 1 or 0. */
int wsp_channel_valid(wspool_channel channel);
struct wsp_channel *wsp_registry_find(const struct wsp_registry *registry, wspool_channel channel);
/* The public name of a channel; it lives as long as the channel. */
wspool_channel wsp_channel_name(const struct wsp_channel *channel);

/* Joins; `slow` is the policy of a channel that appears by it. EXISTS, FULL (`max` seats), NOMEM:
 * then nothing was changed. */
int wsp_registry_join(struct wsp_registry *registry, struct wsp_peer *peer, wspool_channel channel,
                      enum wspool_slow slow, uint32_t max);
/* Leaves. ABSENT when it is no member. */
int wsp_registry_leave(struct wsp_registry *registry, struct wsp_peer *peer,
                       struct wsp_channel *channel);
void wsp_registry_leave_all(struct wsp_registry *registry, struct wsp_peer *peer);

/* Where a channel stands, there or not. */
struct wspool_position wsp_registry_position(const struct wsp_registry *registry,
                                             wspool_channel channel);
/* A message was published to a channel that isn't there. */
static inline void wsp_registry_missed(struct wsp_registry *registry)
{
    registry->next_epoch++;
}

/* Is the peer a member of that channel? 1 or 0. */
int wsp_registry_is_member(const struct wsp_peer *peer, const struct wsp_channel *channel);

/* The channel of a peer's seat, 0 <= seat < seats.count. */
struct wsp_channel *wsp_seat_channel(const struct wsp_seats *seats, uint32_t seat);

/* Do the two sides agree, for every channel? 1 or 0; *memberships: how many there are. */
int wsp_registry_check(const struct wsp_registry *registry, uint64_t *memberships);

#endif
