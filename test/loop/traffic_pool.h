/* SPDX-License-Identifier: MIT */
/*
 * loop/traffic_pool.h - the pool's part of loop/traffic.h: what is published, and what the hooks
 * are told. Each message has a stream and a number, from which all of its text follows.
 */
#ifndef WSPOOL_TEST_LOOP_TRAFFIC_POOL_H
#define WSPOOL_TEST_LOOP_TRAFFIC_POOL_H

#include <stdio.h>

#include <wspool/deflate.h>

#include "../sim/sim.h"
#include "net.h"

enum {
    PEERS = 8,
    SLOW_PEERS = 2, /* the first ones */
    STEPS = 400,    /* of a round, before all stalls end */
    LAST_STEPS = 100000,
    LONGEST = 30000, /* bytes of a message */
    CHANNELS = 4,    /* one for each policy, and one of the pool's policy */
    TO_ONE = CHANNELS,
    UPWARDS,
    STREAMS
};

struct traffic;

struct peer {
    struct traffic *traffic;
    struct line line;
    unsigned number; /* of the place */

    /* the host's side */
    wspool_id id; /* 0: released */
    int open;
    wspool_closed closed;
    uint64_t attempted; /* messages that the pool took for it, or should have taken */
    uint64_t unsure;    /* of these, how many were published while some member was behind */
    uint64_t missed;    /* what the missed hook was told */
    uint32_t to_one;    /* messages to this peer alone */
    uint32_t came_up;   /* messages that came from it */
    int reset;          /* the transport was reset by the host */

    /* the client's side */
    reader in;
    blob out;
    size_t written; /* bytes of `out` */
    int cut;        /* it has vanished */
    int ended;      /* the host has closed the transport */
    int stall;      /* steps for which it does not read */
    int close_sent;
    uint64_t received;
    uint32_t next[STREAMS]; /* the least number that may come now */
    uint32_t sent_up;
    uint32_t pings;
    uint32_t ponged; /* the number of the last pong */
};

struct traffic {
    uint64_t seed, random;
    uint64_t now;
    unsigned step;
    int finishing; /* nothing is published, and no client stalls */
    int compressed;
    wspool *pool;
    wspool_deflate *deflate;
    wspool_config config;
    struct peer peers[PEERS];
    uint32_t next[CHANNELS]; /* number of the next message */
    uint64_t missed;
    uint64_t received, encoded;
    char text[LONGEST];
};

#define REQUIRE(traffic, condition) \
    do { \
        if (!(condition)) { \
            fail_msg("%s (seed %llu, step %u)", #condition, (unsigned long long)(traffic)->seed, \
                     (traffic)->step); \
        } \
    } while (0)

/* Returns a number below `limit`. */
static unsigned pick(struct traffic *traffic, unsigned limit)
{
    return (unsigned)(sim_mix(&traffic->random) % limit);
}

/* ---------------------------------------------------------------- messages */

/* Writes the message `number` of a stream: its head, and letters that follow from it. */
static void message_write(char *text, unsigned stream, uint32_t number, size_t len)
{
    char head[40];
    uint64_t mix = (uint64_t)number << 8 | stream;
    size_t n = (size_t)snprintf(head, sizeof(head), "%u %u %zu ", stream, number, len);
    for (size_t i = n; i < len; i++) {
        if (i % 8 == n % 8)
            sim_mix(&mix);
        text[i] = (char)('a' + (mix >> (i % 8 * 4) & 15));
    }
    memcpy(text, head, n < len ? n : len);
}

/* Checks a message against what was sent, and returns its stream and number. */
static unsigned message_check(struct traffic *traffic, const void *data, size_t len,
                              uint32_t *number)
{
    static char expected[LONGEST];
    char head[40] = "";
    unsigned stream;
    size_t announced;
    REQUIRE(traffic, len <= LONGEST);
    memcpy(head, data, len < sizeof(head) - 1 ? len : sizeof(head) - 1);
    REQUIRE(traffic, sscanf(head, "%u %u %zu ", &stream, number, &announced) == 3);
    REQUIRE(traffic, stream < STREAMS && announced == len);
    message_write(expected, stream, *number, len);
    REQUIRE(traffic, memcmp(expected, data, len) == 0);
    return stream;
}

static size_t some_len(struct traffic *traffic)
{
    unsigned most = pick(traffic, 40) == 0 ? LONGEST : pick(traffic, 6) == 0 ? 4000 : 200;
    return 40 + pick(traffic, most - 40);
}

/* -------------------------------------------------------------- publishing */

static wspool_channel channel_of(unsigned stream)
{
    return stream == 0   ? wspool_item("a")
           : stream == 1 ? wspool_session("a")
           : stream == 2 ? wspool_topic("a")
                         : wspool_global("a");
}

/* Returns 1 if the peer is open and a member: then the message was meant for it. A peer that is
 * closed in the call does not get it, but may still be among the members. */
static int is_member(wspool *pool, wspool_id id, unsigned stream)
{
    return wspool_subscribe(pool, id, channel_of(stream)) == WSPOOL_ERR_EXISTS;
}

static void publish(struct traffic *traffic, unsigned stream)
{
    wspool_send_options options = {.size = sizeof(options),
                                   .flags = pick(traffic, 2) ? WSPOOL_BINARY : 0};
    wspool_tally tally = {.size = sizeof(tally)};
    wspool_id ids[PEERS];
    size_t len = some_len(traffic);
    message_write(traffic->text, stream, traffic->next[stream], len);
    int queued =
        wspool_broadcast(traffic->pool, channel_of(stream), traffic->text, len, &options, &tally);
    if (queued < 0) {
        REQUIRE(traffic, queued == WSPOOL_ERR_FULL || queued == WSPOOL_ERR_TOO_BIG);
        return; /* nobody gets it: the next message has its number */
    }
    int members = wspool_members(traffic->pool, channel_of(stream), ids, PEERS);
    REQUIRE(traffic, (unsigned)queued == tally.queued);
    traffic->next[stream]++;
    for (int i = 0; i < members; i++) {
        if (is_member(traffic->pool, ids[i], stream)) {
            struct peer *peer = wspool_user(traffic->pool, ids[i]);
            peer->attempted++;
            peer->unsure += tally.behind > 0;
            queued--;
        }
    }
    REQUIRE(traffic, queued <= 0 && queued + (int)tally.behind >= 0);
}

static void send_one(struct peer *peer)
{
    struct traffic *traffic = peer->traffic;
    size_t len = some_len(traffic);
    message_write(traffic->text, TO_ONE, peer->to_one, len);
    int result = wspool_send(traffic->pool, peer->id, traffic->text, len, NULL);
    if (result == 0) {
        peer->attempted++;
        peer->to_one++;
    } else {
        REQUIRE(traffic, result == WSPOOL_ERR_FULL || result == WSPOOL_ERR_STATE ||
                             result == WSPOOL_ERR_TOO_BIG);
    }
}

/* ------------------------------------------------------------------- hooks */

static struct peer *peer_of(wspool *pool, wspool_id id, struct traffic *traffic)
{
    struct peer *peer = wspool_user(pool, id);
    REQUIRE(traffic, peer && peer->id == id);
    return peer;
}

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    struct peer *peer = peer_of(pool, id, user);
    (void)opened;
    peer->open = 1;
    if (pick(user, 2))
        assert_int_equal(wspool_subscribe(pool, id, wspool_global("a")), 0);
}

/* Some messages are answered, some are followed by a broadcast from inside of the hook. */
static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    struct traffic *traffic = user;
    struct peer *peer = peer_of(pool, id, user);
    uint32_t number;
    REQUIRE(traffic, message_check(traffic, message->data, message->len, &number) == UPWARDS);
    REQUIRE(traffic, number == peer->came_up);
    peer->came_up++;
    if (traffic->finishing)
        return;
    if (number % 3 == 0)
        publish(traffic, number % CHANNELS);
    else
        send_one(peer);
}

static void on_missed(wspool *pool, wspool_id id, const wspool_missed *missed, void *user)
{
    struct traffic *traffic = user;
    peer_of(pool, id, user)->missed += missed->to - missed->from + 1;
    traffic->missed += missed->to - missed->from + 1;
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    struct peer *peer = peer_of(pool, id, user);
    peer->open = 0;
    peer->closed = *closed;
}

static int on_entropy(void *bytes, size_t len, void *user)
{
    struct traffic *traffic = user;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)pick(traffic, 256);
    return 0;
}

#endif
