/* SPDX-License-Identifier: MIT */
/*
 * deflate/side.h - both neighbours of libwspool_deflate: a client, made of zlib alone, and a
 * stand-in for the pool that calls the codec's hooks.
 */
#ifndef WSPOOL_TEST_DEFLATE_SIDE_H
#define WSPOOL_TEST_DEFLATE_SIDE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <wspool/wspool.h>
#include <wspool/deflate.h>

#include "../sim/sim.h"

/* A codec with its options, on a heap that counts allocations. */
typedef struct side {
    sim_heap heap;
    wspool_deflate_options options; /* change it before side_start */
    wspool_deflate *deflate;
    wspool_codec_hook hook;
    wspool_negotiated negotiated; /* result of the last side_offer */
} side;

void side_init(side *s);
void side_start(side *s);
/* Frees the codec. Fails if the heap is not empty afterwards. */
void side_stop(side *s);

/* Makes an offer such as "permessage-deflate; a; b=c", as the pool does. "a=-" stands for a value
 * of no bytes (a="" in a request). Returns 1 if it is accepted, 0 if it is declined. */
int side_offer(side *s, unsigned route_flags, const char *offer);
/* Makes an offer that must be accepted. Returns its decoder. */
unsigned side_decoder(side *s, unsigned route_flags, const char *offer);
wspool_deflate_stats side_stats(const side *s);
size_t side_live(side *s); /* bytes allocated */

/* ---------------------------------------------------------------- payloads */

typedef struct bytes {
    uint8_t *at;
    size_t len;
} bytes;

bytes bytes_of(const void *at,
               size_t len); /* a copy of exactly this size, so that sanitizers see its end */
bytes bytes_join(bytes a, bytes b); /* frees a and b */
void bytes_free(bytes *b);

/* Text with repetitions at short and long distances; or random bytes, which do not compress. */
bytes some_text(size_t len, uint64_t seed);
bytes some_noise(size_t len, uint64_t seed);

/* Returns the whole output of deflate() for the message with this flush. */
bytes zlib_deflate(z_stream *z, const void *message, size_t len, int flush);
/* Returns the payload of a message: compressed with Z_SYNC_FLUSH, without the tail. */
bytes payload_of(const void *message, size_t len, int window, int level);
/* Decompresses a payload with `step` bytes of output at a time, so that zlib has to use its window
 * rather than earlier output. `at` is NULL in the result if the payload is corrupt. */
bytes zlib_inflate(z_stream *z, bytes payload, size_t step);
/* Initialize a raw stream in place: zlib streams must not be moved. */
void zlib_inflater(z_stream *z, int window);
void zlib_deflater(z_stream *z, int window, int level);

/* ---------------------------------------------------------------- the pool */

/* How side_read splits a message: input pieces and output buffers of this many bytes; 0: not split.
 * With a seed, of 1 to this many bytes at random. */
typedef struct cut {
    size_t piece;
    size_t room;
    size_t most; /* like message_bytes: a longer message gives FULL. 0: 100000 */
    uint64_t seed;
    int tail_alone; /* the last piece has no input */
} cut;

/* Decodes one message and checks that the decode hook keeps its contract. `out` is the message, or
 * its part before the error. FULL: the message is longer than `most`. */
enum wspool_decoded side_read(side *s, unsigned decoder, void **state, bytes payload, cut how,
                              bytes *out);

#endif
