/* SPDX-License-Identifier: MIT */
/*
 * pool/capacity.c - the monitor of wspool/capacity.h.  Layer 4.
 *
 * A client of the pool like any other: two handlers, and a look at the counters. What its samples
 * mean is decided in policy/capacity.h, and the default sample is taken in os/sample.h.
 */
#include <wspool/capacity.h>
#include <wspool/versioned.h>
#include <wspool/wspool.h>
#include "base/mem.h"
#include "channel/peer.h"
#include "channel/registry.h"
#include "os/sample.h"
#include "policy/capacity.h"
#include "pool/pool.h"

#define SHORTEST_INTERVAL (10 * WSPOOL_MILLISECOND)

struct wspool_capacity {
    wspool_capacity_config config;
    wspool *pool; /* NULL: not attached */
    wspool_sample sample;
    uint64_t at; /* when it was taken */
    unsigned above;
    struct wsp_sampler sampler; /* of the default hook */
};

static const wspool_capacity_config defaults = {
    .size = sizeof(wspool_capacity_config),
    .max_peers = 500,
    .memory_percent = 85,
    .cpu_percent = 85,
    .files_percent = 85,
    .pressure_percent = 100,
    .interval = WSPOOL_SECOND,
    .peer_bytes = 4096,
};

void wspool_capacity_config_init_sized(wspool_capacity_config *config, size_t size)
{
    wspool_versioned_init(config, size, &defaults, sizeof defaults);
}

const char *wspool_resource_name(enum wspool_resource resource)
{
    static const char *const names[] = {
#define WSPOOL_X(name, reason, help) reason,
        WSPOOL_RESOURCES(WSPOOL_X)
#undef WSPOOL_X
    };
    return (unsigned)resource < WSPOOL_RESOURCE_COUNT ? names[resource] : "unknown resource";
}

/* ---------------------------------------------------------------------- samples */

/* What the pool holds: its records and tables, and what is queued, kept and not yet whole. */
static uint64_t own_bytes(const wspool *pool)
{
    const struct wsp_counters *count = &pool->count;
    return pool->peers.top * sizeof(struct wsp_peer) +
           wsp_count_read(&count->memberships) * sizeof(struct wsp_member) +
           wsp_count_read(&count->channels) * sizeof(struct wsp_channel) +
           wsp_count_read(&count->block_bytes) + wsp_count_read(&count->history_bytes) +
           wsp_count_read(&pool->link.inbounds.held);
}

/* The part of a sample that changes with each peer. */
static void look_at_pool(const wspool_capacity *monitor, wspool_sample *sample)
{
    const wspool *pool = monitor->pool;
    const uint64_t peers = wsp_count_read(&pool->count.peers) + pool->reserved;
    uint64_t most = pool->config.max_peers;
    if (monitor->config.max_peers > 0 && monitor->config.max_peers < most) {
        most = monitor->config.max_peers;
    }
    sample->of[WSPOOL_RESOURCE_CONNECTIONS] = (wspool_amount){WSPOOL_MEASURED, peers, most};
    sample->of[WSPOOL_RESOURCE_OWN_MEMORY] =
        (wspool_amount){WSPOOL_MEASURED, own_bytes(pool), monitor->config.own_bytes};
}

static unsigned above_now(const wspool_capacity *monitor, wspool_sample *sample)
{
    *sample = monitor->sample;
    look_at_pool(monitor, sample);
    return wsp_capacity_above(&monitor->config, sample, monitor->above);
}

static void take(wspool_capacity *monitor, uint64_t now)
{
    const wspool_sample_hook *hook = &monitor->config.sample;
    wspool_sample sample = {.size = sizeof sample};
    if (hook->call) {
        hook->call(&sample, now, hook->user);
    } else {
        wsp_sampler_take(&monitor->sampler, &sample, now);
    }
    monitor->above = wsp_capacity_above(&monitor->config, &sample, monitor->above);
    monitor->sample = sample;
    monitor->at = now;
}

/* ---------------------------------------------------------------------- handlers */

static uint64_t on_tick(wspool *pool, uint64_t now, void *user)
{
    wspool_capacity *monitor = user;
    (void)pool;
    if (now - monitor->at >= monitor->config.interval) {
        take(monitor, now);
    }
    return monitor->at + monitor->config.interval;
}

static int on_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    const wspool_capacity *monitor = user;
    wspool_sample sample;
    const unsigned above = above_now(monitor, &sample);
    (void)pool, (void)id, (void)request;
    return above ? (int)wsp_capacity_refusal(above) : 0;
}

/* ------------------------------------------------------------------------- calls */

static int is_good(const wspool_capacity_config *config)
{
    const int hooks =
        (config->mem.malloc != NULL) + (config->mem.realloc != NULL) + (config->mem.free != NULL);
    return config->memory_percent <= 100 && config->cpu_percent <= 100 &&
           config->files_percent <= 100 && config->pressure_percent <= 100 &&
           config->interval >= SHORTEST_INTERVAL && config->interval <= WSPOOL_TIME_MAX &&
           (hooks == 0 || hooks == 3);
}

int wspool_capacity_new(wspool_capacity **out, const wspool_capacity_config *given)
{
    wspool_capacity_config config = defaults;
    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    if ((given && wspool_versioned_read(&config, sizeof config, given)) || !is_good(&config)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!config.mem.malloc) {
        config.mem = wsp_mem_default;
    }
    wspool_capacity *monitor = wsp_calloc(&config.mem, 1, sizeof *monitor);
    if (!monitor) {
        return WSPOOL_ERR_NOMEM;
    }
    monitor->config = config;
    if (!config.sample.call) {
        wsp_sampler_init(&monitor->sampler, "");
    }
    *out = monitor;
    return 0;
}

void wspool_capacity_free(wspool_capacity *monitor)
{
    if (monitor) {
        const wspool_mem mem = monitor->config.mem;
        wsp_free(&mem, monitor);
    }
}

int wspool_capacity_attach(wspool_capacity *monitor, wspool *pool, uint64_t now)
{
    const wspool_handlers handlers = {
        .size = sizeof handlers, .user = monitor, .capacity = on_capacity, .tick = on_tick};
    if (!monitor || !pool) {
        return WSPOOL_ERR_INVAL;
    }
    if (monitor->pool) {
        return WSPOOL_ERR_EXISTS;
    }
    const int error = wspool_attach(pool, &handlers);
    if (!error) {
        monitor->pool = pool;
        take(monitor, now);
    }
    return error;
}

int wspool_capacity_get(const wspool_capacity *monitor, wspool_capacity_state *out)
{
    wspool_capacity_state state = {.size = sizeof state};
    if (!monitor || !out) {
        return WSPOOL_ERR_INVAL;
    }
    if (!monitor->pool) {
        return WSPOOL_ERR_STATE;
    }
    state.above = above_now(monitor, &state.sample);
    state.at = monitor->at;
    return wspool_versioned_write(out, &state, sizeof state);
}

int wspool_capacity_estimate(const wspool_capacity *monitor, wspool_estimate *out)
{
    wspool_estimate estimate = {.size = sizeof estimate};
    wspool_sample sample;
    if (!monitor || !out) {
        return WSPOOL_ERR_INVAL;
    }
    if (!monitor->pool) {
        return WSPOOL_ERR_STATE;
    }
    const unsigned above = above_now(monitor, &sample);
    const uint64_t peers = sample.of[WSPOOL_RESOURCE_CONNECTIONS].used;
    const uint64_t own = peers > 0 ? sample.of[WSPOOL_RESOURCE_OWN_MEMORY].used / peers : 0;
    estimate.peer_bytes = (own > sizeof(struct wsp_peer) ? own : sizeof(struct wsp_peer)) +
                          monitor->config.peer_bytes;
    wsp_capacity_estimate(&monitor->config, &sample, above, &estimate);
    return wspool_versioned_write(out, &estimate, sizeof estimate);
}
