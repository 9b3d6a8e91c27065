/* SPDX-License-Identifier: MIT */
/*
 * unit/test_hello.c - pool/hello.h: what the buffer of a head may cost, what becomes of a query,
 * and which hellos are kept as spares.  What peers make of it is in test_way_in.c.
 */
#include "support.h"

#include <wspool/error.h>
#include "pool/hello.h"

#define MOST 4096u

struct bench {
    struct test_mem mem;
    wspool_mem hooks;
    struct wsp_hellos hellos;
};

static struct wsp_hello *begin(struct bench *b)
{
    *b = (struct bench){0};
    b->hooks = test_mem_hooks(&b->mem);
    wsp_hellos_init(&b->hellos, &b->hooks, MOST);
    struct wsp_hello *hello = wsp_hello_take(&b->hellos);
    assert_non_null(hello);
    return hello;
}

static void keep(struct bench *b, struct wsp_hello *hello, const char *bytes, size_t len)
{
    assert_int_equal(wsp_hello_keep(&b->hellos, hello, bytes, len), 0);
    assert_int_equal(wsp_hello_check(&b->hellos, hello), 1);
}

static void holds(struct wsp_hello *hello, const char *bytes, size_t len)
{
    assert_int_equal(hello->head.len, len);
    assert_memory_equal(hello->head.data, bytes, len);
}

static void end(struct bench *b)
{
    assert_int_equal(wsp_hellos_check(&b->hellos), 1);
    wsp_hellos_fini(&b->hellos);
    assert_int_equal(wsp_hellos_check(&b->hellos), 1);
    assert_int_equal(b->mem.live, 0);
}

static const char *some_bytes(void)
{
    static char bytes[MOST];
    for (size_t i = 0; i < MOST; i++) {
        bytes[i] = (char)('a' + i % 23);
    }
    return bytes;
}

static void buffer_when_a_head_comes_by_the_byte_never_costs_a_quarter_more(void **state)
{
    (void)state;
    struct bench b;
    struct wsp_hello *hello = begin(&b);
    const char *bytes = some_bytes();
    for (size_t i = 0; i < MOST; i++) {
        assert_int_equal(wsp_hello_room(&b.hellos, hello), MOST - i);
        keep(&b, hello, bytes + i, 1);
    }
    holds(hello, bytes, MOST);
    assert_int_equal(wsp_hello_room(&b.hellos, hello), 0);
    assert_int_equal(hello->head.cap, MOST);
    assert_true(b.mem.peak <= sizeof *hello + MOST + MOST / 4);
    wsp_hello_give(&b.hellos, hello);
    end(&b);
}

static void bytes_that_find_no_memory_leave_what_was_kept(void **state)
{
    (void)state;
    struct bench b;
    struct wsp_hello *hello = begin(&b);
    const char *bytes = some_bytes();
    keep(&b, hello, bytes, 200);
    for (size_t more = 100; more < MOST; more += 1000) {
        b.mem.fail_at = 1;
        assert_int_equal(wsp_hello_keep(&b.hellos, hello, bytes, more), WSPOOL_ERR_NOMEM);
        holds(hello, bytes, 200);
    }
    wsp_hello_give(&b.hellos, hello);
    end(&b);
}

/* A head was gathered, and its query is kept in its place: it lies in what it replaces. */
static void query_when_it_lies_in_the_head_is_all_that_is_left_of_it(void **state)
{
    (void)state;
    const char *bytes = some_bytes();
    static const size_t lens[] = {0, 1, 300, MOST / 4, MOST / 4 + 1, MOST - 50};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct bench b;
        struct wsp_hello *hello = begin(&b);
        keep(&b, hello, bytes, MOST);
        hello->seen = MOST;
        struct wsp_entry entry = {.query = {(const char *)hello->head.data + 37, lens[i]}};
        assert_int_equal(wsp_hello_keep_entry(&b.hellos, hello, &entry), 0);
        assert_int_equal(wsp_hello_check(&b.hellos, hello), 1);
        assert_true(b.mem.peak <= sizeof *hello + MOST + MOST / 4);
        assert_true(hello->head.cap <= MOST / 4 || lens[i] > MOST / 4);
        keep(&b, hello, "early", 5);
        const struct wsp_entry *kept = wsp_hello_entry(hello);
        assert_int_equal(kept->query.len, lens[i]);
        assert_memory_equal(kept->query.data, bytes + 37, lens[i]);
        assert_memory_equal(kept->query.data + lens[i], "early", 5);
        wsp_hello_give(&b.hellos, hello);
        end(&b);
    }
}

static void query_that_finds_no_memory_is_told(void **state)
{
    (void)state;
    struct bench b;
    struct wsp_hello *hello = begin(&b);
    struct wsp_entry entry = {.query = {some_bytes(), 100}};
    b.mem.fail_at = 1;
    assert_int_equal(wsp_hello_keep_entry(&b.hellos, hello, &entry), WSPOOL_ERR_NOMEM);
    wsp_hello_give(&b.hellos, hello);
    assert_ptr_equal(wsp_hello_take(&b.hellos), hello);
    assert_int_equal(wsp_hello_check(&b.hellos, hello), 1);
    assert_int_equal(hello->entry.query.len, 0); /* a spare remembers nothing */
    wsp_hello_give(&b.hellos, hello);
    end(&b);
}

static void spares_when_many_leave_are_few_and_small(void **state)
{
    (void)state;
    struct bench b;
    struct wsp_hello *many[20];
    many[0] = begin(&b);
    for (int i = 1; i < 20; i++) {
        many[i] = wsp_hello_take(&b.hellos);
    }
    for (int i = 0; i < 20; i++) {
        keep(&b, many[i], some_bytes(), i % 2 ? 3000 : 300);
    }
    for (int i = 0; i < 20; i++) {
        wsp_hello_give(&b.hellos, many[i]);
        assert_int_equal(wsp_hellos_check(&b.hellos), 1);
    }
    assert_int_equal(b.hellos.spare_count, 16);
    assert_int_equal(b.mem.live, 16 + 8); /* buffers of 3000 bytes are none for a spare */
    struct wsp_hello surplus = {.next = b.hellos.spares};
    b.hellos.spares = &surplus;
    b.hellos.spare_count++;
    assert_int_equal(wsp_hellos_check(&b.hellos), 0);
    b.hellos.spares = surplus.next;
    b.hellos.spare_count--;
    size_t calls = b.mem.calls;
    struct wsp_hello *hello = wsp_hello_take(&b.hellos);
    assert_int_equal(b.mem.calls, calls);
    assert_int_equal(hello->head.len, 0);
    assert_int_equal(hello->seen, 0);
    wsp_hello_give(&b.hellos, hello);
    wsp_hello_give(&b.hellos, NULL);
    end(&b);
}

static void hello_when_there_is_no_memory_is_none(void **state)
{
    (void)state;
    struct bench b;
    struct wsp_hello *hello = begin(&b);
    b.mem.fail_at = 1;
    assert_null(wsp_hello_take(&b.hellos));
    wsp_hello_give(&b.hellos, hello);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_when_a_head_comes_by_the_byte_never_costs_a_quarter_more),
        cmocka_unit_test(bytes_that_find_no_memory_leave_what_was_kept),
        cmocka_unit_test(query_when_it_lies_in_the_head_is_all_that_is_left_of_it),
        cmocka_unit_test(query_that_finds_no_memory_is_told),
        cmocka_unit_test(spares_when_many_leave_are_few_and_small),
        cmocka_unit_test(hello_when_there_is_no_memory_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
