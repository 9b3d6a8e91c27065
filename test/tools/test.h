/* SPDX-License-Identifier: MIT */
/*
 * tools/test.h - lets a test register itself, so that a test program consists of its tests only.
 *
 *     TEST(push_is_refused_when_the_queue_is_full)
 *     {
 *         assert_int_equal(push(&queue), WSPOOL_FULL);
 *     }
 *
 * The assertions are those of cmocka. A program runs its tests in the order of its source (those of
 * a header where it is included), and prints TAP if CMOCKA_MESSAGE_OUTPUT=TAP. TEST_FILTER=pattern
 * in the environment runs only the tests whose names match it (* and ?).
 *
 *     BEFORE_ALL
 *     {
 *         guard_open(&guard, 4096);
 *     }
 *
 * runs once, before the first test; a program has at most one. It may call test_skip_all. Tests and
 * BEFORE_ALL belong into the file test_*.c of a program, or into headers that it includes.
 * test/test.mk links test.c, which has the main, into each program.
 */
#ifndef WSP_TEST_TOOLS_TEST_H
#define WSP_TEST_TOOLS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct test {
    const char *name;
    void (*run)(void);
    int order; /* __COUNTER__, which grows through a file and its headers */
    struct test *next;
};

void test_register(struct test *test);
void test_before_all(void (*run)(void));

/* Skips the whole program, because it cannot run here. */
_Noreturn void test_skip_all(const char *why);

/* The arguments of the program. */
extern int test_argc;
extern char **test_argv;

#define TEST(name) \
    static void name(void); \
    __attribute__((constructor)) static void name##_registers(void) \
    { \
        static struct test test = {#name, name, __COUNTER__, NULL}; \
        test_register(&test); \
    } \
    static void name(void)

#define BEFORE_ALL \
    static void before_all(void); \
    __attribute__((constructor)) static void before_all_registers(void) \
    { \
        test_before_all(before_all); \
    } \
    static void before_all(void)

#endif
