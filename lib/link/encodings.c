/* SPDX-License-Identifier: MIT */
/* link/encodings.c - see link/encodings.h. */
#include "link/encodings.h"

int wsp_encoding_write(struct wsp_link *link, unsigned encoding, uint8_t opcode,
                       const void *message, size_t len, struct wsp_run *image)
{
    const wspool_codec_hook *hook = &link->config->codec;
    size_t encoded_len = 0;
    int error;
    const void *encoded =
        len > 0 ? hook->encode(encoding, message, len, &encoded_len, hook->user) : NULL;
    if (!encoded || encoded_len >= len) { /* not shorter: the checks that were made for `len` would
                                         not hold */
        return 0;
    }
    uint32_t image_len = wsp_frame_head_len(encoded_len) + (uint32_t)encoded_len;
    wsp_blocks_swap(&link->blocks);
    uint8_t *room = wsp_blocks_room(&link->blocks, image_len, &error);
    if (room) {
        wsp_frame_write(room, opcode | WSP_RSV1, encoded, encoded_len);
        *image = wsp_blocks_commit(&link->blocks, image_len);
        wsp_count_add(&link->count->codec_encoded, 1);
        wsp_count_add(&link->count->codec_encoded_bytes, image_len);
    }
    wsp_blocks_swap(&link->blocks);
    return room != NULL;
}

void wsp_images_init(struct wsp_images *images, const struct wsp_run *plain, uint8_t opcode,
                     const void *message, size_t len)
{
    images->message = message;
    images->len = len;
    images->opcode = opcode;
    images->made = 1;
    images->runs[0] = *plain;
    wsp_block_hold(plain->block);
}

void wsp_images_fini(struct wsp_images *images)
{
    for (unsigned encoding = 0; images->made >> encoding != 0; encoding++) {
        if (images->made >> encoding & 1u) {
            wsp_block_release(images->runs[encoding].block);
        }
    }
}

const struct wsp_run *wsp_images_make(struct wsp_link *link, struct wsp_images *images,
                                      unsigned encoding)
{
    struct wsp_run *image = &images->runs[encoding];
    if (!wsp_encoding_write(link, encoding, images->opcode, images->message, images->len, image)) {
        *image = images->runs[0];
    }
    wsp_block_hold(image->block);
    images->made |= 1u << encoding;
    return image;
}
