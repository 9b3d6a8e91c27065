/* SPDX-License-Identifier: MIT */
/* pool/publish.c - broadcast and send: one image, one block, many queues. See pool/pool.h. */
#include <string.h>

#include "base/growing.h"
#include "channel/broadcast.h"
#include "link/tidy.h"
#include "pool/pool.h"

/* Closes a blocked peer and frees what waits for it. A message that was sent in part holds its
 * whole block, and would until closing_time has passed: when it is the turn of a peer that is
 * closing already, that goes too, and its Close with it. */
static void shed_peer(wspool *pool, struct wsp_conn *conn)
{
    if (conn->state == WSP_OPEN) {
        wsp_count_add(&pool->count.shed, 1);
        wsp_conn_fail(&pool->link, conn, WSPOOL_END_SHED, 1);
    } else {
        wsp_conn_end(&pool->link, conn, WSPOOL_END_SHED);
        wsp_conn_drop_output(&pool->link, conn, 0);
    }
}

static int can_be_shed(const struct wsp_conn *conn)
{
    return conn->out.blocked && conn->out.bytes > 0 && !wsp_outq_under_way(&conn->out);
}

/* What is held is blocks, be it by a single byte. `seen` counts their holds by those who can be
 * shed. */
struct held {
    const struct wsp_block *before; /* of the queue's run before this one */
    uint64_t memory;
};

static void forget_block(const struct wsp_run *run, void *user)
{
    (void)user;
    run->block->seen = 0;
}

static void add_block(const struct wsp_run *run, void *user)
{
    struct held *held = user;
    if (run->block != held->before) {
        held->memory += wsp_block_size(run->block);
    }
    held->before = run->block;
    run->block->seen++;
}

/* A block that nobody else needs would come back. Each counts once. */
static void add_free_block(const struct wsp_run *run, void *user)
{
    struct wsp_block *block = run->block;
    uint32_t open = wsp_block_is_open(block->store, block) ? 1 : 0;
    if (block->seen > 0 && block->seen + open == block->holds) {
        *(uint64_t *)user += wsp_block_size(block);
    }
    block->seen = 0;
}

static uint64_t memory_held(const struct wsp_conn *conn)
{
    struct held held = {0};
    wsp_outq_each(&conn->out, add_block, &held);
    return held.memory;
}

static void each_to_shed(wspool *pool, void (*visit)(const struct wsp_run *run, void *user),
                         void *user)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    while ((peer = wsp_next_peer(pool, &slot)) != NULL) {
        if (can_be_shed(&peer->conn)) {
            wsp_outq_each(&peer->conn.out, visit, user);
        }
    }
}

/* The pool's budget for output is spent, and an image of `len` bytes needs room: of the blocked
 * peers those are shed that hold most, all with at least half of what the first of them has; but
 * none when that many bytes would not come back though all were, for then they are held by others.
 * Answers how many were shed. */
static uint32_t shed(wspool *pool, uint32_t len)
{
    struct wsp_peer *peer;
    uint32_t count = 0, slot = 0;
    uint64_t most = 0, back = 0;
    if (pool->link.blocked == 0) {
        return 0;
    }
    each_to_shed(pool, forget_block, NULL);
    while ((peer = wsp_next_peer(pool, &slot)) != NULL) {
        if (can_be_shed(&peer->conn)) {
            uint64_t memory = memory_held(&peer->conn);
            most = memory > most ? memory : most;
        }
    }
    each_to_shed(pool, add_free_block, &back);
    for (slot = 0; back >= len && (peer = wsp_next_peer(pool, &slot)) != NULL;) {
        if (can_be_shed(&peer->conn) && memory_held(&peer->conn) >= most / 2) {
            shed_peer(pool, &peer->conn);
            count++;
        }
    }
    return count;
}

static uint8_t opcode_of(const wspool_send_options *options)
{
    return options->flags & WSPOOL_BINARY ? WSP_BINARY : WSP_TEXT;
}

/* Writes the plain image of a message. 0, FULL, TOO_BIG or NOMEM. */
static int encode(wspool *pool, const void *message, size_t len, uint8_t opcode,
                  struct wsp_run *image)
{
    struct wsp_link *link = &pool->link;
    uint32_t image_len = wsp_frame_head_len(len) + (uint32_t)len;
    int error = 0;
    uint8_t *room;
    if (wsp_block_memory(image_len) > pool->config.pool_bytes) {
        return WSPOOL_ERR_TOO_BIG;
    }
    while ((room = wsp_blocks_room(&link->blocks, image_len, &error)) == NULL) {
        if (error != WSPOOL_ERR_FULL) {
            return WSPOOL_ERR_NOMEM;
        }
        if (shed(pool, image_len) == 0) {
            wsp_count_add(&pool->count.budget_refused, 1);
            return WSPOOL_ERR_FULL;
        }
    }
    wsp_frame_write(room, opcode, message, len);
    *image = wsp_blocks_commit(&link->blocks, image_len);
    wsp_count_add(&pool->count.encoded, 1);
    wsp_count_add(&pool->count.encoded_bytes, image_len);
    return 0;
}

/* What all calls ask of their options. */
static int check_options(const wspool *pool, const wspool_send_options *given,
                         wspool_send_options *options)
{
    *options = (wspool_send_options){.size = sizeof *options};
    if (given && given->size == sizeof *options) { /* nearly always */
        *options = *given;
    } else if (given && wsp_growing_copy(options, sizeof *options, given)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!pool || (options->flags & ~WSPOOL_BINARY) != 0) {
        return WSPOOL_ERR_INVAL;
    }
    return 0;
}

static int check_message(const wspool *pool, const void *message, size_t len)
{
    if (!message && len > 0) {
        return WSPOOL_ERR_INVAL;
    }
    if (len > pool->config.queue_bytes ||
        wsp_frame_head_len(len) + len > pool->config.queue_bytes) {
        return WSPOOL_ERR_TOO_BIG;
    }
    return 0;
}

static void fill_tally(wspool_tally *theirs, wspool_tally ours)
{
    size_t size = theirs->size < sizeof ours ? theirs->size : sizeof ours;
    ours.size = theirs->size;
    memcpy(theirs, &ours, size);
}

/* The message that is to be sent at a position, asked of its writer. */
static int ask_writer(const wspool *pool, const struct wsp_channel *channel, wspool_writer writer,
                      const struct wspool_position *position, wspool_text *message)
{
    uint64_t gone = pool->registry.gone;
    if (writer.call(position, message, writer.user) != 0) {
        return WSPOOL_ERR_STATE;
    }
    /* It must not call the pool; one that does all the same may have changed the channel. */
    if (pool->registry.gone != gone || channel->offset + 1 != position->offset) {
        return WSPOOL_ERR_STATE;
    }
    return check_message(pool, message->data, message->len);
}

/* Messages were queued: they go out when flush_delay has passed since the first of them. */
static void flush_soon(struct wsp_link *link)
{
    if (link->config->flush_delay && link->flush_at == UINT64_MAX) {
        link->flush_at = link->now + link->config->flush_delay;
    }
}

static int publish(wspool *pool, wspool_channel name, wspool_writer writer,
                   const wspool_send_options *options, wspool_tally *tally)
{
    struct wsp_channel *channel = wsp_registry_find(&pool->registry, name);
    struct wsp_run image;
    struct wsp_images images;
    wspool_text message = {0};
    if (!channel) {
        wsp_registry_missed(&pool->registry);
        return 0;
    }
    struct wspool_position position = {channel->epoch, channel->offset + 1};
    int error = ask_writer(pool, channel, writer, &position, &message);
    if (!error) {
        error = encode(pool, message.data, message.len, opcode_of(options), &image);
    }
    if (error) {
        return error;
    }
    channel->offset++;
    tally->position = position;
    wsp_count_add(&pool->count.published, 1);
    wsp_images_init(&images, &image, opcode_of(options), message.data, message.len);
    wsp_broadcast(&pool->link, channel, &images, wsp_slots_find(&pool->peers, options->except),
                  tally);
    wsp_images_fini(&images);
    flush_soon(&pool->link);
    if (tally->closed > 0 || tally->dropped > 0 || tally->replaced > 0) {
        wsp_log(pool, WSP_LOG_SLOW, (wspool_log_record){.reason = "queue_full"});
    }
    return (int)tally->queued;
}

int wspool_broadcast_written(wspool *pool, wspool_channel channel, wspool_writer writer,
                             const wspool_send_options *given, wspool_tally *theirs)
{
    wspool_send_options options;
    wspool_tally tally = {.size = sizeof tally};
    if (check_options(pool, given, &options) || !writer.call || !wsp_channel_valid(channel) ||
        (theirs && theirs->size < sizeof theirs->size)) {
        return WSPOOL_ERR_INVAL;
    }
    wsp_enter(pool);
    int result = publish(pool, channel, writer, &options, &tally);
    wsp_leave(pool);
    if (theirs && result >= 0) {
        fill_tally(theirs, tally);
    }
    return result;
}

static int give_bytes(const struct wspool_position *position, wspool_text *message, void *user)
{
    (void)position;
    *message = *(const wspool_text *)user;
    return 0;
}

int wspool_broadcast(wspool *pool, wspool_channel channel, const void *message, size_t len,
                     const wspool_send_options *options, wspool_tally *tally)
{
    wspool_text bytes = {message, len};
    int error = pool ? check_message(pool, message, len) : WSPOOL_ERR_INVAL;
    if (error) {
        return error;
    }
    return wspool_broadcast_written(pool, channel, (wspool_writer){give_bytes, &bytes}, options,
                                    tally);
}

int wspool_send(wspool *pool, wspool_id id, const void *message, size_t len,
                const wspool_send_options *given)
{
    wspool_send_options options;
    struct wsp_run image;
    int error = check_options(pool, given, &options);
    if (!error) {
        error = check_message(pool, message, len);
    }
    if (error) {
        return error;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    struct wsp_outq *out = &peer->conn.out;
    const wspool_config *config = &pool->config;
    if (!out->open) {
        return WSPOOL_ERR_STATE;
    }
    if (out->bytes + wsp_frame_head_len(len) + len > config->queue_bytes ||
        out->count >= config->queue_messages) {
        return WSPOOL_ERR_FULL;
    }
    wsp_enter(pool);
    unsigned form = wsp_outq_form(out);
    uint8_t opcode = opcode_of(&options);
    if (form == 0 || !wsp_form_encode(&pool->link, form, opcode, message, len, &image)) {
        error = encode(pool, message, len, opcode, &image);
    }
    if (!error && !out->open) {
        error = WSPOOL_ERR_STATE; /* it was shed to make room for this */
    }
    const struct wsp_block *before = wsp_outq_last_block(out);
    if (!error) {
        error = wsp_conn_push(&pool->link, &peer->conn, &image, wsp_conn_press(&pool->link));
    }
    if (!error) {
        wsp_count_add(&pool->count.deliveries, 1);
        wsp_count_add(&pool->count.queued, 1);
        wsp_count_add(&pool->count.waiting_bytes, image.bytes);
        flush_soon(&pool->link);
        if (out->more && image.block != before) { /* it holds one more block now */
            /* Nobody shares what is sent to one: all of that memory is this peer's doing. */
            wsp_outq_tidy(out, &pool->link.stock, &pool->link.blocks, config->queue_bytes);
        }
    }
    wsp_leave(pool);
    return error;
}
