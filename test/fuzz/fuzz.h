/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz.h - what all fuzzers share: reading an input, demands, random cuts.
 *
 * test/fuzz/fuzz_NAME.c is a program with LLVMFuzzerTestOneInput. Its head comment says what it
 * drives and what it demands beyond "no crash". Three programs run the same function: libFuzzer
 * (`make fuzz`), AFL++ (`make fuzz ENGINE=afl`, afl.c) and `make check` (replay.c). The last plays
 * test/fuzz/seeds/NAME.txt, test/bugs/NAME-*.txt and a few thousand mutations of them.
 *
 * An input is text: letters and digits, of which the low bits count, and lines. A text editor can
 * write it, and a mutator cannot make it invalid. Running an input leaves no state behind.
 */
#ifndef WSPOOL_TEST_FUZZ_FUZZ_H
#define WSPOOL_TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* How many mutations `make check` tries: about one second's worth. */
extern const unsigned fuzz_runs;

/* Aborts with a message if the condition is false. The engine keeps the input. */
#define FUZZ_DEMAND(holds, ...) \
    do { \
        if (!(holds)) { \
            fprintf(stderr, "%s:%d: demanded: %s\n  ", __FILE__, __LINE__, #holds); \
            fprintf(stderr, __VA_ARGS__); \
            fprintf(stderr, "\n"); \
            abort(); \
        } \
    } while (0)

/* ------------------------------------------------------------------ input */

typedef struct fuzz_input {
    const uint8_t *data;
    size_t len;
} fuzz_input;

/* Returns the next byte, or '0' at the end of the input. */
static inline uint8_t fuzz_byte(fuzz_input *in)
{
    if (in->len == 0) {
        return '0';
    }
    in->len--;
    return *in->data++;
}

/* Returns the next byte as a number below `below`: '0' is 0, 'a' is 17. */
static inline unsigned fuzz_number(fuzz_input *in, unsigned below)
{
    uint8_t c = fuzz_byte(in);
    return (c >= '0' ? c - (unsigned)'0' : c + 208u) % below;
}

/* Reads the next line without its line end. Returns 0 if there is none. */
static inline int fuzz_line(fuzz_input *in, fuzz_input *line)
{
    const uint8_t *end;
    if (in->len == 0) {
        return 0;
    }
    end = memchr(in->data, '\n', in->len);
    line->data = in->data;
    line->len = end != NULL ? (size_t)(end - in->data) : in->len;
    in->data += line->len + (end != NULL);
    in->len -= line->len + (end != NULL);
    return 1;
}

/* Pseudo-random numbers that depend on the input alone. */
static inline uint64_t fuzz_mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t fuzz_hash(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Returns the size of the next piece of `left` bytes, cut at random: often small, at least 1. */
static inline size_t fuzz_cut(uint64_t *chance, size_t left)
{
    static const size_t upto[] = {1, 2, 4, 16, 64, 1024, 5000, 70000};
    uint64_t draw = fuzz_mix(chance);
    size_t n = 1 + (size_t)(draw >> 8) % upto[draw & 7];
    return n < left ? n : left;
}

/* ----------------------------------------------------------------- memory */

#if defined(__SANITIZE_ADDRESS__)
#define FUZZ_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_ASAN 1
#endif
#endif
#ifdef FUZZ_ASAN
void __asan_poison_memory_region(void const volatile *, size_t);
void __asan_unpoison_memory_region(void const volatile *, size_t);
#endif

/* From here on only the first `len` bytes of a block of `size` bytes may be accessed. */
static inline void fuzz_show(const void *block, size_t len, size_t size)
{
#ifdef FUZZ_ASAN
    __asan_unpoison_memory_region(block, size);
    __asan_poison_memory_region((const char *)block + len, size - len);
#else
    (void)block;
    (void)len;
    (void)size;
#endif
}

/* Returns a copy of exactly that length, so that the sanitizer sees any access beyond it. */
static inline void *fuzz_copy(const void *bytes, size_t len)
{
    void *copy = malloc(len == 0 ? 1 : len);
    if (copy == NULL) {
        abort();
    }
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    fuzz_show(copy, len, len == 0 ? 1 : len);
    return copy;
}

static inline void fuzz_free(void *copy, size_t len)
{
    fuzz_show(copy, len == 0 ? 1 : len, len == 0 ? 1 : len);
    free(copy);
}

#endif
