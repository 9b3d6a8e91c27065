/* SPDX-License-Identifier: MIT */
/* policy/capacity.c - see policy/capacity.h. */
#include "policy/capacity.h"

static uint32_t percent_of(const wspool_capacity_config *config, enum wspool_resource resource)
{
    switch (resource) {
    case WSPOOL_RESOURCE_MEMORY:
        return config->memory_percent;
    case WSPOOL_RESOURCE_CPU:
        return config->cpu_percent;
    case WSPOOL_RESOURCE_FILES:
        return config->files_percent;
    case WSPOOL_RESOURCE_PRESSURE:
        return config->pressure_percent;
    default:
        return 100;
    }
}

/* Returns 1 if a resource that cannot be read refuses: somebody has set a limit for it. */
static int is_limited(const wspool_capacity_config *config, enum wspool_resource resource)
{
    return percent_of(config, resource) < 100 ||
           (resource == WSPOOL_RESOURCE_MEMORY && config->memory_bytes > 0);
}

/* The limits of a resource: `used` may not be above any of them. UINT64_MAX: no limit. */
static uint64_t limit_of(const wspool_capacity_config *config, const wspool_sample *sample,
                         enum wspool_resource resource)
{
    const wspool_amount *amount = &sample->of[resource];
    const uint32_t percent = percent_of(config, resource);
    uint64_t limit = UINT64_MAX;
    if (resource == WSPOOL_RESOURCE_CONNECTIONS) { /* refused at the limit, and not only above it */
        return amount->all > 0 ? amount->all - 1 : UINT64_MAX;
    }
    if (resource == WSPOOL_RESOURCE_OWN_MEMORY) {
        return config->own_bytes > 0 ? config->own_bytes : UINT64_MAX;
    }
    if (resource == WSPOOL_RESOURCE_MEMORY && config->memory_bytes > 0) {
        limit = config->memory_bytes;
    }
    if (percent < 100 && amount->all > 0) {
        const uint64_t share = amount->all / 100 * percent + amount->all % 100 * percent / 100;
        limit = share < limit ? share : limit;
    }
    return limit;
}

static int is_steady(enum wspool_resource resource)
{
    return resource == WSPOOL_RESOURCE_CONNECTIONS || resource == WSPOOL_RESOURCE_OWN_MEMORY;
}

unsigned wsp_capacity_above(const wspool_capacity_config *config, const wspool_sample *sample,
                            unsigned before)
{
    unsigned above = 0;
    for (unsigned i = 0; i < WSPOOL_RESOURCE_COUNT; i++) {
        const enum wspool_resource resource = (enum wspool_resource)i;
        const wspool_amount *amount = &sample->of[i];
        uint64_t limit = limit_of(config, sample, resource);
        if ((before >> i & 1u) && !is_steady(resource) && limit != UINT64_MAX) {
            limit -= limit / 16;
        }
        const int is_above = amount->measured == WSPOOL_NOT_READABLE
                                 ? is_limited(config, resource)
                                 : amount->measured == WSPOOL_MEASURED && amount->used > limit;
        above |= (unsigned)is_above << i;
    }
    return above;
}

enum wspool_refusal wsp_capacity_refusal(unsigned above)
{
    static const enum wspool_refusal refusals[WSPOOL_RESOURCE_COUNT] = {
#define WSPOOL_X(name, reason, help) WSPOOL_REFUSED_CAPACITY_##name,
        WSPOOL_RESOURCES(WSPOOL_X)
#undef WSPOOL_X
    };
    unsigned first = 0;
    while (first + 1 < WSPOOL_RESOURCE_COUNT && !(above >> first & 1u)) {
        first++;
    }
    return refusals[first];
}

/* Returns how many peers fit up to the limit, each of which takes `each`. */
static uint64_t room(const wspool_capacity_config *config, const wspool_sample *sample,
                     enum wspool_resource resource, uint64_t each)
{
    const wspool_amount *amount = &sample->of[resource];
    uint64_t limit = limit_of(config, sample, resource);
    if (!is_steady(resource) && amount->all > 0 && amount->all < limit) {
        limit = amount->all;
    }
    if (amount->measured != WSPOOL_MEASURED || limit == UINT64_MAX) {
        return UINT64_MAX;
    }
    if (resource == WSPOOL_RESOURCE_CONNECTIONS) {
        limit++;
    }
    return amount->used < limit ? (limit - amount->used) / each : 0;
}

void wsp_capacity_estimate(const wspool_capacity_config *config, const wspool_sample *sample,
                           unsigned above, wspool_estimate *estimate)
{
    const uint64_t own = estimate->peer_bytes - config->peer_bytes;
    const uint64_t each[WSPOOL_RESOURCE_COUNT] = {
        [WSPOOL_RESOURCE_CONNECTIONS] = 1,
        [WSPOOL_RESOURCE_OWN_MEMORY] = own,
        [WSPOOL_RESOURCE_MEMORY] = estimate->peer_bytes,
        [WSPOOL_RESOURCE_FILES] = 1,
    };
    estimate->peers = UINT64_MAX;
    estimate->first = WSPOOL_RESOURCE_CONNECTIONS;
    for (unsigned i = 0; i < WSPOOL_RESOURCE_COUNT; i++) {
        estimate->by[i] = above >> i & 1u ? 0
                          : each[i] > 0   ? room(config, sample, (enum wspool_resource)i, each[i])
                                          : UINT64_MAX;
        if (estimate->by[i] < estimate->peers) {
            estimate->peers = estimate->by[i];
            estimate->first = (enum wspool_resource)i;
        }
    }
}
