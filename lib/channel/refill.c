/* SPDX-License-Identifier: MIT */
/* channel/refill.c - see channel/refill.h. */
#include "channel/refill.h"

#include "link/conn.h"

/* Most bytes of one step. */
#define STEP 16384u

/* Is it a message that must not go to this peer? */
static int is_own(const struct wsp_kept *kept, const struct wsp_peer *peer)
{
    return kept->except == wsp_slot_id(&peer->conn.slot);
}

/* Returns the run of adjacent frames from the message at `next` on with which the queue stays below
 * half of the limits. The first may be larger than that; the count is 0 when it does not fit. */
static struct wsp_run next_run(const struct wsp_channel *channel, uint64_t next,
                               const struct wsp_peer *peer)
{
    const struct wsp_outq *out = &peer->conn.out;
    const struct wsp_rules *rules = channel->rules;
    const struct wsp_history *history = channel->history;
    const struct wsp_kept *first = wsp_history_at(history, next);
    const uint64_t end = history->first + history->count;
    struct wsp_run run = {.block = first->segment, .offset = first->at};
    if (out->bytes > 0 && (uint64_t)out->bytes + first->len > rules->queue_bytes) {
        return run; /* an empty queue takes any message, also one from before the limit */
    }
    for (; next < end; next++) {
        const struct wsp_kept *kept = wsp_history_at(history, next);
        uint64_t bytes = (uint64_t)run.bytes + kept->len;
        if (run.count > 0 && (kept->segment != run.block || is_own(kept, peer) || bytes > STEP ||
                              out->bytes + bytes > rules->queue_bytes / 2 ||
                              out->count + run.count >= rules->queue_messages / 2)) {
            break;
        }
        run.bytes = (uint32_t)bytes;
        run.count++;
    }
    return run;
}

enum wsp_refilled wsp_refill(struct wsp_link *link, struct wsp_channel *channel,
                             struct wsp_member *member, uint64_t *from, uint64_t *to)
{
    struct wsp_peer *peer = member->peer;
    const struct wsp_history *history = channel->history;
    uint64_t next = wsp_member_due(channel, member);
    if (!wsp_refill_has_room(channel->rules, &peer->conn.out)) {
        return WSP_REFILL_FULL;
    }
    if (next == channel->offset + 1) {
        wsp_member_catch_up(channel, member);
        return WSP_REFILL_LIVE;
    }
    if (!history || next < history->first) {
        uint64_t first = history ? history->first : channel->offset + 1;
        *from = next;
        *to = first - 1;
        member->next = (uint32_t)first;
        wsp_count_add(&link->count->missed, first - next);
        return WSP_REFILL_MISSED;
    }
    if (is_own(wsp_history_at(history, next), peer)) {
        member->next++;
        return WSP_REFILL_QUEUED;
    }
    const struct wsp_run run = next_run(channel, next, peer);
    if (run.count == 0 || wsp_conn_push(link, &peer->conn, &run) < 0) {
        return WSP_REFILL_FULL;
    }
    member->next += run.count;
    wsp_count_add(&link->count->deliveries, run.count);
    wsp_count_add(&link->count->queued, run.count);
    wsp_count_add(&link->count->recovered, run.count);
    wsp_count_add(&link->count->waiting_bytes, run.bytes);
    wsp_conn_update_watermark(link, &peer->conn, wsp_conn_high_watermark(link->config));
    return WSP_REFILL_QUEUED;
}
