/* SPDX-License-Identifier: MIT */
/*
 * unit/test_timers.c - base/timers.h: compared with a model that looks at every timer.
 *
 * The model knows for each timer the tick at which it must fire: its due time rounded up, but not
 * before the tick behind the last fire. It has no wheel and no lists, so it is easy to see that it
 * is right. Random steps jump through time by any order of magnitude.
 */
#include "support.h"
#include "base/timers.h"

#define TICK WSP_TIMERS_TICK
#define SECOND UINT64_C(1000000000)
#define HOUR (3600 * SECOND)
#define YEAR (8766 * HOUR)
#define MOST 300u

static struct wsp_timer records[MOST];

static struct wsp_timer *record_at(void *owner, uint32_t slot)
{
    assert_ptr_equal(owner, records);
    assert_true(slot < MOST);
    return &records[slot];
}

static void begin(struct wsp_timers *timers, uint64_t now)
{
    wsp_timers_init(timers, now, record_at, records);
    for (uint32_t i = 0; i < MOST; i++) {
        memset(&records[i], 0x5a, sizeof(records[i]));
        wsp_timer_init(&records[i]);
    }
}

/* Returns a number below 2^(64 - zeros); each order of magnitude is equally likely. */
static uint64_t some_number(uint64_t *seed, uint64_t zeros)
{
    uint64_t shift = zeros + test_below(seed, 64 - zeros);
    return test_random(seed) >> shift;
}

TEST(nothing_fires_when_nothing_is_armed)
{
    struct wsp_timers timers;
    begin(&timers, 5 * HOUR);
    assert_true(wsp_timers_next(&timers) == WSP_TIMERS_NEVER);
    assert_int_equal(wsp_timers_fire(&timers, 6 * HOUR), WSP_TIMER_NONE);
    assert_int_equal(wsp_timers_fire(&timers, UINT64_MAX), WSP_TIMER_NONE);
    wsp_timers_disarm(&timers, 3);
    wsp_timers_arm(&timers, 3, WSP_TIMERS_NEVER);
    assert_true(wsp_timers_next(&timers) == WSP_TIMERS_NEVER);
    assert_true(wsp_timers_check(&timers));
}

TEST(timer_fires_once_and_not_early_when_due)
{
    static const uint64_t delays[] = {
        1,      TICK - 1,    TICK, TICK + 1,   63 * TICK, 64 * TICK, 64 * TICK + 1,
        SECOND, 30 * SECOND, HOUR, 100 * HOUR, YEAR,      3 * YEAR,  100 * YEAR,
    };
    static const uint64_t starts[] = {0,
                                      1,
                                      TICK - 1,
                                      63 * TICK,
                                      4095 * TICK + 17,
                                      3 * YEAR,
                                      (UINT64_C(1) << 56) - TICK,
                                      (UINT64_C(1) << 56) - 1};
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        for (size_t j = 0; j < sizeof(delays) / sizeof(delays[0]); j++) {
            struct wsp_timers timers;
            begin(&timers, starts[i]);
            uint64_t due = starts[i] + delays[j];
            wsp_timers_arm(&timers, 7, due);
            assert_int_equal(wsp_timers_fire(&timers, starts[i]), WSP_TIMER_NONE);
            assert_int_equal(wsp_timers_fire(&timers, due - 1), WSP_TIMER_NONE);
            assert_true(wsp_timers_next(&timers) <= due + TICK - 1);
            assert_int_equal(wsp_timers_fire(&timers, due + TICK - 1), 7);
            assert_int_equal(records[7].prev, WSP_TIMER_OFF);
            assert_int_equal(wsp_timers_fire(&timers, due + TICK - 1), WSP_TIMER_NONE);
            assert_int_equal(wsp_timers_fire(&timers, due + YEAR), WSP_TIMER_NONE);
            assert_true(wsp_timers_next(&timers) == WSP_TIMERS_NEVER);
        }
    }
}

TEST(timer_fires_on_its_own_time_when_that_is_a_whole_tick)
{
    struct wsp_timers timers;
    begin(&timers, 1000 * TICK);
    wsp_timers_arm(&timers, 0, 1010 * TICK);
    assert_true(wsp_timers_next(&timers) == 1010 * TICK);
    assert_int_equal(wsp_timers_fire(&timers, 1010 * TICK - 1), WSP_TIMER_NONE);
    assert_int_equal(wsp_timers_fire(&timers, 1010 * TICK), 0);
}

TEST(next_is_exact_when_the_timer_is_in_the_lowest_level)
{
    for (uint64_t start = 6400; start < 6464; start++) {
        struct wsp_timers timers;
        begin(&timers, start * TICK);
        for (uint64_t tick = start + 1; tick < 6464; tick++) {
            wsp_timers_arm(&timers, 0, tick * TICK - 5);
            assert_true(wsp_timers_next(&timers) == tick * TICK);
        }
    }
}

TEST(host_wakes_a_few_times_when_it_sleeps_until_next)
{
    uint64_t seed = 5;
    for (int round = 0; round < 20000; round++) {
        struct wsp_timers timers;
        uint64_t now = some_number(&seed, 8);
        begin(&timers, now);
        uint64_t delay = 1 + some_number(&seed, 8);
        uint64_t due = now + delay;
        wsp_timers_arm(&timers, 1, due);
        uint32_t fired = WSP_TIMER_NONE;
        int wakes = 0;
        while (fired == WSP_TIMER_NONE) {
            uint64_t next = wsp_timers_next(&timers);
            assert_true(next > now || wakes == 0); /* otherwise the host would spin */
            assert_true(next < due + TICK);
            now = next;
            fired = wsp_timers_fire(&timers, now);
            wakes++;
        }
        assert_int_equal(fired, 1);
        assert_true(now >= due);
        /* One wake for each level, and one for each change above the last level. */
        assert_true(wakes <= WSP_TIMERS_LEVELS + 1 + (int)(delay >> 56));
    }
}

TEST(loop_ends_when_the_timer_that_fired_is_armed_for_the_past)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    wsp_timers_arm(&timers, 0, 10 * TICK);
    wsp_timers_arm(&timers, 1, 20 * TICK);
    uint64_t now = HOUR;
    int fired[2] = {0, 0};
    for (uint32_t slot; (slot = wsp_timers_fire(&timers, now)) != WSP_TIMER_NONE;) {
        fired[slot]++;
        assert_true(fired[slot] == 1);
        wsp_timers_arm(&timers, slot, slot == 0 ? 0 : now);
        wsp_timers_sooner(&timers, slot, now - 5 * SECOND); /* also past, but less */
    }
    assert_int_equal(fired[0] + fired[1], 2);
    assert_true(wsp_timers_check(&timers));
    /* They fire at the next tick, and not before. */
    uint64_t next = wsp_timers_next(&timers);
    assert_true(next > now && next <= now + TICK);
    assert_int_equal(wsp_timers_fire(&timers, now), WSP_TIMER_NONE);
    assert_int_equal(wsp_timers_fire(&timers, next - 1), WSP_TIMER_NONE);
    assert_int_not_equal(wsp_timers_fire(&timers, next), WSP_TIMER_NONE);
    assert_int_not_equal(wsp_timers_fire(&timers, next), WSP_TIMER_NONE);
    assert_int_equal(wsp_timers_fire(&timers, next), WSP_TIMER_NONE);
}

TEST(timer_for_the_past_waits_when_the_next_tick_begins_a_higher_list)
{
    /* The tick after the call is the first of a list, on each level in turn. */
    for (uint32_t bits = 6; bits <= 36; bits += 6) {
        struct wsp_timers timers;
        begin(&timers, 0);
        uint64_t now = ((UINT64_C(5) << bits) - 1) * TICK;
        wsp_timers_arm(&timers, 0, 3 * TICK);
        wsp_timers_arm(&timers, 1, 4 * TICK);
        assert_int_equal(wsp_timers_fire(&timers, now), 0);
        wsp_timers_arm(&timers, 0, 1);
        assert_true(wsp_timers_check(&timers));
        assert_int_equal(wsp_timers_fire(&timers, now), 1);
        assert_int_equal(wsp_timers_fire(&timers, now), WSP_TIMER_NONE);
        assert_true(wsp_timers_next(&timers) == now + TICK);
        assert_int_equal(wsp_timers_fire(&timers, now + TICK), 0);
    }
}

TEST(others_may_be_disarmed_and_moved_when_one_fires)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    for (uint32_t i = 0; i < 4; i++) {
        wsp_timers_arm(&timers, i, 5 * TICK);
    }
    uint32_t first = wsp_timers_fire(&timers, 9 * TICK);
    assert_true(first < 4);
    uint32_t off = (first + 1) % 4, moved = (first + 2) % 4, left = (first + 3) % 4;
    wsp_timers_disarm(&timers, off);
    wsp_timers_arm(&timers, moved, 8 * TICK); /* is past: it fires in a later loop */
    assert_int_equal(wsp_timers_fire(&timers, 9 * TICK), left);
    assert_int_equal(wsp_timers_fire(&timers, 9 * TICK), WSP_TIMER_NONE);
    assert_int_equal(wsp_timers_fire(&timers, 10 * TICK), moved);
    assert_int_equal(wsp_timers_fire(&timers, YEAR), WSP_TIMER_NONE);
}

TEST(sooner_moves_a_timer_when_that_is_earlier)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    wsp_timers_sooner(&timers, 0, 50 * TICK); /* it was off: this arms it */
    wsp_timers_sooner(&timers, 0, 60 * TICK);
    wsp_timers_sooner(&timers, 0, WSP_TIMERS_NEVER);
    assert_true(wsp_timers_next(&timers) == 50 * TICK);
    wsp_timers_sooner(&timers, 0, 40 * TICK);
    assert_true(wsp_timers_next(&timers) == 40 * TICK);
    assert_int_equal(wsp_timers_fire(&timers, 40 * TICK), 0);
    wsp_timers_sooner(&timers, 0, 60 * TICK);
    assert_int_equal(wsp_timers_fire(&timers, 60 * TICK), 0);
    wsp_timers_arm(&timers, 0, 70 * TICK);
    wsp_timers_disarm(&timers, 0);
    wsp_timers_sooner(&timers, 0, 80 * TICK);
    assert_int_equal(wsp_timers_fire(&timers, 79 * TICK), WSP_TIMER_NONE);
    assert_int_equal(wsp_timers_fire(&timers, 80 * TICK), 0);
}

TEST(sooner_puts_nothing_off_when_the_loop_has_not_come_to_it_yet)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    wsp_timers_arm(&timers, 0, 5 * TICK);
    wsp_timers_arm(&timers, 1, 6 * TICK);
    assert_int_equal(wsp_timers_fire(&timers, 9 * TICK), 0);
    wsp_timers_sooner(&timers, 1, TICK);
    assert_int_equal(wsp_timers_fire(&timers, 9 * TICK), 1);
}

TEST(arm_with_never_disarms_when_armed)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    wsp_timers_arm(&timers, 0, SECOND);
    wsp_timers_arm(&timers, 0, WSP_TIMERS_NEVER);
    assert_int_equal(records[0].prev, WSP_TIMER_OFF);
    assert_true(wsp_timers_next(&timers) == WSP_TIMERS_NEVER);
    assert_int_equal(wsp_timers_fire(&timers, HOUR), WSP_TIMER_NONE);
}

TEST(time_ends_quietly_when_now_is_the_last_tick)
{
    struct wsp_timers timers;
    begin(&timers, UINT64_MAX - 3 * TICK);
    wsp_timers_arm(&timers, 0, UINT64_MAX - 2 * TICK);
    wsp_timers_arm(&timers, 1, UINT64_MAX - 1); /* rounded up, it lies beyond the last tick */
    assert_true(wsp_timers_check(&timers));
    uint64_t next = wsp_timers_next(&timers);
    assert_true(next >= UINT64_MAX - 2 * TICK && next < UINT64_MAX - TICK);
    assert_int_equal(wsp_timers_fire(&timers, UINT64_MAX), 0);
    assert_int_equal(wsp_timers_fire(&timers, UINT64_MAX), WSP_TIMER_NONE);
    wsp_timers_arm(&timers, 0, 5); /* there is no tick left for it */
    assert_true(wsp_timers_check(&timers));
    assert_true(wsp_timers_next(&timers) == WSP_TIMERS_NEVER);
    assert_int_equal(wsp_timers_fire(&timers, UINT64_MAX), WSP_TIMER_NONE);
    wsp_timers_disarm(&timers, 0);
    wsp_timers_disarm(&timers, 1);
    assert_true(wsp_timers_check(&timers));
    assert_true(timers.occupied[WSP_TIMERS_LEVELS - 1] == 0);
}

TEST(now_that_runs_backwards_is_taken_as_standing_still)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    assert_int_equal(wsp_timers_fire(&timers, 100 * TICK), WSP_TIMER_NONE);
    wsp_timers_arm(&timers, 0, 90 * TICK);
    assert_int_equal(wsp_timers_fire(&timers, 50 * TICK), WSP_TIMER_NONE);
    assert_int_equal(wsp_timers_fire(&timers, 100 * TICK), WSP_TIMER_NONE);
    assert_true(wsp_timers_check(&timers));
    assert_int_equal(wsp_timers_fire(&timers, 101 * TICK), 0);
}

static unsigned lookups;

static struct wsp_timer *record_at_counted(void *owner, uint32_t slot)
{
    lookups++;
    return record_at(owner, slot);
}

TEST(few_records_are_touched_when_now_jumps_far_ahead)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    timers.at = record_at_counted;
    for (uint32_t i = 0; i < 100; i++) {
        wsp_timers_arm(&timers, i, (i + 1) * HOUR + i * SECOND);
    }
    wsp_timers_arm(&timers, 200, 10 * YEAR);
    lookups = 0;
    for (uint32_t i = 0; i < 100; i++) { /* in the order of their times */
        assert_int_equal(wsp_timers_fire(&timers, YEAR), i);
    }
    assert_int_equal(wsp_timers_fire(&timers, YEAR), WSP_TIMER_NONE);
    assert_true(lookups <= 100 * (2 * WSP_TIMERS_LEVELS + 2));
    lookups = 0;
    assert_int_equal(wsp_timers_fire(&timers, 2 * YEAR), WSP_TIMER_NONE);
    assert_int_equal(lookups, 0);
}

TEST(neighbours_are_not_touched_when_a_timer_stays_in_its_list)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    for (uint32_t i = 0; i < 3; i++) {
        wsp_timers_arm(&timers, i, HOUR);
    }
    timers.at = record_at_counted;
    lookups = 0;
    wsp_timers_arm(&timers, 1, HOUR + SECOND);
    assert_int_equal(lookups, 1);
    assert_true(records[1].due == HOUR + SECOND);
    assert_true(wsp_timers_check(&timers));
}

/* ------------------------------------------------------------------- model */

struct model {
    uint64_t tick[MOST]; /* the tick at which it fires; 0: off */
    uint64_t until;
};

static uint64_t rounded(uint64_t due)
{
    return due / TICK + (due % TICK != 0);
}

static void model_arm(struct model *model, uint32_t slot, uint64_t due)
{
    uint64_t tick = rounded(due);
    if (due == WSP_TIMERS_NEVER) {
        tick = 0;
    } else if (tick <= model->until) {
        tick = model->until + 1;
    }
    model->tick[slot] = tick;
}

static uint64_t model_first(const struct model *model)
{
    uint64_t first = UINT64_MAX;
    for (uint32_t i = 0; i < MOST; i++) {
        if (model->tick[i] != 0 && model->tick[i] < first) {
            first = model->tick[i];
        }
    }
    return first;
}

/* Returns a length of time of any order of magnitude. */
static uint64_t some_time(uint64_t *seed)
{
    switch (test_below(seed, 8)) {
    case 0:
        return test_below(seed, TICK);
    case 1:
    case 2:
        return test_below(seed, 70) * TICK;
    case 3:
        return test_below(seed, SECOND);
    case 4:
        return test_below(seed, 60) * SECOND;
    case 5:
        return test_below(seed, 50) * HOUR;
    default:
        return some_number(seed, 8);
    }
}

static uint64_t some_due(uint64_t *seed, uint64_t now)
{
    uint64_t time = some_time(seed);
    switch (test_below(seed, 16)) {
    case 0:
        return now > time ? now - time : 0;
    case 1:
        return now;
    case 2:
        return WSP_TIMERS_NEVER;
    default:
        return now + time;
    }
}

static void change_some(struct wsp_timers *timers, struct model *model, uint64_t *seed,
                        uint64_t now, uint32_t slot)
{
    uint64_t due = some_due(seed, now);
    switch (test_below(seed, 6)) {
    case 0:
        wsp_timers_disarm(timers, slot);
        model->tick[slot] = 0;
        break;
    case 1:
        wsp_timers_sooner(timers, slot, due);
        if (due != WSP_TIMERS_NEVER) {
            uint64_t old = model->tick[slot];
            model_arm(model, slot, due);
            if (old != 0 && old < model->tick[slot]) {
                model->tick[slot] = old;
            }
        }
        break;
    default:
        wsp_timers_arm(timers, slot, due);
        model_arm(model, slot, due);
        break;
    }
}

static void run_model(uint64_t seed, int steps, uint32_t slots, int small)
{
    struct wsp_timers timers;
    static struct model model;
    uint64_t now = some_number(&seed, 4);
    begin(&timers, now);
    memset(&model, 0, sizeof(model));
    model.until = now / TICK;
    int finished = 1;
    for (int step = 0; step < steps && now < UINT64_MAX / 4; step++) {
        for (uint64_t n = test_below(&seed, 6); n > 0; n--) {
            change_some(&timers, &model, &seed, now, (uint32_t)test_below(&seed, slots));
        }
        assert_true(wsp_timers_check(&timers));
        uint64_t first = model_first(&model);
        uint64_t next = wsp_timers_next(&timers);
        assert_true((next == WSP_TIMERS_NEVER) == (first == UINT64_MAX));
        if (first != UINT64_MAX) {
            assert_true(next <= first * TICK);
            if (finished && first >> 6 == model.until >> 6) {
                assert_true(next == first * TICK);
            }
        }
        if (next != WSP_TIMERS_NEVER && test_below(&seed, 3) != 0) {
            now = next > now ? next : now;
        } else {
            now += small ? test_below(&seed, 100 * TICK) : some_time(&seed);
        }
        if (now / TICK > model.until) {
            model.until = now / TICK;
        }
        uint64_t last = 0;
        finished = 1;
        for (uint32_t slot; (slot = wsp_timers_fire(&timers, now)) != WSP_TIMER_NONE;) {
            assert_true(slot < slots);
            uint64_t tick = model.tick[slot];
            assert_true(tick != 0 && tick * TICK <= now); /* armed, and not early */
            assert_true(tick == model_first(&model));     /* in the order of their ticks */
            assert_true(tick >= last);
            last = tick;
            assert_int_equal(records[slot].prev, WSP_TIMER_OFF);
            model.tick[slot] = 0;
            if (test_below(&seed, 2)) {
                change_some(&timers, &model, &seed, now, slot);
            }
            if (test_below(&seed, 4) == 0) {
                change_some(&timers, &model, &seed, now, (uint32_t)test_below(&seed, slots));
            }
            if (test_below(&seed, 8) == 0) {
                assert_true(wsp_timers_check(&timers));
            }
            if (test_below(&seed, 64) == 0) {
                finished = 0; /* a host that leaves the loop and comes back later */
                break;
            }
        }
        if (finished) {
            assert_true(model_first(&model) > model.until); /* none is late */
            assert_true(wsp_timers_next(&timers) > now);    /* and no host spins */
        }
    }
}

TEST(timers_agree_with_the_model_when_time_goes_and_jumps)
{
    for (uint64_t seed = 100; seed < 200; seed++) {
        run_model(seed, 400, seed % 3 == 0 ? MOST : 20, 0);
    }
}

TEST(timers_agree_with_the_model_when_time_goes_in_small_steps)
{
    for (uint64_t seed = 300; seed < 330; seed++) {
        run_model(seed, 1500, seed % 3 == 0 ? MOST : 20, 1);
    }
}

TEST(check_fails_when_a_list_is_broken)
{
    struct wsp_timers timers;
    begin(&timers, 0);
    wsp_timers_arm(&timers, 0, 10 * TICK);
    wsp_timers_arm(&timers, 1, 10 * TICK);
    assert_true(wsp_timers_check(&timers));
    timers.occupied[0] = 0;
    assert_false(wsp_timers_check(&timers));
    timers.occupied[0] = UINT64_C(1) << 10;
    records[0].prev = 5;
    assert_false(wsp_timers_check(&timers));
    records[0].prev = 1;
    records[0].due = 11 * TICK;
    assert_false(wsp_timers_check(&timers));
    records[0].due = 10 * TICK;
    assert_true(wsp_timers_check(&timers));
    records[0].next = 1; /* a cycle */
    assert_false(wsp_timers_check(&timers));
}
