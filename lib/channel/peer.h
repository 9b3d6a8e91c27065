/* SPDX-License-Identifier: MIT */
/*
 * channel/peer.h - the record of a peer: its connection, the host's pointer, and its memberships.
 * Layer 3.
 *
 * An idle peer costs this record and nothing else. State that only some peers need is allocated on
 * demand.
 */
#ifndef WSP_CHANNEL_PEER_H
#define WSP_CHANNEL_PEER_H

#include <stdint.h>

#include "link/conn.h"

struct wsp_channel;
struct wsp_side;

struct wsp_membership {
    struct wsp_channel *channel;
    uint32_t index; /* index in the channel's members */
};

struct wsp_memberships {
    struct wsp_channel *first_channel; /* membership 0; its parts are separate members to save
                                          eight bytes */
    uint32_t first_index;
    uint16_t count;
    uint16_t cap;                /* capacity of more[] */
    struct wsp_membership *more; /* memberships 1 and up */
};

struct wsp_peer {
    struct wsp_conn conn;
    void *user;
    struct wsp_side *side; /* of the pool: what only some peers need; mostly NULL */
    struct wsp_memberships memberships;
};
_Static_assert(sizeof(struct wsp_peer) <= 192, "an idle peer costs 192 bytes at most (law 4)");

#endif
