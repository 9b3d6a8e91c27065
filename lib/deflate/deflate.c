/* SPDX-License-Identifier: MIT */
/*
 * deflate/deflate.c - options, new, free, the codec's hooks and statistics. See wspool/deflate.h.
 *
 * A companion: includes public headers of libwspool only. The files of lib/deflate, lowest first;
 * each includes files above it in this table only:
 *
 *     params.h     the negotiated parameters as two numbers: encoding and decoder
 *     memory.c     the host's memory hooks, for zlib too
 *     negotiate.c  accepts or declines an offer
 *     deflater.c   compresses: one stream for each encoding in use
 *     inflater.c   decompresses: one stream for each peer that needs one now
 *     deflate.c    the whole; its header is wspool/deflate.h
 */
#include <wspool/deflate.h>

#include <stdlib.h>
#include <string.h>

#include <wspool/versioned.h>

#include "deflate/deflater.h"
#include "deflate/inflater.h"
#include "deflate/memory.h"
#include "deflate/negotiate.h"
#include "deflate/params.h"

struct wspool_deflate {
    wspool_deflate_options options;
    struct wsp_deflate_memory memory;
    struct wsp_deflater deflater;
    struct wsp_inflaters inflaters;
};

/* ------------------------------------------------------------------ options */

static const wspool_deflate_options defaults = {
    .size = sizeof(wspool_deflate_options),
    .threshold = 256,
    .level = 6,
    .mem_level = 8,
    .server_window = 15,
    .client_window = 12,
};

void wspool_deflate_options_init_sized(wspool_deflate_options *options, size_t size)
{
    wspool_versioned_init(options, size, &defaults, sizeof defaults);
}

static int in_range(int number, int min, int max)
{
    return number >= min && number <= max;
}

static int is_valid(const wspool_deflate_options *o)
{
    int hooks = (o->mem.malloc != NULL) + (o->mem.realloc != NULL) + (o->mem.free != NULL);
    return in_range(o->level, 1, 9) && in_range(o->mem_level, 1, 9) &&
           in_range(o->server_window, WSP_DEFLATE_WINDOW_MIN, WSP_DEFLATE_WINDOW_MAX) &&
           in_range(o->client_window, WSP_DEFLATE_WINDOW_MIN, WSP_DEFLATE_WINDOW_MAX) &&
           (hooks == 0 || hooks == 3);
}

/* --------------------------------------------------------------- new, free */

static void *plain_malloc(size_t size, void *user)
{
    (void)user;
    return malloc(size);
}

static void plain_free(void *block, void *user)
{
    (void)user;
    free(block);
}

int wspool_deflate_new(wspool_deflate **out, const wspool_deflate_options *given)
{
    wspool_deflate_options options = defaults;
    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    if ((given && wspool_versioned_read(&options, sizeof options, given)) || !is_valid(&options)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!options.mem.malloc) {
        options.mem = (wspool_mem){plain_malloc, NULL, plain_free, NULL}; /* realloc is not used */
    }
    wspool_deflate *self = options.mem.malloc(sizeof *self, options.mem.user);
    if (!self) {
        return WSPOOL_ERR_NOMEM;
    }
    self->options = options;
    self->memory = (struct wsp_deflate_memory){.hooks = options.mem, .bytes = sizeof *self};
    wsp_deflater_init(&self->deflater, &self->options, &self->memory);
    wsp_inflaters_init(&self->inflaters, &self->options, &self->memory);
    *out = self;
    return 0;
}

void wspool_deflate_free(wspool_deflate *self)
{
    if (!self) {
        return;
    }
    wsp_deflater_fini(&self->deflater);
    wsp_inflaters_fini(&self->inflaters);
    wspool_mem mem = self->options.mem;
    mem.free(self, mem.user);
}

/* ------------------------------------------------------------------- hooks */

static int negotiate(const wspool_extension *offer, unsigned route_flags, wspool_negotiated *out,
                     void *user)
{
    const wspool_deflate *self = user;
    return wsp_deflate_negotiate(&self->options, offer, route_flags, out);
}

static const void *encode(unsigned encoding, const void *message, size_t len, size_t *encoded_len,
                          void *user)
{
    wspool_deflate *self = user;
    return wsp_deflater_encode(&self->deflater, encoding, message, len, encoded_len);
}

static enum wspool_decoded decode(unsigned decoder, void **state, wspool_decoding *piece,
                                  void *user)
{
    wspool_deflate *self = user;
    return wsp_inflaters_decode(&self->inflaters, decoder, state, piece);
}

static void reset(unsigned decoder, void **state, int final, void *user)
{
    wspool_deflate *self = user;
    wsp_inflaters_reset(&self->inflaters, decoder, state, final);
}

wspool_codec_hook wspool_deflate_codec(wspool_deflate *self)
{
    if (!self) {
        return (wspool_codec_hook){0};
    }
    return (wspool_codec_hook){negotiate, encode, decode, reset, self};
}

/* -------------------------------------------------------------- statistics */

int wspool_deflate_get_stats(const wspool_deflate *self, wspool_deflate_stats *out)
{
    if (!self || !out) {
        return WSPOOL_ERR_INVAL;
    }
    wspool_deflate_stats stats = {
        .deflated = self->deflater.messages,
        .deflated_in = self->deflater.bytes_in,
        .deflated_out = self->deflater.bytes_out,
        .passed = self->deflater.passed,
        .inflated = self->inflaters.messages,
        .inflated_in = self->inflaters.bytes_in,
        .inflated_out = self->inflaters.bytes_out,
        .inflating = self->inflaters.in_use,
        .memory = self->memory.bytes,
    };
    return wspool_versioned_write(out, &stats, sizeof stats);
}
