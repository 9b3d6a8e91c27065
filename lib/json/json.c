/* SPDX-License-Identifier: MIT */
/* json/json.c - life, hooks, and what the server says. See wspool/json.h. */
#define CONFIG_MOST 4096u       /* no header of ours will have a larger one */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json/inner.h"

#define DEPTH_DEFAULT 16u
#define DEPTH_MAX 512u

static uint64_t system_clock(void *user)
{
    struct timespec t = {0};
    (void)user;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------- life */

static const wspool_json_config defaults = {
    .size = sizeof(wspool_json_config),
    .server = "wspool/" WSPOOL_VERSION,
    .depth = DEPTH_DEFAULT,
    .clock = {system_clock, NULL},
};

void wspool_json_config_init_sized(wspool_json_config *config, size_t size)
{
    if (!config || size < sizeof config->size) {
        return;
    }
    memset(config, 0, size);
    memcpy(config, &defaults, size < sizeof defaults ? size : sizeof defaults);
    config->size = size;
}

/* Of any size: what an older host doesn't know keeps its default, what a newer one knows beyond us
 * must be zero. */
static int copy_config(wspool_json_config *config, const wspool_json_config *given)
{
    if (!given) {
        return 0;
    }
    if (given->size < sizeof given->size || given->size > CONFIG_MOST) {
        return WSPOOL_ERR_INVAL;
    }
    for (size_t i = sizeof *config; i < given->size; i++) {
        if (((const unsigned char *)given)[i] != 0) {
            return WSPOOL_ERR_INVAL;
        }
    }
    memcpy(config, given, given->size < sizeof *config ? given->size : sizeof *config);
    return 0;
}

int wspool_json_new(wspool_json **out, const wspool_json_config *given)
{
    wspool_json_config config = defaults;
    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    if (copy_config(&config, given)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!config.server || !config.clock.call || config.depth < 1 || config.depth > DEPTH_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    size_t server_size = strlen(config.server) + 1;
    wspool_json *json = calloc(1, sizeof *json + server_size);
    if (!json) {
        return WSPOOL_ERR_NOMEM;
    }
    memcpy(json->server, config.server, server_size);
    json->config = config;
    json->config.server = json->server;
    *out = json;
    return 0;
}

void wspool_json_free(wspool_json *json)
{
    if (!json) {
        return;
    }
    wsp_json_forget_handlers(&json->types);
    wsp_json_forget_handlers(&json->actions);
    for (size_t i = 0; i < json->session_room; i++) {
        free(json->sessions[i].recent);
    }
    free(json->sessions);
    free(json);
}

/* --------------------------------------------------------------- sessions */

struct wsp_json_session *wsp_json_session(wspool_json *json, wspool_id id)
{
    size_t slot = wspool_slot(id);
    if (slot >= json->session_room) {
        size_t room = json->session_room ? json->session_room * 2 : 64;
        room = room > slot ? room : slot + 1;
        struct wsp_json_session *sessions = realloc(json->sessions, room * sizeof *sessions);
        if (!sessions) {
            return NULL;
        }
        memset(sessions + json->session_room, 0, (room - json->session_room) * sizeof *sessions);
        json->sessions = sessions;
        json->session_room = room;
    }
    struct wsp_json_session *session = &json->sessions[slot];
    if (session->id != id) {
        free(session->recent);
        *session = (struct wsp_json_session){.id = id};
    }
    return session;
}

static void end_session(wspool_json *json, wspool_id id)
{
    size_t slot = wspool_slot(id);
    if (slot < json->session_room && json->sessions[slot].id == id) {
        free(json->sessions[slot].recent);
        json->sessions[slot] = (struct wsp_json_session){0};
    }
}

/* ------------------------------------------------------------------- says */

static void timestamp(const wspool_json *json, char out[WSPOOL_JSON_TIME_MAX])
{
    wspool_json_time_write(json->config.clock.call(json->config.clock.user), out);
}

/* Takes over the reference, which may be NULL. Text that is to be freed, of *len bytes; NULL
 * without memory. (Measured first, since json_dumps leaves out what it finds no memory for, and
 * since what it gives belongs to an allocator that the host may have given to jansson.) */
static char *write_out(json_t *envelope, size_t *len)
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

int wsp_json_say(wspool_json *json, wspool *pool, wspool_id id, const char *type, json_t *data)
{
    char time[WSPOOL_JSON_TIME_MAX];
    size_t len;
    timestamp(json, time);
    char *text = write_out(
        json_pack("{s:s, s:o, s:s}", "type", type, "data", data, "timestamp", time), &len);
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
    return wsp_json_say(json, pool, id, type, data ? data : json_object());
}

int wsp_json_say_error(wspool_json *json, wspool *pool, wspool_id id, const char *code,
                       const char *message, int retry, const char *action_id)
{
    return wsp_json_say(json, pool, id, "error",
                        json_pack("{s:s, s:s, s:b, s:s*}", "code", code, "message", message,
                                  "retry", retry, "id", action_id));
}

int wspool_json_error(wspool_json *json, wspool *pool, wspool_id id, const char *code,
                      const char *message, int retry)
{
    if (!json || !pool || !code || !message) {
        return WSPOOL_ERR_INVAL;
    }
    return wsp_json_say_error(json, pool, id, code, message, retry != 0, NULL);
}

/* Why a given position can't be met, or NULL. */
static const char *missed_since(const struct wsp_json_since *since,
                                const struct wspool_position *head)
{
    if (since->epoch != head->epoch) {
        return "epoch_changed";
    }
    if (since->offset < 0 || (uint64_t)since->offset > head->offset) {
        return "unknown_offset";
    }
    return (uint64_t)since->offset < head->offset ? "too_old" : NULL;
}

int wsp_json_say_subscribed(wspool_json *json, wspool *pool, wspool_id id, wspool_channel channel,
                            const struct wsp_json_since *since)
{
    char name[WSPOOL_JSON_CHANNEL_MAX], epoch[WSPOOL_JSON_EPOCH_MAX];
    struct wspool_position head;
    if (wspool_json_channel_write(channel, name) || wspool_position(pool, channel, &head)) {
        return WSPOOL_ERR_INVAL;
    }
    wspool_json_epoch_write(head.epoch, epoch);
    const char *reason = since->given ? missed_since(since, &head) : NULL;
    return wsp_json_say(json, pool, id, "subscribed",
                        json_pack("{s:s, s:s, s:I, s:b, s:s*}", "channel", name, "epoch", epoch,
                                  "offset", (json_int_t)head.offset, "recovered",
                                  since->given && !reason, "reason", reason));
}

struct publication {
    const wspool_json *json;
    const char *type;
    const char *channel;
    json_t *data; /* not ours */
    char *text;   /* what was written */
};

static int write_publication(const struct wspool_position *position, wspool_text *message,
                             void *user)
{
    struct publication *p = user;
    char epoch[WSPOOL_JSON_EPOCH_MAX], time[WSPOOL_JSON_TIME_MAX];
    wspool_json_epoch_write(position->epoch, epoch);
    timestamp(p->json, time);
    p->text = write_out(json_pack("{s:s, s:s, s:s, s:I, s:O, s:s}", "type", p->type, "channel",
                                  p->channel, "epoch", epoch, "offset",
                                  (json_int_t)position->offset, "data", p->data, "timestamp", time),
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
        /* The only thing that can fail in writing is memory, or text that is no UTF-8. */
        result = result == WSPOOL_ERR_STATE ? WSPOOL_ERR_NOMEM : result;
    }
    free(p.text);
    json_decref(p.data);
    return result;
}

int wspool_json_drain(wspool_json *json, wspool *pool, uint64_t window, uint64_t now)
{
    if (!json || !pool || window > WSPOOL_LONGEST) {
        return WSPOOL_ERR_INVAL;
    }
    int count = wspool_peers(pool, NULL, 0);
    wspool_id *ids = count > 0 ? malloc((size_t)count * sizeof *ids) : NULL;
    /* Without the memory to go through them they are drained unannounced. */
    count = ids ? wspool_peers(pool, ids, (size_t)count) : 0;
    for (int i = 0; i < count; i++) {
        json_int_t seconds = (json_int_t)((window + WSPOOL_SECOND - 1) / WSPOOL_SECOND);
        wsp_json_say(json, pool, ids[i], "draining", json_pack("{s:I}", "seconds", seconds));
    }
    free(ids);
    return wspool_drain(pool, window, 0, now);
}

/* ------------------------------------------------------------------ hooks */

/* The raw value of a parameter: what epochs and offsets are made of needs no decoding. One that
 * doesn't fit is neither, and comes out as "?". */
static int parameter(wspool_text query, const char *name, char *out, size_t size)
{
    size_t name_len = strlen(name);
    const char *end = query.data + query.len;
    for (const char *p = query.data; p && p < end;) {
        const char *next = memchr(p, '&', (size_t)(end - p));
        const char *stop = next ? next : end;
        if ((size_t)(stop - p) > name_len && memcmp(p, name, name_len) == 0 && p[name_len] == '=') {
            size_t len = (size_t)(stop - p) - name_len - 1;
            snprintf(out, size, "%.*s", (int)len, len < size ? p + name_len + 1 : "?");
            return 1;
        }
        p = next ? next + 1 : end;
    }
    return 0;
}

static struct wsp_json_since since_of_query(wspool_text query)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX], offset[20];
    struct wsp_json_since since = {.offset = -1};
    if (parameter(query, "epoch", epoch, sizeof epoch) && epoch[0] != '\0') {
        since.given = 1;
        since.epoch = wspool_json_epoch_read(epoch);
        if (parameter(query, "offset", offset, sizeof offset) && offset[0] != '\0' &&
            strspn(offset, "0123456789") == strlen(offset)) {
            since.offset = strtoll(offset, NULL, 10);
        }
    }
    return since;
}

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    wspool_json *json = user;
    struct wsp_json_since since = since_of_query(opened->query);
    wspool_channel channel;
    char name[24];
    snprintf(name, sizeof name, "%llu", (unsigned long long)id);
    int error =
        wsp_json_say(json, pool, id, "connection_established",
                     json_pack("{s:s, s:I, s:s}", "connection", name, "heartbeat_seconds",
                               (json_int_t)json->heartbeat_seconds, "server", json->server));
    if (!error && wspool_channels_of(pool, id, &channel, 1) > 0) {
        error = wsp_json_say_subscribed(json, pool, id, channel, &since);
    }
    /* Nobody stays who can't be told where he is: the path may name a channel that is no text. */
    if (error == WSPOOL_ERR_INVAL) {
        wspool_close(pool, id, WSPOOL_CLOSE_CONTRACT, "a channel that is no text", 0);
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
        wsp_json_receive(json, pool, id, (const char *)message->data, message->len);
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
    end_session(json, id);
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
