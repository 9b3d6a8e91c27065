/* SPDX-License-Identifier: MIT */
/* jwt/algorithm.h - what the algorithms are called, and which of them have secrets. */
#ifndef WSP_JWT_ALGORITHM_H
#define WSP_JWT_ALGORITHM_H

#include <wspool/jwt.h>

static inline int wsp_jwt_is_known(enum wspool_jwt_algorithm algorithm)
{
    return algorithm >= WSPOOL_JWT_HS256 && algorithm <= WSPOOL_JWT_EDDSA;
}

/* Returns 1 if the algorithm signs with a secret. */
static inline int wsp_jwt_has_secret(enum wspool_jwt_algorithm algorithm)
{
    return algorithm <= WSPOOL_JWT_HS512;
}

/* Its name in `alg` (RFC 7518, section 3.1; RFC 8037, section 3.1). */
static inline const char *wsp_jwt_algorithm_name(enum wspool_jwt_algorithm algorithm)
{
    static const char *const names[] = {"", "HS256", "HS384", "HS512", "ES256", "RS256", "EdDSA"};
    return names[algorithm];
}

#endif
