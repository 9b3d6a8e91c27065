/* SPDX-License-Identifier: MIT */
/*
 * wspool/handlers.h - several handlers of the same event on one pool.
 *
 * The hooks of wspool_config belong to the application. Companions (wspool/json.h, for example) and
 * parts of an application attach handlers beside them, any number of them.
 *
 * Order: handlers run in the order of attaching, and then the hook of wspool_config runs, so that
 * it finds the companions' work done. The comment of a hook in config.h says what may be done
 * inside it; the same holds for a handler. Each handler may be NULL.
 *
 *   token, capacity   all must accept, the hook of wspool_config too. The first refusal is the
 *                     answer, and no later handler runs. Several may answer WSPOOL_PENDING: the
 *                     peer waits until each of them has called wspool_auth_complete once; one
 *                     refusal refuses the peer. Of several identities the first one that is not
 *                     NULL is kept; the others go to identity_free.
 *   message           returns 1 if the message was its own: no later handler sees it; 0 if not. A
 *                     message of a peer that a handler has closed goes to no later handler.
 *   tick              runs in each wspool_tick, after the deadlines of the peers. It returns when
 *                     it must run next at the latest, in the pool's time; UINT64_MAX: never.
 *                     wspool_deadline includes it, and is 0 until its first run.
 *   all others        run for each handler.
 */
#ifndef WSPOOL_HANDLERS_H
#define WSPOOL_HANDLERS_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/config.h>
#include <wspool/handshake.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool_handlers {
    size_t size;             /* sizeof(wspool_handlers) */
    void *user;              /* last argument of each handler */
    const char *subprotocol; /* offered besides those of wspool_config, and after them. NULL:
                                none. Copied */
    void (*token)(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                  void *user);
    int (*capacity)(wspool *pool, wspool_id id, const wspool_request *request, void *user);
    void (*open)(wspool *pool, wspool_id id, const wspool_opened *opened, void *user);
    int (*message)(wspool *pool, wspool_id id, const wspool_message *message, void *user);
    void (*close)(wspool *pool, wspool_id id, const wspool_closed *closed, void *user);
    void (*drop)(wspool *pool, wspool_id id, const wspool_dropped *dropped, void *user);
    void (*pressure)(wspool *pool, wspool_id id, int above, void *user);
    void (*channel)(wspool *pool, wspool_channel channel, int active, void *user);
    uint64_t (*tick)(wspool *pool, uint64_t now, void *user);
    void (*log)(wspool *pool, const wspool_log_record *record, void *user);
} wspool_handlers;

/*
 * Attaches handlers to a pool. The pool copies the struct and keeps it until it is freed: `user`
 * must be valid as long. Handlers cannot be detached. On error nothing is attached.
 *   INVAL      an argument is NULL, the size was not set, or the subprotocol is not a token (RFC
 *              9110, section 5.6.2) of at most 255 bytes or begins with "bearer.".
 *   STATE      there is a peer, whose end the handlers would see without its beginning. Attach
 *              before the first wspool_open or wspool_upgrade, or after all peers are released.
 *   REENTRANT  called from a hook. Attach after it has returned.
 *   NOMEM      the allocator failed.
 */
int wspool_attach(wspool *pool, const wspool_handlers *handlers);

/* Returns the pool's own copy of its configuration, read-only, valid as long as the pool; NULL
 * for a NULL pool. Its `origins` are NULL: they are stored in another form. Its `subprotocols`
 * include those of attached handlers; that list moves when another handler is attached. */
const wspool_config *wspool_config_of(const wspool *pool);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
