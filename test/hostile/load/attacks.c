/* SPDX-License-Identifier: MIT */
/*
 * hostile/load/attacks.c - the attacks. Each runs until its process is killed.
 *
 * An attacker that the server has closed comes again at once. No attack opens more than `count`
 * sockets at a time, but for 64 of its own that are on their way out.
 */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

#define MESSAGE 65536u                  /* the longest message that the servers accept */
#define ELSEWHERE (INADDR_LOOPBACK + 1) /* 127.0.0.2: the honest peers have 127.0.0.1 */
#define RING 64u                        /* short connections at a time */
#define SMALL_WINDOW 4096               /* receive buffer of a peer that does not read */

/* ------------------------------------------------------------------- sockets */

size_t frame_write(uint8_t *out, unsigned first, const void *payload, size_t len)
{
    size_t head = 2;
    out[0] = (uint8_t)first;
    if (len < 126) {
        out[1] = (uint8_t)(0x80 | len);
    } else if (len < 65536) {
        out[1] = 0x80 | 126;
        head = 4;
    } else {
        out[1] = 0x80 | 127;
        head = 10;
    }
    for (size_t i = 2; i < head; i++) {
        out[i] = (uint8_t)(len >> (8 * (head - 1 - i)));
    }
    memset(out + head, 0, 4);
    memcpy(out + head + 4, payload, len);
    return head + 4 + len;
}

size_t request_write(char *out, size_t room, const char *path, int deflate)
{
    return (size_t)snprintf(out, room,
                            "GET %s HTTP/1.1\r\n"
                            "Host: 127.0.0.1\r\n"
                            "Connection: Upgrade\r\n"
                            "Upgrade: websocket\r\n"
                            "Sec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                            "%s\r\n",
                            path,
                            deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
}

static int dial_from(uint32_t from, unsigned port, int receive_bytes, int wait)
{
    const struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {2, 0};
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (receive_bytes > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (const void *)&own, sizeof own) < 0 ||
        (connect(fd, (const void *)&address, sizeof address) < 0 && errno != EINPROGRESS)) {
        close(fd);
        return -1;
    }
    return fd;
}

int dial(unsigned port, int receive_bytes, int wait)
{
    return dial_from(INADDR_LOOPBACK, port, receive_bytes, wait);
}

static int enter_from(uint32_t from, unsigned port, const char *path, int deflate,
                      int receive_bytes)
{
    char text[2048];
    size_t len = request_write(text, sizeof text, path, deflate), got = 0;
    int fd = dial_from(from, port, receive_bytes, 1);
    if (fd < 0) {
        return -1;
    }
    if (send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len) {
        ssize_t n;
        /* byte by byte: what follows the answer stays in the socket */
        while (got < sizeof text - 1 && (n = recv(fd, text + got, 1, 0)) == 1) {
            got++;
            if (got >= 4 && memcmp(text + got - 4, "\r\n\r\n", 4) == 0) {
                text[got] = 0;
                if (memcmp(text, "HTTP/1.1 101", 12) == 0 &&
                    !(deflate && !strstr(text, "permessage-deflate"))) {
                    return fd;
                }
                break;
            }
        }
    }
    close(fd);
    return -1;
}

int enter(unsigned port, const char *path, int deflate, int receive_bytes)
{
    return enter_from(INADDR_LOOPBACK, port, path, deflate, receive_bytes);
}

/* The end of a connection is a reset, and nothing of it stays. */
static void reset(int fd)
{
    const struct linger none = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

static void pause_ms(unsigned ms)
{
    const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* -------------------------------------------------------------------- floods */

/* What every peer of a flood sends over and over again. */
struct flood {
    unsigned port, count;
    const char *path;
    int deflate;
    uint8_t *bytes;
    size_t len;
};

struct flooder {
    int fd;
    size_t at; /* of the flood's bytes */
};

static void flooder_enter(const struct flood *flood, struct flooder *flooder)
{
    *flooder = (struct flooder){.fd = enter(flood->port, flood->path, flood->deflate, 0)};
}

static void flooder_go_on(const struct flood *flood, struct flooder *flooder, short events)
{
    static uint8_t ignored[65536];
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t n = recv(flooder->fd, ignored, sizeof ignored, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            close(flooder->fd);
            flooder_enter(flood, flooder);
            return;
        }
    }
    if (events & POLLOUT) {
        ssize_t n = send(flooder->fd, flood->bytes + flooder->at, flood->len - flooder->at,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        flooder->at = n > 0 ? (flooder->at + (size_t)n) % flood->len : flooder->at;
    }
}

/* Sends as fast as the server takes it, and reads what comes. */
static void flood_run(const struct flood *flood)
{
    struct flooder *flooders = calloc(flood->count, sizeof *flooders);
    struct pollfd *polled = calloc(flood->count, sizeof *polled);
    if (!flooders || !polled) {
        fail("memory");
    }
    for (unsigned i = 0; i < flood->count; i++) {
        flooder_enter(flood, &flooders[i]);
    }
    for (;;) {
        for (unsigned i = 0; i < flood->count; i++) {
            if (flooders[i].fd < 0) {
                flooder_enter(flood, &flooders[i]);
            }
            polled[i] = (struct pollfd){flooders[i].fd, POLLIN | POLLOUT, 0};
        }
        poll(polled, flood->count, 100);
        for (unsigned i = 0; i < flood->count; i++) {
            if (polled[i].fd >= 0 && polled[i].revents) {
                flooder_go_on(flood, &flooders[i], polled[i].revents);
            }
        }
    }
}

/* A flood of one frame. */
static void flood_with(unsigned port, unsigned count, const char *path, int deflate, unsigned first,
                       const void *payload, size_t len)
{
    const size_t room = len < 16384 ? 32768 : len + FRAME_HEAD_MAX;
    struct flood flood = {
        .port = port, .count = count, .path = path, .deflate = deflate, .bytes = malloc(room)};
    if (!flood.bytes) {
        fail("memory");
    }
    while (flood.len + FRAME_HEAD_MAX + len <= room) {
        flood.len += frame_write(flood.bytes + flood.len, first, payload, len);
    }
    flood_run(&flood);
}

/* Frames of some 86 bytes that become messages of 64 KiB. */
static void bombs(unsigned port, unsigned count)
{
    static uint8_t plain[MESSAGE], packed[1024];
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
        fail("zlib");
    }
    z.next_in = plain;
    z.avail_in = sizeof plain;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    deflate(&z, Z_SYNC_FLUSH);
    size_t len = sizeof packed - z.avail_out - 4; /* without 00 00 ff ff: RFC 7692, 7.2.1 */
    deflateEnd(&z);
    flood_with(port, count, "/echo", 1, FIN | RSV1 | BINARY, packed, len);
}

/* Pings of the greatest length. The abuse budget closes each of these peers now and then. */
static void pings(unsigned port, unsigned count)
{
    static const uint8_t payload[125];
    flood_with(port, count, "/echo", 0, FIN | PING, payload, sizeof payload);
}

/* Peers that subscribe and unsubscribe without end, to channels that exist and that do not. */
static void subscribes(unsigned port, unsigned count)
{
    static const char *const board[] = {
        "{\"type\":\"unsubscribe\",\"data\":{\"channel\":\"global:cards\"}}",
        "{\"type\":\"subscribe\",\"data\":{\"channel\":\"global:cards\"}}"};
    struct flood flood = {.port = port, .count = count, .path = "/ws/cards"};
    flood.bytes = malloc(2000 * 128);
    if (!flood.bytes) {
        fail("memory");
    }
    for (unsigned i = 0; i < 2000; i++) {
        char text[100];
        snprintf(text, sizeof text, i % 2 ? "%s" : "{\"type\":\"subscribe\",\"data\":{%s%u\"}}",
                 i % 2 ? board[i / 2 % 2] : "\"channel\":\"item:", i);
        flood.len += frame_write(flood.bytes + flood.len, FIN | TEXT, text, strlen(text));
    }
    flood_run(&flood);
}

/* ---------------------------------------------------------- peers that stand */

/* Rooms of 300, so that a message is no more than 300 deliveries. */
#define ROOM 300u

static void fill_rooms(unsigned port, unsigned rooms)
{
    static uint8_t payload[16384];
    struct flood flood = {.port = port, .count = 2, .path = "/publish"};
    flood.bytes = malloc(rooms * (sizeof payload + FRAME_HEAD_MAX));
    if (!flood.bytes) {
        fail("memory");
    }
    for (unsigned i = 0; i < rooms; i++) {
        payload[0] = (uint8_t)('a' + i);
        payload[1] = '\n';
        flood.len += frame_write(flood.bytes + flood.len, FIN | BINARY, payload, sizeof payload);
    }
    flood_run(&flood);
}

/* Members of rooms who never read, all of one address, and two publishers who fill these. A closed one cannot be seen
 * by its client, whose window is shut: so new ones come all the time. */
static void mutes(unsigned port, unsigned count)
{
    unsigned first = count / 2;
    if (fork() == 0) {
        pause_ms(300);
        fill_rooms(port, (count + ROOM - 1) / ROOM);
    }
    for (unsigned i = 0; i < count; i++) {
        char path[] = "/room/a";
        path[6] = (char)('a' + i / ROOM);
        if (i >= first) {
            pause_ms(1000 / (count - first) + 1);
        }
        enter_from(ELSEWHERE, port, path, 0, SMALL_WINDOW); /* and stays open */
    }
    for (;;) {
        pause_ms(1000);
    }
}

/* Opens `count` sockets that stay as they are, and opens each again that the server has closed. The
 * third part says nothing, another sends half a request, another closes its end behind that. */
static void silent(unsigned port, unsigned count)
{
    static const char half[] = "GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    struct pollfd *polled = calloc(count, sizeof *polled);
    if (!polled) {
        fail("memory");
    }
    for (unsigned i = 0; i < count; i++) {
        polled[i].fd = -1;
    }
    for (;;) {
        for (unsigned i = 0; i < count; i++) {
            if (polled[i].fd >= 0) {
                continue;
            }
            int fd = dial(port, 0, 1);
            if (fd >= 0 && i % 3 > 0) {
                send(fd, half, sizeof half - 1, MSG_NOSIGNAL);
            }
            if (fd >= 0 && i % 3 > 1) {
                shutdown(fd, SHUT_WR);
            }
            polled[i] = (struct pollfd){fd, POLLIN, 0};
        }
        poll(polled, count, 100);
        for (unsigned i = 0; i < count; i++) {
            char ignored[512];
            if (polled[i].fd >= 0 && polled[i].revents &&
                recv(polled[i].fd, ignored, sizeof ignored, MSG_DONTWAIT) <= 0) {
                close(polled[i].fd);
                polled[i].fd = -1;
            }
        }
        pause_ms(10);
    }
}

/* A message that comes byte by byte. */
static void loris(unsigned port, unsigned count)
{
    uint8_t frame[FRAME_HEAD_MAX] = {FIN | BINARY, 0x80 | 126, 0xff, 0xff};
    int *fds = calloc(count, sizeof *fds);
    if (!fds) {
        fail("memory");
    }
    for (unsigned i = 0; i < count; i++) {
        fds[i] = -1;
    }
    for (;;) {
        for (unsigned i = 0; i < count; i++) {
            if (fds[i] < 0) {
                fds[i] = enter(port, "/echo", 0, 0);
                if (fds[i] >= 0) {
                    send(fds[i], frame, 8, MSG_NOSIGNAL);
                }
            } else if (send(fds[i], frame + 8, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
                       errno != EAGAIN) {
                close(fds[i]);
                fds[i] = -1;
            }
        }
        pause_ms(20);
    }
}

/* ---------------------------------------------------------- short connections */

/* Asks for a WebSocket, and is gone: `end` closes it RING connections later, so that the server is
 * at its request. */
static void come_and_go(uint32_t from, unsigned port, unsigned count, const char *path,
                        void (*end)(int))
{
    char request[1024];
    size_t len = request_write(request, sizeof request, path, 0);
    int ring[RING];
    unsigned at = 0, room = count < RING ? count : RING;
    for (unsigned i = 0; i < RING; i++) {
        ring[i] = -1;
    }
    for (;;) {
        if (ring[at] >= 0) {
            end(ring[at]);
        }
        ring[at] = dial_from(from, port, 0, 1);
        if (ring[at] >= 0) {
            send(ring[at], request, len, MSG_NOSIGNAL);
        }
        at = (at + 1) % room;
    }
}

static void resets(unsigned port, unsigned count)
{
    come_and_go(INADDR_LOOPBACK, port, count, "/ws/cards", reset);
}

static void close_it(int fd)
{
    close(fd);
}

/* Each connection leaves a port in TIME_WAIT for a minute. They are those of an address that nobody
 * else uses: other programs of this machine can still bind a free port of 127.0.0.1. */
static void storm(unsigned port, unsigned count)
{
    come_and_go(ELSEWHERE, port, count, "/echo", close_it);
}

/* ----------------------------------------------------------------- the table */

const struct attack attacks[] = {
    {"4 bombs", ECHO_DEFLATE, bombs, 4, 4},
    {"40 bombs", ECHO_DEFLATE, bombs, 40, 40},
    {"mute readers", ECHO_LIMITED, mutes, 200, 1500},
    {"silent sockets", ECHO, silent, 1800, 5000},
    {"connect storm", ECHO, storm, 64, 64},
    {"ping flood", ECHO, pings, 20, 40},
    {"slow loris", ECHO, loris, 500, 900},
    {"silent, hosted", CARDS, silent, 1800, 5000},
    {"reset flood, hosted", CARDS, resets, 64, 64},
    {"subscribes, hosted", CARDS, subscribes, 8, 40},
};
const size_t attack_count = sizeof attacks / sizeof *attacks;
