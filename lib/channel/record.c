/* SPDX-License-Identifier: MIT */
/* channel/record.c - see channel/record.h. */
#include "channel/record.h"

#include <wspool/error.h>
#include "base/noinline.h"
#include "channel/keyed.h"
#include "channel/refill.h"

/* The channel continues to exist. */
static void forget_all(struct wsp_registry *registry, struct wsp_channel *channel)
{
    if (channel->history->keyed) {
        wsp_keyed_fini(registry->histories, channel->history);
        wsp_refill_forget_eras(channel);
    }
    wsp_history_free(registry->histories, channel->history);
    channel->history = NULL;
}

static enum wspool_kind kind_of(const struct wsp_channel *channel)
{
    return wsp_channel_name(channel).kind;
}

/* Returns 1 if the last message of `a` is older than that of `b`. */
static int is_quieter(const struct wsp_history *a, const struct wsp_history *b)
{
    return (int64_t)(wsp_history_slot(a, a->count - 1)->time -
                     wsp_history_slot(b, b->count - 1)->time) < 0;
}

/* Returns the history that was published to longest ago; `own` only if there is no other. */
static struct wsp_history *quietest(const struct wsp_histories *histories, struct wsp_history *own)
{
    struct wsp_history *victim = NULL;
    for (size_t kind = 0; kind <= WSPOOL_TOPIC; kind++) {
        struct wsp_history *each = histories->of_kind[kind].oldest;
        each = each && each == own ? each->newer : each;
        victim = each && (!victim || is_quieter(each, victim)) ? each : victim;
    }
    return victim || !own || own->keyed || own->count == 0 ? victim : own;
}

/* Makes room in the budget at the cost of another channel, or of this one when there is no other.
 * Returns 0 when nothing is left. */
static int give_way(struct wsp_registry *registry, const struct wsp_channel *channel)
{
    struct wsp_history *victim = quietest(registry->histories, channel->history);
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

static struct wsp_history *new_history(struct wsp_histories *histories, struct wsp_channel *channel,
                                       int *error)
{
    struct wsp_history *history =
        wsp_history_new(histories, channel, kind_of(channel), channel->offset + 1, error);
    if (history) {
        history->priority = channel->rules->priority;
    }
    return history;
}

/* Makes room by allocating, and at the cost of other channels. */
static WSP_NOINLINE struct wsp_kept *
make_room(struct wsp_registry *registry, struct wsp_channel *channel, uint32_t len, int *error)
{
    struct wsp_histories *histories = registry->histories;
    struct wsp_kept *room = NULL;
    do {
        if (!channel->history) {
            channel->history = new_history(histories, channel, error);
        }
        if (channel->history) {
            room = wsp_history_room(histories, channel->history, len, error);
        }
    } while (!room && *error == WSPOOL_ERR_FULL && give_way(registry, channel));
    return room;
}

struct wsp_kept *wsp_record_room(struct wsp_registry *registry, struct wsp_channel *channel,
                                 uint32_t len, uint64_t now, int *error)
{
    const wspool_history *limits = &channel->rules->history;
    struct wsp_history *history = channel->history;
    struct wsp_kept *room = NULL;
    if (history) {
        wsp_history_trim(registry->histories, history, limits, len, now);
        room = wsp_history_room_at_hand(history, len);
    }
    if (!room) {
        *error = WSPOOL_ERR_FULL;
        if (limits->bytes == 0 || len <= limits->bytes) {
            room = make_room(registry, channel, len, error);
        }
    }
    if (!room && channel->history) {
        forget_all(registry, channel);
    }
    return room;
}

void wsp_record_clear(struct wsp_registry *registry, struct wsp_channel *channel)
{
    if (channel->history) {
        forget_all(registry, channel);
    }
}

/* ------------------------------------------------------------------------- keyed */

/* Everything leaves the window. */
static int empty_window(struct wsp_registry *registry, struct wsp_history *history)
{
    int error = 0;
    while (history->count > 0 && !error) {
        do {
            error = wsp_keyed_retire(registry->histories, history);
        } while (error == WSPOOL_ERR_FULL && give_way(registry, history->channel));
    }
    return error;
}

int wsp_record_seek(struct wsp_registry *registry, struct wsp_channel *channel,
                    const wspool_channel_position *position)
{
    struct wsp_history *history = channel->history;
    if (channel->epoch == position->epoch && channel->offset == position->offset) {
        return 0;
    }
    if (history && history->keyed && channel->epoch == position->epoch) {
        int error = empty_window(registry, history);
        if (error) {
            return error;
        }
        history->first = position->offset + 1;
        wsp_keyed_leave_out(history->keyed, position->offset);
    } else {
        wsp_record_clear(registry, channel);
    }
    channel->epoch_is_given |= channel->epoch != position->epoch;
    channel->epoch = position->epoch;
    channel->offset = position->offset;
    return 0;
}

static int make_keyed(struct wsp_registry *registry, struct wsp_channel *channel)
{
    int error;
    struct wsp_history *history = new_history(registry->histories, channel, &error);
    if (!history) {
        return error;
    }
    error = wsp_keyed_init(registry->histories, history, &registry->channels.seed, channel->offset);
    if (error) {
        wsp_history_free(registry->histories, history);
        return error;
    }
    channel->history = history;
    return 0;
}

/* What is too much for the window leaves it. */
static int trim_keyed(struct wsp_registry *registry, struct wsp_history *history,
                      const wspool_history *limits, uint32_t len, uint64_t now)
{
    int error = 0;
    while (!error && history->count > 0 && !wsp_history_fits(history, limits, len, now)) {
        error = wsp_keyed_retire(registry->histories, history);
    }
    return error;
}

/* Removals need room: for themselves, for what leaves the window, and for the pass that frees what
 * was removed. */
static int is_nearly_full(const struct wsp_histories *histories)
{
    const struct wsp_blocks *store = &histories->store;
    uint64_t reserve = 2 * (uint64_t)WSP_BLOCK_BYTES;
    reserve = reserve < store->limit / 4 ? reserve : store->limit / 4;
    return store->bytes + reserve > store->limit;
}

/* A channel with a keyed history that has nothing has none. */
static void drop_empty(struct wsp_registry *registry, struct wsp_channel *channel)
{
    const struct wsp_history *history = channel->history;
    if (history && history->count == 0 && history->keyed->keys.count == 0) {
        forget_all(registry, channel);
    }
}

struct wsp_kept *wsp_record_keyed(struct wsp_registry *registry, struct wsp_channel *channel,
                                  uint32_t len, uint64_t now, wspool_text text, int removed,
                                  struct wsp_key **found, int *error)
{
    struct wsp_histories *histories = registry->histories;
    const wspool_history *limits = &channel->rules->history;
    struct wsp_kept *kept = NULL;
    struct wsp_key *key = NULL;
    *error = WSPOOL_ERR_TOO_BIG;
    if (limits->bytes > 0 && len > limits->bytes) {
        return NULL;
    }
    if (channel->history) { /* first: a removal of this key may be too old */
        wsp_keyed_step(histories, channel->history, limits->tombstone_time, now);
        key = text.len > 0 ? wsp_keyed_find(channel->history->keyed, text) : NULL;
    }
    int is_new = text.len > 0 && !key;
    if (is_new && !removed && channel->history &&
        channel->history->keyed->keys.count >= limits->max_keys) {
        if (!channel->history->keyed->oldest) {
            *error = WSPOOL_ERR_FULL;
            return NULL;
        }
        wsp_keyed_forget_removal(histories, channel->history);
    }
    do {
        *error = !removed && is_nearly_full(histories) ? WSPOOL_ERR_FULL : 0;
        if (!*error && !channel->history) {
            *error = make_keyed(registry, channel);
        }
        if (!*error) {
            *error = trim_keyed(registry, channel->history, limits, len, now);
        }
        if (!*error && is_new && !key) {
            key = wsp_keyed_add(histories, channel->history->keyed, text, removed, error);
        }
        if (!*error) { /* last: a new segment must not be left without an entry */
            kept = wsp_history_room(histories, channel->history, len, error);
        }
    } while (*error == WSPOOL_ERR_FULL && give_way(registry, channel));
    if (*error) {
        if (is_new && key) {
            wsp_keyed_cancel(histories, channel->history->keyed, key);
        }
        drop_empty(registry, channel);
        return NULL;
    }
    *found = key;
    return kept;
}

void wsp_record_cancel_keyed(struct wsp_registry *registry, struct wsp_channel *channel,
                             const struct wsp_kept *kept, struct wsp_key *key)
{
    if (kept->segment != channel->history->open) { /* it was made for this message */
        wsp_block_release(kept->segment);
    }
    if (key && key->offset == 0) {
        wsp_keyed_cancel(registry->histories, channel->history->keyed, key);
    }
    drop_empty(registry, channel);
}

int wsp_record_erase(struct wsp_registry *registry, struct wsp_channel *channel, wspool_text text)
{
    struct wsp_history *history = channel->history;
    struct wsp_key *key = history && history->keyed ? wsp_keyed_find(history->keyed, text) : NULL;
    if (!key) {
        return WSPOOL_ERR_ABSENT;
    }
    int error = empty_window(registry, history);
    if (!error) {
        wsp_keyed_erase(registry->histories, history, key, channel->offset);
        drop_empty(registry, channel);
    }
    return error;
}

int wsp_record_id(struct wsp_registry *registry, struct wsp_channel *channel, wspool_text id,
                  uint64_t now)
{
    int error;
    do {
        error = wsp_ids_add(registry->histories, channel, &channel->ids, &registry->channels.seed,
                            id, channel->offset + 1, now);
    } while (error == WSPOOL_ERR_FULL && give_way(registry, channel));
    if (channel->history && !channel->history->keyed &&
        channel->history->count == 0) { /* it gave way to its own id */
        forget_all(registry, channel);
    }
    return error;
}

void wsp_record_expire(struct wsp_registry *registry, struct wsp_channel *channel, uint64_t now)
{
    const wspool_history *limits = &channel->rules->history;
    if (channel->history && channel->history->keyed) {
        (void)trim_keyed(registry, channel->history, limits, 0, now); /* again at its next use */
        wsp_keyed_step(registry->histories, channel->history, limits->tombstone_time, now);
        drop_empty(registry, channel);
    } else if (channel->history) {
        wsp_history_trim(registry->histories, channel->history, limits, 0, now);
        if (channel->history->count == 0) {
            forget_all(registry, channel);
        }
    }
}

/* Each tick looks at one keyed history. */
static void tick_keyed(struct wsp_registry *registry, uint64_t now)
{
    struct wsp_history *history = registry->histories->keyed.oldest;
    if (history) {
        struct wsp_channel *channel = history->channel;
        wsp_history_rotate(history);
        wsp_record_expire(registry, channel, now);
        wsp_registry_drop_unused(registry, channel);
    }
}

static void tick_kind(struct wsp_registry *registry, size_t kind, uint64_t now)
{
    struct wsp_history *history;
    while ((history = registry->histories->of_kind[kind].oldest) != NULL) {
        struct wsp_channel *channel = history->channel;
        wsp_record_expire(registry, channel, now);
        if (channel->history) {
            return;
        }
        wsp_registry_drop_unused(registry, channel);
    }
}

/* An id may stay longer than it is remembered, until its channel has not got one for that time. */
static void tick_ids(struct wsp_registry *registry, uint64_t now)
{
    struct wsp_ids *ids;
    while ((ids = registry->histories->oldest_ids) != NULL) {
        struct wsp_channel *channel = ids->channel;
        if (now - ids->newest->time < WSPOOL_PUBLISH_ID_TIME) {
            return;
        }
        wsp_ids_free(registry->histories, &channel->ids);
        wsp_registry_drop_unused(registry, channel);
    }
}

void wsp_record_tick(struct wsp_registry *registry, uint64_t now)
{
    for (size_t kind = 0; kind <= WSPOOL_TOPIC; kind++) {
        tick_kind(registry, kind, now);
    }
    tick_keyed(registry, now);
    tick_ids(registry, now);
}

static void forget_list(struct wsp_registry *registry, const struct wsp_history_list *list)
{
    while (list->oldest) {
        struct wsp_channel *channel = list->oldest->channel;
        forget_all(registry, channel);
        wsp_registry_drop_unused(registry, channel);
    }
}

void wsp_record_fini(struct wsp_registry *registry)
{
    struct wsp_map_node *node = wsp_map_next(&registry->channels, NULL);
    while (node) { /* no channel has members: those that are only seeded go */
        struct wsp_channel *channel = (struct wsp_channel *)(void *)node;
        node = wsp_map_next(&registry->channels, node);
        channel->seeded = 0;
        wsp_registry_drop_unused(registry, channel);
    }
    while (registry->histories->oldest_ids) {
        struct wsp_channel *channel = registry->histories->oldest_ids->channel;
        wsp_ids_free(registry->histories, &channel->ids);
        wsp_registry_drop_unused(registry, channel);
    }
    for (size_t kind = 0; kind <= WSPOOL_TOPIC; kind++) {
        forget_list(registry, &registry->histories->of_kind[kind]);
    }
    forget_list(registry, &registry->histories->keyed);
}
