/* SPDX-License-Identifier: MIT */
/*
 * base/mem.h - all memory of a pool is allocated here.  Layer 0.
 *
 * A thin layer over the host's wspool_mem: products of sizes are checked for overflow, blocks can
 * be aligned to a cache line, and free accepts NULL. It keeps no state.
 */
#ifndef WSP_BASE_MEM_H
#define WSP_BASE_MEM_H

#include <stddef.h>
#include <wspool/config.h>

#define WSP_CACHE_LINE 64u

/* The C library's allocator, used when the host gives none. */
extern const wspool_mem wsp_mem_default;

/* Returns NULL when the allocator fails or `size` is 0. The contents are undefined. */
void *wsp_alloc(const wspool_mem *mem, size_t size);
/* Allocates count * size zeroed bytes. Returns NULL also when the product overflows. */
void *wsp_calloc(const wspool_mem *mem, size_t count, size_t size);
/* As realloc, for count * size bytes. When it returns NULL, the old block is unchanged. */
void *wsp_resize(const wspool_mem *mem, void *block, size_t count, size_t size);
void wsp_free(const wspool_mem *mem, void *block);

/* Allocates `size` zeroed bytes on a cache line boundary. Must be freed by wsp_free_aligned. */
void *wsp_calloc_aligned(const wspool_mem *mem, size_t size);
void wsp_free_aligned(const wspool_mem *mem, void *block);

#endif
