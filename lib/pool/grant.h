/* SPDX-License-Identifier: MIT */
/*
 * pool/grant.h - until when a peer may stay: the expiry that its verdict had.  Layer 4.
 *
 * A peer gets a grant when its verdict says when its token expires or was issued, or when it sends
 * a new token. The grant is an allocation of its own, in the party of the side record (side.h), so
 * that peers without one pay nothing. It has a timer in a wheel of its own: the deadlines of a
 * connection (link/liveness.h) know no tokens.
 *
 * The wall clock is read once, at the verdict. From then on the grant ends at a time of the pool's
 * clock, so setting the wall clock neither ends peers nor keeps them.
 *
 * Invariants:
 * - the timer of a grant is armed only while its peer is open;
 * - a grant that never ends has nothing to announce;
 * - a renewal awaits verdicts.
 */
#ifndef WSP_POOL_GRANT_H
#define WSP_POOL_GRANT_H

#include "base/timers.h"
#include "link/times.h"
#include "pool/pool.h"
#include "pool/side.h"

/* A new token of an open peer, until all verdicts on it are there. */
struct wsp_renewal {
    uint32_t pending;  /* how many; the call that judges is one, too, until it has judged */
    int answer;        /* of those that came: WSP_ADMITTED, or a refusal (wire/refusal.h) */
    int is_named;      /* one of them had a subject */
    int is_told;       /* the host was told before all came; they may still come */
    uint64_t deadline; /* the end of verdict_time */
    void *identity;
    struct wsp_validity validity;
};

struct wsp_grant {
    struct wsp_timer timer;
    struct wsp_validity validity;
    uint64_t until;              /* when it ends; UINT64_MAX: never */
    uint64_t notice;             /* when that is announced; UINT64_MAX: it was, or is not to be */
    struct wsp_renewal *renewal; /* NULL: none */
};

static inline struct wsp_grant *wsp_grant_of(const struct wsp_peer *peer)
{
    return peer->side && peer->side->party ? peer->side->party->grant : NULL;
}

/* Returns the renewal of a peer, or NULL. */
static inline struct wsp_renewal *wsp_renewal_of(const struct wsp_peer *peer)
{
    const struct wsp_grant *grant = wsp_grant_of(peer);
    return grant ? grant->renewal : NULL;
}

/* Returns when the host is told that no verdict came; UINT64_MAX: never. */
static inline uint64_t wsp_renewal_deadline(const struct wsp_grant *grant)
{
    return grant->renewal && !grant->renewal->is_told ? grant->renewal->deadline : UINT64_MAX;
}

/* Returns when something of a grant is due; UINT64_MAX: never. */
static inline uint64_t wsp_grant_next(const struct wsp_grant *grant)
{
    return wsp_earlier(wsp_earlier(grant->notice, grant->until), wsp_renewal_deadline(grant));
}

/* Returns config.token_time in whole seconds, rounded up. */
static inline uint64_t wsp_token_seconds(const wspool *pool)
{
    return (pool->config.token_time + WSPOOL_SECOND - 1) / WSPOOL_SECOND;
}

/* Returns the grant of a peer, which is made if there is none; or NULL without memory. */
struct wsp_grant *wsp_grant_need(wspool *pool, struct wsp_peer *peer);
/* Narrows the grant of a peer in its handshake by what a verdict says. Returns 0, or a refusal: the
 * token has expired, or there is no memory. */
int wsp_grant_narrow(wspool *pool, struct wsp_peer *peer, const struct wsp_validity *validity);
/* Gives an open peer what a new token grants. Returns 0, or a refusal: the token has expired. */
int wsp_grant_renew(wspool *pool, struct wsp_peer *peer, const struct wsp_validity *validity);
/* All verdicts on a token are there. Returns WSP_ADMITTED, or a refusal if it is revoked; sets the
 * earlier one of its expiry and the end of config.token_time. `subject` is that of the peer. */
int wsp_grant_judge(wspool *pool, wspool_text subject, struct wsp_validity *validity);
/* Returns 1 if wsp_grant_judge has something to judge, else 0. */
static inline int wsp_grant_is_judged(const wspool *pool)
{
    return pool->config.token_time > 0 || wsp_revocations_any(&pool->revocations);
}
/* Arms the timer of an open peer. */
void wsp_grant_arm(wspool *pool, struct wsp_peer *peer);
/* Frees the grant of a peer, if there is one. Returns the identity that its renewal holds, or
 * NULL. */
void *wsp_grant_free(wspool *pool, struct wsp_peer *peer);

/* Returns 1 if the invariants hold, else 0. */
int wsp_grant_check(const struct wsp_peer *peer);

#endif
