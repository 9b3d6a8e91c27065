/* SPDX-License-Identifier: MIT */
/*
 * wire/text.c - see wire/text.h.
 */
#include "wire/text.h"

/* 32 per row. The low bits of a digit are the classes; a byte above 127 is in none. */
const char wsp_text_classes[256] = {"00000000000000000000000000000000"
                                    "03013333223703347777777777220200"
                                    "07777777777777777777777777720213"
                                    "17777777777777777777777777701030"};

int wsp_text_is_all(wspool_text text, unsigned in)
{
    const char *c = text.data;

    for (; text.len >= 4; text.len -= 4, c += 4) {
        in &= wsp_text_class(c[0]) & wsp_text_class(c[1]) & wsp_text_class(c[2]) &
              wsp_text_class(c[3]);
    }
    for (; text.len > 0; text.len--, c++) {
        in &= wsp_text_class(*c);
    }
    return in != 0;
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
        if (a.data[i] != b.data[i] && lower(a.data[i]) != lower(b.data[i])) {
            return 0;
        }
    }
    return 1;
}
