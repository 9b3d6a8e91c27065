/* SPDX-License-Identifier: MIT */
/* unit/test_capacity.c - which samples are above which limits, and how many more peers fit. */
#include "support.h"

#include <string.h>

#include <wspool/error.h>
#include "policy/capacity.h"

#define BIT(name) (1u << WSPOOL_RESOURCE_##name)

static wspool_capacity_config config;

static wspool_sample sample_of(enum wspool_resource resource, uint64_t used, uint64_t all)
{
    wspool_sample sample = {.size = sizeof sample};
    sample.of[resource] = (wspool_amount){WSPOOL_MEASURED, used, all};
    return sample;
}

static unsigned above(enum wspool_resource resource, uint64_t used, uint64_t all, unsigned before)
{
    const wspool_sample sample = sample_of(resource, used, all);
    return wsp_capacity_above(&config, &sample, before);
}

TEST(limit_is_passed_only_strictly_above_it)
{
    wspool_capacity_config_init(&config);
    assert_int_equal(above(WSPOOL_RESOURCE_CPU, 8500, 10000, 0), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_CPU, 8501, 10000, 0), BIT(CPU));
    assert_int_equal(above(WSPOOL_RESOURCE_FILES, 850, 1000, 0), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_FILES, 851, 1000, 0), BIT(FILES));
    assert_int_equal(above(WSPOOL_RESOURCE_MEMORY, UINT64_C(1) << 40, 0, 0), 0); /* has no end */
}

TEST(limit_of_100_percent_never_refuses)
{
    wspool_capacity_config_init(&config);
    config.cpu_percent = config.memory_percent = config.files_percent = 100;
    assert_int_equal(above(WSPOOL_RESOURCE_CPU, 10000, 10000, 0), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_MEMORY, 1000, 1000, 0), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_FILES, 1000, 1000, 0), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_PRESSURE, 10000, 10000, 0), 0); /* the default */
}

TEST(what_was_above_stays_above_until_it_is_a_sixteenth_below)
{
    wspool_capacity_config_init(&config);
    config.cpu_percent = 80;
    assert_int_equal(above(WSPOOL_RESOURCE_CPU, 7501, 10000, BIT(CPU)), BIT(CPU));
    assert_int_equal(above(WSPOOL_RESOURCE_CPU, 7500, 10000, BIT(CPU)), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_CPU, 7501, 10000, BIT(MEMORY)), 0);
}

TEST(connections_and_own_memory_have_no_such_distance)
{
    wspool_capacity_config_init(&config);
    config.own_bytes = 1600;
    assert_int_equal(above(WSPOOL_RESOURCE_CONNECTIONS, 499, 500, BIT(CONNECTIONS)), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_CONNECTIONS, 500, 500, 0), BIT(CONNECTIONS));
    assert_int_equal(above(WSPOOL_RESOURCE_OWN_MEMORY, 1600, 0, BIT(OWN_MEMORY)), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_OWN_MEMORY, 1601, 0, 0), BIT(OWN_MEMORY));
}

TEST(lower_of_two_limits_of_memory_counts)
{
    wspool_capacity_config_init(&config);
    config.memory_bytes = 500;
    assert_int_equal(above(WSPOOL_RESOURCE_MEMORY, 501, 1000, 0), BIT(MEMORY));
    assert_int_equal(above(WSPOOL_RESOURCE_MEMORY, 500, 1000, 0), 0);
    assert_int_equal(above(WSPOOL_RESOURCE_MEMORY, 500, 100, 0), BIT(MEMORY)); /* 85 % of 100 */
    config.memory_percent = 100;
    assert_int_equal(above(WSPOOL_RESOURCE_MEMORY, 501, 0, 0), BIT(MEMORY));
}

TEST(what_cannot_be_read_is_above_and_what_is_not_there_is_not)
{
    wspool_sample sample = {.size = sizeof sample};
    wspool_capacity_config_init(&config);
    assert_int_equal(wsp_capacity_above(&config, &sample, 0), 0);
    sample.of[WSPOOL_RESOURCE_CPU].measured = WSPOOL_NOT_READABLE;
    assert_int_equal(wsp_capacity_above(&config, &sample, 0), BIT(CPU));
    config.cpu_percent = 100; /* nobody asks for it */
    assert_int_equal(wsp_capacity_above(&config, &sample, 0), 0);
}

TEST(refusal_names_the_first_that_is_above)
{
    assert_int_equal(wsp_capacity_refusal(BIT(CPU)), WSPOOL_REFUSED_CAPACITY_CPU);
    assert_int_equal(wsp_capacity_refusal(BIT(CPU) | BIT(FILES)), WSPOOL_REFUSED_CAPACITY_FILES);
    assert_int_equal(wsp_capacity_refusal(BIT(PRESSURE)), WSPOOL_REFUSED_CAPACITY_PRESSURE);
    for (int i = 0; i < WSPOOL_RESOURCE_COUNT; i++) {
        const enum wspool_refusal refusal = wsp_capacity_refusal(1u << i);
        assert_int_equal(wspool_refusal_status(refusal), 503);
        assert_string_equal(wspool_refusal_reason(refusal),
                            wspool_resource_name((enum wspool_resource)i));
    }
    assert_string_equal(wspool_resource_name(WSPOOL_RESOURCE_COUNT), "unknown resource");
}

TEST(estimate_is_that_of_the_resource_that_ends_first)
{
    wspool_sample sample = {.size = sizeof sample};
    wspool_estimate estimate = {.size = sizeof estimate};
    wspool_capacity_config_init(&config);
    config.peer_bytes = 4000;
    config.own_bytes = 100000;
    estimate.peer_bytes = 5000;
    sample.of[WSPOOL_RESOURCE_CONNECTIONS] = (wspool_amount){WSPOOL_MEASURED, 10, 500};
    sample.of[WSPOOL_RESOURCE_OWN_MEMORY] = (wspool_amount){WSPOOL_MEASURED, 10000, 100000};
    sample.of[WSPOOL_RESOURCE_MEMORY] = (wspool_amount){WSPOOL_MEASURED, 350000, 1000000};
    sample.of[WSPOOL_RESOURCE_FILES] = (wspool_amount){WSPOOL_MEASURED, 50, 1000};
    wsp_capacity_estimate(&config, &sample, 0, &estimate);
    assert_int_equal(estimate.by[WSPOOL_RESOURCE_CONNECTIONS], 490);
    assert_int_equal(estimate.by[WSPOOL_RESOURCE_OWN_MEMORY], 90);
    assert_int_equal(estimate.by[WSPOOL_RESOURCE_MEMORY], 100);
    assert_int_equal(estimate.by[WSPOOL_RESOURCE_FILES], 800);
    assert_true(estimate.by[WSPOOL_RESOURCE_CPU] == UINT64_MAX);
    assert_int_equal(estimate.peers, 90);
    assert_int_equal(estimate.first, WSPOOL_RESOURCE_OWN_MEMORY);
    wsp_capacity_estimate(&config, &sample, BIT(CPU), &estimate);
    assert_int_equal(estimate.peers, 0);
    assert_int_equal(estimate.first, WSPOOL_RESOURCE_CPU);
}

TEST(memory_that_cannot_be_read_refuses_where_only_bytes_are_limited)
{
    wspool_sample sample = {.size = sizeof sample};
    wspool_capacity_config_init(&config);
    config.memory_percent = 100;
    sample.of[WSPOOL_RESOURCE_MEMORY].measured = WSPOOL_NOT_READABLE;
    assert_int_equal(wsp_capacity_above(&config, &sample, 0), 0);
    config.memory_bytes = 1;
    assert_int_equal(wsp_capacity_above(&config, &sample, 0), BIT(MEMORY));
}

/* Where nothing is refused, peers still do not fit into more than there is. */
TEST(estimate_ends_where_the_resource_does)
{
    wspool_sample sample = {.size = sizeof sample};
    wspool_estimate estimate = {.size = sizeof estimate, .peer_bytes = 1000};
    wspool_capacity_config_init(&config);
    config.files_percent = 100;
    sample.of[WSPOOL_RESOURCE_FILES] = (wspool_amount){WSPOOL_MEASURED, 900, 1000};
    wsp_capacity_estimate(&config, &sample, 0, &estimate);
    assert_int_equal(estimate.by[WSPOOL_RESOURCE_FILES], 100);
}

static void *no_memory(size_t size, void *user)
{
    (void)size, (void)user;
    return NULL;
}

static void *no_more_memory(void *block, size_t size, void *user)
{
    (void)block, (void)size, (void)user;
    return NULL;
}

static void nothing_to_free(void *block, void *user)
{
    (void)block, (void)user;
}

TEST(monitor_without_memory_is_none)
{
    wspool_capacity *monitor = (void *)&config;
    wspool_capacity_config_init(&config);
    config.mem = (wspool_mem){no_memory, no_more_memory, nothing_to_free, NULL};
    assert_int_equal(wspool_capacity_new(&monitor, &config), WSPOOL_ERR_NOMEM);
    assert_null(monitor);
}
