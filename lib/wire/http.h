/* SPDX-License-Identifier: MIT */
/*
 * wire/http.h - a strict parser for the head of an HTTP/1 request, and of an answer (RFC 9112).
 * Layer 1.
 *
 * Results point into the caller's buffer; nothing is allocated or copied. "Incomplete" and each
 * kind of fault are results, not errors. The parser is stricter than most servers, because a proxy
 * before us must not read the head in another way than we do: lines end in CR LF only, no folded
 * lines, no white space before a colon, no control characters, no NUL. It ignores up to four empty
 * lines before the request line (section 2.2).
 *
 * A head that a host's server has read (hosted mode) is judged by the same rules.
 */
#ifndef WSP_WIRE_HTTP_H
#define WSP_WIRE_HTTP_H

#include <stddef.h>
#include <wspool/handshake.h>

/*
 * Scans the bytes that have arrived; `seen` of them were scanned before (0 at first). Returns
 *   > 0   the length of the head, blank line included
 *   0     incomplete, and valid so far
 *   < 0   a refusal (wire/refusal.h). MALFORMED: as soon as a byte is there that no head has, so
 *         that a TLS ClientHello gets its answer at once; otherwise at the end of the line. METHOD
 *         and HTTP_VERSION: as soon as the request line is complete
 * The result does not depend on the pieces in which the bytes arrive. All calls together look at
 * each byte at most twice. `len` is below 2^31.
 */
int wsp_http_scan(const char *bytes, size_t len, size_t seen);

/*
 * Returns as wsp_http_scan does. When the head is complete, fills method, target, version and
 * headers of *request: names as they came, values without surrounding white space. Also returns
 * HEAD_TOO_LARGE when the head has more than `max` headers. A head in one piece is checked and
 * parsed in one pass. A head in several pieces is scanned, and parsed when it is complete: a third
 * look at most.
 */
int wsp_http_parse(const char *bytes, size_t len, size_t seen, wspool_request *request,
                   wspool_header *headers, size_t max);

/*
 * The same for the head of an answer: returns its length, 0 while it is incomplete, or -1 if it is
 * malformed or has more than `max` headers. `status` is 100 to 999. Bytes that no HTTP/1 answer
 * begins with are refused at once, all else at the end of its line. All lines are looked at again
 * each time one is complete: bound the bytes.
 */
struct wsp_http_answer {
    int status;
    int http_minor;
    wspool_request head; /* only its headers are set: see wire/headers.h */
};
int wsp_http_parse_answer(const char *bytes, size_t len, size_t seen,
                          struct wsp_http_answer *answer, wspool_header *headers, size_t max);

/* Returns 1 if the bytes begin with a complete and well-formed request line, else 0. */
int wsp_http_has_request_line(const char *bytes, size_t len);
/* Returns 1 if the bytes begin as a request with the method HEAD does: its answer has no body (RFC
 * 9110, section 9.3.2). */
int wsp_http_is_head(const char *bytes, size_t len);

/*
 * Judge a request that was read by someone else, with the result that wsp_http_parse has for the
 * same head. Return 0 or a refusal.
 *   line     MALFORMED, METHOD, HTTP_VERSION
 *   headers  MALFORMED: a name is not a token, or a value has a control byte. HEAD_TOO_LARGE: there
 *            are more than `max` headers, or the head has more than `max_bytes` bytes, when each
 *            colon has one space behind it
 */
int wsp_http_judge_line(const wspool_request *request);
int wsp_http_judge_headers(const wspool_request *request, size_t max, size_t max_bytes);

#endif
