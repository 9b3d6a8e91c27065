/* SPDX-License-Identifier: MIT */
/*
 * link/coding.h - the parameters that a peer negotiated with the codec, in one byte.  Layer 2.
 */
#ifndef WSP_LINK_CODING_H
#define WSP_LINK_CODING_H

#include <stdint.h>

#include <wspool/codec.h>

_Static_assert(WSPOOL_FORMS <= 15 && WSPOOL_READINGS <= 16, "a form and a reading fit in a byte");

/* The encoding of what the peer is sent, and the parameters of what it sends. 0: none. */
static inline uint8_t wsp_coding(unsigned form, unsigned reading)
{
    return (uint8_t)(form | reading << 4);
}
static inline unsigned wsp_coding_form(uint8_t coding)
{
    return coding & 15u;
}
static inline unsigned wsp_coding_reading(uint8_t coding)
{
    return coding >> 4;
}

#endif
