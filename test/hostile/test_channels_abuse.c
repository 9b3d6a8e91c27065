/* SPDX-License-Identifier: MIT */
/*
 * hostile/test_channels_abuse.c - peers that subscribe to whatever they can name: floods, names
 * that come and go, names of every byte value, and names that were made to collide.
 *
 * The host of these tests does what a peer asks and checks nothing, so that only the bounds of the
 * library hold. (The companion's bounds are tested in test/json.)
 */
#include "hostile.h"

#include "pool/pool.h"

/* "+NAME" subscribes, "-NAME" unsubscribes. */
static size_t fulls;

static void obey(sim *s, const sim_event *event)
{
    const uint8_t *text = event->data;
    wspool_channel channel;
    int rc;
    if (event->what != SIM_MESSAGE || event->len < 1)
        return;
    channel = wspool_channel_of(WSPOOL_TOPIC, text + 1, event->len - 1);
    rc = text[0] == '+' ? SIM_IN(wspool_subscribe(s->pool, event->id, channel))
                        : SIM_IN(wspool_unsubscribe(s->pool, event->id, channel));
    fulls += rc == WSPOOL_ERR_FULL;
    if (rc != 0 && rc != WSPOOL_ERR_FULL && rc != WSPOOL_ERR_EXISTS && rc != WSPOOL_ERR_ABSENT)
        fail_msg("subscribing answered %d", rc);
}

static sim *obeying(void)
{
    sim *s = hostile_sim(1, 1000);
    s->react = obey;
    fulls = 0;
    sim_start(s);
    return s;
}

static void say(sim_peer *p, char sign, const void *name, size_t len)
{
    uint8_t text[300];
    text[0] = (uint8_t)sign;
    memcpy(text + 1, name, len);
    sim_frame(p, FIN | OP_BINARY, text, len + 1);
}

/* Phoenix CVE-2026-56811. Bytes per name: 255 for the name, twice 16 for a membership, and a
 * channel. */
#define PER_NAME 512

TEST(subscriptions_by_the_thousand_end_at_channels_per_peer)
{
    sim *s = obeying();
    sim_peer *p = sim_join(s, "/echo");
    hostile_bound bound = hostile_begin(s);
    char name[256];
    memset(name, 'n', sizeof name);
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(name, sizeof name, "%d", i);
        name[n] = 'n';
        say(p, '+', name, 255);
        if (i % 500 == 0) {
            sim_pump(s);
            hostile_expect(s, bound, 128 * PER_NAME + 16384);
        }
    }
    sim_pump(s);
    hostile_expect(s, bound, 128 * PER_NAME + 16384);
    assert_int_equal(fulls, 20000 - 128);
    assert_int_equal(sim_stats(s).memberships, 128);
    assert_int_equal(sim_stats(s).channels, 128);
    sim_expect_open(p);
    sim_cut(p, WSPOOL_GONE_FAILED);
    sim_pump(s);
    assert_int_equal(sim_stats(s).channels, 0);
    hostile_expect(s, bound, 32768);
    sim_free(s);
}

TEST(names_that_come_and_go_leave_nothing_behind)
{
    sim *s = obeying();
    sim_peer *p = sim_join(s, "/echo");
    hostile_bound bound = hostile_begin(s);
    char name[24];
    for (int i = 0; i < 30000; i++) {
        int n = snprintf(name, sizeof name, "name %d", i);
        say(p, '+', name, (size_t)n);
        say(p, '-', name, (size_t)n);
        if (i % 1000 == 999) {
            sim_pump(s);
            hostile_expect(s, bound, 16384);
        }
    }
    assert_int_equal(fulls, 0);
    assert_int_equal(sim_stats(s).channels, 0);
    assert_int_equal(s->counts[SIM_CHANNEL], 60000);
    sim_free(s);
}

/* Every byte value, alone and at each end of a name, also NUL. No two names are the same
 * channel. */
TEST(names_of_every_byte_value_are_channels_of_their_own)
{
    sim *s = hostile_sim(1, 1000);
    sim_peer *peers[6];
    s->react = obey;
    s->config.channels_per_peer = 256;
    sim_start(s);
    for (size_t k = 0; k < 6; k++)
        peers[k] = sim_join(s, "/echo");
    for (size_t k = 0; k < 6; k++) {
        for (unsigned c = 0; c < 256; c++) {
            uint8_t name[3] = {(uint8_t)c, (uint8_t)c, (uint8_t)c};
            static const size_t lens[] = {1, 2, 2, 3, 3, 2};
            if (k == 2)
                name[0] = 'a';
            if (k == 3)
                name[1] = 0;
            if (k == 4)
                name[2] = '/';
            if (k == 5)
                name[0] = 0xff;
            say(peers[k], '+', name, lens[k]);
        }
        sim_pump(s);
        assert_int_equal(wspool_channels_of(s->pool, peers[k]->id, NULL, 0), 256);
    }
    for (unsigned c = 0; c < 256; c++) {
        uint8_t name[2] = {(uint8_t)c, (uint8_t)c};
        assert_int_equal(wspool_member_count(s->pool, wspool_channel_of(WSPOOL_TOPIC, name, 1)), 1);
        /* {0xff, c}, {'a', c} and {c, c} are the same name for some c. */
        assert_int_equal(wspool_member_count(s->pool, wspool_channel_of(WSPOOL_TOPIC, name, 2)),
                         c == 'a' || c == 0xff ? 2 : 1);
        assert_int_equal(wspool_member_count(s->pool, wspool_channel_of(WSPOOL_ITEM, name, 1)), 0);
    }
    sim_free(s);
}

/* Through a path: percent-encoded, each byte except the slash. */
TEST(names_of_every_byte_value_come_in_by_the_path)
{
    sim *s = hostile_sim(1, 1000);
    sim_start(s);
    for (unsigned c = 0; c < 256; c++) {
        char target[32];
        uint8_t name[3] = {'x', (uint8_t)c, 'y'};
        sim_peer *p;
        snprintf(target, sizeof target, "/room/x%%%02xy", c);
        p = sim_connect_to(s, target);
        sim_pump(s);
        if (c == '/')
            sim_expect_refusal(p, 404, "no_route");
        else
            assert_int_equal(wspool_member_count(s->pool, wspool_channel_of(WSPOOL_ITEM, name, 3)),
                             1);
    }
    assert_int_equal(sim_stats(s).channels, 255);
    sim_free(s);
}

/* ---------------------------------------------------------------- collisions */

#define NAMES 500
#define BITS 10

/* Makes names whose hashes end in the same bits under this key. */
static void make_collisions(char names[NAMES][16], const struct wsp_siphash_key *key)
{
    unsigned found = 0;
    for (unsigned i = 0; found < NAMES; i++) {
        char text[16];
        int n = snprintf(text + 1, sizeof text - 1, "%010u", i);
        text[0] = WSPOOL_TOPIC;
        if ((wsp_siphash13(key, text, (size_t)n + 1) & ((1u << BITS) - 1)) == 0)
            memcpy(names[found++], text + 1, 11);
    }
}

static size_t longest_chain(const struct wsp_map *map)
{
    size_t longest = 0;
    for (size_t i = 0; i < map->bucket_count; i++) {
        size_t n = 0;
        for (const struct wsp_map_node *node = map->buckets[i]; node != NULL; node = node->next)
            n++;
        longest = n > longest ? n : longest;
    }
    return longest;
}

static size_t chain_of(const struct wsp_siphash_key *guess)
{
    static char names[NAMES][16];
    sim *s = obeying();
    size_t longest;
    if (guess == NULL) /* the key that a peer can't know */
        guess = &s->pool->registry.channels.seed;
    make_collisions(names, guess);
    for (size_t i = 0; i < NAMES; i++) {
        if (i % 100 == 0)
            sim_join(s, "/echo");
        say(s->peers[s->peer_count - 1], '+', names[i], 10);
    }
    sim_pump(s);
    assert_int_equal(sim_stats(s).channels, NAMES);
    longest = longest_chain(&s->pool->registry.channels);
    sim_free(s);
    return longest;
}

TEST(names_that_collide_under_a_guessed_key_do_not_in_the_pool)
{
    static const struct wsp_siphash_key guesses[] = {
        {0, 0}, {1, 2}, {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++)
        assert_in_range(chain_of(&guesses[i]), 1, 10);
    /* The test does detect collisions when they happen. */
    assert_true(chain_of(NULL) >= NAMES / 2);
}
