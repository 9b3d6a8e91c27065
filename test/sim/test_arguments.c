/* SPDX-License-Identifier: MIT */
/*
 * sim/test_arguments.c - wrong calls of a host: null pools, null outputs, stale ids, absurd
 * lengths, structs of other sizes, numbers out of range. Each returns an error code and never
 * crashes.
 *
 * Proves a part of law 8 (a stale id is WSPOOL_ERR_STALE, and what can't be done returns an error)
 * and of law 9 (a configuration that can't be checked is refused).
 */
#include "sim.h"

TEST(pool_when_null_is_inval)
{
    wspool_config config;
    wspool_route_options options;
    wspool_request request;
    wspool_answer answer;
    wspool_verdict verdict;
    wspool_channel_position at;
    wspool_statistics stats = {.size = sizeof stats};
    struct iovec vectors[2];
    wspool_id id = 5;
    unsigned wants;
    memset(&request, 0, sizeof request);
    memset(&verdict, 0, sizeof verdict);
    request.size = sizeof request;
    verdict.size = sizeof verdict;
    wspool_config_init(&config);
    wspool_route_options_init(&options, &config);
    assert_int_equal(wspool_new(NULL, &config, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_free(NULL), 0);
    assert_int_equal(wspool_route(NULL, "/", WSPOOL_NONE, &options), WSPOOL_ERR_INVAL);
    (void)wspool_deadline(NULL);
    assert_int_equal(wspool_tick(NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_next(NULL, &id, &wants), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_open(NULL, NULL, 0, &id), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_feed(NULL, 1, "x", 1, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_peek(NULL, 1, vectors, 2), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_ack(NULL, 1, 0, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_writable(NULL, 1, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_gone(NULL, 1, WSPOOL_GONE_EOF, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_release(NULL, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_upgrade(NULL, &request, 0, &id, &answer), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_adopt(NULL, 1, NULL, 0, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_auth_complete(NULL, 1, &verdict), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_subscribe(NULL, 1, wspool_topic("x")), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_unsubscribe(NULL, 1, wspool_topic("x")), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_position(NULL, wspool_topic("x"), &at), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_member_count(NULL, wspool_topic("x")), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_members(NULL, wspool_topic("x"), &id, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_channels_of(NULL, 1, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_peers(NULL, &id, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_channels(NULL, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_broadcast(NULL, wspool_topic("x"), "x", 1, NULL, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_send(NULL, 1, "x", 1, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close(NULL, 1, 1000, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_drain(NULL, 0, 0, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_draining(NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clear(NULL, wspool_topic("x")), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_report_abuse(NULL, 1, 1, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(
        wspool_publish(NULL, wspool_topic("x"), wspool_text_of("t"), (wspool_text){0}, NULL, NULL),
        WSPOOL_ERR_INVAL);
    assert_null(wspool_contract(NULL, 1));
    assert_int_equal(wspool_stats(NULL, &stats), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_check(NULL), WSPOOL_ERR_INVAL);
    assert_null(wspool_user(NULL, 1));
    assert_null(wspool_identity(NULL, 1));
}

TEST(outputs_when_null_are_inval)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all");
    wspool_request request;
    wspool_answer answer;
    struct iovec vectors[2];
    wspool_id id;
    unsigned wants;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    sim_send(p, "x");
    assert_int_equal(wspool_next(s->pool, NULL, &wants), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_next(s->pool, &id, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_open(s->pool, NULL, s->now, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_feed(s->pool, p->id, NULL, 1, s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_feed(s->pool, p->id, NULL, 0, s->now), 0);
    assert_int_equal(wspool_peek(s->pool, p->id, NULL, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_peek(s->pool, p->id, vectors, -1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_ack(s->pool, p->id, 1, s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_upgrade(s->pool, NULL, s->now, &id, &answer), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, NULL, &answer), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_position(s->pool, wspool_topic("x"), NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_members(s->pool, wspool_global("all"), NULL, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_channels_of(s->pool, p->id, NULL, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_peers(s->pool, NULL, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_channels(s->pool, NULL, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_stats(s->pool, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_report_abuse(s->pool, p->id, 0, NULL), WSPOOL_ERR_INVAL);
    assert_null(wspool_contract(s->pool, p->id)); /* the pool has none */
    assert_int_equal(wspool_route(s->pool, NULL, WSPOOL_NONE, NULL), WSPOOL_ERR_INVAL);
    sim_books(s);
    sim_pump(s);
    sim_expect_message(p, 0, "x");
    sim_free(s);
}

static void all_calls(sim *s, wspool_id id, int answer)
{
    struct iovec vectors[2];
    wspool_channel channel;
    assert_int_equal(wspool_feed(s->pool, id, "x", 1, s->now), answer);
    assert_int_equal(wspool_peek(s->pool, id, vectors, 2), answer);
    assert_int_equal(wspool_ack(s->pool, id, 0, s->now), answer);
    assert_int_equal(wspool_writable(s->pool, id, s->now), answer);
    assert_int_equal(wspool_gone(s->pool, id, WSPOOL_GONE_EOF, s->now), answer);
    assert_int_equal(wspool_release(s->pool, id), answer);
    assert_int_equal(wspool_adopt(s->pool, id, NULL, 0, s->now), answer);
    assert_int_equal(wspool_subscribe(s->pool, id, wspool_topic("x")), answer);
    assert_int_equal(wspool_unsubscribe(s->pool, id, wspool_global("all")), answer);
    assert_int_equal(wspool_channels_of(s->pool, id, &channel, 1), answer);
    assert_int_equal(wspool_send(s->pool, id, "x", 1, NULL), answer);
    assert_int_equal(wspool_close(s->pool, id, 1000, NULL, 0), answer);
    assert_int_equal(wspool_report_abuse(s->pool, id, 1, NULL), answer);
    assert_null(wspool_user(s->pool, id));
    assert_null(wspool_identity(s->pool, id));
}

TEST(ids_when_stale_or_invented_are_gone)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all");
    sim_peer *q = sim_join(s, "/all");
    uint64_t before;
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    before = sim_stats(s).stale_ids;
    all_calls(s, p->id, WSPOOL_ERR_STALE);
    assert_true(sim_stats(s).stale_ids > before);
    all_calls(s, 0, WSPOOL_ERR_STALE);
    all_calls(s, UINT64_MAX, WSPOOL_ERR_STALE);
    all_calls(s, 1, WSPOOL_ERR_STALE);
    all_calls(s, wspool_slot(q->id), WSPOOL_ERR_STALE);
    all_calls(s, q->id ^ UINT64_C(1) << 32, WSPOOL_ERR_STALE);
    all_calls(s, q->id ^ UINT64_C(1) << 63, WSPOOL_ERR_STALE);
    all_calls(s, q->id + 1000000, WSPOOL_ERR_STALE);
    all_calls(s, (q->id & ~(uint64_t)UINT32_MAX) | UINT32_MAX, WSPOOL_ERR_STALE);
    for (int i = 0; i < 200; i++) {
        wspool_id id = sim_random(s);
        if (id != q->id)
            all_calls(s, id, WSPOOL_ERR_STALE);
    }
    sim_pump(s);
    sim_expect_open(q);
    sim_free(s);
}

TEST(calls_when_the_state_is_wrong_are_state)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_open(s, NULL);
    assert_int_equal(wspool_send(s->pool, p->id, "x", 1, NULL), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_topic("x")), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_adopt(s->pool, p->id, NULL, 0, s->now), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_release(s->pool, p->id), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_report_abuse(s->pool, p->id, 1, NULL), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, wspool_topic("x")), WSPOOL_ERR_ABSENT);
    client_put_request(&p->in, &(client_request){0});
    sim_pump(s);
    sim_expect_open(p);
    assert_int_equal(wspool_release(s->pool, p->id), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_adopt(s->pool, p->id, NULL, 0, s->now), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_gone(s->pool, p->id, WSPOOL_GONE_EOF, s->now), 0);
    p->told = 1;
    sim_pump(s);
    assert_int_equal(p->released, 1);
    sim_free(s);
}

TEST(peer_when_over_but_not_released_answers_harmlessly)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all");
    struct iovec vectors[2];
    assert_int_equal(wspool_gone(s->pool, p->id, WSPOOL_GONE_EOF, s->now), 0);
    p->told = 1;
    assert_int_equal(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now), 0);
    assert_int_equal(wspool_feed(s->pool, p->id, "\x81\x80....", 6, s->now), 0);
    s->fed += 6;
    assert_int_equal(wspool_peek(s->pool, p->id, vectors, 2), 0);
    assert_int_equal(wspool_ack(s->pool, p->id, 0, s->now), 0);
    assert_int_equal(wspool_writable(s->pool, p->id, s->now), 0);
    assert_int_equal(wspool_send(s->pool, p->id, "x", 1, NULL), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_topic("x")), WSPOOL_ERR_STATE);
    assert_ptr_equal(wspool_user(s->pool, p->id), p);
    sim_pump(s);
    sim_expect_end(p, WSPOOL_END_EOF);
    sim_free(s);
}

TEST(lengths_when_absurd_are_refused)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all");
    wspool_channel huge = wspool_channel_of(WSPOOL_TOPIC, "x", SIZE_MAX);
    static const size_t lens[] = {
        SIZE_MAX,
        SIZE_MAX - 1,
        SIZE_MAX - 10,
        SIZE_MAX / 2,
        (size_t)1 << 31,
        262145,
#if SIZE_MAX > UINT32_MAX
        (size_t)1 << 32,
        ((size_t)1 << 32) + 5,
#endif
    };
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        assert_int_equal(wspool_send(s->pool, p->id, "x", lens[i], NULL), WSPOOL_ERR_TOO_BIG);
        assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "x", lens[i], NULL, NULL),
                         WSPOOL_ERR_TOO_BIG);
    }
    assert_int_equal(wspool_send(s->pool, p->id, NULL, 1, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_send(s->pool, p->id, NULL, 0, NULL), 0);
    assert_int_equal(wspool_subscribe(s->pool, p->id, huge), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, huge), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_member_count(s->pool, huge), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_members(s->pool, huge, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_broadcast(s->pool, huge, "x", 1, NULL, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_ack(s->pool, p->id, SIZE_MAX, s->now), WSPOOL_ERR_INVAL);
    sim_pump(s);
    assert_int_equal(p->reader.messages, 1);
    sim_free(s);
}

TEST(ack_when_more_than_was_peeked_is_inval)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all");
    struct iovec vectors[2];
    assert_int_equal(wspool_peek(s->pool, p->id, vectors, 2), 0);
    assert_int_equal(wspool_ack(s->pool, p->id, 0, s->now), 0);
    sim_send(p, "abc");
    assert_int_equal(wspool_peek(s->pool, p->id, vectors, 2), 1);
    assert_int_equal(wspool_ack(s->pool, p->id, 6, s->now), WSPOOL_ERR_INVAL);
    sim_send(p, "behind the peek");
    assert_int_equal(wspool_ack(s->pool, p->id, 6, s->now), WSPOOL_ERR_INVAL);
    sim_pump(s);
    sim_expect_message(p, 0, "abc");
    sim_expect_message(p, 1, "behind the peek");
    sim_free(s);
}

TEST(close_when_code_or_reason_is_unlawful_is_inval)
{
    static const int bad[] = {-1,   0,    1,    999,  1004, 1005,  1006,
                              1015, 1016, 2000, 2999, 5000, 65536, 66536};
    static const int good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                               1011, 1012, 1013, 1014, 3000, 4000, 4999};
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all");
    char reason[200];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(wspool_close(s->pool, p->id, bad[i], NULL, 0), WSPOOL_ERR_INVAL);
    memset(reason, 'r', sizeof reason);
    reason[124] = '\0';
    assert_int_equal(wspool_close(s->pool, p->id, 1000, reason, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, "\xff", 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, "\xed\xa0\x80", 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, "\xc3", 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0x80000000u), WSPOOL_ERR_INVAL);
    sim_pump(s);
    sim_expect_open(p);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        sim_peer *q = sim_join(s, "/all");
        reason[123] = '\0';
        assert_int_equal(wspool_close(s->pool, q->id, good[i], i % 2 ? reason : "", 0), 0);
        sim_pump(s);
        sim_expect_close(q, WSPOOL_END_HOST_CLOSED, good[i]);
        assert_string_equal(q->reader.close_reason, i % 2 ? reason : "");
    }
    assert_int_equal(wspool_gone(s->pool, p->id, (enum wspool_gone_why)9, s->now),
                     WSPOOL_ERR_INVAL);
    sim_pump(s);
    sim_expect_open(p);
    sim_free(s);
}

TEST(sizes_of_structs_when_too_small_are_inval)
{
    sim *s = sim_default(1);
    wspool_send_options options = {.size = 0};
    wspool_tally tally = {.size = 0};
    wspool_statistics stats = {.size = 0};
    wspool_route_options route = {.size = 0};
    wspool_config config;
    wspool *pool;
    sim_join(s, "/all");
    for (size_t size = 0; size < sizeof(size_t); size++) {
        options.size = tally.size = stats.size = route.size = size;
        assert_int_equal(wspool_stats(s->pool, &stats), WSPOOL_ERR_INVAL);
        assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "x", 1, &options, NULL),
                         WSPOOL_ERR_INVAL);
        assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "x", 1, NULL, &tally),
                         WSPOOL_ERR_INVAL);
        assert_int_equal(wspool_send(s->pool, s->peers[0]->id, "x", 1, &options), WSPOOL_ERR_INVAL);
        assert_int_equal(wspool_route(s->pool, "/x", WSPOOL_NONE, &route), WSPOOL_ERR_INVAL);
        wspool_config_init(&config);
        config.size = size;
        assert_int_equal(wspool_new(&pool, &config, 0), WSPOOL_ERR_INVAL);
        assert_null(pool);
    }
    sim_pump(s);
    assert_int_equal(s->peers[0]->reader.messages, 0);
    sim_free(s);
}

/* A host that was compiled with an older header: its structs end earlier. */
TEST(sizes_of_structs_when_older_are_understood)
{
    sim *s = sim_default(1);
    wspool_tally tally;
    wspool_statistics stats;
    sim_peer *p = sim_join(s, "/all");
    memset(&tally, 0xee, sizeof tally);
    tally.size = offsetof(wspool_tally, closed);
    assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "x", 1, NULL, &tally), 1);
    assert_int_equal(tally.queued, 1);
    assert_int_equal(tally.slow, 0);
    assert_int_equal(tally.closed, 0xeeeeeeee);
    assert_int_equal(tally.size, offsetof(wspool_tally, closed));
    memset(&stats, 0xee, sizeof stats);
    stats.size = offsetof(wspool_statistics, published);
    assert_int_equal(wspool_stats(s->pool, &stats), 0);
    assert_int_equal(stats.attempts, 1);
    assert_int_equal(stats.accepted, 1);
    assert_true(stats.published == UINT64_C(0xeeeeeeeeeeeeeeee));
    sim_pump(s);
    assert_int_equal(p->reader.messages, 1);
    sim_free(s);
}

/* A host that was compiled with a newer header: the unknown part must be zero. */
TEST(sizes_of_structs_when_newer_are_taken_if_the_rest_is_zero)
{
    struct {
        wspool_send_options known;
        char unknown[32];
    } options;
    struct {
        wspool_tally known;
        char unknown[32];
    } tally;
    sim *s = sim_default(1);
    sim_join(s, "/all");
    memset(&options, 0, sizeof options);
    options.known.size = sizeof options;
    assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "x", 1, &options.known, NULL),
                     1);
    memset(&tally, 0, sizeof tally);
    tally.known.size = sizeof tally;
    assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "x", 1, NULL, &tally.known),
                     1);
    assert_int_equal(tally.known.queued, 1);
    options.known.flags = 0x80000000u; /* an unknown option */
    assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "x", 1, &options.known, NULL),
                     WSPOOL_ERR_INVAL);
    sim_pump(s);
    sim_free(s);
}

/* ---------------------------------------------------------------- config */

static int made(const wspool_config *config)
{
    wspool *pool = (wspool *)1;
    int rc = wspool_new(&pool, config, 0);
    if (rc == 0) {
        assert_non_null(pool);
        assert_int_equal(wspool_check(pool), 0);
        assert_int_equal(wspool_free(pool), 0);
    } else {
        assert_null(pool);
    }
    return rc;
}

TEST(config_when_default_or_absent_makes_a_pool)
{
    wspool_config config;
    wspool_config_init(&config);
    assert_int_equal(config.size, sizeof config);
    assert_int_equal(made(&config), 0);
    assert_int_equal(made(NULL), 0);
    /* The defaults that the header documents. */
    assert_int_equal(config.max_peers, 1000);
    assert_int_equal(config.max_handshakes, 1000);
    assert_int_equal(config.channels_per_peer, 128);
    assert_int_equal(config.head_bytes, 16384);
    assert_int_equal(config.head_count, 64);
    assert_int_equal(config.message_bytes, 65536);
    assert_int_equal(config.abuse_burst, 10000);
    assert_int_equal(config.abuse_rate, 330);
    assert_int_equal(config.queue_bytes, 262144);
    assert_int_equal(config.queue_messages, 1024);
    assert_true(config.pool_bytes == 67108864);
    assert_int_equal(config.slow, WSPOOL_SLOW_CLOSE);
    assert_true(config.handshake_time == 10 * SEC && config.verdict_time == 30 * SEC);
    assert_true(config.message_time == 30 * SEC && config.idle_time == 0);
    assert_true(config.ping_interval == 30 * SEC && config.pong_time == 10 * SEC);
    assert_int_equal(config.ping_jitter, 10);
    assert_true(config.flush_time == 30 * SEC && config.closing_time == 5 * SEC);
    assert_true(config.lifetime == 0);
    assert_int_equal(config.retry_after, 5);
    assert_null(config.subprotocols);
    assert_null(config.origins);
    assert_int_equal(config.any_origin, 0);
    assert_int_equal(config.token_places[0], WSPOOL_TOKEN_AUTHORIZATION);
    assert_int_equal(config.token_places[1], WSPOOL_TOKEN_SUBPROTOCOL);
    assert_int_equal(config.token_places[2], WSPOOL_TOKEN_COOKIE);
    assert_int_equal(config.token_places[3], WSPOOL_TOKEN_QUERY);
}

#define TRY(answer, statement) \
    do { \
        wspool_config c; \
        wspool_config_init(&c); \
        statement; \
        if (made(&c) != (answer)) \
            fail_msg("%s: expected %d, got %d", #statement, (answer), made(&c)); \
    } while (0)
#define GOOD(statement) TRY(0, statement)
#define BAD(statement) TRY(WSPOOL_ERR_INVAL, statement)

TEST(config_when_a_number_is_out_of_its_range_is_inval)
{
    static const char *const origins[] = {"https://a.example", NULL};
    static const char *const hosts[] = {"a.example", NULL};
    static const char *const bad_origins[][2] = {{"a.example", NULL},
                                                 {"https://", NULL},
                                                 {"https://a.example/", NULL},
                                                 {"https://a.example:0x50", NULL},
                                                 {"https://a.example:99999", NULL},
                                                 {"https://u@a.example", NULL},
                                                 {"", NULL},
                                                 {"https://a b", NULL},
                                                 {"*", NULL},
                                                 {"NULL", NULL}};
    GOOD(c.head_bytes = 65536);
    BAD(c.head_bytes = 65537);
    BAD(c.head_bytes = 0);
    GOOD(c.head_count = 256);
    BAD(c.head_count = 257);
    GOOD(c.message_bytes = (1u << 30) - 1);
    BAD(c.message_bytes = 1u << 30);
    GOOD(c.queue_bytes = (1u << 30) - 1);
    BAD(c.queue_bytes = 1u << 30);
    GOOD(c.abuse_burst = 65535);
    BAD(c.abuse_burst = 65536);
    GOOD(c.abuse_burst = 0);
    GOOD(c.ping_jitter = 50);
    BAD(c.ping_jitter = 51);
    GOOD(c.ping_jitter = 0);
    BAD(c.handshake_time = 0);
    BAD(c.verdict_time = 0);
    BAD(c.closing_time = 0);
    BAD(c.pong_time = 0);
    GOOD((c.pong_time = 0, c.ping_interval = 0));
    GOOD((c.message_time = c.idle_time = c.flush_time = c.lifetime = 0));
    GOOD(c.handshake_time = 1);
    GOOD(c.handshake_time = WSPOOL_TIME_MAX);
    GOOD(c.lifetime = WSPOOL_TIME_MAX);
    GOOD(c.idle_time = WSPOOL_TIME_MAX);
    GOOD(c.ping_interval = WSPOOL_TIME_MAX);
    BAD(c.handshake_time = WSPOOL_TIME_MAX + 1);
    BAD(c.verdict_time = UINT64_MAX);
    BAD(c.message_time = UINT64_MAX);
    BAD(c.idle_time = UINT64_MAX);
    BAD(c.ping_interval = UINT64_MAX);
    BAD(c.pong_time = UINT64_MAX);
    BAD(c.flush_time = UINT64_MAX);
    BAD(c.closing_time = UINT64_MAX);
    BAD(c.lifetime = UINT64_MAX);
    BAD(c.slow = (enum wspool_slow)4);
    BAD(c.history_bytes = 65535);
    BAD(c.slow = (enum wspool_slow) - 1);
    BAD(c.token_places[0] = (enum wspool_token_place)5);
    GOOD(c.token_places[0] = WSPOOL_TOKEN_NONE);
    GOOD(c.origins = origins);
    for (size_t i = 0; i < sizeof bad_origins / sizeof *bad_origins; i++)
        BAD(c.origins = bad_origins[i]);
    GOOD(c.hosts = hosts);
    BAD(c.hosts = origins);
    BAD(c.hosts = hosts + 1); /* an empty list */
}

static void *half_malloc(size_t size, void *user)
{
    (void)user;
    return malloc(size);
}

static void half_free(void *block, void *user)
{
    (void)user;
    free(block);
}

TEST(memory_hooks_when_half_a_set_are_inval)
{
    BAD(c.mem.malloc = half_malloc);
    BAD(c.mem.free = half_free);
    BAD((c.mem.malloc = half_malloc, c.mem.free = half_free));
}

static int no_entropy(void *bytes, size_t len, void *user)
{
    (void)bytes;
    (void)user;
    return len == 32 ? -1 : 1;
}

TEST(entropy_when_there_is_none_makes_no_pool)
{
    TRY(WSPOOL_ERR_ENTROPY, c.entropy.call = no_entropy);
}

TEST(routes_when_unlawful_are_inval)
{
    static const char *const bad[] = {"",     "x",   "x/",  "/{a}/{b}", "/{",    "/}",    "/a{b",
                                      "/a}b", "/{a", "/a}", "/{a}b",    "/a{b}", "/{{a}}"};
    static const char *const good[] = {"/", "/a", "/a/b/c", "/a%20b", "/{a}", "/a/{b}/c"};
    sim *s = sim_default(1);
    wspool_route_options options;
    char name[300];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rc = wspool_route(s->pool, bad[i], WSPOOL_ITEM, NULL);
        if (rc != WSPOOL_ERR_INVAL)
            fail_msg("%s: %d", bad[i], rc);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int rc = wspool_route(s->pool, good[i], WSPOOL_ITEM, NULL);
        if (rc != 0)
            fail_msg("%s: %d", good[i], rc);
    }
    assert_int_equal(wspool_route(s->pool, "/late", WSPOOL_ITEM, NULL), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_route(s->pool, "/k", (enum wspool_kind)5, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_route(s->pool, "/k", (enum wspool_kind) - 1, NULL), WSPOOL_ERR_INVAL);
    wspool_route_options_init(&options, &s->config);
    options.slow = (enum wspool_slow)9;
    assert_int_equal(wspool_route(s->pool, "/k", WSPOOL_ITEM, &options), WSPOOL_ERR_INVAL);
    wspool_route_options_init(&options, &s->config);
    options.flags = 0x100;
    assert_int_equal(wspool_route(s->pool, "/k", WSPOOL_ITEM, &options), WSPOOL_ERR_INVAL);
    wspool_route_options_init(&options, &s->config);
    options.message_bytes = 1u << 30;
    assert_int_equal(wspool_route(s->pool, "/k", WSPOOL_ITEM, &options), WSPOOL_ERR_INVAL);
    static const wspool_history histories[] = {
        {.bytes = 1},
        {.time = 1},
        {.max_keys = 1},
        {.messages = 1, .tombstone_time = 1},
        {.messages = (1u << 24) + 1},
        {.messages = 1, .time = WSPOOL_TIME_MAX + 1},
        {.messages = 1, .max_keys = (1u << 24) + 1},
        {.messages = 1, .max_keys = 1, .tombstone_time = WSPOOL_TIME_MAX + 1},
    };
    for (size_t i = 0; i < sizeof histories / sizeof *histories; i++) {
        wspool_route_options_init(&options, &s->config);
        options.history = histories[i];
        assert_int_equal(wspool_route(s->pool, "/k", WSPOOL_TOPIC, &options), WSPOOL_ERR_INVAL);
    }
    wspool_route_options_init(&options, &s->config);
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    options.name = name;
    assert_int_equal(wspool_route(s->pool, "/k", WSPOOL_ITEM, &options), WSPOOL_ERR_INVAL);
    name[255] = '\0';
    assert_int_equal(wspool_route(s->pool, "/k/k/k", WSPOOL_ITEM, &options), 0);
    sim_join(s, "/k/k/k");
    assert_int_equal(wspool_member_count(s->pool, wspool_item(name)), 1);
    sim_free(s);
}

TEST(config_when_copied_may_go_away)
{
    sim *s = sim_new(1);
    char *origin = sim_malloc(64);
    char *protocol = sim_malloc(64);
    const char **origins = sim_malloc(2 * sizeof *origins);
    const char **protocols = sim_malloc(2 * sizeof *protocols);
    wspool_route_options options;
    char pattern[] = "/pattern/{x}";
    char name[] = "name";
    client_request request = {
        .target = "/pattern/1", .origin = "https://app.example", .protocol = "chat"};
    sim_peer *p;
    snprintf(origin, 64, "https://app.example");
    snprintf(protocol, 64, "chat");
    origins[0] = origin;
    protocols[0] = protocol;
    origins[1] = protocols[1] = NULL;
    s->config.origins = origins;
    s->config.subprotocols = protocols;
    sim_start(s);
    wspool_route_options_init(&options, &s->config);
    options.name = name;
    assert_int_equal(wspool_route(s->pool, pattern, WSPOOL_ITEM, &options), 0);
    memset(pattern, 'x', sizeof pattern - 1);
    memset(name, 'x', sizeof name - 1);
    free(origin);
    free(protocol);
    free(origins);
    free(protocols);
    memset(&s->config, 0xee, sizeof s->config);
    p = sim_connect(s, &request);
    sim_pump(s);
    sim_expect_open(p);
    assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->reason, "chat");
    sim_free(s);
}

TEST(texts_when_asked_for_are_never_null)
{
    for (int i = -600; i < 600; i++) {
        assert_non_null(wspool_strerror(i));
        assert_non_null(wspool_end_text((enum wspool_end)i));
        assert_non_null(wspool_refusal_reason((enum wspool_refusal)i));
        assert_non_null(wspool_stage_name((enum wspool_stage)i));
        (void)wspool_refusal_status((enum wspool_refusal)i);
    }
    assert_string_equal(wspool_end_text(WSPOOL_END_SLOW), "slow consumer");
    assert_string_equal(wspool_refusal_reason(WSPOOL_REFUSED_NO_ROUTE), "no_route");
    assert_int_equal(wspool_refusal_status(WSPOOL_REFUSED_NO_ROUTE), 404);
    assert_string_equal(wspool_stage_name(WSPOOL_STAGE_ORIGIN), "origin");
    assert_true(wspool_clock() <= wspool_clock());
}
