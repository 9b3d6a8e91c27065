/* SPDX-License-Identifier: MIT */
/*
 * fuzz/heap.h - an allocator for a pool: it counts, it can fail, and each block is one of the C
 * library's, so that the sanitizer sees accesses beyond it. Faster than the sim's heap.
 */
#ifndef WSPOOL_TEST_FUZZ_HEAP_H
#define WSPOOL_TEST_FUZZ_HEAP_H

#include <wspool/config.h>

#include "fuzz.h"

typedef struct fuzz_heap {
    size_t live; /* bytes allocated now */
    size_t peak;
    size_t blocks;
    size_t calls;
    size_t fail_at; /* the call with this number fails; 0: none */
    int fail_on;    /* every later call fails too */
    size_t failed;
} fuzz_heap;

wspool_mem fuzz_heap_hooks(fuzz_heap *heap);

#endif
