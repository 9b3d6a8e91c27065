/* SPDX-License-Identifier: MIT */
/*
 * sim/test_hosted.c - the handshake through the host's own HTTP server: wspool_upgrade,
 * wspool_adopt, and the slot that is reserved between them.
 *
 * Proves law 9 (a request that is refused over the wire is refused here) and a part of law 5 (a
 * slot that the host does not adopt in time becomes free).
 */
#include "accept.h"

static const char *answer_header(const wspool_answer *answer, const char *name)
{
    assert_true(answer->header_count <= WSPOOL_ANSWER_HEADERS);
    for (size_t i = 0; i < answer->header_count; i++)
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    return NULL;
}

TEST(hosted_when_good_is_answered_and_adopted)
{
    sim *s = sim_default(1);
    client_request request = {.target = "/room/h?x=1"};
    client_frame frame = {.first = FIN | OP_TEXT, .payload = "early", .len = 5, .key = 7};
    blob early = {0};
    wspool_answer answer;
    sim_peer *p;
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(answer.status, 101);
    assert_string_equal(answer_header(&answer, "Sec-WebSocket-Accept"), CLIENT_ACCEPT);
    assert_non_null(answer_header(&answer, "Upgrade"));
    assert_non_null(answer_header(&answer, "Connection"));
    assert_int_equal(answer.body_len, 0);
    assert_string_equal(answer.body, "");
    assert_int_equal(p->opened, 0);
    sim_books(s);
    assert_int_equal(wspool_feed(s->pool, p->id, "x", 1, s->now), WSPOOL_ERR_STATE);
    assert_int_equal(sim_send(p, "x"), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_topic("t")), WSPOOL_ERR_STATE);
    client_put_frame(&early, &frame);
    assert_int_equal(sim_adopt(p, early.data, early.len), 0);
    assert_int_equal(p->opened, 1);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STATE);
    sim_pump(s);
    assert_int_equal(p->heards, 1);
    assert_int_equal(sim_broadcast(s, wspool_item("h"), "hi"), 1);
    sim_pump(s);
    assert_int_equal(p->reader.head.len, 0); /* the host sends the 101 */
    sim_expect_message(p, 0, "hi");
    blob_free(&early);
    sim_free(s);
}

TEST(hosted_when_not_good_gets_the_same_answers_as_raw)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal_case *c = &refusals[i];
        sim *s;
        char body[64];
        wspool_answer answer;
        sim_peer *p;
        if (c->word == NULL || strcmp(c->word, "malformed") == 0)
            continue; /* the host's server parsed it */
        s = sim_default(i);
        assert_int_equal(sim_upgrade(s, &c->request, &answer, &p), WSPOOL_UPGRADE_REFUSED);
        assert_null(p);
        assert_int_equal(answer.status, c->status);
        assert_int_equal(answer.body_len, strlen(answer.body));
        snprintf(body, sizeof body, "{\"error\":\"%s\"}", c->word);
        assert_string_equal(answer.body, body);
        assert_string_equal(answer_header(&answer, "Content-Type"), "application/json");
        if (c->status == 426)
            assert_string_equal(answer_header(&answer, "Sec-WebSocket-Version"), "13");
        assert_string_equal(wspool_refusal_reason(answer.refusal), c->word);
        sim_books(s);
        sim_free(s);
    }
}

TEST(hosted_when_not_adopted_in_time_loses_its_place)
{
    sim *s = sim_new(1);
    client_request request = {0};
    wspool_answer answer;
    sim_peer *p;
    sim_peer *none;
    s->config.max_handshakes = 1;
    sim_start(s);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_upgrade(s, &request, &answer, &none), WSPOOL_ERR_FULL);
    sim_pass(s, 10 * SEC - 200 * MS);
    assert_int_equal(sim_stats(s).handshakes, 1);
    sim_pass(s, 400 * MS);
    assert_int_equal(sim_stats(s).handshakes, 0);
    assert_int_equal(REFUSED(s, NOT_ADOPTED), 1);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_release(s->pool, p->id), WSPOOL_ERR_STALE);
    p->released = 1;
    assert_int_equal(s->counts[SIM_VERDICT], 0);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    sim_free(s);
}

TEST(hosted_when_given_back_frees_the_place_at_once)
{
    sim *s = sim_new(1);
    client_request request = {0};
    wspool_answer answer;
    sim_peer *p;
    s->config.max_handshakes = 1;
    sim_start(s);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
        assert_int_equal(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now), 0);
        sim_pump(s);
        assert_int_equal(sim_stats(s).handshakes, 0);
        if (!p->released)
            assert_int_equal(wspool_release(s->pool, p->id), WSPOOL_ERR_STALE);
        p->released = 1;
    }
    assert_int_equal(REFUSED(s, GONE) + REFUSED(s, NOT_ADOPTED), 3);
    assert_int_equal(s->counts[SIM_OPENED], 0);
    sim_free(s);
}

static void adopt_in_the_hook(sim *s, const sim_event *event)
{
    if (event->what == SIM_VERDICT && event->number == 101)
        assert_int_equal(wspool_adopt(s->pool, event->id, NULL, 0, s->now), WSPOOL_ERR_REENTRANT);
}

TEST(hosted_when_pending_is_told_by_the_verdict_hook)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_answer answer;
    sim_peer *p;
    s->react = adopt_in_the_hook;
    sim_start(s);
    /* The verdict accepts. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STATE);
    p->waiting = 1;
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_VERDICT], 1);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 0)->number, 101);
    assert_true(sim_event_of(s, SIM_VERDICT, 0)->id == p->id);
    assert_int_equal(sim_adopt(p, NULL, 0), 0);
    assert_int_equal(p->opened, 1);
    assert_ptr_equal(wspool_identity(s->pool, p->id), s->identities[0]);
    /* The verdict refuses. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    assert_int_equal(complete(s, p->id, WSPOOL_REFUSE, WSPOOL_REFUSED_TOKEN_EXPIRED, NULL), 0);
    sim_pump(s);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 1)->number, 401);
    assert_string_equal(sim_event_of(s, SIM_VERDICT, 1)->text, "{\"error\":\"expired\"}");
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STALE);
    p->released = 1;
    /* The verdict never comes: the hook reports a 503. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    sim_pass(s, 41 * SEC);
    assert_int_equal(s->counts[SIM_VERDICT], 3);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 2)->number, 503);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STALE);
    p->released = 1;
    assert_int_equal(sim_stats(s).handshakes, 0);
    /* The verdict accepts, but the host does not adopt. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    sim_pump(s);
    sim_pass(s, 11 * SEC);
    assert_int_equal(sim_adopt(p, NULL, 0), WSPOOL_ERR_STALE);
    p->released = 1;
    assert_int_equal(s->identities[1]->freed, 1);
    assert_int_equal(REFUSED(s, NOT_ADOPTED), 1);
    sim_free(s);
}

/* The header says "The id holds the place": a reserved slot counts as used. */
TEST(hosted_when_places_are_held_nobody_else_gets_them)
{
    sim *s = sim_new(1);
    client_request request = {0};
    wspool_answer answer;
    sim_peer *p[3];
    s->config.max_peers = 2;
    sim_start(s);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p[0]), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p[1]), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p[2]), WSPOOL_UPGRADE_REFUSED);
    assert_int_equal(answer.status, 503);
    sim_refused(s, &request, 503, "full");
    assert_int_equal(sim_adopt(p[0], NULL, 0), 0);
    sim_refused(s, &request, 503, "full");
    assert_int_equal(wspool_gone(s->pool, p[1]->id, WSPOOL_GONE_FAILED, s->now), 0);
    p[1]->released = 1;
    sim_join(s, "/echo");
    sim_refused(s, &request, 503, "full");
    assert_int_equal(sim_stats(s).peers, 2);
    sim_free(s);
}

TEST(hosted_when_closed_before_it_is_open_is_refused)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_answer answer;
    sim_identity *identity;
    wspool_id id;
    sim_peer *p;
    sim_start(s);
    /* Pending: the response is still to come. */
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    id = p->id;
    p->released = 1;
    assert_int_equal(SIM_IN(wspool_close(s->pool, id, 1000, NULL, 0)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_VERDICT], 1);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 0)->number, 403);
    identity = sim_identity_new(s);
    if (complete(s, id, WSPOOL_ACCEPT, 0, identity) != 0)
        identity->freed++;
    sim_pump(s);
    assert_int_equal(identity->freed, 1);
    /* Accepted: the response was returned, so no hook is called. */
    s->verdict.kind = WSPOOL_ACCEPT;
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    id = p->id;
    p->released = 1;
    assert_int_equal(SIM_IN(wspool_close(s->pool, id, 1000, NULL, 0)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_VERDICT], 1);
    assert_int_equal(wspool_adopt(s->pool, id, NULL, 0, s->now), WSPOOL_ERR_STALE);
    assert_int_equal(REFUSED(s, NOT_ALLOWED), 2);
    assert_int_equal(s->counts[SIM_OPENED], 0);
    sim_free(s);
}

TEST(hosted_when_gone_while_pending_needs_no_answer)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_answer answer;
    sim_peer *p;
    wspool_id id;
    sim_start(s);
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_PENDING);
    id = p->id;
    assert_int_equal(complete(s, id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    assert_int_equal(SIM_IN(wspool_gone(s->pool, id, WSPOOL_GONE_EOF, s->now)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_VERDICT], 0);
    assert_int_equal(s->identities[0]->freed, 1);
    assert_int_equal(REFUSED(s, GONE), 1);
    p->released = 1;
    sim_free(s);
}

TEST(hosted_when_the_request_is_unlawful_is_inval)
{
    sim *s = sim_default(1);
    wspool_request request;
    wspool_answer answer;
    wspool_id id;
    memset(&request, 0, sizeof request);
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_INVAL);
    request.size = sizeof(size_t) - 1;
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_INVAL);
    sim_books(s);
    sim_free(s);
}
