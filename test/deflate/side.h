/* SPDX-License-Identifier: MIT */
/*
 * deflate/side.h - the other side of libwspool_deflate, which is zlib alone: raw streams in both
 * directions, payloads as RFC 7692 cuts them, and what stands in for the pool.
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

/* What libwspool_deflate works with, over a heap that counts. */
typedef struct side {
    sim_heap heap;
    wspool_deflate_options options; /* change it before side_start */
    wspool_deflate *deflate;
    wspool_codec_hook hook;
    wspool_agreement agreed; /* the last */
} side;

void side_init(side *s);
void side_start(side *s);
/* Frees it; the heap must be empty then. */
void side_stop(side *s);

/* Offers "permessage-deflate; a; b=c" as a pool does: quotes around values are taken off. A value
 * that is written as =- comes as a value without bytes. 1: agreed. */
int side_offer(side *s, unsigned wishes, const char *offer);
/* The same for one that must be agreed to: how its client's messages are to be read. */
unsigned side_reading(side *s, unsigned wishes, const char *offer);
wspool_deflate_stats side_stats(const side *s);
size_t side_live(side *s); /* bytes of the heap */

/* ---------------------------------------------------------------- payloads */

typedef struct bytes {
    uint8_t *at;
    size_t len;
} bytes;

bytes bytes_of(const void *at, size_t len); /* a copy of exactly this size */
bytes bytes_join(bytes a, bytes b);         /* frees both */
void bytes_free(bytes *b);

/* Text with repetitions near and far, or bytes that can't be compressed. */
bytes some_text(size_t len, uint64_t seed);
bytes some_noise(size_t len, uint64_t seed);

/* All that the stream gives for the message and this flush. */
bytes zlib_deflate(z_stream *z, const void *message, size_t len, int flush);
/* The payload of a message: flushed with Z_SYNC_FLUSH, without the tail. */
bytes payload_of(const void *message, size_t len, int window, int level);
/* What the stream makes of it, `step` bytes of output at a time, so that zlib looks at its window
 * and not into the output. NULL in `at`: corrupt. */
bytes zlib_inflate(z_stream *z, bytes payload, size_t step);
/* zlib's streams must stay where they were made. */
void zlib_inflater(z_stream *z, int window);
void zlib_deflater(z_stream *z, int window, int level);

/* ---------------------------------------------------------------- the pool */

/* How a message is handed over: pieces and rooms of so many bytes; 0: all in one. With a seed,
 * of 1 to so many bytes. */
typedef struct cut {
    size_t piece;
    size_t room;
    size_t most; /* as message_bytes: longer ones are FULL. 0: 100000 */
    uint64_t seed;
    int tail_alone; /* the last piece is an empty one */
} cut;

/* Decodes one message. Checks that the hook keeps to its contract. `out` is the message, or what
 * came before it went wrong; FULL: it needs more than `most`. */
enum wspool_decoded side_read(side *s, unsigned reading, void **state, bytes payload, cut how,
                              bytes *out);

#endif
