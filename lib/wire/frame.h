/* SPDX-License-Identifier: MIT */
/*
 * wire/frame.h - frame headers (RFC 6455, section 5.2): writing ours, parsing those of peers.
 * Layer 1.
 *
 * A frame of a server is a header of 2, 4 or 10 bytes and the plain payload; in a frame of a client
 * the key follows the header, and the payload is masked. Frames of peers are checked here and
 * decoded by wire/decoder.h.
 *
 * A client's frames are masked, a server's are not (5.1). The reader says what it expects: `mask`
 * is WSP_MASKED where the peer is a client, and WSP_UNMASKED where it is a server.
 *
 * wslay reports a header only together with the first payload byte, and lets reserved bits and
 * opcodes pass. So the frame-header parser checks each header first, before anything is allocated
 * for it. A header that arrives in pieces is gathered in 15 bytes of the peer's record. What is
 * wrong in the first two bytes is refused when the second arrives.
 *
 * Invariants:
 * - the parser never holds a complete header.
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

#define WSP_FIN 0x80u    /* in the first byte: last frame of its message */
#define WSP_RSV1 0x40u   /* in the first byte: the message is compressed (RFC 7692, section 6) */
#define WSP_HEAD_MAX 14u /* longest header, of a masked frame */
#define WSP_CONTROL_MAX 125u
#define WSP_MASKED 0x80u /* in the second byte: the key follows the length */
#define WSP_UNMASKED 0u

struct wsp_frame {
    uint64_t length; /* payload length */
    uint8_t key[4];  /* masking key; zero when the frame is not masked */
    uint8_t opcode;
    uint8_t fin;
    uint8_t rsv; /* RSV1 to RSV3; RSV1 is the highest bit */
    uint8_t masked;
};

struct wsp_frame_parser {
    uint8_t bytes[WSP_HEAD_MAX];
    uint8_t have;       /* bytes gathered; 0 between frames */
    uint8_t negotiated; /* with the codec: see link/negotiated.h. 0: none, and RSV1 is an error */
};

/* Results of the frame-header parser. */
enum wsp_frame_parsed {
    WSP_PARSED_MORE, /* all input was consumed; the header is not complete */
    WSP_PARSED_HEAD, /* *frame is complete and valid */
    WSP_PARSED_BAD   /* *frame breaks the protocol: close with 1002. Its length tells how many
                      payload bytes follow; when the error is in the first two bytes it is 0, and
                      the parser consumes the rest of the header next */
};

/* Consumes bytes of one header from the input, and advances the input. */
enum wsp_frame_parsed wsp_frame_parser_feed(struct wsp_frame_parser *parser, unsigned mask,
                                            const uint8_t **bytes, size_t *len,
                                            struct wsp_frame *frame);
/* Returns the length of the header if the input begins with a complete, unfragmented,
 * uncompressed text or binary message of less than 64 KiB: nearly the only thing that peers
 * send. Returns 0 for anything else, valid or not: the frame-header parser tells which. Consumes
 * nothing.
 *
 * There are only 131 072 such headers, apart from the keys. A test gives each of them to the
 * frame-header parser and to wslay, so neither needs to be asked again. */
static inline size_t wsp_frame_is_whole(const uint8_t *bytes, size_t len, struct wsp_frame *frame)
{
    if (len < 6 || (bytes[0] != (WSP_FIN | WSP_TEXT) && bytes[0] != (WSP_FIN | WSP_BINARY))) {
        return 0;
    }
    size_t head = 6, length = bytes[1] ^ 0x80u; /* 128 or more: not masked */
    if (length == 126) {
        length = (size_t)bytes[2] << 8 | bytes[3];
        head = length < 126 ? SIZE_MAX : 8; /* not the shortest form: larger than any input */
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
/* Returns 1 if the invariants hold, else 0. */
int wsp_frame_parser_check(const struct wsp_frame_parser *parser);

static inline int wsp_opcode_is_control(unsigned opcode)
{
    return (opcode & 8u) != 0;
}

/* Returns the header length of an unmasked frame with that payload length. */
static inline uint32_t wsp_frame_head_len(uint64_t length)
{
    return length < 126 ? 2 : length < 65536 ? 4 : 10;
}

/* Returns the length of an encoded unmasked frame, header and payload. */
uint32_t wsp_frame_encoded_len(const uint8_t *frame);

/* Returns the header length of an encoded unmasked frame. */
static inline uint32_t wsp_frame_encoded_head_len(const uint8_t *frame)
{
    return frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
}

/* Writes the header of an unmasked frame and returns its length, wsp_frame_head_len(length).
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
/* Writes a whole unfragmented frame to `out`, which must have room for wsp_frame_head_len(len) +
 * len bytes. `first` is an opcode, with WSP_RSV1 when the payload is compressed. */
void wsp_frame_write(uint8_t *out, unsigned first, const void *payload, size_t len);
/* The same for a client: `out` has room for 4 bytes more, and the key must be unpredictable (10.3).
 *  */
void wsp_frame_write_masked(uint8_t *out, unsigned first, const uint8_t key[4], const void *payload,
                            size_t len);

#endif
