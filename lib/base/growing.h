/* SPDX-License-Identifier: MIT */
/*
 * base/growing.h - structs of the host that may be older or newer than ours.  Floor 0.
 *
 * Each begins with its own size, and new members are only ever appended. An older one leaves our
 * newer members at their defaults; a newer one is good as long as what we don't know is zero.
 */
#ifndef WSP_BASE_GROWING_H
#define WSP_BASE_GROWING_H

#include <stddef.h>

/* Copies the host's struct over ours, which holds the defaults and is `size` bytes long. 0, or
 * WSPOOL_ERR_INVAL when its size is impossible or it asks for something we don't know. */
int wsp_growing_copy(void *ours, size_t size, const void *given);

#endif
