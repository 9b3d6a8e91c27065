/* SPDX-License-Identifier: MIT */
/*
 * fuzz/replay.c - runs a fuzzer's function without a fuzzing engine, for `make check`.
 *
 *     fuzz_NAME          TAP: each seed of test/fuzz/seeds/NAME.txt and of test/bugs/NAME-*.txt,
 *                        then mutations of them, the same ones each time; a failing one is
 *                        written to build/fuzz/crashes/NAME-mutation
 *     fuzz_NAME FILE...  these inputs, as they are
 *
 * Run it from the top folder. A seed begins with a line `= title`. The lines after it are joined,
 * with \n \r \t \\ and \xHH as in C. After `== title` each line keeps its line end. Lines that
 * begin with # are comments.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "fuzz.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#define SEEDS_MAX 1000
#define INPUT_MAX 70000

struct seed {
    char title[128];
    uint8_t *data;
    size_t len;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;

/* ------------------------------------------------------------------ seeds */

static void add(struct seed *seed, uint8_t byte)
{
    if (seed->len % 256 == 0) {
        seed->data = realloc(seed->data, seed->len + 256);
        if (seed->data == NULL) {
            abort();
        }
    }
    seed->data[seed->len++] = byte;
}

static void add_line(struct seed *seed, const char *line)
{
    static const char letters[] = "nrt\\", bytes[] = "\n\r\t\\";
    for (const char *at = line; *at != '\0'; at++) {
        const char *letter;
        unsigned value;
        if (*at != '\\') {
            add(seed, (uint8_t)*at);
        } else if (at[1] == 'x' && sscanf(at + 2, "%2x", &value) == 1 && at[3] != '\0') {
            add(seed, (uint8_t)value);
            at += 3;
        } else if (at[1] != '\0' && (letter = strchr(letters, at[1])) != NULL) {
            add(seed, (uint8_t)bytes[letter - letters]);
            at++;
        } else {
            FUZZ_DEMAND(0, "no escape: %s", at);
        }
    }
}

static void read_seeds(const char *path)
{
    char line[8192];
    int lines = 0;
    struct seed *seed = NULL;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        FUZZ_DEMAND(strchr(line, '\n') != NULL, "%s: a line too long", path);
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#') {
            continue;
        }
        if (line[0] == '=') {
            FUZZ_DEMAND(seed_count < SEEDS_MAX, "more than %d seeds", SEEDS_MAX);
            lines = line[1] == '=';
            seed = &seeds[seed_count++];
            snprintf(seed->title, sizeof seed->title, "%.120s",
                     line + 1 + lines + strspn(line + 1 + lines, " "));
            for (char *at = seed->title; *at != '\0'; at++) {
                *at = isalnum((unsigned char)*at) ? *at : '_';
            }
        } else if (seed != NULL) {
            add_line(seed, line);
            if (lines) {
                add(seed, '\n');
            }
        }
    }
    fclose(file);
}

static int is_bug(const struct dirent *entry)
{
    return strstr(entry->d_name, ".txt") != NULL;
}

static void read_all(const char *name)
{
    char path[512];
    struct dirent **bugs = NULL;
    int count;
    snprintf(path, sizeof path, "test/fuzz/seeds/%s.txt", name);
    read_seeds(path);
    count = scandir("test/bugs", &bugs, is_bug, alphasort);
    for (int i = 0; i < count; i++) {
        size_t len = strlen(name);
        if (strncmp(bugs[i]->d_name, name, len) == 0 && bugs[i]->d_name[len] == '-') {
            snprintf(path, sizeof path, "test/bugs/%s", bugs[i]->d_name);
            read_seeds(path);
        }
        free(bugs[i]);
    }
    free(bugs);
}

/* -------------------------------------------------------------- mutations */

static uint64_t chance = 1;

static size_t below(size_t limit)
{
    return limit == 0 ? 0 : (size_t)(fuzz_mix(&chance) % limit);
}

/* Replaces `gone` bytes at `at` by `n` bytes. */
static size_t put(uint8_t *data, size_t len, size_t at, size_t gone, const uint8_t *bytes, size_t n)
{
    uint8_t copy[64];
    n = n < sizeof copy ? n : sizeof copy;
    gone = gone < len - at ? gone : len - at;
    if (len - gone + n > INPUT_MAX) {
        return len;
    }
    if (n > 0) {
        memcpy(copy, bytes, n); /* they may lie in `data` */
    }
    memmove(data + at + n, data + at + gone, len - at - gone);
    memcpy(data + at, copy, n);
    return len - gone + n;
}

static size_t mutate(uint8_t *data, size_t len)
{
    const struct seed *other = &seeds[below(seed_count)];
    size_t at = below(len + 1);
    size_t from = below(len + 1);
    uint8_t byte = (uint8_t)fuzz_mix(&chance);
    switch (below(8)) {
    case 0:
        if (at < len) {
            data[at] ^= (uint8_t)(1u << below(8));
        }
        return len;
    case 1:
        return put(data, len, at, 1, &byte, 1);
    case 2:
        return put(data, len, at, 0, &byte, 1);
    case 3:
        return put(data, len, at, 1 + below(8), NULL, 0);
    case 4:
        return put(data, len, at, 0, data + from, below(len - from + 1));
    case 5:
        return put(data, len, at, below(32), data + from, below(len - from + 1));
    case 6:
        byte = (uint8_t)(byte & 1 ? '0' + byte % 10 : 'a' + byte % 26);
        return put(data, len, at, 1, &byte, 1);
    default:
        from = below(other->len + 1);
        return put(data, len, at, below(32), other->data + from, below(other->len - from + 1));
    }
}

/* ---------------------------------------------------------------- running */

static const char *now = ""; /* what runs now, for the message after a crash */
static const uint8_t *now_data;
static size_t now_len;
static char kept[128]; /* where the last mutation is written */

static void say_what(void)
{
    FILE *file = NULL;
    fprintf(stderr, "  in: %s\n", now);
    if (now_data != NULL) {
        mkdir("build/fuzz", 0777);
        mkdir("build/fuzz/crashes", 0777);
        file = fopen(kept, "wb");
    }
    if (file != NULL) {
        fwrite(now_data, 1, now_len, file);
        fclose(file);
        fprintf(stderr, "  kept: %s\n", kept);
    }
    now_data = NULL;
}

static void on_abort(int number)
{
    say_what();
    signal(number, SIG_DFL);
    raise(number);
}

#ifdef FUZZ_ASAN
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

static void listen_for_the_end(void)
{
    signal(SIGABRT, on_abort);
#ifdef FUZZ_ASAN
    __sanitizer_set_death_callback(say_what);
#endif
}

static void run(const uint8_t *data, size_t len)
{
    uint8_t *copy = fuzz_copy(data, len);
    LLVMFuzzerTestOneInput(copy, len);
    fuzz_free(copy, len);
}

/* The fallback of a fuzzer's own mutator, and that mutator, if there is one. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                                     unsigned seed);

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    return max_size < INPUT_MAX ? size : mutate(data, size);
}

static void run_mutations(void)
{
    static uint8_t data[INPUT_MAX + 64];
    for (unsigned i = 0; i < fuzz_runs; i++) {
        const struct seed *seed = &seeds[below(seed_count)];
        size_t len = seed->len < INPUT_MAX ? seed->len : INPUT_MAX;
        if (len > 0) {
            memcpy(data, seed->data, len);
        }
        for (size_t n = 1 + below(6); n > 0; n--) {
            len = LLVMFuzzerCustomMutator != NULL
                      ? LLVMFuzzerCustomMutator(data, len, INPUT_MAX, (unsigned)fuzz_mix(&chance))
                      : mutate(data, len);
        }
        now_data = data;
        now_len = len;
        run(data, len);
    }
    now_data = NULL;
}

static void run_file(const char *path)
{
    struct seed seed = {.len = 0};
    FILE *file = fopen(path, "rb");
    int c;
    FUZZ_DEMAND(file != NULL, "can't open %s", path);
    while ((c = getc(file)) != EOF) {
        add(&seed, (uint8_t)c);
    }
    fclose(file);
    run(seed.data, seed.len);
    free(seed.data);
    printf("%s: nothing\n", path);
}

int main(int argc, char **argv)
{
    const char *name = strstr(argv[0], "fuzz_");
    size_t n;
    for (const char *next = name; next != NULL; next = strstr(next + 1, "fuzz_")) {
        name = next;
    }
    FUZZ_DEMAND(name != NULL, "not called fuzz_NAME: %s", argv[0]);
    LLVMFuzzerInitialize(&argc, &argv);
    listen_for_the_end();
    if (argc > 1) {
        for (int i = 1; i < argc; i++) {
            now = argv[i];
            run_file(argv[i]);
        }
        return 0;
    }
    read_all(name + strlen("fuzz_"));
    snprintf(kept, sizeof kept, "build/fuzz/crashes/%.60s-mutation", name + strlen("fuzz_"));
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", seed_count + 1);
    for (n = 0; n < seed_count; n++) {
        now = seeds[n].title;
        run(seeds[n].data, seeds[n].len);
        printf("ok %zu - %s\n", n + 1, seeds[n].title);
    }
    now = "a mutation";
    if (seed_count > 0) {
        run_mutations();
    }
    printf("%s %zu - %u_mutations_of_them_do_no_harm\n", seed_count > 0 ? "ok" : "not ok", n + 1,
           fuzz_runs);
    for (n = 0; n < seed_count; n++) {
        free(seeds[n].data);
    }
    return 0;
}
