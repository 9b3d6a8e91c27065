/* SPDX-License-Identifier: MIT */
/*
 * tokens.h - signed tokens, and how often a client may ask for one.
 *
 * A token names its expiry, a serial number and its subject, and is signed (HMAC-SHA-256) with a
 * key that the program makes at its start. Nothing is stored for a token, so no number of tokens
 * makes another one invalid. After a restart all tokens are invalid.
 */
#ifndef CARDS_TOKENS_H
#define CARDS_TOKENS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <wspool/handshake.h>

#define TOKEN_SUBJECT_MAX 64 /* bytes */
/* EXPIRES.SERIAL.SUBJECT.SIGNATURE, the last two in hexadecimal */
#define TOKEN_LEN (20 + 1 + 20 + 1 + 2 * TOKEN_SUBJECT_MAX + 1 + 64)

struct tokens;

/* `seconds` is the lifetime of a token. Returns NULL if there is no memory, or no randomness. */
struct tokens *tokens_new(unsigned seconds);
void tokens_free(struct tokens *tokens);

/* Returns 1 if this client may have a token now: 200 at once, and 20 per second. Few clients share
 * a budget. */
int tokens_rate(struct tokens *tokens, wspool_text client, uint64_t now);

/* Writes a new token, NUL included. The subject has at most TOKEN_SUBJECT_MAX bytes. Returns when
 * the token expires (Unix time). */
time_t tokens_mint(struct tokens *tokens, const char *subject, char token[TOKEN_LEN + 1]);

/* Returns 1 and the subject if the token is good, else 0 and the reason. */
int tokens_check(const struct tokens *tokens, wspool_text token,
                 char subject[TOKEN_SUBJECT_MAX + 1], enum wspool_refusal *reason);

#endif
