/* SPDX-License-Identifier: MIT */
/* pool/renewal.c - see pool/renewal.h. Also the public call for a new token. */
#include "pool/renewal.h"

#include <string.h>

#include "link/receive.h"
#include "link/times.h"
#include "policy/token.h"
#include "pool/call.h"
#include "pool/handlers.h"
#include "pool/judge.h"
#include "pool/log.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "wire/refusal.h"

/* ------------------------------------------------------------------ results */

static void tell(wspool *pool, struct wsp_peer *peer, int answer)
{
    const struct wsp_grant *grant = wsp_grant_of(peer);
    wspool_renewed renewed = {.accepted = answer == WSP_ADMITTED,
                              .expires = grant->validity.expires};
    if (answer == WSP_ADMITTED) {
        wsp_count_add(&pool->count.renewals, 1);
    } else {
        renewed.refusal = wsp_refusal_of(answer);
        wsp_count_add(&pool->count.renewals_refused, 1);
    }
    wsp_log(pool, WSP_LOG_RENEWED,
            (wspool_log_record){
                .id = wsp_peer_id(peer),
                .reason = renewed.accepted ? "" : wspool_refusal_reason(renewed.refusal)});
    WSP_TELL_OF(pool, peer, renewed, &renewed);
}

/* ----------------------------------------------------------------- subjects
 *
 * A new token must be for the same subject as the one with which the peer came. A subject that the
 * host gave is its own affair, and what tokens say does not matter. */

/* Returns 1 if a verdict may name that subject, or name none. */
static int may_name(const struct wsp_peer *peer, wspool_text subject)
{
    const wspool_text ours = wsp_subject_text(wsp_side_subject(peer->side));
    return subject.len == 0 || wsp_side_has_host_subject(peer->side) ||
           (subject.len == ours.len && memcmp(subject.data, ours.data, ours.len) == 0);
}

/* Returns 1 if one of the verdicts must have named the subject. */
static int must_name(const struct wsp_peer *peer)
{
    return wsp_subject_text(wsp_side_subject(peer->side)).len > 0 &&
           !wsp_side_has_host_subject(peer->side);
}

/* All verdicts are there. Applies them to a peer that is open, and tells the host. */
static void finish(wspool *pool, struct wsp_peer *peer, int answer, int is_named, void *identity,
                   const struct wsp_validity *validity)
{
    if (answer == WSP_ADMITTED && !is_named && must_name(peer)) {
        answer = wsp_refused(WSPOOL_REFUSED_TOKEN_WRONG_SUBJECT);
    }
    struct wsp_validity judged = *validity;
    if (answer == WSP_ADMITTED) {
        answer = wsp_grant_judge(pool, wsp_subject_text(wsp_side_subject(peer->side)), &judged);
    }
    if (answer == WSP_ADMITTED) {
        answer = wsp_grant_renew(pool, peer, &judged);
    }
    if (answer == WSP_ADMITTED && identity) {
        identity = wsp_side_replace_identity(peer->side, identity);
    }
    wsp_identity_free(pool, identity); /* the old one, or that of a token that was refused */
    if (peer->conn.state == WSP_OPEN) {
        tell(pool, peer, answer);
    }
}

/* ------------------------------------------------------------------ verdicts */

/* Verdicts are awaited. Keeps what those that came say together. Returns 0 or an error. */
static int await(wspool *pool, struct wsp_peer *peer, struct wsp_asked *asked)
{
    struct wsp_grant *grant = wsp_grant_of(peer);
    if (grant->renewal) {
        return WSPOOL_ERR_STATE; /* of a call in a hook that judged the token */
    }
    struct wsp_renewal *renewal = wsp_alloc(&pool->config.mem, sizeof *renewal);
    if (!renewal) {
        return WSPOOL_ERR_NOMEM;
    }
    *renewal = (struct wsp_renewal){
        .pending = asked->pending,
        .answer = may_name(peer, asked->subject) ? WSP_ADMITTED
                                                 : wsp_refused(WSPOOL_REFUSED_TOKEN_WRONG_SUBJECT),
        .is_named = asked->subject.len > 0,
        .deadline = pool->link.now + pool->config.verdict_time,
        .identity = asked->identity,
        .validity = asked->validity,
    };
    grant->renewal = renewal;
    wsp_timers_sooner(&pool->grants, peer->conn.slot.index, renewal->deadline);
    return 0;
}

void wsp_renewal_verdict(wspool *pool, struct wsp_peer *peer, const wspool_verdict *verdict)
{
    struct wsp_grant *grant = wsp_grant_of(peer);
    struct wsp_renewal *renewal = grant->renewal;
    if (verdict->kind != WSPOOL_ACCEPT) {
        renewal->answer = wsp_verdict_refused(verdict->refusal);
    } else {
        if (renewal->identity) {
            wsp_identity_free(pool, verdict->identity);
        } else {
            renewal->identity = verdict->identity;
        }
        wsp_validity_narrow(&renewal->validity,
                            &(struct wsp_validity){verdict->expires, verdict->issued});
        renewal->is_named |= verdict->subject.len > 0;
        if (renewal->answer == WSP_ADMITTED && !may_name(peer, verdict->subject)) {
            renewal->answer = wsp_refused(WSPOOL_REFUSED_TOKEN_WRONG_SUBJECT);
        }
    }
    if (--renewal->pending > 0) {
        return;
    }
    const struct wsp_renewal done = *renewal;
    grant->renewal = NULL;
    wsp_free(&pool->config.mem, renewal);
    if (done.is_told) {
        wsp_identity_free(pool, done.identity); /* it came too late */
    } else {
        finish(pool, peer, done.answer, done.is_named, done.identity, &done.validity);
    }
}

int wspool_reauth(wspool *pool, wspool_id id, wspool_text token, uint64_t now)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, token.len == 0 || token.data, WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    struct wsp_grant *grant = wsp_grant_of(peer);
    if (peer->conn.state != WSP_OPEN || !wsp_judge_has_token(pool, peer->conn.route) ||
        (grant && grant->renewal)) {
        return WSPOOL_ERR_STATE;
    }
    if (!grant && !wsp_grant_need(pool, peer)) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_enter_at(pool, now);
    struct wsp_conn *conn = &peer->conn;
    wsp_conn_abuse(&pool->link, conn, WSP_RENEWAL_COST);
    int answer = conn->state == WSP_OPEN ? wsp_token_check(token) : 0;
    struct wsp_asked asked = {0};
    if (conn->state == WSP_OPEN && answer == 0) {
        answer = wsp_judge_token(pool, peer, token, &asked);
    }
    if (conn->state != WSP_OPEN) {
        wsp_identity_free(pool, asked.identity); /* the budget is spent, or a hook closed it */
    } else if (answer == WSP_POSTPONED) {
        error = await(pool, peer, &asked);
        if (error) {
            wsp_identity_free(pool, asked.identity);
        }
    } else {
        if (answer == WSP_ADMITTED && !may_name(peer, asked.subject)) {
            answer = wsp_refused(WSPOOL_REFUSED_TOKEN_WRONG_SUBJECT);
        }
        finish(pool, peer, answer, asked.subject.len > 0, asked.identity, &asked.validity);
    }
    wsp_leave(pool);
    return error;
}

/* --------------------------------------------------------------------- time */

static void on_timer(wspool *pool, struct wsp_peer *peer)
{
    const uint64_t now = pool->link.now;
    struct wsp_grant *grant = wsp_grant_of(peer);
    if (peer->conn.state != WSP_OPEN) {
        return;
    }
    if (grant->until <= now) {
        wsp_conn_fail(&pool->link, &peer->conn, WSPOOL_END_TOKEN_EXPIRED, 0);
        return;
    }
    if (grant->notice <= now) {
        const wspool_expiring expiring = {grant->validity.expires, grant->until - now};
        grant->notice = UINT64_MAX;
        WSP_TELL_OF(pool, peer, expiring, &expiring);
        if (peer->conn.state != WSP_OPEN) {
            return;
        }
    }
    uint64_t next = wsp_earlier(grant->until, grant->notice);
    struct wsp_renewal *renewal = grant->renewal;
    if (renewal && !renewal->is_told) {
        if (renewal->deadline <= now) {
            renewal->is_told = 1;
            tell(pool, peer, wsp_refused(WSPOOL_REFUSED_VERDICT_TIMEOUT));
        } else {
            next = wsp_earlier(next, renewal->deadline);
        }
    }
    wsp_timers_sooner(&pool->grants, peer->conn.slot.index, next);
}

void wsp_renewal_run(wspool *pool)
{
    uint32_t slot;
    while ((slot = wsp_timers_fire(&pool->grants, pool->link.now)) != WSP_TIMER_NONE) {
        on_timer(pool, wsp_slots_at(&pool->peers, slot));
    }
}
