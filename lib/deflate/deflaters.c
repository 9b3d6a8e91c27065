/* SPDX-License-Identifier: MIT */
/*
 * deflate/deflaters.c - compresses: one stream for each window size in use. See wspool/deflate.h.
 *
 * A stream is made when the first message of its form comes, and stays: to make one costs more
 * than to compress a message. It is reset before each message, so none leans on another.
 *
 * zlib is given room for so many bytes as the message has, and the tail. When it fills them all,
 * there is nothing to gain, and it is stopped there.
 */
#include <limits.h>

#include "deflate/inner.h"

#define SCRATCH_LEAST ((size_t)4 * 1024)

static z_stream *deflater(wspool_deflate *self, unsigned form)
{
    const wspool_deflate_options *options = &self->options;
    z_stream *z = &self->deflaters[form - 1].z;
    if (self->deflaters[form - 1].made) {
        return deflateReset(z) == Z_OK ? z : NULL;
    }
    *z = wsp_deflate_stream(self);
    if (deflateInit2(z, options->level, Z_DEFLATED, -((int)form - 1 + WSP_DEFLATE_WINDOW_LEAST),
                     options->mem_level, Z_DEFAULT_STRATEGY) != Z_OK) {
        return NULL; /* zlib has freed what it had got */
    }
    self->deflaters[form - 1].made = 1;
    return z;
}

static void drop_scratch(wspool_deflate *self)
{
    wsp_deflate_release(self, self->scratch);
    self->scratch = NULL;
    self->scratch_room = 0;
}

static int make_scratch(wspool_deflate *self, size_t need)
{
    size_t room = SCRATCH_LEAST;
    if (need <= self->scratch_room) {
        return 1;
    }
    drop_scratch(self);
    while (room < need && room < WSP_DEFLATE_SCRATCH_KEPT) {
        room *= 2;
    }
    room = room < need ? need : room;
    self->scratch = wsp_deflate_alloc(self, room);
    self->scratch_room = self->scratch ? room : 0;
    return self->scratch != NULL;
}

/* Into the scratch buffer; 0 when it had better go as it is. */
static size_t compress_message(wspool_deflate *self, unsigned form, const void *message, size_t len)
{
    if (form < 1 || form > WSP_DEFLATE_FORMS || len < self->options.threshold ||
        len > UINT_MAX - WSP_DEFLATE_TAIL || !make_scratch(self, len + WSP_DEFLATE_TAIL)) {
        return 0;
    }
    z_stream *z = deflater(self, form);
    if (!z) {
        return 0;
    }
    z->next_in = message;
    z->avail_in = (uInt)len;
    z->next_out = self->scratch;
    z->avail_out = (uInt)(len + WSP_DEFLATE_TAIL);
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_out == 0) {
        return 0;
    }
    return len - z->avail_out;
}

const void *wsp_deflate_encode(unsigned form, const void *message, size_t len, size_t *encoded_len,
                               void *user)
{
    wspool_deflate *self = user;
    if (self->scratch_room > WSP_DEFLATE_SCRATCH_KEPT &&
        len <= WSP_DEFLATE_SCRATCH_KEPT - WSP_DEFLATE_TAIL) {
        drop_scratch(self);
    }
    *encoded_len = compress_message(self, form, message, len);
    if (*encoded_len == 0) {
        self->stats.passed++;
        return NULL;
    }
    self->stats.deflated++;
    self->stats.deflated_in += len;
    self->stats.deflated_out += *encoded_len;
    return self->scratch;
}

void wsp_deflate_end_deflaters(wspool_deflate *self)
{
    for (unsigned i = 0; i < WSP_DEFLATE_FORMS; i++) {
        if (self->deflaters[i].made) {
            deflateEnd(&self->deflaters[i].z);
            self->deflaters[i].made = 0;
        }
    }
    drop_scratch(self);
}
