/* SPDX-License-Identifier: MIT */
/*
 * sim/test_read.c - readers that are no peers: wspool_read and wspool_wait.
 *
 * Proves the same part of law 7 for them as test_resume.c for members, and a part of law 5: waits
 * are bounded, and hold nothing of the pool.
 */
#include "sim.h"

#define ITEM wspool_item("a")

/* Items keep `limits`; globals keep nothing. */
static sim *begin_with(sim *s, wspool_history limits)
{
    static const enum wspool_kind kinds[] = {WSPOOL_ITEM, WSPOOL_GLOBAL};
    s->config.ping_interval = 0;
    if (sim_start_bare(s) != 0)
        return s;
    for (int i = 0; i < 2; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.slow = WSPOOL_SLOW_BEHIND;
        options.history = i == 0 ? limits : (wspool_history){0};
        int rc = SIM_IN(wspool_route(s->pool, i == 0 ? "/item/{x}" : "/all", kinds[i], &options));
        assert_true(rc == 0 || (s->no_memory && rc == WSPOOL_ERR_NOMEM));
    }
    return s;
}

static sim *begin(uint32_t messages)
{
    return begin_with(sim_new(1), (wspool_history){.messages = messages});
}

/* Publishes "1", "2" and so on, from `from` to `to`. */
static void publish(sim *s, int from, int to)
{
    for (; from <= to; from++) {
        char text[16];
        snprintf(text, sizeof text, "%d", from);
        assert_true(sim_broadcast(s, ITEM, text) >= 0);
    }
}

static wspool_channel_position position_at(sim *s, uint64_t offset)
{
    wspool_channel_position position;
    assert_int_equal(wspool_position(s->pool, ITEM, &position), 0);
    position.offset = offset;
    return position;
}

/* Reads behind `offset` of the present epoch. */
static int read_at(sim *s, uint64_t offset, wspool_read_message *list, size_t max,
                   wspool_resumed *resumed)
{
    wspool_channel_position since = position_at(s, offset);
    *resumed = (wspool_resumed){.size = sizeof *resumed};
    return SIM_IN(wspool_read(s->pool, ITEM, &since, list, max, resumed));
}

/* ------------------------------------------------------------------- reading */

TEST(read_returns_all_behind_the_position)
{
    for (uint64_t since = 0; since <= 5; since++) {
        sim *s = begin(5);
        wspool_read_message list[9];
        wspool_resumed resumed;
        publish(s, 1, 5);
        int n = read_at(s, since, list, 9, &resumed);
        assert_int_equal(n, 5 - since);
        assert_int_equal(resumed.recovered, 1);
        assert_int_equal(resumed.lost, WSPOOL_LOST_NOTHING);
        assert_int_equal(resumed.count, n);
        assert_int_equal(resumed.position.offset, 5);
        for (int i = 0; i < n; i++) {
            char text[16];
            snprintf(text, sizeof text, "%d", (int)since + 1 + i);
            assert_int_equal(list[i].offset, since + 1 + (uint64_t)i);
            assert_int_equal(list[i].binary, 0);
            assert_int_equal(list[i].len, strlen(text));
            assert_memory_equal(list[i].data, text, list[i].len);
        }
        sim_free(s);
    }
}

TEST(read_returns_the_bytes_of_messages_of_every_length)
{
    static const size_t lengths[] = {0, 1, 125, 126, 127, 1000, 65535, 65536, 70000};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    static uint8_t bytes[70000];
    wspool_read_message list[COUNT];
    wspool_resumed resumed;
    sim *s = begin(COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        wspool_send_options options = {.size = sizeof options, .flags = i % 2 ? WSPOOL_BINARY : 0};
        memset(bytes, 'a' + (int)i, lengths[i]);
        assert_int_equal(SIM_IN(wspool_broadcast(s->pool, ITEM, bytes, lengths[i], &options, NULL)),
                         0);
    }
    assert_int_equal(read_at(s, 0, list, COUNT, &resumed), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        memset(bytes, 'a' + (int)i, lengths[i]);
        assert_int_equal(list[i].len, lengths[i]);
        assert_int_equal(list[i].binary, i % 2);
        assert_memory_equal(list[i].data, bytes, lengths[i]);
    }
    sim_free(s);
}

TEST(read_in_parts_returns_everything_once)
{
    sim *s = begin(100);
    wspool_read_message list[7];
    wspool_resumed resumed;
    uint64_t at = 3;
    int n;
    publish(s, 1, 50);
    while ((n = read_at(s, at, list, 7, &resumed)) > 0) {
        assert_int_equal(resumed.count, 50 - at);
        assert_int_equal(n, resumed.count < 7 ? resumed.count : 7);
        for (int i = 0; i < n; i++)
            assert_int_equal(list[i].offset, ++at);
    }
    assert_int_equal(at, 50);
    assert_int_equal(read_at(s, 3, NULL, 0, &resumed), 0);
    assert_int_equal(resumed.count, 47);
    sim_free(s);
}

/* The history has the messages 4 to 6. */
TEST(read_says_why_there_is_not_everything_and_reads_nothing)
{
    static const struct {
        uint64_t offset;
        enum wspool_lost lost;
    } table[] = {{0, WSPOOL_LOST_TOO_OLD},
                 {2, WSPOOL_LOST_TOO_OLD},
                 {7, WSPOOL_LOST_UNKNOWN},
                 {UINT64_MAX, WSPOOL_LOST_UNKNOWN}};
    sim *s = begin(3);
    wspool_read_message list[9];
    wspool_resumed resumed;
    publish(s, 1, 6);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(read_at(s, table[i].offset, list, 9, &resumed), 0);
        assert_int_equal(resumed.recovered, 0);
        assert_int_equal(resumed.lost, table[i].lost);
        assert_int_equal(resumed.count, 0);
        assert_int_equal(resumed.position.offset, 6);
    }
    wspool_channel_position other = position_at(s, 5);
    other.epoch++;
    resumed = (wspool_resumed){.size = sizeof resumed};
    assert_int_equal(SIM_IN(wspool_read(s->pool, ITEM, &other, list, 9, &resumed)), 0);
    assert_int_equal(resumed.lost, WSPOOL_LOST_EPOCH);
    assert_int_equal(read_at(s, 3, list, 9, &resumed), 3);
    sim_free(s);
}

TEST(read_without_a_position_tells_the_present_one)
{
    sim *s = begin(3);
    wspool_resumed resumed = {.size = sizeof resumed};
    wspool_channel_position at = position_at(s, 0);
    for (int i = 0; i < 2; i++) { /* before the channel exists, and when it does */
        assert_int_equal(SIM_IN(wspool_read(s->pool, ITEM, NULL, NULL, 0, &resumed)), 0);
        assert_true(resumed.position.epoch == at.epoch);
        assert_int_equal(resumed.position.offset, i);
        assert_int_equal(resumed.recovered, 1);
        publish(s, 1, 1);
    }
    assert_int_equal(SIM_IN(wspool_read(s->pool, ITEM, &at, NULL, 0, NULL)), 0);
    sim_free(s);
}

TEST(read_returns_nothing_that_is_too_old)
{
    sim *s = begin_with(sim_new(1), (wspool_history){.messages = 9, .time = 10 * SEC});
    wspool_read_message list[9];
    wspool_resumed resumed;
    publish(s, 1, 2);
    uint64_t epoch = position_at(s, 0).epoch;
    s->now += 6 * SEC;
    sim_pump(s);
    publish(s, 3, 3);
    s->now += 6 * SEC;
    assert_int_equal(wspool_tick(s->pool, s->now), 0);
    assert_int_equal(read_at(s, 1, list, 9, &resumed), 0);
    assert_int_equal(resumed.lost, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(read_at(s, 2, list, 9, &resumed), 1);
    s->now += 6 * SEC;
    sim_peer *p = sim_open(s, NULL); /* the pool learns the time, and does not look for old ones */
    wspool_channel_position since = {epoch, 2};
    assert_int_equal(SIM_IN(wspool_read(s->pool, ITEM, &since, list, 9, &resumed)), 0);
    assert_int_equal(resumed.lost, WSPOOL_LOST_EPOCH); /* nothing of the channel is left */
    assert_int_equal(sim_stats(s).history_bytes, 0);
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    sim_free(s);
}

TEST(read_with_bad_arguments_returns_inval)
{
    sim *s = begin(3);
    wspool_read_message list[1];
    wspool_resumed bad = {.size = 3};
    wspool_channel none = {.kind = WSPOOL_NONE};
    assert_int_equal(wspool_read(NULL, ITEM, NULL, list, 1, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_read(s->pool, none, NULL, list, 1, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_read(s->pool, ITEM, NULL, NULL, 1, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_read(s->pool, ITEM, NULL, list, 1, &bad), WSPOOL_ERR_INVAL);
    sim_free(s);
}

/* ------------------------------------------------------------------- waiting */

typedef struct caller {
    wspool_waiter waiter;
    sim *s;
    int calls, woken;
    int order; /* of its last call, among all */
    int again; /* waits so many times more */
    int speaks;
    struct caller *cancels;
} caller;

static int calls;

static void on_call(wspool *pool, wspool_waiter *waiter, int woken)
{
    caller *c = waiter->user;
    assert_ptr_equal(pool, c->s->pool);
    c->calls++;
    c->woken += woken;
    c->order = ++calls;
    if (c->cancels != NULL)
        assert_int_equal(wspool_wait_cancel(pool, &c->cancels->waiter), 1);
    if (c->again-- > 0)
        assert_int_equal(wspool_wait(pool, ITEM, waiter, UINT64_MAX), 0);
    if (c->speaks-- > 0)
        publish(c->s, 100, 100);
}

static void await(sim *s, caller *c, uint64_t until)
{
    c->s = s;
    c->waiter.call = on_call;
    c->waiter.user = c;
    assert_int_equal(SIM_IN(wspool_wait(s->pool, ITEM, &c->waiter, until)), 0);
}

TEST(wait_ends_with_the_next_message_and_is_called_once)
{
    sim *s = begin(5);
    caller a = {0}, b = {0}, c = {0};
    calls = 0;
    for (int existed = 0; existed < 2; existed++) {
        await(s, &a, UINT64_MAX);
        await(s, &b, s->now + SEC);
        await(s, &c, s->now + 2 * SEC);
        assert_int_equal(sim_stats(s).waiters, 3);
        publish(s, 1, 1);
        assert_int_equal(sim_stats(s).waiters, 0);
        publish(s, 2, 2);
        assert_int_equal(a.calls, existed + 1);
        assert_int_equal(a.woken, existed + 1);
        assert_int_equal(b.woken, existed + 1);
        assert_true(a.order < b.order && b.order < c.order);
    }
    sim_pass(s, 9 * SEC);
    assert_int_equal(calls, 6);
    sim_free(s);
}

TEST(wait_ends_when_its_time_is_over)
{
    sim *s = begin(5);
    caller a = {0}, b = {0}, c = {0}, never = {0};
    uint64_t start = s->now;
    sim_pump(s);
    calls = 0;
    await(s, &b, start + 3 * SEC);
    await(s, &never, UINT64_MAX);
    await(s, &a, start + 1 * SEC);
    await(s, &c, start + 3 * SEC);
    assert_int_equal(wspool_deadline(s->pool), start + 1 * SEC);
    s->now = start + 1 * SEC - 1;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_int_equal(calls, 0);
    s->now = start + 1 * SEC;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.woken, 0);
    assert_int_equal(calls, 1);
    assert_int_equal(wspool_deadline(s->pool), start + 3 * SEC);
    s->now = start + 4 * SEC;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_true(b.order == 2 && c.order == 3);
    assert_int_equal(b.woken + c.woken + never.calls, 0);
    publish(s, 1, 1);
    assert_int_equal(never.woken, 1);
    sim_free(s);
}

TEST(wait_may_begin_again_in_its_call)
{
    sim *s = begin(5);
    caller a = {.again = 3};
    await(s, &a, UINT64_MAX);
    for (int i = 1; i < 7; i++) {
        publish(s, i, i);
        assert_int_equal(a.calls, i < 4 ? i : 4);
    }
    sim_free(s);
}

/* The calls of one publication may cause others, which do not go on without end. */
TEST(wait_whose_call_publishes_wakes_others)
{
    sim *s = begin(5);
    caller a = {.speaks = 1}, b = {.again = 1}, endless = {.again = 1000000, .speaks = 1000000};
    await(s, &b, UINT64_MAX);
    await(s, &a, UINT64_MAX);
    publish(s, 1, 1);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 2);
    await(s, &endless, UINT64_MAX);
    publish(s, 2, 2);
    assert_in_range(endless.calls, 1, 10);
    assert_int_equal(wspool_deadline(s->pool), 0); /* the rest waits for the next call */
    int before = endless.calls;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_true(endless.calls > before);
    endless.again = 0;
    sim_pump(s);
    assert_int_equal(sim_stats(s).waiters, 0);
    sim_free(s);
}

static void publish_at_close(sim *s, const sim_event *event)
{
    if (event->what == SIM_CLOSED)
        publish(s, 1, 1);
}

TEST(wait_ends_with_a_message_of_a_hook)
{
    sim *s = begin(5);
    caller a = {0};
    sim_peer *p = sim_join(s, "/all");
    s->react = publish_at_close;
    await(s, &a, UINT64_MAX);
    assert_int_equal(SIM_IN(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now)), 0);
    assert_int_equal(a.calls, 1); /* in the same call, not at the next one */
    p->cut = 1 + WSPOOL_GONE_FAILED;
    p->told = 1;
    sim_pump(s);
    sim_free(s);
}

TEST(wait_that_was_cancelled_is_not_called)
{
    sim *s = begin(5);
    caller a = {0}, b = {0}, c = {0}, d = {0};
    await(s, &a, s->now + SEC);
    await(s, &b, UINT64_MAX);
    b.cancels = &c; /* when both are woken */
    await(s, &c, UINT64_MAX);
    await(s, &d, s->now + SEC);
    assert_int_equal(wspool_wait_cancel(s->pool, &a.waiter), 1);
    assert_int_equal(wspool_wait_cancel(s->pool, &a.waiter), 0);
    publish(s, 1, 1);
    sim_pass(s, 2 * SEC);
    assert_int_equal(a.calls + c.calls, 0);
    assert_int_equal(b.calls, 1);
    assert_int_equal(d.woken, 1);
    assert_int_equal(sim_stats(s).waiters, 0);
    assert_int_equal(wspool_wait_cancel(NULL, &a.waiter), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_wait_cancel(s->pool, NULL), WSPOOL_ERR_INVAL);
    sim_free(s);
}

TEST(wait_keeps_the_epoch_of_a_channel_without_messages)
{
    sim *s = begin(5);
    caller a = {0};
    wspool_channel_position at = position_at(s, 0);
    await(s, &a, UINT64_MAX);
    sim_peer *p = sim_join(s, "/all"); /* another channel takes the next epoch */
    assert_true(position_at(s, 0).epoch == at.epoch);
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    assert_int_equal(wspool_wait_cancel(s->pool, &a.waiter), 1);
    at = position_at(s, 0);
    for (int i = 0; i < 3; i++) { /* polls of a channel that nobody writes to */
        await(s, &a, s->now + SEC);
        sim_pass(s, 2 * SEC);
        assert_int_equal(a.calls, i + 1);
        assert_true(position_at(s, 0).epoch == at.epoch);
    }
    publish(s, 1, 1);
    assert_true(position_at(s, 0).epoch == at.epoch);
    sim_free(s);
}

TEST(wait_is_bounded_and_refuses_what_cannot_be)
{
    sim *s = sim_new(1);
    caller r[4] = {{.calls = 0}};
    s->config.max_waiters = 3;
    begin_with(s, (wspool_history){.messages = 5});
    for (int i = 0; i < 3; i++)
        await(s, &r[i], UINT64_MAX);
    r[3].waiter.call = on_call;
    assert_int_equal(wspool_wait(s->pool, ITEM, &r[3].waiter, 0), WSPOOL_ERR_FULL);
    assert_int_equal(wspool_wait(s->pool, ITEM, &r[0].waiter, 0), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_wait(s->pool, wspool_global("all"), &r[3].waiter, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_wait(s->pool, (wspool_channel){.kind = WSPOOL_NONE}, &r[3].waiter, 0),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_wait(NULL, ITEM, &r[3].waiter, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_wait(s->pool, ITEM, NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_wait_cancel(s->pool, &r[0].waiter), 1);
    r[0].waiter.call = NULL;
    assert_int_equal(wspool_wait(s->pool, ITEM, &r[0].waiter, 0), WSPOOL_ERR_INVAL);
    await(s, &r[3], UINT64_MAX); /* there is a place again */
    sim_free_pool(s);            /* forgets them */
    for (int i = 0; i < 4; i++)
        assert_int_equal(r[i].calls, 0);
    sim_free(s);
}

static void wait_at_close(sim *s, const sim_event *event)
{
    wspool_waiter *waiter = s->test;
    if (event->what == SIM_CLOSED)
        assert_int_equal(wspool_wait(s->pool, ITEM, waiter, UINT64_MAX), WSPOOL_ERR_STATE);
}

TEST(wait_for_a_pool_that_is_being_freed_is_refused)
{
    sim *s = begin(5);
    wspool_waiter waiter = {.call = on_call};
    s->test = &waiter;
    sim_join(s, "/all");
    s->react = wait_at_close;
    sim_free(s);
}

TEST(wait_without_memory_for_the_channel_is_refused)
{
    sim *s = sim_new(1);
    wspool_waiter waiter = {.call = on_call};
    size_t failed = 0;
    begin_with(s, (wspool_history){.messages = 5});
    s->no_memory = 1;
    for (size_t n = 1; failed == n - 1; n++) {
        s->heap.fail_at = s->heap.calls + n;
        int rc = SIM_IN(wspool_wait(s->pool, ITEM, &waiter, UINT64_MAX));
        assert_true(rc == 0 || rc == WSPOOL_ERR_NOMEM);
        failed += rc != 0;
    }
    s->heap.fail_at = 0;
    assert_true(failed > 0);
    assert_int_equal(wspool_wait_cancel(s->pool, &waiter), 1);
    sim_free(s);
}

/* ------------------------------------------------------ a host that sleeps */

static int told;

static void on_deadline(void *user)
{
    (void)user;
    told++;
}

TEST(wait_tells_a_sleeping_host_when_it_is_due_earlier)
{
    sim *s = sim_new(1);
    caller a = {0}, b = {0};
    s->config.deadline = (wspool_deadline_hook){on_deadline, NULL};
    begin_with(s, (wspool_history){.messages = 5});
    sim_pump(s);
    told = 0;
    await(s, &a, s->now + 2 * SEC);
    assert_int_equal(told, 1);
    sim_pump(s);
    told = 0;
    await(s, &b, s->now + 3 * SEC);
    assert_int_equal(told, 0);
    assert_int_equal(wspool_wait_cancel(s->pool, &b.waiter), 1);
    await(s, &b, s->now + 1 * SEC);
    assert_int_equal(told, 1);
    publish(s, 1, 1); /* called at once: nothing is left to be done */
    assert_int_equal(a.calls + b.calls, 2);
    sim_free(s);
}

/* ------------------------------------------------------------------ at random */

/* Each reader polls: it reads, and waits when there is nothing. All get every message once. */
typedef struct poller {
    wspool_waiter waiter;
    sim *s;
    wspool_channel_position at;
    int waits;
    uint64_t got, lost;
} poller;

static void poll_once(wspool *pool, wspool_waiter *waiter, int woken)
{
    poller *p = waiter->user;
    wspool_read_message list[3];
    wspool_resumed resumed = {.size = sizeof resumed};
    int n;
    (void)woken;
    p->waits = 0;
    while ((n = wspool_read(pool, ITEM, &p->at, list, 3, &resumed)) > 0) {
        for (int i = 0; i < n; i++) {
            assert_int_equal(list[i].offset, p->at.offset + 1);
            p->at.offset++;
            p->got++;
        }
    }
    if (!resumed.recovered) {
        assert_int_equal(resumed.lost, WSPOOL_LOST_TOO_OLD);
        p->lost += resumed.position.offset - p->at.offset;
        p->at = resumed.position;
    }
    if (sim_below(p->s, 10) > 0) {
        uint64_t until = p->s->now + sim_below(p->s, 50 * MS);
        assert_int_equal(wspool_wait(pool, ITEM, waiter, until), 0);
        p->waits = 1;
    }
}

TEST(pollers_at_random_get_every_message_once_or_are_told)
{
    enum { POLLERS = 20 };
    sim *s = begin(8);
    static poller p[POLLERS];
    uint64_t count = 0, all = 0, lost = 0;
    await(s, &(caller){.again = 1 << 30}, UINT64_MAX); /* the channel exists */
    for (int i = 0; i < POLLERS; i++)
        p[i] =
            (poller){.waiter = {.call = poll_once, .user = &p[i]}, .s = s, .at = position_at(s, 0)};
    for (int step = 0; step < 3000; step++) {
        poller *one = &p[sim_below(s, POLLERS)];
        switch (sim_below(s, 4)) {
        case 0:
            for (uint64_t n = sim_below(s, 4); n > 0; n--)
                publish(s, (int)count, (int)count), count++;
            break;
        case 1:
            s->now += sim_below(s, 20 * MS);
            assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
            break;
        case 2:
            assert_int_equal(wspool_wait_cancel(s->pool, &one->waiter), one->waits);
            one->waits = 0;
            break;
        default:
            if (!one->waits)
                poll_once(s->pool, &one->waiter, 0);
        }
    }
    for (int i = 0; i < POLLERS; i++) {
        (void)wspool_wait_cancel(s->pool, &p[i].waiter);
        poll_once(s->pool, &p[i].waiter, 0);
        assert_int_equal(p[i].got + p[i].lost, count);
        all += p[i].got;
        lost += p[i].lost;
    }
    assert_true(all > count && lost > count); /* both happen often */
    sim_free(s);
}
