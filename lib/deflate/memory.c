/* SPDX-License-Identifier: MIT */
/*
 * deflate/memory.c - every byte, zlib's included, comes from the options' hooks and is counted.
 *
 * zlib doesn't say how large a block is that it gives back, so each begins with its own size.
 */
#include "deflate/inner.h"

union head {
    size_t size; /* of all of the block */
    max_align_t align;
};

void *wsp_deflate_alloc(wspool_deflate *self, size_t size)
{
    const wspool_mem *mem = &self->options.mem;
    union head *head = NULL;
    if (size <= SIZE_MAX - sizeof *head) {
        head = mem->malloc(sizeof *head + size, mem->user);
    }
    if (!head) {
        return NULL;
    }
    head->size = sizeof *head + size;
    self->stats.memory += head->size;
    return head + 1;
}

void wsp_deflate_release(wspool_deflate *self, void *block)
{
    const wspool_mem *mem = &self->options.mem;
    if (block) {
        union head *head = (union head *)block - 1;
        self->stats.memory -= head->size;
        mem->free(head, mem->user);
    }
}

static voidpf alloc_for_zlib(voidpf self, uInt items, uInt size)
{
    if (size != 0 && items > SIZE_MAX / size) {
        return NULL;
    }
    return wsp_deflate_alloc(self, (size_t)items * size);
}

static void release_for_zlib(voidpf self, voidpf block)
{
    wsp_deflate_release(self, block);
}

z_stream wsp_deflate_stream(wspool_deflate *self)
{
    return (z_stream){.zalloc = alloc_for_zlib, .zfree = release_for_zlib, .opaque = self};
}
