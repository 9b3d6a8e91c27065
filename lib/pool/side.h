/* SPDX-License-Identifier: MIT */
/*
 * pool/side.h - the side record of a peer: what only some peers need.  Layer 4.
 *
 * A peer gets one when it needs one: at its beginning if it has an address or a key, otherwise when
 * a verdict brings an identity. It is one allocation of 16 bytes plus address and key, and lives
 * until the peer is released. Most peers have none.
 *
 * The peer owns the record (peer->side). The identity in it belongs to the host: a caller that
 * frees the record passes the identity to the identity_free hook.
 *
 * Invariants:
 * - a side record holds something: an identity, an address or a key;
 * - address and key are within their limits.
 */
#ifndef WSP_POOL_SIDE_H
#define WSP_POOL_SIDE_H

#include <stdint.h>

#include <wspool/handshake.h>
#include "base/mem.h"

#define WSP_ADDRESS_MAX 107u /* a path in struct sockaddr_un */
#define WSP_PEER_KEY_MAX 64u

struct wsp_side {
    void *identity;
    uint8_t address_len;
    uint8_t key_len;
    char bytes[]; /* the address, then the key */
};

/* Makes the record of a peer that has none; does nothing when address and key are both empty.
 * Returns 0, INVAL when one of them is too long, or NOMEM: then there is still none. */
int wsp_side_make(struct wsp_side **side, const wspool_mem *mem, wspool_text address,
                  wspool_text key);
/* Stores an identity, in a new record if there is none. A NULL identity changes nothing. The
 * record must not have one yet. Returns 0 or NOMEM: then the identity still belongs to the
 * caller. */
int wsp_side_identify(struct wsp_side **side, const wspool_mem *mem, void *identity);
/* Frees the record, if there is one, and returns its identity or NULL. */
void *wsp_side_free(struct wsp_side **side, const wspool_mem *mem);

/* Return the contents of the record, valid as long as it; `side` may be NULL. */
static inline void *wsp_side_identity(const struct wsp_side *side)
{
    return side ? side->identity : NULL;
}
static inline wspool_text wsp_side_address(const struct wsp_side *side)
{
    return side ? (wspool_text){side->bytes, side->address_len} : (wspool_text){"", 0};
}
static inline wspool_text wsp_side_key(const struct wsp_side *side)
{
    return side ? (wspool_text){side->bytes + side->address_len, side->key_len}
                : (wspool_text){"", 0};
}

/* Returns 1 if the invariants hold, else 0; NULL is valid. */
int wsp_side_check(const struct wsp_side *side);

#endif
