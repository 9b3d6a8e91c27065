/* SPDX-License-Identifier: MIT */
/*
 * base/timers.c - see base/timers.h.
 *
 * A due time is rounded up to a tick, so no timer fires early. Only the tick of a timer and the
 * tick of the wheel determine its list: the level is that of the highest group of six bits in which
 * the two differ, and the index in the level is the timer's own group of bits there. It follows
 * that
 *   - a list of a level lies after the wheel's own index in that level, and no list wraps around;
 *   - every timer in a lower level is due before every timer in a higher one. So the next timer is
 *     found at the lowest bit of the first level that has one, and empty time costs nothing;
 *   - the wheel may advance to any tick before the next list begins, and each timer still lies
 *     where it would be put now. So a timer that is moved can be compared with its present list.
 * When the wheel reaches a list of a higher level, its timers move to lower levels; each timer
 * moves at most once per level. A timer that differs above the top level waits in the first list of
 * the last level, which is free because no timer lies before the wheel. That list is examined when
 * the wheel's upper bits change.
 *
 * While a loop over fire runs, the wheel's tick may be behind `until`, the tick of the call. A
 * timer that is armed meanwhile lies at or after `until`, so the loop ends.
 */
#include "base/timers.h"

#include <string.h>
#include "base/bits.h"

#define LEVEL_BITS 6u
#define REACH_BITS (WSP_TIMERS_LEVELS * LEVEL_BITS)
#define FAR_LIST ((WSP_TIMERS_LEVELS - 1) * 64u)
#define NO_TICK UINT64_MAX

/* Returns the first tick at which a timer may fire. */
static uint64_t tick_of(uint64_t due)
{
    return (due >> WSP_TIMERS_TICK_BITS) + ((due & (WSP_TIMERS_TICK - 1)) != 0);
}

/* Returns the time at which a tick begins. The very last tick would begin beyond 64 bits. */
static uint64_t time_of(uint64_t tick, uint64_t over)
{
    return tick > UINT64_MAX >> WSP_TIMERS_TICK_BITS ? over : tick << WSP_TIMERS_TICK_BITS;
}

/* Returns the number of a list: its level and its index in the level. */
static uint32_t list_of(const struct wsp_timers *timers, uint64_t tick)
{
    uint64_t differs = tick ^ timers->tick;
    if (differs >> REACH_BITS != 0) {
        return FAR_LIST;
    }
    uint32_t level = wsp_highest_bit(differs | 1) / LEVEL_BITS;
    return level << LEVEL_BITS | (uint32_t)(tick >> (level * LEVEL_BITS) & 63);
}

static struct wsp_timer *timer_at(const struct wsp_timers *timers, uint32_t slot)
{
    return timers->at(timers->owner, slot);
}

static void timer_link(struct wsp_timers *timers, uint32_t list, uint32_t slot,
                       struct wsp_timer *timer)
{
    uint32_t *first = &timers->first[list >> LEVEL_BITS][list & 63];
    timer->next = *first;
    timer->prev = WSP_TIMER_HEAD | list;
    if (*first != WSP_TIMER_NONE) {
        timer_at(timers, *first)->prev = slot;
    }
    *first = slot;
    timers->occupied[list >> LEVEL_BITS] |= UINT64_C(1) << (list & 63);
    timers->first_tick = 0;
}

static void timer_unlink(struct wsp_timers *timers, struct wsp_timer *timer)
{
    if (timer->next != WSP_TIMER_NONE) {
        timer_at(timers, timer->next)->prev = timer->prev;
    }
    if (timer->prev < WSP_TIMER_HEAD) {
        timer_at(timers, timer->prev)->next = timer->next;
    } else {
        uint32_t list = timer->prev & ~WSP_TIMER_HEAD;
        timers->first[list >> LEVEL_BITS][list & 63] = timer->next;
        if (timer->next == WSP_TIMER_NONE) {
            timers->occupied[list >> LEVEL_BITS] &= ~(UINT64_C(1) << (list & 63));
            timers->first_tick = 0;
        }
    }
    wsp_timer_init(timer);
}

/* Moves a time that has passed to the next tick. So its timer cannot fire in the loop that is
 * running, and `due` always determines the list. */
static uint64_t still_to_come(const struct wsp_timers *timers, uint64_t due)
{
    return tick_of(due) > timers->until ? due : time_of(timers->until + 1, WSP_TIMERS_NEVER - 1);
}

/* `due` must be in the future. */
static void timer_arm(struct wsp_timers *timers, uint32_t slot, struct wsp_timer *timer,
                      uint64_t due)
{
    if (due < timers->soonest) {
        timers->soonest = due;
    }
    uint32_t list = list_of(timers, tick_of(due));
    if (timer->prev != WSP_TIMER_OFF) {
        if (list_of(timers, tick_of(timer->due)) == list) {
            timer->due = due;
            return;
        }
        timer_unlink(timers, timer);
    }
    timer->due = due;
    timer_link(timers, list, slot, timer);
}

/* Returns the tick at which a list begins. */
static uint64_t begin_of(const struct wsp_timers *timers, uint32_t list)
{
    uint32_t shift = (list >> LEVEL_BITS) * LEVEL_BITS;
    if (list == FAR_LIST) {
        return ((timers->tick >> REACH_BITS) + 1) << REACH_BITS;
    }
    return (timers->tick >> (shift + LEVEL_BITS) << LEVEL_BITS | (list & 63)) << shift;
}

/* Returns the tick at which the first non-empty list begins, and sets *list to its number. */
static uint64_t first_list(const struct wsp_timers *timers, uint32_t *list)
{
    const uint32_t last = WSP_TIMERS_LEVELS - 1;
    for (uint32_t level = 0; level <= last; level++) {
        uint64_t bits = timers->occupied[level];
        if (level == last) {
            bits &= ~UINT64_C(1);
        }
        if (bits != 0) {
            *list = level << LEVEL_BITS | wsp_lowest_bit(bits);
            return begin_of(timers, *list);
        }
    }
    *list = FAR_LIST;
    return timers->occupied[last] != 0 ? begin_of(timers, FAR_LIST) : NO_TICK;
}

/* Moves the timers of a list to lower levels. The wheel must be where the list begins. */
static void cascade(struct wsp_timers *timers, uint32_t list)
{
    uint32_t slot = timers->first[list >> LEVEL_BITS][list & 63];
    timers->first[list >> LEVEL_BITS][list & 63] = WSP_TIMER_NONE;
    timers->occupied[list >> LEVEL_BITS] &= ~(UINT64_C(1) << (list & 63));
    while (slot != WSP_TIMER_NONE) {
        struct wsp_timer *timer = timer_at(timers, slot);
        uint32_t next = timer->next;
        timer_link(timers, list_of(timers, tick_of(timer->due)), slot, timer);
        slot = next;
    }
}

void wsp_timers_init(struct wsp_timers *timers, uint64_t now, wsp_timer_at *at, void *owner)
{
    memset(timers, 0, sizeof *timers);
    memset(timers->first, 0xff, sizeof timers->first); /* WSP_TIMER_NONE */
    timers->tick = now >> WSP_TIMERS_TICK_BITS;
    timers->until = timers->tick;
    timers->marked = NO_TICK;
    timers->soonest = WSP_TIMERS_NEVER;
    timers->at = at;
    timers->owner = owner;
}

void wsp_timer_init(struct wsp_timer *timer)
{
    timer->due = WSP_TIMERS_NEVER;
    timer->next = WSP_TIMER_NONE;
    timer->prev = WSP_TIMER_OFF;
}

void wsp_timers_arm(struct wsp_timers *timers, uint32_t slot, uint64_t due)
{
    if (due == WSP_TIMERS_NEVER) {
        wsp_timers_disarm(timers, slot);
    } else {
        timer_arm(timers, slot, timer_at(timers, slot), still_to_come(timers, due));
    }
}

void wsp_timers_sooner(struct wsp_timers *timers, uint32_t slot, uint64_t due)
{
    struct wsp_timer *timer = timer_at(timers, slot);
    /* A timer that is about to fire in this very loop is not delayed to the next tick. */
    due = still_to_come(timers, due);
    if (due < timer->due) {
        timer_arm(timers, slot, timer, due);
    }
}

void wsp_timers_disarm(struct wsp_timers *timers, uint32_t slot)
{
    struct wsp_timer *timer = timer_at(timers, slot);
    if (timer->prev != WSP_TIMER_OFF) {
        timer_unlink(timers, timer);
    }
}

uint32_t wsp_timers_fire(struct wsp_timers *timers, uint64_t now)
{
    if (now >> WSP_TIMERS_TICK_BITS > timers->until) {
        timers->until = now >> WSP_TIMERS_TICK_BITS;
    }
    if (timers->first_tick > timers->until) { /* known, and still to come */
        timers->tick = timers->until;
        return WSP_TIMER_NONE;
    }
    for (;;) {
        uint32_t list;
        uint64_t tick = first_list(timers, &list);
        if (tick > timers->until) {
            timers->first_tick = tick;
            timers->tick = timers->until;
            return WSP_TIMER_NONE;
        }
        timers->tick = tick;
        if (list < 64) {
            uint32_t slot = timers->first[0][list];
            timer_unlink(timers, timer_at(timers, slot));
            return slot;
        }
        cascade(timers, list);
    }
}

uint64_t wsp_timers_next(const struct wsp_timers *timers)
{
    uint32_t list;
    uint64_t tick = timers->first_tick != 0 ? timers->first_tick : first_list(timers, &list);
    return time_of(tick, WSP_TIMERS_NEVER);
}

void wsp_timers_look(struct wsp_timers *timers)
{
    uint32_t list;
    timers->first_tick = first_list(timers, &list);
}

int wsp_timers_moved_up(const struct wsp_timers *timers)
{
    if (timers->soonest == WSP_TIMERS_NEVER) {
        return 0;
    }
    uint64_t tick = tick_of(timers->soonest); /* its list begins there or before it */
    return tick < timers->marked || begin_of(timers, list_of(timers, tick)) < timers->marked;
}

int wsp_timers_check(const struct wsp_timers *timers)
{
    uint32_t first;
    if (timers->tick > timers->until ||
        (timers->first_tick != 0 && timers->first_tick != first_list(timers, &first))) {
        return 0;
    }
    for (uint32_t list = 0; list < WSP_TIMERS_LEVELS * 64; list++) {
        uint32_t slot = timers->first[list >> LEVEL_BITS][list & 63];
        uint32_t prev = WSP_TIMER_HEAD | list;
        if ((slot != WSP_TIMER_NONE) != (timers->occupied[list >> LEVEL_BITS] >> (list & 63) & 1)) {
            return 0;
        }
        /* A list with a cycle would show a wrong `prev` there. */
        for (; slot != WSP_TIMER_NONE; slot = timer_at(timers, slot)->next) {
            const struct wsp_timer *timer = timer_at(timers, slot);
            uint64_t tick = tick_of(timer->due);
            if (timer->prev != prev || tick < timers->tick || list_of(timers, tick) != list) {
                return 0;
            }
            prev = slot;
        }
    }
    return 1;
}
