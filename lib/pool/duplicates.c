/* SPDX-License-Identifier: MIT */
/* pool/duplicates.c - see pool/duplicates.h. */
#include "pool/duplicates.h"

#include <stddef.h>

#include "link/liveness.h"

/* Returns 1 if the other one is open, too, and has the same client instance and route. */
static int is_duplicate(const struct wsp_peer *peer, const struct wsp_peer *other)
{
    return other != peer && other->conn.state == WSP_OPEN &&
           other->conn.route == peer->conn.route && wsp_subjects_are_same(peer, other);
}

void wsp_duplicates_opened(wspool *pool, struct wsp_peer *peer)
{
    enum wspool_duplicates rule = pool->routes.list[peer->conn.route].duplicates;
    if (rule == WSPOOL_DUPLICATES_ALLOW ||
        wsp_subject_text(wsp_side_subject(peer->side)).len == 0) {
        return;
    }
    struct wsp_peer *other = wsp_subjects_next(peer);
    for (; other; other = wsp_subjects_next(other)) {
        if (!is_duplicate(peer, other)) {
            continue;
        }
        if (rule == WSPOOL_DUPLICATES_OLDEST) {
            wsp_conn_contest(&pool->link, &other->conn);
        } else {
            wsp_conn_fail(&pool->link, &other->conn, WSPOOL_END_REPLACED, 1);
            wsp_registry_leave_all(&pool->registry, other);
        }
    }
}

static struct wsp_peer *peer_of(struct wsp_conn *conn)
{
    return (struct wsp_peer *)(void *)((char *)conn - offsetof(struct wsp_peer, conn));
}

void wsp_duplicates_answered(struct wsp_link *link, struct wsp_conn *conn)
{
    const struct wsp_peer *peer = peer_of(conn);
    for (struct wsp_peer *other = peer->side->party->newer; other;
         other = other->side->party->newer) {
        if (is_duplicate(peer, other)) {
            wsp_conn_fail(link, &other->conn, WSPOOL_END_PLACE_TAKEN, 1);
        }
    }
}
