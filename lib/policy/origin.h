/* SPDX-License-Identifier: MIT */
/*
 * policy/origin.h - decides whether a page of an origin may connect.  Layer 2.
 *
 * Browsers let any page open a WebSocket to any host, and send the host's cookies with it. Only the
 * Origin header (RFC 6454) tells them apart. It is compared as parsed scheme, host and port, never
 * by prefix or pattern. A request without Origin does not come from a browser: it is admitted if it
 * carries no cookie.
 *
 * Default ports are known for http and ws (80), https and wss (443). An origin with another scheme
 * must name its port. A host is a name, an IPv4 address or an IPv6 address in brackets, in any
 * case. A trailing dot makes a different host.
 *
 * Invariants:
 * - each origin of the list has a parsed scheme, host and port.
 */
#ifndef WSP_POLICY_ORIGIN_H
#define WSP_POLICY_ORIGIN_H

#include <stddef.h>
#include "base/mem.h"
#include "wire/headers.h"

struct wsp_origin; /* one allowed origin, parsed */

struct wsp_origins {
    struct wsp_origin *list;
    size_t count;
    int any; /* 1: admit every origin */
};

/* Parses an allow list ("scheme://host[:port]", ends in NULL; may be NULL) and copies it.
 * Returns 0; WSPOOL_ERR_INVAL when an entry cannot be parsed, or WSPOOL_ERR_NOMEM: then nothing
 * is allocated. */
int wsp_origins_init(struct wsp_origins *origins, const wspool_mem *mem, const char *const *list,
                     int any);
void wsp_origins_fini(struct wsp_origins *origins, const wspool_mem *mem);

/* Returns 1 if the request is admitted, else 0. The Origin's host and port must equal those of
 * the Host header (a missing port there is the default port of the Origin's scheme), or its
 * scheme, host and port must be in the list. "null" and every origin that cannot be parsed are
 * refused. */
int wsp_origins_admit(const struct wsp_origins *origins, const struct wsp_headers *headers);

/* Returns 1 if the invariants hold, else 0. */
int wsp_origins_check(const struct wsp_origins *origins);

#endif
