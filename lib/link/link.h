/* SPDX-License-Identifier: MIT */
/*
 * link/link.h - what the connections of one pool share.  Layer 2.
 *
 * One of these lies in the pool and is handed to every call on a connection. Upward there are
 * only two ways: the hook for whole messages, and sets of slots. `ready` holds the peers
 * that wspool_next has to tell of; `due` those for which something is to be done on the way
 * out of the present call, when no list is being walked and no frame is being read. With
 * flush_delay, those who have nothing but new messages wait in `delayed` until `flush_at`, and
 * move over to `ready` then.
 */
#ifndef WSP_LINK_LINK_H
#define WSP_LINK_LINK_H

#include <stdint.h>

#include <wspool/config.h>
#include "base/bitset.h"
#include "base/counters.h"
#include "base/timers.h"
#include "link/inbound.h"
#include "link/outq.h"
#include "wire/block.h"
#include "wire/decoder.h"

struct wsp_conn;

struct wsp_link {
    const wspool_mem *mem;
    const wspool_config *config;
    struct wsp_counters *count;
    struct wsp_decoders decoders;
    struct wsp_blocks blocks;
    struct wsp_outqs outqs;
    struct wsp_inbounds inbounds;
    struct wsp_timers timers;
    struct wsp_bitset ready;
    struct wsp_bitset delayed;
    struct wsp_bitset *new_output; /* where new messages put a peer: one of these two */
    uint64_t flush_at;             /* UINT64_MAX: nobody is delayed */
    struct wsp_bitset due;
    uint64_t created_at; /* when the pool was made: stamps count from here */
    uint64_t now;        /* of the call under way; never runs backwards */
    uint32_t blocked;    /* connections whose transport could not take all */
    uint64_t random;     /* state of the jitter, seeded with entropy */
    void (*on_message)(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *data,
                       size_t len, int binary);
};

#endif
