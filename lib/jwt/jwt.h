/* SPDX-License-Identifier: MIT */
/*
 * jwt/jwt.h - the state of a judge, and judging. See wspool/jwt.h.
 *
 * The files of lib/jwt, lowest first; each includes files above it in this table only:
 *
 *     wipe.h, algorithm.h   overwriting; names of the algorithms
 *     memory.c              the host's memory hooks
 *     base64url.c           strict base64url
 *     object.c              JSON objects from anybody, and their members
 *     jws.c                 a token is taken apart; its header
 *     secrets.c             HS256, HS384, HS512
 *     keys.c                JWK sets; ES256, RS256, EdDSA
 *     claims.c              the payload is judged
 *     cache.c               verdicts on tokens that were found valid
 *     jwt.c                 configuration, life, statistics
 *     verify.c, sign.c      tokens are judged and made
 *     attach.c              the handler of a pool
 */
#ifndef WSP_JWT_JWT_H
#define WSP_JWT_JWT_H

#include <wspool/jwt.h>

#include "jwt/cache.h"
#include "jwt/claims.h"
#include "jwt/jws.h"
#include "jwt/keys.h"
#include "jwt/memory.h"
#include "jwt/secrets.h"

struct wspool_jwt {
    enum wspool_jwt_algorithm algorithm;
    struct wsp_jwt_rules rules; /* their texts lie behind this struct */
    struct wsp_jwt_memory memory;
    struct wsp_jwt_secrets secrets; /* with an HS algorithm */
    struct wsp_jwt_keys *keys;      /* with another one; NULL: none yet */
    struct wsp_jwt_cache cache;
    wspool *pool; /* that it is attached to, or NULL */
    uint64_t accepted, refused;
    uint8_t room[WSP_JWS_BYTES]; /* the segments of the token that was judged last */
    char subject[WSPOOL_SUBJECT_MAX];
    char verdict_subject[WSPOOL_SUBJECT_MAX]; /* the pool copies it when all handlers have run */
    char texts[];
};

/* Judges a token. Returns 0 and *claims, whose texts are in the state; or an enum wspool_refusal.
 *  */
int wsp_jwt_judge(wspool_jwt *jwt, wspool_text token, uint64_t now, wspool_jwt_claims *claims);

#endif
