/* SPDX-License-Identifier: MIT */
/*
 * channel/history.c - see channel/history.h.
 *
 * Rejected: references to the shared blocks in which messages are encoded. With ten channels of
 * 1,000 messages these gave 907 runs and pinned fifty times the size of the messages; segments of
 * the channel's own give 13 runs.
 */
#include "channel/history.h"

#include <string.h>

#include <wspool/error.h>

#define FIRST_SEGMENT 512u
#define FIRST_KEPT 8u

void wsp_histories_init(struct wsp_histories *histories, const wspool_mem *mem, uint64_t limit,
                        wsp_count *gauge, struct wsp_blocks *queues)
{
    *histories = (struct wsp_histories){.mem = mem, .queues = queues};
    wsp_blocks_init(&histories->store, mem, limit, gauge);
}

void wsp_histories_fini(struct wsp_histories *histories)
{
    wsp_blocks_fini(&histories->store);
}

/* ------------------------------------------------- the order of last messages */

static void unlink_it(struct wsp_histories *histories, struct wsp_history *history)
{
    *(history->older ? &history->older->newer : &histories->oldest) = history->newer;
    *(history->newer ? &history->newer->older : &histories->newest) = history->older;
    history->older = history->newer = NULL;
}

static void append(struct wsp_histories *histories, struct wsp_history *history)
{
    history->older = histories->newest;
    history->newer = NULL;
    *(history->older ? &history->older->newer : &histories->oldest) = history;
    histories->newest = history;
}

/* ------------------------------------------------------------------ forgetting */

static struct wsp_kept *oldest(const struct wsp_history *history)
{
    return wsp_history_slot(history, 0);
}

static struct wsp_kept *newest(const struct wsp_history *history)
{
    return wsp_history_slot(history, history->count - 1);
}

static void free_kept(struct wsp_histories *histories, struct wsp_history *history)
{
    wsp_blocks_discharge(&histories->store, history->cap * sizeof *history->kept);
    wsp_free(histories->mem, history->kept);
    history->kept = NULL;
    history->cap = history->start = 0;
}

void wsp_history_forget(struct wsp_histories *histories, struct wsp_history *history)
{
    struct wsp_block *segment = oldest(history)->segment;
    history->bytes -= oldest(history)->len;
    history->start++;
    history->first++;
    history->count--;
    if (history->count > 0 && oldest(history)->segment == segment) {
        return;
    }
    if (segment->holds > 1) {
        wsp_block_move(segment, histories->queues);
    }
    wsp_block_release(segment);
    if (history->count == 0) {
        free_kept(histories, history);
        unlink_it(histories, history);
    }
}

void wsp_history_forget_segment(struct wsp_histories *histories, struct wsp_history *history)
{
    const struct wsp_block *segment = oldest(history)->segment;
    while (history->count > 0 && oldest(history)->segment == segment) {
        wsp_history_forget(histories, history);
    }
}

/* --------------------------------------------------------------------- life */

struct wsp_history *wsp_history_new(struct wsp_histories *histories, struct wsp_channel *channel,
                                    uint64_t next, int *error)
{
    if (!wsp_blocks_charge(&histories->store, sizeof(struct wsp_history))) {
        *error = WSPOOL_ERR_FULL;
        return NULL;
    }
    struct wsp_history *history = wsp_alloc(histories->mem, sizeof *history);
    if (!history) {
        wsp_blocks_discharge(&histories->store, sizeof *history);
        *error = WSPOOL_ERR_NOMEM;
        return NULL;
    }
    *history = (struct wsp_history){.channel = channel, .first = next};
    return history;
}

void wsp_history_free(struct wsp_histories *histories, struct wsp_history *history)
{
    while (history->count > 0) {
        wsp_history_forget(histories, history);
    }
    free_kept(histories, history);
    wsp_blocks_discharge(&histories->store, sizeof *history);
    wsp_free(histories->mem, history);
}

/* ------------------------------------------------------------------- appending */

static int grow(struct wsp_histories *histories, struct wsp_history *history)
{
    if (history->count < history->cap) {
        return 0;
    }
    uint32_t cap = history->cap ? history->cap * 2 : FIRST_KEPT;
    uint64_t memory = cap * sizeof(struct wsp_kept);
    if (!wsp_blocks_charge(&histories->store, memory)) {
        return WSPOOL_ERR_FULL;
    }
    struct wsp_kept *kept = wsp_alloc(histories->mem, (size_t)memory);
    if (!kept) {
        wsp_blocks_discharge(&histories->store, memory);
        return WSPOOL_ERR_NOMEM;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        kept[i] = *wsp_history_at(history, history->first + i);
    }
    free_kept(histories, history);
    history->kept = kept;
    history->cap = cap;
    return 0;
}

/* As large as what the history has, so that it holds little more than that, in a few segments. */
static uint32_t next_size(const struct wsp_history *history, uint32_t len)
{
    uint32_t size = FIRST_SEGMENT;
    while (size < history->bytes && size < WSP_BLOCK_BYTES) {
        size *= 2;
    }
    size = size < WSP_BLOCK_BYTES ? size : WSP_BLOCK_BYTES;
    return size > len ? size : len;
}

uint8_t *wsp_history_room(struct wsp_histories *histories, struct wsp_history *history,
                          uint32_t len, int *error)
{
    struct wsp_blocks *store = &histories->store;
    *error = grow(histories, history);
    if (*error) {
        return NULL;
    }
    struct wsp_block *segment = history->count > 0 ? newest(history)->segment : NULL;
    if (!segment || segment->cap - segment->used < len) {
        segment = wsp_blocks_segment(store, next_size(history, len), error);
        if (!segment) {
            return NULL;
        }
    }
    struct wsp_kept *entry = wsp_history_slot(history, history->count);
    *entry = (struct wsp_kept){.segment = segment, .at = segment->used};
    return segment->bytes + segment->used;
}

void wsp_history_commit(struct wsp_histories *histories, struct wsp_history *history, uint32_t len,
                        uint64_t now, wspool_id except)
{
    struct wsp_kept *kept = wsp_history_slot(history, history->count);
    kept->segment->used += len;
    kept->len = len;
    kept->time = now;
    kept->except = except;
    if (histories->newest != history) {
        if (history->count > 0) {
            unlink_it(histories, history);
        }
        append(histories, history);
    }
    history->count++;
    history->bytes += len;
}

/* -------------------------------------------------------------------- checks */

void wsp_history_each_segment(const struct wsp_history *history,
                              void (*visit)(struct wsp_block *segment, void *user), void *user)
{
    struct wsp_block *before = NULL;
    for (uint32_t i = 0; i < history->count; i++) {
        struct wsp_block *segment = wsp_history_at(history, history->first + i)->segment;
        if (segment != before) {
            visit(segment, user);
        }
        before = segment;
    }
}

static int history_check(const struct wsp_histories *histories, const struct wsp_history *history)
{
    uint64_t bytes = 0;
    const struct wsp_kept *before = NULL;
    if (history->count == 0 || history->count > history->cap) {
        return 0;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        const struct wsp_kept *entry = wsp_history_at(history, history->first + i);
        if (entry->segment->holds == 0 || entry->segment->store != &histories->store ||
            entry->at + entry->len > entry->segment->used ||
            (before &&
             (entry->time < before->time ||
              (entry->segment == before->segment && entry->at != before->at + before->len) ||
              (entry->segment != before->segment && entry->at != 0)))) {
            return 0;
        }
        bytes += entry->len;
        before = entry;
    }
    return bytes == history->bytes;
}

int wsp_histories_check(const struct wsp_histories *histories, uint64_t *records)
{
    const struct wsp_history *before = NULL;
    *records = 0;
    for (const struct wsp_history *each = histories->oldest; each; each = each->newer) {
        if (each->older != before || !history_check(histories, each)) {
            return 0;
        }
        *records += sizeof *each + each->cap * sizeof *each->kept;
        before = each;
    }
    return histories->newest == before && wsp_blocks_check(&histories->store);
}
