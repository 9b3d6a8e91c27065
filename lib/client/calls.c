/* SPDX-License-Identifier: MIT */
/*
 * client/calls.c - the public calls of wspool/client.h that drive clients and their transports.
 */
#include <string.h>

#include "client/attempt.h"
#include "client/client.h"
#include "client/input.h"
#include "client/life.h"
#include "client/output.h"

/* A quiet server that was asked out of turn has this time for its answer. */
#define PROBE_TIME (3 * WSPOOL_SECOND)
/* A deadline that is seen so late says that the machine stood still. */
#define LATE (2 * WSPOOL_SECOND)

static void set_now(struct wspool_clients *clients, uint64_t now)
{
    if (now > clients->now) {
        clients->now = now;
    }
}

/* Returns the client, and it is `now` for it. Returns NULL if the id is stale. */
static struct wsp_client *client_at(struct wspool_clients *clients, wspool_id id, uint64_t now)
{
    struct wsp_client *client = wsp_clients_find(clients, id);
    if (client) {
        set_now(clients, now);
    }
    return client;
}

/* --------------------------------------------------------- what a client does */

int wspool_clients_connect(wspool_clients *clients, wspool_id id, uint64_t now)
{
    struct wsp_client *client = client_at(clients, id, now);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (client->phase < WSP_CLIENT_ASKING || !(client->flags & WSP_CLIENT_WANTED)) {
        client->flags |= WSP_CLIENT_WANTED;
        wsp_client_afresh(client);
        wsp_client_start(clients, client, 0);
    }
    return 0;
}

int wspool_clients_reconnect(wspool_clients *clients, wspool_id id, uint64_t now)
{
    struct wsp_client *client = client_at(clients, id, now);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (client->flags & WSP_CLIENT_WANTED) {
        wsp_client_start(clients, client, 0);
    }
    return 0;
}

int wspool_clients_disconnect(wspool_clients *clients, wspool_id id, uint64_t now)
{
    struct wsp_client *client = client_at(clients, id, now);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (!(client->flags & WSP_CLIENT_WANTED)) {
        return 0;
    }
    client->flags &= (uint16_t) ~(WSP_CLIENT_WANTED | WSP_CLIENT_ASKED);
    client->code = 0;
    client->cause = WSPOOL_CLIENT_CAUSE_NONE;
    if (client->phase == WSP_CLIENT_OPEN || client->phase == WSP_CLIENT_UNPROVEN) {
        wsp_client_close(clients, client, WSPOOL_CLOSE_NORMAL);
    } else if (client->phase != WSP_CLIENT_CLOSING) {
        wsp_client_drop(clients, client);
    }
    wsp_client_tell(clients, client);
    return 0;
}

/* Sends a ping, and gives the server this time for any byte. */
static void ping(struct wspool_clients *clients, struct wsp_client *client, unsigned flags,
                 uint64_t time)
{
    client->flags |= (uint16_t)(WSP_CLIENT_PINGED | flags);
    wsp_client_put_frame(clients, client, WSP_PING, NULL, 0);
    wsp_clients_await(clients, client, wsp_clients_after(clients, time));
}

int wspool_clients_probe(wspool_clients *clients, wspool_id id, uint64_t now)
{
    struct wsp_client *client = client_at(clients, id, now);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (client->phase == WSP_CLIENT_OPEN) {
        if (!(client->flags & WSP_CLIENT_SOON)) {
            ping(clients, client, WSP_CLIENT_SOON, PROBE_TIME);
        }
    } else if (client->phase == WSP_CLIENT_WAITING) {
        wsp_client_start(clients, client, 0);
    } else if (client->phase == WSP_CLIENT_FAILED && !(client->flags & WSP_CLIENT_REFUSED)) {
        wsp_client_afresh(client);
        wsp_client_start(clients, client, 0);
    }
    return 0;
}

int wspool_clients_token(wspool_clients *clients, wspool_id id, wspool_text token, uint64_t now)
{
    struct wsp_client *client = wsp_clients_find(clients, id);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (client->phase != WSP_CLIENT_ASKING || !(client->flags & WSP_CLIENT_ASKED)) {
        return WSPOOL_ERR_STATE;
    }
    set_now(clients, now);
    wsp_client_proceed(clients, client, token);
    return 0;
}

int wspool_clients_confirm(wspool_clients *clients, wspool_id id, uint64_t now)
{
    struct wsp_client *client = wsp_clients_find(clients, id);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (client->phase != WSP_CLIENT_UNPROVEN) {
        return WSPOOL_ERR_STATE;
    }
    set_now(clients, now);
    wsp_client_proven(clients, client);
    return 0;
}

int wspool_clients_set_spread(wspool_clients *clients, wspool_id id, uint64_t spread)
{
    struct wsp_client *client = wsp_clients_find(clients, id);
    if (!client || spread > WSPOOL_TIME_MAX) {
        return client ? WSPOOL_ERR_INVAL : WSPOOL_ERR_STALE;
    }
    client->spread = spread;
    return 0;
}

int wspool_clients_set_heartbeat(wspool_clients *clients, wspool_id id, uint64_t interval)
{
    struct wsp_client *client = wsp_clients_find(clients, id);
    if (!client || interval > WSPOOL_TIME_MAX) {
        return client ? WSPOOL_ERR_INVAL : WSPOOL_ERR_STALE;
    }
    client->heartbeat = interval;
    if (client->phase == WSP_CLIENT_OPEN && !(client->flags & WSP_CLIENT_PINGED)) {
        wsp_clients_await(clients, client,
                          interval > 0 ? wsp_clients_after(clients, interval) : WSP_TIMERS_NEVER);
    }
    return 0;
}

int wspool_clients_send(wspool_clients *clients, wspool_id id, const void *data, size_t len,
                        int binary)
{
    struct wsp_client *client = wsp_clients_find(clients, id);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (!data && len > 0) {
        return WSPOOL_ERR_INVAL;
    }
    if (client->phase != WSP_CLIENT_OPEN) {
        return WSPOOL_ERR_STATE;
    }
    return wsp_client_put_frame(clients, client, binary ? WSP_BINARY : WSP_TEXT, data, len);
}

/* ------------------------------------------------------------ moving the bytes */

/* Returns what the transport of the client's present attempt wants. */
static unsigned wants_of(const struct wsp_client *client)
{
    if (client->phase == WSP_CLIENT_DIALING) {
        return client->told ? 0 : WSPOOL_CLIENT_CONNECT;
    }
    return client->told && client->phase >= WSP_CLIENT_SHAKING && wsp_client_waiting(client) > 0 &&
                   !(client->flags & WSP_CLIENT_BLOCKED)
               ? WSPOOL_CLIENT_WRITE
               : 0;
}

int wspool_clients_next(wspool_clients *clients, wspool_stream *stream, wspool_id *id,
                        unsigned *wants)
{
    uint32_t slot;
    if (!clients || !stream || !id || !wants) {
        return WSPOOL_ERR_INVAL;
    }
    while ((slot = wsp_bitset_pop(&clients->ready)) != WSP_BITSET_END) {
        struct wsp_client *client = wsp_slots_at(&clients->slots, slot);
        int removed = (client->flags & WSP_CLIENT_REMOVED) != 0;
        *id = removed ? 0 : wsp_slot_id(&client->slot);
        if (client->told && client->told != client->serial) { /* a transport that was given up */
            *stream = wsp_client_stream(client, client->told);
            *wants = WSPOOL_CLIENT_CLOSE;
            client->told = 0;
            if (removed) {
                wsp_clients_release(clients, client);
            } else {
                wsp_clients_mark_ready(clients, client);
            }
            return 1;
        }
        *wants = wants_of(client);
        if (*wants) {
            client->told = client->serial;
            *stream = wsp_client_stream(client, client->serial);
            return 1;
        }
    }
    return 0;
}

/* Returns the client whose present transport is this stream, or NULL. */
static struct wsp_client *present(const struct wspool_clients *clients, wspool_stream stream)
{
    struct wsp_client *client = wsp_clients_find_stream(clients, stream);
    return client && client->serial == client->told ? client : NULL;
}

int wspool_clients_connected(wspool_clients *clients, wspool_stream stream, uint64_t now)
{
    struct wsp_client *client = present(clients, stream);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    set_now(clients, now);
    if (client->phase == WSP_CLIENT_DIALING) {
        client->phase = WSP_CLIENT_SHAKING;
        wsp_clients_mark_ready(clients, client);
    }
    return 0;
}

int wspool_clients_feed(wspool_clients *clients, wspool_stream stream, const void *bytes,
                        size_t len, uint64_t now)
{
    struct wsp_client *client = present(clients, stream);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (clients->hooks > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    if (!bytes && len > 0) {
        return WSPOOL_ERR_INVAL;
    }
    set_now(clients, now);
    if (len > 0 && client->phase >= WSP_CLIENT_SHAKING) {
        wsp_client_receive(clients, client, bytes, len);
    }
    return 0;
}

int wspool_clients_peek(wspool_clients *clients, wspool_stream stream, const void **bytes,
                        size_t *len)
{
    struct wsp_client *client = present(clients, stream);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (!bytes || !len) {
        return WSPOOL_ERR_INVAL;
    }
    *len = client->phase >= WSP_CLIENT_SHAKING ? wsp_client_waiting(client) : 0;
    *bytes = *len > 0 ? client->out.data + client->out_start : NULL;
    return 0;
}

int wspool_clients_ack(wspool_clients *clients, wspool_stream stream, size_t written, uint64_t now)
{
    struct wsp_client *client = present(clients, stream);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    if (client->phase < WSP_CLIENT_SHAKING || written > wsp_client_waiting(client)) {
        return WSPOOL_ERR_INVAL;
    }
    set_now(clients, now);
    wsp_client_written(clients, client, written);
    if (wsp_client_waiting(client) > 0) {
        client->flags |= WSP_CLIENT_BLOCKED;
    }
    return 0;
}

int wspool_clients_writable(wspool_clients *clients, wspool_stream stream)
{
    struct wsp_client *client = present(clients, stream);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    client->flags &= (uint16_t)~WSP_CLIENT_BLOCKED;
    wsp_clients_mark_ready(clients, client);
    return 0;
}

/* The transport of a closing client has ended, or the time for it is over. */
static void closed(struct wspool_clients *clients, struct wsp_client *client)
{
    struct wsp_client_end end = {.code = client->code,
                                 .cause = (enum wspool_client_cause)client->cause};
    wsp_client_ended(clients, client, &end);
}

int wspool_clients_gone(wspool_clients *clients, wspool_stream stream, uint64_t now)
{
    struct wsp_client *client = wsp_clients_find_stream(clients, stream);
    if (!client) {
        return WSPOOL_ERR_STALE;
    }
    set_now(clients, now);
    int is_present = client->told == client->serial;
    client->told = 0;
    if (client->flags & WSP_CLIENT_REMOVED) {
        wsp_clients_release(clients, client);
    } else if (is_present && client->phase == WSP_CLIENT_CLOSING) {
        closed(clients, client);
    } else if (is_present) {
        wsp_client_failed(clients, client, WSPOOL_CLIENT_CAUSE_NETWORK);
    }
    return 0;
}

/* ------------------------------------------------------------------- time */

uint64_t wspool_clients_deadline(const wspool_clients *clients)
{
    if (!clients) {
        return WSP_TIMERS_NEVER;
    }
    return wsp_bitset_has_any(&clients->ready) ? 0 : wsp_timers_next(&clients->timers);
}

/* A connected client: is the server still there? */
static void look(struct wspool_clients *clients, struct wsp_client *client)
{
    uint64_t quiet = clients->now - client->last_received;
    int late = clients->now - client->deadline > LATE;
    unsigned flags = client->flags;

    if ((flags & WSP_CLIENT_PINGED) && (!late || (flags & WSP_CLIENT_AGAIN))) {
        struct wsp_client_end end = {.cause = WSPOOL_CLIENT_CAUSE_TIMEOUT,
                                     .ours = (flags & WSP_CLIENT_SOON) != 0};
        wsp_client_ended(clients, client, &end);
    } else if (flags & WSP_CLIENT_PINGED) { /* late once proves nothing */
        ping(clients, client, WSP_CLIENT_SOON | WSP_CLIENT_AGAIN, PROBE_TIME);
    } else if (late) {
        ping(clients, client, WSP_CLIENT_SOON, PROBE_TIME);
    } else if (client->heartbeat == 0) {
        wsp_clients_await(clients, client, WSP_TIMERS_NEVER);
    } else if (quiet >= client->heartbeat) {
        ping(clients, client, 0, clients->config.pong_time);
    } else {
        wsp_clients_await(clients, client, wsp_clients_after(clients, client->heartbeat - quiet));
    }
}

int wspool_clients_tick(wspool_clients *clients, uint64_t now)
{
    uint32_t slot;
    if (!clients) {
        return WSPOOL_ERR_INVAL;
    }
    if (clients->hooks > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    set_now(clients, now);
    while ((slot = wsp_timers_fire(&clients->timers, clients->now)) != WSP_TIMER_NONE) {
        struct wsp_client *client = wsp_slots_at(&clients->slots, slot);
        switch (client->phase) {
        case WSP_CLIENT_WAITING:
            wsp_client_start(clients, client, 0);
            break;
        case WSP_CLIENT_OPEN:
            look(clients, client);
            break;
        case WSP_CLIENT_CLOSING:
            closed(clients, client);
            break;
        default: /* the attempt has taken too long; a token hook may hang, and is called again */
            client->flags &= (uint16_t)~WSP_CLIENT_ASKED;
            wsp_client_failed(clients, client, WSPOOL_CLIENT_CAUSE_TIMEOUT);
            break;
        }
    }
    return 0;
}
