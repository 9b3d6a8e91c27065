/* SPDX-License-Identifier: MIT */
/*
 * jwt/tokens.h - makes tokens, right and wrong ones, without the library: with nettle alone.
 *
 * JSON is written with ' instead of ". Tokens are in static memory; eight are valid at a time.
 */
#ifndef WSPOOL_TEST_JWT_TOKENS_H
#define WSPOOL_TEST_JWT_TOKENS_H

#include "../sim/sim.h"

#include <wspool/jwt.h>

#define NOW UINT64_C(1700000000) /* the wall clock of a new sim, in seconds */
#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER_SECRET "fedcba9876543210fedcba9876543210"
#define HEADER "{'alg':'HS256','typ':'JWT'}"
#define PAYLOAD "{'sub':'user:7','exp':1700000600}"

/* Returns bytes as base64url. */
const char *token_segment(const void *bytes, size_t len);
/* Signs with HS256, whatever the header says. The segments are encoded. */
const char *token_of(const char *header, const char *payload, const char *secret);
/* The same with segments that are taken as they are. */
const char *token_raw(const char *header, const char *payload, const char *secret);
/* A good token with this payload. */
const char *token_with(const char *payload);

/* A config with SECRET and without a cache. */
wspool_jwt_config jwt_config(void);
wspool_jwt *jwt_make(const wspool_jwt_config *config);
/* The default. */
wspool_jwt *jwt_default(void);

/* Judges a token at NOW. Returns the reason as text, "valid", or "error". */
const char *jwt_says(wspool_jwt *jwt, const char *token);
const char *jwt_says_at(wspool_jwt *jwt, const char *token, uint64_t now);
#define expect_verdict(jwt, token, verdict) assert_string_equal(jwt_says(jwt, token), verdict)
/* The same with the default judge. */
void expect_default(const char *token, const char *verdict);

wspool_jwt_stats jwt_stats(const wspool_jwt *jwt);

#endif
