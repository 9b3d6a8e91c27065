/* SPDX-License-Identifier: MIT */
/*
 * wspool/handshake.h - the opening handshake: the request, the checks in their order, and the
 * answer (RFC 6455, sections 4.2.1 and 4.2.2).
 *
 * Cheap checks come first and allocation last. Each stage has counters and a latency in the stats,
 * which show where handshakes fail.
 */
#ifndef WSPOOL_HANDSHAKE_H
#define WSPOOL_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* The stages in their order. X(name, word in logs) */
#define WSPOOL_STAGES(X) \
    X(BYTES, "bytes")               /* the first byte arrived */ \
    X(REQUEST_LINE, "request_line") /* method, target, route, HTTP version */ \
    X(HEADERS, "headers")           /* the whole head is there and well formed */ \
    X(VERSION, "version")           /* it asks for WebSocket version 13 */ \
    X(KEY, "key")                   /* Sec-WebSocket-Key is 16 bytes */ \
    X(CAPS, "caps")                 /* the pool has room and is not draining */ \
    X(ORIGIN, "origin")             /* the page's origin may connect */ \
    X(TOKEN, "token")               /* the token hook accepted */ \
    X(CAPACITY, "capacity")         /* the capacity hook accepted */ \
    X(VERDICT, "verdict")           /* accepted: the peer is open */ \
    X(FLUSHED, "flushed")           /* the 101 left the pool (hosted: the stream was adopted) */

enum wspool_stage {
#define WSPOOL_X(name, word) WSPOOL_STAGE_##name,
    WSPOOL_STAGES(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_STAGE_COUNT
};

/*
 * Why a peer was not accepted. X(name, HTTP status, reason). The reason is in the body of the
 * answer: {"error": reason}. With status 0 there is no client left to answer.
 *
 *   MALFORMED        also: a header that must not occur twice does (Host, key, version, Origin)
 *   HOST             Host is absent or not a host, or the target names something else
 *   OTHER_HOST       the request is for a host that is not in the configured `hosts`
 *   EARLY_DATA       the query and the bytes that arrived during a pending verdict together exceed
 *                    head_bytes
 *   GAVE_WAY         max_handshakes were running, this one was the oldest without a whole request,
 *                    and a newcomer took its place
 *   CAPACITY         the capacity hook has refused; the other ones: see wspool/capacity.h
 *   TOKEN_MALFORMED  too long, bytes outside visible ASCII, or twice in one place
 *   TOKEN_REVOKED    wspool_revoke was called for it
 *   TOKEN_WRONG_SUBJECT  only of a new token (wspool_reauth): it is for another subject
 */
#define WSPOOL_REFUSALS(X) \
    X(MALFORMED, 400, "malformed") \
    X(HOST, 400, "bad_host") \
    X(BODY, 400, "unexpected_body") \
    X(KEY, 400, "bad_key") \
    X(EARLY_DATA, 400, "early_data") \
    X(TOKEN_EMPTY, 401, "empty_token") \
    X(TOKEN_MALFORMED, 401, "malformed") \
    X(TOKEN_INVALID, 401, "invalid") \
    X(TOKEN_EXPIRED, 401, "expired") \
    X(TOKEN_NOT_YET_VALID, 401, "not_yet_valid") \
    X(TOKEN_WRONG_AUDIENCE, 401, "wrong_audience") \
    X(TOKEN_WRONG_ISSUER, 401, "wrong_issuer") \
    X(TOKEN_NO_SECRET, 401, "no_secret") \
    X(TOKEN_WRONG_SUBJECT, 401, "wrong_subject") \
    X(TOKEN_REVOKED, 401, "revoked") \
    X(ORIGIN, 403, "origin") \
    X(NOT_ALLOWED, 403, "not_allowed") \
    X(NO_ROUTE, 404, "no_route") \
    X(METHOD, 405, "method_not_allowed") \
    X(TIMEOUT, 408, "handshake_timeout") \
    X(OTHER_HOST, 421, "host") \
    X(UPGRADE, 426, "upgrade_required") \
    X(VERSION, 426, "websocket_version") \
    X(RATE, 429, "too_many") \
    X(HEAD_TOO_LARGE, 431, "head_too_large") \
    X(FULL, 503, "full") \
    X(CAPACITY, 503, "capacity") \
    X(CAPACITY_CONNECTIONS, 503, "capacity_connections") \
    X(CAPACITY_FILES, 503, "capacity_files") \
    X(CAPACITY_OWN_MEMORY, 503, "capacity_own_memory") \
    X(CAPACITY_MEMORY, 503, "capacity_memory") \
    X(CAPACITY_CPU, 503, "capacity_cpu") \
    X(CAPACITY_PRESSURE, 503, "capacity_pressure") \
    X(GAVE_WAY, 503, "gave_way") \
    X(DRAINING, 503, "draining") \
    X(VERDICT_TIMEOUT, 503, "verdict_timeout") \
    X(NOMEM, 503, "out_of_memory") \
    X(HTTP_VERSION, 505, "http_version") \
    X(GONE, 0, "gone") \
    X(NOT_ADOPTED, 0, "not_adopted")

enum wspool_refusal {
#define WSPOOL_X(name, status, word) WSPOOL_REFUSED_##name,
    WSPOOL_REFUSALS(WSPOOL_X)
#undef WSPOOL_X
        WSPOOL_REFUSAL_COUNT
};

/* Any thread. Return the reason of a refusal as in its body (never NULL), and its HTTP status. */
const char *wspool_refusal_reason(enum wspool_refusal refusal);
int wspool_refusal_status(enum wspool_refusal refusal);

/* Any thread. Returns the name of a stage as in logs; never NULL. */
const char *wspool_stage_name(enum wspool_stage stage);

/* Bytes with a length, not NUL-terminated. The comment of each use says who owns them and how long
 * they are valid. */
typedef struct wspool_text {
    const char *data;
    size_t len;
} wspool_text;

/* Returns the text that consists of a string. */
static inline wspool_text wspool_text_of(const char *string)
{
    wspool_text text;
    text.data = string;
    text.len = strlen(string);
    return text;
}

/* The longest subject and the longest client instance of a peer, in bytes. */
#define WSPOOL_SUBJECT_MAX 255
#define WSPOOL_CLIENT_MAX 64

typedef struct wspool_header {
    wspool_text name;
    wspool_text value; /* without surrounding white space */
} wspool_header;

/*
 * A request. For wspool_upgrade the host leaves the members zero that the library fills, and fills
 * the others. Hooks get a request with all members filled. Its pointers are valid only during the
 * call.
 *
 * The library judges the request as strictly as one that it reads itself, whatever the host's
 * server lets through: pass all headers, as they came. A WebSocket over HTTP/2 (RFC 8441) is passed
 * as the HTTP/1.1 request that it stands for.
 */
typedef struct wspool_request {
    size_t size;        /* sizeof(wspool_request) */
    wspool_text method; /* "GET" */
    wspool_text target; /* raw, as on the request line: path, then "?" and query if any; or all of
                           that behind scheme and host (RFC 9112, section 3.2.2), which replace
                           Host. In hooks without a parameter "token", if tokens are judged */
    int http_major;     /* 1 */
    int http_minor;     /* 1 */
    const wspool_header *headers;
    size_t header_count;
    void *user; /* becomes wspool_user() of the peer */
    /* filled by the library, for the hooks */
    wspool_text token;       /* from the first configured place that has one; secret. For the
                                token hook only. A header that had it has it still */
    wspool_text subprotocol; /* the chosen subprotocol; empty: none */
    wspool_text channel;     /* decoded name of the route's channel */
    void *route_user;        /* from the route's options */
    /* filled by the host, as in wspool_open_options */
    wspool_text address;
    wspool_text key;
    uint64_t began; /* when the host began to read the request, on the clock of `now`; 0: not known.
                       For the statistics: the time of the stage REQUEST_LINE */
    wspool_text subject; /* filled by the host, as in wspool_open_options */
} wspool_request;

/* The decision on a token: written by the token hook, or passed to wspool_auth_complete later. */
enum wspool_verdict_kind {
    WSPOOL_REFUSE = 0, /* the default: a zeroed verdict refuses */
    WSPOOL_ACCEPT = 1,
    WSPOOL_PENDING = 2 /* wspool_auth_complete follows, within verdict_time */
};

typedef struct wspool_verdict {
    size_t size; /* sizeof(wspool_verdict) */
    enum wspool_verdict_kind kind;
    enum wspool_refusal refusal; /* with WSPOOL_REFUSE: a refusal whose status is 401, 403, 429
                                    or 503; any other counts as TOKEN_INVALID */
    void *identity;              /* with WSPOOL_ACCEPT: becomes wspool_identity() of the peer;
                                    passed to the identity_free hook exactly once */
    /* With WSPOOL_ACCEPT. The pool copies both after the token hook has returned: they may be parts
     * of the request, also of its token, but must not be on the hook's stack.
     * wspool_auth_complete copies them at once. A verdict whose text is too long
     * cannot be judged: from a token hook it refuses the peer (TOKEN_INVALID). */
    wspool_text subject; /* who the token is for: at most WSPOOL_SUBJECT_MAX bytes; empty: none.
                            See wspool_subject */
    wspool_text client;  /* the client instance: at most WSPOOL_CLIENT_MAX bytes; empty: none. See
                            wspool_client */
    /* With WSPOOL_ACCEPT, in seconds since 1970. */
    uint64_t expires; /* when the token expires; 0: it does not. The pool reads its wall clock once,
                         at the verdict: if that time has come, the token is refused (401 expired);
                         otherwise the peer is closed (4001) when so much time has passed, unless
                         wspool_reauth brings a new token */
    uint64_t issued;  /* when it was issued; 0: not known, which is before any revocation
                         (wspool_revoke) */
} wspool_verdict;

/* The most bytes of headers that wspool_add_header adds to one answer, with their line ends. */
#define WSPOOL_ADDED_HEADERS_MAX 768
/* The most bytes of a page's type and body together. */
#define WSPOOL_PAGE_MAX 768

/* The answer of the plain hook to a request that is no WebSocket handshake. */
typedef struct wspool_page {
    size_t size;      /* sizeof(wspool_page), set by the pool */
    int status;       /* 200 to 599, not 426; 204, 205 and 304 without a body. 0: no answer */
    const char *type; /* Content-Type. NULL: "text/plain; charset=utf-8" */
    wspool_text body; /* used when the hook has returned: it must still be there */
    char room[WSPOOL_PAGE_MAX]; /* free for use by the hook, as storage of the body */
} wspool_page;

/* The most headers that an answer can have. */
#define WSPOOL_ANSWER_HEADERS 6

/*
 * The HTTP answer to a hosted request. With status 101 the host sends the status line and the
 * headers, then calls wspool_adopt. Otherwise it sends status, headers and body; the answer to HEAD
 * has no body. Names and values
 * are NUL-terminated, contain no line break, and are valid as long as this struct.
 */
typedef struct wspool_answer {
    int status;
    enum wspool_refusal refusal; /* when status is not 101 */
    size_t header_count;
    struct {
        const char *name;
        const char *value;
    } headers[WSPOOL_ANSWER_HEADERS];
    const char *body; /* JSON {"error": reason}; "" with status 101, and for HEAD */
    size_t body_len;
    char text[480]; /* storage of the values above */
} wspool_answer;

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
