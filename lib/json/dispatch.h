/* SPDX-License-Identifier: MIT */
/*
 * json/dispatch.h - what a client sends. The file also holds wspool_json_on,
 * wspool_json_on_action and wspool_json_action_id.
 */
#ifndef WSP_JSON_DISPATCH_H
#define WSP_JSON_DISPATCH_H

#include <stddef.h>

#include "json/json.h"

/* Parses one text message of a peer, runs its handler and sends the answer. Never fails: a message
 * that is malformed, unknown or refused is answered with `error`. The peer may be closed when this
 * returns. */
void wsp_json_dispatch(wspool_json *json, wspool *pool, wspool_id id, const char *text, size_t len);

#endif
