/* SPDX-License-Identifier: MIT */
/* jwt/cache.c - see jwt/cache.h. */
#include "jwt/cache.h"

#include <string.h>

#include <nettle/memops.h>

#include <wspool/error.h>

#include "jwt/wipe.h"

int wsp_jwt_cache_init(struct wsp_jwt_cache *cache, struct wsp_jwt_memory *memory, uint32_t count,
                       uint32_t time)
{
    cache->sets = (count + (size_t)WSP_JWT_CACHE_WAYS - 1) / WSP_JWT_CACHE_WAYS;
    cache->time = time;
    if (count == 0) {
        return 0;
    }
    cache->entries =
        wsp_jwt_alloc(memory, cache->sets * WSP_JWT_CACHE_WAYS * sizeof cache->entries[0]);
    return cache->entries ? 0 : WSPOOL_ERR_NOMEM;
}

void wsp_jwt_cache_fini(struct wsp_jwt_cache *cache, struct wsp_jwt_memory *memory)
{
    wsp_jwt_release(memory, cache->entries);
    wsp_jwt_wipe(cache, sizeof *cache);
}

void wsp_jwt_cache_set_key(struct wsp_jwt_cache *cache, const uint8_t *key)
{
    hmac_sha256_set_key(&cache->key, WSP_JWT_CACHE_KEY_BYTES, key);
}

void wsp_jwt_cache_clear(struct wsp_jwt_cache *cache)
{
    if (cache->entries) {
        wsp_jwt_wipe(cache->entries, cache->sets * WSP_JWT_CACHE_WAYS * sizeof cache->entries[0]);
        cache->in_use = 0;
    }
}

void wsp_jwt_cache_digest(struct wsp_jwt_cache *cache, wspool_text token, uint8_t *digest)
{
    hmac_sha256_update(&cache->key, token.len, (const uint8_t *)token.data);
    hmac_sha256_digest(&cache->key, SHA256_DIGEST_SIZE, digest);
}

static struct wsp_jwt_cached *set_of(struct wsp_jwt_cache *cache, const uint8_t *digest)
{
    uint64_t number;
    memcpy(&number, digest, sizeof number);
    return &cache->entries[number % cache->sets * WSP_JWT_CACHE_WAYS];
}

/* If the wall clock was set back, an entry is not valid longer than it was to be. */
static int is_valid(const struct wsp_jwt_cache *cache, const struct wsp_jwt_cached *entry,
                    uint64_t now)
{
    return now < entry->until && entry->until - now <= cache->time;
}

const struct wsp_jwt_cached *wsp_jwt_cache_find(struct wsp_jwt_cache *cache, const uint8_t *digest,
                                                uint64_t now)
{
    struct wsp_jwt_cached *set = set_of(cache, digest);
    for (unsigned i = 0; i < WSP_JWT_CACHE_WAYS; i++) {
        if (is_valid(cache, &set[i], now) &&
            memeql_sec(set[i].digest, digest, SHA256_DIGEST_SIZE)) {
            set[i].used = 1;
            cache->hits++;
            return &set[i];
        }
    }
    cache->misses++;
    return NULL;
}

/* Returns the entry of a set that gives way. */
static struct wsp_jwt_cached *choose(struct wsp_jwt_cache *cache, struct wsp_jwt_cached *set,
                                     uint64_t now)
{
    struct wsp_jwt_cached *unused = NULL;
    for (unsigned i = 0; i < WSP_JWT_CACHE_WAYS; i++) {
        if (!is_valid(cache, &set[i], now)) {
            return &set[i];
        }
        if (!set[i].used && !unused) {
            unused = &set[i];
        }
        set[i].used = 0;
    }
    return unused ? unused : set;
}

void wsp_jwt_cache_store(struct wsp_jwt_cache *cache, const uint8_t *digest, uint64_t now,
                         const wspool_jwt_claims *claims)
{
    const uint64_t expires = claims->expires;
    const wspool_text subject = claims->subject;
    if (subject.len > WSP_JWT_CACHE_SUBJECT_MAX || (expires > 0 && expires <= now)) {
        return; /* within the leeway it is judged each time */
    }
    struct wsp_jwt_cached *entry = choose(cache, set_of(cache, digest), now);
    cache->in_use += entry->until == 0;
    cache->evicted += is_valid(cache, entry, now) ? 1 : 0;
    entry->until = expires > 0 && expires - now < cache->time ? expires : now + cache->time;
    entry->expires = expires;
    entry->issued = claims->issued_at;
    entry->used = 0;
    entry->subject_len = (uint8_t)subject.len;
    memcpy(entry->digest, digest, sizeof entry->digest);
    if (subject.len > 0) {
        memcpy(entry->subject, subject.data, subject.len);
    }
}
