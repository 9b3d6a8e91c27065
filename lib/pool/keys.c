/* SPDX-License-Identifier: MIT */
/* pool/keys.c - see pool/keys.h. */
#include "pool/keys.h"

#include <string.h>

#include <wspool/error.h>

struct key {
    struct wsp_map_node node; /* first member: a node is its key */
    uint32_t peers;
    char bytes[];
};

void wsp_keys_init(struct wsp_keys *keys, const wspool_mem *mem, const struct wsp_siphash_key *seed,
                   uint32_t most)
{
    keys->mem = mem;
    keys->most = most;
    wsp_map_init(&keys->map, seed);
}

void wsp_keys_fini(struct wsp_keys *keys)
{
    wsp_map_fini(&keys->map, keys->mem);
}

static struct key *find(const struct wsp_keys *keys, wspool_text key)
{
    return (struct key *)(void *)wsp_map_find(&keys->map, key.data, key.len);
}

static struct key *add(struct wsp_keys *keys, wspool_text text)
{
    struct key *key = wsp_alloc(keys->mem, sizeof *key + text.len);
    if (!key) {
        return NULL;
    }
    memcpy(key->bytes, text.data, text.len);
    key->peers = 0;
    key->node.key = key->bytes;
    key->node.key_len = (uint32_t)text.len;
    if (wsp_map_add(&keys->map, keys->mem, &key->node)) {
        wsp_free(keys->mem, key);
        return NULL;
    }
    return key;
}

int wsp_keys_are_full(const struct wsp_keys *keys, wspool_text text)
{
    const struct key *key = keys->most > 0 ? find(keys, text) : NULL;
    return key && key->peers >= keys->most;
}

int wsp_keys_take(struct wsp_keys *keys, wspool_text text)
{
    if (keys->most == 0 || text.len == 0) {
        return 0;
    }
    if (wsp_keys_are_full(keys, text)) {
        return WSPOOL_ERR_FULL;
    }
    struct key *key = find(keys, text);
    if (!key) {
        key = add(keys, text);
    }
    if (!key) {
        return WSPOOL_ERR_NOMEM;
    }
    key->peers++;
    return 0;
}

void wsp_keys_give(struct wsp_keys *keys, wspool_text text)
{
    if (keys->most == 0 || text.len == 0) {
        return;
    }
    struct key *key = find(keys, text);
    if (--key->peers == 0) {
        wsp_map_remove(&keys->map, &key->node);
        wsp_free(keys->mem, key);
    }
}

int wsp_keys_check(const struct wsp_keys *keys, uint64_t *peers)
{
    struct wsp_map_node *node = NULL;
    *peers = 0;
    if (!wsp_map_check(&keys->map)) {
        return 0;
    }
    while ((node = wsp_map_next(&keys->map, node)) != NULL) {
        const struct key *key = (const struct key *)(const void *)node;
        if (key->peers == 0 || key->peers > keys->most) {
            return 0;
        }
        *peers += key->peers;
    }
    return 1;
}
