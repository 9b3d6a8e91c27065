/* SPDX-License-Identifier: MIT */
/* sockets/table.c - see sockets/table.h. */
#include "sockets/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 64u /* elements */

void *wsp_table_reserve(void *table, uint32_t *room, uint32_t slot, size_t size)
{
    uint32_t wanted = slot < LEAST / 2 ? LEAST : 2 * slot;
    if (slot < *room) {
        return table;
    }
    if (slot > UINT32_MAX / 2 || wanted > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    unsigned char *larger = realloc(table, wanted * size);
    if (larger) {
        memset(larger + *room * size, 0, (wanted - *room) * size);
        *room = wanted;
    }
    return larger;
}
