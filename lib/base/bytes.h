/* SPDX-License-Identifier: MIT */
/*
 * base/bytes.h - one growing run of bytes.  Floor 0.
 *
 * Grows with what it holds (at least doubling, starting at 256), never with what somebody
 * announces; a limit belongs to the caller. All zero is a valid empty one.
 * Invariants: len <= cap; data is NULL exactly when cap is 0.
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

/* Room for `more` bytes behind len; 0, or WSPOOL_ERR_NOMEM and nothing is changed. */
int wsp_bytes_reserve(struct wsp_bytes *bytes, const wspool_mem *mem, size_t more);
int wsp_bytes_append(struct wsp_bytes *bytes, const wspool_mem *mem, const void *data, size_t len);
/* Gives the memory back and leaves an empty one. */
void wsp_bytes_fini(struct wsp_bytes *bytes, const wspool_mem *mem);

#endif
