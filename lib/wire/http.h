/* SPDX-License-Identifier: MIT */
/*
 * wire/http.h - the head of an HTTP/1 request (RFC 9112), parsed strictly.  Floor 1.
 *
 * Results point into the caller's buffer; nothing is allocated or copied. "Not all here yet" is
 * an answer, not an error, and so is what is wrong with it. Stricter than most servers, since a
 * proxy before us must not read the head otherwise than we do: lines end in CR LF and nothing
 * else, no folded lines, no white space before a colon, no control characters, no NUL.
 */
#ifndef WSP_WIRE_HTTP_H
#define WSP_WIRE_HTTP_H

#include <stddef.h>
#include <wspool/handshake.h>

/*
 * Looks at the bytes that have come so far, `seen` of which were looked at before (0 at first).
 *   > 0   the length of the head, blank line included
 *   0     incomplete, and nothing wrong so far
 *   < 0   -(enum wspool_refusal) - 1: MALFORMED (as soon as a byte is there that no head has, so
 *         that a TLS hello is answered at once; what takes a line to tell, at its end), METHOD,
 *         HTTP_VERSION (as soon as the request line is there)
 * The answer does not depend on the pieces in which the bytes come, and all calls together look
 * at each byte twice at most. `len` is below 2^31.
 */
int wsp_http_scan(const char *bytes, size_t len, size_t seen);

/*
 * Parses a head that wsp_http_scan found whole: fills method, target, version and headers of
 * *request; names as they came, values without the white space around them. 0 when well formed,
 * otherwise -(refusal) - 1: MALFORMED, METHOD (not GET), HTTP_VERSION (below 1.1, or not 1.x),
 * HEAD_TOO_LARGE (more than `max` headers).
 */
int wsp_http_parse(const char *head, size_t len, wspool_request *request, wspool_header *headers,
                   size_t max);

/* The only header of that name (any case): 1 and *value, 0 when absent, -1 when there are more. */
int wsp_http_header(const wspool_request *request, const char *name, wspool_text *value);

/* Is there a comma-separated element equal to `token` (any case) in any header of that name? */
int wsp_http_has_token(const wspool_request *request, const char *name, const char *token);

/* Walks the comma-separated elements of all headers of that name: *cursor is 0 at first. 1 and
 * *element (trimmed, never empty), or 0 at the end. */
int wsp_http_next_element(const wspool_request *request, const char *name, size_t *cursor,
                          wspool_text *element);

/* Compares bytes with a string, or with other bytes, ignoring the case of ASCII letters. 1 or 0. */
int wsp_text_is(wspool_text text, const char *string);
int wsp_text_same(wspool_text a, wspool_text b);

/* Without the blanks and tabs around it. */
wspool_text wsp_text_trimmed(wspool_text text);

/* Is it a token of RFC 9110, 5.6.2, of at least one byte? 1 or 0. */
int wsp_text_is_token(wspool_text text);

#endif
