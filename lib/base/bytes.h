/* SPDX-License-Identifier: MIT */
/*
 * base/bytes.h - one growing run of bytes.  Floor 0.
 *
 * Grows with what it holds, never with what somebody announces, and never beyond the most that its
 * owner may need: in powers of two from 256 on, with the last step ending at the most. Of two sizes
 * that follow each other the smaller is at most three quarters of the most, so that is what the
 * copy in between can cost. All zero is a valid empty one.
 *
 * Invariants:
 * - len <= cap;
 * - data is NULL exactly when cap is 0.
 */
#ifndef WSP_BASE_BYTES_H
#define WSP_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

struct wsp_bytes {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/* Room for `more` bytes behind len, which with them is `most` or less, and that below SIZE_MAX / 2.
 * 0, or WSPOOL_ERR_NOMEM and nothing is changed. */
int wsp_bytes_reserve(struct wsp_bytes *bytes, const wspool_mem *mem, size_t more, size_t most);
int wsp_bytes_append(struct wsp_bytes *bytes, const wspool_mem *mem, const void *data, size_t len,
                     size_t most);
/* Gives the memory back and leaves an empty one. */
void wsp_bytes_fini(struct wsp_bytes *bytes, const wspool_mem *mem);
/* Do the invariants hold? 1 or 0. */
int wsp_bytes_check(const struct wsp_bytes *bytes);

#endif
