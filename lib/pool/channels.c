/* SPDX-License-Identifier: MIT */
/* pool/channels.c - see pool/channels.h; and the public calls about memberships. */
#include "pool/channels.h"

#include <string.h>

#include "pool/call.h"
#include "pool/handlers.h"
#include "pool/peers.h"
#include "pool/reap.h"

int wsp_join(wspool *pool, struct wsp_peer *peer, wspool_channel channel)
{
    return wsp_registry_join(&pool->registry, peer, channel,
                             wsp_routes_slow(&pool->routes, channel.kind, pool->config.slow),
                             pool->config.channels_per_peer);
}

void wsp_on_active(void *owner, const struct wsp_channel *channel, int active)
{
    wspool *pool = owner;
    if (!WSP_HAS_HANDLER(pool, channel)) {
        return;
    }
    /* A copy: a hook may take the only member out again, and the channel goes with it. */
    uint8_t bytes[WSPOOL_NAME_MAX];
    wspool_channel name = wsp_channel_name(channel);
    memcpy(bytes, name.name, name.len);
    name.name = bytes;
    WSP_TELL(pool, channel, name, active);
}

int wspool_subscribe(wspool *pool, wspool_id id, wspool_channel channel)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, wsp_channel_valid(channel), WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    if (peer->conn.state != WSP_OPEN) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter(pool);
    error = wsp_join(pool, peer, channel);
    wsp_leave(pool);
    return error;
}

int wspool_unsubscribe(wspool *pool, wspool_id id, wspool_channel channel)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, wsp_channel_valid(channel), WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    struct wsp_channel *found = wsp_registry_find(&pool->registry, channel);
    if (!found) {
        return WSPOOL_ERR_ABSENT;
    }
    wsp_enter(pool);
    error = wsp_registry_leave(&pool->registry, peer, found);
    wsp_leave(pool);
    return error;
}

int wspool_is_member(const wspool *pool, wspool_id id, wspool_channel channel)
{
    if (!pool || !wsp_channel_valid(channel)) {
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_peer *peer = wsp_slots_find(&pool->peers, id);
    if (!peer) {
        return WSPOOL_ERR_STALE;
    }
    const struct wsp_channel *found = wsp_registry_find(&pool->registry, channel);
    return found && wsp_registry_is_member(peer, found);
}

int wspool_position(const wspool *pool, wspool_channel channel, wspool_channel_position *position)
{
    if (!pool || !position || !wsp_channel_valid(channel)) {
        return WSPOOL_ERR_INVAL;
    }
    *position = wsp_registry_position(&pool->registry, channel);
    return 0;
}

int wspool_member_count(const wspool *pool, wspool_channel channel)
{
    return wspool_members(pool, channel, NULL, 0);
}

int wspool_members(const wspool *pool, wspool_channel channel, wspool_id *ids, size_t max)
{
    if (!pool || !wsp_channel_valid(channel) || (!ids && max > 0)) {
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_channel *found = wsp_registry_find(&pool->registry, channel);
    uint32_t count = found ? found->count : 0;
    for (uint32_t i = 0; i < count && i < max; i++) {
        ids[i] = wsp_peer_id(found->members[i].peer);
    }
    return (int)count;
}

int wspool_channels_of(const wspool *pool, wspool_id id, wspool_channel *channels, size_t max)
{
    if (!pool || (!channels && max > 0)) {
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_peer *peer = wsp_slots_find(&pool->peers, id);
    if (!peer) {
        return WSPOOL_ERR_STALE;
    }
    for (uint32_t i = 0; i < peer->memberships.count && i < max; i++) {
        channels[i] = wsp_channel_name(wsp_membership_channel(&peer->memberships, i));
    }
    return peer->memberships.count;
}

int wspool_channels(const wspool *pool, wspool_channel *channels, size_t max)
{
    struct wsp_map_node *node = NULL;
    size_t i = 0;
    if (!pool || (!channels && max > 0)) {
        return WSPOOL_ERR_INVAL;
    }
    while (i < max && (node = wsp_map_next(&pool->registry.channels, node)) != NULL) {
        channels[i++] = wsp_channel_name((struct wsp_channel *)(void *)node);
    }
    return (int)pool->registry.channels.count;
}
