/* SPDX-License-Identifier: MIT */
/*
 * unit/pool.h - a pool as its host sees it, for the tests of the modules in lib/pool/.
 *
 * Why these tests do not use sim/sim.h: a sim feeds, writes and checks in whole turns, and reads
 * like a strict client. Here a test looks at the pool between two calls of one turn, peeks and acks
 * by hand, fails the n-th allocation, and breaks the pool's state on purpose, which a sim would
 * report. So this host makes one call at a time, and checks the pool only in host_run and host_end.
 *
 *     struct host h;
 *     host_init(&h);                        // then change h.config
 *     host_start(&h);                       // routes: /none, /room/{x} (ITEM), /open (no token)
 *     wspool_id id = host_come(&h, "/none", "Origin: null");
 *     host_run(&h);                         // a turn of the loop: h.out[] is what was sent
 *     assert_int_equal(h.calls[ON_OPEN], 1);
 *     host_end(&h);                         // frees the pool, and looks that nothing is left
 *
 * Every hook call is counted; then the hook calls h.inside, when that is set. host_end checks that
 * each granted identity was freed exactly once.
 */
#ifndef WSP_TEST_UNIT_POOL_H
#define WSP_TEST_UNIT_POOL_H

#include <stdio.h>

#include <wspool/wspool.h>

#include "support.h"
#include "pool/check.h"
#include "pool/peers.h"
#include "pool/reap.h"

enum on {
    ON_TOKEN,
    ON_CAPACITY,
    ON_VERDICT,
    ON_OPEN,
    ON_MESSAGE,
    ON_CLOSE,
    ON_CHANNEL,
    ON_IDENTITY_FREE,
    ON_WAKE,
    ON_LOG,
    HOOKS
};

#define HOST_PEERS 64 /* slots that a test may use */
#define HOST_IDENTITIES 64
#define HOST_RECORDS 256

struct identity {
    int given;
    int freed;
};

struct host {
    struct test_mem mem;
    wspool_config config;
    wspool *pool;
    uint64_t now;
    /* what the hooks return and do */
    wspool_verdict verdict;
    int grant; /* with a verdict that accepts: grant a new identity */
    int full;
    uint64_t began; /* of hosted requests */
    void (*inside)(struct host *h, enum on hook, wspool_id id);
    /* what the hooks were given */
    unsigned calls[HOOKS];
    wspool_id asked; /* the last peer that the token hook was asked about */
    wspool_answer answer;
    wspool_id answered;
    char opened[8192]; /* "channel|subprotocol|query" */
    char message[256];
    wspool_closed closed;
    wspool_log_record records[HOST_RECORDS];
    /* what happened to the peers */
    char out[HOST_PEERS][4096]; /* by slot: the bytes sent to the peer in that slot */
    size_t out_len[HOST_PEERS];
    unsigned released;
    struct identity identities[HOST_IDENTITIES];
    size_t identity_count;
};

/* ------------------------------------------------------------------- hooks */

static inline void host_inside(struct host *h, enum on hook, wspool_id id)
{
    h->calls[hook]++;
    if (h->inside) {
        h->inside(h, hook, id);
    }
}

static inline struct identity *host_identity(struct host *h)
{
    assert_true(h->identity_count < HOST_IDENTITIES);
    struct identity *identity = &h->identities[h->identity_count++];
    identity->given = 1;
    return identity;
}

static inline void host_on_token(wspool *pool, wspool_id id, const wspool_request *request,
                                 wspool_verdict *out, void *user)
{
    struct host *h = user;
    assert_ptr_equal(pool, h->pool);
    assert_true(request->token.len > 0);
    h->asked = id;
    host_inside(h, ON_TOKEN, id);
    out->kind = h->verdict.kind;
    out->refusal = h->verdict.refusal;
    out->identity = h->grant && h->verdict.kind == WSPOOL_ACCEPT ? host_identity(h) : NULL;
}

static inline int host_on_capacity(wspool *pool, wspool_id id, const wspool_request *request,
                                   void *user)
{
    (void)pool, (void)request;
    host_inside(user, ON_CAPACITY, id);
    return ((struct host *)user)->full;
}

static inline void host_on_verdict(wspool *pool, wspool_id id, const wspool_answer *answer,
                                   void *user)
{
    struct host *h = user;
    (void)pool;
    h->answer = *answer;
    h->answered = id;
    host_inside(h, ON_VERDICT, id);
}

/* Uses memcpy, so that the sanitizer sees each byte that is read. */
static inline void host_append(struct host *h, size_t *len, wspool_text text, char end)
{
    assert_true(*len + text.len + 1 < sizeof h->opened);
    if (text.len > 0) {
        memcpy(h->opened + *len, text.data, text.len);
    }
    *len += text.len;
    h->opened[(*len)++] = end;
}

static inline void host_on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    struct host *h = user;
    (void)pool;
    size_t len = 0;
    host_append(h, &len, opened->channel, '|');
    host_append(h, &len, opened->subprotocol, '|');
    host_append(h, &len, opened->query, '\0');
    host_inside(h, ON_OPEN, id);
}

static inline void host_on_message(wspool *pool, wspool_id id, const wspool_message *message,
                                   void *user)
{
    struct host *h = user;
    (void)pool;
    assert_true(message->len < sizeof h->message);
    memcpy(h->message, message->data, message->len);
    h->message[message->len] = '\0';
    host_inside(h, ON_MESSAGE, id);
}

static inline void host_on_close(wspool *pool, wspool_id id, const wspool_closed *closed,
                                 void *user)
{
    struct host *h = user;
    (void)pool;
    h->closed = *closed;
    host_inside(h, ON_CLOSE, id);
}

static inline void host_on_channel(wspool *pool, wspool_channel channel, int active, void *user)
{
    (void)pool, (void)channel, (void)active;
    host_inside(user, ON_CHANNEL, 0);
}

static inline void host_on_identity_free(void *identity, void *user)
{
    struct identity *known = identity;
    assert_non_null(known);
    assert_int_equal(known->given, 1);
    assert_int_equal(known->freed++, 0);
    host_inside(user, ON_IDENTITY_FREE, 0);
}

static inline void host_on_wake(void *user)
{
    host_inside(user, ON_WAKE, 0);
}

static inline void host_on_log(wspool *pool, const wspool_log_record *record, void *user)
{
    struct host *h = user;
    assert_ptr_equal(pool, h->pool);
    h->records[h->calls[ON_LOG] % HOST_RECORDS] = *record;
    host_inside(h, ON_LOG, record->id);
}

/* -------------------------------------------------------------------- life */

static inline int host_entropy(void *bytes, size_t len, void *user)
{
    (void)user;
    memset(bytes, 0x5a, len);
    return 0;
}

static inline void host_init(struct host *h)
{
    memset(h, 0, sizeof *h);
    h->now = 100 * WSPOOL_SECOND;
    h->verdict.kind = WSPOOL_ACCEPT;
    h->grant = 1;
    wspool_config *c = &h->config;
    wspool_config_init(c);
    c->mem = test_mem_hooks(&h->mem);
    c->entropy.call = host_entropy;
    c->token = (wspool_token_hook){host_on_token, h};
    c->capacity = (wspool_capacity_hook){host_on_capacity, h};
    c->verdict = (wspool_verdict_hook){host_on_verdict, h};
    c->open = (wspool_open_hook){host_on_open, h};
    c->message = (wspool_message_hook){host_on_message, h};
    c->close = (wspool_close_hook){host_on_close, h};
    c->channel = (wspool_channel_hook){host_on_channel, h};
    c->identity_free = (wspool_identity_free_hook){host_on_identity_free, h};
    c->wake = (wspool_wake_hook){host_on_wake, h};
    c->log = (wspool_log_hook){host_on_log, h};
}

static inline void host_start(struct host *h)
{
    wspool_route_options options;
    wspool_route_options_init(&options, &h->config);
    assert_int_equal(wspool_new(&h->pool, &h->config, h->now), 0);
    assert_int_equal(wspool_route(h->pool, "/none", WSPOOL_NONE, NULL), 0);
    assert_int_equal(wspool_route(h->pool, "/room/{x}", WSPOOL_ITEM, NULL), 0);
    options.flags = WSPOOL_ROUTE_NO_TOKEN;
    assert_int_equal(wspool_route(h->pool, "/open", WSPOOL_NONE, &options), 0);
}

static inline wspool_statistics host_stats(const struct host *h)
{
    wspool_statistics stats = {.size = sizeof stats};
    assert_int_equal(wspool_stats(h->pool, &stats), 0);
    return stats;
}

/* Checks that the counters balance and that each refusal is counted in exactly one stage. */
static inline void host_check(const struct host *h)
{
    wspool_statistics s = host_stats(h);
    uint64_t by_reason = 0, by_stage = 0;
    assert_int_equal(wspool_check(h->pool), 0);
    for (size_t i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        by_reason += s.refused[i];
    }
    for (size_t i = 0; i < WSPOOL_STAGE_FLUSHED; i++) {
        by_stage += s.stages[i].refused;
    }
    assert_true(by_reason == by_stage);
    assert_true(h->calls[ON_OPEN] == s.accepted);
}

static inline void host_end(struct host *h)
{
    host_check(h);
    assert_int_equal(wspool_free(h->pool), 0);
    assert_int_equal(h->calls[ON_OPEN], h->calls[ON_CLOSE]);
    for (size_t i = 0; i < h->identity_count; i++) {
        assert_int_equal(h->identities[i].freed, 1);
    }
    assert_int_equal(h->mem.live, 0);
}

/* ------------------------------------------------------------------- bytes */

#define HOST_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

/* Writes a request as a raw peer sends it. `more` holds further header lines, the last of them
 * without its line end. */
static inline size_t host_request(char *room, size_t size, const char *target, const char *more)
{
    int len =
        snprintf(room, size,
                 "GET %s HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" HOST_KEY "\r\n%s%s\r\n",
                 target, more, *more ? "\r\n" : "");
    assert_true(len > 0 && (size_t)len < size);
    return (size_t)len;
}

/* Writes a masked text frame whose masking key is all zero. */
static inline size_t host_frame(char *room, const char *text)
{
    size_t len = strlen(text);
    assert_true(len < 126);
    memcpy(room, "\x81\x80\0\0\0", 6);
    room[1] = (char)(0x80 | len);
    memcpy(room + 6, text, len);
    return 6 + len;
}

static inline wspool_id host_open(struct host *h)
{
    wspool_id id = 0;
    wspool_open_options options = {.size = sizeof options, .user = h};
    assert_int_equal(wspool_open(h->pool, &options, h->now, &id), 0);
    assert_true(wspool_slot(id) < HOST_PEERS);
    h->out_len[wspool_slot(id)] = 0;
    h->out[wspool_slot(id)][0] = '\0';
    return id;
}

static inline int host_feed(struct host *h, wspool_id id, const void *bytes, size_t len)
{
    char *copy = malloc(len + 1); /* the host owns it and frees it after the call */
    memcpy(copy, bytes, len);
    int answer = wspool_feed(h->pool, id, copy, len, h->now);
    memset(copy, 0xee, len + 1);
    free(copy);
    return answer;
}

/* Opens a transport and feeds its whole request. */
static inline wspool_id host_come(struct host *h, const char *target, const char *more)
{
    char head[2048];
    wspool_id id = host_open(h);
    assert_int_equal(host_feed(h, id, head, host_request(head, sizeof head, target, more)), 0);
    return id;
}

/* Sends all pending output of one peer. */
static inline void host_write(struct host *h, wspool_id id)
{
    struct iovec vectors[16];
    char *out = h->out[wspool_slot(id)];
    size_t *len = &h->out_len[wspool_slot(id)], total = 0;
    int n = wspool_peek(h->pool, id, vectors, 16);
    for (int i = 0; i < n; i++) {
        assert_true(*len + vectors[i].iov_len < sizeof h->out[0]);
        memcpy(out + *len, vectors[i].iov_base, vectors[i].iov_len);
        *len += vectors[i].iov_len;
        total += vectors[i].iov_len;
    }
    out[*len] = '\0';
    assert_int_equal(wspool_ack(h->pool, id, total, h->now), 0);
}

/* Runs turns of the loop until no peer has anything to send. */
static inline void host_run(struct host *h)
{
    wspool_id id;
    unsigned wants;
    assert_int_equal(wspool_tick(h->pool, h->now), 0);
    while (wspool_next(h->pool, &id, &wants) == 1) {
        if (wants & WSPOOL_CLOSE) {
            assert_int_equal(wspool_release(h->pool, id), 0);
            h->released++;
        } else if (wants & WSPOOL_WRITE) {
            host_write(h, id);
        }
    }
    host_check(h);
}

static inline void host_pass(struct host *h, uint64_t time)
{
    h->now += time;
    host_run(h);
    h->now += WSPOOL_SECOND + 2 * WSPOOL_MILLISECOND; /* a last chance is shorter than that */
    host_run(h);
}

/* Checks that the bytes sent to the peer in that slot begin with `begins`. */
static inline void host_expect(const struct host *h, wspool_id id, const char *begins)
{
    const char *out = h->out[wspool_slot(id)];
    if (strncmp(out, begins, strlen(begins)) != 0) {
        fail_msg("sent: %.40s, not %s", out, begins);
    }
}

/* Checks that the bytes sent to the peer in that slot end with `ends`. */
static inline void host_expect_end(const struct host *h, wspool_id id, const char *ends)
{
    const char *out = h->out[wspool_slot(id)];
    size_t len = strlen(ends), all = h->out_len[wspool_slot(id)];
    if (all < len || memcmp(out + all - len, ends, len) != 0) {
        fail_msg("sent: %s, which does not end in %s", out, ends);
    }
}

/* ------------------------------------------------------------------ hosted */

/* Makes the same request in the parsed form in which a host with its own HTTP server hands it
 * in. */
static inline int host_upgrade(struct host *h, const char *target, wspool_id *id,
                               wspool_answer *answer)
{
#define HOST_TEXT(string) \
    { \
        string, sizeof(string) - 1 \
    }
    static const wspool_header headers[] = {
        {HOST_TEXT("Host"), HOST_TEXT("a.example")},
        {HOST_TEXT("Upgrade"), HOST_TEXT("websocket")},
        {HOST_TEXT("Connection"), HOST_TEXT("Upgrade")},
        {HOST_TEXT("Sec-WebSocket-Version"), HOST_TEXT("13")},
        {HOST_TEXT("Sec-WebSocket-Key"), HOST_TEXT("dGhlIHNhbXBsZSBub25jZQ==")},
    };
    char *copy = malloc(strlen(target) + 1); /* valid for the call only */
    memcpy(copy, target, strlen(target) + 1);
    wspool_request request = {.size = sizeof request,
                              .method = HOST_TEXT("GET"),
                              .target = {copy, strlen(target)},
                              .http_major = 1,
                              .http_minor = 1,
                              .headers = headers,
                              .header_count = 5,
                              .began = h->began,
                              .user = h};
#undef HOST_TEXT
    int result = wspool_upgrade(h->pool, &request, h->now, id, answer);
    memset(copy, 0xee, strlen(target));
    free(copy);
    return result;
}

#endif
