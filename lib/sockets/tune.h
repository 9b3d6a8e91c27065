/* SPDX-License-Identifier: MIT */
/*
 * sockets/tune.h - options of a TCP socket: what the kernel may hold for a client, and how long.
 *
 * A connection inherits them from its listener, so they cost no call per connection.
 */
#ifndef WSP_SOCKETS_TUNE_H
#define WSP_SOCKETS_TUNE_H

#include <stddef.h>

#include <wspool/config.h>

#define WSP_TUNE_OUTPUT ((size_t)256 << 10) /* bytes of kernel memory, by default */

typedef struct wsp_tune {
    size_t output;         /* kernel memory for the output of a connection; 0: the system's rule */
    unsigned user_timeout; /* milliseconds that output may stay unacknowledged; 0: the system's */
} wsp_tune;

/* The options that belong to a configuration. */
wsp_tune wsp_tune_of(const wspool_config *config);

/* Sets the options of a listener or connection, and TCP_NODELAY. What the system does not have, or
 * the socket, is left out: each option only tightens a bound. */
void wsp_tune_set(const wsp_tune *tune, int fd);

#endif
