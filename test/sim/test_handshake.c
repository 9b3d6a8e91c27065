/* SPDX-License-Identifier: MIT */
/*
 * sim/test_handshake.c - the handshake over the wire: the responses, and the counters behind them.
 * Delayed verdicts are in test_pending, hosted requests in test_hosted.
 *
 * Proves law 9 (fail closed), a part of law 5 (a peer that is not accepted is bounded in memory and
 * in time) and of law 7 (attempts = accepted + refused by reason).
 */
#include "accept.h"

/* ----------------------------------------------------------------- bytes */

TEST(request_when_fed_byte_by_byte_is_answered)
{
    sim *s = sim_default(1);
    sim_peer *p;
    s->chop = SIM_BYTES;
    p = sim_join(s, "/echo");
    assert_int_equal(p->reader.count, 0);
    sim_free(s);
}

TEST(request_when_cut_anywhere_is_answered_and_its_frame_is_read)
{
    blob bytes = whole_request("/room/cut", "behind the head");
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        sim *s = sim_default(cut);
        sim_peer *p = sim_open(s, NULL);
        sim_write(p, bytes.data, cut);
        sim_pump(s);
        sim_write(p, bytes.data + cut, bytes.len - cut);
        sim_pump(s);
        sim_expect_open(p);
        assert_int_equal(p->heards, 1);
        assert_true(got_is(&p->heard[0], "behind the head", 15));
        sim_free(s);
    }
    blob_free(&bytes);
}

static void say_hello(sim *s, const sim_event *event)
{
    if (event->what == SIM_OPENED)
        assert_int_equal(sim_send(event->peer, "hello"), 0);
    if (event->what == SIM_MESSAGE)
        assert_int_equal(sim_send(event->peer, event->text), 0);
    (void)s;
}

TEST(message_when_sent_from_the_open_hook_goes_behind_the_101)
{
    sim *s = sim_default(2);
    blob bytes = whole_request("/echo", "early");
    sim_peer *p;
    s->react = say_hello;
    p = sim_open(s, NULL);
    sim_write(p, bytes.data, bytes.len);
    sim_pump(s);
    sim_expect_open(p);
    sim_expect_message(p, 0, "hello");
    sim_expect_message(p, 1, "early");
    blob_free(&bytes);
    sim_free(s);
}

TEST(peer_when_open_is_a_member_of_its_channel_already)
{
    sim *s = sim_default(3);
    sim_peer *p = sim_join(s, "/room/a%20b?x=1");
    wspool_channel channel;
    assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->text, "a b");
    assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->query, "x=1");
    assert_int_equal(wspool_member_count(s->pool, wspool_item("a b")), 1);
    assert_int_equal(wspool_channels_of(s->pool, p->id, &channel, 1), 1);
    assert_int_equal(channel.kind, WSPOOL_ITEM);
    assert_int_equal(channel.len, 3);
    assert_ptr_equal(wspool_user(s->pool, p->id), p);
    assert_null(wspool_identity(s->pool, p->id));
    sim_free(s);
}

TEST(connection_when_header_case_and_lists_vary_is_accepted)
{
    static const client_request good[] = {
        {.upgrade = "WebSocket"},           {.connection = "keep-alive, Upgrade"},
        {.connection = "UPGRADE"},          {.extra = "X-Empty:\r\nX-Space:   a b  \r\n"},
        {.extra = "Content-Length: 0\r\n"}, {.host = "pool.example:9001"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        sim *s = sim_default(i);
        sim_peer *p = sim_connect(s, &good[i]);
        sim_pump(s);
        sim_expect_open(p);
        sim_free(s);
    }
}

/* -------------------------------------------------------------- refusals */

TEST(request_when_not_good_is_refused_with_its_status_and_reason)
{
    static const enum sim_chop chops[] = {SIM_WHOLE, SIM_BYTES};
    for (size_t i = 0; i < 2 * sizeof refusals / sizeof *refusals; i++) {
        const refusal_case *c = &refusals[i / 2];
        sim *s = sim_default(i);
        wspool_statistics st;
        print_message("%s %s ...\n", c->word == NULL ? "" : c->word, i % 2 ? "in bytes" : "whole");
        s->chop = chops[i % 2];
        sim_refused(s, &c->request, c->status, c->word);
        st = sim_stats(s);
        assert_int_equal(st.accepted, 0);
        assert_int_equal(st.handshakes, 0);
        for (int k = 0; k < WSPOOL_REFUSAL_COUNT; k++)
            if (st.refused[k] != 0) {
                assert_int_equal(st.refused[k], 1);
                if (c->word != NULL)
                    assert_string_equal(wspool_refusal_reason((enum wspool_refusal)k), c->word);
                assert_int_equal(wspool_refusal_status((enum wspool_refusal)k), c->status);
            }
        assert_int_equal(sim_logged(s, "refused"), 1);
        assert_int_equal(s->counts[SIM_OPENED] + s->counts[SIM_CLOSED], 0);
        sim_free(s);
    }
}

TEST(bytes_when_not_http_are_refused_as_malformed)
{
    static const char *const junk[] = {"\r\n\r\n",
                                       "GARBAGE\r\n\r\n",
                                       "GET\r\n\r\n",
                                       "GET /echo\r\n\r\n",
                                       "\x16\x03\x01\x02\x00\x01\r\n\r\n",
                                       "GET  /echo HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "GET echo HTTP/1.1\r\nHost: a\r\n\r\n"};
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
        sim *s = sim_default(i);
        sim_peer *p = sim_open(s, NULL);
        sim_write(p, junk[i], strlen(junk[i]));
        sim_pump(s);
        if (i > 0 || p->reader.status != 0) /* empty lines are allowed before a request */
            sim_expect_refusal(p, 400, "malformed");
        sim_free(s);
    }
}

TEST(name_of_channel_when_unlawful_is_refused)
{
    static const char *const bad[] = {"/room/a%2Fb", "/room/%", "/room/%4", "/room/%zz"};
    char target[300];
    for (size_t i = 0; i < sizeof bad / sizeof *bad + 2; i++) {
        sim *s = sim_default(i);
        sim_peer *p;
        if (i < sizeof bad / sizeof *bad)
            snprintf(target, sizeof target, "%s", bad[i]);
        else /* 255 bytes are a name, 256 are not */
            snprintf(target, sizeof target, "/room/%0*d", 255 + (int)(i - sizeof bad / sizeof *bad),
                     7);
        p = sim_connect_to(s, target);
        sim_pump(s);
        if (i == sizeof bad / sizeof *bad)
            sim_expect_open(p);
        else
            assert_true(p->reader.status == 404 || p->reader.status == 400);
        sim_free(s);
    }
}

/* Writes a request whose head has exactly `size` bytes. */
static void put_request_of(blob *to, size_t size)
{
    client_request request = {0};
    char *extra;
    size_t base;
    client_put_request(to, &request);
    base = to->len + strlen("X: \r\n");
    to->len = 0;
    extra = sim_malloc(size);
    memset(extra, 'a', size);
    memcpy(extra, "X: ", 3);
    memcpy(extra + 3 + (size - base), "\r\n", 3);
    request.extra = extra;
    client_put_request(to, &request);
    assert_int_equal(to->len, size);
    free(extra);
}

TEST(head_when_over_its_limit_is_431_and_not_below)
{
    for (size_t over = 0; over < 2; over++) {
        sim *s = sim_new(over);
        sim_peer *p;
        s->config.head_bytes = 1000;
        sim_start(s);
        p = sim_open(s, NULL);
        put_request_of(&p->in, 1000 + over);
        sim_pump(s);
        if (over)
            sim_expect_refusal(p, 431, "head_too_large");
        else
            sim_expect_open(p);
        sim_free(s);
    }
}

TEST(transport_when_nothing_came_holds_its_record_only)
{
    enum { PEERS = 512 };
    sim *s = sim_default(1);
    size_t before;
    before = s->heap.live_bytes;
    for (int i = 0; i < PEERS; i++)
        sim_open(s, NULL);
    sim_pump(s);
    assert_true(s->heap.live_bytes - before <= PEERS * RECORD);
    sim_free(s);
}

TEST(head_when_endless_is_431_and_holds_no_more_than_its_limit)
{
    enum { PEERS = 64 };
    sim *s = sim_default(1);
    client_request request = {.method = "POST"};
    char line[16000];
    size_t before;
    memset(line, 'a', sizeof line);
    /* allocates what the pool keeps for reuse */
    sim_refused(s, &request, 405, "method_not_allowed");
    before = s->heap.live_bytes;
    for (int i = 0; i < PEERS; i++) {
        sim_peer *p = sim_open(s, NULL);
        sim_write(p, "GET /echo HTTP/1.1\r\nX: ", 23);
        sim_write(p, line, sizeof line);
    }
    s->chop = SIM_RANDOM;
    sim_pump(s);
    assert_true(s->heap.live_bytes - before <= PEERS * (16384 + 2048 + RECORD));
    for (int i = 1; i <= PEERS; i++)
        sim_write(s->peers[i], line, sizeof line);
    sim_pump(s);
    for (int i = 1; i <= PEERS; i++)
        sim_expect_refusal(s->peers[i], 431, "head_too_large");
    assert_true(s->heap.live_bytes - before <= PEERS * RECORD + 65536);
    sim_free(s);
}

TEST(headers_when_too_many_are_431_and_not_before)
{
    for (int over = 0; over < 2; over++) {
        sim *s = sim_default(1);
        blob extra = {0};
        client_request request = {0};
        sim_peer *p;
        for (int i = 0; i < 64 - 5 + over; i++) /* the request has five already */
            blob_print(&extra, "X-%d: y\r\n", i);
        blob_add(&extra, "", 1);
        request.extra = (char *)extra.data;
        p = sim_connect(s, &request);
        sim_pump(s);
        if (over)
            sim_expect_refusal(p, 431, "head_too_large");
        else
            sim_expect_open(p);
        blob_free(&extra);
        sim_free(s);
    }
}

TEST(bytes_when_they_follow_a_refused_request_are_ignored)
{
    sim *s = sim_default(1);
    client_request request = {.method = "POST"};
    sim_peer *p = sim_connect(s, &request);
    sim_text(p, "not heard");
    sim_pump(s);
    sim_expect_refusal(p, 405, "method_not_allowed");
    assert_int_equal(s->counts[SIM_MESSAGE], 0);
    sim_free(s);
}

TEST(transport_when_it_ends_in_the_head_is_counted_as_gone)
{
    for (size_t n = 0; n < 30; n += 10) {
        sim *s = sim_default(1);
        sim_peer *p = sim_open(s, NULL);
        sim_write(p, "GET /echo HTTP/1.1\r\nHost: pool", n);
        sim_cut(p, n == 10 ? WSPOOL_GONE_FAILED : WSPOOL_GONE_EOF);
        sim_pump(s);
        assert_int_equal(p->released, 1);
        assert_int_equal(REFUSED(s, GONE), 1);
        assert_int_equal(s->counts[SIM_OPENED] + s->counts[SIM_CLOSED], 0);
        sim_free(s);
    }
}

/* A valid request with a few bytes changed, removed or inserted: it is refused with a valid HTTP
 * response, or accepted. */
TEST(request_when_mutated_is_refused_or_accepted)
{
    sim *s = sim_new(5);
    int rounds = sim_slow() ? 200 : 4000;
    int accepted = 0;
    s->config.max_peers = 10000;
    s->keep_journal = 0;
    s->config.subprotocols = (const char *const[]){"chat", NULL};
    sim_start(s);
    for (int i = 0; i < rounds; i++) {
        client_request request = {.target = "/room/a%20b?token=x",
                                  .origin = "http://pool.example",
                                  .protocol = "chat, other",
                                  .extra = "Cookie: a=b\r\nAuthorization: Bearer t\r\n"};
        static const char spice[] = " \t\r\n:;,=%/?\"\0\x7f\x80\xff";
        sim_peer *p = sim_connect(s, &request);
        uint8_t *bytes = p->in.data;
        for (uint64_t n = 1 + sim_below(s, 3); n > 0; n--) {
            size_t at = (size_t)sim_below(s, p->in.len - 4);
            switch (sim_below(s, 3)) {
            case 0:
                bytes[at] = sim_below(s, 2) ? (uint8_t)spice[sim_below(s, sizeof spice)]
                                            : (uint8_t)sim_random(s);
                break;
            case 1:
                memmove(bytes + at, bytes + at + 1, p->in.len - at - 1);
                p->in.len--;
                break;
            default:
                bytes[at] = bytes[at + 1];
                break;
            }
        }
        s->chop = i % 2 ? SIM_WHOLE : SIM_RANDOM;
        sim_pump(s);
        if (p->reader.status == 101) {
            accepted++;
        } else if (p->reader.status != 0) {
            assert_in_range(p->reader.status, 400, 505);
            assert_int_equal(p->released, 1);
        }
        sim_cut(p, WSPOOL_GONE_EOF);
        sim_pump(s);
        assert_int_equal(p->released, 1);
    }
    assert_true(accepted > 0);
    assert_int_equal(sim_stats(s).handshakes + sim_stats(s).peers, 0);
    sim_free(s);
}

/* ---------------------------------------------------------------- origin */

TEST(origin_when_allowed_comes_in)
{
    static const char *const list[] = {"https://app.example", "http://dev.example:8080", NULL};
    static const struct {
        const char *origin;
        const char *host;
        int good;
    } cases[] = {
        {"http://pool.example", "pool.example", 1},
        {"https://pool.example", "pool.example", 1}, /* TLS may end in front of the server */
        {"https://POOL.example", "pool.EXAMPLE", 1},
        {"http://pool.example:9001", "pool.example:9001", 1},
        {"http://pool.example:9001", "pool.example:9002", 0},
        {"http://[::1]:80", "[::1]:80", 1},
        {"http://[::2]:80", "[::1]:80", 0},
        {"https://app.example", "pool.example", 1},
        {"https://app.example:443", "pool.example", 1},
        {"http://app.example", "pool.example", 0}, /* the list compares the scheme */
        {"https://app.example:444", "pool.example", 0},
        {"https://app.example.", "pool.example", 0},
        {"https://app.example.evil.example", "pool.example", 0},
        {"http://dev.example:8080", "pool.example", 1},
        {"http://dev.example", "pool.example", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim *s = sim_new(i);
        client_request request = {.origin = cases[i].origin, .host = cases[i].host};
        sim_peer *p;
        s->config.origins = list;
        sim_start(s);
        p = sim_connect(s, &request);
        sim_pump(s);
        print_message("%s for %s\n", cases[i].origin, cases[i].host);
        if (cases[i].good)
            sim_expect_open(p);
        else
            sim_expect_refusal(p, 403, "origin");
        sim_free(s);
    }
}

static int one_origin(wspool *pool, wspool_id id, const wspool_request *request, wspool_text origin,
                      void *user)
{
    (void)pool;
    (void)id;
    (void)request;
    return origin.len == strlen(user) && memcmp(origin.data, user, origin.len) == 0;
}

static char by_hook[] = "https://hook.example", by_handler[] = "https://handler.example";

/* Handlers are asked, then the hook; the host of the request must be listed all the same. */
TEST(origin_when_a_hook_or_a_handler_says_so_comes_in)
{
    static const char *const hosts[] = {"pool.example", NULL};
    sim *s = sim_new(1);
    wspool_handlers handlers = {.size = sizeof handlers, .user = by_handler, .origin = one_origin};
    s->config.origin = (wspool_origin_hook){one_origin, by_hook};
    s->config.hosts = hosts;
    sim_start(s);
    assert_int_equal(wspool_attach(s->pool, &handlers), 0);
    sim_refused(s, &(client_request){.origin = "https://evil.example"}, 403, "origin");
    sim_refused(s, &(client_request){.origin = by_hook, .host = "evil.example"}, 421, "host");
    sim_peer *p = sim_connect(s, &(client_request){.origin = by_hook});
    sim_peer *q = sim_connect(s, &(client_request){.origin = by_handler});
    sim_pump(s);
    sim_expect_open(p);
    sim_expect_open(q);
    sim_free(s);
}

TEST(origin_when_any_is_allowed_is_not_looked_at)
{
    sim *s = sim_new(1);
    client_request request = {.origin = "https://evil.example", .extra = "Cookie: a=b\r\n"};
    sim_peer *p;
    s->config.any_origin = 1;
    sim_start(s);
    p = sim_connect(s, &request);
    sim_pump(s);
    sim_expect_open(p);
    sim_free(s);
}

/* ----------------------------------------------------------- subprotocol */

TEST(subprotocol_when_offered_is_the_first_that_we_have)
{
    static const char *const ours[] = {"one.v1", "two.v1", NULL};
    static const struct {
        const char *offer;
        const char *chosen;
    } cases[] = {{"two.v1, one.v1", "two.v1"},
                 {"three, one.v1", "one.v1"},
                 {"three", NULL},
                 {NULL, NULL},
                 {"ONE.V1", NULL},
                 {"bearer.abc, one.v1", "one.v1"},
                 {"bearer.abc", NULL}};
    char room[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim *s = sim_new(i);
        client_request request = {.protocol = cases[i].offer};
        const char *said;
        sim_peer *p;
        s->config.subprotocols = ours;
        sim_start(s);
        p = sim_connect(s, &request);
        sim_pump(s);
        sim_expect_open(p);
        said = reader_header(&p->reader, "Sec-WebSocket-Protocol", room, sizeof room);
        if (cases[i].chosen == NULL)
            assert_null(said);
        else
            assert_string_equal(said, cases[i].chosen);
        assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->reason,
                            cases[i].chosen == NULL ? "" : cases[i].chosen);
        sim_free(s);
    }
}

/* RFC 9112, sections 2.2 and 3.2.2. */
TEST(request_when_behind_empty_lines_or_in_absolute_form_is_accepted)
{
    static const char *const before[] = {"", "\r\n", "\r\n\r\n\r\n\r\n"};
    static const struct {
        client_request request;
        int status;
    } cases[] = {
        {{.target = "http://pool.example/echo"}, 101},
        {{.target = "HTTPS://pool.example:443/echo?a=b"}, 101},
        {{.target = "ws://other.example/echo"}, 101},
        /* the authority replaces Host in the comparison with the Origin */
        {{.target = "http://a.example/echo", .origin = "http://a.example"}, 101},
        {{.target = "http://a.example/echo", .origin = "http://pool.example"}, 403},
        {{.target = "http://pool.example/nowhere"}, 404},
        {{.target = "http://pool.example"}, 404},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t k = 0; k < 2 * sizeof before / sizeof *before; k++) {
            sim *s = sim_default(i);
            sim_peer *p;
            blob bytes = {0};
            s->chop = k % 2 ? SIM_BYTES : SIM_WHOLE;
            p = sim_open(s, NULL);
            blob_text(&bytes, before[k / 2]);
            client_put_request(&bytes, &cases[i].request);
            sim_write(p, bytes.data, bytes.len);
            sim_pump(s);
            assert_int_equal(p->reader.status, cases[i].status);
            assert_int_equal(p->opened, cases[i].status == 101);
            blob_free(&bytes);
            sim_free(s);
        }
    }
}

/* RFC 9110, section 9.3.2. Also when the rest of the head never comes. */
TEST(answer_to_head_has_no_body)
{
    static const char *const heads[] = {"HEAD /echo HTTP/1.1\r\n", "\r\nHEAD /echo HTTP/1.1\r\n",
                                        "HEAD  /echo HTTP/1.1\r\n", "HEAD /ec"};
    for (size_t i = 0; i < 2 * sizeof heads / sizeof *heads; i++) {
        sim *s = sim_default(i);
        sim_peer *p;
        s->chop = i % 2 ? SIM_BYTES : SIM_WHOLE;
        p = sim_open(s, NULL);
        sim_write(p, heads[i / 2], strlen(heads[i / 2]));
        sim_pump(s);
        sim_pass(s, 11 * SEC);
        assert_int_equal(p->reader.status, i / 2 < 2 ? 405 : i / 2 == 2 ? 400 : 408);
        assert_int_equal(p->reader.body_len, -1);
        assert_int_equal(p->reader.pending.len, 0);
        assert_true(p->reader.body.len <= 1);
        sim_free(s);
    }
}

/* The headers that HTTP requires in these responses (RFC 9110, 15.5.6 and 15.5.22). */
TEST(refusals_when_http_has_rules_for_them_follow_them)
{
    sim *s = sim_default(1);
    char room[64];
    sim_peer *p;
    p = sim_refused(s, &(client_request){.method = "POST"}, 405, "method_not_allowed");
    assert_string_equal(reader_header(&p->reader, "Allow", room, sizeof room), "GET");
    assert_string_equal(reader_header(&p->reader, "Connection", room, sizeof room), "close");
    p = sim_refused(s, &(client_request){.ws_version = "8"}, 426, "websocket_version");
    assert_string_equal(reader_header(&p->reader, "Upgrade", room, sizeof room), "websocket");
    assert_string_equal(reader_header(&p->reader, "Sec-WebSocket-Version", room, sizeof room),
                        "13");
    sim_free(s);
}

/* A very long name: the response has space for it, or the pool is not made. */
TEST(subprotocol_when_its_name_is_long_is_chosen_or_refused_at_the_start)
{
    for (size_t len = 1; len < 2000; len = len * 3 + 1) {
        char *name = sim_malloc(len + 1);
        char *said = sim_malloc(len + 10);
        const char *ours[2] = {name, NULL};
        sim *s = sim_new(len);
        client_request request = {.protocol = name};
        wspool_config probe;
        wspool_answer answer;
        sim_peer *p;
        memset(name, 'n', len);
        name[len] = '\0';
        s->config.subprotocols = ours;
        wspool_config_init(&probe);
        probe.subprotocols = ours;
        if (wspool_new(&s->pool, &probe, s->now) != 0) {
            assert_true(len > 100);
        } else {
            assert_int_equal(wspool_free(s->pool), 0);
            s->pool = NULL;
            sim_start(s);
            p = sim_connect(s, &request);
            sim_pump(s);
            sim_expect_open(p);
            assert_string_equal(reader_header(&p->reader, "Sec-WebSocket-Protocol", said, len + 10),
                                name);
            assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
        }
        free(name);
        free(said);
        sim_free(s);
    }
}

/* -------------------------------------------------------------- capacity */

TEST(peer_when_the_pool_is_full_is_503_until_one_leaves)
{
    sim *s = sim_new(1);
    client_request request = {0};
    char room[64];
    sim_peer *a;
    sim_peer *p;
    s->config.max_peers = 2;
    s->config.retry_after = 17;
    sim_start(s);
    a = sim_join(s, "/echo");
    sim_join(s, "/echo");
    p = sim_refused(s, &request, 503, "full");
    assert_string_equal(reader_header(&p->reader, "Retry-After", room, sizeof room), "17");
    sim_say_close(a, 1000, NULL);
    sim_pump(s);
    sim_expect_end(a, WSPOOL_END_PEER_CLOSED);
    sim_join(s, "/echo");
    sim_free(s);
}

TEST(transport_when_too_many_handshake_is_full_until_one_is_through)
{
    sim *s = sim_new(1);
    sim_peer *a;
    int why;
    s->config.max_handshakes = 3;
    s->ask_token = 1;
    s->verdict.kind = WSPOOL_PENDING;
    sim_start(s);
    client_request request = {.target = "/all?token=t"};
    a = sim_connect(s, &request);
    sim_connect(s, &request);
    sim_connect(s, &request);
    sim_pump(s);
    assert_null(sim_open(s, &why));
    assert_int_equal(why, WSPOOL_ERR_FULL);
    sim_books(s);
    wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
    assert_int_equal(wspool_auth_complete(s->pool, a->id, &verdict), 0);
    sim_pump(s);
    sim_expect_open(a);
    assert_non_null(sim_connect(s, &request));
    sim_pump(s);
    assert_null(sim_open(s, &why));
    assert_int_equal(why, WSPOOL_ERR_FULL);
    sim_free(s);
}

TEST(peer_without_a_head_when_too_many_handshake_gives_way_the_oldest_first)
{
    sim *s = sim_new(1);
    s->config.max_handshakes = 3;
    sim_start(s);
    sim_peer *half = sim_open(s, NULL), *silent = sim_open(s, NULL), *other = sim_open(s, NULL);
    sim_write(half, "GET /all HT", 11);
    sim_write(other, "GET /all HTTP/1.1\r\n", 19);
    sim_pump(s);
    sim_peer *newcomer = sim_open(s, NULL);
    assert_non_null(newcomer);
    sim_pump(s);
    sim_expect_refusal(half, 503, "gave_way"); /* that it has begun does not help it */
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_GAVE_WAY], 1);
    assert_int_equal(sim_stats(s).handshakes, 3);
    assert_non_null(sim_open(s, NULL));
    sim_pump(s);
    sim_expect_refusal(silent, 503, "gave_way");
    client_put_request(&newcomer->in, &(client_request){0});
    sim_pump(s);
    sim_expect_open(newcomer);
    sim_write(other, "Host: a\r\n", 9);
    sim_pump(s);
    assert_int_equal(other->released, 0);
    sim_free(s);
}

TEST(newcomer_when_half_heads_take_all_handshakes_is_not_replaced_by_the_next)
{
    sim *s = sim_new(1);
    s->config.max_handshakes = 4;
    sim_start(s);
    for (int i = 0; i < 4; i++)
        sim_write(sim_open(s, NULL), "GET /all HT", 11);
    sim_pump(s);
    sim_peer *honest = sim_open(s, NULL); /* its request is under way */
    for (int i = 0; i < 3; i++) {
        sim_write(sim_open(s, NULL), "GET /all HT", 11);
        sim_pump(s);
    }
    client_put_request(&honest->in, &(client_request){0});
    sim_pump(s);
    sim_expect_open(honest);
    sim_free(s);
}

TEST(peer_when_the_pool_drains_is_503)
{
    sim *s = sim_default(1);
    client_request request = {0};
    sim_join(s, "/echo");
    assert_int_equal(wspool_drain(s->pool, 10 * SEC, 0, s->now), 0);
    sim_refused(s, &request, 503, "draining");
    sim_free(s);
}

TEST(capacity_hook_when_it_says_no_is_503)
{
    sim *s = sim_new(1);
    client_request request = {0};
    s->ask_capacity = 1;
    s->full = -7;
    sim_start(s);
    sim_refused(s, &request, 503, "capacity");
    assert_int_equal(s->counts[SIM_CAPACITY], 1);
    assert_int_equal(sim_event_of(s, SIM_CAPACITY, 0)->number, 1);
    s->full = 0;
    sim_join(s, "/echo");
    assert_int_equal(s->counts[SIM_CAPACITY], 2);
    sim_free(s);
}

TEST(hooks_when_a_cheaper_check_fails_are_not_asked)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        sim *s = sim_new(i);
        s->ask_token = 1;
        s->ask_capacity = 1;
        s->verdict.kind = WSPOOL_ACCEPT;
        sim_start(s);
        sim_refused(s, &refusals[i].request, refusals[i].status, refusals[i].word);
        assert_int_equal(s->counts[SIM_TOKEN], 0);
        assert_int_equal(s->counts[SIM_CAPACITY], 0);
        sim_free(s);
    }
}

/* ----------------------------------------------------------------- token */

TEST(token_when_anywhere_lawful_is_found_in_the_order_of_places)
{
    static const struct {
        client_request request;
        const char *token;
    } cases[] = {
        {{.extra = "Authorization: Bearer aaa\r\n"}, "aaa"},
        {{.extra = "Authorization: bearer aaa\r\n"}, "aaa"},
        {{.protocol = "bearer.bbb"}, "bbb"},
        {{.protocol = "chat, bearer.bbb"}, "bbb"},
        {{.origin = "http://pool.example", .extra = "Cookie: a=b; wspool_token=ccc; d=e\r\n"},
         "ccc"},
        {{.target = "/echo?token=ddd"}, "ddd"},
        {{.target = "/echo?a=b&token=d%2E%64%2B&c"}, "d.d+"},
        {{.target = "/echo?token=ddd", .extra = "Authorization: Bearer aaa\r\n"}, "aaa"},
        {{.target = "/echo?token=ddd", .protocol = "bearer.bbb"}, "bbb"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim *s = sim_with_token(WSPOOL_ACCEPT);
        sim_peer *p;
        sim_start(s);
        p = sim_connect(s, &cases[i].request);
        sim_pump(s);
        sim_expect_open(p);
        assert_string_equal(sim_event_of(s, SIM_TOKEN, 0)->reason, cases[i].token);
        assert_ptr_equal(wspool_identity(s->pool, p->id), s->identities[0]);
        sim_say_close(p, 1000, NULL);
        sim_pump(s);
        assert_int_equal(s->identities[0]->freed, 1);
        sim_free(s);
    }
}

TEST(token_place_when_not_configured_is_not_looked_at)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    client_request request = {.target = "/echo?token=ddd",
                              .extra = "Authorization: Bearer aaa\r\n"};
    sim_peer *p;
    s->config.token_places[0] = WSPOOL_TOKEN_QUERY;
    s->config.token_places[1] = WSPOOL_TOKEN_NONE;
    sim_start(s);
    p = sim_connect(s, &request);
    sim_pump(s);
    sim_expect_open(p);
    assert_string_equal(sim_event_of(s, SIM_TOKEN, 0)->reason, "ddd");
    sim_refused(s, &with_token, 401, "empty_token");
    sim_free(s);
}

TEST(token_when_absent_or_blank_or_huge_is_401_and_nobody_is_asked)
{
    static const client_request blank[] = {
        {.target = "/echo"},
        {.extra = "Authorization: Bearer \r\n"},
        {.extra = "Authorization: Bearer\r\n"},
        {.extra = "Authorization: Basic abc\r\n"},
        {.protocol = "bearer."},
        {.target = "/echo?token="},
        {.target = "/echo?token=%20%20"},
    };
    blob extra = {0};
    client_request request = {0};
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    s->config.head_bytes = 20000;
    sim_start(s);
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++)
        sim_refused(s, &blank[i], 401, "empty_token");
    blob_text(&extra, "Authorization: Bearer ");
    for (int i = 0; i < WSPOOL_TOKEN_MAX + 1; i++)
        blob_text(&extra, "a");
    blob_add(&extra, "\r\n", 3);
    request.extra = (char *)extra.data;
    sim_refused(s, &request, 401, "malformed");
    assert_int_equal(REFUSED(s, TOKEN_MALFORMED), 1);
    assert_int_equal(s->counts[SIM_TOKEN], 0);
    /* With one byte less it is a token. */
    extra.len -= 4;
    blob_add(&extra, "\r\n", 3);
    request.extra = (char *)extra.data;
    sim_expect_open((sim_connect(s, &request), sim_pump(s), s->peers[s->peer_count - 1]));
    assert_int_equal(sim_event_of(s, SIM_TOKEN, 0)->len, WSPOOL_TOKEN_MAX);
    blob_free(&extra);
    sim_free(s);
}

TEST(verdict_when_no_is_answered_with_its_reason)
{
    static const struct {
        enum wspool_refusal refusal;
        int status;
        const char *word;
    } cases[] = {
        {WSPOOL_REFUSED_TOKEN_INVALID, 401, "invalid"},
        {WSPOOL_REFUSED_TOKEN_EXPIRED, 401, "expired"},
        {WSPOOL_REFUSED_TOKEN_NOT_YET_VALID, 401, "not_yet_valid"},
        {WSPOOL_REFUSED_TOKEN_WRONG_AUDIENCE, 401, "wrong_audience"},
        {WSPOOL_REFUSED_TOKEN_WRONG_ISSUER, 401, "wrong_issuer"},
        {WSPOOL_REFUSED_TOKEN_NO_SECRET, 401, "no_secret"},
        {WSPOOL_REFUSED_NOT_ALLOWED, 403, "not_allowed"},
        {WSPOOL_REFUSED_RATE, 429, "too_many"},
        {WSPOOL_REFUSED_CAPACITY, 503, "capacity"},
        /* A verdict may not use these refusals. */
        {WSPOOL_REFUSED_MALFORMED, 401, "invalid"}, /* a verdict left zeroed */
        {WSPOOL_REFUSED_NO_ROUTE, 401, "invalid"},
        {WSPOOL_REFUSED_GONE, 401, "invalid"},
        {(enum wspool_refusal)9999, 401, "invalid"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim *s = sim_with_token(WSPOOL_REFUSE);
        s->verdict.refusal = cases[i].refusal;
        sim_start(s);
        sim_refused(s, &with_token, cases[i].status, cases[i].word);
        sim_free(s);
    }
}

TEST(identity_when_a_later_check_refuses_is_freed)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    s->ask_capacity = 1;
    s->full = 1;
    sim_start(s);
    sim_refused(s, &with_token, 503, "capacity");
    assert_int_equal(s->identity_count, 1);
    assert_int_equal(s->identities[0]->freed, 1);
    sim_free(s);
}

TEST(route_when_open_does_not_ask_for_a_token)
{
    sim *s = sim_with_token(WSPOOL_REFUSE);
    wspool_route_options options;
    sim_start(s);
    wspool_route_options_init(&options, &s->config);
    options.flags = WSPOOL_ROUTE_NO_TOKEN;
    assert_int_equal(wspool_route(s->pool, "/door", WSPOOL_NONE, &options), 0);
    sim_join(s, "/door");
    assert_int_equal(s->counts[SIM_TOKEN], 0);
    sim_refused(s, &with_token, 401, "invalid");
    sim_free(s);
}

TEST(token_when_refused_is_in_no_log)
{
    sim *s = sim_with_token(WSPOOL_REFUSE);
    sim_start(s);
    sim_refused(s, &with_token, 401, "invalid");
    for (size_t i = 0; i < s->event_count; i++)
        if (s->events[i].what == SIM_LOG) {
            assert_null(strstr(s->events[i].text, "secret"));
            assert_null(strstr(s->events[i].reason, "secret"));
        }
    sim_free(s);
}

/* ---------------------------------------------------------------- stages */

TEST(stages_when_counted_fall_from_the_first_to_the_last)
{
    sim *s = sim_new(1);
    wspool_statistics st;
    sim_peer *p;
    s->ask_capacity = 1;
    sim_start(s);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        sim_refused(s, &refusals[i].request, refusals[i].status, refusals[i].word);
    sim_join(s, "/echo");
    p = sim_connect_to(s, "/echo");
    p->in.len -= 2;
    sim_pump(s);
    s->now += SEC;
    sim_write(p, "\r\n", 2);
    sim_pump(s);
    sim_expect_open(p);
    st = sim_stats(s);
    for (int k = 1; k < WSPOOL_STAGE_COUNT; k++)
        assert_int_equal(st.stages[k].passed + st.stages[k].refused, st.stages[k - 1].passed);
    assert_int_equal(st.stages[WSPOOL_STAGE_VERDICT].passed, st.accepted);
    assert_int_equal(st.stages[WSPOOL_STAGE_FLUSHED].passed, 2);
    assert_int_equal(st.stages[WSPOOL_STAGE_BYTES].passed, st.attempts);
    assert_true(st.stages[WSPOOL_STAGE_REQUEST_LINE].time + st.stages[WSPOOL_STAGE_HEADERS].time >=
                SEC);
    assert_true(st.stages[WSPOOL_STAGE_KEY].refused >= 6);
    assert_true(st.stages[WSPOOL_STAGE_ORIGIN].refused >= 8);
    sim_free(s);
}

TEST(close_when_not_open_yet_refuses_with_403)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_open(s, NULL);
    sim_write(p, "GET /echo", 9);
    sim_pump(s);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, "no", 0), 0);
    sim_pump(s);
    sim_expect_refusal(p, 403, "not_allowed");
    sim_free(s);
}

/* A host may listen before it has added its routes. */
TEST(bytes_when_there_is_no_route_at_all_are_ignored_behind_the_refusal)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    wspool_config config;
    wspool *pool;
    wspool_id id;
    struct iovec iov[4];
    wspool_config_init(&config);
    assert_int_equal(wspool_new(&pool, &config, 1), 0);
    assert_int_equal(wspool_open(pool, NULL, 1, &id), 0);
    assert_int_equal(wspool_feed(pool, id, text, sizeof text - 1, 1), 0);
    assert_int_equal(wspool_feed(pool, id, "more", 4, 1), 0); /* while it is refused */
    assert_int_equal(wspool_peek(pool, id, iov, 4), 1);
    assert_memory_equal(iov[0].iov_base, "HTTP/1.1 404", 12);
    assert_int_equal(wspool_ack(pool, id, iov[0].iov_len, 1), 0);
    assert_int_equal(wspool_feed(pool, id, "more", 4, 1), 0); /* and after its end */
    assert_int_equal(wspool_release(pool, id), 0);
    assert_int_equal(wspool_check(pool), 0);
    assert_int_equal(wspool_free(pool), 0);
}
