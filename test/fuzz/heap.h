/* SPDX-License-Identifier: MIT */
/*
 * fuzz/heap.h - memory for a pool: counted, told to fail, and each block one of the C library's,
 * so that the sanitizer watches its edges. Quicker than the heap of the sim.
 */
#ifndef WSPOOL_TEST_FUZZ_HEAP_H
#define WSPOOL_TEST_FUZZ_HEAP_H

#include <wspool/config.h>

#include "fuzz.h"

typedef struct fuzz_heap {
    size_t live; /* bytes */
    size_t peak;
    size_t blocks;
    size_t calls;
    size_t fail_at; /* the call of this number fails; 0: none */
    int fail_on;    /* and all behind it */
    size_t failed;
} fuzz_heap;

wspool_mem fuzz_heap_hooks(fuzz_heap *heap);

#endif
