/* SPDX-License-Identifier: MIT */
/*
 * pool/stats.c - reads the counters and checks the books. Changes nothing.  Layer 4.
 *
 * wspool_check verifies, besides the invariants of the pool and of all modules (pool/check.h), that
 * - the equations of wspool/stats.h hold;
 * - the gauges are the sums over the peers, their queues and the registry;
 * - each block has one reference per run that refers to it, and the store's bytes are those of all
 *   blocks.
 */
#include <wspool/versioned.h>
#include "channel/keyed.h"
#include "pool/check.h"
#include "pool/peers.h"

_Static_assert(WSPOOL_REFUSAL_COUNT <= WSPOOL_STATS_REFUSALS, "room for every refusal");
_Static_assert(WSPOOL_END_COUNT <= WSPOOL_STATS_ENDS, "room for every end");
_Static_assert(WSPOOL_STAGE_COUNT <= WSPOOL_STATS_STAGES, "room for every stage");
_Static_assert(WSPOOL_TOKEN_PLACES < WSPOOL_STATS_PLACES, "room for every place");
_Static_assert(WSPOOL_SILENCE_COUNT <= WSPOOL_STATS_SILENCES, "room for every silence");

static wspool_statistics read_counts(const wspool *pool)
{
    wspool_statistics stats = {0};
    const struct wsp_counters *count = &pool->count;
#define WSPOOL_X(name, unit, help) stats.name = wsp_count_read(&count->name);
#define WSPOOL_DERIVED(name, unit, help)
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES_OR_DERIVED(WSPOOL_X, WSPOOL_DERIVED)
#undef WSPOOL_DERIVED
#undef WSPOOL_X
    /* Derived, because a stored value would be written with each message to each peer; the check
     * of the books compares it with the queues. On another thread the other counters may be
     * ahead of `queued`. */
    uint64_t left = stats.sent + stats.dropped_closed;
    stats.waiting = stats.queued > left ? stats.queued - left : 0;
    stats.input_bytes = wsp_count_read(&pool->link.inbounds.held);
#define WSPOOL_X(name, unit, help) wsp_histogram_read(&count->name, 0, &stats.name);
    WSPOOL_HISTOGRAMS(WSPOOL_X)
#undef WSPOOL_X
    for (size_t i = 0; i < WSPOOL_SILENCE_COUNT; i++) {
        stats.lost_after[i] = wsp_count_read(&count->lost_after[i]);
    }
    for (size_t i = 0; i <= WSPOOL_TOKEN_PLACES; i++) {
        stats.token_found[i] = wsp_count_read(&count->token_found[i]);
        stats.token_blank[i] = wsp_count_read(&count->token_blank[i]);
    }
    for (size_t i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        stats.refused[i] = wsp_count_read(&count->refused[i]);
    }
    for (size_t i = 0; i < WSPOOL_END_COUNT; i++) {
        stats.ended[i] = wsp_count_read(&count->ended[i]);
    }
    for (size_t i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        const struct wsp_stage_counts *stage = &count->stages[i];
        stats.stages[i].passed = wsp_count_read(&stage->passed);
        stats.stages[i].refused = wsp_count_read(&stage->refused);
        stats.stages[i].gone = wsp_count_read(&stage->gone);
        stats.stages[i].time = wsp_count_read(&stage->time);
        wsp_histogram_read(&stage->times, stats.stages[i].passed, &stats.stages[i].times);
    }
    return stats;
}

int wspool_stats(const wspool *pool, wspool_statistics *out)
{
    if (!pool || !out) {
        return WSPOOL_ERR_INVAL;
    }
    wspool_statistics stats = read_counts(pool);
    return wspool_versioned_write(out, &stats, sizeof stats);
}

/* -------------------------------------------------------------------- books */

static uint64_t sum(const uint64_t *numbers, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += numbers[i];
    }
    return total;
}

static int equations_are_true(const wspool_statistics *s)
{
    return s->attempts ==
               s->accepted + sum(s->refused, WSPOOL_REFUSAL_COUNT) + s->plain + s->handshakes &&
           s->accepted == s->peers + sum(s->ended, WSPOOL_END_COUNT) &&
           s->deliveries == s->queued + s->slow_closes &&
           s->queued == s->sent + s->dropped_closed + s->waiting;
}

/* A block has one reference per run, and one more while it is a current block or a segment of a
 * history. Three walks over all runs and segments: clear the counts, count, compare. */
struct block_books {
    const struct wsp_blocks *queues;
    uint64_t bytes, history_bytes;
    int good;
};

static void forget(struct wsp_block *block, void *user)
{
    (void)user;
    block->seen = 0;
}

static void count_reference(struct wsp_block *block, void *user)
{
    (void)user;
    block->seen++;
}

static void compare(struct wsp_block *block, void *user)
{
    struct block_books *books = user;
    if (block->seen == 0) {
        return; /* it was compared already, through another reference */
    }
    books->good &= block->seen == block->holds && block->used <= block->cap;
    *(block->store == books->queues ? &books->bytes : &books->history_bytes) +=
        wsp_block_size(block);
    block->seen = 0;
}

struct visit {
    void (*block)(struct wsp_block *block, void *user);
    void *user;
};

static void visit_run(const struct wsp_run *run, void *user)
{
    const struct visit *visit = user;
    visit->block(run->block, visit->user);
}

/* Calls `visit` for each reference but those of the current blocks. */
static void each_reference(const wspool *pool, void (*block)(struct wsp_block *, void *),
                           void *user)
{
    struct visit visit = {block, user};
    struct wsp_peer *peer;
    uint32_t slot = 0;
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        wsp_outq_each(&peer->conn.out, visit_run, &visit);
    }
    for (size_t kind = 0; kind <= WSPOOL_TOPIC; kind++) {
        const struct wsp_history *each = pool->histories.of_kind[kind].oldest;
        for (; each; each = each->newer) {
            wsp_history_each_segment(each, block, user);
        }
    }
    for (const struct wsp_history *each = pool->histories.keyed.oldest; each; each = each->newer) {
        wsp_history_each_segment(each, block, user);
        wsp_keyed_each_segment(each->keyed, block, user);
    }
}

static int blocks_are_valid(const wspool *pool, const wspool_statistics *stats)
{
    const struct wsp_blocks *blocks = &pool->link.blocks;
    struct block_books books = {.queues = blocks, .good = 1};
    uint64_t records, keyed, ids;
    each_reference(pool, forget, NULL);
    wsp_blocks_each_current(blocks, forget, NULL);
    wsp_blocks_each_current(blocks, count_reference, NULL);
    each_reference(pool, count_reference, NULL);
    each_reference(pool, compare, &books);
    wsp_blocks_each_current(blocks, compare, &books);
    return books.good && books.bytes == blocks->bytes && books.bytes == stats->block_bytes &&
           wsp_histories_check(&pool->histories, &records) &&
           wsp_keyed_check(&pool->histories, &keyed) && wsp_ids_check(&pool->histories, &ids) &&
           books.history_bytes + records + keyed + ids == pool->histories.store.bytes &&
           pool->histories.store.bytes == stats->history_bytes;
}

/* Checks every record, and the sums over them. */
static int peers_are_valid(const wspool *pool, const wspool_statistics *stats)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    uint64_t in_handshake = 0, held = 0, blocked = 0, open = 0, waiting = 0, waiting_bytes = 0,
             memberships = 0, input = 0;
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        const struct wsp_conn *conn = &peer->conn;
        int ended = conn->state == WSP_CLOSED && !(conn->flags & WSP_DUE_ENDED);
        in_handshake += wsp_in_handshake(peer) ? 1 : 0;
        held += conn->state == WSP_RESERVED ? 1 : 0;
        blocked += conn->out.blocked;
        open += (conn->flags & WSP_ACCEPTED) && !ended ? 1 : 0;
        waiting += conn->out.count;
        waiting_bytes += conn->out.bytes;
        memberships += peer->memberships.count;
        input += conn->state >= WSP_OPEN && conn->work.inbound ? conn->work.inbound->charged : 0;
    }
    return in_handshake == stats->handshakes && held == pool->reserved &&
           blocked == pool->link.blocked && open == stats->peers && waiting == stats->waiting &&
           waiting_bytes == stats->waiting_bytes && memberships == stats->memberships &&
           input == stats->input_bytes;
}

int wspool_check(const wspool *pool)
{
    uint64_t memberships;
    if (!pool) {
        return WSPOOL_ERR_INVAL;
    }
    wspool_statistics stats = read_counts(pool);
    int good = wsp_pool_check(pool) && equations_are_true(&stats) &&
               peers_are_valid(pool, &stats) && blocks_are_valid(pool, &stats) &&
               wsp_registry_check(&pool->registry, &memberships) &&
               memberships == stats.memberships;
    return good ? 0 : WSPOOL_ERR_INTERNAL;
}
