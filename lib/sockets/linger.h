/* SPDX-License-Identifier: MIT */
/*
 * sockets/linger.h - transports that the pool has closed, and whose clients still send.
 *
 * Closing a socket while the client still sends resets the connection. A reset discards what was
 * written but has not arrived yet: our last answer. So a transport that the pool is done with is
 * shut down for writing only (the FIN follows the written bytes), and input is discarded until the
 * client closes too. The transport is closed anyway at the time `until`, or when more than
 * WSP_LINGER_BYTES came. At most WSP_LINGER_PLACES linger at a time. Any other transport is closed
 * at once, after its present input was read.
 *
 * A connection on which nothing has come does not linger.
 *
 * A client that does not take what was written would leave it in the kernel for minutes, with no
 * descriptor that counts it. So a connection whose lingering is over is reset when some of its
 * output was not acknowledged. One that has no place is reset only beyond WSP_LINGER_UNSENT bytes:
 * an answer of the handshake is on its way then, and fits.
 *
 * This module keeps the table. The owner of the loop watches the descriptors and closes them.
 */
#ifndef WSP_SOCKETS_LINGER_H
#define WSP_SOCKETS_LINGER_H

#include <stddef.h>
#include <stdint.h>

#define WSP_LINGER_PLACES 64
#define WSP_LINGER_BYTES ((size_t)16 << 20)        /* more than both kernels hold of it */
#define WSP_LINGER_DISCARD_BYTES ((size_t)1 << 20) /* where a transport does not linger */
#define WSP_LINGER_UNSENT ((size_t)4096)           /* output that is left to the kernel then */
#define WSP_LINGER_DRAIN UINT64_C(1000000000)      /* nanoseconds */
#define WSP_LINGER_ALL_DUE (UINT64_MAX - 1)        /* as `now`: the time of every place is over */

typedef struct wsp_linger_place {
    uint64_t until; /* 0: the place is free */
    uint64_t id;    /* of the peer that had this transport */
    size_t left;    /* bytes that may still come */
    int fd;
    int unwatched; /* the client has ended its direction: only `until` is awaited */
    void *handle;  /* the handle of the owner's loop */
} wsp_linger_place;

/* All zero: no place is taken. */
typedef struct wsp_linger {
    uint32_t count;
    uint64_t next; /* no place is due before; undefined if count is 0 */
    wsp_linger_place places[WSP_LINGER_PLACES];
} wsp_linger;

/* Takes a place for a descriptor that was shut down for writing. Returns NULL if all are taken.
 * `until` must not be 0. */
wsp_linger_place *wsp_linger_add(wsp_linger *all, int fd, uint64_t id, uint64_t until);

/* Frees the place. The caller closes the descriptor. */
void wsp_linger_remove(wsp_linger *all, wsp_linger_place *place);

/* Returns the place with this id, or NULL. */
wsp_linger_place *wsp_linger_find(wsp_linger *all, uint64_t id);

/* Returns a place whose time is over at `now`, or NULL. The caller removes it, or sets `until` to
 * UINT64_MAX so that it is not returned again. */
wsp_linger_place *wsp_linger_due(wsp_linger *all, uint64_t now);

/* The descriptor is readable: reads it into `buffer`. Returns 1 if the transport has to be closed
 * now. */
int wsp_linger_discard(wsp_linger_place *place, void *buffer, size_t size);

/* How long a transport lingers: in a drain 1 s at most. */
static inline uint64_t wsp_linger_time(uint64_t linger, int draining)
{
    return draining && linger > WSP_LINGER_DRAIN ? WSP_LINGER_DRAIN : linger;
}
/* No transport lingers longer than `until`. */
void wsp_linger_shorten(wsp_linger *all, uint64_t until);

/* Returns 1 if the kernel holds more than `allowed` bytes of a connection's output, which the
 * client has not acknowledged but still may; else 0. A FIN is one byte of it. */
int wsp_linger_holds(int fd, size_t allowed);

/* Discards the input that is there. For a transport that does not linger. */
void wsp_linger_discard_all(int fd, void *buffer, size_t size);

#endif
