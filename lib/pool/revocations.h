/* SPDX-License-Identifier: MIT */
/*
 * pool/revocations.h - which tokens are revoked: those of a subject, or all, that were issued
 * before a moment.  Layer 4.
 *
 * A revocation is kept until every token that it could hit has reached config.token_time and is
 * refused for its age; without token_time it is kept as long as the pool. So forgetting one lets no
 * token in. One that has had its time is removed when its place is needed.
 *
 * The revocation of all tokens has a place of its own: a host whose table is full still has a way
 * to shut everybody out.
 *
 * Invariants:
 * - there are at most config.max_revocations of subjects;
 * - each is for a moment that is not 0.
 */
#ifndef WSP_POOL_REVOCATIONS_H
#define WSP_POOL_REVOCATIONS_H

#include <stdint.h>

#include <wspool/handshake.h>
#include "base/map.h"
#include "base/mem.h"

struct wsp_revocation {
    uint64_t before; /* seconds since 1970; 0: none */
    uint64_t until;  /* when it is forgotten, on the pool's clock; UINT64_MAX: never */
};

struct wsp_revocations {
    const wspool_mem *mem;
    struct wsp_map map; /* of subjects */
    struct wsp_revocation all;
    uint32_t max; /* how many subjects it may have */
};

void wsp_revocations_init(struct wsp_revocations *revocations, const wspool_mem *mem,
                          const struct wsp_siphash_key *seed, uint32_t max);
void wsp_revocations_fini(struct wsp_revocations *revocations);

/* Adds one, or extends that of the same subject; an empty subject stands for all. Returns 0, FULL
 * or NOMEM: then nothing is changed. */
int wsp_revocations_add(struct wsp_revocations *revocations, wspool_text subject,
                        const struct wsp_revocation *what, uint64_t now);
/* Returns 1 if there may be one, else 0. */
static inline int wsp_revocations_any(const struct wsp_revocations *revocations)
{
    return revocations->map.count > 0 || revocations->all.before > 0;
}
/* Returns 1 if a token of this subject (empty: none) that was issued then (0: not known) is
 * revoked, else 0. */
int wsp_revocations_hit(const struct wsp_revocations *revocations, wspool_text subject,
                        uint64_t issued, uint64_t now);

/* Returns 1 if the invariants hold, else 0. Linear. */
int wsp_revocations_check(const struct wsp_revocations *revocations);

#endif
