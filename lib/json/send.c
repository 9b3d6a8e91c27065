/* SPDX-License-Identifier: MIT */
/* json/send.c - what the server sends. See json/send.h and wspool/json.h. */
#include "json/send.h"

#include <stdio.h>
#include <stdlib.h>

static void timestamp(const wspool_json *json, char out[WSPOOL_JSON_TIME_MAX])
{
    wspool_json_time_write(json->config.clock.call(json->config.clock.user), out);
}

/* Returns the text of an envelope, which the caller frees, and its length in *len; NULL if there is
 * no memory. Takes over the reference to `envelope`, which may be NULL. json_dumps is not used: it
 * omits what it has no memory for, and its result belongs to the allocator that the host may have
 * given to jansson. */
static char *render(json_t *envelope, size_t *len)
{
    *len = envelope ? json_dumpb(envelope, NULL, 0, JSON_COMPACT) : 0;
    char *text = *len > 0 ? malloc(*len) : NULL;
    if (text && json_dumpb(envelope, text, *len, JSON_COMPACT) != *len) {
        free(text);
        text = NULL;
    }
    json_decref(envelope);
    return text;
}

int wsp_json_send(wspool_json *json, wspool *pool, wspool_id id, const char *type, json_t *data)
{
    char time[WSPOOL_JSON_TIME_MAX];
    size_t len;
    timestamp(json, time);
    char *text =
        render(json_pack("{s:s, s:o, s:s}", "type", type, "data", data, "timestamp", time), &len);
    if (!text) {
        return WSPOOL_ERR_NOMEM;
    }
    int error = wspool_send(pool, id, text, len, NULL);
    free(text);
    return error;
}

int wspool_json_send(wspool_json *json, wspool *pool, wspool_id id, const char *type, json_t *data)
{
    if (!json || !pool || !type) {
        json_decref(data);
        return WSPOOL_ERR_INVAL;
    }
    return wsp_json_send(json, pool, id, type, data ? data : json_object());
}

/* How long the first attempts of all clients are spread, in seconds. */
static json_t *reconnect_spread(const wspool_json *json)
{
    uint64_t time = json->config.reconnect_spread;
    if (time == 0) {
        uint64_t seconds = 1 + 2 * ((json->peers - 1) / 500);
        time = (seconds < 30 ? seconds : 30) * WSPOOL_SECOND;
    }
    return time % WSPOOL_SECOND == 0 ? json_integer((json_int_t)(time / WSPOOL_SECOND))
                                     : json_real((double)time / (double)WSPOOL_SECOND);
}

int wsp_json_send_established(wspool_json *json, wspool *pool, wspool_id id)
{
    char connection[24];
    snprintf(connection, sizeof connection, "%llu", (unsigned long long)id);
    return wsp_json_send(json, pool, id, "connection_established",
                         json_pack("{s:s, s:I, s:s, s:s, s:o}", "connection", connection,
                                   "heartbeat_seconds", (json_int_t)json->heartbeat_seconds,
                                   "server", json->config.server, "action_epoch",
                                   json->config.action_epoch, "reconnect_spread",
                                   reconnect_spread(json)));
}

int wsp_json_send_error(wspool_json *json, wspool *pool, wspool_id id, const char *code,
                        const char *message, int retry, const char *action_id, json_t *channel)
{
    return wsp_json_send(json, pool, id, "error",
                         json_pack("{s:s, s:s, s:b, s:s*, s:O*}", "code", code, "message", message,
                                   "retry", retry, "id", action_id, "channel", channel));
}

int wspool_json_error(wspool_json *json, wspool *pool, wspool_id id, const char *code,
                      const char *message, int retry)
{
    if (!json || !pool || !code || !message) {
        return WSPOOL_ERR_INVAL;
    }
    return wsp_json_send_error(json, pool, id, code, message, retry != 0, NULL, NULL);
}

/* The `reason` of `subscribed`; NULL: nothing is lost, and there is none. */
static const char *const reasons[] = {
    [WSPOOL_LOST_EPOCH] = "epoch_changed",
    [WSPOOL_LOST_TOO_OLD] = "too_old",
    [WSPOOL_LOST_UNKNOWN] = "unknown_offset",
};

int wsp_json_subscribe(wspool_json *json, wspool *pool, wspool_id id, wspool_channel channel,
                       const wspool_channel_position *since)
{
    char name[WSPOOL_JSON_CHANNEL_MAX], epoch[WSPOOL_JSON_EPOCH_MAX];
    wspool_resumed resumed = {.size = sizeof resumed};
    if (wspool_json_channel_write(channel, name)) {
        return WSPOOL_ERR_INVAL;
    }
    int joined = wspool_resume(pool, id, channel, since, &resumed);
    if (joined && joined != WSPOOL_ERR_EXISTS) {
        return joined;
    }
    wspool_json_epoch_write(resumed.position.epoch, epoch);
    int error =
        wsp_json_send(json, pool, id, "subscribed",
                      json_pack("{s:s, s:s, s:I, s:b, s:s*}", "channel", name, "epoch", epoch,
                                "offset", (json_int_t)resumed.position.offset, "recovered",
                                since && resumed.recovered, "reason", reasons[resumed.lost]));
    if (error && !joined) {
        wspool_unsubscribe(pool, id, channel); /* a member that does not know it is none */
    }
    return error == WSPOOL_ERR_FULL ? WSPOOL_ERR_NOMEM : error;
}

int wsp_json_send_missed(wspool_json *json, wspool *pool, wspool_id id, const wspool_missed *missed)
{
    char name[WSPOOL_JSON_CHANNEL_MAX];
    if (wspool_json_channel_write(missed->channel, name)) {
        return WSPOOL_ERR_INVAL;
    }
    return wsp_json_send(json, pool, id, "missed",
                         json_pack("{s:s, s:I, s:I, s:s}", "channel", name, "from",
                                   (json_int_t)missed->from, "to", (json_int_t)missed->to, "reason",
                                   reasons[WSPOOL_LOST_TOO_OLD]));
}

struct publication {
    const wspool_json *json;
    const char *type;
    const char *channel;
    json_t *data; /* borrowed */
    char *text;   /* what the writer has rendered: freed after the broadcast */
};

/* The wspool_writer of a publication: called once, when the position is known. */
static int write_publication(const wspool_channel_position *position, wspool_text *message,
                             void *user)
{
    struct publication *p = user;
    char epoch[WSPOOL_JSON_EPOCH_MAX], time[WSPOOL_JSON_TIME_MAX];
    wspool_json_epoch_write(position->epoch, epoch);
    timestamp(p->json, time);
    p->text = render(json_pack("{s:s, s:s, s:s, s:I, s:O, s:s}", "type", p->type, "channel",
                               p->channel, "epoch", epoch, "offset", (json_int_t)position->offset,
                               "data", p->data, "timestamp", time),
                     &message->len);
    message->data = p->text;
    return p->text ? 0 : -1;
}

int wspool_json_broadcast(wspool_json *json, wspool *pool, wspool_channel channel, const char *type,
                          json_t *data, const wspool_send_options *options, wspool_tally *tally)
{
    char name[WSPOOL_JSON_CHANNEL_MAX];
    struct publication p = {.json = json, .type = type, .channel = name};
    p.data = data ? data : json_object();
    int result = WSPOOL_ERR_INVAL;
    if (json && pool && type && wspool_json_channel_write(channel, name) == 0) {
        result = wspool_broadcast_written(pool, channel, (wspool_writer){write_publication, &p},
                                          options, tally);
        /* STATE: the writer failed. It fails without memory, or if `type` is not UTF-8. */
        result = result == WSPOOL_ERR_STATE ? WSPOOL_ERR_NOMEM : result;
    }
    free(p.text);
    json_decref(p.data);
    return result;
}
