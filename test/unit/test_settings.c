/* SPDX-License-Identifier: MIT */
/*
 * unit/test_settings.c - pool/settings.c: the copy of the host's configuration.
 *
 * The tests check the defaults that wspool/config.h documents, the least and the largest value of
 * each field, hosts built with older and newer headers, and that all lists and texts are copied.
 */
#include <wspool/wspool.h>

#include "support.h"
#include "toy.h"
#include "os/os.h"
#include "base/mem.h"
#include "pool/settings.h"
#include "wire/block.h"

TEST(defaults_are_those_of_the_header)
{
    wspool_config c;
    memset(&c, 0xee, sizeof c);
    wspool_config_init(&c);
    assert_int_equal(c.size, sizeof c);
    assert_int_equal(c.max_peers, 1000);
    assert_int_equal(c.max_handshakes, 1000);
    assert_int_equal(c.channels_per_peer, 128);
    assert_int_equal(c.head_bytes, 16384);
    assert_int_equal(c.head_count, 64);
    assert_int_equal(c.message_bytes, 65536);
    assert_int_equal(c.abuse_burst, 10000);
    assert_int_equal(c.abuse_rate, 330);
    assert_int_equal(c.queue_bytes, 262144);
    assert_int_equal(c.queue_messages, 1024);
    assert_true(c.pool_bytes == 67108864);
    assert_int_equal(c.slow, WSPOOL_SLOW_CLOSE);
    assert_true(c.handshake_time == 10 * WSPOOL_SECOND);
    assert_true(c.verdict_time == 30 * WSPOOL_SECOND);
    assert_true(c.message_time == 30 * WSPOOL_SECOND);
    assert_true(c.idle_time == 0);
    assert_true(c.ping_interval == 30 * WSPOOL_SECOND);
    assert_true(c.pong_time == 10 * WSPOOL_SECOND);
    assert_int_equal(c.ping_jitter, 10);
    assert_true(c.flush_time == 30 * WSPOOL_SECOND);
    assert_true(c.closing_time == 5 * WSPOOL_SECOND);
    assert_true(c.lifetime == 0);
    assert_int_equal(c.retry_after, 5);
    assert_null(c.subprotocols);
    assert_null(c.origins);
    assert_int_equal(c.any_origin, 0);
    for (int i = 0; i < WSPOOL_TOKEN_PLACES; i++) { /* all, in their order */
        assert_int_equal(c.token_places[i], WSPOOL_TOKEN_AUTHORIZATION + i);
    }
    assert_true(c.mem.malloc == NULL && c.mem.realloc == NULL && c.mem.free == NULL);
    assert_true(c.entropy.call == wsp_os_entropy);
    assert_true(c.token.call == NULL && c.capacity.call == NULL && c.verdict.call == NULL &&
                c.open.call == NULL && c.message.call == NULL && c.close.call == NULL &&
                c.missed.call == NULL && c.pressure.call == NULL && c.channel.call == NULL &&
                c.identity_free.call == NULL && c.wake.call == NULL && c.log.call == NULL);
}

TEST(defaults_are_used_when_no_configuration_is_given)
{
    wspool_config given, with, without;
    wspool_config_init(&given);
    assert_int_equal(wsp_settings_copy(&with, &given), 0);
    assert_int_equal(wsp_settings_copy(&without, NULL), 0);
    assert_memory_equal(&with, &without, sizeof with);
    assert_true(with.mem.malloc == wsp_mem_default.malloc);
}

/* Each is the only one that is wrong. The numbers are in the next test. */
TEST(fault_of_a_configuration_is_the_member_that_is_wrong)
{
    static const char *const bad_list[] = {"https://a.example", "no origin", NULL};
    static const char *const empty_list[] = {NULL};
    wspool_config c;
    assert_null(wspool_config_fault(NULL));
#define FAULT(member, assignment) \
    do { \
        wspool_config_init(&c); \
        assignment; \
        assert_string_equal(wspool_config_fault(&c), member); \
    } while (0)
    FAULT("size", c.size = 0);
    FAULT("origins", c.origins = bad_list);
    FAULT("subprotocols", c.subprotocols = bad_list);
    FAULT("hosts", c.hosts = bad_list);
    FAULT("hosts", c.hosts = empty_list);
    FAULT("token_places", c.token_places[2] = (enum wspool_token_place)9);
    FAULT("mem", c.mem.free = wsp_mem_default.free);
    FAULT("codec", c.codec.reset = toy_hook(&(struct toy){.mem = NULL}).reset);
    FAULT("entropy", c.entropy.call = NULL);
    FAULT("wall_clock", c.wall_clock.call = NULL);
    FAULT("pong_time", c.pong_time = 0);
    wspool_config_init(&c);
    c.origins = empty_list;
    assert_null(wspool_config_fault(&c));
}

/* ------------------------------------------------------------------- limits */

static int accepts(const wspool_config *c)
{
    wspool_config copy;
    int error = wsp_settings_copy(&copy, c);
    if (error) {
        assert_int_equal(error, WSPOOL_ERR_INVAL);
        assert_non_null(wspool_config_fault(c));
        return 0;
    }
    assert_null(wspool_config_fault(c));
    wsp_settings_fini(&copy);
    return 1;
}

#define BILLION ((UINT64_C(1) << 30) - 1)

/* Field, least, most. One less and one more are refused, where such a number exists. */
#define LIMITS(X) \
    X(max_peers, 1, 1u << 28) \
    X(max_handshakes, 1, 1u << 28) \
    X(channels_per_peer, 1, 32767) \
    X(head_bytes, 256, 65536) \
    X(head_count, 1, 256) \
    X(message_bytes, 1, BILLION) \
    X(abuse_burst, 0, 65535) \
    X(abuse_rate, 0, 1000000) \
    X(queue_bytes, 256, BILLION) \
    X(queue_messages, 1, BILLION) \
    X(pool_bytes, 2 * wsp_block_memory(0), UINT64_MAX) \
    X(slow, 0, WSPOOL_SLOW_BEHIND) \
    X(history_bytes, 65536, UINT64_MAX) \
    X(input_bytes, 65536, UINT64_MAX) \
    X(turn_bytes, 1, UINT32_MAX) \
    X(turn_deliveries, 1, UINT32_MAX) \
    X(flush_delay, 0, WSPOOL_SECOND) \
    X(handshake_time, 1, WSPOOL_TIME_MAX) \
    X(verdict_time, 1, WSPOOL_TIME_MAX) \
    X(message_time, 0, WSPOOL_TIME_MAX) \
    X(idle_time, 0, WSPOOL_TIME_MAX) \
    X(ping_interval, 0, WSPOOL_TIME_MAX) \
    X(pong_time, 1, WSPOOL_TIME_MAX) \
    X(ping_jitter, 0, 50) \
    X(flush_time, 0, WSPOOL_TIME_MAX) \
    X(closing_time, 1, WSPOOL_TIME_MAX) \
    X(lifetime, 0, WSPOOL_TIME_MAX) \
    X(retry_after, 0, UINT32_MAX)

TEST(number_is_refused_when_it_is_out_of_its_range)
{
    wspool_config c;
#define TRY(field, value, good) \
    do { \
        wspool_config_init(&c); \
        uint64_t number_ = (value); \
        uint32_t word_ = (uint32_t)number_; \
        memcpy(&c.field, sizeof c.field == 8 ? (void *)&number_ : &word_, sizeof c.field); \
        if (accepts(&c) != (good)) { \
            fail_msg(#field " = %llu", (unsigned long long)number_); \
        } \
        if (!(good)) { \
            assert_string_equal(wspool_config_fault(&c), #field); \
        } \
    } while (0)
#define LIMIT(field, least, most) \
    TRY(field, least, 1); \
    TRY(field, most, 1); \
    if ((uint64_t)(least) > 0) { \
        TRY(field, (uint64_t)(least)-1, 0); \
        TRY(field, 0, 0); \
    } \
    if ((uint64_t)(most) < (sizeof c.field == 8 ? UINT64_MAX : UINT32_MAX)) { \
        TRY(field, (uint64_t)(most) + 1, 0); \
        TRY(field, UINT64_MAX, 0); \
    }
    LIMITS(LIMIT)
    /* Without pings no pong is awaited. */
    wspool_config_init(&c);
    c.ping_interval = 0;
    c.pong_time = 0;
    assert_true(accepts(&c));
    c.pong_time = WSPOOL_TIME_MAX + 1;
    assert_false(accepts(&c));
}

TEST(token_place_is_refused_when_it_is_none)
{
    for (int i = 0; i < WSPOOL_TOKEN_PLACES; i++) {
        wspool_config c;
        for (int place = -1; place < 7; place++) {
            wspool_config_init(&c);
            c.token_places[i] = (enum wspool_token_place)place;
            assert_int_equal(accepts(&c), place >= 0 && place <= WSPOOL_TOKEN_QUERY);
        }
    }
}

TEST(memory_hooks_are_refused_when_there_is_a_part_of_them)
{
    struct test_mem mem = {0};
    for (int set = 0; set < 8; set++) {
        wspool_config c;
        wspool_config_init(&c);
        c.mem = test_mem_hooks(&mem);
        c.mem.malloc = set & 1 ? c.mem.malloc : NULL;
        c.mem.realloc = set & 2 ? c.mem.realloc : NULL;
        c.mem.free = set & 4 ? c.mem.free : NULL;
        assert_int_equal(accepts(&c), set == 0 || set == 7);
    }
}

TEST(codec_is_refused_when_there_is_a_part_of_it)
{
    struct toy toy = {.mem = NULL};
    for (int set = 0; set < 16; set++) {
        wspool_config c;
        wspool_config_init(&c);
        assert_true(!c.codec.negotiate && !c.codec.encode && !c.codec.decode && !c.codec.reset);
        c.codec = toy_hook(&toy);
        c.codec.negotiate = set & 1 ? c.codec.negotiate : NULL;
        c.codec.encode = set & 2 ? c.codec.encode : NULL;
        c.codec.decode = set & 4 ? c.codec.decode : NULL;
        c.codec.reset = set & 8 ? c.codec.reset : NULL;
        assert_int_equal(accepts(&c), set == 0 || set == 15);
    }
}

TEST(entropy_hook_is_needed)
{
    wspool_config c;
    wspool_config_init(&c);
    c.entropy.call = NULL;
    assert_false(accepts(&c));
}

TEST(wall_clock_hook_is_needed)
{
    wspool_config c;
    wspool_config_init(&c);
    c.wall_clock.call = NULL;
    assert_false(accepts(&c));
}

static int no_entropy(void *bytes, size_t len, void *user)
{
    (void)bytes;
    assert_int_equal(len, 32);
    ++*(int *)user;
    return -1;
}

TEST(pool_is_not_made_when_there_is_no_entropy)
{
    struct test_mem mem = {0};
    int asked = 0;
    wspool_config c;
    wspool_config_init(&c);
    c.mem = test_mem_hooks(&mem);
    c.entropy = (wspool_entropy_hook){no_entropy, &asked};
    wspool *pool = (wspool *)&c;
    assert_int_equal(wspool_new(&pool, &c, 0), WSPOOL_ERR_ENTROPY);
    assert_null(pool);
    assert_int_equal(asked, 1);
    assert_int_equal(mem.live, 0);
}

TEST(pool_is_not_made_when_its_configuration_is_bad)
{
    static const char *const bad_origin[] = {"https://a.example", "no origin", NULL};
    wspool_config c;
    wspool *pool = (wspool *)&c;
    struct test_mem mem = {0};
    assert_int_equal(wspool_new(NULL, NULL, 0), WSPOOL_ERR_INVAL);
    wspool_config_init(&c);
    c.max_peers = 0;
    assert_int_equal(wspool_new(&pool, &c, 0), WSPOOL_ERR_INVAL);
    assert_null(pool);
    wspool_config_init(&c);
    c.mem = test_mem_hooks(&mem);
    c.origins = bad_origin;
    pool = (wspool *)&c;
    assert_int_equal(wspool_new(&pool, &c, 0), WSPOOL_ERR_INVAL);
    assert_null(pool);
    assert_int_equal(mem.live, 0);
}

TEST(pool_is_not_made_when_any_allocation_fails)
{
    static const char *const origins[] = {"https://a.example", "https://b.example:81", NULL};
    static const char *const subprotocols[] = {"a", "b", NULL};
    size_t n = 1;
    for (;; n++) {
        struct test_mem mem = {.fail_at = n};
        wspool_config c;
        wspool *pool;
        wspool_config_init(&c);
        c.mem = test_mem_hooks(&mem);
        c.origins = origins;
        c.subprotocols = subprotocols;
        int error = wspool_new(&pool, &c, 0);
        if (error == 0) {
            assert_int_equal(mem.failures, 0);
            assert_int_equal(wspool_check(pool), 0);
            assert_int_equal(wspool_free(pool), 0);
            assert_int_equal(mem.live, 0);
            break;
        }
        assert_int_equal(error, WSPOOL_ERR_NOMEM);
        assert_null(pool);
        assert_int_equal(mem.live, 0);
    }
    assert_true(n > 3);
}

/* ---------------------------------------------------------- other versions */

TEST(only_known_bytes_are_written_when_the_host_is_older)
{
    uint8_t room[sizeof(wspool_config) + 1];
    wspool_config ours;
    wspool_config_init(&ours);
    for (size_t size = sizeof(size_t); size <= sizeof ours; size++) {
        memset(room, 0xee, sizeof room);
        wspool_config_init_sized((wspool_config *)(void *)room, size);
        memcpy(&ours.size, &size, sizeof size);
        assert_memory_equal(room, &ours, size);
        assert_int_equal(room[size], 0xee);
    }
    memset(room, 0xee, sizeof room);
    wspool_config_init_sized((wspool_config *)(void *)room, sizeof(size_t) - 1);
    assert_int_equal(room[0], 0xee);
    wspool_config_init_sized(NULL, sizeof ours);
}

TEST(rest_is_zero_when_the_host_is_newer)
{
    uint8_t room[sizeof(wspool_config) + 100];
    size_t size = sizeof room - 1;
    memset(room, 0xee, sizeof room);
    wspool_config_init_sized((wspool_config *)(void *)room, size);
    assert_memory_equal(room, &size, sizeof size);
    for (size_t i = sizeof(wspool_config); i < size; i++) {
        assert_int_equal(room[i], 0);
    }
    assert_int_equal(room[size], 0xee);
    assert_true(accepts((wspool_config *)(void *)room)); /* accepted while the unknown part is 0 */
    room[size - 1] = 1;
    assert_false(accepts((wspool_config *)(void *)room));
}

TEST(newer_fields_have_defaults_when_the_host_is_older)
{
    wspool_config c, copy;
    wspool_config_init_sized(&c, offsetof(wspool_config, head_bytes));
    c.max_peers = 7;
    c.head_bytes = 1; /* undefined bytes of a host that does not know the field */
    assert_int_equal(wsp_settings_copy(&copy, &c), 0);
    assert_int_equal(copy.size, sizeof copy);
    assert_int_equal(copy.max_peers, 7);
    assert_int_equal(copy.head_bytes, 16384);
    assert_true(copy.entropy.call == wsp_os_entropy);
    wsp_settings_fini(&copy);
    c.size = 0;
    assert_false(accepts(&c));
}

/* ------------------------------------------------------------- subprotocols */

TEST(subprotocols_are_copied_when_there_are_some)
{
    struct test_mem mem = {0};
    wspool_config c, copy;
    char one[] = "one", two[] = "two.v2";
    const char *list[] = {one, two, NULL};
    wspool_config_init(&c);
    c.mem = test_mem_hooks(&mem);
    c.subprotocols = list;
    assert_int_equal(wsp_settings_copy(&copy, &c), 0);
    memset(one, 'x', 3);
    memset(two, 'x', 3);
    list[0] = NULL;
    assert_string_equal(copy.subprotocols[0], "one");
    assert_string_equal(copy.subprotocols[1], "two.v2");
    assert_null(copy.subprotocols[2]);
    wsp_settings_fini(&copy);
    assert_null(copy.subprotocols);
    assert_int_equal(mem.live, 0);
    assert_int_equal(wsp_settings_copy(&copy, &c), 0); /* an empty list is valid */
    assert_null(copy.subprotocols[0]);
    wsp_settings_fini(&copy);
    assert_int_equal(mem.live, 0);
    mem.fail_at = 1;
    assert_int_equal(wsp_settings_copy(&copy, &c), WSPOOL_ERR_NOMEM);
    assert_int_equal(mem.live, 0);
}

TEST(subprotocol_is_refused_when_it_could_never_be_chosen)
{
    char long_one[257];
    const char *bad[] = {"",    "a b",      "a,b",     "a\"",   "\xc3\xa4",
                         "a/b", "bearer.x", "bearer.", long_one};
    memset(long_one, 'x', sizeof long_one);
    long_one[256] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *list[] = {"good", bad[i], NULL};
        wspool_config c;
        wspool_config_init(&c);
        c.subprotocols = list;
        assert_false(accepts(&c));
        long_one[255] = '\0'; /* the longest valid name */
        list[1] = long_one;
        assert_true(accepts(&c));
        list[1] = "Bearer.x"; /* names are compared exactly */
        assert_true(accepts(&c));
        long_one[255] = 'x';
    }
}

/* ------------------------------------------------------------------- routes */

TEST(route_options_are_those_of_the_configuration)
{
    wspool_config c;
    wspool_route_options options;
    wspool_config_init(&c);
    c.slow = WSPOOL_SLOW_BEHIND;
    c.message_bytes = 1234;
    memset(&options, 0xee, sizeof options);
    wspool_route_options_init(&options, &c);
    assert_int_equal(options.size, sizeof options);
    assert_int_equal(options.flags, 0);
    assert_string_equal(options.name, "");
    assert_null(options.user);
    assert_int_equal(options.slow, WSPOOL_SLOW_BEHIND);
    assert_int_equal(options.message_bytes, 1234);
    assert_int_equal(options.queue_bytes + options.queue_messages, 0); /* the pool's */
    wspool_route_options_init(&options, NULL);
    assert_int_equal(options.slow, WSPOOL_SLOW_CLOSE);
    assert_int_equal(options.message_bytes, 65536);
    uint8_t room[sizeof options + 1];
    for (size_t size = sizeof(size_t); size <= sizeof options; size++) {
        memset(room, 0xee, sizeof room);
        wspool_route_options_init_sized((wspool_route_options *)(void *)room, size, NULL);
        options.size = size;
        assert_memory_equal(room, &options, size);
        assert_int_equal(room[size], 0xee);
    }
    wspool_route_options_init_sized(&options, sizeof(size_t) - 1, &c);
    assert_int_equal(options.message_bytes, 65536); /* unchanged */
    wspool_route_options_init_sized(NULL, sizeof options, &c);
}

TEST(route_is_refused_when_its_options_are_out_of_range)
{
    wspool *pool;
    wspool_route_options good, o;
    assert_int_equal(wspool_new(&pool, NULL, 0), 0);
    wspool_route_options_init(&good, NULL);
#define ROUTE(kind) wspool_route(pool, "/a", (enum wspool_kind)(kind), &o)
#define REFUSED_WITH(field, value) \
    o = good; \
    o.field = (value); \
    assert_int_equal(ROUTE(WSPOOL_ITEM), WSPOOL_ERR_INVAL)
    REFUSED_WITH(size, 3);
    REFUSED_WITH(flags, 2);
    REFUSED_WITH(flags, UINT32_MAX);
    REFUSED_WITH(slow, (enum wspool_slow)2);
    REFUSED_WITH(history.messages, (1u << 24) + 1);
    REFUSED_WITH(history.bytes, 1); /* but no messages */
    REFUSED_WITH(history.time, 1);
    REFUSED_WITH(slow, (enum wspool_slow) - 1);
    REFUSED_WITH(queue_bytes, 255);
    REFUSED_WITH(queue_bytes, 262144 + 1); /* than the pool's */
    REFUSED_WITH(queue_messages, 1024 + 1);
    REFUSED_WITH(message_bytes, 0);
    REFUSED_WITH(message_bytes, 1u << 30);
    o = good;
    for (int kind = -1; kind < 7; kind++) {
        const char path[] = {'/', (char)('k' + kind), '\0'};
        assert_int_equal(wspool_route(pool, path, (enum wspool_kind)kind, &o),
                         kind >= WSPOOL_NONE && kind <= WSPOOL_TOPIC ? 0 : WSPOOL_ERR_INVAL);
    }
    o.flags = WSPOOL_ROUTE_NO_TOKEN;
    o.message_bytes = (1u << 30) - 1;
    o.slow = WSPOOL_SLOW_BEHIND;
    assert_int_equal(ROUTE(WSPOOL_ITEM), WSPOOL_ERR_INVAL); /* another policy for this kind */
    o.slow = WSPOOL_SLOW_CLOSE;
    o.history.messages = 1;
    assert_int_equal(ROUTE(WSPOOL_ITEM), WSPOOL_ERR_INVAL); /* another history */
    o.history.messages = 0;
    o.queue_bytes = 262144; /* the pool's, in numbers */
    o.queue_messages = 1024;
    assert_int_equal(wspool_route(pool, "/same", WSPOOL_ITEM, &o), 0);
    o.queue_messages = 1023;
    assert_int_equal(ROUTE(WSPOOL_ITEM), WSPOOL_ERR_INVAL); /* another limit */
    assert_int_equal(ROUTE(WSPOOL_NONE), 0);
    assert_int_equal(ROUTE(WSPOOL_NONE), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_route(pool, "/b", WSPOOL_ITEM, NULL), 0);
    assert_int_equal(wspool_route(NULL, "/b", WSPOOL_ITEM, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_route(pool, NULL, WSPOOL_ITEM, NULL), WSPOOL_ERR_INVAL);
    wspool_free(pool);
}
