/* SPDX-License-Identifier: MIT */
/* link/encodings.c - see link/encodings.h. */
#include "link/encodings.h"

#include "base/bits.h"

int wsp_encoding_write(struct wsp_link *link, unsigned encoding, const struct wsp_message *message,
                       struct wsp_run *frame)
{
    const wspool_codec_hook *hook = &link->config->codec;
    const size_t len = message->len;
    size_t encoded_len = 0;
    int error;
    const void *encoded =
        len > 0 ? hook->encode(encoding, message->data, len, &encoded_len, hook->user) : NULL;
    if (!encoded || encoded_len >= len) { /* not shorter: the checks that were made for `len` would
                                         not hold */
        return 0;
    }
    uint32_t frame_len = wsp_frame_head_len(encoded_len) + (uint32_t)encoded_len;
    wsp_blocks_swap(&link->blocks);
    uint8_t *room = wsp_blocks_room(&link->blocks, frame_len, &error);
    if (room) {
        wsp_frame_write(room, message->opcode | WSP_RSV1, encoded, encoded_len);
        *frame = wsp_blocks_commit(&link->blocks, frame_len);
        wsp_count_add(&link->count->codec_encoded, 1);
        wsp_count_add(&link->count->codec_encoded_bytes, frame_len);
    }
    wsp_blocks_swap(&link->blocks);
    return room != NULL;
}

void wsp_encodings_init(struct wsp_encodings *encodings, const struct wsp_run *plain,
                        const struct wsp_message *message)
{
    encodings->rendered = 0;
    encodings->made = 0;
    wsp_encodings_add(encodings, 0, plain, message);
}

void wsp_encodings_add(struct wsp_encodings *encodings, unsigned contract,
                       const struct wsp_run *plain, const struct wsp_message *message)
{
    encodings->messages[contract] = *message;
    encodings->rendered |= 1u << contract;
    encodings->runs[contract * WSP_ENCODINGS] = *plain;
    encodings->made |= UINT64_C(1) << contract * WSP_ENCODINGS;
    wsp_block_hold(plain->block);
}

void wsp_encodings_fini(struct wsp_encodings *encodings)
{
    for (uint64_t made = encodings->made; made != 0; made &= made - 1) {
        wsp_block_release(encodings->runs[wsp_lowest_bit(made)].block);
    }
}

const struct wsp_run *wsp_encodings_make(struct wsp_link *link, struct wsp_encodings *encodings,
                                         unsigned variant)
{
    unsigned contract = variant / WSP_ENCODINGS, encoding = variant % WSP_ENCODINGS;
    struct wsp_run *frame = &encodings->runs[variant];
    const struct wsp_run *plain = &encodings->runs[contract * WSP_ENCODINGS];
    if (!(encodings->rendered >> contract & 1u)) { /* it is the same for all */
        *frame = *wsp_encodings_of(link, encodings, encoding);
    } else if (!wsp_encoding_write(link, encoding, &encodings->messages[contract], frame)) {
        *frame = *plain;
    }
    wsp_block_hold(frame->block);
    encodings->made |= UINT64_C(1) << variant;
    return frame;
}
