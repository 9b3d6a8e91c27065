/* SPDX-License-Identifier: MIT */
/* pool/life.c - creates, wires and frees a pool.  Layer 4. */
#include <stddef.h>

#include <wspool/versioned.h>
#include "channel/record.h"
#include "pool/call.h"
#include "pool/channels.h"
#include "pool/deadline.h"
#include "pool/drain.h"
#include "pool/duplicates.h"
#include "pool/grant.h"
#include "pool/handlers.h"
#include "pool/mailbox.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "pool/refuse.h"
#include "pool/settings.h"
#include "pool/waiters.h"

/* -------------------------------------------------------------- upward ways */

static struct wsp_timer *timer_at(void *owner, uint32_t slot)
{
    const wspool *pool = owner;
    struct wsp_peer *peer = wsp_slots_at(&pool->peers, slot);
    return &peer->conn.timer;
}

static struct wsp_timer *grant_timer_at(void *owner, uint32_t slot)
{
    const wspool *pool = owner;
    return &wsp_grant_of(wsp_slots_at(&pool->peers, slot))->timer;
}

/* --------------------------------------------------------------------- life */

static void free_parts(wspool *pool)
{
    struct wsp_link *link = &pool->link;
    const wspool_mem mem = pool->config.mem;
    if (pool->histories.mem) {
        wsp_record_fini(&pool->registry);
        wsp_histories_fini(&pool->histories);
    }
    wsp_registry_fini(&pool->registry);
    wsp_limits_fini(&pool->limits);
    wsp_subjects_fini(&pool->subjects);
    wsp_revocations_fini(&pool->revocations);
    wsp_handshakes_fini(&pool->handshakes);
    wsp_routes_fini(&pool->routes, &mem);
    wsp_origins_fini(&pool->origins, &mem);
    wsp_origins_fini(&pool->hosts, &mem);
    wsp_inbounds_fini(&link->inbounds);
    wsp_decoders_fini(&link->decoders);
    wsp_outqs_fini(&link->outqs);
    wsp_blocks_fini(&link->blocks);
    wsp_bitset_fini(&link->ready, &mem);
    wsp_bitset_fini(&link->delayed, &mem);
    wsp_bitset_fini(&link->due, &mem);
    wsp_slots_fini(&pool->peers, &mem);
    wsp_handlers_fini(pool);
    wsp_settings_fini(&pool->config);
    wsp_free(&mem, pool);
}

int wspool_new(wspool **out, const wspool_config *given, uint64_t now)
{
    wspool_config config;
    uint64_t entropy[4];
    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    int error = now > WSP_NOW_MAX ? WSPOOL_ERR_INVAL : wsp_settings_copy(&config, given);
    if (error) {
        return error;
    }
    wspool *pool = wsp_calloc(&config.mem, 1, sizeof *pool);
    if (!pool) {
        wsp_settings_fini(&config);
        return WSPOOL_ERR_NOMEM;
    }
    pool->config = config;
    pool->handlers.deadline = UINT64_MAX;
    pool->drain.next = WSP_DRAIN_NEVER;
    pool->wall_read_at = now - WSPOOL_SECOND;
    struct wsp_link *link = &pool->link;
    const wspool_mem *mem = &pool->config.mem;
    link->mem = mem;
    link->config = &pool->config;
    link->low_bytes = link->low_messages = UINT32_MAX;
    wsp_conn_lower_watermark(link, config.queue_bytes, config.queue_messages);
    link->count = &pool->count;
    link->created_at = link->now = now;
    link->on_message = wsp_on_message;
    link->on_answer = wsp_duplicates_answered;
    link->new_output = config.flush_delay ? &link->delayed : &link->ready;
    link->flush_at = UINT64_MAX;
    pool->output_is_timed = config.flush_delay > 0;
    wsp_blocks_init(&link->blocks, mem, config.pool_bytes, &pool->count.block_bytes);
    link->blocks.now = &link->now;
    wsp_outqs_init(&link->outqs, mem);
    wsp_inbounds_init(&link->inbounds, mem, &link->decoders, &pool->config.codec);
    wsp_turn_init(&link->inbounds.turn, config.turn_deliveries, config.turn_bytes);
    wsp_timers_init(&link->timers, now, timer_at, pool);
    wsp_timers_init(&pool->grants, now, grant_timer_at, pool);
    if (config.deadline.call) {
        wsp_deadline_promise(pool);
    }
    wsp_slots_init(&pool->peers, sizeof(struct wsp_peer));
    wsp_handshakes_init(&pool->handshakes, mem, config.head_bytes);
    if (config.entropy.call(entropy, sizeof entropy, config.entropy.user) != 0) {
        error = WSPOOL_ERR_ENTROPY;
        goto fail;
    }
    link->random = entropy[2] | 1; /* the generator must not start with zero */
    wsp_registry_init(&pool->registry, mem, &(struct wsp_siphash_key){entropy[0], entropy[1]},
                      entropy[3] >> 1 | 1, &pool->count);
    wsp_histories_init(&pool->histories, mem, config.history_bytes, &pool->count.history_bytes,
                       &link->blocks);
    pool->registry.histories = &pool->histories;
    for (size_t kind = WSPOOL_NONE; kind <= WSPOOL_TOPIC; kind++) {
        pool->registry.rules[kind] = (struct wsp_rules){.slow = config.slow,
                                                        .queue_bytes = config.queue_bytes,
                                                        .queue_messages = config.queue_messages};
    }
    error = wsp_limits_init(&pool->limits, mem, &pool->config,
                            &(struct wsp_siphash_key){entropy[0], entropy[1]}, now);
    if (error) {
        goto fail;
    }
    wsp_subjects_init(&pool->subjects, mem, &(struct wsp_siphash_key){entropy[0], entropy[1]});
    wsp_revocations_init(&pool->revocations, mem, &(struct wsp_siphash_key){entropy[0], entropy[1]},
                         config.max_revocations);
    pool->registry.on_active = wsp_on_active;
    pool->registry.owner = pool;
    wsp_decoders_init(&link->decoders, mem);
    error = wsp_origins_init(&pool->origins, mem, config.origins);
    if (!error) {
        error = wsp_hosts_init(&pool->hosts, mem, config.hosts);
    }
    if (error) {
        goto fail;
    }
    pool->config.origins = pool->config.hosts = NULL;
    *out = pool;
    return 0;
fail:
    free_parts(pool);
    return error;
}

int wspool_free(wspool *pool)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    if (!pool) {
        return 0;
    }
    if (pool->depth > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    pool->freeing = 1;
    wsp_enter(pool);
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        if (wsp_in_handshake(peer)) {
            wsp_refuse(pool, peer, WSPOOL_REFUSED_GONE);
        } else {
            wsp_conn_end(&pool->link, &peer->conn, WSPOOL_END_POOL_FREED);
        }
    }
    while (!wsp_bitset_empty(&pool->link.due)) {
        wsp_reap(pool);
    }
    for (slot = 0; (peer = wsp_peer_next(pool, &slot)) != NULL;) {
        wsp_peer_free(pool, peer);
    }
    wsp_mailbox_fini(pool);
    wsp_waiters_fini(pool);
    free_parts(pool);
    return 0;
}

/* Limits without a number of messages would keep nothing. */
static int history_is_good(const wspool_history *history)
{
    return history->messages <= 1u << 24 && history->time <= WSPOOL_TIME_MAX &&
           history->max_keys <= 1u << 24 && history->tombstone_time <= WSPOOL_TIME_MAX &&
           (history->messages > 0 ||
            (history->bytes == 0 && history->time == 0 && history->max_keys == 0)) &&
           (history->max_keys > 0 || history->tombstone_time == 0);
}

static int route_is_good(const wspool *pool, const wspool_route_options *route)
{
    const wspool_config *config = &pool->config;
    return (route->flags & ~WSPOOL_ROUTE_NO_TOKEN) == 0 &&
           (unsigned)route->slow <= WSPOOL_SLOW_BEHIND && route->message_bytes > 0 &&
           route->message_bytes < 1u << 30 && history_is_good(&route->history) &&
           route->queue_bytes >= WSP_SMALLEST_QUEUE && route->queue_bytes <= config->queue_bytes &&
           route->queue_messages <= config->queue_messages &&
           route->send_interval <= WSPOOL_TIME_MAX &&
           (route->send_interval == 0 || route->history.max_keys > 0) &&
           route->priority >= WSPOOL_LOW && route->priority <= WSPOOL_HIGH &&
           (unsigned)route->duplicates <= WSPOOL_DUPLICATES_OLDEST &&
           (route->duplicates != WSPOOL_DUPLICATES_OLDEST || config->pong_time > 0);
}

int wspool_route(wspool *pool, const char *pattern, enum wspool_kind kind,
                 const wspool_route_options *options)
{
    wspool_route_options filled;
    int error = wsp_call(pool, 1, WSP_OUTSIDE);
    if (error) {
        return error;
    }
    wspool_route_options_init(&filled, &pool->config);
    if (options && wspool_versioned_read(&filled, sizeof filled, options)) {
        return WSPOOL_ERR_INVAL;
    }
    filled.queue_bytes = filled.queue_bytes ? filled.queue_bytes : pool->config.queue_bytes;
    filled.queue_messages =
        filled.queue_messages ? filled.queue_messages : pool->config.queue_messages;
    if ((unsigned)kind > WSPOOL_TOPIC || !route_is_good(pool, &filled)) {
        return WSPOOL_ERR_INVAL;
    }
    error = wsp_routes_add(&pool->routes, &pool->config.mem, pattern, kind, &filled);
    if (!error) {
        pool->registry.rules[kind] = pool->routes.list[pool->routes.count - 1].rules;
        wsp_conn_lower_watermark(&pool->link, filled.queue_bytes, filled.queue_messages);
        pool->registry.priorities |= 1u << (1 + (int)filled.priority);
    }
    return error;
}
