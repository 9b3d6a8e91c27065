/* SPDX-License-Identifier: MIT */
/*
 * sockets/table.h - an array that is indexed by slots: the transports of peers and of clients.
 *
 * Slots are small numbers that are used again, so an array finds a transport without a search. It
 * grows to twice the slot that is asked for and never shrinks.
 */
#ifndef WSP_SOCKETS_TABLE_H
#define WSP_SOCKETS_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* Makes `table` of *room elements of `size` bytes long enough for this slot. New elements are
 * zero. Returns the table, which may have moved, and sets *room. Without memory it returns NULL
 * with errno; the old table and *room stay. An empty table is NULL with 0 elements; free() ends
 * it. */
void *wsp_table_reserve(void *table, uint32_t *room, uint32_t slot, size_t size);

#endif
