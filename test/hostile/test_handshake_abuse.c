/* SPDX-License-Identifier: MIT */
/*
 * hostile/test_handshake_abuse.c - invalid and double requests: half-open handshakes by the
 * thousand, headers without end, and request smuggling, where two readers of one stream disagree
 * about the end of a request.
 *
 * Each test bounds the memory of all peers together, and checks that there is exactly one response
 * and that all memory is freed. Advisories are named at their tests.
 */
#include "hostile.h"
#include "../sim/accept.h"

#define PEERS (sim_slow() ? 100 : 1000)

/* --------------------------------------------------------------- half open */

/* A thousand half-open handshakes, each as far as it can go. An open peer is served meanwhile. */
TEST(half_open_handshakes_by_the_thousand_hold_their_heads_and_no_more)
{
    static const size_t lens[] = {0, 1, 3000, 16383};
    for (size_t k = 0; k < sizeof lens / sizeof *lens; k++) {
        sim *s = hostile_sim(k + 1, (uint32_t)PEERS);
        static char line[16384];
        size_t each = lens[k] == 0 ? 0 : lens[k] < 4096 ? 4096 + 512 : 16384 + 512;
        hostile_bound bound;
        sim_peer *in, *late;
        memset(line, 'h', sizeof line);
        memcpy(line, "GET /all HTTP/1.1\r\nX: ", 22);
        sim_start(s);
        in = sim_join(s, "/all");
        bound = hostile_begin(s);
        for (int i = 0; i < PEERS; i++)
            assert_non_null(sim_open(s, NULL));
        for (size_t at = 0; at < lens[k]; at += 4000) {
            for (int i = 1; i <= PEERS; i++)
                sim_write(s->peers[i], line + at, lens[k] - at < 4000 ? lens[k] - at : 4000);
            sim_pump(s);
            hostile_expect(s, bound, (size_t)PEERS * (HOSTILE_RECORD + each) + HOSTILE_TABLES);
        }
        assert_int_equal(sim_stats(s).handshakes, PEERS);
        assert_int_equal(sim_broadcast(s, wspool_global("all"), "served"), 1);
        sim_pump(s);
        sim_expect_message(in, 0, "served");
        sim_pass(s, 11 * SEC);
        assert_int_equal(sim_stats(s).handshakes, 0);
        assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_TIMEOUT], PEERS);
        hostile_expect(s, bound,
                       (size_t)PEERS * HOSTILE_RECORD + HOSTILE_TABLES + 64 * (1904 + 160));
        late = sim_join(s, "/all");
        sim_expect_open(late);
        sim_expect_open(in);
        sim_free(s);
    }
}

/* nats CVE-2026-33219, CVE-2026-27571: before the token's verdict a peer can't hold more than
 * that. */
TEST(verdicts_awaited_by_the_thousand_hold_their_heads_and_no_more)
{
    sim *s = hostile_sim(1, (uint32_t)PEERS);
    static char early[16384];
    hostile_bound bound;
    s->ask_token = 1;
    s->verdict.kind = WSPOOL_PENDING;
    sim_start(s);
    bound = hostile_begin(s);
    for (int i = 0; i < PEERS; i++) {
        sim_peer *p = sim_connect(s, &with_token);
        sim_write(p, early, sizeof early);
    }
    sim_pump(s);
    hostile_expect(s, bound, (size_t)PEERS * (HOSTILE_RECORD + 16384 + 576) + HOSTILE_TABLES);
    assert_int_equal(s->counts[SIM_TOKEN], PEERS);
    for (int i = 0; i < PEERS; i++) {
        SIM_DO(wspool_feed(s->pool, s->peers[i]->id, "x", 1, s->now));
        s->fed++;
    }
    sim_pump(s);
    assert_int_equal(REFUSED(s, EARLY_DATA), PEERS);
    hostile_expect(s, bound, (size_t)PEERS * HOSTILE_RECORD + HOSTILE_TABLES + 64 * (1904 + 160));
    sim_free(s);
}

/* A thousand refused peers, none of which reads its response. */
TEST(refusals_that_nobody_takes_hold_an_answer_each_for_closing_time)
{
    sim *s = hostile_sim(1, (uint32_t)PEERS);
    hostile_bound bound;
    sim_start(s);
    bound = hostile_begin(s);
    for (int i = 0; i < PEERS; i++)
        sim_stall(sim_connect(s, &(client_request){.method = "POST"}));
    sim_pump(s);
    hostile_expect(s, bound, (size_t)PEERS * (HOSTILE_RECORD + 1904 + 160) + HOSTILE_TABLES);
    assert_int_equal(REFUSED(s, METHOD), PEERS);
    sim_pass(s, 6 * SEC);
    hostile_expect(s, bound, (size_t)PEERS * HOSTILE_RECORD + HOSTILE_TABLES + 64 * (1904 + 160));
    sim_free(s);
}

/* ----------------------------------------------------------------- headers */

/* ws CVE-2024-37890: very many small headers: all of one name, or empty, or only commas. */
TEST(headers_without_end_are_431_within_head_bytes)
{
    static const char *const lines[] = {"a:\r\n",
                                        "Upgrade: websocket\r\n",
                                        "X: ,,,,,,,,,,,,,,,\r\n",
                                        "Sec-WebSocket-Protocol: a,a,a,a\r\n",
                                        "Sec-WebSocket-Extensions: x; y\r\n",
                                        "Connection: ,\r\n"};
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
        for (int chop = 0; chop < 3; chop++) {
            sim *s = hostile_sim(k + 1, 100);
            hostile_bound bound;
            sim_peer *p;
            sim_start(s);
            /* fills the free lists */
            sim_refused(s, &(client_request){.method = "POST"}, 405, NULL);
            s->chop = (enum sim_chop)chop;
            bound = hostile_begin(s);
            p = sim_open(s, NULL);
            sim_write(p, "GET /echo HTTP/1.1\r\n", 20);
            for (int i = 0; i < 20000; i++)
                sim_write(p, lines[k], strlen(lines[k]));
            while (sim_turn(s))
                hostile_expect(s, bound, 16384 + 1024 + 2112);
            sim_expect_refusal(p, 431, "head_too_large");
            assert_true(s->heap.peak_bytes < bound.before + 24576);
            sim_free(s);
        }
    }
}

/* --------------------------------------------------------------- smuggling */

#define LINE "GET /echo HTTP/1.1\r\n"
#define GOOD \
    "Host: pool.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " CLIENT_KEY "\r\n"
#define NEXT "GET /all HTTP/1.1\r\n" GOOD "\r\n"

typedef struct shape {
    const char *bytes;
    size_t len;
    int status;
} shape;
#define SHAPE(text, status) \
    { \
        text, sizeof(text) - 1, status \
    }

/* For the library each is one request, which is refused, whatever another reader in between
 * would make of it. */
static const shape shapes[] = {
    /* Two lengths, or a length and chunks; any body at all. */
    SHAPE(LINE GOOD "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello" NEXT, 400),
    SHAPE(LINE GOOD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Content-Length: 0, 5\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Content-Length: +0\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Content-Length: 0x0\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Content-Length: -1\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Content-Length: 5\r\n\r\nhello" NEXT, 400),
    SHAPE(LINE GOOD "content-length: 99999999999999999999999\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Transfer-Encoding: xchunked\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Transfer-Encoding: identity\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "TRANSFER-ENCODING:\tchunked\r\n\r\n0\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Transfer-Encoding\0: chunked\r\n\r\n0\r\n\r\n" NEXT, 400),
    /* Lines that are continued, or do not end as they should. */
    SHAPE(LINE GOOD "X: a\r\n b\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "X: a\r\n\tContent-Length: 5\r\n\r\n" NEXT, 400),
    SHAPE("GET /echo HTTP/1.1\r\n Host: other\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo HTTP/1.1\n" GOOD "\r\n" NEXT, 400),
    SHAPE(LINE GOOD "X: a\nContent-Length: 5\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "X: a\rContent-Length: 5\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "\n" NEXT, 400),
    SHAPE(LINE GOOD "X: a\r\r\n\r\n" NEXT, 400),
    SHAPE(LINE "Host: pool.example\nUpgrade: websocket\n\n" NEXT, 400),
    /* NUL and other control bytes in any place. */
    SHAPE("GET /ec\0ho HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("G\0T /echo HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE(LINE GOOD "X: a\0b\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "X\0: a\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "X: a\x7f\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "X\x80: a\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "\0\r\n\r\n" NEXT, 400),
    /* The request line. */
    SHAPE("GET  /echo HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo  HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET\t/echo\tHTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo HTTP/1.1 \r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo HTTP/1.1 HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo http/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo HTTP/1.10\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo HTTP/1.1\v\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET /echo#x HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET ../echo HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" NEXT, 405),
    /* Two of a header that must be single. */
    SHAPE(LINE GOOD "Host: other.example\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Host: pool.example\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Sec-WebSocket-Key: " CLIENT_KEY "\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Sec-WebSocket-Version: 13\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Sec-WebSocket-Version: 8\r\n\r\n" NEXT, 400),
    SHAPE(LINE GOOD "Origin: http://pool.example\r\nOrigin: http://evil.example\r\n\r\n" NEXT, 400),
    /* Another host in the target: it replaces Host, which must be there all the same. */
    SHAPE("GET http://other.example/echo HTTP/1.1\r\n" GOOD
          "Origin: http://pool.example\r\n\r\n" NEXT,
          403),
    SHAPE("GET http://other.example/echo HTTP/1.1\r\n" GOOD "Host: other.example\r\n\r\n" NEXT,
          400),
    SHAPE("GET http://pool.example/echo HTTP/1.1\r\nUpgrade: websocket\r\n\r\n" NEXT, 400),
    SHAPE("GET http://a@pool.example/echo HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("GET http:///echo HTTP/1.1\r\n" GOOD "\r\n" NEXT, 400),
    SHAPE("\r\n\r\n\r\n\r\n\r\n" LINE GOOD "\r\n" NEXT, 400),
    SHAPE("\r\n\n" LINE GOOD "\r\n" NEXT, 400),
};

TEST(shapes_of_smuggling_get_one_answer_and_nothing_behind_them_is_read)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int chop = 0; chop < 3; chop++) {
            sim *s = sim_new(i + 1);
            sim_peer *p;
            sim_start(s);
            s->chop = (enum sim_chop)chop;
            p = sim_open(s, NULL);
            sim_write(p, shapes[i].bytes, shapes[i].len);
            sim_pump(s);
            if (p->reader.status != shapes[i].status)
                fail_msg("shape %zu: %d, not %d", i, p->reader.status, shapes[i].status);
            sim_expect_refusal(p, shapes[i].status, NULL);
            assert_int_equal(p->reader.pending.len, 0); /* one response, and no byte behind it */
            assert_int_equal(sim_stats(s).accepted, 0);
            assert_int_equal(sim_stats(s).attempts, 1);
            sim_free(s);
        }
    }
}

/* The bytes behind a valid request are frames, never a body or another request. */
TEST(bytes_behind_an_upgrade_are_frames_and_nothing_else)
{
    static const char *const behind[] = {"hello", NEXT, "\r\n" NEXT, "0\r\n\r\n" NEXT};
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        sim *s = sim_default(i + 1);
        sim_peer *p = sim_open(s, NULL);
        sim_write(p, LINE GOOD "\r\n", strlen(LINE GOOD "\r\n"));
        sim_write(p, behind[i], strlen(behind[i]));
        sim_pump(s);
        assert_int_equal(p->reader.status, 101);
        assert_int_equal(p->reader.close_code, 1002);
        assert_int_equal(sim_stats(s).attempts, 1);
        assert_int_equal(s->counts[SIM_MESSAGE], 0);
        sim_pass(s, 6 * SEC);
        assert_int_equal(sim_stats(s).ended[WSPOOL_END_PROTOCOL], 1);
        sim_free(s);
    }
}

/* Centrifugo CVE-2026-71485: headers that a peer sends in the name of a proxy change nothing. */
TEST(forwarding_headers_change_nothing)
{
    static const char *const lies[] = {
        "X-Forwarded-Host: evil.example\r\n",
        "Forwarded: for=127.0.0.1;host=evil.example;proto=https\r\n",
        "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n",
        "X-Original-URL: /room/secret\r\nX-Rewrite-URL: /room/secret\r\n",
        "X-HTTP-Method-Override: POST\r\n",
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        sim *s = sim_default(i + 1);
        sim_peer *p;
        sim_refused(s, &(client_request){.origin = "https://evil.example", .extra = lies[i]}, 403,
                    "origin");
        p = sim_connect(s, &(client_request){.target = "/all",
                                             .origin = "https://pool.example",
                                             .extra = lies[i]});
        sim_pump(s);
        sim_expect_open(p);
        assert_int_equal(wspool_member_count(s->pool, wspool_global("all")), 1);
        sim_free(s);
    }
}

/* --------------------------------------------------------------------- ends */

/* A transport that ends at every byte of the handshake, orderly or by failure, with and without
 * a pending verdict. */
TEST(transports_that_end_at_any_byte_give_all_back)
{
    blob bytes = whole_request("/all", "a first message");
    for (int pending = 0; pending < 2; pending++) {
        sim *s = hostile_sim(1, 1000);
        hostile_bound bound;
        blob request = {0};
        s->ask_token = pending;
        s->verdict.kind = WSPOOL_PENDING;
        sim_start(s);
        if (pending) {
            client_put_request(&request, &with_token);
            blob_add(&request, bytes.data, 30);
        } else {
            blob_add(&request, bytes.data, bytes.len);
        }
        bound = hostile_begin(s);
        for (size_t at = 0; at <= request.len; at++) {
            for (int how = 0; how < 2; how++) {
                sim_peer *p = sim_open(s, NULL);
                sim_write(p, request.data, at);
                if (how == 0)
                    sim_pump(s);
                sim_cut(p, how ? WSPOOL_GONE_FAILED : WSPOOL_GONE_EOF);
                sim_pump(s);
                if (!p->released) { /* it is not read while its verdict is pending */
                    SIM_DO(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now));
                    sim_pump(s);
                }
                assert_int_equal(p->released, 1);
                hostile_expect(s, bound, 65536);
            }
        }
        blob_free(&request);
        sim_free(s);
    }
    blob_free(&bytes);
}
