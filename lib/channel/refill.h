/* SPDX-License-Identifier: MIT */
/*
 * channel/refill.h - members that are behind get what the history has for them.  Layer 3.
 *
 * A member that is behind has a position, and no messages of its channel are queued for it by a
 * broadcast. Whenever its queue falls below a quarter of both limits of the channel, it gets the
 * next messages of the history: runs of one segment, without a copy. At the head it is live again.
 * A member that the end of the history has overtaken skips the messages that are gone, and the
 * caller reports them.
 *
 * * A keyed history gives a member that is before its window the newest message of each key; the
 * others are skipped. When it has forgotten a removal that the member did not get, the member gets
 * the whole state (`reset`): every message that is kept, also its own.
 *
 * A channel with a pace (channel/pace.h) gives its members no message that was not shown, and of
 * those only the newest of each key, also within the window.
 *
 * A refill does not raise the queue above half of the limits, unless a single message is larger. So
 * there is room for other messages: a member is never closed as slow by its own refill.
 */
#ifndef WSP_CHANNEL_REFILL_H
#define WSP_CHANNEL_REFILL_H

#include "channel/registry.h"
#include "link/link.h"

enum wsp_refilled {
    WSP_REFILL_FULL,   /* nothing more for now: its queue has a quarter, or there is no memory */
    WSP_REFILL_QUEUED, /* one run was queued, or messages were skipped; call again */
    WSP_REFILL_MISSED, /* messages are gone: see *gone. The member is due the next that is kept */
    WSP_REFILL_LIVE,   /* the member is live; it has moved in the channel's array */
    WSP_REFILL_WAITS   /* it has all that the channel's pace has shown */
};

/* Messages that a member does not get. */
struct wsp_gone {
    uint64_t from, to;
    int reset;
};

/* One step for a member that is behind. Messages that except its mark are skipped. */
enum wsp_refilled wsp_refill(struct wsp_link *link, struct wsp_channel *channel,
                             struct wsp_member *member, uint64_t mark, struct wsp_gone *gone);

/* A member that is behind gets the whole state of a keyed history from now on. */
void wsp_refill_state(struct wsp_channel *channel, struct wsp_member *member);

/* A keyed history is gone, and its eras with it: members that get its state begin anew if there is
 * another one. */
void wsp_refill_forget_eras(struct wsp_channel *channel);

/* Returns 1 if a queue takes a refill now: it is open, with less than a quarter of the limits. */
static inline int wsp_refill_has_room(const struct wsp_rules *rules, const struct wsp_outq *out)
{
    return out->accepts && out->bytes <= rules->queue_bytes / 4 &&
           out->count <= rules->queue_messages / 4;
}

#endif
