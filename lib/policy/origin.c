/* SPDX-License-Identifier: MIT */
/*
 * policy/origin.c - see policy/origin.h.
 *
 * One parser reads what peers send and what the host allows. It accepts less than RFC 3986 on
 * purpose: what a browser never sends cannot be allowed by mistake.
 */
#include "policy/origin.h"

#include <string.h>

#include <wspool/error.h>

#include "wire/text.h"

struct wsp_origin {
    char *scheme; /* one block for both texts, freed by this pointer */
    char *host;
    unsigned port;
};

/* Points into the parsed text. */
struct parsed {
    wspool_text scheme;
    wspool_text host;
    unsigned port;
};

static int is_hex(char c)
{
    return wsp_text_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static int is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Returns 0 when the scheme has no known default port. */
static unsigned default_port(wspool_text scheme)
{
    if (wsp_text_is(scheme, "http") || wsp_text_is(scheme, "ws")) {
        return 80;
    }
    if (wsp_text_is(scheme, "https") || wsp_text_is(scheme, "wss")) {
        return 443;
    }
    return 0;
}

/* Parses a port from 1 to 65535: digits only, the first not 0. Returns the port, or 0. */
static unsigned parse_port(wspool_text text)
{
    unsigned port = 0;

    if (text.len == 0 || text.len > 5 || text.data[0] == '0') {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!wsp_text_is_digit(text.data[i])) {
            return 0;
        }
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    return port <= 65535 ? port : 0;
}

/* Returns the length of the host at the start of the text, or 0. An IPv6 address keeps its
 * brackets. It is not normalised, because browsers send one form in both headers. */
static size_t host_length(wspool_text text)
{
    size_t colons = 0;
    size_t i;

    if (text.len > 0 && text.data[0] == '[') {
        for (i = 1; i < text.len && text.data[i] != ']'; i++) {
            if (text.data[i] == ':') {
                colons++;
            } else if (!is_hex(text.data[i]) && text.data[i] != '.') {
                return 0;
            }
        }
        return i < text.len && colons >= 2 ? i + 1 : 0;
    }
    for (i = 0; i < text.len && text.data[i] != ':'; i++) {
        char c = text.data[i];

        if (!is_alpha(c) && !wsp_text_is_digit(c) && c != '-' && c != '.' && c != '_') {
            return 0;
        }
    }
    return i;
}

/* Parses host[:port]. Without a port it is `otherwise`, which must not be 0 then. Returns 0 or
 * -1. */
static int parse_authority(wspool_text text, unsigned otherwise, struct parsed *out)
{
    size_t len = host_length(text);

    if (len == 0) {
        return -1;
    }
    out->host.data = text.data;
    out->host.len = len;
    out->port = otherwise;
    if (len < text.len) {
        wspool_text port = {text.data + len + 1, text.len - len - 1};

        if (text.data[len] != ':') {
            return -1;
        }
        out->port = parse_port(port);
    }
    return out->port != 0 ? 0 : -1;
}

/* Parses exactly scheme://host[:port]. Returns 0 or -1. */
static int parse_origin(wspool_text text, struct parsed *out)
{
    size_t i;

    for (i = 0; i < text.len && text.data[i] != ':'; i++) {
        char c = text.data[i];

        if (!is_alpha(c) &&
            (i == 0 || (!wsp_text_is_digit(c) && c != '+' && c != '-' && c != '.'))) {
            return -1;
        }
    }
    if (i == 0 || text.len - i < 3 || memcmp(text.data + i, "://", 3) != 0) {
        return -1;
    }
    out->scheme.data = text.data;
    out->scheme.len = i;
    text.data += i + 3;
    text.len -= i + 3;
    return parse_authority(text, default_port(out->scheme), out);
}

/* ------------------------------------------------------------------ the list */

static int origin_init(struct wsp_origin *origin, const wspool_mem *mem, const char *string)
{
    wspool_text text = {string, strlen(string)};
    struct parsed parsed;

    if (parse_origin(text, &parsed)) {
        return WSPOOL_ERR_INVAL;
    }
    origin->scheme = wsp_calloc(mem, 1, parsed.scheme.len + parsed.host.len + 2);
    if (!origin->scheme) {
        return WSPOOL_ERR_NOMEM;
    }
    origin->host = origin->scheme + parsed.scheme.len + 1;
    memcpy(origin->scheme, parsed.scheme.data, parsed.scheme.len);
    memcpy(origin->host, parsed.host.data, parsed.host.len);
    origin->port = parsed.port;
    return 0;
}

int wsp_origins_init(struct wsp_origins *origins, const wspool_mem *mem, const char *const *list,
                     int any)
{
    size_t count = 0;

    memset(origins, 0, sizeof(*origins));
    origins->any = any != 0;
    while (list && list[count]) {
        count++;
    }
    if (count == 0) {
        return 0;
    }
    origins->list = wsp_calloc(mem, count, sizeof(*origins->list));
    if (!origins->list) {
        return WSPOOL_ERR_NOMEM;
    }
    for (; origins->count < count; origins->count++) {
        int rc = origin_init(&origins->list[origins->count], mem, list[origins->count]);

        if (rc) {
            wsp_origins_fini(origins, mem);
            return rc;
        }
    }
    return 0;
}

void wsp_origins_fini(struct wsp_origins *origins, const wspool_mem *mem)
{
    for (size_t i = 0; i < origins->count; i++) {
        wsp_free(mem, origins->list[i].scheme);
    }
    wsp_free(mem, origins->list);
    memset(origins, 0, sizeof(*origins));
}

/* ------------------------------------------------------------------ the question */

static int is_same_host(const struct parsed *origin, const struct wsp_headers *headers)
{
    struct parsed here;
    wspool_text host;

    return wsp_headers_only(headers, WSP_HEADER_HOST, &host) == 1 &&
           parse_authority(host, default_port(origin->scheme), &here) == 0 &&
           wsp_text_same(origin->host, here.host) && origin->port == here.port;
}

static int is_listed(const struct wsp_origins *origins, const struct parsed *origin)
{
    for (size_t i = 0; i < origins->count; i++) {
        const struct wsp_origin *one = &origins->list[i];

        if (origin->port == one->port && wsp_text_is(origin->scheme, one->scheme) &&
            wsp_text_is(origin->host, one->host)) {
            return 1;
        }
    }
    return 0;
}

int wsp_origins_admit(const struct wsp_origins *origins, const struct wsp_headers *headers)
{
    struct parsed origin;
    wspool_text text;
    int there;

    if (origins->any) {
        return 1;
    }
    there = wsp_headers_only(headers, WSP_HEADER_ORIGIN, &text);
    if (there == 0) {
        return wsp_headers_only(headers, WSP_HEADER_COOKIE, &text) == 0;
    }
    if (there < 0 || parse_origin(text, &origin)) {
        return 0;
    }
    return is_same_host(&origin, headers) || is_listed(origins, &origin);
}

int wsp_origins_check(const struct wsp_origins *origins)
{
    if ((origins->list == NULL) != (origins->count == 0)) {
        return 0;
    }
    for (size_t i = 0; i < origins->count; i++) {
        const struct wsp_origin *origin = &origins->list[i];
        if (!origin->scheme || !*origin->scheme ||
            origin->host != origin->scheme + strlen(origin->scheme) + 1 || !*origin->host ||
            origin->port == 0 || origin->port > 65535) {
            return 0;
        }
    }
    return 1;
}
