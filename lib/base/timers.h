/* SPDX-License-Identifier: MIT */
/*
 * base/timers.h - deadlines in a hierarchical timing wheel; `now` is an argument.  Layer 0.
 *
 * A timer is armed for an absolute time in nanoseconds. It fires once, never early, and at most
 * WSP_TIMERS_TICK late. Arming, moving and disarming take constant time. Distant timers move down
 * level by level as their time comes nearer. Six levels of 64 lists reach 2^36 ticks (over two
 * years); later timers wait in the last level and are examined again.
 *
 * Timers are linked by the 32-bit slots of their owners instead of pointers, because every idle
 * peer has one: this halves the bytes. The wheel finds a timer through the `at` function that it
 * was given.
 *
 * Invariants:
 * - a timer is in one list of the wheel or in none (then `prev` is WSP_TIMER_OFF);
 * - it lies in the list that its tick and the wheel's tick determine, and none is overdue;
 * - a bit of `occupied` is set exactly when its list is not empty;
 * - the wheel is never behind `until`: `now` never runs backwards;
 * - `first_tick` is 0, or the tick at which the first non-empty list begins.
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
    uint64_t due;  /* time it is armed for, after the tick of the last fire; or NEVER */
    uint32_t next; /* slot of the next timer in the list, or WSP_TIMER_NONE */
    uint32_t prev; /* slot of the previous timer; of the first: WSP_TIMER_HEAD | list; or
                      WSP_TIMER_OFF */
};
#define WSP_TIMER_HEAD UINT32_C(0xfffff000) /* slots must be below it */

typedef struct wsp_timer *wsp_timer_at(void *owner, uint32_t slot);

struct wsp_timers {
    uint64_t tick;                        /* position of the wheel: no timer lies before it */
    uint64_t until;                       /* tick of the last call of fire */
    uint64_t first_tick;                  /* when it is known; 0: the lists have changed since */
    uint64_t marked;                      /* first_tick at the last wsp_timers_mark */
    uint64_t soonest;                     /* the earliest time armed since then */
    uint64_t occupied[WSP_TIMERS_LEVELS]; /* one bit for each list that is not empty */
    uint32_t first[WSP_TIMERS_LEVELS][64];
    wsp_timer_at *at;
    void *owner;
};

void wsp_timers_init(struct wsp_timers *timers, uint64_t now, wsp_timer_at *at, void *owner);
/* Must be called before a timer is armed first: an all-zero timer is not "off". */
void wsp_timer_init(struct wsp_timer *timer);

/* Arms the timer of a slot for `due`, or moves it there. WSP_TIMERS_NEVER disarms it. */
void wsp_timers_arm(struct wsp_timers *timers, uint32_t slot, uint64_t due);
/* As wsp_timers_arm, but only if `due` is earlier than the present time of the timer. */
void wsp_timers_sooner(struct wsp_timers *timers, uint32_t slot, uint64_t due);
void wsp_timers_disarm(struct wsp_timers *timers, uint32_t slot);

/* Returns the slot of a timer that is due at `now`, and disarms it; or WSP_TIMER_NONE when no
 * more is due. Timers come in the order of their ticks. Call it until it returns WSP_TIMER_NONE.
 * Between two calls the owner may arm and disarm any timer, also the one that fired. A timer
 * armed for a time that has passed fires in a call with a later tick, so a loop over this
 * function ends. */
uint32_t wsp_timers_fire(struct wsp_timers *timers, uint64_t now);

/* Returns the time at which wsp_timers_fire should be called next: not after the tick of the
 * next timer, perhaps before it. Returns WSP_TIMERS_NEVER when no timer is armed. */
uint64_t wsp_timers_next(const struct wsp_timers *timers);
/* Sets first_tick. */
void wsp_timers_look(struct wsp_timers *timers);
/* Notes what wsp_timers_next returns now. */
static inline void wsp_timers_mark(struct wsp_timers *timers)
{
    if (timers->first_tick == 0) {
        wsp_timers_look(timers);
    }
    timers->marked = timers->first_tick;
    timers->soonest = WSP_TIMERS_NEVER;
}
/* Returns 1 if wsp_timers_next has become earlier since the mark, else 0. May also return 1 when
 * what had made it so was disarmed again. */
int wsp_timers_moved_up(const struct wsp_timers *timers);
/* Returns 1 if the invariants hold, else 0. Linear. */
int wsp_timers_check(const struct wsp_timers *timers);

#endif
