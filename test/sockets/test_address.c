/* SPDX-License-Identifier: MIT */
/* sockets/test_address.c - keys of addresses that a host has as text. */
#include <errno.h>
#include <string.h>
#include <wspool/sockets.h>

#include "../tools/test.h"

static int key_of(const char *text, unsigned char key[8])
{
    return wspool_sockets_key((wspool_text){text, strlen(text)}, key);
}

TEST(key_of_ipv4_is_its_four_bytes_also_when_mapped)
{
    static const char *const same[] = {"192.0.2.7", "::ffff:192.0.2.7", "::FFFF:c000:207"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        unsigned char key[8] = {0};
        assert_int_equal(key_of(same[i], key), 4);
        assert_memory_equal(key, "\xc0\0\2\7", 4);
    }
}

TEST(key_of_ipv6_is_its_first_64_bits)
{
    unsigned char one[8], two[8], other[8];
    assert_int_equal(key_of("2001:db8:1:2:3:4:5:6", one), 8);
    assert_memory_equal(one, "\x20\1\x0d\xb8\0\1\0\2", 8);
    assert_int_equal(key_of("2001:db8:1:2:ffff:ffff:ffff:ffff", two), 8);
    assert_memory_equal(one, two, 8);
    assert_int_equal(key_of("2001:db8:1:3::", other), 8);
    assert_memory_not_equal(one, other, 8);
}

TEST(key_of_what_is_not_one_numeric_address_is_refused)
{
    static const char *const bad[] = {
        "",
        "localhost",
        "192.0.2.7:80",
        "[2001:db8::1]",
        "fe80::1%eth0",
        " 192.0.2.7",
        "192.0.2.7 ",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.07",
        "192.0.2.7, ::",
        "0xc0000207",
        "1:2:3:4:5:6:7",
        "2001:db8:::1",
        "2001:db8:0:0:0:0:0:000000000000000000000000001",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned char key[8];
        errno = 0;
        assert_int_equal(key_of(bad[i], key), -1);
        assert_int_equal(errno, EINVAL);
    }
}

TEST(key_of_text_with_a_zero_or_none_at_all_is_refused)
{
    unsigned char key[8];
    assert_int_equal(wspool_sockets_key((wspool_text){"192.0.2.7\0evil", 14}, key), -1);
    assert_int_equal(wspool_sockets_key((wspool_text){NULL, 0}, key), -1);
    assert_int_equal(wspool_sockets_key((wspool_text){"192.0.2.7", 9}, NULL), -1);
    assert_int_equal(wspool_sockets_key((wspool_text){"192.0.2.75", 9}, key), 4); /* its length */
    assert_int_equal(key[3], 7);
}
