/* SPDX-License-Identifier: MIT */
/*
 * policy/route.h - which path leads to which kind of channel.  Floor 4.
 *
 * Patterns are literal but for at most one {parameter} that stands for a whole segment. They are
 * few and tried in order; the first that fits decides.
 *
 * Invariants:
 * - each route has a pattern and a name of its own, which fits into a channel's;
 * - a pattern begins with a slash; its parameter stands, in braces, from `head` to `tail`, or
 *   there is none, and `head` is its length.
 */
#ifndef WSP_POLICY_ROUTE_H
#define WSP_POLICY_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/config.h>
#include "base/mem.h"

struct wsp_route {
    enum wspool_kind kind;
    unsigned flags;
    void *user;
    enum wspool_slow slow;
    uint32_t message_bytes;
    unsigned codec; /* told to the codec */
    char *name;     /* of the channel, without a parameter */
    char *pattern;
    size_t head; /* length of what stands before the parameter, or of all */
    size_t tail; /* where what stands after it begins; 0: no parameter */
};

struct wsp_routes {
    struct wsp_route *list;
    size_t count;
};

void wsp_routes_fini(struct wsp_routes *routes, const wspool_mem *mem);

/* Adds one; INVAL, NOMEM. */
int wsp_routes_add(struct wsp_routes *routes, const wspool_mem *mem, const char *pattern,
                   enum wspool_kind kind, const wspool_route_options *options);

/* The route of a path: its number, and the name of the channel, written to `name`
 * (WSPOOL_NAME_MAX bytes) and *name_len. Otherwise -(refusal) - 1: NO_ROUTE; MALFORMED when the
 * parameter has a broken escape. */
int wsp_routes_match(const struct wsp_routes *routes, wspool_text path, char *name,
                     size_t *name_len);

/* The policy of a channel: that of the first route that can name it, or `otherwise`. */
enum wspool_slow wsp_routes_slow(const struct wsp_routes *routes, wspool_channel channel,
                                 enum wspool_slow otherwise);

/* Do the invariants hold? 1 or 0. */
int wsp_routes_check(const struct wsp_routes *routes);

#endif
