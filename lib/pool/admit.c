/* SPDX-License-Identifier: MIT */
/* pool/admit.c - see pool/admit.h. */
#include "pool/admit.h"

#include <string.h>

#include "link/negotiated.h"
#include "pool/channels.h"
#include "pool/contracts.h"
#include "pool/drain.h"
#include "pool/duplicates.h"
#include "pool/grant.h"
#include "pool/handlers.h"
#include "pool/log.h"
#include "pool/peers.h"
#include "wire/uri.h"

/* A client instance that the request names counts if the verdict has named none. Returns 0 or
 * NOMEM. */
static int name_client(wspool *pool, struct wsp_peer *peer, wspool_text query)
{
    char client[WSPOOL_CLIENT_MAX];
    wspool_text raw;
    if (!wsp_uri_parameter(query, "client", &raw)) {
        return 0;
    }
    int len = wsp_uri_decode(raw, client, sizeof client);
    return len > 0
               ? wsp_peer_name(pool, peer, (wspool_text){"", 0}, (wspool_text){client, (size_t)len})
               : 0;
}

static void tell_opened(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry)
{
    const char *subprotocol = entry->subprotocol ? entry->subprotocol : "";
    const char *extension = entry->negotiated.encoding ? entry->negotiated.answer : "";
    wspool_opened opened = {.route_user = pool->routes.list[entry->route].user,
                            .channel = {entry->name, entry->name_len},
                            .subprotocol = {subprotocol, strlen(subprotocol)},
                            .query = entry->query,
                            .extension = {extension, strlen(extension)},
                            .address = wsp_side_address(peer->side),
                            .subject = wsp_subject_text(wsp_side_subject(peer->side)),
                            .client = wsp_side_client(peer->side)};
    pool->opening = peer;
    WSP_TELL_OF(pool, peer, open, &opened);
    pool->opening = NULL;
}

void wsp_admit(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry)
{
    struct wsp_conn *conn = &peer->conn;
    const struct wsp_route *route = &pool->routes.list[entry->route];
    const int draining = pool->drain.on;
    wsp_count_sub(&pool->count.handshakes, 1);
    wsp_count_add(&pool->count.accepted, 1);
    wsp_count_add(&pool->count.peers, 1);
    conn->flags |= WSP_ACCEPTED;
    conn->route = entry->route;
    conn->parser.negotiated = wsp_negotiated(entry->negotiated.encoding, entry->negotiated.decoder);
    wsp_contract_join(pool, peer, entry->subprotocol);
    wsp_conn_open(&pool->link, conn);
    if (route->kind != WSPOOL_NONE &&
        wsp_join_route(pool, peer, wspool_channel_of(route->kind, entry->name, entry->name_len))) {
        wsp_conn_fail(&pool->link, conn, WSPOOL_END_NOMEM, 1);
    }
    if ((entry->query.len > 0 && name_client(pool, peer, entry->query)) ||
        (peer->side && wsp_peer_enter(pool, peer))) {
        wsp_conn_fail(&pool->link, conn, WSPOOL_END_NOMEM, 1);
    }
    if (wsp_grant_of(peer) && conn->state == WSP_OPEN) {
        wsp_grant_arm(pool, peer);
    }
    if (wsp_subjects_has(peer) && conn->state == WSP_OPEN) {
        wsp_duplicates_opened(pool, peer);
    }
    wsp_log(pool, WSP_LOG_OPENED,
            (wspool_log_record){.id = wsp_peer_id(peer),
                                .reason = entry->unanswered ? "no_subprotocol" : ""});
    if (WSP_HAS_HANDLER(pool, open)) {
        tell_opened(pool, peer, entry);
    }
    if (draining) {
        wsp_drain_close(pool, peer);
    }
}
