/* SPDX-License-Identifier: MIT */
/* options.h - the command line of examples/doctor. */
#ifndef DOCTOR_OPTIONS_H
#define DOCTOR_OPTIONS_H

struct options {
    const char *url;
    const char *token;       /* NULL: none */
    const char *origin;      /* of the pages that connect. NULL: that of the endpoint itself */
    const char *subprotocol; /* that must be chosen. NULL: any, or none */
    unsigned idle;           /* seconds of silence; 0: not tried */
    int json;
};

/* Ends the program after --help (status 0), or with a message when an option is wrong (status 2). */
struct options options_from(int argc, char **argv);

/* Prints "doctor: WHAT: WHY" and ends the program. */
_Noreturn void fail(int status, const char *what, const char *why);

#endif
