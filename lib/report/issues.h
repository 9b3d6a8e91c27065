/* SPDX-License-Identifier: MIT */
/*
 * report/issues.h - what is said of each issue: texts, and which issues cause which.  Layer 5.
 */
#ifndef WSP_REPORT_ISSUES_H
#define WSP_REPORT_ISSUES_H

#include <wspool/diagnose.h>

/* Returns an issue with its texts, and without evidence and causes. */
wspool_issue wsp_issue_of(enum wspool_issue_name name);
/* Calls of the issues that may cause one, the nearest first. Returns how many. */
uint32_t wsp_issue_causes(enum wspool_issue_name name, const enum wspool_issue_name **causes);

#endif
