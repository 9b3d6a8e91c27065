/* SPDX-License-Identifier: MIT */
/*
 * unit/test_procfs.c - texts of /proc and of control groups, good ones and others; and the sampler
 * on a folder that stands for the root of a machine.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mkdtemp, in strict C11 */
#endif
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/procfs.h"
#include "os/sample.h"

#define TEXT(s) s, strlen(s)
#define SEC UINT64_C(1000000000)

/* ------------------------------------------------------------------------- texts */

TEST(value_is_that_behind_the_name_at_the_beginning_of_a_line)
{
    static const struct {
        const char *text;
        int there;
        uint64_t value;
    } cases[] = {{"MemTotal:       24683548 kB\nx 1\n", 1, 24683548},
                 {"x 1\nMemTotal 7", 1, 7},
                 {"MemTotalX: 7\nMemTotal: 8\n", 1, 8},
                 {"NoMemTotal: 7\n", 0, 0},
                 {"MemTotal:\n7\n", 0, 0},
                 {"MemTotal: -7\n", 0, 0},
                 {"MemTotal: 18446744073709551615", 1, UINT64_MAX},
                 {"MemTotal: 18446744073709551616", 0, 0},
                 {"MemTotal: 99999999999999999999999", 0, 0},
                 {"MemTotal:7\r\n", 1, 7},
                 {"MemTotal", 0, 0},
                 {"", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 0;
        assert_int_equal(wsp_procfs_value(TEXT(cases[i].text), "MemTotal", &value), cases[i].there);
        assert_true(!cases[i].there || value == cases[i].value);
    }
}

TEST(limit_is_a_number_or_none)
{
    uint64_t limit;
    assert_int_equal(wsp_procfs_limit(TEXT("max\n"), &limit), 1);
    assert_true(limit == UINT64_MAX);
    assert_int_equal(wsp_procfs_limit(TEXT("9223372036854771712\n"), &limit), 1);
    assert_true(limit == UINT64_MAX);
    assert_int_equal(wsp_procfs_limit(TEXT("4096"), &limit), 1);
    assert_int_equal(limit, 4096);
    assert_int_equal(wsp_procfs_limit(TEXT(""), &limit), 0);
    assert_int_equal(wsp_procfs_limit(TEXT("-1\n"), &limit), 0);
}

TEST(quota_is_two_numbers)
{
    uint64_t quota, period;
    assert_int_equal(wsp_procfs_quota(TEXT("200000 100000\n"), &quota, &period), 1);
    assert_true(quota == 200000 && period == 100000);
    assert_int_equal(wsp_procfs_quota(TEXT("max 100000\n"), &quota, &period), 1);
    assert_true(quota == UINT64_MAX);
    assert_int_equal(wsp_procfs_quota(TEXT("200000 0\n"), &quota, &period), 0);
    assert_int_equal(wsp_procfs_quota(TEXT("200000\n"), &quota, &period), 0);
    assert_int_equal(wsp_procfs_quota(TEXT("max"), &quota, &period), 0);
}

TEST(processors_are_idle_while_they_wait_and_guests_count_once)
{
    uint64_t busy, all;
    assert_int_equal(wsp_procfs_cpu(TEXT("cpu  10 20 30 400 50 6 7 8 9 10\ncpu0 1\n"), &busy, &all),
                     1);
    assert_int_equal(busy, 10 + 20 + 30 + 6 + 7 + 8);
    assert_int_equal(all, busy + 450);
    assert_int_equal(wsp_procfs_cpu(TEXT("cpu  1 2 3 4\n"), &busy, &all), 1); /* an old kernel */
    assert_int_equal(wsp_procfs_cpu(TEXT("cpu  1 2 3\n"), &busy, &all), 0);
    assert_int_equal(wsp_procfs_cpu(TEXT("cpu0 1 2 3 4\n"), &busy, &all), 0);
    assert_int_equal(wsp_procfs_cpu(TEXT("cpu  1 2 3 18446744073709551615\n"), &busy, &all), 0);
}

TEST(pressure_has_two_places_behind_the_point)
{
    uint64_t pressure;
    assert_int_equal(wsp_procfs_pressure(TEXT("some avg10=3.27 avg60=0.00\n"), &pressure), 1);
    assert_int_equal(pressure, 327);
    assert_int_equal(wsp_procfs_pressure(TEXT("some avg10=100.00"), &pressure), 1);
    assert_int_equal(pressure, 10000);
    assert_int_equal(wsp_procfs_pressure(TEXT("some avg10=7"), &pressure), 1);
    assert_int_equal(pressure, 700);
    assert_int_equal(wsp_procfs_pressure(TEXT("some avg10=1.23456789"), &pressure), 1);
    assert_int_equal(pressure, 123);
    assert_int_equal(wsp_procfs_pressure(TEXT("some avg10=101.00"), &pressure), 0);
    assert_int_equal(wsp_procfs_pressure(TEXT("full avg10=3.27"), &pressure), 0);
}

TEST(group_is_that_of_the_controller_or_of_version_2)
{
    static const char text[] = "12:cpu,cpuacct:/a\n4:memory:/b/c\n0::/d\n";
    char path[8];
    assert_int_equal(wsp_procfs_group(TEXT(text), "memory", path, sizeof path), 1);
    assert_string_equal(path, "/b/c");
    assert_int_equal(wsp_procfs_group(TEXT(text), "cpu", path, sizeof path), 1);
    assert_string_equal(path, "/a");
    assert_int_equal(wsp_procfs_group(TEXT(text), "cpuacct", path, sizeof path), 1);
    assert_int_equal(wsp_procfs_group(TEXT(text), NULL, path, sizeof path), 1);
    assert_string_equal(path, "/d");
    assert_int_equal(wsp_procfs_group(TEXT(text), "cpua", path, sizeof path), 0);
    assert_int_equal(wsp_procfs_group(TEXT("0::/1234567\n"), NULL, path, sizeof path), 0);
    assert_int_equal(wsp_procfs_group(TEXT("0::/123456"), NULL, path, sizeof path), 1);
    assert_int_equal(wsp_procfs_group(TEXT("0::"), NULL, path, sizeof path), 0);
    assert_int_equal(wsp_procfs_group(TEXT("0::x\n"), NULL, path, sizeof path), 0);
    assert_int_equal(wsp_procfs_group(TEXT("0:"), NULL, path, sizeof path), 0);
}

/* No text makes a function read beyond it: the sanitizer looks. */
TEST(cut_and_garbled_texts_are_no_harm)
{
    static const char *const texts[] = {
        "cpu  10 20 30 400 50 6 7 8 9 10\n", "some avg10=3.27 avg60=0.00\n",
        "MemTotal: 24683548 kB\nMemAvailable: 7\n", "12:cpu,cpuacct:/a\n4:memory:/b/c\n0::/d\n",
        "200000 100000\n"};
    uint64_t a, b;
    char path[16];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (size_t len = 0; len <= strlen(texts[i]); len++) {
            for (int garbled = 0; garbled < 256; garbled += 5) {
                char *copy = malloc(len + 1);
                memcpy(copy, texts[i], len);
                if (len > 0) {
                    copy[len - 1] = (char)garbled;
                }
                char *exact = realloc(copy, len > 0 ? len : 1);
                (void)wsp_procfs_value(exact, len, "MemAvailable", &a);
                (void)wsp_procfs_limit(exact, len, &a);
                (void)wsp_procfs_quota(exact, len, &a, &b);
                (void)wsp_procfs_cpu(exact, len, &a, &b);
                (void)wsp_procfs_pressure(exact, len, &a);
                (void)wsp_procfs_group(exact, len, "memory", path, sizeof path);
                (void)wsp_procfs_group(exact, len, NULL, path, sizeof path);
                free(exact);
            }
        }
    }
}

/* ---------------------------------------------------------------------- machines */

static char root[64];

static void put(const char *path, const char *text)
{
    char whole[400];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(whole, 0700);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void begin(void)
{
    snprintf(root, sizeof root, "/tmp/wspool.XXXXXX");
    assert_non_null(mkdtemp(root));
    put("/proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n");
    put("/proc/stat", "cpu  100 0 0 100 0 0 0 0\n");
}

static void end(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static wspool_amount of(struct wsp_sampler *sampler, enum wspool_resource resource, uint64_t now)
{
    wspool_sample sample = {.size = sizeof sample};
    wsp_sampler_take(sampler, &sample, now);
    return sample.of[resource];
}

#define EXPECT(amount, how, u, a) \
    do { \
        const wspool_amount got = (amount); \
        assert_int_equal(got.measured, how); \
        assert_int_equal(got.used, u); \
        assert_int_equal(got.all, a); \
    } while (0)

TEST(machine_without_groups_has_its_own_memory_and_processors)
{
    struct wsp_sampler sampler;
    begin();
    wsp_sampler_init(&sampler, root);
    EXPECT(of(&sampler, WSPOOL_RESOURCE_MEMORY, SEC), WSPOOL_MEASURED, 600 * 1024, 1000 * 1024);
    EXPECT(of(&sampler, WSPOOL_RESOURCE_PRESSURE, SEC), WSPOOL_NOT_MEASURED, 0, 0);
    put("/proc/stat", "cpu  130 0 0 170 0 0 0 0\n");
    EXPECT(of(&sampler, WSPOOL_RESOURCE_CPU, 2 * SEC), WSPOOL_MEASURED, 3000, 10000);
    put("/proc/pressure/memory", "some avg10=12.50 avg60=0\n");
    EXPECT(of(&sampler, WSPOOL_RESOURCE_PRESSURE, 3 * SEC), WSPOOL_MEASURED, 1250, 10000);
    end();
}

TEST(first_look_at_the_processors_says_nothing)
{
    struct wsp_sampler sampler;
    begin();
    wsp_sampler_init(&sampler, root);
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_CPU, SEC).measured, WSPOOL_NOT_MEASURED);
    end();
}

TEST(what_is_there_and_cannot_be_read_is_said_to_be_so)
{
    struct wsp_sampler sampler;
    begin();
    wsp_sampler_init(&sampler, root);
    put("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 4000 kB\n");
    put("/proc/stat", "nonsense");
    put("/proc/pressure/memory", "");
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_MEMORY, SEC).measured, WSPOOL_NOT_READABLE);
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_CPU, SEC).measured, WSPOOL_NOT_READABLE);
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_PRESSURE, SEC).measured, WSPOOL_NOT_READABLE);
    end();
}

TEST(group_of_version_2_counts_instead_of_the_machine)
{
    struct wsp_sampler sampler;
    begin();
    put("/proc/self/cgroup", "0::/app/web\n");
    put("/sys/fs/cgroup/app/web/memory.max", "max\n"); /* the limit is further up */
    put("/sys/fs/cgroup/app/memory.max", "1000000\n");
    put("/sys/fs/cgroup/app/memory.current", "700000\n");
    put("/sys/fs/cgroup/app/memory.stat", "anon 5\ninactive_file 100000\n");
    put("/sys/fs/cgroup/app/web/cpu.max", "50000 100000\n"); /* half a processor */
    put("/sys/fs/cgroup/app/web/cpu.stat", "usage_usec 1000000\nuser_usec 5\n");
    wsp_sampler_init(&sampler, root);
    EXPECT(of(&sampler, WSPOOL_RESOURCE_MEMORY, SEC), WSPOOL_MEASURED, 600000, 1000000);
    put("/proc/stat", "cpu  100 0 0 300 0 0 0 0\n");
    put("/sys/fs/cgroup/app/web/cpu.stat", "usage_usec 1400000\n"); /* 0.4 s of 0.5 s */
    EXPECT(of(&sampler, WSPOOL_RESOURCE_CPU, 2 * SEC), WSPOOL_MEASURED, 8000, 10000);
    put("/sys/fs/cgroup/app/memory.current", "");
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_MEMORY, 3 * SEC).measured, WSPOOL_NOT_READABLE);
    end();
}

TEST(group_of_version_1_counts_too)
{
    struct wsp_sampler sampler;
    begin();
    put("/proc/self/cgroup", "4:memory:/m\n3:cpu,cpuacct:/c\n");
    put("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "2000\n");
    put("/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "900\n");
    put("/sys/fs/cgroup/memory/m/memory.stat", "total_inactive_file 100\n");
    put("/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/c/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu/c/cpuacct.usage", "1000000000\n");
    wsp_sampler_init(&sampler, root);
    EXPECT(of(&sampler, WSPOOL_RESOURCE_MEMORY, SEC), WSPOOL_MEASURED, 800, 2000);
    put("/sys/fs/cgroup/cpu/c/cpuacct.usage", "2500000000\n"); /* 1.5 s of 2 s */
    EXPECT(of(&sampler, WSPOOL_RESOURCE_CPU, 2 * SEC), WSPOOL_MEASURED, 7500, 10000);
    end();
}

TEST(this_machine_can_be_sampled)
{
    struct wsp_sampler sampler;
    wspool_amount files;
    wsp_sampler_init(&sampler, "");
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_MEMORY, SEC).measured, WSPOOL_MEASURED);
    files = of(&sampler, WSPOOL_RESOURCE_FILES, SEC);
    assert_int_equal(files.measured, WSPOOL_MEASURED);
    int fd = dup(0);
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_FILES, SEC).used, files.used + 1);
    close(fd);
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_FILES, SEC).used, files.used);
}

/* A group whose path we cannot name counts as none, and the machine's own figures stand. */
TEST(group_with_a_path_beyond_all_bounds_is_left_out)
{
    struct wsp_sampler sampler;
    char text[WSP_SAMPLER_PATH + 8];
    begin();
    memset(text, 'a', sizeof text);
    memcpy(text, "0::/", 4);
    strcpy(text + WSP_SAMPLER_PATH - 4, "\n");
    put("/proc/self/cgroup", text);
    wsp_sampler_init(&sampler, root);
    EXPECT(of(&sampler, WSPOOL_RESOURCE_MEMORY, SEC), WSPOOL_MEASURED, 600 * 1024, 1000 * 1024);
    end();
}

TEST(group_whose_usage_is_gone_cannot_be_read)
{
    struct wsp_sampler sampler;
    begin();
    put("/proc/self/cgroup", "0::/app\n");
    put("/sys/fs/cgroup/app/cpu.max", "50000 100000\n");
    put("/sys/fs/cgroup/app/cpu.stat", "usage_usec 1000000\n");
    wsp_sampler_init(&sampler, root);
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_CPU, SEC).measured, WSPOOL_NOT_MEASURED);
    put("/sys/fs/cgroup/app/cpu.stat", "nonsense\n");
    assert_int_equal(of(&sampler, WSPOOL_RESOURCE_CPU, 2 * SEC).measured, WSPOOL_NOT_READABLE);
    end();
}

/* Without a free descriptor the files cannot be counted: then all are in use. */
TEST(process_without_a_free_descriptor_has_used_all)
{
    struct wsp_sampler sampler;
    struct rlimit before, none;
    wsp_sampler_init(&sampler, "");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const wspool_amount files = of(&sampler, WSPOOL_RESOURCE_FILES, SEC);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(files.measured, WSPOOL_MEASURED);
    assert_int_equal(files.used, 3);
    assert_int_equal(files.all, 3);
}
