/* SPDX-License-Identifier: MIT */
/*
 * sim/test_measures.c - the histograms of wspool/stats.h: which times and sizes a pool measures, and
 * how.
 */
#include "sim.h"

/* Expects that a histogram counts these values and no others. */
static void measured(const wspool_histogram *histogram, const uint64_t *values, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
    }
    assert_int_equal(histogram->sum, sum);
    assert_int_equal(wspool_histogram_count(histogram), count);
}

static void measured_one(const wspool_histogram *histogram, uint64_t value)
{
    measured(histogram, &value, 1);
}

/* ---------------------------------------------------------------- the handshake */

TEST(handshake_takes_from_the_opening_to_the_verdict)
{
    static const char head[] = "GET /all HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               "Authorization: Bearer secret\r\n\r\n";
    sim *s = sim_new(1);
    s->ask_token = 1;
    s->verdict.kind = WSPOOL_PENDING;
    sim_start(s);
    sim_peer *p = sim_open(s, NULL);
    sim_pass(s, 3 * MS);
    sim_write(p, "G", 1);
    sim_pass(s, 20 * MS);
    sim_write(p, head + 1, sizeof head - 2);
    sim_pass(s, 400 * MS); /* the verdict is late */
    const wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
    assert_int_equal(SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)), 0);
    sim_pump(s);
    sim_expect_open(p);
    const wspool_statistics stats = sim_stats(s);
    measured_one(&stats.handshake_time, 423000);
    measured_one(&stats.stages[WSPOOL_STAGE_BYTES].times, 3000);
    measured_one(&stats.stages[WSPOOL_STAGE_REQUEST_LINE].times, 20000);
    measured_one(&stats.stages[WSPOOL_STAGE_TOKEN].times, 400000);
    measured_one(&stats.stages[WSPOOL_STAGE_VERSION].times, 0);
    sim_free(s);
}

/* What the host's server has read counts, what it needs to send the 101 does not. */
TEST(hosted_handshake_takes_from_the_beginning_of_the_request)
{
    sim *s = sim_default(1);
    client_request request = {.target = "/all"};
    wspool_answer answer;
    sim_peer *p;
    sim_pass(s, 100 * MS);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    sim_pass(s, 70 * MS);
    assert_int_equal(sim_adopt(p, NULL, 0), 0);
    sim_pump(s);
    const wspool_statistics stats = sim_stats(s);
    measured_one(&stats.handshake_time, 0);
    measured_one(&stats.stages[WSPOOL_STAGE_FLUSHED].times, 70000);
    sim_free(s);
}

/* The time of a 101 that cannot leave belongs to FLUSHED, and the count that the record had for the
 * handshake is used for other things then. */
TEST(answer_that_waits_counts_for_its_own_stage)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_connect_to(s, "/all");
    sim_stall(p);
    sim_pass(s, 5 * SEC);
    sim_flow(p);
    sim_pump(s);
    sim_expect_open(p);
    const wspool_statistics stats = sim_stats(s);
    measured_one(&stats.handshake_time, 0);
    assert_in_range(stats.stages[WSPOOL_STAGE_FLUSHED].times.sum, 5000000, 5200000);
    sim_free(s);
}

/* ------------------------------------------------------------------- round trips */

static sim_peer *pinged_peer(sim *s)
{
    s->config.ping_interval = 10 * SEC;
    s->config.pong_time = 5 * SEC;
    sim_start(s);
    sim_peer *p = sim_join(s, "/echo");
    p->mute_pings = 1;
    while (p->reader.pings == 0) {
        s->now = wspool_deadline(s->pool);
        sim_pump(s);
    }
    return p;
}

TEST(round_trip_is_from_the_ping_to_its_pong)
{
    sim *s = sim_new(1);
    sim_peer *p = pinged_peer(s);
    sim_pass(s, 120 * MS);
    sim_frame(p, 0x8A, NULL, 0);
    sim_pump(s);
    const wspool_statistics stats = sim_stats(s);
    measured_one(&stats.round_trip, 120000);
    sim_free(s);
}

/* A message that was on its way already answers the ping, and says nothing of a round trip. The
 * Pong behind it comes when the deadline is that of the next ping. */
TEST(pong_behind_other_input_is_not_measured)
{
    sim *s = sim_new(1);
    sim_peer *p = pinged_peer(s);
    sim_pass(s, 5 * MS);
    sim_text(p, "on its way");
    sim_pass(s, 120 * MS);
    sim_frame(p, 0x8A, NULL, 0);
    sim_pump(s);
    const wspool_statistics stats = sim_stats(s);
    assert_int_equal(stats.pongs_received, 1);
    measured(&stats.round_trip, NULL, 0);
    sim_free(s);
}

TEST(pong_that_nobody_asked_for_is_not_measured)
{
    sim *s = sim_new(1);
    sim_peer *p = pinged_peer(s);
    sim_pass(s, 30 * MS);
    for (int i = 0; i < 3; i++) {
        sim_frame(p, 0x8A, NULL, 0);
    }
    sim_pump(s);
    const wspool_statistics stats = sim_stats(s);
    assert_int_equal(stats.pongs_received, 3);
    measured_one(&stats.round_trip, 30000);
    sim_free(s);
}

/* ------------------------------------------------------------------- queues */

TEST(queue_of_a_slow_peer_is_as_old_as_its_first_message)
{
    sim *s = sim_default(1);
    sim_peer *slow = sim_join(s, "/all");
    const uint64_t before = sim_stats(s).queue_age.sum;
    sim_stall(slow);
    sim_broadcast(s, wspool_global("all"), "first");
    sim_pump(s);
    sim_pass(s, 2 * SEC);
    sim_broadcast(s, wspool_global("all"), "second");
    sim_pump(s);
    sim_pass(s, 1 * SEC);
    sim_flow(slow);
    sim_pump(s);
    sim_expect_open(slow);
    assert_in_range(sim_stats(s).queue_age.sum - before, 3000000, 3100000);
    sim_free(s);
}

/* A block that a slow peer holds goes on being filled for the others. */
TEST(queue_of_a_fast_peer_is_young_beside_a_slow_one)
{
    sim *s = sim_default(1);
    sim_peer *slow = sim_join(s, "/all"), *fast = sim_join(s, "/all");
    sim_stall(slow);
    sim_broadcast(s, wspool_global("all"), "first");
    sim_pump(s);
    sim_pass(s, 2 * SEC);
    const wspool_histogram before = sim_stats(s).queue_age;
    for (int i = 0; i < 32; i++) { /* one of 16 turns is measured */
        sim_broadcast(s, wspool_global("all"), "later");
        sim_pump(s);
    }
    const wspool_histogram after = sim_stats(s).queue_age;
    sim_expect_message(fast, 1, "later");
    assert_true(wspool_histogram_count(&after) > wspool_histogram_count(&before));
    assert_int_equal(after.sum, before.sum);
    sim_free(s);
}

/* ------------------------------------------------------------------- resumes */

TEST(resumes_are_counted_by_what_was_missed)
{
    sim *s = sim_default(1);
    wspool_route_options history;
    wspool_route_options_init(&history, &s->config);
    history.history.messages = 4;
    assert_int_equal(SIM_IN(wspool_route(s->pool, "/topic/{name}", WSPOOL_TOPIC, &history)), 0);
    sim_peer *p = sim_join(s, "/topic/t");
    for (int i = 0; i < 8; i++) {
        sim_broadcast(s, wspool_topic("t"), "message");
    }
    wspool_channel_position position;
    assert_int_equal(wspool_position(s->pool, wspool_topic("t"), &position), 0);
    static const uint64_t behind[] = {0, 3, 7};
    for (size_t i = 0; i < 3; i++) {
        const wspool_channel_position since = {position.epoch, position.offset - behind[i]};
        sim_peer *other = sim_join(s, "/all");
        assert_int_equal(SIM_IN(wspool_resume(s->pool, other->id, wspool_topic("t"), &since, NULL)),
                         0);
    }
    const wspool_id newcomer = sim_join(s, "/all")->id; /* without a position */
    assert_int_equal(SIM_IN(wspool_resume(s->pool, newcomer, wspool_topic("t"), NULL, NULL)), 0);
    const wspool_statistics stats = sim_stats(s);
    assert_int_equal(stats.resumes, 3);
    assert_int_equal(stats.resumes_lost, 1);
    measured(&stats.resume_size, (const uint64_t[]){0, 3, 0}, 3);
    sim_expect_open(p);
    sim_free(s);
}

/* ------------------------------------------------------------------- lost peers */

TEST(lost_peer_is_counted_by_how_long_it_was_silent)
{
    static const struct {
        uint64_t seconds;
        enum wspool_silence silence;
    } cases[] = {
        {1, WSPOOL_SILENCE_OTHER},   {28, WSPOOL_SILENCE_OTHER},  {30, WSPOOL_SILENCE_30},
        {45, WSPOOL_SILENCE_OTHER},  {60, WSPOOL_SILENCE_60},     {100, WSPOOL_SILENCE_100},
        {300, WSPOOL_SILENCE_300},   {306, WSPOOL_SILENCE_300},   {310, WSPOOL_SILENCE_OTHER},
        {3600, WSPOOL_SILENCE_3600}, {9000, WSPOOL_SILENCE_OTHER}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim *s = sim_new(1);
        s->config.ping_interval = 0;
        sim_start(s);
        sim_peer *p = sim_join(s, "/echo"), *polite = sim_join(s, "/echo");
        sim_pass(s, 17 * SEC); /* what counts is the silence, not the age */
        sim_text(p, "here");
        sim_pump(s);
        sim_pass(s, cases[i].seconds * SEC);
        sim_cut(p, i % 2 ? WSPOOL_GONE_FAILED : WSPOOL_GONE_EOF);
        sim_say_close(polite, 1000, "");
        sim_pump(s);
        uint64_t all = 0;
        for (int silence = 0; silence < WSPOOL_SILENCE_COUNT; silence++) {
            all += sim_stats(s).lost_after[silence];
        }
        assert_int_equal(all, 1);
        assert_int_equal(sim_stats(s).lost_after[cases[i].silence], 1);
        sim_free(s);
    }
}
