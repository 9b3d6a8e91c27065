/* SPDX-License-Identifier: MIT */
/*
 * jwt/wipe.h - overwrites what must not stay in memory.
 *
 * The compiler may leave out a memset of memory that nobody reads again. It cannot see which
 * function the volatile pointer leads to, so the call stays.
 */
#ifndef WSP_JWT_WIPE_H
#define WSP_JWT_WIPE_H

#include <string.h>

static inline void wsp_jwt_wipe(void *bytes, size_t len)
{
    void *(*volatile overwrite)(void *, int, size_t) = memset;
    overwrite(bytes, 0, len);
}

#endif
