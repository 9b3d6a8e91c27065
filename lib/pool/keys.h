/* SPDX-License-Identifier: MIT */
/*
 * pool/keys.h - counts the peers of each peer key.  Layer 4.
 *
 * The host may give a key to each transport (the client's address, for example), so that one client
 * cannot take every place. A peer counts from its beginning until its release. A key is stored
 * while it has a peer.
 *
 * Invariants:
 * - a stored key has at least one peer, and at most as many as its cap.
 */
#ifndef WSP_POOL_KEYS_H
#define WSP_POOL_KEYS_H

#include <stdint.h>

#include <wspool/handshake.h>
#include "base/map.h"
#include "base/mem.h"

struct wsp_keys {
    const wspool_mem *mem;
    struct wsp_map map;
    uint32_t most; /* the most peers of one key; 0: keys are not counted */
};

void wsp_keys_init(struct wsp_keys *keys, const wspool_mem *mem, const struct wsp_siphash_key *seed,
                   uint32_t most);
/* Every peer must have been released. */
void wsp_keys_fini(struct wsp_keys *keys);

/* Counts one more peer. Returns 0, FULL when the key has its most, or NOMEM. An empty key is not
 * counted. */
int wsp_keys_take(struct wsp_keys *keys, wspool_text key);
/* Returns 1 if the key has its most, else 0. */
int wsp_keys_are_full(const struct wsp_keys *keys, wspool_text key);
/* Counts one peer less. It must have been counted. */
void wsp_keys_give(struct wsp_keys *keys, wspool_text key);

/* Returns 1 if the invariants hold, else 0; sets *peers to the number of counted peers. Linear. */
int wsp_keys_check(const struct wsp_keys *keys, uint64_t *peers);

#endif
