/* SPDX-License-Identifier: MIT */
/*
 * pool/side.h - the side record of a peer: what only some peers need.  Layer 4.
 *
 * A peer gets one when it needs one: at its beginning if it has an address, a key or a subject,
 * otherwise when a verdict brings something to keep, or its request names a client instance. It is
 * one allocation of 24 bytes or less plus address and key, and lives until the peer is released.
 * Subject, client instance and grant are in a second one, the party: they come later, and the texts
 * that the host was given must not move. Most peers have none of them.
 *
 * The peer owns the record (peer->side). The identity in it belongs to the host: a caller that
 * frees the record passes the identity to the identity_free hook. The subject belongs to
 * pool/subjects.h and must have been given back before.
 *
 * Invariants:
 * - a side record holds something: an identity, an address, a key or a party;
 * - a party has a subject, a client instance or a grant;
 * - address, key and client instance are within their limits.
 */
#ifndef WSP_POOL_SIDE_H
#define WSP_POOL_SIDE_H

#include <stdint.h>

#include <wspool/handshake.h>
#include "base/mem.h"

#define WSP_ADDRESS_MAX 107u /* a path in struct sockaddr_un */
#define WSP_PEER_KEY_MAX 64u

struct wsp_peer;
struct wsp_subject; /* pool/subjects.h */
struct wsp_grant;   /* pool/grant.h */

struct wsp_party {
    struct wsp_subject *subject;    /* NULL: none */
    struct wsp_peer *newer, *older; /* in the list of the subject */
    struct wsp_grant *grant;        /* NULL: none */
    uint8_t is_judged;              /* a verdict named the subject */
    uint8_t client_len;
    char client[];
};

struct wsp_side {
    void *identity;
    struct wsp_party *party; /* NULL: neither subject, nor client instance, nor grant */
    uint32_t place;          /* of its key, among the limits */
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
/* Makes a party, and a record if there is none, with that client instance and subject; an empty
 * text and NULL name none. If there is a party, sets the one that it lacks. At least one of them
 * is given and not there yet. Returns 0, or NOMEM with nothing changed. */
int wsp_side_name(struct wsp_side **side, const wspool_mem *mem, wspool_text client,
                  struct wsp_subject *subject);
/* Stores the grant of a peer that has none, and makes what is missing of record and party. Returns 0
 * or NOMEM with nothing changed. */
int wsp_side_grant(struct wsp_side **side, const wspool_mem *mem, struct wsp_grant *grant);
/* Replaces the identity of a record, and returns the old one, which may be NULL. */
void *wsp_side_replace_identity(struct wsp_side *side, void *identity);
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

static inline wspool_text wsp_side_client(const struct wsp_side *side)
{
    const struct wsp_party *party = side ? side->party : NULL;
    return party ? (wspool_text){party->client, party->client_len} : (wspool_text){"", 0};
}
static inline struct wsp_subject *wsp_side_subject(const struct wsp_side *side)
{
    return side && side->party ? side->party->subject : NULL;
}

/* Returns 1 if there is a subject, and no verdict named it. */
static inline int wsp_side_has_host_subject(const struct wsp_side *side)
{
    return wsp_side_subject(side) && !side->party->is_judged;
}

/* Returns 1 if the invariants hold, else 0; NULL is valid. */
int wsp_side_check(const struct wsp_side *side);

#endif
