/* SPDX-License-Identifier: MIT */
/* os/procfs.c - see os/procfs.h. */
#include "os/procfs.h"

#include <string.h>

/* What is left of a text. */
struct rest {
    const char *at, *end;
};

static void skip_spaces(struct rest *rest)
{
    while (rest->at < rest->end && (*rest->at == ' ' || *rest->at == '\t')) {
        rest->at++;
    }
}

/* Skips a word that must be there. */
static int skip(struct rest *rest, const char *word)
{
    const size_t len = strlen(word);
    if ((size_t)(rest->end - rest->at) < len || memcmp(rest->at, word, len) != 0) {
        return 0;
    }
    rest->at += len;
    return 1;
}

static int skip_line(struct rest *rest)
{
    const char *end = memchr(rest->at, '\n', (size_t)(rest->end - rest->at));
    rest->at = end ? end + 1 : rest->end;
    return rest->at < rest->end;
}

static int number(struct rest *rest, uint64_t *value)
{
    const char *begin;
    skip_spaces(rest);
    *value = 0;
    for (begin = rest->at; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9';
         rest->at++) {
        const unsigned digit = (unsigned)(*rest->at - '0');
        if (*value > (UINT64_MAX - digit) / 10) {
            return 0;
        }
        *value = *value * 10 + digit;
    }
    return rest->at > begin;
}

int wsp_procfs_value(const char *text, size_t len, const char *name, uint64_t *value)
{
    struct rest rest = {text, text + len};
    do {
        struct rest line = rest;
        if (skip(&line, name) && line.at < line.end && strchr(": \t", *line.at)) {
            (void)skip(&line, ":");
            return number(&line, value);
        }
    } while (skip_line(&rest));
    return 0;
}

int wsp_procfs_limit(const char *text, size_t len, uint64_t *limit)
{
    struct rest rest = {text, text + len};
    if (skip(&rest, "max")) {
        *limit = UINT64_MAX;
        return 1;
    }
    if (!number(&rest, limit)) {
        return 0;
    }
    *limit = *limit > UINT64_C(1) << 60 ? UINT64_MAX : *limit;
    return 1;
}

int wsp_procfs_quota(const char *text, size_t len, uint64_t *quota, uint64_t *period)
{
    struct rest rest = {text, text + len};
    if (skip(&rest, "max")) {
        *quota = UINT64_MAX;
    } else if (!number(&rest, quota)) {
        return 0;
    }
    return number(&rest, period) && *period > 0;
}

int wsp_procfs_cpu(const char *text, size_t len, uint64_t *busy, uint64_t *all)
{
    enum { IDLE = 3, IOWAIT = 4, STEAL = 7 };
    struct rest rest = {text, text + len};
    uint64_t value, idle = 0, sum = 0;
    if (!skip(&rest, "cpu ")) {
        return 0;
    }
    int field = 0;
    for (; field <= STEAL && number(&rest, &value); field++) { /* guests are in user already */
        if (value > UINT64_C(1) << 56) {
            return 0;
        }
        sum += value;
        idle += field == IDLE || field == IOWAIT ? value : 0;
    }
    *busy = sum - idle;
    *all = sum;
    return field > IDLE;
}

int wsp_procfs_pressure(const char *text, size_t len, uint64_t *hundredths)
{
    struct rest rest = {text, text + len};
    uint64_t percent;
    if (!skip(&rest, "some avg10=") || !number(&rest, &percent) || percent > 100) {
        return 0;
    }
    *hundredths = percent * 100;
    if (skip(&rest, ".")) {
        for (unsigned weight = 10;
             weight > 0 && rest.at < rest.end && *rest.at >= '0' && *rest.at <= '9'; rest.at++) {
            *hundredths += weight * (unsigned)(*rest.at - '0');
            weight /= 10;
        }
    }
    return 1;
}

/* Returns 1 if a list with commas, up to a colon, has this name. */
static int has_name(struct rest list, const char *name)
{
    while (list.at < list.end && *list.at != ':') {
        struct rest one = list;
        if (skip(&one, name) && one.at < one.end && (*one.at == ',' || *one.at == ':')) {
            return 1;
        }
        while (list.at < list.end && *list.at != ',' && *list.at != ':') {
            list.at++;
        }
        list.at += list.at < list.end && *list.at == ',';
    }
    return 0;
}

int wsp_procfs_group(const char *text, size_t len, const char *controller, char *path, size_t size)
{
    struct rest rest = {text, text + len};
    do { /* "4:memory:/group", and of version 2 "0::/group" */
        struct rest line = rest;
        uint64_t hierarchy;
        if (!number(&line, &hierarchy) || !skip(&line, ":") ||
            (controller ? !has_name(line, controller) : *line.at != ':')) {
            continue;
        }
        const char *colon = memchr(line.at, ':', (size_t)(line.end - line.at));
        const char *begin = colon ? colon + 1 : line.end;
        const char *end = memchr(begin, '\n', (size_t)(line.end - begin));
        const size_t path_len = (size_t)((end ? end : line.end) - begin);
        if (path_len == 0 || *begin != '/' || path_len >= size || memchr(begin, '\0', path_len)) {
            return 0;
        }
        memcpy(path, begin, path_len);
        path[path_len] = '\0';
        return 1;
    } while (skip_line(&rest));
    return 0;
}
