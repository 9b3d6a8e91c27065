/* SPDX-License-Identifier: MIT */
/* json/client_actions.h - the queue of actions: see "Actions" in wspool/json.h. */
#ifndef WSP_JSON_CLIENT_ACTIONS_H
#define WSP_JSON_CLIENT_ACTIONS_H

#include "json/client_state.h"

/* The action epoch of a new connection; NULL: there is none. */
void wsp_json_client_new_epoch(wspool_json_client *client, const char *epoch);

/* Sends what was not sent on this connection yet. */
void wsp_json_client_flush_actions(wspool_json_client *client);

/* An ack, or an error with an id. Returns 1 if it is that of one of our actions, else 0. */
int wsp_json_client_answered(wspool_json_client *client, const json_t *data, int refused);

/* Ends all actions with `closed`. */
void wsp_json_client_actions_free(wspool_json_client *client);

#endif
