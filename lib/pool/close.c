/* SPDX-License-Identifier: MIT */
/* pool/close.c - the public calls that end a peer or release it.  Layer 4. */
#include <string.h>

#include "link/receive.h"
#include "pool/call.h"
#include "pool/grant.h"
#include "pool/judge.h"
#include "pool/log.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "pool/refuse.h"
#include "pool/wall.h"
#include "wire/closing.h"

/* How the host closes. */
struct closing {
    int code;
    const char *reason;
    size_t len;
    unsigned flags;
};

/* Returns 1 if it may close so. */
static int read_closing(struct closing *closing, int code, const char *reason, unsigned flags)
{
    *closing = (struct closing){code, reason, reason ? strlen(reason) : 0, flags};
    return wsp_close_may_send(code, reason, closing->len) && (flags & ~WSPOOL_CLOSE_NOW) == 0;
}

/* Returns 1, or 0 if the peer is closing or refused already. */
static int close_peer(wspool *pool, struct wsp_peer *peer, const struct closing *how)
{
    if (wsp_in_handshake(peer)) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_NOT_ALLOWED);
        return 1;
    }
    if (peer->conn.state != WSP_OPEN) {
        return 0;
    }
    wsp_conn_close(&pool->link, &peer->conn, WSPOOL_END_HOST_CLOSED, how->code, how->reason,
                   how->len, (how->flags & WSPOOL_CLOSE_NOW) != 0);
    return 1;
}

int wspool_close(wspool *pool, wspool_id id, int code, const char *reason, unsigned flags)
{
    struct closing how;
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, read_closing(&how, code, reason, flags), WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    wsp_enter(pool);
    int closed = close_peer(pool, peer, &how);
    wsp_leave(pool);
    return closed ? 0 : WSPOOL_ERR_STATE;
}

int wspool_close_all(wspool *pool, wspool_text subject, int code, const char *reason,
                     unsigned flags)
{
    struct closing how;
    int valid = read_closing(&how, code, reason, flags) && wsp_subject_valid(subject);
    int count = wsp_call(pool, valid, WSP_ANYWHERE);
    if (count) {
        return count;
    }
    /* Hooks of refused peers run inside. Peers leave the list at the end of the call only. */
    wsp_enter(pool);
    struct wsp_peer *peer = wsp_subjects_first(&pool->subjects, subject);
    for (; peer; peer = wsp_subjects_next(peer)) {
        count += close_peer(pool, peer, &how);
    }
    wsp_leave(pool);
    return count;
}

/* ---------------------------------------------------------------- revocation */

#define A_DAY UINT64_C(86400)

/* Closes a peer with a revoked token. Returns 1, or 0 if it stays, or its verdict is still awaited:
 * then it is judged when that comes. */
static int close_revoked(wspool *pool, struct wsp_peer *peer, uint64_t before)
{
    const struct wsp_conn *conn = &peer->conn;
    const struct wsp_grant *grant = wsp_grant_of(peer);
    const int reserved = conn->state == WSP_RESERVED;
    if ((!reserved && conn->state != WSP_OPEN) || (grant && grant->validity.issued >= before) ||
        !wsp_judge_has_token(pool, reserved ? wsp_handshake_entry(conn->work.handshake)->route
                                            : conn->route)) {
        return 0;
    }
    if (reserved) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_TOKEN_REVOKED);
    } else {
        wsp_conn_fail(&pool->link, &peer->conn, WSPOOL_END_REVOKED, 1);
    }
    return 1;
}

/* Returns until when a revocation is kept: the last token that it hits is too old then. */
static uint64_t end_of_revocation(const wspool *pool, uint64_t wall, uint64_t before)
{
    const uint64_t ahead = before * 1000 > wall ? before * 1000 - wall : 0;
    return pool->config.token_time > 0 ? pool->link.now + ahead * WSPOOL_MILLISECOND +
                                             (wsp_token_seconds(pool) + 1) * WSPOOL_SECOND
                                       : UINT64_MAX;
}

int wspool_revoke(wspool *pool, wspool_text subject, uint64_t issued_before, uint64_t now)
{
    const int valid = issued_before > 0 && (subject.len == 0 || wsp_subject_valid(subject));
    int error = wsp_call(pool, valid, WSP_ANYWHERE), count = 0;
    if (error) {
        return error;
    }
    wsp_enter_at(pool, now);
    const uint64_t wall = wsp_wall(pool);
    if (issued_before > wall / 1000 + A_DAY) {
        wsp_leave(pool);
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_revocation what = {issued_before,
                                        end_of_revocation(pool, wall, issued_before)};
    error = wsp_revocations_add(&pool->revocations, subject, &what, pool->link.now);
    /* Hooks run inside; peers stay where they are until the end of the call. */
    uint32_t slot = 0;
    struct wsp_peer *peer =
        subject.len > 0 ? wsp_subjects_first(&pool->subjects, subject) : wsp_peer_next(pool, &slot);
    while (peer) {
        count += close_revoked(pool, peer, issued_before);
        peer = subject.len > 0 ? wsp_subjects_next(peer) : wsp_peer_next(pool, &slot);
    }
    wsp_leave(pool);
    return error ? error : count;
}

/* -------------------------------------------------------------------- others */

int wspool_report_abuse(wspool *pool, wspool_id id, uint32_t cost, const char *what)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, cost > 0, WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    if (peer->conn.state != WSP_OPEN) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter(pool);
    wsp_conn_abuse(&pool->link, &peer->conn, cost);
    wsp_log(pool, WSP_LOG_ABUSE, (wspool_log_record){.id = id, .reason = what});
    wsp_leave(pool);
    return 0;
}

int wspool_gone(wspool *pool, wspool_id id, enum wspool_gone_why why, uint64_t now)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, why == WSPOOL_GONE_EOF || why == WSPOOL_GONE_FAILED,
                            WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    wsp_enter_at(pool, now);
    if (wsp_in_handshake(peer)) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_GONE);
    } else {
        wsp_conn_gone(&pool->link, &peer->conn,
                      why == WSPOOL_GONE_EOF ? WSPOOL_END_EOF : WSPOOL_END_FAILED);
    }
    wsp_leave(pool);
    return 0;
}

int wspool_release(wspool *pool, wspool_id id)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, 1, WSP_OUTSIDE, &peer);
    if (error) {
        return error;
    }
    if (peer->conn.state != WSP_CLOSED) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter(pool);
    wsp_reap_ended(pool, peer);
    wsp_peer_free(pool, peer);
    wsp_leave(pool);
    return 0;
}
