/* SPDX-License-Identifier: MIT */
/*
 * pool/options.h - the options of a message, of this version's size.  Layer 4.
 */
#ifndef WSP_POOL_OPTIONS_H
#define WSP_POOL_OPTIONS_H

#include <wspool/versioned.h>
#include <wspool/wspool.h>

/* Reads the options of a host, which may be compiled against an older or newer header; NULL: none.
 * Returns 0 or INVAL. */
static inline int wsp_options_read(wspool_send_options *ours, const wspool_send_options *theirs)
{
    *ours = (wspool_send_options){.size = sizeof *ours};
    return theirs ? wspool_versioned_read(ours, sizeof *ours, theirs) : 0;
}

#endif
