/* SPDX-License-Identifier: MIT */
/*
 * json/test_memory.c - every scenario again for each of its allocations: that one fails, then that
 * one and all after it. The allocations are those of
 * - jansson, which gets an allocator of this test (in every build); blocks of jansson must be freed
 *   by that allocator;
 * - the C library, the companion's included (only where malloc can be interposed: not with a
 *   sanitizer or valgrind);
 * - the pool.
 *
 * After each run: no crash, no leak, no incomplete message (talk.c checks), and a new peer is
 * served normally. The data that handlers got are not compared: jansson 2.14 omits a byte for which
 * it has no memory.
 */
#include "talk.h"

/* ------------------------------------------------------ jansson's allocator */

static struct {
    size_t calls; /* from inside a call of the pool */
    size_t fail_at;
    int fail_on;
    size_t failed;
    long live;
} jansson;

#define MARK UINT64_C(0x7a550f0a110c8ed5)

typedef struct head {
    uint64_t mark;
    uint64_t inside;
} head;

static void *jansson_malloc(size_t size)
{
    head *h;
    if (sim_inside > 0) {
        jansson.calls++;
        if (jansson.fail_at != 0 && (jansson.calls == jansson.fail_at ||
                                     (jansson.fail_on && jansson.calls > jansson.fail_at))) {
            jansson.failed++;
            return NULL;
        }
    }
    h = malloc(sizeof *h + size);
    if (h == NULL)
        return NULL;
    h->mark = MARK;
    h->inside = sim_inside > 0;
    jansson.live += sim_inside > 0;
    memset(h + 1, 0xa5, size);
    return h + 1;
}

static void jansson_free(void *block)
{
    head *h = block;
    if (block == NULL)
        return;
    h--;
    if (h->mark != MARK)
        abort(); /* not a block of this allocator */
    h->mark = 0;
    jansson.live -= (long)h->inside;
    free(h);
}

enum whose { JANSSON, C_LIBRARY, POOL };
static const char *const whose_words[] = {"jansson", "the C library", "the pool"};

static void fail_from(talk *t, enum whose whose, size_t fail_at, int fail_on)
{
    if (whose == JANSSON) {
        jansson.calls = 0;
        jansson.failed = 0;
        jansson.fail_at = fail_at;
        jansson.fail_on = fail_on;
    } else if (whose == C_LIBRARY) {
        sim_c.calls = 0;
        sim_c.failed = 0;
        sim_c.fail_at = fail_at;
        sim_c.fail_on = fail_on;
    } else {
        t->s->heap.fail_at = fail_at == 0 ? 0 : t->s->heap.calls + fail_at;
        t->s->heap.fail_on = fail_on;
        t->s->heap.failed = 0;
    }
}

static size_t how_many_failed(const talk *t, enum whose whose)
{
    return whose == JANSSON     ? jansson.failed
           : whose == C_LIBRARY ? sim_c.failed
                                : t->s->heap.failed;
}

/* ----------------------------------------------------------------- scenarios
 *
 * Any step may fail. Only what must hold even then is checked here. */

static size_t done;
static const char *refusal;

static const char *do_it(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                         void *user)
{
    (void)json, (void)pool, (void)id, (void)user;
    assert_true(json_is_object(data));
    done++;
    return refusal;
}

static int is_open(const sim_peer *p)
{
    return p != NULL && p->opened && !p->ended;
}

static void say(sim_peer *p, const char *text)
{
    if (is_open(p))
        talk_say(p, text);
}

static void expect_memory_or(int answer, int least)
{
    if (answer < least && answer != WSPOOL_ERR_NOMEM)
        fail_msg("%d is neither an answer nor the lack of memory", answer);
}

static void life(talk *t)
{
    expect_memory_or(talk_start(t), 0);
}

static void registering(talk *t)
{
    static const char *const names[] = {"a", "b", "c"};
    if (talk_start(t) != 0)
        return;
    for (size_t i = 0; i < 3; i++) {
        expect_memory_or(SIM_IN(wspool_json_on(t->json, names[i], do_it, NULL)), 0);
        expect_memory_or(SIM_IN(wspool_json_on_action(t->json, names[i], do_it, NULL)), 0);
    }
}

static void coming_in(talk *t)
{
    if (talk_start(t) != 0)
        return;
    sim_join(t->s, "/echo");
    sim_join(t->s, "/all?epoch=1a2b&offset=7");
    sim_join(t->s, "/room/K%C3%A4se");
}

static void subscribing(talk *t)
{
    sim_peer *p;
    if (talk_start(t) != 0)
        return;
    p = sim_join(t->s, "/all");
    say(p, "{'type':'subscribe','data':{'channel':'item:x'}}");
    say(p, "{'type':'subscribe','data':{'channel':'item:x','since':{'epoch':'1a','offset':7}}}");
    say(p, "{'type':'subscribe','data':{'channel':'nothing'}}");
    say(p, "{'type':'unsubscribe','data':{'channel':'item:x'}}");
    say(p, "{'type':'unsubscribe','data':{'channel':'item:x'}}");
}

static void talking(talk *t)
{
    sim_peer *p;
    if (talk_start(t) != 0)
        return;
    (void)SIM_IN(wspool_json_on(t->json, "own", do_it, NULL));
    p = sim_join(t->s, "/echo");
    say(p, "{'type':'ping'}");
    say(p, "{'type':'own','data':{'x':[1,{'y':'z'}]}}");
    say(p, "{'type':'nobodys'}");
    say(p, "{'type':'ping','data':[]}");
    say(p, "{");
}

/* A new token: without memory the client is told to try again. */
static void renewing(talk *t)
{
    sim_peer *p;
    t->s->ask_token = 1;
    t->s->verdict = (wspool_verdict){.size = sizeof t->s->verdict, .kind = WSPOOL_ACCEPT};
    if (talk_start(t) != 0)
        return;
    p = sim_join(t->s, "/all?token=secret.1");
    say(p, "{'type':'auth','data':{'token':'secret.2'}}");
    say(p, "{'type':'auth','data':{'token':'secret.3'}}");
}

/* A client repeats an action until it is acknowledged: it is run at most once. */
static void acting(talk *t)
{
    sim_peer *p;
    if (talk_start(t) != 0)
        return;
    if (SIM_IN(wspool_json_on_action(t->json, "do", do_it, NULL)) != 0)
        return;
    p = sim_join(t->s, "/echo?client=c");
    done = 0;
    for (int i = 0; i < 4; i++)
        say(p, "{'type':'action','data':{'id':'c-1','name':'do'}}");
    assert_true(done <= 1);
    refusal = "unknown_card";
    say(p, "{'type':'action','data':{'id':'c-2','name':'do'}}");
    refusal = NULL;
    say(p, "{'type':'action','data':{'id':'c-3','name':'nothing'}}");
}

static void publishing(talk *t)
{
    json_t *data = json_pack("{s:[i, s]}", "x", 1, "y");
    wspool_channel all = wspool_global("all");
    if (talk_start(t) == 0) {
        wspool *pool = t->s->pool;
        sim_peer *p = sim_join(t->s, "/all");
        sim_join(t->s, "/all");
        for (int i = 0; i < 3; i++) {
            uint64_t before = talk_at(t, all).offset;
            int members = wspool_member_count(pool, all);
            int n = SIM_IN(
                wspool_json_broadcast(t->json, pool, all, "news", json_incref(data), NULL, NULL));
            /* jansson checks the name; without memory the name counts as invalid */
            if (n != WSPOOL_ERR_INVAL)
                expect_memory_or(n, 0);
            assert_int_equal(data->refcount, 1);
            assert_int_equal(talk_at(t, all).offset - before, n >= 0 && members > 0);
            sim_pump(t->s);
        }
        expect_memory_or(talk_publish(t, wspool_topic("nobody"), "news", NULL), WSPOOL_ERR_INVAL);
        if (is_open(p)) {
            int n = SIM_IN(wspool_json_send(t->json, pool, p->id, "hint", json_incref(data)));
            expect_memory_or(n, 0);
            assert_int_equal(data->refcount, 1);
            expect_memory_or(SIM_IN(wspool_json_send(t->json, pool, p->id, "hint", NULL)), 0);
        }
        if (is_open(p))
            expect_memory_or(SIM_IN(wspool_json_error(t->json, pool, p->id, "x", "y", 1)), 0);
        sim_pump(t->s);
    }
    json_decref(data);
}

/* Clients that come back and that are slow. talk.c checks that nothing is missed in silence. */
static void missing(talk *t)
{
    wspool_channel channel = wspool_session("x");
    char text[200], epoch[WSPOOL_JSON_EPOCH_MAX];
    sim_peer *p;
    t->loose = 0;
    t->history.messages = 3;
    t->s->config.queue_messages = 8;
    if (talk_start(t) != 0)
        return;
    for (int i = 0; i < 2; i++)
        expect_memory_or(talk_publish(t, channel, "news", NULL), WSPOOL_ERR_INVAL);
    wspool_json_epoch_write(talk_at(t, channel).epoch, epoch);
    snprintf(text, sizeof text, "/kept/x?epoch=%s&offset=1", epoch);
    p = sim_join(t->s, text);
    if (!is_open(p))
        return;
    sim_stall(p);
    for (int i = 0; i < 15; i++)
        expect_memory_or(talk_publish(t, channel, "news", NULL), WSPOOL_ERR_INVAL);
    sim_flow(p);
    sim_pump(t->s);
    if (is_open(p))
        talk_skip(p);
}

static void draining(talk *t)
{
    int rc;
    if (talk_start(t) != 0)
        return;
    for (int i = 0; i < 4; i++)
        sim_join(t->s, "/all");
    rc = SIM_IN(wspool_json_drain(t->json, t->s->pool, 2 * SEC, t->s->now));
    assert_int_equal(rc, 0); /* without memory: without the message */
    sim_pass(t->s, 10 * SEC);
    assert_int_equal(sim_stats(t->s).peers, 0);
}

static const struct {
    const char *name;
    void (*play)(talk *t);
    int drains;
} scenarios[] = {
    {"life", life, 0},           {"registering", registering, 0},
    {"coming in", coming_in, 0}, {"subscribing", subscribing, 0},
    {"talking", talking, 0},     {"renewing", renewing, 0},
    {"acting", acting, 0},       {"publishing", publishing, 0},
    {"missing", missing, 0},     {"draining", draining, 1},
};

#define SCENARIOS (sizeof scenarios / sizeof *scenarios)

/* --------------------------------------------------------------------- loop */

static void serves_afterwards(talk *t)
{
    sim_peer *p;
    wspool_channel_position at;
    int before = wspool_member_count(t->s->pool, wspool_global("all"));
    t->s->no_memory = 0;
    p = sim_connect_to(t->s, "/all?client=after&token=t");
    sim_pump(t->s);
    if (p->reader.status == 404)
        return; /* the route was what failed */
    sim_expect_open(p);
    assert_string_equal(json_string_value(json_object_get(talk_next(p), "type")),
                        "connection_established");
    talk_expect_subscribed(p, "global:all", talk_at(t, wspool_global("all")), "");
    assert_int_equal(SIM_IN(wspool_json_on_action(t->json, "after", do_it, NULL)), 0);
    talk_say(p, "{'type':'action','data':{'id':'after-1','name':'after'}}");
    talk_expect(p, "ack", "{'id':'after-1','result':'done'}");
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:after'}}");
    talk_expect_subscribed(p, "item:after", talk_at(t, wspool_item("after")), "");
    assert_int_equal(talk_publish(t, wspool_global("all"), "news", "{'n':1}"), before + 1);
    sim_pump(t->s);
    at = talk_at(t, wspool_global("all"));
    talk_expect_publication(p, "news", "global:all", at, "{'n':1}");
    talk_expect_silence(p);
}

/* Runs a scenario. Returns how many allocations failed. */
static size_t one_run(size_t i, enum whose whose, size_t fail_at, int fail_on)
{
    talk *t = talk_new();
    size_t failed;
    t->loose = 1;
    t->s->no_memory = 1;
    t->s->keep_journal = 0;
    refusal = NULL;
    fail_from(t, whose, fail_at, fail_on);
    scenarios[i].play(t);
    failed = how_many_failed(t, whose);
    fail_from(t, whose, 0, 0);
    if (t->s->pool != NULL) {
        sim_pump(t->s);
        if (!scenarios[i].drains)
            serves_afterwards(t);
    }
    talk_free(t);
    assert_int_equal(jansson.live, 0);
    return failed;
}

static void fail_each(enum whose whose, int fail_on)
{
    for (size_t i = 0; i < SCENARIOS; i++) {
        size_t n = 1;
        /* until the scenario has fewer than n allocations */
        while (one_run(i, whose, n, fail_on) > 0)
            n += getenv("WSPOOL_SLOW") != NULL ? 7 : 1;
        print_message("%s, %s: %zu allocations\n", scenarios[i].name, whose_words[whose], n - 1);
        if (whose == JANSSON)
            assert_true(n > 1 || i < 2);
        else
            assert_true(n > 1);
    }
}

TEST(contract_when_one_allocation_of_jansson_fails_goes_on)
{
    fail_each(JANSSON, 0);
}

TEST(contract_when_all_allocations_of_jansson_fail_from_one_on_recovers)
{
    fail_each(JANSSON, 1);
}

TEST(contract_when_one_allocation_of_the_c_library_fails_goes_on)
{
    if (!sim_libc_fails())
        skip();
    fail_each(C_LIBRARY, 0);
}

TEST(contract_when_all_allocations_of_the_c_library_fail_from_one_on_recovers)
{
    if (!sim_libc_fails())
        skip();
    fail_each(C_LIBRARY, 1);
}

TEST(contract_when_one_allocation_of_the_pool_fails_goes_on)
{
    fail_each(POOL, 0);
}

TEST(contract_when_all_allocations_of_the_pool_fail_from_one_on_recovers)
{
    fail_each(POOL, 1);
}

/* ------------------------------------------------------------ what is said */

static void lose_memory(talk *t, wspool_id id)
{
    (void)id;
    fail_from(t, POOL, 1, 0); /* which the pool wants for the channel */
}

TEST(subscribe_when_the_pool_has_no_memory_answers_unavailable)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    t->asking = lose_memory;
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:x'}}");
    talk_expect_error(p, "unavailable", 1, NULL);
    assert_int_equal(wspool_channels(t->s->pool, NULL, 0), 0);
    t->asking = NULL;
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:x'}}");
    talk_expect_subscribed(p, "item:x", talk_at(t, wspool_item("x")), "");
    talk_free(t);
}

/* An action whose id cannot be remembered is not run. */
TEST(action_when_there_is_no_memory_for_its_id_answers_unavailable)
{
    size_t unavailable = 0;
    if (!sim_libc_fails())
        skip();
    for (size_t n = 1, failed = 1; failed > 0; n++) {
        talk *t = talk_default();
        sim_peer *p = talk_join(t, "/echo");
        const json_t *told;
        const json_t *data;
        assert_int_equal(SIM_IN(wspool_json_on_action(t->json, "do", do_it, NULL)), 0);
        done = 0;
        t->s->no_memory = 1;
        fail_from(t, C_LIBRARY, n, 0);
        talk_act(p, 1, "do");
        failed = how_many_failed(t, C_LIBRARY);
        fail_from(t, C_LIBRARY, 0, 0);
        if (is_open(p) && p->reader.messages > 1) {
            told = talk_next(p);
            data = json_object_get(told, "data");
            if (strcmp(json_string_value(json_object_get(told, "type")), "ack") == 0) {
                assert_int_equal(done, 1);
            } else {
                assert_int_equal(done, 0);
                if (strcmp(json_string_value(json_object_get(data, "code")), "unavailable") == 0) {
                    assert_true(json_is_true(json_object_get(data, "retry")));
                    assert_string_equal(json_string_value(json_object_get(data, "id")), "c0-1");
                    unavailable++;
                }
            }
        }
        if (is_open(p)) {
            size_t before = done;
            talk_act(p, 1, "do");
            talk_expect_ack(p, 1, before ? "repeated" : "done");
            assert_int_equal(done, 1);
        }
        talk_free(t);
    }
    assert_in_range(unavailable, 2, 2); /* the instance, and its node of the tree */
}

BEFORE_ALL
{
    json_set_alloc_funcs(jansson_malloc, jansson_free);
}
