/* SPDX-License-Identifier: MIT */
/*
 * wire/mask.h - the masking of RFC 6455, section 5.3, done while copying.  Floor 1.
 */
#ifndef WSP_WIRE_MASK_H
#define WSP_WIRE_MASK_H

#include <stddef.h>
#include <stdint.h>

/* Copies `len` bytes and XORs them with the key, of which the first byte applies to src[0]. The
 * regions must not overlap. 1 when what came out is ASCII, all of it; 0 when not. */
int wsp_mask_copy(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t key[4]);

/* Turns the key so that its first byte is the one for the byte `by` places further on. */
void wsp_mask_turn(uint8_t key[4], size_t by);

#endif
