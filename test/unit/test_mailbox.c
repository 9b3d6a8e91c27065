/* SPDX-License-Identifier: MIT */
/*
 * unit/test_mailbox.c - pool/mailbox.c in one thread.
 *
 * Verdicts posted to the mailbox are read once and in order, and the wake hook is called exactly as
 * often as needed. Stale ids, full memory and invalid verdicts give the documented errors.
 * test/threads/ has the tests with several threads.
 */
#include "pool.h"

#define TOKEN "Authorization: Bearer t"

static int say(struct host *h, wspool_id id, enum wspool_verdict_kind kind, void *identity)
{
    wspool_verdict verdict = {.size = sizeof verdict,
                              .kind = kind,
                              .refusal = WSPOOL_REFUSED_TOKEN_EXPIRED,
                              .identity = identity};
    int answer = wspool_auth_complete(h->pool, id, &verdict);
    memset(&verdict, 0xee, sizeof verdict); /* the pool has copied it */
    return answer;
}

/* Opens `count` peers, each of which waits for its verdict. */
static void begin(struct host *h, wspool_id *ids, size_t count)
{
    host_init(h);
    h->verdict.kind = WSPOOL_PENDING;
    host_start(h);
    for (size_t i = 0; i < count; i++) {
        ids[i] = host_come(h, "/none", TOKEN);
    }
    host_run(h);
    assert_int_equal(h->calls[ON_TOKEN], count);
    assert_int_equal(h->calls[ON_OPEN], 0);
}

TEST(verdict_takes_effect_at_the_next_tick)
{
    static struct host h;
    wspool_id id;
    begin(&h, &id, 1);
    struct identity *identity = host_identity(&h);
    assert_true(wspool_deadline(h.pool) > h.now);
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, identity), 0);
    assert_int_equal(h.calls[ON_OPEN], 0);
    assert_int_equal(wspool_deadline(h.pool), 0); /* so that no host sleeps */
    assert_int_equal(wspool_tick(h.pool, h.now), 0);
    assert_int_equal(h.calls[ON_OPEN], 1);
    assert_ptr_equal(wspool_identity(h.pool, id), identity);
    host_run(&h);
    assert_true(wspool_deadline(h.pool) > h.now);
    host_expect(&h, id, "HTTP/1.1 101 ");
    host_end(&h);
}

TEST(refusal_takes_effect_with_its_reason)
{
    static struct host h;
    wspool_id id;
    begin(&h, &id, 1);
    assert_int_equal(say(&h, id, WSPOOL_REFUSE, NULL), 0);
    host_run(&h);
    host_expect(&h, id, "HTTP/1.1 401 ");
    host_expect_end(&h, id, "{\"error\":\"expired\"}");
    assert_int_equal(h.released, 1);
    host_end(&h);
}

static wspool_id order[16];
static size_t ordered;

static void note_order(struct host *h, enum on hook, wspool_id id)
{
    (void)h;
    if (hook == ON_OPEN) {
        order[ordered++] = id;
    }
}

TEST(verdicts_are_read_in_the_order_in_which_they_came)
{
    static const size_t turn[] = {3, 0, 5, 1, 4, 2};
    static struct host h;
    wspool_id ids[6];
    begin(&h, ids, 6);
    h.inside = note_order;
    ordered = 0;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(say(&h, ids[turn[i]], WSPOOL_ACCEPT, host_identity(&h)), 0);
    }
    host_run(&h);
    assert_int_equal(ordered, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(order[i] == ids[turn[i]]);
    }
    host_end(&h);
}

TEST(first_verdict_counts_when_there_are_two_for_one_peer)
{
    static struct host h;
    wspool_id id;
    begin(&h, &id, 1);
    struct identity *first = host_identity(&h), *second = host_identity(&h);
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, first), 0);
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, second), 0);
    assert_int_equal(say(&h, id, WSPOOL_REFUSE, NULL), 0);
    host_run(&h);
    assert_ptr_equal(wspool_identity(h.pool, id), first);
    assert_int_equal(first->freed, 0);
    assert_int_equal(second->freed, 1);
    assert_int_equal(host_stats(&h).peers, 1);
    host_end(&h);
}

TEST(identity_is_freed_when_nobody_asked_for_it)
{
    static struct host h;
    wspool_id ids[4];
    begin(&h, ids, 3);
    ids[3] = host_open(&h); /* has sent nothing yet */
    assert_int_equal(wspool_gone(h.pool, ids[0], WSPOOL_GONE_EOF, h.now), 0);
    /* refused; the response is being sent */
    assert_int_equal(wspool_close(h.pool, ids[1], 1000, NULL, 0), 0);
    assert_int_equal(say(&h, ids[0], WSPOOL_ACCEPT, host_identity(&h)), 0);
    assert_int_equal(say(&h, ids[1], WSPOOL_ACCEPT, host_identity(&h)), 0);
    assert_int_equal(say(&h, ids[3], WSPOOL_ACCEPT, host_identity(&h)), 0);
    assert_int_equal(say(&h, 0, WSPOOL_ACCEPT, host_identity(&h)), 0);
    assert_int_equal(say(&h, UINT64_MAX, WSPOOL_ACCEPT, host_identity(&h)), 0);
    assert_int_equal(wspool_tick(h.pool, h.now), 0);
    assert_int_equal(h.calls[ON_IDENTITY_FREE], 5);
    host_run(&h);
    assert_int_equal(say(&h, ids[0], WSPOOL_ACCEPT, host_identity(&h)), 0); /* stale by now */
    /* a refusal brings no identity */
    assert_int_equal(say(&h, ids[0], WSPOOL_REFUSE, &h), 0);
    assert_int_equal(say(&h, ids[0], WSPOOL_ACCEPT, NULL), 0);
    host_run(&h);
    assert_int_equal(h.calls[ON_IDENTITY_FREE], 6);
    assert_int_equal(h.calls[ON_OPEN], 0);
    host_end(&h);
}

/* --------------------------------------------------------------------- wake */

TEST(wake_is_called_once_when_many_verdicts_come)
{
    static struct host h;
    wspool_id ids[6];
    begin(&h, ids, 6);
    assert_int_equal(h.calls[ON_WAKE], 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(say(&h, ids[i], WSPOOL_ACCEPT, NULL), 0);
        assert_int_equal(h.calls[ON_WAKE], 1);
    }
    host_run(&h);
    assert_int_equal(h.calls[ON_OPEN], 4);
    for (unsigned i = 4; i < 6; i++) { /* and again for the first post after each emptying */
        assert_int_equal(say(&h, ids[i], WSPOOL_ACCEPT, NULL), 0);
        assert_int_equal(h.calls[ON_WAKE], i - 2);
        host_run(&h);
        assert_int_equal(h.calls[ON_OPEN], i + 1);
    }
    host_end(&h);
}

/* A thread that posts may be preempted between adding its node to the queue and calling the wake
 * hook. The pool's thread may read the node in the meantime, and the wake call is then
 * superfluous. The next tick finds no node, and the next post must wake again. */
TEST(wake_is_called_when_the_last_one_came_for_nothing)
{
    static struct host h;
    wspool_id id;
    begin(&h, &id, 1);
    atomic_store(&h.pool->mailbox.woken, 1); /* the state that this thread leaves */
    host_run(&h);
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, NULL), 0);
    assert_int_equal(h.calls[ON_WAKE], 1);
    host_run(&h);
    assert_int_equal(h.calls[ON_OPEN], 1);
    host_end(&h);
}

static void answer_in_the_hook(struct host *h, enum on hook, wspool_id id)
{
    if (hook == ON_OPEN && h->calls[ON_OPEN] == 1) {
        assert_int_equal(say(h, h->asked, WSPOOL_ACCEPT, host_identity(h)), 0);
        assert_int_equal(h->calls[ON_WAKE], 2);
    } else if (hook == ON_TOKEN) {
        assert_int_equal(say(h, id, WSPOOL_ACCEPT, host_identity(h)), 0);
    }
}

TEST(verdict_is_left_for_the_next_tick_when_it_comes_while_others_are_read)
{
    static struct host h;
    wspool_id ids[2];
    begin(&h, ids, 2);
    h.inside = answer_in_the_hook;
    assert_int_equal(say(&h, ids[0], WSPOOL_ACCEPT, host_identity(&h)), 0);
    assert_int_equal(wspool_tick(h.pool, h.now), 0);
    assert_int_equal(h.calls[ON_OPEN], 1);
    assert_int_equal(wspool_deadline(h.pool), 0);
    assert_int_equal(wspool_tick(h.pool, h.now), 0);
    assert_int_equal(h.calls[ON_OPEN], 2);
    host_run(&h);
    host_end(&h);
}

TEST(verdict_is_good_when_it_is_given_inside_the_token_hook)
{
    static struct host h;
    host_init(&h);
    h.verdict.kind = WSPOOL_PENDING;
    h.inside = answer_in_the_hook;
    host_start(&h);
    h.calls[ON_WAKE] = 0;
    wspool_id id = host_come(&h, "/none", TOKEN);
    assert_int_equal(h.calls[ON_OPEN], 0); /* at the next tick, as always */
    h.inside = NULL;
    host_run(&h);
    assert_int_equal(h.calls[ON_OPEN], 1);
    host_expect(&h, id, "HTTP/1.1 101 ");
    host_end(&h);
}

TEST(verdicts_are_read_when_there_is_no_wake_hook)
{
    static struct host h;
    wspool_id id;
    host_init(&h);
    h.config.wake.call = NULL;
    h.verdict.kind = WSPOOL_PENDING;
    host_start(&h);
    id = host_come(&h, "/none", TOKEN);
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, NULL), 0);
    host_run(&h);
    assert_int_equal(h.calls[ON_OPEN], 1);
    host_end(&h);
}

/* --------------------------------------------------------------------- ends */

TEST(verdicts_that_nobody_reads_are_thrown_away_with_the_pool)
{
    static struct host h;
    wspool_id ids[3];
    begin(&h, ids, 3);
    assert_int_equal(say(&h, ids[0], WSPOOL_ACCEPT, host_identity(&h)), 0);
    assert_int_equal(say(&h, ids[1], WSPOOL_REFUSE, &h), 0);
    assert_int_equal(say(&h, 0, WSPOOL_ACCEPT, host_identity(&h)), 0);
    host_end(&h); /* checks identities and memory */
    assert_int_equal(h.calls[ON_OPEN], 0);
    assert_int_equal(h.calls[ON_IDENTITY_FREE], 2);
}

TEST(verdict_is_refused_when_it_is_none)
{
    static struct host h;
    wspool_id id;
    begin(&h, &id, 1);
    wspool_verdict v = {.size = sizeof v, .kind = WSPOOL_ACCEPT};
    assert_int_equal(wspool_auth_complete(NULL, id, &v), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_auth_complete(h.pool, id, NULL), WSPOOL_ERR_INVAL);
    for (int kind = -1; kind < 5; kind++) {
        v.kind = (enum wspool_verdict_kind)kind;
        if (kind != WSPOOL_ACCEPT && kind != WSPOOL_REFUSE) {
            assert_int_equal(wspool_auth_complete(h.pool, id, &v), WSPOOL_ERR_INVAL);
        }
    }
    v.kind = WSPOOL_ACCEPT;
    v.size = sizeof v.size - 1;
    assert_int_equal(wspool_auth_complete(h.pool, id, &v), WSPOOL_ERR_INVAL);
    assert_int_equal(h.calls[ON_WAKE], 0);
    /* A verdict from an older host without any member is a refusal. */
    v.size = sizeof v.size;
    assert_int_equal(wspool_auth_complete(h.pool, id, &v), 0);
    host_run(&h);
    assert_int_equal(h.calls[ON_OPEN], 0);
    assert_int_equal(host_stats(&h).refused[WSPOOL_REFUSED_TOKEN_INVALID], 1);
    host_end(&h);
}

TEST(verdict_stays_the_hosts_when_there_is_no_memory)
{
    static struct host h;
    wspool_id id;
    begin(&h, &id, 1);
    struct identity *identity = host_identity(&h);
    h.mem.fail_at = 1;
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, identity), WSPOOL_ERR_NOMEM);
    assert_int_equal(h.calls[ON_WAKE], 0);
    host_run(&h);
    assert_int_equal(identity->freed, 0);
    /* the identity is still the caller's: it may try again */
    assert_int_equal(say(&h, id, WSPOOL_ACCEPT, identity), 0);
    host_run(&h);
    assert_int_equal(h.calls[ON_OPEN], 1);
    host_end(&h);
}
