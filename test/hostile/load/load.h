/* SPDX-License-Identifier: MIT */
/*
 * hostile/load/load.h - what the parts of the attack load share.
 *
 * load.c starts a server, measures it before, during and after an attack, and judges. An attack
 * runs in a process of its own (attacks.c): killing it closes all of its sockets at once. The
 * honest peers (honest.c) stay in the first process. Looking at the server from outside (watch.c)
 * takes 10 to 50 ms, so a thread of its own does that: honest peers must not wait for it.
 */
#ifndef HOSTILE_LOAD_H
#define HOSTILE_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SECOND UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

uint64_t clock_now(void);              /* monotonic, nanoseconds */
_Noreturn void fail(const char *what); /* prints `what` and errno; ends the program with status 1 */

/* ------------------------------------------------------------------- sockets */

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80, RSV1 = 0x40 };
#define FRAME_HEAD_MAX 14

/* Writes a frame with the mask key 0 (it is masked, and its payload is unchanged). Returns its
 * length: at most FRAME_HEAD_MAX + len. */
size_t frame_write(uint8_t *out, unsigned first, const void *payload, size_t len);
/* The request that asks for a WebSocket on this path. Returns its length. */
size_t request_write(char *out, size_t room, const char *path, int deflate);
/* A connection to 127.0.0.1, which is under way when `wait` is 0. receive_bytes: SO_RCVBUF, 0: as
 * the system has it. Returns the descriptor, or -1. */
int dial(unsigned port, int receive_bytes, int wait);
/* The same, and the handshake. Returns the descriptor, or -1 when the server refused. */
int enter(unsigned port, const char *path, int deflate, int receive_bytes);

/* ------------------------------------------------------------------- attacks */

/* ECHO_LIMITED: 600 of its 1,000 places for one address, as SECURITY.md tells hosts. */
enum server_kind { ECHO, ECHO_LIMITED, ECHO_DEFLATE, CARDS };

struct attack {
    const char *name;
    enum server_kind kind;
    void (*run)(unsigned port, unsigned count); /* until the process is killed */
    unsigned quick, full;                       /* how many attackers: make check, make attack */
};

extern const struct attack attacks[];
extern const size_t attack_count;

/* -------------------------------------------------------------- honest peers */

struct honest_result {
    unsigned echoes, joins; /* answered */
    unsigned lost;          /* honest peers that the server closed */
    unsigned late, failed;  /* joins that took more than 3 s, or were refused or cut */
    double p50, p99, most;  /* of echoes, in milliseconds */
    double join_p95;
};

struct honest;
/* Ten peers are in: half of them on plain frames, half on compressed ones where the server has
 * them. NULL when one of them was refused. */
struct honest *honest_new(unsigned port, enum server_kind kind);
void honest_free(struct honest *honest);
/* They echo (each at most once in 10 ms) and others join (20 a second) for so long. */
void honest_run(struct honest *honest, uint64_t duration, struct honest_result *result);

/* --------------------------------------------------- the server from outside */

struct watched {
    unsigned descriptors;
    uint64_t rss;     /* bytes */
    uint64_t send;    /* bytes of kernel memory for what the server sends, over all sockets */
    uint64_t largest; /* the largest of them */
    unsigned sockets; /* of the server's port, closed ones included that still linger */
};

/* Returns 0, or -1 when the process is no longer there. */
int watch(pid_t pid, unsigned port, struct watched *out);

#endif
