/* SPDX-License-Identifier: MIT */
/*
 * channel/peer.h - the record of a peer: its connection, what the host knows it by, and its
 * memberships.  Layer 3.
 *
 * An idle peer costs this record and nothing else. What only some peers need is elsewhere, and
 * allocated on demand.
 */
#ifndef WSP_CHANNEL_PEER_H
#define WSP_CHANNEL_PEER_H

#include <stdint.h>

#include "link/conn.h"

struct wsp_channel;
struct wsp_side;

struct wsp_seat {
    struct wsp_channel *channel;
    uint32_t index; /* among the channel's members */
};

struct wsp_seats {
    struct wsp_channel *first_channel; /* seat 0; its parts lie apart to save eight bytes */
    uint32_t first_index;
    uint16_t count;
    uint16_t cap;          /* of more[] */
    struct wsp_seat *more; /* seats 1 and up */
};

struct wsp_peer {
    struct wsp_conn conn;
    void *user;
    struct wsp_side *side; /* of the pool: what only some peers need; mostly NULL */
    struct wsp_seats seats;
};
_Static_assert(sizeof(struct wsp_peer) <= 192, "an idle peer costs 192 bytes at most (law 4)");

#endif
