/* SPDX-License-Identifier: MIT */
/*
 * json/test_report.c - wspool/json_report.h: the numbers of a pool as JSON, and what becomes of them
 * when jansson has no memory.
 */
#include "talk.h"

#include <wspool/json_report.h>

static struct {
    size_t fail_at, calls, live;
} heap;

static void *counted_malloc(size_t size)
{
    if (heap.fail_at > 0 && ++heap.calls >= heap.fail_at) {
        return NULL;
    }
    heap.live++;
    return malloc(size);
}

static void counted_free(void *block)
{
    heap.live -= block ? 1 : 0;
    free(block);
}

static json_int_t number(const json_t *object, const char *first, const char *second)
{
    const json_t *value = json_object_get(object, first);
    value = second ? json_object_get(value, second) : value;
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static wspool_statistics some_stats(void)
{
    wspool_statistics stats = {.size = sizeof stats, .attempts = 5, .peers = UINT64_MAX};
    stats.refused[WSPOOL_REFUSED_MALFORMED] = 1;
    stats.refused[WSPOOL_REFUSED_TOKEN_MALFORMED] = 2; /* the same word */
    stats.ended[WSPOOL_END_EOF] = 3;
    stats.lost_after[WSPOOL_SILENCE_OTHER] = 4;
    stats.round_trip.sum = 600;
    stats.round_trip.buckets[9] = 2;
    return stats;
}

TEST(each_number_has_its_place)
{
    const wspool_statistics stats = some_stats();
    json_t *object = wspool_json_stats(&stats);
    assert_int_equal(number(object, "attempts", NULL), 5);
    assert_int_equal(number(object, "peers", NULL), INT64_MAX);
    assert_int_equal(number(object, "refused", "malformed"), 3);
    assert_int_equal(number(object, "ended", "the transport ended without a Close"), 3);
    assert_int_equal(number(object, "lost_after", "other"), 4);
    assert_int_equal(number(object, "round_trip", "count"), 2);
    assert_int_equal(number(object, "round_trip", "p99"), 511);
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(object, "round_trip"), "buckets")), 10);
    json_decref(object);
}

TEST(stats_that_were_not_filled_are_none)
{
    const wspool_statistics unset = {0};
    assert_null(wspool_json_stats(NULL));
    assert_null(wspool_json_stats(&unset));
}

TEST(without_memory_there_is_no_object_and_no_leak)
{
    const wspool_statistics stats = some_stats();
    json_set_alloc_funcs(counted_malloc, counted_free);
    for (size_t fail = 1;; fail += 7) {
        memset(&heap, 0, sizeof heap);
        heap.fail_at = fail;
        json_t *object = wspool_json_stats(&stats);
        const int is_whole = object != NULL;
        json_decref(object);
        assert_int_equal(heap.live, 0);
        if (is_whole) {
            break;
        }
    }
    json_set_alloc_funcs(malloc, free);
}

static sim *sim_with_tokens(void)
{
    sim *s = sim_new(1);
    s->ask_token = 1;
    sim_start(s);
    return s;
}

/* There is no secret, so clients come without tokens. */
static wspool_diagnosis some_diagnosis(sim *s)
{
    wspool_diagnosis diagnosis = {.size = sizeof diagnosis};
    const wspool_diagnose_options options = {.size = sizeof options, .secret_bytes = 0};
    sim_refused(s, &(client_request){.target = "/all"}, 401, "empty_token");
    assert_int_equal(wspool_diagnose(s->pool, &options, &diagnosis), 0);
    return diagnosis;
}

TEST(diagnosis_is_an_object_of_four_parts)
{
    sim *s = sim_with_tokens();
    const wspool_diagnosis diagnosis = some_diagnosis(s);
    json_t *object = wspool_json_diagnosis(&diagnosis);
    assert_true(json_is_false(json_object_get(object, "success")));
    const json_t *issues = json_object_get(object, "issues");
    assert_int_equal(json_array_size(issues), 3);
    const json_t *causes = json_object_get(json_array_get(issues, 1), "root_causes");
    assert_string_equal(json_string_value(json_array_get(causes, 0)), "no_secret");
    const json_t *secret = json_array_get(issues, 0);
    assert_string_equal(json_string_value(json_object_get(secret, "name")), "no_secret");
    assert_string_equal(json_string_value(json_object_get(secret, "severity")), "critical");
    const json_t *components = json_object_get(secret, "components");
    assert_int_equal(json_array_size(components), 2);
    assert_string_equal(json_string_value(json_array_get(components, 1)), "tokens");
    assert_int_equal(json_array_size(json_object_get(object, "recommendations")), 3);
    const json_t *metrics = json_object_get(object, "metrics");
    assert_true(json_is_null(json_object_get(metrics, "memory_percent"))); /* there is no monitor */
    assert_int_equal(number(metrics, "connects", NULL), 0);
    json_decref(object);
    sim_free(s);
}

TEST(diagnosis_that_was_not_made_is_none)
{
    wspool_diagnosis diagnosis = {.size = 0};
    assert_null(wspool_json_diagnosis(NULL));
    assert_null(wspool_json_diagnosis(&diagnosis));
    diagnosis.size = sizeof diagnosis;
    diagnosis.issue_count = WSPOOL_ISSUE_COUNT + 1;
    assert_null(wspool_json_diagnosis(&diagnosis));
}

TEST(without_memory_there_is_no_diagnosis_and_no_leak)
{
    sim *s = sim_with_tokens();
    const wspool_diagnosis diagnosis = some_diagnosis(s);
    json_set_alloc_funcs(counted_malloc, counted_free);
    for (size_t fail = 1;; fail++) {
        memset(&heap, 0, sizeof heap);
        heap.fail_at = fail;
        json_t *object = wspool_json_diagnosis(&diagnosis);
        const int is_whole = object != NULL;
        json_decref(object);
        assert_int_equal(heap.live, 0);
        if (is_whole) {
            break;
        }
    }
    json_set_alloc_funcs(malloc, free);
    sim_free(s);
}
