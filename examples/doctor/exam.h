/* SPDX-License-Identifier: MIT */
/* exam.h - the examination of an endpoint: connections that are made, one at a time. */
#ifndef DOCTOR_EXAM_H
#define DOCTOR_EXAM_H

#include "options.h"
#include "report.h"
#include "target.h"

/* Takes 15 s and options->idle at most. */
void exam_run(const struct options *options, const struct target *target, struct report *report);

#endif
