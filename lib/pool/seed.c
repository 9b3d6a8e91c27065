/* SPDX-License-Identifier: MIT */
/* pool/seed.c - the public calls about what a channel keeps: seed, erase and clear.  Layer 4. */
#include <wspool/versioned.h>
#include "channel/keyed.h"
#include "channel/record.h"
#include "pool/call.h"
#include "pool/channels.h"
#include "pool/contracts.h"
#include "pool/wall.h"
#include "wire/frame.h"

#define OFFSET_MAX (UINT64_C(1) << 53)

static int check_message(const struct wsp_rules *rules, const wspool_seed_message *message)
{
    const unsigned known = WSPOOL_REMOVE | (message->type.len == 0 ? WSPOOL_BINARY : 0);
    return rules->history.messages == 0 || (message->flags & ~known) != 0 ||
                   (!message->data && message->len > 0) || message->key.len > WSPOOL_KEY_MAX ||
                   (!message->key.data && message->key.len > 0) ||
                   (!message->type.data && message->type.len > 0) ||
                   ((message->flags & WSPOOL_REMOVE) && message->key.len == 0)
               ? WSPOOL_ERR_INVAL
               : 0;
}

/* A message, in the contracts that render it. */
struct seed {
    struct wsp_rendering list[WSPOOL_CONTRACTS];
    uint32_t count, len; /* len: of all frames */
};

/* Makes the frames of a message for the history of its channel. */
static int render(wspool *pool, const struct wsp_channel *channel,
                  const wspool_channel_position *position, const wspool_seed_message *message,
                  struct seed *seed)
{
    const uint32_t most = channel->rules->history.bytes;
    int error;
    if (message->type.len > 0) {
        seed->count = pool->contracts.count;
        error = wsp_contracts_render(pool, channel, position, message, 1, seed->list);
    } else {
        seed->count = 1;
        error = wsp_rendering_read(&seed->list[0], channel->rules->queue_bytes, message->data,
                                   message->len,
                                   message->flags & WSPOOL_BINARY ? WSP_BINARY : WSP_TEXT);
    }
    if (error) {
        return error;
    }
    seed->len = wsp_renderings_len(seed->list, seed->count);
    return most > 0 && seed->len > most ? WSPOOL_ERR_TOO_BIG : 0;
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

static int keep(wspool *pool, struct wsp_channel *channel, const struct seed *seed,
                const wspool_seed_message *message)
{
    const wspool_history *limits = &channel->rules->history;
    int error, removed = (message->flags & WSPOOL_REMOVE) != 0;
    struct wsp_key *key = NULL;
    struct wsp_kept *kept =
        limits->max_keys > 0
            ? wsp_record_keyed(&pool->registry, channel, seed->len, pool->link.now, message->key,
                               removed, &key, &error)
            : wsp_record_room(&pool->registry, channel, seed->len, pool->link.now, &error);
    if (!kept) {
        return error;
    }
    wsp_renderings_write(seed->list, 0, seed->count, wsp_kept_bytes(kept));
    channel->history->mixed |= seed->count > 1;
    kept->len = seed->len;
    kept->time = time_of(pool, channel->history, message->time);
    kept->wall = message->time;
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
    struct seed seed;
    int error = message ? render(pool, channel, position, message, &seed) : 0;
    if (!error) {
        error = wsp_record_seek(&pool->registry, channel, &before);
    }
    if (!error && message) {
        error = keep(pool, channel, &seed, message);
    }
    if (!error) {
        channel->seeded = 1;
    }
    if (channel->pace) {
        channel->pace->shown = channel->offset; /* to nobody: it has no members */
    }
    wsp_registry_drop_unused(&pool->registry, channel);
    return error;
}

int wspool_seed(wspool *pool, wspool_channel channel, const wspool_channel_position *position,
                const wspool_seed_message *theirs)
{
    wspool_seed_message message = {.size = sizeof message};
    int valid = position && wsp_channel_valid(channel) && position->epoch != 0 &&
                position->offset < OFFSET_MAX && (!theirs || position->offset != 0) &&
                (!theirs || !wspool_versioned_read(&message, sizeof message, theirs));
    int error = wsp_call(pool, valid, WSP_CHANNELS);
    if (error) {
        return error;
    }
    error = theirs ? check_message(&pool->registry.rules[channel.kind], &message) : 0;
    if (error) {
        return error;
    }
    if (message.time == 0) {
        message.time = wsp_wall(pool);
    }
    return seed(pool, channel, position, theirs ? &message : NULL);
}

int wspool_erase(wspool *pool, wspool_channel name, wspool_text key)
{
    int valid = wsp_channel_valid(name) && key.data && key.len > 0 && key.len <= WSPOOL_KEY_MAX;
    int error = wsp_call(pool, valid, WSP_CHANNELS);
    if (error) {
        return error;
    }
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    if (!channel) {
        return WSPOOL_ERR_ABSENT;
    }
    error = wsp_record_erase(&pool->registry, channel, key);
    wsp_registry_drop_unused(&pool->registry, channel);
    return error;
}

int wspool_clear(wspool *pool, wspool_channel name)
{
    int error = wsp_call(pool, wsp_channel_valid(name), WSP_CHANNELS);
    if (error) {
        return error;
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
