/* SPDX-License-Identifier: MIT */
/*
 * pool/contracts.h - the contracts of a pool, which render publications.  Layer 4.
 *
 * A contract is an attached set of handlers with `render`. Contract 0 was attached first. A peer
 * has the contract of the subprotocol that it negotiated, else contract 0, from the moment it is
 * open (conn.contract); the variants of link/encodings.h follow from that.
 *
 * A contract is in use once it has had a peer. Live members need a rendering in contracts that are
 * in use; a history keeps one of each contract, since a peer of any may come.
 *
 * Invariants:
 * - the list is in the order of attaching, and each entry is a handler with `render`;
 * - the contract of a peer is 0 or in the list.
 */
#ifndef WSP_POOL_CONTRACTS_H
#define WSP_POOL_CONTRACTS_H

#include "link/encodings.h"
#include "pool/pool.h"

/* A checked message, and the length of its plain frame. */
struct wsp_rendering {
    struct wsp_message message;
    uint32_t frame_len; /* 0: this contract did not render it */
};

/* Returns 0 if these handlers are no contract, or can be one; else INVAL, STATE or FULL. */
int wsp_contract_check(const wspool *pool, const wspool_handlers *handlers);
/* The handlers at that index of the list are a contract from now on. Its subprotocol, if it has
 * one, is the last one of the configuration. */
void wsp_contract_add(wspool *pool, uint32_t handler, int has_subprotocol);

/* The peer that is about to open has the contract of this subprotocol (may be NULL). */
void wsp_contract_join(wspool *pool, struct wsp_peer *peer, const char *subprotocol);

/* Checks a message for queues of that size. (A queue is larger than any frame header.) Returns 0,
 * INVAL or TOO_BIG. */
static inline int wsp_rendering_read(struct wsp_rendering *rendering, uint32_t queue_bytes,
                                     const void *bytes, size_t len, uint8_t opcode)
{
    uint32_t head_len = wsp_frame_head_len(len);
    if (!bytes && len > 0) {
        return WSPOOL_ERR_INVAL;
    }
    if (len > queue_bytes - head_len) {
        return WSPOOL_ERR_TOO_BIG;
    }
    *rendering = (struct wsp_rendering){{bytes, len, opcode}, head_len + (uint32_t)len};
    return 0;
}
/* Renders a message in parts (it has a type), for every contract that is in use, or for all of
 * them. `list` has WSPOOL_CONTRACTS entries. Returns 0, or an error. */
int wsp_contracts_render(wspool *pool, const struct wsp_channel *channel,
                         const wspool_channel_position *position,
                         const wspool_seed_message *message, int all, struct wsp_rendering *list);

/* What a history keeps of a message is the frames of all contracts, one behind the other; a single
 * one if it was published as it is. Returns their length. */
static inline uint32_t wsp_renderings_len(const struct wsp_rendering *list, uint32_t count)
{
    uint32_t len = list[0].frame_len;
    for (uint32_t i = 1; i < count; i++) {
        len += list[i].frame_len;
    }
    return len;
}
/* Writes the frames of the renderings from `first` on. */
void wsp_renderings_write(const struct wsp_rendering *list, uint32_t first, uint32_t count,
                          uint8_t *out);

/* Returns 1 if the invariants hold, else 0. */
int wsp_contracts_check(const wspool *pool);

#endif
