/* SPDX-License-Identifier: MIT */
/* pool/pace.c - see pool/pace.h. */
#include "pool/pace.h"

#include "link/conn.h"

static void show(wspool *pool, struct wsp_channel *channel)
{
    struct wsp_pace *pace = channel->pace;
    pace->shown = channel->offset;
    if (channel->count == 0) {
        return; /* the first message to a member is shown at once */
    }
    wsp_pace_wait(&pool->registry.paces, pace, pool->link.now + channel->rules->send_interval);
    for (uint32_t i = 0; i < channel->count; i++) {
        struct wsp_member *member = &channel->members[i];
        struct wsp_conn *conn = &member->peer->conn;
        if (member->next <= pace->shown) {
            conn->out.marks |= WSP_MARK_BEHIND;
            wsp_conn_defer(&pool->link, conn, 0);
        }
    }
}

void wsp_pace_published(wspool *pool, struct wsp_channel *channel)
{
    if (!channel->pace->waits) {
        show(pool, channel);
    }
}

void wsp_pace_tick(wspool *pool)
{
    struct wsp_paces *paces = &pool->registry.paces;
    struct wsp_pace *pace;
    while ((pace = wsp_paces_due(paces, pool->link.now)) != NULL) {
        wsp_pace_stop(paces, pace);
        if (pace->shown < pace->channel->offset) {
            show(pool, pace->channel);
        }
    }
}
