/* SPDX-License-Identifier: MIT */
/* client/backoff.c - see client/backoff.h. */
#include "client/backoff.h"

#define LONGEST_DELAY (30 * WSPOOL_SECOND)

/* What the range of a close code tells a client to do (wspool/close.h). */
enum range { DO_NOT_COME_BACK = 40, COME_BACK_LATER = 41, COME_BACK_AT_ONCE = 42 };

static int is_in(enum range range, int code)
{
    return code / 100 == (int)range;
}

enum wsp_client_verdict wsp_client_judge(const struct wsp_client_end *end, int renewable, int eager)
{
    int refused = end->code == WSPOOL_CLOSE_TOKEN_EXPIRED || end->status == 401;

    if (refused && renewable) {
        return WSP_CLIENT_RENEW;
    }
    if (refused || is_in(DO_NOT_COME_BACK, end->code) || end->status == 403) {
        return WSP_CLIENT_REFUSE;
    }
    return !eager && (end->ours || is_in(COME_BACK_AT_ONCE, end->code)) ? WSP_CLIENT_AT_ONCE
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
        is_in(COME_BACK_LATER, code)) {
        return WSPOOL_CLIENT_CAUSE_RESOURCES;
    }
    if (status != 0 || is_in(DO_NOT_COME_BACK, code)) {
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
