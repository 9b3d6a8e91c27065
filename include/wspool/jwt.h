/* SPDX-License-Identifier: MIT */
/*
 * wspool/jwt.h - libwspool_jwt: judges JSON Web Tokens (RFC 7519), on nettle and jansson.
 *
 * A companion library: it attaches a token handler to a pool. Link it with
 * `pkg-config --libs wspool_jwt`.
 *
 *     wspool_jwt_config config;
 *     wspool_jwt *jwt;
 *     wspool_jwt_config_init(&config);
 *     config.secret = secret;                         // HS256 is the default
 *     config.secret_len = secret_len;
 *     config.audience = "cards";
 *     if (wspool_jwt_problem(&config)) ...            // says what is wrong; do not start
 *     wspool_jwt_new(&jwt, &config);
 *     wspool_jwt_attach(jwt, pool);                   // before the first peer
 *     ...
 *     wspool_free(pool);
 *     wspool_jwt_free(jwt);
 *
 * A peer is then accepted only with a valid token. `sub` becomes its subject (see wspool_subject).
 * At `exp` it is closed (4001), unless it has sent a new token by then: wspool_reauth.
 *
 * Threads: one wspool_jwt serves one pool, and is used on that pool's thread only.
 *
 * What is judged
 *
 *   empty_token     the token is empty or blank
 *   malformed       it is longer than WSPOOL_TOKEN_MAX, is not three non-empty segments of
 *                   base64url (RFC 7515, section 3.1) without padding, other bytes or unused bits
 *                   that are set; the header or the payload is not a JSON object, nests deeper than
 *                   16 levels, has a name twice, or a claim has a wrong type or range
 *   no_secret       no key set has been given yet
 *   invalid         `alg` is not exactly the configured algorithm; the header has `crit` (RFC 7515,
 *                   section 4.1.11: no extension is understood); no key has this `kid`; the
 *                   signature does not hold; or there is no `exp`, and `needs_exp` is set
 *   wrong_issuer    `iss` is not the configured issuer, or is absent
 *   wrong_audience  `aud` does not have the configured audience, or is absent. A token with `aud`
 *                   is also refused if no audience is configured (RFC 7519, section 4.1.3)
 *   expired         the time of `exp` has come
 *   not_yet_valid   the time of `nbf` or `iat` has not come
 *
 * Nothing of the payload is read before the signature holds. The members `jku`, `jwk`, `x5u` and
 * `x5c` of a header are ignored: keys come from the host only. Times are numbers of seconds since
 * 1970, not negative, with or without a fraction (RFC 7519, section 2).
 *
 * Keys
 *
 *   HS256 HS384 HS512  a secret of at least 32, 48 or 64 bytes (RFC 7518, section 3.2), and while
 *                      it is being replaced the old one beside it: wspool_jwt_set_secrets
 *   ES256 RS256 EdDSA  a JWK set (RFC 7517, section 5) as bytes that the host has fetched:
 *                      wspool_jwt_set_keys. Curve P-256; RSA of 2,048 to 8,192 bits; Ed25519
 *
 * The algorithm is configuration. A token cannot choose it, and a key of a set serves one algorithm
 * only. A host that accepts two algorithms has two of these objects, and calls wspool_jwt_verify
 * from a token hook of its own.
 *
 * Verdict cache: a token that was found valid is accepted again without looking at its signature
 * for at most `cache_time`, and not after its `exp`. The key of an entry is HMAC-SHA-256 of the
 * whole token under a random key. Refusals are not stored, nor are subjects of more than 70 bytes.
 * New secrets or keys empty the cache: each token is judged again.
 *
 * Memory: 8 KB, 128 bytes for each entry of the cache (1.3 MB with the default), and about 1 KB for
 * each key of a set. While a token is judged jansson and GMP allocate some kilobytes from the C
 * library. GMP, which nettle uses for ES256 and RS256, ends the process if malloc fails.
 *
 * No token, no secret and no part of them is written to a log, and secrets are overwritten when
 * they are not used any more.
 */
#ifndef WSPOOL_JWT_H
#define WSPOOL_JWT_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/config.h>
#include <wspool/handshake.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool_jwt wspool_jwt;

enum wspool_jwt_algorithm {
    WSPOOL_JWT_HS256 = 1, /* HMAC with SHA-256 */
    WSPOOL_JWT_HS384,     /* HMAC with SHA-384 */
    WSPOOL_JWT_HS512,     /* HMAC with SHA-512 */
    WSPOOL_JWT_ES256,     /* ECDSA with P-256 and SHA-256 */
    WSPOOL_JWT_RS256,     /* RSASSA-PKCS1-v1_5 with SHA-256 */
    WSPOOL_JWT_EDDSA      /* Ed25519 (RFC 8037) */
};

/* The longest leeway, in seconds, and the most entries of the cache. */
#define WSPOOL_JWT_LEEWAY_MAX 60u
#define WSPOOL_JWT_CACHE_MAX 1000000u
/* The longest JWK set in bytes, the most keys that are used of one, and the longest `kid`. */
#define WSPOOL_JWT_KEY_SET_MAX 65536u
#define WSPOOL_JWT_KEYS_MAX 64u
#define WSPOOL_JWT_KID_MAX 255u

typedef struct wspool_jwt_config {
    size_t size;                         /* sizeof(wspool_jwt_config) */
    enum wspool_jwt_algorithm algorithm; /* default WSPOOL_JWT_HS256 */
    /* HS256, HS384 and HS512 only. The secrets are not copied as they are: only what HMAC makes of
     * them is stored. The host may overwrite them after wspool_jwt_new. */
    const void *secret;
    size_t secret_len;
    const void *old_secret; /* accepted too, never used to sign. NULL: none */
    size_t old_secret_len;
    const char *issuer;   /* what `iss` must be. NULL: any. Copied */
    const char *audience; /* what `aud` must have. NULL: tokens must have no `aud`. Copied */
    uint32_t leeway;      /* seconds by which clocks may differ, for exp, nbf and iat. Default 0 */
    int needs_exp;        /* 0: a token without `exp` is valid for ever. Default 1 */
    uint32_t cache_entries; /* 0: no cache. Rounded up to a multiple of 8. Default 10,000 */
    uint32_t cache_time;    /* seconds that a verdict is stored at most, 1 to 300. Default 300 */
    wspool_mem mem;         /* all NULL (the default): malloc, realloc and free of the C library */
} wspool_jwt_config;

/* Writes the defaults. Any thread. Use the macro: `size` tells the library which version of the
 * struct the host was compiled with. */
void wspool_jwt_config_init_sized(wspool_jwt_config *config, size_t size);
#define wspool_jwt_config_init(config) \
    wspool_jwt_config_init_sized((config), sizeof(wspool_jwt_config))

/* Any thread. Returns NULL if wspool_jwt_new takes this configuration; otherwise a text for the
 * operator: what is wrong, and what to do. It must not be freed. */
const char *wspool_jwt_problem(const wspool_jwt_config *config);

/* Creates a judge of tokens. On error *jwt is NULL.
 *   INVAL  wspool_jwt_problem(config) says why. A server that needs tokens must not start.
 *   NOMEM  the allocator failed. Free memory and try again. */
int wspool_jwt_new(wspool_jwt **jwt, const wspool_jwt_config *config);

/* Frees a judge, and overwrites what it stores of secrets and tokens. The pool that it is attached
 * to must have been freed. NULL is allowed. */
void wspool_jwt_free(wspool_jwt *jwt);

/* Attaches the token handler to a pool (see wspool/handlers.h). The time of a judgement is the
 * pool's wall clock, and the key of the cache is of the pool's entropy.
 *   EXISTS   it is attached to a pool already. Use one wspool_jwt for each pool.
 *   ENTROPY  the pool's entropy hook failed. Correct it.
 * The other errors are those of wspool_attach. */
int wspool_jwt_attach(wspool_jwt *jwt, wspool *pool);

/* Replaces the secrets: `secret` signs and is accepted; `old_secret`, if it is not NULL, is
 * accepted too. Not copied as they are. Empties the cache. Peers that are open stay. A rotation:
 * give the new one with the old one beside it, and when the tokens of the old one have expired, the
 * new one alone. On error nothing is changed.
 *   INVAL  a secret is too short, or the algorithm is not HS256, HS384 or HS512. Correct the call.
 *           */
int wspool_jwt_set_secrets(wspool_jwt *jwt, const void *secret, size_t secret_len,
                           const void *old_secret, size_t old_secret_len);

/*
 * Replaces the keys by those of a JWK set. Copied. Empties the cache. Peers that are open stay. On
 * error nothing is changed, so a set that cannot be used does not lock everybody out.
 *
 * Keys of the set are passed over (RFC 7517, section 5) if they cannot serve: another kty, crv or
 * alg than the configured algorithm has, `use` other than "sig", `key_ops` without "verify", a
 * member that is missing or out of range. A token with `kid` is judged by the key of that `kid`; a
 * token without is judged only if the set has a single usable key.
 *
 *   INVAL    not a JWK set, longer than WSPOOL_JWT_KEY_SET_MAX, a name occurs twice in an object,
 *            no key is usable, two usable keys have the same `kid` or none, or the algorithm is an
 *            HS one. Keep the present keys, and look at what was fetched.
 *   FULL     it has more than WSPOOL_JWT_KEYS_MAX usable keys. Use a smaller set.
 *   NOMEM    the allocator failed. Free memory and try again.
 */
int wspool_jwt_set_keys(wspool_jwt *jwt, const void *json, size_t len);

/* The claims of a token. */
typedef struct wspool_jwt_claims {
    size_t size;         /* sizeof(wspool_jwt_claims), set by the caller */
    wspool_text subject; /* `sub`, at most WSPOOL_SUBJECT_MAX bytes; empty: none */
    uint64_t expires;    /* `exp`, in seconds since 1970; 0: none */
    uint64_t not_before; /* `nbf` */
    uint64_t issued_at;  /* `iat` */
    wspool_text payload; /* the whole payload, JSON, for claims that this library does not know */
} wspool_jwt_claims;

/* Judges a token at the time `now` (seconds since 1970), without the cache. Returns 0 if it is
 * valid; then *claims has what it says, if claims is not NULL. Its texts are valid until the next
 * call with this jwt. Otherwise returns the reason, a positive enum wspool_refusal, and *claims is
 * not changed. WSPOOL_REFUSED_NOMEM: it could not be judged for want of memory. (jansson does not
 * always tell that from wrong syntax: then the reason is TOKEN_MALFORMED, and wspool_jwt_set_keys
 * returns INVAL.)
 *   INVAL  claims->size is not set. Set it. */
int wspool_jwt_verify(wspool_jwt *jwt, wspool_text token, uint64_t now, wspool_jwt_claims *claims);

/* Makes a token: signs claims with the secret. `iss` and `aud` are those of the configuration, if
 * there are any; times of 0 and an empty subject are left out. If claims->payload is not empty, it
 * is signed as it is, and the other members are not used. Writes the token, not NUL-terminated, to
 * `token`, which has `room` bytes. Returns its length.
 *   INVAL    the algorithm is not HS256, HS384 or HS512, claims->size is not set, the subject is
 *            too long or not UTF-8 without NUL, or a time is greater than 2^53. Correct the call.
 *   TOO_BIG  the token is longer than `room` or WSPOOL_TOKEN_MAX. Give more room, or say less.
 *   NOMEM    jansson's allocator failed. Free memory and try again. */
int wspool_jwt_sign(wspool_jwt *jwt, const wspool_jwt_claims *claims, char *token, size_t room);

/* Counts of the token handler since wspool_jwt_new; `entries` and `memory` are those of this
 * moment. The pool counts refusals by their reason (see wspool/stats.h). */
typedef struct wspool_jwt_stats {
    size_t size;       /* sizeof(wspool_jwt_stats), set by the caller */
    uint64_t accepted; /* tokens accepted by the handler, from the cache or not */
    uint64_t refused;  /* tokens refused by the handler */
    uint64_t hits;     /* verdicts found in the cache. The hit rate is hits / (hits + misses) */
    uint64_t misses;   /* tokens that were looked for in the cache and not found */
    uint64_t evicted;  /* entries that gave way to others while they were still valid */
    uint64_t entries;  /* entries that are in use, expired ones included */
    uint64_t keys;     /* usable keys of the present JWK set */
    uint64_t memory;   /* bytes allocated with config.mem */
} wspool_jwt_stats;

/* Copies the statistics to *stats, as many members as stats->size has. Must be called on the pool's
 * thread.
 *   INVAL  stats->size is not set. Set it. */
int wspool_jwt_get_stats(const wspool_jwt *jwt, wspool_jwt_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
