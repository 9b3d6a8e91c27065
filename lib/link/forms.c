/* SPDX-License-Identifier: MIT */
/* link/forms.c - see link/forms.h. */
#include "link/forms.h"

int wsp_form_encode(struct wsp_link *link, unsigned form, uint8_t opcode, const void *message,
                    size_t len, struct wsp_run *image)
{
    const wspool_codec_hook *hook = &link->config->codec;
    size_t coded_len = 0;
    int error;
    const void *coded = len > 0 ? hook->encode(form, message, len, &coded_len, hook->user) : NULL;
    if (!coded || coded_len >= len) { /* not shorter: the checks that were made for `len` would
                                         not hold */
        return 0;
    }
    uint32_t image_len = wsp_frame_head_len(coded_len) + (uint32_t)coded_len;
    wsp_blocks_swap(&link->blocks);
    uint8_t *room = wsp_blocks_room(&link->blocks, image_len, &error);
    if (room) {
        wsp_frame_write(room, opcode | WSP_RSV1, coded, coded_len);
        *image = wsp_blocks_commit(&link->blocks, image_len);
        wsp_count_add(&link->count->coded, 1);
        wsp_count_add(&link->count->coded_bytes, image_len);
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
    for (unsigned form = 0; images->made >> form != 0; form++) {
        if (images->made >> form & 1u) {
            wsp_block_release(images->runs[form].block);
        }
    }
}

const struct wsp_run *wsp_images_make(struct wsp_link *link, struct wsp_images *images,
                                      unsigned form)
{
    struct wsp_run *image = &images->runs[form];
    if (!wsp_form_encode(link, form, images->opcode, images->message, images->len, image)) {
        *image = images->runs[0];
    }
    wsp_block_hold(image->block);
    images->made |= 1u << form;
    return image;
}
