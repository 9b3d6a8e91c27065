/* SPDX-License-Identifier: MIT */
/*
 * unit/test_registry.c - channel/registry.h: channels and the memberships of peers.
 *
 * Random joins and leaves are compared with a table. Names are any bytes. The tests check when a
 * channel is reported as active or inactive, and each failed allocation. The last ones count
 * allocations and make foreign pages inaccessible: joining and leaving touch no other member.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mmap, mprotect */
#endif
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <wspool/wspool.h>

#include "support.h"
#include "channel/registry.h"

struct world;
typedef void in_active(struct world *w, const struct wsp_channel *channel, int active);

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    struct wsp_counters count;
    struct wsp_registry registry;
    size_t appeared, went;
    char last[300]; /* name of the channel reported last */
    enum wspool_kind last_kind;
    in_active *then;
    struct wsp_peer *other; /* used by `then` */
    struct wsp_channel *found;
};

static void on_active(void *owner, const struct wsp_channel *channel, int active)
{
    struct world *w = owner;
    wspool_channel name = wsp_channel_name(channel);
    assert_true(active == 0 || active == 1);
    assert_true(channel->count == (active ? 1u : 0u));
    assert_true(name.len < sizeof w->last);
    memcpy(w->last, name.name, name.len);
    w->last[name.len] = '\0';
    w->last_kind = name.kind;
    w->appeared += active ? 1 : 0;
    w->went += active ? 0 : 1;
    if (w->then) {
        char before[sizeof w->last];
        memcpy(before, w->last, sizeof before);
        w->then(w, channel, active);
        if (!active) { /* the channel is freed only when its end was reported */
            assert_memory_equal(before, wsp_channel_name(channel).name, name.len);
        }
    }
}

static void begin_with(struct world *w, wspool_mem hooks)
{
    struct wsp_siphash_key seed = {1, 2};
    w->hooks = hooks;
    wsp_registry_init(&w->registry, &w->hooks, &seed, 7, &w->count);
    w->registry.on_active = on_active;
    w->registry.owner = w;
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof *w);
    begin_with(w, test_mem_hooks(&w->mem));
}

static void check(struct world *w, uint64_t memberships)
{
    uint64_t counted = 0;
    assert_int_equal(wsp_registry_check(&w->registry, &counted), 1);
    assert_true(counted == memberships);
    assert_true(wsp_count_read(&w->count.memberships) == memberships);
    assert_true(wsp_count_read(&w->count.channels) == w->registry.channels.count);
    assert_true(w->appeared - w->went == w->registry.channels.count);
}

static void end(struct world *w)
{
    check(w, 0);
    wsp_registry_fini(&w->registry);
    assert_int_equal(w->mem.live, 0);
}

static int join(struct world *w, struct wsp_peer *peer, wspool_channel channel)
{
    return wsp_registry_join(&w->registry, peer, channel, 1000);
}

static struct wsp_channel *find(const struct world *w, wspool_channel channel)
{
    return wsp_registry_find(&w->registry, channel);
}

static int leave(struct world *w, struct wsp_peer *peer, wspool_channel channel)
{
    struct wsp_channel *found = find(w, channel);
    return found ? wsp_registry_leave(&w->registry, peer, found) : WSPOOL_ERR_ABSENT;
}

static int is_member(const struct wsp_channel *channel, const struct wsp_peer *peer)
{
    int seen = 0;
    for (uint32_t i = 0; i < channel->count; i++) {
        seen += channel->members[i].peer == peer;
    }
    return seen;
}

/* ------------------------------------------------------------------ basics */

TEST(channel_appears_with_its_first_member_and_goes_with_its_last)
{
    struct world w;
    struct wsp_peer a = {0}, b = {0};
    wspool_channel item = wspool_item("42");
    begin(&w);
    assert_null(find(&w, item));
    assert_int_equal(leave(&w, &a, item), WSPOOL_ERR_ABSENT);
    assert_int_equal(join(&w, &a, item), 0);
    assert_int_equal(w.appeared, 1);
    assert_string_equal(w.last, "42");
    assert_int_equal(w.last_kind, WSPOOL_ITEM);
    struct wsp_channel *channel = find(&w, item);
    assert_non_null(channel);
    assert_true(channel->epoch == 7 && channel->offset == 0);
    assert_int_equal(join(&w, &a, item), WSPOOL_ERR_EXISTS);
    assert_int_equal(wsp_registry_leave(&w.registry, &b, channel), WSPOOL_ERR_ABSENT);
    assert_int_equal(join(&w, &b, item), 0);
    assert_int_equal(w.appeared, 1); /* reported once */
    check(&w, 2);
    assert_int_equal(leave(&w, &a, item), 0);
    assert_int_equal(w.went, 0);
    assert_ptr_equal(find(&w, item), channel);
    assert_int_equal(leave(&w, &b, item), 0);
    assert_int_equal(w.went, 1);
    assert_null(find(&w, item));
    end(&w);
}

TEST(epoch_is_a_new_one_each_time_a_channel_appears)
{
    struct world w;
    struct wsp_peer a = {0};
    begin(&w);
    for (uint64_t epoch = 7; epoch < 20; epoch++) {
        assert_int_equal(join(&w, &a, wspool_topic("t")), 0);
        struct wsp_channel *channel = find(&w, wspool_topic("t"));
        assert_true(channel->epoch == epoch);
        assert_true(channel->offset == 0);
        channel->offset = 99;
        assert_int_equal(leave(&w, &a, wspool_topic("t")), 0);
    }
    end(&w);
}

static void assert_position(const struct world *w, wspool_channel channel, uint64_t epoch,
                            uint64_t offset)
{
    wspool_channel_position position = wsp_registry_position(&w->registry, channel);
    assert_true(position.epoch == epoch);
    assert_true(position.offset == offset);
}

/* A position that was reported while the channel was inactive is right, or the member learns
 * that messages were missed. */
TEST(position_is_that_of_the_next_life_when_a_channel_is_not_there)
{
    struct world w;
    struct wsp_peer a = {0};
    wspool_channel t = wspool_topic("t");
    begin(&w);
    assert_position(&w, t, 7, 0);
    assert_int_equal(join(&w, &a, t), 0);
    assert_position(&w, t, 7, 0); /* as was reported */
    find(&w, t)->offset = 5;
    assert_position(&w, t, 7, 5);
    assert_position(&w, wspool_item("t"), 8, 0);
    assert_int_equal(leave(&w, &a, t), 0);
    assert_position(&w, t, 8, 0);
    wsp_registry_missed(&w.registry); /* a message had no member */
    assert_int_equal(join(&w, &a, t), 0);
    assert_position(&w, t, 9, 0); /* not the position reported before */
    assert_int_equal(leave(&w, &a, t), 0);
    end(&w);
}

TEST(rules_are_those_of_the_kind)
{
    struct world w;
    struct wsp_peer a = {0};
    begin(&w);
    for (int kind = WSPOOL_GLOBAL; kind <= WSPOOL_TOPIC; kind++) {
        wspool_channel t = wspool_channel_of((enum wspool_kind)kind, "t", 1);
        assert_int_equal(join(&w, &a, t), 0);
        assert_ptr_equal(find(&w, t)->rules, &w.registry.rules[kind]);
        assert_ptr_equal(wsp_registry_get(&w.registry, t), find(&w, t));
    }
    wsp_registry_leave_all(&w.registry, &a);
    end(&w);
}

TEST(last_one_moves_into_the_hole_when_one_leaves)
{
    struct world w;
    struct wsp_peer p[5];
    memset(p, 0, sizeof p);
    begin(&w);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(join(&w, &p[i], wspool_topic("t")), 0);
    }
    struct wsp_channel *channel = find(&w, wspool_topic("t"));
    assert_int_equal(leave(&w, &p[1], wspool_topic("t")), 0);
    assert_int_equal(channel->count, 4);
    assert_ptr_equal(channel->members[1].peer, &p[4]);
    check(&w, 4);
    assert_int_equal(leave(&w, &p[3], wspool_topic("t")), 0); /* the last channel itself */
    assert_ptr_equal(channel->members[2].peer, &p[2]);
    check(&w, 3);
    /* The memberships of a peer as well. */
    char name[8];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(join(&w, &p[0], wspool_item(name)), 0);
    }
    assert_int_equal(leave(&w, &p[0], wspool_topic("t")), 0); /* membership 0 */
    assert_int_equal(p[0].memberships.count, 4);
    assert_ptr_equal(wsp_membership_channel(&p[0].memberships, 0), find(&w, wspool_item("3")));
    assert_int_equal(leave(&w, &p[0], wspool_item("1")), 0);
    assert_ptr_equal(wsp_membership_channel(&p[0].memberships, 2), find(&w, wspool_item("2")));
    check(&w, 5);
    for (size_t i = 0; i < 5; i++) {
        wsp_registry_leave_all(&w.registry, &p[i]);
        assert_int_equal(p[i].memberships.count, 0);
    }
    end(&w);
}

TEST(join_is_full_when_the_peer_has_as_many_memberships_as_it_may)
{
    struct world w;
    struct wsp_peer a = {0}, b = {0};
    begin(&w);
    assert_int_equal(wsp_registry_join(&w.registry, &a, wspool_item("0"), 0), WSPOOL_ERR_FULL);
    assert_int_equal(wsp_registry_join(&w.registry, &a, wspool_item("0"), 2), 0);
    assert_int_equal(wsp_registry_join(&w.registry, &a, wspool_item("1"), 2), 0);
    assert_int_equal(wsp_registry_join(&w.registry, &a, wspool_item("2"), 2), WSPOOL_ERR_FULL);
    assert_null(find(&w, wspool_item("2")));
    assert_int_equal(w.appeared, 2);
    assert_int_equal(wsp_registry_join(&w.registry, &b, wspool_item("2"), 2), 0);
    assert_int_equal(wsp_registry_join(&w.registry, &a, wspool_item("2"), 2), WSPOOL_ERR_FULL);
    /* EXISTS comes before any other error: the membership is there already. */
    assert_int_equal(wsp_registry_join(&w.registry, &a, wspool_item("1"), 2), WSPOOL_ERR_EXISTS);
    assert_int_equal(leave(&w, &a, wspool_item("0")), 0);
    assert_int_equal(wsp_registry_join(&w.registry, &a, wspool_item("2"), 2), 0);
    wsp_registry_leave_all(&w.registry, &a);
    wsp_registry_leave_all(&w.registry, &b);
    end(&w);
}

/* The count of memberships has 16 bits: joining must fail before it wraps. */
TEST(join_is_full_when_a_peer_has_all_memberships_that_can_be_counted)
{
    struct world w;
    struct wsp_peer a = {0};
    uint32_t name, most = 1 + 32768;
    begin(&w);
    for (name = 0; name < most; name++) {
        wspool_channel channel = wspool_channel_of(WSPOOL_ITEM, &name, sizeof name);
        assert_int_equal(wsp_registry_join(&w.registry, &a, channel, UINT32_MAX), 0);
    }
    assert_int_equal(wsp_registry_join(&w.registry, &a, wspool_topic("t"), UINT32_MAX),
                     WSPOOL_ERR_FULL);
    assert_int_equal(a.memberships.count, most);
    check(&w, most);
    wsp_registry_leave_all(&w.registry, &a);
    assert_null(a.memberships.more);
    end(&w);
}

TEST(memory_is_given_back_when_members_leave)
{
    enum { PEERS = 1000 };
    struct world w;
    struct wsp_peer *p = calloc(PEERS, sizeof *p);
    struct wsp_peer first = {0};
    begin(&w);
    assert_int_equal(join(&w, &first, wspool_topic("t")), 0);
    size_t little = w.mem.bytes;
    for (size_t i = 0; i < PEERS; i++) {
        assert_int_equal(join(&w, &p[i], wspool_topic("t")), 0);
    }
    assert_true(w.mem.bytes >= little + PEERS * sizeof(struct wsp_member));
    for (size_t i = 0; i < PEERS; i++) {
        assert_int_equal(leave(&w, &p[i], wspool_topic("t")), 0);
        struct wsp_channel *channel = find(&w, wspool_topic("t"));
        assert_true(channel->cap <= 4 || channel->cap <= 4 * channel->count);
        assert_null(p[i].memberships.more); /* the first membership lies in the record */
    }
    assert_int_equal(w.mem.bytes, little);
    check(&w, 1);
    wsp_registry_leave_all(&w.registry, &first);
    end(&w);
    free(p);
}

/* At any number of members, one join and one leave leave the arrays as they are. */
TEST(coming_and_going_allocates_nothing_when_the_number_stays)
{
    enum { PEERS = 300 };
    struct world w;
    struct wsp_peer *p = calloc(PEERS, sizeof *p);
    begin(&w);
    for (size_t n = 0; n < PEERS; n++) {
        assert_int_equal(join(&w, &p[n], wspool_topic("t")), 0);
        size_t calls = w.mem.calls;
        for (size_t i = 0; n > 0 && i < 5; i++) {
            assert_int_equal(leave(&w, &p[i % n], wspool_topic("t")), 0);
            assert_int_equal(join(&w, &p[i % n], wspool_topic("t")), 0);
        }
        assert_int_equal(w.mem.calls, calls);
    }
    for (size_t n = PEERS; n-- > 2;) {
        assert_int_equal(leave(&w, &p[n], wspool_topic("t")), 0);
        size_t calls = w.mem.calls;
        assert_int_equal(join(&w, &p[n], wspool_topic("t")), 0);
        assert_int_equal(leave(&w, &p[n], wspool_topic("t")), 0);
        assert_int_equal(w.mem.calls, calls);
    }
    wsp_registry_leave_all(&w.registry, &p[0]);
    wsp_registry_leave_all(&w.registry, &p[1]);
    end(&w);
    free(p);
}

/* ------------------------------------------------------------------- names */

TEST(name_is_valid_when_its_kind_is_one_and_it_is_not_too_long)
{
    static const char longest[300];
    for (int kind = -1; kind < 8; kind++) {
        int good = kind >= WSPOOL_GLOBAL && kind <= WSPOOL_TOPIC;
        enum wspool_kind k = (enum wspool_kind)kind;
        assert_int_equal(wsp_channel_valid(wspool_channel_of(k, "a", 1)), good);
        assert_int_equal(wsp_channel_valid(wspool_channel_of(k, "", 0)), good);
        assert_int_equal(wsp_channel_valid(wspool_channel_of(k, NULL, 0)), good);
        assert_int_equal(wsp_channel_valid(wspool_channel_of(k, NULL, 1)), 0);
        assert_int_equal(wsp_channel_valid(wspool_channel_of(k, longest, 255)), good);
        assert_int_equal(wsp_channel_valid(wspool_channel_of(k, longest, 256)), 0);
        assert_int_equal(wsp_channel_valid(wspool_channel_of(k, longest, SIZE_MAX)), 0);
    }
}

/* All names of up to one byte, longer ones that begin like the key of another kind, and the
 * longest names, in all kinds: each finds its own channel only. */
TEST(names_of_any_bytes_are_told_apart)
{
    enum { SHORT = 257, LONG = 8, NAMES = SHORT + LONG };
    static uint8_t bytes[NAMES][255];
    static size_t len[NAMES];
    static struct wsp_peer peers[4][NAMES];
    static const char *const more[LONG - 2] = {"\1\2", "\2\1", "\1\1", "a\0b", "a\0c", "\xff\xff"};
    struct world w;
    begin(&w);
    for (size_t i = 0; i < 256; i++) {
        bytes[i][0] = (uint8_t)i;
        len[i] = 1;
    }
    for (size_t i = 0; i < LONG - 2; i++) {
        len[SHORT + i] = i == 3 || i == 4 ? 3 : 2;
        memcpy(bytes[SHORT + i], more[i], len[SHORT + i]);
    }
    memset(bytes[NAMES - 2], 'x', 254);
    memset(bytes[NAMES - 1], 'x', 255);
    len[NAMES - 2] = 254;
    len[NAMES - 1] = 255;
    memset(peers, 0, sizeof peers);
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < NAMES; i++) {
            uint8_t room[255]; /* the name is valid for the call only */
            memcpy(room, bytes[i], len[i]);
            wspool_channel channel =
                wspool_channel_of((enum wspool_kind)(WSPOOL_GLOBAL + k), room, len[i]);
            assert_null(find(&w, channel));
            assert_int_equal(join(&w, &peers[k][i], channel), 0);
            memset(room, 0xee, sizeof room);
        }
    }
    check(&w, 4 * (size_t)NAMES);
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < NAMES; i++) {
            wspool_channel channel =
                wspool_channel_of((enum wspool_kind)(WSPOOL_GLOBAL + k), bytes[i], len[i]);
            struct wsp_channel *found = find(&w, channel);
            assert_non_null(found);
            assert_int_equal(found->count, 1);
            assert_ptr_equal(found->members[0].peer, &peers[k][i]);
            wspool_channel name = wsp_channel_name(found);
            assert_int_equal(name.kind, channel.kind);
            assert_int_equal(name.len, len[i]);
            assert_memory_equal(name.name, bytes[i], len[i]);
        }
    }
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < NAMES; i++) {
            wsp_registry_leave_all(&w.registry, &peers[k][i]);
        }
    }
    end(&w);
}

/* ---------------------------------------------------- reactions in the hook */

static void rejoin(struct world *w, const struct wsp_channel *channel, int active)
{
    if (!active && w->other) {
        struct wsp_peer *other = w->other;
        w->other = NULL;
        assert_null(find(w, wsp_channel_name(channel))); /* can't be found any more */
        assert_int_equal(join(w, other, wsp_channel_name(channel)), 0);
        w->found = find(w, wsp_channel_name(channel));
        assert_ptr_not_equal(w->found, channel);
        assert_true(w->found->epoch > channel->epoch);
        assert_string_equal(w->last, "t");
    }
}

TEST(channel_begins_anew_when_somebody_joins_in_the_hook_of_its_end)
{
    for (int same = 0; same < 2; same++) {
        struct world w;
        struct wsp_peer a = {0}, b = {0};
        begin(&w);
        w.then = rejoin;
        w.other = same ? &a : &b;
        assert_int_equal(join(&w, &a, wspool_item("0")), 0);
        assert_int_equal(join(&w, &a, wspool_topic("t")), 0);
        assert_int_equal(leave(&w, &a, wspool_topic("t")), 0);
        assert_int_equal(w.appeared, 3);
        assert_int_equal(w.went, 1);
        assert_ptr_equal(find(&w, wspool_topic("t")), w.found);
        assert_int_equal(is_member(w.found, same ? &a : &b), 1);
        assert_int_equal(is_member(w.found, same ? &b : &a), 0);
        check(&w, 2);
        wsp_registry_leave_all(&w.registry, &a);
        wsp_registry_leave_all(&w.registry, &b);
        end(&w);
    }
}

static void join_elsewhere(struct world *w, const struct wsp_channel *channel, int active)
{
    (void)channel;
    if (!active) {
        char name[24];
        snprintf(name, sizeof name, "%zu", w->went);
        assert_int_equal(join(w, w->other, wspool_session(name)), 0);
    }
}

TEST(leaving_all_goes_on_when_the_hook_joins_others_meanwhile)
{
    struct world w;
    struct wsp_peer a = {0}, b = {0};
    begin(&w);
    w.then = join_elsewhere;
    w.other = &b;
    char name[8];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(join(&w, &a, wspool_item(name)), 0);
    }
    wsp_registry_leave_all(&w.registry, &a);
    assert_int_equal(a.memberships.count, 0);
    assert_int_equal(b.memberships.count, 20);
    check(&w, 20);
    w.then = NULL;
    wsp_registry_leave_all(&w.registry, &b);
    end(&w);
}

static void leave_at_once(struct world *w, const struct wsp_channel *channel, int active)
{
    if (active) {
        assert_int_equal(leave(w, w->other, wsp_channel_name(channel)), 0);
        assert_null(find(w, wspool_topic("t")));
    }
}

TEST(join_succeeds_when_the_hook_makes_the_peer_leave_again)
{
    struct world w;
    struct wsp_peer a = {0};
    begin(&w);
    w.then = leave_at_once;
    w.other = &a;
    for (size_t i = 1; i < 5; i++) {
        assert_int_equal(join(&w, &a, wspool_topic("t")), 0);
        assert_int_equal(a.memberships.count, 0);
        assert_int_equal(w.appeared, i);
        assert_int_equal(w.went, i);
    }
    check(&w, 0);
    end(&w);
}

/* ------------------------------------------------------------------- model */

TEST(registry_agrees_with_a_table_when_joined_and_left_at_random)
{
    enum { PEERS = 40, NAMES = 30, MAX = 12, STEPS = 30000 };
    static uint8_t in[PEERS][NAMES];
    static struct wsp_peer p[PEERS];
    uint64_t seed = 42, memberships = 0, epoch = 0;
    struct world w;
    begin(&w);
    memset(in, 0, sizeof in);
    memset(p, 0, sizeof p);
    for (int step = 0; step < STEPS; step++) {
        size_t i = (size_t)test_below(&seed, PEERS), k = (size_t)test_below(&seed, NAMES);
        uint8_t name = (uint8_t)(k / 3); /* three kinds share each name */
        wspool_channel channel =
            wspool_channel_of((enum wspool_kind)(WSPOOL_ITEM + k % 3), &name, 1);
        uint32_t mine = 0, there = 0;
        for (size_t n = 0; n < NAMES; n++) {
            mine += in[i][n];
        }
        for (size_t n = 0; n < PEERS; n++) {
            there += in[n][k];
        }
        /* Long stretches of mostly joins, and of mostly leaves. */
        int joins = test_below(&seed, 10) < (step / 3000 % 2 ? 3u : 7u);
        if (test_below(&seed, 8) == 0) {
            w.mem.fail_at = 1;
        }
        if (joins) {
            int answer = wsp_registry_join(&w.registry, &p[i], channel, MAX);
            if (in[i][k]) {
                assert_int_equal(answer, WSPOOL_ERR_EXISTS);
            } else if (mine >= MAX) {
                assert_int_equal(answer, WSPOOL_ERR_FULL);
            } else if (w.mem.failures == 0) {
                assert_int_equal(answer, 0);
            } else if (answer != 0) { /* a hash table that can't grow is no failure */
                assert_int_equal(answer, WSPOOL_ERR_NOMEM);
            }
            if (answer == 0) {
                in[i][k] = 1;
                memberships++;
                if (there == 0) {
                    assert_true(find(&w, channel)->epoch > epoch);
                    epoch = find(&w, channel)->epoch;
                }
            }
        } else if (test_below(&seed, 40) == 0) {
            wsp_registry_leave_all(&w.registry, &p[i]);
            memset(in[i], 0, NAMES);
            memberships -= mine;
        } else {
            assert_int_equal(leave(&w, &p[i], channel), in[i][k] ? 0 : WSPOOL_ERR_ABSENT);
            memberships -= in[i][k];
            in[i][k] = 0;
        }
        w.mem.fail_at = w.mem.failures = 0;
        check(&w, memberships);
        const struct wsp_channel *found = find(&w, channel);
        there = 0;
        for (size_t n = 0; n < PEERS; n++) {
            there += in[n][k];
            assert_int_equal(found ? is_member(found, &p[n]) : 0, in[n][k]);
        }
        assert_int_equal(found ? found->count : 0, there);
        mine = 0;
        for (size_t n = 0; n < NAMES; n++) {
            mine += in[i][n];
        }
        assert_int_equal(p[i].memberships.count, mine);
        assert_true(mine > 1 || !p[i].memberships.more || mine == 1);
    }
    for (size_t i = 0; i < PEERS; i++) {
        wsp_registry_leave_all(&w.registry, &p[i]);
        assert_null(p[i].memberships.more);
    }
    end(&w);
}

/* -------------------------------------------------------------- constant cost */

enum { CROWD = 100000, SOME = 1000 };

TEST(joining_and_leaving_allocate_nothing_when_the_channel_is_large)
{
    struct world w;
    struct wsp_peer *p = calloc(CROWD, sizeof *p);
    uint64_t seed = 3;
    begin(&w);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(join(&w, &p[i], wspool_topic("t")), 0);
    }
    /* The channel, the hash table, and an array that doubled: 4, 8 ... 131072. */
    assert_int_equal(w.mem.calls, 1 + 1 + 16);
    check(&w, CROWD);
    size_t before = w.mem.calls;
    for (size_t i = 0; i < SOME; i++) {
        struct wsp_peer *one = &p[test_below(&seed, CROWD)];
        assert_int_equal(leave(&w, one, wspool_topic("t")), 0);
        assert_int_equal(join(&w, one, wspool_topic("t")), 0);
    }
    assert_int_equal(w.mem.calls, before);
    check(&w, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        wsp_registry_leave_all(&w.registry, &p[i]);
    }
    end(&w);
    free(p);
}

/* Makes every page of the member array and of the peer records inaccessible, except those with
 * the leaving peer, its place, and the last member. An access to any other peer crashes. */

static void *pages(size_t size)
{
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(room != MAP_FAILED);
    return room;
}

struct page_head {
    size_t size;
    char rest[4096 - sizeof(size_t)];
};

static void *page_malloc(size_t size, void *user)
{
    (void)user;
    struct page_head *head = pages(sizeof *head + size);
    head->size = size;
    return head + 1;
}

static void page_free(void *block, void *user)
{
    (void)user;
    struct page_head *head = (struct page_head *)block - 1;
    assert_int_equal(munmap(head, sizeof *head + head->size), 0);
}

static void *page_realloc(void *block, size_t size, void *user)
{
    const struct page_head *head = (struct page_head *)block - 1;
    void *larger = page_malloc(size, user);
    memcpy(larger, block, head->size < size ? head->size : size);
    page_free(block, user);
    return larger;
}

static void open_page_of(const void *thing, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)thing & ~(page - 1);
    uintptr_t last = ((uintptr_t)thing + size - 1) & ~(page - 1);
    assert_int_equal(mprotect((char *)thing - ((uintptr_t)thing - first), last - first + page,
                              PROT_READ | PROT_WRITE),
                     0);
}

TEST(joining_and_leaving_look_at_nobody_else_when_the_channel_is_large)
{
    struct world w;
    memset(&w, 0, sizeof w);
    begin_with(&w, (wspool_mem){page_malloc, page_realloc, page_free, NULL});
    size_t peers_size = CROWD * sizeof(struct wsp_peer);
    struct wsp_peer *p = pages(peers_size);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(join(&w, &p[i], wspool_topic("t")), 0);
    }
    struct wsp_channel *channel = find(&w, wspool_topic("t"));
    size_t members_size = channel->cap * sizeof(struct wsp_member);
    for (size_t round = 0; round < 50; round++) {
        size_t at = round * 1999;
        struct wsp_member *place = &channel->members[at];
        struct wsp_member *last = &channel->members[channel->count - 1];
        struct wsp_peer *one = place->peer, *moved = last->peer;
        assert_int_equal(mprotect(channel->members, members_size, PROT_NONE), 0);
        assert_int_equal(mprotect(p, peers_size, PROT_NONE), 0);
        open_page_of(place, sizeof *place);
        open_page_of(last, sizeof *last);
        open_page_of(one, sizeof *one);
        open_page_of(moved, sizeof *moved);
        assert_int_equal(leave(&w, one, wspool_topic("t")), 0);
        assert_int_equal(join(&w, one, wspool_topic("t")), 0);
        assert_ptr_equal(place->peer, moved);
        assert_ptr_equal(last->peer, one);
        open_page_of(channel->members, members_size);
        open_page_of(p, peers_size);
    }
    check(&w, CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        wsp_registry_leave_all(&w.registry, &p[i]);
    }
    wsp_registry_fini(&w.registry);
    assert_int_equal(munmap(p, peers_size), 0);
}

/* ---------------------------------------------------------------- no memory */

TEST(nothing_is_changed_when_any_allocation_fails)
{
    size_t failed = 0;
    for (size_t n = 1;; n++) {
        struct world w;
        struct wsp_peer p[7];
        uint64_t members = 0;
        begin(&w);
        w.mem.fail_at = n;
        memset(p, 0, sizeof p);
        for (size_t step = 0; step < 7 * 6; step++) {
            size_t i = step % 7;
            char name[2] = {(char)('a' + step / 7), 0};
            struct wsp_channel *before = find(&w, wspool_item(name));
            uint32_t there = before ? before->count : 0;
            size_t told = w.appeared, failures = w.mem.failures;
            uint64_t next_epoch = w.registry.next_epoch;
            uint16_t mine = p[i].memberships.count;
            int answer = join(&w, &p[i], wspool_item(name));
            if (answer) {
                assert_int_equal(answer, WSPOOL_ERR_NOMEM);
                assert_int_equal(w.mem.failures, failures + 1);
                assert_ptr_equal(find(&w, wspool_item(name)), before);
                assert_int_equal(before ? before->count : 0, there);
                assert_int_equal(p[i].memberships.count, mine);
                assert_int_equal(w.appeared, told);
                assert_true(before || w.registry.next_epoch <= next_epoch + 1);
                check(&w, members);
                assert_int_equal(join(&w, &p[i], wspool_item(name)), 0); /* then a name is there */
            }
            members++;
            check(&w, members);
        }
        for (size_t i = 0; i < 7; i++) {
            wsp_registry_leave_all(&w.registry, &p[i]);
        }
        failed += w.mem.failures;
        int last = w.mem.failures == 0;
        end(&w);
        if (last) {
            break;
        }
    }
    assert_true(failed > 20);
}

/* Shrinking an array may fail: the array stays large then, and leaving succeeds. */
TEST(leaving_succeeds_when_there_is_no_memory)
{
    struct world w;
    struct wsp_peer p[64];
    memset(p, 0, sizeof p);
    begin(&w);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(join(&w, &p[i], wspool_item("a")), 0);
        assert_int_equal(join(&w, &p[i], wspool_item("b")), 0);
    }
    w.mem.fail_at = 1;
    w.mem.fail_on = 1;
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(leave(&w, &p[i], wspool_item("a")), 0);
        check(&w, 127 - i);
    }
    for (size_t i = 0; i < 64; i++) {
        wsp_registry_leave_all(&w.registry, &p[i]);
    }
    assert_true(w.mem.failures > 0);
    end(&w);
}

/* ------------------------------------------------------------------- check */

TEST(check_says_no_when_the_two_sides_disagree)
{
    struct world w;
    struct wsp_peer a = {0}, b = {0};
    uint64_t memberships;
    begin(&w);
    assert_int_equal(join(&w, &a, wspool_item("1")), 0);
    assert_int_equal(join(&w, &b, wspool_item("1")), 0);
    assert_int_equal(join(&w, &b, wspool_item("2")), 0);
    struct wsp_channel *one = find(&w, wspool_item("1")), *two = find(&w, wspool_item("2"));
    check(&w, 3);
#define BROKEN(place, value) \
    do { \
        __typeof__(place) kept = (place); \
        (place) = (value); \
        assert_int_equal(wsp_registry_check(&w.registry, &memberships), 0); \
        (place) = kept; \
        check(&w, 3); \
    } while (0)
    BROKEN(one->members[1].membership, 1);
    BROKEN(one->members[1].membership, 2);
    BROKEN(two->members[0].membership, 0);
    BROKEN(one->members[0].peer, &b);
    BROKEN(a.memberships.first_index, 1);
    BROKEN(a.memberships.first_channel, two);
    BROKEN(a.memberships.count, 0);
    BROKEN(b.memberships.more[0].index, 1);
    BROKEN(b.memberships.more[0].channel, one);
    BROKEN(two->count, 0);
    BROKEN(two->cap, 0);
    BROKEN(w.registry.channels.count, 1);
#undef BROKEN
    wsp_registry_leave_all(&w.registry, &a);
    wsp_registry_leave_all(&w.registry, &b);
    end(&w);
}
