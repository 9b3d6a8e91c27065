/* SPDX-License-Identifier: MIT */
/* channel/refill.c - see channel/refill.h. */
#include "channel/refill.h"

#include "base/noinline.h"
#include "channel/keyed.h"
#include "link/conn.h"

/* Most bytes of one step. */
#define STEP 16384u
/* Most entries of a log that one step skips. */
#define SKIP 1024u

/* A member, and the mark of messages that must not go to it. */
struct reader {
    const struct wsp_member *member;
    uint64_t mark;
};

static int is_own(const struct wsp_kept *kept, const struct reader *reader)
{
    return kept->except == reader->mark && reader->member->state == 0;
}

/* ------------------------------------------------------- readers of the whole state */

/* A member remembers the era in which it began, modulo STATES, so eras that are too old to tell are
 * replaced by VOID in time. So is the era of a member that has reached the window: the window has
 * messages that are not the newest of their keys, and a removal that the member needs may be among
 * those that were there when it began. */
#define STATES 65534u
#define VOID UINT16_MAX
#define SWEEP 16384u

/* Returns how many eras ago the member began. */
static uint32_t age_of(const struct wsp_keyed *keyed, const struct wsp_member *member)
{
    return (keyed->era % STATES + STATES - (member->state - 1u)) % STATES;
}

static void sweep(struct wsp_channel *channel)
{
    for (uint32_t i = channel->live; i < channel->count; i++) {
        struct wsp_member *member = &channel->members[i];
        if (member->state != 0 && member->state != VOID &&
            age_of(channel->history->keyed, member) > SWEEP) {
            member->state = VOID;
        }
    }
}

void wsp_refill_forget_eras(struct wsp_channel *channel)
{
    for (uint32_t i = channel->live; i < channel->count; i++) {
        channel->members[i].state = channel->members[i].state == 0 ? 0 : VOID;
    }
}

void wsp_refill_state(struct wsp_channel *channel, struct wsp_member *member)
{
    const struct wsp_history *history = channel->history;
    member->state = 0;
    member->next = channel->offset + 1;
    if (history) {
        struct wsp_keyed *keyed = history->keyed;
        uint64_t next =
            wsp_keyed_count(keyed) > 0 ? wsp_keyed_at(keyed, 0)->offset : history->first;
        if (wsp_keyed_begin_era(keyed) && keyed->era % SWEEP == 0) {
            sweep(channel);
        }
        member->next = next;
        member->state = (uint16_t)(keyed->era % STATES + 1);
    }
}

/* Returns 1 if a removal was forgotten that the member, which is before the window, should have
 * got. */
static int is_overtaken(const struct wsp_history *history, const struct wsp_member *member,
                        uint64_t next)
{
    const struct wsp_keyed *keyed = history->keyed;
    return next <= keyed->horizon && (member->state == 0 || member->state == VOID ||
                                      keyed->horizon_era >= keyed->era - age_of(keyed, member));
}

/* -------------------------------------------------------------------------- runs */

/* Entries of the window, or of the log of a keyed history. */
struct source {
    const struct wsp_history *history;
    int is_log;
    uint32_t count;
    uint64_t shown; /* offset up to which the newest of each key is enough; 0: all are given */
};

static const struct wsp_kept *entry_at(const struct source *source, uint32_t index)
{
    return source->is_log ? &wsp_keyed_at(source->history->keyed, index)->kept
                          : wsp_history_slot(source->history, index);
}

static uint64_t offset_at(const struct source *source, uint32_t index)
{
    return source->is_log ? wsp_keyed_at(source->history->keyed, index)->offset
                          : source->history->first + index;
}

/* Returns 1 if it is in the window, and a newer message of its key was shown. */
static inline int is_replaced(const struct source *source, uint32_t index,
                              const struct wsp_kept *kept)
{
    return source->shown > 0 && kept->key && kept->key->offset <= source->shown &&
           kept->key->offset > offset_at(source, index);
}

static inline int is_skipped(const struct source *source, uint32_t index,
                             const struct wsp_kept *kept, const struct reader *reader)
{
    return (source->is_log && !kept->key) || is_own(kept, reader) ||
           is_replaced(source, index, kept);
}

/* Inline, so that there is one for the window, one for that of a channel with a pace, and one for the
 * log.
 *
 * Returns the run of adjacent frames from the entry at `index` on with which the queue stays below
 * half of the limits. The first may be larger than that; the count is 0 when it does not fit. */
static inline struct wsp_run next_run(const struct wsp_rules *rules, const struct source *source,
                                      uint32_t index, const struct reader *reader)
{
    const struct wsp_outq *out = &reader->member->peer->conn.out;
    const struct wsp_kept *first = entry_at(source, index);
    struct wsp_run run = {.block = first->segment, .offset = first->at};
    if (out->bytes > 0 && (uint64_t)out->bytes + first->len > rules->queue_bytes) {
        return run; /* an empty queue takes any message, also one from before the limit */
    }
    for (; index < source->count; index++) {
        const struct wsp_kept *kept = entry_at(source, index);
        uint64_t bytes = (uint64_t)run.bytes + kept->len;
        if (run.count > 0 &&
            (kept->segment != run.block || (source->is_log && kept->at != run.offset + run.bytes) ||
             is_skipped(source, index, kept, reader) || bytes > STEP ||
             out->bytes + bytes > rules->queue_bytes / 2 ||
             out->count + run.count >= rules->queue_messages / 2)) {
            break;
        }
        run.bytes = (uint32_t)bytes;
        run.count++;
    }
    return run;
}

/* The same in a history whose messages may have a frame for each contract: the run is the one frame
 * for this member. A message that was published as it is has one for all. */
static WSP_NOINLINE struct wsp_run
one_frame(const struct wsp_rules *rules, const struct wsp_kept *kept, const struct wsp_outq *out)
{
    const uint8_t *frames = kept->segment->bytes;
    uint32_t at = kept->at, len = wsp_frame_encoded_len(frames + at);
    if (len < kept->len) {
        for (unsigned i = 0; i < wsp_outq_contract(out); i++) {
            at += len;
            len = wsp_frame_encoded_len(frames + at);
        }
    }
    uint32_t fits = out->bytes == 0 || (uint64_t)out->bytes + len <= rules->queue_bytes;
    return (struct wsp_run){.block = kept->segment, .offset = at, .bytes = len, .count = fits};
}

/* The messages from `next` on are gone. */
static enum wsp_refilled miss(struct wsp_link *link, struct wsp_channel *channel,
                              struct wsp_member *member, uint64_t next, int keyed,
                              struct wsp_gone *gone)
{
    const struct wsp_history *history = channel->history;
    uint64_t first = history ? history->first : channel->offset + 1;
    *gone = (struct wsp_gone){.from = next, .to = first - 1, .reset = keyed};
    if (keyed && history) {
        gone->to = history->keyed->horizon;
    }
    if (keyed) {
        wsp_refill_state(channel, member);
    } else {
        member->next = first;
    }
    wsp_count_add(&link->count->missed, gone->to + 1 - next);
    return WSP_REFILL_MISSED;
}

enum wsp_refilled wsp_refill(struct wsp_link *link, struct wsp_channel *channel,
                             struct wsp_member *member, uint64_t mark, struct wsp_gone *gone)
{
    const struct reader reader = {member, mark};
    const int keyed = channel->rules->history.max_keys > 0;
    struct wsp_peer *peer = member->peer;
    const struct wsp_history *history = channel->history;
    const uint64_t end = channel->pace ? channel->pace->shown : channel->offset;
    uint64_t next = member->next;
    if (channel->pace && next > end) {
        if (next > channel->offset) { /* what was not shown yet may be part of the whole state */
            member->state = 0;
        }
        return WSP_REFILL_WAITS;
    }
    if (!wsp_refill_has_room(channel->rules, &peer->conn.out)) {
        return WSP_REFILL_FULL;
    }
    if (next == channel->offset + 1) {
        member->state = 0;
        wsp_member_catch_up(channel, member);
        return WSP_REFILL_LIVE;
    }
    struct source source = {.history = history, .shown = channel->pace ? end : 0};
    uint32_t index, skipped = 0;
    if (!history || (next < history->first && (!keyed || is_overtaken(history, member, next)))) {
        return miss(link, channel, member, next, keyed, gone);
    }
    if (next < history->first) {
        source.is_log = 1;
        source.count = end >= history->first ? wsp_keyed_count(history->keyed)
                                             : wsp_keyed_search(history->keyed, end + 1);
        index = wsp_keyed_search(history->keyed, next);
    } else {
        source.count = (uint32_t)(end + 1 - history->first);
        index = (uint32_t)(next - history->first);
    }
    const uint32_t most = source.is_log || source.shown ? SKIP : 1;
    while (index < source.count && skipped < most &&
           is_skipped(&source, index, entry_at(&source, index), &reader)) {
        index++;
        skipped++;
    }
    member->next = index < source.count                     ? offset_at(&source, index)
                   : source.is_log && history->first <= end ? history->first
                                                            : end + 1;
    if (index == source.count || skipped == most) {
        return WSP_REFILL_QUEUED;
    }
    const struct wsp_rules *rules = channel->rules;
    struct wsp_run run;
    if (history->mixed) {
        run = one_frame(rules, entry_at(&source, index), &peer->conn.out);
    } else if (source.is_log) {
        run = next_run(rules, &(struct source){history, 1, source.count, 0}, index, &reader);
    } else if (!channel->pace) {
        run = next_run(rules, &(struct source){history, 0, source.count, 0}, index, &reader);
    } else {
        run = next_run(rules, &(struct source){history, 0, source.count, end}, index, &reader);
    }
    if (run.count == 0 || wsp_conn_push(link, &peer->conn, &run) < 0) {
        return WSP_REFILL_FULL;
    }
    member->next = offset_at(&source, index + run.count - 1) + 1;
    if (!source.is_log && member->state != 0) { /* it has more than the newest of each key */
        member->state = VOID;
    }
    wsp_count_add(&link->count->deliveries, run.count);
    wsp_count_add(&link->count->queued, run.count);
    wsp_count_add(&link->count->recovered, run.count);
    wsp_count_add(&link->count->waiting_bytes, run.bytes);
    wsp_conn_update_watermark(link, &peer->conn,
                              wsp_conn_high_watermark(rules->queue_bytes, rules->queue_messages));
    return WSP_REFILL_QUEUED;
}
