/* SPDX-License-Identifier: MIT */
/*
 * sim/test_capacity.c - the monitor of wspool/capacity.h on a pool, with samples of the test's own,
 * and the circuit breaker.
 *
 * Proves that open peers are served while new ones are refused, with the reason, and that all is
 * well again afterwards.
 */
#include "accept.h"

#include <wspool/capacity.h>

static const wspool_amount well = {WSPOOL_MEASURED, 10, 100};

struct machine {
    wspool_sample sample;
    int samples;
};

static void take(wspool_sample *sample, uint64_t now, void *user)
{
    struct machine *machine = user;
    (void)now;
    assert_int_equal(sample->size, sizeof *sample);
    memcpy(sample->of, machine->sample.of, sizeof sample->of);
    machine->samples++;
}

static struct machine healthy(void)
{
    struct machine machine = {.samples = 0};
    for (int i = 0; i < WSPOOL_RESOURCE_COUNT; i++)
        machine.sample.of[i] = well;
    return machine;
}

static sim *sim_watched(struct machine *machine, const wspool_capacity_config *given,
                        wspool_capacity **monitor)
{
    sim *s = sim_new(4);
    wspool_capacity_config config = *given;
    config.sample = (wspool_sample_hook){take, machine};
    config.mem = s->config.mem;
    sim_start(s);
    assert_int_equal(wspool_capacity_new(monitor, &config), 0);
    assert_int_equal(SIM_IN(wspool_capacity_attach(*monitor, s->pool, s->now)), 0);
    return s;
}

static void end(sim *s, wspool_capacity *monitor)
{
    sim_free_pool(s);
    wspool_capacity_free(monitor);
    sim_free(s);
}

static wspool_capacity_config defaults(void)
{
    wspool_capacity_config config;
    wspool_capacity_config_init(&config);
    return config;
}

/* An open peer is served, and a new one is refused for this reason; NULL: it is admitted. */
static void expect(sim *s, const sim_peer *member, const char *reason)
{
    const size_t before = member->reader.count;
    assert_int_equal(sim_broadcast(s, wspool_global("all"), "still here") >= 1, 1);
    sim_pump(s);
    assert_int_equal(member->reader.count, before + 1);
    if (reason) {
        sim_refused(s, &(client_request){.target = "/all"}, 503, reason);
    } else {
        sim_expect_open(sim_join(s, "/echo"));
    }
}

TEST(open_peers_are_served_while_new_ones_are_refused_and_all_is_well_afterwards)
{
    static const enum wspool_resource resources[] = {WSPOOL_RESOURCE_FILES, WSPOOL_RESOURCE_MEMORY,
                                                     WSPOOL_RESOURCE_CPU, WSPOOL_RESOURCE_PRESSURE};
    struct machine machine = healthy();
    wspool_capacity_config config = defaults();
    wspool_capacity *monitor;
    config.pressure_percent = 50;
    sim *s = sim_watched(&machine, &config, &monitor);
    sim_peer *member = sim_join(s, "/all");
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        wspool_amount *amount = &machine.sample.of[resources[i]];
        expect(s, member, NULL);
        amount->used = 95;
        expect(s, member, NULL); /* the last sample counts */
        sim_pass(s, SEC);
        expect(s, member, wspool_resource_name(resources[i]));
        amount->measured = WSPOOL_NOT_READABLE;
        sim_pass(s, SEC);
        expect(s, member, wspool_resource_name(resources[i]));
        *amount = well;
        sim_pass(s, SEC);
    }
    expect(s, member, NULL);
    assert_int_equal(REFUSED(s, CAPACITY_FILES), 2);
    assert_int_equal(REFUSED(s, CAPACITY), 0);
    end(s, monitor);
}

TEST(connections_are_counted_at_the_moment_of_the_request)
{
    struct machine machine = healthy();
    wspool_capacity_config config = defaults();
    wspool_capacity *monitor;
    config.max_peers = 3;
    sim *s = sim_watched(&machine, &config, &monitor);
    sim_peer *member = sim_join(s, "/all"), *p = sim_join(s, "/echo");
    sim_join(s, "/echo");
    expect(s, member, "capacity_connections");
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    expect(s, member, NULL);
    expect(s, member, "capacity_connections");
    end(s, monitor);
}

TEST(memory_of_the_pool_is_counted_at_the_moment_of_the_request)
{
    struct machine machine = healthy();
    wspool_capacity_config config = defaults();
    wspool_capacity *monitor;
    char text[30000];
    config.own_bytes = 100000;
    sim *s = sim_watched(&machine, &config, &monitor);
    sim_peer *member = sim_join(s, "/all"), *slow = sim_join(s, "/all");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    sim_stall(slow);
    for (int i = 0; i < 4; i++)
        sim_broadcast(s, wspool_global("all"), text);
    sim_pump(s);
    expect(s, member, "capacity_own_memory");
    sim_flow(slow);
    sim_pump(s);
    expect(s, member, NULL);
    end(s, monitor);
}

TEST(sample_is_taken_once_in_an_interval)
{
    struct machine machine = healthy();
    wspool_capacity_config config = defaults();
    wspool_capacity *monitor;
    config.interval = 5 * SEC;
    sim *s = sim_watched(&machine, &config, &monitor);
    assert_int_equal(machine.samples, 1); /* when it was attached */
    for (int i = 0; i < 200; i++) {
        sim_join(s, "/all");
        sim_pass(s, 100 * MS);
    }
    assert_in_range(machine.samples, 4, 5);
    end(s, monitor);
}

TEST(state_and_estimate_are_those_of_the_sample)
{
    struct machine machine = healthy();
    const wspool_capacity_config config = defaults();
    wspool_capacity_state state = {.size = sizeof state};
    wspool_estimate estimate = {.size = sizeof estimate};
    wspool_capacity *monitor;
    machine.sample.of[WSPOOL_RESOURCE_FILES] = (wspool_amount){WSPOOL_MEASURED, 700, 1000};
    sim *s = sim_watched(&machine, &config, &monitor);
    for (int i = 0; i < 10; i++)
        sim_join(s, "/all");
    assert_int_equal(wspool_capacity_get(monitor, &state), 0);
    assert_int_equal(state.above, 0);
    assert_int_equal(state.sample.of[WSPOOL_RESOURCE_CONNECTIONS].used, 10);
    assert_int_equal(state.sample.of[WSPOOL_RESOURCE_CONNECTIONS].all, 500);
    assert_int_equal(wspool_capacity_estimate(monitor, &estimate), 0);
    assert_int_equal(estimate.first, WSPOOL_RESOURCE_MEMORY); /* 75 bytes are left of 100 */
    assert_int_equal(estimate.peers, 0);
    machine.sample.of[WSPOOL_RESOURCE_MEMORY] =
        (wspool_amount){WSPOOL_MEASURED, 0, UINT64_C(1) << 40};
    sim_pass(s, SEC);
    assert_int_equal(wspool_capacity_estimate(monitor, &estimate), 0);
    assert_int_equal(estimate.first, WSPOOL_RESOURCE_FILES);
    assert_int_equal(estimate.peers, 150);
    assert_in_range(estimate.peer_bytes, 4096 + 192, 4096 + 2000);
    end(s, monitor);
}

TEST(calls_check_their_arguments)
{
    struct machine machine = healthy();
    wspool_capacity_config config = defaults(), bad[6];
    wspool_capacity_state state = {.size = sizeof state};
    wspool_estimate estimate = {.size = sizeof estimate};
    wspool_capacity *monitor, *other;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        bad[i] = config;
    bad[0].size = 0;
    bad[1].memory_percent = 101;
    bad[2].cpu_percent = 101;
    bad[3].files_percent = 101;
    bad[4].pressure_percent = 101;
    bad[5].interval = 9 * MS;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        other = (void *)&machine;
        assert_int_equal(wspool_capacity_new(&other, &bad[i]), WSPOOL_ERR_INVAL);
        assert_null(other);
    }
    assert_int_equal(wspool_capacity_new(NULL, &config), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_capacity_new(&other, NULL), 0);
    assert_int_equal(wspool_capacity_get(other, &state), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_capacity_estimate(other, &estimate), WSPOOL_ERR_STATE);
    sim *s = sim_watched(&machine, &config, &monitor);
    assert_int_equal(wspool_capacity_attach(monitor, s->pool, s->now), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_capacity_attach(NULL, s->pool, s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_capacity_attach(other, NULL, s->now), WSPOOL_ERR_INVAL);
    sim_join(s, "/all");
    assert_int_equal(wspool_capacity_attach(other, s->pool, s->now), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_capacity_get(monitor, NULL), WSPOOL_ERR_INVAL);
    state.size = 0;
    assert_int_equal(wspool_capacity_get(monitor, &state), WSPOOL_ERR_INVAL);
    estimate.size = 0;
    assert_int_equal(wspool_capacity_estimate(monitor, &estimate), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_capacity_estimate(NULL, &estimate), WSPOOL_ERR_INVAL);
    wspool_capacity_free(NULL);
    wspool_capacity_free(other);
    end(s, monitor);
}

/* ------------------------------------------------------------- the hook's answers */

static int answer;

static int capacity(wspool *pool, wspool_id id, const wspool_request *request, void *user)
{
    (void)pool, (void)id, (void)request, (void)user;
    return answer;
}

TEST(capacity_hook_chooses_among_the_refusals_with_429_and_503)
{
    static const struct {
        int answer, status;
        const char *reason;
    } cases[] = {{1, 503, "capacity"},
                 {-1, 503, "capacity"},
                 {9999, 503, "capacity"},
                 {WSPOOL_REFUSED_NO_ROUTE, 503, "capacity"},
                 {WSPOOL_REFUSED_RATE, 429, "too_many"},
                 {WSPOOL_REFUSED_CAPACITY_CPU, 503, "capacity_cpu"}};
    sim *s = sim_new(1);
    s->config.capacity = (wspool_capacity_hook){capacity, NULL};
    sim_start(s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer = cases[i].answer;
        sim_refused(s, &(client_request){.target = "/all"}, cases[i].status, cases[i].reason);
    }
    sim_free(s);
}

/* ------------------------------------------------------------- the circuit breaker */

TEST(many_refusals_for_lack_of_capacity_turn_peers_away_for_a_while)
{
    const client_request request = {.target = "/all"};
    const wspool_request hosted = {
        .size = sizeof hosted, .method = {"GET", 3}, .target = {"/all", 4}, .http_major = 1};
    wspool_answer said;
    wspool_id id;
    int why;
    sim *s = sim_new(1);
    s->config.capacity = (wspool_capacity_hook){capacity, NULL};
    s->config.breaker_burst = 10;
    s->config.breaker_rate = 1;
    s->config.breaker_time = 2 * SEC;
    answer = 0;
    sim_start(s);
    sim_peer *member = sim_join(s, "/all");
    answer = 1;
    for (int i = 0; i < 11; i++)
        sim_refused(s, &request, 503, "capacity");
    assert_int_equal(sim_stats(s).breaker_trips, 1);
    assert_null(sim_open(s, &why));
    assert_int_equal(why, WSPOOL_ERR_FULL);
    assert_int_equal(SIM_IN(wspool_upgrade(s->pool, &hosted, s->now, &id, &said)), WSPOOL_ERR_FULL);
    assert_int_equal(sim_stats(s).breaker_refused, 2);
    assert_int_equal(sim_broadcast(s, wspool_global("all"), "still here"), 1);
    answer = 0;
    sim_pass(s, 2 * SEC);
    sim_expect_open(sim_join(s, "/all"));
    answer = 1;
    int more = 0; /* two have come back, or nearly so, and one beside them trips it again */
    for (; sim_stats(s).breaker_trips == 1; more++)
        sim_refused(s, &request, 503, "capacity");
    assert_in_range(more, 2, 3);
    sim_expect_open(member);
    sim_free(s);
}

TEST(breaker_counts_no_other_refusals)
{
    sim *s = sim_new(1);
    s->config.breaker_burst = 2;
    s->config.max_peers = 1;
    sim_start(s);
    sim_join(s, "/all");
    for (int i = 0; i < 10; i++) {
        sim_refused(s, &(client_request){.target = "/all"}, 503, "full");
        sim_refused(s, &(client_request){.target = "/nowhere"}, 404, "no_route");
    }
    assert_int_equal(sim_stats(s).breaker_trips, 0);
    sim_free(s);
}

TEST(breaker_of_0_never_trips)
{
    sim *s = sim_new(1);
    s->config.capacity = (wspool_capacity_hook){capacity, NULL};
    s->config.breaker_burst = 0;
    answer = 1;
    sim_start(s);
    for (int i = 0; i < 300; i++)
        sim_refused(s, &(client_request){.target = "/all"}, 503, "capacity");
    sim_free(s);
}

/* The default hook looks at the machine. */
TEST(monitor_without_a_hook_samples_the_machine)
{
    sim *s = sim_default(1);
    wspool_capacity *monitor;
    wspool_capacity_state state = {.size = sizeof state};
    assert_int_equal(wspool_capacity_new(&monitor, NULL), 0);
    assert_int_equal(SIM_IN(wspool_capacity_attach(monitor, s->pool, s->now)), 0);
    assert_int_equal(wspool_capacity_get(monitor, &state), 0);
    assert_int_equal(state.sample.of[WSPOOL_RESOURCE_FILES].measured, WSPOOL_MEASURED);
    assert_true(state.sample.of[WSPOOL_RESOURCE_MEMORY].all > 0);
    sim_free(s);
    wspool_capacity_free(monitor);
}
