/* SPDX-License-Identifier: MIT */
/* os/sample.c - see os/sample.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_CLOEXEC, getdents64 and stat, in strict C11 */
#endif
#include "os/sample.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/procfs.h"

#define PERCENT_100 10000u /* in hundredths */

/* The beginning of a file. */
struct text {
    char bytes[4096];
    size_t len;
    enum wspool_measured how; /* NOT_MEASURED: there is no such file */
};

static struct text read_file(const struct wsp_sampler *sampler, const char *folder,
                             const char *name)
{
    char path[3 * WSP_SAMPLER_PATH];
    struct text text = {.len = 0, .how = WSPOOL_NOT_READABLE};
    snprintf(path, sizeof path, "%s%s%s", sampler->root, folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        text.how = errno == ENOENT || errno == ENOTDIR ? WSPOOL_NOT_MEASURED : WSPOOL_NOT_READABLE;
        return text;
    }
    ssize_t got = 1;
    while (got > 0 && text.len < sizeof text.bytes) {
        got = read(fd, text.bytes + text.len, sizeof text.bytes - text.len);
        text.len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    if (got >= 0) {
        text.how = WSPOOL_MEASURED;
    } else if (errno == EOPNOTSUPP) {
        text.how = WSPOOL_NOT_MEASURED; /* pressure information is switched off */
    }
    return text;
}

/* Returns the limit in a file of a folder, or UINT64_MAX. */
static uint64_t limit_in(const struct wsp_sampler *sampler, const char *folder, const char *name)
{
    const struct text text = read_file(sampler, folder, name);
    uint64_t limit;
    return text.how == WSPOOL_MEASURED && wsp_procfs_limit(text.bytes, text.len, &limit)
               ? limit
               : UINT64_MAX;
}

/* ----------------------------------------------------------------- control groups */

static const struct version {
    const char *memory_max, *memory_used, *inactive;
} versions[3] = {
    [1] = {"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file"},
    [2] = {"/memory.max", "/memory.current", "inactive_file"},
};

/* Sets `folder` to the nearest group, from ours upwards, in which the file has a limit. */
static void find_group(const struct wsp_sampler *sampler, const char *mount, const char *group,
                       const char *file, char *folder)
{
    int len = snprintf(folder, WSP_SAMPLER_PATH, "%s%s", mount, group);
    if (len < 0 || len >= WSP_SAMPLER_PATH) {
        folder[0] = '\0';
        return;
    }
    for (;;) {
        char *slash = strrchr(folder, '/');
        if (slash && slash[1] == '\0') {
            *slash = '\0'; /* "/" is the group of all */
        }
        if (limit_in(sampler, folder, file) != UINT64_MAX) {
            return;
        }
        slash = strrchr(folder, '/');
        if (strlen(folder) <= strlen(mount) || !slash) {
            folder[0] = '\0';
            return;
        }
        *slash = '\0';
    }
}

void wsp_sampler_init(struct wsp_sampler *sampler, const char *root)
{
    char group[WSP_SAMPLER_PATH];
    *sampler = (struct wsp_sampler){.root = root, .memory_version = 2, .cpu_version = 2};
    const struct text text = read_file(sampler, "/proc/self/cgroup", "");
    if (wsp_procfs_group(text.bytes, text.len, NULL, group, sizeof group)) {
        find_group(sampler, "/sys/fs/cgroup", group, versions[2].memory_max, sampler->memory);
        find_group(sampler, "/sys/fs/cgroup", group, "/cpu.max", sampler->cpu);
    }
    if (!sampler->memory[0] &&
        wsp_procfs_group(text.bytes, text.len, "memory", group, sizeof group)) {
        sampler->memory_version = 1;
        find_group(sampler, "/sys/fs/cgroup/memory", group, versions[1].memory_max,
                   sampler->memory);
    }
    if (!sampler->cpu[0] && wsp_procfs_group(text.bytes, text.len, "cpu", group, sizeof group)) {
        sampler->cpu_version = 1;
        find_group(sampler, "/sys/fs/cgroup/cpu", group, "/cpu.cfs_quota_us", sampler->cpu);
    }
}

/* ----------------------------------------------------------------------- samples */

static wspool_amount not_readable(void)
{
    return (wspool_amount){WSPOOL_NOT_READABLE, 0, 0};
}

/* What is told of a file that does not have the expected number: a kernel may be without the file,
 * but one that is there must be readable. */
static wspool_amount unknown(enum wspool_measured how)
{
    return how == WSPOOL_NOT_MEASURED ? (wspool_amount){WSPOOL_NOT_MEASURED, 0, 0} : not_readable();
}

/* Of the group if it has a limit: what the kernel would give up before it kills is not in use. */
static wspool_amount memory_of_group(const struct wsp_sampler *sampler)
{
    const struct version *version = &versions[sampler->memory_version];
    const uint64_t limit = limit_in(sampler, sampler->memory, version->memory_max);
    const uint64_t used = limit_in(sampler, sampler->memory, version->memory_used);
    const struct text stat = read_file(sampler, sampler->memory, "/memory.stat");
    uint64_t inactive = 0;
    if (limit == UINT64_MAX || used == UINT64_MAX) {
        return not_readable(); /* it was there at the start */
    }
    (void)wsp_procfs_value(stat.bytes, stat.len, version->inactive, &inactive);
    return (wspool_amount){WSPOOL_MEASURED, used > inactive ? used - inactive : 0, limit};
}

static wspool_amount memory_of_machine(const struct wsp_sampler *sampler)
{
    const struct text text = read_file(sampler, "/proc/meminfo", "");
    uint64_t all, available;
    if (!wsp_procfs_value(text.bytes, text.len, "MemTotal", &all) ||
        !wsp_procfs_value(text.bytes, text.len, "MemAvailable", &available) ||
        all > UINT64_MAX / 1024 || available > all) {
        return unknown(text.how);
    }
    return (wspool_amount){WSPOOL_MEASURED, (all - available) * 1024, all * 1024};
}

/* Returns the share of the group's quota that was used since the last sample, or 0 without one. */
static uint64_t cpu_of_group(struct wsp_sampler *sampler, uint64_t time)
{
    uint64_t quota = UINT64_MAX, period = 0, usage = 0, share = 0;
    if (!sampler->cpu[0]) {
        return 0;
    }
    if (sampler->cpu_version == 2) {
        const struct text max = read_file(sampler, sampler->cpu, "/cpu.max");
        const struct text stat = read_file(sampler, sampler->cpu, "/cpu.stat");
        if (!wsp_procfs_quota(max.bytes, max.len, &quota, &period) ||
            !wsp_procfs_value(stat.bytes, stat.len, "usage_usec", &usage)) {
            return UINT64_MAX;
        }
    } else {
        quota = limit_in(sampler, sampler->cpu, "/cpu.cfs_quota_us");
        period = limit_in(sampler, sampler->cpu, "/cpu.cfs_period_us");
        usage = limit_in(sampler, sampler->cpu, "/cpuacct.usage");
        usage = usage == UINT64_MAX ? 0 : usage / 1000;
    }
    if (quota != UINT64_MAX && quota > 0 && period > 0 && sampler->at > 0 && time > 0 &&
        usage > sampler->usage) {
        const double used = (double)(usage - sampler->usage) * 1000.0 / (double)time;
        const double given = (double)quota / (double)period;
        share = (uint64_t)(used / given * PERCENT_100);
    }
    sampler->usage = usage;
    return share < PERCENT_100 ? share : PERCENT_100;
}

static wspool_amount cpu_of(struct wsp_sampler *sampler, uint64_t now)
{
    const struct text text = read_file(sampler, "/proc/stat", "");
    const uint64_t time = now - sampler->at;
    const int is_first = sampler->at == 0;
    uint64_t busy, all, share = 0;
    if (!wsp_procfs_cpu(text.bytes, text.len, &busy, &all)) {
        return unknown(text.how);
    }
    if (all > sampler->all && busy >= sampler->busy) {
        share = (busy - sampler->busy) * PERCENT_100 / (all - sampler->all);
    }
    const uint64_t of_group = cpu_of_group(sampler, time);
    sampler->busy = busy;
    sampler->all = all;
    sampler->at = now > 0 ? now : 1;
    if (of_group == UINT64_MAX) {
        return not_readable();
    }
    share = share > of_group ? share : of_group;
    return (wspool_amount){is_first ? WSPOOL_NOT_MEASURED : WSPOOL_MEASURED,
                           share < PERCENT_100 ? share : PERCENT_100, PERCENT_100};
}

/* Counts the entries of a folder of descriptors: only for kernels that do not say how many there
 * are (before 6.2). */
static uint64_t count_entries(int fd)
{
    union {
        char bytes[8192];
        struct dirent64 entry;
    } room;
    uint64_t count = 0;
    ssize_t got;
    while ((got = getdents64(fd, room.bytes, sizeof room.bytes)) > 0) {
        for (ssize_t at = 0; at < got; count++) {
            const struct dirent64 *entry = (const void *)(room.bytes + at);
            at += entry->d_reclen;
        }
    }
    return count > 3 ? count - 3 : 0; /* ".", "..", and the one that reads them */
}

static wspool_amount files_of(void)
{
    struct rlimit limit;
    struct stat stat;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return not_readable();
    }
    int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        return (wspool_amount){WSPOOL_MEASURED, limit.rlim_cur, limit.rlim_cur}; /* all are used */
    }
    if (fd < 0) {
        return unknown(errno == ENOENT ? WSPOOL_NOT_MEASURED : WSPOOL_NOT_READABLE);
    }
    const int told = fstat(fd, &stat) == 0 && stat.st_size > 0;
    const uint64_t used = told ? (uint64_t)stat.st_size - 1 : count_entries(fd);
    close(fd);
    return (wspool_amount){WSPOOL_MEASURED, used,
                           limit.rlim_cur == RLIM_INFINITY ? 0 : (uint64_t)limit.rlim_cur};
}

static wspool_amount pressure_of(const struct wsp_sampler *sampler)
{
    const struct text text = read_file(sampler, "/proc/pressure/memory", "");
    uint64_t hundredths;
    if (text.how == WSPOOL_MEASURED && wsp_procfs_pressure(text.bytes, text.len, &hundredths)) {
        return (wspool_amount){WSPOOL_MEASURED, hundredths, PERCENT_100};
    }
    return unknown(text.how);
}

void wsp_sampler_take(struct wsp_sampler *sampler, wspool_sample *sample, uint64_t now)
{
    sample->of[WSPOOL_RESOURCE_MEMORY] =
        sampler->memory[0] ? memory_of_group(sampler) : memory_of_machine(sampler);
    sample->of[WSPOOL_RESOURCE_CPU] = cpu_of(sampler, now);
    sample->of[WSPOOL_RESOURCE_FILES] = files_of();
    sample->of[WSPOOL_RESOURCE_PRESSURE] = pressure_of(sampler);
}
