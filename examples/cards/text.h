/* SPDX-License-Identifier: MIT */
/* text.h - a text that grows: where reports of the library are written to. */
#ifndef CARDS_TEXT_H
#define CARDS_TEXT_H

#include <stdlib.h>
#include <string.h>

struct text {
    char *bytes; /* from malloc */
    size_t len, room;
};

/* For wspool_writer; `user` is a text. Returns 0, or -1 without memory. */
static inline int text_append(const char *piece, size_t len, void *user)
{
    struct text *text = user;

    if (len > text->room - text->len) {
        size_t room = text->room > 0 ? 2 * text->room : 32768; /* pieces are much shorter */
        char *bytes = realloc(text->bytes, room);
        if (bytes == NULL) {
            return -1;
        }
        text->bytes = bytes;
        text->room = room;
    }
    memcpy(text->bytes + text->len, piece, len);
    text->len += len;
    return 0;
}

static inline void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){NULL, 0, 0};
}

#endif
