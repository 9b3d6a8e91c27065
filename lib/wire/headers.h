/* SPDX-License-Identifier: MIT */
/*
 * wire/headers.h - finds the headers that a handshake needs, in a request or an answer.  Layer 1.
 *
 * A handshake reads some fifteen headers by name. The names are few, so one walk over the headers
 * finds all of them, however many headers a peer sends; reading a value then costs nothing. Results
 * point into the request, which must not change.
 */
#ifndef WSP_WIRE_HEADERS_H
#define WSP_WIRE_HEADERS_H

#include <stddef.h>
#include <wspool/handshake.h>

/* X(name, spelling). Each length has a row in headers.c. */
#define WSP_HEADERS(X) \
    X(HOST, "Host") \
    X(ORIGIN, "Origin") \
    X(COOKIE, "Cookie") \
    X(UPGRADE, "Upgrade") \
    X(CONNECTION, "Connection") \
    X(AUTHORIZATION, "Authorization") \
    X(CONTENT_LENGTH, "Content-Length") \
    X(TRANSFER_ENCODING, "Transfer-Encoding") \
    X(KEY, "Sec-WebSocket-Key") \
    X(VERSION, "Sec-WebSocket-Version") \
    X(PROTOCOL, "Sec-WebSocket-Protocol") \
    X(EXTENSIONS, "Sec-WebSocket-Extensions") \
    X(ACCEPT, "Sec-WebSocket-Accept") \
    X(RETRY_AFTER, "Retry-After")

enum wsp_header {
    WSP_HEADER_OTHER,
#define WSP_X(name, string) WSP_HEADER_##name,
    WSP_HEADERS(WSP_X)
#undef WSP_X
        WSP_HEADER_COUNT
};

struct wsp_headers {
    const wspool_request *request;
    const wspool_header *first[WSP_HEADER_COUNT]; /* NULL: absent */
    unsigned repeated;                            /* one bit for each name that occurs again */
    wspool_text authority; /* of a target in absolute form, set by the caller; empty: none */
};

/* Finds the headers; `authority` is empty. Names are compared without regard to case. */
void wsp_headers_find(struct wsp_headers *headers, const wspool_request *request);

/* Returns 1 and *value if the request has one header of that name, 0 if it has none, -1 if it
 * has several. */
static inline int wsp_headers_only(const struct wsp_headers *headers, enum wsp_header name,
                                   wspool_text *value)
{
    if (!headers->first[name]) {
        return 0;
    }
    *value = headers->first[name]->value;
    return headers->repeated >> name & 1 ? -1 : 1;
}

/* Returns 1 and the host that the request is for: the authority, which replaces the header Host
 * (RFC 9112, section 3.2.2), or the value of Host. Returns 0 if there is neither, or -1 if there
 * are several. */
static inline int wsp_headers_host(const struct wsp_headers *headers, wspool_text *host)
{
    if (headers->authority.len > 0) {
        *host = headers->authority;
        return 1;
    }
    return wsp_headers_only(headers, WSP_HEADER_HOST, host);
}

/* Returns the next header of that name after `header`, which has that name too; NULL at the end. */
const wspool_header *wsp_headers_next(const struct wsp_headers *headers, enum wsp_header name,
                                      const wspool_header *header);

/* A walk over the comma-separated elements of all headers of one name; zeroed at first.
 * wsp_headers_element returns 1 and *element (trimmed, never empty), or 0 at the end. */
struct wsp_elements {
    const wspool_header *header; /* and the position in its value */
    size_t at;
};

int wsp_headers_element(const struct wsp_headers *headers, enum wsp_header name,
                        struct wsp_elements *walk, wspool_text *element);

/* Returns 1 if one of the elements equals `token` (in any case), else 0. */
int wsp_headers_have(const struct wsp_headers *headers, enum wsp_header name, const char *token);

#endif
