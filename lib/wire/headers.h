/* SPDX-License-Identifier: MIT */
/*
 * wire/headers.h - the headers of a request that are asked for.  Floor 1.
 *
 * A handshake asks some fifteen times for a header. The names that are asked for are few, so all
 * are looked for in one walk over the headers, however many a peer sends; their values then cost
 * nothing to find. Points into the request, which must stay as it is.
 */
#ifndef WSP_WIRE_HEADERS_H
#define WSP_WIRE_HEADERS_H

#include <stddef.h>
#include <wspool/handshake.h>

/* X(name, as it is written); the length of each has its row in headers.c */
#define WSP_HEADERS(X)                                                                             \
    X(HOST, "Host")                                                                                \
    X(ORIGIN, "Origin")                                                                            \
    X(COOKIE, "Cookie")                                                                            \
    X(UPGRADE, "Upgrade")                                                                          \
    X(CONNECTION, "Connection")                                                                    \
    X(AUTHORIZATION, "Authorization")                                                              \
    X(CONTENT_LENGTH, "Content-Length")                                                            \
    X(TRANSFER_ENCODING, "Transfer-Encoding")                                                      \
    X(KEY, "Sec-WebSocket-Key")                                                                    \
    X(VERSION, "Sec-WebSocket-Version")                                                            \
    X(PROTOCOL, "Sec-WebSocket-Protocol")                                                          \
    X(EXTENSIONS, "Sec-WebSocket-Extensions")

enum wsp_header {
    WSP_HEADER_OTHER,
#define WSP_X(name, string) WSP_HEADER_##name,
    WSP_HEADERS(WSP_X)
#undef WSP_X
        WSP_HEADER_COUNT
};

struct wsp_headers {
    const wspool_request *request;
    const wspool_header *first[WSP_HEADER_COUNT]; /* NULL: not there */
    unsigned repeated;                            /* a bit for each name that has another one */
};

/* Finds them; names in any case. */
void wsp_headers_find(struct wsp_headers *headers, const wspool_request *request);

/* The only header of that name: 1 and *value, 0 when absent, -1 when there are more. */
static inline int wsp_headers_only(const struct wsp_headers *headers, enum wsp_header name,
                                   wspool_text *value)
{
    if (!headers->first[name]) {
        return 0;
    }
    *value = headers->first[name]->value;
    return headers->repeated >> name & 1 ? -1 : 1;
}

/* The next header of that name behind `header`, which is one too; NULL at the end. */
const wspool_header *wsp_headers_next(const struct wsp_headers *headers, enum wsp_header name,
                                      const wspool_header *header);

/* Walks the comma-separated elements of all headers of that name; the walk is zeroed at first.
 * 1 and *element (trimmed, never empty), or 0 at the end. */
struct wsp_elements {
    const wspool_header *header; /* and where in its value to go on */
    size_t at;
};

int wsp_headers_element(const struct wsp_headers *headers, enum wsp_header name,
                        struct wsp_elements *walk, wspool_text *element);

/* Is there an element equal to `token` (any case)? */
int wsp_headers_have(const struct wsp_headers *headers, enum wsp_header name, const char *token);

#endif
