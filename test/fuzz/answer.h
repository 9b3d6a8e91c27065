/* SPDX-License-Identifier: MIT */
/*
 * fuzz/answer.h - is an HTTP answer of the library made of the library's own words alone?
 */
#ifndef WSPOOL_TEST_FUZZ_ANSWER_H
#define WSPOOL_TEST_FUZZ_ANSWER_H

#include "../sim/client.h"

/* Judges a whole answer that a reader has taken. Each line must be one that the headers of the
 * library document. With 101, Sec-WebSocket-Accept must be `accept`, and a subprotocol must be one
 * of `ours` (ends in NULL; may be NULL); otherwise the body is {"error":WORD} with a word that
 * belongs to the status. */
void fuzz_judge_answer(const reader *answer, const char *accept, const char *const *ours);

#endif
