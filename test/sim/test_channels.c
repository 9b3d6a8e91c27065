/* SPDX-License-Identifier: MIT */
/*
 * sim/test_channels.c - channels: their members, the hook for active and inactive channels, and
 * positions.
 *
 * Proves a part of law 5 (channels per peer), of law 6 (a peer that ends leaves every channel at
 * once) and of law 7 (published, deliveries and positions agree). Random joins and leaves are
 * compared with a table.
 */
#include "sim.h"

#define IN(s, p, channel) SIM_IN(wspool_subscribe((s)->pool, (p)->id, (channel)))
#define OUT(s, p, channel) SIM_IN(wspool_unsubscribe((s)->pool, (p)->id, (channel)))

TEST(member_when_joining_and_leaving_is_counted)
{
    sim *s = sim_default(1);
    sim_peer *a = sim_join(s, "/echo");
    sim_peer *b = sim_join(s, "/echo");
    wspool_channel t = wspool_topic("news");
    wspool_id ids[4] = {0};
    assert_int_equal(wspool_member_count(s->pool, t), 0);
    assert_int_equal(OUT(s, a, t), WSPOOL_ERR_ABSENT);
    assert_int_equal(IN(s, a, t), 0);
    assert_int_equal(IN(s, a, t), WSPOOL_ERR_EXISTS);
    assert_int_equal(IN(s, b, t), 0);
    assert_int_equal(wspool_member_count(s->pool, t), 2);
    assert_int_equal(wspool_members(s->pool, t, ids, 1), 2);
    assert_true(ids[1] == 0);
    assert_int_equal(wspool_members(s->pool, t, ids, 4), 2);
    assert_true((ids[0] == a->id && ids[1] == b->id) || (ids[0] == b->id && ids[1] == a->id));
    assert_int_equal(wspool_members(s->pool, t, NULL, 0), 2);
    assert_int_equal(sim_stats(s).memberships, 2);
    assert_int_equal(OUT(s, a, t), 0);
    assert_int_equal(OUT(s, a, t), WSPOOL_ERR_ABSENT);
    assert_int_equal(OUT(s, b, t), 0);
    assert_int_equal(wspool_members(s->pool, t, ids, 4), 0);
    assert_int_equal(sim_stats(s).channels, 0);
    sim_pump(s);
    sim_free(s);
}

TEST(hook_when_the_first_comes_and_the_last_goes_is_called_once)
{
    sim *s = sim_default(1);
    sim_peer *a = sim_join(s, "/echo");
    sim_peer *b = sim_join(s, "/echo");
    wspool_channel t = wspool_session("x");
    assert_int_equal(IN(s, a, t), 0);
    assert_int_equal(s->counts[SIM_CHANNEL], 1);
    assert_int_equal(sim_event_of(s, SIM_CHANNEL, 0)->number, 1);
    assert_int_equal(sim_event_of(s, SIM_CHANNEL, 0)->count, WSPOOL_SESSION);
    assert_string_equal(sim_event_of(s, SIM_CHANNEL, 0)->text, "x");
    assert_int_equal(IN(s, b, t), 0);
    assert_int_equal(OUT(s, a, t), 0);
    assert_int_equal(s->counts[SIM_CHANNEL], 1);
    sim_cut(b, WSPOOL_GONE_EOF);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_CHANNEL], 2);
    assert_int_equal(sim_event_of(s, SIM_CHANNEL, 1)->number, 0);
    assert_int_equal(IN(s, a, t), 0);
    assert_int_equal(s->counts[SIM_CHANNEL], 3);
    sim_free(s);
}

TEST(names_when_equal_in_other_kinds_never_collide)
{
    static const enum wspool_kind kinds[] = {WSPOOL_GLOBAL, WSPOOL_ITEM, WSPOOL_SESSION,
                                             WSPOOL_TOPIC};
    sim *s = sim_default(1);
    sim_peer *p[4];
    for (int i = 0; i < 4; i++) {
        p[i] = sim_join(s, "/echo");
        assert_int_equal(IN(s, p[i], wspool_channel_of(kinds[i], "same", 4)), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sim_broadcast(s, wspool_channel_of(kinds[i], "same", 4), "m"), 1);
        sim_pump(s);
        for (int k = 0; k < 4; k++)
            assert_int_equal(p[k]->reader.messages, k <= i);
    }
    sim_free(s);
}

TEST(names_when_of_any_bytes_are_told_apart)
{
    static const char longest[256] = "";
    static const struct {
        const char *name;
        size_t len;
    } names[] = {{"", 0},        {"\0", 1},   {"\0\0", 2},     {"a", 1},      {"a\0", 2},
                 {"a\0b", 3},    {"a\0c", 3}, {"\xff\xfe", 2}, {"item:a", 6}, {longest, 254},
                 {longest, 255}, {"A", 1},    {"\r\n", 2},     {"{x}", 3},    {NULL, 0}};
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    wspool_channel list[32];
    int n = (int)(sizeof names / sizeof *names) - 1;
    for (int i = 0; i < n; i++)
        assert_int_equal(IN(s, p, wspool_channel_of(WSPOOL_TOPIC, names[i].name, names[i].len)), 0);
    /* An empty name needs no pointer. */
    assert_int_equal(IN(s, p, wspool_channel_of(WSPOOL_TOPIC, NULL, 0)), WSPOOL_ERR_EXISTS);
    assert_int_equal(IN(s, p, wspool_channel_of(WSPOOL_TOPIC, longest, 256)), WSPOOL_ERR_INVAL);
    assert_int_equal(IN(s, p, wspool_channel_of(WSPOOL_TOPIC, NULL, 1)), WSPOOL_ERR_INVAL);
    assert_int_equal(IN(s, p, wspool_channel_of(WSPOOL_NONE, "a", 1)), WSPOOL_ERR_INVAL);
    assert_int_equal(IN(s, p, wspool_channel_of((enum wspool_kind)9, "a", 1)), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_channels_of(s->pool, p->id, list, 32), n);
    for (int i = 0; i < n; i++) {
        int seen = 0;
        for (int k = 0; k < n; k++)
            seen += list[k].len == names[i].len && list[k].kind == WSPOOL_TOPIC &&
                    (names[i].len == 0 || memcmp(list[k].name, names[i].name, names[i].len) == 0);
        assert_int_equal(seen, 1);
    }
    assert_int_equal(wspool_channels(s->pool, list, 32), n);
    for (int i = 0; i < n; i++)
        assert_int_equal(OUT(s, p, wspool_channel_of(WSPOOL_TOPIC, names[i].name, names[i].len)),
                         0);
    sim_pump(s);
    sim_free(s);
}

TEST(peer_when_in_too_many_channels_is_full)
{
    sim *s = sim_new(1);
    sim_peer *p;
    char name[16];
    s->config.channels_per_peer = 5;
    sim_start(s);
    p = sim_join(s, "/room/one"); /* the channel of its route is one of them */
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(IN(s, p, wspool_topic(name)), 0);
    }
    assert_int_equal(IN(s, p, wspool_topic("more")), WSPOOL_ERR_FULL);
    assert_int_equal(IN(s, p, wspool_topic("3")), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_member_count(s->pool, wspool_topic("more")), 0);
    assert_int_equal(OUT(s, p, wspool_item("one")), 0);
    assert_int_equal(IN(s, p, wspool_topic("more")), 0);
    sim_pump(s);
    sim_free(s);
}

TEST(position_when_messages_are_published_counts_from_one)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    wspool_channel t = wspool_topic("t");
    wspool_channel_position at = {7, 7};
    wspool_tally tally = {.size = sizeof tally};
    uint64_t epoch;
    assert_int_equal(wspool_position(s->pool, t, &at), 0);
    assert_true(at.offset == 0);
    epoch = at.epoch;
    IN(s, p, t); /* nothing was published since: an earlier position has missed nothing */
    assert_int_equal(wspool_position(s->pool, t, &at), 0);
    assert_true(at.offset == 0 && at.epoch == epoch);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(wspool_broadcast(s->pool, t, "m", 1, NULL, &tally), 1);
        assert_true(tally.position.offset == i);
        assert_true(tally.position.epoch == epoch);
        assert_int_equal(tally.queued, 1);
    }
    assert_int_equal(sim_send(p, "not the channel's"), 0);
    assert_int_equal(wspool_position(s->pool, t, &at), 0);
    assert_true(at.offset == 5 && at.epoch == epoch);
    OUT(s, p, t);
    IN(s, p, t);
    assert_int_equal(wspool_position(s->pool, t, &at), 0);
    assert_true(at.offset == 0);
    assert_true(at.epoch != epoch);
    sim_pump(s);
    assert_int_equal(p->reader.messages, 6);
    sim_free(s);
}

TEST(position_when_a_message_found_nobody_is_of_another_epoch)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    wspool_channel t = wspool_topic("t");
    wspool_channel_position before, after;
    assert_int_equal(wspool_position(s->pool, t, &before), 0);
    assert_int_equal(wspool_broadcast(s->pool, t, "missed", 6, NULL, NULL), 0);
    IN(s, p, t);
    assert_int_equal(wspool_position(s->pool, t, &after), 0);
    assert_true(after.offset == 0);
    assert_true(after.epoch != before.epoch);
    sim_free(s);
}

TEST(broadcast_when_nobody_is_there_is_zero_and_counts_nothing)
{
    sim *s = sim_default(1);
    wspool_tally tally = {.size = sizeof tally, .queued = 9, .slow = 9};
    wspool_statistics st;
    assert_int_equal(wspool_broadcast(s->pool, wspool_topic("no"), "m", 1, NULL, &tally), 0);
    assert_int_equal(tally.queued + tally.slow + tally.closed + tally.behind, 0);
    assert_true(tally.position.offset == 0 && tally.position.epoch == 0);
    st = sim_stats(s);
    assert_int_equal(st.published + st.deliveries + st.encoded, 0);
    sim_free(s);
}

TEST(broadcast_when_one_is_excepted_goes_to_all_others)
{
    sim *s = sim_default(1);
    sim_peer *p[3];
    wspool_send_options options = {.size = sizeof options, .flags = WSPOOL_BINARY};
    wspool_tally tally = {.size = sizeof tally};
    for (int i = 0; i < 3; i++)
        p[i] = sim_join(s, "/all");
    options.except = p[1]->id;
    assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "\xff", 1, &options, &tally),
                     2);
    assert_int_equal(tally.queued, 2);
    sim_pump(s);
    assert_int_equal(p[0]->reader.messages, 1);
    assert_int_equal(p[0]->reader.list[0].op, OP_BINARY);
    assert_int_equal(p[1]->reader.messages, 0);
    assert_int_equal(p[2]->reader.messages, 1);
    /* A peer that is no member, or no longer one, excepts nobody. */
    sim_cut(p[1], WSPOOL_GONE_EOF);
    sim_pump(s);
    assert_int_equal(wspool_broadcast(s->pool, wspool_global("all"), "x", 1, &options, &tally), 2);
    sim_pump(s);
    sim_free(s);
}

TEST(broadcast_when_members_join_later_is_not_for_them)
{
    sim *s = sim_default(1);
    sim_peer *a = sim_join(s, "/all");
    sim_peer *b = sim_join(s, "/echo");
    sim_broadcast(s, wspool_global("all"), "before");
    IN(s, b, wspool_global("all"));
    sim_broadcast(s, wspool_global("all"), "while");
    OUT(s, a, wspool_global("all"));
    sim_broadcast(s, wspool_global("all"), "after");
    sim_pump(s);
    assert_int_equal(a->reader.messages, 2);
    sim_expect_message(a, 0, "before");
    sim_expect_message(a, 1, "while");
    assert_int_equal(b->reader.messages, 2);
    sim_expect_message(b, 0, "while");
    sim_expect_message(b, 1, "after");
    sim_free(s);
}

TEST(message_when_of_any_size_is_one_frame_for_all)
{
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 200000};
    sim *s = sim_default(1);
    uint8_t *bytes = sim_malloc(200000);
    for (int i = 0; i < 5; i++)
        sim_join(s, "/all");
    s->chop = SIM_RANDOM;
    for (size_t k = 0; k < 200000; k++)
        bytes[k] = (uint8_t)('a' + k * 7 % 26);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t encoded = sim_stats(s).encoded;
        assert_int_equal(
            SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), bytes, sizes[i], NULL, NULL)),
            5);
        assert_int_equal(sim_stats(s).encoded, encoded + 1);
        sim_pump(s);
        for (int k = 0; k < 5; k++) {
            assert_int_equal(s->peers[k]->reader.messages, i + 1);
            assert_true(got_is(reader_message(&s->peers[k]->reader, i), bytes, sizes[i]));
        }
    }
    free(bytes);
    sim_free(s);
}

TEST(peer_when_it_ends_leaves_all_its_channels_at_once)
{
    for (int way = 0; way < 4; way++) {
        sim *s = sim_default(1);
        sim_peer *p = sim_join(s, "/all");
        sim_peer *q = sim_join(s, "/all");
        char name[16];
        for (int i = 0; i < 50; i++) {
            snprintf(name, sizeof name, "%d", i);
            IN(s, p, wspool_topic(name));
        }
        sim_stall(p);
        switch (way) {
        case 0:
            sim_say_close(p, 1000, NULL);
            break;
        case 1:
            sim_cut(p, WSPOOL_GONE_FAILED);
            break;
        case 2:
            assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), 0);
            break;
        default:
            sim_frame(p, FIN | 3, "", 0);
            break;
        }
        sim_pump(s);
        assert_int_equal(sim_stats(s).channels, 1);
        assert_int_equal(sim_stats(s).memberships, 1);
        assert_int_equal(sim_broadcast(s, wspool_global("all"), "m"), 1);
        sim_pump(s);
        sim_expect_open(q);
        sim_free(s);
    }
}

/* Random joins and leaves, for many steps, are compared with a table of memberships. */
TEST(channels_when_joined_and_left_at_random_agree_with_a_table)
{
    enum { PEERS = 24, NAMES = 40 };
    static char in[PEERS][NAMES];
    sim *s = sim_default(42);
    sim_peer *p[PEERS];
    wspool_channel c[NAMES];
    char names[NAMES][16];
    memset(in, 0, sizeof in);
    for (int i = 0; i < PEERS; i++)
        p[i] = sim_join(s, "/echo");
    for (int k = 0; k < NAMES; k++) {
        snprintf(names[k], sizeof names[k], "%d", k / 2);
        c[k] = k % 2 ? wspool_item(names[k]) : wspool_topic(names[k]);
    }
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)sim_below(s, PEERS);
        size_t k = (size_t)sim_below(s, NAMES);
        int count = 0;
        switch (sim_below(s, 6)) {
        case 0:
        case 1:
        case 2:
            assert_int_equal(IN(s, p[i], c[k]), in[i][k] ? WSPOOL_ERR_EXISTS : 0);
            in[i][k] = 1;
            break;
        case 3:
        case 4:
            assert_int_equal(OUT(s, p[i], c[k]), in[i][k] ? 0 : WSPOOL_ERR_ABSENT);
            in[i][k] = 0;
            break;
        default:
            if (sim_below(s, 20) == 0) {
                sim_cut(p[i], WSPOOL_GONE_EOF);
                sim_pump(s);
                memset(in[i], 0, NAMES);
                p[i] = sim_join(s, "/echo");
            }
            break;
        }
        for (int m = 0; m < PEERS; m++)
            count += in[m][k];
        assert_int_equal(wspool_member_count(s->pool, c[k]), count);
        if (step % 100 == 0) {
            wspool_id ids[PEERS];
            assert_int_equal(wspool_members(s->pool, c[k], ids, PEERS), count);
            for (int m = 0; m < count; m++) {
                sim_peer *q = wspool_user(s->pool, ids[m]);
                size_t at = 0;
                while (p[at] != q)
                    at++;
                assert_int_equal(in[at][k], 1);
            }
            count = 0;
            for (int m = 0; m < NAMES; m++)
                count += in[i][m];
            assert_int_equal(wspool_channels_of(s->pool, p[i]->id, NULL, 0), count);
            sim_pump(s);
        }
    }
    sim_free(s);
}

TEST(peers_when_listed_are_those_that_are_open)
{
    sim *s = sim_default(1);
    wspool_id ids[8];
    sim_peer *a = sim_join(s, "/echo");
    sim_peer *b = sim_join(s, "/echo");
    sim_open(s, NULL); /* in its handshake */
    assert_int_equal(wspool_peers(s->pool, ids, 8), 2);
    assert_true((ids[0] == a->id && ids[1] == b->id) || (ids[0] == b->id && ids[1] == a->id));
    sim_cut(a, WSPOOL_GONE_EOF);
    sim_pump(s);
    assert_int_equal(wspool_peers(s->pool, ids, 8), 1);
    assert_true(ids[0] == b->id);
    sim_free(s);
}

TEST(slot_when_used_again_has_another_id)
{
    sim *s = sim_default(1);
    wspool_id seen[300];
    for (size_t i = 0; i < 300; i++) {
        sim_peer *p = sim_join(s, "/echo");
        seen[i] = p->id;
        assert_true(wspool_slot(p->id) < 2);
        for (size_t k = 0; k < i; k++)
            assert_true(seen[k] != seen[i]);
        sim_cut(p, WSPOOL_GONE_EOF);
        sim_pump(s);
        assert_int_equal(wspool_release(s->pool, p->id), WSPOOL_ERR_STALE);
        assert_null(wspool_user(s->pool, p->id));
    }
    sim_free(s);
}

TEST(broadcast_when_a_member_is_dead_already_drops_it_during_the_walk)
{
    sim *s = sim_default(1);
    sim_peer *a = sim_join(s, "/all");
    sim_peer *b = sim_join(s, "/all");
    assert_int_equal(SIM_IN(wspool_gone(s->pool, a->id, WSPOOL_GONE_FAILED, s->now)), 0);
    a->told = 1;
    assert_int_equal(a->ended, 1);
    assert_int_equal(SIM_IN(wspool_gone(s->pool, a->id, WSPOOL_GONE_FAILED, s->now)), 0);
    assert_int_equal(sim_broadcast(s, wspool_global("all"), "m"), 1);
    sim_pump(s);
    assert_int_equal(b->reader.messages, 1);
    assert_int_equal(s->counts[SIM_CLOSED], 1);
    sim_free(s);
}
