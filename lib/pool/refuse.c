/* SPDX-License-Identifier: MIT */
/* pool/refuse.c - see pool/refuse.h. */
#include "pool/refuse.h"

#include "pool/answer.h"
#include "pool/breaker.h"
#include "pool/heads.h"
#include "pool/log.h"
#include "pool/peers.h"
#include "pool/stages.h"
#include "wire/http.h"
#include "wire/refusal.h"
#include "wire/upgrade.h"

/* Queues the answer of a raw peer; if there is none, or no memory, ends the peer at once. */
static void answer_refused(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal)
{
    struct wsp_conn *conn = &peer->conn;
    wspool_answer answer;
    wsp_upgrade_refuse(&answer, refusal, pool->config.retry_after);
    if (conn->flags & WSP_BODILESS) {
        wsp_upgrade_drop_body(&answer);
    }
    if (wspool_refusal_status(refusal) == 0 || wsp_queue_answer(pool, peer, &answer)) {
        wsp_conn_end(&pool->link, conn, WSPOOL_END_HOST_CLOSED);
        return;
    }
    conn->state = WSP_REFUSED;
    wsp_conn_await(&pool->link, conn, pool->config.closing_time);
}

/* Counts a refusal, raw or hosted. */
static void count_refused(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal)
{
    enum wspool_stage stage = (enum wspool_stage)peer->conn.stage;
    wsp_count_add(&pool->count.stages[stage].refused, 1);
    wsp_count_add(&pool->count.refused[refusal], 1);
    if (refusal == WSPOOL_REFUSED_GONE) {
        wsp_count_add(&pool->count.stages[stage].gone, 1);
    }
    wsp_breaker_refused(pool, stage);
    wsp_count_sub(&pool->count.handshakes, 1);
    wsp_handshake_free(&pool->handshakes, wsp_detach_handshake(peer));
    wsp_log(pool, WSP_LOG_REFUSED,
            (wspool_log_record){.id = wsp_peer_id(peer),
                                .reason = wspool_refusal_reason(refusal),
                                .stage = stage,
                                .status = wspool_refusal_status(refusal)});
}

/* What the first line says about the answer, even when the rest never comes. */
static void read_first_line(wspool *pool, struct wsp_conn *conn, const uint8_t *head, size_t len)
{
    wsp_stages_pass_request_line(pool, conn, head, len);
    if (wsp_http_is_head((const char *)head, len)) {
        conn->flags |= WSP_BODILESS;
    }
}

void wsp_refuse_head(wspool *pool, struct wsp_peer *peer, const uint8_t *head, size_t len,
                     enum wspool_refusal refusal)
{
    read_first_line(pool, &peer->conn, head, len);
    wsp_refuse(pool, peer, refusal);
}

void wsp_refuse(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal)
{
    struct wsp_conn *conn = &peer->conn;
    if (peer == pool->judged) {
        /* A hook that judges this peer closes it, while the request is still being read. Once
         * its transport has ended there is no one to answer. */
        if (pool->judged_answer != wsp_refused(WSPOOL_REFUSED_GONE)) {
            pool->judged_answer = wsp_refused(refusal);
        }
        return;
    }
    if (conn->state == WSP_HEAD) {
        wsp_heads_remove(pool, peer);
    }
    const struct wsp_handshake *handshake = conn->work.handshake;
    if (handshake && (refusal == WSPOOL_REFUSED_TIMEOUT || refusal == WSPOOL_REFUSED_GONE)) {
        read_first_line(pool, conn, handshake->head.data, handshake->head.len);
    }
    int pending = conn->state == WSP_PENDING;
    pool->reserved -= conn->state == WSP_RESERVED;
    if (!(conn->flags & WSP_HOSTED)) {
        /* Leave the state HEAD first: the log hook may look at the peer, or close it. */
        conn->state = WSP_REFUSED;
        count_refused(pool, peer, refusal);
        if (conn->state == WSP_REFUSED) {
            answer_refused(pool, peer, refusal);
        }
        return;
    }
    wsp_conn_end(&pool->link, conn, WSPOOL_END_HOST_CLOSED);
    count_refused(pool, peer, refusal);
    const wspool_verdict_hook *hook = &pool->config.verdict;
    if (pending && hook->call && refusal != WSPOOL_REFUSED_GONE) {
        wspool_answer answer;
        wsp_upgrade_refuse(&answer, refusal, pool->config.retry_after);
        hook->call(pool, wsp_peer_id(peer), &answer, hook->user);
    }
}
