/* SPDX-License-Identifier: MIT */
/*
 * os/sample.h - samples of the machine: memory, processor, open files, pressure.  Layer 0.
 *
 * Files are read whole, into a buffer on the stack. Nothing is allocated, and no descriptor is kept.
 */
#ifndef WSP_OS_SAMPLE_H
#define WSP_OS_SAMPLE_H

#include <wspool/capacity.h>

#define WSP_SAMPLER_PATH 256

struct wsp_sampler {
    const char *root;              /* before each path: "", but in tests */
    char memory[WSP_SAMPLER_PATH]; /* folders of the control groups with a limit; "": none */
    char cpu[WSP_SAMPLER_PATH];
    int memory_version, cpu_version; /* of control groups: 1 or 2 */
    uint64_t busy, all;              /* of the processors, at the last sample */
    uint64_t usage;                  /* of the control group, in microseconds */
    uint64_t at;                     /* when that was; 0: never */
};

/* Looks for control groups. */
void wsp_sampler_init(struct wsp_sampler *sampler, const char *root);
/* Fills MEMORY, CPU, FILES and PRESSURE. `now` is in nanoseconds. Of the processor it says nothing
 * at first, because it compares two moments. */
void wsp_sampler_take(struct wsp_sampler *sampler, wspool_sample *sample, uint64_t now);

#endif
