/* SPDX-License-Identifier: MIT */
/*
 * sim/test_diagnosis.c - wspool/diagnose.h: each issue is made to happen in a pool, and the whole
 * diagnosis is compared with a file, test/sim/diagnosis/NAME.md; and a pool that is well has none.
 *
 * UPDATE=1 in the environment writes the files anew. Read the difference before it is committed.
 */
#include "accept.h"

#include <wspool/capacity.h>
#include <wspool/diagnose.h>

#include "pool/pool.h"

enum { MANY = 12 }; /* enough for a share to count */

static struct {
    wspool_sample sample;
    wspool_capacity *monitor;
    wspool_capacity_config config;
    wspool_diagnose_options options;
    wspool_diagnosis diagnosis;
    char text[32768];
    size_t len;
} t;

static void take(wspool_sample *sample, uint64_t now, void *user)
{
    (void)now, (void)user;
    memcpy(sample->of, t.sample.of, sizeof sample->of);
}

/* The machine of all scenarios has enough of everything. */
static sim *begin(void)
{
    sim *s = sim_new(7);
    memset(&t, 0, sizeof t);
    t.sample.of[WSPOOL_RESOURCE_MEMORY] = (wspool_amount){WSPOOL_MEASURED, 4000000, 16000000};
    t.sample.of[WSPOOL_RESOURCE_CPU] = (wspool_amount){WSPOOL_MEASURED, 2000, 10000};
    t.sample.of[WSPOOL_RESOURCE_FILES] = (wspool_amount){WSPOOL_MEASURED, 40, 1024};
    t.sample.of[WSPOOL_RESOURCE_PRESSURE] = (wspool_amount){WSPOOL_MEASURED, 0, 10000};
    t.options =
        (wspool_diagnose_options){.size = sizeof t.options, .secret_bytes = WSPOOL_SECRET_UNKNOWN};
    wspool_capacity_config_init(&t.config);
    t.config.sample = (wspool_sample_hook){take, NULL};
    t.config.mem = s->config.mem;
    return s;
}

static sim *start(sim *s)
{
    sim_start(s);
    assert_int_equal(wspool_capacity_new(&t.monitor, &t.config), 0);
    assert_int_equal(SIM_IN(wspool_capacity_attach(t.monitor, s->pool, s->now)), 0);
    t.options.capacity = t.monitor;
    return s;
}

static int keep(const char *text, size_t len, void *user)
{
    (void)user;
    assert_true(t.len + len < sizeof t.text);
    memcpy(t.text + t.len, text, len);
    t.len += len;
    return 0;
}

static void diagnose(const sim *s)
{
    const wspool_writer writer = {keep, NULL};
    memset(&t.diagnosis, 0xa5, sizeof t.diagnosis);
    t.diagnosis.size = sizeof t.diagnosis;
    assert_int_equal(wspool_diagnose(s->pool, &t.options, &t.diagnosis), 0);
    t.len = 0;
    assert_int_equal(wspool_diagnosis_write(&t.diagnosis, &writer), 0);
    t.text[t.len] = '\0';
}

/* Compares the text with the file of that name. */
static void compare(const char *name)
{
    static char wanted[sizeof t.text];
    char path[200];
    snprintf(path, sizeof path, "test/sim/diagnosis/%s.md", name);
    const int update = getenv("UPDATE") != NULL;
    FILE *file = fopen(path, update ? "w" : "r");
    if (!file) {
        fail_msg("%s is not there", path);
    }
    if (update) {
        assert_int_equal(fwrite(t.text, 1, t.len, file), t.len);
    } else {
        wanted[fread(wanted, 1, sizeof wanted - 1, file)] = '\0';
    }
    fclose(file);
    if (!update) {
        assert_string_equal(t.text, wanted);
    }
}

/* Diagnoses: these issues are there, in that order, and no others. Ends the sim. */
static void expect(sim *s, const char *name, const enum wspool_issue_name *issues, uint32_t count)
{
    diagnose(s);
    for (uint32_t i = 0; i < count || i < t.diagnosis.issue_count; i++) {
        if (i >= count || i >= t.diagnosis.issue_count || t.diagnosis.issues[i].name != issues[i]) {
            fail_msg("issue %u of %u, of %u: %s", i, count, t.diagnosis.issue_count, t.text);
        }
    }
    compare(name);
    sim_free_pool(s);
    wspool_capacity_free(t.monitor);
    sim_free(s);
}

#define EXPECT(s, name, ...) \
    do { \
        static const enum wspool_issue_name issues[] = {__VA_ARGS__}; \
        expect(s, name, issues, sizeof issues / sizeof *issues); \
    } while (0)
#define ISSUE(name) WSPOOL_ISSUE_##name

static void refuse_many(sim *s, const client_request *request, int status, const char *reason)
{
    for (int i = 0; i < MANY; i++) {
        sim_refused(s, request, status, reason);
    }
}

static sim *with_verdict(enum wspool_verdict_kind kind, enum wspool_refusal refusal)
{
    sim *s = begin();
    s->ask_token = 1;
    s->verdict = (wspool_verdict){.size = sizeof s->verdict, .kind = kind, .refusal = refusal};
    return start(s);
}

/* ------------------------------------------------------------------------ well */

/* An hour of a pool under load: peers come, go in peace, publish, and answer pings. */
TEST(pool_that_is_well_has_no_issue)
{
    enum { PEERS = 30 };
    sim *s = start(begin());
    sim_peer *peers[PEERS];
    for (int i = 0; i < PEERS; i++) {
        peers[i] = sim_join(s, i % 2 ? "/all" : "/room/a");
    }
    for (int second = 0; second < 3600; second += 4) {
        sim_pass(s, 4 * SEC);
        sim_broadcast(s, wspool_global("all"), "news");
        sim_broadcast(s, wspool_item("a"), "more news");
        if (second % 240 == 0) { /* one leaves, and another one comes */
            const int i = second / 240 % PEERS;
            sim_say_close(peers[i], 1000, "bye");
            sim_pump(s);
            peers[i] = sim_join(s, "/all");
        }
    }
    assert_true(sim_stats(s).pings_sent > 1000);
    diagnose(s);
    assert_int_equal(t.diagnosis.issue_count, 0);
    assert_int_equal(t.diagnosis.success, 1);
    assert_non_null(strstr(t.text, "Nothing is wrong."));
    sim_free_pool(s);
    wspool_capacity_free(t.monitor);
    sim_free(s);
}

/* What has been is over: the diagnosis of the time since then finds nothing. */
TEST(issue_is_gone_when_the_trouble_is_over)
{
    static wspool_statistics before;
    sim *s = with_verdict(WSPOOL_REFUSE, WSPOOL_REFUSED_TOKEN_INVALID);
    refuse_many(s, &with_token, 401, "invalid");
    diagnose(s);
    assert_int_equal(t.diagnosis.success, 0);
    before = sim_stats(s);
    t.options.before = &before;
    s->verdict.kind = WSPOOL_ACCEPT;
    for (int i = 0; i < MANY; i++) {
        sim_connect(s, &with_token);
    }
    sim_pump(s);
    diagnose(s);
    assert_int_equal(t.diagnosis.issue_count, 0);
    assert_int_equal(t.diagnosis.metrics.connects, MANY);
    assert_int_equal(t.diagnosis.metrics.connect_percent, 10000);
    sim_free_pool(s);
    wspool_capacity_free(t.monitor);
    sim_free(s);
}

/* ---------------------------------------------------------------------- tokens */

TEST(missing_secret_is_found)
{
    sim *s = with_verdict(WSPOOL_REFUSE, WSPOOL_REFUSED_TOKEN_NO_SECRET);
    sim_refused(s, &with_token, 401, "no_secret");
    EXPECT(s, "no_secret", ISSUE(NO_SECRET));
}

TEST(missing_secret_is_found_before_anybody_comes)
{
    sim *s = start(begin());
    t.options.secret_bytes = 0;
    diagnose(s);
    assert_int_equal(t.diagnosis.issues[0].name, ISSUE(NO_SECRET));
    t.options.secret_bytes = 31;
    EXPECT(s, "short_secret", ISSUE(SHORT_SECRET));
}

TEST(blank_tokens_are_found)
{
    sim *s = with_verdict(WSPOOL_ACCEPT, 0);
    const client_request request = {.target = "/all"};
    refuse_many(s, &request, 401, "empty_token");
    sim_refused(s, &(client_request){.target = "/all?token="}, 401, "empty_token");
    EXPECT(s, "blank_tokens", ISSUE(BLANK_TOKENS), ISSUE(FEW_CONNECT));
}

TEST(invalid_tokens_are_found)
{
    sim *s = with_verdict(WSPOOL_REFUSE, WSPOOL_REFUSED_TOKEN_WRONG_AUDIENCE);
    sim_refused(s, &with_token, 401, "wrong_audience");
    EXPECT(s, "invalid_tokens", ISSUE(INVALID_TOKENS));
}

TEST(tokens_in_the_query_are_found)
{
    sim *s = with_verdict(WSPOOL_ACCEPT, 0);
    sim_join(s, "/all?token=t");
    EXPECT(s, "query_tokens", ISSUE(QUERY_TOKENS));
}

TEST(storm_of_expired_tokens_is_found)
{
    sim *s = with_verdict(WSPOOL_REFUSE, WSPOOL_REFUSED_TOKEN_EXPIRED);
    refuse_many(s, &with_token, 401, "expired");
    EXPECT(s, "expired_tokens", ISSUE(EXPIRED_TOKENS), ISSUE(FEW_CONNECT));
}

TEST(verdicts_that_do_not_come_are_found)
{
    sim *s = with_verdict(WSPOOL_PENDING, 0);
    sim_connect(s, &with_token);
    sim_pass(s, 40 * SEC);
    EXPECT(s, "slow_verdicts", ISSUE(SLOW_VERDICTS));
}

/* ------------------------------------------------------------------- resources */

TEST(lack_of_memory_is_found)
{
    sim *s = start(begin());
    sim_peer *p = sim_open(s, NULL);
    s->no_memory = 1;
    s->heap.fail_at = s->heap.calls + 1;
    s->heap.fail_on = 1;
    sim_write(p, "GET /", 5); /* half a request needs a buffer */
    sim_pump(s);
    s->heap.fail_at = 0;
    s->heap.fail_on = 0;
    s->no_memory = 0;
    sim_pass(s, 60 * SEC);
    EXPECT(s, "out_of_memory", ISSUE(OUT_OF_MEMORY));
}

TEST(full_pool_is_found)
{
    sim *s = begin();
    s->config.max_peers = 2;
    start(s);
    sim_join(s, "/all");
    sim_join(s, "/all");
    sim_refused(s, &(client_request){.target = "/all"}, 503, NULL);
    EXPECT(s, "capacity", ISSUE(CAPACITY), ISSUE(CONNECTIONS));
}

TEST(resources_that_are_used_up_are_found)
{
    sim *s = begin();
    t.sample.of[WSPOOL_RESOURCE_MEMORY] = (wspool_amount){WSPOOL_MEASURED, 13133, 16252};
    t.sample.of[WSPOOL_RESOURCE_CPU] = (wspool_amount){WSPOOL_MEASURED, 9700, 10000};
    t.sample.of[WSPOOL_RESOURCE_FILES] = (wspool_amount){WSPOOL_MEASURED, 1000, 1024};
    t.sample.of[WSPOOL_RESOURCE_PRESSURE] = (wspool_amount){WSPOOL_MEASURED, 2500, 10000};
    t.config.own_bytes = 200;
    start(s);
    EXPECT(s, "resources", ISSUE(PROCESSOR), ISSUE(FILES), ISSUE(PRESSURE), ISSUE(MEMORY));
}

TEST(memory_of_the_pool_that_is_used_up_is_found)
{
    sim *s = begin();
    t.config.own_bytes = 19000; /* of which the block of the first message takes 16 KiB */
    start(s);
    sim_join(s, "/all");
    sim_broadcast(s, wspool_global("all"), "x");
    sim_pump(s);
    EXPECT(s, "own_memory", ISSUE(OWN_MEMORY));
}

/* ----------------------------------------------------------------- connections */

TEST(requests_that_are_no_handshakes_are_found)
{
    sim *s = start(begin());
    const client_request request = {.target = "/all", .upgrade = "", .connection = "keep-alive"};
    refuse_many(s, &request, 426, "upgrade_required");
    EXPECT(s, "handshakes_fail", ISSUE(FEW_CONNECT), ISSUE(HANDSHAKES_FAIL));
}

TEST(old_versions_are_found)
{
    sim *s = start(begin());
    sim_refused(s, &(client_request){.target = "/all", .ws_version = "7"}, 426, NULL);
    EXPECT(s, "old_versions", ISSUE(OLD_VERSIONS));
}

TEST(clients_that_leave_in_their_handshake_are_found_with_the_stage)
{
    sim *s = with_verdict(WSPOOL_PENDING, 0);
    sim_cut(sim_connect(s, &with_token), WSPOOL_GONE_EOF);
    sim_pump(s);
    sim_peer *p = sim_open(s, NULL);
    sim_write(p, "GET /all HT", 11);
    sim_pump(s);
    sim_cut(p, WSPOOL_GONE_FAILED);
    sim_pump(s);
    EXPECT(s, "premature_closes", ISSUE(PREMATURE_CLOSES));
}

TEST(slow_handshakes_are_found)
{
    sim *s = with_verdict(WSPOOL_PENDING, 0);
    for (int i = 0; i < MANY; i++) {
        sim_peer *p = sim_connect(s, &with_token);
        sim_pass(s, 700 * MS);
        const wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
        assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)), 0);
        sim_pump(s);
        sim_expect_open(p);
    }
    EXPECT(s, "slow_handshakes", ISSUE(SLOW_HANDSHAKES));
}

TEST(proxy_that_ends_silent_connections_is_found)
{
    sim *s = begin();
    s->config.ping_interval = 0;
    start(s);
    for (int i = 0; i < MANY; i++) {
        sim_join(s, "/all");
    }
    sim_pass(s, 60 * SEC);
    for (size_t i = 0; i < s->peer_count; i++) {
        sim_cut(s->peers[i], WSPOOL_GONE_FAILED);
    }
    sim_pump(s);
    EXPECT(s, "proxy_timeout", ISSUE(PROXY_TIMEOUT), ISSUE(RARE_PINGS));
}

TEST(peers_that_do_not_answer_pings_are_found)
{
    sim *s = start(begin());
    for (int i = 0; i < MANY; i++) {
        sim_join(s, "/all")->mute_pings = 1;
    }
    sim_pass(s, 60 * SEC);
    EXPECT(s, "heartbeat", ISSUE(HEARTBEAT));
}

TEST(clients_that_connect_again_and_again_are_found)
{
    sim *s = start(begin());
    for (int i = 0; i < MANY; i++) {
        sim_peer *p = sim_join(s, "/all");
        sim_pass(s, 2 * SEC);
        sim_say_close(p, 1001, "");
        sim_pump(s);
    }
    EXPECT(s, "churn", ISSUE(CHURN));
}

TEST(clients_that_connect_twice_are_found)
{
    sim *s = start(begin());
    wspool_route_options options;
    wspool_route_options_init(&options, &s->config);
    options.duplicates = WSPOOL_DUPLICATES_NEWEST;
    assert_int_equal(SIM_IN(wspool_route(s->pool, "/once", WSPOOL_NONE, &options)), 0);
    s->subject = "me";
    for (int i = 0; i <= MANY; i++) {
        sim_join(s, "/once?client=a");
        sim_pass(s, 20 * SEC);
    }
    EXPECT(s, "duplicates", ISSUE(DUPLICATES));
}

TEST(slow_readers_are_found_with_what_they_hold)
{
    sim *s = begin();
    s->config.queue_messages = 4;
    start(s);
    sim_peer *slow = sim_join(s, "/all"), *slower = sim_join(s, "/all");
    sim_stall(slow);
    sim_stall(slower);
    sim_broadcast(s, wspool_global("all"), "one of them is left behind by its queue");
    sim_pump(s);
    sim_flow(slow);
    for (int i = 0; i < 6; i++) {
        sim_broadcast(s, wspool_global("all"), "one of them is left behind by its queue");
        sim_pump(s);
    }
    sim_stall(slow);
    sim_broadcast(s, wspool_global("all"), "now the other one, too");
    sim_pump(s);
    EXPECT(s, "slow_readers", ISSUE(SLOW_READERS));
}

TEST(memory_that_slow_readers_use_up_is_found)
{
    static char large[3000];
    sim *s = begin();
    s->config.pool_bytes = 65536;
    start(s);
    sim_peer *slow = sim_join(s, "/all");
    sim_stall(slow);
    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 40; i++) {
        sim_broadcast(s, wspool_global("all"), large);
        sim_pump(s);
    }
    EXPECT(s, "shed", ISSUE(SHED));
}

TEST(abuse_is_found)
{
    sim *s = begin();
    s->config.abuse_burst = 5;
    s->config.abuse_rate = 0;
    start(s);
    sim_peer *p = sim_join(s, "/echo");
    for (int i = 0; i < 8; i++) {
        sim_ping(p, "?");
    }
    sim_pump(s);
    EXPECT(s, "abuse", ISSUE(ABUSE));
}

/* ------------------------------------------------------------------ configuration */

static void add_history(sim *s, uint32_t messages)
{
    wspool_route_options options;
    wspool_route_options_init(&options, &s->config);
    options.history.messages = messages;
    options.slow = WSPOOL_SLOW_BEHIND;
    assert_int_equal(SIM_IN(wspool_route(s->pool, "/kept/{name}", WSPOOL_TOPIC, &options)), 0);
}

TEST(messages_that_slow_peers_miss_are_found)
{
    sim *s = begin();
    s->config.queue_messages = 4;
    start(s);
    add_history(s, 3);
    sim_peer *slow = sim_join(s, "/kept/t");
    sim_stall(slow);
    for (int i = 0; i < 20; i++) {
        sim_broadcast(s, wspool_topic("t"), "news");
        sim_pump(s);
    }
    sim_flow(slow);
    sim_pump(s);
    EXPECT(s, "missed", ISSUE(SLOW_READERS), ISSUE(MISSED));
}

TEST(history_that_is_too_short_is_found)
{
    sim *s = start(begin());
    add_history(s, 3);
    sim_join(s, "/kept/t");
    for (int i = 0; i < 20; i++) {
        sim_broadcast(s, wspool_topic("t"), "news");
    }
    sim_pump(s);
    wspool_channel_position position;
    assert_int_equal(wspool_position(s->pool, wspool_topic("t"), &position), 0);
    position.offset -= 10;
    for (int i = 0; i < MANY; i++) {
        const wspool_id id = sim_join(s, "/all")->id;
        assert_int_equal(SIM_IN(wspool_resume(s->pool, id, wspool_topic("t"), &position, NULL)), 0);
    }
    EXPECT(s, "short_history", ISSUE(SHORT_HISTORY));
}

TEST(channels_that_nobody_uses_are_found)
{
    sim *s = begin();
    s->config.channels_per_peer = 2000;
    start(s);
    const wspool_id id = sim_join(s, "/all")->id;
    for (int i = 0; i < 1200; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(SIM_IN(wspool_subscribe(s->pool, id, wspool_topic(name))), 0);
    }
    EXPECT(s, "leaking_channels", ISSUE(LEAKING_CHANNELS));
}

TEST(origins_that_are_refused_are_found)
{
    sim *s = start(begin());
    refuse_many(s, &(client_request){.target = "/all", .origin = "https://elsewhere.example"}, 403,
                "origin");
    EXPECT(s, "origins", ISSUE(FEW_CONNECT), ISSUE(ORIGINS));
}

TEST(configuration_that_cannot_work_is_found)
{
    sim *s = begin();
    s->config.ping_interval = 5 * 60 * SEC;
    s->config.queue_bytes = 16384;
    start(s);
    t.options.capacity = NULL;
    EXPECT(s, "configuration", ISSUE(RARE_PINGS), ISSUE(SMALL_QUEUES), ISSUE(NO_MONITOR));
}

TEST(books_that_do_not_balance_are_found)
{
    sim *s = start(begin());
    wsp_count_add(&s->pool->count.sent, 1);
    diagnose(s);
    wsp_count_sub(&s->pool->count.sent, 1);
    assert_int_equal(t.diagnosis.issue_count, 1);
    assert_int_equal(t.diagnosis.issues[0].name, ISSUE(BOOKS));
    compare("books");
    sim_free_pool(s);
    wspool_capacity_free(t.monitor);
    sim_free(s);
}

/* The worst day that a server of this kind has had: no secret, so blank tokens; little memory, so no
 * capacity; clients of an old version; and handshakes that are given up. */
TEST(chain_of_causes_is_told)
{
    sim *s = begin();
    t.sample.of[WSPOOL_RESOURCE_MEMORY] = (wspool_amount){WSPOOL_MEASURED, 15000, 16252};
    s->ask_token = 1;
    s->verdict = (wspool_verdict){.size = sizeof s->verdict,
                                  .kind = WSPOOL_REFUSE,
                                  .refusal = WSPOOL_REFUSED_TOKEN_NO_SECRET};
    start(s);
    for (int i = 0; i < 6; i++) {
        sim_refused(s, &(client_request){.target = "/all"}, 401, "empty_token");
        sim_refused(s, &with_token, 401, "no_secret");
    }
    sim_refused(s, &(client_request){.target = "/all", .ws_version = "7"}, 426, NULL);
    s->verdict.kind = WSPOOL_ACCEPT;
    sim_refused(s, &with_token, 503, "capacity_memory");
    sim_peer *p = sim_open(s, NULL);
    sim_write(p, "GET /all HTTP/1.1\r\nHost: a\r\n", 28);
    sim_pump(s);
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    EXPECT(s, "worst_day", ISSUE(NO_SECRET), ISSUE(CAPACITY), ISSUE(MEMORY), ISSUE(FEW_CONNECT),
           ISSUE(BLANK_TOKENS), ISSUE(OLD_VERSIONS), ISSUE(PREMATURE_CLOSES));
}

/* ----------------------------------------------------------------------- calls */

TEST(bad_arguments_are_errors)
{
    sim *s = start(begin());
    static wspool_statistics unset;
    wspool_diagnosis *diagnosis = &t.diagnosis;
    diagnosis->size = sizeof *diagnosis;
    assert_int_equal(wspool_diagnose(NULL, NULL, diagnosis), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_diagnose(s->pool, NULL, NULL), WSPOOL_ERR_INVAL);
    t.options.before = &unset;
    assert_int_equal(wspool_diagnose(s->pool, &t.options, diagnosis), WSPOOL_ERR_INVAL);
    t.options.before = NULL;
    wspool_capacity *unattached;
    assert_int_equal(wspool_capacity_new(&unattached, &t.config), 0);
    t.options.capacity = unattached;
    assert_int_equal(wspool_diagnose(s->pool, &t.options, diagnosis), WSPOOL_ERR_INVAL);
    wspool_capacity_free(unattached);
    t.options.capacity = NULL;
    t.options.size = 1;
    assert_int_equal(wspool_diagnose(s->pool, &t.options, diagnosis), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_diagnose(s->pool, NULL, diagnosis), 0);
    diagnosis->size = 1;
    const wspool_writer writer = {keep, NULL}, nobody = {NULL, NULL};
    assert_int_equal(wspool_diagnose(s->pool, NULL, diagnosis), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_diagnosis_write(diagnosis, &writer), WSPOOL_ERR_INVAL);
    diagnosis->size = sizeof *diagnosis;
    assert_int_equal(wspool_diagnosis_write(diagnosis, &nobody), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_diagnosis_write(NULL, &writer), WSPOOL_ERR_INVAL);
    assert_string_equal(wspool_issue_type_name((enum wspool_issue_type)99), "unknown");
    assert_string_equal(wspool_severity_name((enum wspool_severity)99), "unknown");
    sim_free_pool(s);
    wspool_capacity_free(t.monitor);
    sim_free(s);
}

/* It changes nothing and depends on nothing else: twice the same. */
TEST(diagnosis_changes_nothing)
{
    static char first[sizeof t.text];
    sim *s = with_verdict(WSPOOL_REFUSE, WSPOOL_REFUSED_TOKEN_INVALID);
    refuse_many(s, &with_token, 401, "invalid");
    const uint64_t calls = s->heap.calls;
    diagnose(s);
    strcpy(first, t.text);
    diagnose(s);
    assert_string_equal(first, t.text);
    assert_int_equal(s->heap.calls, calls);
    assert_int_equal(SIM_IN(wspool_check(s->pool)), 0);
    sim_free_pool(s);
    wspool_capacity_free(t.monitor);
    sim_free(s);
}
