/* SPDX-License-Identifier: MIT */
/*
 * wire/http.c - see wire/http.h.  Floor 1.
 *
 * A line is judged in one place, by the two parse functions below, for scan and parse alike: so
 * what scan lets through, parse does not refuse, but for the number of headers.
 *
 * The scan keeps no state between calls. What a single byte can tell (a control, a CR without
 * its LF) it tells at once; the rest when the line is whole, for which it walks back to where
 * the line began. A byte is looked at twice at most, however small the pieces in which it comes,
 * and the answer is a matter of the bytes, not of the pieces.
 */
#include "wire/http.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "wire/uri.h"

#define REFUSE(word) (-(int)WSPOOL_REFUSED_##word - 1)

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_space(char c)
{
    return c == ' ' || c == '\t';
}

static int is_token_byte(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        return 1;
    }
    switch (c) {
    case '!':
    case '#':
    case '$':
    case '%':
    case '&':
    case '\'':
    case '*':
    case '+':
    case '-':
    case '.':
    case '^':
    case '_':
    case '`':
    case '|':
    case '~':
        return 1;
    default:
        return 0;
    }
}

/* What may stand in a header's value; bytes above 127 may, though they mean nothing to us. */
static int is_value_byte(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 127);
}

/* Where from `at` on the first byte is that may not. */
static size_t skip_value(const char *bytes, size_t at, size_t len)
{
    while (at < len && is_value_byte((unsigned char)bytes[at])) {
        at++;
    }
    return at;
}

wspool_text wsp_text_trimmed(wspool_text text)
{
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* ------------------------------------------------------------------ texts */

int wsp_text_same(wspool_text a, wspool_text b)
{
    size_t i;

    if (a.len != b.len) {
        return 0;
    }
    for (i = 0; i < a.len; i++) {
        /* Most bytes are equal as they are, and most names differ in the first one. */
        if (a.data[i] != b.data[i] &&
            lower((unsigned char)a.data[i]) != lower((unsigned char)b.data[i])) {
            return 0;
        }
    }
    return 1;
}

int wsp_text_is(wspool_text text, const char *string)
{
    wspool_text other = {string, strlen(string)};

    return wsp_text_same(text, other);
}

int wsp_text_is_token(wspool_text text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (!is_token_byte((unsigned char)text.data[i])) {
            return 0;
        }
    }
    return text.len > 0;
}

/* ------------------------------------------------------------------ lines, without their CR LF */

struct request_line {
    wspool_text method;
    wspool_text target;
    int major;
    int minor;
};

/* The text before the next space, and *rest behind it; 0, or -1 when there is no space. */
static int take_word(wspool_text *rest, wspool_text *word)
{
    const char *space = rest->len > 0 ? memchr(rest->data, ' ', rest->len) : NULL;

    if (!space) {
        return -1;
    }
    word->data = rest->data;
    word->len = (size_t)(space - rest->data);
    rest->data = space + 1;
    rest->len -= word->len + 1;
    return 0;
}

/* First whether it is a request line at all, then what we have to say about it: a method that we
 * don't serve may have a target of a form that we don't know. */
static int parse_request_line(wspool_text line, struct request_line *out)
{
    wspool_text rest = line, path, query;
    size_t i;

    if (take_word(&rest, &out->method) || take_word(&rest, &out->target)) {
        return REFUSE(MALFORMED);
    }
    if (!wsp_text_is_token(out->method) || out->target.len == 0) {
        return REFUSE(MALFORMED);
    }
    for (i = 0; i < out->target.len; i++) {
        unsigned char c = (unsigned char)out->target.data[i];

        if (c <= ' ' || c >= 127) {
            return REFUSE(MALFORMED);
        }
    }
    if (rest.len != 8 || memcmp(rest.data, "HTTP/", 5) != 0 || !is_digit(rest.data[5]) ||
        rest.data[6] != '.' || !is_digit(rest.data[7])) {
        return REFUSE(MALFORMED);
    }
    out->major = rest.data[5] - '0';
    out->minor = rest.data[7] - '0';

    if (out->method.len != 3 || memcmp(out->method.data, "GET", 3) != 0) {
        return REFUSE(METHOD);
    }
    if (wsp_uri_split(out->target, &path, &query)) {
        return REFUSE(MALFORMED);
    }
    if (out->major != 1 || out->minor < 1) {
        return REFUSE(HTTP_VERSION);
    }
    return 0;
}

static int parse_header_line(wspool_text line, wspool_header *out)
{
    const char *colon = line.len > 0 ? memchr(line.data, ':', line.len) : NULL;
    wspool_text value;

    if (!colon) {
        return REFUSE(MALFORMED);
    }
    out->name.data = line.data;
    out->name.len = (size_t)(colon - line.data);
    /* No token has a space: this also refuses folded lines, and one before the colon. */
    if (!wsp_text_is_token(out->name)) {
        return REFUSE(MALFORMED);
    }
    value.data = colon + 1;
    value.len = line.len - out->name.len - 1;
    if (skip_value(value.data, 0, value.len) < value.len) {
        return REFUSE(MALFORMED);
    }
    out->value = wsp_text_trimmed(value);
    return 0;
}

/* ------------------------------------------------------------------ heads */

int wsp_http_scan(const char *bytes, size_t len, size_t seen)
{
    size_t start = SIZE_MAX; /* of the line we are in; not known before its end is found */
    size_t i;

    for (i = seen; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        int after_cr = i > 0 && bytes[i - 1] == '\r';

        if (c == '\n') {
            struct request_line request;
            wspool_header header;
            wspool_text line;
            int rc;

            if (!after_cr) {
                return REFUSE(MALFORMED);
            }
            if (start == SIZE_MAX) {
                start = i - 1;
                while (start > 0 && bytes[start - 1] != '\n') {
                    start--;
                }
            }
            line.data = bytes + start;
            line.len = i - 1 - start;
            /* The request line can't be empty here: a CR as first byte was refused. */
            if (line.len == 0) {
                return i < INT_MAX ? (int)i + 1 : REFUSE(HEAD_TOO_LARGE);
            }
            rc = start == 0 ? parse_request_line(line, &request) : parse_header_line(line, &header);
            if (rc) {
                return rc;
            }
            start = i + 1;
        } else if (after_cr) {
            return REFUSE(MALFORMED);
        } else if (i == 0 || bytes[i - 1] == '\n') {
            /* Only the blank line begins otherwise than with a token. */
            if (!is_token_byte(c) && (c != '\r' || i == 0)) {
                return REFUSE(MALFORMED);
            }
        } else if (c != '\r') {
            size_t end = skip_value(bytes, i, len);

            if (end == i) {
                return REFUSE(MALFORMED);
            }
            i = end - 1;
        }
    }
    return 0;
}

/* The next line of the head and where the one after it begins; 0, or -1 when there is none. */
static int take_line(wspool_text *rest, wspool_text *line)
{
    const char *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;

    if (!end || end == rest->data || end[-1] != '\r') {
        return -1;
    }
    line->data = rest->data;
    line->len = (size_t)(end - rest->data) - 1;
    rest->data = end + 1;
    rest->len -= line->len + 2;
    return 0;
}

int wsp_http_parse(const char *head, size_t len, wspool_request *request, wspool_header *headers,
                   size_t max)
{
    wspool_text rest = {head, len};
    wspool_text line;
    struct request_line first;
    size_t count = 0;
    int rc;

    if (take_line(&rest, &line)) {
        return REFUSE(MALFORMED);
    }
    rc = parse_request_line(line, &first);
    if (rc) {
        return rc;
    }
    for (;;) {
        if (take_line(&rest, &line)) {
            return REFUSE(MALFORMED);
        }
        if (line.len == 0) {
            break;
        }
        if (count == max) {
            return REFUSE(HEAD_TOO_LARGE);
        }
        rc = parse_header_line(line, &headers[count]);
        if (rc) {
            return rc;
        }
        count++;
    }
    if (rest.len != 0) {
        return REFUSE(MALFORMED);
    }
    request->method = first.method;
    request->target = first.target;
    request->http_major = first.major;
    request->http_minor = first.minor;
    request->headers = headers;
    request->header_count = count;
    return 0;
}

/* ------------------------------------------------------------------ headers */

int wsp_http_header(const wspool_request *request, const char *name, wspool_text *value)
{
    const wspool_text wanted = {name, strlen(name)};
    int found = 0;
    size_t i;

    for (i = 0; i < request->header_count; i++) {
        if (!wsp_text_same(request->headers[i].name, wanted)) {
            continue;
        }
        if (found) {
            return -1;
        }
        found = 1;
        *value = request->headers[i].value;
    }
    return found;
}

/* The cursor has the header's index in its upper half, and in its lower one where in the value
 * to go on: so a walk over all elements takes one pass. A value that is longer than the lower
 * half can say (only a host with 32-bit sizes could hand one in) is cut there. */
#define CURSOR_HALF (sizeof(size_t) * CHAR_BIT / 2)
#define CURSOR_MASK (((size_t)1 << CURSOR_HALF) - 1)

int wsp_http_next_element(const wspool_request *request, const char *name, size_t *cursor,
                          wspool_text *element)
{
    size_t index = *cursor >> CURSOR_HALF;
    size_t at = *cursor & CURSOR_MASK;

    for (; index < request->header_count && index < CURSOR_MASK; index++, at = 0) {
        wspool_text value = request->headers[index].value;

        if (!wsp_text_is(request->headers[index].name, name)) {
            continue;
        }
        if (value.len >= CURSOR_MASK) {
            value.len = CURSOR_MASK - 1;
        }
        while (at < value.len) {
            const char *comma = memchr(value.data + at, ',', value.len - at);
            wspool_text piece;

            piece.data = value.data + at;
            piece.len = comma ? (size_t)(comma - piece.data) : value.len - at;
            at += piece.len + (comma ? 1 : 0);
            piece = wsp_text_trimmed(piece);
            if (piece.len > 0) {
                *element = piece;
                *cursor = index << CURSOR_HALF | at;
                return 1;
            }
        }
    }
    *cursor = CURSOR_MASK << CURSOR_HALF;
    return 0;
}

int wsp_http_has_token(const wspool_request *request, const char *name, const char *token)
{
    size_t cursor = 0;
    wspool_text element;

    while (wsp_http_next_element(request, name, &cursor, &element)) {
        if (wsp_text_is(element, token)) {
            return 1;
        }
    }
    return 0;
}
