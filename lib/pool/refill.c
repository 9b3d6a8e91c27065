/* SPDX-License-Identifier: MIT */
/* pool/refill.c - see pool/refill.h. */
#include "pool/refill.h"

#include <string.h>

#include "channel/record.h"
#include "channel/refill.h"
#include "pool/handlers.h"
#include "pool/peers.h"

/* Each time another membership is the first to be served, so that none of one priority has the whole
 * queue. The number is mixed: peers that take turns would otherwise each see every other number. */
static uint32_t first_turn(struct wspool *pool, uint32_t count)
{
    uint32_t mixed = (uint32_t)(pool->refills++ * UINT32_C(2654435761)) >> 16;
    return count > 0 ? mixed % count : 0;
}

static void tell_missed(wspool *pool, struct wsp_peer *peer, const struct wsp_channel *channel,
                        const struct wsp_gone *gone)
{
    uint8_t bytes[WSPOOL_NAME_MAX];
    wspool_missed missed = {.channel = wsp_channel_name(channel),
                            .epoch = channel->epoch,
                            .from = gone->from,
                            .to = gone->to,
                            .reset = gone->reset};
    if (missed.channel.len > 0) { /* a copy: the hook may end the channel */
        memcpy(bytes, missed.channel.name, missed.channel.len);
    }
    missed.channel.name = bytes;
    WSP_TELL_OF(pool, peer, missed, &missed);
}

/* One step for each membership of a priority in turn, until each is live, or the queue is too full
 * for its channel's limits. A hook may end some. Returns 1 if the queue was too full. */
static int refill_priority(wspool *pool, struct wsp_peer *peer, uint32_t first, int priority)
{
    struct wsp_memberships *memberships = &peer->memberships;
    struct wsp_outq *out = &peer->conn.out;
    const uint64_t mark = wsp_subjects_mark(&pool->subjects, peer);
    struct wsp_gone gone;
    uint32_t i, done = 0;
    int full = 0;
    for (i = first; done < memberships->count; i++) {
        i = i < memberships->count ? i : 0;
        struct wsp_channel *channel = wsp_membership_channel(memberships, i);
        struct wsp_member *member = wsp_membership_member(memberships, i);
        done++;
        if (wsp_member_is_live(channel, member) || channel->rules->priority != priority) {
            continue;
        }
        wsp_record_expire(&pool->registry, channel, pool->link.now);
        switch (wsp_refill(&pool->link, channel, member, mark, &gone)) {
        case WSP_REFILL_FULL:
            full = 1;
            break;
        case WSP_REFILL_QUEUED:
            done = 0;
            if (!out->blocked) { /* it does not wait for flush_delay */
                wsp_conn_mark_ready(&pool->link, &peer->conn);
            }
            break;
        case WSP_REFILL_MISSED:
            done = 0;
            tell_missed(pool, peer, channel, &gone);
            break;
        case WSP_REFILL_LIVE:
        case WSP_REFILL_WAITS:
            break;
        }
    }
    return full;
}

void wsp_refill_peer(wspool *pool, struct wsp_peer *peer)
{
    const uint32_t first = first_turn(pool, peer->memberships.count);
    struct wsp_outq *out = &peer->conn.out;
    out->marks = (uint8_t)(out->marks & ~WSP_MARK_BEHIND); /* a hook may set it again */
    for (int priority = WSPOOL_HIGH; priority >= WSPOOL_LOW; priority--) {
        if ((pool->registry.priorities >> (1 + priority) & 1) &&
            refill_priority(pool, peer, first, priority)) {
            out->marks |= WSP_MARK_BEHIND;
            return; /* lower ones wait, or they would take the room */
        }
    }
}
