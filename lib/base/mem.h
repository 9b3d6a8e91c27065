/* SPDX-License-Identifier: MIT */
/*
 * base/mem.h - all memory of a pool comes through here.  Floor 0.
 *
 * A thin layer over the host's wspool_mem: sizes are multiplied with a check, a block can be
 * aligned to the cache line, and free forgives NULL. Nothing here keeps state.
 */
#ifndef WSP_BASE_MEM_H
#define WSP_BASE_MEM_H

#include <stddef.h>
#include <wspool/config.h>

#define WSP_CACHE_LINE 64u

/* The C library's allocator, for hosts that give none. */
extern const wspool_mem wsp_mem_default;

/* NULL when the allocator says no, or size is 0. Contents are undefined. */
void *wsp_alloc(const wspool_mem *mem, size_t size);
/* count * size bytes, all zero; NULL also when the product overflows. */
void *wsp_calloc(const wspool_mem *mem, size_t count, size_t size);
/* As realloc, for count * size bytes; on NULL the old block is untouched. */
void *wsp_resize(const wspool_mem *mem, void *block, size_t count, size_t size);
void wsp_free(const wspool_mem *mem, void *block);

/* `size` bytes, all zero, on a cache line's boundary; given back with wsp_free_aligned only. */
void *wsp_calloc_aligned(const wspool_mem *mem, size_t size);
void wsp_free_aligned(const wspool_mem *mem, void *block);

#endif
