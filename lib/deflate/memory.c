/* SPDX-License-Identifier: MIT */
/* deflate/memory.c - see deflate/memory.h. */
#include "deflate/memory.h"

union head {
    size_t size; /* of the block, head included */
    max_align_t align;
};

void *wsp_deflate_alloc(struct wsp_deflate_memory *memory, size_t size)
{
    union head *head = NULL;
    if (size <= SIZE_MAX - sizeof *head) {
        head = memory->hooks.malloc(sizeof *head + size, memory->hooks.user);
    }
    if (!head) {
        return NULL;
    }
    head->size = sizeof *head + size;
    memory->bytes += head->size;
    return head + 1;
}

void wsp_deflate_release(struct wsp_deflate_memory *memory, void *block)
{
    if (block) {
        union head *head = (union head *)block - 1;
        memory->bytes -= head->size;
        memory->hooks.free(head, memory->hooks.user);
    }
}

static voidpf alloc_for_zlib(voidpf memory, uInt items, uInt size)
{
    if (size != 0 && items > SIZE_MAX / size) {
        return NULL;
    }
    return wsp_deflate_alloc(memory, (size_t)items * size);
}

static void release_for_zlib(voidpf memory, voidpf block)
{
    wsp_deflate_release(memory, block);
}

z_stream wsp_deflate_stream(struct wsp_deflate_memory *memory)
{
    return (z_stream){.zalloc = alloc_for_zlib, .zfree = release_for_zlib, .opaque = memory};
}
