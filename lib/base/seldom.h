/* SPDX-License-Identifier: MIT */
/*
 * base/seldom.h - functions for what seldom happens.  Floor 0.
 *
 * Kept out of those who call them, which are called for each message and then need no stack for
 * what they seldom do.
 */
#ifndef WSP_BASE_SELDOM_H
#define WSP_BASE_SELDOM_H

#define WSP_SELDOM __attribute__((noinline))

#endif
