/* SPDX-License-Identifier: MIT */
/* pool/heads.c - see pool/heads.h. */
#include "pool/heads.h"

#include "base/slots.h"
#include "channel/peer.h"

/* A link is a slot and 1; 0: there is none. */
static uint32_t link_to(const struct wsp_peer *peer)
{
    return peer->conn.slot.index + 1;
}

static struct wsp_peer *at(const wspool *pool, uint32_t link)
{
    return link ? wsp_slots_at(&pool->peers, link - 1) : NULL;
}

void wsp_heads_add(wspool *pool, struct wsp_peer *peer, enum wsp_head_row row)
{
    struct wsp_heads *heads = &pool->heads[row];
    struct wsp_peer *last = at(pool, heads->last);
    peer->conn.row.older = heads->last;
    peer->conn.row.newer = 0;
    *(last ? &last->conn.row.newer : &heads->first) = link_to(peer);
    heads->last = link_to(peer);
}

void wsp_heads_remove(wspool *pool, struct wsp_peer *peer)
{
    uint32_t older = peer->conn.row.older, newer = peer->conn.row.newer;
    struct wsp_heads *heads =
        &pool->heads[peer->conn.stage == WSPOOL_STAGE_BYTES ? WSP_HEAD_SILENT : WSP_HEAD_STARTED];
    if (!older && heads->first != link_to(peer)) {
        return; /* it is in no row */
    }
    *(older ? &at(pool, older)->conn.row.newer : &heads->first) = newer;
    *(newer ? &at(pool, newer)->conn.row.older : &heads->last) = older;
    peer->conn.row.older = peer->conn.row.newer = 0;
}

struct wsp_peer *wsp_heads_oldest(const wspool *pool, enum wsp_head_row row)
{
    return at(pool, pool->heads[row].first);
}

int wsp_heads_check(const wspool *pool)
{
    for (int row = 0; row < WSP_HEAD_ROWS; row++) {
        uint32_t link = pool->heads[row].first, older = 0, count = 0;
        for (const struct wsp_peer *peer; link; older = link, link = peer->conn.row.newer) {
            peer = at(pool, link);
            if (count++ > pool->peers.used || peer->conn.state != WSP_HEAD ||
                peer->conn.row.older != older ||
                (peer->conn.stage == WSPOOL_STAGE_BYTES) != (row == WSP_HEAD_SILENT)) {
                return 0;
            }
        }
        if (pool->heads[row].last != older) {
            return 0;
        }
    }
    return 1;
}
