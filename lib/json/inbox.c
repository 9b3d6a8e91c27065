/* SPDX-License-Identifier: MIT */
/*
 * json/inbox.c - what a client says, and who handles it. See wspool/json.h.
 *
 * How deep a text nests is counted before jansson parses it, since its parser recurses. What is
 * wrong gets an error that says so, and draws on the peer's nuisance budget.
 */
#include <stdlib.h>
#include <string.h>

#include "json/inner.h"

/* --------------------------------------------------------------- handlers */

static struct wsp_json_handler **find_handler(struct wsp_json_handler **list, const char *name)
{
    while (*list && strcmp((*list)->name, name) != 0) {
        list = &(*list)->next;
    }
    return list;
}

static int set_handler(struct wsp_json_handler **list, const char *name, wspool_json_handler *call,
                       void *user)
{
    struct wsp_json_handler **place = find_handler(list, name);
    struct wsp_json_handler *handler = *place;
    if (!call) {
        if (handler) {
            *place = handler->next;
            free(handler);
        }
        return 0;
    }
    if (!handler) {
        size_t size = strlen(name) + 1;
        handler = calloc(1, sizeof *handler + size);
        if (!handler) {
            return WSPOOL_ERR_NOMEM;
        }
        memcpy(handler->name, name, size);
        *place = handler;
    }
    handler->call = call;
    handler->user = user;
    return 0;
}

void wsp_json_forget_handlers(struct wsp_json_handler **list)
{
    while (*list) {
        struct wsp_json_handler *handler = *list;
        *list = handler->next;
        free(handler);
    }
}

/* ---------------------------------------------------------------- answers */

/* One call of a client: who said what. */
struct call {
    wspool_json *json;
    wspool *pool;
    wspool_id id;
    const json_t *data; /* an object */
};

static const struct {
    const char *code;
    const char *message;
    int retry;
} errors[] = {
    {"malformed", "this is no message of the contract", 0},
    {"unknown_type", "nobody handles this type", 0},
    {"unknown_action", "nobody handles this action", 0},
    {"bad_channel", "a channel is written global:NAME, item:ID, session:ID or topic:NAME", 0},
    {"not_allowed", "not allowed", 0},
    {"not_subscribed", "not subscribed to this channel", 0},
    {"too_many_channels", "leave a channel first", 1},
    {"unavailable", "try again later", 1},
};

static void refuse(const struct call *call, const char *code, const char *action_id)
{
    const char *message = code; /* the application's own codes speak for themselves */
    int retry = 0;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strcmp(errors[i].code, code) == 0) {
            message = errors[i].message;
            retry = errors[i].retry;
        }
    }
    wspool_nuisance(call->pool, call->id, 1, code);
    wsp_json_say_error(call->json, call->pool, call->id, code, message, retry, action_id);
}

/* The channel that `data` names, or 0 after a refusal. The name lives as long as `data`. */
static int channel_of(const struct call *call, wspool_channel *channel)
{
    const json_t *name = json_object_get(call->data, "channel");
    if (!json_is_string(name) ||
        wspool_json_channel_read(json_string_value(name), json_string_length(name), channel)) {
        refuse(call, "bad_channel", NULL);
        return 0;
    }
    return 1;
}

/* 1 and the position that `data` gives, if any; 0 when it is malformed. */
static int since_of(const json_t *data, struct wsp_json_since *since)
{
    const json_t *given = json_object_get(data, "since");
    *since = (struct wsp_json_since){.offset = -1};
    if (!given) {
        return 1;
    }
    const json_t *epoch = json_object_get(given, "epoch");
    const json_t *offset = json_object_get(given, "offset");
    if (!json_is_string(epoch) || !json_is_integer(offset) || json_integer_value(offset) < 0 ||
        json_integer_value(offset) >= WSP_JSON_OFFSET_LIMIT) {
        return 0;
    }
    since->given = 1;
    since->epoch = wspool_json_epoch_read(json_string_value(epoch));
    since->offset = json_integer_value(offset);
    return 1;
}

/* ------------------------------------------------------- the contract's own */

static void subscribe(const struct call *call)
{
    const wspool_json_subscribe_hook *may = &call->json->config.subscribe;
    struct wsp_json_since since;
    wspool_channel channel;
    if (!since_of(call->data, &since)) {
        refuse(call, "malformed", NULL);
        return;
    }
    if (!channel_of(call, &channel)) {
        return;
    }
    if (!may->call || may->call(call->pool, call->id, channel, may->user) != 0) {
        refuse(call, "not_allowed", NULL);
        return;
    }
    switch (wspool_subscribe(call->pool, call->id, channel)) {
    case 0:
    case WSPOOL_ERR_EXISTS:
        wsp_json_say_subscribed(call->json, call->pool, call->id, channel, &since);
        break;
    case WSPOOL_ERR_FULL:
        refuse(call, "too_many_channels", NULL);
        break;
    default:
        refuse(call, "unavailable", NULL);
        break;
    }
}

static void unsubscribe(const struct call *call)
{
    wspool_channel channel;
    if (!channel_of(call, &channel)) {
        return;
    }
    if (wspool_unsubscribe(call->pool, call->id, channel)) {
        refuse(call, "not_subscribed", NULL);
        return;
    }
    wsp_json_say(call->json, call->pool, call->id, "unsubscribed",
                 json_pack("{s:O}", "channel", json_object_get(call->data, "channel")));
}

static void ping(const struct call *call)
{
    wsp_json_say(call->json, call->pool, call->id, "pong", json_object());
}

/* FNV-1a: it need not withstand its maker, who could only confuse itself. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    }
    return hash;
}

static int done_lately(const struct wsp_json_recent *recent, uint64_t hash)
{
    unsigned count = recent && recent->count < WSP_JSON_RECENT ? recent->count : WSP_JSON_RECENT;
    for (unsigned i = 0; recent && i < count; i++) {
        if (recent->hashes[i] == hash) {
            return 1;
        }
    }
    return 0;
}

/* A session that can't be kept means that a repeat would be done again: refused beforehand. */
static struct wsp_json_recent *recent_of(const struct call *call)
{
    struct wsp_json_session *session = wsp_json_session(call->json, call->id);
    if (session && !session->recent) {
        session->recent = calloc(1, sizeof *session->recent);
    }
    return session ? session->recent : NULL;
}

static void action(const struct call *call)
{
    const json_t *id = json_object_get(call->data, "id");
    const char *name = json_string_value(json_object_get(call->data, "name"));
    size_t id_len = json_string_length(id);
    const char *action_id =
        id_len > 0 && id_len <= WSP_JSON_ACTION_ID_MAX ? json_string_value(id) : NULL;
    if (!action_id || !name) {
        refuse(call, "malformed", action_id);
        return;
    }
    const struct wsp_json_handler *handler = *find_handler(&call->json->actions, name);
    struct wsp_json_recent *recent = recent_of(call);
    const char *refusal = recent ? NULL : "unavailable";
    uint64_t hash = hash_of(action_id);
    /* What was done stays done, though nobody may handle it any more. */
    if (!refusal && !done_lately(recent, hash)) {
        refusal = handler
                      ? handler->call(call->json, call->pool, call->id, call->data, handler->user)
                      : "unknown_action";
        recent = recent_of(call); /* the handler may have ended the peer, or made others */
        if (!refusal && recent) {
            recent->hashes[recent->count++ % WSP_JSON_RECENT] = hash;
        }
    }
    if (refusal) {
        refuse(call, refusal, action_id);
    } else {
        wsp_json_say(call->json, call->pool, call->id, "ack", json_pack("{s:s}", "id", action_id));
    }
}

static const struct {
    const char *type;
    void (*answer)(const struct call *call);
} own[] = {
    {"subscribe", subscribe},
    {"unsubscribe", unsubscribe},
    {"ping", ping},
    {"action", action},
};

/* -------------------------------------------------------------- dispatch */

static void dispatch(const struct call *call, const char *type)
{
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcmp(own[i].type, type) == 0) {
            own[i].answer(call);
            return;
        }
    }
    const struct wsp_json_handler *handler = *find_handler(&call->json->types, type);
    const char *refusal = "unknown_type";
    if (handler) {
        refusal = handler->call(call->json, call->pool, call->id, call->data, handler->user);
    }
    if (refusal) {
        refuse(call, refusal, NULL);
    }
}

/* Does the text nest no deeper? Strings are skipped, whatever they hold. */
static int is_shallow(const char *text, size_t len, unsigned depth)
{
    unsigned deep = 0;
    int in_string = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = 1;
        } else if ((c == '{' || c == '[') && ++deep > depth) {
            return 0;
        } else if ((c == '}' || c == ']') && deep > 0) {
            deep--;
        }
    }
    return 1;
}

void wsp_json_receive(wspool_json *json, wspool *pool, wspool_id id, const char *text, size_t len)
{
    struct call call = {.json = json, .pool = pool, .id = id};
    json_t *root = NULL;
    json_t *nothing = NULL;
    if (is_shallow(text, len, json->config.depth)) {
        root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    }
    const char *type = json_string_value(json_object_get(root, "type"));
    call.data = json_object_get(root, "data");
    if (!call.data) {
        call.data = nothing = json_object();
    }
    if (type && json_is_object(call.data)) {
        dispatch(&call, type);
    } else {
        refuse(&call, "malformed", NULL);
    }
    json_decref(nothing);
    json_decref(root);
}

/* ----------------------------------------------------------- registration */

int wspool_json_on(wspool_json *json, const char *type, wspool_json_handler *handler, void *user)
{
    if (!json || !type || !*type) {
        return WSPOOL_ERR_INVAL;
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcmp(own[i].type, type) == 0) {
            return WSPOOL_ERR_INVAL;
        }
    }
    return set_handler(&json->types, type, handler, user);
}

int wspool_json_on_action(wspool_json *json, const char *name, wspool_json_handler *handler,
                          void *user)
{
    if (!json || !name || !*name) {
        return WSPOOL_ERR_INVAL;
    }
    return set_handler(&json->actions, name, handler, user);
}

static int handlers_hold(const struct wsp_json_handler *list)
{
    for (; list; list = list->next) {
        if (!list->call) {
            return 0;
        }
        for (const struct wsp_json_handler *other = list->next; other; other = other->next) {
            if (strcmp(other->name, list->name) == 0) {
                return 0;
            }
        }
    }
    return 1;
}

int wsp_json_check(const wspool_json *json)
{
    for (size_t i = 0; i < json->session_room; i++) {
        const struct wsp_json_session *session = &json->sessions[i];
        if (session->id == 0 ? session->recent != NULL : wspool_slot(session->id) != i) {
            return 0;
        }
    }
    return handlers_hold(json->types) && handlers_hold(json->actions);
}
