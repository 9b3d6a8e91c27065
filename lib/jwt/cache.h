/* SPDX-License-Identifier: MIT */
/*
 * jwt/cache.h - verdicts on tokens that were found valid.
 *
 * A table of sets of eight entries, allocated once. A token's digest chooses its set and is
 * compared whole. It is keyed with random bytes, so that nobody can fill one set on purpose. In a
 * set that is full an entry gives way that has expired, or that was not used since the last search.
 *
 * Secrets, keys, issuer and audience are not part of an entry: when one of them changes, the table
 * is emptied.
 */
#ifndef WSP_JWT_CACHE_H
#define WSP_JWT_CACHE_H

#include <nettle/hmac.h>

#include <wspool/config.h>
#include <wspool/jwt.h>

#include "jwt/memory.h"

#define WSP_JWT_CACHE_WAYS 8u
#define WSP_JWT_CACHE_KEY_BYTES 32u
/* Verdicts with longer subjects are not stored. */
#define WSP_JWT_CACHE_SUBJECT_MAX 70u

struct wsp_jwt_cached {
    uint8_t digest[SHA256_DIGEST_SIZE];
    uint64_t until; /* seconds since 1970; 0: the entry is free */
    uint64_t expires, issued; /* of the token, as in its claims */
    uint8_t used;
    uint8_t subject_len;
    char subject[WSP_JWT_CACHE_SUBJECT_MAX];
};

struct wsp_jwt_cache {
    struct wsp_jwt_cached *entries; /* NULL: there is no cache */
    size_t sets;
    uint64_t time; /* seconds that an entry lives at most */
    struct hmac_sha256_ctx key;
    uint64_t hits, misses, evicted, in_use;
};

/* Returns 0, or WSPOOL_ERR_NOMEM. With `count` 0 there is no cache. */
int wsp_jwt_cache_init(struct wsp_jwt_cache *cache, struct wsp_jwt_memory *memory, uint32_t count,
                       uint32_t time);
void wsp_jwt_cache_fini(struct wsp_jwt_cache *cache, struct wsp_jwt_memory *memory);

/* Sets the key of the digests. */
void wsp_jwt_cache_set_key(struct wsp_jwt_cache *cache, const uint8_t *key);

/* Forgets all verdicts. */
void wsp_jwt_cache_clear(struct wsp_jwt_cache *cache);

/* Writes the digest of a token, for the next two. */
void wsp_jwt_cache_digest(struct wsp_jwt_cache *cache, wspool_text token, uint8_t *digest);

/* Returns the verdict on a token, or NULL. It is valid until the next call. */
const struct wsp_jwt_cached *wsp_jwt_cache_find(struct wsp_jwt_cache *cache, const uint8_t *digest,
                                                uint64_t now);

/* Stores that a token with these claims is valid. */
void wsp_jwt_cache_store(struct wsp_jwt_cache *cache, const uint8_t *digest, uint64_t now,
                         const wspool_jwt_claims *claims);

#endif
