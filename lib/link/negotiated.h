/* SPDX-License-Identifier: MIT */
/*
 * link/negotiated.h - the parameters that a peer negotiated with the codec, in one byte.  Layer 2.
 */
#ifndef WSP_LINK_NEGOTIATED_H
#define WSP_LINK_NEGOTIATED_H

#include <stdint.h>

#include <wspool/codec.h>

#define WSP_ENCODINGS (1u + WSPOOL_ENCODINGS) /* with plain, which is 0 */

_Static_assert(WSPOOL_ENCODINGS <= 15 && WSPOOL_DECODERS <= 16,
               "an encoding and a decoder fit in a byte");

/* Packs the encoding of messages to the peer, and the decoder of messages from it. 0: none. */
static inline uint8_t wsp_negotiated(unsigned encoding, unsigned decoder)
{
    return (uint8_t)(encoding | decoder << 4);
}
static inline unsigned wsp_negotiated_encoding(uint8_t negotiated)
{
    return negotiated & 15u;
}
static inline unsigned wsp_negotiated_decoder(uint8_t negotiated)
{
    return negotiated >> 4;
}

#endif
