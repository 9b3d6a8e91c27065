/* SPDX-License-Identifier: MIT */
/* deflate/deflater.c - see deflate/deflater.h. */
#include "deflate/deflater.h"

#include <limits.h>

#define OUTPUT_MIN ((size_t)4 * 1024)

/* Returns the stream of an encoding, ready for a message; NULL without memory. */
static z_stream *stream_of(struct wsp_deflater *deflater, unsigned encoding)
{
    const wspool_deflate_options *options = deflater->options;
    z_stream *z = &deflater->streams[encoding - 1].z;
    if (deflater->streams[encoding - 1].ready) {
        return deflateReset(z) == Z_OK ? z : NULL;
    }
    *z = wsp_deflate_stream(deflater->memory);
    if (deflateInit2(z, options->level, Z_DEFLATED, -wsp_deflate_window_of_encoding(encoding),
                     options->mem_level, Z_DEFAULT_STRATEGY) != Z_OK) {
        return NULL; /* zlib has freed what it had allocated */
    }
    deflater->streams[encoding - 1].ready = 1;
    return z;
}

static void free_output(struct wsp_deflater *deflater)
{
    wsp_deflate_release(deflater->memory, deflater->output);
    deflater->output = NULL;
    deflater->output_size = 0;
}

/* Makes the output buffer at least `need` bytes long. Returns 0 without memory. */
static int reserve_output(struct wsp_deflater *deflater, size_t need)
{
    size_t size = OUTPUT_MIN;
    if (need <= deflater->output_size) {
        return 1;
    }
    free_output(deflater);
    while (size < need && size < WSP_DEFLATER_OUTPUT_KEPT) {
        size *= 2;
    }
    size = size < need ? need : size;
    deflater->output = wsp_deflate_alloc(deflater->memory, size);
    deflater->output_size = deflater->output ? size : 0;
    return deflater->output != NULL;
}

/* Compresses into the output buffer. Returns the length without the tail, or 0 if the message is to
 * be sent uncompressed. */
static size_t compress_message(struct wsp_deflater *deflater, unsigned encoding,
                               const void *message, size_t len)
{
    if (encoding < 1 || encoding > WSP_DEFLATE_ENCODINGS || len < deflater->options->threshold ||
        len > UINT_MAX - WSP_DEFLATE_TAIL || !reserve_output(deflater, len + WSP_DEFLATE_TAIL)) {
        return 0;
    }
    z_stream *z = stream_of(deflater, encoding);
    if (!z) {
        return 0;
    }
    z->next_in = message;
    z->avail_in = (uInt)len;
    z->next_out = deflater->output;
    z->avail_out = (uInt)(len + WSP_DEFLATE_TAIL);
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_out == 0) {
        return 0;
    }
    return len - z->avail_out;
}

void wsp_deflater_init(struct wsp_deflater *deflater, const wspool_deflate_options *options,
                       struct wsp_deflate_memory *memory)
{
    *deflater = (struct wsp_deflater){.options = options, .memory = memory};
}

void wsp_deflater_fini(struct wsp_deflater *deflater)
{
    for (unsigned i = 0; i < WSP_DEFLATE_ENCODINGS; i++) {
        if (deflater->streams[i].ready) {
            deflateEnd(&deflater->streams[i].z);
            deflater->streams[i].ready = 0;
        }
    }
    free_output(deflater);
}

const void *wsp_deflater_encode(struct wsp_deflater *deflater, unsigned encoding,
                                const void *message, size_t len, size_t *encoded_len)
{
    if (deflater->output_size > WSP_DEFLATER_OUTPUT_KEPT &&
        len <= WSP_DEFLATER_OUTPUT_KEPT - WSP_DEFLATE_TAIL) {
        free_output(deflater);
    }
    *encoded_len = compress_message(deflater, encoding, message, len);
    if (*encoded_len == 0) {
        deflater->passed++;
        return NULL;
    }
    deflater->messages++;
    deflater->bytes_in += len;
    deflater->bytes_out += *encoded_len;
    return deflater->output;
}
