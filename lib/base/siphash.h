/* SPDX-License-Identifier: MIT */
/*
 * base/siphash.h - SipHash-1-3, a keyed hash for tables whose keys a peer may choose.  Layer 0.
 *
 * A peer that does not know the key cannot produce names that collide. Not for authentication.
 */
#ifndef WSP_BASE_SIPHASH_H
#define WSP_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct wsp_siphash_key {
    uint64_t k0, k1;
};

uint64_t wsp_siphash13(const struct wsp_siphash_key *key, const void *data, size_t len);

#endif
