/* SPDX-License-Identifier: MIT */
/*
 * tokens.h - who may connect: JSON Web Tokens (HS256), judged by wspool/jwt.h.
 *
 * The pool and the plain HTTP side ask the same judge, so a token that opens a socket opens the
 * API, too. With --demo the server also makes tokens for whoever asks. They are signed, not stored:
 * no number of them makes another one invalid.
 */
#ifndef CARDS_TOKENS_H
#define CARDS_TOKENS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <wspool/jwt.h>

#define TOKEN_SUBJECT_MAX 64 /* bytes, of a token that is made here */
#define TOKEN_ROOM 1024      /* for such a token: a JSON escape of a byte has six */

struct tokens;

/* `secret` must be one that tokens_problem accepts; NULL: one that nobody knows, so that all tokens
 * end with the process. Its bytes are not kept. `seconds` is the lifetime of a token that is made
 * here. Returns NULL if there is no memory, or no randomness. */
struct tokens *tokens_new(const char *secret, unsigned seconds);
void tokens_free(struct tokens *tokens); /* after the pool */

/* Returns what is wrong with a secret, and what to do; NULL: nothing. */
const char *tokens_problem(const char *secret);

/* The pool asks for a token from now on. Returns 0, or an error of wspool_jwt_attach. */
int tokens_attach(struct tokens *tokens, wspool *pool);

/* Returns 1 if this client may have a token now: 200 at once, and 20 per second. Few clients share
 * a budget. */
int tokens_rate(struct tokens *tokens, wspool_text client, uint64_t now);

/* Writes a new token, NUL included. The subject has at most TOKEN_SUBJECT_MAX bytes. Returns when
 * the token expires (Unix time), or 0 if there is no memory. */
time_t tokens_mint(struct tokens *tokens, const char *subject, char token[TOKEN_ROOM]);

/* Returns 0 if the token is good, else the reason (enum wspool_refusal). */
int tokens_check(struct tokens *tokens, const char *token);

#endif
