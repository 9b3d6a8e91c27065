/* SPDX-License-Identifier: MIT */
/* client/input.c - see client/input.h. */
#include "client/input.h"

#include <string.h>

#include "client/attempt.h"
#include "client/output.h"
#include "wire/closing.h"

#define ANSWER_BYTES 8192u
#define ANSWER_HEADERS 64u

/* ------------------------------------------------------------------ answer */

/* Acts on a complete answer. Returns 1 if frames follow, 0 if another answer does, and -1 if the
 * client has ended. */
static int take_answer(struct wspool_clients *clients, struct wsp_client *client,
                       const struct wsp_http_answer *answer)
{
    const char *const *offered = clients->config.subprotocols;
    char key[WSP_KEY_LEN + 1], accept[WSP_ACCEPT_LEN + 1];
    const char *chosen;

    if (answer->status < 200 && answer->status != 101) {
        return 0; /* interim (RFC 9110, section 15.2) */
    }
    if (answer->status != 101) {
        struct wsp_client_end end = {.status = answer->status};
        end.after = wsp_opening_retry_after(answer, WSP_CLIENT_RETRY_AFTER_MAX) * WSPOOL_SECOND;
        wsp_client_ended(clients, client, &end);
        return -1;
    }
    wsp_opening_key(client->nonce, key, accept);
    if (wsp_opening_judge(answer, accept, offered, &chosen)) {
        wsp_client_failed(clients, client, WSPOOL_CLIENT_CAUSE_PROTOCOL);
        return -1;
    }
    for (uint8_t i = 0; chosen && offered[i]; i++) {
        if (offered[i] == chosen) {
            client->subprotocol = (uint8_t)(i + 1);
        }
    }
    return 1;
}

/* Gathers the answer, and advances the input. Returns 1 if frames follow, else 0. */
static int receive_answer(struct wspool_clients *clients, struct wsp_client *client,
                          const uint8_t **bytes, size_t *len)
{
    struct wsp_bytes *head = &client->head;
    wspool_header headers[ANSWER_HEADERS];
    struct wsp_http_answer answer;

    while (*len > 0) {
        size_t seen = head->len, room = ANSWER_BYTES - seen;
        size_t n = *len < room ? *len : room;
        if (wsp_bytes_append(head, clients->mem, *bytes, n, ANSWER_BYTES)) {
            wsp_client_failed(clients, client, WSPOOL_CLIENT_CAUSE_LOCAL);
            return 0;
        }
        int parsed = wsp_http_parse_answer((const char *)head->data, head->len, seen, &answer,
                                           headers, ANSWER_HEADERS);
        if (parsed < 0 || (parsed == 0 && head->len == ANSWER_BYTES)) {
            wsp_client_failed(clients, client, WSPOOL_CLIENT_CAUSE_PROTOCOL);
            return 0;
        }
        if (parsed == 0) {
            return 0;
        }
        n = (size_t)parsed - seen; /* what was read before was not the whole answer */
        *bytes += n;
        *len -= n;
        int result = take_answer(clients, client, &answer);
        if (result != 0) {
            return result > 0;
        }
        head->len = 0;
    }
    return 0;
}

/* ------------------------------------------------------------------ frames */

static int close_code(enum wspool_end end)
{
    return end == WSPOOL_END_BAD_UTF8  ? WSPOOL_CLOSE_BAD_DATA
           : end == WSPOOL_END_TOO_BIG ? WSPOOL_CLOSE_TOO_BIG
           : end == WSPOOL_END_NOMEM   ? WSPOOL_CLOSE_INTERNAL
                                       : WSPOOL_CLOSE_PROTOCOL;
}

static void fail(struct wspool_clients *clients, struct wsp_client *client, enum wspool_end end)
{
    client->cause =
        end == WSPOOL_END_NOMEM ? WSPOOL_CLIENT_CAUSE_LOCAL : WSPOOL_CLIENT_CAUSE_PROTOCOL;
    client->code = 0;
    wsp_client_close(clients, client, close_code(end));
}

/* The server's Close: it is returned, and the server ends the transport (RFC 6455, section 7.1.1).
 *  */
static void take_close(struct wspool_clients *clients, struct wsp_client *client,
                       const struct wsp_input_result *result)
{
    int code;
    if (wsp_close_parse(result->data, result->len, &code)) {
        fail(clients, client, WSPOOL_END_PROTOCOL);
        return;
    }
    client->code = (uint16_t)code;
    client->cause = WSPOOL_CLIENT_CAUSE_CLOSED;
    wsp_client_close(clients, client, code);
    if (result->len > 2) { /* without memory there is no reason text */
        client->head.len = 0;
        wsp_bytes_append(&client->head, clients->mem, result->data + 2, result->len - 2,
                         WSP_CONTROL_MAX);
    }
}

static void take_control(struct wspool_clients *clients, struct wsp_client *client,
                         const struct wsp_input_result *result)
{
    if (result->opcode == WSP_CLOSE) {
        take_close(clients, client, result);
    } else if (result->opcode == WSP_PING &&
               wsp_client_waiting(client) <= clients->config.queue_bytes / 2) {
        wsp_client_put_frame(clients, client, WSP_PONG, result->data, result->len);
    }
}

/* A hook may remove the client while a frame is being read, so what the frame needs is kept here
 * meanwhile. */
static void receive_frames(struct wspool_clients *clients, struct wsp_client *client,
                           const uint8_t *bytes, size_t len)
{
    const wspool_client_message_hook *hook = &clients->config.message;
    struct wsp_input input = {
        .bytes = bytes, .len = len, .limit = clients->config.message_bytes, .now = clients->now};
    struct wsp_inbound *inbound = client->inbound;
    struct wsp_frame_parser parser = client->parser;
    struct wsp_input_result result;
    uint32_t serial = client->serial;

    client->inbound = NULL;
    do {
        wsp_inbound_next(&clients->inbounds, &inbound, &parser, &input, &result);
        if (result.kind == WSP_INPUT_ERROR) {
            fail(clients, client, result.end);
        } else if (result.kind == WSP_INPUT_CONTROL) {
            take_control(clients, client, &result);
        } else if (result.kind == WSP_INPUT_MESSAGE && hook->call) {
            clients->hooks++;
            hook->call(clients, wsp_slot_id(&client->slot), result.data, result.len,
                       result.opcode == WSP_BINARY, hook->user);
            clients->hooks--;
        }
    } while (result.kind != WSP_INPUT_MORE && client->serial == serial &&
             client->phase != WSP_CLIENT_CLOSING);
    if (client->serial == serial && client->phase != WSP_CLIENT_CLOSING) {
        client->inbound = inbound;
        client->parser = parser;
    } else {
        wsp_inbound_fini(&clients->inbounds, &inbound);
    }
}

void wsp_client_receive(struct wspool_clients *clients, struct wsp_client *client,
                        const uint8_t *bytes, size_t len)
{
    uint32_t serial = client->serial;
    client->last_received = clients->now;
    client->flags &= (uint16_t)~WSP_CLIENT_AWAITS_BYTES;
    if (client->phase == WSP_CLIENT_SHAKING) {
        if (!receive_answer(clients, client, &bytes, &len)) {
            return;
        }
        wsp_client_opened(clients, client);
    }
    if (client->serial == serial && client->phase != WSP_CLIENT_CLOSING && len > 0) {
        receive_frames(clients, client, bytes, len);
    }
}
