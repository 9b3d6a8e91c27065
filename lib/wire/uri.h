/* SPDX-License-Identifier: MIT */
/*
 * wire/uri.h - the parts of a request target that the library needs (RFC 3986).  Layer 1.
 */
#ifndef WSP_WIRE_URI_H
#define WSP_WIRE_URI_H

#include <stddef.h>
#include <wspool/handshake.h>

/* Splits a raw target in origin form ("/p?q") into path and query. Returns 0, or -1 when it does
 * not begin with a slash or has a byte that no target may have (control characters, space, '#',
 * bytes above 126). */
int wsp_uri_split(wspool_text target, wspool_text *path, wspool_text *query);

/* Decodes %XX into `out` of `max` bytes. Returns the length, or -1 when an escape is broken or
 * the result does not fit. '+' is left unchanged. */
int wsp_uri_decode(wspool_text text, char *out, size_t max);

/* Finds the first parameter of that name in a query ("a=1&b=2"). Returns 1 and its raw value, or
 * 0. Names are compared as they are. */
int wsp_uri_parameter(wspool_text query, const char *name, wspool_text *value);

#endif
