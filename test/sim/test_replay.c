/* SPDX-License-Identifier: MIT */
/*
 * sim/test_replay.c - the same bytes, times and entropy give the same outputs.
 *
 * Proves law 10, and law 1 as far as it is visible from outside: a pool that used a clock, an
 * address or anything else that it was not given could not repeat a run.
 */
#include "sim.h"

typedef struct life {
    blob journal;  /* every hook call, with its time */
    uint64_t wire; /* hash of all bytes sent to all peers */
    uint64_t turns;
    wspool_statistics stats;
} life;

static void echo(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE && event->len % 3 == 0)
        SIM_IN(
            wspool_broadcast(s->pool, wspool_global("all"), event->data, event->len, NULL, NULL));
}

/* A scenario of some hundred steps, all drawn from the seed. */
static life live(uint64_t seed, uint64_t entropy, uint32_t jitter, enum sim_chop chop, int padding)
{
    sim *s = sim_new(seed);
    life l;
    wspool_channel topic = wspool_topic("t");
    void *elsewhere[16];
    for (int i = 0; i < padding; i++) /* other addresses in the second run */
        elsewhere[i] = malloc(100 + (size_t)i * 1000);
    s->entropy = entropy;
    s->chop = chop;
    s->react = echo;
    s->async = chop == SIM_RANDOM ? 10 : 0;
    s->config.ping_jitter = jitter;
    s->config.queue_messages = 40;
    s->config.slow = WSPOOL_SLOW_BEHIND;
    s->config.idle_time = 100 * SEC;
    sim_start(s);
    for (int step = 0; step < 400; step++) {
        sim_peer *p = s->peer_count == 0 ? NULL : s->peers[sim_below(s, s->peer_count)];
        char text[200];
        size_t len = (size_t)sim_below(s, sizeof text);
        memset(text, 'a' + step % 26, sizeof text);
        if (p != NULL && (!p->opened || p->ended || p->released || p->said_close))
            p = NULL;
        switch (sim_below(s, 12)) {
        case 0:
        case 1:
            sim_connect_to(s, step % 2 ? "/all" : "/room/r");
            break;
        case 2:
        case 3:
        case 4:
            if (p != NULL)
                sim_frame(p, FIN | OP_TEXT, text, len);
            break;
        case 5:
            if (p != NULL)
                SIM_IN(wspool_subscribe(s->pool, p->id, topic));
            break;
        case 6:
            SIM_IN(wspool_broadcast(s->pool, topic, text, len, NULL, NULL));
            break;
        case 7:
            SIM_IN(wspool_broadcast(s->pool, wspool_item("r"), text, len, NULL, NULL));
            break;
        case 8:
            if (p != NULL) {
                if (p->room == 0)
                    sim_flow(p);
                else if (step % 3 == 0)
                    sim_stall(p);
            }
            break;
        case 9:
            if (p != NULL && step % 4 == 0)
                SIM_IN(wspool_close(s->pool, p->id, 1000, "bye", step % 8 ? WSPOOL_CLOSE_NOW : 0));
            break;
        case 10:
            if (p != NULL && step % 3 == 0)
                sim_cut(p, step % 2 ? WSPOOL_GONE_EOF : WSPOOL_GONE_FAILED);
            break;
        default:
            sim_pass(s, sim_below(s, 7 * SEC));
            break;
        }
        if (sim_below(s, 3) == 0)
            sim_pump(s);
    }
    sim_pass(s, 300 * SEC);
    memset(&l, 0, sizeof l);
    l.stats = sim_stats(s);
    l.turns = s->turns;
    l.wire = 17;
    for (size_t i = 0; i < s->peer_count; i++)
        l.wire = (l.wire ^ s->peers[i]->hash) * UINT64_C(0x100000001b3) + s->peers[i]->reader.total;
    blob_add(&s->journal, "", 1);
    l.journal = s->journal;
    memset(&s->journal, 0, sizeof s->journal);
    sim_free(s);
    for (int i = 0; i < padding; i++)
        free(elsewhere[i]);
    return l;
}

static void expect_same(const life *a, const life *b)
{
    const char *x = (const char *)a->journal.data;
    const char *y = (const char *)b->journal.data;
    size_t line = 1;
    for (; *x == *y && *x != '\0'; x++, y++)
        line += *x == '\n';
    if (*x != *y)
        fail_msg("the journals differ in line %zu: %.60s / %.60s", line, x, y);
    assert_true(a->wire == b->wire);
    assert_true(a->turns == b->turns);
    assert_memory_equal(&a->stats, &b->stats, sizeof a->stats);
}

TEST(life_when_lived_again_is_the_same_to_the_byte)
{
    static const enum sim_chop chops[] = {SIM_WHOLE, SIM_RANDOM, SIM_BYTES};
    for (uint64_t seed = 1; seed <= (sim_slow() ? 3 : 12); seed++) {
        life a = live(seed, seed, 10, chops[seed % 3], 0);
        life b = live(seed, seed, 10, chops[seed % 3], 12);
        assert_true(a.journal.len > 1000);
        expect_same(&a, &b);
        blob_free(&a.journal);
        blob_free(&b.journal);
    }
}

TEST(life_when_only_entropy_differs_is_the_same_but_for_jitter)
{
    for (uint64_t seed = 1; seed <= (sim_slow() ? 2 : 6); seed++) {
        life a = live(seed, 1, 0, SIM_RANDOM, 0);
        life b = live(seed, 2, 0, SIM_RANDOM, 0);
        expect_same(&a, &b);
        blob_free(&a.journal);
        blob_free(&b.journal);
    }
}

TEST(life_when_the_seed_differs_is_another)
{
    life a = live(1, 1, 10, SIM_RANDOM, 0);
    life b = live(2, 1, 10, SIM_RANDOM, 0);
    life c = live(1, 2, 10, SIM_RANDOM, 0); /* other jitter, so other times of pings */
    assert_true(a.wire != b.wire);
    assert_true(a.turns != c.turns || a.wire != c.wire);
    blob_free(&a.journal);
    blob_free(&b.journal);
    blob_free(&c.journal);
}
