/* SPDX-License-Identifier: MIT */
/* pool/judge.c - see pool/judge.h. */
#include "pool/judge.h"

#include "pool/peers.h"
#include "pool/side.h"
#include "pool/stages.h"
#include "wire/refusal.h"

static struct wsp_admission admission_of(wspool *pool)
{
    return (struct wsp_admission){
        .pool = pool,
        .config = &pool->config,
        .routes = &pool->routes,
        .origins = &pool->origins,
        .full = wsp_count_read(&pool->count.peers) + pool->held >= pool->config.max_peers,
        .draining = pool->drain.on,
    };
}

/* The verdict is awaited: keep what was found out. */
static int put_off(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry)
{
    struct wsp_conn *conn = &peer->conn;
    struct wsp_handshake *handshake = wsp_need_handshake(pool, peer);
    if (!handshake || wsp_handshake_keep_entry(&pool->handshakes, handshake, entry)) {
        return wsp_refused(WSPOOL_REFUSED_NOMEM);
    }
    conn->state = WSP_PENDING;
    conn->alarm = pool->link.now + pool->config.verdict_time;
    wsp_timers_arm(&pool->link.timers, conn->slot.index, conn->alarm);
    if (!(conn->flags & WSP_HOSTED)) { /* which has no transport of ours to be told of */
        wsp_conn_notice(&pool->link, conn);
    }
    return WSP_PUT_OFF;
}

/* Between these two, hooks are asked about a peer; what they do to it takes effect behind them. */
static void begin_judging(wspool *pool, struct wsp_peer *peer)
{
    pool->judged = peer;
    pool->judged_answer = WSP_ADMITTED;
}

static int end_judging(wspool *pool, struct wsp_peer *peer, int answer,
                       const struct wsp_entry *entry)
{
    pool->judged = NULL;
    wsp_stages_pass(pool, &peer->conn, entry->stage);
    return pool->judged_answer < 0 ? pool->judged_answer : answer;
}

/* The identity that a verdict brought, if any, goes to the peer's side record. */
static int keep_identity(wspool *pool, struct wsp_peer *peer, int answer, struct wsp_entry *entry)
{
    void *identity = entry->identity;
    entry->identity = NULL;
    if (wsp_side_identify(&peer->side, &pool->config.mem, identity)) {
        wsp_free_identity(pool, identity);
        return wsp_refused(WSPOOL_REFUSED_NOMEM);
    }
    return answer;
}

int wsp_judge(wspool *pool, struct wsp_peer *peer, wspool_request *request, struct wsp_entry *entry)
{
    struct wsp_admission admission = admission_of(pool);
    begin_judging(pool, peer);
    int answer = wsp_admission_judge(&admission, wsp_peer_id(peer), request, entry);
    answer = end_judging(pool, peer, answer, entry);
    answer = keep_identity(pool, peer, answer, entry);
    return answer == WSP_PUT_OFF ? put_off(pool, peer, entry) : answer;
}

int wsp_judge_verdict(wspool *pool, struct wsp_peer *peer, const wspool_verdict *verdict)
{
    struct wsp_admission admission = admission_of(pool);
    struct wsp_entry *entry = wsp_handshake_entry(peer->conn.work.handshake);
    begin_judging(pool, peer);
    int answer = wsp_admission_resume(&admission, wsp_peer_id(peer), verdict, entry);
    answer = end_judging(pool, peer, answer, entry);
    return keep_identity(pool, peer, answer, entry);
}
