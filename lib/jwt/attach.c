/* SPDX-License-Identifier: MIT */
/* jwt/attach.c - the token handler of a pool. See wspool/jwt.h. */
#include <string.h>

#include <wspool/error.h>
#include <wspool/handlers.h>

#include "jwt/jwt.h"
#include "jwt/wipe.h"

/* Returns 0 and the claims but for the payload, or an enum wspool_refusal. */
static int judge_once(wspool_jwt *jwt, wspool_text token, uint64_t now, wspool_jwt_claims *claims)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    int with_cache = jwt->cache.entries && token.len <= WSPOOL_TOKEN_MAX;
    if (with_cache) {
        wsp_jwt_cache_digest(&jwt->cache, token, digest);
        const struct wsp_jwt_cached *found = wsp_jwt_cache_find(&jwt->cache, digest, now);
        if (found) {
            claims->subject = (wspool_text){found->subject, found->subject_len};
            claims->expires = found->expires;
            claims->issued_at = found->issued;
            return 0;
        }
    }
    int refusal = wsp_jwt_judge(jwt, token, now, claims);
    if (refusal == 0 && with_cache) {
        wsp_jwt_cache_store(&jwt->cache, digest, now, claims);
    }
    return refusal;
}

static void on_token(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                     void *user)
{
    wspool_jwt *jwt = user;
    const wspool_wall_clock_hook *clock = &wspool_config_of(pool)->wall_clock;
    (void)id;
    wspool_jwt_claims claims;
    int refusal = judge_once(jwt, request->token, clock->call(clock->user) / 1000, &claims);
    if (refusal == 0) {
        if (claims.subject.len > 0) {
            memcpy(jwt->verdict_subject, claims.subject.data, claims.subject.len);
        }
        out->subject = (wspool_text){jwt->verdict_subject, claims.subject.len};
        out->expires = claims.expires > 0 ? claims.expires + jwt->rules.leeway : 0;
        out->issued = claims.issued_at;
    }
    jwt->accepted += refusal == 0;
    jwt->refused += refusal != 0;
    out->kind = refusal == 0 ? WSPOOL_ACCEPT : WSPOOL_REFUSE;
    out->refusal = (enum wspool_refusal)refusal;
}

int wspool_jwt_attach(wspool_jwt *jwt, wspool *pool)
{
    wspool_handlers handlers = {.size = sizeof handlers, .user = jwt, .token = on_token};
    uint8_t key[WSP_JWT_CACHE_KEY_BYTES];
    if (!jwt || !pool) {
        return WSPOOL_ERR_INVAL;
    }
    if (jwt->pool) {
        return WSPOOL_ERR_EXISTS;
    }
    const wspool_entropy_hook *entropy = &wspool_config_of(pool)->entropy;
    if (entropy->call(key, sizeof key, entropy->user)) {
        return WSPOOL_ERR_ENTROPY;
    }
    wsp_jwt_cache_set_key(&jwt->cache, key);
    wsp_jwt_wipe(key, sizeof key);
    int error = wspool_attach(pool, &handlers);
    if (error == 0) {
        jwt->pool = pool;
    }
    return error;
}
