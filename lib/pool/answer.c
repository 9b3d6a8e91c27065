/* SPDX-License-Identifier: MIT */
/* pool/answer.c - see pool/answer.h. */
#include "pool/answer.h"

#include "pool/call.h"
#include "pool/peers.h"
#include "pool/stages.h"
#include "wire/upgrade.h"

#define ANSWER_MAX (WSP_UPGRADE_MAX + WSPOOL_ADDED_HEADERS_MAX)
_Static_assert(ANSWER_MAX <= WSP_CONTROL_BYTES, "an answer fits into an empty control lane");

int wsp_queue_answer(wspool *pool, struct wsp_peer *peer, const wspool_answer *answer)
{
    const struct wsp_handshake *handshake = peer->conn.work.handshake;
    char text[ANSWER_MAX];
    wspool_text added = {NULL, 0};
    if (handshake) {
        added = (wspool_text){(const char *)handshake->added.data, handshake->added.len};
    }
    int len = wsp_upgrade_write(answer, added, text, sizeof text);
    if (len < 0 || wsp_outq_control(&peer->conn.out, &pool->link.outqs, text, (size_t)len)) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_conn_mark_ready(&pool->link, &peer->conn);
    return 0;
}

void wsp_answer_page(wspool *pool, struct wsp_peer *peer, const wspool_page *page)
{
    struct wsp_conn *conn = &peer->conn;
    wspool_answer answer;
    wsp_upgrade_page(&answer, page);
    wsp_stages_pass(pool, conn, WSPOOL_STAGE_VERSION);
    int error = wsp_queue_answer(pool, peer, &answer);
    wsp_handshake_free(&pool->handshakes, wsp_detach_handshake(peer));
    wsp_count_add(&pool->count.plain, 1);
    wsp_count_sub(&pool->count.handshakes, 1);
    conn->state = WSP_REFUSED;
    if (error) {
        wsp_conn_end(&pool->link, conn, WSPOOL_END_HOST_CLOSED);
    } else {
        wsp_conn_await(&pool->link, conn, pool->config.closing_time);
    }
}

int wspool_add_header(wspool *pool, wspool_id id, const char *name, const char *value)
{
    struct wsp_peer *peer;
    int good = name && value && wsp_upgrade_may_add(name, value);
    int error = wsp_call_on(pool, id, good, WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    if ((peer->conn.flags & WSP_HOSTED) ||
        (peer != pool->judged && peer->conn.state != WSP_PENDING)) {
        return WSPOOL_ERR_STATE;
    }
    struct wsp_handshake *handshake = wsp_need_handshake(pool, peer);
    return handshake ? wsp_handshake_add_header(&pool->handshakes, handshake, name, value)
                     : WSPOOL_ERR_NOMEM;
}
