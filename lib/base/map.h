/* SPDX-License-Identifier: MIT */
/*
 * base/map.h - a seeded, intrusive hash map.  Layer 0.
 *
 * An object embeds a wsp_map_node, and the map links the node into the chain of its bucket. So
 * adding allocates nothing, except now and then a larger table of buckets. When the table cannot
 * grow, chains get longer and nothing fails. The key is `len` bytes inside the object. A caller
 * with a composite key lays it out so that equal objects have equal bytes (the kind first, for
 * example).
 *
 * Invariants:
 * - a node is in at most one map, in the chain of its hash;
 * - the hash in a node is the hash of its key;
 * - the number of buckets is a power of two, or 0 before the first node;
 * - `count` is the number of nodes in all chains.
 */
#ifndef WSP_BASE_MAP_H
#define WSP_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"
#include "base/siphash.h"

struct wsp_map_node {
    struct wsp_map_node *next;
    const void *key;
    uint32_t key_len;
    uint32_t hash; /* low bits of the full hash */
};

struct wsp_map {
    struct wsp_map_node **buckets; /* NULL until the first node */
    size_t bucket_count;
    size_t count;
    struct wsp_siphash_key seed;
};

void wsp_map_init(struct wsp_map *map, const struct wsp_siphash_key *seed);
/* Frees the table. The nodes belong to the caller. */
void wsp_map_fini(struct wsp_map *map, const wspool_mem *mem);

/* Returns the node with this key, or NULL. */
struct wsp_map_node *wsp_map_find(const struct wsp_map *map, const void *key, size_t len);
/* Adds a node whose key is not in the map. The caller has set node->key and node->key_len.
 * Returns 0, or WSPOOL_ERR_NOMEM when the first table cannot be allocated. */
int wsp_map_add(struct wsp_map *map, const wspool_mem *mem, struct wsp_map_node *node);
/* Removes a node of this map. Never allocates; the table does not shrink. */
void wsp_map_remove(struct wsp_map *map, struct wsp_map_node *node);
/* Returns the node after `node` in no particular order: NULL begins the walk, NULL ends it. The
 * map must not change during a walk, except that the caller may remove and free `node` after it
 * has fetched the next one. */
struct wsp_map_node *wsp_map_next(const struct wsp_map *map, const struct wsp_map_node *node);
/* Returns the bytes that the table of buckets may have when one more node was added. */
size_t wsp_map_next_table(const struct wsp_map *map);
/* Returns 1 if the invariants hold, else 0. Linear. */
int wsp_map_check(const struct wsp_map *map);

#endif
