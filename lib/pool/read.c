/* SPDX-License-Identifier: MIT */
/* pool/read.c - the public calls for readers that are no peers.  Layer 4. */
#include <wspool/versioned.h>
#include "channel/keyed.h"
#include "channel/record.h"
#include "pool/call.h"
#include "pool/channels.h"
#include "pool/deadline.h"
#include "pool/waiters.h"
#include "wire/frame.h"

/* Returns the history of a channel without what is too old, or NULL. */
static const struct wsp_history *history_of(wspool *pool, wspool_channel name)
{
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    if (!channel || !channel->history) {
        return NULL;
    }
    wsp_record_expire(&pool->registry, channel, pool->link.now);
    const struct wsp_history *history = channel->history;
    wsp_registry_drop_unused(&pool->registry, channel);
    return history;
}

static wspool_read_message read_one(const struct wsp_kept *kept, uint64_t offset)
{
    const uint8_t *frame = wsp_kept_bytes(kept);
    uint32_t head = wsp_frame_encoded_head_len(frame);
    return (wspool_read_message){.offset = offset,
                                 .data = frame + head,
                                 .len = wsp_frame_encoded_len(frame) - head,
                                 .binary = (frame[0] & 0x0fu) == WSP_BINARY};
}

/* Reads the messages from an offset on, at most `max`. Returns how many. */
static size_t read_from(const struct wsp_history *history, uint64_t offset,
                        wspool_read_message *list, size_t max)
{
    const struct wsp_keyed *keyed = history->keyed;
    size_t n = 0;
    if (keyed && offset < history->first) {
        const uint32_t count = wsp_keyed_count(keyed);
        for (uint32_t i = wsp_keyed_search(keyed, offset); i < count && n < max; i++) {
            const struct wsp_old *old = wsp_keyed_at(keyed, i);
            if (old->kept.key) {
                list[n++] = read_one(&old->kept, old->offset);
            }
        }
        offset = history->first;
    }
    for (; offset < history->first + history->count && n < max; offset++) {
        list[n++] = read_one(wsp_history_at(history, offset), offset);
    }
    return n;
}

int wspool_read(wspool *pool, wspool_channel channel, const wspool_channel_position *since,
                wspool_read_message *list, size_t max, wspool_resumed *theirs)
{
    wspool_resumed resumed = {.size = sizeof resumed};
    int valid = wsp_channel_valid(channel) && (list || max == 0) &&
                (!theirs || theirs->size >= sizeof theirs->size);
    int error = wsp_call(pool, valid, WSP_CHANNELS);
    if (error) {
        return error;
    }
    const struct wsp_history *history = history_of(pool, channel);
    wspool_channel_position head = wsp_registry_position(&pool->registry, channel);
    wsp_judge_position(head, history ? history->first : head.offset + 1, since, &resumed);
    uint64_t next = head.offset + 1 - resumed.count;
    int state = 0;
    if (since && pool->registry.rules[channel.kind].history.max_keys > 0) {
        state = wsp_judge_keyed(history, since, &resumed, &next);
    }
    size_t count = 0;
    max = max < INT32_MAX ? max : INT32_MAX;
    if (history && resumed.count > 0 && (!state || resumed.count <= max)) {
        count = read_from(history, state ? 1 : next, list, max);
    }
    if (theirs) {
        wspool_versioned_write(theirs, &resumed, sizeof resumed);
    }
    return (int)count;
}

int wspool_wait(wspool *pool, wspool_channel name, wspool_waiter *waiter, uint64_t until)
{
    int error = wsp_call(pool, wsp_channel_valid(name) && waiter && waiter->call, WSP_CHANNELS);
    if (error) {
        return error;
    }
    if (pool->registry.rules[name.kind].history.messages == 0) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->freeing) {
        return WSPOOL_ERR_STATE;
    }
    if (waiter->link) {
        return WSPOOL_ERR_EXISTS;
    }
    if (wsp_count_read(&pool->count.waiters) >= pool->config.max_waiters) {
        return WSPOOL_ERR_FULL;
    }
    struct wsp_channel *channel = wsp_registry_get(&pool->registry, name);
    if (!channel) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_waiter_add(pool, channel, waiter, until);
    if (pool->depth == 0 && pool->idle) {
        wsp_deadline_tell(pool);
    }
    return 0;
}

int wspool_wait_cancel(wspool *pool, wspool_waiter *waiter)
{
    int error = wsp_call(pool, waiter != NULL, WSP_CHANNELS);
    if (error) {
        return error;
    }
    int waits = waiter->link != NULL;
    if (waits) {
        wsp_waiter_remove(pool, waiter);
    }
    return waits;
}
