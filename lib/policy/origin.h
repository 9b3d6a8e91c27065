/* SPDX-License-Identifier: MIT */
/*
 * policy/origin.h - decides whether a page of an origin may connect.  Layer 2.
 *
 * Browsers let any page open a WebSocket to any host, and send the host's cookies with it. Only the
 * Origin header (RFC 6454) tells them apart. It is compared as parsed scheme, host and port, never
 * by prefix. A request without Origin does not come from a browser: it is admitted if it carries no
 * cookie.
 *
 * Default ports are known for http and ws (80), https and wss (443). A host is a name, an IPv4
 * address or an IPv6 address in brackets, in any case. A trailing dot makes a different host. An
 * origin of another scheme without a port is opaque (chrome-extension://ID, capacitor://localhost,
 * file://), and so is "null": it can be listed, and is never that of the same host.
 *
 * A name of the list may begin with "*.": it stands for one or more labels.
 *
 * The Host header can be checked, too: a page whose name an attacker lets point to this server (DNS
 * rebinding) sends that name in both headers, so that they agree.
 *
 * Invariants:
 * - each origin of the list has a scheme with a host or without, or is "null"; only an opaque one
 *   has no port;
 * - a listed host has no scheme.
 */
#ifndef WSP_POLICY_ORIGIN_H
#define WSP_POLICY_ORIGIN_H

#include <stddef.h>
#include "base/mem.h"
#include "wire/headers.h"

struct wsp_origin; /* one allowed origin or host, parsed */

struct wsp_origins {
    struct wsp_origin *list;
    size_t count;
};

/* Parses an allow list (ends in NULL; may be NULL) and copies it: of origins
 * ("scheme://host[:port]", "null"), or of hosts ("host[:port]"; without a port: any). Returns 0;
 * WSPOOL_ERR_INVAL when an entry cannot be parsed, or a list of hosts is empty; or
 * WSPOOL_ERR_NOMEM. On error nothing is allocated. */
int wsp_origins_init(struct wsp_origins *origins, const wspool_mem *mem, const char *const *list);
int wsp_hosts_init(struct wsp_origins *hosts, const wspool_mem *mem, const char *const *list);
void wsp_origins_fini(struct wsp_origins *origins, const wspool_mem *mem);

enum wsp_origin_kind {
    WSP_ORIGIN_STRANGE, /* a page of another origin, or one that cannot be judged */
    WSP_ORIGIN_ABSENT,  /* not a browser: no Origin, and no cookie */
    WSP_ORIGIN_TRUSTED  /* the same host, or in the list */
};

/* Judges a request. The Origin's host and port must equal those that the request is for (a missing
 * port there is the default port of the Origin's scheme), or its scheme, host and port must be in
 * the list. Every origin that cannot be parsed is strange. */
enum wsp_origin_kind wsp_origins_judge(const struct wsp_origins *origins,
                                       const struct wsp_headers *headers);

/* Returns 1 if the host that the request is for is in the list, or there is no list; else 0. */
int wsp_hosts_admit(const struct wsp_origins *hosts, const struct wsp_headers *headers);

/* Return 1 if the invariants hold, else 0. */
int wsp_origins_check(const struct wsp_origins *origins);
int wsp_hosts_check(const struct wsp_origins *hosts);

#endif
