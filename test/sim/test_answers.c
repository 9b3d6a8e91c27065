/* SPDX-License-Identifier: MIT */
/*
 * sim/test_answers.c - what the host adds to answers in raw mode: pages for requests that are no
 * WebSocket handshakes, and headers of the 101.
 *
 * Proves a part of law 5 (both are bounded) and of law 9 (a page does not let anything in).
 */
#include "accept.h"

/* ------------------------------------------------------------------ pages */

static struct page_case {
    wspool_page page;  /* what the hook answers for /health */
    const char *added; /* header that it adds; NULL: none */
    int closes;        /* it closes the peer */
    int gone;          /* it reports the end of the transport */
    int calls;
    char target[64], address[64];
} plain;

static void on_plain(wspool *pool, wspool_id id, const wspool_request *request, wspool_page *page,
                     void *user)
{
    sim *s = user;
    plain.calls++;
    assert_int_equal(page->size, sizeof *page);
    assert_int_equal(page->status, 0);
    snprintf(plain.target, sizeof plain.target, "%.*s", (int)request->target.len,
             request->target.data);
    snprintf(plain.address, sizeof plain.address, "%.*s", (int)request->address.len,
             request->address.data ? request->address.data : "");
    assert_int_equal(wspool_tick(pool, s->now), WSPOOL_ERR_REENTRANT);
    if (plain.added && !s->no_memory)
        assert_int_equal(wspool_add_header(pool, id, "Cache-Control", plain.added), 0);
    if (plain.closes)
        assert_int_equal(wspool_close(pool, id, 1000, NULL, 0), 0);
    if (plain.gone)
        assert_int_equal(wspool_gone(pool, id, WSPOOL_GONE_FAILED, s->now), 0);
    if (strncmp(plain.target, "/health", 7) == 0) {
        size_t size = page->size;
        *page = plain.page;
        page->size = size;
    }
}

static sim *with_plain(uint64_t seed, int status, const char *body)
{
    sim *s = sim_new(seed);
    memset(&plain, 0, sizeof plain);
    plain.page.status = status;
    plain.page.body = (wspool_text){body, strlen(body)};
    s->config.plain = (wspool_plain_hook){on_plain, s};
    sim_start(s);
    return s;
}

static const client_request health = {
    .target = "/health?full=1",
    .upgrade = CLIENT_LEFT_OUT,
    .connection = CLIENT_LEFT_OUT,
    .key = CLIENT_LEFT_OUT,
    .ws_version = CLIENT_LEFT_OUT,
};

static void expect_page(sim_peer *p, int status, const char *type, const char *body)
{
    char room[800];
    assert_int_equal(p->reader.status, status);
    assert_string_equal(reader_header(&p->reader, "Content-Type", room, sizeof room), type);
    assert_string_equal(reader_header(&p->reader, "Connection", room, sizeof room), "close");
    assert_int_equal(p->reader.body_len, strlen(body));
    assert_string_equal((char *)p->reader.body.data, body);
    assert_int_equal(p->opened, 0);
    assert_int_equal(p->released, 1);
}

TEST(plain_hook_is_not_asked_about_a_target_that_is_none)
{
    sim *s = with_plain(1, 200, "fine\n");
    sim_refused(s, &(client_request){.target = "/a#b"}, 400, "malformed");
    sim_refused(s, &(client_request){.target = "nowhere"}, 400, "malformed");
    assert_int_equal(plain.calls, 0);
    sim_free(s);
}

TEST(plain_request_is_answered_with_the_page_and_closed)
{
    for (int i = 0; i < 2; i++) {
        sim *s = with_plain(1, 200, "fine\n");
        char room[64];
        s->chop = i ? SIM_BYTES : SIM_WHOLE;
        s->address = "192.0.2.1";
        plain.added = "no-store";
        sim_peer *p = sim_connect(s, &health);
        sim_write(p, "GET /more", 9); /* what comes behind the request is discarded */
        sim_pump(s);
        expect_page(p, 200, "text/plain; charset=utf-8", "fine\n");
        assert_string_equal(reader_header(&p->reader, "Cache-Control", room, sizeof room),
                            "no-store");
        assert_memory_equal(p->reader.head.data, "HTTP/1.1 200 OK\r\n", 17);
        assert_int_equal(plain.calls, 1);
        assert_string_equal(plain.target, "/health?full=1");
        assert_string_equal(plain.address, "192.0.2.1");
        wspool_statistics st = sim_stats(s);
        assert_int_equal(st.plain, 1);
        assert_int_equal(st.handshakes, 0);
        assert_int_equal(st.stages[WSPOOL_STAGE_HEADERS].passed, 1);
        assert_int_equal(st.stages[WSPOOL_STAGE_VERSION].passed, 0);
        assert_int_equal(sim_logged(s, "refused"), 0);
        sim_free(s);
    }
}

TEST(page_may_have_another_status_and_type)
{
    sim *s = with_plain(2, 503, "{}");
    plain.page.type = "application/json";
    sim_peer *p = sim_connect(s, &health);
    sim_pump(s);
    expect_page(p, 503, "application/json", "{}");
    plain.page.status = 299; /* one that has no phrase here */
    p = sim_connect(s, &health);
    sim_pump(s);
    expect_page(p, 299, "application/json", "{}");
    plain.page = (wspool_page){.status = 204};
    p = sim_connect(s, &health);
    sim_pump(s);
    assert_int_equal(p->reader.status, 204);
    assert_int_equal(p->reader.body_len, -1);
    assert_int_equal(p->released, 1);
    sim_free(s);
}

TEST(request_without_a_page_is_refused_as_without_the_hook)
{
    client_request request = health;
    sim *s = with_plain(3, 0, "");
    sim_refused(s, &health, 404, "no_route");
    request.target = "/echo";
    sim_refused(s, &request, 426, "upgrade_required");
    assert_int_equal(plain.calls, 2);
    plain.page.status = 600; /* not valid */
    sim_refused(s, &health, 404, "no_route");
    assert_int_equal(sim_stats(s).plain, 0);
    sim_free(s);
}

TEST(plain_hook_does_not_see_other_requests)
{
    static const char *const hosts[] = {"pool.example", NULL};
    client_request upgrade = {.target = "/health"}, other = health;
    sim *s = sim_new(4);
    memset(&plain, 0, sizeof plain);
    plain.page.status = 200;
    s->config.hosts = hosts;
    s->config.plain = (wspool_plain_hook){on_plain, s};
    sim_start(s);
    upgrade.host = other.host = "pool.example";
    sim_refused(s, &upgrade, 404, "no_route");
    other.method = "POST";
    sim_refused(s, &other, 405, "method_not_allowed");
    other.method = NULL;
    other.extra = "Content-Length: 1\r\n";
    sim_refused(s, &other, 404, "no_route"); /* admission looks at the path first */
    other.extra = NULL;
    other.host = "evil.example";
    sim_refused(s, &other, 404, "no_route");
    other.host = "a, b";
    sim_refused(s, &other, 404, "no_route");
    other.host = "pool.example";
    other.version = "HTTP/1.0";
    sim_refused(s, &other, 505, "http_version");
    assert_int_equal(plain.calls, 0);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        other = refusals[i].request;
        if (!other.upgrade) {
            sim_connect(s, &other);
            sim_pump(s);
        }
    }
    assert_int_equal(plain.calls, 0);
    sim_free(s);
}

TEST(hook_that_closes_the_peer_refuses_it)
{
    sim *s = with_plain(5, 200, "fine");
    plain.closes = 1;
    sim_refused(s, &health, 403, "not_allowed");
    plain.closes = 0;
    plain.gone = 1;
    sim_peer *p = sim_connect(s, &health);
    sim_pump(s);
    assert_int_equal(p->reader.total, 0);
    assert_int_equal(p->released, 1);
    assert_int_equal(sim_stats(s).plain, 0);
    sim_free(s);
}

TEST(plain_request_is_answered_in_a_full_pool_and_in_a_drain)
{
    sim *s = sim_new(6);
    memset(&plain, 0, sizeof plain);
    plain.page.status = 503;
    plain.page.body = (wspool_text){"full", 4};
    s->config.max_peers = 1;
    s->config.plain = (wspool_plain_hook){on_plain, s};
    sim_start(s);
    sim_join(s, "/echo");
    sim_peer *p = sim_connect(s, &health);
    sim_pump(s);
    expect_page(p, 503, "text/plain; charset=utf-8", "full");
    assert_int_equal(wspool_drain(s->pool, 60 * SEC, 0, s->now), 0);
    p = sim_connect(s, &health);
    sim_pump(s);
    expect_page(p, 503, "text/plain; charset=utf-8", "full");
    sim_free(s);
}

TEST(page_that_nobody_reads_ends_with_closing_time)
{
    sim *s = with_plain(7, 200, "fine");
    sim_peer *p = sim_connect(s, &health);
    sim_stall(p);
    sim_pump(s);
    sim_pass(s, s->config.closing_time - 200 * MS);
    assert_int_equal(p->released, 0);
    sim_pass(s, 2 * SEC);
    assert_int_equal(p->released, 1);
    assert_int_equal(p->reset, 1);
    sim_free(s);
}

/* ---------------------------------------------------------------- headers */

static struct {
    enum sim_what where;
    int wanted; /* result of the call */
    int calls;
} adds;

static void add_headers(sim *s, const sim_event *event)
{
    if (event->what == adds.where) {
        adds.calls++;
        assert_int_equal(wspool_add_header(s->pool, event->id, "Set-Cookie", "a=1; Path=/"),
                         adds.wanted);
        assert_int_equal(wspool_add_header(s->pool, event->id, "set-cookie", "b=\t2"), adds.wanted);
    }
}

static void expect_added(const sim_peer *p)
{
    const char *head = (const char *)p->reader.head.data;
    assert_non_null(strstr(head, "\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: b=\t2\r\n\r\n"));
}

static sim *with_headers(enum wspool_verdict_kind kind, enum sim_what where)
{
    sim *s = sim_with_token(kind);
    adds.where = where;
    adds.wanted = adds.calls = 0;
    s->ask_capacity = 1;
    s->react = add_headers;
    sim_start(s);
    return s;
}

TEST(headers_of_hooks_are_in_the_101)
{
    static const enum sim_what hooks[] = {SIM_TOKEN, SIM_CAPACITY};
    for (size_t i = 0; i < 4; i++) {
        sim *s = with_headers(WSPOOL_ACCEPT, hooks[i / 2]);
        s->chop = i % 2 ? SIM_BYTES : SIM_WHOLE;
        sim_peer *p = sim_connect(s, &with_token);
        sim_pump(s);
        sim_expect_open(p);
        expect_added(p);
        sim_ping(p, "x");
        sim_pump(s);
        assert_int_equal(p->reader.pongs, 1);
        sim_free(s);
    }
}

TEST(headers_are_added_until_a_pending_verdict_has_come)
{
    sim *s = with_headers(WSPOOL_PENDING, SIM_OPENED);
    sim_peer *p = sim_connect(s, &with_token);
    adds.wanted = WSPOOL_ERR_STATE; /* in the open hook the 101 is queued */
    assert_int_equal(wspool_add_header(s->pool, p->id, "A", "b"), WSPOOL_ERR_STATE);
    sim_pump(s);
    assert_int_equal(wspool_add_header(s->pool, p->id, "Set-Cookie", "a=1; Path=/"), 0);
    sim_text(p, "early");
    sim_pump(s);
    assert_int_equal(wspool_add_header(s->pool, p->id, "set-cookie", "b=\t2"), 0);
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, NULL), 0);
    sim_pump(s);
    sim_expect_open(p);
    expect_added(p);
    assert_int_equal(p->heards, 1);
    assert_int_equal(adds.calls, 1);
    assert_int_equal(wspool_add_header(s->pool, p->id, "A", "b"), WSPOOL_ERR_STATE);
    sim_free(s);
}

TEST(refusal_has_no_added_headers)
{
    sim *s = with_headers(WSPOOL_REFUSE, SIM_TOKEN);
    sim_peer *p = sim_connect(s, &with_token);
    sim_pump(s);
    assert_int_equal(p->reader.status, 401);
    assert_int_equal(adds.calls, 1);
    assert_null(strstr((const char *)p->reader.head.data, "ookie"));
    sim_free(s);
}

TEST(hosted_request_has_no_headers_to_add)
{
    sim *s = with_headers(WSPOOL_ACCEPT, SIM_TOKEN);
    wspool_answer answer;
    sim_peer *p;
    adds.wanted = WSPOOL_ERR_STATE;
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(adds.calls, 1);
    sim_free(s);
}

static void add_many(sim *s, const sim_event *event)
{
    static char longest[WSPOOL_ADDED_HEADERS_MAX];
    if (event->what != SIM_CAPACITY)
        return;
    memset(longest, 'v', sizeof longest - 1);
    longest[sizeof longest - 4] = '\0'; /* with "N: " and the line's end one byte too long */
    assert_int_equal(wspool_add_header(s->pool, event->id, "N", longest), WSPOOL_ERR_FULL);
    assert_int_equal(wspool_add_header(s->pool, event->id, "Sec-WebSocket-Accept", "x"),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_add_header(s->pool, event->id, "N", "a\r\nX: b"), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_add_header(s->pool, event->id, NULL, "x"), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_add_header(s->pool, event->id, "N", NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_add_header(s->pool, event->id + 1, "N", "x"), WSPOOL_ERR_STALE);
    longest[sizeof longest - 5] = '\0';
    assert_int_equal(wspool_add_header(s->pool, event->id, "N", longest), 0);
    assert_int_equal(wspool_add_header(s->pool, event->id, "N", ""), WSPOOL_ERR_FULL);
}

TEST(most_headers_fit_into_the_longest_101)
{
    static char name[256];
    const char *names[] = {name, NULL};
    client_request request = {.protocol = name};
    sim *s = sim_new(8);
    memset(name, 'p', sizeof name - 1);
    s->config.subprotocols = names;
    s->ask_capacity = 1;
    s->react = add_many;
    sim_start(s);
    sim_peer *p = sim_connect(s, &request);
    sim_pump(s);
    sim_expect_open(p);
    assert_true(p->reader.head.len > WSPOOL_ADDED_HEADERS_MAX + 255);
    sim_free(s);
}
