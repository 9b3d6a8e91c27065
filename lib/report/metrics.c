/* SPDX-License-Identifier: MIT */
/*
 * report/metrics.c - see wspool/metrics.h.  Layer 5.
 *
 * The two formats differ in what a family of counters is called in its head, and in the last line.
 */
#include <wspool/metrics.h>

#include <string.h>

#include <wspool/close.h>
#include <wspool/error.h>
#include <wspool/handshake.h>
#include "report/text.h"

struct metrics {
    struct wsp_text text;
    int open; /* 1: OpenMetrics */
};

/* ------------------------------------------------------------------ families */

static void head(struct metrics *m, const char *name, const char *unit, const char *type,
                 const char *help)
{
    const char *suffix = strcmp(type, "counter") == 0 && !m->open ? "_total" : "";
    const struct {
        const char *keyword, *text;
    } lines[] = {{"# HELP ", help}, {"# TYPE ", type}};
    for (size_t i = 0; i < 2; i++) {
        wsp_text_put(&m->text, lines[i].keyword);
        wsp_text_put(&m->text, "wspool_");
        wsp_text_put(&m->text, name);
        wsp_text_put(&m->text, unit);
        wsp_text_put(&m->text, suffix);
        wsp_text_put(&m->text, " ");
        wsp_text_put(&m->text, lines[i].text);
        wsp_text_put(&m->text, "\n");
    }
}

/* A sample up to its value: name and labels. `label` NULL: there is none. */
static void begin(struct metrics *m, const char *name, const char *suffix, const char *label,
                  const char *value)
{
    wsp_text_put(&m->text, "wspool_");
    wsp_text_put(&m->text, name);
    wsp_text_put(&m->text, suffix);
    if (label) {
        wsp_text_put(&m->text, "{");
        wsp_text_put(&m->text, label);
        wsp_text_put(&m->text, "=\"");
        wsp_text_put(&m->text, value);
        wsp_text_put(&m->text, "\"}");
    }
    wsp_text_put(&m->text, " ");
}

static void end_with(struct metrics *m, uint64_t value)
{
    wsp_text_put_number(&m->text, value);
    wsp_text_put(&m->text, "\n");
}

static void counter(struct metrics *m, const char *name, const char *label, const char *value,
                    uint64_t number)
{
    begin(m, name, "_total", label, value);
    end_with(m, number);
}

/* ---------------------------------------------------------------- histograms */

/* A value of a histogram of times was less than a microsecond longer than what was counted, so the
 * bound of its bucket is a microsecond later. */
static void put_bound(struct metrics *m, unsigned bucket, int is_time)
{
    const uint64_t bound = wspool_histogram_bound(bucket);
    if (is_time) {
        wsp_text_put_millionths(&m->text, bound + 1);
    } else {
        wsp_text_put_number(&m->text, bound);
        wsp_text_put(&m->text, ".0");
    }
}

static void buckets(struct metrics *m, const char *name, const char *stage, int is_time,
                    const wspool_histogram *histogram)
{
    const char *unit = is_time ? "_seconds" : "";
    uint64_t count = 0;
    for (unsigned i = 0; i < WSPOOL_HISTOGRAM_BUCKETS; i++) {
        const int is_last = i == WSPOOL_HISTOGRAM_BUCKETS - 1;
        count += histogram->buckets[i];
        if (i % 2 == 0 && !is_last) {
            continue;
        }
        wsp_text_put(&m->text, "wspool_");
        wsp_text_put(&m->text, name);
        wsp_text_put(&m->text, unit);
        wsp_text_put(&m->text, "_bucket{");
        if (stage) {
            wsp_text_put(&m->text, "stage=\"");
            wsp_text_put(&m->text, stage);
            wsp_text_put(&m->text, "\",");
        }
        wsp_text_put(&m->text, "le=\"");
        if (is_last) {
            wsp_text_put(&m->text, "+Inf");
        } else {
            put_bound(m, i, is_time);
        }
        wsp_text_put(&m->text, "\"} ");
        end_with(m, count);
    }
    begin(m, name, is_time ? "_seconds_sum" : "_sum", stage ? "stage" : NULL, stage);
    if (is_time) {
        wsp_text_put_millionths(&m->text, histogram->sum);
        wsp_text_put(&m->text, "\n");
    } else {
        end_with(m, histogram->sum);
    }
    begin(m, name, is_time ? "_seconds_count" : "_count", stage ? "stage" : NULL, stage);
    end_with(m, count);
}

static void histogram(struct metrics *m, const char *name, const char *unit, const char *help,
                      const wspool_histogram *histogram)
{
    const int is_time = strcmp(unit, "microseconds") == 0;
    head(m, name, is_time ? "_seconds" : "", "histogram", help);
    buckets(m, name, NULL, is_time, histogram);
}

/* ------------------------------------------------------------- what has labels */

static void put_refusals(struct metrics *m, const wspool_statistics *stats)
{
    head(m, "refused", "", "counter", "peers that were not accepted, by reason");
    for (int i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        const enum wspool_refusal refusal = (enum wspool_refusal)i;
        wsp_text_put(&m->text, "wspool_refused_total{status=\"");
        wsp_text_put_number(&m->text, (uint64_t)wspool_refusal_status(refusal));
        wsp_text_put(&m->text, "\",reason=\"");
        wsp_text_put(&m->text, wspool_refusal_reason(refusal));
        wsp_text_put(&m->text, "\"} ");
        end_with(m, stats->refused[i]);
    }
}

static void put_ends(struct metrics *m, const wspool_statistics *stats)
{
    head(m, "ended", "", "counter", "peers that were accepted and have ended, by reason");
    for (int i = 0; i < WSPOOL_END_COUNT; i++) {
        counter(m, "ended", "reason", wspool_end_text((enum wspool_end)i), stats->ended[i]);
    }
    head(m, "lost", "", "counter",
         "peers whose transport was lost, by how long nothing had come from them");
#define WSPOOL_X(name, seconds) \
    counter(m, "lost", "silent_seconds", #seconds, stats->lost_after[WSPOOL_SILENCE_##name]);
    WSPOOL_SILENCES(WSPOOL_X)
#undef WSPOOL_X
    counter(m, "lost", "silent_seconds", "other", stats->lost_after[WSPOOL_SILENCE_OTHER]);
}

static void put_tokens(struct metrics *m, const wspool_statistics *stats)
{
    head(m, "token_found", "", "counter", "requests, by the place that had their token");
    for (int i = 0; i <= WSPOOL_TOKEN_PLACES; i++) {
        counter(m, "token_found", "place", wspool_token_place_name((enum wspool_token_place)i),
                stats->token_found[i]);
    }
    head(m, "token_blank", "", "counter", "requests, by the places that had an empty token");
    for (int i = 0; i <= WSPOOL_TOKEN_PLACES; i++) {
        counter(m, "token_blank", "place", wspool_token_place_name((enum wspool_token_place)i),
                stats->token_blank[i]);
    }
}

static void put_stages(struct metrics *m, const wspool_statistics *stats)
{
    head(m, "stage_passed", "", "counter", "peers that passed a stage of the handshake");
    for (int i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        counter(m, "stage_passed", "stage", wspool_stage_name((enum wspool_stage)i),
                stats->stages[i].passed);
    }
    head(m, "stage_refused", "", "counter", "peers that were refused in a stage of the handshake");
    for (int i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        counter(m, "stage_refused", "stage", wspool_stage_name((enum wspool_stage)i),
                stats->stages[i].refused);
    }
    head(m, "stage_gone", "", "counter", "peers that left in a stage of the handshake");
    for (int i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        counter(m, "stage_gone", "stage", wspool_stage_name((enum wspool_stage)i),
                stats->stages[i].gone);
    }
    head(m, "stage", "_seconds", "histogram", "time before a stage of the handshake was passed");
    for (int i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        buckets(m, "stage", wspool_stage_name((enum wspool_stage)i), 1, &stats->stages[i].times);
    }
}

int wspool_metrics_write(const wspool_statistics *stats, enum wspool_metrics_format format,
                         const wspool_writer *writer)
{
    struct metrics m = {.open = format == WSPOOL_METRICS_OPENMETRICS};
    if (!stats || stats->size != sizeof *stats || !writer || !writer->call ||
        (format != WSPOOL_METRICS_PROMETHEUS && !m.open)) {
        return WSPOOL_ERR_INVAL;
    }
    wsp_text_init(&m.text, writer);
#define WSPOOL_X(name, unit, help) \
    head(&m, #name, "", "counter", unit ": " help); \
    counter(&m, #name, NULL, NULL, stats->name);
    WSPOOL_COUNTERS(WSPOOL_X)
#undef WSPOOL_X
#define WSPOOL_X(name, unit, help) \
    head(&m, #name, "", "gauge", unit ": " help); \
    begin(&m, #name, "", NULL, NULL); \
    end_with(&m, stats->name);
    WSPOOL_GAUGES(WSPOOL_X)
#undef WSPOOL_X
#define WSPOOL_X(name, unit, help) histogram(&m, #name, unit, help, &stats->name);
    WSPOOL_HISTOGRAMS(WSPOOL_X)
#undef WSPOOL_X
    put_refusals(&m, stats);
    put_ends(&m, stats);
    put_tokens(&m, stats);
    put_stages(&m, stats);
    if (m.open) {
        wsp_text_put(&m.text, "# EOF\n");
    }
    return wsp_text_end(&m.text);
}
