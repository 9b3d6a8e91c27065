/* SPDX-License-Identifier: MIT */
/*
 * wire/utf8.h - validates UTF-8 (RFC 3629) chunk by chunk.  Layer 1.
 *
 * The state holds a sequence that the end of a chunk has cut. An all-zero state is the start. A
 * wrong byte is found at once, not at the end of its sequence.
 *
 * Invariants:
 * - at most three bytes are missing;
 * - while bytes are missing, the bounds of the next one are a range of continuation bytes.
 */
#ifndef WSP_WIRE_UTF8_H
#define WSP_WIRE_UTF8_H

#include <stddef.h>
#include <stdint.h>

struct wsp_utf8 {
    uint8_t missing; /* continuation bytes still missing */
    uint8_t low;     /* bounds of the next one */
    uint8_t high;
};

/* Returns 1 if the chunk can follow the bytes before it in valid UTF-8, else 0. */
int wsp_utf8_feed(struct wsp_utf8 *state, const uint8_t *bytes, size_t len);
/* Returns 1 if the text may end here: no sequence is incomplete. Else 0. */
int wsp_utf8_complete(const struct wsp_utf8 *state);
/* Returns 1 if this complete text is UTF-8, else 0. */
int wsp_utf8_is_whole(const uint8_t *bytes, size_t len);
/* Returns 1 if the invariants hold, else 0. */
int wsp_utf8_check(const struct wsp_utf8 *state);

#endif
