/* SPDX-License-Identifier: MIT */
/*
 * unit/test_os.c - os/os.h: the clock never goes back, and entropy fills exactly the buffer.
 *
 * A replaced getrandom returns short counts and errors from a script.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* clock_gettime and syscall, in strict C11 */
#endif
#include "support.h"
#include "os/os.h"
#include <errno.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <wspool/wspool.h>

/* The results of the next getrandom calls: a number of bytes, or a negative errno. Without a
 * script, and behind its end, the system is called. The getrandom below replaces that of the C
 * library. */
static const int *script;
static size_t script_left;
static size_t calls;

ssize_t getrandom(void *bytes, size_t len, unsigned flags);
ssize_t getrandom(void *bytes, size_t len, unsigned flags)
{
    calls++;
    if (script_left == 0) {
        return (ssize_t)syscall(SYS_getrandom, bytes, len, flags);
    }
    int answer = *script++;
    script_left--;
    errno = answer > 0 ? errno : answer < 0 ? -answer : EINTR; /* a stale errno must mean nothing */
    if (answer < 0) {
        return -1;
    }
    assert_true((size_t)answer <= len);
    memset(bytes, 0x80 | answer, (size_t)answer);
    return answer;
}

TEST(clock_never_runs_backwards_when_asked_again)
{
    uint64_t first = wspool_clock();
    uint64_t last = first;
    assert_true(first > 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t now = wspool_clock();
        assert_true(now >= last);
        last = now;
    }
    /* Nanoseconds: that many calls take longer than 10 us and less than 100 s. */
    assert_true(last - first > 10000 && last - first < 100 * WSPOOL_SECOND);
}

static uint64_t monotonic(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

TEST(clock_is_the_monotonic_one_in_nanoseconds_when_asked)
{
    uint64_t before = monotonic();
    uint64_t clock = wspool_clock();
    assert_true(before <= clock && clock <= monotonic());
}

TEST(wall_clock_is_in_milliseconds_since_1970)
{
    struct timespec before, after;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &before), 0);
    uint64_t wall = wsp_os_wall_clock(NULL);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &after), 0);
    assert_in_range(wall, (uint64_t)before.tv_sec * 1000 + (uint64_t)before.tv_nsec / 1000000,
                    (uint64_t)after.tv_sec * 1000 + (uint64_t)after.tv_nsec / 1000000);
}

TEST(entropy_goes_on_when_it_is_interrupted_or_gets_less)
{
    static const int answers[] = {-EINTR, 3, -EINTR, -EINTR, 1, 4};
    uint8_t bytes[9] = {0};
    script = answers;
    script_left = sizeof(answers) / sizeof(answers[0]);
    calls = 0;
    assert_int_equal(wsp_os_entropy(bytes, 8, NULL), 0);
    assert_memory_equal(bytes, "\x83\x83\x83\x81\x84\x84\x84\x84\0", 9);
    assert_int_equal(calls, 6);
    assert_int_equal(script_left, 0);
}

TEST(entropy_fails_when_the_system_does)
{
    static const int answers[] = {3, -ENOSYS};
    uint8_t bytes[8] = {0};
    script = answers;
    script_left = 2;
    assert_int_not_equal(wsp_os_entropy(bytes, 8, NULL), 0);
    static const int nothing[] = {0};
    script = nothing;
    script_left = 1;
    assert_int_not_equal(wsp_os_entropy(bytes, 8, NULL), 0);
    assert_int_equal(script_left, 0);
}

TEST(entropy_fills_all_bytes_and_no_more_when_it_succeeds)
{
    /* More than 256 bytes: the system may return fewer than requested. */
    static uint8_t bytes[100000 + 2];
    static uint8_t seen[100000];
    memset(seen, 0, sizeof(seen));
    for (int round = 0; round < 4; round++) {
        memset(bytes, 0, sizeof(bytes));
        bytes[0] = bytes[sizeof(bytes) - 1] = 0x77;
        assert_int_equal(wsp_os_entropy(bytes + 1, sizeof(seen), NULL), 0);
        assert_int_equal(bytes[0], 0x77);
        assert_int_equal(bytes[sizeof(bytes) - 1], 0x77);
        for (size_t i = 0; i < sizeof(seen); i++) {
            seen[i] |= bytes[1 + i];
        }
    }
    /* The chance that a byte is 0 four times is one in 4e9: at most one such byte is accepted. */
    size_t zeros = 0;
    for (size_t i = 0; i < sizeof(seen); i++) {
        zeros += seen[i] == 0;
    }
    assert_true(zeros <= 1);
}

TEST(entropy_differs_when_asked_twice)
{
    uint8_t one[32], two[32];
    assert_int_equal(wsp_os_entropy(one, sizeof(one), NULL), 0);
    assert_int_equal(wsp_os_entropy(two, sizeof(two), NULL), 0);
    assert_memory_not_equal(one, two, sizeof(one));
}

TEST(entropy_succeeds_when_no_bytes_are_asked_for)
{
    assert_int_equal(wsp_os_entropy(NULL, 0, NULL), 0);
}
