/* SPDX-License-Identifier: MIT */
/*
 * wire/extension.h - parses Sec-WebSocket-Extensions (RFC 6455, section 9.1).  Layer 1.
 *
 * Grammar only. Which extension is accepted is the codec's decision (wspool/codec.h). Results point
 * into the request.
 */
#ifndef WSP_WIRE_EXTENSION_H
#define WSP_WIRE_EXTENSION_H

#include <stddef.h>
#include <wspool/codec.h>
#include <wspool/handshake.h>
#include "wire/headers.h"

/* Fetches the next offer of a request. The walk must be zeroed at first. Returns
 *   1   *offer and its parameters are filled
 *   0   there are no more offers
 *  -1   the header is no list of extensions: refuse the handshake Two kinds of offers are
 * skipped as if declined: those with more than WSPOOL_EXTENSION_PARAMS parameters, and those
 * with a backslash in a value (lawful in quotes, but not used). */
int wsp_extension_next(const struct wsp_headers *headers, struct wsp_elements *walk,
                       wspool_extension *offer,
                       wspool_extension_param params[WSPOOL_EXTENSION_PARAMS]);

#endif
