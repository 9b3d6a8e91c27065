/* SPDX-License-Identifier: MIT */
/*
 * wire/decoder.c - see wire/decoder.h.
 *
 * Measured: a new context for each frame adds 69 ns, hence the free list.
 */
#include "wire/decoder.h"

#include <string.h>

#include <wslay/wslay.h>

#include "wire/mask.h"

/* A frame that is split over several reads keeps its context. More than a few of these at a time
 * are rare. */
#define KEEP 16u

/* Writes the header as wslay must see it: as it came, or as if it had never been masked. Byte by
 * byte, as wslay reads it: a larger copy would wait for these stores (7 ns). */
static size_t show_head(const struct wsp_decoder *decoder, uint8_t *buf)
{
    size_t n = wsp_frame_write_head(buf, decoder->first, decoder->missing);
    if (decoder->decoders->wslay_unmasks) {
        buf[1] |= 0x80u;
        memcpy(buf + n, decoder->key, 4);
        n += 4;
    }
    return n;
}

static ssize_t decoder_recv(uint8_t *buf, size_t len, int flags, void *user)
{
    struct wsp_decoder *decoder = user;
    size_t head = 0;
    (void)flags;
    if (decoder->begins) {
        /* wslay offers 4 KiB: a header always fits, mostly with all of its payload. When the
         * payload does not fit, all of the room is better used for payload. */
        head = show_head(decoder, buf);
        decoder->begins = 0;
        if (decoder->missing > len - head) {
            return (ssize_t)head;
        }
    }
    size_t n = wsp_decoder_ahead(decoder, decoder->len);
    n = n < len ? n : len;
    if (n == 0) {
        return head > 0 ? (ssize_t)head : -1;
    }
    if (decoder->decoders->wslay_unmasks) {
        memcpy(buf + head, decoder->src, n);
    } else if (decoder->into) {
        wsp_mask_copy(decoder->into, decoder->src, n, decoder->key);
    } else {
        wsp_mask_copy(buf + head, decoder->src, n, decoder->key);
    }
    decoder->src += n;
    decoder->len -= n;
    decoder->missing -= n;
    if (decoder->missing > 0) {
        wsp_mask_turn(decoder->key, n);
    }
    return (ssize_t)(head + n);
}

void wsp_decoders_init(struct wsp_decoders *decoders, const wspool_mem *mem)
{
    *decoders = (struct wsp_decoders){.mem = mem};
    wsp_freelist_init(&decoders->free_list, sizeof(struct wsp_decoder), KEEP);
}

void wsp_decoders_fini(struct wsp_decoders *decoders)
{
    struct wsp_decoder *decoder;
    while ((decoder = wsp_freelist_pop(&decoders->free_list)) != NULL) {
        wsp_decoder_discard(decoders, decoder);
    }
}

static struct wsp_decoder *new_decoder(struct wsp_decoders *decoders)
{
    struct wslay_frame_callbacks callbacks = {.recv_callback = decoder_recv};
    struct wsp_decoder *decoder = wsp_calloc(decoders->mem, 1, sizeof *decoder);
    if (!decoder) {
        return NULL;
    }
    decoder->decoders = decoders;
    if (wslay_frame_context_init(&decoder->context, &callbacks, decoder) != 0) {
        wsp_free(decoders->mem, decoder);
        return NULL;
    }
    return decoder;
}

struct wsp_decoder *wsp_decoder_borrow(struct wsp_decoders *decoders, const struct wsp_frame *frame)
{
    struct wsp_decoder *decoder = wsp_freelist_pop(&decoders->free_list);
    if (!decoder && (decoder = new_decoder(decoders)) == NULL) {
        return NULL;
    }
    decoder->missing = frame->length;
    memcpy(decoder->key, frame->key, 4);
    decoder->first = (uint8_t)(frame->fin << 7 | frame->rsv << 4 | frame->opcode);
    decoder->begins = 1;
    return decoder;
}

void wsp_decoder_return(struct wsp_decoders *decoders, struct wsp_decoder *decoder)
{
    if (wsp_freelist_is_full(&decoders->free_list)) {
        wsp_decoder_discard(decoders, decoder);
    } else {
        wsp_freelist_push(&decoders->free_list, &decoder->item);
    }
}

void wsp_decoder_discard(struct wsp_decoders *decoders, struct wsp_decoder *decoder)
{
    wslay_frame_context_free(decoder->context);
    wsp_free(decoders->mem, decoder);
}

int wsp_decoder_pull(struct wsp_decoder *decoder, const uint8_t **src, size_t *len, uint8_t *into,
                     const uint8_t **chunk, size_t *chunk_len)
{
    struct wslay_frame_iocb iocb;
    decoder->src = *src;
    decoder->len = *len;
    decoder->into = into;
    ssize_t n = wslay_frame_recv(decoder->context, &iocb);
    *src = decoder->src;
    *len = decoder->len;
    if (n == WSLAY_ERR_WANT_READ) {
        return 0;
    }
    if (n < 0) {
        return -1;
    }
    *chunk = iocb.data;
    *chunk_len = iocb.data_length;
    if (into) {
        if (decoder->decoders->wslay_unmasks) {
            memcpy(into, iocb.data, iocb.data_length);
        }
        *chunk = into;
    }
    return 1;
}

int wsp_decoders_check(const struct wsp_decoders *decoders)
{
    if (!wsp_freelist_check(&decoders->free_list)) {
        return 0;
    }
    for (const struct wsp_free_item *item = decoders->free_list.first; item; item = item->next) {
        const struct wsp_decoder *decoder = (const void *)item;
        if (decoder->decoders != decoders || !decoder->context || decoder->missing != 0 ||
            decoder->begins) {
            return 0;
        }
    }
    return 1;
}
