/* SPDX-License-Identifier: MIT */
/*
 * base/noinline.h - marks functions for cold paths.  Layer 0.
 *
 * They are not inlined into their callers, which run for each message and then need no stack frame
 * for a cold path.
 */
#ifndef WSP_BASE_NOINLINE_H
#define WSP_BASE_NOINLINE_H

#define WSP_NOINLINE __attribute__((noinline))

#endif
