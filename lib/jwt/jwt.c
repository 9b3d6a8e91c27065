/* SPDX-License-Identifier: MIT */
/* jwt/jwt.c - configuration, life and statistics. See wspool/jwt.h and jwt/jwt.h. */
#include "jwt/jwt.h"

#include <stdlib.h>
#include <string.h>

#include <wspool/versioned.h>

#include "jwt/algorithm.h"

#define CACHE_ENTRIES 10000u
#define CACHE_TIME_MAX 300u

static void *plain_malloc(size_t size, void *user)
{
    (void)user;
    return malloc(size);
}

static void plain_free(void *block, void *user)
{
    (void)user;
    free(block);
}

static const wspool_jwt_config defaults = {
    .size = sizeof(wspool_jwt_config),
    .algorithm = WSPOOL_JWT_HS256,
    .needs_exp = 1,
    .cache_entries = CACHE_ENTRIES,
    .cache_time = CACHE_TIME_MAX,
};

void wspool_jwt_config_init_sized(wspool_jwt_config *config, size_t size)
{
    wspool_versioned_init(config, size, &defaults, sizeof defaults);
}

/* ----------------------------------------------------------- configuration */

static int is_long_enough(enum wspool_jwt_algorithm algorithm, const void *secret, size_t len)
{
    return secret && len >= wsp_jwt_secret_min(algorithm);
}

static const char *problem_of_secret(enum wspool_jwt_algorithm algorithm)
{
    switch (algorithm) {
    case WSPOOL_JWT_HS256:
        return "HS256 needs a secret of at least 32 bytes (RFC 7518, 3.2): set one, for example "
               "the output of `openssl rand -hex 32`";
    case WSPOOL_JWT_HS384:
        return "HS384 needs a secret of at least 48 bytes (RFC 7518, 3.2): set one, for example "
               "the output of `openssl rand -hex 48`";
    default:
        return "HS512 needs a secret of at least 64 bytes (RFC 7518, 3.2): set one, for example "
               "the output of `openssl rand -hex 64`";
    }
}

static const char *problem_of(const wspool_jwt_config *config)
{
    const wspool_mem *mem = &config->mem;
    int hooks = (mem->malloc != NULL) + (mem->realloc != NULL) + (mem->free != NULL);
    if (!wsp_jwt_is_known(config->algorithm)) {
        return "algorithm is none of enum wspool_jwt_algorithm: choose one";
    }
    if (wsp_jwt_has_secret(config->algorithm)) {
        if (!is_long_enough(config->algorithm, config->secret, config->secret_len) ||
            (config->old_secret &&
             !is_long_enough(config->algorithm, config->old_secret, config->old_secret_len))) {
            return problem_of_secret(config->algorithm);
        }
    } else if (config->secret || config->old_secret) {
        return "this algorithm has no secret: remove it, and give a key set after the start";
    }
    if ((config->issuer && !*config->issuer) || (config->audience && !*config->audience)) {
        return "issuer or audience is an empty text: set it, or use NULL";
    }
    if (config->leeway > WSPOOL_JWT_LEEWAY_MAX) {
        return "leeway is longer than 60 seconds: shorten it, and set the clocks";
    }
    if (config->cache_entries > WSPOOL_JWT_CACHE_MAX || config->cache_time < 1 ||
        config->cache_time > CACHE_TIME_MAX) {
        return "cache_entries may be 1,000,000 at most, and cache_time is 1 to 300 seconds";
    }
    return hooks == 0 || hooks == 3 ? NULL : "mem needs all three functions, or none";
}

static const char *read_config(wspool_jwt_config *config, const wspool_jwt_config *given)
{
    *config = defaults;
    if (!given || wspool_versioned_read(config, sizeof *config, given)) {
        return "the configuration is NULL, its size is not set, or it is for a newer release: use "
               "wspool_jwt_config_init";
    }
    return problem_of(config);
}

const char *wspool_jwt_problem(const wspool_jwt_config *given)
{
    wspool_jwt_config config;
    return read_config(&config, given);
}

/* -------------------------------------------------------------------- life */

/* Copies a text to *room, and moves *room. */
static const char *copy_text(const char *text, char **room)
{
    if (!text) {
        return NULL;
    }
    size_t size = strlen(text) + 1;
    const char *copy = memcpy(*room, text, size);
    *room += size;
    return copy;
}

int wspool_jwt_new(wspool_jwt **out, const wspool_jwt_config *given)
{
    wspool_jwt_config config;
    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    if (read_config(&config, given)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!config.mem.malloc) {
        config.mem = (wspool_mem){plain_malloc, NULL, plain_free, NULL}; /* realloc is not used */
    }
    struct wsp_jwt_memory memory = {.hooks = config.mem};
    size_t texts = (config.issuer ? strlen(config.issuer) + 1 : 0) +
                   (config.audience ? strlen(config.audience) + 1 : 0);
    wspool_jwt *jwt = wsp_jwt_alloc(&memory, sizeof *jwt + texts);
    if (!jwt) {
        return WSPOOL_ERR_NOMEM;
    }
    jwt->algorithm = config.algorithm;
    jwt->memory = memory;
    if (wsp_jwt_cache_init(&jwt->cache, &jwt->memory, config.cache_entries, config.cache_time)) {
        wspool_jwt_free(jwt);
        return WSPOOL_ERR_NOMEM;
    }
    char *room = jwt->texts;
    jwt->rules.issuer = copy_text(config.issuer, &room);
    jwt->rules.audience = copy_text(config.audience, &room);
    jwt->rules.leeway = config.leeway;
    jwt->rules.needs_exp = config.needs_exp;
    if (wsp_jwt_has_secret(config.algorithm)) {
        wsp_jwt_secrets_set(&jwt->secrets, config.algorithm, config.secret, config.secret_len,
                            config.old_secret, config.old_secret_len);
    }
    *out = jwt;
    return 0;
}

void wspool_jwt_free(wspool_jwt *jwt)
{
    if (!jwt) {
        return;
    }
    struct wsp_jwt_memory memory = jwt->memory;
    wsp_jwt_keys_free(&memory, jwt->keys);
    wsp_jwt_cache_fini(&jwt->cache, &memory);
    wsp_jwt_release(&memory, jwt); /* the secrets with it */
}

int wspool_jwt_set_secrets(wspool_jwt *jwt, const void *secret, size_t len, const void *old,
                           size_t old_len)
{
    if (!jwt || !wsp_jwt_has_secret(jwt->algorithm) ||
        !is_long_enough(jwt->algorithm, secret, len) ||
        (old && !is_long_enough(jwt->algorithm, old, old_len))) {
        return WSPOOL_ERR_INVAL;
    }
    wsp_jwt_secrets_set(&jwt->secrets, jwt->algorithm, secret, len, old, old_len);
    wsp_jwt_cache_clear(&jwt->cache);
    return 0;
}

int wspool_jwt_set_keys(wspool_jwt *jwt, const void *json, size_t len)
{
    struct wsp_jwt_keys *keys;
    if (!jwt || !json || wsp_jwt_has_secret(jwt->algorithm)) {
        return WSPOOL_ERR_INVAL;
    }
    int error = wsp_jwt_keys_read(&jwt->memory, jwt->algorithm, json, len, &keys);
    if (error) {
        return error;
    }
    wsp_jwt_keys_free(&jwt->memory, jwt->keys);
    jwt->keys = keys;
    wsp_jwt_cache_clear(&jwt->cache);
    return 0;
}

/* -------------------------------------------------------------- statistics */

int wspool_jwt_get_stats(const wspool_jwt *jwt, wspool_jwt_stats *out)
{
    if (!jwt || !out) {
        return WSPOOL_ERR_INVAL;
    }
    wspool_jwt_stats stats = {
        .accepted = jwt->accepted,
        .refused = jwt->refused,
        .hits = jwt->cache.hits,
        .misses = jwt->cache.misses,
        .evicted = jwt->cache.evicted,
        .entries = jwt->cache.in_use,
        .keys = jwt->keys ? jwt->keys->count : 0,
        .memory = jwt->memory.bytes,
    };
    return wspool_versioned_write(out, &stats, sizeof stats);
}
