/* SPDX-License-Identifier: MIT */
/*
 * json/attach.c - the companion's handlers of a pool, and drain. See wspool/json.h.
 */
#include <stdlib.h>

#include "json/dispatch.h"
#include "json/send.h"

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    wspool_json *json = user;
    struct wsp_json_since since = wsp_json_since_of_query(opened->query);
    wspool_channel channel;
    int error = wsp_json_send_established(json, pool, id);
    if (!error && wspool_channels_of(pool, id, &channel, 1) > 0) {
        error = wsp_json_send_subscribed(json, pool, id, channel, &since);
    }
    /* A peer that cannot be told its channel and position is closed. */
    if (error == WSPOOL_ERR_INVAL) {
        wspool_close(pool, id, WSPOOL_CLOSE_CONTRACT, "channel is not text", 0);
    } else if (error) {
        wspool_close(pool, id, WSPOOL_CLOSE_INTERNAL, NULL, 0);
    }
    if (json->open.call) {
        json->open.call(pool, id, opened, json->open.user);
    }
}

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_json *json = user;
    if (!message->binary) {
        wsp_json_dispatch(json, pool, id, (const char *)message->data, message->len);
    } else if (json->message.call) {
        json->message.call(pool, id, message, json->message.user);
    } else {
        wspool_close(pool, id, WSPOOL_CLOSE_UNSUPPORTED, "text only", 0);
    }
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    wspool_json *json = user;
    if (json->close.call) {
        json->close.call(pool, id, closed, json->close.user);
    }
    wsp_json_session_end(&json->sessions, id);
}

int wspool_json_attach(wspool_json *json, wspool_config *config)
{
    static const char *const subprotocols[] = {WSPOOL_JSON_SUBPROTOCOL, NULL};
    if (!json || !config || config->size < sizeof *config || config->open.call == on_open) {
        return WSPOOL_ERR_INVAL;
    }
    json->open = config->open;
    json->message = config->message;
    json->close = config->close;
    json->heartbeat_seconds = config->ping_interval / WSPOOL_SECOND;
    config->open = (wspool_open_hook){on_open, json};
    config->message = (wspool_message_hook){on_message, json};
    config->close = (wspool_close_hook){on_close, json};
    if (!config->subprotocols) {
        config->subprotocols = subprotocols;
    }
    return 0;
}

int wspool_json_drain(wspool_json *json, wspool *pool, uint64_t window, uint64_t now)
{
    if (!json || !pool || window > WSPOOL_LONGEST) {
        return WSPOOL_ERR_INVAL;
    }
    int count = wspool_peers(pool, NULL, 0);
    wspool_id *ids = count > 0 ? malloc((size_t)count * sizeof *ids) : NULL;
    /* Without memory for the list the peers are drained without an announcement. */
    count = ids ? wspool_peers(pool, ids, (size_t)count) : 0;
    for (int i = 0; i < count; i++) {
        json_int_t seconds = (json_int_t)((window + WSPOOL_SECOND - 1) / WSPOOL_SECOND);
        wsp_json_send(json, pool, ids[i], "draining", json_pack("{s:I}", "seconds", seconds));
    }
    free(ids);
    return wspool_drain(pool, window, 0, now);
}
