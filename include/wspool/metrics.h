/* SPDX-License-Identifier: MIT */
/*
 * wspool/metrics.h - the numbers of wspool/stats.h as a text for Prometheus and its like.
 *
 *     wspool_statistics stats = {.size = sizeof stats};
 *     wspool_stats(pool, &stats);
 *     wspool_metrics_write(&stats, WSPOOL_METRICS_PROMETHEUS, &writer);
 *
 * answers GET /metrics, with the Content-Type below. All names begin with "wspool_". Counters end in
 * "_total"; times are in seconds. What is counted by reason has labels:
 *
 *     wspool_refused_total{status,reason}   wspool_ended_total{reason}
 *     wspool_stage_passed_total{stage}      wspool_stage_refused_total{stage}
 *     wspool_stage_gone_total{stage}        wspool_stage_seconds{stage}
 *     wspool_lost_total{silent_seconds}
 *     wspool_token_found_total{place}       wspool_token_blank_total{place}
 *
 * A histogram has every second of its bounds, which is a bound to a factor of four.
 */
#ifndef WSPOOL_METRICS_H
#define WSPOOL_METRICS_H

#include <wspool/stats.h>
#include <wspool/writer.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum wspool_metrics_format {
    WSPOOL_METRICS_PROMETHEUS, /* the classic text format, version 0.0.4 */
    WSPOOL_METRICS_OPENMETRICS /* OpenMetrics 1.0 */
};

#define WSPOOL_METRICS_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define WSPOOL_METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Any thread. Writes about 25 KB in pieces. Returns 0, what the writer returned, or
 *   INVAL  a NULL argument, no such format, or stats->size is not sizeof(wspool_statistics): fill
 *          *stats with wspool_stats. */
int wspool_metrics_write(const wspool_statistics *stats, enum wspool_metrics_format format,
                         const wspool_writer *writer);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
