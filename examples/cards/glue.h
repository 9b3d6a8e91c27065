/* SPDX-License-Identifier: MIT */
/* glue.h - hosted mode: turns a request that libmicrohttpd has parsed into a peer of the pool. */
#ifndef CARDS_GLUE_H
#define CARDS_GLUE_H

#include <microhttpd.h>
#include <wspool/sockets.h>

/* Part of the host's record of a request, from its first line to NOTIFY_COMPLETED. */
struct glue {
    wspool_sockets *sockets;
    wspool_id id; /* of the peer that it becomes */
};

/* Passes a request for a socket to the pool, and queues the pool's answer. `target` is the raw
 * one. If a 101 cannot be sent any more, the pool releases the peer after its handshake_time. */
enum MHD_Result glue_upgrade(struct glue *glue, struct MHD_Connection *http, const char *method,
                             const char *target, const char *version);

#endif
