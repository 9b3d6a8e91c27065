/* SPDX-License-Identifier: MIT */
/*
 * base/wipe.h - overwrites secrets that are not used any more.  Layer 0.
 *
 * The compiler may leave out a memset of memory that nobody reads again. It cannot see which
 * function the volatile pointer leads to, so the call stays.
 */
#ifndef WSP_BASE_WIPE_H
#define WSP_BASE_WIPE_H

#include <stddef.h>
#include <string.h>

static inline void wsp_wipe(void *bytes, size_t len)
{
    void *(*volatile overwrite)(void *, int, size_t) = memset;

    if (len > 0) {
        overwrite(bytes, 0, len);
    }
}

#endif
