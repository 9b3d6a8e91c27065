/* SPDX-License-Identifier: MIT */
/*
 * wire/mask.h - masking (RFC 6455, section 5.3), done while copying.  Layer 1.
 */
#ifndef WSP_WIRE_MASK_H
#define WSP_WIRE_MASK_H

#include <stddef.h>
#include <stdint.h>

/* Copies `len` bytes and XORs them with the key, whose first byte applies to src[0]. The regions
 * must not overlap. Returns 1 if all output bytes are ASCII, else 0. */
int wsp_mask_copy(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4]);

/* Rotates the key so that its first byte applies to the byte `by` positions later. */
void wsp_mask_turn(uint8_t key[4], size_t by);

#endif
