/* SPDX-License-Identifier: MIT */
/*
 * jwt/base64url.h - base64url without padding (RFC 4648, section 5; RFC 7515, section 2).
 *
 * Each sequence of bytes has exactly one text. nettle's decoder passes over white space, so this
 * one is our own.
 */
#ifndef WSP_JWT_BASE64URL_H
#define WSP_JWT_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

/* The most bytes that a text of `len` characters stands for, and the length of a text. */
#define WSP_BASE64URL_DECODED(len) ((len) / 4 * 3 + (len) % 4 * 3 / 4)
#define WSP_BASE64URL_ENCODED(len) ((len) / 3 * 4 + ((len) % 3 * 4 + 2) / 3)

/* Decodes a text. `out` has room for WSP_BASE64URL_DECODED(len) bytes, and that is how many are
 * written. Returns 1; or 0 for a character outside of the alphabet, padding, a length that no bytes
 * have, or unused bits that are not zero. */
int wsp_base64url_decode(const char *text, size_t len, uint8_t *out);

/* Writes WSP_BASE64URL_ENCODED(len) characters. */
void wsp_base64url_encode(const uint8_t *bytes, size_t len, char *out);

#endif
