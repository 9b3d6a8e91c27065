/* SPDX-License-Identifier: MIT */
/*
 * deflate/memory.h - the host's memory hooks, for zlib too, with a count of the bytes in use.
 *
 * zlib does not say how large a block is when it frees it. Each block therefore begins with its
 * size.
 */
#ifndef WSP_DEFLATE_MEMORY_H
#define WSP_DEFLATE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define ZLIB_CONST /* makes next_in a pointer to const: zlib does not write to its input */
#include <zlib.h>

#include <wspool/config.h>

struct wsp_deflate_memory {
    wspool_mem hooks; /* malloc and free are set; realloc is not used */
    uint64_t bytes;   /* allocated now, sizes included */
};

/* Returns NULL without memory. */
void *wsp_deflate_alloc(struct wsp_deflate_memory *memory, size_t size);
/* Frees a block of wsp_deflate_alloc. NULL is allowed. */
void wsp_deflate_release(struct wsp_deflate_memory *memory, void *block);

/* Returns a stream for deflateInit2 or inflateInit2 that allocates from `memory`, which must
 * outlive it. */
z_stream wsp_deflate_stream(struct wsp_deflate_memory *memory);

#endif
