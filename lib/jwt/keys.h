/* SPDX-License-Identifier: MIT */
/*
 * jwt/keys.h - the usable keys of a JWK set (RFC 7517), and signatures under them.
 *
 * Each key serves the one algorithm that the set was read for. Keys are public: their time may
 * depend on them.
 */
#ifndef WSP_JWT_KEYS_H
#define WSP_JWT_KEYS_H

#include <nettle/ecc.h>
#include <nettle/eddsa.h>
#include <nettle/rsa.h>

#include <wspool/jwt.h>

#include "jwt/jws.h"
#include "jwt/memory.h"

#define WSP_JWT_RSA_BITS_MIN 2048u
#define WSP_JWT_RSA_BITS_MAX 8192u

struct wsp_jwt_key {
    int has_kid;
    size_t kid_len;
    char kid[WSPOOL_JWT_KID_MAX];
    union {
        struct ecc_point p256;
        struct rsa_public_key rsa;
        uint8_t ed25519[ED25519_KEY_SIZE];
    } as;
};

struct wsp_jwt_keys {
    enum wspool_jwt_algorithm algorithm;
    size_t count; /* at least 1 */
    struct wsp_jwt_key each[];
};

/* Reads a set. Returns 0 and *keys, or INVAL, FULL or NOMEM as wspool_jwt_set_keys. */
int wsp_jwt_keys_read(struct wsp_jwt_memory *memory, enum wspool_jwt_algorithm algorithm,
                      const void *json, size_t len, struct wsp_jwt_keys **keys);
/* NULL is allowed. */
void wsp_jwt_keys_free(struct wsp_jwt_memory *memory, struct wsp_jwt_keys *keys);

/* Returns 1 if the signature holds under the key of this `kid`; with kid.data NULL: under the only
 * key. */
int wsp_jwt_keys_verify(const struct wsp_jwt_keys *keys, wspool_text kid,
                        const struct wsp_jws *jws);

#endif
