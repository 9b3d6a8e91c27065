/* SPDX-License-Identifier: MIT */
/*
 * deflate/inner.h - what the files of libwspool_deflate share. A companion: public headers only.
 *
 *     deflate.c    life, the hook, numbers
 *     agree.c      judges an offer; what forms and readings mean
 *     deflaters.c  compresses: one stream for each window size in use
 *     inflaters.c  decompresses: one stream for each peer that needs one now, and spares
 *     memory.c     every byte, zlib's included, comes from the options' hooks and is counted
 *
 * A form is 1 + (server's window bits - 9). A reading is made of the bits below.
 */
#ifndef WSP_DEFLATE_INNER_H
#define WSP_DEFLATE_INNER_H

#include <stddef.h>
#include <stdint.h>

#define ZLIB_CONST /* zlib doesn't write to its input, and says so then */
#include <zlib.h>

#include <wspool/deflate.h>

#define WSP_DEFLATE_WINDOW_LEAST 9
#define WSP_DEFLATE_WINDOW_MOST 15
#define WSP_DEFLATE_FORMS (WSP_DEFLATE_WINDOW_MOST - WSP_DEFLATE_WINDOW_LEAST + 1)

#define WSP_DEFLATE_TAKES_OVER 1u /* the client keeps its context from message to message */
#define WSP_DEFLATE_ITS_WINDOW 2u /* it didn't let us choose: its window may be the largest */

/* Every message in the sense of RFC 7692 ends with these, and is sent without them. */
#define WSP_DEFLATE_TAIL 4u
extern const uint8_t wsp_deflate_tail[WSP_DEFLATE_TAIL];

/* Inflaters at rest that wait for the next peer. */
#define WSP_DEFLATE_SPARES 4u
/* A buffer for compressed messages that is larger than this goes before the next message that
 * doesn't need it. */
#define WSP_DEFLATE_SCRATCH_KEPT ((size_t)64 * 1024)

/* Decodes the messages of a peer. Its `state`, or among the spares. */
struct wsp_deflate_inflater {
    z_stream z;
    struct wsp_deflate_inflater *next; /* of the spares */
    int window;                        /* bits */
    /* of the message under way */
    unsigned tail;   /* how much of the tail was fed */
    uint8_t begun;   /* it had input */
    uint8_t full;    /* its stream may hold output for which there was no room */
    uint8_t spilled; /* `spill` is output that found no room */
    uint8_t bad;     /* what comes behind `spill` can not be read */
    uint8_t spill;
    /* A block with BFINAL has ended the stream: what follows begins another. */
    uint8_t ended;
};

struct wspool_deflate {
    wspool_deflate_options options;
    wspool_deflate_stats stats;
    struct {
        z_stream z;
        int made;
    } deflaters[WSP_DEFLATE_FORMS];
    uint8_t *scratch; /* what `encode` gave; stays until its next call */
    size_t scratch_room;
    struct wsp_deflate_inflater *spares;
    unsigned spare_count;
};

/* ------------------------------------------------------------------ agree.c */

/* As wspool_codec_hook says, these and the next. */
int wsp_deflate_agree(const wspool_extension *offer, unsigned wishes, wspool_agreement *out,
                      void *user);

/* -------------------------------------------------------------- deflaters.c */

const void *wsp_deflate_encode(unsigned form, const void *message, size_t len, size_t *encoded_len,
                               void *user);
void wsp_deflate_end_deflaters(wspool_deflate *self);

/* -------------------------------------------------------------- inflaters.c */

enum wspool_decoded wsp_deflate_decode(unsigned reading, void **state, wspool_decoding *piece,
                                       void *user);
void wsp_deflate_rest(unsigned reading, void **state, int over, void *user);
void wsp_deflate_end_inflaters(wspool_deflate *self);

/* ----------------------------------------------------------------- memory.c */

void *wsp_deflate_alloc(wspool_deflate *self, size_t size);
void wsp_deflate_release(wspool_deflate *self, void *block); /* NULL is fine */
/* A stream of zlib that gets its memory here. */
z_stream wsp_deflate_stream(wspool_deflate *self);

#endif
