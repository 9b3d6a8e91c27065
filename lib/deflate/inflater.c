/* SPDX-License-Identifier: MIT */
/*
 * deflate/inflater.c - see deflate/inflater.h.
 *
 * The end of a message. The sender removes the tail, 00 00 FF FF (RFC 7692, 7.2.1). It is fed to
 * zlib after the last input, when all output of that input has been written. A complete message is
 * then between two blocks with no bits left over, and the tail has added no output. A message that
 * was cut off inside an uncompressed block fails this test: it takes the tail for data.
 *
 * A block with BFINAL ends the stream. The input after it, the tail included, belongs to a new
 * stream with an empty window. If the message ends exactly with such a block the tail is not fed,
 * because the tail alone is not a stream. A message without any input is empty for the same reason.
 *
 * The end of the output. If zlib has filled the output it may hold more, and it does not say
 * whether it does. It is then called again with one byte of output, `extra`. If it writes that
 * byte, the output was too small: the result is FULL, and `extra` comes first in the next output.
 * If it does not, all is written. A message may thus be exactly as long as its buffer.
 */
#include "deflate/inflater.h"

#include <limits.h>

#include "deflate/params.h"

static const uint8_t tail[WSP_DEFLATE_TAIL] = {0x00, 0x00, 0xff, 0xff};

/* z_stream.data_type after inflate(): a flag, and the number of bits that are left over. */
#define BETWEEN_BLOCKS 128
#define LEFT_OVER_BITS 63

/* --------------------------------------------------------------- free list */

static struct wsp_inflater *create(struct wsp_inflaters *inflaters, int window)
{
    struct wsp_inflater *inflater = wsp_deflate_alloc(inflaters->memory, sizeof *inflater);
    if (!inflater) {
        return NULL;
    }
    *inflater = (struct wsp_inflater){.z = wsp_deflate_stream(inflaters->memory), .window = window};
    if (inflateInit2(&inflater->z, -window) != Z_OK) {
        wsp_deflate_release(inflaters->memory, inflater);
        return NULL;
    }
    return inflater;
}

static void destroy(struct wsp_inflaters *inflaters, struct wsp_inflater *inflater)
{
    inflateEnd(&inflater->z);
    wsp_deflate_release(inflaters->memory, inflater);
}

/* Takes a stream from the free list, preferably one that has a window of this size already, or
 * creates one. Returns NULL without memory. */
static struct wsp_inflater *acquire(struct wsp_inflaters *inflaters, int window)
{
    struct wsp_inflater **place = &inflaters->free_list;
    while (*place && (*place)->window != window) {
        place = &(*place)->next;
    }
    place = *place ? place : &inflaters->free_list;
    struct wsp_inflater *inflater = *place;
    if (!inflater) {
        return create(inflaters, window);
    }
    *place = inflater->next;
    inflaters->free_count--;
    if (inflater->window != window) {
        inflateReset2(&inflater->z, -window); /* frees the old window */
        inflater->window = window;
    }
    return inflater;
}

static void begin_message(struct wsp_inflater *inflater)
{
    inflater->tail_used = 0;
    inflater->has_input = inflater->output_full = inflater->has_extra = inflater->corrupt = 0;
}

/* Puts a stream on the free list, without anything of its peer, or destroys it if the list is
 * full. */
static void release(struct wsp_inflaters *inflaters, struct wsp_inflater *inflater)
{
    if (inflaters->free_count == WSP_INFLATERS_FREE_MAX) {
        destroy(inflaters, inflater);
        return;
    }
    inflateReset(&inflater->z);
    inflater->stream_ended = 0;
    begin_message(inflater);
    inflater->next = inflaters->free_list;
    inflaters->free_list = inflater;
    inflaters->free_count++;
}

void wsp_inflaters_init(struct wsp_inflaters *inflaters, const wspool_deflate_options *options,
                        struct wsp_deflate_memory *memory)
{
    *inflaters = (struct wsp_inflaters){.options = options, .memory = memory};
}

void wsp_inflaters_fini(struct wsp_inflaters *inflaters)
{
    while (inflaters->free_list) {
        struct wsp_inflater *inflater = inflaters->free_list;
        inflaters->free_list = inflater->next;
        destroy(inflaters, inflater);
    }
    inflaters->free_count = 0;
}

/* ----------------------------------------------------------------- messages */

static uInt clamp(size_t len)
{
    return len < UINT_MAX ? (uInt)len : UINT_MAX;
}

/* Gives zlib the rest of the piece, or of the tail if the piece was the last one and is consumed.
 * Returns 0 if there is no input. */
static int set_input(struct wsp_inflater *inflater, const wspool_decoding *piece)
{
    z_stream *z = &inflater->z;
    int complete = !inflater->has_input || (inflater->stream_ended && inflater->tail_used == 0);
    z->next_in = piece->in;
    z->avail_in = clamp(piece->in_len);
    if (piece->in_len == 0 && piece->last && !complete && !inflater->output_full) {
        z->next_in = tail + inflater->tail_used;
        z->avail_in = WSP_DEFLATE_TAIL - inflater->tail_used;
    }
    return z->avail_in > 0;
}

/* Gives zlib the rest of the output, or `extra` if the output is full. */
static void set_output(struct wsp_inflater *inflater, const wspool_decoding *piece)
{
    z_stream *z = &inflater->z;
    z->next_out = piece->out_len > 0 ? piece->out : &inflater->extra;
    z->avail_out = piece->out_len > 0 ? clamp(piece->out_len) : 1;
}

static void advance_output(struct wsp_inflaters *inflaters, wspool_decoding *piece, size_t len)
{
    piece->out += len;
    piece->out_len -= len;
    inflaters->bytes_out += len;
}

/* Calls inflate() once and accounts for what it has consumed and written. Returns its result, or
 * Z_DATA_ERROR if the tail has produced output. */
static int inflate_once(struct wsp_inflaters *inflaters, struct wsp_inflater *inflater,
                        wspool_decoding *piece)
{
    z_stream *z = &inflater->z;
    uInt in = z->avail_in, out = z->avail_out;
    int result = inflate(z, Z_SYNC_FLUSH);
    in -= z->avail_in;
    out -= z->avail_out;
    inflater->stream_ended = result == Z_STREAM_END;
    inflater->output_full = !inflater->stream_ended && z->avail_out == 0;
    if (piece->in_len > 0) {
        piece->in += in;
        piece->in_len -= in;
        inflaters->bytes_in += in;
    } else {
        inflater->tail_used += in;
        result = in > 0 && out > 0 ? Z_DATA_ERROR : result;
    }
    if (piece->out_len > 0) {
        advance_output(inflaters, piece, out);
    } else {
        inflater->has_extra = out > 0;
    }
    return result;
}

static int is_complete(const struct wsp_inflater *inflater)
{
    int type = inflater->z.data_type;
    return !inflater->has_input || inflater->stream_ended ||
           (inflater->tail_used == WSP_DEFLATE_TAIL && type & BETWEEN_BLOCKS &&
            (type & LEFT_OVER_BITS) == 0);
}

static enum wspool_decoded decode(struct wsp_inflaters *inflaters, struct wsp_inflater *inflater,
                                  wspool_decoding *piece)
{
    if (inflater->has_extra && piece->out_len > 0) {
        *piece->out = inflater->extra;
        inflater->has_extra = 0;
        advance_output(inflaters, piece, 1);
    }
    if (inflater->has_extra) {
        return WSPOOL_DECODED_FULL;
    }
    if (inflater->corrupt) {
        return WSPOOL_DECODED_BAD;
    }
    while (set_input(inflater, piece) || inflater->output_full) {
        set_output(inflater, piece);
        if (inflater->stream_ended) {
            inflateReset(&inflater->z);
        }
        switch (inflate_once(inflaters, inflater, piece)) {
        case Z_OK:
        case Z_STREAM_END:
        case Z_BUF_ERROR: /* zlib has nothing more to write */
            break;
        case Z_MEM_ERROR:
            return WSPOOL_DECODED_NOMEM;
        default:
            /* Reported after all output before it, so that the result does not depend on how the
             * message was split into pieces. */
            inflater->corrupt = 1;
            if (!inflater->has_extra) {
                return WSPOOL_DECODED_BAD;
            }
            break;
        }
        if (inflater->has_extra) {
            return WSPOOL_DECODED_FULL;
        }
    }
    if (!piece->last) {
        return WSPOOL_DECODED_ALL;
    }
    if (!is_complete(inflater)) {
        return WSPOOL_DECODED_BAD;
    }
    inflaters->messages++;
    return WSPOOL_DECODED_ALL;
}

enum wspool_decoded wsp_inflaters_decode(struct wsp_inflaters *inflaters, unsigned decoder,
                                         void **state, wspool_decoding *piece)
{
    if (!*state) {
        int window = decoder & WSP_DEFLATE_DECODER_ANY_WINDOW ? WSP_DEFLATE_WINDOW_MAX
                                                              : inflaters->options->client_window;
        *state = acquire(inflaters, window);
        if (!*state) {
            return WSPOOL_DECODED_NOMEM;
        }
        inflaters->in_use++;
    }
    struct wsp_inflater *inflater = *state;
    inflater->has_input |= piece->in_len > 0;
    return decode(inflaters, inflater, piece);
}

void wsp_inflaters_reset(struct wsp_inflaters *inflaters, unsigned decoder, void **state, int final)
{
    if (!*state) {
        return;
    }
    if (!final && decoder & WSP_DEFLATE_DECODER_TAKEOVER) {
        begin_message(*state);
        return;
    }
    release(inflaters, *state);
    *state = NULL;
    inflaters->in_use--;
}
