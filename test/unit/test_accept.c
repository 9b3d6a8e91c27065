/* SPDX-License-Identifier: MIT */
/*
 * unit/test_accept.c - pool/accept.c through the public interface: the handshake stages.
 *
 * The tests check the counter and the latency of each stage, hooks that close or end the very peer
 * they are asked about, drains, and a whole life with each allocation failing once. Requests,
 * verdicts and identities are in sim/test_handshake, test_pending and test_hosted.
 */
#include "pool.h"

#define TOKEN "Authorization: Bearer t"
#define MS WSPOOL_MILLISECOND

static void begin(struct host *h, enum wspool_verdict_kind kind)
{
    host_init(h);
    h->verdict.kind = kind;
    host_start(h);
}

static int say(struct host *h, wspool_id id, enum wspool_verdict_kind kind, void *identity)
{
    wspool_verdict verdict = {.size = sizeof verdict,
                              .kind = kind,
                              .refusal = WSPOOL_REFUSED_TOKEN_EXPIRED,
                              .identity = identity};
    return wspool_auth_complete(h->pool, id, &verdict);
}

/* One peer passed all stages before this one; none passed this one. */
static void assert_ended_at(const struct host *h, enum wspool_stage stage)
{
    wspool_statistics s = host_stats(h);
    for (size_t i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        if (s.stages[i].passed != (i < stage ? 1 : 0) || s.stages[i].refused != (i == stage)) {
            fail_msg("stage %s: %d passed, %d refused; expected the end at %s",
                     wspool_stage_name((enum wspool_stage)i), (int)s.stages[i].passed,
                     (int)s.stages[i].refused, wspool_stage_name(stage));
        }
    }
}

static void assert_refused(const struct host *h, enum wspool_refusal refusal)
{
    wspool_statistics s = host_stats(h);
    for (size_t i = 0; i < WSPOOL_REFUSAL_COUNT; i++) {
        if (s.refused[i] != (i == (size_t)refusal ? 1 : 0)) {
            fail_msg("%s is counted %d times; expected: %s",
                     wspool_refusal_reason((enum wspool_refusal)i), (int)s.refused[i],
                     wspool_refusal_reason(refusal));
        }
    }
    assert_int_equal(s.accepted, 0);
    assert_int_equal(s.handshakes, 0);
}

TEST(peer_is_served_when_the_host_has_no_hooks)
{
    static struct host h;
    host_init(&h);
    h.config.token = (wspool_token_hook){0};
    h.config.open = (wspool_open_hook){0};
    h.config.channel = (wspool_channel_hook){0};
    host_start(&h);
    wspool_id id = host_come(&h, "/room/a", "");
    host_write(&h, id);
    host_expect(&h, id, "HTTP/1.1 101");
    assert_int_equal(wspool_broadcast(h.pool, wspool_item("a"), "x", 1, NULL, NULL), 1);
    host_write(&h, id);
    host_expect_end(&h, id, "\x81\x01x");
    wspool_free(h.pool);
    assert_int_equal(h.mem.live, 0);
}

/* ------------------------------------------------------------------- stages */

TEST(stages_of_a_raw_peer_are_passed_with_the_time_before_them)
{
    static struct host h;
    char head[1024];
    begin(&h, WSPOOL_PENDING);
    size_t len = host_request(head, sizeof head, "/room/a?x=1", TOKEN);
    wspool_id id = host_open(&h);
    host_feed(&h, id, head, 0); /* feeding no bytes changes nothing */
    h.now += 1 * MS;
    host_feed(&h, id, head, 1);
    h.now += 2 * MS;
    host_feed(&h, id, head + 1, len - 2);
    h.now += 4 * MS;
    host_feed(&h, id, head + len - 1, 1);
    assert_int_equal(h.calls[ON_TOKEN], 1);
    h.now += 8 * MS;
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, NULL), 0);
    assert_int_equal(wspool_tick(h.pool, h.now), 0);
    assert_int_equal(h.calls[ON_OPEN], 1);
    h.now += 16 * MS;
    host_run(&h);
    wspool_statistics s = host_stats(&h);
    for (size_t i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        assert_int_equal(s.stages[i].passed, 1);
        assert_int_equal(s.stages[i].refused, 0);
        uint64_t time = i == WSPOOL_STAGE_BYTES          ? 1 * MS
                        : i == WSPOOL_STAGE_REQUEST_LINE ? 6 * MS
                        : i == WSPOOL_STAGE_TOKEN        ? 8 * MS
                        : i == WSPOOL_STAGE_FLUSHED      ? 16 * MS
                                                         : 0;
        assert_true(s.stages[i].time == time);
    }
    host_expect(&h, id, "HTTP/1.1 101 ");
    assert_string_equal(h.opened, "a||x=1");
    assert_int_equal(s.attempts, 1);
    assert_int_equal(s.accepted, 1);
    assert_int_equal(s.handshakes, 0);
    host_end(&h);
}

TEST(stages_of_a_hosted_peer_are_passed_with_the_time_before_them)
{
    static struct host h;
    wspool_id id;
    wspool_answer answer;
    begin(&h, WSPOOL_PENDING);
    assert_int_equal(host_upgrade(&h, "/room/a?token=t", &id, &answer), WSPOOL_UPGRADE_PENDING);
    h.now += 8 * MS;
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, NULL), 0);
    host_run(&h);
    assert_int_equal(h.answer.status, 101);
    assert_int_equal(h.calls[ON_OPEN], 0);
    h.now += 16 * MS;
    assert_int_equal(wspool_adopt(h.pool, id, NULL, 0, h.now), 0);
    assert_int_equal(h.calls[ON_OPEN], 1);
    host_run(&h);
    wspool_statistics s = host_stats(&h);
    uint64_t sum = 0;
    for (size_t i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        assert_int_equal(s.stages[i].passed, 1);
        assert_int_equal(s.stages[i].refused, 0);
        sum += s.stages[i].time;
    }
    assert_true(s.stages[WSPOOL_STAGE_TOKEN].time == 8 * MS);
    assert_true(s.stages[WSPOOL_STAGE_FLUSHED].time == 16 * MS);
    assert_true(sum == 24 * MS);
    assert_string_equal(h.opened, "a||"); /* without the token */
    host_end(&h);
}

TEST(time_that_a_host_has_read_a_request_counts_for_its_request_line)
{
    static struct host h;
    begin(&h, WSPOOL_ACCEPT);
    h.now += 100 * MS;
    const uint64_t began[] = {h.now - 5 * MS, 0, h.now + 1}; /* unknown, and not yet: no time */
    for (size_t i = 0; i < 3; i++) {
        wspool_answer answer;
        wspool_id id;
        h.began = began[i];
        assert_int_equal(host_upgrade(&h, "/room/a?token=t", &id, &answer),
                         WSPOOL_UPGRADE_ACCEPTED);
        assert_int_equal(wspool_adopt(h.pool, id, NULL, 0, h.now), 0);
    }
    wspool_statistics s = host_stats(&h);
    for (size_t i = 0; i < WSPOOL_STAGE_COUNT; i++) {
        assert_int_equal(s.stages[i].passed, 3);
        assert_true(s.stages[i].time == (i == WSPOOL_STAGE_REQUEST_LINE ? 5 * MS : 0));
    }
    host_end(&h);
}

/* A raw request with one fault. */
struct wrong {
    enum wspool_stage stage;
    enum wspool_refusal refusal;
    const char *target;
    const char *more;
};

static const struct wrong wrongs[] = {
    {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_NO_ROUTE, "/nowhere", TOKEN},
    {WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_MALFORMED, "/none", TOKEN "\r\nHost: b.example"},
    {WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_BODY, "/none", TOKEN "\r\nContent-Length: 5"},
    {WSPOOL_STAGE_KEY, WSPOOL_REFUSED_MALFORMED, "/none", TOKEN "\r\nSec-WebSocket-Protocol: a b"},
    {WSPOOL_STAGE_ORIGIN, WSPOOL_REFUSED_ORIGIN, "/none", TOKEN "\r\nOrigin: null"},
    {WSPOOL_STAGE_TOKEN, WSPOOL_REFUSED_TOKEN_EMPTY, "/none", ""},
    {WSPOOL_STAGE_TOKEN, WSPOOL_REFUSED_TOKEN_MALFORMED, "/none", TOKEN "\r\n" TOKEN},
};

TEST(raw_request_is_answered_and_counted_at_its_stage_when_refused)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const struct wrong *w = &wrongs[i];
        static struct host h;
        char expected[64];
        begin(&h, WSPOOL_ACCEPT);
        wspool_id id = host_come(&h, w->target, w->more);
        host_run(&h);
        snprintf(expected, sizeof expected, "HTTP/1.1 %d ", wspool_refusal_status(w->refusal));
        host_expect(&h, id, expected);
        snprintf(expected, sizeof expected, "{\"error\":\"%s\"}",
                 wspool_refusal_reason(w->refusal));
        host_expect_end(&h, id, expected);
        assert_int_equal(h.released, 1);
        assert_refused(&h, w->refusal);
        assert_ended_at(&h, w->stage);
        host_end(&h);
    }
}

TEST(raw_bytes_are_answered_and_counted_when_they_are_no_request)
{
    static const struct {
        enum wspool_stage stage;
        enum wspool_refusal refusal;
        const char *bytes;
    } cases[] = {
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_MALFORMED, "\x16\x03\x01"},
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_METHOD, "POST /none HTTP/1.1\r\n"},
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_HTTP_VERSION, "GET /none HTTP/1.0\r\n"},
        {WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_HEAD_TOO_LARGE,
         "GET /none HTTP/1.1\r\na:b\r\na:b\r\na:b\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct host h;
        char expected[64];
        host_init(&h);
        h.config.head_count = 2;
        host_start(&h);
        wspool_id id = host_open(&h);
        assert_int_equal(host_feed(&h, id, cases[i].bytes, strlen(cases[i].bytes)), 0);
        host_run(&h);
        snprintf(expected, sizeof expected, "HTTP/1.1 %d ",
                 wspool_refusal_status(cases[i].refusal));
        host_expect(&h, id, expected);
        assert_refused(&h, cases[i].refusal);
        assert_ended_at(&h, cases[i].stage);
        host_end(&h);
    }
}

/* Up to the end of its first line a head is in the stage of the request line. A fault behind
 * that is one of the headers, wherever the pieces are cut. */
TEST(raw_head_ends_in_the_headers_when_its_request_line_was_good)
{
    static char large[300];
    memset(large, 'x', sizeof large - 1);
    memcpy(large, "GET /none HTTP/1.1\r\na: ", 23);
    static char line[300];
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "GET /", 5);
    const struct {
        enum wspool_stage stage;
        enum wspool_refusal refusal;
        const char *bytes;
    } cases[] = {
        {WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_MALFORMED, "GET /none HTTP/1.1\r\nno colon\r\n"},
        {WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_MALFORMED, "GET /none HTTP/1.1\r\n("},
        {WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_HEAD_TOO_LARGE, large},
        {WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_TIMEOUT, "GET /none HTTP/1.1\r\n"},
        {WSPOOL_STAGE_HEADERS, WSPOOL_REFUSED_TIMEOUT, "GET /none HTTP/1.1\r\nHost: a.exam"},
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_MALFORMED, "GET /none\r\n"},
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_MALFORMED, "GET /none HTTP/1.1\n"},
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_METHOD, "POST /none HTTP/1.1\r\n"},
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_HEAD_TOO_LARGE, line},
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_TIMEOUT, "GET /none HTTP/1.1\r"},
        {WSPOOL_STAGE_REQUEST_LINE, WSPOOL_REFUSED_NO_ROUTE,
         "GET /nowhere HTTP/1.1\r\nHost: a.example\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece <= 300; piece += 299) {
            static struct host h;
            host_init(&h);
            h.config.head_bytes = 256;
            host_start(&h);
            wspool_id id = host_open(&h);
            size_t len = strlen(cases[i].bytes);
            for (size_t at = 0; at < len; at += piece) {
                assert_int_equal(
                    host_feed(&h, id, cases[i].bytes + at, at + piece < len ? piece : len - at), 0);
            }
            host_pass(&h, 3 * MS);
            if (cases[i].refusal == WSPOOL_REFUSED_TIMEOUT) {
                host_pass(&h, h.config.handshake_time + 10 * MS);
            }
            assert_refused(&h, cases[i].refusal);
            assert_ended_at(&h, cases[i].stage);
            host_end(&h);
        }
    }
}

TEST(transport_is_counted_at_the_last_stage_when_it_ends_before_the_101_left)
{
    static struct host h;
    struct iovec vectors[4];
    for (int peeked = 0; peeked < 2; peeked++) {
        begin(&h, WSPOOL_ACCEPT);
        wspool_id id = host_come(&h, "/none", TOKEN);
        vectors[0].iov_len = 0;
        if (peeked) {
            assert_int_equal(wspool_peek(h.pool, id, vectors, 4), 1);
        }
        assert_int_equal(wspool_gone(h.pool, id, WSPOOL_GONE_FAILED, h.now), 0);
        assert_ended_at(&h, WSPOOL_STAGE_FLUSHED);
        /* The write that was under way ends only now. */
        assert_int_equal(wspool_ack(h.pool, id, vectors[0].iov_len, h.now), 0);
        assert_ended_at(&h, WSPOOL_STAGE_FLUSHED);
        host_run(&h);
        assert_ended_at(&h, WSPOOL_STAGE_FLUSHED);
        assert_int_equal(host_stats(&h).accepted, 1);
        assert_int_equal(h.calls[ON_CLOSE], 1);
        host_end(&h);
    }
}

TEST(last_stage_is_passed_when_all_of_the_101_has_left)
{
    static struct host h;
    struct iovec vectors[4];
    begin(&h, WSPOOL_ACCEPT);
    wspool_id id = host_come(&h, "/none", TOKEN);
    for (int i = 0; i < 3; i++) { /* ten bytes at a time */
        h.now += MS;
        assert_int_equal(wspool_peek(h.pool, id, vectors, 4), 1);
        assert_int_equal(wspool_ack(h.pool, id, 10000, h.now), WSPOOL_ERR_INVAL);
        assert_int_equal(wspool_ack(h.pool, id, 10, h.now), 0);
        assert_int_equal(wspool_writable(h.pool, id, h.now), 0);
        assert_int_equal(host_stats(&h).stages[WSPOOL_STAGE_FLUSHED].passed, 0);
    }
    host_run(&h);
    assert_int_equal(host_stats(&h).stages[WSPOOL_STAGE_FLUSHED].passed, 1);
    assert_true(host_stats(&h).stages[WSPOOL_STAGE_FLUSHED].time == 3 * MS);
    host_end(&h);
}

/* An asynchronous host may be writing the response while the transport fails. */
TEST(answer_stays_where_it_is_when_the_peer_ends_while_it_is_written)
{
    static struct host h;
    struct iovec vectors[4];
    char copy[1024];
    for (int refused = 0; refused < 2; refused++) {
        begin(&h, WSPOOL_ACCEPT);
        wspool_id id = host_come(&h, refused ? "/nowhere" : "/none", TOKEN);
        assert_int_equal(wspool_peek(h.pool, id, vectors, 4), 1);
        assert_true(vectors[0].iov_len < sizeof copy);
        memcpy(copy, vectors[0].iov_base, vectors[0].iov_len);
        assert_int_equal(wspool_gone(h.pool, id, WSPOOL_GONE_FAILED, h.now), 0);
        host_come(&h, "/room/another", TOKEN); /* needs a buffer of the same kind */
        assert_memory_equal(vectors[0].iov_base, copy, vectors[0].iov_len);
        host_run(&h);
        host_end(&h);
    }
}

/* -------------------------------------------------------------------- slots */

/* The peer was accepted before, so it opens, and is drained with the others. */
TEST(held_peer_is_drained_when_it_is_adopted_during_a_drain)
{
    static struct host h;
    wspool_id id;
    wspool_answer answer;
    begin(&h, WSPOOL_ACCEPT);
    assert_int_equal(host_upgrade(&h, "/none?token=t", &id, &answer), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(wspool_drain(h.pool, 0, 0, h.now), 0);
    h.now += MS;
    assert_int_equal(wspool_adopt(h.pool, id, NULL, 0, h.now), 0);
    assert_int_equal(h.calls[ON_OPEN], 1);
    host_pass(&h, 10 * MS);
    host_expect_end(&h, id,
                    "\x88\x07\x10\x68"
                    "drain"); /* 4200 */
    host_pass(&h, h.config.closing_time + 100 * MS);
    assert_int_equal(h.closed.why, WSPOOL_END_DRAIN);
    assert_int_equal(h.released, 1);
    host_end(&h);
}

/* ------------------------------------------------ hooks that end their own peer */

/* What the hook does to the very peer it is asked about, and how that peer ends. */
static const struct deed {
    const char *what;
    int gone, close, closes_again;
    enum wspool_refusal refusal;
} deeds[] = {
    {"close", 0, 1, 0, WSPOOL_REFUSED_NOT_ALLOWED},
    {"gone", 1, 0, 0, WSPOOL_REFUSED_GONE},
    {"close, gone", 1, 1, 0, WSPOOL_REFUSED_GONE},
    {"gone, close", 1, 0, 1, WSPOOL_REFUSED_GONE}, /* a transport that is gone stays gone */
};
static const struct deed *deed;
static enum on deed_in;
static wspool_id bystander;

static void assert_forbidden(struct host *h, wspool_id id)
{
    wspool_id other;
    wspool_answer answer;
    assert_int_equal(wspool_feed(h->pool, id, "x", 1, h->now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_tick(h->pool, h->now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_adopt(h->pool, id, NULL, 0, h->now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_release(h->pool, id), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_free(h->pool), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_route(h->pool, "/late", WSPOOL_NONE, NULL), WSPOOL_ERR_REENTRANT);
    assert_int_equal(host_upgrade(h, "/open", &other, &answer), WSPOOL_ERR_REENTRANT);
}

static void do_deed(struct host *h, enum on hook, wspool_id id)
{
    struct iovec vectors[4];
    if (hook != deed_in) {
        return;
    }
    if (bystander) { /* another peer of the pool is closed as usual */
        assert_int_equal(wspool_close(h->pool, bystander, 1000, NULL, 0), 0);
        bystander = 0;
    }
    assert_forbidden(h, id);
    assert_int_equal(wspool_send(h->pool, id, "x", 1, NULL), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_subscribe(h->pool, id, wspool_topic("t")), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_channels_of(h->pool, id, NULL, 0), 0);
    if (deed->close) {
        assert_int_equal(wspool_close(h->pool, id, 4000, "no", 0), 0);
    }
    if (deed->gone) {
        assert_int_equal(wspool_gone(h->pool, id, WSPOOL_GONE_FAILED, h->now), 0);
    }
    if (deed->closes_again) {
        assert_int_equal(wspool_close(h->pool, id, 4000, "no", 0), 0);
    }
    /* The peer still exists, with all bytes that were read from it. */
    assert_ptr_equal(wspool_user(h->pool, id), h);
    assert_int_equal(wspool_peek(h->pool, id, vectors, 4), 0);
}

enum accept_mode { RAW_WHOLE, RAW_IN_PARTS, HOSTED, ACCEPT_MODES };

static wspool_id come_by(struct host *h, enum accept_mode way, int *result, wspool_answer *answer)
{
    wspool_id id;
    char head[1024];
    size_t len = host_request(head, sizeof head, "/room/a?token=t", "");
    switch (way) {
    case RAW_WHOLE:
        return host_come(h, "/room/a?token=t", "");
    case RAW_IN_PARTS:
        id = host_open(h);
        host_feed(h, id, head, len / 2);
        host_feed(h, id, head + len / 2, len - len / 2);
        return id;
    default:
        *result = host_upgrade(h, "/room/a?token=t", &id, answer);
        return id;
    }
}

static void assert_not_admitted(struct host *h, enum accept_mode way, wspool_id id, int result,
                                const wspool_answer *answer, int was_pending)
{
    assert_int_equal(h->calls[ON_OPEN], 1); /* that of the other peer */
    assert_int_equal(host_stats(h).refused[deed->refusal], 1);
    assert_int_equal(host_stats(h).handshakes, 0);
    assert_int_equal(wspool_member_count(h->pool, wspool_item("a")), 0);
    if (way == HOSTED) {
        int told = was_pending ? h->calls[ON_VERDICT] == 1 : result == WSPOOL_UPGRADE_REFUSED;
        if (!was_pending) {
            assert_true(told);
            assert_int_equal(answer->refusal, deed->refusal);
        } else if (deed->refusal == WSPOOL_REFUSED_NOT_ALLOWED) {
            assert_true(told);
            assert_int_equal(h->answer.status, 403);
        } else {
            assert_false(told); /* the host itself has reported the end */
        }
        return;
    }
    host_run(h);
    if (deed->refusal == WSPOOL_REFUSED_NOT_ALLOWED) {
        host_expect(h, id, "HTTP/1.1 403 ");
    } else {
        assert_int_equal(h->out_len[wspool_slot(id)], 0);
    }
    assert_int_equal(wspool_gone(h->pool, id, WSPOOL_GONE_EOF, h->now), WSPOOL_ERR_STALE);
}

TEST(deed_takes_effect_behind_the_question_when_it_is_done_in_its_hook)
{
    static const enum on hooks[] = {ON_TOKEN, ON_CAPACITY};
    for (size_t d = 0; d < sizeof deeds / sizeof *deeds; d++) {
        for (int k = 0; k < 2; k++) {
            for (int way = 0; way < ACCEPT_MODES; way++) {
                for (int kind = WSPOOL_REFUSE; kind <= WSPOOL_PENDING; kind++) {
                    static struct host h;
                    wspool_answer answer;
                    int result = 0;
                    if (hooks[k] == ON_CAPACITY && kind != WSPOOL_ACCEPT) {
                        continue; /* the hook would not be called */
                    }
                    begin(&h, (enum wspool_verdict_kind)kind);
                    bystander = host_come(&h, "/open", "");
                    host_run(&h);
                    deed = &deeds[d];
                    deed_in = hooks[k];
                    h.calls[ON_CAPACITY] = 0;
                    h.inside = do_deed;
                    wspool_id id = come_by(&h, (enum accept_mode)way, &result, &answer);
                    assert_int_equal(h.calls[hooks[k]], 1);
                    assert_true(way != HOSTED || id == 0);
                    h.inside = NULL;
                    assert_not_admitted(&h, (enum accept_mode)way, id, result, &answer, 0);
                    if (kind == WSPOOL_PENDING) { /* the verdict comes all the same */
                        assert_int_equal(
                            say(&h, way == HOSTED ? h.asked : id, WSPOOL_ACCEPT, host_identity(&h)),
                            0);
                    }
                    host_run(&h);
                    host_come(&h, "/open", ""); /* no other peer is affected */
                    assert_int_equal(h.calls[ON_OPEN], 2);
                    host_end(&h);
                }
            }
        }
    }
}

TEST(deed_takes_effect_behind_a_late_verdict_too)
{
    for (size_t d = 0; d < sizeof deeds / sizeof *deeds; d++) {
        for (int way = 0; way < ACCEPT_MODES; way++) {
            static struct host h;
            wspool_answer answer;
            int result = 0;
            begin(&h, WSPOOL_PENDING);
            bystander = host_come(&h, "/open", "");
            host_run(&h);
            wspool_id id = come_by(&h, (enum accept_mode)way, &result, &answer);
            if (way != HOSTED) {
                host_feed(&h, id, "early", 5);
            }
            deed = &deeds[d];
            deed_in = ON_CAPACITY;
            h.inside = do_deed;
            assert_int_equal(say(&h, id, WSPOOL_ACCEPT, host_identity(&h)), 0);
            assert_int_equal(wspool_tick(h.pool, h.now), 0);
            h.inside = NULL;
            assert_not_admitted(&h, (enum accept_mode)way, id, result, &answer, 1);
            host_run(&h);
            assert_int_equal(h.identities[0].freed, 1);
            host_end(&h);
        }
    }
}

/* The hooks behind the verdict, when the peer is open or has ended. */
static void end_it(struct host *h, enum on hook, wspool_id id)
{
    (void)id;
    if (hook == deed_in && h->calls[hook] == 1) {
        wspool_id first = 0;
        (void)wspool_peers(h->pool, &first, 1);
        assert_int_equal(wspool_gone(h->pool, first, WSPOOL_GONE_FAILED, h->now), 0);
    }
}

TEST(peer_may_end_in_any_hook_of_its_opening)
{
    static const enum on hooks[] = {ON_CHANNEL, ON_LOG, ON_OPEN};
    for (size_t k = 0; k < 3; k++) {
        for (int way = 0; way < ACCEPT_MODES; way++) {
            static struct host h;
            wspool_answer answer;
            int result = 0;
            begin(&h, WSPOOL_ACCEPT);
            deed_in = hooks[k];
            h.inside = end_it;
            wspool_id id = come_by(&h, (enum accept_mode)way, &result, &answer);
            if (way == HOSTED) {
                assert_int_equal(result, WSPOOL_UPGRADE_ACCEPTED);
                assert_int_equal(wspool_adopt(h.pool, id, "\x81\x80\0\0\0\0", 6, h.now), 0);
            }
            assert_int_equal(h.calls[ON_OPEN], 1); /* exactly one of each, in this order */
            assert_int_equal(h.calls[ON_CLOSE], 1);
            assert_int_equal(h.closed.why, WSPOOL_END_FAILED);
            assert_int_equal(h.calls[ON_MESSAGE], 0);
            host_run(&h);
            assert_int_equal(h.released, 1);
            assert_int_equal(host_stats(&h).channels, 0);
            host_end(&h);
        }
    }
}

/* ------------------------------------------------------------------- the query */

/* The part of a request that is kept goes into a buffer that may have served a shorter one. */
TEST(query_is_kept_whole_when_the_handshake_before_it_was_short)
{
    static struct host h;
    static char target[8000], head[9000];
    enum { LONG = 6000 };
    for (int hosted = 0; hosted < 2; hosted++) {
        wspool_answer answer;
        begin(&h, WSPOOL_PENDING);
        /* its head came in two pieces, so its buffer goes to the free list */
        wspool_id id = host_open(&h);
        size_t len = host_request(head, sizeof head, "/none?x", TOKEN);
        host_feed(&h, id, head, 40);
        host_feed(&h, id, head + 40, len - 40);
        assert_int_equal(say(&h, id, WSPOOL_REFUSE, NULL), 0);
        host_run(&h);
        int before = snprintf(target, sizeof target, "/none?token=t&");
        memset(target + before, 'q', LONG);
        target[before + LONG] = '\0';
        if (hosted) {
            assert_int_equal(host_upgrade(&h, target, &id, &answer), WSPOOL_UPGRADE_PENDING);
        } else {
            id = host_open(&h);
            host_feed(&h, id, head, host_request(head, sizeof head, target, ""));
        }
        assert_int_equal(say(&h, id, WSPOOL_ACCEPT, NULL), 0);
        host_run(&h);
        if (hosted) {
            assert_int_equal(wspool_adopt(h.pool, id, NULL, 0, h.now), 0);
        }
        host_run(&h);
        assert_int_equal(h.calls[ON_OPEN], 1);
        assert_int_equal(strlen(h.opened), 2 + LONG);
        host_end(&h);
    }
}

/* ------------------------------------------------------------------- identities */

/* The hook that frees may look at the pool: the peer is no longer in it. */
static void look(struct host *h, enum on hook, wspool_id id)
{
    (void)id;
    if (hook == ON_IDENTITY_FREE) {
        assert_null(wspool_identity(h->pool, h->asked));
        assert_int_equal(wspool_close(h->pool, h->asked, 1000, NULL, 0), WSPOOL_ERR_STALE);
        assert_int_equal(wspool_tick(h->pool, h->now), WSPOOL_ERR_REENTRANT);
    }
}

TEST(identity_is_freed_behind_the_peer_that_had_it)
{
    static struct host h;
    begin(&h, WSPOOL_ACCEPT);
    h.inside = look;
    wspool_id id = host_come(&h, "/none", TOKEN);
    host_run(&h);
    assert_int_equal(wspool_gone(h.pool, id, WSPOOL_GONE_EOF, h.now), 0);
    host_run(&h);
    assert_int_equal(h.calls[ON_IDENTITY_FREE], 1);
    host_end(&h);
}

/* ------------------------------------------------------------------- no memory */

TEST(head_that_finds_no_memory_for_its_rest_is_refused)
{
    static struct host h;
    static char more[700];
    char bytes[1024];
    memset(more, 'a', sizeof more - 1);
    memcpy(more, "A: ", 3);
    begin(&h, WSPOOL_ACCEPT);
    wspool_id id = host_open(&h);
    size_t len = host_request(bytes, sizeof bytes, "/none?token=t", more);
    host_feed(&h, id, bytes, 100);
    h.mem.fail_at = 1;
    host_feed(&h, id, bytes + 100, len - 100);
    h.mem.fail_at = 0;
    host_run(&h);
    host_expect(&h, id, "HTTP/1.1 503 ");
    assert_int_equal(h.calls[ON_OPEN], 0);
    host_end(&h);
}

/* One peer's life with every step of the handshake, and each allocation failing once. A peer
 * that can't be accepted is refused, or the call returns an error, and nothing leaks. */
static void one_life(struct host *h, enum accept_mode way, int late)
{
    char bytes[1024];
    wspool_id id = 0;
    wspool_answer answer;
    if (way == HOSTED) {
        int result = host_upgrade(h, "/room/a?token=t", &id, &answer);
        assert_true(result >= 0 || result == WSPOOL_ERR_NOMEM);
        assert_true(result != WSPOOL_UPGRADE_REFUSED || answer.status == 503);
    } else {
        int error = wspool_open(
            h->pool, &(wspool_open_options){.size = sizeof(wspool_open_options), .user = h}, h->now,
            &id);
        assert_true(error == 0 || (error == WSPOOL_ERR_NOMEM && id == 0));
        h->out_len[wspool_slot(id)] = 0;
        if (!error) {
            char more[400] = "A: "; /* more than the first size of a buffer */
            memset(more + 3, 'a', sizeof more - 4);
            size_t len = host_request(bytes, sizeof bytes, "/room/a?token=t", more);
            len += host_frame(bytes + len, "early");
            size_t step = way == RAW_WHOLE ? len : 40;
            for (size_t at = 0; at < len; at += step) {
                assert_int_equal(host_feed(h, id, bytes + at, len - at < step ? len - at : step),
                                 0);
            }
        }
    }
    if (late && id) {
        size_t n = h->identity_count;
        if (say(h, id, WSPOOL_ACCEPT, host_identity(h)) != 0) {
            h->identity_count = n; /* the identity is still the host's */
        }
    }
    host_run(h);
    if (way == HOSTED && id) {
        int adopted = wspool_adopt(h->pool, id, bytes, host_frame(bytes, "early"), h->now);
        assert_true(adopted == 0 || adopted == WSPOOL_ERR_STALE || adopted == WSPOOL_ERR_STATE);
    }
    host_run(h);
    /* An open peer is a member of its channel, and its message was received. */
    if (id && wspool_send(h->pool, id, "x", 1, NULL) == 0) {
        assert_int_equal(wspool_member_count(h->pool, wspool_item("a")), 1);
        assert_int_equal(h->calls[ON_MESSAGE], 1);
    }
    if (id) {
        (void)wspool_gone(h->pool, id, WSPOOL_GONE_EOF, h->now);
    }
    host_run(h);
    assert_int_equal(host_stats(h).handshakes, 0);
    assert_int_equal(host_stats(h).peers, 0);
}

TEST(nothing_is_lost_when_any_allocation_fails)
{
    for (int late = 0; late < 2; late++) {
        for (int way = 0; way < ACCEPT_MODES; way++) {
            size_t n = 1, failed = 1;
            for (; failed; n++) {
                static struct host h;
                begin(&h, late ? WSPOOL_PENDING : WSPOOL_ACCEPT);
                h.mem.fail_at = n;
                one_life(&h, (enum accept_mode)way, late);
                failed = h.mem.failures;
                if (!failed) {
                    assert_int_equal(h.calls[ON_MESSAGE], 1);
                }
                host_end(&h);
            }
            assert_true(n > 6);
        }
    }
}
