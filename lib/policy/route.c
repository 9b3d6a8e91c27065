/* SPDX-License-Identifier: MIT */
/* policy/route.c - see policy/route.h. */
#include "policy/route.h"

#include <string.h>

#include <wspool/error.h>
#include "wire/refusal.h"
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

/* Finds the parameter: a whole segment, and at most one. */
static int parse_pattern(struct wsp_route *route, const char *pattern)
{
    const char *open = strchr(pattern, '{');
    const char *close = strchr(pattern, '}');
    size_t len = strlen(pattern);
    wspool_text path, query;
    route->head = len;
    route->tail = 0;
    if (pattern[0] != '/') {
        return WSPOOL_ERR_INVAL;
    }
    if (!open && !close) {
        /* It must be a path that a request can have. */
        return wsp_uri_split((wspool_text){pattern, len}, &path, &query) == 0 && path.len == len
                   ? 0
                   : WSPOOL_ERR_INVAL;
    }
    if (!open || !close || close < open + 2 || open[-1] != '/' ||
        (close[1] != '/' && close[1] != '\0') || strchr(open + 1, '{') || strchr(close + 1, '}') ||
        memchr(open, '/', (size_t)(close - open))) {
        return WSPOOL_ERR_INVAL;
    }
    route->head = (size_t)(open - pattern);
    route->tail = (size_t)(close + 1 - pattern);
    return 0;
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

int wsp_routes_add(struct wsp_routes *routes, const wspool_mem *mem, const char *pattern,
                   enum wspool_kind kind, const wspool_route_options *options)
{
    struct wsp_route route = {.kind = kind,
                              .flags = options->flags,
                              .user = options->user,
                              .slow = options->slow,
                              .message_bytes = options->message_bytes,
                              .codec = options->codec};
    const char *name = options->name ? options->name : "";
    if (!pattern || strlen(name) > WSPOOL_NAME_MAX || routes->count >= UINT16_MAX ||
        parse_pattern(&route, pattern)) {
        return WSPOOL_ERR_INVAL;
    }
    route.pattern = copy_string(mem, pattern);
    route.name = copy_string(mem, name);
    struct wsp_route *list = NULL;
    if (route.pattern && route.name) {
        list = wsp_resize(mem, routes->list, routes->count + 1, sizeof *list);
    }
    if (!list) {
        free_route(&route, mem);
        return WSPOOL_ERR_NOMEM;
    }
    list[routes->count] = route;
    routes->list = list;
    routes->count++;
    return 0;
}

/* Returns 1 and the raw parameter if the path matches, else 0. */
static int fits(const struct wsp_route *route, wspool_text path, wspool_text *parameter)
{
    if (route->tail == 0) {
        return path.len == route->head && memcmp(path.data, route->pattern, path.len) == 0;
    }
    const char *rest = route->pattern + route->tail;
    size_t rest_len = strlen(rest);
    if (path.len <= route->head + rest_len || memcmp(path.data, route->pattern, route->head) != 0 ||
        memcmp(path.data + path.len - rest_len, rest, rest_len) != 0) {
        return 0;
    }
    parameter->data = path.data + route->head;
    parameter->len = path.len - route->head - rest_len;
    return memchr(parameter->data, '/', parameter->len) == NULL;
}

int wsp_routes_match(const struct wsp_routes *routes, wspool_text path, char *name,
                     size_t *name_len)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct wsp_route *route = &routes->list[i];
        wspool_text parameter = {0};
        if (!fits(route, path, &parameter)) {
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

/* Returns 1 if a path can lead to that channel by this route. */
static int can_name(const struct wsp_route *route, wspool_channel channel)
{
    if (route->kind != channel.kind) {
        return 0;
    }
    if (route->tail > 0) {
        return channel.len > 0 && !memchr(channel.name, '/', channel.len);
    }
    return strlen(route->name) == channel.len &&
           (channel.len == 0 || memcmp(route->name, channel.name, channel.len) == 0);
}

enum wspool_slow wsp_routes_slow(const struct wsp_routes *routes, wspool_channel channel,
                                 enum wspool_slow otherwise)
{
    for (size_t i = 0; i < routes->count; i++) {
        if (can_name(&routes->list[i], channel)) {
            return routes->list[i].slow;
        }
    }
    return otherwise;
}

int wsp_routes_check(const struct wsp_routes *routes)
{
    if ((routes->list == NULL) != (routes->count == 0)) {
        return 0;
    }
    for (size_t i = 0; i < routes->count; i++) {
        const struct wsp_route *route = &routes->list[i];
        struct wsp_route parsed;
        if (!route->pattern || !route->name || strlen(route->name) > WSPOOL_NAME_MAX ||
            parse_pattern(&parsed, route->pattern) || parsed.head != route->head ||
            parsed.tail != route->tail) {
            return 0;
        }
    }
    return 1;
}
