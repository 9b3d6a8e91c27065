/* SPDX-License-Identifier: MIT */
/*
 * fuzz/afl.c - runs a fuzzer's function under AFL++ in persistent mode.
 *
 * AFL++ passes thousands of inputs to one process through shared memory. With any other compiler
 * than afl-clang-fast the program does nothing.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "fuzz.h"

#include <unistd.h> /* for the macros of AFL++ */

/* Called by a fuzzer's own mutator. AFL++ does not use that mutator. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data;
    (void)max_size;
    return size;
}

#ifdef __AFL_FUZZ_TESTCASE_LEN
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Weverything"
__AFL_FUZZ_INIT();

int main(int argc, char **argv)
{
    LLVMFuzzerInitialize(&argc, &argv);
    __AFL_INIT();
    const unsigned char *shared = __AFL_FUZZ_TESTCASE_BUF;
    while (__AFL_LOOP(10000)) {
        size_t len = (size_t)__AFL_FUZZ_TESTCASE_LEN;
        uint8_t *copy = fuzz_copy(shared, len);
        LLVMFuzzerTestOneInput(copy, len);
        fuzz_free(copy, len);
    }
    return 0;
}
#pragma clang diagnostic pop
#else
int main(void)
{
    return 77;
}
#endif
