/* SPDX-License-Identifier: MIT */
/* pool/seed.c - the public calls about what a channel keeps: seed, erase and clear.  Layer 4. */
#include <wspool/versioned.h>
#include "channel/keyed.h"
#include "channel/record.h"
#include "pool/call.h"
#include "pool/channels.h"
#include "pool/wall.h"
#include "wire/frame.h"

#define OFFSET_MAX (UINT64_C(1) << 53)

static int check_message(const struct wsp_rules *rules, const wspool_seed_message *message)
{
    const wspool_history *limits = &rules->history;
    if (limits->messages == 0 || (message->flags & ~(WSPOOL_BINARY | WSPOOL_REMOVE)) != 0 ||
        (!message->data && message->len > 0) || message->key.len > WSPOOL_KEY_MAX ||
        (!message->key.data && message->key.len > 0) ||
        ((message->flags & WSPOOL_REMOVE) && message->key.len == 0)) {
        return WSPOOL_ERR_INVAL;
    }
    uint32_t most = rules->queue_bytes;
    if (limits->bytes > 0 && limits->bytes < most) {
        most = limits->bytes;
    }
    return message->len > most || message->len + wsp_frame_head_len(message->len) > most
               ? WSPOOL_ERR_TOO_BIG
               : 0;
}

/* Returns the pool's time at a time of the wall clock. It is not before that of the newest message,
 * and before 0 if the wall clock's time was before the pool's clock began. */
static uint64_t time_of(wspool *pool, const struct wsp_history *history, uint64_t wall)
{
    uint64_t now = pool->link.now, age = 0;
    if (wall < wsp_wall(pool)) {
        age = (wsp_wall(pool) - wall) * WSPOOL_MILLISECOND;
    }
    if (history->count > 0) {
        uint64_t most = now - wsp_history_slot(history, history->count - 1)->time;
        age = age < most ? age : most;
    }
    return now - age;
}

static int keep(wspool *pool, struct wsp_channel *channel, const wspool_seed_message *message)
{
    const wspool_history *limits = &channel->rules->history;
    uint32_t len = wsp_frame_head_len(message->len) + (uint32_t)message->len;
    uint64_t wall = message->time > 0 ? message->time : wsp_wall(pool);
    int error, removed = (message->flags & WSPOOL_REMOVE) != 0;
    struct wsp_key *key = NULL;
    struct wsp_kept *kept =
        limits->max_keys > 0
            ? wsp_record_keyed(&pool->registry, channel, len, pool->link.now, message->key, removed,
                               &key, &error)
            : wsp_record_room(&pool->registry, channel, len, pool->link.now, &error);
    if (!kept) {
        return error;
    }
    wsp_frame_write(wsp_kept_bytes(kept), message->flags & WSPOOL_BINARY ? WSP_BINARY : WSP_TEXT,
                    message->data, message->len);
    kept->len = len;
    kept->time = time_of(pool, channel->history, wall);
    kept->wall = wall;
    kept->except = 0;
    kept->key = NULL;
    if (limits->max_keys > 0) {
        wsp_keyed_commit(channel->history, kept, key, removed);
    }
    wsp_record_commit(channel, kept);
    channel->offset++;
    return 0;
}

static int seed(wspool *pool, wspool_channel name, const wspool_channel_position *position,
                const wspool_seed_message *message)
{
    wspool_channel_position before = *position;
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    before.offset -= message ? 1 : 0;
    if (channel && channel->count > 0) {
        return WSPOOL_ERR_STATE;
    }
    if (channel && (channel->epoch != before.epoch || channel->offset > before.offset)) {
        return WSPOOL_ERR_EXISTS;
    }
    if (!channel) {
        channel = wsp_registry_get(&pool->registry, name);
    }
    if (!channel) {
        return WSPOOL_ERR_NOMEM;
    }
    int error = wsp_record_seek(&pool->registry, channel, &before);
    if (!error && message) {
        error = keep(pool, channel, message);
    }
    if (!error) {
        channel->seeded = 1;
    }
    wsp_registry_drop_unused(&pool->registry, channel);
    return error;
}

int wspool_seed(wspool *pool, wspool_channel channel, const wspool_channel_position *position,
                const wspool_seed_message *theirs)
{
    wspool_seed_message message = {.size = sizeof message};
    if (!pool || !position || !wsp_channel_valid(channel) || position->epoch == 0 ||
        position->offset >= OFFSET_MAX || (theirs && position->offset == 0) ||
        (theirs && wspool_versioned_read(&message, sizeof message, theirs))) {
        return WSPOOL_ERR_INVAL;
    }
    int error = theirs ? check_message(&pool->registry.rules[channel.kind], &message) : 0;
    return error ? error : seed(pool, channel, position, theirs ? &message : NULL);
}

int wspool_erase(wspool *pool, wspool_channel name, wspool_text key)
{
    if (!pool || !wsp_channel_valid(name) || !key.data || key.len == 0 ||
        key.len > WSPOOL_KEY_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    if (!channel) {
        return WSPOOL_ERR_ABSENT;
    }
    int error = wsp_record_erase(&pool->registry, channel, key);
    wsp_registry_drop_unused(&pool->registry, channel);
    return error;
}

int wspool_clear(wspool *pool, wspool_channel name)
{
    if (!pool || !wsp_channel_valid(name)) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    if (!channel) {
        return WSPOOL_ERR_ABSENT;
    }
    wsp_record_clear(&pool->registry, channel);
    channel->seeded = 0;
    wsp_registry_drop_unused(&pool->registry, channel);
    return 0;
}
