/* SPDX-License-Identifier: MIT */
/* report/text.c - see report/text.h. */
#include "report/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void wsp_text_init(struct wsp_text *text, const wspool_writer *writer)
{
    text->writer = writer;
    text->error = 0;
    text->used = 0;
}

static void flush(struct wsp_text *text)
{
    if (text->used > 0 && text->error == 0) {
        text->error = text->writer->call(text->buffer, text->used, text->writer->user);
    }
    text->used = 0;
}

void wsp_text_put_bytes(struct wsp_text *text, const void *bytes, size_t len)
{
    const char *from = bytes;
    while (len > 0) {
        const size_t room = sizeof text->buffer - text->used;
        const size_t part = len < room ? len : room;
        memcpy(text->buffer + text->used, from, part);
        text->used += part;
        from += part;
        len -= part;
        if (text->used == sizeof text->buffer) {
            flush(text);
        }
    }
}

void wsp_text_put(struct wsp_text *text, const char *string)
{
    wsp_text_put_bytes(text, string, strlen(string));
}

void wsp_text_put_number(struct wsp_text *text, uint64_t number)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64, number);
    wsp_text_put_bytes(text, digits, (size_t)len);
}

void wsp_text_put_millionths(struct wsp_text *text, uint64_t millionths)
{
    char digits[32];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64 ".%06" PRIu64, millionths / 1000000,
                             millionths % 1000000);
    wsp_text_put_bytes(text, digits, (size_t)len);
}

int wsp_text_end(struct wsp_text *text)
{
    flush(text);
    return text->error;
}
