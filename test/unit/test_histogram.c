/* SPDX-License-Identifier: MIT */
/*
 * unit/test_histogram.c - base/histogram.h and wspool/histogram.h: which bucket counts a value, and
 * what a quantile says of it.
 */
#include "support.h"
#include "base/histogram.h"

static wspool_histogram read_all(const struct wsp_histogram *histogram)
{
    wspool_histogram copy;
    wsp_histogram_read(histogram, 0, &copy);
    return copy;
}

/* Each value is in the first bucket whose bound is not below it. */
TEST(value_is_counted_where_the_bound_says)
{
    const uint64_t most = UINT64_C(1) << 35;
    for (uint64_t value = 0; value < most; value = value < 70 ? value + 1 : value * 2 - 1) {
        struct wsp_histogram histogram = {0};
        wsp_histogram_add(&histogram, value);
        const wspool_histogram copy = read_all(&histogram);
        unsigned bucket = 0;
        while (wspool_histogram_bound(bucket) < value) {
            bucket++;
        }
        assert_int_equal(copy.buckets[bucket], 1);
        assert_int_equal(wspool_histogram_count(&copy), 1);
        assert_int_equal(copy.sum, value);
    }
    assert_int_equal(wspool_histogram_bound(WSPOOL_HISTOGRAM_BUCKETS), UINT64_MAX);
}

/* Against the sorted values: at least the share is not above it, and it is less than twice the
 * value at that place. */
TEST(quantile_is_the_value_or_less_than_twice_of_it)
{
    struct wsp_histogram histogram = {0};
    enum { VALUES = 1001 };
    for (uint64_t value = 0; value < VALUES; value++) {
        wsp_histogram_add(&histogram, value);
    }
    const wspool_histogram copy = read_all(&histogram);
    for (unsigned permille = 1; permille <= 1000; permille++) {
        const uint64_t bound = wspool_histogram_quantile(&copy, permille);
        const uint64_t exact = (VALUES * permille + 999) / 1000 - 1; /* values are their places */
        assert_true(bound >= exact);
        assert_true(bound <= 2 * exact + 1);
    }
    assert_int_equal(wspool_histogram_quantile(&copy, 5000),
                     wspool_histogram_quantile(&copy, 1000));
}

TEST(nothing_counted_is_zero)
{
    const wspool_histogram none = {0};
    assert_int_equal(wspool_histogram_count(&none), 0);
    assert_int_equal(wspool_histogram_quantile(&none, 500), 0);
    assert_int_equal(wspool_histogram_count(NULL), 0);
    assert_int_equal(wspool_histogram_quantile(NULL, 500), 0);
}

TEST(large_counts_do_not_overflow)
{
    wspool_histogram large = {0};
    large.buckets[3] = UINT64_MAX / 2;
    large.buckets[9] = UINT64_MAX / 2;
    assert_int_equal(wspool_histogram_quantile(&large, 500), 7);
    assert_int_equal(wspool_histogram_quantile(&large, 999), 511);
}

TEST(values_that_the_writer_left_out_are_zero)
{
    struct wsp_histogram histogram = {0};
    wspool_histogram copy;
    wsp_histogram_add(&histogram, 5);
    wsp_histogram_read(&histogram, 4, &copy);
    assert_int_equal(copy.buckets[0], 3);
    wsp_histogram_read(&histogram, 0, &copy); /* another thread is between the two counts */
    assert_int_equal(copy.buckets[0], 0);
}
