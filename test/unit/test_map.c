/* SPDX-License-Identifier: MIT */
/*
 * unit/test_map.c - base/map.h: an intrusive hash map.
 *
 * Random additions, searches and removals are compared with a plain array, at many sizes. Other
 * tests use keys with equal hashes, and allocations that fail while the map grows.
 */
#include "support.h"
#include "base/map.h"
#include <wspool/error.h>

static const struct wsp_siphash_key seed_key = {UINT64_C(0x1234), UINT64_C(0x5678)};

struct thing {
    struct wsp_map_node node;
    char key[12];
    int in;
    int seen;
};

/* Makes things whose keys are the decimal digits of their numbers; the first key is empty. */
static struct thing *things_new(size_t count)
{
    struct thing *things = calloc(count, sizeof(*things));
    assert_non_null(things);
    for (size_t i = 0; i < count; i++) {
        uint32_t len = 0;
        for (size_t rest = i; rest != 0; rest /= 10) {
            things[i].key[len++] = (char)('0' + rest % 10);
        }
        things[i].node.key = len ? things[i].key : NULL;
        things[i].node.key_len = len;
    }
    return things;
}

static struct wsp_map_node *find(const struct wsp_map *map, const struct thing *thing)
{
    return wsp_map_find(map, thing->node.key, thing->node.key_len);
}

TEST(find_is_null_when_the_map_is_empty)
{
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    assert_null(wsp_map_find(&map, "a", 1));
    assert_null(wsp_map_find(&map, NULL, 0));
    assert_null(wsp_map_next(&map, NULL));
    assert_true(wsp_map_check(&map));
    wsp_map_fini(&map, &wsp_mem_default);
}

TEST(map_agrees_with_an_array_when_things_come_and_go)
{
    enum { COUNT = 700 };
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    struct thing *things = things_new(COUNT);
    uint64_t seed = 2;
    size_t in = 0;
    for (int step = 0; step < 40000; step++) {
        /* In waves: the map fills up, then empties, again and again. */
        struct thing *thing = &things[test_below(&seed, COUNT)];
        int filling = step / 4000 % 2 == 0;
        if (thing->in && (!filling || test_below(&seed, 4) == 0)) {
            wsp_map_remove(&map, &thing->node);
            thing->in = 0;
            in--;
        } else if (!thing->in && (filling || test_below(&seed, 4) == 0)) {
            assert_int_equal(wsp_map_add(&map, &hooks, &thing->node), 0);
            thing->in = 1;
            in++;
        }
        const struct thing *other = &things[test_below(&seed, COUNT)];
        assert_ptr_equal(find(&map, other), other->in ? &other->node : NULL);
        assert_int_equal(map.count, in);
        if (step % 500 == 0) {
            assert_true(wsp_map_check(&map));
            for (size_t i = 0; i < COUNT; i++) {
                assert_ptr_equal(find(&map, &things[i]), things[i].in ? &things[i].node : NULL);
            }
        }
    }
    wsp_map_fini(&map, &hooks);
    assert_int_equal(mem.live, 0);
    free(things);
}

TEST(next_gives_each_node_once_when_walked)
{
    enum { COUNT = 333 };
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    struct thing *things = things_new(COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &things[i].node), 0);
    }
    size_t steps = 0;
    for (struct wsp_map_node *node = NULL; (node = wsp_map_next(&map, node)) != NULL;) {
        ((struct thing *)(void *)node)->seen++;
        assert_true(++steps <= COUNT);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(things[i].seen, 1);
    }
    wsp_map_fini(&map, &wsp_mem_default);
    free(things);
}

TEST(walk_goes_on_when_each_node_is_freed_behind_it)
{
    enum { COUNT = 100 };
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    for (size_t i = 0; i < COUNT; i++) {
        struct thing *thing = calloc(1, sizeof(*thing));
        assert_non_null(thing);
        thing->key[0] = (char)i;
        thing->node.key = thing->key;
        thing->node.key_len = 1;
        assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &thing->node), 0);
    }
    size_t steps = 0;
    for (struct wsp_map_node *node = wsp_map_next(&map, NULL), *next; node; node = next) {
        next = wsp_map_next(&map, node);
        wsp_map_remove(&map, node);
        free(node);
        steps++;
    }
    assert_int_equal(steps, COUNT);
    assert_int_equal(map.count, 0);
    assert_true(wsp_map_check(&map));
    wsp_map_fini(&map, &wsp_mem_default);
}

struct hashed {
    uint32_t hash;
    uint32_t number;
};

static int by_hash(const void *left, const void *right)
{
    uint32_t a = ((const struct hashed *)left)->hash;
    uint32_t b = ((const struct hashed *)right)->hash;
    return a < b ? -1 : a > b;
}

TEST(find_compares_keys_when_hashes_are_equal)
{
    /* Among 300 000 keys about ten pairs have the same 32-bit hash. */
    enum { COUNT = 300000 };
    struct hashed *all = malloc(COUNT * sizeof(*all));
    assert_non_null(all);
    for (uint32_t i = 0; i < COUNT; i++) {
        all[i].number = i;
        all[i].hash = (uint32_t)wsp_siphash13(&seed_key, &all[i].number, sizeof(uint32_t));
    }
    qsort(all, COUNT, sizeof(*all), by_hash);
    size_t pairs = 0;
    for (size_t i = 0; i + 1 < COUNT; i++) {
        if (all[i].hash != all[i + 1].hash) {
            continue;
        }
        pairs++;
        struct wsp_map map;
        wsp_map_init(&map, &seed_key);
        struct wsp_map_node one = {.key = &all[i].number, .key_len = sizeof(uint32_t)};
        struct wsp_map_node two = {.key = &all[i + 1].number, .key_len = sizeof(uint32_t)};
        assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &one), 0);
        assert_null(wsp_map_find(&map, two.key, two.key_len));
        assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &two), 0);
        assert_int_equal(one.hash, two.hash);
        assert_ptr_equal(wsp_map_find(&map, one.key, one.key_len), &one);
        assert_ptr_equal(wsp_map_find(&map, two.key, two.key_len), &two);
        wsp_map_remove(&map, &one); /* the one behind it in the chain */
        assert_null(wsp_map_find(&map, one.key, one.key_len));
        assert_ptr_equal(wsp_map_find(&map, two.key, two.key_len), &two);
        wsp_map_fini(&map, &wsp_mem_default);
    }
    assert_true(pairs > 0);
    free(all);
}

TEST(find_compares_lengths_when_hashes_are_equal)
{
    /* The second key begins with the first. It was found by a search for the same 32-bit hash. */
    const char *key = "room/vcrxczaa";
    for (uint32_t in = 4; in <= 13; in += 9) {
        struct wsp_map map;
        wsp_map_init(&map, &seed_key);
        struct wsp_map_node node = {.key = key, .key_len = in};
        assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &node), 0);
        assert_int_equal(node.hash, (uint32_t)wsp_siphash13(&seed_key, key, 4));
        assert_ptr_equal(wsp_map_find(&map, key, 4), in == 4 ? &node : NULL);
        assert_ptr_equal(wsp_map_find(&map, key, 13), in == 13 ? &node : NULL);
        wsp_map_fini(&map, &wsp_mem_default);
    }
}

TEST(keys_are_told_apart_when_one_begins_the_other)
{
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    struct wsp_map_node shorter = {.key = "room\0x", .key_len = 4};
    struct wsp_map_node longer = {.key = "room\0x", .key_len = 6};
    assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &shorter), 0);
    assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &longer), 0);
    assert_ptr_equal(wsp_map_find(&map, "room", 4), &shorter);
    assert_ptr_equal(wsp_map_find(&map, "room\0x", 6), &longer);
    assert_null(wsp_map_find(&map, "room\0y", 6));
    assert_null(wsp_map_find(&map, "room\0x", 5));
    wsp_map_fini(&map, &wsp_mem_default);
}

TEST(chains_stay_short_when_many_nodes_are_in)
{
    enum { COUNT = 20000 };
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    struct thing *things = things_new(COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &things[i].node), 0);
        assert_true(map.bucket_count >= map.count);
    }
    size_t longest = 0;
    for (size_t i = 0; i < map.bucket_count; i++) {
        size_t len = 0;
        for (struct wsp_map_node *node = map.buckets[i]; node; node = node->next) {
            len++;
        }
        longest = len > longest ? len : longest;
    }
    assert_true(longest < 12);
    assert_true(wsp_map_check(&map));
    wsp_map_fini(&map, &wsp_mem_default);
    free(things);
}

TEST(add_is_nomem_when_the_first_table_cant_be_had)
{
    struct test_mem mem = {.fail_at = 1};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    struct wsp_map_node node = {.key = "a", .key_len = 1};
    assert_int_equal(wsp_map_add(&map, &hooks, &node), WSPOOL_ERR_NOMEM);
    assert_int_equal(map.count, 0);
    assert_null(wsp_map_find(&map, "a", 1));
    assert_true(wsp_map_check(&map));
    assert_int_equal(wsp_map_add(&map, &hooks, &node), 0);
    assert_ptr_equal(wsp_map_find(&map, "a", 1), &node);
    wsp_map_fini(&map, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(add_still_works_when_the_table_cant_grow)
{
    enum { COUNT = 500 };
    struct test_mem mem = {.fail_at = 2, .fail_on = 1};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    struct thing *things = things_new(COUNT + 1);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(wsp_map_add(&map, &hooks, &things[i].node), 0);
    }
    assert_true(mem.failures > 0);
    assert_true(wsp_map_check(&map));
    for (size_t i = 0; i < COUNT; i++) {
        assert_ptr_equal(find(&map, &things[i]), &things[i].node);
    }
    size_t small = map.bucket_count;
    mem.fail_on = 0; /* memory is back: the next addition grows the map */
    assert_int_equal(wsp_map_add(&map, &hooks, &things[COUNT].node), 0);
    assert_true(map.bucket_count > small);
    assert_true(wsp_map_check(&map));
    wsp_map_fini(&map, &hooks);
    assert_int_equal(mem.live, 0);
    free(things);
}

TEST(check_fails_when_a_key_changed_inside)
{
    struct wsp_map map;
    wsp_map_init(&map, &seed_key);
    char key[4] = "abc";
    struct wsp_map_node node = {.key = key, .key_len = 3};
    assert_int_equal(wsp_map_add(&map, &wsp_mem_default, &node), 0);
    assert_true(wsp_map_check(&map));
    key[0] = 'b';
    assert_false(wsp_map_check(&map));
    key[0] = 'a';
    map.count = 2;
    assert_false(wsp_map_check(&map));
    wsp_map_fini(&map, &wsp_mem_default);
}
