/* SPDX-License-Identifier: MIT */
/*
 * unit/test_checks.c - the check function of each module. Each invariant in the head comment of a
 * module is broken by hand, and the module's check must report it. For the pool that is
 * wspool_check.
 *
 * The tests of map, bitset, timers, outq, conn, registry and stats break more of their own
 * invariants.
 */
#include "pool.h"
#include "frames.h"

#include "channel/ids.h"
#include "channel/keyed.h"
#include "channel/pace.h"
#include "policy/origin.h"
#include "policy/route.h"
#include "pool/side.h"

/* While `place` has `value` the check fails; before and afterwards it succeeds. */
#define BROKEN(check, place, value) \
    do { \
        assert_int_equal((check), 1); \
        __typeof__(place) kept_ = (place); \
        (place) = (__typeof__(place))(value); \
        if ((check) != 0) { \
            fail_msg("not seen: " #place " = " #value); \
        } \
        (place) = kept_; \
        assert_int_equal((check), 1); \
    } while (0)

/* --------------------------------------------------------------------- base */

struct node {
    struct wsp_map_node node;
    char key;
};

TEST(map_is_wrong_when_a_node_lies_elsewhere)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_siphash_key seed = {1, 2};
    struct wsp_map map;
    struct node nodes[5];
    wsp_map_init(&map, &seed);
    for (int i = 0; i < 5; i++) {
        nodes[i].key = (char)('a' + i);
        nodes[i].node = (struct wsp_map_node){.key = &nodes[i].key, .key_len = 1};
        assert_int_equal(wsp_map_add(&map, &hooks, &nodes[i].node), 0);
    }
    BROKEN(wsp_map_check(&map), nodes[0].key, 'z'); /* its hash is that of another key */
    BROKEN(wsp_map_check(&map), nodes[0].node.hash, nodes[0].node.hash + 1);
    BROKEN(wsp_map_check(&map), nodes[0].node.key_len, 0);
    BROKEN(wsp_map_check(&map), map.count, 4);
    BROKEN(wsp_map_check(&map), map.count, 6);
    BROKEN(wsp_map_check(&map), map.bucket_count, map.bucket_count - 1);
    BROKEN(wsp_map_check(&map), map.buckets, NULL);
    wsp_map_fini(&map, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(slots_are_wrong_when_taken_and_free_are_mixed_up)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_slots slots;
    struct wsp_slot *records[6];
    wsp_slots_init(&slots, 64);
    assert_int_equal(wsp_slots_check(&slots), 1);
    for (int i = 0; i < 6; i++) {
        records[i] = wsp_slots_alloc(&slots, &hooks);
    }
    wsp_slots_free(&slots, records[1]);
    wsp_slots_free(&slots, records[3]);
    wsp_slots_free(&slots, records[4]);
    uint32_t *next = (uint32_t *)(void *)(records[3] + 1); /* slot 3 leads to slot 1 */
    assert_int_equal(*next, 1);
    BROKEN(wsp_slots_check(&slots), records[2]->index, 1);
    BROKEN(wsp_slots_check(&slots), records[2]->generation, 2); /* free, but in no list */
    BROKEN(wsp_slots_check(&slots), records[3]->generation, 3); /* used, but in the free list */
    BROKEN(wsp_slots_check(&slots), slots.used, 2);
    BROKEN(wsp_slots_check(&slots), slots.used, 4);
    BROKEN(wsp_slots_check(&slots), slots.used, 7);
    BROKEN(wsp_slots_check(&slots), slots.first_free, 3);  /* slot 4 is lost */
    BROKEN(wsp_slots_check(&slots), slots.first_free, 99); /* a slot that was never used */
    BROKEN(wsp_slots_check(&slots), slots.first_free, 0);  /* a slot in use */
    BROKEN(wsp_slots_check(&slots), *next, 4);             /* a cycle */
    BROKEN(wsp_slots_check(&slots), *next, UINT32_MAX);
    BROKEN(wsp_slots_check(&slots), slots.chunk_count, 0);
    BROKEN(wsp_slots_check(&slots), slots.chunk_cap, 0);
    wsp_slots_fini(&slots, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(bitset_is_wrong_when_its_levels_differ)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bitset set = {0};
    assert_int_equal(wsp_bitset_reserve(&set, &hooks, 100), 0);
    wsp_bitset_add(&set, 70);
    BROKEN(wsp_bitset_check(&set), set.words[1], 0);
    BROKEN(wsp_bitset_check(&set), set.words[0], 1);
    BROKEN(wsp_bitset_check(&set), set.summary[0], 0);
    BROKEN(wsp_bitset_check(&set), set.low, 71);
    BROKEN(wsp_bitset_check(&set), set.words, NULL);
    BROKEN(wsp_bitset_check(&set), set.summary, NULL);
    wsp_bitset_fini(&set, &hooks);
}

static struct wsp_timer *timer_at(void *owner, uint32_t slot)
{
    return (struct wsp_timer *)owner + slot;
}

TEST(timers_are_wrong_when_one_lies_in_another_list)
{
    struct wsp_timers timers;
    struct wsp_timer three[3];
    wsp_timers_init(&timers, 0, timer_at, three);
    for (uint32_t i = 0; i < 3; i++) {
        wsp_timer_init(&three[i]);
        wsp_timers_arm(&timers, i, (1 + i / 2) * WSP_TIMERS_TICK);
    }
    BROKEN(wsp_timers_check(&timers), three[0].due, 2 * WSP_TIMERS_TICK);
    BROKEN(wsp_timers_check(&timers), three[0].due, 0);
    BROKEN(wsp_timers_check(&timers), three[0].prev, WSP_TIMER_OFF);
    BROKEN(wsp_timers_check(&timers), three[1].next, 2);
    BROKEN(wsp_timers_check(&timers), timers.occupied[0], 0);
    BROKEN(wsp_timers_check(&timers), timers.first_tick, 2);
    BROKEN(wsp_timers_check(&timers), timers.occupied[1], 1);
    BROKEN(wsp_timers_check(&timers), timers.first[0][1], WSP_TIMER_NONE);
    BROKEN(wsp_timers_check(&timers), timers.tick, 1); /* later than `until` */
}

TEST(bucket_is_wrong_when_more_is_spent_than_it_holds)
{
    struct wsp_bucket bucket = {0};
    assert_int_equal(wsp_bucket_draw(&bucket, 5, 1, 5, 0), 1);
    BROKEN(wsp_bucket_check(&bucket, 5), bucket.spent, 6);
    assert_int_equal(wsp_bucket_check(&bucket, 4), 0);
}

TEST(free_list_is_wrong_when_it_is_not_as_long_as_counted)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_freelist list;
    wsp_freelist_init(&list, 32, 3);
    void **one = wsp_freelist_take(&list, &hooks), **two = wsp_freelist_take(&list, &hooks);
    wsp_freelist_give(&list, &hooks, one);
    wsp_freelist_give(&list, &hooks, two);
    BROKEN(wsp_freelist_check(&list), list.count, 1);
    BROKEN(wsp_freelist_check(&list), list.count, 3);
    BROKEN(wsp_freelist_check(&list), list.keep, 1);
    BROKEN(wsp_freelist_check(&list), list.size, sizeof(void *) - 1);
    BROKEN(wsp_freelist_check(&list), list.first, NULL);
    BROKEN(wsp_freelist_check(&list), *one, two); /* a cycle */
    wsp_freelist_fini(&list, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(bytes_are_wrong_when_there_are_more_than_fit)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bytes bytes = {0};
    assert_int_equal(wsp_bytes_check(&bytes), 1);
    assert_int_equal(wsp_bytes_append(&bytes, &hooks, "abc", 3, 1000), 0);
    BROKEN(wsp_bytes_check(&bytes), bytes.len, bytes.cap + 1);
    BROKEN(wsp_bytes_check(&bytes), bytes.data, NULL);
    bytes.len = 0;
    BROKEN(wsp_bytes_check(&bytes), bytes.cap, 0);
    wsp_bytes_fini(&bytes, &hooks);
}

/* --------------------------------------------------------------------- wire */

TEST(blocks_are_wrong_when_holds_or_bytes_are)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_blocks blocks, other = {0};
    wsp_count gauge = 0;
    int error;
    wsp_blocks_init(&blocks, &hooks, 100000, &gauge);
    assert_int_equal(wsp_blocks_check(&blocks), 1);
    assert_non_null(wsp_blocks_room(&blocks, 10, &error));
    struct wsp_run run = wsp_blocks_commit(&blocks, 10);
    wsp_block_hold(run.block);
    assert_non_null(wsp_blocks_room(&blocks, WSP_BLOCK_BYTES, &error)); /* a second block */
    /* the first goes to the free list */
    wsp_block_release(run.block);
    assert_int_equal(blocks.free_list.count, 1);
    struct wsp_block *current = blocks.current, *unused = (void *)blocks.free_list.first;
    BROKEN(wsp_blocks_check(&blocks), current->holds, 0);
    BROKEN(wsp_blocks_check(&blocks), current->used, current->cap + 1);
    BROKEN(wsp_blocks_check(&blocks), current->store, &other);
    BROKEN(wsp_blocks_check(&blocks), blocks.others[0][0], unused);
    BROKEN(wsp_blocks_check(&blocks), unused->holds, 1);
    BROKEN(wsp_blocks_check(&blocks), unused->store, &other);
    BROKEN(wsp_blocks_check(&blocks), unused->cap, unused->cap - 1);
    BROKEN(wsp_blocks_check(&blocks), unused->item.next, &unused->item); /* a cycle */
    BROKEN(wsp_blocks_check(&blocks), blocks.free_list.first, NULL);
    BROKEN(wsp_blocks_check(&blocks), blocks.free_list.count, 2);
    BROKEN(wsp_blocks_check(&blocks), blocks.bytes, blocks.bytes + 1);
    BROKEN(wsp_blocks_check(&blocks), blocks.limit, blocks.bytes - 1);
    wsp_count_set(&gauge, 1);
    blocks.bytes = 1; /* less than the current block has */
    assert_int_equal(wsp_blocks_check(&blocks), 0);
    blocks.bytes = sizeof *current + current->cap;
    assert_int_equal(wsp_blocks_check(&blocks), 0); /* the gauge differs */
    wsp_count_set(&gauge, blocks.bytes);
    assert_int_equal(wsp_blocks_check(&blocks), 1);
    wsp_blocks_fini(&blocks);
    assert_int_equal(mem.live, 0);
}

TEST(decoders_are_wrong_when_an_unused_one_is_not_between_frames)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_decoders decoders;
    const struct wsp_frame frame = {.fin = 1, .opcode = WSP_TEXT, .masked = 1};
    const uint8_t *at = (const uint8_t *)"", *chunk;
    size_t len = 0, chunk_len;
    wsp_decoders_init(&decoders, &hooks);
    assert_int_equal(wsp_decoders_check(&decoders), 1);
    struct wsp_decoder *decoder = wsp_decoder_borrow(&decoders, &frame);
    wsp_decoder_return(&decoders, decoder); /* wslay has not read the header yet */
    assert_int_equal(wsp_decoders_check(&decoders), 0);
    decoder = wsp_decoder_borrow(&decoders, &frame);
    assert_int_equal(wsp_decoder_pull(decoder, &at, &len, NULL, &chunk, &chunk_len), 1);
    wsp_decoder_return(&decoders, decoder);
    assert_int_equal(wsp_decoders_check(&decoders), 1);
    BROKEN(wsp_decoders_check(&decoders), decoders.free_list.count, 0);
    BROKEN(wsp_decoders_check(&decoders), decoders.free_list.count, 2);
    BROKEN(wsp_decoders_check(&decoders), decoders.free_list.first, NULL);
    const struct wsp_frame longer = {.fin = 1, .opcode = WSP_TEXT, .masked = 1, .length = 5};
    decoder = wsp_decoder_borrow(&decoders, &longer);
    assert_int_equal(wsp_decoder_pull(decoder, &at, &len, NULL, &chunk, &chunk_len), 0);
    wsp_decoder_return(&decoders, decoder); /* in the middle of its payload */
    assert_int_equal(wsp_decoders_check(&decoders), 0);
    wsp_decoders_fini(&decoders);
    assert_int_equal(mem.live, 0);
}

TEST(frame_parser_is_wrong_when_it_holds_a_whole_head)
{
    struct wsp_frame_parser parser = {.bytes = {0x81, 0x80}, .have = 5};
    BROKEN(wsp_frame_parser_check(&parser), parser.have, 6);
    parser.bytes[1] = 0xff;
    parser.have = 13;
    BROKEN(wsp_frame_parser_check(&parser), parser.have, 14);
    BROKEN(wsp_frame_parser_check(&parser), parser.bytes[1], 0xfe);
}

TEST(utf8_is_wrong_when_its_bounds_are_no_range)
{
    struct wsp_utf8 utf8 = {0};
    assert_int_equal(wsp_utf8_check(&utf8), 1);
    assert_int_equal(wsp_utf8_feed(&utf8, (const uint8_t *)"\xf0", 1), 1);
    BROKEN(wsp_utf8_check(&utf8), utf8.missing, 4);
    BROKEN(wsp_utf8_check(&utf8), utf8.low, 0x7f);
    BROKEN(wsp_utf8_check(&utf8), utf8.high, 0xc0);
    BROKEN(wsp_utf8_check(&utf8), utf8.high, 0x8f); /* below `low` */
}

/* --------------------------------------------------------------------- link */

struct queue {
    struct test_mem mem;
    wspool_mem hooks;
    struct wsp_outqs outqs;
    struct wsp_blocks blocks;
    wsp_count gauge;
    struct wsp_outq q;
};

/* A queue with some runs that can't be joined, some control bytes and a Close. */
static void queue_begin(struct queue *w)
{
    int error;
    memset(w, 0, sizeof *w);
    w->hooks = test_mem_hooks(&w->mem);
    wsp_outqs_init(&w->outqs, &w->hooks);
    wsp_blocks_init(&w->blocks, &w->hooks, 1 << 20, &w->gauge);
    for (int i = 0; i < 24; i++) {
        uint8_t *room = wsp_blocks_room(&w->blocks, 12, &error);
        memset(room, 'x', 12);
        memcpy(room, "\x81\x0a", 2);
        struct wsp_run run = wsp_blocks_commit(&w->blocks, 12);
        if (i % 2 == 0) {
            assert_int_equal(wsp_outq_push(&w->q, &w->outqs, &run), 0);
        }
    }
    assert_int_equal(wsp_outq_control(&w->q, &w->outqs, "\x89\0", 2), 0);
    assert_int_equal(wsp_outq_pong(&w->q, &w->outqs, "\x8a\0", 2), 0);
    assert_int_equal(wsp_outq_close(&w->q, &w->outqs, "\x88\x02\x03\xe8", 4), 0);
}

static void queue_end(struct queue *w)
{
    wsp_outq_fini(&w->q, &w->outqs);
    wsp_blocks_fini(&w->blocks);
    wsp_outqs_fini(&w->outqs);
    assert_int_equal(w->mem.live, 0);
}

TEST(outq_is_wrong_when_its_runs_are)
{
    struct queue w;
    queue_begin(&w);
    struct wsp_outq *q = &w.q;
    struct wsp_runs *first = q->more, *last = first->next;
    assert_non_null(last);
    BROKEN(wsp_outq_check(q), q->bytes, q->bytes + 12);
    BROKEN(wsp_outq_check(q), q->count, q->count - 1);
    BROKEN(wsp_outq_check(q), q->peeked, q->bytes + 1);
    BROKEN(wsp_outq_check(q), q->first.offset, q->first.offset + 1);
    BROKEN(wsp_outq_check(q), q->first.offset, q->first.block->used);
    BROKEN(wsp_outq_check(q), q->first.partial, 1);
    BROKEN(wsp_outq_check(q), q->first.block, NULL);
    /* whole, but only the first run may be partial */
    BROKEN(wsp_outq_check(q), first->runs[0].partial, 12);
    BROKEN(wsp_outq_check(q), first->runs[0].count, 2);
    BROKEN(wsp_outq_check(q), first->last, first);
    BROKEN(wsp_outq_check(q), first->next, NULL);
    BROKEN(wsp_outq_check(q), first->start, first->end);
    BROKEN(wsp_outq_check(q), last->end, 0);
    BROKEN(wsp_outq_check(q), first->end, WSP_RUNS_PER_CHUNK + 1);
    BROKEN(wsp_outq_check(q), q->more, NULL);
    queue_end(&w);
}

TEST(outq_is_wrong_when_its_control_bytes_are)
{
    struct queue w;
    queue_begin(&w);
    struct wsp_outq *q = &w.q;
    struct wsp_control *control = q->control;
    assert_int_equal(control->last_pong, 2);
    BROKEN(wsp_outq_check(q), control->start, 5);
    BROKEN(wsp_outq_check(q), control->end, WSP_CONTROL_BYTES + 1);
    BROKEN(wsp_outq_check(q), control->peeked, 5);
    BROKEN(wsp_outq_check(q), control->last_pong, 4);
    BROKEN(wsp_outq_check(q), control->close_start, 5);
    BROKEN(wsp_outq_check(q), control->close_start, 1); /* before the messages are sent */
    BROKEN(wsp_outq_check(q), control->close_end, WSP_CLOSE_FRAME_MAX + 1);
    BROKEN(wsp_outq_check(q), control->close_peeked, 5);
    control->last_pong = WSP_NO_PONG;
    control->end = 0;
    BROKEN(wsp_outq_check(q), control->close_end, 0); /* then there is no reason to keep it */
    queue_end(&w);
}

TEST(outqs_is_wrong_when_its_free_lists_are)
{
    struct queue w;
    queue_begin(&w);
    BROKEN(wsp_outqs_check(&w.outqs), w.outqs.runs.count, 1);
    BROKEN(wsp_outqs_check(&w.outqs), w.outqs.controls.count, 1);
    queue_end(&w);
}

TEST(inbound_is_wrong_when_it_holds_what_belongs_elsewhere)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_decoders decoders;
    struct wsp_inbounds inbounds;
    struct wsp_inbound *in = NULL, *other = NULL;
    struct wsp_frame_parser parser = {0};
    struct wsp_input_result event;
    /* a fragment, and the beginning of the frame behind it */
    struct wsp_input input = {.bytes = (const uint8_t *)"\x01\x83\0\0\0\0abc\x80\x85\0\0\0\0de",
                              .len = 17,
                              .limit = 1000};
    wsp_decoders_init(&decoders, &hooks);
    wsp_inbounds_init(&inbounds, &hooks, &decoders, NULL);
    do {
        wsp_inbound_next(&inbounds, &in, &parser, &input, &event);
    } while (event.kind == WSP_INPUT_FRAME);
    assert_int_equal(event.kind, WSP_INPUT_MORE);
    assert_non_null(in->decoder);
    assert_int_equal(in->buffer.len, 5);
    BROKEN(wsp_inbound_check(in), in->message, 0);
    BROKEN(wsp_inbound_check(in), in->message, WSP_CLOSE);
    BROKEN(wsp_inbound_check(in), in->discard, 1);
    BROKEN(wsp_inbound_check(in), in->frame.length, 2);
    BROKEN(wsp_inbound_check(in), in->buffer.len, in->buffer.cap + 1);
    BROKEN(wsp_inbound_check(in), in->utf8.missing, 4);
    BROKEN(wsp_inbound_check(in), in->control_len, WSP_CONTROL_MAX + 1);
    assert_int_equal(wsp_inbound_keep(&inbounds, &in, &inbounds.unread, 0, &input), 0);
    BROKEN(wsp_inbounds_check(&inbounds), inbounds.unread.count, 0);
    BROKEN(wsp_inbounds_check(&inbounds), inbounds.unread.last, NULL);
    BROKEN(wsp_inbounds_check(&inbounds), in->queue, &inbounds.partly);
    BROKEN(wsp_inbounds_check(&inbounds), in->tail_at, in->tail.len + 1);
    wsp_inbound_fini(&inbounds, &in);
    struct wsp_inbound *unused = (void *)inbounds.free_list.first;
    assert_non_null(unused);
    BROKEN(wsp_inbounds_check(&inbounds), inbounds.free_list.count, 2);
    BROKEN(wsp_inbounds_check(&inbounds), inbounds.free_bytes, 1);
    BROKEN(wsp_inbounds_check(&inbounds), inbounds.free_list.first, NULL);
    BROKEN(wsp_inbounds_check(&inbounds), unused->item.next, &unused->item);
    BROKEN(wsp_inbounds_check(&inbounds), unused->message, WSP_TEXT);
    BROKEN(wsp_inbounds_check(&inbounds), unused->delivered, 1);
    BROKEN(wsp_inbounds_check(&inbounds), unused->discard, 1);
    BROKEN(wsp_inbounds_check(&inbounds), unused->buffer.len, 1);
    struct wsp_decoder *decoder =
        wsp_decoder_borrow(&decoders, &(struct wsp_frame){.opcode = WSP_TEXT});
    BROKEN(wsp_inbounds_check(&inbounds), unused->decoder, decoder);
    wsp_decoder_discard(&decoders, decoder);
    wsp_inbound_fini(&inbounds, &other); /* belongs to no peer: harmless */
    wsp_inbounds_fini(&inbounds);
    wsp_decoders_fini(&decoders);
    assert_int_equal(mem.live, 0);
}

/* ------------------------------------------------------------------ channel */

TEST(registry_is_wrong_when_a_channel_is_none_that_could_be)
{
    static struct host h;
    struct wsp_peer *peers[2];
    uint64_t n;
    host_init(&h);
    host_start(&h);
    const struct wsp_registry *registry = &h.pool->registry;
    for (int i = 0; i < 2; i++) {
        wspool_id id = host_come(&h, "/room/a", "Authorization: Bearer t");
        peers[i] = wsp_slots_find(&h.pool->peers, id);
        assert_int_equal(wspool_subscribe(h.pool, id, wspool_topic("t")), 0);
    }
    struct wsp_channel *channel = wsp_membership_channel(&peers[0]->memberships, 1);
    BROKEN(wsp_registry_check(registry, &n), channel->epoch, registry->next_epoch);
    BROKEN(wsp_registry_check(registry, &n), channel->count, 0);
    BROKEN(wsp_registry_check(registry, &n), channel->cap, 1);
    BROKEN(wsp_registry_check(registry, &n), channel->node.key, "\4t");
    BROKEN(wsp_registry_check(registry, &n), channel->key[0], 9);
    BROKEN(wsp_registry_check(registry, &n), channel->members[1].membership, 0);
    BROKEN(wsp_registry_check(registry, &n), channel->members[1].membership, 2);
    BROKEN(wsp_registry_check(registry, &n), channel->members[1].peer, peers[0]);
    BROKEN(wsp_registry_check(registry, &n), peers[0]->memberships.cap, 0);
    BROKEN(wsp_registry_check(registry, &n), peers[0]->memberships.more[0].index, 1);
    host_end(&h);
}

TEST(paces_are_wrong_when_one_is_not_where_it_is_due)
{
    struct wsp_paces paces;
    struct wsp_pace first = {.kind = 1}, second = {.kind = 1};
    wsp_paces_init(&paces);
    assert_int_equal(wsp_paces_check(&paces), 1);
    wsp_pace_wait(&paces, &first, 10);
    wsp_pace_wait(&paces, &second, 20);
    BROKEN(wsp_paces_check(&paces), first.waits, 0);
    BROKEN(wsp_paces_check(&paces), first.kind, 0);
    BROKEN(wsp_paces_check(&paces), second.due, 9);
    BROKEN(wsp_paces_check(&paces), second.prev, NULL);
    BROKEN(wsp_paces_check(&paces), first.next, NULL);
    BROKEN(wsp_paces_check(&paces), paces.next, 20);
}

/* ------------------------------------------------------------------- policy */

TEST(routes_are_wrong_when_one_is_not_its_pattern)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_routes routes = {0};
    wspool_config config;
    wspool_route_options options;
    wspool_config_init(&config);
    wspool_route_options_init(&options, &config);
    assert_int_equal(wsp_routes_check(&routes), 1);
    assert_int_equal(wsp_routes_add(&routes, &hooks, "/a/{b}/c", WSPOOL_ITEM, &options), 0);
    struct wsp_route *route = &routes.list[0];
    char long_name[WSPOOL_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    BROKEN(wsp_routes_check(&routes), route->head, 4);
    BROKEN(wsp_routes_check(&routes), route->tail, 0);
    BROKEN(wsp_routes_check(&routes), route->pattern, NULL);
    BROKEN(wsp_routes_check(&routes), route->pattern[0], 'a');
    BROKEN(wsp_routes_check(&routes), route->pattern[3], 'b');
    BROKEN(wsp_routes_check(&routes), route->name, NULL);
    BROKEN(wsp_routes_check(&routes), route->name, long_name);
    BROKEN(wsp_routes_check(&routes), routes.count, 0);
    BROKEN(wsp_routes_check(&routes), routes.list, NULL);
    wsp_routes_fini(&routes, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(origins_are_wrong_when_a_part_of_one_is_missing)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_origins origins;
    const char *list[] = {"https://a.example", NULL};
    struct seen { /* struct wsp_origin is defined in origin.c only */
        char *scheme, *host;
        unsigned port;
    };
    assert_int_equal(wsp_origins_init(&origins, &hooks, list), 0);
    struct seen *origin = (struct seen *)(void *)origins.list;
    BROKEN(wsp_origins_check(&origins), origin->port, 65536);
    BROKEN(wsp_origins_check(&origins), origin->host, origin->scheme);
    BROKEN(wsp_origins_check(&origins), origin->host[0], '\0');
    BROKEN(wsp_origins_check(&origins), origin->scheme, NULL);
    BROKEN(wsp_origins_check(&origins), origin->scheme[0], '\0');
    BROKEN(wsp_origins_check(&origins), origins.count, 0);
    BROKEN(wsp_origins_check(&origins), origins.list, NULL);
    wsp_origins_fini(&origins, &hooks);
    assert_int_equal(mem.live, 0);
}

/* --------------------------------------------------------------------- pool */

#define WRONG(place, value) BROKEN(wspool_check(h.pool) == 0, place, value)

/* Peers in every state: open, closing, refused, in the handshake, pending, held, ended. */
enum { OPEN, CLOSING, REFUSED, FRESH, HALF, PENDING, ENDED, HELD, PEERS };

static void begin(struct host *h, struct wsp_peer **peers)
{
    wspool_answer answer;
    wspool_id ids[PEERS];
    host_init(h);
    host_start(h);
    ids[OPEN] = host_come(h, "/room/a", "Authorization: Bearer t");
    ids[CLOSING] = host_come(h, "/room/b", "Authorization: Bearer t");
    ids[ENDED] = host_come(h, "/room/b", "Authorization: Bearer t");
    host_run(h);
    ids[REFUSED] = host_come(h, "/nowhere", "");
    ids[FRESH] = host_open(h);
    ids[HALF] = host_open(h);
    host_feed(h, ids[HALF], "GET /", 5);
    assert_int_equal(host_upgrade(h, "/open", &ids[HELD], &answer), WSPOOL_UPGRADE_ACCEPTED);
    h->verdict.kind = WSPOOL_PENDING;
    ids[PENDING] = host_come(h, "/room/a", "Authorization: Bearer t");
    assert_int_equal(wspool_close(h->pool, ids[CLOSING], 1000, NULL, 0), 0);
    assert_int_equal(wspool_gone(h->pool, ids[ENDED], WSPOOL_GONE_EOF, h->now), 0);
    for (int i = 0; i < PEERS; i++) {
        peers[i] = wsp_slots_find(&h->pool->peers, ids[i]);
        assert_non_null(peers[i]);
    }
    assert_int_equal(wsp_pool_check(h->pool), 1);
    host_check(h);
}

TEST(pool_is_wrong_when_any_of_its_modules_is)
{
    static struct host h;
    struct wsp_peer *peers[PEERS];
    begin(&h, peers);
    wspool *pool = h.pool;
    WRONG(pool->peers.first_free, 0);
    WRONG(pool->link.timers.occupied[0], UINT64_MAX);
    WRONG(pool->link.ready.summary[0], UINT64_MAX);
    WRONG(pool->link.due.summary[0], UINT64_MAX);
    WRONG(pool->link.blocks.free_list.count, 9);
    WRONG(pool->link.outqs.runs.count, 9);
    WRONG(pool->link.decoders.free_list.count, 9);
    WRONG(pool->link.inbounds.free_list.count, 9);
    WRONG(pool->routes.list[1].head, 1);
    WRONG(pool->origins.count, 1);
    WRONG(pool->registry.channels.count, 9);
    WRONG(pool->registry.next_epoch, 1);
    WRONG(pool->contracts.count, 1);
    host_end(&h);
}

TEST(pool_is_wrong_when_a_set_names_nobody)
{
    static struct host h;
    struct wsp_peer *peers[PEERS];
    begin(&h, peers);
    wspool_id gone = wsp_peer_id(peers[ENDED]);
    struct wsp_bitset *sets[] = {&h.pool->link.ready, &h.pool->link.delayed, &h.pool->link.due};
    assert_int_equal(wspool_release(h.pool, gone), 0);
    for (int i = 0; i < 3; i++) {
        uint32_t low = sets[i]->low;
        for (int beyond = 0; beyond < 2; beyond++) {
            uint32_t number = beyond ? h.pool->peers.top : wspool_slot(gone);
            assert_int_equal(wspool_check(h.pool), 0);
            wsp_bitset_add(sets[i], number);
            assert_int_equal(wspool_check(h.pool), WSPOOL_ERR_INTERNAL);
            wsp_bitset_remove(sets[i], number);
            sets[i]->low = low;
        }
    }
    host_end(&h);
}

TEST(pool_is_wrong_when_a_peer_is)
{
    static struct host h;
    struct wsp_peer *p[PEERS];
    begin(&h, p);
    wspool *pool = h.pool;
    struct wsp_handshake *handshake = p[HALF]->conn.work.handshake;
    assert_int_equal(handshake->head.len, 5);
    WRONG(p[OPEN]->conn.contract, 1);
    WRONG(handshake->seen, 6);
    WRONG(handshake->head.len, handshake->head.cap + 1);
    WRONG(pool->handshakes.most, 4);
    WRONG(p[PENDING]->conn.work.handshake->entry.query.len, 1000);
    WRONG(pool->handshakes.free_list.count, pool->handshakes.free_list.count + 1);
    wspool_id short_lived = host_open(&h); /* the buffer of its request is in the free list then */
    host_feed(&h, short_lived, "GET /", 5);
    assert_int_equal(wspool_gone(pool, short_lived, WSPOOL_GONE_EOF, h.now), 0);
    WRONG(pool->handshakes.free_list.count, 0);
    struct wsp_handshake *unused = (void *)pool->handshakes.free_list.first;
    WRONG(unused->head.len, 1);
    WRONG(unused->head.cap, 1025);
    WRONG(unused->seen, 1);
    WRONG(unused->entry.query.len, 1);
    WRONG(unused->pending, 1);
    WRONG(p[PENDING]->conn.work.handshake, NULL);
    WRONG(p[HELD]->conn.work.handshake, NULL);
    WRONG(p[REFUSED]->conn.work.handshake, handshake);
    WRONG(p[FRESH]->conn.flags, WSP_PINGED);
    WRONG(p[FRESH]->conn.flags, WSP_CLOSE_RECEIVED);
    WRONG(p[CLOSING]->conn.out.marks, WSP_MARK_CONTESTED);
    WRONG(p[FRESH]->conn.parser.have, WSP_HEAD_MAX);
    WRONG(p[FRESH]->conn.flags, WSP_DUE_PRESSURE); /* and is not in `due` */
    WRONG(p[FRESH]->conn.out.blocked, 2);
    WRONG(p[ENDED]->conn.out.blocked, 1);
    WRONG(p[OPEN]->conn.flags, p[OPEN]->conn.flags & ~WSP_ACCEPTED);
    WRONG(p[CLOSING]->conn.flags, p[CLOSING]->conn.flags & ~WSP_ACCEPTED);
    WRONG(p[OPEN]->conn.route, pool->routes.count);
    WRONG(p[OPEN]->conn.abuse.spent, pool->config.abuse_burst + 1);
    WRONG(p[CLOSING]->conn.out.control->close_end, 0);
    struct wsp_control *control = p[CLOSING]->conn.out.control;
    WRONG(p[REFUSED]->conn.out.control->close_end, control->close_end); /* there is no such Close */
    WRONG(p[OPEN]->conn.state, WSP_CLOSED + 1);
    struct wsp_inbound in = {.message = WSP_CLOSE};
    WRONG(p[OPEN]->conn.work.inbound, &in);
    WRONG(p[ENDED]->conn.work.inbound, &in);
    struct wsp_side nothing = {0};
    WRONG(p[OPEN]->side, &nothing);
    struct wsp_side *keyed = NULL;
    wspool_text key = {"key", 3};
    assert_int_equal(wsp_side_make(&keyed, &pool->config.mem, (wspool_text){0}, key), 0);
    struct wsp_limits *limits = &pool->limits;
    const struct wsp_siphash_key seed = limits->seed;
    uint64_t keys;
    uint32_t place, later;
    pool->config.max_per_key = 1;
    pool->config.key_attempts_burst = 10;
    pool->config.key_table = 2;
    assert_int_equal(
        wsp_limits_init(limits, &pool->config.mem, &pool->config, &seed, pool->link.created_at), 0);
    WRONG(p[OPEN]->side, keyed); /* the count of its key does not include it */
    assert_int_equal(wsp_limits_enter(limits, key, pool->link.now, &place), 0);
    assert_int_equal(wspool_check(pool), WSPOOL_ERR_INTERNAL);
    assert_int_equal(wsp_limits_enter(limits, (wspool_text){"other", 5}, pool->link.now, &later),
                     0);
    wsp_limits_leave(limits, later);
    BROKEN(wsp_limits_check(limits, &keys), limits->list[place - 1].peers, 2);
    BROKEN(wsp_limits_check(limits, &keys), limits->list[place - 1].key_len, 0);
    BROKEN(wsp_limits_check(limits, &keys), limits->list[place - 1].buckets[0].spent, 11);
    BROKEN(wsp_limits_check(limits, &keys), limits->list[place - 1].key[0], '?');
    BROKEN(wsp_limits_check(limits, &keys), limits->list[later - 1].peers, 1);
    BROKEN(wsp_limits_check(limits, &keys), limits->oldest, 0);
    BROKEN(wsp_limits_check(limits, &keys), limits->newest, place);
    wsp_limits_leave(limits, place);
    assert_int_equal(wsp_limits_check(limits, &keys), 1);
    (void)wsp_side_free(&keyed, &pool->config.mem);

    uint64_t holds, listed;
    struct wsp_peer *named = p[OPEN], *other = p[CLOSING];
    const wspool_text who = {"who", 3}, no_text = {"", 0};
    assert_int_equal(wsp_peer_name(pool, named, who, no_text), 0);
    assert_int_equal(wsp_peer_name(pool, other, who, no_text), 0);
    assert_int_equal(wspool_check(pool), 0);
    struct wsp_subject *subject = wsp_side_subject(named->side);
    BROKEN(wsp_subjects_check(&pool->subjects, &holds, &listed), subject->holds, 0);
    BROKEN(wsp_subjects_check(&pool->subjects, &holds, &listed), subject->holds, 1);
    BROKEN(wsp_subjects_check(&pool->subjects, &holds, &listed), subject->node.key_len, 0);
    BROKEN(wsp_subjects_check(&pool->subjects, &holds, &listed), named->side->party->newer, NULL);
    BROKEN(wsp_subjects_check(&pool->subjects, &holds, &listed), pool->subjects.map.count, 2);
    WRONG(subject->holds, 3);
    WRONG(subject->newest, NULL); /* the open peer is in no list */
    wsp_subjects_leave(other);    /* it closes */
    assert_int_equal(wspool_check(pool), 0);
    WRONG(other->side->party->subject, NULL);
    wsp_subjects_leave(named);
    assert_int_equal(wspool_check(pool), WSPOOL_ERR_INTERNAL);
    wsp_subjects_enter(named);
    assert_int_equal(wspool_check(pool), 0);
    assert_int_equal(wsp_peer_name(pool, p[ENDED], who, no_text), 0);
    assert_int_equal(wspool_check(pool), WSPOOL_ERR_INTERNAL); /* it enters after its end */
    wsp_subjects_leave(p[ENDED]);
    assert_int_equal(wspool_check(pool), 0);
    host_end(&h);
}

TEST(pool_is_wrong_when_a_call_has_left_something)
{
    static struct host h;
    struct wsp_peer *peers[PEERS];
    begin(&h, peers);
    wspool *pool = h.pool;
    WRONG(pool->judged, peers[FRESH]);
    WRONG(pool->link.now, pool->link.created_at - 1);
    WRONG(pool->drain.next, 0);
    WRONG(pool->heads.first, 0);
    WRONG(pool->heads.first, peers[HALF]->conn.slot.index + 1);
    WRONG(pool->heads.last, 0);
    WRONG(peers[FRESH]->conn.links.older, 1);
    WRONG(pool->reserved, 0);
    WRONG(pool->log.events[0].bucket.spent, 1000);
    WRONG(pool->log.events[0].suppressed, 1);
    host_end(&h);
}

static int publish(struct host *h, wspool_channel channel, const char *key, const char *id,
                   unsigned flags)
{
    wspool_send_options options = {
        .size = sizeof options, .flags = flags, .key = {key, strlen(key)}, .id = {id, strlen(id)}};
    return wspool_broadcast(h->pool, channel, "text", flags & WSPOOL_REMOVE ? 0 : 4, &options,
                            NULL);
}

TEST(pool_is_wrong_when_what_a_channel_keeps_is)
{
    static struct host h;
    struct wsp_peer *peers[PEERS];
    begin(&h, peers);
    wspool *pool = h.pool;
    wspool_history *keyed_rules = &pool->registry.rules[WSPOOL_ITEM].history;
    pool->registry.rules[WSPOOL_TOPIC].history.messages = 5;
    keyed_rules->messages = 2;
    keyed_rules->max_keys = 10;
    for (int i = 0; i < 3; i++)
        assert_true(publish(&h, wspool_topic("t"), "", i == 0 ? "a" : "b", 0) >= 0);
    assert_true(publish(&h, wspool_item("k"), "a", "", 0) >= 0);
    assert_true(publish(&h, wspool_item("k"), "b", "", 0) >= 0);
    assert_true(publish(&h, wspool_item("k"), "a", "", WSPOOL_REMOVE) >= 0);
    assert_true(publish(&h, wspool_item("k"), "c", "", 0) >= 0);
    assert_true(publish(&h, wspool_item("k"), "d", "", 0) >= 0);
    assert_int_equal(wspool_check(pool), 0);

    struct wsp_histories *histories = &pool->histories;
    struct wsp_history *plain = histories->of_kind[WSPOOL_TOPIC].oldest;
    uint64_t records; /* wspool_check would find the channel first */
    BROKEN(wsp_histories_check(histories, &records), plain->count, 0);
    WRONG(wsp_history_slot(plain, 0)->len, 0);
    WRONG(wsp_history_slot(plain, 0)->at, 1 << 20);
    WRONG(plain->older, plain);
    WRONG(plain->bytes, 0);
    WRONG(histories->of_kind[WSPOOL_TOPIC].newest, NULL);
    WRONG(histories->oldest_ids->oldest->older, histories->oldest_ids->newest);
    WRONG(histories->oldest_ids->memory, 0);
    WRONG(histories->oldest_ids->older, histories->oldest_ids);

    struct wsp_history *history = histories->keyed.oldest;
    struct wsp_keyed *keyed = history->keyed;
    assert_true(wsp_keyed_count(keyed) > 0);
    assert_non_null(keyed->oldest);
    WRONG(keyed->keys.count, 99);
    WRONG(((struct wsp_old *)wsp_keyed_at(keyed, 0))->offset, 0);
    WRONG(wsp_history_slot(history, 0)->key->offset, 1);
    WRONG(keyed->oldest->removed, 0);
    WRONG(keyed->memory, 0);
    WRONG(keyed->superfluous, 9);
    host_end(&h);
}

static void never_called(wspool *pool, wspool_waiter *waiter, int woken)
{
    (void)pool, (void)waiter, (void)woken;
    fail();
}

TEST(waiters_are_wrong_when_lists_or_times_are)
{
    static struct host h;
    struct wsp_peer *peers[PEERS];
    wspool_waiter waiters[3];
    wspool_channel channel = wspool_topic("waited");
    begin(&h, peers);
    wspool *pool = h.pool;
    memset(waiters, 0, sizeof waiters);
    pool->registry.rules[WSPOOL_TOPIC].history.messages = 5;
    for (uint64_t i = 0; i < 3; i++) {
        waiters[i].call = never_called;
        assert_int_equal(wspool_wait(pool, channel, &waiters[i], h.now + 5 + i), 0);
    }
    WRONG(waiters[1].until, h.now + 9);
    WRONG(waiters[1].earlier, NULL);
    WRONG(waiters[1].link, &waiters[1].next);
    WRONG(waiters[1].link, NULL);
    WRONG(waiters[1].channel, NULL);
    WRONG(pool->waiters.last, &waiters[1]);
    WRONG(pool->waiters.first, &waiters[1]);
    WRONG(pool->waiters.woken, &waiters[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(wspool_wait_cancel(pool, &waiters[i]), 1);
    host_end(&h);
}

/* The struct is defined in mailbox.c only. */
struct seen_node {
    struct seen_node *next;
    wspool_id id;
    wspool_verdict verdict;
};

TEST(mailbox_is_wrong_when_a_verdict_says_nothing_or_the_list_goes_round)
{
    static struct host h;
    struct wsp_peer *peers[PEERS];
    begin(&h, peers);
    const wspool_verdict no = {.size = sizeof no, .kind = WSPOOL_REFUSE};
    for (int i = 0; i < 7; i++) {
        assert_int_equal(wspool_auth_complete(h.pool, wsp_peer_id(peers[PENDING]), &no), 0);
    }
    struct seen_node *list[7];
    list[0] = (struct seen_node *)(void *)atomic_load(&h.pool->mailbox.nodes);
    for (int i = 1; i < 7; i++) {
        list[i] = list[i - 1]->next;
    }
    assert_null(list[6]->next);
    for (int i = 0; i < 7; i++) {
        WRONG(list[i]->verdict.kind, WSPOOL_PENDING);
        WRONG(list[6]->next, list[i]); /* a cycle of each length */
    }
    assert_int_equal(wspool_tick(h.pool, h.now), 0);
    host_end(&h);
}

TEST(revocations_are_wrong_when_one_revokes_nothing)
{
    static struct host h;
    struct wsp_peer *peers[PEERS];
    begin(&h, peers);
    struct wsp_revocations *revocations = &h.pool->revocations;
    assert_int_equal(wspool_revoke(h.pool, wspool_text_of("somebody"), 1, h.now), 0);
    struct wsp_map_node *node = wsp_map_next(&revocations->map, NULL);
    assert_non_null(node);
    struct wsp_revocation *what = (void *)(node + 1); /* it stands behind its node */
    assert_int_equal(what->before, 1);
    WRONG(what->before, 0);
    WRONG(revocations->max, 0);
    host_end(&h);
}
