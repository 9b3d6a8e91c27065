/* SPDX-License-Identifier: MIT */
/*
 * sockets/waiting.h - connections of a proxy whose PROXY header has not come whole.
 *
 * The pool counts a client by its address from the beginning, so it gets a connection when the
 * address is known. Until then the connection has a place here: bounded in number, bytes and time.
 *
 * This module keeps the table. The owner of the loop watches the descriptors and closes them.
 */
#ifndef WSP_SOCKETS_WAITING_H
#define WSP_SOCKETS_WAITING_H

#include <wspool/wspool.h>

#include "sockets/proxy.h"

#define WSP_WAITING_PLACES 1024u
#define WSP_WAITING_ENDED (-2)               /* the client closed the connection, or it failed */
#define WSP_WAITING_ALL_DUE (UINT64_MAX - 1) /* as `now`: the time of every place is over */

typedef struct wsp_waiting_place {
    uint64_t until; /* UINT64_MAX: wsp_waiting_due has returned it */
    void *handle;   /* the handle of the owner's loop */
    uint64_t tag;   /* the index below 2^32, and above it a number of this use of the place */
    int fd;         /* -1: the place is free */
    uint16_t len;
    unsigned char bytes[WSP_PROXY_MAX]; /* the first `len` bytes of the connection */
} wsp_waiting_place;

/* All zero: no place is taken. */
typedef struct wsp_waiting {
    wsp_waiting_place *places; /* they may move when one is added */
    uint32_t room, count;
    uint32_t added;      /* how often a place was taken */
    uint64_t next;       /* no place is due before; undefined if count is 0 */
    uint64_t logged;     /* when the last refused header was logged */
    uint64_t suppressed; /* how many were not, since then */
} wsp_waiting;

/* Takes a place for an accepted connection. Returns NULL if all are taken, or without memory. */
wsp_waiting_place *wsp_waiting_add(wsp_waiting *all, int fd, uint64_t until);

/* Frees the place, and returns its descriptor, which the caller owns. */
int wsp_waiting_remove(wsp_waiting *all, wsp_waiting_place *place);

/* Returns the place with this tag, or NULL if the tag is stale. */
wsp_waiting_place *wsp_waiting_find(const wsp_waiting *all, uint64_t tag);

/* Reads what has come. Returns the length of the header when it is whole: what follows it in
 * `bytes` is the client's. 0: not yet. -1: it is malformed. WSP_WAITING_ENDED. */
int wsp_waiting_read(wsp_waiting_place *place, struct sockaddr_storage *from);

/* Returns a place whose time is over at `now`, or NULL, and does not return it again. Begin with
 * *at = 0. */
wsp_waiting_place *wsp_waiting_due(wsp_waiting *all, uint64_t now, uint32_t *at);

/* Logs that a header was refused: the pool does not know the connection. */
void wsp_waiting_log(wsp_waiting *all, wspool *pool, uint64_t now);

#endif
