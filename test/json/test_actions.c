/* SPDX-License-Identifier: MIT */
/*
 * json/test_actions.c - which actions are done: ids and the window of one instance (json/actions.h),
 * then whole pools: connections, subjects, restarts, forgotten instances, and a ledger.
 */
#include "talk.h"

#include <inttypes.h>

#include "json/json.h"

/* ------------------------------------------------------------------ one id */

TEST(id_is_an_instance_and_a_number)
{
    static const struct {
        const char *text;
        size_t instance; /* its length; 0: no id */
        uint64_t n;
    } table[] = {
        {"a-1", 1, 1},
        {"a-b-20", 3, 20},
        {"--7", 1, 7},
        {"1-1", 1, 1},
        {"\xc3\xa9 \"-10", 4, 10},
        {"a-9007199254740991", 1, UINT64_C(9007199254740991)},
        {"a-9007199254740992", 0, 0},
        {"a-9999999999999999", 0, 0},
        {"a-18446744073709551617", 0, 0}, /* 1, to a careless parser */
        {"a-10000000000000000", 0, 0},
        {"a-0", 0, 0},
        {"a-01", 0, 0},
        {"a-", 0, 0},
        {"a", 0, 0},
        {"a1", 0, 0},
        {"-1", 0, 0},
        {"1", 0, 0},
        {"-", 0, 0},
        {"", 0, 0},
        {"a-1 ", 0, 0},
        {"a- 1", 0, 0},
        {"a-+1", 0, 0},
        {"a-1.0", 0, 0},
        {"a-1e3", 0, 0},
        {"a-0x1", 0, 0},
        {"a-\xd9\xa1", 0, 0}, /* an Arabic digit */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t len = strlen(table[i].text);
        char *text = malloc(len + 1); /* ends where the id ends */
        assert_non_null(text);
        memcpy(text + 1, table[i].text, len);
        wspool_text instance;
        uint64_t n;
        int good = wsp_json_action_id_read(text + 1, len, &instance, &n);
        if (good != (table[i].instance > 0))
            fail_msg("%s: %d", table[i].text, good);
        if (good) {
            assert_ptr_equal(instance.data, text + 1);
            assert_int_equal(instance.len, table[i].instance);
            assert_true(n == table[i].n);
        }
        free(text);
    }
}

/* ------------------------------------------------------------- the window */

enum { IDS = 400 };

/* What wsp_json_action_known must say, from a list of all that was done. */
static enum wsp_json_known expected(const char *is_done, uint64_t first, uint64_t highest,
                                    uint64_t n)
{
    if (n > highest)
        return WSP_JSON_NEW;
    if (n <= first)
        return WSP_JSON_IN_DOUBT;
    for (uint64_t i = n; i + 64 <= highest; i++)
        if (!is_done[i])
            return WSP_JSON_IN_DOUBT;
    return is_done[n] ? WSP_JSON_REPEATED : WSP_JSON_NEW;
}

TEST(window_says_what_was_done_or_that_it_is_in_doubt)
{
    static const uint64_t leaps[] = {1, 1, 1, 1, 1, 2, 3, 62, 63, 64, 65, 66, 130};
    uint64_t random = 7;
    size_t known[3] = {0};
    for (int run = 0; run < 300; run++) {
        /* Half of the instances were not new. */
        uint64_t first = run % 2 ? sim_mix(&random) % 100 : 0, highest = first;
        struct wsp_json_instance instance = {
            .highest = first, .doubt = first, .window = ~UINT64_C(0)};
        char is_done[IDS] = {0};
        while (highest + 130 < IDS) {
            uint64_t n = highest + leaps[sim_mix(&random) % (sizeof leaps / sizeof *leaps)];
            if (sim_mix(&random) % 3 == 0) { /* one that was refused comes again */
                n = 1 + sim_mix(&random) % (highest + 1);
            }
            if (wsp_json_action_known(&instance, n) == WSP_JSON_NEW && sim_mix(&random) % 8 > 0) {
                wsp_json_action_done(&instance, n);
                is_done[n] = 1;
                highest = n > highest ? n : highest;
            }
            for (uint64_t i = 1; i < IDS; i++) {
                enum wsp_json_known is = wsp_json_action_known(&instance, i);
                if (is != expected(is_done, first, highest, i))
                    fail_msg("%" PRIu64 " of %" PRIu64 ": %d", i, highest, (int)is);
                known[is]++;
            }
        }
    }
    assert_true(known[WSP_JSON_NEW] > 1000 && known[WSP_JSON_REPEATED] > 1000 &&
                known[WSP_JSON_IN_DOUBT] > 1000);
}

TEST(window_holds_the_last_number)
{
    const uint64_t last = (UINT64_C(1) << 53) - 1;
    struct wsp_json_instance instance = {.window = ~UINT64_C(0)};
    wsp_json_action_done(&instance, last);
    assert_int_equal(wsp_json_action_known(&instance, last), WSP_JSON_REPEATED);
    assert_int_equal(wsp_json_action_known(&instance, last - 63), WSP_JSON_NEW);
    assert_int_equal(wsp_json_action_known(&instance, last - 64), WSP_JSON_IN_DOUBT);
    assert_int_equal(wsp_json_action_known(&instance, 1), WSP_JSON_IN_DOUBT);
}

/* -------------------------------------------------------------- whole pools */

/* What the handler of the action "do" returns, and what it has seen. */
static struct {
    const char *answer;
    size_t calls;
    char id[100]; /* of the last call, as wspool_json_action_id tells it */
} did;

static const char *do_it(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                         void *user)
{
    wspool_text instance;
    uint64_t n;
    (void)pool, (void)id, (void)data, (void)user;
    assert_int_equal(wspool_json_action_id(json, &instance, &n), 0);
    snprintf(did.id, sizeof did.id, "%.*s-%" PRIu64, (int)instance.len, (const char *)instance.data,
             n);
    did.calls++;
    return did.answer;
}

static talk *start(talk *t)
{
    memset(&did, 0, sizeof did);
    assert_int_equal(talk_start(t), 0);
    assert_int_equal(SIM_IN(wspool_json_on_action(t->json, "do", do_it, NULL)), 0);
    return t;
}

/* A peer of this client instance, as it stands in the query. */
static sim_peer *come(talk *t, const char *client)
{
    char target[300];
    snprintf(target, sizeof target, "/echo?client=%s", client);
    sim_peer *p = sim_join(t->s, target);
    talk_skip(p);
    return p;
}

static sim_peer *come_as(talk *t, const char *subject, const char *client)
{
    t->s->subject = subject;
    sim_peer *p = come(t, client);
    t->s->subject = NULL;
    return p;
}

/* Sends an action with this id, a string of JSON. */
static void act(sim_peer *p, const char *id)
{
    talk_print(p, "{\"type\":\"action\",\"data\":{\"id\":\"%s\",\"name\":\"do\"}}", id);
}

/* It gets this result, and the handler was called if that is `done`. */
static void expect(sim_peer *p, const char *id, const char *result)
{
    size_t calls = did.calls;
    char data[300];
    act(p, id);
    snprintf(data, sizeof data, "{\"id\":\"%s\",\"result\":\"%s\"}", id, result);
    talk_expect(p, "ack", data);
    assert_int_equal(did.calls - calls, strcmp(result, "done") == 0);
}

/* It is in doubt, and the number `next` is not. */
static void expect_doubt(sim_peer *p, const char *id, uint64_t next)
{
    size_t calls = did.calls;
    char data[300];
    act(p, id);
    snprintf(data, sizeof data, "{\"id\":\"%s\",\"result\":\"in_doubt\",\"next\":%" PRIu64 "}", id,
             next);
    talk_expect(p, "ack", data);
    assert_int_equal(did.calls, calls);
}

static void expect_refused(sim_peer *p, const char *id, const char *code)
{
    size_t calls = did.calls;
    act(p, id);
    talk_expect_error(p, code, strcmp(code, "unavailable") == 0, id);
    assert_int_equal(did.calls, calls);
}

TEST(action_whose_id_is_none_answers_bad_id)
{
    static const char *const none[] = {"",           "'id':'',",      "'id':7,",
                                       "'id':null,", "'id':['c-1'],", "'id':{},",
                                       "'id':true,", "'Id':'c-1',"};
    static const char *const bad[] = {"c", "c-", "c-0", "c-01", "-1", "1", "c-9007199254740992"};
    talk *t = start(talk_new());
    sim_peer *p = come(t, "c");
    char text[300], id[100];
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        snprintf(text, sizeof text, "{'type':'action','data':{%s'name':'do'}}", none[i]);
        talk_say(p, text);
        talk_expect_error(p, "bad_id", 0, NULL);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(p, bad[i], "bad_id");
    for (size_t len = 81; len < 83; len++) { /* what comes back is bounded */
        memset(id, 'x', sizeof id);
        id[len] = '\0';
        act(p, id);
        talk_expect_error(p, "bad_id", 0, len == 81 ? id : NULL);
    }
    assert_int_equal(did.calls, 0);
    assert_int_equal(sim_stats(t->s).abuse_cost, (sizeof none + sizeof bad) / sizeof(char *) + 2);
    expect(p, "c-1", "done");
    talk_free(t);
}

TEST(action_id_of_any_instance_comes_back_as_it_was)
{
    static const struct {
        const char *query;
        const char *json;
    } table[] = {
        {"a-b", "a-b-1"},
        {"%C3%A9%22%5C%0A%20", "\xc3\xa9\\\"\\\\\\n -1"},
        {"0123456789012345678901234567890123456789012345678901234567890123",
         "0123456789012345678901234567890123456789012345678901234567890123-1"},
    };
    talk *t = start(talk_new());
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sim_peer *p = come(t, table[i].query);
        expect(p, table[i].json, "done");
    }
    sim_peer *p = come(t, table[2].query);
    expect_refused(p, "0123456789012345678901234567890123456789012345678901234567890123", "bad_id");
    char longest[100];
    snprintf(longest, sizeof longest, "%s-9007199254740991", table[2].query);
    assert_int_equal(strlen(longest), WSP_JSON_ACTION_ID_MAX);
    expect(p, longest, "done"); /* of 81 bytes */
    talk_free(t);
}

TEST(action_without_a_client_instance_answers_no_client)
{
    talk *t = start(talk_new());
    sim_peer *p = sim_join(t->s, "/echo");
    talk_skip(p);
    expect_refused(p, "c-1", "no_client");
    expect_refused(p, "-1", "bad_id");
    talk_free(t);
}

TEST(action_of_another_client_instance_answers_wrong_client_and_changes_nothing)
{
    talk *t = start(talk_new());
    sim_peer *p = come(t, "c"), *q = come(t, "d");
    expect_refused(q, "c-1", "wrong_client");
    expect_refused(q, "c-9", "wrong_client");
    expect_refused(q, "C-1", "wrong_client");
    expect_refused(q, "e-1", "wrong_client");
    expect_refused(q, "dd-1", "wrong_client");
    expect(p, "c-1", "done");
    expect(p, "c-2", "done");
    talk_free(t);
}

TEST(action_that_is_repeated_on_another_connection_is_not_done_again)
{
    talk *t = start(talk_new());
    sim_peer *p = come(t, "c");
    expect(p, "c-1", "done");
    expect(p, "c-3", "done"); /* a gap does no harm */
    sim_cut(p, WSPOOL_GONE_FAILED);
    sim_pump(t->s);
    p = come(t, "c");
    expect(p, "c-1", "repeated");
    expect(p, "c-3", "repeated");
    expect(p, "c-2", "done");
    expect(p, "c-2", "repeated");
    expect(p, "c-4", "done");
    talk_free(t);
}

TEST(action_that_was_refused_may_come_again_after_a_later_one)
{
    talk *t = start(talk_new());
    sim_peer *p = come(t, "c");
    expect(p, "c-1", "done");
    did.answer = "no";
    act(p, "c-2");
    talk_expect_error(p, "no", 0, "c-2");
    did.answer = NULL;
    expect(p, "c-3", "done");
    expect(p, "c-2", "done");
    expect(p, "c-2", "repeated");
    talk_free(t);
}

/* A client chooses its instance: another user must not be able to use its numbers up. */
TEST(instances_of_two_subjects_have_nothing_to_do_with_one_another)
{
    talk *t = start(talk_new());
    sim_peer *ann = come_as(t, "ann", "c"), *bob = come_as(t, "bob", "c"), *none = come(t, "c");
    sim_peer *an = come_as(t, "an", "nc");
    expect(bob, "c-1", "done");
    expect(bob, "c-900", "done");
    expect(none, "c-1", "done");
    expect(ann, "c-1", "done");
    expect(ann, "c-2", "done");
    expect(an, "nc-1", "done"); /* "an" and "nc": the same bytes as "ann" and "c" */
    expect(come_as(t, "ann", "c"), "c-2", "repeated");
    talk_free(t);
}

TEST(action_of_an_unknown_instance_is_new_if_it_is_the_first_and_else_in_doubt)
{
    talk *t = start(talk_new());
    sim_peer *p = come(t, "c");
    expect_doubt(p, "c-7", 71);
    expect_doubt(p, "c-8", 71); /* it may be repeated, too */
    expect_doubt(p, "c-70", 71);
    expect_doubt(p, "c-7", 71); /* the answer stays */
    expect_doubt(p, "c-1", 71);
    talk_say(p, "{'type':'action','data':{'id':'c-5','name':'nothing'}}");
    talk_expect(p, "ack", "{'id':'c-5','result':'in_doubt','next':71}");
    expect(p, "c-71", "done");
    expect(p, "c-71", "repeated");
    expect(p, "c-73", "done");
    expect_doubt(p, "c-70", 74);
    expect(p, "c-72", "done");
    talk_free(t);
}

TEST(instance_that_acted_longest_ago_is_forgotten_when_the_table_is_full)
{
    talk *t = talk_new();
    t->config.action_instances = 3;
    start(t);
    sim_peer *p[4];
    for (size_t i = 0; i < 4; i++)
        p[i] = come(t, (const char *[]){"a", "b", "c", "d"}[i]);
    expect(p[0], "a-1", "done");
    expect(p[1], "b-1", "done");
    expect(p[2], "c-1", "done");
    expect(p[0], "a-1", "repeated"); /* this counts, too */
    expect(p[3], "d-1", "done");     /* in the place of b */
    assert_int_equal(t->json->done.count, 3);
    expect(p[0], "a-1", "repeated");
    expect(p[2], "c-1", "repeated");
    expect(p[3], "d-1", "repeated");
    expect_doubt(p[1], "b-2", 66);
    expect(p[1], "b-66", "done");
    expect_doubt(p[0], "a-2", 66);
    assert_int_equal(t->json->done.count, 3);
    talk_free(t);
}

/* A client repeats 64 actions at once, and all of them are done. */
TEST(actions_that_a_forgotten_instance_repeats_are_not_done_again)
{
    talk *t = talk_new();
    t->config.action_instances = 1;
    start(t);
    sim_peer *p = come(t, "a");
    char id[100];
    for (int n = 1; n <= 100; n++) {
        snprintf(id, sizeof id, "a-%d", n);
        expect(p, id, "done");
    }
    expect(come(t, "b"), "b-1", "done");
    for (int n = 37; n <= 100; n++) {
        snprintf(id, sizeof id, "a-%d", n);
        expect_doubt(p, id, 101);
    }
    expect(p, "a-101", "done");
    talk_free(t);
}

TEST(table_of_one_instance_works)
{
    talk *t = talk_new();
    t->config.action_instances = 1;
    start(t);
    sim_peer *a = come(t, "a"), *b = come(t, "b");
    expect(a, "a-1", "done");
    expect(b, "b-1", "done");
    expect_doubt(a, "a-3", 67);
    expect_doubt(b, "b-3", 67);
    talk_free(t);
}

TEST(table_of_many_instances_finds_each)
{
    talk *t = start(talk_new());
    sim_peer *p[100];
    char id[100];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 100; i++) {
            size_t k = i * 37 % 100;
            snprintf(id, sizeof id, "c%zu", k * k);
            p[k] = round == 0 ? come(t, id) : p[k];
            snprintf(id, sizeof id, "c%zu-1", k * k);
            expect(p[k], id, round == 0 ? "done" : "repeated");
        }
    talk_free(t);
}

/* ------------------------------------------------------------------- epoch */

TEST(action_epoch_is_of_the_entropy_and_the_same_for_the_same_entropy)
{
    char epochs[3][WSPOOL_JSON_EPOCH_MAX];
    for (size_t i = 0; i < 3; i++) {
        talk *t = talk_new();
        t->s->entropy += i == 2;
        start(t);
        sim_peer *p = sim_join(t->s, "/echo");
        const json_t *data = json_object_get(talk_next(p), "data");
        const char *epoch = json_string_value(json_object_get(data, "action_epoch"));
        assert_true(wspool_json_epoch_read(epoch) != 0);
        snprintf(epochs[i], sizeof epochs[i], "%s", epoch);
        talk_free(t);
    }
    assert_string_equal(epochs[0], epochs[1]);
    assert_string_not_equal(epochs[0], epochs[2]);
}

TEST(action_epoch_of_the_host_is_copied)
{
    char epoch[] = "Board7";
    talk *t = talk_new();
    t->config.action_epoch = epoch;
    start(t);
    memset(epoch, '?', sizeof epoch);
    sim_peer *p = sim_join(t->s, "/echo");
    const json_t *data = json_object_get(talk_next(p), "data");
    assert_string_equal(json_string_value(json_object_get(data, "action_epoch")), "Board7");
    talk_free(t);
}

/* ------------------------------------------------------------------ ledger */

static struct {
    int found;
    uint64_t highest;
    size_t calls;
    char asked[200]; /* subject and instance of the last call */
} ledger;

static int find(wspool_text subject, wspool_text instance, uint64_t *highest, void *user)
{
    assert_ptr_equal(user, &ledger);
    snprintf(ledger.asked, sizeof ledger.asked, "%.*s/%.*s", (int)subject.len,
             (const char *)subject.data, (int)instance.len, (const char *)instance.data);
    ledger.calls++;
    if (ledger.found > 0)
        *highest = ledger.highest;
    return ledger.found;
}

static talk *with_ledger(int found, uint64_t highest)
{
    talk *t = talk_new();
    memset(&ledger, 0, sizeof ledger);
    ledger.found = found;
    ledger.highest = highest;
    t->config.ledger = (wspool_json_ledger_hook){find, &ledger};
    t->config.action_epoch = "stored";
    return start(t);
}

TEST(ledger_knows_what_was_done_before_the_restart)
{
    talk *t = with_ledger(1, 7);
    sim_peer *p = come_as(t, "ann", "c");
    expect(p, "c-7", "repeated");
    assert_string_equal(ledger.asked, "ann/c");
    expect(p, "c-1", "repeated");
    expect(p, "c-8", "done");
    expect(p, "c-8", "repeated");
    expect(p, "c-9", "done");
    assert_int_equal(ledger.calls, 1); /* the rest is remembered */
    talk_free(t);
}

TEST(ledger_that_has_nothing_makes_each_action_new)
{
    talk *t = with_ledger(0, 0);
    sim_peer *p = come(t, "c");
    expect(p, "c-7", "done");
    assert_string_equal(ledger.asked, "/c");
    expect(p, "c-6", "done"); /* was lost, or refused */
    expect(p, "c-7", "repeated");
    talk_free(t);
}

TEST(ledger_that_may_have_forgotten_puts_in_doubt_what_is_not_the_first)
{
    talk *t = with_ledger(2, 0);
    sim_peer *p = come(t, "c");
    expect(p, "c-1", "done");
    expect(p, "c-2", "done"); /* this one is remembered */
    p = come(t, "d");
    expect_doubt(p, "d-7", 71);
    expect_doubt(p, "d-70", 71); /* may have been sent with it */
    expect(p, "d-71", "done");
    talk_free(t);
}

TEST(ledger_that_cannot_tell_makes_an_action_unavailable)
{
    talk *t = with_ledger(-1, 7);
    sim_peer *p = come(t, "c");
    for (int i = 0; i < 2; i++)
        expect_refused(p, "c-1", "unavailable");
    assert_int_equal(ledger.calls, 2);
    assert_int_equal(t->json->done.count, 0);
    ledger.found = 1;
    expect(p, "c-7", "repeated");
    expect(p, "c-8", "done");
    ledger.found = -1; /* what is remembered is not enough for another connection */
    sim_peer *q = come(t, "c");
    expect_refused(q, "c-9", "unavailable");
    ledger.found = 0;
    expect(q, "c-8", "repeated");
    expect(q, "c-9", "done");
    talk_free(t);
}

/* The client was at another server with the same ledger. */
TEST(ledger_is_asked_again_for_each_connection)
{
    talk *t = with_ledger(0, 0);
    sim_peer *p = come(t, "c");
    expect(p, "c-1", "done");
    ledger.found = 1;
    ledger.highest = 5;
    expect(p, "c-2", "done");
    p = come(t, "c");
    expect(p, "c-5", "repeated");
    expect(p, "c-3", "repeated");
    expect(p, "c-6", "done");
    assert_int_equal(ledger.calls, 2);
    ledger.highest = 4; /* behind what is remembered */
    p = come(t, "c");
    expect(p, "c-6", "repeated");
    expect(p, "c-7", "done");
    talk_free(t);
}

/* ----------------------------------------------------------- in the handler */

static const char *own_type(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                            void *user)
{
    wspool_text instance;
    uint64_t n = 7;
    (void)pool, (void)id, (void)data, (void)user;
    assert_int_equal(wspool_json_action_id(json, &instance, &n), WSPOOL_ERR_STATE);
    assert_int_equal(instance.len, 0);
    assert_int_equal(n, 0);
    did.calls++;
    return NULL;
}

TEST(action_id_is_there_while_the_handler_of_an_action_runs)
{
    talk *t = start(talk_new());
    sim_peer *p = come(t, "c");
    wspool_text instance;
    uint64_t n;
    assert_int_equal(SIM_IN(wspool_json_on(t->json, "own", own_type, NULL)), 0);
    talk_say(p, "{'type':'own'}");
    expect(p, "c-1", "done");
    assert_string_equal(did.id, "c-1");
    talk_say(p, "{'type':'own'}");
    did.answer = "no";
    act(p, "c-2");
    assert_string_equal(did.id, "c-2");
    talk_say(p, "{'type':'own'}");
    assert_int_equal(did.calls, 5);
    assert_int_equal(wspool_json_action_id(t->json, &instance, &n), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_json_action_id(NULL, &instance, &n), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_action_id(t->json, NULL, &n), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_action_id(t->json, &instance, NULL), WSPOOL_ERR_INVAL);
    talk_free(t);
}
