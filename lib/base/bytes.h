/* SPDX-License-Identifier: MIT */
/*
 * base/bytes.h - a growing byte buffer.  Layer 0.
 *
 * The buffer grows with its contents, never with an announced length, and never beyond the limit of
 * its owner. It grows in powers of two from 256 bytes on; the last step ends at the limit. While it
 * is copied, the old buffer exists beside the new one: it is at most three quarters of the limit.
 * An all-zero struct is a valid empty buffer.
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

/* Makes room for `more` bytes behind `len`. `len + more` must not exceed `most`, and `most` must
 * be below SIZE_MAX / 2. Returns 0, or WSPOOL_ERR_NOMEM with nothing changed. */
int wsp_bytes_reserve(struct wsp_bytes *bytes, const wspool_mem *mem, size_t more, size_t most);
int wsp_bytes_append(struct wsp_bytes *bytes, const wspool_mem *mem, const void *data, size_t len,
                     size_t most);
/* Frees the memory and leaves an empty buffer. */
void wsp_bytes_fini(struct wsp_bytes *bytes, const wspool_mem *mem);
/* Returns 1 if the invariants hold, else 0. */
int wsp_bytes_check(const struct wsp_bytes *bytes);

#endif
