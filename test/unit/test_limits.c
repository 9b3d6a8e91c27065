/* SPDX-License-Identifier: MIT */
/*
 * unit/test_limits.c - the table of limits against a model that remembers every key for ever.
 *
 * Proves that nobody resets its limits by coming again, with whatever other keys, and that a key
 * with a place is limited by what it does itself.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <wspool/error.h>
#include "policy/limits.h"

#define SEC UINT64_C(1000000000)
#define TABLE 8

static wspool_config config;
static struct wsp_limits limits;
static struct test_mem mem;
static wspool_mem hooks;

static void begin(void)
{
    static const struct wsp_siphash_key seed = {1, 2};
    memset(&mem, 0, sizeof mem);
    hooks = test_mem_hooks(&mem);
    assert_int_equal(wsp_limits_init(&limits, &hooks, &config, &seed, 0), 0);
}

static void end(void)
{
    wsp_limits_fini(&limits);
    assert_int_equal(mem.live, 0);
}

static void defaults(void)
{
    wspool_config_init(&config);
    config.key_table = TABLE;
}

static wspool_text key_of(unsigned n)
{
    static char text[16];
    return (wspool_text){text, (size_t)snprintf(text, sizeof text, "key%u", n)};
}

static int enter(unsigned key, uint64_t now, uint32_t *place)
{
    const int error = wsp_limits_enter(&limits, key_of(key), now, place);
    uint64_t peers;
    assert_int_equal(wsp_limits_check(&limits, &peers), 1);
    return error;
}

TEST(without_limits_there_is_no_table)
{
    uint32_t place = 7;
    defaults();
    begin();
    assert_int_equal(mem.live, 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(enter(1, 0, &place), 0);
    }
    assert_int_equal(place, WSP_LIMITS_NONE);
    assert_int_equal(wsp_limits_draw(&limits, place, WSP_LIMITED_BYTES, UINT32_MAX, 0), 1);
    assert_int_equal(wsp_limits_are_full(&limits, key_of(1), 0), 0);
    end();
}

TEST(empty_key_is_not_limited)
{
    uint32_t place;
    defaults();
    config.max_per_key = 1;
    begin();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(wsp_limits_enter(&limits, (wspool_text){"", 0}, 0, &place), 0);
    }
    end();
}

TEST(table_is_allocated_once)
{
    uint32_t place;
    defaults();
    config.key_attempts_burst = 1;
    begin();
    const size_t before = mem.calls;
    for (unsigned i = 0; i < 1000; i++) {
        if (enter(i, i * SEC, &place) == 0) {
            wsp_limits_leave(&limits, place);
        }
    }
    assert_int_equal(mem.calls, before);
    end();
}

TEST(attempts_come_back_with_time)
{
    uint32_t place;
    defaults();
    config.key_attempts_burst = 3;
    config.key_attempts_rate = 1;
    begin();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter(1, SEC, &place), 0);
        wsp_limits_leave(&limits, place);
    }
    assert_int_equal(wsp_limits_are_full(&limits, key_of(1), SEC), 1);
    assert_int_equal(enter(1, SEC, &place), WSPOOL_ERR_FULL);
    assert_int_equal(enter(2, SEC, &place), 0); /* another key */
    assert_int_equal(enter(1, 3 * SEC, &place), 0);
    end();
}

TEST(each_kind_has_a_bucket_of_its_own)
{
    uint32_t place;
    defaults();
    config.key_messages_burst = config.key_subscribes_burst = 2;
    config.key_bytes_burst = 200000;
    begin();
    assert_int_equal(enter(1, 0, &place), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wsp_limits_draw(&limits, place, WSP_LIMITED_MESSAGES, 1, 0), i < 2);
        assert_int_equal(wsp_limits_draw(&limits, place, WSP_LIMITED_SUBSCRIBES, 1, 0), i < 2);
        assert_int_equal(wsp_limits_draw(&limits, place, WSP_LIMITED_BYTES, 100000, 0), i < 2);
    }
    end();
}

/* Keys that come and go, in a table that is too small for them. */
TEST(nobody_resets_its_limits_by_coming_again)
{
    enum { KEYS = 3 * TABLE, BURST = 4, RATE = 1, PEERS = 3 };
    static struct wsp_bucket model[KEYS];
    static uint32_t places[KEYS][2 * PEERS], peers[KEYS], owned[KEYS];
    static int shared[KEYS];
    unsigned own = 0, together = 0;
    defaults();
    config.key_attempts_burst = BURST;
    config.key_attempts_rate = RATE;
    config.max_per_key = PEERS;
    begin();
    memset(model, 0, sizeof model);
    memset(peers, 0, sizeof peers);
    uint64_t now = SEC, random = 7;
    for (int step = 0; step < 20000; step++) {
        const unsigned key = (unsigned)(test_random(&random) % KEYS);
        now += test_random(&random) % (SEC / 50);
        if (peers[key] > 0 && test_random(&random) % 2) {
            owned[key] -= places[key][--peers[key]] <= TABLE;
            wsp_limits_leave(&limits, places[key][peers[key]]);
            continue;
        }
        uint32_t place;
        struct wsp_bucket after = model[key];
        const int good = owned[key] < PEERS && wsp_bucket_draw(&after, BURST, RATE, 1, now);
        if (enter(key, now, &place)) {
            together += good ? 1 : 0; /* it shared the limits of others */
            continue;
        }
        places[key][peers[key]++] = place;
        owned[key] += place <= TABLE;
        if (place > TABLE) {
            shared[key] = 1;
        } else if (shared[key]) { /* what it did before was not its own */
            shared[key] = 0;
            model[key] = (struct wsp_bucket){0};
            (void)wsp_bucket_draw(&model[key], BURST, RATE, 1, now);
        } else { /* what the table admits, a table without end admits, too */
            assert_true(good);
            model[key] = after;
            own++;
        }
    }
    assert_true(own > 1000 && together > 100); /* both kinds were tried */
    end();
}

TEST(key_with_a_place_is_not_limited_by_a_flood_of_keys)
{
    uint32_t honest, place;
    defaults();
    config.key_attempts_burst = 10;
    config.key_attempts_rate = 1;
    begin();
    assert_int_equal(enter(0, 0, &honest), 0);
    for (unsigned i = 1; i < 100000; i++) { /* all of them stay */
        (void)enter(i % 50000, 0, &place);
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(enter(0, 5 * SEC, &place), 0);
        assert_int_equal(place, honest);
    }
    end();
}

TEST(without_memory_there_are_no_limits_object_and_no_leak)
{
    static const struct wsp_siphash_key seed = {1, 2};
    defaults();
    config.max_per_key = 1;
    for (size_t fail = 1; fail <= 2; fail++) {
        mem = (struct test_mem){.fail_at = fail, .fail_on = 1};
        hooks = test_mem_hooks(&mem);
        assert_int_equal(wsp_limits_init(&limits, &hooks, &config, &seed, 0), WSPOOL_ERR_NOMEM);
        assert_int_equal(mem.live, 0);
    }
}

/* Entries are taken out of the middle of their chains, too. */
TEST(entries_without_peers_give_their_places_to_other_keys)
{
    uint32_t places[TABLE], place;
    uint64_t random = 3;
    defaults();
    config.max_per_key = 2;
    begin();
    for (unsigned key = 0; key < TABLE; key++) {
        assert_int_equal(enter(key, 0, &places[key]), 0);
    }
    for (unsigned key = TABLE; key < 5000; key++) {
        const unsigned gone = (unsigned)(test_random(&random) % TABLE);
        wsp_limits_leave(&limits, places[gone]);
        assert_int_equal(enter(key, 0, &place), 0);
        assert_int_equal(place, places[gone]);
    }
    end();
}
