/* SPDX-License-Identifier: MIT */
/* target.c - see target.h. */
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Copies a part of the URL. Returns 0 if it is too long. */
static int copy(char *out, size_t room, const char *from, size_t len)
{
    if (len >= room) {
        return 0;
    }
    memcpy(out, from, len);
    out[len] = '\0';
    return 1;
}

static int read_port(struct target *target, const char *text, size_t len)
{
    char digits[6];
    if (len == 0) { /* "HOST:" means the default (RFC 3986, section 3.2.3) */
        return 1;
    }
    if (!copy(digits, sizeof digits, text, len) || strspn(digits, "0123456789") != len) {
        return 0;
    }
    unsigned long port = strtoul(digits, NULL, 10);
    snprintf(target->port, sizeof target->port, "%lu", port);
    return port > 0 && port < 65536;
}

const char *target_parse(struct target *target, const char *url)
{
    memset(target, 0, sizeof *target);
    target->secure = strncasecmp(url, "wss://", 6) == 0;
    if (!target->secure && strncasecmp(url, "ws://", 5) != 0) {
        return "it does not begin with ws:// or wss://";
    }
    for (const char *c = url; *c; c++) {
        if (*c <= ' ' || *c > '~') {
            return "it has a space, or bytes that must be percent-encoded";
        }
    }
    const char *at = url + (target->secure ? 6 : 5);
    size_t authority = strcspn(at, "/?#");
    if (memchr(at, '@', authority)) {
        return "a user name is not possible in it";
    }
    if (strchr(at, '#')) {
        return "a fragment (#) is not possible in it";
    }
    int brackets = *at == '[';
    const char *end = brackets ? memchr(at, ']', authority) : memchr(at, ':', authority);
    if (brackets && !end) {
        return "a bracket is missing";
    }
    size_t host = brackets ? (size_t)(end - at) + 1 : end ? (size_t)(end - at) : authority;
    const char *standard = target->secure ? "443" : "80";
    strcpy(target->port, standard);
    if (host < authority &&
        (at[host] != ':' || !read_port(target, at + host + 1, authority - host - 1))) {
        return "its port is not a number from 1 to 65535";
    }
    if (!copy(target->host, sizeof target->host, at + brackets, host - 2 * (size_t)brackets) ||
        target->host[0] == '\0') {
        return "it has no host, or a very long one";
    }
    int is_standard = strcmp(target->port, standard) == 0;
    snprintf(target->authority, sizeof target->authority, "%.*s%s%s", (int)host, at,
             is_standard ? "" : ":", is_standard ? "" : target->port);
    snprintf(target->origin, sizeof target->origin, "%s://%s", target->secure ? "https" : "http",
             target->authority);
    at += authority;
    int len = snprintf(target->path, sizeof target->path, "%s%s", *at == '/' ? "" : "/", at);
    return len < (int)sizeof target->path ? NULL : "it is too long";
}
