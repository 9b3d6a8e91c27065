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
    char *scheme; /* one block for both texts, freed by this pointer; "": none */
    char *host;   /* without the "*." of a pattern */
    unsigned port;
    int pattern;
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

/* Returns 1 for an opaque origin. "null" has no scheme, a file no host. */
static int is_opaque(const struct parsed *origin)
{
    return origin->port == 0;
}

/* What is left of an origin whose scheme has no default port: a host alone, or nothing. */
static int parse_opaque(wspool_text text, struct parsed *out)
{
    out->host = text;
    out->port = 0;
    return host_length(text) == text.len ? 0 : -1;
}

/* Parses exactly scheme://host[:port], or an opaque origin. Returns 0 or -1. */
static int parse_origin(wspool_text text, struct parsed *out)
{
    size_t i;

    if (text.len == 4 && memcmp(text.data, "null", 4) == 0) {
        *out = (struct parsed){.host = text};
        return 0;
    }
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
    unsigned port = default_port(out->scheme);
    if (port == 0 && parse_opaque(text, out) == 0) {
        return 0;
    }
    return parse_authority(text, port, out);
}

/* ------------------------------------------------------------------ the list */

/* Returns 1 if a pattern may stand for names that end so: not for numbers of an IPv4 address. */
static int is_domain(wspool_text host)
{
    size_t digits = 0;

    while (digits < host.len && wsp_text_is_digit(host.data[host.len - 1 - digits])) {
        digits++;
    }
    return host.len > 0 && host.data[0] != '.' && host.data[0] != '[' && host.data[0] != '*' &&
           (digits == 0 || (digits < host.len && host.data[host.len - 1 - digits] != '.'));
}

/* Cuts "*." at the start of a host out of the text: to parse it, what is before it and what is
 * behind it are put together in `room`. Returns the length, or 0 without a pattern. */
static size_t cut_pattern(wspool_text text, size_t at, char *room)
{
    if (text.len < at + 3 || memcmp(text.data + at, "*.", 2) != 0) {
        return 0;
    }
    memcpy(room, text.data, at);
    memcpy(room + at, text.data + at + 2, text.len - at - 2);
    return text.len - 2;
}

typedef int parser(wspool_text text, struct parsed *out);

/* host[:port]; without a port it is 0. */
static int parse_host(wspool_text text, struct parsed *out)
{
    out->scheme = (wspool_text){NULL, 0};
    return parse_opaque(text, out) == 0 && text.len > 0 ? 0 : parse_authority(text, 0, out);
}

static int origin_init(struct wsp_origin *origin, const wspool_mem *mem, const char *string,
                       parser *parse)
{
    wspool_text text = wsp_text_of(string);
    const char *slashes = strstr(string, "://");
    char *copy = wsp_alloc(mem, text.len + 2);
    struct parsed parsed;

    if (!copy) {
        return WSPOOL_ERR_NOMEM;
    }
    size_t pattern = cut_pattern(text, slashes ? (size_t)(slashes - string) + 3 : 0, copy);
    if (pattern > 0) {
        text = (wspool_text){copy, pattern};
    }
    int bad = parse(text, &parsed) || (pattern > 0 && !is_domain(parsed.host));
    if (!bad) {
        origin->scheme = wsp_calloc(mem, 1, parsed.scheme.len + parsed.host.len + 2);
    }
    if (!bad && origin->scheme) {
        origin->host = origin->scheme + parsed.scheme.len + 1;
        memcpy(origin->scheme, parsed.scheme.len > 0 ? parsed.scheme.data : "", parsed.scheme.len);
        memcpy(origin->host, parsed.host.data, parsed.host.len);
        origin->port = parsed.port;
        origin->pattern = pattern > 0;
    }
    wsp_free(mem, copy);
    return bad ? WSPOOL_ERR_INVAL : origin->scheme ? 0 : WSPOOL_ERR_NOMEM;
}

static int list_init(struct wsp_origins *origins, const wspool_mem *mem, const char *const *list,
                     parser *parse)
{
    size_t count = 0;

    memset(origins, 0, sizeof(*origins));
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
        int rc = origin_init(&origins->list[origins->count], mem, list[origins->count], parse);

        if (rc) {
            wsp_origins_fini(origins, mem);
            return rc;
        }
    }
    return 0;
}

int wsp_origins_init(struct wsp_origins *origins, const wspool_mem *mem, const char *const *list)
{
    return list_init(origins, mem, list, parse_origin);
}

int wsp_hosts_init(struct wsp_origins *hosts, const wspool_mem *mem, const char *const *list)
{
    int error = list_init(hosts, mem, list, parse_host);

    return !error && list && hosts->count == 0 ? WSPOOL_ERR_INVAL : error;
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

    return !is_opaque(origin) && wsp_headers_host(headers, &host) == 1 &&
           parse_authority(host, default_port(origin->scheme), &here) == 0 &&
           wsp_text_same(origin->host, here.host) && origin->port == here.port;
}

/* Compares the hosts only. A pattern needs a label and a dot before its name. */
static int has_host(const struct wsp_origin *one, wspool_text host)
{
    size_t len = strlen(one->host);

    if (one->pattern) {
        if (host.len < len + 2 || host.data[host.len - len - 1] != '.') {
            return 0;
        }
        host.data += host.len - len;
        host.len = len;
    }
    return wsp_text_is(host, one->host);
}

static int is_listed(const struct wsp_origins *origins, const struct parsed *origin)
{
    for (size_t i = 0; i < origins->count; i++) {
        const struct wsp_origin *one = &origins->list[i];

        if (origin->port == one->port && wsp_text_is(origin->scheme, one->scheme) &&
            has_host(one, origin->host)) {
            return 1;
        }
    }
    return 0;
}

enum wsp_origin_kind wsp_origins_judge(const struct wsp_origins *origins,
                                       const struct wsp_headers *headers)
{
    struct parsed origin;
    wspool_text text;
    int there = wsp_headers_only(headers, WSP_HEADER_ORIGIN, &text);

    if (there == 0) {
        return wsp_headers_only(headers, WSP_HEADER_COOKIE, &text) == 0 ? WSP_ORIGIN_ABSENT
                                                                        : WSP_ORIGIN_STRANGE;
    }
    if (there < 0 || parse_origin(text, &origin)) {
        return WSP_ORIGIN_STRANGE;
    }
    return is_same_host(&origin, headers) || is_listed(origins, &origin) ? WSP_ORIGIN_TRUSTED
                                                                         : WSP_ORIGIN_STRANGE;
}

int wsp_hosts_admit(const struct wsp_origins *hosts, const struct wsp_headers *headers)
{
    struct parsed host;
    wspool_text text;

    if (hosts->count == 0) {
        return 1;
    }
    if (wsp_headers_host(headers, &text) != 1 || parse_host(text, &host)) {
        return 0;
    }
    for (size_t i = 0; i < hosts->count; i++) {
        const struct wsp_origin *one = &hosts->list[i];

        if ((one->port == 0 || one->port == host.port) && has_host(one, host.host)) {
            return 1;
        }
    }
    return 0;
}

static int list_check(const struct wsp_origins *origins, int hosts)
{
    if ((origins->list == NULL) != (origins->count == 0)) {
        return 0;
    }
    for (size_t i = 0; i < origins->count; i++) {
        const struct wsp_origin *origin = &origins->list[i];
        if (!origin->scheme || origin->host != origin->scheme + strlen(origin->scheme) + 1 ||
            origin->port > 65535) {
            return 0;
        }
        int opaque = !hosts && origin->port == 0;
        int null = opaque && strcmp(origin->host, "null") == 0;
        if (!*origin->host ? !opaque : !*origin->scheme ? !hosts && !null : hosts) {
            return 0;
        }
    }
    return 1;
}

int wsp_origins_check(const struct wsp_origins *origins)
{
    return list_check(origins, 0);
}

int wsp_hosts_check(const struct wsp_origins *hosts)
{
    return list_check(hosts, 1);
}
