/* SPDX-License-Identifier: MIT */
/*
 * channel/pace.h - when the members of a channel with a send interval get its messages.  Layer 3.
 *
 * Such a channel has a pace. Its members are never live: what is published is kept by its keyed
 * history, and shown to the members at most once in an interval. Then they are refilled as any
 * member that is behind (channel/refill.h), up to the last message that was shown, and with the
 * newest message of each key only.
 *
 *     published   1  2  3  4  5  6  7          shown: 4; the members get 5 to 7 when it is due
 *     shown       1  .  .  4  .  .  .
 *
 * All channels of a kind have one interval, so the list of those that wait for its end is in the
 * order of their times.
 *
 * Invariants:
 * - a pace that does not wait has shown every message of its channel;
 * - the paces in a list are in the order of `due`;
 * - `next` is the earliest of all.
 */
#ifndef WSP_CHANNEL_PACE_H
#define WSP_CHANNEL_PACE_H

#include <stdint.h>

#include <wspool/config.h>

struct wsp_channel;

struct wsp_pace {
    struct wsp_pace *next, *prev;
    struct wsp_channel *channel;
    uint64_t shown; /* offset of the last message that members may get */
    uint64_t due;   /* when more may be shown */
    uint8_t kind;   /* of its channel */
    uint8_t waits;  /* for that: it is in the list of its kind */
};

#define WSP_PACE_LISTS (WSPOOL_TOPIC + 1) /* one for each kind */

struct wsp_paces {
    struct wsp_pace *first[WSP_PACE_LISTS], *last[WSP_PACE_LISTS];
    uint64_t next; /* when the first of all is due; UINT64_MAX: none waits */
};

void wsp_paces_init(struct wsp_paces *paces);
/* Messages were shown: the pace waits until `due`, which is not before that of any of its kind. It
 * must not wait already. */
void wsp_pace_wait(struct wsp_paces *paces, struct wsp_pace *pace, uint64_t due);
/* It does not wait any more. */
void wsp_pace_stop(struct wsp_paces *paces, struct wsp_pace *pace);
/* Returns one that is due at `now`, or NULL. */
struct wsp_pace *wsp_paces_due(const struct wsp_paces *paces, uint64_t now);
/* Returns 1 if the lists are valid, else 0. */
int wsp_paces_check(const struct wsp_paces *paces);

#endif
