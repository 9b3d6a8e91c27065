/* SPDX-License-Identifier: MIT */
/*
 * wire/upgrade.h - the opening handshake of a server (RFC 6455, section 4.2).  Layer 1.
 *
 * What the protocol requires of a request, and how a request is answered. Admission is not decided
 * here.
 */
#ifndef WSP_WIRE_UPGRADE_H
#define WSP_WIRE_UPGRADE_H

#include <stddef.h>
#include <wspool/handshake.h>
#include "wire/headers.h"

#define WSP_ACCEPT_LEN 28       /* base64 of a SHA-1 */
#define WSP_SUBPROTOCOL_MAX 255 /* a longer name is never chosen */

/*
 * Checks whether the request asks for WebSocket version 13, as the RFC requires. Three steps,
 * because each is a stage of its own. Each returns 0 or a refusal (wire/refusal.h):
 *   head     Host, Sec-WebSocket-Key, Sec-WebSocket-Version and Origin occur at most once
 *            (MALFORMED); Host is there, not empty, and has only bytes of a host, and so has the
 *            authority of a target in absolute form (HOST); no body is announced: no
 *            Transfer-Encoding, no Content-Length other than "0" (BODY)
 *   version  Upgrade has the token websocket and Connection the token upgrade (UPGRADE);
 *            Sec-WebSocket-Version is exactly "13" (VERSION)
 *   key      Sec-WebSocket-Key is the one canonical base64 form of 16 bytes (KEY)
 */
int wsp_upgrade_check_head(const struct wsp_headers *headers);
int wsp_upgrade_check_version(const struct wsp_headers *headers);
int wsp_upgrade_check_key(const struct wsp_headers *headers, char accept[WSP_ACCEPT_LEN + 1]);

/* Writes the Sec-WebSocket-Accept that belongs to a key. */
void wsp_upgrade_write_accept(wspool_text key, char accept[WSP_ACCEPT_LEN + 1]);

/* Returns the first offered subprotocol that is in `ours` (ends in NULL; may be NULL) as the
 * pointer in `ours`, or NULL. Sets *malformed to 1 when an offer is not a token. Names are
 * compared exactly. An offer that begins with "bearer." carries a token and is never chosen. */
const char *wsp_upgrade_subprotocol(const struct wsp_headers *headers, const char *const *ours,
                                    int *malformed);

/* Fills the answer of an accepted request: 101, Upgrade, Connection, Sec-WebSocket-Accept and,
 * unless they are NULL, Sec-WebSocket-Protocol and Sec-WebSocket-Extensions. Values are copied.
 * A subprotocol longer than WSP_SUBPROTOCOL_MAX is left out. `extension` must be shorter than
 * WSPOOL_NEGOTIATED_BYTES. */
void wsp_upgrade_accept(wspool_answer *answer, const char *accept, const char *subprotocol,
                        const char *extension);
/* Fills the answer of a refused request: status, JSON body {"error":word}, Content-Type, and
 * what the status requires: Allow with 405, WWW-Authenticate: Bearer with 401, Upgrade with
 * Connection: Upgrade, and Sec-WebSocket-Version: 13, with 426, Retry-After (`retry_after` seconds)
 * with 503 and 429. A refusal with status 0 has no answer: status 0, no headers, an empty body. */
void wsp_upgrade_refuse(wspool_answer *answer, enum wspool_refusal refusal, unsigned retry_after);
/* Returns 1 if a host may add this header to an answer: see wspool_add_header. */
int wsp_upgrade_may_add(const char *name, const char *value);
/* Returns 1 if the page can be sent: see wspool_page. */
int wsp_upgrade_page_is_good(const wspool_page *page);
/* Fills the answer that is a good page. It points to the page's type and body. */
void wsp_upgrade_page(wspool_answer *answer, const wspool_page *page);
/* Takes the body away: the answer to HEAD has none (RFC 9110, section 9.3.2). */
void wsp_upgrade_drop_body(wspool_answer *answer);
/* Writes an answer as HTTP/1.1, with these whole header lines before its end; a refusal and a page
 * have Connection: close, and Content-Length unless they have no body: then a length would have to
 * be that of the answer to GET (section 8.6). Returns the length, 0 for status 0, or -1 when `max`
 * is too small. WSP_UPGRADE_MAX and the length of `added` are always enough. */
#define WSP_UPGRADE_MAX 1024
int wsp_upgrade_write(const wspool_answer *answer, wspool_text added, char *out, size_t max);

#endif
