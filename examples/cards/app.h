/* SPDX-License-Identifier: MIT */
/*
 * app.h - what the parts of the cards server share.
 *
 *   main.c         start, the loop, the end
 *   options.c      the command line and the environment
 *   http.c         the existing HTTP server: libmicrohttpd
 *   connections.c  how many HTTP connections there may be, and for how long
 *   hosts.c        which Host names are ours
 *   glue.c         hosted mode: turns a request of that server into a peer of the pool
 *   peers.c        the sockets: their paths, who may connect, which messages are allowed
 *   api.c          the endpoints: their table, and the checks before an endpoint is called
 *   board.c        the endpoints of the cards; each change is published
 *   doors.c        long polls and Server-Sent Events, for clients without WebSocket
 *   cards.c        the cards themselves
 *   runs.c         runs of cards, and their progress
 *   people.c       who has the board open
 *   tokens.c       signed tokens, and how often a client may ask for one
 *   pages.c        the files of the web page
 *   store.c        the database: cards, and what the channels keep
 *   stats.c        the pool's statistics, as JSON and for Prometheus
 *   diagnosis.c    what is wrong now, and whether the server is healthy
 *   text.h         a text that grows
 *
 * There is one thread and one struct app, so nothing needs a lock.
 */
#ifndef CARDS_APP_H
#define CARDS_APP_H

#include <microhttpd.h>
#include <wspool/adapters/epoll.h>
#include <wspool/capacity.h>
#include <wspool/json.h>

#include "cards.h"
#include "connections.h"
#include "diagnosis.h"
#include "people.h"
#include "store.h"
#include "tokens.h"

/* The channel of the board: every open page is a member. */
#define BOARD wspool_global("cards")

/* Keyed channels, for all pages: the newest message of each key is what is so now. They are not
 * stored: after a restart nobody is here, and each run says at its next step where it is. */
#define PEOPLE wspool_topic("people")
#define RUNS wspool_topic("runs")

struct app {
    wspool_sockets *sockets; /* of the peers */
    wspool *pool;            /* theirs */
    wspool_json *json;
    wspool_capacity *capacity; /* refuses peers while the machine is short of something */
    struct MHD_Daemon *http;
    int http_again;                 /* it must run again without waiting: see glue.h */
    struct connections connections; /* of http */
    struct door *doors;             /* requests that wait for a message */
    uint64_t poll_time;             /* how long they wait */
    struct cards cards;
    struct people people;
    struct store *store;   /* NULL: everything is lost with the process */
    struct tokens *tokens; /* NULL: no token is needed */
    int demo;              /* POST /api/token gives out tokens */
    int loopback;          /* only this machine can connect */
    int draining;
    struct past past;     /* of the pool's statistics */
    int web;              /* directory of the page; -1: none */
    uint32_t descriptors; /* limit of peers' descriptors */
    uint32_t per_address; /* limit of connections, and of peers, of one address; 0: none */
};

#endif
