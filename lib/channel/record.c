/* SPDX-License-Identifier: MIT */
/* channel/record.c - see channel/record.h. */
#include "channel/record.h"

#include <wspool/error.h>
#include "base/noinline.h"

/* The channel continues to exist. */
static void forget_all(struct wsp_registry *registry, struct wsp_channel *channel)
{
    wsp_history_free(registry->histories, channel->history);
    channel->history = NULL;
}

/* Makes room in the budget at the cost of another channel, or of this one when there is no other.
 * Returns 0 when nothing is left. */
static int give_way(struct wsp_registry *registry, const struct wsp_channel *channel)
{
    struct wsp_history *victim = registry->histories->oldest;
    if (victim && victim == channel->history && victim->newer) {
        victim = victim->newer;
    }
    if (!victim) {
        return 0;
    }
    wsp_history_forget_segment(registry->histories, victim);
    if (victim->count == 0 && victim->channel != channel) {
        struct wsp_channel *other = victim->channel;
        forget_all(registry, other);
        wsp_registry_drop_unused(registry, other);
    }
    return 1;
}

/* Makes room by allocating, and at the cost of other channels. */
static WSP_NOINLINE uint8_t *make_room(struct wsp_registry *registry, struct wsp_channel *channel,
                                       uint32_t len)
{
    struct wsp_histories *histories = registry->histories;
    uint8_t *room = NULL;
    int error;
    do {
        if (!channel->history) {
            channel->history = wsp_history_new(histories, channel, channel->offset + 1, &error);
        }
        if (channel->history) {
            room = wsp_history_room(histories, channel->history, len, &error);
        }
    } while (!room && error == WSPOOL_ERR_FULL && give_way(registry, channel));
    return room;
}

uint8_t *wsp_record_room(struct wsp_registry *registry, struct wsp_channel *channel, uint32_t len,
                         uint64_t now)
{
    const wspool_history *limits = &channel->rules->history;
    struct wsp_history *history = channel->history;
    uint8_t *room = NULL;
    if (history) {
        wsp_history_trim(registry->histories, history, limits, len, now);
        room = wsp_history_room_at_hand(history, len);
    }
    if (!room && (limits->bytes == 0 || len <= limits->bytes)) {
        room = make_room(registry, channel, len);
    }
    if (!room && channel->history) {
        forget_all(registry, channel);
    }
    return room;
}

void wsp_record_expire(struct wsp_registry *registry, struct wsp_channel *channel, uint64_t now)
{
    if (channel->history) {
        wsp_history_trim(registry->histories, channel->history, &channel->rules->history, 0, now);
        if (channel->history->count == 0) {
            forget_all(registry, channel);
        }
    }
}

void wsp_record_tick(struct wsp_registry *registry, uint64_t now)
{
    struct wsp_history *history;
    while ((history = registry->histories->oldest) != NULL) {
        struct wsp_channel *channel = history->channel;
        wsp_record_expire(registry, channel, now);
        if (channel->history) {
            return;
        }
        wsp_registry_drop_unused(registry, channel);
    }
}

void wsp_record_fini(struct wsp_registry *registry)
{
    while (registry->histories->oldest) {
        struct wsp_channel *channel = registry->histories->oldest->channel;
        forget_all(registry, channel);
        wsp_registry_drop_unused(registry, channel);
    }
}
