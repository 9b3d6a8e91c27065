/* SPDX-License-Identifier: MIT */
/*
 * wire/uri.h - the parts of a request target that the library needs (RFC 3986).  Layer 1.
 */
#ifndef WSP_WIRE_URI_H
#define WSP_WIRE_URI_H

#include <stddef.h>
#include <wspool/handshake.h>

/* The parts of a target; they point into it. */
struct wsp_target {
    wspool_text authority; /* of a target in absolute form; empty: origin form */
    wspool_text path;
    wspool_text query;
};

/* Splits a raw target in origin form ("/p?q") or in absolute form (RFC 9112, section 3.2.2:
 * "http://host:port/p?q", also with https, ws and wss; an empty path is "/"). The authority is not
 * checked, except that it is not empty. Returns 0, or -1 when the target has another form or a byte
 * that no target may have (control characters, space, '#', bytes above 126). */
int wsp_uri_split(wspool_text target, struct wsp_target *out);

/* Decodes %XX into `out` of `max` bytes. Returns the length, or -1 when an escape is broken or
 * the result does not fit. '+' is left unchanged. */
int wsp_uri_decode(wspool_text text, char *out, size_t max);

/*
 * Takes the next unit of a text that is not empty. Returns a byte, 256 + a byte for an escape that
 * stays one, or -1 (with one byte taken) for a broken escape. An escape of an unreserved character
 * is the character itself (RFC 3986, section 6.2.2.2), so that two texts that mean the same have
 * the same units.
 */
int wsp_uri_next(wspool_text *text);
/* Writes the three bytes of an escape, for a unit of 256 or more, in its normal form (section
 * 6.2.2.1). */
void wsp_uri_write_escape(char *out, int unit);

/* Finds the first parameter of that name in a query ("a=1&b=2"). Returns 1 and its raw value, or
 * 0. Names are compared as they are. */
int wsp_uri_parameter(wspool_text query, const char *name, wspool_text *value);

#endif
