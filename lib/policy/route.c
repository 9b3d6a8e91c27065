/* SPDX-License-Identifier: MIT */
/* policy/route.c - see policy/route.h. */
#include "policy/route.h"

#include <string.h>

#include <wspool/error.h>
#include "wire/refusal.h"
#include "wire/text.h"
#include "wire/uri.h"

static char *copy_string(const wspool_mem *mem, const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = wsp_alloc(mem, size);
    if (copy) {
        memcpy(copy, string, size);
    }
    return copy;
}

/* Normalises the escapes of a pattern, in place. Returns 0, or -1 if one is broken. */
static int normalise(char *pattern)
{
    wspool_text rest = {pattern, strlen(pattern)};
    while (rest.len > 0) {
        int unit = wsp_uri_next(&rest);
        if (unit < 0) {
            return -1;
        }
        if (unit < 256) {
            *pattern++ = (char)unit;
        } else {
            wsp_uri_write_escape(pattern, unit);
            pattern += 3;
        }
    }
    *pattern = '\0';
    return 0;
}

/* Returns 1 if a request can have this text in its path, as it is: no byte that must be escaped, no
 * query, and no segment "." or "..", which clients resolve (RFC 3986, section 5.2.4). */
static int is_path(wspool_text text)
{
    if (wsp_text_span(text, '!', '~') < text.len || memchr(text.data, '?', text.len) ||
        memchr(text.data, '#', text.len)) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        size_t dots = 0;
        while (text.data[i] == '/' && i + 1 + dots < text.len && text.data[i + 1 + dots] == '.') {
            dots++;
        }
        if ((dots == 1 || dots == 2) &&
            (i + 1 + dots == text.len || text.data[i + 1 + dots] == '/')) {
            return 0;
        }
    }
    return 1;
}

/* Finds the parameter: a whole segment, and at most one. The rest must be a path. */
static int parse_pattern(struct wsp_route *route, const char *pattern)
{
    const char *open = strchr(pattern, '{');
    const char *close = strchr(pattern, '}');
    size_t len = strlen(pattern);
    route->head = len;
    route->tail = 0;
    if (pattern[0] != '/') {
        return WSPOOL_ERR_INVAL;
    }
    if (open || close) {
        if (!open || !close || close < open + 2 || open[-1] != '/' ||
            (close[1] != '/' && close[1] != '\0') || strchr(open + 1, '{') ||
            strchr(close + 1, '}') || memchr(open, '/', (size_t)(close - open))) {
            return WSPOOL_ERR_INVAL;
        }
        route->head = (size_t)(open - pattern);
        route->tail = (size_t)(close + 1 - pattern);
    }
    return is_path((wspool_text){pattern, route->head}) &&
                   (route->tail == 0 ||
                    is_path((wspool_text){pattern + route->tail, len - route->tail}))
               ? 0
               : WSPOOL_ERR_INVAL;
}

static void free_route(struct wsp_route *route, const wspool_mem *mem)
{
    wsp_free(mem, route->name);
    wsp_free(mem, route->pattern);
}

void wsp_routes_fini(struct wsp_routes *routes, const wspool_mem *mem)
{
    for (size_t i = 0; i < routes->count; i++) {
        free_route(&routes->list[i], mem);
    }
    wsp_free(mem, routes->list);
    *routes = (struct wsp_routes){0};
}

/* Takes a literal part of a pattern from the start of *path. Returns 1 if it is there, else 0. A
 * pattern is normalised, so only a path with an escape has to be compared unit by unit. */
static inline int take_part(wspool_text *path, int escaped, wspool_text part)
{
    if (path->len >= part.len && memcmp(path->data, part.data, part.len) == 0) {
        path->data += part.len;
        path->len -= part.len;
        return 1;
    }
    if (!escaped) {
        return 0;
    }
    while (part.len > 0) {
        if (path->len == 0 || wsp_uri_next(path) != wsp_uri_next(&part)) {
            return 0;
        }
    }
    return 1;
}

/* Returns 1 and the raw parameter if the path matches, else 0. */
static int fits(const struct wsp_route *route, wspool_text path, int escaped,
                wspool_text *parameter)
{
    if (!take_part(&path, escaped, (wspool_text){route->pattern, route->head})) {
        return 0;
    }
    if (route->tail > 0) {
        const char *slash = memchr(path.data, '/', path.len);
        *parameter = (wspool_text){path.data, slash ? (size_t)(slash - path.data) : path.len};
        path.data += parameter->len;
        path.len -= parameter->len;
        if (parameter->len == 0 ||
            !take_part(&path, escaped, wsp_text_of(route->pattern + route->tail))) {
            return 0;
        }
    }
    return path.len == 0;
}

/* Returns 1 if each path of `later` leads to `earlier`. */
static int covers(const struct wsp_route *earlier, const struct wsp_route *later)
{
    wspool_text parameter;
    if (later->tail == 0) {
        return fits(earlier, (wspool_text){later->pattern, later->head}, 1, &parameter);
    }
    return earlier->tail > 0 && earlier->head == later->head &&
           memcmp(earlier->pattern, later->pattern, later->head) == 0 &&
           strcmp(earlier->pattern + earlier->tail, later->pattern + later->tail) == 0;
}

/* Returns 1 if no route of its kind has other rules. */
static int agrees(const struct wsp_routes *routes, const struct wsp_route *route)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct wsp_route *each = &routes->list[i];
        if (route->kind != WSPOOL_NONE && each->kind == route->kind &&
            !wsp_rules_equal(&each->rules, &route->rules)) {
            return 0;
        }
    }
    return 1;
}

/* Compares a new route with those that are there. */
static int compare(const struct wsp_routes *routes, const struct wsp_route *route)
{
    if (!agrees(routes, route)) {
        return WSPOOL_ERR_INVAL;
    }
    for (size_t i = 0; i < routes->count; i++) {
        if (covers(&routes->list[i], route)) {
            return WSPOOL_ERR_EXISTS;
        }
    }
    return 0;
}

int wsp_routes_add(struct wsp_routes *routes, const wspool_mem *mem, const char *pattern,
                   enum wspool_kind kind, const wspool_route_options *options)
{
    struct wsp_route route = {.kind = kind,
                              .flags = options->flags,
                              .user = options->user,
                              .rules = {.slow = options->slow,
                                        .queue_bytes = options->queue_bytes,
                                        .queue_messages = options->queue_messages,
                                        .history = options->history,
                                        .priority = options->priority,
                                        .send_interval = options->send_interval},
                              .message_bytes = options->message_bytes,
                              .codec = options->codec,
                              .duplicates = options->duplicates};
    const char *name = options->name ? options->name : "";
    if (!pattern || strlen(name) > WSPOOL_NAME_MAX || routes->count >= UINT16_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    int error = WSPOOL_ERR_NOMEM;
    route.pattern = copy_string(mem, pattern);
    route.name = copy_string(mem, name);
    if (!route.pattern || !route.name) {
        goto fail;
    }
    error = normalise(route.pattern) ? WSPOOL_ERR_INVAL : parse_pattern(&route, route.pattern);
    if (!error) {
        error = compare(routes, &route);
    }
    if (error) {
        goto fail;
    }
    struct wsp_route *list = wsp_resize(mem, routes->list, routes->count + 1, sizeof *list);
    if (!list) {
        error = WSPOOL_ERR_NOMEM;
        goto fail;
    }
    list[routes->count] = route;
    routes->list = list;
    routes->count++;
    return 0;
fail:
    free_route(&route, mem);
    return error;
}

int wsp_routes_match(const struct wsp_routes *routes, wspool_text path, char *name,
                     size_t *name_len)
{
    int escaped = memchr(path.data, '%', path.len) != NULL;
    for (size_t i = 0; i < routes->count; i++) {
        const struct wsp_route *route = &routes->list[i];
        wspool_text parameter = {0};
        if (!fits(route, path, escaped, &parameter)) {
            continue;
        }
        if (route->tail == 0) {
            *name_len = strlen(route->name);
            memcpy(name, route->name, *name_len);
            return (int)i;
        }
        /* Decoding only shortens a text: one that is longer than three times the room is too
         * long. */
        char decoded[3 * WSPOOL_NAME_MAX];
        if (parameter.len > sizeof decoded) {
            return wsp_refused(WSPOOL_REFUSED_NO_ROUTE);
        }
        int len = wsp_uri_decode(parameter, decoded, sizeof decoded);
        if (len < 0) {
            return wsp_refused(WSPOOL_REFUSED_MALFORMED);
        }
        if (len > WSPOOL_NAME_MAX || memchr(decoded, '/', (size_t)len)) {
            return wsp_refused(WSPOOL_REFUSED_NO_ROUTE);
        }
        memcpy(name, decoded, (size_t)len);
        *name_len = (size_t)len;
        return (int)i;
    }
    return wsp_refused(WSPOOL_REFUSED_NO_ROUTE);
}

int wsp_routes_check(const struct wsp_routes *routes)
{
    if ((routes->list == NULL) != (routes->count == 0)) {
        return 0;
    }
    for (size_t i = 0; i < routes->count; i++) {
        const struct wsp_route *route = &routes->list[i];
        struct wsp_route parsed;
        if (!agrees(routes, route)) {
            return 0;
        }
        if (!route->pattern || !route->name || strlen(route->name) > WSPOOL_NAME_MAX ||
            parse_pattern(&parsed, route->pattern) || parsed.head != route->head ||
            parsed.tail != route->tail) {
            return 0;
        }
    }
    return 1;
}
