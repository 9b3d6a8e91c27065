/* SPDX-License-Identifier: MIT */
/*
 * bench/net/floor.c - the floor of the socket benchmark: what the system calls of a WebSocket
 * server cost by themselves. NEVER USE IT AS A SERVER: it trusts its input.
 *
 * It does what examples/echo does for well-behaved clients, with as little user-space work as
 * possible:
 *
 *   /echo         each message is echoed
 *   /room/{name}  each message goes to every other member of the room
 *   /publish      NAME, line feed, PAYLOAD: the payload goes to every member of the room NAME
 *
 * It uses epoll. A message is unmasked and framed once, in the buffer into which it was read. Then
 * there is one send() per socket and message. With --join (floor+) the messages of one read are
 * joined to one send() per socket: messages to a room from /publish, and echoes.
 *
 * The answer to the upgrade is a constant, correct only for the key of RFC 6455's example (load.c
 * uses that key). There are no fragments, limits, deadlines, UTF-8 checks or origin checks. What a
 * socket does not take is kept without bound.
 *
 * --fault makes it a bad server, to test that load.c notices. Every 50th message is lost, repeated,
 * sent after its successor, or has its last byte changed; or one member of its room misses it,
 * another room gets it instead, or its sender gets it as well.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (256u << 10)
#define FRAME_BYTES (1u << 20) /* the longest frame, head included */
#define EVENTS 512
#define ROOMS 4096 /* a power of two, above the number of rooms */
#define DESCRIPTORS (1u << 20)
#define FAULT_EVERY 50

enum fault { NONE, LOSE, REPEAT, REORDER, CORRUPT, SKIP, MISPLACE, STRAY };
enum purpose { HEAD, ECHO, ROOM, PUBLISH };

struct bytes {
    size_t len, room;
    uint8_t data[];
};

struct peer {
    struct bytes *kept;   /* the beginning of a head or a frame */
    struct bytes *unsent; /* what the socket did not take */
    uint32_t place;       /* index in its room */
    uint16_t room;
    uint8_t purpose;
};

struct room {
    char *name;
    size_t name_len;
    int *members;
    uint32_t count, space;
    struct bytes *joined; /* --join: output of this read */
};

static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n"
                             "Upgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                             "\r\n";

static struct peer *peers; /* indexed by descriptor */
static struct room rooms[ROOMS];
static uint16_t touched[ROOMS]; /* rooms whose `joined` is not empty */
static size_t touched_count;
static uint8_t buffer[FRAME_BYTES + READ_BYTES];
static int epoll_fd, join;

static enum fault fault;
static uint64_t messages;
static struct bytes *held; /* REORDER: waits for another message to the same target */
static int64_t held_target = -1;

static void *must(void *memory)
{
    if (!memory) {
        fputs("floor: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static void append(struct bytes **to, const void *data, size_t len)
{
    struct bytes *b = *to;
    size_t had = b ? b->len : 0;
    if (!b || b->room - had < len) {
        size_t room = had + len > 1024 ? 2 * (had + len) : had + len;
        b = must(realloc(b, sizeof(*b) + room));
        b->room = room;
        *to = b;
    }
    memcpy(b->data + had, data, len);
    b->len = had + len;
}

/* ----------------------------------------------------------------- sending */

static void await(int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

static void put(int fd, const uint8_t *data, size_t len)
{
    struct peer *peer = &peers[fd];
    ssize_t n = peer->unsent ? 0 : send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n == (ssize_t)len || (n < 0 && errno != EAGAIN)) {
        return; /* a broken socket is noticed when it is read */
    }
    if (!peer->unsent) {
        await(fd, EPOLLIN | EPOLLOUT);
    }
    n = n < 0 ? 0 : n;
    append(&peer->unsent, data + n, len - (size_t)n);
}

static void writable(int fd)
{
    struct bytes *b = peers[fd].unsent;
    ssize_t n = b ? send(fd, b->data, b->len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (b && n > 0) {
        b->len -= (size_t)n;
        memmove(b->data, b->data + n, b->len);
        if (b->len == 0) {
            free(b);
            peers[fd].unsent = NULL;
            await(fd, EPOLLIN);
        }
    }
}

static void put_room(struct room *room, const uint8_t *data, size_t len, int except)
{
    for (uint32_t i = 0; i < room->count; i++) {
        if (room->members[i] != except) {
            put(room->members[i], data, len);
        }
    }
}

/* Sends a frame to one socket or, if `target` is below 0, to a room. `from` does not get it. */
static void deliver(int64_t target, const uint8_t *data, size_t len, int from)
{
    struct room *room = target < 0 ? &rooms[-target - 1] : NULL;
    if (!room) {
        put((int)target, data, len);
    } else if (join && from < 0) {
        if (!room->joined || room->joined->len == 0) {
            touched[touched_count++] = (uint16_t)(room - rooms);
        }
        append(&room->joined, data, len);
    } else {
        put_room(room, data, len, from);
    }
}

static void flush_rooms(void)
{
    for (size_t i = 0; i < touched_count; i++) {
        struct room *room = &rooms[touched[i]];
        put_room(room, room->joined->data, room->joined->len, -1);
        room->joined->len = 0;
    }
    touched_count = 0;
}

static int64_t another_room(int64_t target)
{
    int64_t room = target;
    do {
        room = room == -ROOMS ? -1 : room - 1;
    } while (rooms[-room - 1].count == 0 && room != target);
    return room;
}

static void deliver_badly(int64_t target, uint8_t *data, size_t len, int from, int sender)
{
    int now = ++messages % FAULT_EVERY == 0;
    if (now && fault == SKIP && target < 0) {
        struct room *room = &rooms[-target - 1];
        flush_rooms(); /* keeps the order with earlier messages */
        put_room(room, data, len, room->count ? room->members[0] : -1);
        return;
    }
    if (now && fault == MISPLACE && target < 0) {
        target = another_room(target);
    }
    if (now && fault == STRAY) {
        put(sender, data, len);
    }
    if (now && fault == LOSE) {
        return;
    }
    if (now && fault == REORDER && held_target == -1) {
        append(&held, data, len);
        held_target = target;
        return;
    }
    if (now && fault == CORRUPT) {
        data[len - 1] ^= 1;
    }
    deliver(target, data, len, from);
    if (now && fault == REPEAT) {
        deliver(target, data, len, from);
    }
    if (held && held_target == target) {
        deliver(target, held->data, held->len, from);
        held->len = 0;
        held_target = -1;
    }
}

/* ------------------------------------------------------------------- rooms */

static struct room *room_named(const uint8_t *name, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ name[i]) * 16777619u;
    }
    for (uint32_t i = hash;; i++) {
        struct room *room = &rooms[i % ROOMS];
        if (!room->name) {
            room->name = must(malloc(len + 1));
            memcpy(room->name, name, len);
            room->name_len = len;
        } else if (room->name_len != len || memcmp(room->name, name, len) != 0) {
            continue;
        }
        return room;
    }
}

static void enter(int fd, struct room *room)
{
    if (room->count == room->space) {
        room->space = room->space ? 2 * room->space : 8;
        room->members = must(realloc(room->members, room->space * sizeof(*room->members)));
    }
    peers[fd].room = (uint16_t)(room - rooms);
    peers[fd].place = room->count;
    room->members[room->count++] = fd;
}

static void gone(int fd)
{
    struct peer *peer = &peers[fd];
    if (peer->purpose == ROOM) {
        struct room *room = &rooms[peer->room];
        int last = room->members[--room->count];
        room->members[peer->place] = last;
        peers[last].place = peer->place;
    }
    free(peer->kept);
    free(peer->unsent);
    memset(peer, 0, sizeof(*peer));
    close(fd);
}

/* ----------------------------------------------------------------- reading */

static void unmask(uint8_t *data, size_t len, const uint8_t *key)
{
    uint64_t word[4], mask;
    uint8_t twice[8];
    size_t i = 0;
    memcpy(twice, key, 4);
    memcpy(twice + 4, key, 4);
    memcpy(&mask, twice, 8);
    for (; i + 32 <= len; i += 32) {
        memcpy(word, data + i, 32);
        word[0] ^= mask;
        word[1] ^= mask;
        word[2] ^= mask;
        word[3] ^= mask;
        memcpy(data + i, word, 32);
    }
    for (; i < len; i++) {
        data[i] ^= key[i & 3];
    }
}

/* Writes the head of a server's frame in front of its payload. The client's head was longer,
 * because it had a masking key. Returns where the frame begins. */
static uint8_t *head_before(uint8_t *payload, size_t len, uint8_t first)
{
    uint8_t *head = payload - (len < 126 ? 2 : len < 65536 ? 4 : 10);
    head[0] = first;
    if (len < 126) {
        head[1] = (uint8_t)len;
    } else if (len < 65536) {
        head[1] = 126;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++) {
            head[2 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
        }
    }
    return head;
}

/* Returns the length of the HTTP head, or 0 if it is incomplete. */
static size_t take_head(int fd, const uint8_t *data, size_t len)
{
    const uint8_t *end = memmem(data, len, "\r\n\r\n", 4);
    struct peer *peer = &peers[fd];
    if (!end) {
        return 0;
    }
    if (len > 10 && memcmp(data, "GET /room/", 10) == 0) {
        const uint8_t *name = data + 10;
        peer->purpose = ROOM;
        enter(fd, room_named(name, (size_t)((uint8_t *)memchr(name, ' ', len - 10) - name)));
    } else {
        peer->purpose = memcmp(data, "GET /echo", 9) == 0 ? ECHO : PUBLISH;
    }
    put(fd, (const uint8_t *)answer, sizeof(answer) - 1);
    return (size_t)(end - data) + 4;
}

static void take_message(int fd, uint8_t *payload, size_t len, uint8_t first)
{
    struct peer *peer = &peers[fd];
    int64_t target = fd;
    int from = -1;
    if (peer->purpose == PUBLISH) {
        uint8_t *end = memchr(payload, '\n', len);
        if (!end) {
            return;
        }
        target = -1 - (room_named(payload, (size_t)(end - payload)) - rooms);
        len -= (size_t)(end + 1 - payload);
        payload = end + 1;
    } else if (peer->purpose == ROOM) {
        target = -1 - (int64_t)peer->room;
        from = fd;
    }
    uint8_t *frame = head_before(payload, len, first);
    len += (size_t)(payload - frame);
    if (fault) {
        deliver_badly(target, frame, len, from, fd);
    } else {
        deliver(target, frame, len, from);
    }
}

/* Handles the bytes in the buffer. Returns the number of bytes used, or -1 after a Close. */
static ssize_t take(int fd, uint8_t *data, size_t len)
{
    struct peer *peer = &peers[fd];
    uint8_t *back = NULL, *back_end = NULL; /* --join: the echoes, one after the other */
    size_t at = 0;
    int closed = 0;

    if (peer->purpose == HEAD && (at = take_head(fd, data, len)) == 0) {
        return 0;
    }
    while (len - at >= 6) {
        uint8_t *head = data + at;
        size_t size = head[1] & 127, head_len = 6;
        if (size == 126) {
            size = (size_t)head[2] << 8 | head[3];
            head_len = 8;
        } else if (size == 127 && len - at >= 14) {
            size = 0;
            for (int i = 2; i < 10; i++) {
                size = size << 8 | head[i];
            }
            head_len = 14;
        } else if (size == 127) {
            break;
        }
        if (len - at < head_len + size) {
            break;
        }
        uint8_t *payload = head + head_len;
        unmask(payload, size, payload - 4);
        at += head_len + size;
        if ((head[0] & 15) == 8) {
            closed = 1;
            break;
        }
        if ((head[0] & 15) == 9) {
            uint8_t *frame = head_before(payload, size, 0x8a);
            put(fd, frame, size + (size_t)(payload - frame));
        } else if ((head[0] & 15) < 3 && join && !fault && peer->purpose == ECHO) {
            uint8_t *frame = head_before(payload, size, head[0]);
            size += (size_t)(payload - frame);
            if (!back) {
                back = back_end = frame;
            }
            memmove(back_end, frame, size);
            back_end += size;
        } else if ((head[0] & 15) < 3) {
            take_message(fd, payload, size, head[0]);
        }
    }
    if (back) {
        put(fd, back, (size_t)(back_end - back));
    }
    flush_rooms();
    return closed ? -1 : (ssize_t)at;
}

static void readable(int fd)
{
    struct peer *peer = &peers[fd];
    struct bytes *kept = peer->kept;
    size_t had = kept ? kept->len : 0;
    ssize_t n = recv(fd, buffer + had, READ_BYTES, MSG_DONTWAIT), used;

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            gone(fd);
        }
        return;
    }
    if (had) {
        memcpy(buffer, kept->data, had);
        kept->len = 0;
    }
    used = take(fd, buffer, had + (size_t)n);
    if (used < 0 || had + (size_t)n - (size_t)used > FRAME_BYTES) {
        gone(fd);
    } else if ((size_t)used < had + (size_t)n) {
        append(&peer->kept, buffer + used, had + (size_t)(n - used));
    } else if (kept) {
        free(kept);
        peer->kept = NULL;
    }
}

/* -------------------------------------------------------------------- main */

static void accept_all(int listener, size_t room)
{
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if ((size_t)fd >= room || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
            close(fd);
        }
    }
}

static int listen_on(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof(address);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        perror("floor");
        exit(1);
    }
    printf("listening on ws://127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static enum fault fault_named(const char *name)
{
    static const char *const names[] = {"none",    "lose", "repeat",   "reorder",
                                        "corrupt", "skip", "misplace", "stray"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum fault)i;
        }
    }
    fputs("floor: --fault lose|repeat|reorder|corrupt|skip|misplace|stray\n", stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"join", no_argument, NULL, 'j'},
                                            {"fault", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    static struct epoll_event events[EVENTS];
    struct rlimit limit = {0, 0};
    unsigned port = 0;
    int option, listener;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p') {
            port = (unsigned)strtoul(optarg, NULL, 10);
        } else if (option == 'j') {
            join = 1;
        } else if (option == 'f') {
            fault = fault_named(optarg);
        } else {
            fputs("usage: floor [--port PORT] [--join] [--fault FAULT]\n", stderr);
            return 2;
        }
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    size_t room = limit.rlim_cur < DESCRIPTORS ? (size_t)limit.rlim_cur : DESCRIPTORS;
    peers = must(calloc(room, sizeof(*peers)));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listener = listen_on(port);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(listener, room);
                continue;
            }
            if (events[i].events & EPOLLOUT) {
                writable(fd);
            }
            if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
                readable(fd);
            }
        }
    }
}
