/* SPDX-License-Identifier: MIT */
/*
 * unit/test_bucket.c - base/bucket.h: bursts, the average rate, and the limits of time.
 *
 * Random draws are compared with an exact bucket in floating point. The difference must stay within
 * the error of the coarse timestamps.
 */
#include "support.h"
#include "base/bucket.h"

#define SECOND UINT64_C(1000000000)
#define COARSE (UINT64_C(1) << WSP_COARSE_TIME_BITS)

TEST(bucket_is_full_when_all_zero)
{
    struct wsp_bucket bucket = {0};
    assert_int_equal(sizeof(bucket), 8);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(wsp_bucket_draw(&bucket, 5, 1, 1, 0), 1);
    }
    assert_int_equal(wsp_bucket_draw(&bucket, 5, 1, 1, 0), 0);
    assert_int_equal(bucket.spent, 5);
}

TEST(nothing_is_drawn_when_there_is_not_enough)
{
    struct wsp_bucket bucket = {0};
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 0, 7, 0), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 0, 4, 0), 0);
    assert_int_equal(bucket.spent, 7);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 0, 11, 0), 0);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 0, UINT32_MAX, 0), 0);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 0, 3, 0), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 0, 0, 0), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 0, 1, 0), 0);
}

TEST(no_token_comes_back_when_the_rate_is_zero)
{
    struct wsp_bucket bucket = {0};
    assert_int_equal(wsp_bucket_draw(&bucket, 1, 0, 1, 0), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, 1, 0, 1, 1000000 * SECOND), 0);
}

TEST(bucket_is_full_again_but_not_fuller_when_it_rested)
{
    struct wsp_bucket bucket = {0};
    assert_int_equal(wsp_bucket_draw(&bucket, 100, 10, 100, SECOND), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, 100, 10, 1, SECOND), 0);
    assert_int_equal(wsp_bucket_draw(&bucket, 100, 10, 100, 12 * SECOND), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, 100, 10, 100, 9000 * SECOND), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, 100, 10, 1, 9000 * SECOND), 0);
    /* A bucket that was never touched does not hold more than `burst` either. */
    struct wsp_bucket late = {0};
    assert_int_equal(wsp_bucket_draw(&late, 3, 10, 3, 9000 * SECOND), 1);
    assert_int_equal(wsp_bucket_draw(&late, 3, 10, 1, 9000 * SECOND), 0);
}

TEST(rate_holds_in_the_long_run_when_somebody_asks_all_the_time)
{
    static const uint32_t rates[] = {1, 2, 7, 14, 15, 16, 29, 100, 330, 1000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (uint64_t step = 1; step <= 300; step += 23) {
            struct wsp_bucket bucket = {0};
            const uint32_t burst = 2000;
            uint64_t drawn = 0, ns = 0;
            while (ns < 200 * SECOND) {
                while (wsp_bucket_draw(&bucket, burst, rates[i], 1, ns)) {
                    drawn++;
                }
                assert_int_equal(bucket.spent, burst);
                ns += step * SECOND / 1000;
            }
            ns -= step * SECOND / 1000;
            /* No more tokens than the elapsed time gives, and none lost except by the coarse
             * timestamp. */
            uint64_t brought = (uint64_t)((double)ns / 1e9 * rates[i]);
            assert_true(drawn <= burst + brought + 1);
            assert_true(drawn + 1 + rates[i] * COARSE / SECOND + 1 >= burst + brought);
        }
    }
}

TEST(draws_stay_within_the_law_when_costs_and_pauses_are_random)
{
    uint64_t seed = 6;
    for (int round = 0; round < 300; round++) {
        struct wsp_bucket bucket = {0};
        uint32_t burst = 1 + (uint32_t)test_below(&seed, 5000);
        uint32_t rate = (uint32_t)test_below(&seed, 3000);
        uint64_t shift = 10 + test_below(&seed, 50);
        uint64_t ns = test_random(&seed) >> shift;
        double tokens = burst; /* an exact bucket */
        for (int step = 0; step < 300; step++) {
            uint64_t pause = test_below(&seed, 2 * SECOND);
            ns += pause;
            tokens += (double)pause / 1e9 * rate;
            tokens = tokens > burst ? burst : tokens;
            uint32_t cost = (uint32_t)test_below(&seed, burst + 2);
            int drawn = wsp_bucket_draw(&bucket, burst, rate, cost, ns);
            assert_true(bucket.spent <= burst);
            /* Both timestamps are rounded down: each can be off by one unit. */
            double slack = 2.0 + 2.0 * (double)COARSE / 1e9 * rate;
            double left = (double)(burst - bucket.spent) + (drawn ? cost : 0);
            assert_true(left <= tokens + slack && left >= tokens - slack);
            assert_true(drawn == (cost <= left));
            /* otherwise the differences would add up at the full bucket */
            tokens = burst - bucket.spent;
        }
    }
}

TEST(nothing_comes_back_when_time_stands_still)
{
    struct wsp_bucket bucket = {0};
    uint64_t ns = 50 * SECOND;
    assert_int_equal(wsp_bucket_draw(&bucket, 4, 1000000, 4, ns), 1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(wsp_bucket_draw(&bucket, 4, 1000000, 1, ns), 0);
    }
    assert_int_equal(wsp_bucket_draw(&bucket, 4, 1000000, 4, ns + COARSE), 1);
}

TEST(numbers_do_not_overflow_when_they_are_as_large_as_can_be)
{
    struct wsp_bucket bucket = {0};
    assert_int_equal(wsp_bucket_draw(&bucket, UINT32_MAX, UINT32_MAX, UINT32_MAX, 0), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, UINT32_MAX, UINT32_MAX, 1, 0), 0);
    uint64_t nine_years = (UINT64_C(1) << 58) - 1;
    assert_int_equal(wsp_bucket_draw(&bucket, UINT32_MAX, UINT32_MAX, UINT32_MAX, nine_years), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, UINT32_MAX, UINT32_MAX, 1, nine_years), 0);
    /* Two units of time bring the tokens of two units, at any point in time. */
    uint64_t seed = 7;
    for (int i = 0; i < 1000; i++) {
        uint64_t ns = test_below(&seed, nine_years - 2 * COARSE) + 2 * COARSE;
        struct wsp_bucket other = {.spent = UINT32_MAX, .coarse_time = wsp_coarse_time(ns) - 2};
        assert_int_equal(wsp_bucket_draw(&other, UINT32_MAX, UINT32_MAX, 0, ns), 1);
        uint64_t back = UINT32_MAX - other.spent;
        assert_true(back >= 2 * COARSE * UINT32_MAX / SECOND - 1);
        assert_true(back <= 2 * COARSE * UINT32_MAX / SECOND + 1);
    }
}

TEST(bucket_goes_on_when_the_coarse_time_wraps)
{
    struct wsp_bucket bucket = {0};
    uint64_t wrap = UINT64_C(1) << (32 + WSP_COARSE_TIME_BITS);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 10, 10, wrap - 1), 1);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 10, 1, wrap), 0);
    assert_int_equal(wsp_bucket_draw(&bucket, 10, 10, 9, wrap + SECOND), 1);
}

TEST(draw_is_refused_when_the_burst_became_smaller_than_what_is_spent)
{
    struct wsp_bucket bucket = {.spent = 8, .coarse_time = 0};
    assert_int_equal(wsp_bucket_draw(&bucket, 5, 0, 0, 0), 0);
    assert_int_equal(wsp_bucket_draw(&bucket, 5, 0, 4, 0), 0);
}
