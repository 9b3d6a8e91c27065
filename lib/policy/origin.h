/* SPDX-License-Identifier: MIT */
/*
 * policy/origin.h - may a page from there connect here?  Floor 4.
 *
 * Browsers let any page open a WebSocket to any host and send the host's cookies along; the
 * Origin header (RFC 6454) is what tells. Compared as parsed scheme, host and port, never by
 * prefix or pattern. Without an Origin it was no browser: admitted if it carries no cookie.
 *
 * Default ports are known of http and ws (80), https and wss (443); an origin of any other
 * scheme must name its port. A host is a name, an IPv4 address or an IPv6 address in brackets,
 * any case; a trailing dot makes another host.
 *
 * Invariants:
 * - each origin of the list has a scheme, a host and a port, as they were parsed.
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
    int any; /* let everybody in */
};

/* Parses an allow list ("scheme://host[:port]", ends in NULL; may be NULL) into copies of its
 * own. INVAL when one of them can't be parsed, NOMEM; then nothing is held. */
int wsp_origins_init(struct wsp_origins *origins, const wspool_mem *mem, const char *const *list,
                     int any);
void wsp_origins_fini(struct wsp_origins *origins, const wspool_mem *mem);

/* 1: may come in. The Origin's host and port must equal those of the Host header (a port left
 * out there is the default port of the Origin's scheme), or its scheme, host and port one of the
 * list. "null", or whatever can't be parsed, is refused. */
int wsp_origins_admit(const struct wsp_origins *origins, const struct wsp_headers *headers);

/* Do the invariants hold? 1 or 0. */
int wsp_origins_check(const struct wsp_origins *origins);

#endif
