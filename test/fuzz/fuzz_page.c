/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_page.c - what a host adds to answers: pages of the plain hook (config.plain) and headers
 * of wspool_add_header, in a page, in a 101 and in a refusal.
 *
 * Demands:
 * - A header is added, refused or too much as a second judge says, which was written for this test.
 * - An answer is one head and one body: each line of the head is one that the library documents, or
 *   a header that was added, all of them and in their order; Content-Length is the body's length.
 *   A refusal has none of them.
 *
 * Input: a line with a way (see `enum way`), three digits of a status, and the page's type ("-":
 * none); lines NAME:VALUE, each a header to add, up to an empty one; the rest is the page's body.
 */
#include "fuzz.h"

#include <ctype.h>
#include <strings.h>

#include <wspool/wspool.h>

const unsigned fuzz_runs = 8000;

enum way { PAGE, NO_PAGE, HANDSHAKE, REFUSED, WAYS };
enum { HEADERS = 64, ANSWER = 4096 };

static struct {
    enum way way;
    int status;
    char *type; /* NULL: none */
    uint8_t *body;
    size_t body_len;
    struct {
        char *name, *value;
        int result;
    } headers[HEADERS];
    size_t count, added; /* bytes that the good ones have */
    int asked;
} in;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* ------------------------------------------------------------ second judge */

static int is_value(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < 32 && c != '\t') || c == 127) {
            return 0;
        }
    }
    return 1;
}

static int is_name(const char *text)
{
    static const char *const ours[] = {"connection", "upgrade", "content-length", "content-type",
                                       "transfer-encoding"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (strcasecmp(text, ours[i]) == 0) {
            return 0;
        }
    }
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c >= 128 || (!isalnum(c) && strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return 0;
        }
    }
    return *text != '\0' && strncasecmp(text, "sec-websocket-", 14) != 0;
}

static int is_page(void)
{
    size_t type = in.type == NULL ? strlen("text/plain; charset=utf-8") : strlen(in.type);
    int bodiless = in.status == 204 || in.status == 205 || in.status == 304;
    return in.way == PAGE && in.status >= 200 && in.status <= 599 && in.status != 426 && type > 0 &&
           type + in.body_len <= WSPOOL_PAGE_MAX && (!bodiless || in.body_len == 0) &&
           (in.type == NULL || is_value(in.type));
}

static void add_headers(wspool *pool, wspool_id id)
{
    FUZZ_DEMAND(in.asked++ == 0, "asked again");
    for (size_t i = 0; i < in.count; i++) {
        const char *name = in.headers[i].name, *value = in.headers[i].value;
        size_t bytes = strlen(name) + strlen(value) + 4;
        int expected = !is_name(name) || !is_value(value)            ? WSPOOL_ERR_INVAL
                       : in.added + bytes > WSPOOL_ADDED_HEADERS_MAX ? WSPOOL_ERR_FULL
                                                                     : 0;
        in.headers[i].result = wspool_add_header(pool, id, name, value);
        FUZZ_DEMAND(in.headers[i].result == expected, "%d, not %d, for \"%s\": \"%s\"",
                    in.headers[i].result, expected, name, value);
        in.added += expected == 0 ? bytes : 0;
    }
}

static void on_plain(wspool *pool, wspool_id id, const wspool_request *request, wspool_page *page,
                     void *user)
{
    (void)request;
    (void)user;
    add_headers(pool, id);
    if (in.way == PAGE) {
        page->status = in.status;
        page->type = in.type;
        page->body = (wspool_text){(const char *)in.body, in.body_len};
    }
}

static int on_capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    (void)request;
    (void)user;
    add_headers(pool, id);
    return in.way == REFUSED ? -1 : 0;
}

/* ------------------------------------------------------------------ answer */

/* Takes the next line of the head. Returns 0 at its end. */
static int take_line(char **at, char **line)
{
    char *end = strstr(*at, "\r\n");
    FUZZ_DEMAND(end != NULL, "a line without an end");
    FUZZ_DEMAND(memchr(*at, '\n', (size_t)(end - *at)) == NULL, "a line feed alone");
    *end = '\0';
    *line = *at;
    *at = end + 2;
    return **line != '\0';
}

static int begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* One of the library's own headers: 1. Content-Length goes to *len. */
static int is_own(const char *line, int status, size_t *len)
{
    char type[WSPOOL_PAGE_MAX + 32];
    if (begins(line, "Content-Length: ")) {
        FUZZ_DEMAND(*len == SIZE_MAX, "two lengths");
        *len = strtoul(line + 16, NULL, 10);
        return 1;
    }
    if (status == 101) {
        return strcmp(line, "Upgrade: websocket") == 0 ||
               strcmp(line, "Connection: Upgrade") == 0 ||
               strcmp(line, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == 0;
    }
    if (is_page()) {
        snprintf(type, sizeof type, "Content-Type: %s",
                 in.type == NULL ? "text/plain; charset=utf-8" : in.type);
        return strcmp(line, "Connection: close") == 0 || strcmp(line, type) == 0;
    }
    return strcmp(line, "Connection: close") == 0 || begins(line, "Content-Type: ") ||
           begins(line, "Retry-After: ") || begins(line, "Connection: ") ||
           begins(line, "Upgrade: ") || begins(line, "Sec-WebSocket-Version: ");
}

static void judge(char *answer, size_t len)
{
    char *at = answer, *line;
    size_t next = 0, own = 0, announced = SIZE_MAX;
    int expected = is_page()             ? in.status
                   : in.way == HANDSHAKE ? 101
                   : in.way == REFUSED   ? 503
                                         : 426;
    answer[len] = '\0';
    FUZZ_DEMAND(take_line(&at, &line) && begins(line, "HTTP/1.1 "), "no status line");
    FUZZ_DEMAND(atoi(line + 9) == expected, "%s, not %d", line + 9, expected);
    while (take_line(&at, &line)) {
        char header[WSPOOL_ADDED_HEADERS_MAX + 8];
        while (next < in.count && in.headers[next].result != 0) {
            next++;
        }
        if (next < in.count) {
            snprintf(header, sizeof header, "%s: %s", in.headers[next].name,
                     in.headers[next].value);
        }
        if (next < in.count && (is_page() || in.way == HANDSHAKE) && strcmp(line, header) == 0) {
            next++;
        } else {
            FUZZ_DEMAND(is_own(line, expected, &announced), "whose line is \"%s\"", line);
            own++;
        }
    }
    while (next < in.count && in.headers[next].result != 0) {
        next++;
    }
    FUZZ_DEMAND(next == in.count || (!is_page() && in.way != HANDSHAKE), "a header is missing");
    FUZZ_DEMAND(own <= WSPOOL_ANSWER_HEADERS + 2, "%zu lines", own);
    size_t body = len - (size_t)(at - answer);
    if (is_page()) {
        FUZZ_DEMAND(body == in.body_len && memcmp(at, in.body, body) == 0, "another body");
    }
    FUZZ_DEMAND(announced == SIZE_MAX ? body == 0 : announced == body, "%zu bytes of %zu", body,
                announced);
}

/* --------------------------------------------------------------------- one */

/* Returns a string that ends where the part does, or at its first NUL. */
static char *string_of(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len + 1);
    if (text == NULL) {
        abort();
    }
    if (len > 0) {
        memcpy(text, bytes, len);
    }
    text[len] = '\0';
    return text;
}

static void read_input(fuzz_input input)
{
    fuzz_input line;
    memset(&in, 0, sizeof in);
    if (!fuzz_line(&input, &line)) {
        line = (fuzz_input){NULL, 0};
    }
    in.way = (enum way)fuzz_number(&line, WAYS);
    for (int i = 0; i < 3; i++) {
        in.status = 10 * in.status + (int)fuzz_number(&line, 10);
    }
    in.type = line.len == 1 && *line.data == '-' ? NULL : string_of(line.data, line.len);
    while (fuzz_line(&input, &line) && line.len > 0) {
        const uint8_t *colon = memchr(line.data, ':', line.len);
        size_t name = colon == NULL ? line.len : (size_t)(colon - line.data);
        if (in.count < HEADERS) {
            in.headers[in.count].name = string_of(line.data, name);
            in.headers[in.count].value =
                colon == NULL ? string_of(line.data, 0) : string_of(colon + 1, line.len - name - 1);
            in.count++;
        }
    }
    in.body = fuzz_copy(input.data, input.len);
    in.body_len = input.len;
}

static void forget_input(void)
{
    free(in.type);
    for (size_t i = 0; i < in.count; i++) {
        free(in.headers[i].name);
        free(in.headers[i].value);
    }
    fuzz_free(in.body, in.body_len);
}

/* Passes the request to a pool, and what it answers to the judge. */
static void ask(const char *request)
{
    char answer[ANSWER + 1];
    size_t len = 0;
    wspool *pool;
    wspool_config config;
    wspool_id id, other;
    unsigned wants;
    struct iovec vectors[8];
    wspool_config_init(&config);
    config.plain.call = on_plain;
    config.capacity.call = on_capacity;
    FUZZ_DEMAND(wspool_new(&pool, &config, 1) == 0, "no pool");
    FUZZ_DEMAND(wspool_route(pool, "/echo", WSPOOL_NONE, NULL) >= 0, "no route");
    FUZZ_DEMAND(wspool_open(pool, NULL, 1, &id) == 0, "no place");
    FUZZ_DEMAND(wspool_feed(pool, id, request, strlen(request), 2) == 0, "not fed");
    while (wspool_next(pool, &other, &wants) == 1) {
        int count = wants & WSPOOL_WRITE ? wspool_peek(pool, id, vectors, 8) : 0;
        size_t from = len;
        for (int i = 0; i < count; i++) {
            FUZZ_DEMAND(len + vectors[i].iov_len <= ANSWER, "an answer without an end");
            memcpy(answer + len, vectors[i].iov_base, vectors[i].iov_len);
            len += vectors[i].iov_len;
        }
        if (count > 0) {
            wspool_ack(pool, id, len - from, 3);
        }
        if (wants & WSPOOL_CLOSE) {
            wspool_release(pool, id);
        }
    }
    FUZZ_DEMAND(in.asked == 1, "asked %d times", in.asked);
    FUZZ_DEMAND(wspool_check(pool) == 0, "the pool is not in order");
    judge(answer, len);
    wspool_free(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_input((fuzz_input){data, size});
    ask(in.way == PAGE || in.way == NO_PAGE
            ? "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
            : "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    forget_input();
    return 0;
}
