/* SPDX-License-Identifier: MIT */
/*
 * json/integer.h - the integers that the contract counts with: offsets, and the N of actions.
 */
#ifndef WSP_JSON_INTEGER_H
#define WSP_JSON_INTEGER_H

#include <stdint.h>

/* Clients in JavaScript have doubles, which hold integers below 2^53 exactly. */
#define WSP_JSON_INTEGER_MAX ((INT64_C(1) << 53) - 1)

#endif
