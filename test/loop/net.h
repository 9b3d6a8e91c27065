/* SPDX-License-Identifier: MIT */
/*
 * loop/net.h - real sockets for the tests in C: clients, and a pool on the epoll adapter.
 *
 * A client is a TCP socket on loopback with the reader of sim/client.h behind it. It never
 * blocks: what is to be sent is queued, and net_client_turn moves what can be moved. Server and
 * clients live in one thread, so a test says what happens in which order.
 *
 * The kernel needs its time even on loopback: what one socket has sent, a reset and the end of a
 * handshake included, arrives at the other some milliseconds later when the machine is busy. So a
 * test waits for what it needs (UNTIL, net_client_deliver, net_await) and does not count turns.
 *
 * No test measures time. NET_PATIENCE, or TEST_PATIENCE in seconds from the environment, only keeps
 * a test that has gone wrong from hanging.
 */
#ifndef WSPOOL_TEST_LOOP_NET_H
#define WSPOOL_TEST_LOOP_NET_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <wspool/wspool.h>

#include "../sim/client.h"
#include "../tools/test.h"

#define NET_PATIENCE (120 * WSPOOL_SECOND)

/* ----------------------------------------------------------------- clients */

enum net_end {
    NET_HERE,
    NET_FIN,  /* the server closed in good order */
    NET_RESET /* the server reset the connection */
};

typedef struct net_client {
    int fd;      /* -1: not connected, or killed by the test */
    blob out;    /* to be written */
    size_t sent; /* bytes of `out` that were sent */
    reader in;
    size_t answered;  /* entries of in.list that were checked for an answer */
    int silent;       /* reads, but answers neither pings nor Close */
    int deaf;         /* does not read */
    enum net_end end; /* how the server ended the connection */
} net_client;

/* How a client dies. */
enum net_kill { NET_KILL_FIN, NET_KILL_RST };

/* Connects to a port on loopback. receive_bytes: SO_RCVBUF, 0: the system's. */
void net_client_connect(net_client *client, unsigned port, int receive_bytes);
/* The same, and asks for a WebSocket at `target`. */
void net_client_open(net_client *client, unsigned port, const char *target);
void net_client_request(net_client *client, const char *target);
void net_client_text(net_client *client, const void *text, size_t len);
void net_client_frame(net_client *client, unsigned first, const void *payload, size_t len);
void net_client_kill(net_client *client, enum net_kill how);
void net_client_free(net_client *client);

/* Writes and reads what is possible; answers pings and Close unless silent. */
void net_client_turn(net_client *client);
/* Writes everything, and waits until the kernel of the other side has it. */
void net_client_deliver(net_client *client);
/* Waits until `fd` is readable: a listener has a connection. */
void net_await(int fd);

/* Fills `bytes` with all values, the same for the same seed. */
void net_fill(uint8_t *bytes, size_t len, unsigned seed);

/* Returns 1 until NET_PATIENCE is over; then fails the test. `since` is 0 at first. */
int net_patient(uint64_t *since);

/* Returns how many descriptors this process has open. */
int net_descriptors(void);

/* ------------------------------------------------------------------ faults */

/* The linker redirects some calls of the engine, and its system calls, to net.c (--wrap). These
 * count: turns; the nanoseconds of the last sleep (UINT64_MAX: no bound); calls of watch and timer;
 * calls of accept. The arrays hold the errors of the next calls, up to the first 0. net_send_most
 * is how many bytes a write takes at most (0: all). */
extern unsigned net_waits;
extern uint64_t net_wait_time;
extern unsigned net_watches, net_timers;
extern unsigned net_accepts;
extern int net_accept_errors[8], net_send_errors[8];
extern size_t net_send_most;

/* Not 0: the result of wspool_clock. The test moves the time. */
extern uint64_t net_hand_clock;

/* Returns the events for which the engine watches this descriptor. */
unsigned net_watched(int fd);

/* Returns the nth listening socket of this process, in order of descriptors, or -1. */
int net_listener(int nth);

/* Returns the eventfd of this process, or -1. */
int net_waker(void);

/* Removes the first error of the array and returns it. */
int net_next_error(int *errors);

/* Returns the message, shortened to what net_send_most allows. */
struct msghdr net_shortened(const struct msghdr *message, struct iovec *vector);

/* ------------------------------------------------------------------- books */

/* wspool_check, and the equations of wspool/stats.h. */
void net_assert_books(const wspool *pool);
wspool_statistics net_stats(const wspool *pool);

#endif
