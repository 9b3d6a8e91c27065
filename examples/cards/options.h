/* SPDX-License-Identifier: MIT */
/* options.h - the command line and the environment. */
#ifndef CARDS_OPTIONS_H
#define CARDS_OPTIONS_H

#include <netinet/in.h>
#include <stdint.h>

struct options {
    const char *host; /* as it was given */
    unsigned port;
    struct sockaddr_storage address; /* of both */
    int demo;
    const char *db;         /* the file of the database; NULL: none */
    const char *web;        /* NULL: the one in the source tree */
    uint32_t connections;   /* MAX_WEBSOCKET_CONNECTIONS; 0: the pool's default */
    uint32_t memory_mb;     /* MEMORY_THRESHOLD_MB; 0: no limit */
    uint32_t cpu_percent;   /* CPU_THRESHOLD; 100: no limit */
    uint32_t per_address;   /* MAX_PER_ADDRESS; 0: no limit */
    unsigned poll_seconds;  /* POLL_SECONDS */
    unsigned token_seconds; /* TOKEN_SECONDS */
    char *secret;           /* JWT_SECRET, in the environment; NULL: not set */
    int no_tokens;          /* whoever can connect may */
    int loopback;           /* only this machine can reach the address */
};

/* Reads the options. Ends the program if they are invalid (2), or if help was asked for (0). */
struct options options_read(int argc, char **argv);

#endif
