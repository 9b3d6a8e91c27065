/* SPDX-License-Identifier: MIT */
/*
 * wire/frame.h - heads of frames (RFC 6455, section 5.2), and the gate that judges them.  Floor 1.
 *
 * Our own are written here; a server's frame is a head of 2, 4 or 10 bytes and its payload as it
 * is. Those of peers are judged here and read by wire/decoder.h.
 *
 * wslay shows a head only with its first payload byte and lets reserved bits and opcodes pass, so
 * each head is judged here first, before anything is borrowed for it; one that comes in pieces is
 * gathered in 15 bytes of the peer's own record. What is bad in the first two bytes is refused with
 * the second.
 *
 * Invariants:
 * - a gate never holds a whole head: what it has is less than the head's own length.
 */
#ifndef WSP_WIRE_FRAME_H
#define WSP_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum wsp_opcode {
    WSP_CONTINUATION = 0,
    WSP_TEXT = 1,
    WSP_BINARY = 2,
    WSP_CLOSE = 8,
    WSP_PING = 9,
    WSP_PONG = 10
};

#define WSP_FIN 0x80u    /* in a frame's first byte: it is the last of its message */
#define WSP_RSV1 0x40u   /* in a frame's first byte: the message is in another form (7692, 6) */
#define WSP_HEAD_MAX 14u /* of a masked frame */
#define WSP_CONTROL_MAX 125u

struct wsp_frame {
    uint64_t length; /* of the payload */
    uint8_t key[4];  /* masking key; all zero when the frame isn't masked */
    uint8_t opcode;
    uint8_t fin;
    uint8_t rsv; /* the three bits, RSV1 highest */
    uint8_t masked;
};

struct wsp_gate {
    uint8_t bytes[WSP_HEAD_MAX];
    uint8_t have;   /* how many of them; 0 between frames */
    uint8_t coding; /* the form that a codec and this peer have agreed upon: see link/forms.h. 0:
                       none, so RSV1 is unlawful */
};

/* What the gate answers. */
enum wsp_gate_answer {
    WSP_GATE_MORE, /* all input was taken, the head is not complete */
    WSP_GATE_HEAD, /* *frame is complete and lawful */
    WSP_GATE_BAD   /* *frame breaks the protocol: close with 1002. Its length still tells how many
                      bytes follow; when it was refused with the second byte that is 0, and the
                      gate takes in the rest of the head next */
};

/* Takes bytes of one head from the input, which is moved on. */
enum wsp_gate_answer wsp_gate_feed(struct wsp_gate *gate, const uint8_t **bytes, size_t *len,
                                   struct wsp_frame *frame);
/* Does the input begin with all of an unfragmented text or binary message in its plain form, of
 * less than 64 KiB? That is nearly the only thing that peers send. Answers the length of its head,
 * or 0 when it is something else or not lawful: which of them, the gate says. Nothing is taken.
 *
 * There are no more than 131 072 such heads, keys apart. A test shows each of them to the gate and
 * to wslay, so that neither need be asked about one of them again. */
static inline size_t wsp_frame_is_whole(const uint8_t *bytes, size_t len, struct wsp_frame *frame)
{
    if (len < 6 || (bytes[0] != (WSP_FIN | WSP_TEXT) && bytes[0] != (WSP_FIN | WSP_BINARY))) {
        return 0;
    }
    size_t head = 6, length = bytes[1] ^ 0x80u; /* 128 or more: not masked */
    if (length == 126) {
        length = (size_t)bytes[2] << 8 | bytes[3];
        head = length < 126 ? SIZE_MAX : 8; /* not the shortest form: more than there can be */
    } else if (length > 126) {
        return 0;
    }
    if (head > len || length > len - head) {
        return 0;
    }
    frame->length = length;
    memcpy(frame->key, bytes + head - 4, 4);
    frame->opcode = bytes[0] & 0x0fu;
    frame->fin = 1;
    frame->rsv = 0;
    frame->masked = 1;
    return head;
}
/* Do the invariants hold? 1 or 0. */
int wsp_gate_check(const struct wsp_gate *gate);

static inline int wsp_opcode_is_control(unsigned opcode)
{
    return (opcode & 8u) != 0;
}

/* Length of the head of an unmasked frame with that payload. */
static inline uint32_t wsp_frame_head_len(uint64_t length)
{
    return length < 126 ? 2 : length < 65536 ? 4 : 10;
}

/* Length of the whole image, head and payload, of an unmasked frame of ours. */
uint32_t wsp_frame_image_len(const uint8_t *image);

/* Writes the head of an unmasked frame, wsp_frame_head_len(length) bytes, which is the answer.
 * `first` is its first byte: FIN, reserved bits, opcode. */
static inline uint32_t wsp_frame_write_head(uint8_t *out, unsigned first, uint64_t length)
{
    uint32_t n = wsp_frame_head_len(length);
    out[0] = (uint8_t)first;
    out[1] = (uint8_t)(n == 2 ? length : n == 4 ? 126 : 127);
    for (uint32_t i = 2; i < n; i++) {
        out[i] = (uint8_t)(length >> 8 * (n - 1 - i));
    }
    return n;
}
/* Writes the image of a whole unfragmented frame to `out`, which has wsp_frame_head_len(len) +
 * len bytes of room. `first`: an opcode, with WSP_RSV1 when the payload is in another form. */
void wsp_frame_write(uint8_t *out, unsigned first, const void *payload, size_t len);

#endif
