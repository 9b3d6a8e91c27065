/* SPDX-License-Identifier: MIT */
/*
 * json/send.h - what the server sends: each message type of wspool/json.h that needs more than an
 * envelope. The file also holds wspool_json_send, wspool_json_error and wspool_json_broadcast.
 *
 * Each function returns 0, WSPOOL_ERR_NOMEM, or an error of wspool_send. The caller may ignore an
 * error for a message that the contract does not promise.
 */
#ifndef WSP_JSON_SEND_H
#define WSP_JSON_SEND_H

#include "json/json.h"

/* Sends an envelope to one peer. Takes over the reference to `data`, also on error; NULL means that
 * there was no memory to make it. */
int wsp_json_send(wspool_json *json, wspool *pool, wspool_id id, const char *type, json_t *data);
/* The same with a priority: of the options the rest is as for wspool_send. */
int wsp_json_send_with(wspool_json *json, wspool *pool, wspool_id id,
                       const wspool_send_options *options, const char *type, json_t *data);
/* The same for a message that keeps its place among those of a channel. */
int wsp_json_send_among(wspool_json *json, wspool *pool, wspool_id id, enum wspool_kind kind,
                        const char *type, json_t *data);

/* Sends connection_established. */
int wsp_json_send_established(wspool_json *json, wspool *pool, wspool_id id);

/* Makes a peer a member of a channel, or finds that it is one, and sends `subscribed`. `since` is
 * the position that the client gave, or NULL. Call it in a hook, so that nothing overtakes. After
 * an error a peer that was no member is none. Fails as wspool_resume, and with
 *   INVAL  the channel's name is not text, so that it cannot be written.
 *   NOMEM  also: the peer's queue has no room for `subscribed`. */
int wsp_json_subscribe(wspool_json *json, wspool *pool, wspool_id id, wspool_channel channel,
                       const wspool_channel_position *since);

/* Sends `missed`. INVAL: as above. */
int wsp_json_send_missed(wspool_json *json, wspool *pool, wspool_id id,
                         const wspool_missed *missed);

/* The renderer of the contract: see wspool_handlers.render. `user` is the companion. INVAL: the
 * type, the key or the channel is not text, or the data are not JSON. */
int wsp_json_render(const wspool_publication *publication, wspool_text *message, void *user);

/* Sends `error`. `action_id` is the id of the action that it is about, or NULL; `channel` is the
 * channel, borrowed, or NULL. */
int wsp_json_send_error(wspool_json *json, wspool *pool, wspool_id id, const char *code,
                        const char *message, int retry, const char *action_id, json_t *channel);

#endif
