/* SPDX-License-Identifier: MIT */
/* fuzz/simmed.c - see fuzz/simmed.h. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "simmed.h"

#include <stdlib.h>

void fuzz_simmed(void)
{
    setenv("CMOCKA_TEST_ABORT", "1", 1);
}
