/* SPDX-License-Identifier: MIT */
/* pool/publish.c - broadcast and send: one encoded frame, one block, many queues.  Layer 4. */
#include <string.h>

#include <wspool/versioned.h>
#include "base/noinline.h"
#include "channel/broadcast.h"
#include "channel/keyed.h"
#include "channel/record.h"
#include "link/compact.h"
#include "pool/call.h"
#include "pool/channels.h"
#include "pool/contracts.h"
#include "pool/log.h"
#include "pool/pace.h"
#include "pool/reap.h"
#include "pool/shed.h"
#include "pool/waiters.h"
#include "pool/wall.h"

/* Reserves room for an encoded frame, and sheds peers if necessary. Returns 0, FULL, TOO_BIG or
 * NOMEM. */
static int make_room(wspool *pool, uint32_t frame_len, uint8_t **room)
{
    int error;
    if (wsp_block_memory(frame_len) > pool->config.pool_bytes) {
        return WSPOOL_ERR_TOO_BIG;
    }
    while ((*room = wsp_blocks_room(&pool->link.blocks, frame_len, &error)) == NULL) {
        if (error != WSPOOL_ERR_FULL) {
            return WSPOOL_ERR_NOMEM;
        }
        if (wsp_shed(pool, frame_len) == 0) {
            wsp_count_add(&pool->count.budget_refused, 1);
            return WSPOOL_ERR_FULL;
        }
    }
    return 0;
}

/* Counts an encoded message. */
static inline void count_frame(wspool *pool, uint32_t len)
{
    wsp_count_add(&pool->count.encoded, 1);
    wsp_count_add(&pool->count.encoded_bytes, len);
}

/* Writes the plain frame of a message. Returns 0, FULL, TOO_BIG or NOMEM. */
static int encode(wspool *pool, const struct wsp_rendering *rendering, struct wsp_run *frame)
{
    const struct wsp_message *message = &rendering->message;
    uint8_t *room;
    int error = make_room(pool, rendering->frame_len, &room);
    if (!error) {
        wsp_frame_write(room, message->opcode, message->data, message->len);
        *frame = wsp_blocks_commit(&pool->link.blocks, rendering->frame_len);
        count_frame(pool, rendering->frame_len);
    }
    return error;
}

/* The same for the contracts behind the first one that are in use. Their frames go to the block of
 * compressed ones, so that the frames of one queue stay adjacent. */
static WSP_NOINLINE int encode_others(wspool *pool, const struct wsp_rendering *list,
                                      struct wsp_encodings *encodings)
{
    int error = 0;
    wsp_blocks_swap(&pool->link.blocks);
    for (uint32_t i = 1; !error && i < pool->contracts.count; i++) {
        struct wsp_run frame;
        if (pool->contracts.in_use >> i & 1u) {
            error = encode(pool, &list[i], &frame);
            if (!error) {
                wsp_encodings_add(encodings, i, &frame, &list[i].message);
            }
        }
    }
    wsp_blocks_swap(&pool->link.blocks);
    return error;
}

/* Checks options that are absent or of this version's size. */
static inline int read_options(const wspool_send_options *options, uint8_t *opcode)
{
    *opcode = options && (options->flags & WSPOOL_BINARY) ? WSP_BINARY : WSP_TEXT;
    return options && (options->flags & ~WSPOOL_BINARY) != 0 ? WSPOOL_ERR_INVAL : 0;
}

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

/* Converts such options to this version's. Returns 0 or INVAL. */
static int convert_options(const wspool_send_options *theirs, wspool_send_options *ours)
{
    *ours = (wspool_send_options){.size = sizeof *ours};
    return wspool_versioned_read(ours, sizeof *ours, theirs);
}

static WSP_NOINLINE void time_output(wspool *pool)
{
    pool->output_is_timed = 0;
    if (pool->config.flush_delay && pool->link.flush_at == UINT64_MAX) {
        pool->link.flush_at = pool->link.now + pool->config.flush_delay;
    }
    if (pool->depth == 0) { /* the fast path of wspool_send, which does not end with wsp_leave */
        wsp_enter(pool);
        wsp_leave(pool);
    }
}
/* Messages were queued: they are written flush_delay after the first of them, and a sleeping host
 * is told. */
static inline void flush_soon(wspool *pool)
{
    if (pool->output_is_timed) {
        time_output(pool);
    }
}

/* Returns 1 if these options of a message to one peer, or to a subject, are possible. */
static int priority_is_valid(const wspool_send_options *options)
{
    return (unsigned)options->kind <= WSPOOL_TOPIC && options->priority >= WSPOOL_LOW &&
           options->priority <= WSPOOL_HIGH;
}

/* Returns the priority of such a message. */
static int priority_of(const wspool *pool, const wspool_send_options *options)
{
    return options->kind == WSPOOL_NONE ? options->priority
                                        : pool->registry.rules[options->kind].priority;
}

/* Messages of that priority are encoded from now on. Returns the present one. No hook that may call
 * the pool runs before that is chosen again. */
static inline int choose_priority(wspool *pool, int priority)
{
    int before = pool->link.blocks.priority;
    if (priority != before) {
        wsp_blocks_choose(&pool->link.blocks, priority);
    }
    return before;
}

/* What is published: one message for all, or one for each contract. */
struct content {
    struct wsp_rendering list[WSPOOL_CONTRACTS];
    uint32_t count;         /* 0: it is not rendered yet */
    wspool_text type, data; /* the parts; no type: there are none */
};

/* Lets the application commit the message. Returns 0, or STATE if it cancelled. */
static WSP_NOINLINE int call_commit(wspool *pool, const struct wsp_channel *channel,
                                    const wspool_send_options *options,
                                    const struct content *content)
{
    const struct wsp_message *bytes = &content->list[0].message;
    const int has_parts = content->type.len > 0;
    const wspool_channel_position position = {.epoch = channel->epoch,
                                              .offset = channel->offset + 1};
    const wspool_seed_message message = {.size = sizeof message,
                                         .flags = options->flags,
                                         .data = has_parts ? content->data.data : bytes->data,
                                         .len = has_parts ? content->data.len : bytes->len,
                                         .time = wsp_wall(pool),
                                         .key = options->key,
                                         .type = content->type};
    const int before = choose_priority(pool, WSPOOL_NORMAL); /* it may send */
    pool->composing = 1;
    int cancelled = options->commit.call(&position, &message, options->commit.user) != 0;
    pool->composing = 0;
    choose_priority(pool, before);
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
static void record(wspool *pool, struct wsp_channel *channel, const struct wsp_run *frame,
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
static WSP_NOINLINE int record_keyed(wspool *pool, struct wsp_channel *channel,
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

/* Makes the messages of a publication. */
static WSP_NOINLINE int render(wspool *pool, const struct wsp_channel *channel, uint64_t offset,
                               const wspool_send_options *options, struct content *content)
{
    wspool_publication publication = {.channel = wsp_channel_name(channel),
                                      .epoch = channel->epoch,
                                      .offset = offset,
                                      .time = wsp_wall(pool),
                                      .type = content->type,
                                      .data = content->data,
                                      .key = options->key,
                                      .removed = (options->flags & WSPOOL_REMOVE) != 0};
    content->count = pool->contracts.count;
    return wsp_contracts_render(pool, channel, &publication, channel->rules->history.messages > 0,
                                content->list);
}

static int publish(wspool *pool, wspool_channel name, struct content *content,
                   const wspool_send_options *options, wspool_tally *tally)
{
    const wspool_text id = options->id;
    const wspool_history *history = &pool->registry.rules[name.kind].history;
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    struct wsp_peer *except =
        options->except ? wsp_slots_find(&pool->peers, options->except) : NULL;
    const uint64_t mark = except ? wsp_subjects_mark(&pool->subjects, except) : 0;
    struct wsp_run frame;
    struct wsp_encodings encodings;
    int error = 0;
    if (!channel && history->messages > 0) {
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
    if (content->count == 0) {
        error = render(pool, channel, position.offset, options, content);
    }
    if (!error && id.len > 0) {
        error = wsp_record_id(&pool->registry, channel, id, pool->link.now);
    }
    if (error) {
        wsp_registry_drop_unused(&pool->registry, channel);
        return error;
    }
    const int before = choose_priority(pool, channel->rules->priority);
    error = encode(pool, &content->list[0], &frame);
    if (!error) {
        wsp_encodings_init(&encodings, &frame, &content->list[0].message);
        if (content->count > 1) {
            error = encode_others(pool, content->list, &encodings);
        }
        if (!error && options->commit.call && history->max_keys == 0) {
            error = call_commit(pool, channel, options, content);
        }
        if (!error && history->messages > 0) {
            if (history->max_keys > 0) { /* then the application commits when it has room */
                error = record_keyed(pool, channel, &frame, content, options, mark);
            } else {
                record(pool, channel, &frame, content, mark);
            }
        }
        if (error) {
            wsp_encodings_fini(&encodings);
        }
    }
    if (error) {
        choose_priority(pool, before);
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
    const uint32_t live = channel->live;
    const uint32_t excepted = except ? leave_out(except, channel) : 0;
    wsp_broadcast(&pool->link, channel, &encodings, excepted, tally);
    if (except) {
        take_in(except);
    }
    wsp_encodings_fini(&encodings);
    choose_priority(pool, before);
    const int fell_behind = channel->live < live;
    if (channel->pace) {
        wsp_pace_published(pool, channel);
    }
    if (channel->waiters) {
        wsp_waiters_wake(pool, channel);
    }
    wsp_registry_drop_unused(&pool->registry, channel);
    flush_soon(pool);
    if (tally->closed > 0 || fell_behind) {
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
    wspool_send_options ours = no_options;
    if (!pool || !type.data || type.len == 0 || (!data.data && data.len > 0) ||
        (options && convert_options(options, &ours)) || (ours.flags & WSPOOL_BINARY)) {
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
        int error = convert_options(options, &ours);
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

/* Returns 1 if a queue has room for a message to this peer alone. What channels have queued for a
 * peer that is behind may fill its queue, so such messages have an eighth more. */
static int has_room(const wspool *pool, const struct wsp_outq *out, uint32_t len)
{
    uint64_t bytes = pool->config.queue_bytes, messages = pool->config.queue_messages;
    if (out->marks & WSP_MARK_BEHIND) {
        bytes += bytes / 8;
        messages += messages / 8 + 1;
    }
    return out->bytes + len <= bytes && out->count < messages;
}

/* Returns the watermark for a message that belongs to no channel. */
static inline struct wsp_watermark high_watermark(const wspool_config *config)
{
    return wsp_conn_high_watermark(config->queue_bytes, config->queue_messages);
}

/* Counts a frame that was queued for a single peer. */
static inline void queued_one(wspool *pool, uint32_t len)
{
    wsp_count_add(&pool->count.deliveries, 1);
    wsp_count_add(&pool->count.queued, 1);
    wsp_count_add(&pool->count.waiting_bytes, len);
}

/* Encodes the message for one peer and queues it. */
static int send_to(wspool *pool, struct wsp_peer *peer, const struct wsp_rendering *checked)
{
    struct wsp_link *link = &pool->link;
    const struct wsp_outq *out = &peer->conn.out;
    unsigned encoding = wsp_outq_encoding(out);
    struct wsp_run frame;
    int error = 0;
    if (encoding == 0 || !wsp_encoding_write(link, encoding, &checked->message, &frame)) {
        error = encode(pool, checked, &frame);
    }
    if (error) {
        return error;
    }
    if (!out->accepts) {
        return WSPOOL_ERR_STATE; /* it was shed to make room for this message */
    }
    int result = wsp_conn_push(link, &peer->conn, &frame);
    if (result < 0) {
        return result;
    }
    queued_one(pool, frame.bytes);
    flush_soon(pool);
    wsp_conn_update_watermark(link, &peer->conn, high_watermark(&pool->config));
    if (result > 0) {
        /* No other peer shares these frames: all of their memory is due to this peer. */
        wsp_outq_compact(&peer->conn.out, &link->outqs, &link->blocks, pool->config.queue_bytes);
    }
    return 0;
}

/* Queues a message for a peer, or closes the peer, as a broadcast does. */
static void push_or_close(wspool *pool, struct wsp_peer *peer, const struct wsp_run *frame,
                          wspool_tally *tally)
{
    struct wsp_conn *conn = &peer->conn;
    if (!has_room(pool, &conn->out, frame->bytes) || wsp_conn_push(&pool->link, conn, frame) < 0) {
        tally->closed++;
        wsp_count_add(&pool->count.deliveries, 1);
        wsp_count_add(&pool->count.slow_closes, 1);
        wsp_conn_fail(&pool->link, conn, WSPOOL_END_SLOW, 1);
        return;
    }
    queued_one(pool, frame->bytes);
    wsp_conn_update_watermark(&pool->link, conn, high_watermark(&pool->config));
    tally->queued++;
    tally->slow += conn->out.blocked;
}

/* Returns the first peer of a list, from `peer` on, that takes messages and is not excepted; NULL:
 * none. */
static struct wsp_peer *next_of(struct wsp_peer *peer, const struct wsp_peer *except)
{
    while (peer && (!peer->conn.out.accepts || (except && wsp_subjects_are_same(except, peer)))) {
        peer = wsp_subjects_next(peer);
    }
    return peer;
}

static int send_to_all(wspool *pool, struct wsp_peer *peer, const struct wsp_rendering *checked,
                       const struct wsp_peer *except, wspool_tally *tally)
{
    struct wsp_encodings encodings;
    struct wsp_run plain;
    peer = next_of(peer, except);
    int error = peer ? encode(pool, checked, &plain) : 0;
    if (!peer || error) {
        return error;
    }
    wsp_encodings_init(&encodings, &plain, &checked->message);
    while ((peer = next_of(peer, except)) != NULL) { /* the first may have been shed */
        unsigned encoding = wsp_outq_encoding(&peer->conn.out);
        push_or_close(pool, peer, wsp_encodings_of(&pool->link, &encodings, encoding), tally);
        peer = wsp_subjects_next(peer);
    }
    wsp_encodings_fini(&encodings);
    flush_soon(pool);
    if (tally->closed > 0) {
        wsp_log(pool, WSP_LOG_SLOW, (wspool_log_record){.reason = "queue_full"});
    }
    return (int)tally->queued;
}

int wspool_send_to(wspool *pool, wspool_text subject, const void *message, size_t len,
                   const wspool_send_options *options, wspool_tally *theirs)
{
    wspool_tally tally = {.size = sizeof tally};
    wspool_send_options ours = no_options;
    struct wsp_rendering checked;
    uint8_t opcode;
    if (!pool || !wsp_subject_valid(subject) || (options && convert_options(options, &ours)) ||
        read_options(&ours, &opcode) || ours.id.len > 0 || ours.key.len > 0 || ours.commit.call ||
        !priority_is_valid(&ours) || (theirs && theirs->size < sizeof theirs->size)) {
        return WSPOOL_ERR_INVAL;
    }
    int result = wsp_rendering_read(&checked, pool->config.queue_bytes, message, len, opcode);
    if (result) {
        return result;
    }
    wsp_enter(pool);
    int before = choose_priority(pool, priority_of(pool, &ours));
    result = send_to_all(pool, wsp_subjects_first(&pool->subjects, subject), &checked,
                         wsp_slots_find(&pool->peers, ours.except), &tally);
    choose_priority(pool, before);
    wsp_leave(pool);
    if (theirs && result >= 0) {
        wspool_versioned_write(theirs, &tally, sizeof tally);
    }
    return result;
}

/* The slow path of a message to one peer, or to a stale id: makes every check. */
static WSP_NOINLINE int send_slow(wspool *pool, struct wsp_peer *peer, const void *message,
                                  size_t len, uint8_t opcode, int priority)
{
    struct wsp_rendering checked;
    int error = wsp_rendering_read(&checked, pool->config.queue_bytes, message, len, opcode);
    if (error) {
        return error;
    }
    if (!peer) {
        wsp_count_add(&pool->count.stale_ids, 1);
        return WSPOOL_ERR_STALE;
    }
    const struct wsp_outq *out = &peer->conn.out;
    if (!out->accepts) {
        return WSPOOL_ERR_STATE;
    }
    if (!has_room(pool, out, checked.frame_len)) {
        return WSPOOL_ERR_FULL;
    }
    wsp_enter(pool);
    int before = choose_priority(pool, priority);
    error = send_to(pool, peer, &checked);
    choose_priority(pool, before);
    wsp_leave(pool);
    return error;
}

/* Options that the fast path does not read: of another version's size, or with a priority. */
static inline int has_more_options(const wspool_send_options *options)
{
    return options && (options->size != sizeof *options || options->kind != WSPOOL_NONE ||
                       options->priority != WSPOOL_NORMAL);
}

static WSP_NOINLINE int send_with_options(wspool *pool, wspool_id id, const void *message,
                                          size_t len, const wspool_send_options *theirs)
{
    wspool_send_options ours;
    uint8_t opcode;
    int error = convert_options(theirs, &ours);
    if (error) {
        return error;
    }
    if (!pool || read_options(&ours, &opcode) || !priority_is_valid(&ours)) {
        return WSPOOL_ERR_INVAL;
    }
    return send_slow(pool, wsp_slots_find(&pool->peers, id), message, len, opcode,
                     priority_of(pool, &ours));
}

/* The fast path of nearly all messages. It checks more than the slow path, so that it can do
 * less: a queue that stays below its high watermark is within its limits, and a frame that fits
 * into the current block is within the pool's budget. Nothing can fail, no event is deferred, and
 * the only hook that may run is the one for the deadline. So the frame itself can be written
 * late. */
int wspool_send(wspool *pool, wspool_id id, const void *message, size_t len,
                const wspool_send_options *options)
{
    uint8_t opcode;
    if (has_more_options(options)) {
        return send_with_options(pool, id, message, len, options);
    }
    if (!pool || read_options(options, &opcode)) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_peer *peer = wsp_slots_find(&pool->peers, id);
    const struct wsp_watermark high = high_watermark(&pool->config);
    struct wsp_blocks *blocks = &pool->link.blocks;
    if (!peer || !message || len >= high.bytes) {
        return send_slow(pool, peer, message, len, opcode, WSPOOL_NORMAL);
    }
    const struct wsp_outq *out = &peer->conn.out;
    uint32_t frame_len = wsp_frame_head_len(len) + (uint32_t)len;
    if (!wsp_outq_takes_plain(out) || !wsp_conn_stays_below_high(&peer->conn, high, frame_len) ||
        !wsp_blocks_have_room(blocks, frame_len)) {
        return send_slow(pool, peer, message, len, opcode, WSPOOL_NORMAL);
    }
    struct wsp_run frame = wsp_blocks_next(blocks, frame_len);
    if (out->bytes > 0 && !wsp_outq_joins(out, &frame)) {
        return send_slow(pool, peer, message, len, opcode, WSPOOL_NORMAL);
    }
    wsp_blocks_commit(blocks, frame_len);
    wsp_conn_push(&pool->link, &peer->conn, &frame);
    count_frame(pool, frame_len);
    queued_one(pool, frame_len);
    wsp_frame_write(wsp_run_bytes(&frame), opcode, message, len);
    flush_soon(pool);
    return 0;
}
