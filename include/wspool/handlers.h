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
 *   token, capacity   All handlers and the hook of wspool_config must accept. The first refusal is
 *                     the answer to the client, and no later handler runs. Several handlers may
 *                     return WSPOOL_PENDING: then the peer waits until each of them has called
 *                     wspool_auth_complete once, and one refusal refuses it. If several verdicts
 *                     have an identity, the first one that is not NULL is kept; the others go to
 *                     identity_free. Of subjects and client instances the first one that is not
 *                     empty is kept; of several expiries and times of issue the earliest one.
 *   origin            A handler that returns 1 admits the origin, and no later handler is asked.
 *   message           A handler returns 1 if it has taken the message, and no later handler gets
 *                     it; otherwise 0. If a handler closes the peer, no later handler gets the
 *                     message either.
 *   render            Makes these handlers a contract: see below.
 *   tick              Runs in each wspool_tick, after the deadlines of the peers. Returns the time
 *                     at which it must run again at the latest, in the pool's time; UINT64_MAX: no
 *                     such time. wspool_deadline includes it, and is 0 until the first run.
 *   all others        Every handler runs.
 *
 * Contracts
 *   A contract decides how messages look to its peers. It is a set of handlers with `render` and a
 *   `subprotocol`: peers that negotiated this subprotocol are its peers. All other peers are those
 *   of the contract that was attached first, which need not have a subprotocol. The handlers open,
 *   message, close, expiring, renewed, missed and pressure of a contract run for its own peers only.
 *
 *   wspool_publish publishes a message as parts (type, data, key). Each contract makes bytes of
 *   them for its peers, with their position: once for each publication, whatever the number of
 *   peers. A history keeps what every contract has made. So one channel serves peers of several
 *   contracts, live and when they resume.
 *   What wspool_broadcast and wspool_send send is the same for the peers of all contracts.
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

#define WSPOOL_CONTRACTS 4 /* at most so many on one pool */

/* A message in parts. Valid during the call. */
typedef struct wspool_publication {
    wspool_channel channel;
    uint64_t epoch, offset; /* its position */
    uint64_t time;          /* milliseconds since 1970 (config.wall_clock) */
    wspool_text type;       /* not empty */
    wspool_text data;       /* what the publisher and the contracts of a pool have agreed on, for
                               example JSON */
    wspool_text key;        /* empty: it has none */
    int removed;            /* 1: a removal of its key */
} wspool_publication;

typedef struct wspool_handlers {
    size_t size;             /* sizeof(wspool_handlers) */
    void *user;              /* last argument of each handler */
    const char *subprotocol; /* offered besides those of wspool_config, and after them. NULL:
                                none. Copied */
    void (*token)(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                  void *user);
    int (*origin)(wspool *pool, wspool_id id, const wspool_request *request, wspool_text origin,
                  void *user);
    int (*capacity)(wspool *pool, wspool_id id, const wspool_request *request, void *user);
    void (*open)(wspool *pool, wspool_id id, const wspool_opened *opened, void *user);
    int (*message)(wspool *pool, wspool_id id, const wspool_message *message, void *user);
    void (*close)(wspool *pool, wspool_id id, const wspool_closed *closed, void *user);
    void (*expiring)(wspool *pool, wspool_id id, const wspool_expiring *expiring, void *user);
    void (*renewed)(wspool *pool, wspool_id id, const wspool_renewed *renewed, void *user);
    void (*missed)(wspool *pool, wspool_id id, const wspool_missed *missed, void *user);
    void (*pressure)(wspool *pool, wspool_id id, int above, void *user);
    void (*channel)(wspool *pool, wspool_channel channel, int active, void *user);
    uint64_t (*tick)(wspool *pool, uint64_t now, void *user);
    void (*log)(wspool *pool, const wspool_log_record *record, void *user);
    /* Makes a message of a publication: sets *message to bytes that stay valid until the next call
     * of this handler, or until the publishing call returns. Returns 0 for text, which must be
     * valid UTF-8, or WSPOOL_BINARY; or a negative wspool_error: then nothing is published, and the
     * publishing call returns this error. Calls that may change a channel return REENTRANT
     * inside. */
    int (*render)(const wspool_publication *publication, wspool_text *message, void *user);
} wspool_handlers;

/*
 * Attaches handlers to a pool. The pool copies the struct and keeps the copy until it is freed;
 * `user` must be valid until then. Handlers cannot be detached. On error nothing is attached.
 *   INVAL      handlers->size is not set, or the subprotocol is not a token (RFC 9110, section
 *              5.6.2) of at most 255 bytes, or begins with "bearer."; or a contract after the first
 *              one has no subprotocol. Correct the call.
 *   STATE      the pool has a peer: the handlers would see its end without its beginning. Attach
 *              before the first wspool_open or wspool_upgrade, or after all peers are released. Or,
 *              for a contract, the pool has a channel, whose messages this contract has not
 *              rendered. Attach contracts before anything is published or seeded.
 *   FULL       there are WSPOOL_CONTRACTS contracts.
 *   REENTRANT  called from a hook. Attach after the hook has returned.
 *   NOMEM      the allocator failed. Free memory and try again.
 */
int wspool_attach(wspool *pool, const wspool_handlers *handlers);

/* Returns `user` of the contract that a peer has; NULL for a stale id, a peer that is not open yet,
 * or without contracts. */
void *wspool_contract(const wspool *pool, wspool_id id);

/* Returns the pool's own copy of its configuration, read-only, valid as long as the pool; NULL
 * for a NULL pool. Its `origins` and `hosts` are NULL: the pool stores them parsed. Its
 * `subprotocols` include those of attached handlers; that list is valid until another handler is
 * attached. */
const wspool_config *wspool_config_of(const wspool *pool);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
