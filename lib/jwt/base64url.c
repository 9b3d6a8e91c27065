/* SPDX-License-Identifier: MIT */
/* jwt/base64url.c - see jwt/base64url.h. */
#include "jwt/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Returns the value of a character; 64: it has none. */
static uint32_t value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0') + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : 64;
}

int wsp_base64url_decode(const char *text, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned count = 0; /* of the bits that are not written yet */
    if (len % 4 == 1) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        uint32_t value = value_of(text[i]);
        if (value > 63) {
            return 0;
        }
        bits = bits << 6 | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (uint8_t)(bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    return bits == 0;
}

void wsp_base64url_encode(const uint8_t *bytes, size_t len, char *out)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (count += 8; count >= 6; count -= 6) {
            *out++ = alphabet[bits >> (count - 6) & 63];
        }
        bits &= (1u << count) - 1;
    }
    if (count > 0) {
        *out = alphabet[bits << (6 - count) & 63];
    }
}
