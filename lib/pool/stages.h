/* SPDX-License-Identifier: MIT */
/*
 * pool/stages.h - the books of the handshake's stages.  Layer 4.
 */
#ifndef WSP_POOL_STAGES_H
#define WSP_POOL_STAGES_H

#include "pool/pool.h"

/* Everything up to `stage` is passed. The time since the last stage was spent before the first of
 * them. */
void wsp_stages_pass(wspool *pool, struct wsp_conn *conn, enum wspool_stage stage);
/* A head comes to nothing. If its request line is there and well formed, the handshake ends in the
 * stage HEADERS. */
void wsp_stages_pass_request_line(wspool *pool, struct wsp_conn *conn, const uint8_t *head,
                                  size_t len);

#endif
