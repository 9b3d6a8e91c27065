/* SPDX-License-Identifier: MIT */
/*
 * unit/test_metrics.c - report/metrics.c and report/text.c: what is written, in pieces, and what
 * happens when the writer fails. loop/test_reports.py gives the text to other people's parsers.
 */
#include "support.h"

#include <wspool/error.h>
#include <wspool/metrics.h>

static struct {
    char text[65536];
    size_t len, pieces, fail_at;
} got;

static int keep(const char *text, size_t len, void *user)
{
    assert_ptr_equal(user, &got);
    assert_true(len > 0 && got.len + len < sizeof got.text);
    if (++got.pieces == got.fail_at) {
        return -7;
    }
    memcpy(got.text + got.len, text, len);
    got.len += len;
    got.text[got.len] = '\0';
    return 0;
}

static const wspool_writer writer = {keep, &got};

static int write_all(const wspool_statistics *stats, enum wspool_metrics_format format)
{
    memset(&got, 0, sizeof got);
    return wspool_metrics_write(stats, format, &writer);
}

static wspool_statistics some_stats(void)
{
    wspool_statistics stats = {.size = sizeof stats, .attempts = 5, .peers = UINT64_MAX};
    stats.round_trip.sum = 1500000;
    stats.round_trip.buckets[0] = 1;
    stats.round_trip.buckets[20] = 2;
    stats.resume_size.buckets[31] = 1;
    stats.refused[WSPOOL_REFUSED_TOKEN_MALFORMED] = 3;
    stats.stages[WSPOOL_STAGE_TOKEN].refused = 4;
    stats.lost_after[WSPOOL_SILENCE_60] = 6;
    return stats;
}

#define EXPECT(line) \
    do { \
        if (!strstr(got.text, line)) \
            fail_msg("%s is not in the metrics", line); \
    } while (0)

TEST(each_number_has_its_line)
{
    const wspool_statistics stats = some_stats();
    assert_int_equal(write_all(&stats, WSPOOL_METRICS_PROMETHEUS), 0);
    EXPECT("# TYPE wspool_attempts_total counter\nwspool_attempts_total 5\n");
    EXPECT("# TYPE wspool_peers gauge\nwspool_peers 18446744073709551615\n");
    EXPECT("wspool_round_trip_seconds_bucket{le=\"0.000002\"} 1\n");
    EXPECT("wspool_round_trip_seconds_bucket{le=\"0.524288\"} 1\n");
    EXPECT("wspool_round_trip_seconds_bucket{le=\"2.097152\"} 3\n");
    EXPECT("wspool_round_trip_seconds_sum 1.500000\nwspool_round_trip_seconds_count 3\n");
    EXPECT("wspool_resume_size_bucket{le=\"536870911.0\"} 0\n");
    EXPECT("wspool_resume_size_bucket{le=\"+Inf\"} 1\n");
    EXPECT("wspool_refused_total{status=\"401\",reason=\"malformed\"} 3\n");
    EXPECT("wspool_refused_total{status=\"400\",reason=\"malformed\"} 0\n");
    EXPECT("wspool_stage_refused_total{stage=\"token\"} 4\n");
    EXPECT("wspool_lost_total{silent_seconds=\"60\"} 6\n");
    assert_null(strstr(got.text, "# EOF"));
}

TEST(openmetrics_names_a_counter_without_total_and_says_where_it_ends)
{
    const wspool_statistics stats = some_stats();
    assert_int_equal(write_all(&stats, WSPOOL_METRICS_OPENMETRICS), 0);
    EXPECT("# TYPE wspool_attempts counter\nwspool_attempts_total 5\n");
    assert_string_equal(got.text + got.len - 6, "# EOF\n");
}

/* Whichever piece it is, nothing follows, and the caller gets the writer's own error. */
TEST(nothing_is_written_after_the_writers_error)
{
    const wspool_statistics stats = some_stats();
    assert_int_equal(write_all(&stats, WSPOOL_METRICS_PROMETHEUS), 0);
    const size_t pieces = got.pieces;
    assert_true(pieces > 20);
    for (size_t fail = 1; fail <= pieces; fail++) {
        memset(&got, 0, sizeof got);
        got.fail_at = fail;
        assert_int_equal(wspool_metrics_write(&stats, WSPOOL_METRICS_PROMETHEUS, &writer), -7);
        assert_int_equal(got.pieces, fail);
    }
}

TEST(bad_arguments_are_errors)
{
    const wspool_statistics stats = some_stats(), unset = {0};
    const wspool_writer nobody = {NULL, NULL};
    assert_int_equal(write_all(NULL, WSPOOL_METRICS_PROMETHEUS), WSPOOL_ERR_INVAL);
    assert_int_equal(write_all(&unset, WSPOOL_METRICS_PROMETHEUS), WSPOOL_ERR_INVAL);
    assert_int_equal(write_all(&stats, (enum wspool_metrics_format)7), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_metrics_write(&stats, WSPOOL_METRICS_PROMETHEUS, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_metrics_write(&stats, WSPOOL_METRICS_PROMETHEUS, &nobody),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(got.len, 0);
}
