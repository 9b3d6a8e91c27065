/* SPDX-License-Identifier: MIT */
/*
 * wspool/deflate.h - libwspool_deflate: permessage-deflate (RFC 7692), by zlib.
 *
 *     wspool_deflate *deflate;
 *     wspool_deflate_new(&deflate, NULL);
 *     config.codec = wspool_deflate_codec(deflate);   // before wspool_new
 *     ...
 *     wspool_free(pool);
 *     wspool_deflate_free(deflate);
 *
 * From then on whoever offers permessage-deflate gets it, on every route that doesn't say
 * otherwise. A broadcast is compressed once for all peers with the same window, whatever their
 * number. One wspool_deflate serves one pool, on that pool's thread.
 *
 * What is agreed to
 *   server_no_context_takeover  always: a compressed message is shared by all who get it, and may
 *                               be dropped from a queue, so none leans on the one before
 *   client_no_context_takeover  always, unless the route says WSPOOL_DEFLATE_TAKEOVER and the
 *                               client didn't offer it
 *   server_max_window_bits      9 to 15 as offered, or our own where that is less. 8 is declined,
 *                               for zlib has no raw deflate with such a window
 *   client_max_window_bits      when it was offered: the lesser of the client's and ours
 * An offer with an unknown parameter, one that is there twice, or a number in any form but
 * 8 ... 15 without sign or leading zero is declined, and the client's next one is looked at.
 *
 * What it costs: some 270 KB for each window size that clients have agreed to (140 KB for the
 * smallest), from the first message to wspool_deflate_free; a buffer of the size of a message, up
 * to 64 KiB, or more until the next message that needs less. A peer holds nothing while idle, and
 * 7 KB plus its window (4 KB; 32 KB when the client didn't let us choose) while a compressed
 * message of its own is under way; four such are kept for the next. With TAKEOVER it holds them
 * always.
 *
 * What is read: a message must end where RFC 7692 wants it to, so one that was cut short is bad.
 * Forgiven are a final block without the octet behind it, and a payload of no bytes, which is
 * taken for an empty message.
 */
#ifndef WSPOOL_DEFLATE_H
#define WSPOOL_DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/codec.h>
#include <wspool/config.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct wspool_deflate wspool_deflate;

typedef struct wspool_deflate_options {
    size_t size;        /* sizeof(wspool_deflate_options) */
    uint32_t threshold; /* bytes; shorter messages go uncompressed: 256 */
    int level;          /* zlib's, 1 (fast) to 9 (small): 6 */
    int mem_level;      /* zlib's, 1 to 9: 8 */
    int server_window;  /* at most so many bits for what we send, 9 to 15: 15 */
    int client_window;  /* what we ask of clients that let us choose, 9 to 15: 12 */
    wspool_mem mem;     /* all NULL: malloc, realloc, free */
} wspool_deflate_options;

/* Any thread. Writes the defaults; use it as wspool_deflate_options_init(&options). */
void wspool_deflate_options_init_sized(wspool_deflate_options *options, size_t size);
#define wspool_deflate_options_init(options)                                                       \
    wspool_deflate_options_init_sized((options), sizeof(wspool_deflate_options))

/* What a route may wish (wspool_route_options, codec). */
#define WSPOOL_DEFLATE_OFF 1u /* no compression on this route */
#define WSPOOL_DEFLATE_TAKEOVER                                                                    \
    2u /* clients may keep their context from message to message: what
                                      they send gets smaller, and each of them holds memory here */

/* `options` may be NULL for the defaults. INVAL: a number outside its range, half a set of memory
 * hooks. NOMEM. On error *deflate is NULL. */
int wspool_deflate_new(wspool_deflate **deflate, const wspool_deflate_options *options);
/* After the pool was freed. NULL is fine. */
void wspool_deflate_free(wspool_deflate *deflate);

/* The hook for wspool_config. */
wspool_codec_hook wspool_deflate_codec(wspool_deflate *deflate);

/* What it has done so far, and holds now. On the pool's thread. */
typedef struct wspool_deflate_stats {
    size_t size;          /* sizeof(wspool_deflate_stats), set by the caller */
    uint64_t deflated;    /* messages compressed: a broadcast counts once for each window size */
    uint64_t deflated_in; /* their bytes */
    uint64_t deflated_out;
    uint64_t passed;   /* messages left as they were: too short, no gain, no memory */
    uint64_t inflated; /* messages of peers */
    uint64_t inflated_in;
    uint64_t inflated_out;
    uint64_t inflating; /* peers that hold an inflater now */
    uint64_t memory;    /* bytes that all of this holds now */
} wspool_deflate_stats;

/* WSPOOL_ERR_INVAL when size is smaller than a size_t. */
int wspool_deflate_get_stats(const wspool_deflate *deflate, wspool_deflate_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
