/* SPDX-License-Identifier: MIT */
/* options.h - the command line of examples/load. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

struct options {
    const char *url;
    const char *token; /* NULL: none */
    unsigned connections;
    unsigned seconds;
    int json;
};

/* Ends the program after --help (status 0), or with a message when an option is wrong (status 2). */
struct options options_from(int argc, char **argv);

/* Prints "load: WHAT: WHY" and ends the program. */
_Noreturn void fail(int status, const char *what, const char *why);

#endif
