/* SPDX-License-Identifier: MIT */
/* pool/contracts.c - see pool/contracts.h. */
#include "pool/contracts.h"

#include <string.h>

#define NO_SUBPROTOCOL UINT32_MAX

int wsp_contract_check(const wspool *pool, const wspool_handlers *handlers)
{
    if (!handlers->render) {
        return 0;
    }
    if (pool->contracts.count > 0 && !handlers->subprotocol) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->registry.channels.count > 0) {
        return WSPOOL_ERR_STATE;
    }
    return pool->contracts.count < WSPOOL_CONTRACTS ? 0 : WSPOOL_ERR_FULL;
}

void wsp_contract_add(wspool *pool, uint32_t handler, int has_subprotocol)
{
    struct wsp_contract *contract = &pool->contracts.list[pool->contracts.count++];
    uint32_t last = 0;
    while (has_subprotocol && pool->config.subprotocols[last + 1]) {
        last++;
    }
    contract->handler = handler;
    contract->subprotocol = has_subprotocol ? last : NO_SUBPROTOCOL;
}

void wsp_contract_join(wspool *pool, struct wsp_peer *peer, const char *subprotocol)
{
    const struct wsp_contracts *contracts = &pool->contracts;
    uint8_t found = 0;
    for (uint8_t i = 1; subprotocol && i < contracts->count; i++) {
        if (strcmp(subprotocol, pool->config.subprotocols[contracts->list[i].subprotocol]) == 0) {
            found = i;
        }
    }
    peer->conn.contract = found;
    pool->contracts.in_use |= 1u << found;
}

static int render(const wspool_handlers *handlers, uint32_t queue_bytes,
                  const wspool_publication *publication, struct wsp_rendering *rendering)
{
    wspool_text text = {0};
    int result = handlers->render(publication, &text, handlers->user);
    if (result < 0) {
        return result;
    }
    return wsp_rendering_read(rendering, queue_bytes, text.data, text.len,
                              result == WSPOOL_BINARY ? WSP_BINARY : WSP_TEXT);
}

int wsp_contracts_render(wspool *pool, const struct wsp_channel *channel,
                         const wspool_channel_position *position,
                         const wspool_seed_message *message, int all, struct wsp_rendering *list)
{
    const wspool_publication publication = {.channel = wsp_channel_name(channel),
                                            .epoch = position->epoch,
                                            .offset = position->offset,
                                            .time = message->time,
                                            .type = message->type,
                                            .data = {message->data, message->len},
                                            .key = message->key,
                                            .removed = (message->flags & WSPOOL_REMOVE) != 0};
    const struct wsp_contracts *contracts = &pool->contracts;
    int error = contracts->count > 0 ? 0 : WSPOOL_ERR_STATE;
    for (uint32_t i = 0; !error && i < contracts->count; i++) {
        list[i].frame_len = 0;
        if (i == 0 || all || (contracts->in_use >> i & 1u)) {
            pool->composing = 1;
            error = render(&pool->handlers.list[contracts->list[i].handler],
                           channel->rules->queue_bytes, &publication, &list[i]);
            pool->composing = 0;
        }
    }
    return error;
}

void wsp_renderings_write(const struct wsp_rendering *list, uint32_t first, uint32_t count,
                          uint8_t *out)
{
    for (uint32_t i = first; i < count; i++) {
        const struct wsp_message *message = &list[i].message;
        wsp_frame_write(out, message->opcode, message->data, message->len);
        out += list[i].frame_len;
    }
}

void *wspool_contract(const wspool *pool, wspool_id id)
{
    const struct wsp_peer *peer = pool ? wsp_slots_find(&pool->peers, id) : NULL;
    if (!peer || !(peer->conn.flags & WSP_ACCEPTED) || pool->contracts.count == 0) {
        return NULL;
    }
    return pool->handlers.list[pool->contracts.list[peer->conn.contract].handler].user;
}

int wsp_contracts_check(const wspool *pool)
{
    const struct wsp_contracts *contracts = &pool->contracts;
    uint32_t next = 0;
    for (uint32_t i = 0; i < contracts->count; i++) {
        uint32_t handler = contracts->list[i].handler;
        if (handler < next || handler >= pool->handlers.count ||
            !pool->handlers.list[handler].render) {
            return 0;
        }
        next = handler + 1;
    }
    return 1;
}
