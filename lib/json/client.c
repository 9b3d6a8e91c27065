/* SPDX-License-Identifier: MIT */
/* json/client.c - life of a client, and the hooks of its group: see json/client_state.h. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wspool/versioned.h>

#include "json/client_actions.h"
#include "json/client_channels.h"
#include "json/client_say.h"

#define QUEUE_MAX 64u

static const wspool_json_client_config defaults = {
    .size = sizeof(wspool_json_client_config),
    .queue = QUEUE_MAX,
};

void wspool_json_client_config_init_sized(wspool_json_client_config *config, size_t size)
{
    wspool_versioned_init(config, size, &defaults, sizeof defaults);
}

static void flush(wspool_json_client *client)
{
    wsp_json_client_flush_channels(client);
    wsp_json_client_flush_actions(client);
}

/* The end of a call in which handlers may have run. */
static void leave(wspool_json_client *client)
{
    if (client->busy > 0) {
        return;
    }
    if (client->freed) {
        wsp_json_client_channels_free(client);
        free(client);
    } else {
        wsp_json_client_sweep(client);
    }
}

/* ---------------------------------------------------------------- messages */

/* Returns 1 if the contract begins, or 0: it has begun already. */
static int established(wspool_json_client *client, const json_t *data)
{
    const json_t *spread = json_object_get(data, "reconnect_spread");
    const json_t *heartbeat = json_object_get(data, "heartbeat_seconds");
    double seconds = json_number_value(spread);

    if (client->connection) {
        wsp_json_client_problem(client, "connection_established twice");
        return 0;
    }
    if (json_is_number(spread) && seconds >= 0 && seconds <= 86400) {
        wspool_clients_set_spread(client->clients, client->id, (uint64_t)(seconds * 1e9));
    }
    if (json_is_integer(heartbeat) && json_integer_value(heartbeat) > 0 &&
        json_integer_value(heartbeat) <= 86400) {
        wspool_clients_set_heartbeat(client->clients, client->id,
                                     (uint64_t)json_integer_value(heartbeat) * WSPOOL_SECOND);
    }
    client->connection = ++client->connections;
    wsp_json_client_new_epoch(client, json_string_value(json_object_get(data, "action_epoch")));
    wspool_clients_confirm(client->clients, client->id, 0); /* calls on_status */
    return 1;
}

static void dispatch(wspool_json_client *client, const json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    const json_t *data = json_object_get(message, "data");
    const char *name = json_string_value(json_object_get(message, "channel"));

    if (!type || !json_is_object(data)) {
        wsp_json_client_problem(client, "not a message of the contract");
        return;
    }
    int is_publication = json_object_get(message, "offset") != NULL;
    name = name ? name : json_string_value(json_object_get(data, "channel"));
    struct wsp_json_channel *channel = name ? wsp_json_client_channel(client, name) : NULL;
    int known = 1;
    if (strcmp(type, "connection_established") == 0 && !is_publication) {
        known = !established(client, data); /* the application may want its data */
    } else if (!client->connection) {
        wsp_json_client_problem(client, "a message before connection_established");
    } else if (is_publication) {
        wsp_json_client_publication(client, channel, message);
    } else if (strcmp(type, "subscribed") == 0) {
        wsp_json_client_subscribed(client, channel, data);
    } else if (strcmp(type, "missed") == 0) {
        wsp_json_client_missed(client, channel, data);
    } else if (strcmp(type, "unsubscribed") == 0) {
        wsp_json_client_unsubscribed(client, channel);
    } else if (strcmp(type, "ack") == 0) {
        wsp_json_client_answered(client, data, 0);
    } else if (strcmp(type, "error") == 0) {
        known = wsp_json_client_answered(client, data, 1);
        if (!known && channel) {
            wsp_json_client_refused(client, channel, data);
            known = 1;
        }
    } else if (strcmp(type, "token_expiring") == 0 && client->config.expiring) {
        const json_int_t at = json_integer_value(json_object_get(data, "expires_at"));
        client->config.expiring(client, at > 0 ? (uint64_t)at : 0, client->config.user);
    } else {
        known = strcmp(type, "pong") == 0;
    }
    if (!known && !client->freed && client->config.message) {
        client->config.message(client, type, data, client->config.user);
    }
}

/* ------------------------------------------------------------- the group's hooks */

static void on_message(wspool_clients *clients, wspool_id id, const void *bytes, size_t len,
                       int binary, void *user)
{
    wspool_json_client *client = wspool_clients_user(clients, id);
    (void)user;
    json_t *message = binary ? NULL : json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
    client->busy++;
    if (json_is_object(message)) {
        dispatch(client, message);
    } else {
        wsp_json_client_problem(client, "not a JSON object");
    }
    json_decref(message);
    if (!client->freed) {
        flush(client);
    }
    client->busy--;
    leave(client);
}

static void on_status(wspool_clients *clients, wspool_id id, const wspool_client_status *status,
                      void *user)
{
    wspool_json_client *client = wspool_clients_user(clients, id);
    (void)user;
    client->busy++;
    if (status->state != WSPOOL_CLIENT_CONNECTED) {
        client->connection = 0;
        wsp_json_client_channels_down(client);
    }
    if (client->config.status) {
        client->config.status(client, status, client->config.user);
    }
    if (!client->freed) {
        flush(client);
    }
    client->busy--;
    leave(client);
}

static void on_query(wspool_clients *clients, wspool_id id, wspool_text *query, void *user)
{
    wspool_json_client *client = wspool_clients_user(clients, id);
    const struct wsp_json_channel *channel = NULL;
    int len = 0;
    (void)user;
    for (const struct wsp_json_channel *c = client->channels; c; c = c->next) {
        channel = c->route ? c : channel;
    }
    if (channel && channel->known) { /* an epoch has letters and digits */
        len = snprintf(client->query, sizeof client->query, "epoch=%s&offset=%" PRIu64,
                       channel->epoch, channel->offset);
    } else if (channel && channel->wanted && channel->subscription.state) {
        len = snprintf(client->query, sizeof client->query, "offset=0");
    }
    *query = (wspool_text){client->query, (size_t)len};
}

void wspool_json_client_prepare(wspool_clients_config *config)
{
    static const char *const subprotocols[] = {WSPOOL_JSON_SUBPROTOCOL, NULL};
    config->subprotocols = subprotocols;
    config->confirm = 1;
    config->query = (wspool_client_query_hook){on_query, NULL};
    config->status = (wspool_client_status_hook){on_status, NULL};
    config->message = (wspool_client_message_hook){on_message, NULL};
}

/* -------------------------------------------------------------------- life */

int wspool_json_client_new(wspool_json_client **out, wspool_clients *clients,
                           const wspool_json_client_config *given)
{
    wspool_json_client_config config = defaults;
    wspool_channel parsed;

    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    if (!clients || (given && wspool_versioned_read(&config, sizeof config, given)) ||
        config.queue < 1 || config.queue > QUEUE_MAX ||
        (config.route && wspool_json_channel_read(config.route, strlen(config.route), &parsed))) {
        return WSPOOL_ERR_INVAL;
    }
    wspool_json_client *client = calloc(1, sizeof *client);
    int error = client ? 0 : WSPOOL_ERR_NOMEM;
    if (!error && config.route) {
        struct wsp_json_channel *route = wsp_json_client_add_channel(client, config.route);
        error = route ? 0 : WSPOOL_ERR_NOMEM;
        if (route) {
            route->route = 1;
        }
    }
    if (!error) {
        client->config = config;
        client->config.route = NULL;
        client->clients = clients;
        error = wspool_clients_add(clients, client, &client->id);
    }
    if (error) {
        if (client) {
            wsp_json_client_channels_free(client);
        }
        free(client);
        return error;
    }
    *out = client;
    return 0;
}

void wspool_json_client_free(wspool_json_client *client)
{
    if (!client || client->freed) {
        return;
    }
    client->freed = 1;
    client->connection = 0;
    for (struct wsp_json_channel *c = client->channels; c; c = c->next) {
        c->wanted = 0;
        c->serial = 0;
    }
    wspool_clients_remove(client->clients, client->id);
    client->busy++;
    wsp_json_client_actions_free(client);
    client->busy--;
    leave(client);
}

wspool_id wspool_json_client_id(const wspool_json_client *client)
{
    return client ? client->id : 0;
}

int wspool_json_client_auth(wspool_json_client *client, const char *token)
{
    if (!client || client->freed || !token) {
        return WSPOOL_ERR_INVAL;
    }
    return wsp_json_client_say(client, "auth", json_pack("{s:s}", "token", token));
}

int wspool_json_client_send(wspool_json_client *client, const char *type, json_t *data)
{
    data = data ? data : json_object();
    if (!client || client->freed || !type) {
        json_decref(data);
        return WSPOOL_ERR_INVAL;
    }
    return wsp_json_client_say(client, type, data);
}
