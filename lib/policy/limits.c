/* SPDX-License-Identifier: MIT */
/* policy/limits.c - see policy/limits.h. */
#include "policy/limits.h"

#include <string.h>

#include <wspool/error.h>
#include "base/mem.h"

/* How many entries without peers are looked at for one that can be reused. */
#define LOOKS 8

struct rate {
    uint32_t burst, rate; /* burst 0: no limit */
};

static struct rate rate_of(const struct wsp_limits *limits, enum wsp_limited what)
{
    const wspool_config *config = limits->config;
    switch (what) {
    case WSP_LIMITED_ATTEMPTS:
        return (struct rate){config->key_attempts_burst, config->key_attempts_rate};
    case WSP_LIMITED_MESSAGES:
        return (struct rate){config->key_messages_burst, config->key_messages_rate};
    case WSP_LIMITED_BYTES:
        return (struct rate){config->key_bytes_burst, config->key_bytes_rate};
    default:
        return (struct rate){config->key_subscribes_burst, config->key_subscribes_rate};
    }
}

/* --------------------------------------------------------------------------- life */

int wsp_limits_init(struct wsp_limits *limits, const wspool_mem *mem, const wspool_config *config,
                    const struct wsp_siphash_key *seed, uint64_t now)
{
    *limits = (struct wsp_limits){
        .mem = mem, .config = config, .seed = *seed, .created_at = now, .size = config->key_table};
    limits->traffic = config->key_messages_burst > 0 || config->key_bytes_burst > 0;
    if (config->max_per_key == 0 && config->key_attempts_burst == 0 && !limits->traffic &&
        config->key_subscribes_burst == 0) {
        return 0;
    }
    uint32_t chains = 1;
    while (chains < limits->size) {
        chains *= 2;
    }
    limits->mask = chains - 1;
    limits->chains = wsp_calloc(mem, chains, sizeof *limits->chains);
    limits->list = wsp_calloc(mem, (size_t)limits->size + 1, sizeof *limits->list);
    if (!limits->chains || !limits->list) {
        wsp_limits_fini(limits);
        return WSPOOL_ERR_NOMEM;
    }
    return 0;
}

void wsp_limits_fini(struct wsp_limits *limits)
{
    if (limits->mem) {
        wsp_free(limits->mem, limits->chains);
        wsp_free(limits->mem, limits->list);
        limits->chains = NULL;
        limits->list = NULL;
    }
}

/* ------------------------------------------------------------------------- places */

static struct wsp_limit *at(const struct wsp_limits *limits, uint32_t place)
{
    return &limits->list[place - 1];
}

static uint32_t shared(const struct wsp_limits *limits)
{
    return limits->size + 1;
}

static uint32_t *chain_of(const struct wsp_limits *limits, const void *key, size_t len)
{
    return &limits->chains[wsp_siphash13(&limits->seed, key, len) & limits->mask];
}

static uint32_t find(const struct wsp_limits *limits, wspool_text key)
{
    uint32_t place = *chain_of(limits, key.data, key.len);
    while (place) {
        const struct wsp_limit *limit = at(limits, place);
        if (limit->key_len == key.len && memcmp(limit->key, key.data, key.len) == 0) {
            break;
        }
        place = limit->next;
    }
    return place;
}

static void unlist(struct wsp_limits *limits, const struct wsp_limit *limit)
{
    *(limit->older ? &at(limits, limit->older)->newer : &limits->oldest) = limit->newer;
    *(limit->newer ? &at(limits, limit->newer)->older : &limits->newest) = limit->older;
}

static void unchain(struct wsp_limits *limits, uint32_t place)
{
    const struct wsp_limit *limit = at(limits, place);
    uint32_t *link = chain_of(limits, limit->key, limit->key_len);
    while (*link != place) {
        link = &at(limits, *link)->next;
    }
    *link = limit->next;
}

/* Returns 1 if all that the entry has taken has come back. */
static int is_forgotten(struct wsp_limits *limits, struct wsp_limit *limit, uint64_t now)
{
    for (int i = 0; i < WSP_LIMITED_COUNT; i++) {
        const struct rate rate = rate_of(limits, (enum wsp_limited)i);
        (void)wsp_bucket_draw(&limit->buckets[i], rate.burst, rate.rate, 0,
                              now - limits->created_at);
        if (rate.burst > 0 && limit->buckets[i].spent > 0) {
            return 0;
        }
    }
    return 1;
}

/* Returns a place for a new key: one that was never used, or tells nothing any more; else the shared
 * one. */
static uint32_t make(struct wsp_limits *limits, wspool_text key, uint64_t now)
{
    uint32_t place = 0;
    if (limits->used < limits->size) {
        place = ++limits->used;
    } else {
        place = limits->oldest;
        for (int i = 0; i < LOOKS && place && !is_forgotten(limits, at(limits, place), now); i++) {
            place = at(limits, place)->newer;
            place = i == LOOKS - 1 ? 0 : place;
        }
        if (!place) {
            return shared(limits);
        }
        unlist(limits, at(limits, place));
        unchain(limits, place);
    }
    struct wsp_limit *limit = at(limits, place);
    uint32_t *chain = chain_of(limits, key.data, key.len);
    *limit = (struct wsp_limit){.next = *chain, .key_len = (uint8_t)key.len};
    memcpy(limit->key, key.data, key.len);
    *chain = place;
    return place;
}

/* ------------------------------------------------------------------------- limits */

int wsp_limits_draw(struct wsp_limits *limits, uint32_t place, enum wsp_limited what, uint32_t cost,
                    uint64_t now)
{
    if (place == WSP_LIMITS_NONE) {
        return 1;
    }
    const struct rate rate = rate_of(limits, what);
    return rate.burst == 0 || wsp_bucket_draw(&at(limits, place)->buckets[what], rate.burst,
                                              rate.rate, cost, now - limits->created_at);
}

static int has_all_its_peers(const struct wsp_limits *limits, uint32_t place)
{
    const uint32_t most = limits->config->max_per_key;
    return most > 0 && at(limits, place)->peers >= most;
}

int wsp_limits_are_full(struct wsp_limits *limits, wspool_text key, uint64_t now)
{
    const uint32_t place = limits->list && key.len > 0 ? find(limits, key) : WSP_LIMITS_NONE;
    struct wsp_bucket bucket;
    if (!place) {
        return 0;
    }
    bucket = at(limits, place)->buckets[WSP_LIMITED_ATTEMPTS];
    const struct rate rate = rate_of(limits, WSP_LIMITED_ATTEMPTS);
    return has_all_its_peers(limits, place) ||
           (rate.burst > 0 &&
            !wsp_bucket_draw(&bucket, rate.burst, rate.rate, 1, now - limits->created_at));
}

int wsp_limits_enter(struct wsp_limits *limits, wspool_text key, uint64_t now, uint32_t *place)
{
    *place = WSP_LIMITS_NONE;
    if (!limits->list || key.len == 0) {
        return 0;
    }
    uint32_t found = find(limits, key);
    const int is_new = !found;
    if (is_new) {
        found = make(limits, key, now);
    }
    struct wsp_limit *limit = at(limits, found);
    const int is_shared = found == shared(limits);
    const int admitted = !has_all_its_peers(limits, found) &&
                         wsp_limits_draw(limits, found, WSP_LIMITED_ATTEMPTS, 1, now);
    if (!admitted) { /* never a new one: its buckets are full */
        return WSPOOL_ERR_FULL;
    }
    if (!is_new && !is_shared && limit->peers == 0) {
        unlist(limits, limit);
    }
    limit->peers++;
    *place = found;
    return 0;
}

void wsp_limits_leave(struct wsp_limits *limits, uint32_t place)
{
    if (place == WSP_LIMITS_NONE) {
        return;
    }
    struct wsp_limit *limit = at(limits, place);
    if (--limit->peers > 0 || place == shared(limits)) {
        return;
    }
    limit->older = limits->newest;
    limit->newer = 0;
    *(limits->newest ? &at(limits, limits->newest)->newer : &limits->oldest) = place;
    limits->newest = place;
}

/* -------------------------------------------------------------------------- check */

static int is_chained_once(const struct wsp_limits *limits, uint32_t place)
{
    const struct wsp_limit *limit = at(limits, place);
    uint32_t times = 0, steps = 0;
    uint32_t link = *chain_of(limits, limit->key, limit->key_len);
    for (; link && steps <= limits->size; link = at(limits, link)->next, steps++) {
        times += link == place;
    }
    return times == 1 && steps <= limits->size;
}

int wsp_limits_check(const struct wsp_limits *limits, uint64_t *peers)
{
    uint32_t idle = 0, listed = 0;
    *peers = 0;
    if (!limits->list) {
        return 1;
    }
    for (uint32_t place = 1; place <= shared(limits); place++) {
        const struct wsp_limit *limit = at(limits, place);
        const uint32_t most = limits->config->max_per_key;
        for (int i = 0; i < WSP_LIMITED_COUNT; i++) {
            if (!wsp_bucket_check(&limit->buckets[i], rate_of(limits, (enum wsp_limited)i).burst)) {
                return 0;
            }
        }
        *peers += limit->peers;
        if (place > limits->used) {
            continue;
        }
        if (limit->key_len == 0 || limit->key_len > WSP_LIMITS_KEY_MAX ||
            (most > 0 && limit->peers > most) || !is_chained_once(limits, place)) {
            return 0;
        }
        idle += limit->peers == 0;
    }
    uint32_t behind = 0;
    for (uint32_t place = limits->oldest; place && listed <= idle; listed++) {
        if (at(limits, place)->older != behind || at(limits, place)->peers > 0) {
            return 0;
        }
        behind = place;
        place = at(limits, place)->newer;
    }
    return listed == idle && limits->newest == behind;
}
