/* SPDX-License-Identifier: MIT */
/*
 * fuzz/fuzz_proxy.c - the header of the PROXY protocol (sockets/proxy.c).
 *
 * Demands:
 * - A header is judged once: while it is not whole the result is 0, then it does not change,
 *   whatever follows. No more bytes than WSP_PROXY_MAX are needed.
 * - A second reader, written for this test, finds the same length and the same address.
 *
 * Input: the bytes of a connection.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>

#include "sockets/proxy.h"

const unsigned fuzz_runs = 3000;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

/* ----------------------------------------------------------- second reader */

struct found {
    int family;
    size_t len; /* 0: it is malformed */
    uint8_t address[16];
};

/* A line without its CRLF, as a string. */
static void read_line(char *line, struct found *found)
{
    static const struct {
        const char *name;
        int family;
    } kinds[] = {{"TCP4", AF_INET}, {"TCP6", AF_INET6}};
    char *fields[7] = {line};
    uint8_t to[16];
    size_t count = 1, whole = strlen(line) + 2;
    if (strncmp(line, "PROXY UNKNOWN", 13) == 0 && (line[13] == '\0' || line[13] == ' ')) {
        found->len = whole;
        return;
    }
    for (char *at = line; *at != '\0' && count < 7; at++) {
        if (*at == ' ') {
            *at = '\0';
            fields[count++] = at + 1;
        }
    }
    if (count != 6) {
        return;
    }
    for (int i = 4; i < 6; i++) {
        char again[16];
        snprintf(again, sizeof again, "%lu", strtoul(fields[i], NULL, 10));
        if (!isdigit((unsigned char)fields[i][0]) || strcmp(again, fields[i]) != 0 ||
            strtoul(fields[i], NULL, 10) > 65535) {
            return;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (strcmp(fields[1], kinds[i].name) == 0 &&
            inet_pton(kinds[i].family, fields[2], found->address) == 1 &&
            inet_pton(kinds[i].family, fields[3], to) == 1) {
            found->family = kinds[i].family;
            found->len = whole;
        }
    }
}

static void read_binary(const uint8_t *bytes, size_t len, struct found *found)
{
    size_t rest = len >= 16 ? 256u * bytes[14] + bytes[15] : 0;
    size_t least = 0;
    int family = AF_UNSPEC;
    if (len < 16 || len < 16 + rest || rest > WSP_PROXY_MAX - 16 || bytes[12] >> 4 != 2) {
        return;
    }
    if (bytes[12] == 0x21) {
        switch (bytes[13]) {
        case 0x00:
            break;
        case 0x11:
            family = AF_INET;
            least = 12;
            break;
        case 0x21:
            family = AF_INET6;
            least = 36;
            break;
        case 0x31:
            family = AF_UNIX;
            least = 216;
            break;
        default:
            return;
        }
    } else if (bytes[12] != 0x20) {
        return;
    }
    if (rest < least) {
        return;
    }
    found->family = family;
    found->len = 16 + rest;
    memcpy(found->address, bytes + 16, family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0);
}

static struct found read_again(const uint8_t *bytes, size_t len)
{
    struct found found = {.family = AF_UNSPEC};
    char line[WSP_PROXY_V1_MAX];
    if (len >= 12 && memcmp(bytes, "\r\n\r\n\0\r\nQUIT\n", 12) == 0) {
        read_binary(bytes, len, &found);
        return found;
    }
    for (size_t i = 0; i + 1 < len && i + 2 <= sizeof line; i++) {
        if (bytes[i] == '\r' && bytes[i + 1] == '\n') {
            memcpy(line, bytes, i);
            line[i] = '\0';
            if (strlen(line) == i && strncmp(line, "PROXY ", 6) == 0) {
                read_line(line, &found);
            } else if (strncmp(line, "PROXY UNKNOWN", 13) == 0 &&
                       (line[13] == ' ' || line[13] == '\0')) {
                found.len = i + 2; /* what follows is skipped, zeros too */
            }
            break;
        }
    }
    return found;
}

/* ---------------------------------------------------------------------- one */

/* Reads the first `len` bytes, which lie in memory of just that size. */
static int read_part(const uint8_t *data, size_t len, struct sockaddr_storage *from)
{
    uint8_t *part = fuzz_copy(data, len);
    int result = wsp_proxy_read(part, len, from);
    fuzz_free(part, len);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_storage from, before;
    size_t len = size < WSP_PROXY_MAX ? size : WSP_PROXY_MAX;
    int result = 0;
    memset(&before, 0, sizeof before);
    for (size_t n = 1; n <= len; n++) {
        int now = read_part(data, n, &from);
        FUZZ_DEMAND(result == 0 || now == result, "%d, and with %zu bytes %d", result, n, now);
        FUZZ_DEMAND(now <= 0 || result > 0 || (size_t)now == n, "%zu bytes make a header of %d", n,
                    now);
        FUZZ_DEMAND(result <= 0 || memcmp(&from, &before, sizeof from) == 0, "another address");
        result = now;
        before = from;
    }
    FUZZ_DEMAND(result != 0 || len < WSP_PROXY_MAX, "undecided");
    if (result == 0) {
        return 0;
    }
    struct found found = read_again(data, len);
    FUZZ_DEMAND((result < 0 ? 0 : (size_t)result) == found.len, "%d, and %zu", result, found.len);
    if (result > 0) {
        const void *address = from.ss_family == AF_INET
                                  ? (const void *)&((struct sockaddr_in *)&from)->sin_addr
                                  : (const void *)&((struct sockaddr_in6 *)&from)->sin6_addr;
        size_t bytes = found.family == AF_INET ? 4 : found.family == AF_INET6 ? 16 : 0;
        FUZZ_DEMAND(from.ss_family == found.family, "family %d", from.ss_family);
        FUZZ_DEMAND(bytes == 0 || memcmp(address, found.address, bytes) == 0, "another address");
    }
    return 0;
}
