/* SPDX-License-Identifier: MIT */
/*
 * wire/http.c - see wire/http.h.
 *
 * The two parse functions below check a line, for scan and parse alike. So both give the same
 * result, except for the number of headers.
 *
 * The scan keeps no state between calls. It reports at once what a single byte can tell (a control
 * character, a CR without LF). It reports everything else when the line is complete, and walks back
 * to the start of the line for that. A byte is looked at twice at most, however small the pieces,
 * and the result depends on the bytes only.
 */
#include "wire/http.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "wire/refusal.h"
#include "wire/text.h"
#include "wire/uri.h"

/* The lines that begin within these bytes are the empty ones before the request line, or the
 * request line: the shortest one ("G / HTTP/1.1") and its CR LF have more bytes. */
#define EMPTY_BYTES 8u

/* Bytes allowed in a header value. Bytes above 127 are allowed and have no meaning to us. */
static int is_value_byte(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 127);
}

/* Returns the index of the first byte from `at` on that is not allowed. */
static size_t skip_value(const char *bytes, size_t at, size_t len)
{
    at += wsp_text_span((wspool_text){bytes + at, len - at}, ' ', '~');
    while (at < len && is_value_byte((unsigned char)bytes[at])) {
        at++;
    }
    return at;
}

static inline int is_value(wspool_text value)
{
    return value.len == 0 || skip_value(value.data, 0, value.len) == value.len;
}

/* ------------------------------------------------------------------ lines, without their CR LF */

struct request_line {
    wspool_text method;
    wspool_text target;
    int major;
    int minor;
};

static int is_method(wspool_text text, const char *method)
{
    return text.len == strlen(method) && memcmp(text.data, method, text.len) == 0;
}

/* First checks that it is a request line at all, then whether we serve it: a method that we do
 * not serve may have a target in a form that we do not know. */
static int judge_request_line(const struct request_line *line)
{
    struct wsp_target target;

    if (!is_method(line->method, "GET")) {
        return wsp_text_is_token(line->method) && line->target.len > 0 &&
                       wsp_text_span(line->target, '!', '~') == line->target.len
                   ? wsp_refused(WSPOOL_REFUSED_METHOD)
                   : wsp_refused(WSPOOL_REFUSED_MALFORMED);
    }
    if (wsp_uri_split(line->target, &target)) {
        return wsp_refused(WSPOOL_REFUSED_MALFORMED);
    }
    if (line->major != 1 || line->minor < 1) {
        return wsp_refused(WSPOOL_REFUSED_HTTP_VERSION);
    }
    return 0;
}

/* Sets *word to the text before the next space and *rest to what follows it. Returns 0, or -1
 * when there is no space. */
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

static int parse_request_line(wspool_text line, struct request_line *out)
{
    wspool_text rest = line;

    if (take_word(&rest, &out->method) || take_word(&rest, &out->target) || rest.len != 8 ||
        memcmp(rest.data, "HTTP/", 5) != 0 || !wsp_text_is_digit(rest.data[5]) ||
        rest.data[6] != '.' || !wsp_text_is_digit(rest.data[7])) {
        return wsp_refused(WSPOOL_REFUSED_MALFORMED);
    }
    out->major = rest.data[5] - '0';
    out->minor = rest.data[7] - '0';
    return judge_request_line(out);
}

static int parse_header_line(wspool_text line, wspool_header *out)
{
    wspool_text value;
    size_t name = 0;

    /* The CR behind the line is not a token byte, so the loop ends. */
    while (wsp_text_is_token_byte(line.data[name])) {
        name++;
    }
    /* A space is not a token byte either: this also refuses folded lines and a space before the
     * colon. */
    if (name == 0 || line.data[name] != ':') {
        return wsp_refused(WSPOOL_REFUSED_MALFORMED);
    }
    value.data = line.data + name + 1;
    value.len = line.len - name - 1;
    if (!is_value(value)) {
        return wsp_refused(WSPOOL_REFUSED_MALFORMED);
    }
    out->name.data = line.data;
    out->name.len = name;
    out->value = wsp_text_trimmed(value);
    return 0;
}

/* ------------------------------------------------------------------ heads */

int wsp_http_scan(const char *bytes, size_t len, size_t seen)
{
    size_t start = SIZE_MAX; /* start of the present line; unknown before its end is found */

    for (size_t i = seen; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        int after_cr = i > 0 && bytes[i - 1] == '\r';

        if (c == '\n') {
            struct request_line request;
            wspool_header header;
            wspool_text line;
            int rc;

            if (!after_cr) {
                return wsp_refused(WSPOOL_REFUSED_MALFORMED);
            }
            if (start == SIZE_MAX) {
                start = i - 1;
                while (start > 0 && bytes[start - 1] != '\n') {
                    start--;
                }
            }
            line.data = bytes + start;
            line.len = i - 1 - start;
            if (line.len == 0 && start < EMPTY_BYTES) {
                start = i + 1;
                continue;
            }
            if (line.len == 0) {
                return i < INT_MAX ? (int)i + 1 : wsp_refused(WSPOOL_REFUSED_HEAD_TOO_LARGE);
            }
            rc = start <= EMPTY_BYTES ? parse_request_line(line, &request)
                                      : parse_header_line(line, &header);
            if (rc) {
                return rc;
            }
            start = i + 1;
        } else if (after_cr) {
            return wsp_refused(WSPOOL_REFUSED_MALFORMED);
        } else if (i == 0 || bytes[i - 1] == '\n') {
            /* Only an empty line begins with something other than a token. */
            if (!wsp_text_is_token_byte(bytes[i]) && (c != '\r' || i == EMPTY_BYTES)) {
                return wsp_refused(WSPOOL_REFUSED_MALFORMED);
            }
        } else if (c != '\r') {
            size_t end = skip_value(bytes, i, len);

            if (end == i) {
                return wsp_refused(WSPOOL_REFUSED_MALFORMED);
            }
            i = end - 1;
        }
    }
    return 0;
}

/* Parses line by line; an incomplete line is left to the scan. A header for which there is no
 * room is checked like the others. */
int wsp_http_parse(const char *bytes, size_t len, size_t seen, wspool_request *request,
                   wspool_header *headers, size_t max)
{
    struct request_line first;
    size_t count = 0, start = 0;
    int rc;

    if (seen > 0 && (rc = wsp_http_scan(bytes, len, seen)) <= 0) {
        return rc;
    }
    for (;;) {
        const char *end = memchr(bytes + start, '\n', len - start);
        wspool_text line = {bytes + start, 0};
        wspool_header header;

        if (!end) {
            return wsp_http_scan(bytes, len, start);
        }
        if (end == line.data || end[-1] != '\r') {
            return wsp_refused(WSPOOL_REFUSED_MALFORMED);
        }
        line.len = (size_t)(end - line.data) - 1;
        if (line.len == 0 && start > EMPTY_BYTES) {
            break;
        }
        if (line.len == 0 && start < EMPTY_BYTES) {
            start += 2;
            continue;
        }
        rc = start <= EMPTY_BYTES
                 ? parse_request_line(line, &first)
                 : parse_header_line(line, count < max ? &headers[count] : &header);
        if (rc) {
            return rc;
        }
        count += start > EMPTY_BYTES;
        start += line.len + 2;
    }
    if (count > max) {
        return wsp_refused(WSPOOL_REFUSED_HEAD_TOO_LARGE);
    }
    request->method = first.method;
    request->target = first.target;
    request->http_major = first.major;
    request->http_minor = first.minor;
    request->headers = headers;
    request->header_count = count;
    return (int)start + 2;
}

/* "HTTP/1.1 101 Switching Protocols"; the text may be absent (RFC 9112, section 4). */
static int parse_status_line(wspool_text line, struct wsp_http_answer *out)
{
    static const char version[] = "HTTP/1.";
    const char *at = line.data + sizeof version - 1;

    if (line.len < 12 || memcmp(line.data, version, sizeof version - 1) != 0 ||
        !wsp_text_is_digit(at[0]) || at[1] != ' ' || at[2] == '0' || !wsp_text_is_digit(at[2]) ||
        !wsp_text_is_digit(at[3]) || !wsp_text_is_digit(at[4]) ||
        (line.len > 12 && (at[5] != ' ' || !is_value((wspool_text){at + 6, line.len - 13})))) {
        return -1;
    }
    out->http_minor = at[0] - '0';
    out->status = (at[2] - '0') * 100 + (at[3] - '0') * 10 + at[4] - '0';
    return 0;
}

int wsp_http_parse_answer(const char *bytes, size_t len, size_t seen,
                          struct wsp_http_answer *answer, wspool_header *headers, size_t max)
{
    static const char version[] = "HTTP/1.";
    size_t known = len < sizeof version - 1 ? len : sizeof version - 1;
    size_t count = 0, start = 0;

    if (len == seen) {
        return 0;
    }
    if (memcmp(bytes, version, known) != 0) {
        return -1;
    }
    if (!memchr(bytes + seen, '\n', len - seen)) {
        return 0;
    }
    for (;;) {
        const char *end = memchr(bytes + start, '\n', len - start);
        wspool_text line = {bytes + start, 0};

        if (!end) {
            return 0;
        }
        if (end == line.data || end[-1] != '\r') {
            return -1;
        }
        line.len = (size_t)(end - line.data) - 1;
        if (start > 0 && line.len == 0) {
            break;
        }
        if (start == 0 ? parse_status_line(line, answer)
                       : count == max || parse_header_line(line, &headers[count++])) {
            return -1;
        }
        start += line.len + 2;
    }
    answer->head = (wspool_request){.headers = headers, .header_count = count};
    return (int)start + 2;
}

static const char *skip_empty_lines(const char *bytes, size_t len)
{
    size_t at = 0;

    while (at < len && at < EMPTY_BYTES && (bytes[at] == '\r' || bytes[at] == '\n')) {
        at++;
    }
    return bytes + at;
}

int wsp_http_has_request_line(const char *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    const char *line = skip_empty_lines(bytes, len);
    const char *end = memchr(line, '\n', len - (size_t)(line - bytes));

    return end && wsp_http_scan(bytes, (size_t)(end - bytes) + 1, 0) == 0;
}

int wsp_http_is_head(const char *bytes, size_t len)
{
    if (len == 0) {
        return 0;
    }
    const char *line = skip_empty_lines(bytes, len);

    return len - (size_t)(line - bytes) >= 5 && memcmp(line, "HEAD ", 5) == 0;
}

/* ------------------------------------------------------------------ heads that others have read */

int wsp_http_judge_line(const wspool_request *request)
{
    struct request_line line = {request->method, request->target, request->http_major,
                                request->http_minor};

    return judge_request_line(&line);
}

int wsp_http_judge_headers(const wspool_request *request, size_t max, size_t max_bytes)
{
    /* The spaces, the version and the CR LF of the request line, and the blank line. */
    size_t fixed = sizeof "  HTTP/1.1\r\n\r\n" - 1;
    size_t bytes = fixed + request->method.len + request->target.len;

    for (size_t i = 0; i < request->header_count && bytes <= max_bytes; i++) {
        const wspool_header *header = &request->headers[i];

        if (!wsp_text_is_token(header->name) || !is_value(header->value)) {
            return wsp_refused(WSPOOL_REFUSED_MALFORMED);
        }
        bytes += header->name.len + header->value.len + sizeof ": \r\n" - 1;
    }
    return bytes > max_bytes || request->header_count > max
               ? wsp_refused(WSPOOL_REFUSED_HEAD_TOO_LARGE)
               : 0;
}
