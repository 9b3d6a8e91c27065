/* SPDX-License-Identifier: MIT */
/*
 * base/mem.c - see base/mem.h.
 *
 * An aligned block lies inside a larger one. The address of the larger block is stored right before
 * the aligned one, because the host's hooks know nothing of alignment.
 */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *default_malloc(size_t size, void *user)
{
    (void)user;
    return malloc(size);
}

static void *default_realloc(void *block, size_t size, void *user)
{
    (void)user;
    return realloc(block, size);
}

static void default_free(void *block, void *user)
{
    (void)user;
    free(block);
}

const wspool_mem wsp_mem_default = {default_malloc, default_realloc, default_free, NULL};

void *wsp_alloc(const wspool_mem *mem, size_t size)
{
    return size == 0 ? NULL : mem->malloc(size, mem->user);
}

void *wsp_calloc(const wspool_mem *mem, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    void *block = wsp_alloc(mem, count * size);
    if (block) {
        memset(block, 0, count * size);
    }
    return block;
}

void *wsp_resize(const wspool_mem *mem, void *block, size_t count, size_t size)
{
    /* realloc to size 0 may free the block, and a caller that gets NULL would not know. */
    if (count == 0 || size == 0 || count > SIZE_MAX / size) {
        return NULL;
    }
    if (!block) {
        return mem->malloc(count * size, mem->user);
    }
    return mem->realloc(block, count * size, mem->user);
}

void wsp_free(const wspool_mem *mem, void *block)
{
    if (block) {
        mem->free(block, mem->user);
    }
}

void *wsp_calloc_aligned(const wspool_mem *mem, size_t size)
{
    const size_t extra = sizeof(void *) + WSP_CACHE_LINE - 1;
    if (size == 0 || size > SIZE_MAX - extra) {
        return NULL;
    }
    uint8_t *whole = wsp_alloc(mem, size + extra);
    if (!whole) {
        return NULL;
    }
    uint8_t *block = whole + sizeof(void *);
    block += (0 - (uintptr_t)block) & (WSP_CACHE_LINE - 1);
    memcpy(block - sizeof(void *), &whole, sizeof(void *));
    memset(block, 0, size);
    return block;
}

void wsp_free_aligned(const wspool_mem *mem, void *block)
{
    if (block) {
        void *whole;
        memcpy(&whole, (uint8_t *)block - sizeof(void *), sizeof(void *));
        mem->free(whole, mem->user);
    }
}
