/* SPDX-License-Identifier: MIT */
/*
 * os/os.h - default hooks that ask the operating system.  Layer 0.
 *
 * The only module with system calls. wspool_clock of wspool/wspool.h is here too.
 */
#ifndef WSP_OS_OS_H
#define WSP_OS_OS_H

#include <stddef.h>
#include <stdint.h>

/* Fills `len` unpredictable bytes. Returns 0, or -1 when the system has none. A default for
 * wspool_entropy_hook; `user` is ignored. */
int wsp_os_entropy(void *bytes, size_t len, void *user);

/* Returns milliseconds since 1970. A default for wspool_wall_clock_hook; `user` is ignored. */
uint64_t wsp_os_wall_clock(void *user);

#endif
