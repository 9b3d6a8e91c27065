/* SPDX-License-Identifier: MIT */
/*
 * wire/utf8.h - is it UTF-8 (RFC 3629)? Judged chunk by chunk.  Floor 1.
 *
 * The state carries a sequence that a chunk's end has cut; all zero is the state at the start. A
 * byte that can't be right is found at once, not at the end of its sequence.
 *
 * Invariants:
 * - at most three bytes are missing;
 * - while any is, the bounds of the next one are a range of continuation bytes.
 */
#ifndef WSP_WIRE_UTF8_H
#define WSP_WIRE_UTF8_H

#include <stddef.h>
#include <stdint.h>

struct wsp_utf8 {
    uint8_t missing; /* continuation bytes still to come */
    uint8_t low;     /* bounds of the next of them */
    uint8_t high;
};

/* 1 when the chunk can stand in valid UTF-8 after what came before, 0 when not. */
int wsp_utf8_feed(struct wsp_utf8 *state, const uint8_t *bytes, size_t len);
/* Does the text end here? 1 when no sequence is left open. */
int wsp_utf8_complete(const struct wsp_utf8 *state);
/* Is this text, whole as it is, UTF-8? 1 or 0. */
int wsp_utf8_is_whole(const uint8_t *bytes, size_t len);
/* Do the invariants hold? 1 or 0. */
int wsp_utf8_check(const struct wsp_utf8 *state);

#endif
