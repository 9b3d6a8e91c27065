/* SPDX-License-Identifier: MIT */
/*
 * unit/test_slots.c - base/slots.h: ids with a slot and a generation.
 *
 * Random takes and frees are compared with a list of ids. An old id must never find the record of a
 * newer one. Other tests let each allocation fail, and count how many slots are used.
 */
#include "support.h"
#include "base/slots.h"

#define RECORD_SIZE 128u
#define PAYLOAD (RECORD_SIZE - sizeof(struct wsp_slot))

static uint8_t *payload_of(void *record)
{
    return (uint8_t *)record + sizeof(struct wsp_slot);
}

static void assert_zero(void *record)
{
    for (size_t i = 0; i < PAYLOAD; i++) {
        assert_int_equal(payload_of(record)[i], 0);
    }
}

TEST(ids_count_up_from_slot_0_when_nothing_was_given_back)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_slots slots;
    wsp_slots_init(&slots, RECORD_SIZE);
    assert_null(wsp_slots_find(&slots, 0));
    for (uint32_t i = 0; i < 3 * WSP_SLOTS_PER_CHUNK; i++) {
        void *record = wsp_slots_alloc(&slots, &hooks);
        assert_non_null(record);
        assert_int_equal((uintptr_t)record % WSP_CACHE_LINE, 0);
        assert_zero(record);
        uint64_t id = wsp_slot_id(record);
        assert_int_equal(id & UINT32_MAX, i);
        assert_int_equal(id >> 32, 1);
        assert_ptr_equal(wsp_slots_find(&slots, id), record);
        assert_ptr_equal(wsp_slots_at(&slots, i), record);
    }
    assert_int_equal(slots.chunk_count, 3);
    assert_int_equal(slots.used, 3 * WSP_SLOTS_PER_CHUNK);
    wsp_slots_fini(&slots, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(find_is_null_when_the_id_is_stale_or_made_up)
{
    struct wsp_slots slots;
    wsp_slots_init(&slots, RECORD_SIZE);
    void *record = wsp_slots_alloc(&slots, &wsp_mem_default);
    assert_non_null(record);
    uint64_t id = wsp_slot_id(record);
    assert_null(wsp_slots_find(&slots, 0));
    assert_null(wsp_slots_find(&slots, UINT64_MAX));
    assert_null(wsp_slots_find(&slots, id + 1));                   /* a slot that was never used */
    assert_null(wsp_slots_find(&slots, id + (UINT64_C(1) << 32))); /* an even generation */
    assert_null(wsp_slots_find(&slots, id + (UINT64_C(2) << 32))); /* a later generation */
    wsp_slots_free(&slots, record);
    assert_null(wsp_slots_find(&slots, id));
    assert_null(wsp_slots_find(&slots, wsp_slot_id(record))); /* the number of the free slot */
    void *again = wsp_slots_alloc(&slots, &wsp_mem_default);
    assert_ptr_equal(again, record);
    assert_null(wsp_slots_find(&slots, id));
    assert_ptr_equal(wsp_slots_find(&slots, wsp_slot_id(again)), again);
    wsp_slots_fini(&slots, &wsp_mem_default);
}

TEST(slot_given_back_last_comes_first_when_taking)
{
    struct wsp_slots slots;
    wsp_slots_init(&slots, RECORD_SIZE);
    void *records[5];
    for (size_t i = 0; i < 5; i++) {
        records[i] = wsp_slots_alloc(&slots, &wsp_mem_default);
        assert_non_null(records[i]);
    }
    wsp_slots_free(&slots, records[3]);
    wsp_slots_free(&slots, records[0]);
    wsp_slots_free(&slots, records[4]);
    assert_ptr_equal(wsp_slots_alloc(&slots, &wsp_mem_default), records[4]);
    assert_ptr_equal(wsp_slots_alloc(&slots, &wsp_mem_default), records[0]);
    assert_ptr_equal(wsp_slots_alloc(&slots, &wsp_mem_default), records[3]);
    assert_int_equal(slots.top, 5);
    wsp_slots_fini(&slots, &wsp_mem_default);
}

TEST(record_is_zero_when_its_slot_was_used_before)
{
    struct wsp_slots slots;
    wsp_slots_init(&slots, RECORD_SIZE);
    void *record = wsp_slots_alloc(&slots, &wsp_mem_default);
    assert_non_null(record);
    memset(payload_of(record), 0xff, PAYLOAD);
    wsp_slots_free(&slots, record);
    assert_ptr_equal(wsp_slots_alloc(&slots, &wsp_mem_default), record);
    assert_zero(record);
    wsp_slots_fini(&slots, &wsp_mem_default);
}

TEST(id_is_not_0_when_the_generation_wraps)
{
    struct wsp_slots slots;
    wsp_slots_init(&slots, RECORD_SIZE);
    struct wsp_slot *slot = wsp_slots_alloc(&slots, &wsp_mem_default);
    assert_non_null(slot);
    slot->generation = UINT32_MAX;
    uint64_t last = wsp_slot_id(slot);
    assert_ptr_equal(wsp_slots_find(&slots, last), slot);
    wsp_slots_free(&slots, slot);
    assert_null(wsp_slots_find(&slots, last));
    assert_null(wsp_slots_find(&slots, 0));
    assert_ptr_equal(wsp_slots_alloc(&slots, &wsp_mem_default), slot);
    assert_int_equal(slot->generation, 1);
    assert_true(wsp_slot_id(slot) != 0);
    assert_ptr_equal(wsp_slots_find(&slots, wsp_slot_id(slot)), slot);
    assert_null(wsp_slots_find(&slots, last));
    wsp_slots_fini(&slots, &wsp_mem_default);
}

TEST(slots_agree_with_a_list_when_records_come_and_go)
{
    enum { MOST = 900, STALE = 4096 };
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_slots slots;
    wsp_slots_init(&slots, RECORD_SIZE);
    static struct {
        uint64_t id;
        void *record;
        uint64_t content;
    } taken[MOST];
    static uint64_t stale[STALE];
    size_t count = 0, stale_count = 0, peak = 0;
    uint64_t seed = 3;
    for (int step = 0; step < 60000; step++) {
        int filling = step / 5000 % 2 == 0;
        if (count < MOST && test_below(&seed, 10) < (filling ? 7 : 3)) {
            void *record = wsp_slots_alloc(&slots, &hooks);
            assert_non_null(record);
            assert_zero(record);
            taken[count].record = record;
            taken[count].id = wsp_slot_id(record);
            taken[count].content = test_random(&seed);
            memcpy(payload_of(record), &taken[count].content, 8);
            memcpy(payload_of(record) + PAYLOAD - 8, &taken[count].content, 8);
            count++;
            peak = count > peak ? count : peak;
        } else if (count > 0) {
            size_t i = (size_t)test_below(&seed, count);
            stale[stale_count++ % STALE] = taken[i].id;
            wsp_slots_free(&slots, taken[i].record);
            taken[i] = taken[--count];
        }
        assert_int_equal(slots.used, count);
        assert_int_equal(slots.top, peak); /* a new slot only when none is free */
        if (count > 0) {
            size_t i = (size_t)test_below(&seed, count);
            void *record = wsp_slots_find(&slots, taken[i].id);
            assert_ptr_equal(record, taken[i].record);
            assert_memory_equal(payload_of(record), &taken[i].content, 8);
            assert_memory_equal(payload_of(record) + PAYLOAD - 8, &taken[i].content, 8);
        }
        if (stale_count > 0) {
            size_t end = stale_count < STALE ? stale_count : STALE;
            assert_null(wsp_slots_find(&slots, stale[test_below(&seed, end)]));
        }
    }
    wsp_slots_fini(&slots, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(take_is_null_and_harmless_when_there_is_no_memory)
{
    /* Enough records that the array of chunks grows, too. */
    for (size_t n = 1;; n++) {
        struct test_mem mem = {.fail_at = n};
        wspool_mem hooks = test_mem_hooks(&mem);
        struct wsp_slots slots;
        wsp_slots_init(&slots, RECORD_SIZE);
        uint32_t taken = 0;
        for (uint32_t i = 0; i < 6 * WSP_SLOTS_PER_CHUNK; i++) {
            struct wsp_slot *slot = wsp_slots_alloc(&slots, &hooks);
            if (!slot) {
                assert_int_equal(mem.failures, 1);
                assert_int_equal(slots.used, taken);
                assert_int_equal(slots.top, taken);
                slot = wsp_slots_alloc(&slots, &hooks); /* memory is back */
            }
            assert_non_null(slot);
            assert_int_equal(slot->index, taken);
            taken++;
        }
        wsp_slots_fini(&slots, &hooks);
        assert_int_equal(mem.live, 0);
        if (mem.failures == 0) {
            assert_true(n > 8); /* six chunks, and their array twice */
            break;
        }
    }
}

TEST(take_is_null_when_a_chunk_would_be_too_large_to_count)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_slots slots;
    wsp_slots_init(&slots, (SIZE_MAX / WSP_SLOTS_PER_CHUNK + 64) & ~(size_t)63);
    assert_null(wsp_slots_alloc(&slots, &hooks));
    assert_int_equal(slots.top, 0);
    assert_int_equal(mem.calls, 0);
    wsp_slots_fini(&slots, &hooks);
}
