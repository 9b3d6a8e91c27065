/* SPDX-License-Identifier: MIT */
/*
 * tokens.h - random tokens, kept in memory until they expire.
 *
 * A token is its number in the order of making, a dot, and 32 random bytes in hexadecimal. The
 * number finds its place at once; the rest is compared in constant time. The last TOKENS_MAX are
 * remembered, whether expired or not, so that an expired one can be called that.
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

/* `seconds`: how long one is good for. NULL: no memory. */
struct tokens *tokens_new(unsigned seconds);
void tokens_free(struct tokens *tokens);

/* Writes a new token, NUL included. When it expires (Unix time), or 0 when the system has no
 * randomness to give. */
time_t tokens_mint(struct tokens *tokens, const char *subject, char token[TOKEN_LEN + 1]);

/* The subject of a good token, which lives until the next one is made; NULL and the reason
 * for one that is not. */
const char *tokens_check(const struct tokens *tokens, wspool_text token,
                         enum wspool_refusal *reason);

#endif
