/* SPDX-License-Identifier: MIT */
/*
 * policy/route.h - maps paths to kinds of channels.  Layer 2.
 *
 * A pattern is literal, except for at most one {parameter} that stands for a whole segment. Routes
 * are few and tried in order; the first that matches decides. Escapes are compared as RFC 3986,
 * section 6.2.2 says: "/%65cho" is "/echo", "/%c3" is "/%C3", and "%2F" is no slash. Segments "."
 * and ".." are not resolved: a client does that (section 5.2.4), so a pattern has none.
 *
 * Invariants:
 * - each route has its own copy of its pattern and of a name that is no longer than a channel's;
 * - a pattern is normalised and begins with a slash. Its parameter, with braces, is at [head,
 *   tail); without a parameter `head` is the pattern's length;
 * - all routes of one kind have the same rules.
 */
#ifndef WSP_POLICY_ROUTE_H
#define WSP_POLICY_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/config.h>
#include "base/mem.h"

/* What all channels of a kind have in common. A kind without a route has what the pool has. */
struct wsp_rules {
    enum wspool_slow slow;
    uint32_t queue_bytes; /* limits of a queue, for what is published to such a channel */
    uint32_t queue_messages;
    wspool_history history;
    enum wspool_priority priority;
    uint64_t send_interval;
};

static inline int wsp_rules_equal(const struct wsp_rules *a, const struct wsp_rules *b)
{
    return a->slow == b->slow && a->queue_bytes == b->queue_bytes &&
           a->queue_messages == b->queue_messages && a->history.messages == b->history.messages &&
           a->history.bytes == b->history.bytes && a->history.time == b->history.time &&
           a->history.max_keys == b->history.max_keys &&
           a->history.tombstone_time == b->history.tombstone_time && a->priority == b->priority &&
           a->send_interval == b->send_interval;
}

struct wsp_route {
    enum wspool_kind kind;
    unsigned flags;
    void *user;
    struct wsp_rules rules;
    uint32_t message_bytes;
    unsigned codec; /* passed to the codec */
    enum wspool_duplicates duplicates;
    char *name; /* name of the channel, when there is no parameter */
    char *pattern;
    size_t head; /* length of the part before the parameter, or of the pattern */
    size_t tail; /* start of the part after the parameter; 0: no parameter */
};

struct wsp_routes {
    struct wsp_route *list;
    size_t count;
};

void wsp_routes_fini(struct wsp_routes *routes, const wspool_mem *mem);

/* Adds a route. Returns 0; INVAL: no request can match the pattern, or another route of the kind
 * has other rules; EXISTS: an earlier route matches all that this one would match; NOMEM. */
int wsp_routes_add(struct wsp_routes *routes, const wspool_mem *mem, const char *pattern,
                   enum wspool_kind kind, const wspool_route_options *options);

/* Finds the route of a path. Returns its number, and writes the name of the channel to `name`
 * (WSPOOL_NAME_MAX bytes) and its length to *name_len. Otherwise returns a refusal
 * (wire/refusal.h): NO_ROUTE, or MALFORMED when the parameter has a broken escape. */
int wsp_routes_match(const struct wsp_routes *routes, wspool_text path, char *name,
                     size_t *name_len);

/* Returns 1 if the invariants hold, else 0. */
int wsp_routes_check(const struct wsp_routes *routes);

#endif
