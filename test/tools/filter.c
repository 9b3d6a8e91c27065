/* SPDX-License-Identifier: MIT */
/*
 * test/tools/filter.c - linked into every test program: TEST_FILTER=pattern in the environment
 * runs only the cases whose names match it (* and ?).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

__attribute__((constructor)) static void filter(void)
{
    const char *pattern = getenv("TEST_FILTER");
    if (pattern) {
        cmocka_set_test_filter(pattern);
    }
}
