/* SPDX-License-Identifier: MIT */
/* pool/stages.c - see pool/stages.h. */
#include "pool/stages.h"

#include "wire/http.h"

uint64_t wsp_stages_took(const wspool *pool, const struct wsp_conn *conn,
                         struct wsp_stage_counts *counts)
{
    const uint64_t time = pool->link.now - conn->since;
    if (time == 0) {
        return 0;
    }
    const uint64_t took = wsp_microseconds(time);
    wsp_count_add(&counts->time, time);
    if (took > 0) {
        wsp_histogram_add(&counts->times, took);
    }
    return took;
}

void wsp_stages_pass(wspool *pool, struct wsp_conn *conn, enum wspool_stage stage)
{
    struct wsp_stage_counts *counts = &pool->count.stages[conn->stage];
    if (conn->stage >= (uint8_t)stage) {
        return;
    }
    const uint64_t took = conn->took + wsp_stages_took(pool, conn, counts);
    conn->took = (uint32_t)(took < UINT32_MAX ? took : UINT32_MAX);
    if (stage == WSPOOL_STAGE_FLUSHED) {
        wsp_histogram_add(&pool->count.handshake_time, conn->took);
    }
    for (; counts < &pool->count.stages[stage]; counts++) {
        wsp_count_add(&counts->passed, 1);
    }
    conn->stage = (uint8_t)stage;
    conn->since = pool->link.now;
}

void wsp_stages_pass_request_line(wspool *pool, struct wsp_conn *conn, const uint8_t *head,
                                  size_t len)
{
    if (conn->stage == WSPOOL_STAGE_REQUEST_LINE &&
        wsp_http_has_request_line((const char *)head, len)) {
        wsp_stages_pass(pool, conn, WSPOOL_STAGE_HEADERS);
    }
}
