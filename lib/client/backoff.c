/* SPDX-License-Identifier: MIT */
/* client/backoff.c - see client/backoff.h. */
#include "client/backoff.h"

#define LONGEST_DELAY (30 * WSPOOL_SECOND)

static int between(int code, int low, int high)
{
    return code >= low && code <= high;
}

enum wsp_client_verdict wsp_client_judge(const struct wsp_client_end *end, int renewable, int eager)
{
    int refused = end->code == WSPOOL_CLOSE_TOKEN_EXPIRED || end->status == 401;

    if (refused && renewable) {
        return WSP_CLIENT_RENEW;
    }
    if (refused || between(end->code, 4000, 4099) || end->status == 403) {
        return WSP_CLIENT_REFUSE;
    }
    return !eager && (end->ours || between(end->code, 4200, 4299)) ? WSP_CLIENT_AT_ONCE
                                                                   : WSP_CLIENT_DELAY;
}

enum wspool_client_cause wsp_client_cause(const struct wsp_client_end *end)
{
    int code = end->code, status = end->status;

    if (status == 401 || status == 403 || code == WSPOOL_CLOSE_TOKEN_EXPIRED ||
        code == WSPOOL_CLOSE_NOT_ALLOWED) {
        return WSPOOL_CLIENT_CAUSE_TOKEN;
    }
    if (status == 429 || status == 503 || code == WSPOOL_CLOSE_TRY_LATER ||
        between(code, 4100, 4199)) {
        return WSPOOL_CLIENT_CAUSE_RESOURCES;
    }
    if (status != 0 || between(code, 4000, 4099)) {
        return WSPOOL_CLIENT_CAUSE_REFUSED;
    }
    return code != 0 ? WSPOOL_CLIENT_CAUSE_CLOSED : end->cause;
}

uint64_t wsp_client_delay(uint32_t delays, uint64_t spread, uint64_t after, uint64_t random)
{
    uint64_t longest = delays == 0 ? spread : LONGEST_DELAY;
    if (delays > 0 && delays <= 5) {
        longest = WSPOOL_SECOND << (delays - 1);
    }
    uint64_t delay = (longest >> 20) * (random >> 44); /* 20 bits of chance: no overflow */
    return delay > after ? delay : after;
}
