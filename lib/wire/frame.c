/* SPDX-License-Identifier: MIT */
/* wire/frame.c - see wire/frame.h. */
#include "wire/frame.h"

#include <string.h>

#include "wire/mask.h"

/* Returns the header length, which the second byte determines. */
static size_t head_len(const uint8_t *head)
{
    unsigned short_length = head[1] & 0x7fu;
    size_t extended = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
    return 2 + extended + ((head[1] & 0x80u) ? 4 : 0);
}

static uint64_t big_endian(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Checks the first two bytes. A client's frame is masked, a server's is not (5.1). Only RSV1 can have a meaning,
 * and only in the first frame of a message (RFC 7692, section 6). Control frames are short and
 * not fragmented (5.5). */
static int start_is_lawful(const uint8_t *head, unsigned mask, unsigned negotiated)
{
    unsigned opcode = head[0] & 0x0fu;
    unsigned short_length = head[1] & 0x7fu;
    unsigned reserved = head[0] & 0x70u;
    if (reserved == WSP_RSV1 && negotiated != 0 && (opcode == WSP_TEXT || opcode == WSP_BINARY)) {
        reserved = 0;
    }
    if (reserved != 0 || (head[1] & 0x80u) != mask) {
        return 0;
    }
    if (wsp_opcode_is_control(opcode)) {
        return opcode <= WSP_PONG && (head[0] & 0x80u) != 0 && short_length <= WSP_CONTROL_MAX;
    }
    return opcode <= WSP_BINARY;
}

/* A length has its shortest form, and the top bit of the 64-bit form is 0 (5.2). */
static int length_is_lawful(const uint8_t *head, uint64_t length)
{
    switch (head[1] & 0x7fu) {
    case 126:
        return length >= 126;
    case 127:
        return length >= 65536 && (length >> 63) == 0;
    default:
        return 1;
    }
}

static enum wsp_frame_parsed judge(const uint8_t *head, size_t total, unsigned mask,
                                   unsigned negotiated, struct wsp_frame *frame)
{
    frame->fin = head[0] >> 7;
    frame->rsv = head[0] >> 4 & 7u;
    frame->opcode = head[0] & 0x0fu;
    frame->masked = head[1] >> 7;
    frame->length = head[1] & 0x7fu;
    memset(frame->key, 0, sizeof frame->key);
    if (frame->masked) {
        total -= 4;
        memcpy(frame->key, head + total, 4);
    }
    if (total > 2) {
        frame->length = big_endian(head + 2, total - 2);
    }
    return start_is_lawful(head, mask, negotiated) && length_is_lawful(head, frame->length)
               ? WSP_PARSED_HEAD
               : WSP_PARSED_BAD;
}

enum wsp_frame_parsed wsp_frame_parser_feed(struct wsp_frame_parser *parser, unsigned mask,
                                            const uint8_t **bytes, size_t *len,
                                            struct wsp_frame *frame)
{
    size_t total;
    /* Nearly always the whole header is there: check it in place. */
    if (parser->have == 0 && *len >= 2 && *len >= (total = head_len(*bytes))) {
        const uint8_t *head = *bytes;
        *bytes += total;
        *len -= total;
        return judge(head, total, mask, parser->negotiated, frame);
    }
    while (*len > 0) {
        parser->bytes[parser->have++] = *(*bytes)++;
        --*len;
        if (parser->have < 2) {
            continue;
        }
        if (parser->have == head_len(parser->bytes)) {
            total = parser->have;
            parser->have = 0;
            return judge(parser->bytes, total, mask, parser->negotiated, frame);
        }
        if (parser->have == 2 && !start_is_lawful(parser->bytes, mask, parser->negotiated)) {
            /* Refuse now. The two bytes stay: a caller that discards what follows feeds the rest
             * of this header here too, and stays in step with the peer's frames. */
            *frame = (struct wsp_frame){.opcode = parser->bytes[0] & 0x0fu};
            return WSP_PARSED_BAD;
        }
    }
    return WSP_PARSED_MORE;
}

uint32_t wsp_frame_encoded_len(const uint8_t *frame)
{
    size_t head = head_len(frame);
    uint64_t length = head == 2 ? frame[1] & 0x7fu : big_endian(frame + 2, head - 2);
    return (uint32_t)(head + length);
}

void wsp_frame_write(uint8_t *out, unsigned first, const void *payload, size_t len)
{
    out += wsp_frame_write_head(out, WSP_FIN | first, len);
    if (len > 0) {
        memcpy(out, payload, len);
    }
}

void wsp_frame_write_masked(uint8_t *out, unsigned first, const uint8_t key[4], const void *payload,
                            size_t len)
{
    uint32_t head = wsp_frame_write_head(out, WSP_FIN | first, len);
    out[1] |= WSP_MASKED;
    memcpy(out + head, key, 4);
    if (len > 0) {
        wsp_mask_copy(out + head + 4, payload, len, key);
    }
}

int wsp_frame_parser_check(const struct wsp_frame_parser *parser)
{
    return parser->have < 2 ||
           (parser->have < WSP_HEAD_MAX && parser->have < head_len(parser->bytes));
}
