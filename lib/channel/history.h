/* SPDX-License-Identifier: MIT */
/*
 * channel/history.h - the last messages of a channel.  Layer 3.
 *
 * A history keeps encoded frames in segments of its own, which are blocks of a second store. So the
 * messages that one channel keeps are adjacent, and a member that is behind gets many of them as
 * one run. The messages are numbered without gaps:
 *
 *     offsets   first ................................. first + count - 1   (the channel's offset)
 *     segments  [ 512 bytes ][ 1 KiB     ][ 2 KiB             ]   ... up to 16 KiB
 *
 * All histories of a pool share one budget, config.history_bytes: segments, entries, records, and
 * the ids of channel/ids.h.
 * Frames in the queues of peers refer to segments too. When a history lets go of a segment that a
 * queue still needs, the segment moves to the budget of the queues (pool_bytes), if that has room.
 *
 * Invariants:
 * - the entries are in the order of their offsets, and the entries of one segment are adjacent in
 *   it; each segment has one reference of the history's;
 * - `bytes` is the sum of their lengths, within the limit of the channel;
 * - the time of an entry is not before that of the one before it;
 * - a history that is not keyed has messages, and is in the list of its kind; only while its first
 *   one is written it has none. A keyed one is always in the list of the keyed ones;
 * - the store's bytes are those of the segments, entries and records.
 */
#ifndef WSP_CHANNEL_HISTORY_H
#define WSP_CHANNEL_HISTORY_H

#include <stdint.h>

#include <wspool/wspool.h>
#include "base/map.h"
#include "base/mem.h"
#include "wire/block.h"

struct wsp_channel;
struct wsp_ids;
struct wsp_key;
struct wsp_keyed;

struct wsp_kept {
    struct wsp_block *segment;
    uint32_t at, len;    /* of the plain frame; in a history with `mixed`, of several: one for each
                            contract, in their order, or one for all */
    uint64_t time;       /* when it was published; before 0 if that was before the clock began */
    uint64_t wall;       /* the same, in milliseconds since 1970 */
    uint64_t except;     /* the reader that does not get it: its mark (pool/subjects.h); 0: none */
    struct wsp_key *key; /* in a keyed history: see keyed.h; NULL: none */
};

struct wsp_history;
struct wsp_history_list {
    struct wsp_history *oldest, *newest;
};

struct wsp_history {
    struct wsp_history_list *list;
    struct wsp_history *older, *newer; /* in the list */
    struct wsp_channel *channel;
    struct wsp_kept *kept; /* a ring */
    uint32_t cap;          /* a power of two, or 0 */
    uint32_t start, count;
    int32_t priority;       /* of the channel's messages: see wire/block.h */
    struct wsp_block *open; /* segment of the newest entry; NULL: there is none */
    uint32_t bytes;
    uint32_t mixed; /* 1: a message may have several frames */
    uint64_t first; /* offset of the oldest entry; of the next message when there is none */
    struct wsp_keyed *keyed; /* NULL: it is not keyed */
};

struct wsp_histories {
    const wspool_mem *mem;
    struct wsp_blocks store;
    struct wsp_blocks *queues; /* the store of the frames that only queues hold */
    struct wsp_history_list of_kind[WSPOOL_TOPIC + 1]; /* in the order of their last message; the
                                                          histories of a kind have one time limit */
    struct wsp_history_list keyed;                     /* in no order */
    struct wsp_ids *oldest_ids, *newest_ids;           /* see channel/ids.h */
};

void wsp_histories_init(struct wsp_histories *histories, const wspool_mem *mem, uint64_t limit,
                        wsp_count *gauge, struct wsp_blocks *queues);
/* All histories must have been freed. */
void wsp_histories_fini(struct wsp_histories *histories);

/* Makes an empty history, of a channel of that kind, whose next message has the offset `next`.
 * Returns NULL when the budget or the memory does not allow it, with *error set to FULL or NOMEM. */
struct wsp_history *wsp_history_new(struct wsp_histories *histories, struct wsp_channel *channel,
                                    enum wspool_kind kind, uint64_t next, int *error);
/* It must not be a keyed one: see wsp_keyed_fini. */
void wsp_history_free(struct wsp_histories *histories, struct wsp_history *history);

/* Forgets the oldest message, which is the last one of its segment. */
void wsp_history_forget_last(struct wsp_histories *histories, struct wsp_history *history);
/* Forgets the oldest segment, or everything when there is only one. */
void wsp_history_forget_segment(struct wsp_histories *histories, struct wsp_history *history);

/* Reserves room for the frame of the next message. Returns its entry, whose segment and place are
 * set, or NULL with *error set to FULL (the budget) or NOMEM; the history is as it was then. */
struct wsp_kept *wsp_history_room(struct wsp_histories *histories, struct wsp_history *history,
                                  uint32_t len, int *error);
/* The history has the newest message of its kind. Nothing, for a keyed one. */
void wsp_history_is_newest(struct wsp_history *history);

/* The frame is written, and the rest of its entry. */
static inline void wsp_history_commit(struct wsp_history *history, const struct wsp_kept *kept)
{
    kept->segment->used += kept->len;
    history->open = kept->segment;
    history->bytes += kept->len;
    history->count++;
    if (history->list->newest != history) {
        wsp_history_is_newest(history);
    }
}

static inline uint8_t *wsp_kept_bytes(const struct wsp_kept *kept)
{
    return kept->segment->bytes + kept->at;
}

static inline struct wsp_kept *wsp_history_slot(const struct wsp_history *history, uint32_t index)
{
    return &history->kept[(history->start + index) & (history->cap - 1)];
}

/* Forgets the oldest message. */
static inline void wsp_history_forget(struct wsp_histories *histories, struct wsp_history *history)
{
    const struct wsp_kept *gone = wsp_history_slot(history, 0);
    if (gone->at + gone->len == gone->segment->used) { /* the last one of its segment */
        wsp_history_forget_last(histories, history);
        return;
    }
    history->bytes -= gone->len;
    history->start++;
    history->first++;
    history->count--;
}

/* Returns 1 if the messages are within the limits, with a new one of `len` bytes (0: none). */
static inline int wsp_history_fits(const struct wsp_history *history, const wspool_history *limits,
                                   uint32_t len, uint64_t now)
{
    const uint32_t most = limits->messages - (len > 0);
    return history->count <= most &&
           (limits->bytes == 0 || (uint64_t)history->bytes + len <= limits->bytes) &&
           (limits->time == 0 || now - wsp_history_slot(history, 0)->time < limits->time);
}

/* Forgets what is too much by the limits, with a new message of `len` bytes (0: none). */
static inline void wsp_history_trim(struct wsp_histories *histories, struct wsp_history *history,
                                    const wspool_history *limits, uint32_t len, uint64_t now)
{
    while (history->count > 0 && !wsp_history_fits(history, limits, len, now)) {
        wsp_history_forget(histories, history);
    }
}

/* As wsp_history_room, if nothing has to be allocated; otherwise returns NULL. */
static inline struct wsp_kept *wsp_history_room_at_hand(const struct wsp_history *history,
                                                        uint32_t len)
{
    struct wsp_block *segment = history->open;
    if (history->count == history->cap || !segment || segment->cap - segment->used < len) {
        return NULL;
    }
    struct wsp_kept *next = wsp_history_slot(history, history->count);
    next->segment = segment;
    next->at = segment->used;
    return next;
}

/* Returns the entry at an offset, which must be within the window. */
static inline const struct wsp_kept *wsp_history_at(const struct wsp_history *history,
                                                    uint64_t offset)
{
    return wsp_history_slot(history, (uint32_t)(offset - history->first));
}

/* A keyed history was used: another one is the oldest of the list. */
void wsp_history_rotate(struct wsp_history *history);
/* The history is a keyed one from now on, or no longer; it is in the list of these. */
void wsp_history_link_keyed(struct wsp_histories *histories, struct wsp_history *history,
                            struct wsp_keyed *keyed);
void wsp_history_unlink_keyed(struct wsp_history *history);

/* Memory in the budget. Returns NULL with *error set to FULL or NOMEM. */
void *wsp_histories_alloc(struct wsp_histories *histories, uint64_t memory, int *error);
void wsp_histories_release(struct wsp_histories *histories, void *block, uint64_t memory);
/* Adds a node to a map whose table is in the budget and in *memory. Returns 0, FULL or NOMEM. */
int wsp_histories_map_add(struct wsp_histories *histories, struct wsp_map *map,
                          struct wsp_map_node *node, uint64_t *memory);
void wsp_histories_map_fini(struct wsp_histories *histories, struct wsp_map *map, uint64_t *memory);

/* Calls `visit` for each segment of the window. */
void wsp_history_each_segment(const struct wsp_history *history,
                              void (*visit)(struct wsp_block *segment, void *user), void *user);
/* Returns 1 if the invariants of every history hold, else 0. Sets *records to what they hold in the
 * budget besides segments. */
int wsp_histories_check(const struct wsp_histories *histories, uint64_t *records);

#endif
