/* SPDX-License-Identifier: MIT */
/*
 * costs/costs.c - counts what a delivery, an echo and a handshake cost: the same on every machine.
 *
 *     build/release/test/costs/costs SCENARIO      prints one line of JSON
 *
 * A pool runs on the epoll adapter. Its clients are the other ends of socket pairs, in the same
 * process: a client writes, the server takes a turn, the client reads and checks what arrived.
 * Costs are counted only while the server works (in measured_turn and similar functions):
 *
 *   calls        system calls of the adapter and the library; the linker redirects them (--wrap)
 *   allocations  malloc, calloc and realloc, those of wslay and nettle included: this program
 *                defines malloc itself
 *   copied       bytes copied by memcpy and memmove, those of wslay and nettle included, for the
 *                same reason. Short copies that the compiler inlines are not counted, nor is the
 *                copy out of the read buffer, which unmasks.
 *
 * valgrind counts instructions: it collects in functions named measured*; costs.py starts it. The
 * program sets the clock and the entropy, so that two runs do not differ.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <wspool/adapters/epoll.h>
#include <wspool/handlers.h>
#include <wspool/jwt.h>

#define MEMBERS 200 /* twice as many descriptors are open */
#define PAYLOAD 64
#define ROUNDS 100
#define KEPT 64 /* messages of a history */
#define CROWD 10000
#define CROWD_QUEUE 8 /* messages that may wait for one of them */

static int counting;
static struct {
    uint64_t sends, others, allocations, copied;
} counted;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "costs: %s\n", what);
    exit(1);
}

/* ---------------------------------------------------------------- counting */

/* A system call: __wrap_NAME is called instead of NAME, and __real_NAME is the system's
 * function. */
#define WRAPPED(counter, type, name, parameters, arguments) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters \
    { \
        counted.counter += (uint64_t)counting; \
        return __real_##name arguments; \
    }

WRAPPED(sends, ssize_t, send, (int fd, const void *b, size_t n, int f), (fd, b, n, f))
WRAPPED(sends, ssize_t, sendto,
        (int fd, const void *b, size_t n, int f, const struct sockaddr *a, socklen_t l),
        (fd, b, n, f, a, l))
WRAPPED(sends, ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
WRAPPED(sends, ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n))
WRAPPED(sends, ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAPPED(others, ssize_t, recv, (int fd, void *b, size_t n, int f), (fd, b, n, f))
WRAPPED(others, ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
WRAPPED(others, ssize_t, read, (int fd, void *b, size_t n), (fd, b, n))
WRAPPED(others, ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAPPED(others, int, epoll_wait, (int fd, struct epoll_event *e, int n, int ms), (fd, e, n, ms))
WRAPPED(others, int, epoll_ctl, (int fd, int op, int of, struct epoll_event *e), (fd, op, of, e))
WRAPPED(others, int, accept4, (int fd, struct sockaddr *a, socklen_t *l, int f), (fd, a, l, f))
WRAPPED(others, int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n),
        (fd, l, o, v, n))
WRAPPED(others, int, shutdown, (int fd, int how), (fd, how))
WRAPPED(others, int, close, (int fd), (fd))

/* The clock moves a microsecond at each call. */
uint64_t __wrap_wspool_clock(void);
uint64_t __wrap_wspool_clock(void)
{
    static uint64_t now = WSPOOL_SECOND;
    return now += WSPOOL_SECOND / 1000000;
}

static int entropy(void *bytes, size_t len, void *user)
{
    static uint64_t state = 88172645463325252u;
    (void)user;
    for (size_t i = 0; i < len; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((uint8_t *)bytes)[i] = (uint8_t)state;
    }
    return 0;
}

/* Built on the names that glibc provides for this purpose. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *malloc(size_t size)
{
    counted.allocations += (uint64_t)counting;
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size)
{
    counted.allocations += (uint64_t)counting;
    return __libc_calloc(count, size);
}
void *realloc(void *block, size_t size)
{
    counted.allocations += (uint64_t)counting;
    return __libc_realloc(block, size);
}

typedef void *copying(void *, const void *, size_t);

/* Copies by the C library's memmove, found at run time: a loop here would be compiled to a call
 * of memmove, and so of itself. */
static void *copy(void *to, const void *from, size_t len)
{
    static copying *real;
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "memmove");
    }
    counted.copied += counting ? len : 0;
    return real(to, from, len);
}
void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    return copy(to, from, len);
}
void *memmove(void *to, const void *from, size_t len)
{
    return copy(to, from, len);
}

/* What _FORTIFY_SOURCE calls instead, where it knows the room. */
void *__memcpy_chk(void *restrict to, const void *restrict from, size_t len, size_t room);
void *__memmove_chk(void *to, const void *from, size_t len, size_t room);

void *__memcpy_chk(void *restrict to, const void *restrict from, size_t len, size_t room)
{
    return len > room ? (abort(), NULL) : copy(to, from, len);
}

void *__memmove_chk(void *to, const void *from, size_t len, size_t room)
{
    return len > room ? (abort(), NULL) : copy(to, from, len);
}

/* -------------------------------------------------------------- the server */

static wspool_sockets *sockets;
static wspool *pool;
static char echo_route, room_route;

static void on_message(wspool *in, wspool_id id, const wspool_message *message, void *user)
{
    int sent;
    (void)user;
    if (message->route_user == &echo_route) {
        sent = wspool_send(in, id, message->data, message->len, NULL);
    } else {
        sent = wspool_broadcast(in, wspool_item("a"), message->data, message->len, NULL, NULL) -
               MEMBERS;
    }
    if (sent != 0) {
        fail("a message could not be sent");
    }
}

/* valgrind collects in functions of these names. */
__attribute__((noinline)) static void measured_turn(void)
{
    counting = 1;
    wspool_epoll_turn(sockets, 0);
    counting = 0;
}

__attribute__((noinline)) static void measured_open(int fd)
{
    counting = 1;
    wspool_sockets_add(sockets, fd, NULL, NULL);
    counting = 0;
}

__attribute__((noinline)) static int measured_upgrade(const wspool_request *request, wspool_id *id,
                                                      wspool_answer *answer)
{
    counting = 1;
    int result = wspool_upgrade(pool, request, wspool_clock(), id, answer);
    counting = 0;
    return result;
}

__attribute__((noinline)) static void measured_adopt(wspool_id id, int fd)
{
    counting = 1;
    wspool_sockets_adopt(sockets, id, fd, NULL, 0);
    counting = 0;
}

__attribute__((noinline)) static void measured_publish(wspool_channel channel, const void *message)
{
    counting = 1;
    if (wspool_broadcast(pool, channel, message, PAYLOAD, NULL, NULL) != 1) {
        fail("a message was not queued");
    }
    counting = 0;
}

__attribute__((noinline)) static void measured_resume(wspool_id id, wspool_channel channel,
                                                      const wspool_channel_position *since)
{
    counting = 1;
    if (wspool_resume(pool, id, channel, since, NULL) < 0) {
        fail("a resume failed");
    }
    counting = 0;
}

static void start(void)
{
    wspool_config config;
    wspool_route_options options;
    wspool_config_init(&config);
    config.ping_interval = 0;
    config.max_peers = CROWD + 1;
    config.entropy = (wspool_entropy_hook){entropy, NULL};
    config.message.call = on_message;
    if (wspool_epoll_new(&sockets, &config) < 0) {
        fail("no pool");
    }
    pool = wspool_sockets_pool(sockets);
    wspool_route_options_init(&options, &config);
    options.user = &echo_route;
    wspool_route(pool, "/echo", WSPOOL_NONE, &options);
    options.user = &room_route;
    wspool_route(pool, "/publish", WSPOOL_NONE, &options);
    wspool_route(pool, "/room/{name}", WSPOOL_ITEM, &options);
    options.history.messages = KEPT;
    wspool_route(pool, "/kept/{name}", WSPOOL_TOPIC, &options);
    options.slow = WSPOOL_SLOW_BEHIND;
    options.queue_messages = CROWD_QUEUE;
    wspool_route(pool, "/crowd/{name}", WSPOOL_SESSION, &options);
}

/* -------------------------------------------------------------- the clients */

static void pair(int *server, int *client)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        fail(strerror(errno));
    }
    *server = ends[0];
    *client = ends[1];
}

/* A header of all requests, or "". */
static char authorization[300];

static void ask(int client, const char *path)
{
    char request[600];
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Version: 13\r\n%s\r\n",
                       path, authorization);
    if (write(client, request, (size_t)len) != len) {
        fail("a client could not send its request");
    }
}

static void expect_answer(int client)
{
    char answer[512];
    ssize_t n = read(client, answer, sizeof answer);
    if (n < 20 || memcmp(answer, "HTTP/1.1 101 ", 13) != 0) {
        fail("a client was refused");
    }
}

static int client_on(const char *path)
{
    int server, client;
    pair(&server, &client);
    wspool_sockets_add(sockets, server, NULL, NULL);
    ask(client, path);
    wspool_epoll_turn(sockets, 0);
    expect_answer(client);
    return client;
}

static void say(int client, int count)
{
    uint8_t frames[64 * (6 + PAYLOAD)], *at = frames;
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    for (int i = 0; i < count; i++) {
        *at++ = 0x81;
        *at++ = 0x80 | PAYLOAD;
        for (int k = 0; k < 4; k++) {
            *at++ = key[k];
        }
        for (int k = 0; k < PAYLOAD; k++) {
            *at++ = 'x' ^ key[k % 4];
        }
    }
    if (write(client, frames, (size_t)(at - frames)) != at - frames) {
        fail("a client could not send a message");
    }
}

static void expect(int client, int count)
{
    static uint8_t wanted[64 * (2 + PAYLOAD)];
    uint8_t frames[sizeof wanted + 1];
    size_t len = (size_t)count * (2 + PAYLOAD);
    for (size_t at = 0; wanted[0] == 0 && at < sizeof wanted; at += 2 + PAYLOAD) {
        memset(wanted + at, 'x', 2 + PAYLOAD);
        wanted[at] = at ? 0x81 : 0; /* set last, so that the frame head is complete */
        wanted[at + 1] = PAYLOAD;
    }
    wanted[0] = 0x81;
    if (read(client, frames, sizeof frames) != (ssize_t)len || memcmp(frames, wanted, len) != 0) {
        fail("a client did not receive what was expected");
    }
}

/* --------------------------------------------------------------- scenarios */

static int members[MEMBERS];

/* Each scenario does its work `rounds` times and returns the number of operations. During the
 * warm-up `turn` is not the measured one. */
static uint64_t fan_out(int rounds, void (*turn)(void), int burst)
{
    static int publisher = -1;
    for (int i = 0; publisher < 0 && i < MEMBERS; i++) {
        members[i] = client_on("/room/a");
    }
    publisher = publisher < 0 ? client_on("/publish") : publisher;
    for (int round = 0; round < rounds; round++) {
        say(publisher, burst);
        turn();
        for (int i = 0; i < MEMBERS; i++) {
            expect(members[i], burst);
        }
    }
    return (uint64_t)rounds * MEMBERS * (uint64_t)burst;
}

static uint64_t one_at_a_time(int rounds, void (*turn)(void))
{
    return fan_out(rounds, turn, 1);
}

static uint64_t burst(int rounds, void (*turn)(void))
{
    return fan_out(rounds, turn, 32);
}

static uint64_t echo(int rounds, void (*turn)(void), int outstanding)
{
    static int client = -1;
    client = client < 0 ? client_on("/echo") : client;
    for (int round = 0; round < rounds; round++) {
        say(client, outstanding);
        turn();
        expect(client, outstanding);
    }
    return (uint64_t)rounds * (uint64_t)outstanding;
}

static uint64_t echo_1(int rounds, void (*turn)(void))
{
    return echo(rounds, turn, 1);
}

static uint64_t echo_16(int rounds, void (*turn)(void))
{
    return echo(rounds, turn, 16);
}

static uint64_t handshake(int rounds, void (*turn)(void))
{
    for (int round = 0; round < rounds; round++) {
        int server, client;
        pair(&server, &client);
        ask(client, "/echo");
        if (turn == measured_turn) {
            measured_open(server);
        } else {
            wspool_sockets_add(sockets, server, NULL, NULL);
        }
        turn();
        expect_answer(client);
        close(client);
        turn();
    }
    return (uint64_t)rounds;
}

/* The same with a token, which a hook accepts without looking at it, or libwspool_jwt: the verdict is
 * in its cache. */

#define SUBJECT "user:7"

static wspool_jwt *jwt;

static void make_token(void)
{
    static const char secret[] = "0123456789abcdef0123456789abcdef";
    wspool_jwt_config config;
    wspool_jwt_claims claims = {.size = sizeof claims, .subject = {SUBJECT, sizeof SUBJECT - 1}};
    char token[200];
    wspool_jwt_config_init(&config);
    config.secret = secret;
    config.secret_len = sizeof secret - 1;
    config.needs_exp = 0;
    if (wspool_jwt_new(&jwt, &config)) {
        fail("no tokens");
    }
    int len = wspool_jwt_sign(jwt, &claims, token, sizeof token);
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %.*s\r\n", len, token);
}

static void accept_any(wspool *of, wspool_id id, const wspool_request *request, wspool_verdict *out,
                       void *user)
{
    (void)of, (void)id, (void)request, (void)user;
    out->kind = WSPOOL_ACCEPT;
    out->subject = (wspool_text){SUBJECT, sizeof SUBJECT - 1};
}

static void begin_token(void)
{
    wspool_handlers handlers = {.size = sizeof handlers, .token = accept_any};
    make_token();
    wspool_attach(pool, &handlers);
}

static void begin_jwt(void)
{
    make_token();
    wspool_jwt_attach(jwt, pool);
}

/* Returns a request that was parsed elsewhere; the answer is sent elsewhere (hosted mode). */
static wspool_request request_for(const char *path)
{
#define TEXT(string) \
    { \
        string, sizeof(string) - 1 \
    }
    static const wspool_header headers[] = {
        {TEXT("Host"), TEXT("127.0.0.1")},
        {TEXT("Upgrade"), TEXT("websocket")},
        {TEXT("Connection"), TEXT("Upgrade")},
        {TEXT("Sec-WebSocket-Key"), TEXT("dGhlIHNhbXBsZSBub25jZQ==")},
        {TEXT("Sec-WebSocket-Version"), TEXT("13")}};
    return (wspool_request){.size = sizeof(wspool_request),
                            .method = TEXT("GET"),
                            .target = {path, strlen(path)},
                            .http_major = 1,
                            .http_minor = 1,
                            .headers = headers,
                            .header_count = sizeof headers / sizeof *headers};
#undef TEXT
}

static uint64_t join_leave(int rounds, void (*turn)(void))
{
    const wspool_request request = request_for("/room/a");
    static int stays = -1;
    stays = stays < 0 ? client_on("/room/a") : stays;
    for (int round = 0; round < rounds; round++) {
        int server, client, result;
        wspool_answer answer;
        wspool_id id;
        pair(&server, &client);
        if (turn == measured_turn) {
            result = measured_upgrade(&request, &id, &answer);
            measured_adopt(id, server);
        } else {
            result = wspool_upgrade(pool, &request, wspool_clock(), &id, &answer);
            wspool_sockets_adopt(sockets, id, server, NULL, 0);
        }
        if (result != WSPOOL_UPGRADE_ACCEPTED || wspool_member_count(pool, wspool_item("a")) != 2) {
            fail("a client could not join");
        }
        close(client);
        turn();
        if (wspool_member_count(pool, wspool_item("a")) != 1) {
            fail("a client did not leave");
        }
    }
    return (uint64_t)rounds;
}

/* Messages to the one member of a channel; only the broadcasts are counted. */
static uint64_t publish_to(int client, wspool_channel channel, int rounds, void (*turn)(void))
{
    char message[PAYLOAD];
    memset(message, 'x', sizeof message);
    for (int round = 0; round < rounds; round++) {
        if (turn == measured_turn) {
            measured_publish(channel, message);
        } else {
            wspool_broadcast(pool, channel, message, sizeof message, NULL, NULL);
        }
        wspool_epoll_turn(sockets, 0);
        expect(client, 1);
    }
    return (uint64_t)rounds;
}

static uint64_t publish(int rounds, void (*turn)(void))
{
    static int client = -1;
    client = client < 0 ? client_on("/room/a") : client;
    return publish_to(client, wspool_item("a"), rounds, turn);
}

static uint64_t publish_kept(int rounds, void (*turn)(void))
{
    static int client = -1;
    if (client < 0) {
        client = client_on("/kept/a");
        publish_to(client, wspool_topic("a"), 1000, NULL); /* segments are used again */
    }
    return publish_to(client, wspool_topic("a"), rounds, turn);
}

/* Members that come back to a whole history, each of them once; everything is counted. */
static uint64_t resume(int rounds, void (*turn)(void))
{
    static int client = -1;
    char message[PAYLOAD];
    wspool_channel channel = wspool_topic("a");
    wspool_channel_position since;
    wspool_id id;
    memset(message, 'x', sizeof message);
    for (int i = 0; client < 0 && i < 2 * KEPT; i++) {
        wspool_broadcast(pool, channel, message, sizeof message, NULL, NULL);
    }
    client = client < 0 ? client_on("/echo") : client;
    wspool_peers(pool, &id, 1);
    wspool_position(pool, channel, &since);
    since.offset -= KEPT;
    for (int round = 0; round < rounds; round++) {
        if (turn == measured_turn) {
            measured_resume(id, channel, &since);
        } else {
            wspool_resume(pool, id, channel, &since, NULL);
        }
        turn();
        expect(client, KEPT);
        wspool_unsubscribe(pool, id, channel);
    }
    return (uint64_t)rounds * KEPT;
}

/* ------------------------------------------- a crowd, of which one reads nothing */

/* Publishes a message, and takes what each peer has to send, as a transport that is never full. */
static inline void one_round(wspool_channel channel, const void *message, wspool_id stuck)
{
    struct iovec vectors[4];
    wspool_id id;
    unsigned wants;
    wspool_broadcast(pool, channel, message, PAYLOAD, NULL, NULL);
    while (wspool_next(pool, &id, &wants)) {
        int n = wspool_peek(pool, id, vectors, 4);
        size_t bytes = 0;
        for (int i = 0; i < n; i++) {
            bytes += vectors[i].iov_len;
        }
        wspool_ack(pool, id, id == stuck ? 0 : bytes, 0);
    }
}

__attribute__((noinline)) static void measured_round(wspool_channel channel, const void *message,
                                                     wspool_id stuck)
{
    counting = 1;
    one_round(channel, message, stuck);
    counting = 0;
}

/* In memory: there are not so many descriptors. */
static uint64_t crowd_with(int stuck, int rounds, void (*turn)(void))
{
    static wspool_id never_reads;
    const wspool_request request = request_for("/crowd/a");
    const wspool_channel channel = wspool_session("a");
    char message[PAYLOAD];
    wspool_answer answer;
    wspool_id id;
    memset(message, 'x', sizeof message);
    for (int i = wspool_member_count(pool, channel); i < CROWD + stuck; i++) {
        if (wspool_upgrade(pool, &request, 0, &id, &answer) != WSPOOL_UPGRADE_ACCEPTED ||
            wspool_adopt(pool, id, NULL, 0, 0)) {
            fail("a peer was not admitted");
        }
        never_reads = stuck && i == CROWD / 2 ? id : never_reads;
    }
    for (int round = 0; round < rounds / 10; round++) {
        if (turn == measured_turn) {
            measured_round(channel, message, never_reads);
        } else {
            one_round(channel, message, never_reads);
        }
    }
    if (turn == measured_turn && stuck && wspool_queued(pool, never_reads, NULL) != CROWD_QUEUE) {
        fail("a peer that reads nothing holds more or less than its queue's limit");
    }
    return (uint64_t)(rounds / 10) * CROWD;
}

static uint64_t crowd(int rounds, void (*turn)(void))
{
    return crowd_with(0, rounds, turn);
}

static uint64_t crowd_stuck(int rounds, void (*turn)(void))
{
    return crowd_with(1, rounds, turn);
}

/* -------------------------------------------------------------------- main */

static const struct scenario {
    const char *name;
    uint64_t (*work)(int, void (*)(void));
    void (*begin)(void); /* NULL: nothing */
} scenarios[] = {{"fanout", one_at_a_time, NULL},
                 {"burst", burst, NULL},
                 {"echo", echo_1, NULL},
                 {"echo-16", echo_16, NULL},
                 {"handshake", handshake, NULL},
                 {"handshake-token", handshake, begin_token},
                 {"handshake-jwt", handshake, begin_jwt},
                 {"join", join_leave, NULL},
                 {"publish", publish, NULL},
                 {"publish-kept", publish_kept, NULL},
                 {"resume", resume, NULL},
                 {"crowd", crowd, NULL},
                 {"crowd-stuck", crowd_stuck, NULL}};

static void warm_turn(void)
{
    wspool_epoll_turn(sockets, 0);
}

static void run(const struct scenario *scenario)
{
    start();
    if (scenario->begin) {
        scenario->begin();
    }
    scenario->work(ROUNDS, warm_turn);
    memset(&counted, 0, sizeof counted);
    uint64_t count = scenario->work(ROUNDS, measured_turn);
    printf("{\"scenario\": \"%s\", \"count\": %llu, \"sends\": %llu, \"others\": %llu, "
           "\"allocations\": %llu, \"copied\": %llu, \"compiler\": \"%s\"}\n",
           scenario->name, (unsigned long long)count, (unsigned long long)counted.sends,
           (unsigned long long)counted.others, (unsigned long long)counted.allocations,
           (unsigned long long)counted.copied, __VERSION__);
    if (wspool_check(pool)) {
        fail("the books do not balance");
    }
    wspool_sockets_free(sockets);
    wspool_jwt_free(jwt);
}

int main(int argc, char **argv)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (size_t i = 0; argc == 2 && i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            run(&scenarios[i]);
            return 0;
        }
    }
    fputs("usage: costs fanout|burst|echo|echo-16|handshake|handshake-token|handshake-jwt|join|"
          "publish|publish-kept|resume|crowd|crowd-stuck\n",
          stderr);
    return 2;
}
