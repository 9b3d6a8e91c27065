/* SPDX-License-Identifier: MIT */
/* jwt/memory.c - see jwt/memory.h. */
#include "jwt/memory.h"

#include <string.h>

#include "jwt/wipe.h"

union head {
    size_t size; /* of the block, head included */
    max_align_t align;
};

void *wsp_jwt_alloc(struct wsp_jwt_memory *memory, size_t size)
{
    union head *head = memory->hooks.malloc(sizeof *head + size, memory->hooks.user);
    if (!head) {
        return NULL;
    }
    memset(head, 0, sizeof *head + size);
    head->size = sizeof *head + size;
    memory->bytes += head->size;
    return head + 1;
}

void wsp_jwt_release(struct wsp_jwt_memory *memory, void *block)
{
    if (block) {
        union head *head = (union head *)block - 1;
        size_t size = head->size;
        memory->bytes -= size;
        wsp_jwt_wipe(head, size);
        memory->hooks.free(head, memory->hooks.user);
    }
}
