/* SPDX-License-Identifier: MIT */
/*
 * clients/test_check.c - wspool_clients_check: each invariant of client/client.h is broken by hand,
 * and the check must report it.
 */
#include "fake.h"

#include "client/client.h"
#include "client/life.h"

static struct fake fake;

/* While `place` has `value` the check fails; before and afterwards it succeeds. */
#define BROKEN(place, value) \
    do { \
        assert_int_equal(wspool_clients_check(fake.clients), 1); \
        __typeof__(place) kept_ = (place); \
        (place) = (__typeof__(place))(value); \
        if (wspool_clients_check(fake.clients) != 0) { \
            fail_msg("not seen: " #place " = " #value); \
        } \
        (place) = kept_; \
        assert_int_equal(wspool_clients_check(fake.clients), 1); \
    } while (0)

static struct wsp_client *connect_it(void)
{
    fake_init(&fake);
    assert_int_equal(fake_start(&fake), 0);
    fake_accept(&fake);
    return wsp_clients_find(fake.clients, fake.id);
}

TEST(a_connection_is_wrong_without_its_serial)
{
    struct wsp_client *client = connect_it();
    BROKEN(client->serial, 0);
    BROKEN(client->serial, fake.clients->serial + 1);
    BROKEN(client->phase, WSP_CLIENT_IDLE);
    BROKEN(client->out_start, 1);
    BROKEN(client->flags, WSP_CLIENT_REMOVED);
    fake_end(&fake);
}

TEST(memory_is_wrong_where_none_may_be_held)
{
    struct wsp_client *client = connect_it();
    uint8_t byte = 0;
    client->head = (struct wsp_bytes){&byte, 0, 1}; /* OPEN */
    assert_int_equal(wspool_clients_check(fake.clients), 0);
    client->head = (struct wsp_bytes){NULL, 0, 0};
    fake_feed(&fake,
              "\x01\x02"
              "a",
              3); /* a part of a message */
    assert_non_null(client->inbound);
    BROKEN(client->inbound->buffer.len, client->inbound->buffer.cap + 1);
    wspool_clients_disconnect(fake.clients, fake.id, fake.now);
    fake_pump(&fake);
    fake_gone(&fake);
    assert_int_equal(client->phase, WSP_CLIENT_IDLE);
    BROKEN(client->out.cap, 1);
    BROKEN(client->deadline, fake.now);
    fake_end(&fake);
}

TEST(a_group_is_wrong_when_a_part_is)
{
    connect_it();
    BROKEN(fake.clients->slots.used, 7);
    BROKEN(fake.clients->ready.words, NULL);
    BROKEN(fake.clients->inbounds.free_bytes, 1u << 30);
    fake_end(&fake);
}
