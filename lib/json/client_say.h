/* SPDX-License-Identifier: MIT */
/* json/client_say.h - what a client says to its server, and what it says of it. */
#ifndef WSP_JSON_CLIENT_SAY_H
#define WSP_JSON_CLIENT_SAY_H

#include "json/client_state.h"

/* Sends a message. Takes over `data`. Returns 0 or an error of wspool_clients_send. */
int wsp_json_client_say(wspool_json_client *client, const char *type, json_t *data);

/* Tells the application that the server has broken the contract. */
void wsp_json_client_problem(wspool_json_client *client, const char *what);

/* Copies a text into `out`, which has WSPOOL_JSON_CLIENT_EPOCH_MAX bytes. Returns 1, or 0 if it is
 * no epoch: letters and digits. */
int wsp_json_client_copy_epoch(char *out, const char *text);

#endif
