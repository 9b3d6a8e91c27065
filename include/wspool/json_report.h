/* SPDX-License-Identifier: MIT */
/*
 * wspool/json_report.h - libwspool_json: what wspool/stats.h and wspool/diagnose.h say, as JSON for an
 * operator's page and scripts.
 *
 * Objects are the caller's: json_decref them. A number above 2^63 - 1 is written as that.
 */
#ifndef WSPOOL_JSON_REPORT_H
#define WSPOOL_JSON_REPORT_H

#include <jansson.h>

#include <wspool/diagnose.h>
#include <wspool/stats.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Any thread. Returns the numbers of a pool as an object, or NULL without memory, or if stats->size
 * is not sizeof(wspool_statistics):
 *
 *     {"attempts": 5, ...                        each counter and gauge, by its name
 *      "refused": {"empty_token": 1, ...},       reasons that share a word are one number
 *      "ended": {"the peer closed": 2, ...},
 *      "lost_after": {"60": 0, ..., "other": 0}, seconds of silence
 *      "token_found": {"query": 1, ...},         by place; "token_blank", too
 *      "round_trip": HISTOGRAM, ...              each histogram, by its name
 *      "stages": {"token": {"passed": 4, "refused": 1, "gone": 0, "nanoseconds": 0, "times": HISTOGRAM}, ...}}
 *
 * A HISTOGRAM is {"count", "sum", "p50", "p90", "p99", "buckets": [...]} in its unit; a percentile is
 * the bound of its bucket. `buckets` ends with the last one that is not 0. */
json_t *wspool_json_stats(const wspool_statistics *stats);

/* Any thread. Returns a diagnosis as an object, or NULL without memory, or if it was not made by
 * wspool_diagnose:
 *
 *     {"success": false,
 *      "issues": [{"name": "blank_tokens", "type": "token", "severity": "high", "description": "...",
 *                  "evidence": [{"name", "value", "unit"}, ...], "root_causes": ["no_secret", ...],
 *                  "solution": "...", "components": ["clients", ...]}, ...],
 *      "recommendations": ["...", ...],           the solutions, the most urgent one first
 *      "metrics": {"connects": 5, ..., "connect_percent": 83.3, ...}}
 *
 * The metrics are those of wspool_diagnosis_metrics; percentages are in percent, and what is not known
 * is null. */
json_t *wspool_json_diagnosis(const wspool_diagnosis *diagnosis);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
