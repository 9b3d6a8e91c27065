/* SPDX-License-Identifier: MIT */
/*
 * sockets/test_proxy.c - sockets/proxy.h: headers of the PROXY protocol, valid and invalid, at each
 * length that can have come.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tools/test.h"
#include "sockets/address.h"
#include "sockets/proxy.h"

/* Reads a copy that ends where the allocation ends. Returns the result. */
static int read_exactly(const void *bytes, size_t len, struct sockaddr_storage *from)
{
    unsigned char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    int result = wsp_proxy_read(copy, len, from);
    free(copy);
    return result;
}

/* A valid header is incomplete until its last byte, and its length does not depend on what follows.
 * `address` NULL: there is none. */
static void expect_good(const void *header, size_t len, const char *address, int family)
{
    unsigned char more[WSP_PROXY_MAX + 100];
    struct sockaddr_storage from;
    wsp_address text;
    for (size_t have = 1; have < len; have++) {
        if (read_exactly(header, have, &from) != 0)
            fail_msg("not incomplete with %zu of %zu bytes", have, len);
    }
    memcpy(more, header, len);
    memset(more + len, ' ', sizeof more - len);
    for (size_t extra = 0; extra <= 100; extra += 50) {
        assert_int_equal(read_exactly(more, len + extra, &from), len);
        assert_int_equal(from.ss_family, family);
        wsp_address_of(&text, &from);
        assert_string_equal(text.text, address ? address : "");
    }
}

static void expect_bad(const void *header, size_t len)
{
    struct sockaddr_storage from;
    int result = read_exactly(header, len, &from);
    if (result != -1)
        fail_msg("%d for: %.*s", result, (int)len, (const char *)header);
}

TEST(line_of_version_1_is_read)
{
    static const struct {
        const char *line, *address;
        int family;
    } good[] = {
        {"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", "192.0.2.1", AF_INET},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", AF_INET},
        {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0", AF_INET},
        {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1", AF_INET6},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1", AF_INET6},
        {"PROXY UNKNOWN\r\n", NULL, AF_UNSPEC},
        {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         NULL, AF_UNSPEC},
        {"PROXY UNKNOWN anything, \xff\r\n", NULL, AF_UNSPEC},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect_good(good[i].line, strlen(good[i].line), good[i].address, good[i].family);
}

TEST(line_that_is_not_version_1_is_refused)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2\r\n",
        "PROXY TCP4 192.0.2.1\r\n",
        "PROXY TCP4 \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 x 1 2\r\n",
        "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 99999999999\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 x\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n",
    };
    struct sockaddr_storage from;
    char line[WSP_PROXY_V1_MAX + 2];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_bad(bad[i], strlen(bad[i]));
    expect_bad("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n", 38);
    expect_bad("G", 1); /* at once */
    expect_bad("\r\n\r\n\0\r\nQUIX", 11);
    /* the longest line, and one byte more */
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(read_exactly(line, WSP_PROXY_V1_MAX - 1, &from), 0);
    expect_bad(line, WSP_PROXY_V1_MAX);
    memcpy(line + WSP_PROXY_V1_MAX - 2, "\r\n", 2);
    expect_good(line, WSP_PROXY_V1_MAX, NULL, AF_UNSPEC);
    memcpy(line + WSP_PROXY_V1_MAX - 2, "x\r\n", 3);
    expect_bad(line, WSP_PROXY_V1_MAX + 1);
}

/* Writes a header of version 2 with `len` bytes behind its head. Returns its length. */
static size_t make(unsigned char *out, unsigned command, unsigned family, size_t len)
{
    memcpy(out, "\r\n\r\n\0\r\nQUIT\n", 12);
    out[12] = (unsigned char)command;
    out[13] = (unsigned char)family;
    out[14] = (unsigned char)(len >> 8);
    out[15] = (unsigned char)len;
    memset(out + 16, 0, len);
    return 16 + len;
}

TEST(header_of_version_2_is_read)
{
    static unsigned char header[WSP_PROXY_MAX];
    static const size_t more[] = {0, 1, 100};
    size_t len;
    for (size_t i = 0; i < 3; i++) {
        len = make(header, 0x21, 0x11, 12 + more[i]);
        inet_pton(AF_INET, "192.0.2.77", header + 16);
        expect_good(header, len, "192.0.2.77", AF_INET);
        len = make(header, 0x21, 0x21, 36 + more[i]);
        inet_pton(AF_INET6, "2001:db8::77", header + 16);
        expect_good(header, len, "2001:db8::77", AF_INET6);
        len = make(header, 0x21, 0x31, 216 + more[i]);
        expect_good(header, len, NULL, AF_UNIX);
        len = make(header, 0x21, 0x00, more[i]);
        expect_good(header, len, NULL, AF_UNSPEC);
        len = make(header, 0x20, 0x11, more[i]); /* LOCAL: the rest means nothing */
        expect_good(header, len, NULL, AF_UNSPEC);
        len = make(header, 0x20, 0xff, more[i]);
        expect_good(header, len, NULL, AF_UNSPEC);
    }
    len = make(header, 0x21, 0x11, WSP_PROXY_MAX - 16);
    inet_pton(AF_INET, "192.0.2.78", header + 16);
    expect_good(header, len, "192.0.2.78", AF_INET);
}

TEST(header_that_is_not_version_2_is_refused)
{
    static unsigned char header[WSP_PROXY_MAX + 64];
    static const struct {
        unsigned command, family;
        size_t len;
    } bad[] = {
        {0x11, 0x11, 12}, {0x22, 0x11, 12},  {0x01, 0x11, 12}, {0x31, 0x11, 12},  {0x21, 0x12, 12},
        {0x21, 0x22, 36}, {0x21, 0x32, 216}, {0x21, 0x10, 12}, {0x21, 0x41, 36},  {0x21, 0xff, 100},
        {0x21, 0x11, 11}, {0x21, 0x11, 0},   {0x21, 0x21, 35}, {0x21, 0x31, 215}, {0x21, 0x01, 12},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t len = make(header, bad[i].command, bad[i].family, bad[i].len);
        expect_bad(header, len);
    }
    make(header, 0x21, 0x11, WSP_PROXY_MAX - 16 + 1);
    expect_bad(header, 16); /* its length is told, and too much */
    make(header, 0x20, 0x00, 0);
    header[14] = header[15] = 0xff;
    expect_bad(header, 16);
}
