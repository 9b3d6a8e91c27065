/* SPDX-License-Identifier: MIT */
/*
 * wire/refusal.h - refusals as negative results of calls that otherwise return 0 or more.  Layer 1.
 */
#ifndef WSP_WIRE_REFUSAL_H
#define WSP_WIRE_REFUSAL_H

#include <wspool/handshake.h>

static inline int wsp_refused(enum wspool_refusal why)
{
    return -(int)why - 1;
}

/* The refusal of such a result, which must be negative. */
static inline enum wspool_refusal wsp_refusal_of(int answer)
{
    return (enum wspool_refusal)(-answer - 1);
}

#endif
