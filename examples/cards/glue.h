/* SPDX-License-Identifier: MIT */
/* glue.h - hosted mode: from a request that libmicrohttpd has parsed to a peer of the pool. */
#ifndef CARDS_GLUE_H
#define CARDS_GLUE_H

#include <microhttpd.h>
#include <wspool/adapters/epoll.h>

/* Part of what the host keeps for a request, from its first line to NOTIFY_COMPLETED. */
struct glue {
    wspool_epoll *loop;
    wspool_id id; /* of the peer that it becomes */
};

/* Has the pool judge a request for a socket, and queues its answer. `target` is the raw one. When
 * a 101 can't be sent any more, the pool gives the place back after its handshake_time. */
enum MHD_Result glue_upgrade(struct glue *glue, struct MHD_Connection *http, const char *method,
                             const char *target, const char *version);

#endif
