/* SPDX-License-Identifier: MIT */
/*
 * sim/test_expiry.c - a token that expires while its peer is open: the announcement, the close, and
 * a new token in time.
 *
 * Proves that no peer stays longer than its token allows, and that one with a new token stays.
 */
#include "accept.h"

#define WALL(s) (SIM_EPOCH / 1000 + (s)->now / SEC) /* seconds since 1970 */

/* A sim whose tokens are good for so many seconds. */
static sim *sim_with_expiry(uint64_t seconds)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    sim_start(s);
    s->verdict.expires = WALL(s) + seconds;
    return s;
}

static sim_peer *come(sim *s)
{
    sim_peer *p = sim_connect(s, &with_token);
    sim_pump(s);
    sim_expect_open(p);
    return p;
}

static int reauth(const sim_peer *p, const char *token)
{
    return SIM_IN(wspool_reauth(p->sim->pool, p->id, wspool_text_of(token), p->sim->now));
}

static void expect_renewed(const sim *s, size_t n, long refusal, uint64_t expires)
{
    const sim_event *event = sim_event_of(s, SIM_RENEWED, n);
    assert_non_null(event);
    assert_int_equal(event->number, refusal);
    assert_int_equal(event->count, expires);
    assert_int_equal(s->counts[SIM_RENEWED], n + 1);
}

/* ------------------------------------------------------------------ the end */

TEST(peer_is_closed_with_4001_when_its_token_expires)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = come(s);
    sim_pass(s, 60 * SEC - 2 * MS);
    sim_expect_open(p);
    sim_pass(s, 4 * MS);
    sim_expect_close(p, WSPOOL_END_TOKEN_EXPIRED, 4001);
    sim_free(s);
}

TEST(peer_gets_nothing_more_when_its_token_has_expired)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = sim_connect(
        s, &(client_request){.target = "/all", .extra = "Authorization: Bearer secret.1\r\n"});
    sim_pump(s);
    sim_expect_open(p);
    p->mute_close = 1; /* it does not answer the Close, so it stays for a while */
    sim_pass(s, 60 * SEC + 4 * MS);
    assert_true(sim_broadcast(s, wspool_global("all"), "too late") <= 0);
    sim_pass(s, 10 * SEC);
    assert_int_equal(sim_stats(s).queued, 0);
    sim_free(s);
}

TEST(token_that_has_expired_already_is_refused)
{
    sim *s = sim_with_expiry(0);
    sim_refused(s, &with_token, 401, "expired");
    s->verdict.expires = 1;
    sim_refused(s, &with_token, 401, "expired");
    sim_free(s);
}

TEST(token_that_expires_beyond_all_times_does_not_expire)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    s->config.ping_interval = 0; /* or it would be a long time of pings */
    sim_start(s);
    const uint64_t far[] = {UINT64_MAX, UINT64_MAX / 1000, UINT64_C(1) << 53, 0};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        s->verdict.expires = far[i];
        come(s);
    }
    sim_pass(s, 1000000 * SEC);
    assert_int_equal(sim_stats(s).peers, 4);
    assert_int_equal(s->counts[SIM_EXPIRING], 0);
    sim_free(s);
}

TEST(verdict_that_comes_late_expires_at_its_time)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
    sim_start(s);
    sim_peer *p = sim_connect(s, &with_token);
    sim_pump(s);
    verdict.expires = WALL(s) + 60;
    sim_pass(s, 20 * SEC);
    assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)), 0);
    sim_pass(s, 40 * SEC - 2 * MS);
    sim_expect_open(p);
    sim_pass(s, 4 * MS);
    sim_expect_close(p, WSPOOL_END_TOKEN_EXPIRED, 4001);
    sim_free(s);
}

TEST(hosted_peer_expires_too)
{
    sim *s = sim_with_expiry(60);
    wspool_answer answer;
    sim_peer *p;
    assert_int_equal(sim_upgrade(s, &with_token, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    sim_pass(s, 5 * SEC);
    assert_int_equal(sim_adopt(p, NULL, 0), 0);
    sim_pass(s, 55 * SEC + 4 * MS);
    sim_expect_end(p, WSPOOL_END_TOKEN_EXPIRED);
    sim_free(s);
}

/* ---------------------------------------------------------- the announcement */

TEST(expiry_is_announced_20_to_30_s_before_at_a_different_time_for_each_peer)
{
    enum { PEERS = 200, BINS = 10 };
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    size_t bins[BINS] = {0};
    s->config.max_peers = PEERS;
    sim_start(s);
    s->verdict.expires = WALL(s) + 600;
    const uint64_t end = s->now + 600 * SEC;
    for (int i = 0; i < PEERS; i++)
        come(s);
    sim_pass(s, 599 * SEC);
    assert_int_equal(s->counts[SIM_EXPIRING], PEERS); /* each once */
    for (size_t i = 0; i < PEERS; i++) {
        const sim_event *event = sim_event_of(s, SIM_EXPIRING, i);
        assert_int_equal(event->count, s->verdict.expires);
        assert_in_range(event->last, 20 * SEC - 2 * MS, 30 * SEC);
        assert_int_equal(event->now + event->last, end);
        bins[(event->last + 2 * MS - 20 * SEC) * BINS / (10 * SEC + 4 * MS)]++;
    }
    for (size_t i = 0; i < BINS; i++)
        assert_in_range(bins[i], PEERS / BINS / 4, 3 * PEERS / BINS);
    sim_free(s);
}

TEST(short_token_is_announced_in_the_middle_of_its_time)
{
    sim *s = sim_with_expiry(10);
    come(s);
    sim_pass(s, 9 * SEC);
    assert_in_range(sim_event_of(s, SIM_EXPIRING, 0)->last, 5 * SEC - 2 * MS, 5 * SEC);
    sim_free(s);
}

TEST(nothing_is_announced_when_expiring_time_is_0)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    s->config.expiring_time = 0;
    sim_start(s);
    s->verdict.expires = WALL(s) + 60;
    sim_peer *p = come(s);
    sim_pass(s, 61 * SEC);
    sim_expect_end(p, WSPOOL_END_TOKEN_EXPIRED);
    assert_int_equal(s->counts[SIM_EXPIRING], 0);
    sim_free(s);
}

static void close_it(sim *s, const sim_event *event)
{
    if (event->what == SIM_EXPIRING)
        SIM_IN(wspool_close(s->pool, event->id, 1000, NULL, 0));
}

TEST(expiring_hook_may_close_the_peer)
{
    sim *s = sim_with_expiry(60);
    s->react = close_it;
    sim_peer *p = come(s);
    sim_pass(s, 61 * SEC);
    sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 1000);
    sim_free(s);
}

/* ---------------------------------------------------------------- a new token */

TEST(new_token_moves_the_end_and_replaces_the_identity)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = come(s);
    const void *old = wspool_identity(s->pool, p->id);
    sim_pass(s, 50 * SEC);
    s->verdict.expires += 60;
    assert_int_equal(reauth(p, "secret.2"), 0);
    expect_renewed(s, 0, -1, s->verdict.expires);
    assert_string_equal(sim_event_of(s, SIM_TOKEN, 1)->reason, "secret.2");
    assert_ptr_not_equal(wspool_identity(s->pool, p->id), old);
    assert_int_equal(s->counts[SIM_IDENTITY_FREED], 1);
    sim_pass(s, 69 * SEC);
    sim_expect_open(p);
    assert_int_equal(s->counts[SIM_EXPIRING], 2); /* of the new token, too */
    sim_pass(s, 2 * SEC);
    sim_expect_end(p, WSPOOL_END_TOKEN_EXPIRED);
    assert_int_equal(sim_stats(s).renewals, 1);
    sim_free(s);
}

TEST(new_token_without_an_identity_keeps_the_old_one)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = come(s);
    s->grant = 0;
    assert_int_equal(reauth(p, "secret.2"), 0);
    expect_renewed(s, 0, -1, s->verdict.expires);
    assert_ptr_equal(wspool_identity(s->pool, p->id), s->identities[0]);
    sim_free(s);
}

TEST(new_token_may_be_one_that_does_not_expire_and_the_reverse)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = come(s);
    s->verdict.expires = 0;
    assert_int_equal(reauth(p, "secret.2"), 0);
    sim_pass(s, 100 * SEC);
    sim_expect_open(p);
    s->verdict.expires = WALL(s) + 10;
    sim_peer *q = come(s);
    assert_int_equal(reauth(p, "secret.3"), 0);
    sim_pass(s, 11 * SEC);
    sim_expect_end(p, WSPOOL_END_TOKEN_EXPIRED);
    sim_expect_end(q, WSPOOL_END_TOKEN_EXPIRED);
    sim_free(s);
}

TEST(token_that_is_refused_leaves_the_old_one)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = come(s);
    const uint64_t old = s->verdict.expires;
    s->verdict.kind = WSPOOL_REFUSE;
    s->verdict.refusal = WSPOOL_REFUSED_TOKEN_WRONG_ISSUER;
    assert_int_equal(reauth(p, "secret.2"), 0);
    expect_renewed(s, 0, WSPOOL_REFUSED_TOKEN_WRONG_ISSUER, old);
    s->verdict.kind = WSPOOL_ACCEPT;
    s->verdict.expires = 5; /* long ago */
    assert_int_equal(reauth(p, "secret.3"), 0);
    expect_renewed(s, 1, WSPOOL_REFUSED_TOKEN_EXPIRED, old);
    assert_int_equal(reauth(p, " "), 0);
    expect_renewed(s, 2, WSPOOL_REFUSED_TOKEN_EMPTY, old);
    assert_int_equal(reauth(p, "a\x80"), 0);
    expect_renewed(s, 3, WSPOOL_REFUSED_TOKEN_MALFORMED, old);
    assert_int_equal(s->counts[SIM_TOKEN], 3);          /* no hook for the last two */
    assert_int_equal(s->counts[SIM_IDENTITY_FREED], 1); /* of secret.3 */
    assert_int_equal(sim_stats(s).renewals_refused, 4);
    assert_int_equal(sim_logged(s, "renewed"), 4);
    sim_pass(s, 59 * SEC);
    sim_expect_open(p);
    sim_pass(s, 2 * SEC);
    sim_expect_end(p, WSPOOL_END_TOKEN_EXPIRED);
    sim_free(s);
}

TEST(new_token_must_be_for_the_same_subject)
{
    const struct {
        const char *first, *second;
        int is_good;
    } cases[] = {{"ann", "ann", 1}, {"ann", "bob", 0}, {"ann", "anna", 0},
                 {"ann", "", 0},    {"", "", 1},       {"", "ann", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim *s = sim_with_expiry(60);
        s->verdict.subject = wspool_text_of(cases[i].first);
        sim_peer *p = come(s);
        const uint64_t old = s->verdict.expires;
        s->verdict.subject = wspool_text_of(cases[i].second);
        s->verdict.expires += 60;
        assert_int_equal(reauth(p, "secret.2"), 0);
        expect_renewed(s, 0, cases[i].is_good ? -1 : WSPOOL_REFUSED_TOKEN_WRONG_SUBJECT,
                       cases[i].is_good ? s->verdict.expires : old);
        sim_free(s);
    }
}

TEST(subject_that_the_host_named_is_not_compared)
{
    sim *s = sim_with_expiry(60);
    wspool_text subject;
    s->subject = "host";
    sim_peer *p = come(s);
    s->verdict.subject = wspool_text_of("ann");
    assert_int_equal(reauth(p, "secret.2"), 0);
    expect_renewed(s, 0, -1, s->verdict.expires);
    assert_int_equal(wspool_subject(s->pool, p->id, &subject), 0);
    assert_int_equal(subject.len, 4);
    sim_free(s);
}

TEST(tokens_without_end_spend_the_abuse_budget)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = come(s);
    s->verdict.kind = WSPOOL_REFUSE;
    for (int i = 0; i < 200; i++)
        assert_int_equal(reauth(p, "secret.2"), 0);
    sim_expect_open(p);
    assert_int_equal(reauth(p, "secret.2"), 0);
    assert_int_equal(s->counts[SIM_TOKEN], 201); /* the last one was not judged */
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_ABUSE, 4103);
    sim_free(s);
}

TEST(new_token_is_an_error_when_it_cannot_be_judged)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = come(s);
    sim_peer *half = sim_open(s, NULL);
    assert_int_equal(reauth(half, "x"), WSPOOL_ERR_STATE);
    assert_int_equal(SIM_IN(wspool_reauth(s->pool, p->id + 99, wspool_text_of("x"), 0)),
                     WSPOOL_ERR_STALE);
    assert_int_equal(SIM_IN(wspool_reauth(s->pool, p->id, (wspool_text){NULL, 3}, 0)),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_reauth(NULL, p->id, wspool_text_of("x"), 0), WSPOOL_ERR_INVAL);
    sim_say_close(p, 1000, "");
    sim_pump(s);
    assert_int_not_equal(reauth(p, "x"), 0);
    assert_int_equal(s->counts[SIM_RENEWED], 0);
    sim_free(s);
    s = sim_default(1); /* no tokens */
    p = sim_join(s, "/echo");
    assert_int_equal(reauth(p, "x"), WSPOOL_ERR_STATE);
    sim_free(s);
}

static int told;

static void on_deadline(void *user)
{
    (void)user;
    told++;
}

TEST(new_token_that_expires_sooner_wakes_a_host_that_sleeps)
{
    sim *s = sim_with_token(WSPOOL_ACCEPT);
    s->config.deadline = (wspool_deadline_hook){on_deadline, NULL};
    s->config.ping_interval = 0;
    sim_start(s);
    s->verdict.expires = WALL(s) + 600;
    sim_peer *p = come(s);
    told = 0;
    s->verdict.expires = WALL(s) + 800;
    assert_int_equal(reauth(p, "secret.2"), 0);
    assert_int_equal(told, 0);
    s->verdict.expires = WALL(s) + 60;
    assert_int_equal(reauth(p, "secret.3"), 0);
    assert_int_equal(told, 1);
    sim_free(s);
}

/* ------------------------------------------------------- verdicts that come later */

static sim *sim_with_late_verdicts(sim_peer **p)
{
    sim *s = sim_with_expiry(300);
    *p = come(s);
    s->verdict.kind = WSPOOL_PENDING;
    assert_int_equal(reauth(*p, "secret.2"), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_RENEWED], 0);
    return s;
}

TEST(late_verdict_renews_on_the_tick)
{
    sim_peer *p;
    sim *s = sim_with_late_verdicts(&p);
    wspool_verdict verdict = {.size = sizeof verdict,
                              .kind = WSPOOL_ACCEPT,
                              .identity = sim_identity_new(s),
                              .expires = WALL(s) + 900};
    assert_int_equal(reauth(p, "secret.3"), WSPOOL_ERR_STATE); /* one at a time */
    assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)), 0);
    assert_int_equal(s->counts[SIM_RENEWED], 0);
    sim_pump(s);
    expect_renewed(s, 0, -1, verdict.expires);
    assert_ptr_equal(wspool_identity(s->pool, p->id), s->identities[1]);
    sim_pass(s, 890 * SEC);
    sim_expect_open(p);
    assert_int_equal(reauth(p, "secret.4"), 0); /* the next one may come */
    sim_free(s);
}

TEST(late_refusal_leaves_the_old_token)
{
    sim_peer *p;
    sim *s = sim_with_late_verdicts(&p);
    const uint64_t old = s->verdict.expires;
    assert_int_equal(complete(s, p->id, WSPOOL_REFUSE, WSPOOL_REFUSED_NOT_ALLOWED, NULL), 0);
    sim_pump(s);
    expect_renewed(s, 0, WSPOOL_REFUSED_NOT_ALLOWED, old);
    sim_pass(s, 301 * SEC);
    sim_expect_end(p, WSPOOL_END_TOKEN_EXPIRED);
    sim_free(s);
}

/* A verdict that comes after its time must not be taken for one on a later token. */
TEST(verdict_after_verdict_time_changes_nothing)
{
    sim_peer *p;
    sim *s = sim_with_late_verdicts(&p);
    const uint64_t old = s->verdict.expires;
    sim_pass(s, 30 * SEC + 2 * MS);
    expect_renewed(s, 0, WSPOOL_REFUSED_VERDICT_TIMEOUT, old);
    assert_int_equal(reauth(p, "secret.3"), WSPOOL_ERR_STATE);
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_RENEWED], 1);
    assert_int_equal(s->counts[SIM_IDENTITY_FREED], 1);
    s->verdict.kind = WSPOOL_ACCEPT;
    assert_int_equal(reauth(p, "secret.3"), 0);
    expect_renewed(s, 1, -1, old);
    sim_free(s);
}

TEST(late_verdict_on_a_peer_that_has_left_frees_its_identity)
{
    sim_peer *p;
    sim *s = sim_with_late_verdicts(&p);
    const wspool_id id = p->id;
    sim_cut(p, WSPOOL_GONE_FAILED);
    sim_pump(s);
    assert_int_equal(complete(s, id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_RENEWED], 0);
    sim_free(s); /* finds an identity that was not freed */
}

/* ------------------------------------------------------------- several handlers */

static void second_token(wspool *pool, wspool_id id, const wspool_request *request,
                         wspool_verdict *out, void *user)
{
    const wspool_verdict *verdict = user;
    (void)pool, (void)id, (void)request;
    *out = *verdict;
    out->size = sizeof *out;
}

TEST(earliest_expiry_of_several_verdicts_counts)
{
    sim *s = sim_with_expiry(60);
    wspool_verdict second = {.kind = WSPOOL_ACCEPT, .expires = WALL(s) + 30};
    const wspool_handlers handlers = {
        .size = sizeof handlers, .token = second_token, .user = &second};
    assert_int_equal(SIM_IN(wspool_attach(s->pool, &handlers)), 0);
    sim_peer *p = come(s);
    second.expires = WALL(s) + 90;
    s->verdict.expires = WALL(s) + 120;
    assert_int_equal(reauth(p, "secret.2"), 0);
    expect_renewed(s, 0, -1, second.expires);
    second.kind = WSPOOL_PENDING; /* the hook of the configuration waits, too */
    s->verdict.kind = WSPOOL_PENDING;
    assert_int_equal(reauth(p, "secret.3"), 0);
    for (uint64_t time = 300; time >= 200; time -= 100) {
        const wspool_verdict verdict = {.size = sizeof verdict,
                                        .kind = WSPOOL_ACCEPT,
                                        .identity = sim_identity_new(s),
                                        .expires = WALL(s) + time};
        assert_int_equal(s->counts[SIM_RENEWED], 1);
        assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)), 0);
        sim_pump(s);
    }
    expect_renewed(s, 1, -1, WALL(s) + 200);
    sim_free(s);
}

/* The refusal is told at once. The verdict that the other hook still owes is none on a later
 * token. */
TEST(refusal_of_one_does_not_wait_for_the_verdicts_of_others)
{
    sim *s = sim_with_expiry(300);
    wspool_verdict last = {.kind = WSPOOL_ACCEPT}, first = {.kind = WSPOOL_ACCEPT};
    const wspool_handlers handlers[2] = {
        {.size = sizeof handlers[0], .token = second_token, .user = &first},
        {.size = sizeof handlers[0], .token = second_token, .user = &last}};
    assert_int_equal(SIM_IN(wspool_attach(s->pool, &handlers[0])), 0);
    assert_int_equal(SIM_IN(wspool_attach(s->pool, &handlers[1])), 0);
    sim_peer *p = come(s);
    const uint64_t old = s->verdict.expires;
    first.kind = WSPOOL_PENDING;
    last = (wspool_verdict){.kind = WSPOOL_REFUSE, .refusal = WSPOOL_REFUSED_NOT_ALLOWED};
    assert_int_equal(reauth(p, "secret.2"), 0);
    expect_renewed(s, 0, WSPOOL_REFUSED_NOT_ALLOWED, old);
    first.kind = last.kind = WSPOOL_ACCEPT;
    assert_int_equal(reauth(p, "secret.3"), WSPOOL_ERR_STATE); /* the first may still answer */
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_RENEWED], 1);
    assert_int_equal(s->counts[SIM_IDENTITY_FREED], 1);
    assert_int_equal(reauth(p, "secret.3"), 0);
    expect_renewed(s, 1, -1, old);
    sim_free(s);
}

/* The end of a grant does nothing to a peer that is closing already. */
TEST(token_that_expires_while_its_peer_is_closing_changes_nothing)
{
    sim *s = sim_with_expiry(60);
    sim_peer *p = come(s);
    p->mute_close = 1;
    sim_pass(s, 58 * SEC);
    assert_int_equal(SIM_IN(wspool_close(s->pool, p->id, 1000, NULL, 0)), 0);
    sim_pass(s, 30 * SEC);
    sim_expect_end(p, WSPOOL_END_HOST_CLOSED);
    sim_free(s);
}

/* Wherever memory ends, the peer is as before and nothing is lost. */
TEST(new_token_without_memory_is_an_error)
{
    for (size_t fail = 1;; fail++) {
        sim *s = sim_new(1);
        s->ask_token = 1;
        s->verdict = (wspool_verdict){.size = sizeof s->verdict, .kind = WSPOOL_ACCEPT};
        sim_start(s);
        sim_peer *p = come(s);
        s->heap.fail_at = s->heap.calls + fail;
        s->no_memory = 1;
        const int error = reauth(p, "secret.2");
        const size_t failed = s->heap.failed;
        s->heap.fail_at = 0;
        s->no_memory = 0;
        assert_int_equal(error, failed > 0 ? WSPOOL_ERR_NOMEM : 0);
        assert_int_equal(reauth(p, "secret.2"), 0);
        sim_expect_open(p);
        sim_free(s);
        if (failed == 0) {
            break;
        }
    }
}
