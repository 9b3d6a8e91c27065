/* SPDX-License-Identifier: MIT */
/*
 * wire/refusal.h - a refusal, as answered by calls that otherwise answer 0 or more.  Floor 1.
 */
#ifndef WSP_WIRE_REFUSAL_H
#define WSP_WIRE_REFUSAL_H

#include <wspool/handshake.h>

static inline int wsp_refused(enum wspool_refusal why)
{
    return -(int)why - 1;
}

/* Of such an answer, which is below 0. */
static inline enum wspool_refusal wsp_refusal_of(int answer)
{
    return (enum wspool_refusal)(-answer - 1);
}

#endif
