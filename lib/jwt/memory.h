/* SPDX-License-Identifier: MIT */
/* jwt/memory.h - the host's memory hooks, with a count of the bytes in use. */
#ifndef WSP_JWT_MEMORY_H
#define WSP_JWT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/config.h>

struct wsp_jwt_memory {
    wspool_mem hooks; /* malloc and free are set; realloc is not used */
    uint64_t bytes;   /* allocated now */
};

/* Returns zeroed memory, or NULL. */
void *wsp_jwt_alloc(struct wsp_jwt_memory *memory, size_t size);
/* Overwrites a block of wsp_jwt_alloc, and frees it. NULL is allowed. */
void wsp_jwt_release(struct wsp_jwt_memory *memory, void *block);

#endif
