/* SPDX-License-Identifier: MIT */
/* pool/handlers.c - see pool/handlers.h. */
#include "pool/handlers.h"

#include <stddef.h>

#include <wspool/versioned.h>
#include "base/noinline.h"
#include "pool/call.h"
#include "pool/contracts.h"
#include "pool/settings.h"

/* ----------------------------------------------------------------- messages */

static wspool *pool_of(struct wsp_link *link)
{
    return (wspool *)(void *)((char *)link - offsetof(wspool, link));
}

/* The key of the peer has sent one more message. If that is too many, the peer is closed: its host
 * has this one, and gets no other. */
static WSP_NOINLINE void count_message(wspool *pool, struct wsp_conn *conn)
{
    const struct wsp_peer *peer = wsp_slots_at(&pool->peers, conn->slot.index);
    if (peer->side && !wsp_limits_draw(&pool->limits, peer->side->place, WSP_LIMITED_MESSAGES, 1,
                                       pool->link.now)) {
        wsp_conn_fail(&pool->link, conn, WSPOOL_END_RATE, 0);
    }
}

static void call_hook(wspool *pool, struct wsp_conn *conn, const wspool_message *message)
{
    const wspool_message_hook *hook = &pool->config.message;
    if (hook->call) {
        hook->call(pool, wsp_slot_id(&conn->slot), message, hook->user);
    }
}

void wsp_on_message(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *data, size_t len,
                    int binary)
{
    wspool *pool = pool_of(link);
    const wspool_message message = {.data = data,
                                    .len = len,
                                    .binary = binary,
                                    .route_user = pool->routes.list[conn->route].user};
    call_hook(pool, conn, &message);
    if (pool->limits.traffic) {
        count_message(pool, conn);
    }
}

/* As wsp_on_message, once handlers are attached: the hook gets a message that no handler took,
 * unless a handler has closed the peer. */
static void on_message_attached(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *data,
                                size_t len, int binary)
{
    wspool *pool = pool_of(link);
    const wspool_message message = {.data = data,
                                    .len = len,
                                    .binary = binary,
                                    .route_user = pool->routes.list[conn->route].user};
    int taken = 0;
    for (uint32_t i = 0; i < pool->handlers.count && !taken; i++) {
        const wspool_handlers *each = &pool->handlers.list[i];
        taken = each->message && wsp_handlers_hear(pool, i, conn) &&
                (each->message(pool, wsp_slot_id(&conn->slot), &message, each->user) ||
                 conn->state != WSP_OPEN);
    }
    if (!taken) {
        call_hook(pool, conn, &message);
    }
    if (pool->limits.traffic) {
        count_message(pool, conn);
    }
}

/* ---------------------------------------------------------------- attaching */

int wspool_attach(wspool *pool, const wspool_handlers *given)
{
    wspool_handlers handlers = {0};
    int good = given && !wspool_versioned_read(&handlers, sizeof handlers, given);
    int error = wsp_call(pool, good, WSP_OUTSIDE);
    if (error) {
        return error;
    }
    if (pool->peers.used > 0) {
        return WSPOOL_ERR_STATE;
    }
    error = wsp_contract_check(pool, &handlers);
    if (error) {
        return error;
    }
    struct wsp_handlers *ours = &pool->handlers;
    wspool_handlers *list =
        wsp_resize(&pool->config.mem, ours->list, (size_t)ours->count + 1, sizeof *list);
    if (!list) {
        return WSPOOL_ERR_NOMEM;
    }
    ours->list = list;
    error = wsp_settings_add_subprotocol(&pool->config, handlers.subprotocol);
    if (error) {
        return error;
    }
    if (handlers.render) {
        wsp_contract_add(pool, ours->count, handlers.subprotocol != NULL);
    }
    handlers.subprotocol = NULL; /* the configuration has a copy */
    list[ours->count++] = handlers;
    pool->link.on_message = on_message_attached;
    ours->token |= handlers.token != NULL;
    ours->capacity |= handlers.capacity != NULL;
    ours->log |= handlers.log != NULL;
    ours->deadline = handlers.tick ? 0 : ours->deadline;
    return 0;
}

const wspool_config *wspool_config_of(const wspool *pool)
{
    return pool ? &pool->config : NULL;
}

/* --------------------------------------------------------------------- tick */

void wsp_handlers_call_tick(wspool *pool)
{
    uint64_t deadline = UINT64_MAX;
    for (uint32_t i = 0; i < pool->handlers.count; i++) {
        const wspool_handlers *each = &pool->handlers.list[i];
        if (each->tick) {
            uint64_t next = each->tick(pool, pool->link.now, each->user);
            deadline = next < deadline ? next : deadline;
        }
    }
    pool->handlers.deadline = deadline;
}

void wsp_handlers_fini(wspool *pool)
{
    wsp_free(&pool->config.mem, pool->handlers.list);
    pool->handlers = (struct wsp_handlers){.deadline = UINT64_MAX};
}

int wsp_handlers_check(const wspool *pool)
{
    const struct wsp_handlers *ours = &pool->handlers;
    return ours->count == 0 ? ours->deadline == UINT64_MAX : ours->list != NULL;
}
