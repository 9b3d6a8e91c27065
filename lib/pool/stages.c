/* SPDX-License-Identifier: MIT */
/* pool/stages.c - see pool/stages.h. */
#include "pool/stages.h"

#include "wire/http.h"

void wsp_stages_pass(wspool *pool, struct wsp_conn *conn, enum wspool_stage stage)
{
    struct wsp_stage_counts *counts = &pool->count.stages[conn->stage];
    if (conn->stage >= (uint8_t)stage) {
        return;
    }
    wsp_count_add(&counts->time, pool->link.now - conn->since);
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
