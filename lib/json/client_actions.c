/* SPDX-License-Identifier: MIT */
/* json/client_actions.c - see json/client_actions.h. */
#include "json/client_actions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/client_say.h"
#include "json/integer.h"

/* Takes an action out of the queue and tells how it has ended. */
static void finish(wspool_json_client *client, struct wsp_json_action *action, const char *result,
                   int retry)
{
    struct wsp_json_action **link = &client->actions;
    while (*link != action) {
        link = &(*link)->next;
    }
    *link = action->next;
    client->waiting--;
    if (action->done) {
        client->busy++;
        action->done(client, result, retry, action->user);
        client->busy--;
    }
    json_decref(action->data);
    free(action);
}

/* Sends an action under its number, or under the next one. Returns 0 or an error. */
static int send_action(wspool_json_client *client, struct wsp_json_action *action)
{
    char id[WSPOOL_CLIENT_INSTANCE_LEN + 32];
    uint64_t n = action->n ? action->n : client->last_n + 1;
    snprintf(id, sizeof id, "%s-%" PRIu64, wspool_clients_instance(client->clients, client->id), n);
    if (json_object_set_new(action->data, "id", json_string(id))) {
        return WSPOOL_ERR_NOMEM;
    }
    int error = wsp_json_client_say(client, "action", json_incref(action->data));
    if (error) {
        return error;
    }
    action->again = action->n != 0;
    action->connection = client->connection;
    if (!action->n) {
        action->n = client->last_n = n;
    }
    memcpy(action->epoch, client->epoch, sizeof action->epoch);
    return 0;
}

/* Returns the first action that has to be sent, or NULL. If the server does not know our actions,
 * the first of all goes ahead: its answer says which numbers are free. */
static struct wsp_json_action *first_unsent(const wspool_json_client *client)
{
    struct wsp_json_action *action = client->actions;
    if (client->forgotten) {
        return action && action->connection != client->connection ? action : NULL;
    }
    while (action && action->connection == client->connection) {
        action = action->next;
    }
    return action;
}

void wsp_json_client_flush_actions(wspool_json_client *client)
{
    struct wsp_json_action *action;
    while (client->connection && !client->freed && (action = first_unsent(client)) != NULL) {
        if (action->n && strcmp(action->epoch, client->epoch) != 0) {
            finish(client, action, "in_doubt", 0); /* the server was restarted, and keeps no ids */
        } else if (client->last_n >= WSP_JSON_INTEGER_MAX || send_action(client, action)) {
            return;
        }
    }
}

void wsp_json_client_new_epoch(wspool_json_client *client, const char *epoch)
{
    char copy[WSPOOL_JSON_CLIENT_EPOCH_MAX] = "";
    if (epoch) {
        wsp_json_client_copy_epoch(copy, epoch);
    }
    if (strcmp(copy, client->epoch) != 0) {
        client->forgotten = client->last_n > 0;
        memcpy(client->epoch, copy, sizeof copy);
    }
}

/* `in_doubt` for an action that was sent for the first time says that the server does not know our
 * earlier ones. Nothing has happened: it goes again, under a number that is not in doubt. */
static void number_anew(wspool_json_client *client, struct wsp_json_action *action,
                        const json_t *data)
{
    json_int_t next = json_integer_value(json_object_get(data, "next"));
    if (next > 0 && next <= WSP_JSON_INTEGER_MAX && (uint64_t)next - 1 > client->last_n) {
        client->last_n = (uint64_t)next - 1;
    }
    action->n = action->connection = 0;
}

int wsp_json_client_answered(wspool_json_client *client, const json_t *data, int refused)
{
    const char *id = json_string_value(json_object_get(data, "id"));
    struct wsp_json_action *action = client->actions;
    while (id && action) {
        const char *own = json_string_value(json_object_get(action->data, "id"));
        if (action->n && own && strcmp(own, id) == 0) {
            break;
        }
        action = action->next;
    }
    if (!id || !action) {
        return 0;
    }
    const char *result = json_string_value(json_object_get(data, refused ? "code" : "result"));
    client->forgotten = 0;
    if (!refused && result && strcmp(result, "in_doubt") == 0 && !action->again &&
        action->connection == client->connection) {
        number_anew(client, action, data);
    } else {
        finish(client, action,
               result    ? result
               : refused ? "error"
                         : "done",
               refused && json_is_true(json_object_get(data, "retry")));
    }
    return 1;
}

int wspool_json_client_action(wspool_json_client *client, const char *name, json_t *data,
                              wspool_json_client_done *done, void *user)
{
    int error = WSPOOL_ERR_INVAL;
    struct wsp_json_action *action = NULL;
    if (!data) {
        data = json_object();
        error = data ? error : WSPOOL_ERR_NOMEM;
    }
    if (client && !client->freed && name && *name && json_is_object(data) &&
        !json_object_get(data, "id")) {
        error = client->waiting >= client->config.queue ? WSPOOL_ERR_FULL : WSPOOL_ERR_NOMEM;
    }
    if (error == WSPOOL_ERR_NOMEM && data &&
        json_object_set_new(data, "name", json_string(name)) == 0) {
        action = calloc(1, sizeof *action);
    }
    if (!action) {
        json_decref(data);
        return error;
    }
    action->data = data;
    action->done = done;
    action->user = user;
    struct wsp_json_action **last = &client->actions;
    while (*last) {
        last = &(*last)->next;
    }
    *last = action;
    client->waiting++;
    wsp_json_client_flush_actions(client);
    return 0;
}

uint32_t wspool_json_client_waiting(const wspool_json_client *client)
{
    return client ? client->waiting : 0;
}

void wsp_json_client_actions_free(wspool_json_client *client)
{
    while (client->actions) {
        finish(client, client->actions, "closed", 0);
    }
}
