/* SPDX-License-Identifier: MIT */
/*
 * loop/stall.h - a standstill: the process of the loop is stopped for 3 s, while 600 clients go on
 * sending. Nobody is lost, although each of them was silent for longer than idle_time by the clock.
 *
 * The clients are a second process, which stops the first. It runs only when WSPOOL_STALL is set, by
 * loop/test_stall.py: on all adapters at once.
 */
#ifndef WSPOOL_TEST_LOOP_STALL_H
#define WSPOOL_TEST_LOOP_STALL_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STALL_CLIENTS = 600 };

static void stall_sleep(uint64_t ms)
{
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    while (nanosleep(&time, &time) < 0) {
    }
}

static int stall_connect(unsigned port)
{
    static const char request[] = "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[4096];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0 ||
        send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof(answer), 0) < 12 || memcmp(answer, "HTTP/1.1 101", 12) != 0)
        _exit(101);
    return fd;
}

/* All clients say something. How many cannot, or were closed? */
static int stall_speak(const int *fds)
{
    static const char word[] = "\x82\x81\0\0\0\0.";
    int lost = 0;
    for (int i = 0; i < STALL_CLIENTS; i++) {
        char byte;
        ssize_t n = recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK);
        lost += n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK) ||
                send(fds[i], word, sizeof(word) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0;
    }
    return lost;
}

/* The other process. Its result: 0, or how many were lost. */
_Noreturn static void stall_clients(pid_t host, unsigned port)
{
    static int fds[STALL_CLIENTS];
    int lost = 0;
    for (int i = 0; i < STALL_CLIENTS; i++)
        fds[i] = stall_connect(port);
    for (int step = 0; step < 12; step++) { /* half a second each */
        if (step == 2)
            kill(host, SIGSTOP);
        if (step == 8)
            kill(host, SIGCONT);
        lost = stall_speak(fds);
        stall_sleep(500);
    }
    lost = stall_speak(fds);
    _exit(lost > 100 ? 100 : lost);
}

static unsigned stall_ended;

/* Nothing is sent to the clients: what comes to them is a Close or the end. */
static void stall_react(struct host *host, wspool_id id, const wspool_message *message)
{
    (void)host, (void)id, (void)message;
}

static void stall_on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    (void)pool, (void)id, (void)user;
    stall_ended += closed->why == WSPOOL_END_IDLE || closed->why == WSPOOL_END_PONG_TIMEOUT;
}

TEST(nobody_is_lost_when_the_process_stands_still)
{
    struct host host;
    int status = 0;
    pid_t parent = getpid(), clients;
    if (!getenv("WSPOOL_STALL"))
        skip();
    host_init(&host);
    host.config.max_peers = 2 * STALL_CLIENTS;
    host.config.idle_time = 2 * WSPOOL_SECOND;
    host.config.ping_interval = 0;
    host.config.open.call = NULL;
    host.config.close.call = stall_on_close;
    host_start(&host);
    host.react = stall_react;
    clients = fork();
    assert_true(clients >= 0);
    if (clients == 0)
        stall_clients(parent, host.port);
    while (waitpid(clients, &status, WNOHANG) == 0)
        assert_int_equal(host_sleep(&host, 20), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(stall_ended, 0);
    host_end(&host);
}

#endif
