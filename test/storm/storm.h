/* SPDX-License-Identifier: MIT */
/*
 * storm/storm.h - the server of the storm: a process of its own, which is killed and started anew.
 *
 * It speaks wspool.v1.json on sockets. It publishes when a client acts, and when the test tells it.
 * The test tells it by a pipe when to publish. What it
 * publishes and does, it writes to the log of the model before anybody can get it, so that the log
 * has it even if the process is killed.
 */
#ifndef WSPOOL_TEST_STORM_STORM_H
#define WSPOOL_TEST_STORM_STORM_H

#include <stddef.h>
#include <sys/types.h>

/* A feed that everyone gets, and rooms. */
enum { STORM_ROOMS = 4, STORM_CHANNELS = 1 + STORM_ROOMS };
extern const char *const storm_channels[STORM_CHANNELS];

/* What the test says by the pipe, a byte each. The server answers each with a byte, and SAY_HEADS
 * with a line of the offsets of all channels. */
enum { SAY_PUBLISH = 'p', SAY_LAST = 'l', SAY_HEADS = 'h' };

typedef struct storm_server {
    pid_t pid;
    int talk; /* our end of the pipe */
} storm_server;

/* Starts a server on a listener that stays open. `log` is open for appending. `life`: how many were
 * started before, so that no text is published twice. */
storm_server storm_start(int listener, int log, unsigned life);

/* What the log has in place of a text. */
void storm_digest(const char *text, char *out, size_t size);

#endif
