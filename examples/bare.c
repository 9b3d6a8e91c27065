/* SPDX-License-Identifier: MIT */
/*
 * examples/bare.c - a WebSocket server on the core library alone, without an adapter.
 *
 * On ws://127.0.0.1:9002/room each message goes to every peer. The program owns the sockets and
 * the loop (epoll). Five calls connect them with the pool:
 *
 *     wspool_feed   these bytes came from a peer
 *     wspool_tick   this is the time now
 *     wspool_next   which peer needs something, and what?
 *     wspool_peek   which bytes are to be written to it?
 *     wspool_ack    how many of them were written
 *
 * SIGTERM and SIGINT drain: each peer gets a Close within two seconds. A second one ends the program.
 *
 * libwspool_sockets does the same in full: it lingers (see end), survives a lack of descriptors, and
 * accepts and writes with fewer system calls.
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wspool/wspool.h>

static int epoll;
static volatile sig_atomic_t told_to_end;

static void on_signal(int number)
{
    (void)number;
    told_to_end = 1;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
}

/* Sets which events epoll reports for a descriptor; `how` is EPOLL_CTL_ADD or EPOLL_CTL_MOD. */
static int watch(int how, int fd, uint32_t events, wspool_id id)
{
    struct epoll_event event = {.events = events, .data = {.u64 = id}};
    return epoll_ctl(epoll, how, fd, &event);
}

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options options = {.size = sizeof options,
                                   .flags = message->binary ? WSPOOL_BINARY : 0};
    (void)id, (void)user;
    wspool_broadcast(pool, wspool_global(""), message->data, message->len, &options, NULL);
}

static void open_peer(wspool *pool, int listener, uint64_t now)
{
    wspool_id id;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    wspool_open_options options = {.size = sizeof options,
                                   .user = (void *)(intptr_t)fd}; /* NOLINT */
    if (fd >= 0 && wspool_open(pool, &options, now, &id) < 0) {
        close(fd); /* FULL: max_handshakes handshakes are running */
    } else if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* writes are joined */
        if (watch(EPOLL_CTL_ADD, fd, EPOLLIN, id) < 0) {
            wspool_gone(pool, id, WSPOOL_GONE_FAILED, now); /* wspool_next lists it for CLOSE */
        }
    }
}

/* Reads once, so that every peer has its turn. */
static void read_peer(wspool *pool, wspool_id id, int fd, uint64_t now)
{
    char bytes[16384];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        wspool_feed(pool, id, bytes, (size_t)n, now);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        wspool_gone(pool, id, n == 0 ? WSPOOL_GONE_EOF : WSPOOL_GONE_FAILED, now);
    }
}

static void write_peer(wspool *pool, wspool_id id, int fd, uint64_t now)
{
    struct iovec out;
    if (wspool_peek(pool, id, &out, 1) == 1) {
        ssize_t n = send(fd, out.iov_base, out.iov_len, MSG_NOSIGNAL); /* no SIGPIPE */
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            wspool_gone(pool, id, WSPOOL_GONE_FAILED, now);
        } else {
            wspool_ack(pool, id, n < 0 ? 0 : (size_t)n, now); /* not all: the peer is blocked */
        }
    }
}

/* The pool has finished with a peer. If the peer still sends, close resets the connection, and the
 * peer may lose the last bytes, such as the Close with its code. This shuts down our direction and
 * discards what has arrived, which is enough for a peer that has stopped sending. To wait for one
 * that has not, a host needs a table of such sockets with deadlines: that is lingering. RESET: the
 * peer takes nothing, so the bytes that the system still holds for it are discarded. */
static void end(wspool *pool, wspool_id id, int fd, unsigned wants)
{
    char bytes[16384];
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (wants & WSPOOL_RESET) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    } else {
        shutdown(fd, SHUT_WR);
    }
    for (int i = 0; i < 16 && recv(fd, bytes, sizeof bytes, 0) > 0; i++) {
    }
    close(fd); /* epoll forgets it, too */
    wspool_release(pool, id);
}

int main(void)
{
    struct sockaddr_in here = {AF_INET, htons(9002), {htonl(INADDR_LOOPBACK)}, {0}};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
        bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, 128) < 0 ||
        watch(EPOLL_CTL_ADD, listener, EPOLLIN, 0) < 0) { /* 0 is never the id of a peer */
        perror("bare");
        return 1;
    }

    wspool *pool;
    wspool_config config;
    wspool_config_init(&config);
    config.message.call = on_message;
    config.max_peers = config.max_handshakes = 500; /* descriptors: 1024 are usually allowed */
    int error = wspool_new(&pool, &config, wspool_clock());
    if (error < 0 || (error = wspool_route(pool, "/room", WSPOOL_GLOBAL, NULL)) < 0) {
        fprintf(stderr, "bare: %s\n", wspool_strerror(error));
        return 1;
    }

    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    while (wspool_draining(pool) != 0) { /* STATE, until a signal comes */
        if (told_to_end && wspool_draining(pool) < 0) {
            close(listener);
            wspool_drain(pool, 4 * WSPOOL_SECOND, 0, wspool_clock());
        }
        /* Sleeps are short: wspool_deadline only decides whether to sleep. */
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, wspool_deadline(pool) ? 50 : 0);
        uint64_t now = wspool_clock();
        for (int i = 0; i < count; i++) { /* no id is stale here: only `end` releases a peer */
            wspool_id id = events[i].data.u64;
            if (id == 0) {
                open_peer(pool, listener, now);
                continue;
            }
            if (events[i].events & EPOLLOUT) {
                wspool_writable(pool, id, now);
            }
            if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
                read_peer(pool, id, (int)(intptr_t)wspool_user(pool, id), now);
            }
        }
        wspool_tick(pool, now);

        wspool_id id;
        for (unsigned wants; wspool_next(pool, &id, &wants) == 1;) {
            int fd = (int)(intptr_t)wspool_user(pool, id);
            if (wants & WSPOOL_WRITE) {
                write_peer(pool, id, fd, now);
            }
            if (wants & WSPOOL_CLOSE) {
                end(pool, id, fd, wants);
            } else { /* what is left to peek waits until the transport can take more */
                uint32_t in = wants & WSPOOL_READ ? EPOLLIN : 0;
                uint32_t out = wspool_peek(pool, id, &(struct iovec){0}, 1) > 0 ? EPOLLOUT : 0;
                watch(EPOLL_CTL_MOD, fd, in | out, id);
            }
        }
    }
    return wspool_free(pool);
}
