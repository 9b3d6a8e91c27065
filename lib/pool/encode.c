/* SPDX-License-Identifier: MIT */
/* pool/encode.c - see pool/encode.h. */
#include "pool/encode.h"

#include "pool/shed.h"

/* Reserves room for an encoded frame, and sheds peers if necessary. Returns 0, FULL, TOO_BIG or
 * NOMEM. */
static int make_room(wspool *pool, uint32_t frame_len, uint8_t **room)
{
    int error;
    if (wsp_block_memory(frame_len) > pool->config.pool_bytes) {
        return WSPOOL_ERR_TOO_BIG;
    }
    while ((*room = wsp_blocks_room(&pool->link.blocks, frame_len, &error)) == NULL) {
        if (error != WSPOOL_ERR_FULL) {
            return WSPOOL_ERR_NOMEM;
        }
        if (wsp_shed(pool, frame_len) == 0) {
            wsp_count_add(&pool->count.budget_refused, 1);
            return WSPOOL_ERR_FULL;
        }
    }
    return 0;
}

int wsp_encode(wspool *pool, const struct wsp_rendering *rendering, struct wsp_run *frame)
{
    const struct wsp_message *message = &rendering->message;
    uint8_t *room;
    int error = make_room(pool, rendering->frame_len, &room);
    if (!error) {
        wsp_frame_write(room, message->opcode, message->data, message->len);
        *frame = wsp_blocks_commit(&pool->link.blocks, rendering->frame_len);
        wsp_encode_count(pool, rendering->frame_len);
    }
    return error;
}

/* The frames go to the block of compressed ones, so that the frames of one queue stay adjacent. */
int wsp_encode_others(wspool *pool, const struct wsp_rendering *list,
                      struct wsp_encodings *encodings)
{
    int error = 0;
    wsp_blocks_swap(&pool->link.blocks);
    for (uint32_t i = 1; !error && i < pool->contracts.count; i++) {
        struct wsp_run frame;
        if (pool->contracts.in_use >> i & 1u) {
            error = wsp_encode(pool, &list[i], &frame);
            if (!error) {
                wsp_encodings_add(encodings, i, &frame, &list[i].message);
            }
        }
    }
    wsp_blocks_swap(&pool->link.blocks);
    return error;
}
