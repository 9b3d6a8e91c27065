/* SPDX-License-Identifier: MIT */
/* pool/grant.c - see pool/grant.h. */
#include "pool/grant.h"

#include "pool/wall.h"
#include "wire/refusal.h"

/* A token that expires later than in 100 years does not expire. */
#define LONGEST (UINT64_C(100) * 365 * 24 * 3600 * 1000) /* milliseconds */

/* Returns when the pool's clock will be there, or 0 if that moment has passed. */
static uint64_t end_of(wspool *pool, uint64_t expires)
{
    const uint64_t wall = wsp_wall(pool);
    if (expires == 0 || expires > UINT64_MAX / 1000 || expires * 1000 > wall + LONGEST) {
        return UINT64_MAX;
    }
    return expires * 1000 > wall ? pool->link.now + (expires * 1000 - wall) * WSPOOL_MILLISECOND
                                 : 0;
}

/* Peers whose tokens expire at one moment are told at moments of their own, so that they do not all
 * ask for a new token at once: between four and six fifths of expiring_time before it. Of a time
 * that is shorter than that the second half is left. */
static uint64_t notice_of(wspool *pool, uint64_t until)
{
    const uint64_t most = pool->config.expiring_time, left = until - pool->link.now;
    if (most == 0 || until == UINT64_MAX) {
        return UINT64_MAX;
    }
    uint64_t before = most - most / 5;
    before += wsp_random(&pool->link) % (2 * (most / 5) + 1);
    return until - wsp_earlier(before, left / 2);
}

struct wsp_grant *wsp_grant_need(wspool *pool, struct wsp_peer *peer)
{
    const wspool_mem *mem = &pool->config.mem;
    struct wsp_grant *grant = wsp_grant_of(peer);
    if (grant) {
        return grant;
    }
    grant = wsp_alloc(mem, sizeof *grant);
    if (!grant) {
        return NULL;
    }
    *grant = (struct wsp_grant){.until = UINT64_MAX, .notice = UINT64_MAX};
    wsp_timer_init(&grant->timer);
    if (wsp_side_grant(&peer->side, mem, grant)) {
        wsp_free(mem, grant);
        return NULL;
    }
    if (pool->granted++ == 0) {
        (void)wsp_timers_fire(&pool->grants, pool->link.now); /* the wheel did not turn */
    }
    return grant;
}

int wsp_grant_narrow(wspool *pool, struct wsp_peer *peer, const struct wsp_validity *validity)
{
    struct wsp_grant *grant = wsp_grant_need(pool, peer);
    if (!grant) {
        return wsp_refused(WSPOOL_REFUSED_NOMEM);
    }
    wsp_validity_narrow(&grant->validity, validity);
    grant->until = end_of(pool, grant->validity.expires);
    return grant->until == 0 ? wsp_refused(WSPOOL_REFUSED_TOKEN_EXPIRED) : 0;
}

int wsp_grant_renew(wspool *pool, struct wsp_peer *peer, const struct wsp_validity *validity)
{
    struct wsp_grant *grant = wsp_grant_of(peer);
    const uint64_t until = end_of(pool, validity->expires);
    if (until == 0) {
        return wsp_refused(WSPOOL_REFUSED_TOKEN_EXPIRED);
    }
    grant->validity = *validity;
    grant->until = until;
    wsp_grant_arm(pool, peer);
    return 0;
}

int wsp_grant_judge(wspool *pool, wspool_text subject, struct wsp_validity *validity)
{
    const uint64_t most = wsp_token_seconds(pool);
    if (wsp_revocations_hit(&pool->revocations, subject, validity->issued, pool->link.now)) {
        return wsp_refused(WSPOOL_REFUSED_TOKEN_REVOKED);
    }
    if (most > 0 && validity->issued < UINT64_MAX - most) {
        wsp_validity_narrow(validity, &(struct wsp_validity){validity->issued + most, 0});
    }
    return WSP_ADMITTED;
}

void wsp_grant_arm(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_grant *grant = wsp_grant_of(peer);
    grant->notice = notice_of(pool, grant->until);
    wsp_timers_arm(&pool->grants, peer->conn.slot.index, wsp_grant_next(grant));
}

void *wsp_grant_free(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_grant *grant = wsp_grant_of(peer);
    if (!grant) {
        return NULL;
    }
    void *identity = grant->renewal ? grant->renewal->identity : NULL;
    wsp_timers_disarm(&pool->grants, peer->conn.slot.index);
    wsp_free(&pool->config.mem, grant->renewal);
    wsp_free(&pool->config.mem, grant);
    pool->granted--;
    peer->side->party->grant = NULL;
    return identity;
}

int wsp_grant_check(const struct wsp_peer *peer)
{
    const struct wsp_grant *grant = wsp_grant_of(peer);
    return !grant || ((grant->timer.prev == WSP_TIMER_OFF || peer->conn.state >= WSP_OPEN) &&
                      (grant->until != UINT64_MAX || grant->notice == UINT64_MAX) &&
                      (!grant->renewal || grant->renewal->pending > 0));
}
