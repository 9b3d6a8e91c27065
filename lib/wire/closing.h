/* SPDX-License-Identifier: MIT */
/*
 * wire/closing.h - the payload of Close frames (RFC 6455, sections 5.5.1 and 7.4).  Layer 1.
 */
#ifndef WSP_WIRE_CLOSING_H
#define WSP_WIRE_CLOSING_H

#include <stddef.h>
#include <stdint.h>

/* Longest reason: a control frame's 125 bytes less the two bytes of the code. */
#define WSP_CLOSE_REASON_MAX 123u

/* Returns 1 if the code may appear in a Close frame: 1000-1003, 1007-1014 and 3000-4999.
 * 1004-1006 and 1015 are reserved, and all others are not assigned. */
int wsp_close_code_ok(int code);

/* Returns 1 if we may send this Close: a code that may appear in a Close, and a reason (may be
 * NULL) that fits and is UTF-8. Else 0. */
int wsp_close_may_send(int code, const char *reason, size_t len);

/* Parses the whole payload of a peer's Close. Returns 0 and sets *code (1005 for an empty
 * payload), or returns the close code to send: 1002 (one byte, or a code that may not be sent)
 * or 1007 (the reason is not UTF-8). */
int wsp_close_parse(const uint8_t *payload, size_t len, int *code);

/* Writes a payload of at most 125 bytes and returns its length. Code 1005 makes an empty one. */
size_t wsp_close_write(uint8_t payload[125], int code, const char *reason, size_t reason_len);

#endif
