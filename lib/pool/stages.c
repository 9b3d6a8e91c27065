/* SPDX-License-Identifier: MIT */
/* pool/stages.c - see pool/stages.h. */
#include "pool/stages.h"

#include "wire/http.h"

void wsp_stages_pass(wspool *pool, struct wsp_conn *conn, enum wspool_stage stage)
{
    if (conn->stage < (uint8_t)stage) {
        wsp_count_add(&pool->count.stages[conn->stage].time, pool->link.now - conn->since);
        conn->since = pool->link.now;
    }
    while (conn->stage < (uint8_t)stage) {
        wsp_count_add(&pool->count.stages[conn->stage].passed, 1);
        conn->stage++;
    }
}

void wsp_stages_pass_request_line(wspool *pool, struct wsp_conn *conn, const uint8_t *head,
                                  size_t len)
{
    if (conn->stage == WSPOOL_STAGE_REQUEST_LINE &&
        wsp_http_has_request_line((const char *)head, len)) {
        wsp_stages_pass(pool, conn, WSPOOL_STAGE_HEADERS);
    }
}
