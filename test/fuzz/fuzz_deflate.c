/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_deflate.c - a peer with permessage-deflate: offers, compressed messages, and bytes that
 * only look like them (wire/extension.c, link/inbound.c, link/encodings.c, lib/deflate/).
 *
 * Plays a script three times, each time in a new pool: its bytes at once, in random pieces, and one
 * by one. Demands:
 * - The three runs give the same messages, the same end and the same output.
 * - A message is what a second judge makes of it, which is zlib over the whole message at once; the
 *   peer ends as that judge says.
 * - Each message is echoed, and a client with the negotiated parameters can read the echo.
 * - Memory stays within the limits, and nothing is leaked, whichever allocation fails.
 *
 * Input: four characters (see `begin`), then a line with the value of Sec-WebSocket-Extensions,
 * then lines, each a message:
 *     how      p plain; d deflated; f deflated, every block with BFINAL; r the line is the
 *              compressed bytes; m deflated, then one bit is changed; c deflated, then cut short;
 *              b a bomb of `number` times 16 KiB
 *     number   which bit, how much
 *     parts    how many fragments it has
 *     the rest of the line is the text
 */
#define ZLIB_CONST
#include <zlib.h>

#include <wspool/deflate.h>
#include <wspool/wspool.h>

#include "../sim/client.h"
#include "fuzz.h"
#include "heap.h"

const unsigned fuzz_runs = 1500;

enum { LONGEST = 4096, WIRE_MAX = 150000, PIECES = 3, TAIL = 4 };

static const uint8_t tail[TAIL] = {0, 0, 0xff, 0xff};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

struct play {
    wspool *pool;
    wspool_deflate *deflate;
    wspool_id id;
    wspool_config config;
    fuzz_heap heap;
    unsigned pieces;
    uint64_t chance;
    int negotiated;
    int takeover; /* the client may use its earlier messages as context */
    int window;   /* window bits of what the server sends */
    int refused;  /* the list of offers is malformed */
    int no_memory;
    blob journal; /* what the hooks were told */
    blob heard;   /* bytes of all messages */
    blob out;
    int closed;
    wspool_closed end;
    /* the inflater of the judge */
    z_stream judge;
    blob said; /* messages, one after the other */
    size_t count;
    int fault; /* close code; 0: none */
    int over;  /* the rest of the script is ignored */
};

/* ------------------------------------------------------------------ hooks */

static int on_entropy(void *bytes, size_t len, void *user)
{
    (void)user;
    memset(bytes, 7, len);
    return 0;
}

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    struct play *p = user;
    wspool_send_options options = {.size = sizeof options, .flags = WSPOOL_BINARY};
    FUZZ_DEMAND(message->len <= p->config.message_bytes && message->binary, "%zu bytes",
                message->len);
    blob_print(&p->journal, "message %zu\n", message->len);
    blob_add(&p->heard, message->data, message->len);
    (void)wspool_send(pool, id, message->data, message->len, &options);
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    struct play *p = user;
    (void)pool;
    (void)id;
    p->closed++;
    p->end = *closed;
    blob_print(&p->journal, "closed %d %d\n", (int)closed->why, closed->code_sent);
}

/* ------------------------------------------------------------------ judge */

/* Inflates one message, the tail appended. Returns 0 or a close code. The text goes to p->said. */
static int inflate_all(struct play *p, const uint8_t *bytes, size_t len)
{
    const size_t limit = p->config.message_bytes;
    uint8_t *out = malloc(limit + 1);
    size_t made = 0;
    int code = 0, ended = 0;
    for (int part = 0; part < 2 && code == 0; part++) {
        const size_t before = made;
        p->judge.next_in = part == 0 ? bytes : tail;
        p->judge.avail_in = part == 0 ? (uInt)len : TAIL;
        if (part == 1 && (ended || len == 0)) {
            break; /* no tail is needed */
        }
        for (int more = 1; more && code == 0;) {
            p->judge.next_out = out + made;
            p->judge.avail_out = (uInt)(limit + 1 - made);
            int result = inflate(&p->judge, Z_SYNC_FLUSH);
            made = limit + 1 - p->judge.avail_out;
            ended = result == Z_STREAM_END;
            if (made > limit) {
                /* Output of the tail is an error; beyond the limit it is 1009 only if its first
                 * byte does not fit. */
                code = part == 0 || before == limit ? 1009 : 1007;
            } else if (ended) {
                inflateReset(&p->judge);
            } else if (result != Z_OK && result != Z_BUF_ERROR) {
                code = 1007;
            }
            more = p->judge.avail_in > 0;
        }
        if (part == 1 && code == 0 &&
            (made > before || (!ended && (p->judge.data_type & 191) != 128))) {
            code = 1007;
        }
    }
    if (code == 0) {
        blob_add(&p->said, out, made);
        p->count++;
        if (!p->takeover) {
            inflateReset(&p->judge);
        }
    }
    free(out);
    return code;
}

/* Judges a message of `parts` fragments. */
static void judge(struct play *p, int encoded, const uint8_t *bytes, size_t len, size_t parts)
{
    size_t most = p->config.message_bytes;
    size_t part = len / parts;
    if (p->over) {
        return;
    }
    p->over = 1;
    if (encoded && !p->negotiated) {
        p->fault = 1002;
        return;
    }
    if (encoded) {
        most += most / 4 + 1024;
    }
    /* A head with too large a length is refused before the earlier fragments are known to form a
     * whole message. What these decode to comes first. */
    size_t taken = 0;
    for (size_t i = 0; i < parts; i++) {
        size_t n = i + 1 < parts ? part : len - part * (parts - 1);
        if (n > most || taken > most - n) {
            break;
        }
        taken += n;
    }
    if (encoded && taken == len) {
        p->fault = inflate_all(p, bytes, len);
        p->over = p->fault != 0;
    } else if (taken == len) {
        blob_add(&p->said, bytes, len);
        p->count++;
        p->over = 0;
    } else {
        p->fault = -1; /* 1009, or the fault of the first fragments */
    }
}

/* ------------------------------------------------------------------ begin */

static int begin(struct play *p, fuzz_input *in)
{
    static const uint32_t limits[] = {65536, 1000, 5000, 1};
    wspool_extension_param params[1];
    wspool_deflate_options options;
    wspool_route_options route;
    wspool_config *c = &p->config;
    wspool_answer answer;
    fuzz_input line = {0};
    wspool_config_init(c);
    wspool_deflate_options_init(&options);
    (void)params;
    c->message_bytes = limits[fuzz_number(in, 4)];
    unsigned how = fuzz_number(in, 8);
    p->heap.fail_at = fuzz_number(in, 62);
    p->heap.fail_on = how / 4 % 2;
    p->no_memory = p->heap.fail_at > 0;
    p->chance = fuzz_byte(in);
    (void)fuzz_line(in, &line);
    (void)fuzz_line(in, &line);
    options.threshold = how & 1 ? 1 : 64;
    options.client_window = 15; /* zlib may accept a distance beyond the window */
    options.mem = c->mem = fuzz_heap_hooks(&p->heap);
    c->abuse_burst = 0;
    c->max_peers = 1;
    c->queue_messages = LONGEST; /* all are echoed, and no echo is read before the end */
    c->entropy = (wspool_entropy_hook){on_entropy, p};
    c->message = (wspool_message_hook){on_message, p};
    c->close = (wspool_close_hook){on_close, p};
    if (wspool_deflate_new(&p->deflate, &options) < 0) {
        return 0;
    }
    c->codec = wspool_deflate_codec(p->deflate);
    if (wspool_new(&p->pool, c, WSPOOL_SECOND) < 0) {
        return 0;
    }
    wspool_route_options_init(&route, c);
    route.codec = how & 2 ? WSPOOL_DEFLATE_TAKEOVER : 0;
    if (wspool_route(p->pool, "/", WSPOOL_NONE, &route) < 0) {
        return 0;
    }
    char *offers = fuzz_copy(line.data, line.len);
    wspool_header headers[] = {
        {{"Host", 4}, {"pool.example", 12}},
        {{"Upgrade", 7}, {"websocket", 9}},
        {{"Connection", 10}, {"Upgrade", 7}},
        {{"Sec-WebSocket-Key", 17}, {"dGhlIHNhbXBsZSBub25jZQ==", 24}},
        {{"Sec-WebSocket-Version", 21}, {"13", 2}},
        {{"Sec-WebSocket-Extensions", 24}, {offers, line.len}},
    };
    wspool_request request = {.size = sizeof request,
                              .method = {"GET", 3},
                              .target = {"/", 1},
                              .http_major = 1,
                              .http_minor = 1,
                              .headers = headers,
                              .header_count = sizeof headers / sizeof *headers};
    int result = wspool_upgrade(p->pool, &request, WSPOOL_SECOND, &p->id, &answer);
    fuzz_free(offers, line.len);
    p->window = 15;
    for (size_t i = 0; result == WSPOOL_UPGRADE_ACCEPTED && i < answer.header_count; i++) {
        const char *value = answer.headers[i].value, *window;
        if (strcmp(answer.headers[i].name, "Sec-WebSocket-Extensions") == 0) {
            FUZZ_DEMAND(strncmp(value, "permessage-deflate", 18) == 0, "%s", value);
            p->negotiated = 1;
            p->takeover = strstr(value, "client_no_context_takeover") == NULL;
            window = strstr(value, "server_max_window_bits=");
            p->window = window ? atoi(window + 23) : 15;
            FUZZ_DEMAND(p->window >= 9 && p->window <= 15, "%s", value);
        }
    }
    FUZZ_DEMAND(result == WSPOOL_UPGRADE_ACCEPTED || p->no_memory || answer.status == 400,
                "refused with %d", answer.status);
    return result == WSPOOL_UPGRADE_ACCEPTED &&
           wspool_adopt(p->pool, p->id, NULL, 0, WSPOOL_SECOND) == 0;
}

/* --------------------------------------------------------------- messages */

static void deflate_to(blob *to, const uint8_t *text, size_t len, int flush, unsigned level)
{
    z_stream z = {0};
    uint8_t out[1024];
    deflateInit2(&z, (int)level % 10, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    z.next_in = text;
    z.avail_in = (uInt)len;
    do {
        z.next_out = out;
        z.avail_out = sizeof out;
        deflate(&z, flush);
        blob_add(to, out, sizeof out - z.avail_out);
    } while (z.avail_out == 0);
    deflateEnd(&z);
}

static void make(blob *payload, uint8_t how, unsigned number, fuzz_input line)
{
    switch (how) {
    case 'f':
        deflate_to(payload, line.data, line.len, Z_FINISH, number);
        if (number & 1) {
            blob_add(payload, "", 1);
        }
        break;
    case 'b': {
        static const uint8_t zeros[16384];
        for (unsigned i = 0; i < number; i++) {
            deflate_to(payload, zeros, sizeof zeros, Z_SYNC_FLUSH, 9);
        }
        break;
    }
    case 'r':
    case 'p':
        blob_add(payload, line.data, line.len);
        break;
    default:
        deflate_to(payload, line.data, line.len, Z_SYNC_FLUSH, number);
        payload->len -= TAIL;
        break;
    }
    if (how == 'm' && payload->len > 0) {
        payload->data[number / 8 % payload->len] ^= (uint8_t)(1u << number % 8);
    } else if (how == 'c') {
        payload->len -= number < payload->len ? number : payload->len;
    }
}

static void add_message(struct play *p, blob *wire, fuzz_input line)
{
    uint8_t how = fuzz_byte(&line);
    unsigned number = fuzz_number(&line, 64);
    size_t parts = 1 + fuzz_number(&line, 6);
    blob payload = {0};
    make(&payload, how, number, line);
    size_t part = payload.len / parts;
    for (size_t i = 0; i < parts; i++) {
        size_t n = i + 1 < parts ? part : payload.len - part * (parts - 1);
        client_frame frame = {.first = (i == 0 ? OP_BINARY : OP_CONT) | (i + 1 == parts ? FIN : 0) |
                                       (i == 0 && how != 'p' ? 0x40u : 0),
                              .payload = payload.data ? payload.data + part * i : (uint8_t *)"",
                              .len = n};
        client_put_frame(wire, &frame);
    }
    judge(p, how != 'p', payload.data ? payload.data : (uint8_t *)"", payload.len, parts);
    blob_free(&payload);
}

/* -------------------------------------------------------------------- end */

static void feed(struct play *p, const blob *wire)
{
    uint8_t *bytes = fuzz_copy(wire->data, wire->len);
    for (size_t at = 0; at < wire->len;) {
        size_t n = p->pieces == 0   ? wire->len
                   : p->pieces == 1 ? fuzz_cut(&p->chance, wire->len - at)
                                    : 1 + (at > 3000 ? wire->len - at - 1 : 0);
        fuzz_show(bytes, at + n, wire->len);
        FUZZ_DEMAND(wspool_feed(p->pool, p->id, bytes + at, n, WSPOOL_SECOND) == 0, "feed");
        at += n;
    }
    fuzz_free(bytes, wire->len);
    FUZZ_DEMAND(wspool_check(p->pool) == 0, "the counters do not balance");
}

static void drain(struct play *p)
{
    struct iovec vectors[4];
    wspool_id id;
    unsigned wants;
    while (wspool_next(p->pool, &id, &wants) == 1) {
        size_t sent = 0;
        if (wants & WSPOOL_CLOSE) {
            FUZZ_DEMAND(wspool_release(p->pool, id) == 0, "release");
            return;
        }
        int n = wants & WSPOOL_WRITE ? wspool_peek(p->pool, id, vectors, 4) : 0;
        for (int i = 0; i < n; i++) {
            blob_add(&p->out, vectors[i].iov_base, vectors[i].iov_len);
            sent += vectors[i].iov_len;
        }
        FUZZ_DEMAND(wspool_ack(p->pool, id, sent, WSPOOL_SECOND) == 0, "ack");
    }
}

/* Reads the output: the same messages, each decodable alone, and a Close at most. */
static void read_back(const struct play *p)
{
    const uint8_t *at = p->out.len > 0 ? p->out.data : (const uint8_t *)"";
    const uint8_t *end = at + p->out.len;
    size_t heard = 0;
    uint8_t *text = malloc(p->config.message_bytes + 1u);
    while (at < end) {
        size_t head = at[1] == 127 ? 10 : at[1] == 126 ? 4 : 2, len = at[1] & 0x7f;
        if (head > 2) {
            len = 0;
            for (size_t i = 2; i < head; i++) {
                len = len << 8 | at[i];
            }
        }
        if ((at[0] & 0x0f) == OP_CLOSE) {
            FUZZ_DEMAND(at + head + len == end, "bytes after the Close");
            break;
        }
        size_t made = len;
        if (at[0] & 0x40) {
            z_stream z = {0};
            FUZZ_DEMAND(p->negotiated && at[0] == (0xc0 | OP_BINARY), "RSV1, and nothing agreed");
            FUZZ_DEMAND(inflateInit2(&z, -p->window) == Z_OK, "zlib");
            z.next_out = text;
            z.avail_out = p->config.message_bytes + 1u;
            z.next_in = at + head;
            z.avail_in = (uInt)len;
            int first = inflate(&z, Z_SYNC_FLUSH);
            z.next_in = tail;
            z.avail_in = TAIL;
            int second = inflate(&z, Z_SYNC_FLUSH);
            FUZZ_DEMAND((first == Z_OK || first == Z_BUF_ERROR) && second == Z_OK &&
                            z.avail_in == 0,
                        "it can't be read: %d, %d", first, second);
            made = p->config.message_bytes + 1u - z.avail_out;
            FUZZ_DEMAND(len < made, "%zu bytes for %zu", len, made);
            inflateEnd(&z);
        } else {
            FUZZ_DEMAND(at[0] == (0x80 | OP_BINARY) && len <= p->config.message_bytes, "%d", at[0]);
            memcpy(text, at + head, len);
        }
        /* Without memory a message may not have been echoed. */
        FUZZ_DEMAND(p->no_memory || (made <= p->heard.len - heard &&
                                     (made == 0 || memcmp(text, p->heard.data + heard, made) == 0)),
                    "it sends back something else");
        heard += made;
        at += head + len;
    }
    FUZZ_DEMAND(heard == p->heard.len || p->no_memory, "%zu of %zu bytes come back", heard,
                p->heard.len);
    free(text);
}

static void hold(const struct play *p)
{
    int code = p->end.why == WSPOOL_END_EOF ? 0 : p->end.code_sent;
    size_t most = 200000 + 3 * (size_t)p->config.message_bytes + 2 * (size_t)p->out.len + 290000;
    FUZZ_DEMAND(p->closed == 1, "closed %d times", p->closed);
    FUZZ_DEMAND(p->heap.peak < most, "%zu bytes of memory", p->heap.peak);
    read_back(p);
    if (p->no_memory) {
        return;
    }
    FUZZ_DEMAND(p->heard.len == p->said.len &&
                    (p->said.len == 0 || memcmp(p->heard.data, p->said.data, p->said.len) == 0),
                "%zu bytes were heard, %zu were said", p->heard.len, p->said.len);
    FUZZ_DEMAND(p->fault == code || (p->fault == -1 && (code == 1009 || code == 1007)),
                "ended with %d (%s), the judge says %d", code, wspool_end_text(p->end.why),
                p->fault);
}

static void play(struct play *p, unsigned pieces, const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    fuzz_input line;
    blob wire = {0};
    memset(p, 0, sizeof *p);
    p->pieces = pieces;
    inflateInit2(&p->judge, -15);
    if (begin(p, &in)) {
        while (wire.len < WIRE_MAX && fuzz_line(&in, &line)) {
            add_message(p, &wire, line);
        }
        feed(p, &wire);
        drain(p);
        (void)wspool_gone(p->pool, p->id, WSPOOL_GONE_EOF, WSPOOL_SECOND);
        drain(p);
        hold(p);
    }
    blob_free(&wire);
    inflateEnd(&p->judge);
    FUZZ_DEMAND(wspool_free(p->pool) == 0, "free");
    wspool_deflate_free(p->deflate);
    FUZZ_DEMAND(p->heap.blocks == 0, "%zu blocks leaked", p->heap.blocks);
}

static void forget(struct play *p)
{
    blob_free(&p->journal);
    blob_free(&p->heard);
    blob_free(&p->out);
    blob_free(&p->said);
}

static void same(const blob *a, const blob *b, const char *what, unsigned pieces)
{
    FUZZ_DEMAND(a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0),
                "%s differ, %zu and %zu bytes (cut %u)", what, a->len, b->len, pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play whole, other;
    if (size > LONGEST) {
        return 0;
    }
    play(&whole, 0, data, size);
    for (unsigned pieces = 1; pieces < PIECES && !whole.no_memory; pieces++) {
        play(&other, pieces, data, size);
        same(&whole.journal, &other.journal, "what the hooks were told", pieces);
        same(&whole.out, &other.out, "the bytes that went out", pieces);
        forget(&other);
    }
    forget(&whole);
    return 0;
}
