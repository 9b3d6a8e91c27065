/* SPDX-License-Identifier: MIT */
/*
 * bench/net/load.c - the load generator of the socket benchmark: it sends, counts and checks.
 *
 *     load fanout    --port P --connections N [--rooms C] [--flight F | --burst B | --rate R]
 *     load echo      --port P --connections N [--flight F]
 *     load handshake --port P [--rate R | --flight F]
 *     ... --deflate
 *
 * fanout: N members in C rooms and one publisher. The publisher keeps F messages in flight; or it
 * sends B at once, and the next B when every member has the last ones; or it sends R a second, one
 * by one. echo: each connection has F messages in flight. handshake: connect, upgrade, close; R a
 * second, or F at a time as fast as possible.
 *
 * The room of each message is picked at random from a fixed seed: each server gets the same
 * sequence. (Taken in turn, no two of 64 messages for 100 rooms would go to the same room, and no
 * server could join any.) When one pass of epoll has completed some messages, as many new ones
 * leave in one send(). Messages sent while the server is busy wait in its socket. So most of the F
 * are found in one read, and those for the same room can be joined.
 *
 * There is one thread, bound to a core of its own (--core). It never sleeps, so no wake-up of it is
 * charged to the server. epoll is edge-triggered: a socket is read until it is empty.
 *
 * Each message has 32 letters with its number, its stream (room or connection) and the time it was
 * made, then a text that follows from the number. Numbers count within a stream: stream and number
 * identify a message in the whole run. Every number is checked against a window of the last 64 of
 * its stream, so that lost, repeated and reordered messages are distinguished. A message that comes
 * to another stream, or to its publisher, is wrong. Every 64th text (--check) is compared byte by
 * byte. Latency runs from the making of a message to the return of the recv() that brought its end.
 *
 * With --deflate each connection offers permessage-deflate. If the server agrees, everything that
 * is sent is compressed (level 1, when it is made, so the latency includes it). Each compressed
 * message that arrives is inflated by itself and compared whole. The members of a room get the same
 * bytes, and equal bytes inflate to equal texts. So the compressed bytes of a message are kept,
 * those of the other members are compared with them, and every 64th (--check) is inflated anyway.
 * Otherwise the time of a fan-out would be that of a thousand inflaters here.
 *
 * Time, deliveries and processor time (of --pid, and of its core's softirq thread, --softirq) are
 * measured between two moments at which nothing is in flight. The program prints one line of JSON.
 * Exit status: 0, or 1 if anything was wrong.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <linux/tcp.h> /* <netinet/tcp.h> lacks tcpi_data_segs_in */
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <zlib.h>

#define SECOND UINT64_C(1000000000)
#define EVENTS 512
#define READ_BYTES (256u << 10)
#define HEADER 32u /* letters: 8 number, 8 stream, 16 time */
#define SIZE_MAX_ 60000u
#define FRAME_MAX (SIZE_MAX_ + 1000) /* of a sent message, compressed or not */
#define AWAY_MAX 1024u               /* messages in flight */
#define DEPTH_MIN 256u               /* a power of two, above the number of bits in peer.window */
#define CONNECTING 64                /* connection attempts at a time */
#define LINGER (SECOND / 50)

enum mode { FANOUT, ECHO, HANDSHAKE };
enum state { CLOSED, CONNECT, ASKED, OPEN };

struct peer {
    int fd;
    uint8_t state;
    uint8_t check;      /* compare the text of the current frame */
    uint8_t got_head;   /* bytes of the current frame's head and header */
    uint8_t deflate;    /* the server has negotiated it */
    uint8_t astray;     /* the current frame belongs to another peer */
    uint32_t stream;    /* room or connection; the publisher's number is no room */
    uint32_t left;      /* bytes of the current frame's text still to come */
    uint32_t next;      /* the next expected number */
    uint32_t sent;      /* echo: numbers used so far */
    uint64_t window;    /* bit i: number next - 1 - i has arrived */
    uint64_t timestamp; /* when the current frame was made, or the connect began */
    uint32_t number;    /* of the current frame */
    uint8_t head[4 + HEADER];
    uint8_t *unsent, *partial; /* partial: the beginning of a frame, if the server may compress */
    size_t unsent_len, partial_len;
};

static struct {
    enum mode mode;
    unsigned port, connections, rooms, size, burst, flight, check, core, rate, pid, softirq;
    double seconds, warm, patience;
    uint64_t messages; /* 0: no limit but time */
    int deflate;
} want = {.connections = 100,
          .rooms = 1,
          .size = 64,
          .flight = 1,
          .check = 64,
          .core = 1,
          .seconds = 1,
          .warm = 0.2,
          .patience = 10};

static struct {
    uint64_t published, delivered, bytes, checked, handshakes, compressed;
    uint64_t lost, repeated, reordered, wrong, closed, strays;
    int stalled;
} did;

static struct peer *peers; /* the last one is the publisher */
static int epoll_fd;
static uint8_t buffer[READ_BYTES];
static uint8_t pattern[SIZE_MAX_ + 26];
static uint8_t *out;          /* frames to send */
static uint8_t frame_head[4]; /* the head that every frame should have */
static unsigned frame_head_len;
static uint64_t published, completed; /* fanout: messages; echo: over all connections */
static uint64_t progress;             /* when something last arrived */
static uint64_t bodies;

/* Of a fan-out. A room has `depth` slots for its last messages. When the turn of a slot comes
 * again and it is still in use, its message was lost: no message is overtaken by so many others. */
static uint32_t *sent_to; /* by room: numbers used so far; 0 for the publisher's */
static uint32_t *missing; /* by slot: deliveries that are still to come */
static uint32_t depth;    /* a power of two */
static uint64_t chance;   /* the random state that picks the rooms */

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
static const char answer_key[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static uint64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void complain(const char *format, ...)
{
    static int said;
    va_list arguments;
    if (said++ < 5) {
        va_start(arguments, format);
        fputs("load: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
    }
}

static size_t slot_of(uint32_t room, uint32_t number)
{
    return (size_t)room * depth + (number & (depth - 1));
}

static uint64_t after(uint64_t x) /* Knuth's MMIX generator */
{
    return x * UINT64_C(6364136223846793005) + 1442695040888963407;
}

/* ----------------------------------------------------------------- latency */

/* 32 buckets for each power of two: each is 3 % wide. */
static uint64_t histogram[64 * 32];

static void latency_add(uint64_t ns)
{
    unsigned power = 63 - (unsigned)__builtin_clzll(ns | 32);
    histogram[(power - 5) * 32 + ((ns >> (power - 5)) & 31) + (ns >= 32 ? 32 : 0)]++;
}

static double latency_us(double share)
{
    uint64_t total = 0, sum = 0;
    for (size_t i = 0; i < 64 * 32; i++) {
        total += histogram[i];
    }
    for (size_t i = 0; i < 64 * 32; i++) {
        sum += histogram[i];
        if (total && (double)sum >= share * (double)total) {
            size_t power = i < 64 ? 0 : i / 32 - 1;
            return (double)((i < 64 ? i : 32 + i % 32) << power) / 1e3;
        }
    }
    return 0;
}

/* ---------------------------------------------------------------- messages */

/* Writes each nibble as a letter, the lowest first. */
static void letters(uint8_t *to, uint64_t value, int count)
{
    for (int i = 0; i < count; i++) {
        to[i] = (uint8_t)('A' + (value >> (4 * i) & 15));
    }
}

/* Reads eight letters; sets *bad if they are not letters of letters(). */
static uint32_t value_of(const uint8_t *from, int *bad)
{
    uint64_t x;
    memcpy(&x, from, 8);
    x = le64toh(x) - UINT64_C(0x4141414141414141);
    *bad |= (x & UINT64_C(0xf0f0f0f0f0f0f0f0)) != 0;
    x = (x | x >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x | x >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(x | x >> 16);
}

/* ------------------------------------------------------------- compression */

static int window = 15; /* the smallest window that the server has asked for */

/* Compresses a message by itself, as RFC 7692 says: without the last four bytes of the empty
 * block. */
static size_t deflated(uint8_t *to, const uint8_t *from, size_t len)
{
    static z_stream z;
    static int ready;
    if (!ready && deflateInit2(&z, 1, Z_DEFLATED, -window, 5, Z_DEFAULT_STRATEGY) != Z_OK) {
        fail("a deflater");
    }
    ready = 1;
    deflateReset(&z);
    z.next_in = (z_const Bytef *)from;
    z.avail_in = (uInt)len;
    z.next_out = to;
    z.avail_out = FRAME_MAX;
    if (deflate(&z, Z_SYNC_FLUSH) != Z_OK || z.avail_in > 0 || z.avail_out == 0) {
        fail("deflating");
    }
    return z.total_out - 4;
}

/* Returns the text of a message, or NULL if it does not have the common length or is no valid
 * compressed message. It must end between two blocks. */
static const uint8_t *inflated(const uint8_t *from, size_t len)
{
    static const uint8_t tail[4] = {0x00, 0x00, 0xff, 0xff};
    static uint8_t text[SIZE_MAX_ + 1];
    static z_stream z;
    static int ready;
    if (!ready && inflateInit2(&z, -15) != Z_OK) {
        fail("an inflater");
    }
    ready = 1;
    inflateReset(&z);
    z.next_out = text;
    z.avail_out = want.size + 1;
    z.next_in = (z_const Bytef *)from;
    z.avail_in = (uInt)len;
    int status = inflate(&z, Z_SYNC_FLUSH);
    if (status != Z_OK || z.avail_in > 0) {
        return NULL;
    }
    z.next_in = (z_const Bytef *)tail;
    z.avail_in = sizeof(tail);
    status = inflate(&z, Z_SYNC_FLUSH);
    return status == Z_OK && z.avail_in == 0 && z.data_type & 128 && z.total_out == want.size
               ? text
               : NULL;
}

/* Reads the negotiated parameters; `value` is that of Sec-WebSocket-Extensions. Returns 0 if it
 * is no answer to the offer, or needs more than the inflater here can do. */
static int negotiated(struct peer *peer, char *value)
{
    char *rest, *part = strtok_r(value, "; \t", &rest);
    int fresh = 0;
    if (!want.deflate || !part || strcmp(part, "permessage-deflate") != 0) {
        return 0;
    }
    while ((part = strtok_r(NULL, "; \t", &rest))) {
        int bits, end = 0;
        if (strcmp(part, "server_no_context_takeover") == 0) {
            fresh = 1;
        } else if (sscanf(part, "client_max_window_bits=%d%n", &bits, &end) == 1 && !part[end] &&
                   bits >= 8 && bits <= 15) {
            window = bits < window ? bits : window;
        } else if ((sscanf(part, "server_max_window_bits=%d%n", &bits, &end) != 1 || part[end] ||
                    bits < 8 || bits > 15) &&
                   strcmp(part, "client_no_context_takeover") != 0) {
            return 0;
        }
    }
    peer->deflate = 1;
    return fresh;
}

/* Of each message of a fan-out: its compressed bytes, and its text. */
struct known {
    uint8_t *data;
    size_t len;
    uint64_t timestamp;
    uint32_t number, stream;
};

static struct known *known; /* by slot */

static struct known *known_to(const struct peer *peer)
{
    return want.mode == FANOUT && peer->stream < want.rooms
               ? &known[slot_of(peer->stream, peer->next)]
               : NULL;
}

static int recognised(struct peer *peer, const uint8_t *data, size_t len)
{
    const struct known *one = known_to(peer);
    if (!one || len == 0 || one->len != len || one->stream != peer->stream ||
        bodies % want.check == 0 || memcmp(one->data, data, len) != 0) {
        return 0;
    }
    bodies++;
    peer->number = one->number;
    peer->timestamp = one->timestamp;
    peer->astray = 0;
    return 1;
}

static void keep_known(const struct peer *peer, const uint8_t *data, size_t len)
{
    struct known *one = known_to(peer);
    if (!one || peer->number != peer->next) {
        return;
    }
    if (one->len < len && !(one->data = realloc(one->data, len))) {
        fail("memory");
    }
    memcpy(one->data, data, len);
    *one = (struct known){one->data, len, peer->timestamp, peer->number, peer->stream};
}

/* ----------------------------------------------------------------- sending */

static size_t head_of(size_t len)
{
    return len < 126 ? 6 : 8;
}

/* Makes the masked frame of a message, after `prefix`. Returns its length. */
static size_t make_frame(uint8_t *to, const struct peer *peer, const char *prefix, uint32_t number,
                         uint32_t stream, uint64_t now)
{
    static uint8_t text[FRAME_MAX], small[FRAME_MAX];
    size_t prefix_len = strlen(prefix), len = prefix_len + want.size;
    uint8_t *whole = peer->deflate ? text : to + head_of(len), *at = whole + prefix_len;
    memcpy(whole, prefix, prefix_len);
    letters(at, number, 8);
    letters(at + 8, stream, 8);
    letters(at + 16, now, 16);
    memcpy(at + HEADER, pattern + number % 26, want.size - HEADER);
    to[0] = 0x81;
    if (peer->deflate) {
        to[0] = 0xc1;
        len = deflated(small, text, len);
        memcpy(to + head_of(len), small, len);
    }
    size_t head = head_of(len);
    to[1] = (uint8_t)(0x80 | len);
    if (head == 8) {
        to[1] = 0x80 | 126;
        to[2] = (uint8_t)(len >> 8);
        to[3] = (uint8_t)len;
    }
    memcpy(to + head - 4, key, 4);
    uint8_t *payload = to + head;
    uint64_t word, mask;
    size_t i = 0;
    memcpy(&mask, (const uint8_t[8]){0x37, 0xfa, 0x21, 0x3d, 0x37, 0xfa, 0x21, 0x3d}, 8);
    for (; i + 8 <= len; i += 8) {
        memcpy(&word, payload + i, 8);
        word ^= mask;
        memcpy(payload + i, &word, 8);
    }
    for (; i < len; i++) {
        payload[i] ^= key[i & 3];
    }
    return head + len;
}

/* Sends, and keeps what the socket does not take. */
static void put(struct peer *peer, const uint8_t *data, size_t len)
{
    ssize_t n = peer->unsent_len ? 0 : send(peer->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) {
        did.closed++;
        complain("send: %s", strerror(errno));
        return;
    }
    n = n < 0 ? 0 : n;
    if ((size_t)n < len) {
        peer->unsent = realloc(peer->unsent, peer->unsent_len + len - (size_t)n);
        if (!peer->unsent) {
            fail("memory");
        }
        memcpy(peer->unsent + peer->unsent_len, data + n, len - (size_t)n);
        peer->unsent_len += len - (size_t)n;
    }
}

static void put_unsent(struct peer *peer)
{
    ssize_t n = send(peer->fd, peer->unsent, peer->unsent_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        peer->unsent_len -= (size_t)n;
        memmove(peer->unsent, peer->unsent + n, peer->unsent_len);
    }
}

/* ----------------------------------------------------------------- judging */

/* Checks the number of a message that has arrived. */
static void judge_number(struct peer *peer, uint64_t now)
{
    uint32_t number = peer->number, ahead = number - peer->next;
    if (peer->astray) { /* already reported */
        return;
    }
    if (number >= (want.mode == ECHO ? peer->sent : sent_to[peer->stream])) {
        did.wrong++;
        complain("number %u was never sent", number);
        return;
    }
    if (ahead < UINT32_MAX / 2) { /* the expected number, or a later one */
        did.lost += ahead;
        peer->window = ahead < 63 ? peer->window << (ahead + 1) | 1 : 1;
        peer->next = number + 1;
    } else {
        uint32_t behind = peer->next - 1 - number;
        if (behind > 63 || peer->window >> behind & 1) {
            did.repeated++;
            return;
        }
        peer->window |= UINT64_C(1) << behind;
        did.reordered++;
        did.lost--;
    }
    did.delivered++;
    progress = now;
    latency_add(now - peer->timestamp);
    if (want.mode == ECHO) {
        completed++;
        return;
    }
    uint32_t *left = &missing[slot_of(peer->stream, number)];
    completed += *left > 0 && --*left == 0;
}

static void judge_header(struct peer *peer, const uint8_t *header)
{
    int bad = 0;
    peer->number = value_of(header, &bad);
    uint32_t stream = value_of(header + 8, &bad);
    peer->timestamp = value_of(header + 16, &bad);
    peer->timestamp |= (uint64_t)value_of(header + 24, &bad) << 32;
    peer->check = bodies++ % want.check == 0;
    did.checked += peer->check;
    peer->astray = bad || stream != peer->stream;
    if (peer->astray) {
        did.wrong++;
        complain("a message of stream %u came to %u", stream, peer->stream);
    }
}

static void judge_text(struct peer *peer, const uint8_t *text, size_t len, size_t offset)
{
    if (peer->check && memcmp(text, pattern + peer->number % 26 + offset, len) != 0) {
        did.wrong++;
        peer->check = 0;
        complain("the text of message %u is not what was sent", peer->number);
    }
}

/* Handles a frame that is no message: a ping is answered, all else is wrong. Returns the number
 * of bytes used. The server sends no such frame during a row, so a partial one is wrong as well. */
static size_t other_frame(struct peer *peer, const uint8_t *data, size_t len)
{
    size_t size = len > 1 ? data[1] & 127u : 0;
    if (len > 1 && data[0] == 0x89 && size < 126 && len >= 2 + size) {
        uint8_t pong[6 + 125] = {0x8a, (uint8_t)(0x80 | size)};
        memcpy(pong + 6, data + 2, size);
        put(peer, pong, 6 + size);
        return 2 + size;
    }
    did.wrong++;
    complain("a frame that should not have come: %02x %02x", data[0], len > 1 ? data[1] : 0);
    did.stalled = 1;
    return len;
}

/* Reads bytes of an open peer. Returns how many messages ended in them. */
static unsigned take(struct peer *peer, const uint8_t *data, size_t len, uint64_t now)
{
    const unsigned head = frame_head_len + HEADER, text = want.size - HEADER;
    unsigned count = 0;
    did.bytes += len;
    while (len > 0) {
        if (peer->got_head < head) {
            if (peer->got_head == 0 && data[0] != frame_head[0]) {
                size_t used = other_frame(peer, data, len);
                data += used;
                len -= used;
                continue;
            }
            size_t n = head - peer->got_head < len ? head - peer->got_head : len;
            memcpy(peer->head + peer->got_head, data, n);
            peer->got_head = (uint8_t)(peer->got_head + n);
            data += n;
            len -= n;
            if (peer->got_head < head) {
                break;
            }
            if (memcmp(peer->head, frame_head, frame_head_len) != 0) {
                did.wrong++;
                did.stalled = 1;
                complain("a message of another length has come");
                return count;
            }
            judge_header(peer, peer->head + frame_head_len);
            peer->left = text;
        }
        size_t n = peer->left < len ? peer->left : len;
        judge_text(peer, data, n, text - peer->left);
        peer->left -= (uint32_t)n;
        data += n;
        len -= n;
        if (peer->left == 0) {
            peer->got_head = 0;
            judge_number(peer, now);
            count++;
        }
    }
    return count;
}

/* Checks a whole message when the server may compress. */
static void judge_message(struct peer *peer, const uint8_t *data, size_t len, int compressed,
                          uint64_t now)
{
    if (compressed && recognised(peer, data, len)) {
        did.checked++;
    } else {
        const uint8_t *text = compressed ? inflated(data, len) : len == want.size ? data : NULL;
        if (!text) {
            did.wrong++;
            did.stalled = 1;
            complain("a message that %s", compressed ? "inflates to no message or to another length"
                                                     : "has another length has come");
            return;
        }
        uint64_t wrong = did.wrong;
        judge_header(peer, text);
        if (compressed && !peer->check) { /* the copies of the other members are compared with it */
            peer->check = 1;
            did.checked++;
        }
        judge_text(peer, text + HEADER, want.size - HEADER, 0);
        if (compressed && did.wrong == wrong) {
            keep_known(peer, data, len);
        }
    }
    did.compressed += compressed != 0;
    judge_number(peer, now);
}

/* Like take(), when the server may compress: frames have any length, and are checked when whole. */
static unsigned take_deflated(struct peer *peer, const uint8_t *data, size_t len, uint64_t now)
{
    unsigned count = 0;
    did.bytes += len;
    if (peer->partial_len > 0) {
        peer->partial = realloc(peer->partial, peer->partial_len + len);
        if (!peer->partial) {
            fail("memory");
        }
        memcpy(peer->partial + peer->partial_len, data, len);
        data = peer->partial;
        len += peer->partial_len;
    }
    while (len >= 2 && !did.stalled) {
        size_t size = data[1], head = size == 126 ? 4 : 2;
        if (len < head) {
            break;
        }
        size = size == 126 ? (size_t)data[2] << 8 | data[3] : size;
        if ((data[0] & ~0x40) != 0x81 || data[1] > 126) {
            size_t used = other_frame(peer, data, len);
            data += used;
            len -= used;
            continue;
        }
        if (len < head + size) {
            break;
        }
        judge_message(peer, data + head, size, data[0] & 0x40, now);
        data += head + size;
        len -= head + size;
        count++;
    }
    if (len > 0 && peer->partial_len == 0 && !(peer->partial = realloc(peer->partial, len))) {
        fail("memory");
    }
    if (len > 0) {
        memmove(peer->partial, data, len);
    }
    peer->partial_len = len;
    return count;
}

/* -------------------------------------------------------------- connecting */

static void close_peer(struct peer *peer)
{
    close(peer->fd);
    peer->state = CLOSED;
}

/* A clean close blocks the client's port for a minute. So the handshakes come from many
 * addresses. */
static void connect_peer(struct peer *peer, uint32_t number)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)want.port)};
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number % 200);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    event.data.ptr = peer;
    peer->timestamp = clock_now();
    if (peer->fd < 0) {
        fail("socket");
    }
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (want.mode == HANDSHAKE) {
        setsockopt(peer->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        if (bind(peer->fd, (struct sockaddr *)&from, sizeof(from)) < 0) {
            fail("bind");
        }
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) < 0 ||
        (connect(peer->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)) {
        fail("connect");
    }
    peer->state = CONNECT;
}

static void ask(struct peer *peer)
{
    char path[40] = "/echo", request[400];
    if (want.mode == FANOUT && peer == &peers[want.connections]) {
        strcpy(path, "/publish");
    } else if (want.mode == FANOUT) {
        snprintf(path, sizeof(path), "/room/r%u", peer->stream);
    }
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Version: 13\r\n%s\r\n",
                       path, want.port,
                       want.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                      "server_no_context_takeover; "
                                      "client_max_window_bits\r\n"
                                    : "");
    if (send(peer->fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
        fail("connect");
    }
    peer->state = ASKED;
}

/* An answer fits into one read on loopback; a partial one is wrong. */
static void judge_answer(struct peer *peer, const uint8_t *data, size_t len)
{
    static const char extensions[] = "\r\nSec-WebSocket-Extensions:";
    char head[1024] = "", *extension;
    memcpy(head, data, len < sizeof(head) ? len : 0);
    extension = strcasestr(head, extensions);
    if (extension) {
        extension += sizeof(extensions) - 1;
        extension[strcspn(extension, "\r")] = '\0';
    }
    if (len < 16 || memcmp(data, "HTTP/1.1 101 ", 13) != 0 ||
        !memmem(data, len, answer_key, sizeof(answer_key) - 1) ||
        memcmp(data + len - 4, "\r\n\r\n", 4) != 0 || (extension && !negotiated(peer, extension))) {
        fprintf(stderr, "load: not the answer to an upgrade: %.*s\n", (int)len, data);
        exit(1);
    }
    peer->state = OPEN;
}

/* ----------------------------------------------------------------- reading */

static void echo_send(struct peer *peer, unsigned count, uint64_t now)
{
    size_t len = 0;
    for (unsigned i = 0; i < count; i++) {
        len += make_frame(out + len, peer, "", peer->sent++, peer->stream, now);
    }
    published += count;
    did.published += count;
    put(peer, out, len);
}

static int running; /* make new messages */

static void readable(struct peer *peer)
{
    for (;;) {
        ssize_t n = recv(peer->fd, buffer, READ_BYTES, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n <= 0) {
            did.closed++;
            did.stalled = 1;
            complain("the server closed a connection");
            close_peer(peer);
            return;
        }
        if (peer->state == ASKED) {
            judge_answer(peer, buffer, (size_t)n);
        } else {
            uint64_t now = clock_now();
            unsigned count = (peer->deflate ? take_deflated : take)(peer, buffer, (size_t)n, now);
            if (want.mode == ECHO && running && count > 0) {
                echo_send(peer, count, now);
            }
        }
        if ((size_t)n < READ_BYTES) {
            return;
        }
    }
}

/* One pass of the loop, without sleeping. */
static void turn(void (*opened)(struct peer *))
{
    static struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll_fd, events, EVENTS, 0);
    for (int i = 0; i < count; i++) {
        struct peer *peer = events[i].data.ptr;
        uint8_t before = peer->state;
        if (before == CONNECT && events[i].events & (EPOLLERR | EPOLLHUP)) {
            fail("connection refused");
        } else if (before == CONNECT) {
            ask(peer);
        } else if (before != CLOSED) {
            if (peer->unsent_len > 0 && events[i].events & EPOLLOUT) {
                put_unsent(peer);
            }
            readable(peer);
        }
        if (before == ASKED && peer->state == OPEN) {
            opened(peer);
        }
    }
}

static uint64_t opened_count;

static void count_opened(struct peer *peer)
{
    (void)peer;
    opened_count++;
}

static int late(uint64_t now)
{
    if (now > progress && (double)(now - progress) > want.patience * 1e9) {
        did.stalled = 1;
    }
    return did.stalled;
}

static void connect_all(unsigned count)
{
    unsigned begun = 0;
    uint64_t before = 0;
    progress = clock_now();
    while (opened_count < count) {
        while (begun < count && begun - opened_count < CONNECTING) {
            peers[begun].stream = want.mode == ECHO          ? begun
                                  : begun < want.connections ? begun % want.rooms
                                                             : want.rooms;
            connect_peer(&peers[begun], begun);
            begun++;
        }
        turn(count_opened);
        if (opened_count != before) {
            before = opened_count;
            progress = clock_now();
        } else if (late(clock_now())) {
            errno = ETIMEDOUT;
            fail("connecting");
        }
    }
}

/* ------------------------------------------------------------ what it cost */

static uint64_t schedstat(const char *path)
{
    unsigned long long ns = 0;
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%llu", &ns) != 1) {
            ns = 0;
        }
        fclose(file);
    }
    return ns;
}

/* Processor time of a process in nanoseconds: the sum over its threads. */
static uint64_t cpu_of(unsigned pid)
{
    char path[300];
    uint64_t sum = 0;
    struct dirent *entry;
    snprintf(path, sizeof(path), "/proc/%u/task", pid);
    DIR *tasks = pid ? opendir(path) : NULL;
    while (tasks && (entry = readdir(tasks))) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof(path), "/proc/%u/task/%s/schedstat", pid, entry->d_name);
            sum += schedstat(path);
        }
    }
    if (tasks) {
        closedir(tasks);
    }
    return sum;
}

/* Resident bytes. VmRSS alone is updated in batches and may be off by half a megabyte. */
static uint64_t resident(unsigned pid)
{
    static const char *const sources[][2] = {{"smaps_rollup", "Rss:"}, {"status", "VmRSS:"}};
    char path[64], line[256];
    unsigned long long kib = 0;
    for (size_t i = 0; pid && i < 2 && kib == 0; i++) {
        snprintf(path, sizeof(path), "/proc/%u/%s", pid, sources[i][0]);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof(line), file)) {
            size_t len = strlen(sources[i][1]);
            if (strncmp(line, sources[i][1], len) == 0) {
                kib = strtoull(line + len, NULL, 10);
            }
        }
        if (file) {
            fclose(file);
        }
    }
    return kib * 1024;
}

/* Segments that all peers have received. Over loopback this is the number of sends, if they are
 * of less than 64 KiB and fit into the window. It is about a percent more when a socket falls
 * silent after two sends, because the kernel then repeats the second one (tail loss probe). */
static uint64_t segments_of(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < want.connections && want.mode != HANDSHAKE; i++) {
        struct tcp_info info = {0};
        socklen_t len = sizeof(info);
        getsockopt(peers[i].fd, IPPROTO_TCP, TCP_INFO, &info, &len);
        sum += info.tcpi_data_segs_in;
    }
    return sum;
}

static struct {
    uint64_t begin, server, softirq, segments;
    double seconds;
} cost;

static uint64_t memory[3]; /* before the connections, with them, at the end */

static void linger(void)
{
    for (uint64_t until = clock_now() + LINGER; clock_now() < until;) {
        turn(count_opened);
    }
}

/* Forgets what was counted during the warm-up, except errors. */
static void cost_begin(void)
{
    linger();
    did.delivered = did.bytes = did.checked = did.published = did.handshakes = did.compressed = 0;
    memset(histogram, 0, sizeof(histogram));
    cost.segments = segments_of();
    cost.server = cpu_of(want.pid);
    cost.softirq = cpu_of(want.softirq);
    cost.begin = progress = clock_now();
}

/* The server sleeps meanwhile, so that the kernel updates its processor time. */
static void cost_end(void)
{
    cost.seconds = (double)(progress - cost.begin) / 1e9;
    uint64_t delivered = did.delivered;
    linger();
    did.strays = did.delivered - delivered;
    cost.server = cpu_of(want.pid) - cost.server;
    cost.softirq = cpu_of(want.softirq) - cost.softirq;
    cost.segments = segments_of() - cost.segments;
}

/* ------------------------------------------------------------------- modes */

static void publish(unsigned count)
{
    struct peer *publisher = &peers[want.connections];
    uint64_t now = clock_now();
    size_t len = 0;
    char prefix[16];
    for (unsigned i = 0; i < count; i++, published++) {
        chance = after(chance);
        uint32_t room = (uint32_t)((chance >> 32) * want.rooms >> 32);
        uint32_t number = sent_to[room], *left = &missing[slot_of(room, number)];
        if (*left != 0) {
            did.stalled = 1;
            return;
        }
        *left = want.connections / want.rooms + (room < want.connections % want.rooms);
        snprintf(prefix, sizeof(prefix), "r%u\n", room);
        len += make_frame(out + len, publisher, prefix, number, room, now);
        sent_to[room]++;
    }
    did.published += count;
    put(publisher, out, len);
}

/* Sends until `until`, or `messages` messages; then waits for all that is in flight. */
static void traffic(uint64_t until, uint64_t messages)
{
    struct peer *publisher = &peers[want.connections];
    uint64_t begin = published, start = clock_now(), now = start;
    progress = now;
    running = 1;
    chance = 1; /* the same rooms for each server, however long the warm-up was */
    if (want.mode == ECHO) {
        for (unsigned i = 0; i < want.connections; i++) {
            echo_send(&peers[i], want.flight, now);
        }
    }
    do {
        uint64_t away = published - completed;
        uint64_t left = messages ? begin + messages - published : UINT64_MAX;
        running = (now < until && (messages == 0 || published < begin + messages)) ||
                  published == begin; /* at least one, however late it is */
        if (want.mode == FANOUT && running && publisher->unsent_len == 0) {
            uint64_t due = (now - start) * want.rate / SECOND + 1 - (published - begin);
            uint64_t count = want.burst  ? (away ? 0 : want.burst)
                             : want.rate ? (due && away < AWAY_MAX)
                                         : want.flight - away;
            if (count > 0) {
                publish((unsigned)(count < left ? count : left));
            }
        }
        turn(count_opened);
        now = clock_now();
    } while (!late(now) && (running || published != completed));
    running = 0;
}

static uint64_t handshakes_open;

static void shake_opened(struct peer *peer)
{
    uint64_t now = clock_now();
    did.handshakes++;
    handshakes_open--;
    progress = now;
    latency_add(now - peer->timestamp);
    close_peer(peer);
}

static void shake(uint64_t until, uint64_t count)
{
    uint64_t begin = clock_now(), now = begin, begun = 0;
    progress = now;
    do {
        uint64_t due = !want.rate ? begun + want.flight - handshakes_open
                                  : (now - begin) * want.rate / SECOND + 1;
        running = (now < until && (count == 0 || begun < count)) || begun == 0;
        if (running && begun < due && handshakes_open < want.connections) {
            struct peer *peer = &peers[0];
            while (peer->state != CLOSED) {
                peer++;
            }
            connect_peer(peer, (uint32_t)begun++);
            handshakes_open++;
        }
        turn(shake_opened);
        now = clock_now();
    } while (!late(now) && (running || handshakes_open));
}

/* ----------------------------------------------------------------- options */

static _Noreturn void usage(void)
{
    fputs("usage: load fanout|echo|handshake --port PORT [--connections N] [--rooms C]\n"
          "            [--size BYTES] [--burst B | --flight F] [--rate R] [--seconds S]\n"
          "            [--warm S] [--messages M] [--check EVERY] [--core CORE] [--patience S]\n"
          "            [--pid SERVER] [--softirq PID] [--deflate]\n",
          stderr);
    exit(2);
}

static void settings(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 0},     {"connections", 1, NULL, 1}, {"rooms", 1, NULL, 2},
        {"size", 1, NULL, 3},     {"burst", 1, NULL, 4},       {"flight", 1, NULL, 5},
        {"check", 1, NULL, 6},    {"core", 1, NULL, 7},        {"rate", 1, NULL, 8},
        {"pid", 1, NULL, 9},      {"softirq", 1, NULL, 10},    {"seconds", 1, NULL, 11},
        {"warm", 1, NULL, 12},    {"patience", 1, NULL, 13},   {"messages", 1, NULL, 14},
        {"deflate", 0, NULL, 15}, {NULL, 0, NULL, 0}};
    unsigned *const numbers[] = {&want.port,  &want.connections, &want.rooms,  &want.size,
                                 &want.burst, &want.flight,      &want.check,  &want.core,
                                 &want.rate,  &want.pid,         &want.softirq};
    double *const reals[] = {&want.seconds, &want.warm, &want.patience};
    static const char *const modes[] = {"fanout", "echo", "handshake"};
    int option, mode = 0;

    while (mode < 3 && (argc < 2 || strcmp(argv[1], modes[mode]) != 0)) {
        mode++;
    }
    want.mode = (enum mode)mode;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option < 0 || option > 15) {
            usage();
        } else if (option < 11) {
            *numbers[option] = (unsigned)strtoul(optarg, NULL, 10);
        } else if (option < 14) {
            *reals[option - 11] = strtod(optarg, NULL);
        } else if (option == 14) {
            want.messages = strtoull(optarg, NULL, 10);
        } else {
            want.deflate = 1;
        }
    }
    if (mode == 3 || optind != argc - 1 || !want.port || !want.connections || !want.rooms ||
        want.rooms > want.connections || want.size < HEADER || want.size > SIZE_MAX_ ||
        !want.flight || want.flight > AWAY_MAX || want.burst > AWAY_MAX || !want.check) {
        usage();
    }
}

static void print(void)
{
    int ok = !did.lost && !did.repeated && !did.reordered && !did.wrong && !did.closed &&
             !did.strays && !did.stalled;
    printf("{\"ok\": %s, \"connections\": %u, \"size\": %u, \"published\": %llu, "
           "\"deliveries\": %llu, \"handshakes\": %llu, \"bytes\": %llu, \"checked\": %llu, "
           "\"compressed\": %llu, \"segments\": %llu, ",
           ok ? "true" : "false", want.connections, want.size, (unsigned long long)did.published,
           (unsigned long long)did.delivered, (unsigned long long)did.handshakes,
           (unsigned long long)did.bytes, (unsigned long long)did.checked,
           (unsigned long long)did.compressed, (unsigned long long)cost.segments);
    printf("\"seconds\": %.6f, \"server_ns\": %llu, \"softirq_ns\": %llu, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"resident\": [%llu, %llu, %llu], ",
           cost.seconds, (unsigned long long)cost.server, (unsigned long long)cost.softirq,
           latency_us(0.5), latency_us(0.99), (unsigned long long)memory[0],
           (unsigned long long)memory[1], (unsigned long long)memory[2]);
    printf("\"lost\": %llu, \"repeated\": %llu, \"reordered\": %llu, \"wrong\": %llu, "
           "\"closed\": %llu, \"strays\": %llu, \"stalled\": %s}\n",
           (unsigned long long)did.lost, (unsigned long long)did.repeated,
           (unsigned long long)did.reordered, (unsigned long long)did.wrong,
           (unsigned long long)did.closed, (unsigned long long)did.strays,
           did.stalled ? "true" : "false");
    exit(ok ? 0 : 1);
}

/* A text like a program's JSON, as applications send it. It compresses to about a third. */
static void make_pattern(void)
{
    static const char *const words[] = {"card", "moved", "Anna", "to the left", "Ben",
                                        "done", "later", "note", "please look", "board"};
    uint64_t x = 1;
    for (size_t len = 0; len < sizeof(pattern);) {
        char record[128];
        x = after(x);
        snprintf(record, sizeof(record),
                 "{\"id\":%u,\"who\":\"%s\",\"what\":\"%s %s\",\"x\":%u,\"y\":%u},",
                 (unsigned)(x >> 40), words[(x >> 60) % 10], words[(x >> 56) % 10],
                 words[(x >> 52) % 10], (unsigned)(x >> 30) % 2000, (unsigned)(x >> 20) % 1000);
        for (size_t i = 0; record[i] && len < sizeof(pattern); i++) {
            pattern[len++] = (uint8_t)record[i];
        }
    }
}

static void prepare(void)
{
    struct rlimit limit = {0, 0};
    cpu_set_t cores;
    unsigned in_flight = want.burst > want.flight ? want.burst : want.flight;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    CPU_ZERO(&cores);
    CPU_SET(want.core, &cores);
    sched_setaffinity(0, sizeof(cores), &cores); /* fails on a machine with one core, which is
                                                    accepted */

    make_pattern();
    frame_head[0] = 0x81;
    frame_head[1] = (uint8_t)want.size;
    frame_head_len = 2;
    if (want.size >= 126) {
        frame_head[1] = 126;
        frame_head[2] = (uint8_t)(want.size >> 8);
        frame_head[3] = (uint8_t)want.size;
        frame_head_len = 4;
    }
    depth = DEPTH_MIN;
    while (depth < 2 * (want.rate ? AWAY_MAX : in_flight)) {
        depth *= 2;
    }
    sent_to = calloc((size_t)want.rooms + 1, sizeof(*sent_to));
    missing = calloc((size_t)want.rooms * depth, sizeof(*missing));
    known = calloc(want.deflate ? (size_t)want.rooms * depth : 1, sizeof(*known));
    peers = calloc(want.connections + 1, sizeof(*peers));
    out = malloc((size_t)in_flight * (want.size + want.size / 100 + 64) + READ_BYTES);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!sent_to || !missing || !known || !peers || !out || epoll_fd < 0) {
        fail("preparing");
    }
}

int main(int argc, char **argv)
{
    settings(argc, argv);
    prepare();
    memory[0] = memory[1] = resident(want.pid);
    if (want.mode != HANDSHAKE) {
        connect_all(want.connections + (want.mode == FANOUT));
        linger();
        memory[1] = resident(want.pid);
    }
    void (*work)(uint64_t, uint64_t) = want.mode == HANDSHAKE ? shake : traffic;
    if (want.warm > 0) {
        work(clock_now() + (uint64_t)(want.warm * 1e9), 0);
    }
    if (!did.stalled) {
        cost_begin();
        work(want.messages ? UINT64_MAX : cost.begin + (uint64_t)(want.seconds * 1e9),
             want.messages);
        cost_end();
    }
    if (did.stalled) { /* there are faults besides gaps */
        did.lost = want.mode == ECHO ? published - completed : 0;
        for (size_t i = 0; want.mode == FANOUT && i < (size_t)want.rooms * depth; i++) {
            did.lost += missing[i];
        }
    }
    memory[2] = resident(want.pid);
    print();
}
