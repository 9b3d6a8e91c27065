/* SPDX-License-Identifier: MIT */
/*
 * stats.c - the numbers of the pool: as JSON, with the size of the program's heap; and as text for
 * Prometheus.
 *
 * The names are those of wspool/stats.h, which explains each.
 */
#define _GNU_SOURCE
#include "api.h"

#include <malloc.h>
#include <string.h>

#include <wspool/json_report.h>
#include <wspool/metrics.h>

#include "text.h"

enum MHD_Result stats_answer(struct app *app, struct request *request)
{
    wspool_statistics stats = {.size = sizeof(stats)};
    struct mallinfo2 heap = mallinfo2();
    json_t *body;

    wspool_stats(app->pool, &stats);
    body = wspool_json_stats(&stats);
    if (body == NULL) {
        return http_json(request, MHD_HTTP_OK, NULL);
    }
    json_object_set_new(body, "cards", json_integer((json_int_t)app->cards.count));
    json_object_set_new(body, "heap_bytes",
                        json_integer((json_int_t)(heap.uordblks + heap.hblkhd)));
    return http_json(request, MHD_HTTP_OK, body);
}

enum MHD_Result metrics_answer(struct app *app, struct request *request)
{
    wspool_statistics stats = {.size = sizeof(stats)};
    struct text text = {NULL, 0, 0};
    wspool_writer writer = {text_append, &text};
    const char *accept = http_header(request, "Accept");
    int open = accept != NULL && strstr(accept, "application/openmetrics-text") != NULL;

    wspool_stats(app->pool, &stats);
    if (wspool_metrics_write(&stats, open ? WSPOOL_METRICS_OPENMETRICS : WSPOOL_METRICS_PROMETHEUS,
                             &writer) != 0) {
        text_free(&text);
        return http_send(request, MHD_HTTP_OK, NULL);
    }
    return http_text(request,
                     open ? WSPOOL_METRICS_OPENMETRICS_TYPE : WSPOOL_METRICS_PROMETHEUS_TYPE,
                     text.bytes, text.len);
}
