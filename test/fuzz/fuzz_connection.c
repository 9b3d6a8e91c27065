/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_connection.c - one open peer of a pool: frames in, messages and answers out
 * (link/inbound.c, link/receive.c, link/outq.c, link/peek.c).
 *
 * Plays a script three times, each time in a new pool. The bytes between two events are fed at
 * once, in random pieces, and one by one. Demands:
 * - The three runs give the same messages, the same end, the same output and the same numbers.
 * - The message hook gets exactly what a second judge reads out of the bytes (frames.h), and the
 *   peer ends as that judge says.
 * - A strict reader accepts the output; the Close comes once, and last.
 * - Memory stays within the limits, the pool's counters balance, and nothing is leaked.
 *
 * Input: four characters (see `begin`), then lines. A line is a frame of frames.h, or an event:
 *     !w N  the transport takes N (see `amounts`) bytes     !s N  the host sends N bytes
 *     !t N  time passes (see `times`)                        !c N  the host closes the peer
 *     !g    the transport ends                               !u    the transport is writable again
 *     !f    feeds what came before
 * A message that begins with e is echoed, with q closes its peer, with n is charged as abuse.
 */
#include "frames.h"

#include <inttypes.h>

#include <wspool/wspool.h>

#include "heap.h"

const unsigned fuzz_runs = 6000;

enum { LONGEST = 4096, WIRE_MAX = 200000, PIECES = 3 };

static const size_t amounts[] = {0, 1, 2, 3, 10, 100, 1000, 4000, 17000, SIZE_MAX};
static const uint64_t times[] = {1,     100,   1000,  5000,   10000,
                                 30000, 31000, 60000, 300000, 4000000}; /* ms */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

struct play {
    wspool *pool;
    wspool_id id;
    wspool_config config;
    fuzz_heap heap;
    uint64_t now;
    unsigned pieces; /* how input is split: 0 not, 1 at random, 2 into single bytes */
    uint64_t chance;
    blob fed;      /* all input of the script */
    size_t given;  /* bytes of `fed` that the pool has got */
    blob journal;  /* what the hooks were told, for comparison */
    blob messages; /* bytes of all messages */
    size_t message_count;
    blob out;
    reader reader;
    int own; /* the host did something that may end the peer */
    int opened;
    int closed;
    int released;
    wspool_closed end;
    wspool_statistics stats;
};

/* ------------------------------------------------------------------ hooks */

static int on_entropy(void *bytes, size_t len, void *user)
{
    (void)user;
    memset(bytes, 7, len);
    return 0;
}

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    struct play *p = user;
    (void)opened;
    FUZZ_DEMAND(pool == p->pool && id == p->id && !p->opened, "opened");
    p->opened = 1;
}

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    struct play *p = user;
    int first = message->len > 0 ? message->data[0] : 0;
    wspool_send_options options = {.size = sizeof options};
    int rc = 0;
    FUZZ_DEMAND(id == p->id && p->opened && !p->closed,
                "a message before the peer opened or after it closed");
    FUZZ_DEMAND(message->len <= p->config.message_bytes, "%zu bytes", message->len);
    blob_print(&p->journal, "message %d %zu\n", message->binary, message->len);
    blob_add(&p->journal, message->data, message->len);
    blob_add(&p->messages, message->data, message->len);
    p->message_count++;
    options.flags = message->binary ? WSPOOL_BINARY : 0;
    if (first == 'e') {
        rc = wspool_send(pool, id, message->data, message->len, &options);
    } else if (first == 'q') {
        p->own = 1;
        rc = wspool_close(pool, id, 1000, "quit", message->len % 2 ? WSPOOL_CLOSE_NOW : 0);
    } else if (first == 'n') {
        p->own = 1;
        rc = wspool_report_abuse(pool, id, (uint32_t)message->len, NULL);
    }
    blob_print(&p->journal, "answer %d\n", rc);
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    struct play *p = user;
    (void)pool;
    FUZZ_DEMAND(id == p->id && p->opened && !p->closed, "closed twice, or never open");
    p->closed = 1;
    p->end = *closed;
    blob_print(&p->journal, "closed %d %d %d %" PRIu64 " %" PRIu64 "\n", (int)closed->why,
               closed->code_sent, closed->code_received, closed->open_for, closed->messages_lost);
}

/* ------------------------------------------------------------------ begin */

static void begin(struct play *p, fuzz_input *in)
{
    static const uint32_t message_limits[] = {65536, 1000, 125, 1};
    static const uint32_t queue_limits[] = {262144, 70000, 2000, 256};
    static const uint32_t bursts[] = {10000, 0, 3, 50};
    static const wspool_header headers[] = {
        {{"Host", 4}, {"pool.example", 12}},
        {{"Upgrade", 7}, {"websocket", 9}},
        {{"Connection", 10}, {"Upgrade", 7}},
        {{"Sec-WebSocket-Key", 17}, {"dGhlIHNhbXBsZSBub25jZQ==", 24}},
        {{"Sec-WebSocket-Version", 21}, {"13", 2}},
    };
    wspool_request request = {.size = sizeof request,
                              .method = {"GET", 3},
                              .target = {"/", 1},
                              .http_major = 1,
                              .http_minor = 1,
                              .headers = headers,
                              .header_count = sizeof headers / sizeof *headers};
    wspool_answer answer;
    wspool_config *c = &p->config;
    wspool_config_init(c);
    c->message_bytes = message_limits[fuzz_number(in, 4)];
    c->queue_bytes = queue_limits[fuzz_number(in, 4)];
    c->abuse_burst = bursts[fuzz_number(in, 4)];
    p->chance = fuzz_byte(in);
    c->max_peers = 1;
    c->mem = fuzz_heap_hooks(&p->heap);
    c->entropy = (wspool_entropy_hook){on_entropy, p};
    c->open = (wspool_open_hook){on_open, p};
    c->message = (wspool_message_hook){on_message, p};
    c->close = (wspool_close_hook){on_close, p};
    p->now = WSPOOL_SECOND;
    p->reader.frames = 1;
    FUZZ_DEMAND(wspool_new(&p->pool, c, p->now) == 0, "no pool");
    FUZZ_DEMAND(wspool_route(p->pool, "/", WSPOOL_NONE, NULL) == 0, "no route");
    FUZZ_DEMAND(wspool_upgrade(p->pool, &request, p->now, &p->id, &answer) ==
                    WSPOOL_UPGRADE_ACCEPTED,
                "refused");
    FUZZ_DEMAND(wspool_adopt(p->pool, p->id, NULL, 0, p->now) == 0, "not adopted");
}

/* ----------------------------------------------------------------- events */

static void feed(struct play *p)
{
    size_t len = p->fed.len - p->given;
    uint8_t *bytes;
    size_t at = 0;
    if (len == 0 || p->released) {
        p->given = p->fed.len;
        return;
    }
    bytes = fuzz_copy(p->fed.data + p->given, len);
    while (at < len) {
        size_t n = p->pieces == 0   ? len
                   : p->pieces == 1 ? fuzz_cut(&p->chance, len - at)
                                    : 1 + (len > 1000 && at > 500 ? len - at - 1 : 0);
        fuzz_show(bytes, at + n, len);
        FUZZ_DEMAND(wspool_feed(p->pool, p->id, bytes + at, n, p->now) == 0, "feed");
        at += n;
    }
    fuzz_free(bytes, len);
    p->given = p->fed.len;
}

/* The transport takes at most `room` bytes of output. */
static void drain(struct play *p, size_t room)
{
    wspool_id id;
    unsigned wants;
    while (wspool_next(p->pool, &id, &wants) == 1) {
        struct iovec vectors[4];
        size_t sent = 0;
        FUZZ_DEMAND(id == p->id && !p->released, "another peer");
        if (wants & WSPOOL_CLOSE) {
            FUZZ_DEMAND(wspool_release(p->pool, p->id) == 0, "release");
            p->released = 1;
        } else if (wants & WSPOOL_WRITE) {
            int n = wspool_peek(p->pool, p->id, vectors, 4);
            FUZZ_DEMAND(n > 0, "WRITE, and nothing to peek");
            for (int i = 0; i < n; i++) {
                size_t part = vectors[i].iov_len < room - sent ? vectors[i].iov_len : room - sent;
                blob_add(&p->out, vectors[i].iov_base, part);
                sent += part;
            }
            room -= room == SIZE_MAX ? 0 : sent;
            FUZZ_DEMAND(wspool_ack(p->pool, p->id, sent, p->now) == 0, "ack");
        }
    }
}

static void event(struct play *p, fuzz_input line)
{
    static uint8_t text[80000];
    uint8_t what = fuzz_byte(&line);
    unsigned number = fuzz_number(&line, 10);
    feed(p);
    switch (what) {
    case 'w':
        if (amounts[number] > 0) {
            (void)wspool_writable(p->pool, p->id, p->now);
        }
        drain(p, amounts[number]);
        break;
    case 'u':
        (void)wspool_writable(p->pool, p->id, p->now);
        break;
    case 't':
        p->now += times[number] * WSPOOL_MILLISECOND;
        p->own = 1;
        FUZZ_DEMAND(wspool_tick(p->pool, p->now) == 0, "tick");
        break;
    case 's':
        number = number < 9 ? (unsigned)amounts[number] : 70000;
        memset(text, 'h', number);
        (void)wspool_send(p->pool, p->id, text, number, NULL);
        break;
    case 'c':
        p->own = 1;
        (void)wspool_close(p->pool, p->id, 4000 + (int)number, number % 3 ? "go" : NULL,
                           number % 2 ? WSPOOL_CLOSE_NOW : 0);
        break;
    case 'g':
        p->own = 1;
        (void)wspool_gone(p->pool, p->id, number % 2 ? WSPOOL_GONE_FAILED : WSPOOL_GONE_EOF,
                          p->now);
        break;
    default:
        break;
    }
    if (p->pieces == 0) { /* one run is enough, and checking takes half of the time */
        FUZZ_DEMAND(wspool_check(p->pool) == 0, "the counters do not balance after !%c", what);
    }
    if (p->out.len > p->reader.total) {
        reader_take(&p->reader, p->out.data + p->reader.total,
                    p->out.len - (size_t)p->reader.total);
    }
    FUZZ_DEMAND(p->reader.fault == NULL, "it was sent %s", p->reader.fault);
}

/* -------------------------------------------------------------------- end */

static int code_of(enum wspool_end why)
{
    return why == WSPOOL_END_PROTOCOL ? 1002 : why == WSPOOL_END_BAD_UTF8 ? 1007 : 1009;
}

/* Compares what the hooks got with what the judge read. */
static void hold(struct play *p)
{
    fuzz_story story = {0};
    size_t count = 0, at = 0, pings = 0, pongs = 0;
    int last = -1, code = 0;
    enum wspool_end why = p->end.why;
    fuzz_tell(&story, p->fed.data, p->fed.len, p->config.message_bytes);
    for (size_t i = 0; i < story.count; i++) {
        const fuzz_said *said = &story.list[i];
        last = said->what;
        code = said->code;
        pings += last == FUZZ_PING;
        pongs += last == FUZZ_PONG;
        if (last == FUZZ_MESSAGE && count < p->message_count) {
            FUZZ_DEMAND(said->len <= p->messages.len - at &&
                            (said->len == 0 || memcmp(story.text.data + said->at,
                                                      p->messages.data + at, said->len) == 0),
                        "message %zu is another", count);
            at += said->len;
        }
        count += last == FUZZ_MESSAGE;
    }
    FUZZ_DEMAND(p->message_count <= count, "%zu messages, but %zu were sent", p->message_count,
                count);
    if (why == WSPOOL_END_PEER_CLOSED) {
        FUZZ_DEMAND(last == FUZZ_CLOSE && p->end.code_received == code,
                    "the client has sent no such Close");
    } else if (why == WSPOOL_END_PROTOCOL || why == WSPOOL_END_BAD_UTF8 ||
               why == WSPOOL_END_TOO_BIG) {
        FUZZ_DEMAND(last == FUZZ_FAULT && code == code_of(why), "%s, but the judge says %d",
                    wspool_end_text(why), last == FUZZ_FAULT ? code : 0);
    } else if (why == WSPOOL_END_EOF && !p->own) {
        FUZZ_DEMAND(last != FUZZ_CLOSE && last != FUZZ_FAULT, "the judge says %d, the pool nothing",
                    code);
    } else {
        FUZZ_DEMAND(p->own || why == WSPOOL_END_ABUSE, "nothing caused this end: %s",
                    wspool_end_text(why));
        fuzz_story_free(&story);
        return;
    }
    FUZZ_DEMAND(p->message_count == count && at == p->messages.len, "%zu messages of %zu",
                p->message_count, count);
    FUZZ_DEMAND(p->stats.pings_received == pings && p->stats.pongs_received == pongs,
                "%zu pings, %zu pongs", pings, pongs);
    fuzz_story_free(&story);
}

static void end(struct play *p)
{
    size_t room = 100000 + 3 * (size_t)p->config.message_bytes + 3 * (size_t)p->config.queue_bytes;
    event(p, (fuzz_input){(const uint8_t *)"w9", 2});
    if (!p->released) {
        (void)wspool_gone(p->pool, p->id, WSPOOL_GONE_EOF, p->now);
        drain(p, SIZE_MAX);
    }
    FUZZ_DEMAND(p->opened && p->closed && p->released, "not told of its end");
    FUZZ_DEMAND(p->end.code_sent == p->reader.close_code, "%d said, %d sent", p->end.code_sent,
                p->reader.close_code);
    p->stats.size = sizeof p->stats;
    FUZZ_DEMAND(wspool_stats(p->pool, &p->stats) == 0 && wspool_check(p->pool) == 0,
                "the counters");
    FUZZ_DEMAND(p->stats.waiting == 0 && p->stats.waiting_bytes == 0 && p->stats.peers == 0,
                "output waits without a peer");
    FUZZ_DEMAND(p->stats.received_bytes <= p->fed.len, "more than was fed");
    FUZZ_DEMAND(p->stats.sent_bytes == p->out.len, "bytes sent");
    FUZZ_DEMAND(wspool_free(p->pool) == 0 && p->heap.blocks == 0, "%zu blocks leaked",
                p->heap.blocks);
    FUZZ_DEMAND(p->heap.peak < room, "%zu bytes of memory", p->heap.peak);
    hold(p);
}

static void forget(struct play *p)
{
    blob_free(&p->fed);
    blob_free(&p->journal);
    blob_free(&p->messages);
    blob_free(&p->out);
    reader_free(&p->reader);
}

static void play(struct play *p, unsigned pieces, const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    fuzz_input line;
    memset(p, 0, sizeof *p);
    p->pieces = pieces;
    begin(p, &in);
    while (!p->released && p->fed.len < WIRE_MAX && fuzz_line(&in, &line)) {
        if (line.len > 0 && line.data[0] == '!') {
            line.data++;
            line.len--;
            event(p, line);
        } else {
            fuzz_frame(&p->fed, line);
        }
    }
    end(p);
}

static void same(const blob *a, const blob *b, const char *what, unsigned pieces)
{
    size_t at = 0;
    while (at < a->len && at < b->len && a->data[at] == b->data[at]) {
        at++;
    }
    FUZZ_DEMAND(at == a->len && at == b->len, "%s differ at %zu, of %zu and %zu bytes (cut %u)",
                what, at, a->len, b->len, pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play whole, other;
    if (size > LONGEST) {
        return 0;
    }
    play(&whole, 0, data, size);
    for (unsigned pieces = 1; pieces < PIECES; pieces++) {
        play(&other, pieces, data, size);
        same(&whole.journal, &other.journal, "what the hooks were told", pieces);
        same(&whole.out, &other.out, "the bytes that went out", pieces);
        FUZZ_DEMAND(memcmp(&whole.stats, &other.stats, sizeof whole.stats) == 0,
                    "the numbers (cut %u)", pieces);
        forget(&other);
    }
    forget(&whole);
    return 0;
}
