/* SPDX-License-Identifier: MIT */
/* deflate/deflate.c - life, the hook, numbers. See wspool/deflate.h. */
#include <stdlib.h>
#include <string.h>

#include <wspool/error.h>

#include "deflate/inner.h"

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

#define OPTIONS_MOST 4096u /* no header of ours will have larger ones */

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
    if (!options || size < sizeof options->size) {
        return;
    }
    memset(options, 0, size);
    memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
    options->size = size;
}

/* Of any size: what an older host doesn't know keeps its default, what a newer one knows beyond us
 * must be zero. */
static int copy_options(wspool_deflate_options *options, const wspool_deflate_options *given)
{
    if (!given) {
        return 0;
    }
    if (given->size < sizeof given->size || given->size > OPTIONS_MOST) {
        return WSPOOL_ERR_INVAL;
    }
    for (size_t i = sizeof *options; i < given->size; i++) {
        if (((const unsigned char *)given)[i] != 0) {
            return WSPOOL_ERR_INVAL;
        }
    }
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    return 0;
}

static int in_range(int number, int least, int most)
{
    return number >= least && number <= most;
}

static int is_valid(const wspool_deflate_options *o)
{
    int hooks = (o->mem.malloc != NULL) + (o->mem.realloc != NULL) + (o->mem.free != NULL);
    return in_range(o->level, 1, 9) && in_range(o->mem_level, 1, 9) &&
           in_range(o->server_window, WSP_DEFLATE_WINDOW_LEAST, WSP_DEFLATE_WINDOW_MOST) &&
           in_range(o->client_window, WSP_DEFLATE_WINDOW_LEAST, WSP_DEFLATE_WINDOW_MOST) &&
           (hooks == 0 || hooks == 3);
}

int wspool_deflate_new(wspool_deflate **out, const wspool_deflate_options *given)
{
    wspool_deflate_options options = defaults;
    if (!out) {
        return WSPOOL_ERR_INVAL;
    }
    *out = NULL;
    if (copy_options(&options, given) || !is_valid(&options)) {
        return WSPOOL_ERR_INVAL;
    }
    if (!options.mem.malloc) {
        options.mem = (wspool_mem){plain_malloc, NULL, plain_free, NULL}; /* zlib resizes nothing */
    }
    wspool_deflate *self = options.mem.malloc(sizeof *self, options.mem.user);
    if (!self) {
        return WSPOOL_ERR_NOMEM;
    }
    *self = (wspool_deflate){.options = options, .stats.memory = sizeof *self};
    *out = self;
    return 0;
}

void wspool_deflate_free(wspool_deflate *self)
{
    if (!self) {
        return;
    }
    wsp_deflate_end_deflaters(self);
    wsp_deflate_end_inflaters(self);
    wspool_mem mem = self->options.mem;
    mem.free(self, mem.user);
}

wspool_codec_hook wspool_deflate_codec(wspool_deflate *self)
{
    if (!self) {
        return (wspool_codec_hook){0};
    }
    return (wspool_codec_hook){wsp_deflate_agree, wsp_deflate_encode, wsp_deflate_decode,
                               wsp_deflate_rest, self};
}

int wspool_deflate_get_stats(const wspool_deflate *self, wspool_deflate_stats *out)
{
    if (!self || !out || out->size < sizeof out->size) {
        return WSPOOL_ERR_INVAL;
    }
    wspool_deflate_stats stats = self->stats;
    size_t size = out->size < sizeof stats ? out->size : sizeof stats;
    stats.size = out->size;
    memcpy(out, &stats, size);
    return 0;
}
