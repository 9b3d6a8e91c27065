/* SPDX-License-Identifier: MIT */
/* pool/close.c - the public calls that end a peer or release it.  Layer 4. */
#include <string.h>

#include "link/receive.h"
#include "pool/call.h"
#include "pool/log.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "pool/refuse.h"
#include "wire/closing.h"

int wspool_close(wspool *pool, wspool_id id, int code, const char *reason, unsigned flags)
{
    size_t len = reason ? strlen(reason) : 0;
    struct wsp_peer *peer;
    int error = wsp_call_on(
        pool, id, wsp_close_may_send(code, reason, len) && (flags & ~WSPOOL_CLOSE_NOW) == 0,
        WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    if (!wsp_in_handshake(peer) && peer->conn.state != WSP_OPEN) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter(pool);
    if (wsp_in_handshake(peer)) {
        wsp_refuse(pool, peer, WSPOOL_REFUSED_NOT_ALLOWED);
    } else {
        wsp_conn_close(&pool->link, &peer->conn, WSPOOL_END_HOST_CLOSED, code, reason, len,
                       (flags & WSPOOL_CLOSE_NOW) != 0);
    }
    wsp_leave(pool);
    return 0;
}

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
