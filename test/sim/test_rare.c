/* SPDX-License-Identifier: MIT */
/*
 * sim/test_rare.c - rare cases of whole pools.
 *
 * A hook opens a peer while the pool is being freed. The output budget is spent while no peer is
 * blocked. A contract publishes, or ends the channel, while it renders. Each must return the
 * documented error and leave a valid pool.
 */
#include "sim.h"

/* ----------------------------------------------------- while the pool is freed */

static int answered;

static void open_another(sim *s, const sim_event *event)
{
    wspool_id id = 7;
    if (event->what == SIM_CLOSED) {
        answered = wspool_open(s->pool, NULL, s->now, &id);
        assert_true(id == 0);
    }
}

TEST(open_when_the_pool_is_being_freed_answers_state)
{
    sim *s = sim_default(1);
    sim_join(s, "/all");
    answered = 0;
    s->react = open_another;
    sim_free_pool(s);
    assert_int_equal(answered, WSPOOL_ERR_STATE);
    assert_int_equal(s->counts[SIM_CLOSED], 1);
    sim_free(s);
}

/* ---------------------------------------------------------------- output budget */

TEST(broadcast_when_the_budget_is_spent_and_nobody_is_blocked_answers_full)
{
    enum { SIZE = 6000 };
    sim *s = sim_new(1);
    char *text = sim_malloc(SIZE + 1);
    sim_peer *p, *q;
    wspool_statistics st;
    int sent = 0, rc;
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    s->config.pool_bytes = 50000;
    sim_start(s);
    p = sim_join(s, "/all");
    q = sim_join(s, "/all");
    while ((rc = sim_broadcast(s, wspool_global("all"), text)) == 2)
        assert_true(++sent < 50);
    assert_int_equal(rc, WSPOOL_ERR_FULL);
    assert_true(sent > 0);
    assert_int_equal(sim_send(p, text), WSPOOL_ERR_FULL);
    st = sim_stats(s);
    assert_int_equal(st.budget_refused, 2);
    assert_int_equal(st.shed, 0);
    assert_int_equal(st.published, sent);
    sim_pump(s); /* the peers read, and then there is space again */
    assert_int_equal(p->reader.messages, sent);
    assert_int_equal(sim_broadcast(s, wspool_global("all"), text), 2);
    sim_pump(s);
    assert_int_equal(q->reader.messages, sent + 1);
    sim_expect_open(p);
    sim_expect_open(q);
    free(text);
    sim_free(s);
}

/* ------------------------------------------------------------------ contracts */

struct writing {
    sim *s;
    sim_peer *leaves; /* NULL: the contract publishes; otherwise it unsubscribes this peer */
    int inner;
};

static int render_too_much(const wspool_publication *publication, wspool_text *message, void *user)
{
    struct writing *w = user;
    (void)publication;
    if (w->leaves != NULL)
        w->inner = wspool_unsubscribe(w->s->pool, w->leaves->id, wspool_global("all"));
    else
        w->inner = wspool_broadcast(w->s->pool, wspool_global("all"), "inner", 5, NULL, NULL);
    *message = (wspool_text){"outer", 5};
    return 0;
}

static sim *begin_with(struct writing *w)
{
    sim *s = w->s = sim_default(1);
    wspool_handlers contract = {.size = sizeof contract, .user = w, .render = render_too_much};
    assert_int_equal(wspool_attach(s->pool, &contract), 0);
    return s;
}

static int publish(sim *s)
{
    return SIM_IN(wspool_publish(s->pool, wspool_global("all"), wspool_text_of("t"),
                                 (wspool_text){0}, NULL, NULL));
}

TEST(contract_that_publishes_or_ends_the_channel_answers_reentrant)
{
    for (int leaves = 0; leaves < 2; leaves++) {
        struct writing w = {.inner = 99};
        sim *s = begin_with(&w);
        sim_peer *p = sim_join(s, "/all");
        w.leaves = leaves ? p : NULL;
        assert_int_equal(publish(s), 1);
        assert_int_equal(w.inner, WSPOOL_ERR_REENTRANT);
        sim_pump(s);
        assert_int_equal(p->reader.messages, 1);
        sim_expect_message(p, 0, "outer");
        sim_free(s);
    }
}
