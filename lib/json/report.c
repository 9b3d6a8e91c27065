/* SPDX-License-Identifier: MIT */
/*
 * json/report.c - see wspool/json_report.h.
 *
 * Whoever builds an object passes `failed` on, which is set when an allocation fails: an object that
 * lacks members says the wrong thing.
 */
#include <wspool/json_report.h>

#include <wspool/close.h>
#include <wspool/handshake.h>

static json_t *number(uint64_t value)
{
    return json_integer(value < INT64_MAX ? (json_int_t)value : (json_int_t)INT64_MAX);
}

static void put_value(int *failed, json_t *object, const char *name, json_t *value)
{
    *failed |= json_object_set_new(object, name, value) != 0;
}

static void put(int *failed, json_t *object, const char *name, uint64_t value)
{
    put_value(failed, object, name, number(value));
}

static json_t *histogram(int *failed, const wspool_histogram *histogram)
{
    json_t *object = json_object(), *buckets = json_array();
    unsigned used = WSPOOL_HISTOGRAM_BUCKETS;
    put(failed, object, "count", wspool_histogram_count(histogram));
    put(failed, object, "sum", histogram->sum);
    put(failed, object, "p50", wspool_histogram_quantile(histogram, 500));
    put(failed, object, "p90", wspool_histogram_quantile(histogram, 900));
    put(failed, object, "p99", wspool_histogram_quantile(histogram, 990));
    while (used > 0 && histogram->buckets[used - 1] == 0) {
        used--;
    }
    for (unsigned i = 0; i < used; i++) {
        *failed |= json_array_append_new(buckets, number(histogram->buckets[i])) != 0;
    }
    put_value(failed, object, "buckets", buckets);
    return object;
}

static json_t *refusals(int *failed, const wspool_statistics *stats)
{
    json_t *object = json_object();
    for (int i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        const char *word = wspool_refusal_reason((enum wspool_refusal)i);
        const json_int_t before = json_integer_value(json_object_get(object, word));
        put(failed, object, word, (uint64_t)before + stats->refused[i]);
    }
    return object;
}

static json_t *ends(int *failed, const wspool_statistics *stats)
{
    json_t *object = json_object();
    for (int i = 0; i < WSPOOL_END_COUNT; i++) {
        put(failed, object, wspool_end_text((enum wspool_end)i), stats->ended[i]);
    }
    return object;
}

static json_t *silences(int *failed, const wspool_statistics *stats)
{
    json_t *object = json_object();
#define WSPOOL_X(name, seconds) \
    put(failed, object, #seconds, stats->lost_after[WSPOOL_SILENCE_##name]);
    WSPOOL_SILENCES(WSPOOL_X)
#undef WSPOOL_X
    put(failed, object, "other", stats->lost_after[WSPOOL_SILENCE_OTHER]);
    return object;
}

static json_t *stages(int *failed, const wspool_statistics *stats)
{
    json_t *object = json_object();
    for (int i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        const wspool_stage_stats *stage = &stats->stages[i];
        json_t *each = json_object();
        put(failed, each, "passed", stage->passed);
        put(failed, each, "refused", stage->refused);
        put(failed, each, "nanoseconds", stage->time);
        put_value(failed, each, "times", histogram(failed, &stage->times));
        put_value(failed, object, wspool_stage_name((enum wspool_stage)i), each);
    }
    return object;
}

json_t *wspool_json_stats(const wspool_statistics *stats)
{
    if (!stats || stats->size != sizeof *stats) {
        return NULL;
    }
    int fault = 0, *failed = &fault;
    json_t *object = json_object();
#define WSPOOL_X(name, unit, help) put(failed, object, #name, stats->name);
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES(WSPOOL_X)
#undef WSPOOL_X
    put_value(failed, object, "refused", refusals(failed, stats));
    put_value(failed, object, "ended", ends(failed, stats));
    put_value(failed, object, "lost_after", silences(failed, stats));
#define WSPOOL_X(name, unit, help) \
    put_value(failed, object, #name, histogram(failed, &stats->name));
    WSPOOL_HISTOGRAMS(WSPOOL_X)
#undef WSPOOL_X
    put_value(failed, object, "stages", stages(failed, stats));
    if (fault) {
        json_decref(object);
        return NULL;
    }
    return object;
}
