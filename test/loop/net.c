/* SPDX-License-Identifier: MIT */
/* loop/net.c - see loop/net.h. */
#define _GNU_SOURCE
#include "net.h"

#include <dirent.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <wspool/watcher.h>

/* The real functions. __wrap_NAME below is called in their place. */
uint64_t __real_wspool_clock(void);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);

/* ----------------------------------------------------------------- clients */

void net_client_connect(net_client *client, unsigned port, int receive_bytes)
{
    struct sockaddr_in there;
    memset(client, 0, sizeof(*client));
    memset(&there, 0, sizeof(there));
    there.sin_family = AF_INET;
    there.sin_port = htons((uint16_t)port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        fail_msg("socket: %s", strerror(errno));
    if (receive_bytes > 0 &&
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes)) < 0)
        fail_msg("SO_RCVBUF: %s", strerror(errno));
    if (connect(client->fd, (struct sockaddr *)&there, sizeof(there)) < 0 && errno != EINPROGRESS)
        fail_msg("connect: %s", strerror(errno));
}

void net_client_request(net_client *client, const char *target)
{
    client_request request = {.target = target};
    client_put_request(&client->out, &request);
}

void net_client_open(net_client *client, unsigned port, const char *target)
{
    net_client_connect(client, port, 0);
    net_client_request(client, target);
}

void net_client_frame(net_client *client, unsigned first, const void *payload, size_t len)
{
    client_frame frame = {.first = first, .payload = payload, .len = len, .key = 0x37fa213du};
    client_put_frame(&client->out, &frame);
}

void net_client_text(net_client *client, const void *text, size_t len)
{
    net_client_frame(client, FIN | OP_TEXT, text, len);
}

void net_client_deliver(net_client *client)
{
    uint64_t since = 0;
    int left = 1;
    while (net_patient(&since) && (client->sent < client->out.len || left > 0)) {
        net_client_turn(client);
        assert_int_equal(ioctl(client->fd, SIOCOUTQ, &left), 0);
    }
}

/* A test of a planted fault need not wait as long: see test/mutants/run. */
static uint64_t patience(void)
{
    const char *seconds = getenv("TEST_PATIENCE");
    return seconds ? strtoull(seconds, NULL, 10) * WSPOOL_SECOND : NET_PATIENCE;
}

void net_await(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, (int)(patience() / WSPOOL_MILLISECOND)), 1);
}

void net_client_kill(net_client *client, enum net_kill how)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (how == NET_KILL_RST)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(client->fd);
    client->fd = -1;
}

void net_client_free(net_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    blob_free(&client->out);
    reader_free(&client->in);
    memset(client, 0, sizeof(*client));
    client->fd = -1;
}

static void write_some(net_client *client)
{
    while (client->sent < client->out.len) {
        ssize_t n = __real_send(client->fd, client->out.data + client->sent,
                                client->out.len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            /* Reading finds the broken pipe again, after the bytes that came before it. */
            return;
        }
        client->sent += (size_t)n;
    }
    client->out.len = client->sent = 0;
}

static void read_some(net_client *client)
{
    static uint8_t bytes[16384];
    while (client->end == NET_HERE) {
        ssize_t n = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0) {
            reader_take(&client->in, bytes, (size_t)n);
        } else if (n == 0) {
            client->end = NET_FIN;
            shutdown(client->fd, SHUT_WR); /* the client closes too when it sees the end */
        } else if (errno == EAGAIN || errno == ENOTCONN) { /* ENOTCONN: not connected yet */
            return;
        } else {
            client->end = NET_RESET;
        }
    }
}

static void answer(net_client *client)
{
    for (; client->answered < client->in.count; client->answered++) {
        const got *g = &client->in.list[client->answered];
        if (!client->silent && g->op == OP_PING)
            net_client_frame(client, FIN | OP_PONG, g->data, g->len);
        if (!client->silent && g->op == OP_CLOSE)
            net_client_frame(client, FIN | OP_CLOSE, g->data, g->len < 2 ? 0 : 2);
    }
}

void net_client_turn(net_client *client)
{
    if (client->fd < 0)
        return;
    write_some(client);
    if (!client->deaf) {
        read_some(client);
        answer(client);
        write_some(client);
    }
}

void net_fill(uint8_t *bytes, size_t len, unsigned seed)
{
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        bytes[i] = (uint8_t)x;
    }
}

int net_patient(uint64_t *since)
{
    if (*since == 0)
        *since = __real_wspool_clock();
    if (__real_wspool_clock() - *since > patience())
        fail_msg("nothing happens any more");
    return 1;
}

int net_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int n = 0;
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

/* ------------------------------------------------------------------ faults */

unsigned net_waits, net_watches, net_timers, net_accepts;
uint64_t net_wait_time, net_hand_clock;
int net_accept_errors[8], net_send_errors[8];
size_t net_send_most;

int net_next_error(int *errors)
{
    int error = errors[0];
    if (error != 0)
        memmove(errors, errors + 1, 7 * sizeof(*errors));
    return error;
}

struct msghdr net_shortened(const struct msghdr *message, struct iovec *vector)
{
    struct msghdr shorter = *message;
    if (net_send_most > 0) {
        *vector = message->msg_iov[0];
        if (vector->iov_len > net_send_most)
            vector->iov_len = net_send_most;
        shorter.msg_iov = vector;
        shorter.msg_iovlen = 1;
    }
    return shorter;
}

int net_listener(int nth)
{
    for (int fd = 0; fd < 4096; fd++) {
        int listens = 0;
        socklen_t len = sizeof(listens);
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens && nth-- == 0)
            return fd;
    }
    return -1;
}

int net_waker(void)
{
    for (int fd = 0; fd < 4096; fd++) {
        char path[64], what[64] = "";
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, what, sizeof(what) - 1) > 0 && strstr(what, "eventfd"))
            return fd;
    }
    return -1;
}

/* ------------------------------------------------------- in place of others */

#define WRAPPED(type, name, parameters) \
    type __real_##name parameters; \
    type __wrap_##name parameters; \
    type __wrap_##name parameters

WRAPPED(int, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags))
{
    int error = net_next_error(net_accept_errors);
    net_accepts++;
    if (error == 0)
        return __real_accept4(fd, address, len, flags);
    errno = error;
    return -1;
}

WRAPPED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))
{
    int error = net_next_error(net_send_errors);
    struct iovec vector;
    struct msghdr shorter = net_shortened(message, &vector);
    if (error == 0)
        return __real_sendmsg(fd, &shorter, flags);
    errno = error;
    return -1;
}

WRAPPED(ssize_t, send, (int fd, const void *bytes, size_t len, int flags))
{
    struct iovec vector = {(void *)(uintptr_t)bytes, len};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return __wrap_sendmsg(fd, &message, flags);
}

WRAPPED(int, epoll_wait, (int fd, struct epoll_event *events, int max, int wait))
{
    net_wait_time = wait < 0 ? UINT64_MAX : (uint64_t)wait * WSPOOL_MILLISECOND;
    return __real_epoll_wait(fd, events, max, wait);
}

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
WRAPPED(int, epoll_pwait2,
        (int fd, struct epoll_event *events, int max, const struct timespec *time,
         const sigset_t *mask))
{
    if (time)
        net_wait_time = (uint64_t)time->tv_sec * WSPOOL_SECOND + (uint64_t)time->tv_nsec;
    return __real_epoll_pwait2(fd, events, max, time, mask);
}
#endif

WRAPPED(uint64_t, wspool_clock, (void))
{
    return net_hand_clock ? net_hand_clock : __real_wspool_clock();
}

WRAPPED(void, wspool_sockets_turn, (wspool_sockets * sockets))
{
    net_waits++;
    __real_wspool_sockets_turn(sockets);
}

/* The watcher of the newest engine. */
static wspool_watcher watcher;
static uint8_t watched[65536];

unsigned net_watched(int fd)
{
    return fd < 0 ? 0 : watched[fd];
}

static int see_watch(void *loop, int fd, unsigned events, uint64_t tag, void **handle)
{
    net_watches++;
    watched[fd] = (uint8_t)events;
    return watcher.watch(loop, fd, events, tag, handle);
}

static void see_timer(void *loop, uint64_t when)
{
    net_timers++;
    watcher.timer(loop, when);
}

WRAPPED(int, wspool_sockets_new,
        (wspool_sockets * *sockets, const wspool_config *config, const wspool_watcher *given))
{
    wspool_watcher seen = *given;
    watcher = *given;
    seen.watch = see_watch;
    seen.timer = see_timer;
    return __real_wspool_sockets_new(sockets, config, &seen);
}

/* ------------------------------------------------------------------- books */

wspool_statistics net_stats(const wspool *pool)
{
    wspool_statistics stats;
    memset(&stats, 0, sizeof(stats));
    stats.size = sizeof(stats);
    assert_int_equal(wspool_stats(pool, &stats), 0);
    return stats;
}

void net_assert_books(const wspool *pool)
{
    wspool_statistics s = net_stats(pool);
    uint64_t refused = 0, ended = 0;
    assert_int_equal(wspool_check(pool), 0);
    for (size_t i = 0; i < WSPOOL_STATS_REFUSALS; i++)
        refused += s.refused[i];
    for (size_t i = 0; i < WSPOOL_STATS_ENDS; i++)
        ended += s.ended[i];
    assert_int_equal(s.attempts, s.accepted + refused + s.plain + s.handshakes);
    assert_int_equal(s.accepted, s.peers + ended);
    assert_int_equal(s.deliveries, s.queued + s.slow_closes);
    assert_int_equal(s.queued, s.sent + s.dropped_closed + s.waiting);
}
