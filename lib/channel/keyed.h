/* SPDX-License-Identifier: MIT */
/*
 * channel/keyed.h - what a keyed history keeps beyond its window.  Layer 3.
 *
 * The window has the last messages, as any history. Beyond it there is the newest message of each
 * key, in the log. A message that leaves the window is copied to the log if it is still the newest
 * one of its key; a newer message makes it superfluous.
 *
 *     log      3 . 8 9 . . 14 . 20     '.': superfluous, gone with the next pass
 *     window                        21 22 23 24 (the channel's offset)
 *
 * Bytes of the log are in segments of their own. When more than half of its entries are
 * superfluous, a pass copies the others to new segments, from the oldest to the newest, a few with
 * each publication. Meanwhile the log is in two parts: [0, done) was copied, [rest, end) was not.
 *
 * A removal is a message, too: the newest of its key, until it is forgotten. `horizon` is the
 * offset of the newest removal that was forgotten. A reader whose position is before the horizon
 * may have missed a removal, and gets the whole state instead. A reader that gets the whole state
 * begins before the horizon; it has missed nothing until a removal is forgotten that was published
 * after it began, which the eras tell.
 *
 * Work of one publication, beside hash look-ups and a binary search: WSP_KEYED_STEPS entries of a
 * pass, WSP_KEYED_STEPS removals that are too old, and one copy for each message that leaves the
 * window. The arrays of the log and of the keys double when they are full, and that of the log is
 * halved when a pass ends and it is nearly empty.
 *
 * Invariants:
 * - offsets in the log rise, and are before the window's first;
 * - a key has one entry that is its newest: in the window, or in the log, where all other entries
 *   have no key;
 * - a key that is not in the map is a removal that was forgotten while it was in the window, or
 *   that found no message to remove, or is older than one;
 * - the removals are in the list in the order of their offsets;
 * - `memory` is that of the record, the keys, their table and the log.
 */
#ifndef WSP_CHANNEL_KEYED_H
#define WSP_CHANNEL_KEYED_H

#include <stdint.h>

#include <wspool/wspool.h>
#include "base/map.h"
#include "channel/history.h"

#define WSP_KEYED_STEPS 4

struct wsp_key {
    struct wsp_map_node node;
    struct wsp_key *older, *newer; /* among the removals */
    uint64_t offset;               /* of its newest message; 0: not published yet */
    uint64_t time;                 /* when that was published */
    uint32_t entries;              /* of the window that refer to it */
    uint32_t era;                  /* of the removal: see struct wsp_keyed */
    uint8_t removed;               /* the newest message is a removal */
    uint8_t forgotten;             /* it is not in the map any more */
    uint8_t bytes[];
};

struct wsp_old {
    uint64_t offset;
    struct wsp_kept kept; /* without a key: superfluous */
};

struct wsp_keyed {
    struct wsp_map keys;
    struct wsp_key *oldest, *newest; /* removals */
    struct wsp_old *log;
    uint32_t cap;
    uint32_t done, rest, end; /* see above; done and rest are equal when there is no gap */
    uint32_t superfluous;
    int passing;
    struct wsp_block *copied; /* segment of the entry before `done` */
    struct wsp_block *open;   /* segment of the last entry */
    uint64_t horizon;
    uint32_t era;         /* a new one begins when a reader begins, behind a removal */
    uint32_t horizon_era; /* of that removal */
    int era_has_removals;
    uint64_t memory;
};

/* Makes the history a keyed one. What was before `horizon` is not known. Returns 0, FULL or NOMEM.
 *  */
int wsp_keyed_init(struct wsp_histories *histories, struct wsp_history *history,
                   const struct wsp_siphash_key *seed, uint64_t horizon);
/* Forgets everything. The history is no longer a keyed one. */
void wsp_keyed_fini(struct wsp_histories *histories, struct wsp_history *history);

/* Finds a key. Returns NULL when there is none. */
struct wsp_key *wsp_keyed_find(const struct wsp_keyed *keyed, wspool_text key);
/* Adds a key that is not there. Its message must be committed next. If that is a removal, it is
 * forgotten as soon as it leaves the window: it takes nothing of max_keys. Returns NULL with *error
 * set to FULL or NOMEM. */
struct wsp_key *wsp_keyed_add(struct wsp_histories *histories, struct wsp_keyed *keyed,
                              wspool_text key, int removed, int *error);
/* Removes a key that was added and whose message was not published. */
void wsp_keyed_cancel(struct wsp_histories *histories, struct wsp_keyed *keyed,
                      struct wsp_key *key);
/* The entry is the newest of this key, or a message without a key (NULL). It is not counted in the
 * window yet. */
void wsp_keyed_commit(struct wsp_history *history, struct wsp_kept *kept, struct wsp_key *key,
                      int removed);

/* The oldest message leaves the window. Returns 0, FULL or NOMEM: then nothing is changed. */
int wsp_keyed_retire(struct wsp_histories *histories, struct wsp_history *history);
/* Forgets the oldest removal, which must exist. */
void wsp_keyed_forget_removal(struct wsp_histories *histories, struct wsp_history *history);
/* Forgets removals of the log that are too old, and takes a few steps of a pass. */
void wsp_keyed_step(struct wsp_histories *histories, struct wsp_history *history,
                    uint64_t tombstone_time, uint64_t now);
/* Forgets a key. The window must be empty. Readers at or before `head` get the whole state. */
void wsp_keyed_erase(struct wsp_histories *histories, struct wsp_history *history,
                     struct wsp_key *key, uint64_t head);
/* Offsets up to this one were left out: they may have been removals. */
void wsp_keyed_leave_out(struct wsp_keyed *keyed, uint64_t offset);
/* A reader of the whole state begins. Returns 1 if that begins a new era. */
int wsp_keyed_begin_era(struct wsp_keyed *keyed);

/* Returns how many entries the log has. */
static inline uint32_t wsp_keyed_count(const struct wsp_keyed *keyed)
{
    return keyed->done + keyed->end - keyed->rest;
}
static inline const struct wsp_old *wsp_keyed_at(const struct wsp_keyed *keyed, uint32_t index)
{
    return &keyed->log[index < keyed->done ? index : index - keyed->done + keyed->rest];
}
/* Returns the index of the first entry with this offset or a later one. It may be superfluous. */
uint32_t wsp_keyed_search(const struct wsp_keyed *keyed, uint64_t offset);
/* Returns how many messages the log has from this offset on. */
uint32_t wsp_keyed_newer(const struct wsp_keyed *keyed, uint64_t offset);

/* Calls `visit` for each segment of the log. */
void wsp_keyed_each_segment(const struct wsp_keyed *keyed,
                            void (*visit)(struct wsp_block *segment, void *user), void *user);
/* Returns 1 if the invariants of every keyed history hold, else 0. Sets *memory to what they hold
 * in the budget besides their windows and segments. */
int wsp_keyed_check(const struct wsp_histories *histories, uint64_t *memory);

#endif
