/* SPDX-License-Identifier: MIT */
/* deflate/negotiate.h - accepts or declines an offer of permessage-deflate (RFC 7692, 7.1). */
#ifndef WSP_DEFLATE_NEGOTIATE_H
#define WSP_DEFLATE_NEGOTIATE_H

#include <wspool/deflate.h>

/* Returns 1 and fills *out if the offer is accepted, otherwise 0. `route_flags` is a set of
 * WSPOOL_DEFLATE_OFF and WSPOOL_DEFLATE_TAKEOVER. wspool/deflate.h has the rules. */
int wsp_deflate_negotiate(const wspool_deflate_options *options, const wspool_extension *offer,
                          unsigned route_flags, wspool_negotiated *out);

#endif
