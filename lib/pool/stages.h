/* SPDX-License-Identifier: MIT */
/*
 * pool/stages.h - counts the stages of the handshake.  Layer 4.
 */
#ifndef WSP_POOL_STAGES_H
#define WSP_POOL_STAGES_H

#include "pool/pool.h"

/* Marks every stage before `stage` as passed. The time since the last call counts for the first
 * of them. */
void wsp_stages_pass(wspool *pool, struct wsp_conn *conn, enum wspool_stage stage);
/* The time since the last stage counts for this one. Returns it in microseconds. */
uint64_t wsp_stages_took(const wspool *pool, const struct wsp_conn *conn,
                         struct wsp_stage_counts *counts);
/* A head is refused. If its request line is complete and well formed, the handshake ends in the
 * stage HEADERS. */
void wsp_stages_pass_request_line(wspool *pool, struct wsp_conn *conn, const uint8_t *head,
                                  size_t len);

#endif
