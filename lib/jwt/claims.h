/* SPDX-License-Identifier: MIT */
/* jwt/claims.h - the claims of a payload whose signature holds: read, and judged. */
#ifndef WSP_JWT_CLAIMS_H
#define WSP_JWT_CLAIMS_H

#include <jansson.h>

#include <wspool/jwt.h>

struct wsp_jwt_rules {
    const char *issuer;   /* NULL: any */
    const char *audience; /* NULL: none may be there */
    uint64_t leeway;      /* seconds */
    int needs_exp;
};

/* The latest time in a token, in seconds since 1970: whole numbers up to it are exact as double,
 * too. */
#define WSP_JWT_TIME_MAX (UINT64_C(1) << 53)

/* Reads and judges. Returns 0 and *claims, without the payload; its subject is valid as long as the
 * object. Otherwise returns a reason (enum wspool_refusal). */
int wsp_jwt_claims_judge(const json_t *payload, const struct wsp_jwt_rules *rules, uint64_t now,
                         wspool_jwt_claims *claims);

#endif
