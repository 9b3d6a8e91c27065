/* SPDX-License-Identifier: MIT */
/*
 * channel/ids.h - the ids that publishers gave to the last messages of a channel.  Layer 3.
 *
 * A message with an id that is remembered is not published again. A channel remembers the last
 * WSPOOL_PUBLISH_IDS ids, each for WSPOOL_PUBLISH_ID_TIME. It has a set of ids only while there is
 * one to remember. The memory of the sets counts in the budget of the histories.
 *
 * Invariants:
 * - a set has at least one id, and is in the list, in the order of the newest ids;
 * - the ids of a set are in the order of their offsets and times, each of them in the map once;
 * - `memory` is that of the set, its ids, and the table of its map.
 */
#ifndef WSP_CHANNEL_IDS_H
#define WSP_CHANNEL_IDS_H

#include <stdint.h>

#include <wspool/wspool.h>
#include "base/map.h"
#include "channel/history.h"

struct wsp_publish_id {
    struct wsp_map_node node;
    struct wsp_publish_id *older, *newer;
    uint64_t offset; /* of its message */
    uint64_t time;   /* when it was published */
    uint8_t bytes[];
};

struct wsp_ids {
    struct wsp_ids *older, *newer; /* in the order of their newest id */
    struct wsp_channel *channel;
    struct wsp_map map;
    struct wsp_publish_id *oldest, *newest;
    uint64_t memory;
};

/* Returns the offset of the message with that id, or 0 when it is not remembered. `ids` may be
 * NULL. */
uint64_t wsp_ids_find(const struct wsp_ids *ids, wspool_text id, uint64_t now);

/* Adds an id that is not remembered, for the message with this offset. *ids is made when it is
 * NULL. Returns 0, or FULL (the budget) or NOMEM: then nothing is changed. */
int wsp_ids_add(struct wsp_histories *histories, struct wsp_channel *channel, struct wsp_ids **ids,
                const struct wsp_siphash_key *seed, wspool_text id, uint64_t offset, uint64_t now);
/* The message was not published: removes the newest id. *ids is NULL when none is left. */
void wsp_ids_cancel(struct wsp_histories *histories, struct wsp_ids **ids);
/* Forgets the ids that are too many or too old. *ids is NULL when none is left. */
void wsp_ids_trim(struct wsp_histories *histories, struct wsp_ids **ids, uint64_t now);
/* Forgets them all. *ids is NULL then. */
void wsp_ids_free(struct wsp_histories *histories, struct wsp_ids **ids);

/* Returns 1 if the invariants of every set hold, else 0. Sets *memory to what they hold in the
 * budget. */
int wsp_ids_check(const struct wsp_histories *histories, uint64_t *memory);

#endif
