/* SPDX-License-Identifier: MIT */
/*
 * unit/test_history.c - channel/history.h: the last messages of one channel, in segments.
 */
#include "support.h"
#include "channel/history.h"
#include "channel/ids.h"

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    wsp_count gauge, queue_gauge;
    struct wsp_blocks queues;
    struct wsp_histories histories;
    struct wsp_history *history;
};

static struct world *begin(uint64_t limit)
{
    static struct world world;
    struct world *w = &world;
    int error;
    memset(w, 0, sizeof *w);
    w->hooks = test_mem_hooks(&w->mem);
    wsp_blocks_init(&w->queues, &w->hooks, 1 << 20, &w->queue_gauge);
    wsp_histories_init(&w->histories, &w->hooks, limit, &w->gauge, &w->queues);
    w->history = wsp_history_new(&w->histories, NULL, WSPOOL_ITEM, 1, &error);
    assert_non_null(w->history);
    return w;
}

static void end(struct world *w)
{
    wsp_history_free(&w->histories, w->history);
    assert_int_equal(w->histories.store.bytes, 0);
    wsp_histories_fini(&w->histories);
    wsp_blocks_fini(&w->queues);
    assert_int_equal(w->mem.live, 0);
}

static void check(const struct world *w)
{
    uint64_t records;
    assert_true(wsp_histories_check(&w->histories, &records));
}

/* Appends `len` bytes, all of them the low byte of the offset. */
static int append(struct world *w, uint32_t len, uint64_t time, uint64_t wall)
{
    int error = 0;
    uint64_t offset = w->history->first + w->history->count;
    struct wsp_kept *kept = wsp_history_room_at_hand(w->history, len);
    if (!kept)
        kept = wsp_history_room(&w->histories, w->history, len, &error);
    if (!kept)
        return error;
    memset(wsp_kept_bytes(kept), (int)(offset & 0xff), len);
    kept->len = len;
    kept->time = time;
    kept->wall = wall;
    kept->except = offset * 3;
    wsp_history_commit(w->history, kept);
    check(w);
    return 0;
}

TEST(entry_has_the_bytes_and_times_that_it_was_given)
{
    struct world *w = begin(1 << 20);
    for (uint64_t i = 1; i <= 1000; i++)
        assert_int_equal(append(w, (uint32_t)(i % 40 + 1), i, 5000 + i), 0);
    assert_int_equal(w->history->first, 1);
    for (uint64_t i = 1; i <= 1000; i++) {
        const struct wsp_kept *kept = wsp_history_at(w->history, i);
        assert_int_equal(kept->len, i % 40 + 1);
        assert_int_equal(kept->time, i);
        assert_int_equal(kept->wall, 5000 + i);
        assert_int_equal(kept->except, i * 3);
        for (uint32_t k = 0; k < kept->len; k++)
            assert_int_equal(kept->segment->bytes[kept->at + k], i & 0xff);
    }
    end(w);
}

static void count(struct wsp_block *segment, void *user)
{
    (void)segment;
    ++*(size_t *)user;
}

TEST(messages_are_adjacent_in_few_segments)
{
    struct world *w = begin(1 << 20);
    size_t segments = 0;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(append(w, 100, 1, 1), 0);
    wsp_history_each_segment(w->history, count, &segments);
    assert_in_range(segments, 100000 / WSP_BLOCK_BYTES, 100000 / WSP_BLOCK_BYTES + 7);
    assert_true(w->histories.store.bytes < 2 * 100000);
    end(w);
}

TEST(oldest_goes_first_by_number_bytes_and_time)
{
    static const wspool_history limits[] = {
        {.messages = 10}, {.messages = 1000, .bytes = 55}, {.messages = 1000, .time = 10}};
    for (size_t i = 0; i < 3; i++) {
        struct world *w = begin(1 << 20);
        for (uint64_t k = 1; k <= 100; k++) {
            wsp_history_trim(&w->histories, w->history, &limits[i], 5, k);
            assert_int_equal(append(w, 5, k, k), 0);
            uint64_t most = i == 1 ? 11 : 10;
            assert_int_equal(w->history->count, k < most ? k : most);
            assert_int_equal(wsp_history_at(w->history, w->history->first)->time,
                             w->history->first);
        }
        end(w);
    }
}

/* A seeded message may be older than the clock. */
TEST(time_before_the_clock_began_is_old)
{
    const wspool_history limits = {.messages = 10, .time = 100};
    struct world *w = begin(1 << 20);
    uint64_t now = 5;
    assert_int_equal(append(w, 5, now - 99, 1), 0);
    assert_int_equal(append(w, 5, now, 2), 0);
    wsp_history_trim(&w->histories, w->history, &limits, 0, now);
    assert_int_equal(w->history->count, 2);
    wsp_history_trim(&w->histories, w->history, &limits, 0, now + 1);
    assert_int_equal(w->history->count, 1);
    end(w);
}

TEST(history_is_as_it_was_when_there_is_no_room)
{
    struct world *w = begin(4000);
    int error = 0;
    uint32_t n = 0;
    for (; error == 0 && n < 1000; n++)
        error = append(w, 30, 1, 1);
    assert_int_equal(error, WSPOOL_ERR_FULL);
    assert_int_equal(w->history->count, n - 1);
    check(w);
    assert_true(w->histories.store.bytes <= 4000);
    w->mem.fail_at = 1;
    wsp_history_forget_segment(&w->histories, w->history);
    wsp_blocks_trim(&w->histories.store);
    for (error = 0; error == 0;)
        error = append(w, 30, 1, 1);
    assert_int_equal(error, WSPOOL_ERR_NOMEM);
    check(w);
    end(w);
}

/* Record, set and table of the first id, one after the other. */
TEST(id_is_not_added_when_the_budget_has_no_room)
{
    struct world *w = begin(1 << 20);
    const struct wsp_siphash_key seed = {1, 2};
    struct wsp_ids *ids = NULL;
    uint64_t before = w->histories.store.bytes, memory;
    size_t live = w->mem.live, refused = 0;
    for (int rc = -1; rc != 0; refused++) {
        w->histories.store.limit = before + refused;
        rc = wsp_ids_add(&w->histories, NULL, &ids, &seed, (wspool_text){"id", 2}, 1, 1);
        if (rc != 0) {
            assert_int_equal(rc, WSPOOL_ERR_FULL);
            assert_null(ids);
            assert_int_equal(w->histories.store.bytes, before);
            assert_int_equal(w->mem.live, live);
        }
        assert_int_equal(wsp_ids_check(&w->histories, &memory), 1);
    }
    assert_in_range(refused, sizeof(struct wsp_ids) + 8 * sizeof(void *), 4096);
    wsp_ids_free(&w->histories, &ids);
    end(w);
}
