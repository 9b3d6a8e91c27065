/* SPDX-License-Identifier: MIT */
/* json/send.c - what the server sends. See json/send.h and wspool/json.h. */
#include "json/send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wspool/versioned.h>

static void timestamp(const wspool_json *json, char out[WSPOOL_JSON_TIME_MAX])
{
    wspool_json_time_write(json->config.clock.call(json->config.clock.user), out);
}

/* Returns the text of a value, which the caller frees, and its length in *len; NULL if there is
 * no memory. Takes over the reference to `value`, which may be NULL. json_dumps is not used: it
 * omits what it has no memory for, and its result belongs to the allocator that the host may have
 * given to jansson. */
static char *render(json_t *value, size_t *len)
{
    *len = value ? json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 0;
    char *text = *len > 0 ? malloc(*len) : NULL;
    if (text && json_dumpb(value, text, *len, JSON_COMPACT | JSON_ENCODE_ANY) != *len) {
        free(text);
        text = NULL;
    }
    json_decref(value);
    return text;
}

int wsp_json_send_with(wspool_json *json, wspool *pool, wspool_id id,
                       const wspool_send_options *options, const char *type, json_t *data)
{
    char time[WSPOOL_JSON_TIME_MAX];
    size_t len;
    timestamp(json, time);
    char *text =
        render(json_pack("{s:s, s:o, s:s}", "type", type, "data", data, "timestamp", time), &len);
    if (!text) {
        return WSPOOL_ERR_NOMEM;
    }
    int error = wspool_send(pool, id, text, len, options);
    free(text);
    return error;
}

int wsp_json_send(wspool_json *json, wspool *pool, wspool_id id, const char *type, json_t *data)
{
    return wsp_json_send_with(json, pool, id, NULL, type, data);
}

int wsp_json_send_among(wspool_json *json, wspool *pool, wspool_id id, enum wspool_kind kind,
                        const char *type, json_t *data)
{
    const wspool_send_options options = {.size = sizeof options, .kind = kind};
    return wsp_json_send_with(json, pool, id, &options, type, data);
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
    const wspool_send_options first = {.size = sizeof first, .priority = WSPOOL_HIGH};
    snprintf(connection, sizeof connection, "%llu", (unsigned long long)id);
    return wsp_json_send_with(json, pool, id, &first, "connection_established",
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
    int error = wsp_json_send_among(
        json, pool, id, channel.kind, "subscribed",
        json_pack("{s:s, s:s, s:I, s:b, s:s*, s:o*}", "channel", name, "epoch", epoch, "offset",
                  (json_int_t)resumed.position.offset, "recovered", since && resumed.recovered,
                  "reason", reasons[resumed.lost], "reset", resumed.reset ? json_true() : NULL));
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
    return wsp_json_send_among(json, pool, id, missed->channel.kind, "missed",
                               json_pack("{s:s, s:I, s:I, s:s, s:o*}", "channel", name, "from",
                                         (json_int_t)missed->from, "to", (json_int_t)missed->to,
                                         "reason", reasons[WSPOOL_LOST_TOO_OLD], "reset",
                                         missed->reset ? json_true() : NULL));
}

/* ------------------------------------------------------------- publications */

/* Returns 1 if the bytes are text that JSON can hold. 0 also without memory. */
static int is_text(wspool_text bytes)
{
    json_t *string = bytes.len > 0 ? json_stringn(bytes.data, bytes.len) : NULL;
    json_decref(string);
    return bytes.len == 0 || string != NULL;
}

/* Returns 1 if the bytes are JSON, or nothing. Those of wspool_json_broadcast are. */
static int is_json(const wspool_json *json, wspool_text bytes)
{
    if (bytes.len == 0 || bytes.data == json->dumped) {
        return 1;
    }
    json_t *value = json_loadb(bytes.data, bytes.len, JSON_DECODE_ANY, NULL);
    json_decref(value);
    return value != NULL;
}

/* Writes everything before the value of `data`, and returns its length. `room` may be too small:
 * then nothing is written. 0: no memory, or the type is not text. */
static size_t write_head(const wspool_publication *p, const char *channel, char *out, size_t room)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    wspool_json_epoch_write(p->epoch, epoch);
    json_t *head =
        json_pack("{s:o, s:s, s:s, s:I}", "type", json_stringn(p->type.data, p->type.len),
                  "channel", channel, "epoch", epoch, "offset", (json_int_t)p->offset);
    int failed = !head ||
                 (p->key.len > 0 &&
                  json_object_set_new(head, "key", json_stringn(p->key.data, p->key.len))) ||
                 (p->removed && json_object_set_new(head, "removed", json_true()));
    size_t len = failed ? 0 : json_dumpb(head, out, room, JSON_COMPACT);
    json_decref(head);
    return len;
}

static char *append(char *out, const char *bytes, size_t len)
{
    memcpy(out, bytes, len);
    return out + len;
}

int wsp_json_render(const wspool_publication *publication, wspool_text *message, void *user)
{
    static const wspool_text empty = {"{}", 2};
    wspool_json *json = user;
    wspool_text data = publication->data.len > 0 ? publication->data : empty;
    char channel[WSPOOL_JSON_CHANNEL_MAX], end[64], time[WSPOOL_JSON_TIME_MAX];
    if (wspool_json_channel_write(publication->channel, channel) || !is_text(publication->key) ||
        !is_text(publication->type) || !is_json(json, publication->data)) {
        return WSPOOL_ERR_INVAL;
    }
    wspool_json_time_write(publication->time, time);
    size_t end_len = (size_t)snprintf(end, sizeof end, ",\"timestamp\":\"%s\"}", time);
    size_t head_len = write_head(publication, channel, NULL, 0);
    char *text = head_len > 0 ? malloc(head_len + 8 + data.len + end_len) : NULL;
    if (!text || write_head(publication, channel, text, head_len) != head_len) {
        free(text);
        return WSPOOL_ERR_NOMEM;
    }
    /* The members of the head, without their closing bracket, and then the others. */
    char *out = append(text + head_len - 1, ",\"data\":", 8);
    out = append(append(out, data.data, data.len), end, end_len);
    free(json->rendered);
    json->rendered = text;
    *message = (wspool_text){text, (size_t)(out - text)};
    return 0;
}

int wspool_json_broadcast(wspool_json *json, wspool *pool, wspool_channel channel, const char *type,
                          json_t *data, const wspool_send_options *options, wspool_tally *tally)
{
    char name[WSPOOL_JSON_CHANNEL_MAX];
    wspool_send_options ours = {.size = sizeof ours};
    size_t len;
    if (!json || !pool || !type || wspool_json_channel_write(channel, name) ||
        (options && wspool_versioned_read(&ours, sizeof ours, options)) ||
        (ours.key.data && !is_text(ours.key))) {
        json_decref(data);
        return WSPOOL_ERR_INVAL;
    }
    char *text = render(data ? data : json_object(), &len);
    if (!text) {
        return WSPOOL_ERR_NOMEM;
    }
    json->dumped = text;
    int result =
        wspool_publish(pool, channel, wspool_text_of(type), (wspool_text){text, len}, &ours, tally);
    json->dumped = NULL;
    free(text);
    return result;
}
