/* SPDX-License-Identifier: MIT */
/* refusal.h - what an answer that is not 101 says about the endpoint. */
#ifndef DOCTOR_REFUSAL_H
#define DOCTOR_REFUSAL_H

#include "handshake.h"
#include "report.h"

/* Records the fault that an answer to a correct request shows, in the stage that it belongs to. */
void refusal_judge(struct report *report, const struct question *question,
                   const struct answer *answer);

#endif
