/* SPDX-License-Identifier: MIT */
/*
 * tokens.h - random tokens, kept in memory until they expire.
 *
 * A token is its serial number, a dot, and 32 random bytes in hexadecimal. The number is an index,
 * and the secret is compared in constant time. The last TOKENS_MAX tokens are kept, expired or not,
 * so that an expired token is reported as expired.
 */
#ifndef CARDS_TOKENS_H
#define CARDS_TOKENS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <wspool/handshake.h>

#define TOKENS_MAX 4096
#define TOKEN_LEN (20 + 1 + 64)
#define TOKEN_SUBJECT_MAX 64 /* bytes */

struct tokens;

/* `seconds` is the lifetime of a token. Returns NULL if there is no memory. */
struct tokens *tokens_new(unsigned seconds);
void tokens_free(struct tokens *tokens);

/* Writes a new token, NUL included. Returns when it expires (Unix time), or 0 if the system has
 * no randomness to give. */
time_t tokens_mint(struct tokens *tokens, const char *subject, char token[TOKEN_LEN + 1]);

/* Returns the subject of a good token, valid until the next tokens_mint, or NULL and the reason. */
const char *tokens_check(const struct tokens *tokens, wspool_text token,
                         enum wspool_refusal *reason);

#endif
