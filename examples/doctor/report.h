/* SPDX-License-Identifier: MIT */
/* report.h - a verdict for each stage, and how they are printed. */
#ifndef DOCTOR_REPORT_H
#define DOCTOR_REPORT_H

#include <stddef.h>

/* The stages in their order. X(name, word) */
#define STAGES(X) \
    X(NAME, "name")               /* the host has addresses */ \
    X(TCP, "tcp")                 /* one of them takes connections */ \
    X(TLS, "tls")                 /* it shows a certificate of this host */ \
    X(HTTP, "http")               /* it answers a request for a WebSocket, correctly */ \
    X(VERSION, "version")         /* it speaks version 13, and refuses what it does not know */ \
    X(SUBPROTOCOL, "subprotocol") /* it chooses one that was offered, or none */ \
    X(EXTENSIONS, "extensions")   /* the same */ \
    X(ORIGIN, "origin")           /* pages of this origin may connect */ \
    X(TOKEN, "token")             /* the token is accepted, or none is needed */ \
    X(CAPACITY, "capacity")       /* there is room for one more */ \
    X(TIME, "time")               /* from the name to the 101 */ \
    X(PING, "ping")               /* a ping comes back, and the connection stays */ \
    X(IDLE, "idle")               /* the connection survives silence; only when asked for */ \
    X(CLOSE, "close")             /* a Close is answered */

/* Who can repair it. X(name, words) */
#define OWNERS(X) \
    X(NOBODY, "")                   /* all is well */ \
    X(NAME_SERVICE, "name service") /* DNS, or the hosts file */ \
    X(NETWORK, "network")           /* routes, firewalls, address translation */ \
    X(PROXY, "proxy")               /* the configuration of what is in between */ \
    X(SERVER, "server")             /* the WebSocket server, and who operates it */ \
    X(APPLICATION, "application")   /* what the server runs: its rules, its speed */ \
    X(CALLER, "caller")             /* the URL, the token or the origin given to us */

enum stage {
#define X(name, word) STAGE_##name,
    STAGES(X)
#undef X
        STAGE_COUNT
};

enum owner {
#define X(name, word) OWNER_##name,
    OWNERS(X)
#undef X
};

struct verdict {
    int judged;       /* 0: the diagnosis did not come to it */
    enum owner owner; /* NOBODY: the stage is well */
    char detail[320];
};

struct report {
    const char *url;
    int wants_idle; /* the stage `idle` was asked for */
    struct verdict verdicts[STAGE_COUNT];
};

/* Record a verdict. The first fault of a stage stands. Bytes outside visible ASCII become '?', since
 * the endpoint may have sent them. */
__attribute__((format(printf, 3, 4))) void report_good(struct report *report, enum stage stage,
                                                       const char *format, ...);
__attribute__((format(printf, 4, 5))) void report_fault(struct report *report, enum stage stage,
                                                        enum owner owner, const char *format, ...);
/* Adds to the detail of a verdict. */
__attribute__((format(printf, 3, 4))) void report_note(struct report *report, enum stage stage,
                                                       const char *format, ...);

/* Returns 1 if every stage was judged and is well. */
int report_ok(const struct report *report);

/* Print to stdout. Return 0, or -1: out of memory, or stdout cannot be written. */
int report_json(const struct report *report);
int report_table(const struct report *report);

#endif
