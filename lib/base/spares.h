/* SPDX-License-Identifier: MIT */
/*
 * base/spares.h - a short list of blocks of one size, kept for the next who needs one.  Floor 0.
 *
 * What is given back is kept up to `keep` blocks and freed above that, so a busy pool allocates
 * nothing and a quiet one holds little.
 *
 * Invariants:
 * - `count` is the length of the list, and at most `keep`;
 * - a block has room for the pointer to the next one.
 */
#ifndef WSP_BASE_SPARES_H
#define WSP_BASE_SPARES_H

#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

struct wsp_spares {
    size_t size; /* of each block; at least a pointer */
    uint32_t keep;
    uint32_t count;
    void *first;
};

void wsp_spares_init(struct wsp_spares *spares, size_t size, uint32_t keep);
void wsp_spares_fini(struct wsp_spares *spares, const wspool_mem *mem);
/* A block whose contents are undefined, or NULL. */
void *wsp_spares_take(struct wsp_spares *spares, const wspool_mem *mem);
void wsp_spares_give(struct wsp_spares *spares, const wspool_mem *mem, void *block);
/* Do the invariants hold? 1 or 0. */
int wsp_spares_check(const struct wsp_spares *spares);

#endif
