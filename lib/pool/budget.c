/* SPDX-License-Identifier: MIT */
/* pool/budget.c - see pool/budget.h. */
#include "pool/budget.h"

#include "link/receive.h"
#include "pool/peers.h"

/* At most so many peers are resumed in one turn, however many wait. */
#define RESUMED 4u

void wsp_budget_resume(wspool *pool)
{
    struct wsp_link *link = &pool->link;
    uint32_t left = link->inbounds.kept_count < RESUMED ? link->inbounds.kept_count : RESUMED;
    for (; left > 0 && link->inbounds.first_kept; left--) {
        struct wsp_peer *peer = wsp_slots_at(&pool->peers, link->inbounds.first_kept->slot);
        wsp_conn_resume(link, &peer->conn, wsp_message_limit(pool, peer));
    }
}
