/* SPDX-License-Identifier: MIT */
/*
 * jwt/test_pool.c - the companion on a pool: reasons in answers, subjects, the verdict cache.
 */
#include "tokens.h"

typedef struct world {
    sim *s;
    wspool_jwt *jwt;
} world;

static uint64_t seconds; /* of the wall clock */

static uint64_t wall_clock(void *user)
{
    (void)user;
    return seconds * 1000 + 999;
}

static world world_of(uint64_t seed, const wspool_jwt_config *config)
{
    world w = {sim_new(seed), jwt_make(config)};
    seconds = NOW;
    w.s->config.wall_clock = (wspool_wall_clock_hook){wall_clock, NULL};
    assert_int_equal(sim_start_bare(w.s), 0);
    assert_int_equal(wspool_route(w.s->pool, "/all", WSPOOL_GLOBAL, NULL), 0);
    assert_int_equal(wspool_jwt_attach(w.jwt, w.s->pool), 0);
    return w;
}

static world world_new(const wspool_jwt_config *config)
{
    return world_of(1, config);
}

static world world_default(void)
{
    wspool_jwt_config config = jwt_config();
    config.cache_entries = 100;
    return world_new(&config);
}

static void world_free(world *w)
{
    sim_free(w->s);
    wspool_jwt_free(w->jwt);
}

static sim_peer *come(world *w, const char *token)
{
    static char extra[WSPOOL_TOKEN_MAX + 100];
    client_request request = {.target = "/all", .extra = extra};
    snprintf(extra, sizeof extra, "Authorization: Bearer %s\r\n", token);
    sim_peer *p = sim_connect(w->s, &request);
    sim_pump(w->s);
    return p;
}

static void expect_in(world *w, const char *token, const char *subject)
{
    wspool_text text;
    sim_peer *p = come(w, token);
    sim_expect_open(p);
    assert_int_equal(wspool_subject(w->s->pool, p->id, &text), 0);
    assert_int_equal(text.len, strlen(subject));
    assert_memory_equal(text.data, subject, text.len);
}

static void expect_out(world *w, const char *token, const char *reason)
{
    sim_expect_refusal(come(w, token), 401, reason);
}

#define expect_counts(w, h, m, e) \
    do { \
        assert_int_equal(jwt_stats((w)->jwt).hits, h); \
        assert_int_equal(jwt_stats((w)->jwt).misses, m); \
        assert_int_equal(jwt_stats((w)->jwt).entries, e); \
    } while (0)

TEST(peer_with_a_good_token_has_its_subject)
{
    world w = world_default();
    expect_in(&w, token_with(PAYLOAD), "user:7");
    expect_in(&w, token_with("{'exp':1700000600}"), "");
    assert_int_equal(wspool_peers_of(w.s->pool, wspool_text_of("user:7"), NULL, 0), 1);
    assert_int_equal(jwt_stats(w.jwt).accepted, 2);
    assert_int_equal(jwt_stats(w.jwt).refused, 0);
    world_free(&w);
}

TEST(peer_with_a_bad_token_gets_the_reason)
{
    wspool_jwt_config config = jwt_config();
    config.issuer = "me";
    config.cache_entries = 100;
    world w = world_new(&config);
    expect_out(&w, "", "empty_token");
    expect_out(&w, "x.y.z", "malformed");
    expect_out(&w, token_of(HEADER, PAYLOAD, OTHER_SECRET), "invalid");
    expect_out(&w, token_with("{'iss':'me','exp':1}"), "expired");
    expect_out(&w, token_with("{'iss':'me','exp':1700000600,'nbf':1700000600}"), "not_yet_valid");
    expect_out(&w, token_with("{'iss':'you','exp':1700000600}"), "wrong_issuer");
    expect_out(&w, token_with("{'iss':'me','aud':'a','exp':1700000600}"), "wrong_audience");
    assert_int_equal(jwt_stats(w.jwt).accepted, 0);
    assert_int_equal(jwt_stats(w.jwt).refused, 6); /* an empty one does not reach the handler */
    world_free(&w);
}

/* With a verdict of the cache, too: 1,200 s are longer than it keeps one. */
TEST(peer_is_closed_at_exp_and_the_leeway)
{
    wspool_jwt_config config = jwt_config();
    config.cache_entries = 100;
    config.leeway = 5;
    world w = world_new(&config);
    for (uint64_t hits = 0; hits < 2; hits++) {
        sim_peer *p = come(&w, token_with("{'exp':1700001200,'iat':1700000000,'sub':'a'}"));
        assert_int_equal(jwt_stats(w.jwt).hits, hits);
        sim_pass(w.s, (1700001205 - NOW) * SEC - 1 * SEC);
        sim_expect_open(p);
        sim_pass(w.s, 1 * SEC);
        sim_expect_close(p, WSPOOL_END_TOKEN_EXPIRED, 4001);
    }
    world_free(&w);
}

TEST(revoked_token_is_refused_with_a_verdict_of_the_cache)
{
    wspool_jwt_config config = jwt_config();
    config.cache_entries = 100;
    world w = world_new(&config);
    const char *token = token_with("{'exp':1700001200,'iat':1699999999,'sub':'a'}");
    sim_peer *p = come(&w, token);
    assert_int_equal(SIM_IN(wspool_revoke(w.s->pool, wspool_text_of("a"), 1700000000, w.s->now)),
                     1);
    sim_pump(w.s);
    sim_expect_end(p, WSPOOL_END_REVOKED);
    expect_out(&w, token_with("{'exp':1700001200,'iat':1699999999,'sub':'a'}"), "revoked");
    assert_int_equal(jwt_stats(w.jwt).hits, 1);
    come(&w, token_with("{'exp':1700001200,'iat':1700000000,'sub':'a'}"));
    world_free(&w);
}

TEST(open_peer_renews_its_token)
{
    world w = world_default();
    sim_peer *p = come(&w, token_with("{'exp':1700000600,'sub':'a'}"));
    const char *const tokens[] = {"{'exp':1700001200,'sub':'b'}", "{'exp':1700000000,'sub':'a'}",
                                  "{'exp':1700001200,'sub':'a'}"};
    const long results[] = {WSPOOL_REFUSED_TOKEN_WRONG_SUBJECT, WSPOOL_REFUSED_TOKEN_EXPIRED, -1};
    for (size_t i = 0; i < 3; i++) {
        const wspool_text token = wspool_text_of(token_with(tokens[i]));
        assert_int_equal(SIM_IN(wspool_reauth(w.s->pool, p->id, token, w.s->now)), 0);
        assert_int_equal(sim_event_of(w.s, SIM_RENEWED, i)->number, results[i]);
    }
    sim_pass(w.s, (1700001200 - NOW) * SEC - 1 * SEC);
    sim_expect_open(p);
    sim_pass(w.s, 1 * SEC);
    sim_expect_end(p, WSPOOL_END_TOKEN_EXPIRED);
    world_free(&w);
}

TEST(peer_when_there_are_no_keys_gets_no_secret)
{
    wspool_jwt_config config = jwt_config();
    config.algorithm = WSPOOL_JWT_ES256;
    config.secret = NULL;
    world w = world_new(&config);
    expect_out(&w, token_with(PAYLOAD), "no_secret");
    expect_out(&w, token_of("{'alg':'ES256'}", PAYLOAD, SECRET), "no_secret");
    world_free(&w);
}

/* Not even the first bytes of it. */
TEST(tokens_are_in_no_log)
{
    world w = world_default();
    const char *tokens[] = {token_with(PAYLOAD), token_of(HEADER, PAYLOAD, OTHER_SECRET),
                            token_with("{'exp':1}"), "x.y.z"};
    for (size_t i = 0; i < 4; i++) {
        char start[7] = "";
        come(&w, tokens[i]);
        assert_true(w.s->counts[SIM_LOG] > i);
        for (size_t k = 0; k < w.s->counts[SIM_LOG]; k++) {
            const sim_event *event = sim_event_of(w.s, SIM_LOG, k);
            memcpy(start, tokens[i], strlen(tokens[i]) < 6 ? strlen(tokens[i]) : 6);
            assert_null(strstr(event->text, start));
            assert_null(strstr(event->reason, start));
        }
    }
    world_free(&w);
}

TEST(judge_serves_one_pool)
{
    world w = world_default();
    sim *other = sim_default(2);
    assert_int_equal(wspool_jwt_attach(w.jwt, other->pool), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_jwt_attach(w.jwt, w.s->pool), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_jwt_attach(NULL, w.s->pool), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_jwt_attach(w.jwt, NULL), WSPOOL_ERR_INVAL);
    sim_free(other);
    world_free(&w);
}

static int entropy_fails(void *bytes, size_t len, void *user)
{
    memset(bytes, 7, len);
    return *(int *)user;
}

TEST(judge_when_it_cannot_be_attached_can_be_later)
{
    wspool_jwt *jwt = jwt_default();
    sim *s = sim_new(1);
    int fails = 0;
    s->config.entropy = (wspool_entropy_hook){entropy_fails, &fails};
    sim_start(s);
    sim_peer *p = sim_join(s, "/echo");
    assert_int_equal(wspool_jwt_attach(jwt, s->pool), WSPOOL_ERR_STATE); /* there is a peer */
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    fails = 1;
    assert_int_equal(wspool_jwt_attach(jwt, s->pool), WSPOOL_ERR_ENTROPY);
    fails = 0;
    assert_int_equal(wspool_jwt_attach(jwt, s->pool), 0);
    assert_int_equal(wspool_jwt_attach(jwt, s->pool), WSPOOL_ERR_EXISTS);
    sim_free(s);
    wspool_jwt_free(jwt);
}

/* ------------------------------------------------------------------ cache */

TEST(cache_when_a_token_comes_again_has_its_verdict)
{
    world w = world_default();
    expect_in(&w, token_with(PAYLOAD), "user:7");
    expect_counts(&w, 0, 1, 1);
    expect_in(&w, token_with(PAYLOAD), "user:7");
    expect_in(&w, token_with(PAYLOAD), "user:7");
    expect_counts(&w, 2, 1, 1);
    expect_in(&w, token_with("{'sub':'user:8','exp':1700000600}"), "user:8");
    expect_in(&w, token_with(PAYLOAD), "user:7");
    expect_counts(&w, 3, 2, 2);
    world_free(&w);
}

/* A digest covers the whole token (Mercure CVE-2026-39972, Centrifugo CVE-2026-49998: a cache by
 * parts of it). */
TEST(cache_when_only_a_part_is_equal_has_no_verdict)
{
    world w = world_default();
    const char *good = token_of("{'alg':'HS256','kid':'a'}", PAYLOAD, SECRET);
    char forged[1000];
    expect_in(&w, good, "user:7");
    for (size_t i = 0; i < strlen(good); i++) {
        strcpy(forged, good);
        forged[i] = forged[i] == 'A' ? 'E' : 'A';
        if (strcmp(forged, good) != 0)
            assert_false(come(&w, forged)->opened);
    }
    strcpy(forged, good);
    forged[strlen(forged) - 1] = '\0';
    assert_false(come(&w, forged)->opened);
    expect_out(&w, token_of("{'alg':'HS256','kid':'a'}", PAYLOAD, OTHER_SECRET), "invalid");
    assert_int_equal(jwt_stats(w.jwt).hits, 0);
    world_free(&w);
}

TEST(cache_has_no_refusals)
{
    world w = world_default();
    for (int i = 0; i < 2; i++) {
        expect_out(&w, token_of(HEADER, PAYLOAD, OTHER_SECRET), "invalid");
        expect_out(&w, token_with("{'exp':1}"), "expired");
        expect_out(&w, token_with("{'exp':1700000600,'nbf':1700000100}"), "not_yet_valid");
    }
    expect_counts(&w, 0, 6, 0);
    seconds += 100;
    expect_in(&w, token_with("{'exp':1700000600,'nbf':1700000100}"), "");
    world_free(&w);
}

TEST(cache_entry_ends_with_its_token)
{
    world w = world_default();
    const char *token = token_with("{'exp':1700000010,'sub':'a'}");
    expect_in(&w, token, "a");
    seconds += 9;
    expect_in(&w, token, "a");
    expect_counts(&w, 1, 1, 1);
    seconds += 1;
    expect_out(&w, token, "expired");
    expect_counts(&w, 1, 2, 1);
    world_free(&w);
}

TEST(cache_entry_ends_after_its_time)
{
    wspool_jwt_config config = jwt_config();
    config.cache_entries = 100;
    config.cache_time = 20;
    world w = world_new(&config);
    expect_in(&w, token_with(PAYLOAD), "user:7");
    seconds += 19;
    expect_in(&w, token_with(PAYLOAD), "user:7");
    expect_counts(&w, 1, 1, 1);
    seconds += 1;
    expect_in(&w, token_with(PAYLOAD), "user:7");
    expect_counts(&w, 1, 2, 1);
    world_free(&w);
}

TEST(cache_when_the_clock_is_set_back_judges_again)
{
    world w = world_default();
    const char *token = token_with("{'exp':1700000600,'nbf':1700000000,'sub':'a'}");
    expect_in(&w, token, "a");
    seconds -= 1000;
    expect_out(&w, token, "not_yet_valid");
    expect_counts(&w, 0, 2, 1);
    world_free(&w);
}

TEST(cache_within_the_leeway_has_nothing)
{
    wspool_jwt_config config = jwt_config();
    config.cache_entries = 100;
    config.leeway = 60;
    world w = world_new(&config);
    expect_in(&w, token_with("{'exp':1700000000}"), "");
    expect_in(&w, token_with("{'exp':1700000000}"), "");
    expect_counts(&w, 0, 2, 0);
    seconds += 60;
    expect_out(&w, token_with("{'exp':1700000000}"), "expired");
    world_free(&w);
}

TEST(cache_without_an_exp_ends_after_its_time)
{
    wspool_jwt_config config = jwt_config();
    config.cache_entries = 100;
    config.needs_exp = 0;
    world w = world_new(&config);
    expect_in(&w, token_with("{'sub':'a'}"), "a");
    expect_in(&w, token_with("{'sub':'a'}"), "a");
    expect_counts(&w, 1, 1, 1);
    seconds += 300;
    expect_in(&w, token_with("{'sub':'a'}"), "a");
    expect_counts(&w, 1, 2, 1);
    world_free(&w);
}

TEST(cache_dies_with_the_secret)
{
    world w = world_default();
    const size_t len = strlen(SECRET);
    expect_in(&w, token_with(PAYLOAD), "user:7");
    assert_int_equal(wspool_jwt_set_secrets(w.jwt, OTHER_SECRET, len, SECRET, len), 0);
    expect_counts(&w, 0, 1, 0);
    expect_in(&w, token_with(PAYLOAD), "user:7"); /* by the old secret */
    assert_int_equal(wspool_jwt_set_secrets(w.jwt, OTHER_SECRET, len, NULL, 0), 0);
    expect_out(&w, token_with(PAYLOAD), "invalid");
    expect_counts(&w, 0, 3, 0);
    world_free(&w);
}

TEST(cache_has_subjects_of_70_bytes_and_no_longer_ones)
{
    world w = world_default();
    for (int len = 70; len <= 71; len++) {
        char payload[200], subject[100];
        snprintf(subject, sizeof subject, "%0*d", len, 7);
        snprintf(payload, sizeof payload, "{'exp':1700000600,'sub':'%s'}", subject);
        expect_in(&w, token_with(payload), subject);
        expect_in(&w, token_with(payload), subject);
    }
    expect_counts(&w, 1, 3, 1);
    world_free(&w);
}

static const char *numbered(int n)
{
    char payload[100];
    snprintf(payload, sizeof payload, "{'exp':1700000600,'sub':'%d'}", n);
    return token_with(payload);
}

TEST(cache_is_bounded)
{
    wspool_jwt_config config = jwt_config();
    config.cache_entries = 1; /* becomes 8 */
    world w = world_new(&config);
    uint64_t memory = jwt_stats(w.jwt).memory;
    for (int i = 0; i < 8; i++)
        sim_cut(come(&w, numbered(i)), WSPOOL_GONE_EOF);
    expect_counts(&w, 0, 8, 8);
    assert_int_equal(jwt_stats(w.jwt).evicted, 0);
    sim_cut(come(&w, numbered(3)), WSPOOL_GONE_EOF);
    for (int i = 8; i < 15; i++) /* seven give way: those that were not used */
        sim_cut(come(&w, numbered(i)), WSPOOL_GONE_EOF);
    assert_int_equal(jwt_stats(w.jwt).entries, 8);
    assert_int_equal(jwt_stats(w.jwt).evicted, 7);
    assert_int_equal(jwt_stats(w.jwt).memory, memory);
    world_free(&w);
}

TEST(cache_keeps_what_is_used)
{
    wspool_jwt_config config = jwt_config();
    config.cache_entries = 8;
    world w = world_new(&config);
    for (int i = 0; i < 30; i++) {
        sim_cut(come(&w, numbered(1000)), WSPOOL_GONE_EOF);
        sim_cut(come(&w, numbered(i)), WSPOOL_GONE_EOF);
    }
    assert_int_equal(jwt_stats(w.jwt).hits, 29);
    world_free(&w);
}

/* The key of the digests is of the pool's entropy: two pools place one token differently. */
TEST(cache_places_tokens_by_entropy)
{
    uint64_t evicted[2];
    for (uint64_t seed = 0; seed < 2; seed++) {
        wspool_jwt_config config = jwt_config();
        config.cache_entries = 16;
        world w = world_of(seed, &config);
        uint64_t bits = 0;
        for (int i = 0; i < 40; i++) {
            uint64_t before = jwt_stats(w.jwt).evicted;
            sim_cut(come(&w, numbered(i)), WSPOOL_GONE_EOF);
            bits = bits << 1 | (jwt_stats(w.jwt).evicted != before);
        }
        evicted[seed] = bits;
        world_free(&w);
    }
    assert_true(evicted[0] != evicted[1]);
}
