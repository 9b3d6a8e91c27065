/* SPDX-License-Identifier: MIT */
/*
 * doors.h - the board's messages for clients that cannot use WebSocket: long polls, and Server-Sent
 * Events.
 *
 * Both read the history of the board's channel behind the client's position. When there is nothing,
 * the request waits: libmicrohttpd suspends its connection, and wspool_wait resumes it.
 */
#ifndef CARDS_DOORS_H
#define CARDS_DOORS_H

#include <wspool/wspool.h>

struct app;
struct MHD_Connection;

/* What a request of one of the doors remembers; all zero at first. */
struct door {
    wspool_waiter waiter;
    struct app *app;
    struct MHD_Connection *http;
    struct door *next, **link;  /* of those that wait; link: NULL when it does not */
    wspool_channel_position at; /* the client has everything up to here */
    int may_wait;               /* 0: its connection has to end */
    int begun;                  /* `at` is set */
    enum { NEW, WOKEN, TIME_IS_UP } woken;
    char *text; /* the event that is being written; NULL: none */
    size_t len, written;
};

/* The request has ended. */
void door_completed(struct door *door);
/* Ends all waits: the server stops. */
void doors_end(struct app *app);

#endif
