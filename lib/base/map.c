/* SPDX-License-Identifier: MIT */
/*
 * base/map.c - see base/map.h.
 *
 * Chains, because an intrusive node never moves and costs its owner one pointer. The table doubles
 * when it has as many nodes as buckets. Nodes store their hash, so doubling reads no key.
 */
#include "base/map.h"

#include <string.h>
#include <wspool/error.h>

#define FIRST_BUCKETS 16u

static uint32_t hash_of(const struct wsp_map *map, const void *key, size_t len)
{
    return (uint32_t)wsp_siphash13(&map->seed, key, len);
}

static size_t bucket_of(const struct wsp_map *map, uint32_t hash)
{
    return hash & (map->bucket_count - 1);
}

void wsp_map_init(struct wsp_map *map, const struct wsp_siphash_key *seed)
{
    memset(map, 0, sizeof(*map));
    map->seed = *seed;
}

void wsp_map_fini(struct wsp_map *map, const wspool_mem *mem)
{
    wsp_free(mem, map->buckets);
    map->buckets = NULL;
    map->bucket_count = 0;
    map->count = 0;
}

struct wsp_map_node *wsp_map_find(const struct wsp_map *map, const void *key, size_t len)
{
    if (map->count == 0) {
        return NULL;
    }
    uint32_t hash = hash_of(map, key, len);
    struct wsp_map_node *node = map->buckets[bucket_of(map, hash)];
    for (; node; node = node->next) {
        if (node->hash == hash && node->key_len == len &&
            (len == 0 || memcmp(node->key, key, len) == 0)) {
            return node;
        }
    }
    return NULL;
}

static void map_link(struct wsp_map *map, struct wsp_map_node *node)
{
    struct wsp_map_node **bucket = &map->buckets[bucket_of(map, node->hash)];
    node->next = *bucket;
    *bucket = node;
}

static size_t larger_count(const struct wsp_map *map)
{
    return map->bucket_count ? map->bucket_count * 2 : FIRST_BUCKETS;
}

size_t wsp_map_next_table(const struct wsp_map *map)
{
    size_t count = map->count >= map->bucket_count ? larger_count(map) : map->bucket_count;
    return count * sizeof *map->buckets;
}

static void map_grow(struct wsp_map *map, const wspool_mem *mem)
{
    size_t old_count = map->bucket_count;
    if (old_count > SIZE_MAX / 2) {
        return;
    }
    size_t new_count = larger_count(map);
    struct wsp_map_node **larger = wsp_calloc(mem, new_count, sizeof(*larger));
    if (!larger) {
        return;
    }
    struct wsp_map_node **old = map->buckets;
    map->buckets = larger;
    map->bucket_count = new_count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct wsp_map_node *node = old[i], *next; node; node = next) {
            next = node->next;
            map_link(map, node);
        }
    }
    wsp_free(mem, old);
}

int wsp_map_add(struct wsp_map *map, const wspool_mem *mem, struct wsp_map_node *node)
{
    if (map->count >= map->bucket_count) {
        map_grow(map, mem);
        if (!map->buckets) {
            return WSPOOL_ERR_NOMEM;
        }
    }
    node->hash = hash_of(map, node->key, node->key_len);
    map_link(map, node);
    map->count++;
    return 0;
}

void wsp_map_remove(struct wsp_map *map, struct wsp_map_node *node)
{
    struct wsp_map_node **link = &map->buckets[bucket_of(map, node->hash)];
    while (*link != node) {
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

struct wsp_map_node *wsp_map_next(const struct wsp_map *map, const struct wsp_map_node *node)
{
    size_t bucket = 0;
    if (node) {
        if (node->next) {
            return node->next;
        }
        bucket = bucket_of(map, node->hash) + 1;
    }
    for (; bucket < map->bucket_count; bucket++) {
        if (map->buckets[bucket]) {
            return map->buckets[bucket];
        }
    }
    return NULL;
}

int wsp_map_check(const struct wsp_map *map)
{
    size_t seen = 0;
    if ((map->buckets == NULL) != (map->bucket_count == 0) ||
        (map->bucket_count & (map->bucket_count - 1)) != 0) {
        return 0;
    }
    for (size_t i = 0; i < map->bucket_count; i++) {
        for (const struct wsp_map_node *node = map->buckets[i]; node; node = node->next) {
            if (bucket_of(map, node->hash) != i ||
                node->hash != hash_of(map, node->key, node->key_len) || ++seen > map->count) {
                return 0;
            }
        }
    }
    return seen == map->count;
}
