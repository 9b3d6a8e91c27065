/* SPDX-License-Identifier: MIT */
/*
 * jwt/verify.c - judges a token. See wspool/jwt.h.
 *
 * The order is the safety: the length before any work, the header before the signature, and the
 * payload only after the signature.
 */
#include <string.h>

#include <wspool/versioned.h>

#include "jwt/algorithm.h"
#include "jwt/jwt.h"
#include "jwt/object.h"

/* Returns 0 if the header is acceptable and the signature holds; otherwise a reason. */
static int judge_signature(wspool_jwt *jwt, const struct wsp_jws *jws)
{
    json_t *header;
    wspool_text kid;
    int refusal = wsp_jws_header(jws, wsp_jwt_algorithm_name(jwt->algorithm), &header, &kid);
    if (refusal) {
        return refusal;
    }
    int holds = jwt->keys ? wsp_jwt_keys_verify(jwt->keys, kid, jws)
                          : wsp_jwt_secrets_verify(&jwt->secrets, jws);
    json_decref(header);
    return holds ? 0 : (int)WSPOOL_REFUSED_TOKEN_INVALID;
}

int wsp_jwt_judge(wspool_jwt *jwt, wspool_text token, uint64_t now, wspool_jwt_claims *claims)
{
    struct wsp_jws jws;
    json_t *payload;
    int refusal = wsp_jws_split(token, jwt->room, &jws);
    if (refusal) {
        return refusal;
    }
    if (!jwt->keys && jwt->secrets.count == 0) {
        return WSPOOL_REFUSED_TOKEN_NO_SECRET;
    }
    if ((refusal = judge_signature(jwt, &jws)) ||
        (refusal = wsp_jwt_object_read(jws.payload.data, jws.payload.len, &payload))) {
        return refusal;
    }
    refusal = wsp_jwt_claims_judge(payload, &jwt->rules, now, claims);
    if (refusal == 0) {
        if (claims->subject.len > 0) {
            memcpy(jwt->subject, claims->subject.data, claims->subject.len);
        }
        claims->subject.data = jwt->subject;
        claims->payload = (wspool_text){(const char *)jws.payload.data, jws.payload.len};
    }
    json_decref(payload);
    return refusal;
}

int wspool_jwt_verify(wspool_jwt *jwt, wspool_text token, uint64_t now, wspool_jwt_claims *out)
{
    wspool_jwt_claims claims;
    if (!jwt || (!token.data && token.len > 0) || (out && out->size < sizeof out->size)) {
        return WSPOOL_ERR_INVAL;
    }
    int refusal = wsp_jwt_judge(jwt, token, now, &claims);
    return refusal || !out ? refusal : wspool_versioned_write(out, &claims, sizeof claims);
}
