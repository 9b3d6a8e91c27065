/* SPDX-License-Identifier: MIT */
/*
 * wspool/handshake.h - the way in: what a request looks like, what is asked about it, and how
 * it is answered (RFC 6455, sections 4.2.1 and 4.2.2).
 *
 * Cheap checks come first and allocation last. Each stage has a counter and a latency in the
 * stats, so "where do handshakes die" has an answer.
 */
#ifndef WSPOOL_HANDSHAKE_H
#define WSPOOL_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The stages in their order. X(name, word in logs) */
#define WSPOOL_STAGES(X)                                                                           \
    X(BYTES, "bytes")               /* the first byte has come */                                  \
    X(REQUEST_LINE, "request_line") /* method, target, route, HTTP version */                      \
    X(HEADERS, "headers")           /* the whole head is there and well formed */                  \
    X(VERSION, "version")           /* it asks for WebSocket, version 13 */                        \
    X(KEY, "key")                   /* Sec-WebSocket-Key is 16 bytes */                            \
    X(CAPS, "caps")                 /* the pool has room and is not draining */                    \
    X(ORIGIN, "origin")             /* the page it comes from may connect */                       \
    X(TOKEN, "token")               /* the token hook has been asked */                            \
    X(CAPACITY, "capacity")         /* the capacity hook has been asked */                         \
    X(VERDICT, "verdict")           /* accepted: the peer is open */                               \
    X(FLUSHED, "flushed")           /* the 101 left the pool (hosted: the stream was adopted) */

enum wspool_stage {
#define WSPOOL_X(name, word) WSPOOL_STAGE_##name,
    WSPOOL_STAGES(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_STAGE_COUNT
};

/*
 * Why a peer was not accepted. MALFORMED is also what stands there twice and may not (Host, the
 * key, the version, Origin). EARLY_DATA: the query and what came while a verdict was awaited are
 * more than head_bytes together. TOKEN_MALFORMED: too long, bytes outside visible ASCII, or twice
 * in one place. X(name, HTTP status, word for machines). The word is the body's
 * {"error": word}. Status 0: nobody is left to be answered.
 */
#define WSPOOL_REFUSALS(X)                                                                         \
    X(MALFORMED, 400, "malformed")                                                                 \
    X(HOST, 400, "bad_host")                                                                       \
    X(BODY, 400, "unexpected_body")                                                                \
    X(KEY, 400, "bad_key")                                                                         \
    X(EARLY_DATA, 400, "early_data")                                                               \
    X(TOKEN_EMPTY, 401, "empty_token")                                                             \
    X(TOKEN_MALFORMED, 401, "malformed")                                                           \
    X(TOKEN_INVALID, 401, "invalid")                                                               \
    X(TOKEN_EXPIRED, 401, "expired")                                                               \
    X(TOKEN_NOT_YET_VALID, 401, "not_yet_valid")                                                   \
    X(TOKEN_WRONG_AUDIENCE, 401, "wrong_audience")                                                 \
    X(TOKEN_WRONG_ISSUER, 401, "wrong_issuer")                                                     \
    X(TOKEN_NO_SECRET, 401, "no_secret")                                                           \
    X(ORIGIN, 403, "origin")                                                                       \
    X(NOT_ALLOWED, 403, "not_allowed")                                                             \
    X(NO_ROUTE, 404, "no_route")                                                                   \
    X(METHOD, 405, "method_not_allowed")                                                           \
    X(TIMEOUT, 408, "handshake_timeout")                                                           \
    X(UPGRADE, 426, "upgrade_required")                                                            \
    X(VERSION, 426, "websocket_version")                                                           \
    X(RATE, 429, "too_many")                                                                       \
    X(HEAD_TOO_LARGE, 431, "head_too_large")                                                       \
    X(FULL, 503, "full")                                                                           \
    X(CAPACITY, 503, "capacity")                                                                   \
    X(DRAINING, 503, "draining")                                                                   \
    X(VERDICT_TIMEOUT, 503, "verdict_timeout")                                                     \
    X(NOMEM, 503, "out_of_memory")                                                                 \
    X(HTTP_VERSION, 505, "http_version")                                                           \
    X(GONE, 0, "gone")                                                                             \
    X(NOT_ADOPTED, 0, "not_adopted")

enum wspool_refusal {
#define WSPOOL_X(name, status, word) WSPOOL_REFUSED_##name,
    WSPOOL_REFUSALS(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_REFUSAL_COUNT
};

/* Any thread. The word of a refusal and its HTTP status; the word is never NULL. */
const char *wspool_refusal_word(enum wspool_refusal refusal);
int wspool_refusal_status(enum wspool_refusal refusal);

/* Any thread. The word of a stage; never NULL. */
const char *wspool_stage_word(enum wspool_stage stage);

/* Bytes that somebody else owns: not terminated, valid as long as the holder's comment says. */
typedef struct wspool_text {
    const char *data;
    size_t len;
} wspool_text;

typedef struct wspool_header {
    wspool_text name;
    wspool_text value; /* without the white space around it */
} wspool_header;

/*
 * A request. The host fills one for wspool_upgrade (all but `token`, `subprotocol`, `channel`
 * and `route_user`, which it leaves zero); the hooks are given one with everything filled.
 * All pointers live for the call only.
 */
typedef struct wspool_request {
    size_t size;        /* sizeof(wspool_request): how we grow without breaking you */
    wspool_text method; /* "GET" */
    wspool_text target; /* raw, as on the request line: path, then "?" and query if any */
    int http_major;     /* 1 */
    int http_minor;     /* 1 */
    const wspool_header *headers;
    size_t header_count;
    void *user; /* becomes wspool_user() of the peer */
    /* filled by the library, for the hooks */
    wspool_text token;       /* from the first of the configured places that has one; secret */
    wspool_text subprotocol; /* the one chosen; empty when none was */
    wspool_text channel;     /* name of the channel that the route gives, decoded */
    void *route_user;        /* from the route's options */
} wspool_request;

/* What the token hook (at once, or later through wspool_auth_complete) has found. */
enum wspool_verdict_kind {
    WSPOOL_REFUSE = 0, /* fail closed: a verdict left zeroed is a no */
    WSPOOL_ACCEPT = 1,
    WSPOOL_PENDING = 2 /* ask me later: wspool_auth_complete, within the verdict deadline */
};

typedef struct wspool_verdict {
    size_t size; /* sizeof(wspool_verdict) */
    enum wspool_verdict_kind kind;
    enum wspool_refusal refusal; /* with WSPOOL_REFUSE; one with a status of 401, 403, 429 or 503,
                                    any other counts as TOKEN_INVALID */
    void *identity;              /* with WSPOOL_ACCEPT; wspool_identity() of the peer from then on;
                                    goes to the identity_free hook exactly once */
} wspool_verdict;

/* How many headers an answer of ours can have. */
#define WSPOOL_ANSWER_HEADERS 6

/*
 * The HTTP answer to a hosted request. With status 101 the host sends the status line and the
 * headers, then hands the stream to wspool_adopt; otherwise it sends status, headers and body.
 * Names and values end in NUL and live as long as this struct; none holds a line break.
 */
typedef struct wspool_answer {
    int status;
    enum wspool_refusal refusal; /* when status is not 101 */
    size_t header_count;
    struct {
        const char *name;
        const char *value;
    } headers[WSPOOL_ANSWER_HEADERS];
    const char *body; /* JSON {"error": word}; "" with status 101 */
    size_t body_len;
    char text[480]; /* where the values above are written */
} wspool_answer;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
