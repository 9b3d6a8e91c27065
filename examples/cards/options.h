/* SPDX-License-Identifier: MIT */
/* options.h - the command line and the environment. */
#ifndef CARDS_OPTIONS_H
#define CARDS_OPTIONS_H

#include <stdint.h>

struct options {
    const char *host;
    unsigned port;
    int demo;
    const char *web;        /* NULL: the one in the source tree */
    uint32_t connections;   /* MAX_WEBSOCKET_CONNECTIONS; 0: the pool's default */
    unsigned token_seconds; /* TOKEN_SECONDS */
    int secret;             /* JWT_SECRET is set */
    int loopback;           /* host is a loopback address */
};

/* Reads the options. Ends the program if they are invalid (2), or if help was asked for (0). */
struct options options_read(int argc, char **argv);

#endif
