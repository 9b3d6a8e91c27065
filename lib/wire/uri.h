/* SPDX-License-Identifier: MIT */
/*
 * wire/uri.h - the few parts of a request target that we need (RFC 3986).  Floor 1.
 */
#ifndef WSP_WIRE_URI_H
#define WSP_WIRE_URI_H

#include <stddef.h>
#include <wspool/handshake.h>

/* The path and the query of a raw target in origin form ("/p?q"); 0, or -1 when it doesn't begin
 * with a slash or has a byte that no target may have (controls, space, '#', bytes above 126). */
int wsp_uri_split(wspool_text target, wspool_text *path, wspool_text *query);

/* Decodes %XX into `out` of `max` bytes; answers the length, or -1 when an escape is broken or
 * it doesn't fit. '+' is left alone. */
int wsp_uri_decode(wspool_text text, char *out, size_t max);

/* The first parameter of that name in a query ("a=1&b=2"): 1 and its raw value, or 0. Names are
 * compared as they stand. */
int wsp_uri_parameter(wspool_text query, const char *name, wspool_text *value);

#endif
