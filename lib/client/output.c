/* SPDX-License-Identifier: MIT */
/* client/output.c - see client/output.h. */
#include "client/output.h"

#include <string.h>

#include "client/entropy.h"
#include "wire/closing.h"

#define LONGEST_REQUEST 65536u

/* Makes room for `more` bytes behind what waits, which moves to the front. */
static uint8_t *reserve(struct wspool_clients *clients, struct wsp_client *client, size_t more,
                        size_t most)
{
    struct wsp_bytes *out = &client->out;
    if (client->out_start > 0) {
        out->len = wsp_client_waiting(client);
        memmove(out->data, out->data + client->out_start, out->len);
        client->out_start = 0;
    }
    return wsp_bytes_reserve(out, clients->mem, more, most) ? NULL : out->data + out->len;
}

int wsp_client_put_request(struct wspool_clients *clients, struct wsp_client *client,
                           wspool_text query, wspool_text token)
{
    char key[WSP_KEY_LEN + 1], accept[WSP_ACCEPT_LEN + 1];
    struct wsp_opening opening = {.url = &clients->url,
                                  .query = query,
                                  .key = key,
                                  .subprotocols = clients->config.subprotocols,
                                  .token = token};
    int error = wsp_clients_random(clients, client->nonce, sizeof client->nonce);
    if (error) {
        return error;
    }
    wsp_opening_key(client->nonce, key, accept);
    size_t len = wsp_opening_write(&opening, NULL, 0);
    if (len > LONGEST_REQUEST) {
        return WSPOOL_ERR_INVAL;
    }
    uint8_t *at = reserve(clients, client, len, LONGEST_REQUEST);
    if (!at) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_opening_write(&opening, (char *)at, len);
    client->out.len += len;
    return 0;
}

int wsp_client_put_frame(struct wspool_clients *clients, struct wsp_client *client, unsigned opcode,
                         const void *payload, size_t len)
{
    size_t most = clients->config.queue_bytes;
    size_t all = WSP_HEAD_MAX + len;
    uint8_t key[4];
    if (wsp_opcode_is_control(opcode)) {
        most += WSP_CLIENT_CONTROL_ROOM;
    }
    if (len > most || all > most || wsp_client_waiting(client) > most - all) {
        return WSPOOL_ERR_FULL;
    }
    int error = wsp_clients_random(clients, key, sizeof key);
    if (error) {
        return error;
    }
    uint8_t *at = reserve(clients, client, all,
                          (size_t)clients->config.queue_bytes + WSP_CLIENT_CONTROL_ROOM);
    if (!at) {
        return WSPOOL_ERR_NOMEM;
    }
    wsp_frame_write_masked(at, opcode, key, payload, len);
    client->out.len += wsp_frame_head_len(len) + 4 + len;
    wsp_clients_mark_ready(clients, client);
    return 0;
}

int wsp_client_put_close(struct wspool_clients *clients, struct wsp_client *client, int code)
{
    uint8_t payload[WSP_CONTROL_MAX];
    size_t len = wsp_close_write(payload, code, NULL, 0);
    return wsp_client_put_frame(clients, client, WSP_CLOSE, payload, len);
}

void wsp_client_written(struct wspool_clients *clients, struct wsp_client *client, size_t bytes)
{
    client->out_start += (uint32_t)bytes;
    if (wsp_client_waiting(client) == 0) {
        wsp_client_drop_output(clients, client);
    }
}

void wsp_client_drop_output(struct wspool_clients *clients, struct wsp_client *client)
{
    wsp_bytes_fini(&client->out, clients->mem);
    client->out_start = 0;
}
