/* SPDX-License-Identifier: MIT */
/*
 * fuzz/answer.h - checks that an HTTP answer consists of the library's own words only.
 *
 * The fuzzers use it to see that no byte of a request gets into an answer.
 */
#ifndef WSPOOL_TEST_FUZZ_ANSWER_H
#define WSPOOL_TEST_FUZZ_ANSWER_H

#include "../sim/client.h"

/* Checks a whole answer that a reader has read. Each line must be one that the headers of the
 * library document. A 101 must have `accept` as Sec-WebSocket-Accept; its subprotocol, if any,
 * must be one of `ours` (ends in NULL; may be NULL). Any other answer must have the body
 * {"error":WORD} with a word that belongs to the status. */
void fuzz_judge_answer(const reader *answer, const char *accept, const char *const *ours);

#endif
