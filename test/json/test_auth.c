/* SPDX-License-Identifier: MIT */
/*
 * json/test_auth.c - a token that expires during a connection: token_expiring, and `auth` with its
 * answers. What the pool does with tokens is tested in sim/test_expiry.c.
 */
#include "talk.h"

#define SOON (TALK_CLOCK / 1000 + 60) /* seconds since 1970 */

/* A talk whose peers come with a token that expires in a minute, and its only peer. */
static talk *talk_with_token(sim_peer **p)
{
    talk *t = talk_new();
    const client_request request = {.target = "/echo", .extra = "Authorization: Bearer first\r\n"};
    t->s->ask_token = 1;
    assert_int_equal(talk_start(t), 0);
    t->s->verdict = (wspool_verdict){.kind = WSPOOL_ACCEPT, .expires = SOON};
    *p = sim_connect(t->s, &request);
    sim_pump(t->s);
    talk_skip(*p);
    return t;
}

static void expect_expiry(sim_peer *p, const char *type, uint64_t expires)
{
    char data[60];
    snprintf(data, sizeof data, "{'expires_at':%llu}", (unsigned long long)expires);
    talk_expect(p, type, data);
}

TEST(client_is_told_that_its_token_expires_and_renews_it)
{
    sim_peer *p;
    talk *t = talk_with_token(&p);
    sim_pass(t->s, 41 * SEC);
    expect_expiry(p, "token_expiring", SOON);
    t->s->verdict.expires = SOON + 600;
    talk_say(p, "{'type':'auth','data':{'token':'second'}}");
    expect_expiry(p, "auth_renewed", SOON + 600);
    assert_string_equal(sim_event_of(t->s, SIM_TOKEN, 1)->reason, "second");
    sim_pass(t->s, 60 * SEC);
    sim_expect_open(p);
    talk_free(t);
}

TEST(token_that_does_not_expire_is_renewed_without_a_time)
{
    sim_peer *p;
    talk *t = talk_with_token(&p);
    t->s->verdict.expires = 0;
    talk_say(p, "{'type':'auth','data':{'token':'second'}}");
    talk_expect(p, "auth_renewed", "{}");
    talk_free(t);
}

TEST(client_that_sends_no_new_token_is_closed_with_4001)
{
    sim_peer *p;
    talk *t = talk_with_token(&p);
    sim_pass(t->s, 61 * SEC);
    expect_expiry(p, "token_expiring", SOON);
    sim_expect_close(p, WSPOOL_END_TOKEN_EXPIRED, 4001);
    talk_free(t);
}

TEST(token_that_is_refused_is_an_error_and_the_old_one_counts)
{
    static const struct {
        enum wspool_refusal refusal;
        const char *code;
        int retry;
    } cases[] = {{WSPOOL_REFUSED_TOKEN_INVALID, "token_refused", 0},
                 {WSPOOL_REFUSED_NOT_ALLOWED, "token_refused", 0},
                 {WSPOOL_REFUSED_RATE, "unavailable", 1},
                 {WSPOOL_REFUSED_CAPACITY, "unavailable", 1}};
    sim_peer *p;
    talk *t = talk_with_token(&p);
    t->s->verdict.kind = WSPOOL_REFUSE;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        t->s->verdict.refusal = cases[i].refusal;
        talk_say(p, "{'type':'auth','data':{'token':'second'}}");
        talk_expect_error(p, cases[i].code, cases[i].retry, NULL);
    }
    talk_say(p, "{'type':'auth','data':{'token':''}}");
    talk_expect_error(p, "token_refused", 0, NULL);
    sim_pass(t->s, 61 * SEC);
    sim_expect_end(p, WSPOOL_END_TOKEN_EXPIRED);
    talk_free(t);
}

TEST(auth_that_is_no_auth_is_malformed)
{
    static const char *const texts[] = {"{'type':'auth'}", "{'type':'auth','data':{}}",
                                        "{'type':'auth','data':{'token':7}}",
                                        "{'type':'auth','data':{'token':null}}"};
    sim_peer *p;
    talk *t = talk_with_token(&p);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        talk_say(p, texts[i]);
        talk_expect_error(p, "malformed", 0, NULL);
    }
    assert_int_equal(t->s->counts[SIM_TOKEN], 1);
    talk_free(t);
}

TEST(auth_is_unexpected_without_tokens_and_during_another)
{
    sim_peer *p;
    talk *t = talk_default();
    p = talk_join(t, "/echo");
    talk_say(p, "{'type':'auth','data':{'token':'x'}}");
    talk_expect_error(p, "auth_unexpected", 0, NULL);
    talk_free(t);
    t = talk_with_token(&p);
    t->s->verdict.kind = WSPOOL_PENDING;
    talk_say(p, "{'type':'auth','data':{'token':'second'}}");
    talk_expect_silence(p);
    talk_say(p, "{'type':'auth','data':{'token':'third'}}");
    talk_expect_error(p, "auth_unexpected", 0, NULL);
    talk_free(t);
}
