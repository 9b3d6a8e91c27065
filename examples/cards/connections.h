/* SPDX-License-Identifier: MIT */
/*
 * connections.h - how many HTTP connections there may be, and for how long.
 *
 * Connections are kept in the order in which they last had an answer; before that, in the order in
 * which they came. When there are too many, the first in this order gives way: it has waited
 * longest for its next request, or for the rest of one. So connections that send half a request
 * cannot shut out a client that sends a whole one. An address that has its share gives way to
 * itself. After REQUEST_TIME without an answer a connection is cut off, even if a byte comes now
 * and then, unless its request waits for messages.
 */
#ifndef CARDS_CONNECTIONS_H
#define CARDS_CONNECTIONS_H

#include <microhttpd.h>
#include <stdint.h>

struct connection {
    struct connection *before, *behind; /* NULL: not in the list */
    uint64_t since;                     /* when it came, or had its last answer */
    uint64_t address;                   /* hash of its client */
    int fd;
    void (*give_up)(void *user); /* it waits; NULL: it does not */
    void *user;
};

struct connections {
    struct connection ends;    /* ends.behind is the first, ends.before the last */
    unsigned count, most;      /* those in the list, and their limit */
    unsigned most_per_address; /* 0: no limit */
};

void connections_init(struct connections *connections, unsigned most, unsigned most_per_address);

/* For MHD_OPTION_NOTIFY_CONNECTION; `cls` is the struct connections. */
void connections_notify(void *cls, struct MHD_Connection *http, void **context,
                        enum MHD_ConnectionNotificationCode what);

/* A request has its answer: the connection goes to the end of the list. */
void connections_answered(struct connections *connections, struct MHD_Connection *http);
/* Its request waits for something: it is never late, and `give_up` is called when it has to give
 * way. Until it has its answer. Returns 0 if it was cut off already: it must not wait; else 1. */
int connections_wait(struct connections *connections, struct MHD_Connection *http,
                     void (*give_up)(void *user), void *user);
/* Its socket is about to become a peer's: it is never cut off from here. */
void connections_leave(struct connections *connections, struct MHD_Connection *http);

/* Cuts off those whose time is over. */
void connections_tick(struct connections *connections, uint64_t now);
/* Returns when that is necessary next; UINT64_MAX: never. */
uint64_t connections_deadline(const struct connections *connections);

#endif
