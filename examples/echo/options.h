/* SPDX-License-Identifier: MIT */
/* options.h - the command line of examples/echo. */
#ifndef ECHO_OPTIONS_H
#define ECHO_OPTIONS_H

enum io { IO_EPOLL, IO_URING, IO_AUTO };

struct options {
    const char *host;
    unsigned port;
    unsigned message_bytes;
    unsigned connections;
    unsigned per_address; /* connections of one client address; 0: any number */
    unsigned flush_delay; /* microseconds */
    int deflate;          /* 1: negotiate permessage-deflate */
    enum io io;           /* what moves the bytes; AUTO: io_uring, or epoll if there is none */
    int report;           /* 1: print at the end how much one turn of the loop did */
};

/* Raises the limit of open descriptors to the highest allowed value: the default number of
 * connections follows from it. Ends the program after --help (status 0), or with a message when an
 * option is wrong (status 2). */
struct options options_from(int argc, char **argv);

/* Prints "echo: WHAT: WHY" and ends the program. */
_Noreturn void fail(int status, const char *what, const char *why);

#endif
