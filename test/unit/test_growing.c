/* SPDX-License-Identifier: MIT */
/* unit/test_growing.c - base/growing.h: structs of hosts that know less, as much, or more. */
#include "support.h"
#include "base/growing.h"
#include <wspool/error.h>

struct ours {
    size_t size;
    uint64_t old;
    uint64_t new;
};

/* What a later version might hand in. */
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
    assert_int_equal(wsp_growing_copy(&to, sizeof to, &given), 0);
    assert_int_equal(to.size, sizeof to);
    assert_true(to.old == 10 && to.new == 20);
}

TEST(defaults_stay_when_the_struct_is_older)
{
    for (size_t size = sizeof(size_t); size < sizeof(struct ours); size++) {
        struct ours to = defaults(), given = {.old = UINT64_MAX, .new = UINT64_MAX};
        uint8_t expected[sizeof to];
        uint8_t *short_one = malloc(size); /* not a byte behind it may be looked at */
        given.size = size;
        memcpy(short_one, &given, size);
        memcpy(expected, &to, sizeof to);
        memcpy(expected, &given, size);
        assert_int_equal(wsp_growing_copy(&to, sizeof to, short_one), 0);
        assert_int_equal(to.size, sizeof to); /* it is one of ours now */
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
            given.later[more] = 1; /* behind its end */
        }
        assert_int_equal(wsp_growing_copy(&to, sizeof to, &given), 0);
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
        assert_int_equal(wsp_growing_copy(&to, sizeof to, &given), WSPOOL_ERR_INVAL);
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
        assert_int_equal(wsp_growing_copy(&to, sizeof to, &given), WSPOOL_ERR_INVAL);
        assert_memory_equal(&to, &before, sizeof to);
    }
}

TEST(struct_is_taken_when_it_is_the_largest_that_can_be)
{
    struct ours to = defaults();
    uint8_t *large = calloc(1, 65536);
    size_t size = 65536;
    memcpy(large, &size, sizeof size);
    assert_int_equal(wsp_growing_copy(&to, sizeof to, large), 0);
    assert_true(to.old == 0 && to.new == 0);
    large[65535] = 1;
    assert_int_equal(wsp_growing_copy(&to, sizeof to, large), WSPOOL_ERR_INVAL);
    free(large);
}

/* A host may have packed its struct anywhere. */
TEST(struct_is_taken_when_it_is_not_aligned)
{
    uint8_t room[sizeof(struct ours) + 8];
    for (size_t shift = 0; shift < 8; shift++) {
        struct ours to = defaults(), given = {.size = sizeof given, .old = 10, .new = 20};
        memcpy(room + shift, &given, sizeof given);
        assert_int_equal(wsp_growing_copy(&to, sizeof to, room + shift), 0);
        assert_true(to.old == 10 && to.new == 20);
    }
}
