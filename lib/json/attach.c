/* SPDX-License-Identifier: MIT */
/*
 * json/attach.c - the companion's handlers of a pool, and drain. See wspool/json.h.
 */
#include <stdlib.h>

#include "json/dispatch.h"
#include "json/send.h"
#include "json/since.h"

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    wspool_json *json = user;
    wspool_channel_position since;
    int given = wsp_json_since_of_query(opened->query, &since);
    wspool_channel channel;
    json->peers++;
    int error = wsp_json_send_established(json, pool, id);
    if (!error && wspool_channels_of(pool, id, &channel, 1) > 0) {
        error = wsp_json_subscribe(json, pool, id, channel, given ? &since : NULL);
    }
    /* A peer that cannot be told its channel and position is closed. */
    if (error == WSPOOL_ERR_INVAL) {
        wspool_close(pool, id, WSPOOL_CLOSE_CONTRACT, "channel is not text", 0);
    } else if (error) {
        wspool_close(pool, id, WSPOOL_CLOSE_INTERNAL, NULL, 0);
    }
}

static int on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_json *json = user;
    if (!message->binary) {
        wsp_json_dispatch(json, pool, id, (const char *)message->data, message->len);
        return 1;
    }
    if (json->config.binary) {
        return 0;
    }
    wspool_close(pool, id, WSPOOL_CLOSE_UNSUPPORTED, "text only", 0);
    return 1;
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    wspool_json *json = user;
    (void)pool;
    (void)id;
    (void)closed;
    json->peers -= json->peers > 0; /* it may have opened before the companion was attached */
}

/* Without one from the host, the epoch of actions is of the pool's entropy. */
static int make_action_epoch(wspool_json *json, const wspool *pool)
{
    const wspool_entropy_hook *entropy = &wspool_config_of(pool)->entropy;
    uint64_t random;
    if (json->config.action_epoch) {
        return 0;
    }
    if (entropy->call(&random, sizeof random, entropy->user) != 0) {
        return WSPOOL_ERR_ENTROPY;
    }
    wspool_json_epoch_write(random, json->epoch);
    json->config.action_epoch = json->epoch;
    return 0;
}

/* If there is no memory to tell it, the peer is closed at that time, and comes again. */
static void on_expiring(wspool *pool, wspool_id id, const wspool_expiring *expiring, void *user)
{
    wsp_json_send(user, pool, id, "token_expiring",
                  json_pack("{s:I}", "expires_at", (json_int_t)expiring->expires));
}

/* The answer to `auth`. */
static void on_renewed(wspool *pool, wspool_id id, const wspool_renewed *renewed, void *user)
{
    const int status = wspool_refusal_status(renewed->refusal);
    if (renewed->accepted) {
        wsp_json_send(user, pool, id, "auth_renewed",
                      renewed->expires > 0 && renewed->expires <= INT64_MAX
                          ? json_pack("{s:I}", "expires_at", (json_int_t)renewed->expires)
                          : json_object());
    } else if (status == 401 || status == 403) {
        wsp_json_send_error(user, pool, id, "token_refused",
                            wspool_refusal_reason(renewed->refusal), 0, NULL, NULL);
    } else {
        wsp_json_send_error(user, pool, id, "unavailable", "try again later", 1, NULL, NULL);
    }
}

/* A peer that cannot be told what it has missed is closed. */
static void on_missed(wspool *pool, wspool_id id, const wspool_missed *missed, void *user)
{
    if (wsp_json_send_missed(user, pool, id, missed)) {
        wspool_close(pool, id, WSPOOL_CLOSE_INTERNAL, NULL, 0);
    }
}

int wspool_json_attach(wspool_json *json, wspool *pool)
{
    if (!json || !pool) {
        return WSPOOL_ERR_INVAL;
    }
    if (json->attached) {
        return WSPOOL_ERR_EXISTS;
    }
    wspool_handlers handlers = {
        .size = sizeof handlers,
        .user = json,
        .subprotocol = WSPOOL_JSON_SUBPROTOCOL,
        .open = on_open,
        .message = on_message,
        .close = on_close,
        .expiring = on_expiring,
        .renewed = on_renewed,
        .missed = on_missed,
        .render = wsp_json_render,
    };
    int error = make_action_epoch(json, pool);
    error = error ? error : wspool_attach(pool, &handlers);
    if (error) {
        return error;
    }
    json->attached = 1;
    json->heartbeat_seconds = wspool_config_of(pool)->ping_interval / WSPOOL_SECOND;
    return 0;
}

int wspool_json_drain(wspool_json *json, wspool *pool, uint64_t window, uint64_t now)
{
    if (!json || !pool || window > WSPOOL_TIME_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    int count = wspool_peers(pool, NULL, 0);
    wspool_id *ids = count > 0 ? malloc((size_t)count * sizeof *ids) : NULL;
    /* Without memory for the list the peers are drained without an announcement. */
    count = ids ? wspool_peers(pool, ids, (size_t)count) : 0;
    for (int i = 0; i < count; i++) {
        json_int_t seconds = (json_int_t)((window + WSPOOL_SECOND - 1) / WSPOOL_SECOND);
        if (wspool_contract(pool, ids[i]) != json) {
            continue;
        }
        wsp_json_send(json, pool, ids[i], "draining", json_pack("{s:I}", "seconds", seconds));
    }
    free(ids);
    return wspool_drain(pool, window, 0, now);
}
