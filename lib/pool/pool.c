/* SPDX-License-Identifier: MIT */
/* pool/pool.c - the life of a pool, and of the records of its peers. See pool/pool.h. */
#include "pool/pool.h"

#include "base/growing.h"

/* -------------------------------------------------------------- upward ways */

static struct wsp_timer *timer_at(void *owner, uint32_t slot)
{
    const wspool *pool = owner;
    struct wsp_peer *peer = wsp_slots_at(&pool->peers, slot);
    return &peer->conn.timer;
}

static wspool *pool_of(struct wsp_link *link)
{
    return (wspool *)(void *)((char *)link - offsetof(wspool, link));
}

static void on_message(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *data,
                       size_t len, int binary)
{
    wspool *pool = pool_of(link);
    const wspool_message_hook *hook = &pool->config.message;
    if (hook->call) {
        wspool_message message = {.data = data,
                                  .len = len,
                                  .binary = binary,
                                  .route_user = pool->routes.list[conn->route].user};
        hook->call(pool, wsp_slot_id(&conn->slot), &message, hook->user);
    }
}

/* ------------------------------------------------------------------- life */

static void free_parts(wspool *pool)
{
    struct wsp_link *link = &pool->link;
    const wspool_mem mem = pool->config.mem;
    wsp_registry_fini(&pool->registry);
    wsp_hellos_fini(&pool->hellos);
    wsp_routes_fini(&pool->routes, &mem);
    wsp_origins_fini(&pool->origins, &mem);
    wsp_inbounds_fini(&link->inbounds);
    wsp_decoders_fini(&link->decoders);
    wsp_stock_fini(&link->stock);
    wsp_blocks_fini(&link->blocks);
    wsp_bitset_fini(&link->attention, &mem);
    wsp_bitset_fini(&link->delayed, &mem);
    wsp_bitset_fini(&link->events, &mem);
    wsp_slots_fini(&pool->peers, &mem);
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
    struct wsp_link *link = &pool->link;
    const wspool_mem *mem = &pool->config.mem;
    link->mem = mem;
    link->config = &pool->config;
    link->count = &pool->count;
    link->born = link->now = now;
    link->on_message = on_message;
    link->fresh = config.flush_delay ? &link->delayed : &link->attention;
    link->flush_at = UINT64_MAX;
    wsp_blocks_init(&link->blocks, mem, config.pool_bytes, &pool->count.block_bytes);
    wsp_stock_init(&link->stock, mem);
    wsp_inbounds_init(&link->inbounds, mem, &link->decoders, &pool->config.codec);
    wsp_timers_init(&link->timers, now, timer_at, pool);
    wsp_slots_init(&pool->peers, sizeof(struct wsp_peer));
    wsp_hellos_init(&pool->hellos, mem, config.head_bytes);
    if (config.entropy.call(entropy, sizeof entropy, config.entropy.user) != 0) {
        error = WSPOOL_ERR_ENTROPY;
        goto fail;
    }
    link->random = entropy[2] | 1; /* its generator can't begin with zero */
    wsp_registry_init(&pool->registry, mem, &(struct wsp_siphash_key){entropy[0], entropy[1]},
                      entropy[3] >> 1 | 1, &pool->count);
    pool->registry.on_presence = wsp_on_presence;
    pool->registry.owner = pool;
    wsp_decoders_init(&link->decoders, mem);
    error = wsp_origins_init(&pool->origins, mem, config.origins, config.any_origin);
    if (error) {
        goto fail;
    }
    pool->config.origins = NULL;
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
    while ((peer = wsp_next_peer(pool, &slot)) != NULL) {
        if (wsp_on_way_in(peer)) {
            wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_GONE);
        } else {
            wsp_conn_end(&pool->link, &peer->conn, WSPOOL_END_POOL_FREED);
        }
    }
    while (!wsp_bitset_empty(&pool->link.events)) {
        wsp_way_out(pool);
    }
    for (slot = 0; (peer = wsp_next_peer(pool, &slot)) != NULL;) {
        wsp_give_peer(pool, peer);
    }
    wsp_mailbox_fini(pool);
    free_parts(pool);
    return 0;
}

int wspool_route(wspool *pool, const char *pattern, enum wspool_kind kind,
                 const wspool_route_options *options)
{
    wspool_route_options filled;
    if (!pool) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->depth > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    wspool_route_options_init(&filled, &pool->config);
    if (options && wsp_growing_copy(&filled, sizeof filled, options)) {
        return WSPOOL_ERR_INVAL;
    }
    if ((unsigned)kind > WSPOOL_TOPIC || (filled.flags & ~WSPOOL_ROUTE_OPEN) != 0 ||
        (unsigned)filled.slow > WSPOOL_SLOW_DROP_OLDEST || filled.message_bytes == 0 ||
        filled.message_bytes >= 1u << 30) {
        return WSPOOL_ERR_INVAL;
    }
    return wsp_routes_add(&pool->routes, &pool->config.mem, pattern, kind, &filled);
}

/* ------------------------------------------------------------------ records */

struct wsp_peer *wsp_next_peer(const wspool *pool, uint32_t *slot)
{
    while (*slot < pool->peers.top) {
        struct wsp_peer *peer = wsp_slots_at(&pool->peers, (*slot)++);
        if (peer->conn.slot.generation & 1u) {
            return peer;
        }
    }
    return NULL;
}

struct wsp_peer *wsp_take_peer(wspool *pool, int *error)
{
    const wspool_config *config = &pool->config;
    const wspool_mem *mem = &config->mem;
    if (pool->freeing) {
        *error = WSPOOL_ERR_STATE;
        return NULL;
    }
    /* Refused peers hold a record until their transport is closed: they count, too. */
    if (wsp_count_read(&pool->count.handshakes) >= config->max_handshakes ||
        pool->peers.used >= config->max_peers + config->max_handshakes) {
        *error = WSPOOL_ERR_FULL;
        return NULL;
    }
    uint32_t slots = pool->peers.top + 1;
    struct wsp_peer *peer = NULL;
    if (!wsp_bitset_reserve(&pool->link.attention, mem, slots) &&
        !wsp_bitset_reserve(&pool->link.delayed, mem, slots) &&
        !wsp_bitset_reserve(&pool->link.events, mem, slots)) {
        peer = wsp_slots_take(&pool->peers, mem);
    }
    if (!peer) {
        *error = WSPOOL_ERR_NOMEM;
        return NULL;
    }
    wsp_count_add(&pool->count.attempts, 1);
    wsp_count_add(&pool->count.handshakes, 1);
    return peer;
}

void wsp_free_identity(wspool *pool, void *identity)
{
    const wspool_identity_free_hook *hook = &pool->config.identity_free;
    if (identity && hook->call) {
        hook->call(identity, hook->user);
    }
}

void wsp_give_peer(wspool *pool, struct wsp_peer *peer)
{
    void *identity = peer->identity;
    wsp_conn_fini(&pool->link, &peer->conn, 1);
    wsp_bitset_remove(&pool->link.attention, peer->conn.slot.index);
    wsp_bitset_remove(&pool->link.delayed, peer->conn.slot.index);
    wsp_bitset_remove(&pool->link.events, peer->conn.slot.index);
    peer->identity = NULL;
    wsp_slots_give(&pool->peers, peer);
    wsp_free_identity(pool, identity);
}

void *wspool_user(const wspool *pool, wspool_id id)
{
    const struct wsp_peer *peer = pool ? wsp_slots_find(&pool->peers, id) : NULL;
    return peer ? peer->user : NULL;
}

void *wspool_identity(const wspool *pool, wspool_id id)
{
    const struct wsp_peer *peer = pool ? wsp_slots_find(&pool->peers, id) : NULL;
    return peer ? peer->identity : NULL;
}

/* -------------------------------------------------------------------- check */

static int rooms_hold(const wspool *pool)
{
    const struct wsp_link *link = &pool->link;
    uint64_t memberships;
    return wsp_slots_check(&pool->peers) && wsp_timers_check(&link->timers) &&
           wsp_bitset_check(&link->attention) && wsp_bitset_check(&link->delayed) &&
           wsp_bitset_check(&link->events) && wsp_blocks_check(&link->blocks) &&
           wsp_stock_check(&link->stock) && wsp_decoders_check(&link->decoders) &&
           wsp_inbounds_check(&link->inbounds) && wsp_routes_check(&pool->routes) &&
           wsp_origins_check(&pool->origins) && wsp_registry_check(&pool->registry, &memberships) &&
           wsp_hellos_check(&pool->hellos) && wsp_mailbox_check(pool) && wsp_log_check(pool);
}

/* Does a set name taken records only? */
static int set_holds(const wspool *pool, const struct wsp_bitset *set)
{
    uint32_t slot = wsp_bitset_next(set, 0);
    for (; slot != WSP_BITSET_END; slot = wsp_bitset_next(set, slot + 1)) {
        const struct wsp_slot *record =
            slot < pool->peers.top ? wsp_slots_at(&pool->peers, slot) : NULL;
        if (!record || !(record->generation & 1u)) {
            return 0;
        }
    }
    return 1;
}

static int hello_holds(const wspool *pool, const struct wsp_conn *conn)
{
    const struct wsp_hello *hello = conn->work.hello;
    if (!hello) {
        return conn->state == WSP_HEAD || conn->state == WSP_REFUSED;
    }
    return conn->state != WSP_REFUSED && wsp_hello_check(&pool->hellos, hello);
}

static int peer_holds(const wspool *pool, const struct wsp_peer *peer)
{
    const struct wsp_conn *conn = &peer->conn;
    const unsigned events =
        WSP_EVENT_LEAVE | WSP_EVENT_ENDED | WSP_EVENT_DROPPED | WSP_EVENT_PRESSURE;
    int accepted = (conn->flags & WSP_ACCEPTED) != 0;
    if (!wsp_conn_check(conn) || (conn->dropped > 0) != ((conn->flags & WSP_EVENT_DROPPED) != 0) ||
        (!accepted && peer->seats.count > 0) || (accepted && conn->route >= pool->routes.count)) {
        return 0;
    }
    if (pool->depth == 0 && (conn->flags & events) != 0 &&
        !wsp_bitset_has(&pool->link.events, conn->slot.index)) {
        return 0;
    }
    switch ((enum wsp_state)conn->state) {
    case WSP_OPEN:
        return accepted && (pool->config.nuisance_burst == 0 ||
                            wsp_bucket_check(&conn->nuisance, pool->config.nuisance_burst));
    case WSP_CLOSING:
        return accepted;
    case WSP_CLOSED:
        return (conn->flags & WSP_EVENT_ENDED) || (!conn->work.inbound && peer->seats.count == 0);
    default:
        return hello_holds(pool, conn);
    }
}

int wsp_pool_check(const wspool *pool)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    if (!rooms_hold(pool) || !set_holds(pool, &pool->link.attention) ||
        !set_holds(pool, &pool->link.delayed) || !set_holds(pool, &pool->link.events) ||
        pool->link.now < pool->link.born || (pool->depth == 0 && pool->judged) ||
        (pool->drain.on && pool->drain.slots == 0)) {
        return 0;
    }
    while ((peer = wsp_next_peer(pool, &slot)) != NULL) {
        if (!peer_holds(pool, peer)) {
            return 0;
        }
    }
    return 1;
}
