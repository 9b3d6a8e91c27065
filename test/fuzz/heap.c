/* SPDX-License-Identifier: MIT */
/* fuzz/heap.c - see fuzz/heap.h. */
#include "heap.h"

#include <malloc.h>

static int refuses(fuzz_heap *heap)
{
    heap->calls++;
    if (heap->fail_at != 0 &&
        (heap->calls == heap->fail_at || (heap->fail_on && heap->calls > heap->fail_at))) {
        heap->failed++;
        return 1;
    }
    return 0;
}

static void *counted(fuzz_heap *heap, void *block)
{
    if (block != NULL) {
        heap->live += malloc_usable_size(block);
        heap->blocks++;
        heap->peak = heap->live > heap->peak ? heap->live : heap->peak;
    }
    return block;
}

static void uncounted(fuzz_heap *heap, void *block)
{
    if (block != NULL) {
        heap->live -= malloc_usable_size(block);
        heap->blocks--;
    }
}

static void *heap_malloc(size_t size, void *user)
{
    return refuses(user) ? NULL : counted(user, malloc(size));
}

static void *heap_realloc(void *block, size_t size, void *user)
{
    if (refuses(user)) {
        return NULL;
    }
    uncounted(user, block);
    return counted(user, realloc(block, size));
}

static void heap_free(void *block, void *user)
{
    uncounted(user, block);
    free(block);
}

wspool_mem fuzz_heap_hooks(fuzz_heap *heap)
{
    return (wspool_mem){heap_malloc, heap_realloc, heap_free, heap};
}
