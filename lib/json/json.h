/* SPDX-License-Identifier: MIT */
/*
 * json/json.h - the companion's state. Includes public headers of libwspool only.
 *
 * The files of lib/json, lowest first. Each includes files above it in this table only:
 *
 *     names.c      text of channels, epochs and times; its header is wspool/json.h
 *     since.c      the position that a client says it has reached
 *     session.c    the ids of the actions that each peer has sent last
 *     handler.c    the application's handlers, by name
 *     json.c       the companion's state: configuration, new, free, check
 *     send.c       what the server sends
 *     dispatch.c   what a client sends: parsed, checked, and given to its handler
 *     attach.c     the handlers of the pool, and drain; its header is wspool/json.h
 */
#ifndef WSP_JSON_JSON_H
#define WSP_JSON_JSON_H

#include <stdint.h>

#include <wspool/json.h>

#include "json/handler.h"
#include "json/session.h"

struct wspool_json {
    wspool_json_config config;
    int attached;
    uint64_t heartbeat_seconds; /* in connection_established: the pool's ping interval */
    struct wsp_json_handler *types;
    struct wsp_json_handler *actions;
    struct wsp_json_sessions sessions;
    char server[]; /* config.server points here */
};

/* Returns 1 if the invariants of sessions and handlers hold, otherwise 0. */
int wsp_json_check(const wspool_json *json);

#endif
