/* SPDX-License-Identifier: MIT */
/*
 * wire/text.h - operations on the texts of a request.  Layer 1.
 *
 * A text is a pointer and a length; the bytes belong to something else, and an empty text may have
 * no pointer. Functions that run for each header of each request are inline, so that the compiler
 * knows the lengths and bounds of a call.
 */
#ifndef WSP_WIRE_TEXT_H
#define WSP_WIRE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wspool/handshake.h>
#include "base/words.h"

static inline wspool_text wsp_text_of(const char *string)
{
    return (wspool_text){string, strlen(string)};
}

/* Compares two texts without regard to the case of ASCII letters. Returns 1 if they are equal,
 * else 0. */
int wsp_text_same(wspool_text a, wspool_text b);

static inline int wsp_text_is(wspool_text text, const char *string)
{
    return wsp_text_same(text, wsp_text_of(string));
}

static inline int wsp_text_is_space(char c)
{
    return c == ' ' || c == '\t';
}

static inline int wsp_text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Returns the text without surrounding spaces and tabs. */
static inline wspool_text wsp_text_trimmed(wspool_text text)
{
    while (text.len > 0 && wsp_text_is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && wsp_text_is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* Returns how many bytes from the start are between `low` and `high`, both ASCII. Works on eight
 * bytes at a time: a token in a query is long, and the target is scanned several times. */
static inline size_t wsp_text_span(wspool_text text, unsigned char low, unsigned char high)
{
    const uint64_t each = UINT64_MAX / 255;
    size_t i = 0;

    for (; text.len - i >= 8; i += 8) {
        uint64_t word = wsp_word_load((const uint8_t *)text.data + i);

        /* In a word of ASCII no sum carries into the next byte. The first sum has the high bit
         * of a byte set where the byte is above `high`, the second where it is not below `low`. */
        if ((word | (word + each * (0x7fu - high)) | ~(word + each * (0x80u - low))) &
            WSP_HIGH_BITS) {
            break;
        }
    }
    while (i < text.len && (unsigned char)text.data[i] >= low &&
           (unsigned char)text.data[i] <= high) {
        i++;
    }
    return i;
}

/* Classes of bytes. A byte can be in several. */
#define WSP_IN_TOKEN 1u  /* RFC 9110, section 5.6.2 */
#define WSP_IN_HOST 2u   /* a host, a bracketed address or a port */
#define WSP_IN_BASE64 4u /* RFC 4648, section 4, without the padding */
extern const char wsp_text_classes[256];

static inline unsigned wsp_text_class(char c)
{
    return (unsigned char)wsp_text_classes[(unsigned char)c];
}

/* Returns 1 if each byte of the text is in the class; also for an empty text. Looks at all bytes,
 * because nearly all texts are what they should be. */
int wsp_text_is_all(wspool_text text, unsigned in);

static inline int wsp_text_is_token_byte(char c)
{
    return (wsp_text_class(c) & WSP_IN_TOKEN) != 0;
}

/* Returns 1 if the text is a token of at least one byte, else 0. */
static inline int wsp_text_is_token(wspool_text text)
{
    return text.len > 0 && wsp_text_is_all(text, WSP_IN_TOKEN);
}

#endif
