/* SPDX-License-Identifier: MIT */
/*
 * unit/test_handshake.c - pool/handshake.h: the record that a peer has until it is open.
 *
 * The tests check the size of the buffer for the HTTP head, what is kept of the query, and which
 * records and buffers go to the free list. What peers can do to a handshake is in test_accept.c.
 */
#include "support.h"

#include <wspool/error.h>
#include "pool/handshake.h"

#define MOST 4096u

struct bench {
    struct test_mem mem;
    wspool_mem hooks;
    struct wsp_handshakes handshakes;
};

static struct wsp_handshake *begin(struct bench *b)
{
    *b = (struct bench){0};
    b->hooks = test_mem_hooks(&b->mem);
    wsp_handshakes_init(&b->handshakes, &b->hooks, MOST);
    struct wsp_handshake *handshake = wsp_handshake_new(&b->handshakes);
    assert_non_null(handshake);
    return handshake;
}

static void keep(struct bench *b, struct wsp_handshake *handshake, const char *bytes, size_t len)
{
    assert_int_equal(wsp_handshake_keep(&b->handshakes, handshake, bytes, len), 0);
    assert_int_equal(wsp_handshake_check(&b->handshakes, handshake), 1);
}

static void holds(struct wsp_handshake *handshake, const char *bytes, size_t len)
{
    assert_int_equal(handshake->head.len, len);
    assert_memory_equal(handshake->head.data, bytes, len);
}

static void end(struct bench *b)
{
    assert_int_equal(wsp_handshakes_check(&b->handshakes), 1);
    wsp_handshakes_fini(&b->handshakes);
    assert_int_equal(wsp_handshakes_check(&b->handshakes), 1);
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

TEST(buffer_when_a_head_comes_by_the_byte_never_costs_a_quarter_more)
{
    struct bench b;
    struct wsp_handshake *handshake = begin(&b);
    const char *bytes = some_bytes();
    for (size_t i = 0; i < MOST; i++) {
        assert_int_equal(wsp_handshake_room(&b.handshakes, handshake), MOST - i);
        keep(&b, handshake, bytes + i, 1);
    }
    holds(handshake, bytes, MOST);
    assert_int_equal(wsp_handshake_room(&b.handshakes, handshake), 0);
    assert_int_equal(handshake->head.cap, MOST);
    assert_true(b.mem.peak <= sizeof *handshake + MOST + MOST / 4);
    wsp_handshake_free(&b.handshakes, handshake);
    end(&b);
}

TEST(bytes_that_find_no_memory_leave_what_was_kept)
{
    struct bench b;
    struct wsp_handshake *handshake = begin(&b);
    const char *bytes = some_bytes();
    keep(&b, handshake, bytes, 200);
    for (size_t more = 100; more < MOST; more += 1000) {
        b.mem.fail_at = 1;
        assert_int_equal(wsp_handshake_keep(&b.handshakes, handshake, bytes, more),
                         WSPOOL_ERR_NOMEM);
        holds(handshake, bytes, 200);
    }
    wsp_handshake_free(&b.handshakes, handshake);
    end(&b);
}

/* The query is copied over the HTTP head in which it lies; afterwards only the query is left. */
TEST(query_when_it_lies_in_the_head_is_all_that_is_left_of_it)
{
    const char *bytes = some_bytes();
    static const size_t lens[] = {0, 1, 300, MOST / 4, MOST / 4 + 1, MOST - 50};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct bench b;
        struct wsp_handshake *handshake = begin(&b);
        keep(&b, handshake, bytes, MOST);
        handshake->seen = MOST;
        struct wsp_entry entry = {.query = {(const char *)handshake->head.data + 37, lens[i]}};
        assert_int_equal(wsp_handshake_keep_entry(&b.handshakes, handshake, &entry), 0);
        assert_int_equal(wsp_handshake_check(&b.handshakes, handshake), 1);
        assert_true(b.mem.peak <= sizeof *handshake + MOST + MOST / 4);
        assert_true(handshake->head.cap <= MOST / 4 || lens[i] > MOST / 4);
        keep(&b, handshake, "early", 5);
        const struct wsp_entry *kept = wsp_handshake_entry(handshake);
        assert_int_equal(kept->query.len, lens[i]);
        assert_memory_equal(kept->query.data, bytes + 37, lens[i]);
        assert_memory_equal(kept->query.data + lens[i], "early", 5);
        wsp_handshake_free(&b.handshakes, handshake);
        end(&b);
    }
}

TEST(query_that_finds_no_memory_is_told)
{
    struct bench b;
    struct wsp_handshake *handshake = begin(&b);
    struct wsp_entry entry = {.query = {some_bytes(), 100}};
    b.mem.fail_at = 1;
    assert_int_equal(wsp_handshake_keep_entry(&b.handshakes, handshake, &entry), WSPOOL_ERR_NOMEM);
    wsp_handshake_free(&b.handshakes, handshake);
    assert_ptr_equal(wsp_handshake_new(&b.handshakes), handshake);
    assert_int_equal(wsp_handshake_check(&b.handshakes, handshake), 1);
    /* a record from the free list keeps nothing of its last use */
    assert_int_equal(handshake->entry.query.len, 0);
    wsp_handshake_free(&b.handshakes, handshake);
    end(&b);
}

TEST(free_list_when_many_leave_are_few_and_small)
{
    struct bench b;
    struct wsp_handshake *many[20];
    many[0] = begin(&b);
    for (int i = 1; i < 20; i++) {
        many[i] = wsp_handshake_new(&b.handshakes);
    }
    for (int i = 0; i < 20; i++) {
        keep(&b, many[i], some_bytes(), i % 2 ? 3000 : 300);
    }
    for (int i = 0; i < 20; i++) {
        wsp_handshake_free(&b.handshakes, many[i]);
        assert_int_equal(wsp_handshakes_check(&b.handshakes), 1);
    }
    assert_int_equal(b.handshakes.free_list.count, 16);
    /* a buffer of 3000 bytes is too large for the free list */
    assert_int_equal(b.mem.live, 16 + 8);
    struct wsp_handshake surplus = {.item = {b.handshakes.free_list.first}};
    b.handshakes.free_list.first = &surplus.item;
    b.handshakes.free_list.count++;
    assert_int_equal(wsp_handshakes_check(&b.handshakes), 0);
    b.handshakes.free_list.first = surplus.item.next;
    b.handshakes.free_list.count--;
    size_t calls = b.mem.calls;
    struct wsp_handshake *handshake = wsp_handshake_new(&b.handshakes);
    assert_int_equal(b.mem.calls, calls);
    assert_int_equal(handshake->head.len, 0);
    assert_int_equal(handshake->seen, 0);
    wsp_handshake_free(&b.handshakes, handshake);
    wsp_handshake_free(&b.handshakes, NULL);
    end(&b);
}

TEST(handshake_when_there_is_no_memory_is_none)
{
    struct bench b;
    struct wsp_handshake *handshake = begin(&b);
    b.mem.fail_at = 1;
    assert_null(wsp_handshake_new(&b.handshakes));
    wsp_handshake_free(&b.handshakes, handshake);
    end(&b);
}

/* Memory that finds a secret in what is given back. */
struct watch {
    struct test_mem mem;
    wspool_mem hooks;
    int leaks;
};

static const char secret[] = "secret-token";

static void look(struct watch *w, const void *block)
{
    const struct test_mem_head *head = block ? (const struct test_mem_head *)block - 1 : NULL;
    for (size_t i = 0; head && i + sizeof secret - 1 <= head->size; i++) {
        w->leaks += memcmp((const char *)block + i, secret, sizeof secret - 1) == 0;
    }
}

static void *watch_malloc(size_t size, void *user)
{
    struct watch *w = user;
    return w->hooks.malloc(size, &w->mem);
}

static void *watch_realloc(void *block, size_t size, void *user)
{
    struct watch *w = user;
    look(w, block);
    return w->hooks.realloc(block, size, &w->mem);
}

static void watch_free(void *block, void *user)
{
    struct watch *w = user;
    look(w, block);
    w->hooks.free(block, &w->mem);
}

/* In one piece, grown, replaced by its query, and in the free list. */
TEST(head_is_overwritten_when_it_is_not_needed_any_more)
{
    static const size_t lens[] = {100, 300, 900, 2000, MOST};
    for (size_t i = 0; i < 2 * sizeof lens / sizeof *lens; i++) {
        struct watch w = {.leaks = 0};
        struct wsp_handshakes handshakes;
        struct wsp_entry entry = {.query = {"q=r", i % 2 ? 3 : 0}};
        wspool_mem mem = {watch_malloc, watch_realloc, watch_free, &w};
        char head[MOST];
        w.hooks = test_mem_hooks(&w.mem);
        wsp_handshakes_init(&handshakes, &mem, MOST);
        struct wsp_handshake *handshake = wsp_handshake_new(&handshakes);
        memset(head, 'h', sizeof head);
        memcpy(head + 20, secret, sizeof secret - 1);
        for (size_t at = 0, len = lens[i / 2]; at < len; at += 50) {
            size_t more = len - at < 50 ? len - at : 50;
            assert_int_equal(wsp_handshake_keep(&handshakes, handshake, head + at, more), 0);
        }
        if (i % 2) {
            assert_int_equal(wsp_handshake_keep_entry(&handshakes, handshake, &entry), 0);
        }
        wsp_handshake_free(&handshakes, handshake);
        look(&w, handshake->head.data); /* it may be in the free list */
        wsp_handshakes_fini(&handshakes);
        assert_int_equal(w.leaks, 0);
        assert_int_equal(w.mem.live, 0);
    }
}
