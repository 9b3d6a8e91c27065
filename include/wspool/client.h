/* SPDX-License-Identifier: MIT */
/*
 * wspool/client.h - clients that come back: WebSocket connections to a server that are made again
 * when they end. It needs no contract; wspool/json_client.h speaks wspool.v1.json on top of it.
 *
 * No I/O here either. The host resolves names, connects, encrypts and moves bytes; the library says
 * when. `wspool_clients` holds all clients of one server in one thread: one loop serves one or
 * thousands of them. One turn:
 *
 *     for each readable socket:    n = read(fd, buf, ...);
 *         n > 0:                   wspool_clients_feed(clients, stream, buf, n, now);
 *         otherwise, not EAGAIN:   wspool_clients_gone(clients, stream, now);
 *     for each socket that has just connected:
 *                                  wspool_clients_connected(clients, stream, now);
 *     for each writable socket
 *         that was blocked:        wspool_clients_writable(clients, stream);
 *     wspool_clients_tick(clients, now);
 *     while (wspool_clients_next(clients, &stream, &id, &wants) == 1)
 *         WSPOOL_CLIENT_CONNECT:   begin to connect to wspool_clients_server(), for this stream
 *         WSPOOL_CLIENT_WRITE:     wspool_clients_peek(clients, stream, &bytes, &len);
 *                                  sent = write(fd, bytes, len);
 *                                  wspool_clients_ack(clients, stream, sent < 0 ? 0 : sent, now);
 *         WSPOOL_CLIENT_CLOSE:     close(fd); forget the stream
 *     sleep until a socket is ready or wspool_clients_deadline() is reached;
 *
 * wspool/dial.h does this with epoll.
 *
 * Names     A client (wspool_id) lives until wspool_clients_remove. Each of its transports is a
 *           stream. Once the library has given a stream up, every call for it is STALE and changes
 *           nothing: what a replaced socket still reports is never acted upon.
 * Results   As in wspool/wspool.h: 0 or a count, or a negative wspool_error. What a server does
 *           wrong is never an error of a call; the client's status says it.
 * Hooks     run on the caller's thread, inside the call that caused them. They may call everything
 *           but feed, tick and free (REENTRANT). Pointers that they get are valid until they
 *           return.
 * Time      `now` is in nanoseconds of a monotonic clock, as in wspool/wspool.h.
 * Bounds    A message has at most message_bytes, the output that waits at most queue_bytes, the
 *           head of an answer 8 KiB and 64 headers. Every attempt ends within attempt_time.
 * Memory    A connected and idle client holds its record of WSPOOL_CLIENT_BYTES and nothing else.
 *
 * States
 *   disconnected  at first, after wspool_clients_disconnect, and between two attempts
 *   connecting    an attempt runs: token, transport, handshake
 *   connected     messages go both ways
 *   error         no further attempt, until wspool_clients_connect: they were too many, or the
 *                 server has refused the client
 *
 * Reconnecting
 *   When a connection ends, the first attempt comes after a random part of reconnect_spread, the
 *   next ones after a random part of 1, 2, 4, 8, 16 and then 30 s, so that the clients of a server
 *   that has stopped do not return at the same moment. Retry-After of an answer is a lower bound
 *   (300 s at most). The count starts anew only when a connection has lasted stable_time, because
 *   some servers accept and then close.
 *
 *   Close code        What follows (wspool/close.h)
 *   4001, HTTP 401    the token hook is called with `renew`, and one attempt shows the new token.
 *                     If it is refused, too: error
 *   40xx, HTTP 403    error
 *   42xx              an attempt at once; a second one before the connection is stable waits as
 *                     usual
 *   all others        an attempt after the delay
 *
 * A quiet server is pinged after ping_interval, and the connection is replaced when nothing comes
 * for pong_time. If the clock has jumped (the machine slept), the server is asked again first.
 */
#ifndef WSPOOL_CLIENT_H
#define WSPOOL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/close.h>
#include <wspool/config.h>
#include <wspool/error.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool_clients wspool_clients;

/* A transport of a client: never 0, and never used again. Its low 32 bits are the client's slot, a
 * small number: an index for the host's own array. */
typedef uint64_t wspool_stream;

#define WSPOOL_CLIENT_BYTES 256u      /* the record of a client */
#define WSPOOL_CLIENT_INSTANCE_LEN 22 /* letters and digits of a client instance */

enum wspool_client_state {
    WSPOOL_CLIENT_DISCONNECTED,
    WSPOOL_CLIENT_CONNECTING,
    WSPOOL_CLIENT_CONNECTED,
    WSPOOL_CLIENT_ERROR
};

/* Why a connection or an attempt has ended. X(name, text) */
#define WSPOOL_CLIENT_CAUSES(X) \
    X(NONE, "none") \
    X(NETWORK, "network")     /* no transport, or it has ended without a Close */ \
    X(CLOSED, "closed")       /* the server has closed it */ \
    X(TIMEOUT, "timeout")     /* the attempt took too long, or a ping was not answered */ \
    X(TOKEN, "auth")          /* no token, or 401, 403, 4001, 4002 */ \
    X(REFUSED, "refused")     /* another HTTP status, or 40xx */ \
    X(RESOURCES, "resources") /* 429, 503, 1013, 41xx: the server is full */ \
    X(PROTOCOL, "protocol")   /* the server broke the protocol */ \
    X(LOCAL, "local")         /* ours: no memory, no entropy, or a query that cannot be sent */

enum wspool_client_cause {
#define WSPOOL_X(name, text) WSPOOL_CLIENT_CAUSE_##name,
    WSPOOL_CLIENT_CAUSES(WSPOOL_X)
#undef WSPOOL_X
};

/* Any thread. Returns the text of a cause or a state; never NULL. */
const char *wspool_client_cause_text(enum wspool_client_cause cause);
const char *wspool_client_state_text(enum wspool_client_state state);

typedef struct wspool_client_status {
    enum wspool_client_state state;
    enum wspool_client_cause cause; /* what ended the last connection or attempt */
    int code;                       /* its close code or HTTP status; 0: neither */
    uint32_t attempt;               /* attempts since the last stable connection */
    uint64_t until;                 /* disconnected: when the next attempt begins; UINT64_MAX: none
                                       does */
    wspool_text reason;             /* of the server's Close. In the hook only */
    const char *subprotocol;        /* connected: the chosen one, or NULL. In the hook only */
} wspool_client_status;

/* ------------------------------------------------------------------- hooks */

/* A state was entered. */
typedef struct wspool_client_status_hook {
    void (*call)(wspool_clients *clients, wspool_id id, const wspool_client_status *status,
                 void *user);
    void *user;
} wspool_client_status_hook;

/* A whole message of the server. Text is UTF-8. */
typedef struct wspool_client_message_hook {
    void (*call)(wspool_clients *clients, wspool_id id, const void *data, size_t len, int binary,
                 void *user);
    void *user;
} wspool_client_message_hook;

/* Gives the token for the next attempt, which sends it as Authorization: Bearer. Called once before
 * each attempt. `renew` is 1 if the server has refused the last one. Returns
 *   1         *token is set; it is copied. A blank one is not sent: the state is error
 *   0         no token is needed
 *   2         not yet: call wspool_clients_token when it is there. It has attempt_time
 *   negative  there is none: the state is error */
typedef struct wspool_client_token_hook {
    int (*call)(wspool_clients *clients, wspool_id id, int renew, wspool_text *token, void *user);
    void *user;
} wspool_client_token_hook;

/* Adds parameters to the query of the next request, percent-encoded, without a leading "&"; *query
 * is copied. The request has client=INSTANCE besides. */
typedef struct wspool_client_query_hook {
    void (*call)(wspool_clients *clients, wspool_id id, wspool_text *query, void *user);
    void *user;
} wspool_client_query_hook;

/* ------------------------------------------------------------------- life */

typedef struct wspool_clients_config {
    size_t size;                     /* sizeof(wspool_clients_config) */
    const char *url;                 /* ws://HOST[:PORT]/PATH[?QUERY], or wss. Copied */
    const char *const *subprotocols; /* offered, in this order; ends in NULL. NULL: none. Copied */
    wspool_mem mem;                  /* default: the C library */
    wspool_entropy_hook entropy;     /* default: the operating system. Masks and delays */
    wspool_client_token_hook token;  /* each hook is optional */
    wspool_client_query_hook query;
    wspool_client_status_hook status;
    wspool_client_message_hook message;
    uint32_t message_bytes; /* longest message of the server. Default 1 MiB */
    uint32_t queue_bytes;   /* output that waits, per client. Default 256 KiB */
    uint32_t attempts;      /* attempts in a row without a stable connection until the state is
                                  error. Default 10; UINT32_MAX: no bound */
    int confirm;            /* 1: a connection counts as connected only when wspool_clients_confirm
                                  was called, within the time of the attempt. Default 0 */
    uint64_t attempt_time;  /* default 10 s */
    uint64_t stable_time;   /* default 5 s */
    uint64_t ping_interval; /* default 30 s; 0: no pings */
    uint64_t pong_time;     /* default 10 s */
    uint64_t closing_time;  /* for the server's part of a close. Default 2 s */
    uint64_t reconnect_spread; /* until the server says another. Default 1 s */
} wspool_clients_config;

/* Writes the defaults. Any thread. Use the macro. */
void wspool_clients_config_init_sized(wspool_clients_config *config, size_t size);
#define wspool_clients_config_init(config) \
    wspool_clients_config_init_sized((config), sizeof(*(config)))

/* Makes a group without clients. On error *clients is NULL.
 *   INVAL    the URL cannot be read, a subprotocol is not a token or they have more than 1,024
 *            bytes in all, a time, limit or set of hooks is out of its range, or config->size is
 *            not set. Correct the configuration.
 *   ENTROPY  the entropy hook failed. Correct the hook.
 *   NOMEM    the allocator failed. Free memory and try again. */
int wspool_clients_new(wspool_clients **clients, const wspool_clients_config *config, uint64_t now);

/* Frees the group and its clients. No hook runs. The host closes the transports. NULL is allowed.
 *   REENTRANT  called from a hook. Free it after the hook has returned. */
int wspool_clients_free(wspool_clients *clients);

/* Adds a client, which is disconnected. Its client instance is random.
 *   ENTROPY  the entropy hook failed. Correct the hook.
 *   NOMEM    the allocator failed. Free memory and try again. */
int wspool_clients_add(wspool_clients *clients, void *user, wspool_id *id);

/* Removes a client at once: the id is stale, and no hook runs for it any more. Its transport, if
 * any, is reported as CLOSE.
 *   STALE  no such client. Forget the id. */
int wspool_clients_remove(wspool_clients *clients, wspool_id id);

/* The number of clients. */
uint32_t wspool_clients_count(const wspool_clients *clients);

/* `user` of wspool_clients_add; NULL for a stale id. */
void *wspool_clients_user(const wspool_clients *clients, wspool_id id);

/* The client instance, ended by a NUL; "" for a stale id. Valid as long as the client. */
const char *wspool_clients_instance(const wspool_clients *clients, wspool_id id);

/* What the client is doing.
 *   STALE  no such client. Forget the id. */
int wspool_clients_status(const wspool_clients *clients, wspool_id id,
                          wspool_client_status *status);

/* Where to connect: the host of the URL (an IPv6 address without brackets), its port, and whether
 * to encrypt. *host is valid as long as the group. Returns 0. */
int wspool_clients_server(const wspool_clients *clients, wspool_text *host, unsigned *port,
                          int *secure);

/* --------------------------------------------------------- what a client does */

/* Begins to connect at once, and counts attempts anew. Does nothing while an attempt runs or the
 * client is connected.
 *   STALE  no such client. Forget the id. */
int wspool_clients_connect(wspool_clients *clients, wspool_id id, uint64_t now);

/* Replaces the connection or the attempt at once, without waiting for the old one to close. Does
 * nothing after wspool_clients_disconnect.
 *   STALE  no such client. Forget the id. */
int wspool_clients_reconnect(wspool_clients *clients, wspool_id id, uint64_t now);

/* Closes with 1000 and stays disconnected. Also ends an attempt, the wait for one, and the wait for
 * a token.
 *   STALE  no such client. Forget the id. */
int wspool_clients_disconnect(wspool_clients *clients, wspool_id id, uint64_t now);

/* The network has changed, or the machine was asleep: asks the server at once whether it is there,
 * and replaces the connection if nothing comes within 3 s. A client that waits for its next attempt
 * makes it now.
 *   STALE  no such client. Forget the id. */
int wspool_clients_probe(wspool_clients *clients, wspool_id id, uint64_t now);

/* Answers a token hook that has returned 2. An empty token: none is needed.
 *   STALE  no such client. Forget the id.
 *   STATE  no token is awaited: the client was disconnected, or its time has passed. Forget it. */
int wspool_clients_token(wspool_clients *clients, wspool_id id, wspool_text token, uint64_t now);

/* See wspool_clients_config.confirm.
 *   STALE  no such client. Forget the id.
 *   STATE  it is not awaited. Nothing was changed. */
int wspool_clients_confirm(wspool_clients *clients, wspool_id id, uint64_t now);

/* What the server has announced, in nanoseconds: the spread of first attempts, and its heartbeat
 * (0: the client does not ping). At most WSPOOL_TIME_MAX.
 *   STALE  no such client. Forget the id.
 *   INVAL  it is longer. Correct the call. */
int wspool_clients_set_spread(wspool_clients *clients, wspool_id id, uint64_t spread);
int wspool_clients_set_heartbeat(wspool_clients *clients, wspool_id id, uint64_t interval);

/* Queues a message.
 *   STALE    no such client. Forget the id.
 *   STATE    not connected. Keep it until the client is.
 *   FULL     queue_bytes would be exceeded. Wait until output was written.
 *   ENTROPY  the entropy hook failed. Correct the hook.
 *   NOMEM    the allocator failed. Free memory and try again. */
int wspool_clients_send(wspool_clients *clients, wspool_id id, const void *data, size_t len,
                        int binary);

/* ------------------------------------------------------------ moving the bytes */

#define WSPOOL_CLIENT_CONNECT 1u /* connect: then call wspool_clients_connected, or _gone */
#define WSPOOL_CLIENT_WRITE 2u   /* there is output: peek, write, ack */
#define WSPOOL_CLIENT_CLOSE 4u   /* close the transport, also one that is still connecting */

/* Returns 1 and a stream that wants something (*id is 0 if its client was removed), or 0: nothing
 * does. */
int wspool_clients_next(wspool_clients *clients, wspool_stream *stream, wspool_id *id,
                        unsigned *wants);

/* The transport is there, and encrypted if the URL says so.
 *   STALE  the library has given this stream up. Close its transport. */
int wspool_clients_connected(wspool_clients *clients, wspool_stream stream, uint64_t now);

/* Bytes have come.
 *   STALE      the library has given this stream up. Close its transport.
 *   REENTRANT  called from a hook. Feed them after the hook has returned. */
int wspool_clients_feed(wspool_clients *clients, wspool_stream stream, const void *bytes,
                        size_t len, uint64_t now);

/* Sets *bytes and *len to what is to be written. It is valid until the next call for this client.
 *   STALE  the library has given this stream up. Close its transport. */
int wspool_clients_peek(wspool_clients *clients, wspool_stream stream, const void **bytes,
                        size_t *len);

/* So many of the peeked bytes were written. Less than all: the transport is full, and the stream is
 * not reported until wspool_clients_writable.
 *   STALE  the library has given this stream up. Close its transport.
 *   INVAL  more than was peeked. Correct the call. */
int wspool_clients_ack(wspool_clients *clients, wspool_stream stream, size_t written, uint64_t now);

/* The transport takes bytes again.
 *   STALE  the library has given this stream up. Close its transport. */
int wspool_clients_writable(wspool_clients *clients, wspool_stream stream);

/* The transport could not be made, has ended or has failed. The host closes it; CLOSE is not
 * reported.
 *   STALE  the library has given this stream up. Close its transport. */
int wspool_clients_gone(wspool_clients *clients, wspool_stream stream, uint64_t now);

/* When wspool_clients_tick has something to do: 0 if wspool_clients_next has, UINT64_MAX: never. */
uint64_t wspool_clients_deadline(const wspool_clients *clients);

/* Acts on the deadlines that have passed.
 *   REENTRANT  called from a hook. Tick after the hook has returned. */
int wspool_clients_tick(wspool_clients *clients, uint64_t now);

/* Returns 1 if the invariants of the group hold, else 0. Linear; for tests. */
int wspool_clients_check(const wspool_clients *clients);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
