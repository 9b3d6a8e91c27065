/* SPDX-License-Identifier: MIT */
/* pool/publish.c - broadcast and publish: one encoded frame, one block, many queues.  Layer 4. */
#include <string.h>

#include <wspool/versioned.h>
#include "base/noinline.h"
#include "channel/broadcast.h"
#include "channel/keyed.h"
#include "channel/record.h"
#include "pool/call.h"
#include "pool/channels.h"
#include "pool/encode.h"
#include "pool/flush.h"
#include "pool/log.h"
#include "pool/options.h"
#include "pool/pace.h"
#include "pool/reap.h"
#include "pool/waiters.h"
#include "pool/wall.h"

static const wspool_send_options no_options = {.size = sizeof no_options};

/* Returns 1 if the options are those of a publication. */
static inline int options_are_valid(const wspool_send_options *options)
{
    return (options->flags & ~(WSPOOL_BINARY | WSPOOL_REMOVE)) == 0 &&
           (options->id.len == 0 ||
            (options->id.len <= WSPOOL_PUBLISH_ID_MAX && options->id.data)) &&
           (options->key.len == 0 ? (options->flags & WSPOOL_REMOVE) == 0
                                  : options->key.len <= WSPOOL_KEY_MAX && options->key.data) &&
           options->kind == WSPOOL_NONE && options->priority == WSPOOL_NORMAL;
}

/* Returns 1 if the options are those of a host compiled against an older or newer header. */
static inline int is_other_version(const wspool_send_options *options)
{
    return options && options->size != sizeof *options;
}

/* What is published: one message for all, or one for each contract. */
struct content {
    struct wsp_rendering list[WSPOOL_CONTRACTS];
    uint32_t count;         /* 0: it is not rendered yet */
    wspool_text type, data; /* the parts; no type: there are none */
};

/* Returns what is published: the message that wspool_seed would take, and its position. */
static wspool_seed_message message_of(wspool *pool, const struct wsp_channel *channel,
                                      const wspool_send_options *options,
                                      const struct content *content,
                                      wspool_channel_position *position)
{
    const struct wsp_message *bytes = &content->list[0].message;
    const int has_parts = content->type.len > 0;
    *position = (wspool_channel_position){channel->epoch, channel->offset + 1};
    return (wspool_seed_message){.size = sizeof(wspool_seed_message),
                                 .flags = options->flags,
                                 .data = has_parts ? content->data.data : bytes->data,
                                 .len = has_parts ? content->data.len : bytes->len,
                                 .time = wsp_wall(pool),
                                 .key = options->key,
                                 .type = content->type};
}

/* Makes the messages of a publication in parts. */
static WSP_NOINLINE int render(wspool *pool, const struct wsp_channel *channel,
                               const wspool_send_options *options, struct content *content)
{
    wspool_channel_position position;
    const wspool_seed_message message = message_of(pool, channel, options, content, &position);
    content->count = pool->contracts.count;
    return wsp_contracts_render(pool, channel, &position, &message,
                                channel->rules->history.messages > 0, content->list);
}

/* Lets the application commit the channel's next message. Returns 0, or STATE if it cancelled. */
static WSP_NOINLINE int call_commit(wspool *pool, const struct wsp_channel *channel,
                                    const wspool_send_options *options,
                                    const struct content *content)
{
    wspool_channel_position position;
    const wspool_seed_message message = message_of(pool, channel, options, content, &position);
    const int before = wsp_encode_choose(pool, WSPOOL_NORMAL); /* it may send */
    pool->composing = 1;
    int cancelled = options->commit.call(&position, &message, options->commit.user) != 0;
    pool->composing = 0;
    wsp_encode_choose(pool, before);
    return cancelled ? WSPOOL_ERR_STATE : 0;
}

/* The other frames of a message that several contracts have rendered. */
static WSP_NOINLINE void write_others(const struct content *content, struct wsp_history *history,
                                      uint8_t *out)
{
    history->mixed = 1;
    wsp_renderings_write(content->list, 1, content->count, out);
}

/* Fills the entry of the channel's next message. */
static inline void fill(wspool *pool, struct wsp_channel *channel, const struct wsp_run *frame,
                        const struct content *content, uint64_t except, uint32_t len,
                        struct wsp_kept *kept)
{
    memcpy(wsp_kept_bytes(kept), wsp_run_bytes(frame), frame->bytes);
    if (content->count > 1) {
        write_others(content, channel->history, wsp_kept_bytes(kept) + frame->bytes);
    }
    kept->len = len;
    kept->time = pool->link.now;
    kept->wall = wsp_wall(pool);
    kept->except = except;
}

/* Copies the frames of the channel's next message to its history. If they cannot be kept, the
 * history begins anew behind it. */
static void keep(wspool *pool, struct wsp_channel *channel, const struct wsp_run *frame,
                 const struct content *content, uint64_t except)
{
    uint32_t len = wsp_renderings_len(content->list, content->count);
    int error;
    struct wsp_kept *kept = wsp_record_room(&pool->registry, channel, len, pool->link.now, &error);
    if (kept) {
        fill(pool, channel, frame, content, except, len, kept);
        kept->key = NULL;
        wsp_record_commit(channel, kept);
    }
}

/* The same for a keyed history, after the application has committed the message. When it cannot be
 * kept, it is not committed and not published: the history would have another state than the
 * members. Returns 0, FULL, TOO_BIG, NOMEM, or as call_commit. */
static WSP_NOINLINE int keep_keyed(wspool *pool, struct wsp_channel *channel,
                                   const struct wsp_run *frame, const struct content *content,
                                   const wspool_send_options *options, uint64_t except)
{
    uint32_t len = wsp_renderings_len(content->list, content->count);
    int error, removed = (options->flags & WSPOOL_REMOVE) != 0;
    struct wsp_key *key = NULL;
    struct wsp_kept *kept = wsp_record_keyed(&pool->registry, channel, len, pool->link.now,
                                             options->key, removed, &key, &error);
    if (!kept) {
        return error;
    }
    error = options->commit.call ? call_commit(pool, channel, options, content) : 0;
    if (error) {
        wsp_record_cancel_keyed(&pool->registry, channel, kept, key);
        return error;
    }
    fill(pool, channel, frame, content, except, len, kept);
    wsp_keyed_commit(channel->history, kept, key, removed);
    wsp_record_commit(channel, kept);
    return 0;
}

/* Sets *position to that of the message that had this id, and returns 1, or 0 if none is
 * remembered. */
static WSP_NOINLINE int is_repeated(const wspool *pool, const struct wsp_channel *channel,
                                    wspool_text id, wspool_channel_position *position)
{
    uint64_t offset = wsp_ids_find(channel->ids, id, pool->link.now);
    if (offset > 0) {
        position->offset = offset;
    }
    return offset > 0;
}

/* During a broadcast the queues of the excepted peers take no message: that of the peer, and those
 * of its client instance. Returns how many of them are members that are behind. */
static WSP_NOINLINE uint32_t leave_out(struct wsp_peer *except, const struct wsp_channel *channel)
{
    uint32_t behind = 0;
    struct wsp_peer *peer = NULL;
    while ((peer = wsp_subjects_same(except, peer)) != NULL) {
        const struct wsp_member *member =
            channel->live < channel->count ? wsp_registry_member(peer, channel) : NULL;
        behind += member && !wsp_member_is_live(channel, member);
        wsp_conn_take_messages(&peer->conn, 0);
    }
    return behind;
}

static WSP_NOINLINE void take_in(struct wsp_peer *except)
{
    struct wsp_peer *peer = NULL;
    while ((peer = wsp_subjects_same(except, peer)) != NULL) {
        wsp_conn_take_messages(&peer->conn, peer->conn.state == WSP_OPEN);
    }
}

/* Encodes the channel's next message, lets the application commit it, and keeps it in the history.
 * After an error *encodings holds nothing. Returns 0, FULL, TOO_BIG, NOMEM, or as call_commit. */
static inline int prepare(wspool *pool, struct wsp_channel *channel, const struct content *content,
                          const wspool_send_options *options, uint64_t mark,
                          struct wsp_encodings *encodings)
{
    const wspool_history *history = &channel->rules->history;
    struct wsp_run frame;
    int error = wsp_encode(pool, &content->list[0], &frame);
    if (error) {
        return error;
    }
    wsp_encodings_init(encodings, &frame, &content->list[0].message);
    if (content->count > 1) {
        error = wsp_encode_others(pool, content->list, encodings);
    }
    if (!error && history->max_keys > 0) { /* the application commits when there is room */
        error = keep_keyed(pool, channel, &frame, content, options, mark);
    } else if (!error) {
        error = options->commit.call ? call_commit(pool, channel, options, content) : 0;
        if (!error && history->messages > 0) {
            keep(pool, channel, &frame, content, mark);
        }
    }
    if (error) {
        wsp_encodings_fini(encodings);
    }
    return error;
}

/* Queues the channel's newest message for its members. Returns 1 if one of them was too slow: it was
 * closed, or fell behind. */
static inline int deliver(wspool *pool, struct wsp_channel *channel,
                          struct wsp_encodings *encodings, struct wsp_peer *except,
                          wspool_tally *tally)
{
    const uint32_t live = channel->live;
    const uint32_t excepted = except ? leave_out(except, channel) : 0;
    wsp_broadcast(&pool->link, channel, encodings, excepted, tally);
    if (except) {
        take_in(except);
    }
    wsp_encodings_fini(encodings);
    return tally->closed > 0 || channel->live < live;
}

static int publish(wspool *pool, wspool_channel name, struct content *content,
                   const wspool_send_options *options, wspool_tally *tally)
{
    const wspool_text id = options->id;
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    if (!channel && pool->registry.rules[name.kind].history.messages > 0) {
        channel = wsp_registry_get(&pool->registry, name);
        if (!channel) {
            return WSPOOL_ERR_NOMEM;
        }
    }
    if (!channel) {
        wsp_registry_missed(&pool->registry);
        return 0;
    }
    wspool_channel_position position = {channel->epoch, channel->offset + 1};
    if (id.len > 0 && is_repeated(pool, channel, id, &position)) {
        tally->position = position;
        tally->repeated = 1;
        return 0;
    }
    int error = 0;
    if (content->count == 0) {
        error = render(pool, channel, options, content);
    }
    if (!error && id.len > 0) {
        error = wsp_record_id(&pool->registry, channel, id, pool->link.now);
    }
    if (error) {
        wsp_registry_drop_unused(&pool->registry, channel);
        return error;
    }
    struct wsp_peer *except =
        options->except ? wsp_slots_find(&pool->peers, options->except) : NULL;
    const uint64_t mark = except ? wsp_subjects_mark(&pool->subjects, except) : 0;
    const int before = wsp_encode_choose(pool, channel->rules->priority);
    struct wsp_encodings encodings;
    error = prepare(pool, channel, content, options, mark, &encodings);
    if (error) {
        wsp_encode_choose(pool, before);
        if (id.len > 0) {
            wsp_ids_cancel(&pool->histories, &channel->ids);
        }
        wsp_registry_drop_unused(&pool->registry, channel);
        return error;
    }
    if (id.len > 0) {
        wsp_ids_trim(&pool->histories, &channel->ids, pool->link.now);
    }
    channel->offset++;
    tally->position = position;
    wsp_count_add(&pool->count.published, 1);
    const int slow = deliver(pool, channel, &encodings, except, tally);
    wsp_encode_choose(pool, before);
    if (channel->pace) {
        wsp_pace_published(pool, channel);
    }
    if (channel->waiters) {
        wsp_waiters_wake(pool, channel);
    }
    wsp_registry_drop_unused(&pool->registry, channel);
    wsp_flush_soon(pool);
    if (slow) {
        wsp_log(pool, WSP_LOG_SLOW, (wspool_log_record){.reason = "queue_full"});
    }
    return (int)tally->queued;
}

/* Publishes what is one message for all already, or what is to be rendered. */
static int publish_checked(wspool *pool, wspool_channel channel, struct content *content,
                           const wspool_send_options *options, wspool_tally *theirs)
{
    wspool_tally tally = {.size = sizeof tally};
    if (!options_are_valid(options) || !wsp_channel_valid(channel) ||
        (theirs && theirs->size < sizeof theirs->size)) {
        return WSPOOL_ERR_INVAL;
    }
    int result = wsp_call(pool, 1, WSP_CHANNELS);
    if (result) {
        return result;
    }
    wsp_enter(pool);
    result = publish(pool, channel, content, options, &tally);
    wsp_leave(pool);
    if (theirs && result >= 0) {
        tally.time = tally.position.offset > 0 && !tally.repeated ? wsp_wall(pool) : 0;
        wspool_versioned_write(theirs, &tally, sizeof tally);
    }
    return result;
}

int wspool_publish(wspool *pool, wspool_channel channel, wspool_text type, wspool_text data,
                   const wspool_send_options *options, wspool_tally *tally)
{
    struct content content;
    wspool_send_options ours;
    if (!pool || !type.data || type.len == 0 || (!data.data && data.len > 0) ||
        wsp_options_read(&ours, options) || (ours.flags & WSPOOL_BINARY)) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->contracts.count == 0) {
        return WSPOOL_ERR_STATE;
    }
    content.count = 0;
    content.type = type;
    content.data = data;
    return publish_checked(pool, channel, &content, &ours, tally);
}

int wspool_broadcast(wspool *pool, wspool_channel channel, const void *message, size_t len,
                     const wspool_send_options *options, wspool_tally *tally)
{
    struct content content;
    wspool_send_options ours;
    if (!pool || (unsigned)channel.kind > WSPOOL_TOPIC) {
        return WSPOOL_ERR_INVAL;
    }
    if (!options) {
        options = &no_options;
    } else if (is_other_version(options)) {
        int error = wsp_options_read(&ours, options);
        if (error) {
            return error;
        }
        options = &ours;
    }
    content.count = 1;
    content.type.len = 0;
    int error =
        wsp_rendering_read(&content.list[0], pool->registry.rules[channel.kind].queue_bytes,
                           message, len, options->flags & WSPOOL_BINARY ? WSP_BINARY : WSP_TEXT);
    return error ? error : publish_checked(pool, channel, &content, options, tally);
}
