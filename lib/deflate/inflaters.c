/* SPDX-License-Identifier: MIT */
/*
 * deflate/inflaters.c - decompresses: one stream for each peer that needs one now, and spares.
 *
 * The end of a message. Its tail, 00 00 FF FF, wasn't sent (RFC 7692, 7.2.2); it is fed here
 * behind the last input, once all is written that follows from that. A complete message stands
 * between two blocks then, with no bit left over, and has got no longer by it: one that was cut
 * short in a block without compression would take the tail for text.
 * A block with BFINAL ends the stream, and what follows, the tail too, begins another, whose
 * window is empty. When such a block is the very end of the message no tail is wanted: as the tail
 * of nothing it would be no stream. For the same reason a message without any input is empty.
 *
 * Room. A stream that has filled the room may hold more, or not: zlib doesn't tell. It is then
 * given one byte of our own. If it writes there, the room was too small, and the byte goes first
 * into the next; if not, all is written, and a message may be as long as its room and no byte
 * longer.
 */
#include <limits.h>
#include <string.h>

#include "deflate/inner.h"

const uint8_t wsp_deflate_tail[WSP_DEFLATE_TAIL] = {0x00, 0x00, 0xff, 0xff};

/* zlib's data_type after inflate: between two blocks, and how many bits wait. */
#define BETWEEN_BLOCKS 128
#define BITS 63

/* ------------------------------------------------------------------ spares */

static struct wsp_deflate_inflater *make(wspool_deflate *self, int window)
{
    struct wsp_deflate_inflater *inflater = wsp_deflate_alloc(self, sizeof *inflater);
    if (!inflater) {
        return NULL;
    }
    *inflater = (struct wsp_deflate_inflater){.z = wsp_deflate_stream(self), .window = window};
    if (inflateInit2(&inflater->z, -window) != Z_OK) {
        wsp_deflate_release(self, inflater);
        return NULL;
    }
    return inflater;
}

static void end(wspool_deflate *self, struct wsp_deflate_inflater *inflater)
{
    inflateEnd(&inflater->z);
    wsp_deflate_release(self, inflater);
}

/* A spare with this window, whose memory is there already, or any, or a new one. */
static struct wsp_deflate_inflater *take(wspool_deflate *self, int window)
{
    struct wsp_deflate_inflater **place = &self->spares;
    while (*place && (*place)->window != window) {
        place = &(*place)->next;
    }
    place = *place ? place : &self->spares;
    struct wsp_deflate_inflater *inflater = *place;
    if (!inflater) {
        return make(self, window);
    }
    *place = inflater->next;
    self->spare_count--;
    if (inflater->window != window) {
        inflateReset2(&inflater->z, -window); /* gives the old window back */
        inflater->window = window;
    }
    return inflater;
}

static void begin_message(struct wsp_deflate_inflater *inflater)
{
    inflater->tail = 0;
    inflater->begun = inflater->full = inflater->spilled = inflater->bad = 0;
}

static void give(wspool_deflate *self, struct wsp_deflate_inflater *inflater)
{
    if (self->spare_count == WSP_DEFLATE_SPARES) {
        end(self, inflater);
        return;
    }
    inflateReset(&inflater->z);
    inflater->ended = 0;
    begin_message(inflater);
    inflater->next = self->spares;
    self->spares = inflater;
    self->spare_count++;
}

void wsp_deflate_end_inflaters(wspool_deflate *self)
{
    while (self->spares) {
        struct wsp_deflate_inflater *inflater = self->spares;
        self->spares = inflater->next;
        end(self, inflater);
    }
    self->spare_count = 0;
}

/* ----------------------------------------------------------------- messages */

static uInt at_most(size_t len)
{
    return len < UINT_MAX ? (uInt)len : UINT_MAX;
}

/* Shows the stream what is left of the piece, or of the tail when that is due. 0: nothing is. */
static int show_input(struct wsp_deflate_inflater *inflater, const wspool_decoding *piece)
{
    z_stream *z = &inflater->z;
    int complete = !inflater->begun || (inflater->ended && inflater->tail == 0);
    z->next_in = piece->in;
    z->avail_in = at_most(piece->in_len);
    if (piece->in_len == 0 && piece->last && !complete && !inflater->full) {
        z->next_in = wsp_deflate_tail + inflater->tail;
        z->avail_in = WSP_DEFLATE_TAIL - inflater->tail;
    }
    return z->avail_in > 0;
}

/* Shows it the room that is left, or our own byte. */
static void show_room(struct wsp_deflate_inflater *inflater, const wspool_decoding *piece)
{
    z_stream *z = &inflater->z;
    z->next_out = piece->out_len > 0 ? piece->out : &inflater->spill;
    z->avail_out = piece->out_len > 0 ? at_most(piece->out_len) : 1;
}

static void put(wspool_deflate *self, wspool_decoding *piece, size_t len)
{
    piece->out += len;
    piece->out_len -= len;
    self->stats.inflated_out += len;
}

/* Has the stream taken and written as much as it can; then its books are ours again. */
static int run(wspool_deflate *self, struct wsp_deflate_inflater *inflater, wspool_decoding *piece)
{
    z_stream *z = &inflater->z;
    uInt in = z->avail_in, out = z->avail_out;
    int result = inflate(z, Z_SYNC_FLUSH);
    in -= z->avail_in;
    out -= z->avail_out;
    inflater->ended = result == Z_STREAM_END;
    inflater->full = !inflater->ended && z->avail_out == 0;
    if (piece->in_len > 0) {
        piece->in += in;
        piece->in_len -= in;
        self->stats.inflated_in += in;
    } else {
        inflater->tail += in;
        result = in > 0 && out > 0 ? Z_DATA_ERROR : result;
    }
    if (piece->out_len > 0) {
        put(self, piece, out);
    } else {
        inflater->spilled = out > 0;
    }
    return result;
}

static int is_complete(const struct wsp_deflate_inflater *inflater)
{
    int type = inflater->z.data_type;
    return !inflater->begun || inflater->ended ||
           (inflater->tail == WSP_DEFLATE_TAIL && type & BETWEEN_BLOCKS && (type & BITS) == 0);
}

static enum wspool_decoded decode(wspool_deflate *self, struct wsp_deflate_inflater *inflater,
                                  wspool_decoding *piece)
{
    if (inflater->spilled && piece->out_len > 0) {
        *piece->out = inflater->spill;
        inflater->spilled = 0;
        put(self, piece, 1);
    }
    if (inflater->spilled) {
        return WSPOOL_DECODED_FULL;
    }
    if (inflater->bad) {
        return WSPOOL_DECODED_BAD;
    }
    while (show_input(inflater, piece) || inflater->full) {
        show_room(inflater, piece);
        if (inflater->ended) {
            inflateReset(&inflater->z);
        }
        switch (run(self, inflater, piece)) {
        case Z_OK:
        case Z_STREAM_END:
        case Z_BUF_ERROR: /* it had nothing more to write, which is what was asked */
            break;
        case Z_MEM_ERROR:
            return WSPOOL_DECODED_NOMEM;
        default:
            inflater->bad = 1; /* told behind what was written before it, however that was cut */
            if (!inflater->spilled) {
                return WSPOOL_DECODED_BAD;
            }
            break;
        }
        if (inflater->spilled) {
            return WSPOOL_DECODED_FULL;
        }
    }
    if (!piece->last) {
        return WSPOOL_DECODED_ALL;
    }
    if (!is_complete(inflater)) {
        return WSPOOL_DECODED_BAD;
    }
    self->stats.inflated++;
    return WSPOOL_DECODED_ALL;
}

enum wspool_decoded wsp_deflate_decode(unsigned reading, void **state, wspool_decoding *piece,
                                       void *user)
{
    wspool_deflate *self = user;
    if (!*state) {
        *state = take(self, reading & WSP_DEFLATE_ITS_WINDOW ? WSP_DEFLATE_WINDOW_MOST
                                                             : self->options.client_window);
        if (!*state) {
            return WSPOOL_DECODED_NOMEM;
        }
        self->stats.inflating++;
    }
    struct wsp_deflate_inflater *inflater = *state;
    inflater->begun |= piece->in_len > 0;
    return decode(self, inflater, piece);
}

void wsp_deflate_rest(unsigned reading, void **state, int over, void *user)
{
    wspool_deflate *self = user;
    if (!*state) {
        return;
    }
    if (!over && reading & WSP_DEFLATE_TAKES_OVER) {
        begin_message(*state);
        return;
    }
    give(self, *state);
    *state = NULL;
    self->stats.inflating--;
}
