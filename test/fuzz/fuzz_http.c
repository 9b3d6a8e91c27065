/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_http.c - the parser of request heads (wire/http.c), the header lookup (wire/headers.c)
 * and the parser of targets (wire/uri.c).
 *
 * Demands:
 * - The scan returns the same for the same bytes, whether whole, byte by byte or in random pieces,
 *   and never reads beyond them. A head that it finds ends in the first blank line.
 * - The parser returns what the scan returns, whole and in pieces, unless there are too many
 *   headers.
 * - The lookup finds each header as often as it is there.
 * - Every text lies in the head; the texts, spaces, colons and line ends make up the whole head.
 * - The elements of a list are not empty, have no space around them and no comma in them.
 * - A percent-decoded text is no longer than before, and fits where it is written.
 *
 * Input: the head.
 */
#include "fuzz.h"

#include <strings.h>

#include "wire/headers.h"
#include "wire/http.h"
#include "wire/text.h"
#include "wire/uri.h"

const unsigned fuzz_runs = 200000;

enum { MAX = 64, LONGEST = 8192 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* ------------------------------------------------------------------- scan */

/* Scans the bytes in these pieces. *took is the number of bytes given when the scan ended. */
static int scan_in_pieces(const char *bytes, size_t size, uint64_t *chance, size_t *took)
{
    size_t len = 0;
    int answer = 0;
    while (answer == 0 && len < size) {
        size_t seen = len;
        len += chance != NULL ? fuzz_cut(chance, size - len) : 1;
        fuzz_show(bytes, len, size);
        answer = wsp_http_scan(bytes, len, seen);
    }
    fuzz_show(bytes, size, size);
    *took = len;
    return answer;
}

static int is_refusal(int answer)
{
    return answer == -(int)WSPOOL_REFUSED_MALFORMED - 1 ||
           answer == -(int)WSPOOL_REFUSED_METHOD - 1 ||
           answer == -(int)WSPOOL_REFUSED_HTTP_VERSION - 1;
}

/* The bytes of empty lines before the request line. */
static size_t empty_lines(const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && (bytes[at] == '\r' || bytes[at] == '\n')) {
        at++;
    }
    return at;
}

static int scan(const char *bytes, size_t size, uint64_t chance)
{
    size_t took, by_bytes;
    int whole = wsp_http_scan(bytes, size, 0);
    int single = scan_in_pieces(bytes, size, NULL, &by_bytes);
    int cut = scan_in_pieces(bytes, size, &chance, &took);
    FUZZ_DEMAND(whole == single, "whole %d, byte by byte %d", whole, single);
    FUZZ_DEMAND(whole == cut, "whole %d, in pieces %d", whole, cut);
    if (whole > 0) {
        size_t len = (size_t)whole;
        FUZZ_DEMAND(len <= size && len == by_bytes, "%zu of %zu, told at %zu", len, size, by_bytes);
        FUZZ_DEMAND(memcmp(bytes + len - 4, "\r\n\r\n", 4) == 0, "no blank line");
        size_t line = empty_lines(bytes, len);
        FUZZ_DEMAND(line % 2 == 0 && line <= 8, "%zu bytes of empty lines", line);
        for (size_t i = line; i + 4 < len; i++) {
            FUZZ_DEMAND(memcmp(bytes + i, "\r\n\r\n", 4) != 0, "an earlier blank line, at %zu", i);
        }
    } else {
        FUZZ_DEMAND(whole == 0 || is_refusal(whole), "%d", whole);
    }
    return whole;
}

/* ------------------------------------------------------------------ parse */

static void inside(wspool_text text, const char *head, size_t len)
{
    FUZZ_DEMAND(text.data >= head && text.len <= len && text.data <= head + len - text.len,
                "a text outside");
}

static const char *expect(const char *at, const char *end, const char *text)
{
    size_t len = strlen(text);
    FUZZ_DEMAND((size_t)(end - at) >= len && memcmp(at, text, len) == 0, "no \"%s\" there", text);
    return at + len;
}

static const char *spaces(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

static int is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Follows the texts through the head: they account for every byte. */
static void retrace(const wspool_request *r, const char *head, size_t len)
{
    const char *end = head + len;
    const char *at = head;
    inside(r->method, head, len);
    inside(r->target, head, len);
    at += empty_lines(head, len);
    FUZZ_DEMAND(r->method.data == at && wsp_text_is_token(r->method), "the method");
    at = expect(at + r->method.len, end, " ");
    FUZZ_DEMAND(r->target.data == at && r->target.len > 0, "the target");
    at = expect(at + r->target.len, end, " HTTP/");
    FUZZ_DEMAND(r->http_major == 1 && r->http_minor >= 1 && r->http_minor <= 9, "the version");
    FUZZ_DEMAND(end - at > 3 && at[0] == '1' && at[2] == '0' + r->http_minor, "the version");
    at = expect(at + 3, end, "\r\n");
    for (size_t i = 0; i < r->header_count; i++) {
        wspool_text name = r->headers[i].name;
        wspool_text value = r->headers[i].value;
        inside(name, head, len);
        inside(value, head, len);
        FUZZ_DEMAND(name.data == at && wsp_text_is_token(name), "name %zu", i);
        at = spaces(expect(at + name.len, end, ":"), end);
        if (value.len > 0) {
            FUZZ_DEMAND(value.data == at, "value %zu", i);
            FUZZ_DEMAND(!is_space(value.data[value.len - 1]), "a space after value %zu", i);
            at = spaces(at + value.len, end);
        }
        for (size_t k = 0; k < value.len; k++) {
            unsigned char c = (unsigned char)value.data[k];
            FUZZ_DEMAND(c == '\t' || (c >= ' ' && c != 127), "a control in value %zu", i);
        }
        at = expect(at, end, "\r\n");
    }
    at = expect(at, end, "\r\n");
    FUZZ_DEMAND(at == end, "%zu bytes unread", (size_t)(end - at));
}

/* ------------------------------------------------------------------ lists */

static void elements(const struct wsp_headers *headers, enum wsp_header name, const char *string)
{
    const wspool_request *r = headers->request;
    struct wsp_elements walk = {0};
    size_t bytes = 0, room = 0, times = 0;
    wspool_text element, value;
    for (size_t i = 0; i < r->header_count; i++) {
        if (r->headers[i].name.len == strlen(string) &&
            strncasecmp(r->headers[i].name.data, string, strlen(string)) == 0) {
            FUZZ_DEMAND(times > 0 || headers->first[name] == &r->headers[i], "not the first");
            room += r->headers[i].value.len + 1;
            times++;
        }
    }
    while (wsp_headers_element(headers, name, &walk, &element)) {
        char copy[64];
        size_t n = element.len < sizeof copy ? element.len : 0;
        FUZZ_DEMAND(element.len > 0 && memchr(element.data, ',', element.len) == NULL, "a comma");
        FUZZ_DEMAND(!is_space(element.data[0]) && !is_space(element.data[element.len - 1]),
                    "a space around an element");
        bytes += element.len + 1;
        FUZZ_DEMAND(bytes <= room, "more elements than there are bytes");
        if (n > 0) {
            memcpy(copy, element.data, n);
            copy[n] = '\0';
            FUZZ_DEMAND(strlen(copy) < n || wsp_headers_have(headers, name, copy),
                        "not found again");
        }
    }
    FUZZ_DEMAND(wsp_headers_element(headers, name, &walk, &element) == 0,
                "an element after the end");
    int there = wsp_headers_only(headers, name, &value);
    FUZZ_DEMAND(there == (times == 0   ? 0
                          : times == 1 ? 1
                                       : -1),
                "%zu times, said %d", times, there);
}

static void uri(const wspool_request *r)
{
    struct wsp_target parts;
    wspool_text value;
    char room[128];
    char *small = fuzz_copy(room, 0);
    FUZZ_DEMAND(wsp_uri_split(r->target, &parts) == 0, "a target that can't be split");
    wspool_text path = parts.path, query = parts.query;
    FUZZ_DEMAND(path.len > 0 && path.data[0] == '/', "the path");
    FUZZ_DEMAND(query.data + query.len == r->target.data + r->target.len, "the query");
    if (parts.authority.len == 0) {
        FUZZ_DEMAND(path.data == r->target.data, "the path");
        FUZZ_DEMAND(path.len + query.len + (path.len < r->target.len) == r->target.len,
                    "the query");
    } else {
        inside(parts.authority, r->target.data, r->target.len);
        FUZZ_DEMAND(memchr(parts.authority.data, '/', parts.authority.len) == NULL, "a slash");
    }
    if (wsp_uri_parameter(query, "token", &value)) {
        inside(value, query.data, query.len);
        FUZZ_DEMAND(memchr(value.data, '&', value.len) == NULL, "two parameters in one");
    }
    FUZZ_DEMAND(wsp_uri_decode(path, small, 0) == -1, "no room, and yet decoded");
    fuzz_free(small, 0);
    query.data = fuzz_copy(query.data, query.len); /* without the bytes that follow it in the
                                                      head */
    for (size_t max = 1; max <= sizeof room; max *= 2) {
        char *out = fuzz_copy(room, max);
        int n = wsp_uri_decode(query, out, max);
        FUZZ_DEMAND(n >= -1 && n <= (int)max && (n < 0 || (size_t)n <= query.len), "%d", n);
        fuzz_free(out, max);
    }
    fuzz_free((void *)(uintptr_t)query.data, query.len);
}

/* Parses the bytes in random pieces. */
static int parse_in_pieces(const char *bytes, size_t size, uint64_t chance, wspool_request *request,
                           wspool_header *headers)
{
    size_t len = 0;
    int answer = 0;
    while (answer == 0 && len < size) {
        size_t seen = len;
        len += fuzz_cut(&chance, size - len);
        fuzz_show(bytes, len, size);
        answer = wsp_http_parse(bytes, len, seen, request, headers, MAX);
    }
    fuzz_show(bytes, size, size);
    return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[WSP_HEADER_COUNT] = {
#define WSP_X(name, string) [WSP_HEADER_##name] = string,
        WSP_HEADERS(WSP_X)
#undef WSP_X
    };
    const int too_large = -(int)WSPOOL_REFUSED_HEAD_TOO_LARGE - 1;
    wspool_header headers[MAX];
    wspool_request request = {.size = sizeof request};
    struct wsp_headers found;
    if (size > LONGEST) {
        return 0;
    }
    memset(headers, 0, sizeof headers);
    char *bytes = fuzz_copy(data, size);
    int len = scan(bytes, size, fuzz_hash(data, size));
    int cut = parse_in_pieces(bytes, size, fuzz_hash(data, size), &request, headers);
    int parsed = wsp_http_parse(bytes, size, 0, &request, headers, MAX);
    FUZZ_DEMAND(parsed == cut, "parsed whole %d, in pieces %d", parsed, cut);
    FUZZ_DEMAND(parsed == len || (len > 0 && parsed == too_large), "scan %d, parse %d", len,
                parsed);
    fuzz_free(bytes, size);
    if (len > 0) {
        char *head = fuzz_copy(data, (size_t)len);
        parsed = wsp_http_parse(head, (size_t)len, 0, &request, headers, MAX);
        FUZZ_DEMAND(parsed == len || parsed == too_large,
                    "the scan accepts it, the parser returns %d", parsed);
        if (parsed == len) {
            retrace(&request, head, (size_t)len);
            wsp_headers_find(&found, &request);
            for (int i = WSP_HEADER_OTHER + 1; i < WSP_HEADER_COUNT; i++) {
                elements(&found, (enum wsp_header)i, names[i]);
            }
            uri(&request);
            if (request.header_count > 0) {
                wspool_header few[MAX];
                wspool_request again = {.size = sizeof again};
                FUZZ_DEMAND(wsp_http_parse(head, (size_t)len, 0, &again, few,
                                           request.header_count - 1) == too_large,
                            "one header too many went through");
            }
        }
        fuzz_free(head, (size_t)len);
    }
    return 0;
}
