/* SPDX-License-Identifier: MIT */
/*
 * stats.c - the pool's statistics as JSON, and the size of the program's heap.
 *
 * The names are those of wspool/stats.h, which explains each.
 */
#define _GNU_SOURCE
#include "api.h"

#include <malloc.h>

static int put(json_t *object, const char *name, uint64_t value)
{
    return json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *refusals(const wspool_statistics *stats)
{
    json_t *object = json_object();
    int i;
    for (i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        const char *word = wspool_refusal_reason((enum wspool_refusal)i);
        uint64_t before = (uint64_t)json_integer_value(json_object_get(object, word));
        put(object, word, before + stats->refused[i]); /* two reasons may share a word */
    }
    return object;
}

static json_t *ends(const wspool_statistics *stats)
{
    json_t *object = json_object();
    int i;
    for (i = 0; i < WSPOOL_END_COUNT; i++) {
        put(object, wspool_end_text((enum wspool_end)i), stats->ended[i]);
    }
    return object;
}

static json_t *stages(const wspool_statistics *stats)
{
    json_t *object = json_object();
    int i;
    for (i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        const wspool_stage_stats *stage = &stats->stages[i];
        json_object_set_new(object, wspool_stage_name((enum wspool_stage)i),
                            json_pack("{s:I, s:I, s:I}", "passed", (json_int_t)stage->passed,
                                      "refused", (json_int_t)stage->refused, "nanoseconds",
                                      (json_int_t)stage->time));
    }
    return object;
}

enum MHD_Result stats_answer(struct app *app, struct request *request)
{
    wspool_statistics stats = {.size = sizeof(stats)};
    struct mallinfo2 heap = mallinfo2();
    json_t *body = json_object();

    wspool_stats(app->pool, &stats);
#define WSPOOL_X(name, unit, help) put(body, #name, stats.name);
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES(WSPOOL_X)
#undef WSPOOL_X
    json_object_set_new(body, "refused", refusals(&stats));
    json_object_set_new(body, "ended", ends(&stats));
    json_object_set_new(body, "stages", stages(&stats));
    put(body, "cards", app->cards.count);
    put(body, "heap_bytes", heap.uordblks + heap.hblkhd);
    return http_json(request, MHD_HTTP_OK, body);
}
