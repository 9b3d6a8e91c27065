/* SPDX-License-Identifier: MIT */
/*
 * link/link.h - what the connections of one pool share.  Layer 2.
 *
 * The pool contains one struct wsp_link and passes it to every call on a connection. A connection
 * reaches the layers above only through it: through the hook for whole messages, and through sets
 * of slots.
 *
 *     ready    peers that wspool_next has to report
 *     delayed  with flush_delay: peers that have new messages and nothing else to report. They move
 *              to `ready` at `flush_at`
 *     due      peers with deferred events, for the end of the present call, when no list is being
 *              walked and no frame is being read
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
    uint32_t low_bytes, low_messages; /* the low watermark: see link/conn.h */
    struct wsp_decoders decoders;
    struct wsp_blocks blocks;
    struct wsp_outqs outqs;
    struct wsp_inbounds inbounds;
    struct wsp_timers timers;
    struct wsp_bitset ready;
    struct wsp_bitset delayed;
    struct wsp_bitset *new_output; /* `ready` or `delayed`: gets a peer with new messages */
    uint64_t flush_at;             /* UINT64_MAX: no peer is delayed */
    struct wsp_bitset due;
    uint64_t created_at; /* when the pool was made: coarse times begin here */
    uint64_t now;        /* of the present call; never runs backwards */
    uint32_t blocked;    /* connections whose transport did not take everything */
    uint64_t random;     /* state of wsp_random, seeded with entropy */
    struct {             /* the last peer that answered a ping */
        uint64_t at;     /* when; `took` from the moment when the ping had left */
        uint64_t took;
        uint32_t slot;
    } answer;
    void (*on_message)(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *data,
                       size_t len, int binary);
    /* A contested connection has answered the ping: see wsp_conn_contest. */
    void (*on_answer)(struct wsp_link *link, struct wsp_conn *conn);
};

#endif
