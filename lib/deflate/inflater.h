/* SPDX-License-Identifier: MIT */
/*
 * deflate/inflater.h - decompresses the messages of peers: one zlib stream for each peer that needs
 * one now, and a free list of streams for the next peer.
 *
 * A peer needs a stream while one of its compressed messages is incomplete; with context takeover,
 * from its first compressed message until it is closed.
 */
#ifndef WSP_DEFLATE_INFLATER_H
#define WSP_DEFLATE_INFLATER_H

#include <wspool/deflate.h>

#include "deflate/memory.h"

/* Streams kept on the free list. */
#define WSP_INFLATERS_FREE_MAX 4u

/* The stream of one peer: `*state` of the codec's hooks, or on the free list. */
struct wsp_inflater {
    z_stream z;
    struct wsp_inflater *next; /* on the free list */
    int window;                /* bits */
    uint8_t stream_ended;      /* by a block with BFINAL: more input begins another stream */
    /* of the current message */
    uint8_t has_input;   /* the message is not empty */
    uint8_t output_full; /* zlib has filled the output and may hold more */
    uint8_t has_extra;   /* `extra` is the next byte of output; there was no room for it */
    uint8_t corrupt;     /* the input after `extra` is corrupt */
    uint8_t extra;
    unsigned tail_used; /* bytes of the tail that zlib has consumed */
};

struct wsp_inflaters {
    const wspool_deflate_options *options;
    struct wsp_deflate_memory *memory;
    struct wsp_inflater *free_list;
    unsigned free_count;
    uint64_t messages, bytes_in, bytes_out; /* decompressed so far */
    uint64_t in_use;                        /* streams that peers hold now */
};

/* Allocates nothing. `options` and `memory` must outlive it. */
void wsp_inflaters_init(struct wsp_inflaters *inflaters, const wspool_deflate_options *options,
                        struct wsp_deflate_memory *memory);
/* Frees the free list. No peer may hold a stream. */
void wsp_inflaters_fini(struct wsp_inflaters *inflaters);

/* Decompresses a piece of a message, as wspool/codec.h says. */
enum wspool_decoded wsp_inflaters_decode(struct wsp_inflaters *inflaters, unsigned decoder,
                                         void **state, wspool_decoding *piece);

/* A message has ended, or with `final` the peer. The peer's stream goes to the free list, unless
 * the peer takes its context over to the next message. */
void wsp_inflaters_reset(struct wsp_inflaters *inflaters, unsigned decoder, void **state,
                         int final);

#endif
