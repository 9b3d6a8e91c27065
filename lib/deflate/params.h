/* SPDX-License-Identifier: MIT */
/*
 * deflate/params.h - the negotiated parameters of permessage-deflate as two small numbers, which
 * the pool keeps for each peer and gives to the hooks (wspool/codec.h).
 *
 *     encoding  the window of the server's messages: 1 for the smallest window, 7 for the largest
 *     decoder   the client's window and context: a set of WSP_DEFLATE_DECODER_* flags
 */
#ifndef WSP_DEFLATE_PARAMS_H
#define WSP_DEFLATE_PARAMS_H

/* Bits of a window. RFC 7692 permits 8, too, but zlib has no raw deflate with 8 bits. */
#define WSP_DEFLATE_WINDOW_MIN 9
#define WSP_DEFLATE_WINDOW_MAX 15

#define WSP_DEFLATE_ENCODINGS (WSP_DEFLATE_WINDOW_MAX - WSP_DEFLATE_WINDOW_MIN + 1)

/* The client keeps its context from message to message. */
#define WSP_DEFLATE_DECODER_TAKEOVER 1u
/* The client did not offer client_max_window_bits, so that its window may have 15 bits. Without the
 * flag it has wspool_deflate_options.client_window bits at most. */
#define WSP_DEFLATE_DECODER_ANY_WINDOW 2u

/* A compressed message ends with the octets 00 00 FF FF, which are not sent (RFC 7692, 7.2.1). */
#define WSP_DEFLATE_TAIL 4u

static inline unsigned wsp_deflate_encoding_of_window(int window)
{
    return 1 + (unsigned)(window - WSP_DEFLATE_WINDOW_MIN);
}

static inline int wsp_deflate_window_of_encoding(unsigned encoding)
{
    return (int)encoding - 1 + WSP_DEFLATE_WINDOW_MIN;
}

#endif
