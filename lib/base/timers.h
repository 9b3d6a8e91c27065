/* SPDX-License-Identifier: MIT */
/*
 * base/timers.h - deadlines in a hierarchical wheel; `now` is an argument.  Floor 0.
 *
 * A timer is armed for an absolute time in nanoseconds and fires once, never early, and at most
 * WSP_TIMERS_TICK late. Arming, moving and disarming take constant time; what is far away is
 * handed down level by level as time comes nearer. Six levels of 64 reach 2^36 ticks (over two
 * years); what lies beyond waits in the last level and is looked at again.
 * Timers are linked by the 32-bit slots of their owners rather than by pointers: half the bytes,
 * and every idle peer has one. The wheel finds a timer through the `at` function it was given.
 *
 * Invariants:
 * - a timer is in one list of the wheel or in none (then `prev` is WSP_TIMER_OFF);
 * - it lies in the list that follows from its tick and the wheel's, and none is overdue;
 * - a bit of `occupied` is set exactly when its list is not empty;
 * - the wheel never stands behind `until`: `now` never runs backwards.
 */
#ifndef WSP_BASE_TIMERS_H
#define WSP_BASE_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#define WSP_TIMERS_TICK_BITS 20u /* 2^20 ns: 1.05 ms */
#define WSP_TIMERS_TICK (UINT64_C(1) << WSP_TIMERS_TICK_BITS)
#define WSP_TIMERS_LEVELS 6
#define WSP_TIMERS_NEVER UINT64_MAX

#define WSP_TIMER_NONE UINT32_MAX      /* end of a list */
#define WSP_TIMER_OFF (UINT32_MAX - 1) /* `prev` of a timer that is not armed */

struct wsp_timer {
    uint64_t due;  /* what it is armed for, at least the tick after the last fire; or NEVER */
    uint32_t next; /* slot of the next one in the list, or WSP_TIMER_NONE */
    uint32_t prev; /* slot before it; for the first: WSP_TIMER_HEAD | list; or WSP_TIMER_OFF */
};
#define WSP_TIMER_HEAD UINT32_C(0xfffff000) /* slots must stay below it */

typedef struct wsp_timer *wsp_timer_at(void *owner, uint32_t slot);

struct wsp_timers {
    uint64_t tick;                        /* where the wheel stands: before it nothing is left */
    uint64_t until;                       /* the tick that fire was last called with */
    uint64_t occupied[WSP_TIMERS_LEVELS]; /* a bit for each list that is not empty */
    uint32_t first[WSP_TIMERS_LEVELS][64];
    wsp_timer_at *at;
    void *owner;
};

void wsp_timers_init(struct wsp_timers *timers, uint64_t now, wsp_timer_at *at, void *owner);
/* Before the first arming of a timer; all zero is not "off". */
void wsp_timer_init(struct wsp_timer *timer);

/* Arms the timer of a slot for `due`, or moves it there; WSP_TIMERS_NEVER disarms. */
void wsp_timers_arm(struct wsp_timers *timers, uint32_t slot, uint64_t due);
/* The same, but only if that is earlier than what it is armed for. */
void wsp_timers_sooner(struct wsp_timers *timers, uint32_t slot, uint64_t due);
void wsp_timers_disarm(struct wsp_timers *timers, uint32_t slot);

/* The slot of a timer that is due at `now`, disarmed; WSP_TIMER_NONE when there is no more. They
 * come in the order of their ticks. Ask until then: the owner may arm and disarm any timer between
 * two calls, also the one that fired; one armed for a time that has passed fires in a later call
 * with a later tick, so that a loop over this function ends. */
uint32_t wsp_timers_fire(struct wsp_timers *timers, uint64_t now);

/* A time at which wsp_timers_fire should be called again: no later than the tick of the next
 * timer, perhaps earlier; WSP_TIMERS_NEVER when none is armed. */
uint64_t wsp_timers_next(const struct wsp_timers *timers);
/* Do the invariants hold? 1 or 0. Linear. */
int wsp_timers_check(const struct wsp_timers *timers);

#endif
