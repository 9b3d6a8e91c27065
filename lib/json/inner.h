/* SPDX-License-Identifier: MIT */
/*
 * json/inner.h - what the files of libwspool_json share. A companion: public headers only.
 *
 *     json.c   life, hooks, what the server says
 *     inbox.c  what a client says, and who handles it
 *     names.c  channels, epochs and times as the contract writes them
 *
 * Invariants:
 * - a session stands in the place of its peer's slot; an empty place remembers no action;
 * - a handler has something to call, and a name that no other of its list has.
 */
#ifndef WSP_JSON_INNER_H
#define WSP_JSON_INNER_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/json.h>

#define WSP_JSON_ACTION_ID_MAX 64u /* bytes of an action's id */
#define WSP_JSON_RECENT 32u        /* ids of actions that a connection's repeats are known by */
#define WSP_JSON_OFFSET_LIMIT (INT64_C(1) << 53)

struct wsp_json_handler {
    struct wsp_json_handler *next;
    wspool_json_handler *call;
    void *user;
    char name[];
};

/* The ids of the actions that a connection has had done lately, as hashes. */
struct wsp_json_recent {
    uint64_t hashes[WSP_JSON_RECENT];
    unsigned count; /* ever; the next one goes to hashes[count % WSP_JSON_RECENT] */
};

struct wsp_json_session {
    wspool_id id;
    struct wsp_json_recent *recent; /* NULL until the first action */
};

struct wspool_json {
    wspool_json_config config;
    uint64_t heartbeat_seconds;
    struct wsp_json_handler *types;
    struct wsp_json_handler *actions;
    struct wsp_json_session *sessions; /* by slot */
    size_t session_room;
    /* the application's, which ours have displaced */
    wspool_open_hook open;
    wspool_message_hook message;
    wspool_close_hook close;
    char server[];
};

/* A position that a client gave. */
struct wsp_json_since {
    int given;
    uint64_t epoch; /* 0: none of ours */
    int64_t offset; /* negative: no offset at all */
};

/* ------------------------------------------------------------------ json.c */

/* Takes over the reference to `data`; NULL is one that there was no memory for. As wspool_send. */
int wsp_json_say(wspool_json *json, wspool *pool, wspool_id id, const char *type, json_t *data);
/* Answers `subscribed` for a channel that the peer is a member of. */
int wsp_json_say_subscribed(wspool_json *json, wspool *pool, wspool_id id, wspool_channel channel,
                            const struct wsp_json_since *since);
/* `id` names the action that it is about, or is NULL. */
int wsp_json_say_error(wspool_json *json, wspool *pool, wspool_id id, const char *code,
                       const char *message, int retry, const char *action_id);
/* The session of a peer, made when it isn't there; NULL without memory. */
struct wsp_json_session *wsp_json_session(wspool_json *json, wspool_id id);

/* ----------------------------------------------------------------- inbox.c */

void wsp_json_receive(wspool_json *json, wspool *pool, wspool_id id, const char *text, size_t len);
void wsp_json_forget_handlers(struct wsp_json_handler **list);
/* Do the invariants hold? 1 or 0. */
int wsp_json_check(const wspool_json *json);

#endif
