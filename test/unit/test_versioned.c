/* SPDX-License-Identifier: MIT */
/*
 * unit/test_versioned.c - wspool/versioned.h: versioned structs of hosts that were built with an
 * older, the same or a newer header.
 *
 * Structs of every size are read from memory of exactly that size. Unknown bytes at the end must be
 * 0, or reading fails and changes nothing. Writing fills exactly the part that the host knows.
 */
#include "support.h"
#include <wspool/versioned.h>

struct ours {
    size_t size;
    uint64_t old;
    uint64_t new;
};

/* What a later version of the header might define. */
struct theirs {
    struct ours known;
    uint8_t later[100];
};

static struct ours defaults(void)
{
    return (struct ours){.size = 77, .old = 1, .new = 2};
}

TEST(all_is_taken_when_the_struct_is_ours)
{
    struct ours to = defaults(), given = {.size = sizeof given, .old = 10, .new = 20};
    assert_int_equal(wspool_versioned_read(&to, sizeof to, &given), 0);
    assert_int_equal(to.size, sizeof to);
    assert_true(to.old == 10 && to.new == 20);
}

TEST(defaults_stay_when_the_struct_is_older)
{
    for (size_t size = sizeof(size_t); size < sizeof(struct ours); size++) {
        struct ours to = defaults(), given = {.old = UINT64_MAX, .new = UINT64_MAX};
        uint8_t expected[sizeof to];
        uint8_t *short_one = malloc(size); /* no byte behind it may be read */
        given.size = size;
        memcpy(short_one, &given, size);
        memcpy(expected, &to, sizeof to);
        memcpy(expected, &given, size);
        assert_int_equal(wspool_versioned_read(&to, sizeof to, short_one), 0);
        assert_int_equal(to.size, sizeof to); /* the copy has the size of this version */
        assert_memory_equal(&to.old, expected + sizeof to.size, sizeof to - sizeof to.size);
        free(short_one);
    }
}

TEST(struct_is_taken_when_it_is_newer_and_asks_for_nothing_new)
{
    for (size_t more = 0; more <= sizeof(((struct theirs *)0)->later); more++) {
        struct ours to = defaults();
        struct theirs given = {.known = {.old = 10, .new = 20}};
        given.known.size = sizeof given.known + more;
        if (more < sizeof given.later) {
            given.later[more] = 1; /* behind the end of the host's struct */
        }
        assert_int_equal(wspool_versioned_read(&to, sizeof to, &given), 0);
        assert_int_equal(to.size, sizeof to);
        assert_true(to.old == 10 && to.new == 20);
    }
}

TEST(struct_is_refused_when_it_asks_for_what_we_do_not_know)
{
    for (size_t i = 0; i < sizeof(((struct theirs *)0)->later); i++) {
        struct ours to = defaults(), before = defaults();
        struct theirs given = {.known = {.size = sizeof given, .old = 10, .new = 20}};
        given.later[i] = 0x80;
        assert_int_equal(wspool_versioned_read(&to, sizeof to, &given), WSPOOL_ERR_INVAL);
        assert_memory_equal(&to, &before, sizeof to); /* nothing was changed */
    }
}

TEST(struct_is_refused_when_its_size_is_impossible)
{
    static const size_t sizes[] = {
        0, 1, sizeof(size_t) - 1, 65537, (size_t)1 << 31, SIZE_MAX - 7, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct ours to = defaults(), before = defaults();
        struct ours given = {.size = sizes[i]};
        assert_int_equal(wspool_versioned_read(&to, sizeof to, &given), WSPOOL_ERR_INVAL);
        assert_memory_equal(&to, &before, sizeof to);
    }
}

TEST(struct_is_taken_when_it_is_the_largest_that_can_be)
{
    struct ours to = defaults();
    uint8_t *large = calloc(1, 65536);
    size_t size = 65536;
    memcpy(large, &size, sizeof size);
    assert_int_equal(wspool_versioned_read(&to, sizeof to, large), 0);
    assert_true(to.old == 0 && to.new == 0);
    large[65535] = 1;
    assert_int_equal(wspool_versioned_read(&to, sizeof to, large), WSPOOL_ERR_INVAL);
    free(large);
}

/* A host may have its struct at any address. */
TEST(struct_is_taken_when_it_is_not_aligned)
{
    uint8_t room[sizeof(struct ours) + 8];
    for (size_t shift = 0; shift < 8; shift++) {
        struct ours to = defaults(), given = {.size = sizeof given, .old = 10, .new = 20};
        memcpy(room + shift, &given, sizeof given);
        assert_int_equal(wspool_versioned_read(&to, sizeof to, room + shift), 0);
        assert_true(to.old == 10 && to.new == 20);
    }
}

TEST(as_much_is_written_as_the_host_has_room_for)
{
    const struct ours from = {.size = sizeof from, .old = 10, .new = 20};
    struct theirs to;
    for (size_t size = sizeof(size_t); size <= sizeof to; size++) {
        memset(&to, 0xee, sizeof to);
        to.known.size = size;
        assert_int_equal(wspool_versioned_write(&to, &from, sizeof from), 0);
        assert_int_equal(to.known.size, size);
        size_t written = size < sizeof from ? size : sizeof from;
        assert_memory_equal((uint8_t *)&to + sizeof size, (const uint8_t *)&from + sizeof size,
                            written - sizeof size);
        for (size_t i = written; i < sizeof to; i++) {
            assert_int_equal(((uint8_t *)&to)[i], 0xee);
        }
    }
    to.known.size = sizeof(size_t) - 1;
    assert_int_equal(wspool_versioned_write(&to, &from, sizeof from), WSPOOL_ERR_INVAL);
}

TEST(defaults_are_written_as_far_as_the_host_knows_them)
{
    const struct ours from = {.old = 10, .new = 20};
    struct theirs to;
    memset(&to, 0xee, sizeof to);
    wspool_versioned_init(&to, sizeof to, &from, sizeof from);
    assert_true(to.known.size == sizeof to && to.known.old == 10 && to.known.new == 20);
    for (size_t i = 0; i < sizeof to.later; i++) {
        assert_int_equal(to.later[i], 0);
    }
    memset(&to, 0xee, sizeof to);
    wspool_versioned_init(&to, offsetof(struct ours, new), &from, sizeof from);
    assert_true(to.known.size == offsetof(struct ours, new) && to.known.old == 10);
    assert_true(to.known.new == UINT64_C(0xeeeeeeeeeeeeeeee));
    memset(&to, 0xee, sizeof to);
    wspool_versioned_init(&to, sizeof(size_t) - 1, &from, sizeof from);
    assert_true(to.known.old == UINT64_C(0xeeeeeeeeeeeeeeee));
    wspool_versioned_init(NULL, sizeof to, &from, sizeof from);
}
