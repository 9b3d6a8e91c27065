/* SPDX-License-Identifier: MIT */
/*
 * wspool/handlers.h - several parties listen to one pool.
 *
 * The hooks of wspool_config belong to the application. Companions (wspool/json.h and the like) and
 * parts of an application attach handlers beside them, as many as there are.
 *
 * Order: handlers are called in the order of attaching, then the hook of wspool_config, which so
 * finds the companions' work done. What a hook may do inside, its comment in config.h says; the
 * same holds for a handler. Each handler may be NULL.
 *
 *   token, capacity   all must accept, the hook of wspool_config too. The first that refuses is
 *                     the answer, and nobody after it is asked. Several may answer
 *                     WSPOOL_PENDING: the peer waits until each of them has completed with one
 *                     wspool_auth_complete, and one that refuses refuses the peer. Of several
 *                     identities the first that is not NULL stays; the others go to identity_free.
 *   message           returns 1 when the message is its own: nobody after it sees the message. 0:
 *                     not mine. Nobody sees a message of a peer that a handler before it closed.
 *   tick              is called in each wspool_tick, after the deadlines of the peers. It returns
 *                     when it wants to be called next at the latest, in the pool's time;
 *                     UINT64_MAX: never. wspool_deadline includes it. Until its first call the
 *                     deadline is 0.
 *   all others        are called for each handler.
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
    const char *subprotocol; /* offered beside those of wspool_config, and after them. NULL: none.
                                Copied */
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
 * Attaches handlers to a pool, which keeps a copy of the struct until it is freed: `user` must live
 * as long. There is no way to detach. On error nothing is attached.
 * INVAL: an argument is NULL; the size was not set; the subprotocol is not a token (RFC 9110,
 * 5.6.2) of at most 255 bytes, or begins with "bearer.".
 * STATE: a peer is there already, for which the handlers would see an end without a beginning:
 * attach before the first wspool_open and wspool_upgrade, or once all peers are released.
 * REENTRANT: attach after the hook has returned. NOMEM: try again later.
 */
int wspool_attach(wspool *pool, const wspool_handlers *handlers);

/* The pool's own copy of its configuration, for looking only. It lives as long as the pool. Its
 * `origins` are NULL: they are kept in another form. Its `subprotocols` hold those of attached
 * handlers too, and the list moves when another one is attached. NULL for a NULL pool. */
const wspool_config *wspool_config_of(const wspool *pool);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
