/* SPDX-License-Identifier: MIT */
/*
 * wire/uri.c - see wire/uri.h.
 */
#include "wire/uri.h"

#include <limits.h>
#include <string.h>

#include "base/noinline.h"
#include "wire/text.h"

/* Moves the authority of a target in absolute form from target->path to target->authority. */
static WSP_NOINLINE int split_authority(struct wsp_target *target)
{
    static const char *const schemes[] = {"http", "https", "ws", "wss"};
    wspool_text path = target->path;
    const char *colon = memchr(path.data, ':', path.len);
    int known = 0;

    if (!colon) {
        return -1;
    }
    size_t scheme = (size_t)(colon - path.data);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        known |= wsp_text_is((wspool_text){path.data, scheme}, schemes[i]);
    }
    if (!known || path.len - scheme < 4 || memcmp(colon, "://", 3) != 0) {
        return -1;
    }
    path.data += scheme + 3;
    path.len -= scheme + 3;
    const char *slash = memchr(path.data, '/', path.len);
    size_t len = slash ? (size_t)(slash - path.data) : path.len;
    target->authority = (wspool_text){path.data, len};
    target->path = slash ? (wspool_text){slash, path.len - len} : (wspool_text){"/", 1};
    return len > 0 ? 0 : -1;
}

int wsp_uri_split(wspool_text target, struct wsp_target *out)
{
    const char *mark;

    if (target.len == 0 || wsp_text_span(target, '!', '~') < target.len ||
        memchr(target.data, '#', target.len)) {
        return -1;
    }
    mark = memchr(target.data, '?', target.len);
    out->authority = (wspool_text){NULL, 0};
    out->path.data = target.data;
    out->path.len = mark ? (size_t)(mark - target.data) : target.len;
    out->query.data = target.data + out->path.len + (mark ? 1 : 0);
    out->query.len = target.len - out->path.len - (mark ? 1 : 0);
    return target.data[0] == '/' ? 0 : split_authority(out);
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

/* Returns the byte of the escape that the text begins with, or -1 if it is broken. */
static int escaped_byte(wspool_text text)
{
    int high = text.len >= 3 ? hex_value(text.data[1]) : -1;
    int low = text.len >= 3 ? hex_value(text.data[2]) : -1;

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static int is_unreserved(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int wsp_uri_next(wspool_text *text)
{
    int unit = (unsigned char)text->data[0];
    size_t len = 1;

    if (unit == '%') {
        unit = escaped_byte(*text);
        len = unit < 0 ? 1 : 3;
        unit += unit >= 0 && !is_unreserved(unit) ? 256 : 0;
    }
    text->data += len;
    text->len -= len;
    return unit;
}

void wsp_uri_write_escape(char *out, int unit)
{
    static const char digits[] = "0123456789ABCDEF";

    out[0] = '%';
    out[1] = digits[unit >> 4 & 15];
    out[2] = digits[unit & 15];
}

int wsp_uri_decode(wspool_text text, char *out, size_t max)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '%') {
            int byte = escaped_byte((wspool_text){text.data + i, text.len - i});

            if (byte < 0) {
                return -1;
            }
            c = (char)(unsigned char)byte;
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
