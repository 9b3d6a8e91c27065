/* SPDX-License-Identifier: MIT */
/*
 * policy/limits.h - what the peers of one key may do together.  Layer 2.
 *
 * The host gives a key to each transport: the client's address, or an account. A table of fixed size
 * counts the peers of each key, and has token buckets for what it does. An entry outlives its last
 * peer, so that a client cannot reset its limits by coming again. It is reused only when it has no
 * peer and its buckets are full, that is, when it tells nothing any more. If there is no such entry,
 * the keys that find no place share the last one: an attacker with many keys uses up that one, and
 * keys that have a place are not affected.
 *
 * Nothing is allocated after the start, and without a limit there is no table.
 *
 * Invariants:
 * - an entry that is in use is in the chain of its key's hash, exactly once;
 * - an entry without peers is in the list of those, the one that was left longest ago first;
 * - no bucket has given more than it holds, and no key but the shared one has more peers than it
 *   may.
 */
#ifndef WSP_POLICY_LIMITS_H
#define WSP_POLICY_LIMITS_H

#include <stdint.h>

#include <wspool/config.h>
#include "base/bucket.h"
#include "base/siphash.h"

#define WSP_LIMITS_KEY_MAX 64u
#define WSP_LIMITS_NONE 0u /* no place: the peer has no key, or nothing is limited */

/* What is counted in a second. */
enum wsp_limited {
    WSP_LIMITED_ATTEMPTS,
    WSP_LIMITED_MESSAGES,
    WSP_LIMITED_BYTES,
    WSP_LIMITED_SUBSCRIBES,
    WSP_LIMITED_COUNT
};

struct wsp_limit {
    uint32_t next;         /* in its chain */
    uint32_t older, newer; /* in the list of those without peers */
    uint32_t peers;
    struct wsp_bucket buckets[WSP_LIMITED_COUNT];
    uint8_t key_len; /* 0: the entry was never used, or is the shared one */
    char key[WSP_LIMITS_KEY_MAX];
};

struct wsp_limits {
    const wspool_mem *mem;
    const wspool_config *config;
    struct wsp_siphash_key seed;
    uint64_t created_at;
    struct wsp_limit
        *list; /* places 1 to `size`, and the shared one behind them; NULL: no limits */
    uint32_t *chains;
    uint32_t size, mask;     /* of the list without the shared one; of the chains */
    uint32_t used;           /* places that were used so far */
    uint32_t oldest, newest; /* of those without peers */
    int traffic;             /* 1: messages or bytes are limited */
};

/* Allocates the table if there is a limit. `now`: the pool's. Returns 0 or NOMEM. */
int wsp_limits_init(struct wsp_limits *limits, const wspool_mem *mem, const wspool_config *config,
                    const struct wsp_siphash_key *seed, uint64_t now);
void wsp_limits_fini(struct wsp_limits *limits);

/* One more peer of a key begins: sets *place for the other calls. Returns 0, or FULL if it has all
 * its peers or makes too many attempts. An empty key is not limited. It has at most
 * WSP_LIMITS_KEY_MAX bytes. */
int wsp_limits_enter(struct wsp_limits *limits, wspool_text key, uint64_t now, uint32_t *place);
/* A peer ends. */
void wsp_limits_leave(struct wsp_limits *limits, uint32_t place);
/* Draws `cost` of something. Returns 1, or 0: it is too much. */
int wsp_limits_draw(struct wsp_limits *limits, uint32_t place, enum wsp_limited what, uint32_t cost,
                    uint64_t now);
/* Returns 1 if a new peer of the key would be turned away now for what the key has done, else 0. */
int wsp_limits_are_full(struct wsp_limits *limits, wspool_text key, uint64_t now);

/* Returns 1 if the invariants hold, else 0; sets *peers to the number of counted peers. Linear. */
int wsp_limits_check(const struct wsp_limits *limits, uint64_t *peers);

#endif
