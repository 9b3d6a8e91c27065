/* SPDX-License-Identifier: MIT */
/*
 * wspool/json_client.h - libwspool_json: a client of the contract wspool.v1.json (wspool/json.h),
 * on clients that come back (wspool/client.h).
 *
 *     wspool_clients_config config;
 *     wspool_clients_config_init(&config);
 *     config.url = "ws://127.0.0.1:3001/api/cards/ws";
 *     wspool_json_client_prepare(&config);
 *     wspool_clients_new(&clients, &config, now);
 *
 *     wspool_json_client_config mine;
 *     wspool_json_client_config_init(&mine);
 *     mine.route = "global:cards";                       // the channel that the path names
 *     wspool_json_client_new(&client, clients, &mine);
 *     wspool_json_client_subscribe(client, "global:cards", &handlers);
 *     wspool_clients_connect(clients, wspool_json_client_id(client), now);
 *     ...
 *     wspool_json_client_action(client, "chat", json_pack("{s:s}", "text", "hello"), on_done, app);
 *
 * The host moves the bytes as wspool/client.h says; wspool/dial.h does it.
 *
 * Connected   only when `connection_established` has come, within the time of the attempt. The
 *             server's heartbeat_seconds and reconnect_spread replace ours.
 * Channels    Each has a position, which is kept while there is no connection, and with which the
 *             client subscribes again. It is moved before the handler of a publication runs. A
 *             publication that comes twice, or before `subscribed`, is not given to the handler.
 * Actions     wait in a queue while there is no connection, and are sent again on each new one
 *             until they are answered. The server does each once, in one action epoch.
 * Handlers    may do everything, also subscribe, unsubscribe and free the client. Pointers that
 *             they get are valid until they return.
 * Errors      as in wspool/wspool.h. What the server says is never an error of a call.
 * Threads     one for all calls, that of the clients.
 */
#ifndef WSPOOL_JSON_CLIENT_H
#define WSPOOL_JSON_CLIENT_H

#include <wspool/client.h>
#include <wspool/json.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool_json_client wspool_json_client;

/* An epoch as a client stores it, with its NUL. */
#define WSPOOL_JSON_CLIENT_EPOCH_MAX 65

typedef struct wspool_json_publication {
    const char *type;
    const char *channel;
    const char *epoch;
    uint64_t offset;
    const char *key;       /* NULL: it has none */
    int removed;           /* 1: it removes its key */
    const json_t *data;    /* an object */
    const char *timestamp; /* "" if there is none */
} wspool_json_publication;

/* The application's state of a channel is not to be trusted. */
typedef struct wspool_json_reset {
    const char *channel;
    const char *reason; /* `first`, `missed`, or one of `subscribed`: epoch_changed, too_old,
                           unknown_offset */
    const char *epoch;
    uint64_t offset; /* fetch a state of this position, or of a later one */
    int follows;     /* 1: fetch nothing. What you know is void, and the whole state follows, up to
                        `offset` */
} wspool_json_reset;

/* What the application does about a channel. Every handler may be NULL. */
typedef struct wspool_json_subscription {
    size_t size; /* sizeof(wspool_json_subscription) */
    void *user;  /* last argument of each handler */

    void (*message)(wspool_json_client *client, const wspool_json_publication *publication,
                    void *user);

    /* Fetch the state of the application anew (from a database, by HTTP), and say its position with
     * wspool_json_client_fetched, now or later. Publications go on meanwhile: those that came
     * before the state was fetched may be in it. */
    void (*reset)(wspool_json_client *client, const wspool_json_reset *reset, void *user);

    /* The client is a member. `behind` publications follow that it has missed, if none was
     * skipped. */
    void (*subscribed)(wspool_json_client *client, const char *channel, int recovered,
                       uint64_t behind, void *user);

    /* It is none any more, or was refused: `code` is that of the contract's error, or
     * `unsubscribed`. The client asks again on its next connection; unsubscribe if it should not.
     */
    void (*ended)(wspool_json_client *client, const char *channel, const char *code, int retry,
                  void *user);

    const char
        *epoch; /* of the state that the application has already; NULL: it has none. Copied */
    uint64_t offset;
    int state; /* 1: asks for the whole state of a keyed channel at first (reset, `follows`) */
} wspool_json_subscription;

typedef struct wspool_json_client_config {
    size_t size;       /* sizeof(wspool_json_client_config) */
    const char *route; /* the channel that the URL's path names, as "global:cards": the server joins
                          it by itself. NULL: none. Copied */
    uint32_t queue;    /* actions that are not answered, at most; 1 to 64. Default 64 */
    void *user;        /* last argument of each handler. A handler may be NULL */

    void (*status)(wspool_json_client *client, const wspool_client_status *status, void *user);

    /* A message that belongs to no subscription: connection_established, draining, auth_renewed, an
     * error, one that the application has sent to this client alone. `data` is an object. */
    void (*message)(wspool_json_client *client, const char *type, const json_t *data, void *user);

    /* The token of this connection expires at this time (seconds since 1970), in 20 to 30 s or less.
     * Get another one, and give it to wspool_json_client_auth, in this handler or later: then the
     * connection goes on. Otherwise the server closes it (4001), and the next attempt asks the
     * token hook of the group. NULL: so it is. */
    void (*expiring)(wspool_json_client *client, uint64_t expires_at, void *user);

    /* The server broke the contract. The message was ignored; `what` is text for a log. */
    void (*problem)(wspool_json_client *client, const char *what, void *user);
} wspool_json_client_config;

void wspool_json_client_config_init_sized(wspool_json_client_config *config, size_t size);
#define wspool_json_client_config_init(config) \
    wspool_json_client_config_init_sized((config), sizeof(*(config)))

/* Sets what the contract needs of a group: the subprotocol, `confirm`, and the hooks query, status
 * and message. All clients of the group must be made by wspool_json_client_new. */
void wspool_json_client_prepare(wspool_clients_config *config);

/* Adds a client to the group, disconnected. `config` may be NULL. On error *client is NULL.
 *   INVAL    a member is out of its range, or config->size is not set. Correct the configuration.
 *   ENTROPY  the entropy hook of the group failed. Correct the hook.
 *   NOMEM    the allocator failed. Free memory and try again. */
int wspool_json_client_new(wspool_json_client **client, wspool_clients *clients,
                           const wspool_json_client_config *config);

/* Removes the client from its group, and frees it: inside one of its handlers, when that has
 * returned. Actions that wait end with `closed`. Call it before wspool_clients_free. NULL is
 * allowed. */
void wspool_json_client_free(wspool_json_client *client);

/* For wspool_clients_connect, _disconnect, _probe and _status. */
wspool_id wspool_json_client_id(const wspool_json_client *client);

/* Shows the server a new token for the present connection. The answer is the message auth_renewed,
 * or an error: token_refused, unavailable or auth_unexpected; then the old token still counts. The
 * token is copied. Its errors are those of wspool_clients_send, and
 *   NOMEM  also: the token is not UTF-8. */
int wspool_json_client_auth(wspool_json_client *client, const char *token);

/* ----------------------------------------------------------------- channels */

/* Subscribes to a channel, now and on each new connection. The struct is copied.
 *   INVAL   the channel cannot be read (wspool_json_channel_read), an epoch is too long or an
 *           offset is not below 2^53, or size is not set. Correct the call.
 *   EXISTS  there is a subscription of this channel. Unsubscribe first.
 *   NOMEM   the allocator failed. Free memory and try again. */
int wspool_json_client_subscribe(wspool_json_client *client, const char *channel,
                                 const wspool_json_subscription *subscription);

/* Ends a subscription: none of its handlers runs any more.
 *   ABSENT  there is none. Nothing was changed. */
int wspool_json_client_unsubscribe(wspool_json_client *client, const char *channel);

/* The application has fetched a state of this position: publications up to it are not given to the
 * handler any more.
 *   ABSENT  there is no subscription. Nothing was changed.
 *   STATE   the state is older than the last `reset` wants, or of another epoch. Fetch it again. */
int wspool_json_client_fetched(wspool_json_client *client, const char *channel, const char *epoch,
                               uint64_t offset);

/* The position of a channel: of the last publication. Returns 1; or 0 if it is not known yet.
 * *epoch is valid until the next call.
 *   ABSENT  there is no subscription. */
int wspool_json_client_position(const wspool_json_client *client, const char *channel,
                                const char **epoch, uint64_t *offset);

/* ------------------------------------------------------------------ actions */

/* How an action has ended: `done`, `repeated` (it was done earlier), `in_doubt` (look whether it
 * has had its effect before you repeat it), `closed` (the client was freed), or the code of the
 * contract's error; `retry` is the error's. */
typedef void wspool_json_client_done(wspool_json_client *client, const char *result, int retry,
                                     void *user);

/* Sends an action, now or when there is a connection. Takes over `data`, also when it fails. `done`
 * may be NULL; it is called once.
 *   INVAL  `name` is empty, or `data` is not an object or has an id. Correct the call.
 *   FULL   `queue` actions are not answered. Try again when one is.
 *   NOMEM  the allocator failed, or `name` is not UTF-8. Free memory and try again. */
int wspool_json_client_action(wspool_json_client *client, const char *name, json_t *data,
                              wspool_json_client_done *done, void *user);

/* The number of actions that are not answered. */
uint32_t wspool_json_client_waiting(const wspool_json_client *client);

/* Sends a message of the application's own, if there is a connection. Takes over `data`. Its errors
 * are those of wspool_clients_send, and
 *   NOMEM  also: `type` or `data` is not UTF-8. */
int wspool_json_client_send(wspool_json_client *client, const char *type, json_t *data);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
