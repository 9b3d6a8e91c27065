/* SPDX-License-Identifier: MIT */
/* pool/channels.c - see pool/channels.h; and the public calls about memberships. */
#include "pool/channels.h"

#include <string.h>

#include <wspool/versioned.h>
#include "channel/keyed.h"
#include "channel/record.h"
#include "channel/refill.h"
#include "pool/call.h"
#include "pool/handlers.h"
#include "pool/peers.h"
#include "pool/reap.h"

static int join(wspool *pool, struct wsp_peer *peer, wspool_channel channel)
{
    return wsp_registry_join(&pool->registry, peer, channel, pool->config.channels_per_peer);
}

/* A member is due the message at `next` from now on. */
static void fall_behind(wspool *pool, struct wsp_peer *peer, struct wsp_channel *channel,
                        uint64_t next)
{
    struct wsp_member *member = wsp_registry_member(peer, channel);
    if (wsp_member_is_live(channel, member)) {
        wsp_member_fall_behind(channel, member, next);
    } else {
        member->next = next;
    }
    peer->conn.out.marks |= WSP_MARK_BEHIND;
    wsp_conn_defer(&pool->link, &peer->conn, 0);
}

int wsp_join_route(wspool *pool, struct wsp_peer *peer, wspool_channel name)
{
    int error = join(pool, peer, name);
    if (error || pool->registry.rules[name.kind].history.messages == 0) {
        return error;
    }
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    if (channel && wsp_registry_is_member(peer, channel)) { /* a hook may have ended it */
        fall_behind(pool, peer, channel, channel->offset + 1);
    }
    return error;
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

/* Returns 0 if the key of the peer has subscribed too often, and counts that. */
static int may_subscribe(wspool *pool, const struct wsp_peer *peer)
{
    const int may =
        !peer->side || wsp_limits_draw(&pool->limits, peer->side->place, WSP_LIMITED_SUBSCRIBES, 1,
                                       pool->link.now);
    if (!may) {
        wsp_count_add(&pool->count.key_subscribes, 1);
    }
    return may;
}

/* A call begins that may change a membership. */
static void enter_change(wspool *pool)
{
    wsp_enter(pool);
    pool->link.inbounds.turn.others += WSP_TURN_CHANGE;
}

int wspool_subscribe(wspool *pool, wspool_id id, wspool_channel channel)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, wsp_channel_valid(channel), WSP_CHANNELS, &peer);
    if (error) {
        return error;
    }
    if (peer->conn.state != WSP_OPEN) {
        return WSPOOL_ERR_STATE;
    }
    enter_change(pool);
    error = may_subscribe(pool, peer) ? join(pool, peer, channel) : WSPOOL_ERR_FULL;
    wsp_leave(pool);
    return error;
}

/* ------------------------------------------------------------------- resuming */

void wsp_judge_position(wspool_channel_position head, uint64_t first,
                        const wspool_channel_position *since, wspool_resumed *resumed)
{
    resumed->position = head;
    if (!since) {
        resumed->recovered = 1;
    } else if (since->epoch != head.epoch && (since->epoch != 0 || since->offset != 0)) {
        resumed->lost = WSPOOL_LOST_EPOCH;
    } else if (since->offset > head.offset) {
        resumed->lost = WSPOOL_LOST_UNKNOWN;
    } else if (since->offset + 1 < first) {
        resumed->lost = WSPOOL_LOST_TOO_OLD;
    } else {
        resumed->recovered = 1;
        resumed->count = head.offset - since->offset;
    }
}

int wsp_judge_keyed(const struct wsp_history *history, const wspool_channel_position *since,
                    wspool_resumed *resumed, uint64_t *next)
{
    const struct wsp_keyed *keyed = history ? history->keyed : NULL;
    int asks = since->offset == 0 && (since->epoch == 0 || since->epoch == resumed->position.epoch);
    if (!asks && resumed->lost == WSPOOL_LOST_TOO_OLD && keyed && since->offset >= keyed->horizon) {
        resumed->lost = WSPOOL_LOST_NOTHING;
        resumed->recovered = 1;
        resumed->count = wsp_keyed_newer(keyed, since->offset + 1) + history->count;
        *next = since->offset + 1;
    }
    if (!asks && resumed->recovered) {
        return 0;
    }
    resumed->count = keyed ? wsp_keyed_count(keyed) - keyed->superfluous + history->count : 0;
    resumed->reset = !asks;
    resumed->recovered = asks;
    resumed->lost = asks ? WSPOOL_LOST_NOTHING : resumed->lost;
    return resumed->count > 0;
}

static void count_resume(struct wsp_counters *count, const wspool_resumed *resumed)
{
    wsp_count_add(&count->resumes, 1);
    wsp_count_add(&count->resumes_lost, resumed->recovered ? 0 : 1);
    wsp_histogram_add(&count->resume_size, resumed->count);
}

static int resume(wspool *pool, struct wsp_peer *peer, wspool_channel name,
                  const wspool_channel_position *since, wspool_resumed *resumed)
{
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    struct wsp_member *member = channel ? wsp_registry_member(peer, channel) : NULL;
    if (member && (pool->opening != peer || wsp_member_is_live(channel, member))) {
        uint64_t due = wsp_member_is_live(channel, member) ? channel->offset + 1
                                                           : member->next;
        wsp_judge_position((wspool_channel_position){channel->epoch, due - 1}, due, since, resumed);
        return WSPOOL_ERR_EXISTS;
    }
    if (!member) {
        int error = join(pool, peer, name);
        channel = error ? NULL : wsp_registry_find(&pool->registry, name);
        member = channel ? wsp_registry_member(peer, channel) : NULL;
        if (!member) { /* or the channel hook has ended it again */
            return error;
        }
    }
    wsp_record_expire(&pool->registry, channel, pool->link.now);
    wspool_channel_position head = {channel->epoch, channel->offset};
    wsp_judge_position(head, channel->history ? channel->history->first : head.offset + 1, since,
                       resumed);
    uint64_t next = channel->offset + 1 - resumed->count;
    int state = 0;
    if (since && channel->rules->history.max_keys > 0) {
        state = wsp_judge_keyed(channel->history, since, resumed, &next);
    }
    if (since) {
        count_resume(&pool->count, resumed);
    }
    if (!wsp_member_is_live(channel, member) || resumed->count > 0) {
        fall_behind(pool, peer, channel, next);
    }
    if (state) {
        wsp_refill_state(channel, wsp_registry_member(peer, channel));
    }
    return 0;
}

int wspool_resume(wspool *pool, wspool_id id, wspool_channel channel,
                  const wspool_channel_position *since, wspool_resumed *theirs)
{
    wspool_resumed resumed = {.size = sizeof resumed};
    struct wsp_peer *peer;
    int error = wsp_call_on(
        pool, id, wsp_channel_valid(channel) && (!theirs || theirs->size >= sizeof theirs->size),
        WSP_CHANNELS, &peer);
    if (error) {
        return error;
    }
    if (peer->conn.state != WSP_OPEN) {
        return WSPOOL_ERR_STATE;
    }
    enter_change(pool);
    error = pool->opening == peer || may_subscribe(pool, peer)
                ? resume(pool, peer, channel, since, &resumed)
                : WSPOOL_ERR_FULL;
    wsp_leave(pool);
    if (theirs && (!error || error == WSPOOL_ERR_EXISTS)) {
        wspool_versioned_write(theirs, &resumed, sizeof resumed);
    }
    return error;
}

int wspool_unsubscribe(wspool *pool, wspool_id id, wspool_channel channel)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, wsp_channel_valid(channel), WSP_CHANNELS, &peer);
    if (error) {
        return error;
    }
    struct wsp_channel *found = wsp_registry_find(&pool->registry, channel);
    if (!found) {
        return WSPOOL_ERR_ABSENT;
    }
    enter_change(pool);
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
        const struct wsp_channel *channel = (struct wsp_channel *)(void *)node;
        if (channel->count > 0) {
            channels[i++] = wsp_channel_name(channel);
        }
    }
    return (int)wsp_count_read(&pool->count.channels);
}
