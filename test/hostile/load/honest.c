/* SPDX-License-Identifier: MIT */
/*
 * hostile/load/honest.c - what honest peers see of a server.
 *
 * A peer has one message under way: what it sends is answered (an echo, or a pong), and the time
 * until then is what it measures. A time that is still running at the end counts as long as it has
 * been running. Half of the joins' time is the server's: a join is a connection and its handshake.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS 10u
#define JOINING 64u /* at a time */
#define BETWEEN_ECHOES (10 * MILLISECOND)
#define BETWEEN_JOINS (50 * MILLISECOND)
#define JOIN_LATE (3 * SECOND)
#define TIMES 100000u

struct peer {
    int fd;
    int waiting;    /* for an answer */
    int deflate;    /* sends compressed messages */
    uint64_t since; /* when it sent, or when it may send again */
};

struct join {
    int fd;
    int asked; /* the request is out */
    uint64_t since;
};

struct honest {
    unsigned port;
    enum server_kind kind;
    struct peer peers[PEERS];
    struct join joins[JOINING];
    uint64_t *echo_times, *join_times;
    unsigned echoes, joined;
};

static const char *path_of(enum server_kind kind)
{
    return kind == CARDS ? "/ws/cards" : "/echo";
}

struct honest *honest_new(unsigned port, enum server_kind kind)
{
    struct honest *honest = calloc(1, sizeof *honest);
    if (!honest) {
        fail("memory");
    }
    honest->port = port;
    honest->kind = kind;
    honest->echo_times = calloc(TIMES, sizeof *honest->echo_times);
    honest->join_times = calloc(TIMES, sizeof *honest->join_times);
    if (!honest->echo_times || !honest->join_times) {
        fail("memory");
    }
    for (unsigned i = 0; i < JOINING; i++) {
        honest->joins[i].fd = -1;
    }
    for (unsigned i = 0; i < PEERS; i++) {
        int deflate = kind == ECHO_DEFLATE && i % 2;
        honest->peers[i] =
            (struct peer){.fd = enter(port, path_of(kind), deflate, 0), .deflate = deflate};
        if (honest->peers[i].fd < 0) {
            honest_free(honest);
            return NULL;
        }
    }
    return honest;
}

void honest_free(struct honest *honest)
{
    for (unsigned i = 0; i < PEERS; i++) {
        if (honest->peers[i].fd > 0) {
            close(honest->peers[i].fd);
        }
    }
    for (unsigned i = 0; i < JOINING; i++) {
        if (honest->joins[i].fd >= 0) {
            close(honest->joins[i].fd);
        }
    }
    free(honest->echo_times);
    free(honest->join_times);
    free(honest);
}

/* -------------------------------------------------------------------- echoes */

static void say(const struct honest *honest, struct peer *peer, uint64_t now)
{
    static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}; /* RFC 7692 */
    uint8_t frame[64];
    size_t len = honest->kind == CARDS ? frame_write(frame, FIN | PING, "honest", 6)
                 : peer->deflate       ? frame_write(frame, FIN | RSV1 | TEXT, hello, sizeof hello)
                                       : frame_write(frame, FIN | TEXT, "hello", 5);
    if (send(peer->fd, frame, len, MSG_NOSIGNAL) == (ssize_t)len) {
        peer->waiting = 1;
        peer->since = now;
    }
}

/* Returns 1 when the answer is among these bytes. An echo is all that comes on /echo; cards tells
 * of other things, too. */
static int is_answered(const struct honest *honest, const uint8_t *bytes, size_t len)
{
    return honest->kind != CARDS || memmem(bytes, len, "honest", 6) != NULL;
}

static void hear(struct honest *honest, struct peer *peer, uint64_t now,
                 struct honest_result *result)
{
    uint8_t bytes[4096];
    ssize_t n = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        result->lost++;
        close(peer->fd);
        peer->fd = -1;
    } else if (n > 0 && peer->waiting && is_answered(honest, bytes, (size_t)n)) {
        if (honest->echoes < TIMES) {
            honest->echo_times[honest->echoes++] = now - peer->since;
        }
        result->echoes++;
        peer->waiting = 0;
        peer->since = now + BETWEEN_ECHOES;
    }
}

/* --------------------------------------------------------------------- joins */

static void join_begin(struct honest *honest, uint64_t now, struct honest_result *result)
{
    for (unsigned i = 0; i < JOINING; i++) {
        struct join *join = &honest->joins[i];
        if (join->fd < 0) {
            *join = (struct join){.fd = dial(honest->port, 0, 0), .since = now};
            result->failed += join->fd < 0;
            return;
        }
    }
    result->failed++;
}

static void join_end(struct honest *honest, struct join *join, uint64_t now, int good,
                     struct honest_result *result)
{
    uint64_t time = now - join->since;
    close(join->fd);
    join->fd = -1;
    result->joins += good != 0;
    result->failed += !good;
    result->late += good && time > JOIN_LATE;
    if (honest->joined < TIMES) {
        honest->join_times[honest->joined++] = good ? time : UINT64_MAX / 2;
    }
}

static void join_go_on(struct honest *honest, struct join *join, uint64_t now,
                       struct honest_result *result)
{
    char text[1024];
    if (!join->asked) {
        size_t len = request_write(text, sizeof text, path_of(honest->kind), 0);
        join->asked = 1;
        if (send(join->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) {
            join_end(honest, join, now, 0, result);
        }
        return;
    }
    ssize_t n = recv(join->fd, text, sizeof text, MSG_DONTWAIT);
    if (n > 0 || errno != EAGAIN) { /* the answer comes in one piece */
        join_end(honest, join, now, n > 12 && memcmp(text, "HTTP/1.1 101", 12) == 0, result);
    }
}

/* --------------------------------------------------------------------- a run */

static int by_time(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static double quantile(uint64_t *times, unsigned count, double part)
{
    if (count == 0) {
        return 0;
    }
    qsort(times, count, sizeof *times, by_time);
    unsigned at = (unsigned)(part * count);
    return (double)times[at < count ? at : count - 1] / 1e6;
}

/* Those who still wait count as long as they have waited; a join that is not late yet does not
 * count. */
static void finish(struct honest *honest, struct honest_result *result)
{
    uint64_t now = clock_now();
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *peer = &honest->peers[i];
        if (peer->fd >= 0 && peer->waiting && honest->echoes < TIMES) {
            honest->echo_times[honest->echoes++] = now - peer->since;
        }
    }
    for (unsigned i = 0; i < JOINING; i++) {
        struct join *join = &honest->joins[i];
        if (join->fd >= 0 && now - join->since > JOIN_LATE) {
            join_end(honest, join, now, 0, result);
        } else if (join->fd >= 0) {
            close(join->fd);
            join->fd = -1;
        }
    }
    result->p50 = quantile(honest->echo_times, honest->echoes, 0.5);
    result->p99 = quantile(honest->echo_times, honest->echoes, 0.99);
    result->most = quantile(honest->echo_times, honest->echoes, 1);
    result->join_p95 = quantile(honest->join_times, honest->joined, 0.95);
    honest->echoes = honest->joined = 0;
}

void honest_run(struct honest *honest, uint64_t duration, struct honest_result *result)
{
    uint64_t now = clock_now(), end = now + duration;
    uint64_t next_join = now;
    *result = (struct honest_result){0};
    while ((now = clock_now()) < end) {
        struct pollfd polled[PEERS + JOINING];
        for (unsigned i = 0; i < PEERS; i++) {
            struct peer *peer = &honest->peers[i];
            if (peer->fd >= 0 && !peer->waiting && peer->since <= now) {
                say(honest, peer, now);
            }
            polled[i] = (struct pollfd){peer->fd, POLLIN, 0};
        }
        if (next_join <= now) {
            next_join += BETWEEN_JOINS;
            join_begin(honest, now, result);
        }
        for (unsigned i = 0; i < JOINING; i++) {
            struct join *join = &honest->joins[i];
            polled[PEERS + i] = (struct pollfd){join->fd, join->asked ? POLLIN : POLLOUT, 0};
        }
        if (poll(polled, PEERS + JOINING, 1) <= 0) {
            continue;
        }
        now = clock_now();
        for (unsigned i = 0; i < PEERS + JOINING; i++) {
            if (polled[i].fd >= 0 && polled[i].revents && i < PEERS) {
                hear(honest, &honest->peers[i], now, result);
            } else if (polled[i].fd >= 0 && polled[i].revents) {
                join_go_on(honest, &honest->joins[i - PEERS], now, result);
            }
        }
    }
    finish(honest, result);
}
