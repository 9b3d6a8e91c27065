/* SPDX-License-Identifier: MIT */
/* glue.h - hosted mode: turns a request that libmicrohttpd has parsed into a peer of the pool. */
#ifndef CARDS_GLUE_H
#define CARDS_GLUE_H

#include <microhttpd.h>
#include <wspool/sockets.h>

/* Part of the host's record of a request, from its first line to NOTIFY_COMPLETED. */
struct glue {
    wspool_sockets *sockets;
    int *run_again; /* set to 1: MHD_run has work left of which MHD_get_timeout does not know */
    uint64_t began; /* wspool_clock when its first line was there */
    wspool_id id;   /* of the peer that it becomes; 0: none, or its socket was handed over */
};

/* Passes a request for a socket to the pool, and queues the pool's answer. `target` is the raw
 * one. */
enum MHD_Result glue_upgrade(struct glue *glue, struct MHD_Connection *http, const char *method,
                             const char *target, const char *version);

/* Must be called from MHD_OPTION_NOTIFY_COMPLETED. Gives the peer's place back if the connection
 * has ended before its socket was handed over. Without this call the place stays reserved for
 * handshake_time, and clients that connect and reset at once could hold every place. */
void glue_completed(struct glue *glue);

/* The client as one key: its IPv4 address, or the /64 of its IPv6 address, in binary. Valid as
 * long as the connection. */
wspool_text glue_client(struct MHD_Connection *http);

#endif
