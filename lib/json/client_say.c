/* SPDX-License-Identifier: MIT */
/* json/client_say.c - see json/client_say.h. */
#include "json/client_say.h"

#include <stdlib.h>
#include <string.h>

int wsp_json_client_copy_epoch(char *out, const char *text)
{
    static const char digits[] = "0123456789"
                                 "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = strspn(text, digits);
    if (len == 0 || text[len] != '\0' || len >= WSPOOL_JSON_CLIENT_EPOCH_MAX) {
        return 0;
    }
    memcpy(out, text, len + 1);
    return 1;
}

void wsp_json_client_problem(wspool_json_client *client, const char *what)
{
    if (client->config.problem && !client->freed) {
        client->config.problem(client, what, client->config.user);
    }
}

int wsp_json_client_say(wspool_json_client *client, const char *type, json_t *data)
{
    json_t *message = json_pack("{s:s, s:o}", "type", type, "data", data);
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
    int error = text ? wspool_clients_send(client->clients, client->id, text, strlen(text), 0)
                     : WSPOOL_ERR_NOMEM;
    free(text);
    json_decref(message);
    return error;
}
