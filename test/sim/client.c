/* SPDX-License-Identifier: MIT */
/* sim/client.c - writes what a client sends and reads what the pool sends. See sim/client.h. */
#include "client.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "heap.h"

/* ------------------------------------------------------------------ bytes */

void *sim_malloc(size_t size)
{
    return sim_realloc(NULL, size);
}

void *sim_realloc(void *block, size_t size)
{
    int inside = sim_inside;
    void *moved;
    sim_inside = 0;
    moved = realloc(block, size == 0 ? 1 : size);
    sim_inside = inside;
    if (moved == NULL)
        abort();
    return moved;
}

void blob_add(blob *to, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    if (to->cap - to->len < len) {
        to->cap = (to->len + len) * 2;
        to->data = sim_realloc(to->data, to->cap);
    }
    memcpy(to->data + to->len, bytes, len);
    to->len += len;
}

void blob_text(blob *to, const char *text)
{
    blob_add(to, text, strlen(text));
}

void blob_print(blob *to, const char *format, ...)
{
    char line[512];
    va_list list;
    int n;
    va_start(list, format);
    n = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (n > 0)
        blob_add(to, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

void blob_free(blob *bytes)
{
    int inside = sim_inside;
    sim_inside = 0;
    free(bytes->data);
    sim_inside = inside;
    memset(bytes, 0, sizeof *bytes);
}

/* --------------------------------------------------------------- requests */

const char CLIENT_LEFT_OUT[] = "";

static void put_header(blob *to, const char *name, const char *value, const char *good)
{
    if (value == CLIENT_LEFT_OUT || (value == NULL && good == NULL))
        return;
    blob_text(to, name);
    blob_text(to, ": ");
    blob_text(to, value != NULL ? value : good);
    blob_text(to, "\r\n");
}

void client_put_request(blob *to, const client_request *request)
{
    blob_text(to, request->method != NULL ? request->method : "GET");
    blob_text(to, " ");
    blob_text(to, request->target != NULL ? request->target : "/echo");
    blob_text(to, " ");
    blob_text(to, request->version != NULL ? request->version : "HTTP/1.1");
    blob_text(to, "\r\n");
    put_header(to, "Host", request->host, "pool.example");
    put_header(to, "Upgrade", request->upgrade, "websocket");
    put_header(to, "Connection", request->connection, "Upgrade");
    put_header(to, "Sec-WebSocket-Key", request->key, CLIENT_KEY);
    put_header(to, "Sec-WebSocket-Version", request->ws_version, "13");
    put_header(to, "Origin", request->origin, NULL);
    put_header(to, "Sec-WebSocket-Protocol", request->protocol, NULL);
    if (request->extra != NULL)
        blob_text(to, request->extra);
    blob_text(to, "\r\n");
}

/* ----------------------------------------------------------------- frames */

void client_put_head(blob *to, const client_frame *frame)
{
    uint64_t len = frame->announced != 0 ? frame->announced : frame->len;
    unsigned mask = frame->unmasked ? 0 : 0x80u;
    uint8_t head[14];
    size_t n = 0;
    int form = frame->form;
    if (form == 0)
        form = len < 126 ? 1 : len < 65536 ? 2 : 8;
    head[n++] = (uint8_t)frame->first;
    head[n++] = (uint8_t)(mask | (form == 1 ? (unsigned)len : form == 2 ? 126u : 127u));
    for (int i = form == 1 ? 0 : form; i > 0; i--)
        head[n++] = (uint8_t)(len >> (8 * (i - 1)));
    if (!frame->unmasked)
        for (int i = 3; i >= 0; i--)
            head[n++] = (uint8_t)(frame->key >> (8 * i));
    blob_add(to, head, n);
}

void client_put_frame(blob *to, const client_frame *frame)
{
    size_t at;
    client_put_head(to, frame);
    at = to->len;
    blob_add(to, frame->payload, frame->len);
    if (!frame->unmasked)
        for (size_t i = 0; i < frame->len; i++)
            to->data[at + i] ^= (uint8_t)(frame->key >> (8 * (3 - i % 4)));
}

/* ----------------------------------------------------------------- reader */

int client_utf8(const uint8_t *text, size_t len)
{
    size_t i = 0;
    while (i < len) {
        uint32_t c = text[i];
        size_t more = c < 0x80 ? 0 : (c & 0xe0) == 0xc0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : 3;
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (c >= 0xf8 || (c & 0xc0) == 0x80 || len - i <= more)
            return 0;
        c &= more == 0 ? 0x7fu : 0x3fu >> more;
        for (size_t k = 1; k <= more; k++) {
            if ((text[i + k] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (text[i + k] & 0x3f);
        }
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            return 0;
        i += more + 1;
    }
    return 1;
}

static void reader_fault(reader *r, const char *what)
{
    if (r->fault == NULL)
        r->fault = what;
}

static void reader_note(reader *r, unsigned op, const uint8_t *data, size_t len)
{
    got *g;
    if (r->count == r->cap) {
        r->cap = r->cap == 0 ? 16 : r->cap * 2;
        r->list = sim_realloc(r->list, r->cap * sizeof *r->list);
    }
    g = &r->list[r->count++];
    g->op = op;
    g->len = len;
    g->data = sim_malloc(len);
    if (len > 0)
        memcpy(g->data, data, len);
    if (op == OP_TEXT || op == OP_BINARY)
        r->messages++;
    r->pings += op == OP_PING;
    r->pongs += op == OP_PONG;
}

/* Returns 1 if a server may send the code. RFC 6455, section 7.4, and the IANA registry. */
static int code_lawful(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void reader_close(reader *r, const uint8_t *payload, size_t len)
{
    r->close_code = 1005;
    if (len == 1)
        reader_fault(r, "a Close of one byte");
    if (len >= 2) {
        unsigned code = (unsigned)payload[0] << 8 | payload[1];
        if (!code_lawful(code))
            reader_fault(r, "a close code that may not be sent");
        if (!client_utf8(payload + 2, len - 2))
            reader_fault(r, "a close reason that is not UTF-8");
        r->close_code = (int)code;
        memcpy(r->close_reason, payload + 2, len - 2);
        r->close_reason[len - 2] = '\0';
    }
    if (r->partial_op != 0)
        reader_fault(r, "a Close inside a message"); /* valid, but this library never sends it */
}

static void reader_frame(reader *r, unsigned first, const uint8_t *payload, size_t len)
{
    unsigned op = first & 15;
    int fin = (first & FIN) != 0;
    if (r->close_code != 0)
        reader_fault(r, "a frame behind the Close");
    if ((first & 0x70) == 0x40 && r->unfold != NULL && fin && (op == OP_TEXT || op == OP_BINARY)) {
        uint8_t *text = sim_malloc(UNFOLD_MAX);
        size_t n = r->unfold(payload, len, text, UNFOLD_MAX);
        if (n > UNFOLD_MAX)
            reader_fault(r, "an encoded message that can't be read");
        else
            reader_frame(r, first & ~0x40u, text, n);
        r->encoded++;
        free(text);
        return;
    }
    if (first & 0x70)
        reader_fault(r, "a reserved bit");
    if (op >= 8) {
        if (!fin || len > 125)
            reader_fault(r, "a control frame that is fragmented or too long");
        else if (op == OP_CLOSE)
            reader_close(r, payload, len);
        else if (op != OP_PING && op != OP_PONG)
            reader_fault(r, "a reserved opcode");
        if (op <= OP_PONG)
            reader_note(r, op, payload, len);
        return;
    }
    if (op > OP_BINARY)
        reader_fault(r, "a reserved opcode");
    else if ((op == OP_CONT) != (r->partial_op != 0))
        reader_fault(r, "a fragment out of order");
    if (op != OP_CONT && !fin)
        r->partial_op = op;
    if (op != OP_CONT && fin) {
        reader_note(r, op, payload, len);
        return;
    }
    blob_add(&r->partial, payload, len);
    if (fin) {
        reader_note(r, r->partial_op, r->partial.data, r->partial.len);
        r->partial_op = 0;
        r->partial.len = 0;
    }
}

/* Reads one frame from the front of the bytes and returns its length, or 0 when it is not whole. */
static size_t reader_one(reader *r, const uint8_t *bytes, size_t have)
{
    size_t head = 2;
    uint64_t len;
    if (have < 2)
        return 0;
    if (bytes[1] & 0x80)
        reader_fault(r, "a masked frame from a server");
    len = bytes[1] & 0x7f;
    if (len >= 126) {
        size_t more = len == 126 ? 2 : 8;
        if (have < 2 + more)
            return 0;
        len = 0;
        for (size_t i = 0; i < more; i++)
            len = len << 8 | bytes[2 + i];
        if (len < (more == 2 ? 126u : 65536u))
            reader_fault(r, "a length in more bytes than it needs");
        head += more;
    }
    if (len > UINT64_C(1) << 32) {
        reader_fault(r, "an absurd length");
        return have;
    }
    if (have - head < len)
        return 0;
    reader_frame(r, bytes[0], bytes + head, (size_t)len);
    return head + (size_t)len;
}

static void reader_http(reader *r)
{
    static const char end[] = "\r\n\r\n";
    char room[32];
    const char *length;
    uint8_t *at = NULL;
    size_t n;
    for (size_t i = 0; i + 4 <= r->pending.len && at == NULL; i++)
        if (memcmp(r->pending.data + i, end, 4) == 0)
            at = r->pending.data + i;
    if (at == NULL)
        return;
    n = (size_t)(at - r->pending.data) + 4;
    blob_add(&r->head, r->pending.data, n);
    blob_add(&r->head, "", 1);
    memmove(r->pending.data, r->pending.data + n, r->pending.len - n);
    r->pending.len -= n;
    if (strncmp((char *)r->head.data, "HTTP/1.1 ", 9) != 0 || r->head.len < 16 ||
        strlen((char *)r->head.data) + 1 != r->head.len) {
        reader_fault(r, "no HTTP/1.1 status line");
        return;
    }
    r->status = atoi((char *)r->head.data + 9);
    length = reader_header(r, "Content-Length", room, sizeof room);
    r->body_len = length == NULL ? -1 : strtol(length, NULL, 10);
    r->frames = r->status == 101;
}

void reader_take(reader *r, const void *bytes, size_t len)
{
    size_t at = 0;
    size_t n;
    if (len == 0)
        return;
    r->total += len;
    blob_add(&r->pending, bytes, len);
    if (!r->frames && r->status == 0)
        reader_http(r);
    if (r->frames) {
        while ((n = reader_one(r, r->pending.data + at, r->pending.len - at)) > 0)
            at += n;
        if (at > 0)
            memmove(r->pending.data, r->pending.data + at, r->pending.len - at);
        r->pending.len -= at;
    } else if (r->status != 0) {
        if (r->body.len > 0)
            r->body.len--; /* the NUL */
        blob_add(&r->body, r->pending.data, r->pending.len);
        blob_add(&r->body, "", 1);
        r->pending.len = 0;
        if (r->body.len - 1 > (size_t)(r->body_len < 0 ? 0 : r->body_len))
            reader_fault(r, "a body longer than announced");
    }
}

void reader_free(reader *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->list[i].data);
    free(r->list);
    blob_free(&r->pending);
    blob_free(&r->head);
    blob_free(&r->body);
    blob_free(&r->partial);
    memset(r, 0, sizeof *r);
}

const got *reader_message(const reader *r, size_t n)
{
    for (size_t i = 0; i < r->count; i++)
        if ((r->list[i].op == OP_TEXT || r->list[i].op == OP_BINARY) && n-- == 0)
            return &r->list[i];
    return NULL;
}

const got *reader_pong(const reader *r, size_t n)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->list[i].op == OP_PONG && n-- == 0)
            return &r->list[i];
    return NULL;
}

int got_is(const got *g, const void *bytes, size_t len)
{
    return g != NULL && g->len == len && (len == 0 || memcmp(g->data, bytes, len) == 0);
}

const char *reader_header(const reader *r, const char *name, char *room, size_t size)
{
    const char *at = r->head.data == NULL ? NULL : strstr((const char *)r->head.data, "\r\n");
    while (at != NULL) {
        const char *line = at + 2;
        const char *end = strstr(line, "\r\n");
        size_t n = strlen(name);
        if (end == NULL || end == line)
            return NULL;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            line += n + 1;
            while (*line == ' ' || *line == '\t')
                line++;
            n = (size_t)(end - line) < size - 1 ? (size_t)(end - line) : size - 1;
            memcpy(room, line, n);
            room[n] = '\0';
            return room;
        }
        at = end;
    }
    return NULL;
}

int reader_says(const reader *r, const char *word)
{
    char want[96];
    char have[96];
    size_t n = 0;
    snprintf(want, sizeof want, "{\"error\":\"%s\"}", word);
    for (size_t i = 0; i + 1 < r->body.len && n < sizeof have - 1; i++)
        if (!isspace(r->body.data[i]))
            have[n++] = (char)r->body.data[i];
    have[n] = '\0';
    return strcmp(want, have) == 0;
}
