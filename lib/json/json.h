/* SPDX-License-Identifier: MIT */
/*
 * json/json.h - the companion's state. Includes public headers of libwspool only.
 *
 * The files of lib/json, lowest first. Each includes files above it in this table only:
 *
 *     integer.h    the largest integer of the contract
 *     names.c      text of channels, epochs and times; its header is wspool/json.h
 *     since.c      the position that a client says it has reached
 *     actions.c    which actions of each client instance are done
 *     handler.c    the application's handlers, by name
 *     json.c       the companion's state: configuration, new, free, check
 *     send.c       what the server sends
 *     dispatch.c   what a client sends: parsed, checked, and given to its handler
 *     attach.c     the handlers of the pool, and drain; its header is wspool/json.h
 *
 * The files client*.c are the other side of the contract: see json/client_state.h.
 */
#ifndef WSP_JSON_JSON_H
#define WSP_JSON_JSON_H

#include <stdint.h>

#include <wspool/json.h>

#include "json/actions.h"
#include "json/handler.h"

struct wspool_json {
    wspool_json_config config;
    int attached;
    uint64_t heartbeat_seconds; /* in connection_established: the pool's ping interval */
    uint64_t peers;             /* of which the open hook has told, and the close hook has not */
    struct wsp_json_handler *types;
    struct wsp_json_handler *actions;
    struct wsp_json_actions done;
    wspool_text acting; /* the id of the action whose handler runs; empty: none does */
    uint64_t acting_n;
    char epoch[WSPOOL_JSON_EPOCH_MAX]; /* config.action_epoch points here if the host gave none */
    char *rendered;                    /* the last publication; NULL: none yet */
    const char *dumped;                /* the data that wspool_json_broadcast publishes; NULL: it
                                          does not run */
    char texts[];                      /* config.server and config.action_epoch of the host */
};

/* Returns 1 if the invariants of actions and handlers hold, otherwise 0. */
int wsp_json_check(const wspool_json *json);

#endif
