/* SPDX-License-Identifier: MIT */
/*
 * loop/net.h - real sockets for the tests in C: clients, and a pool on the epoll adapter.
 *
 * A client is a TCP socket on loopback with the reader of sim/client.h behind it. It never
 * blocks: what is to be sent is queued, and net_client_turn moves what can be moved. Server and
 * clients live in one thread, so a test says what happens in which order.
 *
 * No test measures time. NET_PATIENCE only keeps a test that has gone wrong from hanging.
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
    NET_RESET /* or not */
};

typedef struct net_client {
    int fd;      /* -1: not connected, or killed by the test */
    blob out;    /* to be written */
    size_t sent; /* of these */
    reader in;
    size_t answered;  /* entries of in.list that were looked at for an answer */
    int silent;       /* reads, but answers neither pings nor Close */
    int deaf;         /* does not read */
    enum net_end end; /* how the server left */
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

/* A page of every value, the same whenever it is asked for. */
void net_fill(uint8_t *bytes, size_t len, unsigned seed);

/* Is it not too late yet? Fails the test when it is. `since` is 0 at first. */
int net_patient(uint64_t *since);

/* How many this process has open. */
int net_descriptors(void);

/* ------------------------------------------------------------------ faults */

/* The linker leads some calls of the engine, and the system calls it makes, to net.c (--wrap). How
 * many turns it took and for how many nanoseconds it wanted to sleep the last time (UINT64_MAX: for
 * ever); how often watch and timer were called; how many connections were asked for; what the next
 * calls fail with, up to the first 0; and how many bytes a write takes at most (0: all). */
extern unsigned net_waits;
extern uint64_t net_wait_time;
extern unsigned net_watches, net_timers;
extern unsigned net_accepts;
extern int net_accept_errors[8], net_send_errors[8];
extern size_t net_send_most;

/* Not 0: what wspool_clock says. Time is held by hand then. */
extern uint64_t net_hand_clock;

/* What the engine has asked its loop for: the events of this descriptor. */
unsigned net_watched(int fd);

/* The nth socket of this process that listens, by its number; -1: there is none. */
int net_listener(int nth);

/* The eventfd of this process; -1: there is none. */
int net_waker(void);

/* The first of these, which is taken away. */
int net_next_error(int *errors);

/* What a write of this sends: all, or the beginning that net_send_most allows. */
struct msghdr net_shortened(const struct msghdr *message, struct iovec *vector);

/* ------------------------------------------------------------------- books */

/* wspool_check, and the equations of wspool/stats.h. */
void net_assert_books(const wspool *pool);
struct wspool_stats net_stats(const wspool *pool);

#endif
