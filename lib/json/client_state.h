/* SPDX-License-Identifier: MIT */
/*
 * json/client_state.h - the state of a client of the contract.
 *
 *     client_state.h      the state
 *     client_say.c        what the others share: sending, and telling of problems
 *     client_actions.c    the queue of actions
 *     client_channels.c   subscriptions, positions, publications
 *     client.c            life, and the hooks of the clients' group; its header is
 *                         wspool/json_client.h
 *
 * Handlers may do everything. So nothing is freed while one runs: `busy` counts the calls under
 * way, and the outermost one removes what is left over. A function that has called a handler looks
 * at a channel again only if its `serial` is still the same.
 *
 * Invariants:
 * - a channel that is not wanted is the route's, or its answer `unsubscribed` is awaited;
 * - an action without a number was never sent; numbers rise along the queue, except behind one that
 *   the server has doubted;
 * - `connection` is 0 while there is none; nothing of another connection is awaited.
 */
#ifndef WSP_JSON_CLIENT_STATE_H
#define WSP_JSON_CLIENT_STATE_H

#include <stdint.h>

#include <wspool/json_client.h>

struct wsp_json_channel {
    struct wsp_json_channel *next;
    wspool_json_subscription subscription;
    uint64_t serial;  /* changes with each subscription, and when one ends */
    uint64_t offset;  /* the position; if `known` */
    uint64_t needed;  /* a state that the application fetches is not older */
    uint64_t skip;    /* publications up to here are in the state that it has */
    uint32_t leaving; /* answers `unsubscribed` that are awaited: what comes before is ignored */
    uint8_t known, wanted, route;
    uint8_t asked;  /* on this connection */
    uint8_t leaves; /* `unsubscribe` could not be queued yet */
    uint8_t live;   /* `subscribed` has come on this connection */
    char epoch[WSPOOL_JSON_CLIENT_EPOCH_MAX];
    char name[];
};

struct wsp_json_action {
    struct wsp_json_action *next;
    json_t *data;
    wspool_json_client_done *done;
    void *user;
    uint64_t n;          /* 0: never sent */
    uint64_t connection; /* on which it was sent last; 0: on none */
    int again;           /* it was sent on an earlier one, too */
    char epoch[WSPOOL_JSON_CLIENT_EPOCH_MAX];
};

struct wspool_json_client {
    wspool_clients *clients;
    wspool_id id;
    wspool_json_client_config config;
    struct wsp_json_channel *channels;
    struct wsp_json_action *actions;
    uint32_t waiting;
    uint32_t busy;
    int freed;
    int forgotten;        /* the server does not know our actions: one goes ahead */
    uint64_t last_n;      /* of the actions */
    uint64_t connection;  /* 0: none */
    uint64_t connections; /* how many there were */
    uint64_t serial;      /* of the newest subscription */
    char epoch[WSPOOL_JSON_CLIENT_EPOCH_MAX]; /* of the actions; "": the server has none */
    char query[WSPOOL_JSON_CLIENT_EPOCH_MAX + 64];
};

#endif
