/* SPDX-License-Identifier: MIT */
/*
 * pool/shed.c - see pool/shed.h.
 *
 * Memory counts, not bytes: a queue holds whole blocks, if only by one byte of each, and a block is
 * freed only with its last reference. Bytes that a transport keeps (wspool_under_way) are freed
 * when the host has released the peer. No other peer is shed while that would be enough.
 */
#include "pool/shed.h"

#include "pool/peers.h"

/* Closes a blocked peer and drops its queue. A partly sent message holds its whole block until
 * closing_time has passed. A peer that is closing already is ended, together with its Close. */
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
    return conn->out.blocked && conn->out.bytes > 0;
}

/* The peer has ended, and its transport still keeps bytes: the host has to release it. */
static int awaits_release(const struct wsp_conn *conn)
{
    return conn->state == WSP_CLOSED && conn->out.first.block;
}

/* Memory that one queue holds. A block's `seen` counts the references of the chosen peers.
 * Segments of histories have a budget of their own, and do not count. */
struct usage {
    const struct wsp_blocks *store;
    const struct wsp_block *before; /* block of the queue's previous run */
    uint64_t memory;
};

static void forget_block(const struct wsp_run *run, void *user)
{
    (void)user;
    run->block->seen = 0;
}

static void add_block(const struct wsp_run *run, void *user)
{
    struct usage *usage = user;
    if (run->block != usage->before && run->block->store == usage->store) {
        usage->memory += wsp_block_size(run->block);
    }
    usage->before = run->block;
    run->block->seen++;
}

/* Adds a block that would be freed, because no other peer refers to it. Each block counts once. */
static void add_free_block(const struct wsp_run *run, void *user)
{
    struct wsp_block *block = run->block;
    struct usage *usage = user;
    if (block->seen > 0 && block->seen + block->current == block->holds &&
        block->store == usage->store) {
        usage->memory += wsp_block_size(block);
    }
    block->seen = 0;
}

static uint64_t memory_used(const wspool *pool, const struct wsp_conn *conn)
{
    struct usage usage = {.store = &pool->link.blocks};
    wsp_outq_each(&conn->out, add_block, &usage);
    return usage.memory;
}

static void each_run(wspool *pool, int (*chosen)(const struct wsp_conn *conn),
                     void (*visit)(const struct wsp_run *run, void *user), void *user)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        if (chosen(&peer->conn)) {
            wsp_outq_each(&peer->conn.out, visit, user);
        }
    }
}

/* Returns the memory that is freed when the chosen peers no longer hold anything. Sets *most to
 * what the greatest of them holds. */
static uint64_t held_by(wspool *pool, int (*chosen)(const struct wsp_conn *conn), uint64_t *most)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    struct usage back = {.store = &pool->link.blocks};
    *most = 0;
    each_run(pool, chosen, forget_block, NULL);
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        if (chosen(&peer->conn)) {
            uint64_t memory = memory_used(pool, &peer->conn);
            *most = memory > *most ? memory : *most;
        }
    }
    each_run(pool, chosen, add_free_block, &back);
    return back.memory;
}

uint32_t wsp_shed(wspool *pool, uint32_t len)
{
    struct wsp_peer *peer;
    uint32_t count = 0, slot = 0;
    uint64_t most;
    if (pool->link.blocked == 0 || held_by(pool, awaits_release, &most) >= len ||
        held_by(pool, can_be_shed, &most) < len) {
        return 0;
    }
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        if (can_be_shed(&peer->conn) && memory_used(pool, &peer->conn) >= most / 2) {
            shed_peer(pool, &peer->conn);
            count++;
        }
    }
    return count;
}
