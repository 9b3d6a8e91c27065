/* SPDX-License-Identifier: MIT */
/* pool/budget.c - see pool/budget.h. */
#include "pool/budget.h"

#include "link/receive.h"
#include "pool/peers.h"

/* Resumes the peers of a queue until `end` of the turn, each for an equal part of what is left. A
 * peer that waits without input causes nothing now, but perhaps much with what is read next: so
 * only one of them is let go in a turn. */
static void resume(wspool *pool, struct wsp_input_queue *queue, uint64_t end)
{
    struct wsp_link *link = &pool->link;
    uint64_t share = link->inbounds.turn.share, caused;
    for (uint32_t left = queue->count;
         left > 0 && queue->first && (caused = wsp_conn_caused(link)) < end; left--) {
        const struct wsp_inbound *in = queue->first;
        struct wsp_peer *peer = wsp_slots_at(&pool->peers, in->slot);
        int empty = in->tail_at == in->tail.len;
        uint64_t part = (end - caused) / left;
        wsp_conn_resume(link, &peer->conn, wsp_message_limit(pool, peer),
                        part > share ? part : share);
        if (empty) {
            return;
        }
    }
}

void wsp_budget_turn(wspool *pool)
{
    struct wsp_inbounds *inbounds = &pool->link.inbounds;
    struct wsp_turn *turn = &inbounds->turn;
    uint64_t caused = wsp_conn_caused(&pool->link), most = turn->deliveries;
    if (pool->link.now - turn->shared > WSPOOL_SECOND) {
        most *= WSP_TURN_ALONE;
    }
    turn->end = (turn->end < caused ? turn->end : caused) + most;
    turn->renew_at = turn->end - most / 2;
    resume(pool, &inbounds->unread, turn->renew_at);
    resume(pool, &inbounds->partly, turn->end);
}
