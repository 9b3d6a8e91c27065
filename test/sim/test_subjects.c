/* SPDX-License-Identifier: MIT */
/*
 * sim/test_subjects.c - the subject and the client instance of a peer: where they come from, which
 * are refused, and the calls that find the peers of a subject.
 */
#include "accept.h"

static wspool_text letters(char *room, size_t len)
{
    memset(room, 's', len);
    return (wspool_text){room, len};
}

static void expect_names(sim *s, wspool_id id, const char *subject, const char *client)
{
    wspool_text text;
    assert_int_equal(wspool_subject(s->pool, id, &text), 0);
    assert_int_equal(text.len, strlen(subject));
    assert_memory_equal(text.data, subject, text.len);
    assert_int_equal(wspool_client(s->pool, id, &text), 0);
    assert_int_equal(text.len, strlen(client));
    assert_memory_equal(text.data, client, text.len);
}

static int count_of(sim *s, const char *subject)
{
    return wspool_peers_of(s->pool, wspool_text_of(subject), NULL, 0);
}

static sim_peer *come(sim *s, const char *target)
{
    client_request request = {.target = target, .extra = "Authorization: Bearer t\r\n"};
    sim_peer *p = sim_connect(s, &request);
    sim_pump(s);
    return p;
}

/* ---------------------------------------------------------------- where from */

TEST(names_when_in_a_verdict_are_copied)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    char subject[] = "user:7", client[] = "page-1";
    sim_start(s);
    s->verdict.subject = wspool_text_of(subject);
    s->verdict.client = wspool_text_of(client);
    sim_peer *p = come(s, "/all");
    memset(subject, '?', sizeof subject - 1);
    memset(client, '?', sizeof client - 1);
    sim_expect_open(p);
    expect_names(s, p->id, "user:7", "page-1");
    sim_free(s);
}

/* The subject is the token without its first byte. The pool decodes a token of the query. */
static void subject_of_token(wspool *pool, wspool_id id, const wspool_request *request,
                             wspool_verdict *out, void *user)
{
    (void)pool;
    (void)id;
    (void)user;
    out->kind = WSPOOL_ACCEPT;
    out->subject = (wspool_text){request->token.data + 1, request->token.len - 1};
}

TEST(subject_when_it_is_a_part_of_the_token_is_copied)
{
    for (int attached = 0; attached < 2; attached++) {
        wspool_handlers handlers = {.size = sizeof handlers, .token = subject_of_token};
        sim *s = sim_new(1);
        s->config.token = (wspool_token_hook){attached ? NULL : subject_of_token, NULL};
        sim_start(s);
        if (attached) {
            assert_int_equal(wspool_attach(s->pool, &handlers), 0);
        }
        sim_peer *plain = sim_join(s, "/all?token=tann");
        sim_peer *escaped = sim_join(s, "/all?token=tb%6fb&x=1");
        expect_names(s, plain->id, "ann", "");
        expect_names(s, escaped->id, "bob", "");
        sim_free(s);
    }
}

TEST(names_when_in_a_late_verdict_are_copied)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    char subject[] = "user:7", client[] = "page-1";
    sim_start(s);
    sim_peer *p = come(s, "/all?client=query");
    wspool_verdict verdict = {.size = sizeof verdict,
                              .kind = WSPOOL_ACCEPT,
                              .subject = wspool_text_of(subject),
                              .client = wspool_text_of(client)};
    expect_names(s, p->id, "", "");
    assert_int_equal(count_of(s, subject), 0);
    assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)), 0);
    memset(subject, '?', sizeof subject - 1);
    memset(client, '?', sizeof client - 1);
    sim_pump(s);
    sim_expect_open(p);
    expect_names(s, p->id, "user:7", "page-1");
    sim_free(s);
}

TEST(subject_when_the_host_knows_it_needs_no_token)
{
    sim *s = sim_default(1);
    client_request request = {.target = "/all?client=c"};
    wspool_answer answer;
    sim_peer *p = sim_join_as(s, "raw", "/echo"), *q;
    expect_names(s, p->id, "raw", "");
    s->subject = "hosted";
    assert_int_equal(sim_upgrade(s, &request, &answer, &q), WSPOOL_UPGRADE_ACCEPTED);
    s->subject = NULL;
    assert_int_equal(count_of(s, "hosted"), 0); /* it is not open yet */
    assert_int_equal(sim_adopt(q, NULL, 0), 0);
    expect_names(s, q->id, "hosted", "c");
    assert_int_equal(count_of(s, "hosted"), 1);
    sim_free(s);
}

static void accept_as(wspool *pool, wspool_id id, const wspool_request *request,
                      wspool_verdict *out, void *user)
{
    (void)pool, (void)id, (void)request;
    *out = *(const wspool_verdict *)user;
}

/* The host, then the handler, then the hook: each finds a name that is there or not. */
TEST(names_when_several_are_given_are_the_first)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
    wspool_handlers handlers = {.size = sizeof handlers, .user = &verdict, .token = accept_as};
    s->config.max_handshakes = 10;
    assert_int_equal(sim_start_bare(s), 0);
    assert_int_equal(wspool_route(s->pool, "/x", WSPOOL_NONE, NULL), 0);
    assert_int_equal(wspool_attach(s->pool, &handlers), 0);
    s->verdict.subject = wspool_text_of("hook");
    s->verdict.client = wspool_text_of("of hook");
    sim_peer *p = come(s, "/x?client=query");
    expect_names(s, p->id, "hook", "of hook");
    verdict.client = wspool_text_of("of handler");
    p = come(s, "/x");
    expect_names(s, p->id, "hook", "of handler");
    verdict.subject = wspool_text_of("handler");
    p = come(s, "/x");
    expect_names(s, p->id, "handler", "of handler");
    s->subject = "host";
    p = come(s, "/x");
    expect_names(s, p->id, "host", "of handler");
    s->subject = NULL;

    /* Two late verdicts: the first one is kept at once. */
    verdict.kind = s->verdict.kind = WSPOOL_PENDING;
    p = come(s, "/x?client=query");
    wspool_verdict first = {
        .size = sizeof first, .kind = WSPOOL_ACCEPT, .subject = wspool_text_of("first")};
    wspool_verdict second = {.size = sizeof second,
                             .kind = WSPOOL_ACCEPT,
                             .subject = wspool_text_of("second"),
                             .client = wspool_text_of("of second")};
    assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &first)), 0);
    sim_pump(s);
    expect_names(s, p->id, "first", "");
    assert_int_equal(p->opened, 0);
    assert_int_equal(count_of(s, "first"), 0);
    assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &second)), 0);
    sim_pump(s);
    sim_expect_open(p);
    expect_names(s, p->id, "first", "of second");
    sim_free(s);
}

TEST(client_when_in_the_query_is_decoded_if_it_is_a_name)
{
    static const char longest[] =
        "/all?client="
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const struct {
        const char *target, *client;
    } cases[] = {
        {"/all", ""},
        {"/all?client=page", "page"},
        {"/all?a=b&client=p%61ge%20%2d&x", "page -"},
        {"/all?client=first&client=second", "first"},
        {"/all?client", ""},
        {"/all?client=", ""},
        {"/all?client=&client=second", ""},
        {"/all?clients=page", ""},
        {"/all?client=%6", ""},
        {"/all?client=%zz", ""},
        {longest, longest + 12},
    };
    sim *s = sim_default(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim_peer *p = sim_join(s, cases[i].target);
        expect_names(s, p->id, "", cases[i].client);
    }
    char target[300];
    snprintf(target, sizeof target, "%s0", longest);
    sim_peer *p = sim_join(s, target);
    expect_names(s, p->id, "", "");
    sim_free(s);
}

TEST(client_when_a_token_is_in_the_query_too)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    sim_start(s);
    sim_peer *p = sim_join(s, "/all?a=1&token=secret&client=page");
    expect_names(s, p->id, "", "page");
    sim_free(s);
}

/* A peer without names has no record for them. */
TEST(names_when_there_are_none_cost_nothing)
{
    sim *s = sim_default(1);
    for (int i = 0; i < 40; i++) {
        sim_join(s, "/echo");
    }
    size_t before = s->heap.live_bytes;
    wspool_id id = s->peers[0]->id;
    expect_names(s, id, "", "");
    sim_join(s, "/echo?client=");
    assert_int_equal(s->heap.live_bytes, before);
    sim_join(s, "/echo?client=0000"); /* the first one makes a table */
    before = s->heap.live_bytes;
    sim_join(s, "/echo?client=page");
    assert_in_range(s->heap.live_bytes, before + 24 + 32 + 4, before + 24 + 32 + 4 + 48 + 4);
    sim_free(s);
}

/* ------------------------------------------------------------ bad arguments */

TEST(names_when_they_can_not_be_are_inval)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    char room[300];
    wspool_id id;
    wspool_text text;
    sim_start(s);
    wspool_open_options options = {.size = sizeof options, .subject = letters(room, 256)};
    assert_int_equal(wspool_open(s->pool, &options, s->now, &id), WSPOOL_ERR_INVAL);
    options.subject = (wspool_text){NULL, 1};
    assert_int_equal(wspool_open(s->pool, &options, s->now, &id), WSPOOL_ERR_INVAL);
    wspool_request request = {.size = sizeof request,
                              .method = wspool_text_of("GET"),
                              .target = wspool_text_of("/all"),
                              .http_major = 1,
                              .http_minor = 1,
                              .subject = letters(room, 256)};
    wspool_answer answer;
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_INVAL);
    request.subject = (wspool_text){NULL, 1};
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_INVAL);

    sim_peer *p = come(s, "/all");
    wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
    const wspool_text bad_subjects[] = {letters(room, 256), {NULL, 1}};
    const wspool_text bad_clients[] = {letters(room, 65), {NULL, 1}};
    for (int i = 0; i < 2; i++) {
        verdict.subject = bad_subjects[i];
        verdict.client = (wspool_text){NULL, 0};
        assert_int_equal(wspool_auth_complete(s->pool, p->id, &verdict), WSPOOL_ERR_INVAL);
        verdict.subject = (wspool_text){NULL, 0};
        verdict.client = bad_clients[i];
        assert_int_equal(wspool_auth_complete(s->pool, p->id, &verdict), WSPOOL_ERR_INVAL);
    }
    verdict.subject = letters(room, 255);
    verdict.client = letters(room, 64);
    assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)), 0);
    sim_pump(s);
    sim_expect_open(p);

    const wspool_text bad[] = {{NULL, 0}, {NULL, 1}, letters(room, 256), {"", 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(wspool_peers_of(s->pool, bad[i], NULL, 0), WSPOOL_ERR_INVAL);
    }
    assert_int_equal(wspool_peers_of(s->pool, letters(room, 255), &id, 1), 1);
    assert_true(id == p->id);
    assert_int_equal(wspool_peers_of(NULL, wspool_text_of("x"), NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_peers_of(s->pool, wspool_text_of("x"), NULL, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_subject(NULL, p->id, &text), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_subject(s->pool, p->id, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_client(NULL, p->id, &text), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_client(s->pool, p->id, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_subject(s->pool, p->id + 1, &text), WSPOOL_ERR_STALE);
    assert_int_equal(text.len, 0);
    assert_int_equal(wspool_client(s->pool, p->id + 1, &text), WSPOOL_ERR_STALE);
    assert_int_equal(text.len, 0);
    sim_free(s);
}

/* Whoever judges: the hook alone, or together with a handler. */
TEST(verdict_when_its_names_can_not_be_refuses)
{
    for (int together = 0; together < 2; together++) {
        sim *s = sim_with_token(WSPOOL_ACCEPT);
        wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
        wspool_handlers handlers = {.size = sizeof handlers, .user = &verdict, .token = accept_as};
        char room[300];
        sim_start(s);
        if (together) {
            assert_int_equal(wspool_attach(s->pool, &handlers), 0);
        }
        for (int i = 0; i < 2; i++) {
            s->verdict.subject = i == 0 ? letters(room, 256) : wspool_text_of("me");
            s->verdict.client = i == 1 ? letters(room, 65) : wspool_text_of("");
            sim_refused(s, &with_token, 401, "invalid");
            assert_int_equal(s->identities[i]->freed, 1);
        }
        assert_int_equal(count_of(s, "me"), 0);
        sim_free(s);
    }
}

/* ----------------------------------------------------------------- who is it */

TEST(peers_of_a_subject_are_those_that_are_open)
{
    sim *s = sim_default(1);
    wspool_id ids[4];
    sim_peer *p[3];
    assert_int_equal(count_of(s, "a"), 0);
    for (int i = 0; i < 3; i++) {
        p[i] = sim_join_as(s, "a", "/all");
        sim_join_as(s, "b", "/echo");
        sim_join(s, "/echo");
    }
    s->subject = "a";
    sim_peer *silent = sim_open(s, NULL); /* sends no request */
    s->subject = NULL;
    assert_int_equal(count_of(s, "a"), 3);
    assert_int_equal(count_of(s, "aa"), 0);
    ids[2] = 77;
    assert_int_equal(wspool_peers_of(s->pool, wspool_text_of("a"), ids, 2), 3);
    assert_true(ids[0] == p[2]->id && ids[1] == p[1]->id && ids[2] == 77);
    assert_int_equal(SIM_IN(wspool_close(s->pool, p[1]->id, 1000, NULL, 0)), 0);
    assert_int_equal(wspool_peers_of(s->pool, wspool_text_of("a"), ids, 4), 2);
    assert_true(ids[0] == p[2]->id && ids[1] == p[0]->id);
    sim_cut(p[2], WSPOOL_GONE_FAILED);
    sim_pump(s);
    assert_int_equal(wspool_peers_of(s->pool, wspool_text_of("a"), ids, 4), 1);
    assert_true(ids[0] == p[0]->id);
    sim_cut(silent, WSPOOL_GONE_EOF);
    sim_cut(p[0], WSPOOL_GONE_EOF);
    sim_pump(s);
    assert_int_equal(count_of(s, "a"), 0);
    assert_int_equal(count_of(s, "b"), 3);
    sim_free(s);
}

static void ask(sim *s, const sim_event *event)
{
    if (event->what == SIM_CLOSED) {
        expect_names(s, event->id, "a", "page");
        assert_int_equal(count_of(s, "a"), 0);
    }
}

TEST(names_when_a_peer_ends_are_there_until_its_release)
{
    sim *s = sim_default(1);
    s->react = ask;
    sim_peer *p = sim_join_as(s, "a", "/all?client=page");
    sim_cut(p, WSPOOL_GONE_FAILED);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_CLOSED], 1);
    sim_free(s);
}

/* Whatever peers do, the pool keeps one subject each at most. */
TEST(subjects_when_their_peers_have_left_take_no_memory)
{
    sim *s = sim_default(1);
    char subject[16];
    size_t before = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 32; i++) {
            snprintf(subject, sizeof subject, "%d of %d", i, round);
            sim_join_as(s, subject, "/echo?client=page");
        }
        for (size_t i = s->first_live; i < s->peer_count; i++) {
            sim_cut(s->peers[i], i % 2 ? WSPOOL_GONE_EOF : WSPOOL_GONE_FAILED);
        }
        sim_pump(s);
        if (round == 1) {
            before = s->heap.live_bytes;
        }
    }
    assert_int_equal(s->heap.live_bytes, before);
    sim_free(s);
}

TEST(subject_when_its_peer_is_turned_away_is_forgotten)
{
    sim *s = sim_new(1);
    int why;
    s->config.max_per_key = 1;
    sim_start(s);
    s->key = "k";
    sim_join_as(s, "a", "/echo");
    size_t before = s->heap.live_bytes;
    for (int i = 0; i < 3; i++) {
        s->subject = i < 2 ? "a" : "b";
        assert_null(sim_open(s, &why));
        assert_int_equal(why, WSPOOL_ERR_FULL);
    }
    s->subject = NULL;
    assert_int_equal(s->heap.live_bytes, before);
    assert_int_equal(wspool_check(s->pool), 0);
    sim_free(s);
}

/* -------------------------------------------------------- send to, close all */

static int send_to(sim *s, const char *subject, const char *text,
                   const wspool_send_options *options, wspool_tally *tally)
{
    return SIM_IN(
        wspool_send_to(s->pool, wspool_text_of(subject), text, strlen(text), options, tally));
}

TEST(message_to_a_subject_goes_to_its_open_peers_and_is_encoded_once)
{
    sim *s = sim_default(1);
    wspool_tally tally = {.size = sizeof tally};
    wspool_answer answer;
    sim_peer *mine[4], *others = sim_join(s, "/all"), *held;
    for (int i = 0; i < 4; i++) {
        mine[i] = sim_join_as(s, "me", i % 2 ? "/all" : "/echo");
    }
    sim_peer *you = sim_join_as(s, "you", "/all");
    s->subject = "me";
    client_request request = {.target = "/all"};
    assert_int_equal(sim_upgrade(s, &request, &answer, &held), WSPOOL_UPGRADE_ACCEPTED);
    s->subject = NULL;
    sim_stall(mine[1]);
    assert_int_equal(send_to(s, "me", "fill", NULL, NULL), 4);
    sim_pump(s);
    assert_int_equal(SIM_IN(wspool_close(s->pool, mine[3]->id, 1000, NULL, 0)), 0);
    uint64_t encoded = sim_stats(s).encoded;
    wspool_send_options options = {.size = sizeof options, .except = mine[2]->id};
    assert_int_equal(send_to(s, "me", "for me", &options, &tally), 2);
    assert_int_equal(tally.queued, 2);
    assert_int_equal(tally.slow, 1);
    assert_int_equal(tally.closed, 0);
    assert_int_equal(tally.position.offset, 0);
    assert_int_equal(sim_stats(s).encoded, encoded + 1);
    assert_int_equal(send_to(s, "nobody", "x", NULL, NULL), 0);
    assert_int_equal(sim_stats(s).encoded, encoded + 1);
    sim_flow(mine[1]);
    sim_pump(s);
    sim_expect_message(mine[0], 1, "for me");
    sim_expect_message(mine[1], 1, "for me");
    assert_int_equal(mine[2]->reader.messages, 1);
    assert_int_equal(others->reader.messages, 0);
    assert_int_equal(you->reader.messages, 0);
    options = (wspool_send_options){.size = sizeof options, .flags = WSPOOL_BINARY};
    assert_int_equal(send_to(s, "you", "bits", &options, NULL), 1);
    sim_pump(s);
    assert_int_equal(reader_message(&you->reader, 0)->op, OP_BINARY);
    assert_int_equal(sim_adopt(held, NULL, 0), 0);
    assert_int_equal(held->reader.messages, 0);
    sim_free(s);
}

TEST(message_to_a_subject_when_a_queue_is_full_closes_that_peer)
{
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        sim *s = sim_new(1);
        wspool_tally tally = {.size = sizeof tally};
        char text[1000];
        s->config.queue_bytes = by_bytes ? 4096 : 65536;
        s->config.queue_messages = by_bytes ? 1000 : 4;
        sim_start(s);
        memset(text, 'x', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        sim_peer *slow = sim_join_as(s, "me", "/all"), *quick = sim_join_as(s, "me", "/all");
        sim_stall(slow);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(send_to(s, "me", text, NULL, &tally), 2);
            assert_int_equal(tally.closed, 0);
            sim_pump(s);
        }
        assert_int_equal(send_to(s, "me", text, NULL, &tally), 1);
        assert_int_equal(tally.closed, 1);
        sim_pump(s);
        assert_int_equal(sim_logged(s, "slow"), 1);
        assert_int_equal(sim_stats(s).slow_closes, 1);
        assert_int_equal(quick->reader.messages, 5);
        sim_flow(slow);
        sim_pump(s);
        sim_expect_close(slow, WSPOOL_END_SLOW, WSPOOL_CLOSE_SLOW_CONSUMER);
        sim_free(s);
    }
}

TEST(subject_when_closed_is_logged_out_everywhere)
{
    sim *s = sim_default(1);
    wspool_answer answer;
    sim_peer *open[3], *held, *other = sim_join_as(s, "you", "/all");
    for (int i = 0; i < 3; i++) {
        open[i] = sim_join_as(s, "me", "/all");
    }
    s->subject = "me";
    client_request request = {.target = "/all"};
    assert_int_equal(sim_upgrade(s, &request, &answer, &held), WSPOOL_UPGRADE_ACCEPTED);
    sim_peer *silent = sim_open(s, NULL);
    s->subject = NULL;
    assert_int_equal(SIM_IN(wspool_close(s->pool, open[2]->id, 1000, NULL, 0)), 0);
    sim_send(open[0], "last words");
    assert_int_equal(SIM_IN(wspool_close_all(s->pool, wspool_text_of("me"), 4002, "out", 0)), 4);
    assert_int_equal(SIM_IN(wspool_close_all(s->pool, wspool_text_of("me"), 4002, NULL, 0)), 0);
    assert_int_equal(count_of(s, "me"), 0);
    assert_int_equal(sim_adopt(held, NULL, 0), WSPOOL_ERR_STALE);
    held->waiting = 0;
    held->released = 1;
    sim_pump(s);
    sim_expect_message(open[0], 0, "last words");
    for (int i = 0; i < 2; i++) {
        sim_expect_close(open[i], WSPOOL_END_HOST_CLOSED, 4002);
        assert_string_equal(open[i]->reader.close_reason, "out");
    }
    sim_expect_close(open[2], WSPOOL_END_HOST_CLOSED, 1000);
    sim_expect_refusal(silent, 403, "not_allowed");
    sim_expect_open(other);
    sim_peer *again = sim_join_as(s, "me", "/all");
    sim_send(again, "dropped");
    assert_int_equal(
        SIM_IN(wspool_close_all(s->pool, wspool_text_of("me"), 4002, NULL, WSPOOL_CLOSE_NOW)), 1);
    sim_pump(s);
    assert_int_equal(again->reader.messages, 0);
    sim_free(s);
}

TEST(calls_on_a_subject_when_they_can_not_be_are_errors)
{
    sim *s = sim_default(1);
    char room[300];
    const wspool_text bad[] = {{NULL, 0}, {NULL, 1}, letters(room, 256), {"", 0}};
    const wspool_text me = {"me", 2};
    wspool_send_options options = {.size = sizeof options};
    wspool_tally tally = {0};
    sim_peer *p = sim_join_as(s, "me", "/all");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(wspool_send_to(s->pool, bad[i], "x", 1, NULL, NULL), WSPOOL_ERR_INVAL);
        assert_int_equal(wspool_close_all(s->pool, bad[i], 4002, NULL, 0), WSPOOL_ERR_INVAL);
    }
    assert_int_equal(wspool_send_to(NULL, me, "x", 1, NULL, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_send_to(s->pool, me, NULL, 1, NULL, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_send_to(s->pool, me, "x", 1, NULL, &tally), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_send_to(s->pool, me, "x", s->config.queue_bytes, NULL, NULL),
                     WSPOOL_ERR_TOO_BIG);
    options.flags = WSPOOL_REMOVE;
    assert_int_equal(wspool_send_to(s->pool, me, "x", 1, &options, NULL), WSPOOL_ERR_INVAL);
    options = (wspool_send_options){.size = sizeof options, .key = me};
    assert_int_equal(wspool_send_to(s->pool, me, "x", 1, &options, NULL), WSPOOL_ERR_INVAL);
    options = (wspool_send_options){.size = sizeof options, .id = me};
    assert_int_equal(wspool_send_to(s->pool, me, "x", 1, &options, NULL), WSPOOL_ERR_INVAL);
    options = (wspool_send_options){0};
    assert_int_equal(wspool_send_to(s->pool, me, "x", 1, &options, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close_all(NULL, me, 4002, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close_all(s->pool, me, 1005, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close_all(s->pool, me, 4002, "\xff", 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close_all(s->pool, me, 4002, NULL, 2), WSPOOL_ERR_INVAL);
    sim_expect_open(p);
    assert_int_equal(p->reader.messages, 0);
    assert_int_equal(send_to(s, "me", "", NULL, NULL), 1);
    sim_free(s);
}
