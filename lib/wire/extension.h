/* SPDX-License-Identifier: MIT */
/*
 * wire/extension.h - what Sec-WebSocket-Extensions offers (RFC 6455, section 9.1).  Floor 1.
 *
 * The grammar only; which extension is agreed to is the codec's to say (wspool/codec.h). Results
 * point into the request.
 */
#ifndef WSP_WIRE_EXTENSION_H
#define WSP_WIRE_EXTENSION_H

#include <stddef.h>
#include <wspool/codec.h>
#include <wspool/handshake.h>
#include "wire/headers.h"

/* The next offer of a request; the walk is zeroed at first.
 *   1    *offer and its parameters are filled
 *   0    there are no more
 *  -1    this is no list of extensions: the handshake is to be refused
 * Passed over, as if declined: an offer with more than WSPOOL_EXTENSION_PARAMS parameters, or with
 * a backslash in a value (lawful, in quotes; nobody writes them). */
int wsp_extension_next(const struct wsp_headers *headers, struct wsp_elements *walk,
                       wspool_extension *offer,
                       wspool_extension_param params[WSPOOL_EXTENSION_PARAMS]);

#endif
