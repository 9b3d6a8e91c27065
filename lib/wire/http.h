/* SPDX-License-Identifier: MIT */
/*
 * wire/http.h - the head of an HTTP/1 request (RFC 9112), parsed strictly.  Floor 1.
 *
 * Results point into the caller's buffer; nothing is allocated or copied. "Not all here yet" is
 * an answer, not an error, and so is what is wrong with it. Stricter than most servers, since a
 * proxy before us must not read the head otherwise than we do: lines end in CR LF and nothing
 * else, no folded lines, no white space before a colon, no control characters, no NUL. No empty
 * line before the request line either (9112, 2.2 would ignore one), and a target is a path (9112,
 * 3.2.2 would take a whole URI): nobody who opens a WebSocket sends these.
 */
#ifndef WSP_WIRE_HTTP_H
#define WSP_WIRE_HTTP_H

#include <stddef.h>
#include <wspool/handshake.h>

/*
 * Looks at the bytes that have come so far, `seen` of which were looked at before (0 at first).
 *   > 0   the length of the head, blank line included
 *   0     incomplete, and nothing wrong so far
 *   < 0   a refusal (wire/refusal.h): MALFORMED (as soon as a byte is there that no head has, so
 *         that a TLS hello is answered at once; what takes a line to tell, at its end), METHOD,
 *         HTTP_VERSION (as soon as the request line is there)
 * The answer does not depend on the pieces in which the bytes come, and all calls together look
 * at each byte twice at most. `len` is below 2^31.
 */
int wsp_http_scan(const char *bytes, size_t len, size_t seen);

/*
 * Answers as wsp_http_scan does and, when the head is whole, fills method, target, version and
 * headers of *request; names as they came, values without the white space around them. Besides,
 * HEAD_TOO_LARGE: it is whole and has more than `max` headers. What comes in one piece is judged
 * and taken apart in one pass; what comes in several is scanned, and taken apart when it is whole,
 * which is a third look at most.
 */
int wsp_http_parse(const char *bytes, size_t len, size_t seen, wspool_request *request,
                   wspool_header *headers, size_t max);

#endif
