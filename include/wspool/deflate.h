/* SPDX-License-Identifier: MIT */
/*
 * wspool/deflate.h - libwspool_deflate: permessage-deflate (RFC 7692), on zlib.
 *
 * A companion library: it fills the codec hook of wspool_config. Link it with
 * `pkg-config --libs wspool_deflate`.
 *
 *     wspool_deflate *deflate;
 *     wspool_deflate_new(&deflate, NULL);
 *     config.codec = wspool_deflate_codec(deflate);   // before wspool_new
 *     ...
 *     wspool_free(pool);
 *     wspool_deflate_free(deflate);
 *
 * Every client that offers permessage-deflate then gets it, except on routes with
 * WSPOOL_DEFLATE_OFF. A broadcast is compressed once for all peers with the same window.
 *
 * Threads: one wspool_deflate serves one pool and is used on that pool's thread only.
 *
 * Negotiation (RFC 7692, 7.1)
 *
 *   server_no_context_takeover  Answered if it was offered, and kept in any case: a compressed
 *                               message is shared by all peers with the same window and may be
 *                               dropped from a queue, so it never refers to an earlier message.
 *   client_no_context_takeover  Always answered, except on a route with WSPOOL_DEFLATE_TAKEOVER
 *                               for a client that did not offer it. RFC 7692, 7.1.1.2 recommends
 *                               that clients support the unasked answer, and browsers do. Netty's
 *                               default handler fails the connection: give its clients a route with
 *                               WSPOOL_DEFLATE_TAKEOVER, or WSPOOL_DEFLATE_OFF.
 *   server_max_window_bits      The smaller one of the offer and `server_window`; answered if it
 *                               was offered or is below 15. An offer with 8 is declined: zlib has
 *                               no raw deflate with 8 bits.
 *   client_max_window_bits      If offered: the smaller one of the offer and `client_window`.
 *
 * An offer is declined, and the client's next offer considered, if it has an unknown parameter, a
 * parameter twice, or a value that is not a decimal number from 8 to 15 without sign and leading
 * zeros.
 *
 * Memory
 *
 *   each window in use  140 KB (9 bits) to 270 KB (15 bits), from the first compressed message to
 *                       wspool_deflate_free
 *   output buffer       the length of the longest message, kept up to 64 KiB; a larger buffer is
 *                       freed before the next message that needs at most 64 KiB
 *   idle peer           nothing; with WSPOOL_DEFLATE_TAKEOVER the same as a receiving peer
 *   receiving peer      7 KB and its window, while a compressed message is incomplete. The window
 *                       is 4 KB with the default `client_window`, and 32 KB for a client that did
 *                       not offer client_max_window_bits
 *   free list           up to four of a receiving peer's streams
 *
 * wspool_config.input_bytes counts the messages that are being received, not these streams. They
 * are bounded by the number of peers: 39 KB each, so 39 MB with 1,000 peers (max_peers) that all
 * send half a compressed message; with the default `client_window` 11 KB and 11 MB for clients that
 * offer client_max_window_bits. `memory` in the statistics counts them.
 *
 * Compressed messages of clients: a message must end as RFC 7692, 7.2.1 says; a message that is cut
 * off closes the peer with 1007. Two deviations are tolerated: a final block (BFINAL) without the
 * octet after it, and a payload of no bytes, which is an empty message.
 *
 * Messages to clients: some go uncompressed (below `threshold`, no gain, no memory), which RFC
 * 7692, section 6 permits. A client on libwebsockets 4.3 with permessage-deflate then loops for
 * ever (its issue 2794). Give such clients a route with WSPOOL_DEFLATE_OFF.
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
    uint32_t threshold; /* bytes: a shorter message is sent uncompressed. Default 256 */
    int level;          /* zlib's level, 1 (fast) to 9 (small). Default 6 */
    int mem_level;      /* zlib's memLevel, 1 to 9. Default 8 */
    int server_window;  /* bits: largest window of the server's messages, 9 to 15. Default 15 */
    int client_window;  /* bits: largest window of the client's messages, asked of clients that
                           offer client_max_window_bits, 9 to 15. Default 12 */
    wspool_mem mem;     /* all NULL (the default): malloc, realloc and free of the C library */
} wspool_deflate_options;

/* Writes the defaults. Any thread. Use the macro: `size` tells the library which version of the
 * struct the host was compiled with. */
void wspool_deflate_options_init_sized(wspool_deflate_options *options, size_t size);
#define wspool_deflate_options_init(options) \
    wspool_deflate_options_init_sized((options), sizeof(wspool_deflate_options))

/* Flags for wspool_route_options.codec. */

/* No compression on this route. */
#define WSPOOL_DEFLATE_OFF 1u
/* Clients on this route may keep their compression context from message to message. Their messages
 * become smaller, but each of these peers holds the memory of a receiving peer until it closes. */
#define WSPOOL_DEFLATE_TAKEOVER 2u

/* Creates a codec. `options` may be NULL for the defaults; they are copied. On error *deflate is
 * NULL.
 *   INVAL  a number is outside its range, one or two of the three memory hooks are missing,
 *          options->size is not set, or a member is set that this version of the library does not
 *          have. Correct the options.
 *   NOMEM  the allocator failed. Continue without compression, or try again. */
int wspool_deflate_new(wspool_deflate **deflate, const wspool_deflate_options *options);

/* Frees a codec. The pool that uses it must have been freed. NULL is allowed. */
void wspool_deflate_free(wspool_deflate *deflate);

/* Returns the hook for wspool_config.codec. It is valid until wspool_deflate_free. */
wspool_codec_hook wspool_deflate_codec(wspool_deflate *deflate);

/* Counts since wspool_deflate_new; `inflating` and `memory` are those of this moment. */
typedef struct wspool_deflate_stats {
    size_t size;           /* sizeof(wspool_deflate_stats), set by the caller */
    uint64_t deflated;     /* messages compressed; a broadcast counts once per window */
    uint64_t deflated_in;  /* bytes of these messages before compression */
    uint64_t deflated_out; /* bytes of these messages after compression */
    uint64_t passed;       /* messages sent uncompressed: short, no gain, or no memory */
    uint64_t inflated;     /* messages of clients decompressed */
    uint64_t inflated_in;  /* bytes received in compressed messages */
    uint64_t inflated_out; /* bytes of these messages after decompression */
    uint64_t inflating;    /* peers that hold a decompression stream */
    uint64_t memory;       /* bytes allocated by this codec and its zlib streams */
} wspool_deflate_stats;

/* Copies the statistics to *stats, as many members as stats->size has. Must be called on the pool's
 * thread.
 *   INVAL  stats->size is not set. Set it. */
int wspool_deflate_get_stats(const wspool_deflate *deflate, wspool_deflate_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
