/* SPDX-License-Identifier: MIT */
/*
 * client/backoff.h - what a client does when a connection or an attempt has ended. It decides only;
 * client/attempt.h acts.
 */
#ifndef WSP_CLIENT_BACKOFF_H
#define WSP_CLIENT_BACKOFF_H

#include <stdint.h>

#include <wspool/client.h>

/* Why a connection or an attempt has ended. */
struct wsp_client_end {
    int code;                       /* of the server's Close; 0: none */
    int status;                     /* of the server's answer; 0: none */
    enum wspool_client_cause cause; /* if neither says it */
    uint64_t after;                 /* Retry-After of the answer */
    int ours;                       /* we have cut a connection that may be alive */
};

enum wsp_client_verdict {
    WSP_CLIENT_RENEW,   /* one attempt with another token */
    WSP_CLIENT_REFUSE,  /* no attempt */
    WSP_CLIENT_AT_ONCE, /* an attempt without delay */
    WSP_CLIENT_DELAY
};

/* `renewable`: there is a token hook, and it was not asked for another token since the last stable
 * connection. `eager`: there was an attempt without delay since then. */
enum wsp_client_verdict wsp_client_judge(const struct wsp_client_end *end, int renewable,
                                         int eager);

enum wspool_client_cause wsp_client_cause(const struct wsp_client_end *end);

/* Returns the delay before an attempt that follows `delays` others: a random part (`random` has 64
 * bits) of `spread` at first, then of 1, 2, 4 ... 30 s, but at least `after`. */
uint64_t wsp_client_delay(uint32_t delays, uint64_t spread, uint64_t after, uint64_t random);

#define WSP_CLIENT_RETRY_AFTER_MAX 300u /* seconds of Retry-After that are believed */

#endif
