/* SPDX-License-Identifier: MIT */
/*
 * wire/text.c - see wire/text.h.
 */
#include "wire/text.h"

/* 32 per row; no byte above 127 is a token byte. */
const char wsp_text_token_bytes[256] = {"................................"
                                        ".x.xxxxx..xx.xx.xxxxxxxxxx......"
                                        ".xxxxxxxxxxxxxxxxxxxxxxxxxx...xx"
                                        "xxxxxxxxxxxxxxxxxxxxxxxxxxx.x.x."};

int wsp_text_is_token(wspool_text text)
{
    size_t i = 0;

    while (i < text.len && wsp_text_is_token_byte(text.data[i])) {
        i++;
    }
    return i > 0 && i == text.len;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int wsp_text_same(wspool_text a, wspool_text b)
{
    if (a.len != b.len) {
        return 0;
    }
    if (a.len == 0 || memcmp(a.data, b.data, a.len) == 0) {
        return 1; /* most clients spell a name as its RFC does */
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return 0;
        }
    }
    return 1;
}
