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

/* ------------------------------------------------------------------ verdicts */

/* All verdicts are there. Applies them to a peer that is open, and tells the host. */
static void finish(wspool *pool, struct wsp_peer *peer, const struct wsp_renewal *renewal)
{
    int answer = renewal->answer;
    void *identity = renewal->identity;
    struct wsp_validity judged = renewal->validity;
    if (answer == WSP_ADMITTED && !renewal->is_named && must_name(peer)) {
        answer = wsp_refused(WSPOOL_REFUSED_TOKEN_WRONG_SUBJECT);
    }
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

/* Takes what one or more verdicts say, of which `answer` is WSP_ADMITTED or a refusal. */
static void take(wspool *pool, struct wsp_peer *peer, int answer, wspool_text subject,
                 void *identity, const struct wsp_validity *validity)
{
    struct wsp_renewal *renewal = wsp_grant_of(peer)->renewal;
    if (answer == WSP_ADMITTED && !may_name(peer, subject)) {
        answer = wsp_refused(WSPOOL_REFUSED_TOKEN_WRONG_SUBJECT);
    }
    if (renewal->answer == WSP_ADMITTED) {
        renewal->answer = answer;
    }
    if (!renewal->identity) {
        renewal->identity = identity;
    } else {
        wsp_identity_free(pool, identity);
    }
    renewal->is_named |= subject.len > 0;
    wsp_validity_narrow(&renewal->validity, validity);
}

/* One of the awaited answers is taken. After the last one the renewal is over. */
static void count_down(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_grant *grant = wsp_grant_of(peer);
    struct wsp_renewal *renewal = grant->renewal;
    if (--renewal->pending > 0) {
        return;
    }
    const struct wsp_renewal done = *renewal;
    grant->renewal = NULL;
    wsp_free(&pool->config.mem, renewal);
    if (done.is_told) {
        wsp_identity_free(pool, done.identity); /* nobody waits for it */
    } else {
        finish(pool, peer, &done);
    }
}

/* The host is told before all verdicts are there. Those that are missing may still come; until then
 * the renewal is kept, so that none of them is taken for one on a later token. */
static void tell_early(wspool *pool, struct wsp_peer *peer, int answer)
{
    wsp_grant_of(peer)->renewal->is_told = 1;
    tell(pool, peer, answer);
}

void wsp_renewal_verdict(wspool *pool, struct wsp_peer *peer, const wspool_verdict *verdict)
{
    if (verdict->kind == WSPOOL_ACCEPT) {
        const struct wsp_validity validity = wsp_validity_of(verdict);
        take(pool, peer, WSP_ADMITTED, verdict->subject, verdict->identity, &validity);
    } else {
        const struct wsp_validity none = {0, 0};
        take(pool, peer, wsp_verdict_refused(verdict->refusal), (wspool_text){0}, NULL, &none);
    }
    count_down(pool, peer);
}

/* Makes the renewal of a peer, which awaits the answer of the call that judges. */
static int begin(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_grant *grant = wsp_grant_need(pool, peer);
    if (!grant) {
        return WSPOOL_ERR_NOMEM;
    }
    grant->renewal = wsp_alloc(&pool->config.mem, sizeof *grant->renewal);
    if (!grant->renewal) {
        return WSPOOL_ERR_NOMEM;
    }
    *grant->renewal = (struct wsp_renewal){.pending = 1, .answer = WSP_ADMITTED};
    return 0;
}

/* Judges the token for a peer that is open. */
static void judge(wspool *pool, struct wsp_peer *peer, wspool_text token)
{
    struct wsp_asked asked = {0};
    struct wsp_renewal *renewal = wsp_grant_of(peer)->renewal;
    int answer = wsp_token_check(token);
    if (answer == 0) {
        answer = wsp_judge_token(pool, peer, token, &asked);
    }
    take(pool, peer, answer < 0 ? answer : WSP_ADMITTED, asked.subject, asked.identity,
         &asked.validity);
    renewal->pending += asked.pending;
    if (peer->conn.state != WSP_OPEN) {
        renewal->is_told = 1; /* a hook closed it */
    } else if (answer == WSP_POSTPONED) {
        renewal->deadline = pool->link.now + pool->config.verdict_time;
        wsp_timers_sooner(&pool->grants, peer->conn.slot.index, renewal->deadline);
    } else if (asked.pending > 0) {
        tell_early(pool, peer, answer);
    }
    count_down(pool, peer);
}

int wspool_reauth(wspool *pool, wspool_id id, wspool_text token, uint64_t now)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, token.len == 0 || token.data, WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    if (peer->conn.state != WSP_OPEN || !wsp_judge_has_token(pool, peer->conn.route) ||
        wsp_renewal_of(peer)) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter_at(pool, now);
    wsp_conn_abuse(&pool->link, &peer->conn, WSP_RENEWAL_COST);
    if (peer->conn.state == WSP_OPEN && !(error = begin(pool, peer))) {
        judge(pool, peer, token);
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
    if (wsp_renewal_deadline(grant) <= now) {
        tell_early(pool, peer, wsp_refused(WSPOOL_REFUSED_VERDICT_TIMEOUT));
    }
    wsp_timers_sooner(&pool->grants, peer->conn.slot.index, wsp_grant_next(grant));
}

void wsp_renewal_run(wspool *pool)
{
    uint32_t slot;
    while ((slot = wsp_timers_fire(&pool->grants, pool->link.now)) != WSP_TIMER_NONE) {
        on_timer(pool, wsp_slots_at(&pool->peers, slot));
    }
}
