/* SPDX-License-Identifier: MIT */
/*
 * clients/test_arguments.c - what a host may do wrong in each call of wspool/client.h: nothing
 * there, a removed client, a stream that was given up, a call at the wrong time.
 */
#include "fake.h"

static struct fake fake;
static const uint64_t too_long = WSPOOL_TIME_MAX + 1;

static void connect_it(void)
{
    assert_int_equal(fake_start(&fake), 0);
    fake_accept(&fake);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTED);
}

TEST(a_call_without_a_group_is_an_error)
{
    wspool_text host;
    wspool_stream stream;
    wspool_id id;
    unsigned port, wants;
    int secure;
    assert_int_equal(wspool_clients_server(NULL, &host, &port, &secure), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_add(NULL, NULL, &id), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_next(NULL, &stream, &id, &wants), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_tick(NULL, 1), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_connect(NULL, 1, 1), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_gone(NULL, 1, 1), WSPOOL_ERR_STALE);
    assert_true(wspool_clients_deadline(NULL) == UINT64_MAX);
    assert_int_equal(wspool_clients_count(NULL), 0);
    assert_int_equal(wspool_clients_check(NULL), 0);
    assert_int_equal(wspool_clients_free(NULL), 0);
}

TEST(a_result_without_a_place_is_invalid)
{
    wspool_text host;
    wspool_stream stream;
    wspool_id id;
    const void *bytes;
    size_t len;
    unsigned port, wants;
    fake_init(&fake);
    assert_int_equal(wspool_clients_new(NULL, &fake.config, fake.now), WSPOOL_ERR_INVAL);
    connect_it();
    assert_int_equal(wspool_clients_server(fake.clients, &host, &port, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_add(fake.clients, NULL, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_status(fake.clients, fake.id, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_next(fake.clients, NULL, &id, &wants), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_next(fake.clients, &stream, &id, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_peek(fake.clients, fake.stream, NULL, &len), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_peek(fake.clients, fake.stream, &bytes, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_feed(fake.clients, fake.stream, NULL, 1, fake.now),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_send(fake.clients, fake.id, NULL, 1, 0), WSPOOL_ERR_INVAL);
    fake_end(&fake);
}

TEST(an_argument_out_of_its_range_is_invalid)
{
    fake_init(&fake);
    connect_it();
    assert_int_equal(wspool_clients_set_spread(fake.clients, fake.id, too_long), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_set_heartbeat(fake.clients, fake.id, too_long),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clients_ack(fake.clients, fake.stream, 1, fake.now), WSPOOL_ERR_INVAL);
    fake_end(&fake);
}

TEST(every_call_for_a_removed_client_is_stale)
{
    wspool_client_status status;
    const wspool_text none = {"", 0};
    fake_init(&fake);
    connect_it();
    wspool_id id = fake.id;
    assert_int_equal(wspool_clients_remove(fake.clients, id), 0);
    fake_pump(&fake);
    assert_int_equal(wspool_clients_remove(fake.clients, id), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_status(fake.clients, id, &status), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_connect(fake.clients, id, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_reconnect(fake.clients, id, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_disconnect(fake.clients, id, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_probe(fake.clients, id, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_token(fake.clients, id, none, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_confirm(fake.clients, id, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_set_spread(fake.clients, id, 1), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_set_heartbeat(fake.clients, id, 1), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_send(fake.clients, id, "", 0, 0), WSPOOL_ERR_STALE);
    assert_null(wspool_clients_user(fake.clients, id));
    assert_string_equal(wspool_clients_instance(fake.clients, id), "");
    fake_end(&fake);
}

TEST(every_call_for_a_stream_that_was_given_up_is_stale)
{
    const void *bytes;
    size_t len;
    fake_init(&fake);
    connect_it();
    wspool_stream old = fake.stream;
    wspool_clients_reconnect(fake.clients, fake.id, fake.now);
    fake_pump(&fake);
    assert_int_not_equal(old, fake.stream);
    assert_int_equal(wspool_clients_connected(fake.clients, old, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_feed(fake.clients, old, "x", 1, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_peek(fake.clients, old, &bytes, &len), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_ack(fake.clients, old, 0, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_writable(fake.clients, old), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_gone(fake.clients, old, fake.now), WSPOOL_ERR_STALE);
    fake_end(&fake);
}

TEST(a_call_at_the_wrong_time_changes_nothing)
{
    const wspool_text none = {"", 0};
    fake_init(&fake);
    assert_int_equal(fake_start(&fake), 0);
    assert_int_equal(wspool_clients_send(fake.clients, fake.id, "", 0, 0), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_clients_token(fake.clients, fake.id, none, fake.now), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_clients_confirm(fake.clients, fake.id, fake.now), WSPOOL_ERR_STATE);
    fake_accept(&fake);
    assert_int_equal(wspool_clients_confirm(fake.clients, fake.id, fake.now), WSPOOL_ERR_STATE);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTED);
    assert_int_equal(wspool_clients_disconnect(fake.clients, fake.id, fake.now), 0);
    fake_gone(&fake);
    unsigned told = fake.told;
    assert_int_equal(wspool_clients_disconnect(fake.clients, fake.id, fake.now), 0); /* again */
    assert_int_equal(wspool_clients_reconnect(fake.clients, fake.id, fake.now), 0);
    assert_int_equal(fake.told, told);
    assert_int_equal(fake.dials, 1);
    fake_end(&fake);
}

TEST(each_cause_and_each_state_has_a_text)
{
    assert_string_equal(wspool_client_cause_text(WSPOOL_CLIENT_CAUSE_NONE), "none");
    assert_string_equal(wspool_client_cause_text(WSPOOL_CLIENT_CAUSE_LOCAL), "local");
    assert_string_equal(wspool_client_cause_text((enum wspool_client_cause)99), "unknown cause");
    assert_string_equal(wspool_client_state_text(WSPOOL_CLIENT_DISCONNECTED), "disconnected");
    assert_string_equal(wspool_client_state_text(WSPOOL_CLIENT_ERROR), "error");
    assert_string_equal(wspool_client_state_text((enum wspool_client_state)99), "unknown state");
}

/* ----------------------------------------------------------------- entropy */

TEST(a_client_without_entropy_sends_nothing_that_could_be_guessed)
{
    wspool_id id = 1;
    fake_init(&fake);
    fake.no_entropy = 1;
    assert_int_equal(wspool_clients_new(&fake.clients, &fake.config, fake.now), WSPOOL_ERR_ENTROPY);
    fake.no_entropy = 0;
    connect_it();
    fake.no_entropy = 1;
    int error = 0;
    for (int i = 0; i < 1000 && !error; i++) { /* what was drawn already lasts for a while */
        error = wspool_clients_send(fake.clients, fake.id, "x", 1, 0);
    }
    assert_int_equal(error, WSPOOL_ERR_ENTROPY);
    assert_int_equal(wspool_clients_add(fake.clients, NULL, &id), WSPOOL_ERR_ENTROPY);
    assert_int_equal(id, 0);
    fake_pump(&fake);
    fake.sent_len = 0;
    /* The next attempt has no key, and the delay after it no chance: it is the longest. */
    wspool_clients_reconnect(fake.clients, fake.id, fake.now);
    fake_pump(&fake);
    assert_int_equal(fake.sent_len, 0);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_DISCONNECTED);
    assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_LOCAL);
    assert_in_range(fake.status.until - fake.now, WSPOOL_SECOND * 999 / 1000, WSPOOL_SECOND);
    fake.no_entropy = 0;
    fake_await(&fake);
    fake_accept(&fake);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTED);
    fake_end(&fake);
}

/* ------------------------------------------------------------------- query */

static char query[70000];
static int disconnects;

static void on_query(wspool_clients *clients, wspool_id id, wspool_text *out, void *user)
{
    (void)user;
    if (disconnects) {
        wspool_clients_disconnect(clients, id, fake.now);
    }
    *out = (wspool_text){query, strlen(query)};
}

static void start_with_query(const char *begin, size_t fill)
{
    size_t len = strlen(begin);
    memcpy(query, begin, len);
    memset(query + len, 'x', fill);
    query[len + fill] = '\0';
    fake_init(&fake);
    fake.config.query.call = on_query;
    assert_int_equal(fake_start(&fake), 0);
}

TEST(a_query_that_cannot_be_sent_fails_the_attempt)
{
    static const struct {
        const char *begin;
        size_t fill;
    } bad[] = {{"a=b c", 0}, {"a=#b", 0}, {"a=\r\nX: y", 0}, {"", 65536}, {"", 65535}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        start_with_query(bad[i].begin, bad[i].fill);
        assert_int_equal(fake.status.state, WSPOOL_CLIENT_DISCONNECTED);
        assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_LOCAL);
        assert_int_equal(fake.dials, 0);
        fake_end(&fake);
    }
    start_with_query("a=b", 0);
    assert_non_null(strstr(fake_request(&fake), "&a=b HTTP/1.1\r\n"));
    fake_end(&fake);
}

TEST(a_query_hook_may_disconnect_its_client)
{
    disconnects = 1;
    start_with_query("a=b", 0);
    disconnects = 0;
    assert_int_equal(fake.dials, 0);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_DISCONNECTED);
    assert_true(wspool_clients_deadline(fake.clients) == UINT64_MAX);
    fake_end(&fake);
}
