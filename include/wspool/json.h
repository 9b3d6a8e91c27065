/* SPDX-License-Identifier: MIT */
/*
 * wspool/json.h - the message contract wspool.v1.json, on jansson: libwspool_json.
 *
 * A companion: it includes public headers only and plugs into the hooks of a wspool_config. Link
 * it with `pkg-config --libs wspool_json`.
 *
 *     wspool_json *json;
 *     wspool_json_new(&json, NULL);
 *     wspool_json_on_action(json, "chat", on_chat, app);
 *     wspool_json_attach(json, &config);         // before wspool_new
 *     ...
 *     wspool_json_broadcast(json, pool, wspool_global("cards"), "card_updated",
 *                           json_pack("{s:s, s:s}", "id", "7", "title", "Paint"), NULL, NULL);
 *
 * ------------------------------------------------------------------ the contract
 *
 * Envelopes are JSON objects in text messages. From the client: `type`, and `data` where the type
 * has some. From the server: `type`, `data`, and `timestamp` (ISO 8601, UTC, ending in Z).
 * Publications alone carry `channel`, `epoch` and `offset` beside `type`. A channel is written
 * global:NAME, item:ID, session:ID or topic:NAME. An epoch is an opaque string of letters and
 * digits; an offset is an integer below 2^53, the first is 1; a position is that of the last
 * message seen (offset 0: none).
 *
 * The client says:
 *
 *   subscribe    {"type":"subscribe","data":{"channel":"item:42",
 *                                            "since":{"epoch":"1a2b","offset":7}}}
 *                `since` may be left out. Answer: subscribed. The `subscribe` hook decides who may.
 *   unsubscribe  {"type":"unsubscribe","data":{"channel":"item:42"}}
 *                Answer: unsubscribed.
 *   ping         {"type":"ping"}
 *                Answer: pong.
 *   action       {"type":"action","data":{"id":"c1-17","name":"chat","text":"hello"}}
 *                What the application has registered by `name`. Answer: ack with the id, or an
 *                error that names it. An id that this connection has used lately is acknowledged
 *                again, and not done again.
 *
 * The server says:
 *
 *   connection_established
 *                {"type":"connection_established","data":{"connection":"4294967299",
 *                 "heartbeat_seconds":30,"server":"wspool/0.1.0"},"timestamp":"..."}
 *                First of all, once.
 *   subscribed   {"type":"subscribed","data":{"channel":"item:42","epoch":"1a2b","offset":9,
 *                 "recovered":true},"timestamp":"..."}
 *                `offset` is the channel's head. `recovered` is true when a position was given and
 *                nothing is missing since; when one was given that can't be met, `reason` says why:
 *                epoch_changed, too_old (there is no history to meet it from), unknown_offset.
 *                A peer that came in on a path that names a channel is told so, too; it gives its
 *                position in the query (?epoch=1a2b&offset=7). When the path names a channel that
 *                is no text, or there is no memory to say all this, the peer is closed, with 4005
 *                or 1011.
 *   unsubscribed {"type":"unsubscribed","data":{"channel":"item:42"},"timestamp":"..."}
 *   pong         {"type":"pong","data":{},"timestamp":"..."}
 *   ack          {"type":"ack","data":{"id":"c1-17"},"timestamp":"..."}
 *   error        {"type":"error","data":{"code":"unknown_type","message":"...","retry":false},
 *                 "timestamp":"..."}
 *                Codes: malformed, unknown_type, unknown_action, bad_channel, not_allowed,
 *                not_subscribed, too_many_channels, unavailable, and the application's own. In
 *                answer to an action, `id` names it. `retry`: may the same be asked again later?
 *   draining     {"type":"draining","data":{"seconds":5},"timestamp":"..."}
 *   a publication
 *                {"type":"card_updated","channel":"global:cards","epoch":"1a2b","offset":9,
 *                 "data":{"id":"7"},"timestamp":"..."}
 *
 * `subscribed` keeps its place among the messages of its channel; pong, error and ack may
 * overtake. Malformed JSON and unknown types get an error and do no harm. What a client sends is
 * bounded by message_bytes and by `depth`; objects that name a member twice are malformed.
 */
#ifndef WSPOOL_JSON_H
#define WSPOOL_JSON_H

#include <jansson.h>

#include <wspool/wspool.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Put it into wspool_config.subprotocols. A client that offers none gets the same contract. */
#define WSPOOL_JSON_SUBPROTOCOL "wspool.v1.json"

typedef struct wspool_json wspool_json;

/* May this peer subscribe to this channel? 0 is yes; anything else is no (not_allowed). */
typedef struct wspool_json_subscribe_hook {
    int (*call)(wspool *pool, wspool_id id, wspool_channel channel, void *user);
    void *user;
} wspool_json_subscribe_hook;

/* Milliseconds since 1970 in UTC. Default: the system's clock. */
typedef struct wspool_json_clock_hook {
    uint64_t (*call)(void *user);
    void *user;
} wspool_json_clock_hook;

typedef struct wspool_json_config {
    size_t size;
    const char *server;                   /* in connection_established: "wspool/VERSION" */
    unsigned depth;                       /* of what a client sends: 16. 1 to 512 */
    wspool_json_subscribe_hook subscribe; /* absent: nobody may, beyond what the path gave */
    wspool_json_clock_hook clock;
} wspool_json_config;

/* Any thread. Writes the defaults. */
void wspool_json_config_init_sized(wspool_json_config *config, size_t size);
#define wspool_json_config_init(config) wspool_json_config_init_sized((config), sizeof(*(config)))

/* Makes one; `config` may be NULL. One for each pool. INVAL, NOMEM. */
int wspool_json_new(wspool_json **json, const wspool_json_config *config);
/* After wspool_free of its pool. NULL is fine. */
void wspool_json_free(wspool_json *json);

/* Takes the open, message and close hooks of a configuration that wspool_new is about to be given,
 * and offers the subprotocol when the configuration has none.
 * The application's own open and close hooks, if set there before, are called behind ours; its
 * message hook is given what is not text (binary messages), and nothing else. INVAL. */
int wspool_json_attach(wspool_json *json, wspool_config *config);

/* An application's own type, or action. `data` is the envelope's (an object, perhaps empty), and
 * lives until the handler returns. A handler that refuses answers the code of the error that the
 * client gets ("unknown_card", say; a string that stays), otherwise NULL; an action is then
 * acknowledged. From a handler all may be done that may be done in a message hook. */
typedef const char *wspool_json_handler(wspool_json *json, wspool *pool, wspool_id id,
                                        const json_t *data, void *user);

/* Registers a handler, or replaces the one before; NULL takes it away. The contract's own types
 * can't be replaced. INVAL, NOMEM. */
int wspool_json_on(wspool_json *json, const char *type, wspool_json_handler *handler, void *user);
int wspool_json_on_action(wspool_json *json, const char *name, wspool_json_handler *handler,
                          void *user);

/* Publishes to a channel: encoded once, with its position. Takes over the reference to `data`,
 * also when it fails; NULL means {}. Answers and errors as wspool_broadcast. */
int wspool_json_broadcast(wspool_json *json, wspool *pool, wspool_channel channel, const char *type,
                          json_t *data, const wspool_send_options *options, wspool_tally *tally);

/* Says something to one peer. Takes over the reference to `data`. As wspool_send. */
int wspool_json_send(wspool_json *json, wspool *pool, wspool_id id, const char *type, json_t *data);
int wspool_json_error(wspool_json *json, wspool *pool, wspool_id id, const char *code,
                      const char *message, int retry);

/* Tells everybody that the pool is about to drain, then wspool_drain. */
int wspool_json_drain(wspool_json *json, wspool *pool, uint64_t window, uint64_t now);

/* A channel and an epoch as they are written in the contract. `out` holds
 * WSPOOL_JSON_CHANNEL_MAX and WSPOOL_JSON_EPOCH_MAX bytes, the NUL included. A channel whose name
 * is no UTF-8, or holds a NUL, can't be written: INVAL. */
#define WSPOOL_JSON_CHANNEL_MAX (8 + WSPOOL_NAME_MAX + 1)
#define WSPOOL_JSON_EPOCH_MAX 14
int wspool_json_channel_write(wspool_channel channel, char *out);
/* The name points into `text`. INVAL when it isn't one. */
int wspool_json_channel_read(const char *text, size_t len, wspool_channel *channel);
void wspool_json_epoch_write(uint64_t epoch, char *out);
/* 0 for what is no epoch of ours. */
uint64_t wspool_json_epoch_read(const char *text);

/* ISO 8601 with milliseconds, UTC: "2025-07-27T12:09:14.000Z". */
#define WSPOOL_JSON_TIME_MAX 25
void wspool_json_time_write(uint64_t milliseconds, char *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
