/* SPDX-License-Identifier: MIT */
/* link/encodings.c - see link/encodings.h. */
#include "link/encodings.h"

int wsp_encoding_write(struct wsp_link *link, unsigned encoding, uint8_t opcode,
                       const void *message, size_t len, struct wsp_run *frame)
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
    uint32_t frame_len = wsp_frame_head_len(encoded_len) + (uint32_t)encoded_len;
    wsp_blocks_swap(&link->blocks);
    uint8_t *room = wsp_blocks_room(&link->blocks, frame_len, &error);
    if (room) {
        wsp_frame_write(room, opcode | WSP_RSV1, encoded, encoded_len);
        *frame = wsp_blocks_commit(&link->blocks, frame_len);
        wsp_count_add(&link->count->codec_encoded, 1);
        wsp_count_add(&link->count->codec_encoded_bytes, frame_len);
    }
    wsp_blocks_swap(&link->blocks);
    return room != NULL;
}

void wsp_encodings_init(struct wsp_encodings *encodings, const struct wsp_run *plain,
                        uint8_t opcode, const void *message, size_t len)
{
    encodings->message = message;
    encodings->len = len;
    encodings->opcode = opcode;
    encodings->made = 1;
    encodings->runs[0] = *plain;
    wsp_block_hold(plain->block);
}

void wsp_encodings_fini(struct wsp_encodings *encodings)
{
    for (unsigned encoding = 0; encodings->made >> encoding != 0; encoding++) {
        if (encodings->made >> encoding & 1u) {
            wsp_block_release(encodings->runs[encoding].block);
        }
    }
}

const struct wsp_run *wsp_encodings_make(struct wsp_link *link, struct wsp_encodings *encodings,
                                         unsigned encoding)
{
    struct wsp_run *frame = &encodings->runs[encoding];
    if (!wsp_encoding_write(link, encoding, encodings->opcode, encodings->message, encodings->len,
                            frame)) {
        *frame = encodings->runs[0];
    }
    wsp_block_hold(frame->block);
    encodings->made |= 1u << encoding;
    return frame;
}
