/* SPDX-License-Identifier: MIT */
/* channel/ids.c - see channel/ids.h. */
#include "channel/ids.h"

#include <string.h>

#include <wspool/error.h>

static int is_too_old(const struct wsp_publish_id *id, uint64_t now)
{
    return now - id->time >= WSPOOL_PUBLISH_ID_TIME;
}

uint64_t wsp_ids_find(const struct wsp_ids *ids, wspool_text id, uint64_t now)
{
    const struct wsp_map_node *node = ids ? wsp_map_find(&ids->map, id.data, id.len) : NULL;
    /* The node is the first member. */
    const struct wsp_publish_id *found = (const void *)node;
    return found && !is_too_old(found, now) ? found->offset : 0;
}

/* ---------------------------------------------------------------- the list of sets */

static void unlink_set(struct wsp_histories *histories, struct wsp_ids *ids)
{
    *(ids->older ? &ids->older->newer : &histories->oldest_ids) = ids->newer;
    *(ids->newer ? &ids->newer->older : &histories->newest_ids) = ids->older;
}

static void append_set(struct wsp_histories *histories, struct wsp_ids *ids)
{
    ids->older = histories->newest_ids;
    ids->newer = NULL;
    *(ids->older ? &ids->older->newer : &histories->oldest_ids) = ids;
    histories->newest_ids = ids;
}

/* -------------------------------------------------------------------- removing */

static uint64_t memory_of(const struct wsp_publish_id *id)
{
    return sizeof *id + id->node.key_len;
}

static void remove_id(struct wsp_histories *histories, struct wsp_ids **ids,
                      struct wsp_publish_id *id)
{
    struct wsp_ids *set = *ids;
    *(id->older ? &id->older->newer : &set->oldest) = id->newer;
    *(id->newer ? &id->newer->older : &set->newest) = id->older;
    wsp_map_remove(&set->map, &id->node);
    set->memory -= memory_of(id);
    wsp_histories_release(histories, id, memory_of(id));
    if (!set->oldest) {
        wsp_histories_map_fini(histories, &set->map, &set->memory);
        unlink_set(histories, set);
        wsp_histories_release(histories, set, sizeof *set);
        *ids = NULL;
    }
}

void wsp_ids_cancel(struct wsp_histories *histories, struct wsp_ids **ids)
{
    remove_id(histories, ids, (*ids)->newest);
}

void wsp_ids_trim(struct wsp_histories *histories, struct wsp_ids **ids, uint64_t now)
{
    while (*ids && ((*ids)->map.count > WSPOOL_PUBLISH_IDS || is_too_old((*ids)->oldest, now))) {
        remove_id(histories, ids, (*ids)->oldest);
    }
}

void wsp_ids_free(struct wsp_histories *histories, struct wsp_ids **ids)
{
    while (*ids) {
        remove_id(histories, ids, (*ids)->oldest);
    }
}

/* ---------------------------------------------------------------------- adding */

int wsp_ids_add(struct wsp_histories *histories, struct wsp_channel *channel, struct wsp_ids **ids,
                const struct wsp_siphash_key *seed, wspool_text id, uint64_t offset, uint64_t now)
{
    int error;
    struct wsp_ids *set = *ids;
    struct wsp_publish_id *new_id = wsp_histories_alloc(histories, sizeof *new_id + id.len, &error);
    if (!new_id) {
        return error;
    }
    if (!set) {
        set = wsp_histories_alloc(histories, sizeof *set, &error);
        if (!set) {
            goto fail;
        }
        *set = (struct wsp_ids){.channel = channel, .memory = sizeof *set};
        wsp_map_init(&set->map, seed);
    }
    *new_id = (struct wsp_publish_id){.older = set->newest, .offset = offset, .time = now};
    memcpy(new_id->bytes, id.data, id.len);
    new_id->node.key = new_id->bytes;
    new_id->node.key_len = (uint32_t)id.len;
    error = wsp_histories_map_add(histories, &set->map, &new_id->node, &set->memory);
    if (error) {
        goto fail;
    }
    set->memory += memory_of(new_id);
    *(set->newest ? &set->newest->newer : &set->oldest) = new_id;
    set->newest = new_id;
    if (*ids) {
        unlink_set(histories, set);
    }
    append_set(histories, set);
    *ids = set;
    return 0;
fail:
    wsp_histories_release(histories, new_id, sizeof *new_id + id.len);
    if (set && !*ids) {
        wsp_histories_map_fini(histories, &set->map, &set->memory);
        wsp_histories_release(histories, set, sizeof *set);
    }
    return error;
}

/* ---------------------------------------------------------------------- checks */

static int set_is_valid(const struct wsp_ids *ids)
{
    uint64_t memory = sizeof *ids + ids->map.bucket_count * sizeof *ids->map.buckets;
    size_t count = 0;
    const struct wsp_publish_id *before = NULL;
    for (const struct wsp_publish_id *each = ids->oldest; each; each = each->newer) {
        if (each->older != before ||
            (before && (each->offset <= before->offset || each->time < before->time)) ||
            wsp_map_find(&ids->map, each->bytes, each->node.key_len) != &each->node) {
            return 0;
        }
        memory += memory_of(each);
        count++;
        before = each;
    }
    return count > 0 && count == ids->map.count && ids->newest == before && memory == ids->memory &&
           wsp_map_check(&ids->map);
}

int wsp_ids_check(const struct wsp_histories *histories, uint64_t *memory)
{
    const struct wsp_ids *before = NULL;
    *memory = 0;
    for (const struct wsp_ids *each = histories->oldest_ids; each; each = each->newer) {
        if (each->older != before || !set_is_valid(each)) {
            return 0;
        }
        *memory += each->memory;
        before = each;
    }
    return histories->newest_ids == before;
}
