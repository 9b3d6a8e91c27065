/* SPDX-License-Identifier: MIT */
/*
 * sockets/linger.h - transports that the pool has closed, and whose clients still send.
 *
 * A socket that is closed while the other side still sends resets the connection. A reset throws
 * away what was written but has not arrived yet: our last answer. So a transport that the pool is
 * done with is shut down for writing only (the FIN follows all that was written), and what comes
 * is discarded until the client closes too. A client that does not within `until`, or sends more
 * than WSP_LINGER_BYTES, is closed all the same. At most WSP_LINGER_PLACES linger at a time; any
 * other transport is closed at once, after what has come already was read.
 *
 * This module keeps the table. The owner of the loop watches the descriptors and closes them.
 */
#ifndef WSP_SOCKETS_LINGER_H
#define WSP_SOCKETS_LINGER_H

#include <stddef.h>
#include <stdint.h>

#define WSP_LINGER_PLACES 64
#define WSP_LINGER_BYTES ((size_t)16 << 20)        /* more than both kernels hold of it */
#define WSP_LINGER_DISCARD_BYTES ((size_t)1 << 20) /* at once, where there is no lingering */
#define WSP_LINGER_ALL_DUE (UINT64_MAX - 1)        /* as `now`: everybody's time is over */

typedef struct wsp_linger_place {
    uint64_t until; /* 0: the place is free */
    uint64_t id;    /* of the peer that had this transport */
    size_t left;    /* bytes that may still come */
    int fd;
    void *handle; /* the owner's word */
} wsp_linger_place;

/* All zero: nobody lingers. */
typedef struct wsp_linger {
    uint32_t count;
    uint64_t next; /* no time is over before; meaningless when count is 0 */
    wsp_linger_place places[WSP_LINGER_PLACES];
} wsp_linger;

/* A place for a descriptor that was shut down for writing; NULL when all are taken. `until` is not
 * 0. */
wsp_linger_place *wsp_linger_add(wsp_linger *all, int fd, uint64_t id, uint64_t until);

/* The descriptor is closed, or about to be. */
void wsp_linger_remove(wsp_linger *all, wsp_linger_place *place);

/* The place with this id; NULL: there is none. */
wsp_linger_place *wsp_linger_find(wsp_linger *all, uint64_t id);

/* A place whose time is over by `now`; NULL: there is none. The caller removes it, or sets `until`
 * to UINT64_MAX: then it is not returned again. */
wsp_linger_place *wsp_linger_due(wsp_linger *all, uint64_t now);

/* Something came, or the end. Reads it into `buffer`; 1: there is nothing more to wait for. */
int wsp_linger_discard(wsp_linger_place *place, void *buffer, size_t size);

/* In place of lingering: reads what has come already. */
void wsp_linger_discard_all(int fd, void *buffer, size_t size);

#endif
