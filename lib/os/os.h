/* SPDX-License-Identifier: MIT */
/*
 * os/os.h - what is asked of the operating system when the host gives no hook of its own.
 * Floor 0.
 *
 * The only room with system calls. wspool_clock, in wspool/wspool.h, lives here too.
 */
#ifndef WSP_OS_OS_H
#define WSP_OS_OS_H

#include <stddef.h>

/* Fills `len` bytes that nobody can guess; 0, or -1 when the system has none. A default for
 * wspool_entropy_hook: `user` is not looked at. */
int wsp_os_entropy(void *bytes, size_t len, void *user);

#endif
