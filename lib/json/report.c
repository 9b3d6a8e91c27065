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

#include <string.h>

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

static json_t *places(int *failed, const uint64_t *numbers)
{
    json_t *object = json_object();
    for (int i = 0; i <= WSPOOL_TOKEN_PLACES; i++) {
        put(failed, object, wspool_token_place_name((enum wspool_token_place)i), numbers[i]);
    }
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
        put(failed, each, "gone", stage->gone);
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
    put_value(failed, object, "token_found", places(failed, stats->token_found));
    put_value(failed, object, "token_blank", places(failed, stats->token_blank));
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

/* ------------------------------------------------------------------ diagnoses */

static json_t *evidence_of(int *failed, const wspool_issue *issue)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < issue->evidence_count; i++) {
        json_t *each = json_object();
        put_value(failed, each, "name", json_string(issue->evidence[i].name));
        put(failed, each, "value", issue->evidence[i].value);
        put_value(failed, each, "unit", json_string(issue->evidence[i].unit));
        *failed |= json_array_append_new(list, each) != 0;
    }
    return list;
}

/* Splits a text at ", ". */
static json_t *parts_of(int *failed, const char *text)
{
    json_t *list = json_array();
    while (*text) {
        const size_t len = strcspn(text, ",");
        *failed |= json_array_append_new(list, json_stringn(text, len)) != 0;
        text += len;
        text += strspn(text, ", ");
    }
    return list;
}

static json_t *causes_of(int *failed, const wspool_diagnosis *diagnosis, const wspool_issue *issue)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < issue->cause_count; i++) {
        for (uint32_t k = 0; k < diagnosis->issue_count; k++) {
            if (diagnosis->issues[k].name == issue->causes[i]) {
                *failed |= json_array_append_new(list, json_string(diagnosis->issues[k].word)) != 0;
            }
        }
    }
    return list;
}

static json_t *issue_of(int *failed, const wspool_diagnosis *diagnosis, const wspool_issue *issue)
{
    json_t *object = json_object();
    put_value(failed, object, "name", json_string(issue->word));
    put_value(failed, object, "type", json_string(wspool_issue_type_name(issue->type)));
    put_value(failed, object, "severity", json_string(wspool_severity_name(issue->severity)));
    put_value(failed, object, "description", json_string(issue->description));
    put_value(failed, object, "evidence", evidence_of(failed, issue));
    put_value(failed, object, "root_causes", causes_of(failed, diagnosis, issue));
    put_value(failed, object, "solution", json_string(issue->solution));
    put_value(failed, object, "components", parts_of(failed, issue->components));
    return object;
}

static json_t *metrics_of(int *failed, const wspool_diagnosis_metrics *metrics)
{
    json_t *object = json_object();
    const int has_monitor = metrics->room != UINT64_MAX;
    const struct {
        const char *name;
        uint64_t value;
        int is_known;
    } numbers[] = {{"connects", metrics->connects, 1},
                   {"connects_failed", metrics->connects_failed, 1},
                   {"handshake_p50", metrics->handshake_p50, 1},
                   {"handshake_p95", metrics->handshake_p95, 1},
                   {"round_trip_p50", metrics->round_trip_p50, 1},
                   {"round_trip_p95", metrics->round_trip_p95, 1},
                   {"queue_age_p95", metrics->queue_age_p95, 1},
                   {"ended_by_failure", metrics->ended_by_failure, 1},
                   {"peers", metrics->peers, 1},
                   {"channels", metrics->channels, 1},
                   {"own_bytes", metrics->own_bytes, has_monitor},
                   {"room", metrics->room, has_monitor}};
    const struct {
        const char *name;
        uint32_t value;
        int is_known;
    } percents[] = {{"connect_percent", metrics->connect_percent, 1},
                    {"memory_percent", metrics->memory_percent, has_monitor},
                    {"cpu_percent", metrics->cpu_percent, has_monitor},
                    {"files_percent", metrics->files_percent, has_monitor},
                    {"connections_percent", metrics->connections_percent, has_monitor}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put_value(failed, object, numbers[i].name,
                  numbers[i].is_known ? number(numbers[i].value) : json_null());
    }
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        put_value(failed, object, percents[i].name,
                  percents[i].is_known ? json_real(percents[i].value / 100.0) : json_null());
    }
    return object;
}

json_t *wspool_json_diagnosis(const wspool_diagnosis *diagnosis)
{
    if (!diagnosis || diagnosis->size != sizeof *diagnosis ||
        diagnosis->issue_count > WSPOOL_ISSUE_COUNT) {
        return NULL;
    }
    int failed = 0;
    json_t *object = json_object(), *issues = json_array(), *recommendations = json_array();
    for (uint32_t i = 0; i < diagnosis->issue_count; i++) {
        const wspool_issue *issue = &diagnosis->issues[i];
        failed |= json_array_append_new(issues, issue_of(&failed, diagnosis, issue)) != 0;
        failed |= json_array_append_new(recommendations, json_string(issue->solution)) != 0;
    }
    put_value(&failed, object, "success", json_boolean(diagnosis->success));
    put_value(&failed, object, "issues", issues);
    put_value(&failed, object, "recommendations", recommendations);
    put_value(&failed, object, "metrics", metrics_of(&failed, &diagnosis->metrics));
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}
