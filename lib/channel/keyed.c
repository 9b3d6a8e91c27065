/* SPDX-License-Identifier: MIT */
/*
 * channel/keyed.c - see channel/keyed.h.
 *
 * Rejected: an allocation for each key's message, without passes: each would be a run of its own,
 * so a state of 1,000 keys would take 1,000 vectors instead of a few.
 */
#include "channel/keyed.h"

#include <string.h>

#include <wspool/error.h>

#define FIRST_LOG 16u
#define FIRST_SEGMENT 512u

static uint64_t key_memory(const struct wsp_key *key)
{
    return sizeof *key + key->node.key_len;
}

int wsp_keyed_init(struct wsp_histories *histories, struct wsp_history *history,
                   const struct wsp_siphash_key *seed, uint64_t horizon)
{
    int error;
    struct wsp_keyed *keyed = wsp_histories_alloc(histories, sizeof *keyed, &error);
    if (!keyed) {
        return error;
    }
    *keyed = (struct wsp_keyed){.horizon = horizon, .era = 1, .memory = sizeof *keyed};
    wsp_map_init(&keyed->keys, seed);
    wsp_history_link_keyed(histories, history, keyed);
    return 0;
}

/* ------------------------------------------------------------------------- keys */

struct wsp_key *wsp_keyed_find(const struct wsp_keyed *keyed, wspool_text key)
{
    /* The node is the first member. */
    return (struct wsp_key *)(void *)wsp_map_find(&keyed->keys, key.data, key.len);
}

static void free_key(struct wsp_histories *histories, struct wsp_keyed *keyed, struct wsp_key *key)
{
    keyed->memory -= key_memory(key);
    wsp_histories_release(histories, key, key_memory(key));
}

static void append_removal(struct wsp_keyed *keyed, struct wsp_key *key)
{
    key->older = keyed->newest;
    key->newer = NULL;
    *(key->older ? &key->older->newer : &keyed->oldest) = key;
    keyed->newest = key;
}

static void unlink_removal(struct wsp_keyed *keyed, struct wsp_key *key)
{
    *(key->older ? &key->older->newer : &keyed->oldest) = key->newer;
    *(key->newer ? &key->newer->older : &keyed->newest) = key->older;
}

struct wsp_key *wsp_keyed_add(struct wsp_histories *histories, struct wsp_keyed *keyed,
                              wspool_text text, int removed, int *error)
{
    struct wsp_key *key = wsp_histories_alloc(histories, sizeof *key + text.len, error);
    if (!key) {
        return NULL;
    }
    *key = (struct wsp_key){.node = {.key = key->bytes, .key_len = (uint32_t)text.len},
                            .forgotten = removed != 0};
    memcpy(key->bytes, text.data, text.len);
    *error =
        removed ? 0 : wsp_histories_map_add(histories, &keyed->keys, &key->node, &keyed->memory);
    if (*error) {
        wsp_histories_release(histories, key, key_memory(key));
        return NULL;
    }
    keyed->memory += key_memory(key);
    return key;
}

void wsp_keyed_cancel(struct wsp_histories *histories, struct wsp_keyed *keyed, struct wsp_key *key)
{
    if (!key->forgotten) {
        wsp_map_remove(&keyed->keys, &key->node);
    }
    free_key(histories, keyed, key);
}

/* -------------------------------------------------------------------------- log */

uint32_t wsp_keyed_search(const struct wsp_keyed *keyed, uint64_t offset)
{
    uint32_t low = 0, high = wsp_keyed_count(keyed);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (wsp_keyed_at(keyed, middle)->offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t wsp_keyed_newer(const struct wsp_keyed *keyed, uint64_t offset)
{
    uint32_t count = wsp_keyed_count(keyed), newer = 0;
    for (uint32_t i = wsp_keyed_search(keyed, offset); i < count; i++) {
        newer += wsp_keyed_at(keyed, i)->kept.key != NULL;
    }
    return newer;
}

/* The newest message of a key was in the log. */
static void make_superfluous(struct wsp_keyed *keyed, uint64_t offset)
{
    uint32_t index = wsp_keyed_search(keyed, offset);
    struct wsp_old *old =
        &keyed->log[index < keyed->done ? index : index - keyed->done + keyed->rest];
    old->kept.key = NULL;
    keyed->superfluous++;
}

/* Moves the log to an array of another size, without a gap. */
static int resize(struct wsp_histories *histories, struct wsp_keyed *keyed, uint32_t cap)
{
    int error;
    struct wsp_old *log = wsp_histories_alloc(histories, cap * sizeof *log, &error);
    if (!log) {
        return error;
    }
    uint32_t rest = keyed->end - keyed->rest;
    if (keyed->cap > 0) {
        memcpy(log, keyed->log, keyed->done * sizeof *log);
        memcpy(log + keyed->done, keyed->log + keyed->rest, rest * sizeof *log);
    }
    wsp_histories_release(histories, keyed->log, keyed->cap * sizeof *log);
    keyed->memory += cap * sizeof *log;
    keyed->memory -= keyed->cap * sizeof *log;
    keyed->log = log;
    keyed->cap = cap;
    keyed->rest = keyed->done;
    keyed->end = keyed->done + rest;
    return 0;
}

static int reserve_entry(struct wsp_histories *histories, struct wsp_keyed *keyed)
{
    return keyed->end < keyed->cap
               ? 0
               : resize(histories, keyed, keyed->cap ? keyed->cap * 2 : FIRST_LOG);
}

/* Copies the bytes of an entry behind those of `segment`, or to a new segment. */
static int copy(struct wsp_histories *histories, const struct wsp_keyed *keyed,
                struct wsp_block **segment, const struct wsp_kept *from, struct wsp_kept *to)
{
    struct wsp_block *block = *segment;
    int error;
    if (!block || block->cap - block->used < from->len) {
        uint32_t size = FIRST_SEGMENT;
        while (size < WSP_BLOCK_BYTES && size < wsp_keyed_count(keyed) * from->len) {
            size *= 2;
        }
        size = size < WSP_BLOCK_BYTES ? size : WSP_BLOCK_BYTES;
        block = wsp_blocks_segment(&histories->store, size > from->len ? size : from->len,
                                   from->segment->priority, &error);
        if (!block) {
            return error;
        }
        *segment = block;
    }
    memcpy(block->bytes + block->used, wsp_kept_bytes(from), from->len);
    *to = *from;
    to->segment = block;
    to->at = block->used;
    block->used += from->len;
    return 0;
}

static int append_old(struct wsp_histories *histories, struct wsp_keyed *keyed, uint64_t offset,
                      const struct wsp_kept *kept)
{
    int error = reserve_entry(histories, keyed);
    if (!error) {
        error = copy(histories, keyed, &keyed->open, kept, &keyed->log[keyed->end].kept);
    }
    if (error) {
        return error;
    }
    keyed->log[keyed->end].offset = offset;
    keyed->end++;
    if (!keyed->passing) {
        keyed->done = keyed->rest = keyed->end;
    }
    return 0;
}

/* --------------------------------------------------------------- leaving the window */

static void pass_horizon(struct wsp_keyed *keyed, const struct wsp_key *removal)
{
    if (removal->offset > keyed->horizon) {
        keyed->horizon = removal->offset;
        keyed->horizon_era = removal->era;
    }
}

void wsp_keyed_commit(struct wsp_history *history, struct wsp_kept *kept, struct wsp_key *key,
                      int removed)
{
    struct wsp_keyed *keyed = history->keyed;
    kept->key = key;
    if (!key) {
        return;
    }
    if (key->offset > 0 && key->offset < history->first) {
        make_superfluous(keyed, key->offset);
    }
    if (key->removed) {
        unlink_removal(keyed, key);
        key->removed = 0;
    }
    key->offset = history->first + history->count;
    key->time = kept->time;
    key->entries++;
    if (removed) {
        keyed->era_has_removals = 1;
        key->era = keyed->era;
        key->removed = 1;
        if (!key->forgotten) {
            append_removal(keyed, key);
        }
    }
}

/* The oldest message leaves the window, and is not kept. */
static void drop(struct wsp_histories *histories, struct wsp_history *history)
{
    struct wsp_key *key = wsp_history_slot(history, 0)->key;
    if (key && --key->entries == 0 && key->forgotten) {
        free_key(histories, history->keyed, key);
    }
    wsp_history_forget(histories, history);
}

int wsp_keyed_retire(struct wsp_histories *histories, struct wsp_history *history)
{
    struct wsp_keyed *keyed = history->keyed;
    const struct wsp_kept *kept = wsp_history_slot(history, 0);
    const struct wsp_key *key = kept->key;
    if (key && key->offset == history->first) { /* the newest */
        int error = key->forgotten ? 0 : append_old(histories, keyed, history->first, kept);
        if (error) {
            return error;
        }
        if (key->forgotten) {
            pass_horizon(keyed, key);
        }
    }
    drop(histories, history);
    return 0;
}

void wsp_keyed_forget_removal(struct wsp_histories *histories, struct wsp_history *history)
{
    struct wsp_keyed *keyed = history->keyed;
    struct wsp_key *key = keyed->oldest;
    unlink_removal(keyed, key);
    wsp_map_remove(&keyed->keys, &key->node);
    if (key->offset < history->first) {
        make_superfluous(keyed, key->offset);
        pass_horizon(keyed, key);
        free_key(histories, keyed, key);
    } else { /* the window still has it */
        key->forgotten = 1;
    }
}

/* ------------------------------------------------------------------------- passes */

static void release(struct wsp_histories *histories, struct wsp_block *segment)
{
    if (segment->holds > 1) {
        wsp_block_move(segment, histories->queues);
    }
    wsp_block_release(segment);
}

static void begin_pass(struct wsp_keyed *keyed)
{
    if (!keyed->passing && keyed->superfluous > wsp_keyed_count(keyed) / 2) {
        keyed->passing = 1;
        keyed->done = keyed->rest = 0;
        keyed->copied = NULL;
    }
}

/* Returns 0 when there is no memory. */
static int step_pass(struct wsp_histories *histories, struct wsp_keyed *keyed)
{
    struct wsp_old *old = &keyed->log[keyed->rest];
    struct wsp_block *segment = old->kept.segment;
    if (old->kept.key) {
        struct wsp_kept copied;
        if (copy(histories, keyed, &keyed->copied, &old->kept, &copied)) {
            return 0;
        }
        keyed->log[keyed->done++] = (struct wsp_old){.offset = old->offset, .kept = copied};
    } else {
        keyed->superfluous--;
    }
    keyed->rest++;
    if (keyed->rest == keyed->end || keyed->log[keyed->rest].kept.segment != segment) {
        release(histories, segment);
    }
    if (keyed->rest == keyed->end) {
        keyed->open = keyed->copied;
        keyed->rest = keyed->end = keyed->done;
        keyed->passing = 0;
        if (keyed->cap > FIRST_LOG && keyed->end < keyed->cap / 4) {
            (void)resize(histories, keyed, keyed->cap / 2);
        }
    }
    return 1;
}

void wsp_keyed_step(struct wsp_histories *histories, struct wsp_history *history,
                    uint64_t tombstone_time, uint64_t now)
{
    struct wsp_keyed *keyed = history->keyed;
    for (int i = 0; i < WSP_KEYED_STEPS && tombstone_time > 0 && keyed->oldest; i++) {
        if (keyed->oldest->offset >= history->first || now - keyed->oldest->time < tombstone_time) {
            break;
        }
        wsp_keyed_forget_removal(histories, history);
    }
    begin_pass(keyed);
    for (int i = 0; i < WSP_KEYED_STEPS && keyed->passing; i++) {
        if (!step_pass(histories, keyed)) {
            return;
        }
    }
}

/* --------------------------------------------------------------------------- rest */

void wsp_keyed_leave_out(struct wsp_keyed *keyed, uint64_t offset)
{
    keyed->horizon = offset;
    keyed->horizon_era = keyed->era;
    keyed->era_has_removals = 1;
}

int wsp_keyed_begin_era(struct wsp_keyed *keyed)
{
    int begins = keyed->era_has_removals;
    keyed->era += begins ? 1 : 0;
    keyed->era_has_removals = 0;
    return begins;
}

void wsp_keyed_erase(struct wsp_histories *histories, struct wsp_history *history,
                     struct wsp_key *key, uint64_t head)
{
    struct wsp_keyed *keyed = history->keyed;
    make_superfluous(keyed, key->offset);
    if (key->removed) {
        unlink_removal(keyed, key);
    }
    wsp_map_remove(&keyed->keys, &key->node);
    free_key(histories, keyed, key);
    wsp_keyed_leave_out(keyed, head);
}

void wsp_keyed_each_segment(const struct wsp_keyed *keyed,
                            void (*visit)(struct wsp_block *segment, void *user), void *user)
{
    struct wsp_block *before = NULL;
    for (uint32_t i = 0; i < wsp_keyed_count(keyed); i++) {
        struct wsp_block *segment = wsp_keyed_at(keyed, i)->kept.segment;
        if (segment != before) {
            visit(segment, user);
        }
        before = segment;
    }
}

static void release_one(struct wsp_block *segment, void *histories)
{
    release(histories, segment);
}

void wsp_keyed_fini(struct wsp_histories *histories, struct wsp_history *history)
{
    struct wsp_keyed *keyed = history->keyed;
    struct wsp_map_node *node;
    while (history->count > 0) {
        drop(histories, history);
    }
    wsp_keyed_each_segment(keyed, release_one, histories);
    while ((node = wsp_map_next(&keyed->keys, NULL)) != NULL) {
        wsp_keyed_cancel(histories, keyed, (struct wsp_key *)(void *)node);
    }
    wsp_histories_map_fini(histories, &keyed->keys, &keyed->memory);
    wsp_histories_release(histories, keyed->log, keyed->cap * sizeof *keyed->log);
    wsp_histories_release(histories, keyed, sizeof *keyed);
    wsp_history_unlink_keyed(history);
}

static int check(const struct wsp_histories *histories, const struct wsp_history *history)
{
    const struct wsp_keyed *keyed = history->keyed;
    uint64_t memory = sizeof *keyed + keyed->cap * sizeof *keyed->log, before = 0;
    uint32_t superfluous = 0, newest = 0, removals = 0, removed = 0;
    if (keyed->done > keyed->rest || keyed->rest > keyed->end || keyed->end > keyed->cap ||
        !wsp_map_check(&keyed->keys)) {
        return 0;
    }
    for (uint32_t i = 0; i < wsp_keyed_count(keyed); i++) {
        const struct wsp_old *old = wsp_keyed_at(keyed, i);
        const struct wsp_key *key = old->kept.key;
        if (old->offset <= before || old->offset >= history->first ||
            old->kept.segment->holds == 0 || old->kept.segment->store != &histories->store ||
            old->kept.at + old->kept.len > old->kept.segment->used ||
            (key && (key->offset != old->offset || key->forgotten))) {
            return 0;
        }
        superfluous += key == NULL;
        newest += key != NULL;
        before = old->offset;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        const struct wsp_key *key = wsp_history_slot(history, i)->key;
        if (key && key->offset < history->first + i) {
            return 0;
        }
        if (key && key->offset == history->first + i) {
            newest += !key->forgotten;
            memory += key->forgotten ? key_memory(key) : 0;
        }
    }
    for (struct wsp_map_node *node = NULL; (node = wsp_map_next(&keyed->keys, node)) != NULL;) {
        const struct wsp_key *key = (const struct wsp_key *)(void *)node;
        memory += key_memory(key);
        removed += key->removed;
    }
    before = 0;
    for (const struct wsp_key *each = keyed->oldest; each; each = each->newer) {
        if (each->offset <= before || !each->removed) {
            return 0;
        }
        before = each->offset;
        removals++;
    }
    memory += keyed->keys.bucket_count * sizeof *keyed->keys.buckets;
    return superfluous == keyed->superfluous && newest == keyed->keys.count &&
           removals == removed && memory == keyed->memory;
}

int wsp_keyed_check(const struct wsp_histories *histories, uint64_t *memory)
{
    *memory = 0;
    for (const struct wsp_history *each = histories->keyed.oldest; each; each = each->newer) {
        if (!check(histories, each)) {
            return 0;
        }
        *memory += each->keyed->memory;
    }
    return 1;
}
