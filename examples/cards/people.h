/* SPDX-License-Identifier: MIT */
/*
 * people.h - who has the board open, on a keyed channel of its own: a key for each person, removed
 * when the last of their sockets is closed.
 *
 * A person is a client instance: a page that reconnects stays the same person, and has the name of
 * its newest token. The instance itself is not published, because who knows it could use it.
 */
#ifndef CARDS_PEOPLE_H
#define CARDS_PEOPLE_H

#include <wspool/wspool.h>

#define PEOPLE_MAX 1000 /* further ones are not shown */

struct app;

struct person {
    unsigned sockets; /* 0: nobody is here */
    char instance[WSPOOL_CLIENT_MAX];
    size_t instance_len;
};

struct people {
    struct person list[PEOPLE_MAX]; /* the index is the key */
};

/* A peer of the board has opened, or has ended. Other peers may be passed to people_left, too. */
void people_joined(struct app *app, wspool_id id, wspool_text instance);
void people_left(struct app *app, wspool_id id);

#endif
