/* SPDX-License-Identifier: MIT */
/*
 * app.h - what the parts of the cards server share.
 *
 *   main.c     wiring, the loop, the end
 *   options.c  the command line and the environment
 *   http.c     the HTTP server that was there before: libmicrohttpd, one request at a time
 *   glue.c     hosted mode: how a request of that server becomes a peer of the pool
 *   peers.c    the sockets: who may come in, what may be said there
 *   api.c      the endpoints: their table, and what is checked before one is asked
 *   board.c    the endpoints of the cards; each change is published
 *   cards.c    the cards themselves
 *   runs.c     runs of cards, and their progress
 *   tokens.c   random tokens, kept until they expire
 *   pages.c    the files of the board
 *   stats.c    the pool's numbers as JSON
 *
 * One thread does all of it, and there is one struct app: nothing needs a lock.
 */
#ifndef CARDS_APP_H
#define CARDS_APP_H

#include <microhttpd.h>
#include <wspool/adapters/epoll.h>
#include <wspool/json.h>

#include "cards.h"
#include "tokens.h"

/* The channel of the board: everybody who looks at it is a member. */
#define BOARD wspool_global("cards")

struct app {
    wspool_epoll loop; /* the peers and their pool */
    wspool_json *json;
    struct MHD_Daemon *http;
    struct cards cards;
    struct tokens *tokens; /* NULL: everybody may come in */
    int demo;              /* tokens are handed out */
    int loopback;          /* only this machine reaches us */
    int draining;
    int web;              /* the directory of the pages; -1: there is none */
    uint32_t descriptors; /* peers that leave enough of them for HTTP */
};

#endif
