/* SPDX-License-Identifier: MIT */
/*
 * policy/admission.h - decides whether a request is admitted, stage by stage.  Layer 2.
 *
 * Cheap checks come first and the host's hooks last. Nothing is allocated, except when a token has
 * to be cut out of the middle of a query. Each stage fails
 * closed: a request that cannot be judged is refused. Facts that only the pool knows are passed in.
 * The result is written to a wsp_entry, on which the pool acts.
 */
#ifndef WSP_POLICY_ADMISSION_H
#define WSP_POLICY_ADMISSION_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/codec.h>
#include <wspool/config.h>
#include "base/wipe.h"
#include "policy/origin.h"
#include "policy/route.h"
#include "policy/token.h"
#include "wire/upgrade.h"

/* Room for a token that had to be decoded. The texts of a verdict may be parts of it, so the caller
 * wipes it when they are copied. */
struct wsp_token_room {
    size_t used;
    char bytes[WSPOOL_TOKEN_MAX];
};

static inline void wsp_token_room_wipe(struct wsp_token_room *room)
{
    wsp_wipe(room->bytes, room->used);
}

struct wsp_admission { /* the checks, the same for every request */
    wspool *pool;
    const wspool_config *config;
    const wspool_token_hook *token; /* asked in place of those of the configuration */
    const wspool_capacity_hook *capacity;
    const wspool_origin_hook *origin;
    const struct wsp_routes *routes;
    const struct wsp_origins *origins;
    const struct wsp_origins *hosts;
    struct wsp_token_room *room; /* not needed to resume; `used` is 0 */
    int full;                    /* max_peers is reached */
    int draining;
};

/* When a token expires and when it was issued, in seconds since 1970; 0: it does not say. */
struct wsp_validity {
    uint64_t expires, issued;
};

static inline struct wsp_validity wsp_validity_of(const wspool_verdict *verdict)
{
    return (struct wsp_validity){verdict->expires, verdict->issued};
}

/* What two verdicts on one token say together: the earlier times. */
static inline void wsp_validity_narrow(struct wsp_validity *validity,
                                       const struct wsp_validity *other)
{
    if (other->expires > 0 && (validity->expires == 0 || other->expires < validity->expires)) {
        validity->expires = other->expires;
    }
    if (other->issued > 0 && (validity->issued == 0 || other->issued < validity->issued)) {
        validity->issued = other->issued;
    }
}

struct wsp_entry {           /* the result for one request */
    enum wspool_stage stage; /* the stage that refused it, or VERDICT */
    uint16_t route;
    uint16_t name_len;
    char name[WSPOOL_NAME_MAX]; /* name of the channel */
    char accept[WSP_ACCEPT_LEN + 1];
    struct wsp_token_search search; /* for the token */
    wspool_text query;       /* query of the target, without a token; points into the request */
    char *copy;              /* a copy of the target for that, or NULL */
    int unanswered;          /* the peer offered subprotocols, and none is ours */
    const char *subprotocol; /* one of the configured subprotocols, or NULL */
    wspool_negotiated negotiated; /* parameters negotiated with the codec; encoding 0: none */
    void *identity;
    wspool_text subject, client; /* of the verdict; valid during the call that judges */
    struct wsp_validity validity;
};

/* Admitted, or pending until the token's verdict is known. A refusal is negative
 * (wire/refusal.h). */
#define WSP_ADMITTED 0
#define WSP_POSTPONED 1

/* Judges a request whose head was judged by wire/http.h. Fills `entry`, which need not be
 * initialised, and the members of the request that belong to the library. */
int wsp_admission_judge(const struct wsp_admission *admission, wspool_id id,
                        wspool_request *request, struct wsp_entry *entry);
/* Frees what the judgement allocated for the entry. */
static inline void wsp_entry_fini(struct wsp_entry *entry, const wspool_mem *mem)
{
    if (entry->copy) {
        wsp_free(mem, entry->copy);
        entry->copy = NULL;
    }
}
/* Returns the value of Sec-WebSocket-Extensions in the answer; NULL: no such header. */
static inline const char *wsp_entry_extension(const struct wsp_entry *entry)
{
    return entry->negotiated.encoding ? entry->negotiated.answer : NULL;
}
/* Returns 1 if the texts of a verdict have a possible length, else 0. */
static inline int wsp_verdict_is_valid(const wspool_verdict *verdict)
{
    return verdict->subject.len <= WSPOOL_SUBJECT_MAX && verdict->client.len <= WSPOOL_CLIENT_MAX &&
           (verdict->subject.len == 0 || verdict->subject.data) &&
           (verdict->client.len == 0 || verdict->client.data);
}
/* Returns, as a negative answer, the refusal of a verdict; one that a verdict cannot have counts as
 * TOKEN_INVALID. */
int wsp_verdict_refused(enum wspool_refusal refusal);
/* Continues after a pending verdict has arrived. */
int wsp_admission_resume(const struct wsp_admission *admission, wspool_id id,
                         const wspool_verdict *verdict, struct wsp_entry *entry);

#endif
