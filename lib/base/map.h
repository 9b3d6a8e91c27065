/* SPDX-License-Identifier: MIT */
/*
 * base/map.h - a seeded hash map of things that know their own key.  Floor 0.
 *
 * Intrusive: a thing embeds a wsp_map_node and the map links it into a chain of its bucket, so
 * adding allocates nothing but, now and then, a larger table of buckets. A table that can't grow
 * is no failure: chains get longer. The key is `len` bytes that live in the thing; a caller with
 * a composite key lays it out so that equal things have equal bytes (a kind first, say).
 *
 * Invariants:
 * - a node is in at most one map, and lies in the chain of its hash;
 * - the hash in a node is that of its key;
 * - the number of buckets is a power of two; there are none until the first node;
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
    uint32_t hash; /* the low bits of the full one */
};

struct wsp_map {
    struct wsp_map_node **buckets; /* NULL until the first node */
    size_t bucket_count;
    size_t count;
    struct wsp_siphash_key seed;
};

void wsp_map_init(struct wsp_map *map, const struct wsp_siphash_key *seed);
/* Frees the table; the nodes are the caller's. */
void wsp_map_fini(struct wsp_map *map, const wspool_mem *mem);

/* The node with this key, or NULL. */
struct wsp_map_node *wsp_map_find(const struct wsp_map *map, const void *key, size_t len);
/* Adds a node whose key isn't there yet; node->key and key_len are set. 0, or NOMEM when the
 * very first table can't be had. */
int wsp_map_add(struct wsp_map *map, const wspool_mem *mem, struct wsp_map_node *node);
/* Takes a node out that is in. Never allocates; the table does not shrink. */
void wsp_map_remove(struct wsp_map *map, struct wsp_map_node *node);
/* Walks all nodes in no order: NULL begins, NULL is the end. The map must not change meanwhile,
 * except that the caller may remove and free `node` if it has fetched its successor before. */
struct wsp_map_node *wsp_map_next(const struct wsp_map *map, const struct wsp_map_node *node);
/* Do the invariants hold? 1 or 0. Linear. */
int wsp_map_check(const struct wsp_map *map);

#endif
