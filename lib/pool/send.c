/* SPDX-License-Identifier: MIT */
/* pool/send.c - messages to one peer, or to all peers of a subject.  Layer 4. */
#include <wspool/versioned.h>
#include "base/noinline.h"
#include "link/compact.h"
#include "pool/encode.h"
#include "pool/flush.h"
#include "pool/log.h"
#include "pool/options.h"
#include "pool/reap.h"

/* Checks options that are absent or of this version's size. */
static inline int read_options(const wspool_send_options *options, uint8_t *opcode)
{
    *opcode = options && (options->flags & WSPOOL_BINARY) ? WSP_BINARY : WSP_TEXT;
    return options && (options->flags & ~WSPOOL_BINARY) != 0 ? WSPOOL_ERR_INVAL : 0;
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
        error = wsp_encode(pool, checked, &frame);
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
    wsp_flush_soon(pool);
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
    int error = peer ? wsp_encode(pool, checked, &plain) : 0;
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
    wsp_flush_soon(pool);
    if (tally->closed > 0) {
        wsp_log(pool, WSP_LOG_SLOW, (wspool_log_record){.reason = "queue_full"});
    }
    return (int)tally->queued;
}

int wspool_send_to(wspool *pool, wspool_text subject, const void *message, size_t len,
                   const wspool_send_options *options, wspool_tally *theirs)
{
    wspool_tally tally = {.size = sizeof tally};
    wspool_send_options ours;
    struct wsp_rendering checked;
    uint8_t opcode;
    if (!pool || !wsp_subject_valid(subject) || wsp_options_read(&ours, options) ||
        read_options(&ours, &opcode) || ours.id.len > 0 || ours.key.len > 0 || ours.commit.call ||
        !priority_is_valid(&ours) || (theirs && theirs->size < sizeof theirs->size)) {
        return WSPOOL_ERR_INVAL;
    }
    int result = wsp_rendering_read(&checked, pool->config.queue_bytes, message, len, opcode);
    if (result) {
        return result;
    }
    wsp_enter(pool);
    int before = wsp_encode_choose(pool, priority_of(pool, &ours));
    result = send_to_all(pool, wsp_subjects_first(&pool->subjects, subject), &checked,
                         wsp_slots_find(&pool->peers, ours.except), &tally);
    wsp_encode_choose(pool, before);
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
    int before = wsp_encode_choose(pool, priority);
    error = send_to(pool, peer, &checked);
    wsp_encode_choose(pool, before);
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
    int error = wsp_options_read(&ours, theirs);
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
    wsp_encode_count(pool, frame_len);
    queued_one(pool, frame_len);
    wsp_frame_write(wsp_run_bytes(&frame), opcode, message, len);
    wsp_flush_soon(pool);
    return 0;
}
