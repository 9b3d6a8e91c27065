/* SPDX-License-Identifier: MIT */
/*
 * sim/test_revoke.c - tokens that are revoked, and tokens that become too old.
 *
 * Proves that a revoked token keeps no peer and lets none in, and that forgetting a revocation lets
 * none in either.
 */
#include "accept.h"

#define WALL(s) (SIM_EPOCH / 1000 + (s)->now / SEC) /* seconds since 1970 */

/* A sim whose tokens are for "ann", and were issued 100 s ago. */
static sim *sim_with_subject(void)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    s->verdict.subject = wspool_text_of("ann");
    return s;
}

static void start(sim *s)
{
    sim_start(s);
    s->verdict.issued = WALL(s) - 100;
}

static sim_peer *come(sim *s)
{
    sim_peer *p = sim_connect(s, &with_token);
    sim_pump(s);
    sim_expect_open(p);
    return p;
}

static int revoke(sim *s, const char *subject, uint64_t before)
{
    int result = SIM_IN(wspool_revoke(s->pool, wspool_text_of(subject), before, s->now));
    sim_pump(s);
    return result;
}

/* ---------------------------------------------------------------- open peers */

TEST(peers_of_the_subject_with_older_tokens_are_closed_with_4002)
{
    sim *s = sim_with_subject();
    start(s);
    sim_peer *old = come(s);
    s->verdict.issued += 50;
    sim_peer *same = come(s);
    s->verdict.subject = wspool_text_of("bob");
    s->verdict.issued = 1;
    sim_peer *other = come(s);
    assert_int_equal(revoke(s, "ann", WALL(s) - 50), 1);
    sim_expect_close(old, WSPOOL_END_REVOKED, 4002);
    sim_expect_open(same);
    sim_expect_open(other);
    sim_free(s);
}

TEST(token_without_a_time_is_older_than_any_revocation)
{
    sim *s = sim_with_subject();
    start(s);
    s->verdict.issued = 0;
    sim_peer *p = come(s);
    assert_int_equal(revoke(s, "ann", 1), 1);
    sim_expect_close(p, WSPOOL_END_REVOKED, 4002);
    sim_refused(s, &with_token, 401, "revoked");
    sim_free(s);
}

TEST(empty_subject_revokes_all_tokens)
{
    sim *s = sim_with_subject();
    start(s);
    sim_peer *p = come(s);
    s->verdict.subject = wspool_text_of("");
    sim_peer *nobody = come(s);
    assert_int_equal(revoke(s, "", WALL(s)), 2);
    sim_expect_close(p, WSPOOL_END_REVOKED, 4002);
    sim_expect_close(nobody, WSPOOL_END_REVOKED, 4002);
    sim_refused(s, &with_token, 401, "revoked");
    s->verdict.subject = wspool_text_of("ann");
    sim_refused(s, &with_token, 401, "revoked");
    s->verdict.issued = WALL(s);
    come(s);
    sim_free(s);
}

TEST(peer_on_a_route_without_tokens_stays)
{
    sim *s = sim_with_subject();
    wspool_route_options options;
    start(s);
    wspool_route_options_init(&options, &s->config);
    options.flags = WSPOOL_ROUTE_NO_TOKEN;
    assert_int_equal(wspool_route(s->pool, "/door", WSPOOL_NONE, &options), 0);
    sim_peer *p = sim_join(s, "/door");
    assert_int_equal(revoke(s, "", WALL(s)), 0);
    sim_expect_open(p);
    sim_join(s, "/door");
    sim_free(s);
}

TEST(hosted_peer_that_was_accepted_is_refused)
{
    sim *s = sim_with_subject();
    wspool_answer answer;
    sim_peer *p;
    start(s);
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(revoke(s, "ann", WALL(s)), 1);
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_TOKEN_REVOKED], 1);
    sim_free(s);
}

/* ------------------------------------------------------------- tokens that come */

TEST(revoked_token_is_refused_and_a_newer_one_is_not)
{
    sim *s = sim_with_subject();
    start(s);
    const uint64_t before = WALL(s);
    assert_int_equal(revoke(s, "ann", before), 0);
    s->verdict.issued = before - 1;
    sim_refused(s, &with_token, 401, "revoked");
    s->verdict.issued = before;
    come(s);
    s->verdict.issued = before - 1;
    s->verdict.subject = wspool_text_of("anna");
    come(s);
    sim_free(s);
}

TEST(verdict_that_comes_later_is_judged_too)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_verdict verdict = {
        .size = sizeof verdict, .kind = WSPOOL_ACCEPT, .subject = wspool_text_of("ann")};
    start(s);
    sim_peer *p = sim_connect(s, &with_token);
    sim_pump(s);
    assert_int_equal(revoke(s, "ann", WALL(s)), 0);
    assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)), 0);
    sim_pass(s, MS);
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_TOKEN_REVOKED], 1);
    assert_int_equal(sim_stats(s).accepted, 0);
    sim_free(s);
}

TEST(new_token_of_an_open_peer_is_judged_too)
{
    sim *s = sim_with_subject();
    start(s);
    const uint64_t before = WALL(s) - 10;
    s->verdict.issued = before;
    sim_peer *p = come(s);
    assert_int_equal(revoke(s, "ann", before), 0);
    s->verdict.issued = before - 1;
    assert_int_equal(SIM_IN(wspool_reauth(s->pool, p->id, wspool_text_of("x"), s->now)), 0);
    assert_int_equal(sim_event_of(s, SIM_RENEWED, 0)->number, WSPOOL_REFUSED_TOKEN_REVOKED);
    sim_expect_open(p);
    sim_free(s);
}

TEST(earlier_moment_does_not_take_a_revocation_back)
{
    sim *s = sim_with_subject();
    start(s);
    assert_int_equal(revoke(s, "ann", WALL(s)), 0);
    assert_int_equal(revoke(s, "ann", 1), 0);
    sim_refused(s, &with_token, 401, "revoked");
    sim_free(s);
}

/* ------------------------------------------------------------------ its bounds */

TEST(token_that_reaches_token_time_is_closed_and_refused)
{
    sim *s = sim_with_subject();
    s->config.token_time = 160 * SEC;
    start(s);
    sim_peer *p = come(s);
    sim_pass(s, 60 * SEC - 2 * MS);
    sim_expect_open(p);
    sim_pass(s, 4 * MS);
    sim_expect_close(p, WSPOOL_END_TOKEN_EXPIRED, 4001);
    sim_refused(s, &with_token, 401, "expired");
    s->verdict.issued = 0;
    sim_refused(s, &with_token, 401, "expired");
    sim_free(s);
}

TEST(revocation_gives_way_only_when_its_tokens_are_too_old)
{
    sim *s = sim_with_subject();
    s->config.token_time = 160 * SEC;
    s->config.max_revocations = 1;
    start(s);
    const uint64_t before = WALL(s);
    assert_int_equal(revoke(s, "ann", before), 0);
    sim_pass(s, 159 * SEC);
    assert_int_equal(revoke(s, "bob", before), WSPOOL_ERR_FULL);
    s->verdict.issued = before - 1;
    sim_refused(s, &with_token, 401, "revoked"); /* the youngest that is hit */
    sim_pass(s, 3 * SEC);
    assert_int_equal(revoke(s, "bob", before), 0);
    sim_refused(s, &with_token, 401, "expired");
    sim_free(s);
}

TEST(full_table_closes_the_peers_and_says_so)
{
    sim *s = sim_with_subject();
    s->config.max_revocations = 1;
    start(s);
    sim_peer *p = come(s);
    assert_int_equal(revoke(s, "bob", WALL(s)), 0);
    assert_int_equal(revoke(s, "ann", WALL(s)), WSPOOL_ERR_FULL);
    sim_expect_close(p, WSPOOL_END_REVOKED, 4002);
    assert_int_equal(revoke(s, "", WALL(s)), 0);
    sim_refused(s, &with_token, 401, "revoked");
    sim_free(s);
}

TEST(revocation_that_cannot_be_meant_is_an_error)
{
    sim *s = sim_with_subject();
    char text[WSPOOL_SUBJECT_MAX + 2] = "";
    memset(text, 'a', sizeof text - 1);
    start(s);
    sim_peer *p = come(s);
    assert_int_equal(revoke(s, "ann", 0), WSPOOL_ERR_INVAL);
    assert_int_equal(revoke(s, "ann", WALL(s) * 1000), WSPOOL_ERR_INVAL);
    assert_int_equal(revoke(s, "ann", UINT64_MAX), WSPOOL_ERR_INVAL);
    assert_int_equal(revoke(s, text, WALL(s)), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_revoke(NULL, wspool_text_of("ann"), 1, 0), WSPOOL_ERR_INVAL);
    sim_expect_open(p);
    sim_free(s);
}
