/* SPDX-License-Identifier: MIT */
/* pool/input.c - see pool/input.h. */
#include "pool/input.h"

#include "link/receive.h"
#include "pool/peers.h"

/* What shedding would get back from a peer; 0: nothing. */
static size_t memory_of(const struct wsp_peer *peer)
{
    const struct wsp_conn *conn = &peer->conn;
    const struct wsp_inbound *in =
        conn->state == WSP_OPEN || conn->state == WSP_CLOSING ? conn->work.inbound : NULL;
    size_t least = sizeof *in + WSP_INBOUND_KEPT; /* that stays while the peer is closing */
    return in && in->charged > least ? in->charged : 0;
}

static size_t most_memory(const wspool *pool)
{
    const struct wsp_peer *peer;
    size_t most = 0;
    uint32_t slot = 0;
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        size_t memory = memory_of(peer);
        most = memory > most ? memory : most;
    }
    return most;
}

void wsp_input_shed(wspool *pool)
{
    const uint64_t target = pool->config.input_bytes / 4 * 3;
    size_t most;
    while (wsp_count_read(&pool->link.inbounds.held) > target && (most = most_memory(pool)) > 0) {
        struct wsp_peer *peer;
        uint32_t slot = 0;
        while (wsp_count_read(&pool->link.inbounds.held) > target &&
               (peer = wsp_peer_next(pool, &slot)) != NULL) {
            if (memory_of(peer) >= (most + 1) / 2) {
                wsp_conn_abandon_input(&pool->link, &peer->conn, WSPOOL_END_INPUT_SHED);
            }
        }
    }
}
