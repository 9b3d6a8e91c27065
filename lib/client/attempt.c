/* SPDX-License-Identifier: MIT */
/* client/attempt.c - see client/attempt.h. */
#include "client/attempt.h"

#include <stdio.h>
#include <string.h>

#include "client/entropy.h"
#include "client/output.h"
#include "wire/text.h"

/* ----------------------------------------------------------------- status */

static enum wspool_client_state state_of(const struct wsp_client *client)
{
    switch (client->phase) {
    case WSP_CLIENT_IDLE:
    case WSP_CLIENT_WAITING:
        return WSPOOL_CLIENT_DISCONNECTED;
    case WSP_CLIENT_FAILED:
        return WSPOOL_CLIENT_ERROR;
    case WSP_CLIENT_OPEN:
        return WSPOOL_CLIENT_CONNECTED;
    case WSP_CLIENT_CLOSING:
        return !(client->flags & WSP_CLIENT_WANTED)  ? WSPOOL_CLIENT_DISCONNECTED
               : client->flags & WSP_CLIENT_WAS_OPEN ? WSPOOL_CLIENT_CONNECTED
                                                     : WSPOOL_CLIENT_CONNECTING;
    default:
        return WSPOOL_CLIENT_CONNECTING;
    }
}

void wsp_client_read_status(const struct wspool_clients *clients, const struct wsp_client *client,
                            wspool_client_status *status)
{
    *status = (wspool_client_status){
        .state = state_of(client),
        .cause = (enum wspool_client_cause)client->cause,
        .code = client->code,
        .attempt = client->attempt,
        .until = client->phase == WSP_CLIENT_WAITING ? client->deadline : UINT64_MAX,
    };
    if (client->subprotocol > 0) {
        status->subprotocol = clients->config.subprotocols[client->subprotocol - 1];
    }
}

static void tell(struct wspool_clients *clients, const struct wsp_client *client,
                 wspool_text reason)
{
    const wspool_client_status_hook *hook = &clients->config.status;
    wspool_client_status status;
    if (hook->call) {
        wsp_client_read_status(clients, client, &status);
        status.reason = reason;
        clients->hooks++;
        hook->call(clients, wsp_slot_id(&client->slot), &status, hook->user);
        clients->hooks--;
    }
}

void wsp_client_tell(struct wspool_clients *clients, const struct wsp_client *client)
{
    tell(clients, client, (wspool_text){"", 0});
}

/* --------------------------------------------------------------- the stream */

void wsp_client_drop(struct wspool_clients *clients, struct wsp_client *client)
{
    wsp_client_drop_output(clients, client);
    wsp_bytes_fini(&client->head, clients->mem);
    wsp_inbound_fini(&clients->inbounds, &client->inbound);
    client->parser = (struct wsp_frame_parser){.have = 0};
    client->subprotocol = 0;
    client->serial = 0;
    client->flags &= (uint16_t) ~(WSP_CLIENT_BLOCKED | WSP_CLIENT_WAS_OPEN | WSP_CLIENT_REFUSED |
                                  WSP_CLIENT_AWAITS_BYTES);
    client->phase = WSP_CLIENT_IDLE;
    wsp_clients_await(clients, client, WSP_TIMERS_NEVER);
    if (client->told) {
        wsp_clients_mark_ready(clients, client);
    }
}

void wsp_client_close(struct wspool_clients *clients, struct wsp_client *client, int code)
{
    if (client->phase == WSP_CLIENT_OPEN) {
        client->flags |= WSP_CLIENT_WAS_OPEN;
    }
    wsp_client_put_close(clients, client, code); /* best effort: the deadline ends it anyway */
    client->phase = WSP_CLIENT_CLOSING;
    wsp_clients_await(clients, client, wsp_clients_after(clients, clients->config.closing_time));
}

void wsp_client_opened(struct wspool_clients *clients, struct wsp_client *client)
{
    wsp_bytes_fini(&client->head, clients->mem);
    client->phase = WSP_CLIENT_UNPROVEN;
    client->last_received = clients->now;
    if (!clients->config.confirm) {
        wsp_client_proven(clients, client);
    }
}

void wsp_client_proven(struct wspool_clients *clients, struct wsp_client *client)
{
    client->phase = WSP_CLIENT_OPEN;
    client->opened_at = clients->now;
    client->cause = WSPOOL_CLIENT_CAUSE_NONE;
    client->code = 0;
    wsp_clients_await(clients, client,
                      client->heartbeat > 0 ? wsp_clients_after(clients, client->heartbeat)
                                            : WSP_TIMERS_NEVER);
    wsp_client_tell(clients, client);
}

/* --------------------------------------------------------------- an attempt */

void wsp_client_afresh(struct wsp_client *client)
{
    client->attempt = client->delays = 0;
    client->flags &= (uint16_t) ~(WSP_CLIENT_EAGER | WSP_CLIENT_RENEWED);
}

static void refuse(struct wspool_clients *clients, struct wsp_client *client, wspool_text reason)
{
    client->phase = WSP_CLIENT_FAILED;
    client->flags |= WSP_CLIENT_REFUSED;
    tell(clients, client, reason);
}

/* There is no token, or none that could be sent. If the server has asked for another one, the code
 * stays that of the server. */
static void refuse_token(struct wspool_clients *clients, struct wsp_client *client, int renew)
{
    wsp_client_drop(clients, client);
    client->code = renew ? client->code : 0;
    client->cause = WSPOOL_CLIENT_CAUSE_TOKEN;
    refuse(clients, client, (wspool_text){"", 0});
}

static int is_visible(wspool_text text)
{
    return wsp_text_span(text, '!', '~') == text.len;
}

/* Calls the query hook, and queues the request. Returns 0 or an error. */
static int put_request(struct wspool_clients *clients, struct wsp_client *client, wspool_text token)
{
    const wspool_client_query_hook *hook = &clients->config.query;
    uint32_t serial = client->serial;
    wspool_text added = {NULL, 0};
    struct wsp_bytes query = {NULL, 0, 0};

    if (hook->call) {
        clients->hooks++;
        hook->call(clients, wsp_slot_id(&client->slot), &added, hook->user);
        clients->hooks--;
    }
    if (client->serial != serial) {
        return 0;
    }
    if (added.len > UINT16_MAX || !is_visible(added) ||
        (added.len > 0 && memchr(added.data, '#', added.len))) {
        return WSPOOL_ERR_INVAL;
    }
    int error = wsp_bytes_append(&query, clients->mem, "client=", 7, SIZE_MAX / 4);
    if (!error) {
        error = wsp_bytes_append(&query, clients->mem, client->instance, strlen(client->instance),
                                 SIZE_MAX / 4);
    }
    if (!error && added.len > 0) {
        error = wsp_bytes_append(&query, clients->mem, "&", 1, SIZE_MAX / 4);
    }
    if (!error && added.len > 0) {
        error = wsp_bytes_append(&query, clients->mem, added.data, added.len, SIZE_MAX / 4);
    }
    if (!error) {
        error = wsp_client_put_request(clients, client,
                                       (wspool_text){(const char *)query.data, query.len}, token);
    }
    wsp_bytes_fini(&query, clients->mem);
    return error;
}

void wsp_client_proceed(struct wspool_clients *clients, struct wsp_client *client,
                        wspool_text token)
{
    uint32_t serial = client->serial;
    client->flags &= (uint16_t)~WSP_CLIENT_ASKED;
    if (!is_visible(token)) {
        refuse_token(clients, client, 0);
        return;
    }
    int error = put_request(clients, client, token);
    if (client->serial != serial) {
        return;
    }
    if (error) {
        wsp_client_failed(clients, client, WSPOOL_CLIENT_CAUSE_LOCAL);
        return;
    }
    client->phase = WSP_CLIENT_DIALING;
    wsp_clients_mark_ready(clients, client);
}

/* Asks for a token, unless the hook is still busy with that. */
static void ask(struct wspool_clients *clients, struct wsp_client *client, int renew)
{
    const wspool_client_token_hook *hook = &clients->config.token;
    uint32_t serial = client->serial;
    wspool_text token = {"", 0};
    int answer = 0;

    if (client->flags & WSP_CLIENT_ASKED) {
        return;
    }
    if (hook->call) {
        client->flags |= WSP_CLIENT_ASKED;
        clients->hooks++;
        answer = hook->call(clients, wsp_slot_id(&client->slot), renew, &token, hook->user);
        clients->hooks--;
        if (client->serial != serial || !(client->flags & WSP_CLIENT_ASKED)) {
            return; /* the hook has disconnected it, or has answered itself */
        }
    }
    if (answer == 2) {
        return;
    }
    if (answer < 0 || (answer > 0 && wsp_text_trimmed(token).len == 0)) {
        client->flags &= (uint16_t)~WSP_CLIENT_ASKED;
        refuse_token(clients, client, renew);
        return;
    }
    wsp_client_proceed(clients, client, answer > 0 ? token : (wspool_text){"", 0});
}

void wsp_client_start(struct wspool_clients *clients, struct wsp_client *client, int renew)
{
    wsp_client_drop(clients, client);
    clients->serial += clients->serial == UINT32_MAX ? 2 : 1; /* never 0 */
    uint32_t serial = client->serial = clients->serial;
    client->attempt += client->attempt < UINT32_MAX;
    client->phase = WSP_CLIENT_ASKING;
    wsp_clients_await(clients, client, wsp_clients_after(clients, clients->config.attempt_time));
    wsp_client_tell(clients, client);
    if (client->serial == serial) {
        ask(clients, client, renew);
    }
}

/* ----------------------------------------------------------------- its end */

static void wait(struct wspool_clients *clients, struct wsp_client *client, uint64_t after,
                 wspool_text reason)
{
    uint64_t random = 0;
    if (client->attempt >= clients->config.attempts && clients->config.attempts < UINT32_MAX) {
        client->phase = WSP_CLIENT_FAILED;
    } else {
        client->phase = WSP_CLIENT_WAITING;
        if (wsp_clients_random(clients, &random, sizeof random)) {
            random = UINT64_MAX; /* the longest delay */
        }
        uint64_t delay = wsp_client_delay(client->delays, client->spread, after, random);
        client->delays += client->delays < UINT32_MAX;
        wsp_clients_await(clients, client, wsp_clients_after(clients, delay));
    }
    tell(clients, client, reason);
}

void wsp_client_ended(struct wspool_clients *clients, struct wsp_client *client,
                      const struct wsp_client_end *end)
{
    int was_open = client->phase == WSP_CLIENT_OPEN || (client->flags & WSP_CLIENT_WAS_OPEN);
    int stable = was_open && clients->now - client->opened_at >= clients->config.stable_time;
    char text[WSP_CONTROL_MAX];
    wspool_text reason = {text, client->phase == WSP_CLIENT_CLOSING ? client->head.len : 0};

    if (reason.len > 0) {
        memcpy(text, client->head.data, reason.len);
    }
    wsp_client_drop(clients, client);
    if (!(client->flags & WSP_CLIENT_WANTED)) {
        return; /* disconnect has told that */
    }
    if (stable) {
        wsp_client_afresh(client);
    }
    client->code = (uint16_t)(end->code ? end->code : end->status);
    client->cause = (uint8_t)wsp_client_cause(end);
    switch (wsp_client_judge(end,
                             clients->config.token.call && !(client->flags & WSP_CLIENT_RENEWED),
                             (client->flags & WSP_CLIENT_EAGER) != 0)) {
    case WSP_CLIENT_RENEW:
        client->flags |= WSP_CLIENT_RENEWED;
        wsp_client_start(clients, client, 1);
        break;
    case WSP_CLIENT_REFUSE:
        refuse(clients, client, reason);
        break;
    case WSP_CLIENT_AT_ONCE:
        client->flags |= WSP_CLIENT_EAGER;
        wsp_client_start(clients, client, 0);
        break;
    case WSP_CLIENT_DELAY:
        wait(clients, client, end->after, reason);
        break;
    }
}

void wsp_client_failed(struct wspool_clients *clients, struct wsp_client *client,
                       enum wspool_client_cause cause)
{
    struct wsp_client_end end = {.cause = cause};
    wsp_client_ended(clients, client, &end);
}
