/* SPDX-License-Identifier: MIT */
/*
 * json/dispatch.c - what a client sends. See json/dispatch.h and wspool/json.h.
 *
 * The depth of a text is checked before jansson parses it, because jansson's parser recurses. A
 * message that is malformed or refused is answered with `error` and counts as abuse.
 */
#include "json/dispatch.h"

#include <string.h>

#include "json/send.h"
#include "json/since.h"

/* One message of a client. */
struct request {
    wspool_json *json;
    wspool *pool;
    wspool_id id;       /* the peer that sent it */
    const json_t *data; /* an object; borrowed */
    int names_channel;  /* its type has a member `channel` */
};

/* ----------------------------------------------------------------- errors */

static const struct {
    const char *code;
    const char *message;
    int retry;
} errors[] = {
    {"malformed", "not a message of " WSPOOL_JSON_SUBPROTOCOL, 0},
    {"unknown_type", "there is no handler for this type", 0},
    {"unknown_action", "there is no handler for this action", 0},
    {"bad_id", "the id of an action is INSTANCE-N, with N from 1 to 2^53 - 1", 0},
    {"no_client", "connect with ?client=INSTANCE before you send actions", 0},
    {"wrong_client", "the id of an action begins with the client instance of its connection", 0},
    {"bad_channel", "a channel is written global:NAME, item:ID, session:ID or topic:NAME", 0},
    {"not_allowed", "not allowed", 0},
    {"not_subscribed", "not subscribed to this channel", 0},
    {"too_many_channels", "unsubscribe from another channel first", 1},
    {"unavailable", "try again later", 1},
    {"auth_unexpected", "no token is judged here, or one is being judged already", 0},
};

/* Returns the channel that a request names, as it was written, or NULL: a client asks for several
 * at a time, and must know which of them an error is about. */
static json_t *channel_named(const struct request *request)
{
    json_t *name = request->names_channel ? json_object_get(request->data, "channel") : NULL;
    return json_is_string(name) && json_string_length(name) < WSPOOL_JSON_CHANNEL_MAX ? name : NULL;
}

/* Answers with `error` and charges the peer's abuse budget. A code that is not in the table is the
 * application's: it is sent as the message, too. */
static void refuse(const struct request *request, const char *code, const char *action_id)
{
    const char *message = code;
    int retry = 0;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(errors[i].code, code) == 0) {
            message = errors[i].message;
            retry = errors[i].retry;
        }
    }
    wspool_report_abuse(request->pool, request->id, 1, code);
    wsp_json_send_error(request->json, request->pool, request->id, code, message, retry, action_id,
                        channel_named(request));
}

/* --------------------------------------------------- types of the contract */

/* Reads the channel that `data` names. Its name points into `data`. Returns 1, or 0 after the
 * request was refused. */
static int channel_of(const struct request *request, wspool_channel *channel)
{
    const json_t *name = json_object_get(request->data, "channel");
    if (!json_is_string(name) ||
        wspool_json_channel_read(json_string_value(name), json_string_length(name), channel)) {
        refuse(request, "bad_channel", NULL);
        return 0;
    }
    return 1;
}

static void subscribe(const struct request *request)
{
    const wspool_json_subscribe_hook *hook = &request->json->config.subscribe;
    wspool_channel_position since;
    wspool_channel channel;
    int given = wsp_json_since_of_data(request->data, &since);
    if (given < 0) {
        refuse(request, "malformed", NULL);
        return;
    }
    if (!channel_of(request, &channel)) {
        return;
    }
    if (!hook->call || hook->call(request->pool, request->id, channel, hook->user) != 0) {
        refuse(request, "not_allowed", NULL);
        return;
    }
    int error = wsp_json_subscribe(request->json, request->pool, request->id, channel,
                                   given ? &since : NULL);
    if (error == WSPOOL_ERR_FULL) {
        refuse(request, "too_many_channels", NULL);
    } else if (error) {
        refuse(request, "unavailable", NULL);
    }
}

static void unsubscribe(const struct request *request)
{
    wspool_channel channel;
    if (!channel_of(request, &channel)) {
        return;
    }
    if (wspool_unsubscribe(request->pool, request->id, channel)) {
        refuse(request, "not_subscribed", NULL);
        return;
    }
    wsp_json_send_among(request->json, request->pool, request->id, channel.kind, "unsubscribed",
                        json_pack("{s:O}", "channel", json_object_get(request->data, "channel")));
}

/* The answer is sent when the token is judged: see json/attach.c. */
static void auth(const struct request *request)
{
    const json_t *token = json_object_get(request->data, "token");
    if (!json_is_string(token)) {
        refuse(request, "malformed", NULL);
        return;
    }
    const wspool_text text = {json_string_value(token), json_string_length(token)};
    const int error = wspool_reauth(request->pool, request->id, text, 0);
    if (error == WSPOOL_ERR_STATE) {
        refuse(request, "auth_unexpected", NULL);
    } else if (error) {
        refuse(request, "unavailable", NULL);
    }
}

static void ping(const struct request *request)
{
    wsp_json_send(request->json, request->pool, request->id, "pong", json_object());
}

static const char *call_handler(const struct wsp_json_handler *handler,
                                const struct request *request)
{
    return handler->call(request->json, request->pool, request->id, request->data, handler->user);
}

/* Returns the instance of a peer under which the action INSTANCE-N runs, or NULL and the code of an
 * error. */
static struct wsp_json_instance *instance_of(const struct request *request, wspool_text instance,
                                             uint64_t n, const char **code)
{
    wspool_text subject, client;
    wspool_subject(request->pool, request->id, &subject);
    wspool_client(request->pool, request->id, &client);
    if (client.len == 0) {
        *code = "no_client";
        return NULL;
    }
    if (client.len != instance.len || memcmp(client.data, instance.data, client.len) != 0) {
        *code = "wrong_client";
        return NULL;
    }
    *code = "unavailable";
    return wsp_json_actions_of(&request->json->done, request->id, subject, client, n);
}

/* What an ack says beside the id. */
struct done {
    const char *result;
    uint64_t next; /* 0: absent */
};

/* Runs the action's handler, unless it may have succeeded with this id before. Fills *done, or
 * returns the code of an error. What remembers the id is there before the handler is called,
 * because a repetition would run it twice otherwise. */
static const char *run_action(const struct request *request, const char *name,
                              const char *action_id, struct done *done)
{
    wspool_json *json = request->json;
    const char *code = "bad_id";
    wspool_text text;
    uint64_t n;
    struct wsp_json_instance *instance = NULL;
    if (action_id && wsp_json_action_id_read(action_id, strlen(action_id), &text, &n)) {
        instance = instance_of(request, text, n, &code);
    }
    if (!instance) {
        return code;
    }
    enum wsp_json_known known = wsp_json_action_known(instance, n);
    if (known == WSP_JSON_REPEATED) { /* also if the handler has been removed since */
        *done = (struct done){"repeated", 0};
        return NULL;
    }
    if (known == WSP_JSON_IN_DOUBT) {
        *done = (struct done){"in_doubt", instance->highest + 1};
        return NULL;
    }
    const struct wsp_json_handler *handler = wsp_json_handler_find(json->actions, name);
    if (!handler) {
        return "unknown_action";
    }
    json->acting = instance->name;
    json->acting_n = n;
    code = call_handler(handler, request);
    json->acting = (wspool_text){0};
    json->acting_n = 0;
    if (!code) {
        wsp_json_action_done(instance, n);
        *done = (struct done){"done", 0};
    }
    return code;
}

static void action(const struct request *request)
{
    const json_t *id = json_object_get(request->data, "id");
    const char *name = json_string_value(json_object_get(request->data, "name"));
    size_t id_len = json_string_length(id);
    const char *action_id =
        id_len > 0 && id_len <= WSP_JSON_ACTION_ID_MAX ? json_string_value(id) : NULL;
    struct done done = {0};
    const char *code = name ? run_action(request, name, action_id, &done) : "malformed";
    if (code) {
        refuse(request, code, action_id);
    } else {
        json_t *data = done.next > 0
                           ? json_pack("{s:s, s:s, s:I}", "id", action_id, "result", done.result,
                                       "next", (json_int_t)done.next)
                           : json_pack("{s:s, s:s}", "id", action_id, "result", done.result);
        wsp_json_send(request->json, request->pool, request->id, "ack", data);
    }
}

static const struct {
    const char *type;
    void (*call)(const struct request *request);
    int names_channel;
} contract[] = {
    {"subscribe", subscribe, 1}, {"unsubscribe", unsubscribe, 1},
    {"ping", ping, 0},           {"action", action, 0},
    {"auth", auth, 0},
};

/* ---------------------------------------------------------------- dispatch */

static void dispatch(struct request *request, const char *type)
{
    for (size_t i = 0; i < sizeof contract / sizeof *contract; i++) {
        if (strcmp(contract[i].type, type) == 0) {
            request->names_channel = contract[i].names_channel;
            contract[i].call(request);
            return;
        }
    }
    const struct wsp_json_handler *handler = wsp_json_handler_find(request->json->types, type);
    const char *code = handler ? call_handler(handler, request) : "unknown_type";
    if (code) {
        refuse(request, code, NULL);
    }
}

/* Returns 1 if arrays and objects nest at most `limit` deep, otherwise 0. The text need not be
 * valid JSON; brackets inside strings do not count. */
static int depth_is_within(const char *text, size_t len, unsigned limit)
{
    unsigned depth = 0;
    int in_string = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = 1;
        } else if ((c == '{' || c == '[') && ++depth > limit) {
            return 0;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return 1;
}

void wsp_json_dispatch(wspool_json *json, wspool *pool, wspool_id id, const char *text, size_t len)
{
    struct request request = {.json = json, .pool = pool, .id = id};
    json_t *root = NULL;
    json_t *empty = NULL;
    if (depth_is_within(text, len, json->config.depth)) {
        root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    }
    const char *type = json_string_value(json_object_get(root, "type"));
    request.data = json_object_get(root, "data");
    if (!request.data) {
        request.data = empty = json_object();
    }
    if (type && json_is_object(request.data)) {
        dispatch(&request, type);
    } else {
        refuse(&request, "malformed", NULL);
    }
    json_decref(empty);
    json_decref(root);
}

/* ------------------------------------------------------------ registration */

int wspool_json_on(wspool_json *json, const char *type, wspool_json_handler *handler, void *user)
{
    if (!json || !type || !*type) {
        return WSPOOL_ERR_INVAL;
    }
    for (size_t i = 0; i < sizeof contract / sizeof *contract; i++) {
        if (strcmp(contract[i].type, type) == 0) {
            return WSPOOL_ERR_INVAL;
        }
    }
    return wsp_json_handler_set(&json->types, type, handler, user);
}

int wspool_json_on_action(wspool_json *json, const char *name, wspool_json_handler *handler,
                          void *user)
{
    if (!json || !name || !*name) {
        return WSPOOL_ERR_INVAL;
    }
    return wsp_json_handler_set(&json->actions, name, handler, user);
}

int wspool_json_action_id(const wspool_json *json, wspool_text *instance, uint64_t *n)
{
    if (!json || !instance || !n) {
        return WSPOOL_ERR_INVAL;
    }
    *instance = json->acting;
    *n = json->acting_n;
    return json->acting_n > 0 ? 0 : WSPOOL_ERR_STATE;
}
