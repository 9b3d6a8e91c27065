/* SPDX-License-Identifier: MIT */
/* sockets/proxy.c - see sockets/proxy.h. */
#define _GNU_SOURCE
#include "sockets/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* --------------------------------------------------------------- version 1 */

/* Takes the field up to the next space, or up to the end of the line, and makes it a string.
 * Returns 0 if there is none, or it is too long. */
static int take_field(const char **at, const char *end, char *field, size_t size)
{
    const char *stop = memchr(*at, ' ', (size_t)(end - *at));
    size_t len = (size_t)((stop ? stop : end) - *at);
    if (len == 0 || len >= size || memchr(*at, '\0', len)) {
        return 0;
    }
    memcpy(field, *at, len);
    field[len] = '\0';
    *at = stop ? stop + 1 : end;
    return stop || *at == end;
}

static int is_port(const char *text)
{
    unsigned value = 0;
    size_t i = 0;
    while (i < 5 && text[i] >= '0' && text[i] <= '9') {
        value = 10 * value + (unsigned)(text[i++] - '0');
    }
    return i > 0 && text[i] == '\0' && value <= 65535 && (text[0] != '0' || i == 1);
}

/* Reads "SOURCE DESTINATION PORT PORT". Returns 1, or 0 if it is malformed. */
static int read_addresses(const char *at, const char *end, int family,
                          struct sockaddr_storage *from)
{
    unsigned char bytes[2][sizeof(struct in6_addr)];
    char field[INET6_ADDRSTRLEN];
    for (int i = 0; i < 4; i++) {
        /* A space at the end of the line would begin an empty field. */
        if (at == end || !take_field(&at, end, field, sizeof field) ||
            (i < 2 ? inet_pton(family, field, bytes[i]) != 1 : !is_port(field))) {
            return 0;
        }
    }
    if (at != end || end[-1] == ' ') {
        return 0;
    }
    from->ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        memcpy(&((struct sockaddr_in *)from)->sin_addr, bytes[0], sizeof(struct in_addr));
    } else {
        memcpy(&((struct sockaddr_in6 *)from)->sin6_addr, bytes[0], sizeof(struct in6_addr));
    }
    return 1;
}

static int read_v1(const char *text, size_t len, struct sockaddr_storage *from)
{
    static const struct {
        const char *begin;
        int family;
    } kinds[] = {{"PROXY TCP4 ", AF_INET}, {"PROXY TCP6 ", AF_INET6}};
    static const char unknown[] = "PROXY UNKNOWN";
    size_t most = len < WSP_PROXY_V1_MAX ? len : WSP_PROXY_V1_MAX;
    const char *end = memmem(text, most, "\r\n", 2);
    if (!end) {
        return most == WSP_PROXY_V1_MAX ? -1 : 0;
    }
    size_t line = (size_t)(end - text);
    if (line >= sizeof unknown - 1 && memcmp(text, unknown, sizeof unknown - 1) == 0 &&
        (line == sizeof unknown - 1 || text[sizeof unknown - 1] == ' ')) {
        return (int)line + 2;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t begin = strlen(kinds[i].begin);
        if (line >= begin && memcmp(text, kinds[i].begin, begin) == 0) {
            return read_addresses(text + begin, end, kinds[i].family, from) ? (int)line + 2 : -1;
        }
    }
    return -1;
}

/* --------------------------------------------------------------- version 2 */

static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

#define V2_HEAD 16    /* bytes: signature, command, family, length */
#define V2_LOCAL 0x20 /* version 2, command */
#define V2_PROXY 0x21
#define V2_UNSPEC 0x00 /* family and transport */
#define V2_TCP4 0x11
#define V2_TCP6 0x21
#define V2_UNIX 0x31

static int read_v2(const unsigned char *bytes, size_t len, struct sockaddr_storage *from)
{
    if (len < V2_HEAD) {
        return 0;
    }
    const unsigned char *addresses = bytes + V2_HEAD;
    size_t rest = (size_t)bytes[14] << 8 | bytes[15];
    if ((bytes[12] != V2_LOCAL && bytes[12] != V2_PROXY) || rest > WSP_PROXY_MAX - V2_HEAD) {
        return -1;
    }
    if (len - V2_HEAD < rest) {
        return 0;
    }
    if (bytes[12] == V2_PROXY) {
        switch (bytes[13]) {
        case V2_TCP4:
            if (rest < 12) {
                return -1;
            }
            from->ss_family = AF_INET;
            memcpy(&((struct sockaddr_in *)from)->sin_addr, addresses, 4);
            break;
        case V2_TCP6:
            if (rest < 36) {
                return -1;
            }
            from->ss_family = AF_INET6;
            memcpy(&((struct sockaddr_in6 *)from)->sin6_addr, addresses, 16);
            break;
        case V2_UNIX:
            if (rest < 216) {
                return -1;
            }
            from->ss_family = AF_UNIX;
            break;
        case V2_UNSPEC:
            break;
        default:
            return -1;
        }
    }
    return V2_HEAD + (int)rest;
}

int wsp_proxy_read(const unsigned char *bytes, size_t len, struct sockaddr_storage *from)
{
    static const unsigned char v1[] = "PROXY ";
    size_t one = sizeof v1 - 1, two = sizeof signature;
    memset(from, 0, sizeof *from);
    from->ss_family = AF_UNSPEC;
    if (memcmp(bytes, signature, len < two ? len : two) == 0) {
        return read_v2(bytes, len, from);
    }
    return memcmp(bytes, v1, len < one ? len : one) == 0 ? read_v1((const char *)bytes, len, from)
                                                         : -1;
}
