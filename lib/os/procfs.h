/* SPDX-License-Identifier: MIT */
/*
 * os/procfs.h - reads the text of files of /proc and /sys/fs/cgroup.  Layer 0.
 *
 * Pure functions on bytes, which need not be what they should be. Each returns 1 and its results,
 * or 0 if what it looks for is not there. Numbers that do not fit into 64 bits are not there.
 */
#ifndef WSP_OS_PROCFS_H
#define WSP_OS_PROCFS_H

#include <stddef.h>
#include <stdint.h>

/* The number behind `name` at the beginning of a line: "MemTotal:  24683548 kB", "usage_usec 12". A
 * colon and spaces may be between them. */
int wsp_procfs_value(const char *text, size_t len, const char *name, uint64_t *value);
/* The number that is the first word of a file. "max", and what no machine has (above 2^60), is
 * UINT64_MAX. */
int wsp_procfs_limit(const char *text, size_t len, uint64_t *limit);
/* cpu.max: the microseconds of processor time (UINT64_MAX: "max") in each period. */
int wsp_procfs_quota(const char *text, size_t len, uint64_t *quota, uint64_t *period);
/* /proc/stat: what all processors have done since the start, in ticks. Waiting for input and output
 * is idle. */
int wsp_procfs_cpu(const char *text, size_t len, uint64_t *busy, uint64_t *all);
/* /proc/pressure: "some avg10=" in hundredths of a percent. */
int wsp_procfs_pressure(const char *text, size_t len, uint64_t *hundredths);
/* /proc/self/cgroup: the path of the group of a controller; NULL: that of version 2. Copied with its
 * NUL; one that is longer than `size` is not there. */
int wsp_procfs_group(const char *text, size_t len, const char *controller, char *path, size_t size);

#endif
