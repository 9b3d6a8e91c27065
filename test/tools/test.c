/* SPDX-License-Identifier: MIT */
/* tools/test.c - the main of every test program: runs the registered tests. */
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

int test_argc;
char **test_argv;

static struct test *tests; /* in the order of the source */
static size_t count;
static void (*before)(void);

void test_register(struct test *test)
{
    struct test **place = &tests;
    while (*place && (*place)->order < test->order) {
        place = &(*place)->next;
    }
    test->next = *place;
    *place = test;
    count++;
}

void test_before_all(void (*run)(void))
{
    before = run;
}

_Noreturn void test_skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    exit(0);
}

static void run(void **state)
{
    const struct test *test = *state;
    test->run();
}

int main(int argc, char **argv)
{
    struct CMUnitTest list[count + 1]; /* not on the heap, because tests count allocations */
    size_t n = 0;
    for (struct test *test = tests; test; test = test->next) {
        list[n++] = (struct CMUnitTest){test->name, run, NULL, NULL, test};
    }
    test_argc = argc;
    test_argv = argv;
    if (before) {
        before();
    }
    const char *pattern = getenv("TEST_FILTER");
    if (pattern) {
        cmocka_set_test_filter(pattern);
    }
    return _cmocka_run_group_tests("tests", list, n, NULL, NULL);
}
