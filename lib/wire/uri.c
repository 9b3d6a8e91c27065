/* SPDX-License-Identifier: MIT */
/*
 * wire/uri.c - see wire/uri.h.
 */
#include "wire/uri.h"

#include <limits.h>
#include <string.h>

#include "wire/text.h"

int wsp_uri_split(wspool_text target, wspool_text *path, wspool_text *query)
{
    const char *mark;

    if (target.len == 0 || target.data[0] != '/' || wsp_text_span(target, '!', '~') < target.len ||
        memchr(target.data, '#', target.len)) {
        return -1;
    }
    mark = memchr(target.data, '?', target.len);
    path->data = target.data;
    path->len = mark ? (size_t)(mark - target.data) : target.len;
    query->data = target.data + path->len + (mark ? 1 : 0);
    query->len = target.len - path->len - (mark ? 1 : 0);
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

int wsp_uri_decode(wspool_text text, char *out, size_t max)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '%') {
            int high, low;

            if (text.len - i < 3) {
                return -1;
            }
            high = hex_value(text.data[i + 1]);
            low = hex_value(text.data[i + 2]);
            if (high < 0 || low < 0) {
                return -1;
            }
            c = (char)(unsigned char)(high << 4 | low);
            i += 2;
        }
        if (len == max || len == INT_MAX) {
            return -1;
        }
        out[len++] = c;
    }
    return (int)len;
}

int wsp_uri_parameter(wspool_text query, const char *name, wspool_text *value)
{
    size_t name_len = strlen(name);
    size_t at = 0;

    while (at < query.len) {
        const char *pair = query.data + at;
        const char *end = memchr(pair, '&', query.len - at);
        size_t len = end ? (size_t)(end - pair) : query.len - at;
        const char *equals = memchr(pair, '=', len);
        size_t key_len = equals ? (size_t)(equals - pair) : len;

        if (key_len == name_len && memcmp(pair, name, name_len) == 0) {
            value->data = pair + key_len + (equals ? 1 : 0);
            value->len = len - key_len - (equals ? 1 : 0);
            return 1;
        }
        at += len + 1;
    }
    return 0;
}
