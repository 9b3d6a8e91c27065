/* SPDX-License-Identifier: MIT */
/*
 * policy/admission.h - may this request come in? The stages in their order.  Floor 4.
 *
 * Cheap checks first, hooks of the host last, and no allocation. Each stage fails closed: what
 * can't be judged is refused. Facts that only the pool knows are given; what is found out is
 * written down in a wsp_entry, for the pool to act on.
 */
#ifndef WSP_POLICY_ADMISSION_H
#define WSP_POLICY_ADMISSION_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/codec.h>
#include <wspool/config.h>
#include "policy/origin.h"
#include "policy/route.h"
#include "wire/upgrade.h"

struct wsp_admission { /* what is asked, the same for every request */
    wspool *pool;
    const wspool_config *config;
    const struct wsp_routes *routes;
    const struct wsp_origins *origins;
    int full; /* max_peers are in */
    int draining;
};

struct wsp_entry {           /* what was found out about one */
    enum wspool_stage stage; /* where it ended, or VERDICT */
    uint16_t route;
    uint16_t name_len;
    char name[WSPOOL_NAME_MAX]; /* of the channel */
    char accept[WSP_ACCEPT_LEN + 1];
    wspool_text query;       /* of the target; lies in the request */
    const char *subprotocol; /* one of the configured ones, or NULL */
    wspool_agreement agreed; /* with the codec; form 0: nothing was */
    void *identity;
};

/* Admitted, or put off until the token's verdict is known; a refusal is -(refusal) - 1. */
#define WSP_ADMITTED 0
#define WSP_PUT_OFF 1

/* Judges a parsed request, from its request line on. request->token and the other parts that
 * belong to the library are filled on the way. */
int wsp_admission_judge(const struct wsp_admission *admission, wspool_id id,
                        wspool_request *request, struct wsp_entry *entry);
/* What Sec-WebSocket-Extensions is to say; NULL: nothing. */
static inline const char *wsp_entry_extension(const struct wsp_entry *entry)
{
    return entry->agreed.form ? entry->agreed.answer : NULL;
}
/* Goes on after a verdict that had been awaited. */
int wsp_admission_resume(const struct wsp_admission *admission, wspool_id id,
                         const wspool_verdict *verdict, struct wsp_entry *entry);

#endif
