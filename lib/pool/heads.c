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

void wsp_heads_add(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_heads *heads = &pool->heads;
    struct wsp_peer *last = at(pool, heads->last);
    peer->conn.links.older = heads->last;
    peer->conn.links.newer = 0;
    *(last ? &last->conn.links.newer : &heads->first) = link_to(peer);
    heads->last = link_to(peer);
}

void wsp_heads_remove(wspool *pool, struct wsp_peer *peer)
{
    uint32_t older = peer->conn.links.older, newer = peer->conn.links.newer;
    struct wsp_heads *heads = &pool->heads;
    if (!older && heads->first != link_to(peer)) {
        return; /* it is not in the list */
    }
    *(older ? &at(pool, older)->conn.links.newer : &heads->first) = newer;
    *(newer ? &at(pool, newer)->conn.links.older : &heads->last) = older;
    peer->conn.links.older = peer->conn.links.newer = 0;
}

struct wsp_peer *wsp_heads_oldest(const wspool *pool)
{
    return at(pool, pool->heads.first);
}

int wsp_heads_check(const wspool *pool)
{
    uint32_t link = pool->heads.first, older = 0, count = 0;
    for (const struct wsp_peer *peer; link; older = link, link = peer->conn.links.newer) {
        peer = at(pool, link);
        if (count++ > pool->peers.used || peer->conn.state != WSP_HEAD ||
            peer->conn.links.older != older) {
            return 0;
        }
    }
    return pool->heads.last == older;
}
