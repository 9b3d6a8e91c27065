/* SPDX-License-Identifier: MIT */
/*
 * unit/request.h - requests for the tests of the modules that read them.
 *
 *     for (int form = 0; form < REQUEST_FORMS; form++) {
 *         struct test_request r;
 *         if (!request_make(&r, form, "/chat?a=b", "Host: a.example\nCookie: a=b"))
 *             continue;
 *         assert_int_equal(check(&r.request), 0);
 *         request_free(&r);
 *     }
 *
 *
 * Headers are given one per line as "Name: value" or "Name:". Every request is made in three forms,
 * and the code under test must give the same result for each:
 * - as a host hands it in, each text ending at an inaccessible page;
 * - the same, each text beginning right behind an inaccessible page;
 * - as the bytes of an HTTP head that were parsed. request_make returns 0 for this form when no
 *   head can have these texts.
 */
#ifndef WSP_TEST_UNIT_REQUEST_H
#define WSP_TEST_UNIT_REQUEST_H

#include "guard.h"

#include <stdio.h>

#include "wire/headers.h"
#include "wire/http.h"

#define REFUSED(word) (-(int)WSPOOL_REFUSED_##word - 1)

enum { REQUEST_AT_END, REQUEST_AT_START, REQUEST_PARSED, REQUEST_FORMS };

#define REQUEST_HEADERS 64

struct test_request {
    wspool_request request;
    wspool_header headers[REQUEST_HEADERS];
    struct guard guards[2 * REQUEST_HEADERS + 1];
    size_t guard_count;
};

static inline wspool_text request_text(struct test_request *r, int form, const char *data,
                                       size_t len)
{
    struct guard *guard = &r->guards[r->guard_count++];
    wspool_text text = {NULL, len};

    guard_open(guard, len);
    text.data =
        form == REQUEST_AT_END ? guard_at_end(guard, data, len) : guard_at_start(guard, data, len);
    return text;
}

static inline void request_free(struct test_request *r)
{
    size_t i;

    for (i = 0; i < r->guard_count; i++) {
        guard_close(&r->guards[i]);
    }
    r->guard_count = 0;
}

static inline int request_parse(struct test_request *r, const char *target, const char *lines)
{
    size_t max = strlen(target) + 2 * strlen(lines) + 64, len = 0;
    char *head = malloc(max);
    wspool_text text;
    int scanned;

    assert_non_null(head);
    len = (size_t)snprintf(head, max, "GET %s HTTP/1.1\r\n", target);
    while (*lines) {
        size_t line = strcspn(lines, "\n");

        len += (size_t)snprintf(head + len, max - len, "%.*s\r\n", (int)line, lines);
        lines += line + (lines[line] == '\n');
    }
    len += (size_t)snprintf(head + len, max - len, "\r\n");
    assert_true(len < max);
    text = request_text(r, REQUEST_AT_END, head, len);
    free(head);
    scanned = wsp_http_scan(text.data, text.len, 0);
    if (scanned < 0) {
        request_free(r);
        return 0;
    }
    assert_int_equal(scanned, (int)text.len);
    assert_int_equal(
        wsp_http_parse(text.data, text.len, 0, &r->request, r->headers, REQUEST_HEADERS), scanned);
    return 1;
}

static inline int request_make(struct test_request *r, int form, const char *target,
                               const char *lines)
{
    memset(r, 0, sizeof(*r));
    r->request.size = sizeof(r->request);
    if (form == REQUEST_PARSED) {
        return request_parse(r, target, lines);
    }
    r->request.method = (wspool_text){"GET", 3};
    r->request.target = request_text(r, form, target, strlen(target));
    r->request.http_major = 1;
    r->request.http_minor = 1;
    r->request.headers = r->headers;
    while (*lines) {
        size_t line = strcspn(lines, "\n");
        size_t name = strcspn(lines, ":");
        size_t value = name + 1 + strspn(lines + name + 1, " ");
        wspool_header *header = &r->headers[r->request.header_count];

        assert_true(name < line && value <= line);
        assert_true(++r->request.header_count <= REQUEST_HEADERS);
        header->name = request_text(r, form, lines, name);
        while (line > value && lines[line - 1] == ' ') {
            line--;
        }
        header->value = request_text(r, form, lines + value, line - value);
        lines += strcspn(lines, "\n");
        lines += *lines == '\n';
    }
    return 1;
}

/* Returns the headers of the request. The result is valid until the next call. */
static inline const struct wsp_headers *headers_of(const wspool_request *request)
{
    static struct wsp_headers found;

    wsp_headers_find(&found, request);
    return &found;
}

/* Returns 1 if the text equals the string. */
static inline int text_equals(wspool_text text, const char *string)
{
    return text.len == strlen(string) && memcmp(text.data, string, text.len) == 0;
}

#endif
