/* SPDX-License-Identifier: MIT */
/*
 * clients/test_reconnect.c - how a client comes back: delays, close codes, tokens, dead servers,
 * and what hooks may do. The clock is set by hand.
 */
#include "fake.h"

#include <stdio.h>

#include "client/backoff.h"
#include "wire/text.h"

#define SEC WSPOOL_SECOND

static struct fake fake;
static char payload[1024];
static size_t len;

static void connect_it(void)
{
    assert_int_equal(fake_start(&fake), 0);
    fake_accept(&fake);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTED);
}

/* ---------------------------------------------------------------- attempts */

/* Stuck in connecting for ever: no phase of an attempt may last longer than its time. */
TEST(an_attempt_ends_in_time_wherever_it_is_stuck)
{
    for (int where = 0; where < 4; where++) {
        fake_init(&fake);
        fake.token_result = where == 0 ? 2 : 0; /* the token does not come */
        fake.no_route = where == 1;             /* the transport does not connect */
        fake.config.confirm = where == 3;       /* the contract does not begin */
        assert_int_equal(fake_start(&fake), 0);
        if (where == 3) {
            fake_accept(&fake);
        }
        fake_pass(&fake, 10 * SEC - SEC / 100);
        assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTING);
        fake_pass(&fake, SEC / 50);
        assert_int_equal(fake.status.state, WSPOOL_CLIENT_DISCONNECTED);
        assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_TIMEOUT);
        assert_int_equal(fake.stream, 0); /* closed */
        fake_pass(&fake, SEC + SEC / 100);
        assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTING);
        assert_int_equal(fake.status.attempt, 2);
        fake_end(&fake);
    }
}

TEST(a_delay_is_a_random_part_of_what_grows)
{
    static const uint64_t longest[] = {7, 1, 2, 4, 8, 16, 30, 30, 30};
    for (uint32_t i = 0; i < sizeof longest / sizeof *longest; i++) {
        uint64_t sum = 0, most = 0, state = i;
        for (int k = 0; k < 2000; k++) {
            uint64_t delay = wsp_client_delay(i, 7 * SEC, 0, test_random(&state));
            assert_true(delay <= longest[i] * SEC);
            sum += delay / 2000;
            most = delay > most ? delay : most;
        }
        assert_true(most > longest[i] * SEC / 100 * 95);
        assert_true(sum > longest[i] * SEC / 100 * 46 && sum < longest[i] * SEC / 100 * 54);
    }
    assert_int_equal(wsp_client_delay(0, 0, 3 * SEC, UINT64_MAX), 3 * SEC);
    assert_true(wsp_client_delay(0, WSPOOL_TIME_MAX, 0, UINT64_MAX) <= WSPOOL_TIME_MAX);
}

TEST(after_ten_attempts_it_is_an_error_and_connect_begins_anew)
{
    for (int round = 0; round < 2; round++) {
        fake_init(&fake);
        assert_int_equal(fake_start(&fake), 0);
        for (int again = 0; again < 2; again++) { /* also after the second outage */
            size_t before = fake.dials - 1;
            while (fake.stream) {
                fake_gone(&fake);
                fake_await(&fake);
            }
            assert_int_equal(fake.dials - before, 10);
            assert_int_equal(fake.status.state, WSPOOL_CLIENT_ERROR);
            assert_int_equal(wspool_clients_deadline(fake.clients), UINT64_MAX);
            if (round == 0) {
                wspool_clients_connect(fake.clients, fake.id, fake.now);
            } else {
                wspool_clients_probe(fake.clients, fake.id, fake.now);
            }
            fake_pump(&fake);
            assert_int_equal(fake.status.attempt, 1);
        }
        fake_accept(&fake);
        assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTED);
        fake_end(&fake);
    }
}

TEST(without_a_bound_it_goes_on)
{
    fake_init(&fake);
    fake.config.attempts = UINT32_MAX;
    assert_int_equal(fake_start(&fake), 0);
    for (int i = 0; i < 100; i++) {
        fake_gone(&fake);
        fake_await(&fake);
        assert_int_not_equal(fake.stream, 0);
    }
    fake_end(&fake);
}

/* A server that accepts and then closes. */
TEST(the_backoff_is_not_reset_before_the_connection_was_stable)
{
    fake_init(&fake);
    fake.config.attempts = UINT32_MAX;
    fake.config.stable_time = 5 * SEC;
    connect_it();
    uint64_t begin = fake.now;
    while (fake.now - begin < 33 * 60 * SEC) {
        fake_pass(&fake, SEC);
        fake_close(&fake, 1011, "");
        fake_await(&fake);
        fake_accept(&fake);
    }
    assert_true(fake.dials < 200); /* about one in 16 s; without a backoff 1,300 */
    assert_true(fake.status.attempt > 50);
    fake_pass(&fake, 6 * SEC);
    fake_close(&fake, 1011, "");
    assert_int_equal(fake.status.attempt, 0);
    assert_true(fake.status.until - fake.now <= SEC); /* the spread */
    fake_end(&fake);
}

TEST(the_first_attempts_of_many_clients_are_spread)
{
    enum { N = 1000, SPREAD = 10 };
    unsigned in_second[SPREAD + 1] = {0};
    fake_init(&fake);
    fake.config.status.call = NULL;
    assert_int_equal(wspool_clients_new(&fake.clients, &fake.config, fake.now), 0);
    for (int i = 0; i < N; i++) {
        wspool_stream stream;
        wspool_id id;
        unsigned wants;
        assert_int_equal(wspool_clients_add(fake.clients, NULL, &id), 0);
        assert_int_equal(wspool_clients_set_spread(fake.clients, id, SPREAD * SEC), 0);
        wspool_clients_connect(fake.clients, id, fake.now);
        assert_int_equal(wspool_clients_next(fake.clients, &stream, &id, &wants), 1);
        assert_int_equal(wants, WSPOOL_CLIENT_CONNECT);
        assert_int_equal(wspool_clients_gone(fake.clients, stream, fake.now), 0);
        wspool_client_status status;
        wspool_clients_status(fake.clients, id, &status);
        assert_int_equal(status.state, WSPOOL_CLIENT_DISCONNECTED);
        assert_true(status.until <= fake.now + SPREAD * SEC);
        in_second[(status.until - fake.now) / SEC]++;
    }
    for (int i = 0; i < SPREAD; i++) {
        assert_true(in_second[i] > 0 && in_second[i] < N / 5);
    }
    fake_end(&fake);
}

TEST(retry_after_is_waited_for)
{
    fake_init(&fake);
    assert_int_equal(fake_start(&fake), 0);
    fake_say(&fake, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\n\r\n{}");
    assert_int_equal(fake.status.code, 503);
    assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_RESOURCES);
    assert_int_equal(fake.status.until, fake.now + 60 * SEC);
    fake_pass(&fake, 60 * SEC + SEC / 100);
    assert_int_equal(fake.dials, 2);
    fake_say(&fake, "HTTP/1.1 503 x\r\nRetry-After: 4000000000\r\n\r\n");
    assert_int_equal(fake.status.until, fake.now + 300 * SEC);
    fake_end(&fake);
}

/* -------------------------------------------------------------- close codes */

TEST(the_close_code_says_what_follows)
{
    static const struct {
        int code;
        int state; /* afterwards */
        int cause;
    } cases[] = {{1000, WSPOOL_CLIENT_DISCONNECTED, WSPOOL_CLIENT_CAUSE_CLOSED},
                 {1001, WSPOOL_CLIENT_DISCONNECTED, WSPOOL_CLIENT_CAUSE_CLOSED},
                 {1013, WSPOOL_CLIENT_DISCONNECTED, WSPOOL_CLIENT_CAUSE_RESOURCES},
                 {4000, WSPOOL_CLIENT_ERROR, WSPOOL_CLIENT_CAUSE_REFUSED},
                 {4001, WSPOOL_CLIENT_ERROR, WSPOOL_CLIENT_CAUSE_TOKEN},
                 {4002, WSPOOL_CLIENT_ERROR, WSPOOL_CLIENT_CAUSE_TOKEN},
                 {4003, WSPOOL_CLIENT_ERROR, WSPOOL_CLIENT_CAUSE_REFUSED},
                 {4099, WSPOOL_CLIENT_ERROR, WSPOOL_CLIENT_CAUSE_REFUSED},
                 {4100, WSPOOL_CLIENT_DISCONNECTED, WSPOOL_CLIENT_CAUSE_RESOURCES},
                 {4199, WSPOOL_CLIENT_DISCONNECTED, WSPOOL_CLIENT_CAUSE_RESOURCES},
                 {4200, WSPOOL_CLIENT_CONNECTING, WSPOOL_CLIENT_CAUSE_CLOSED},
                 {4299, WSPOOL_CLIENT_CONNECTING, WSPOOL_CLIENT_CAUSE_CLOSED},
                 {4300, WSPOOL_CLIENT_DISCONNECTED, WSPOOL_CLIENT_CAUSE_CLOSED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_init(&fake);
        connect_it();
        fake_pass(&fake, 6 * SEC);
        fake_close(&fake, cases[i].code, "text");
        assert_int_equal(fake.status.code, cases[i].code);
        assert_int_equal(fake.status.state, cases[i].state);
        assert_int_equal(fake.status.cause, cases[i].cause);
        fake_pass(&fake, SEC + SEC / 100);
        assert_int_equal(fake.status.state, cases[i].state == WSPOOL_CLIENT_ERROR
                                                ? WSPOOL_CLIENT_ERROR
                                                : WSPOOL_CLIENT_CONNECTING);
        if (cases[i].state == WSPOOL_CLIENT_ERROR) { /* only connect tries again */
            wspool_clients_probe(fake.clients, fake.id, fake.now);
            assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_ERROR);
            wspool_clients_connect(fake.clients, fake.id, fake.now);
            assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTING);
        }
        fake_end(&fake);
    }
}

TEST(at_once_is_granted_once)
{
    fake_init(&fake);
    connect_it();
    fake_close(&fake, 4200, "drain");
    fake_accept(&fake);
    fake_close(&fake, 4200, "drain");
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_DISCONNECTED);
    fake_pass(&fake, SEC + SEC / 100);
    fake_accept(&fake);
    fake_pass(&fake, 6 * SEC);
    fake_close(&fake, 4200, "drain");
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTING);
    fake_end(&fake);
}

/* ------------------------------------------------------------------- tokens */

TEST(each_attempt_has_a_token_of_its_own)
{
    fake_init(&fake);
    fake.token_result = 1;
    assert_int_equal(fake_start(&fake), 0);
    for (int i = 1; i < 4; i++) {
        char line[64];
        snprintf(line, sizeof line, "Authorization: Bearer t%d\r\n", i);
        assert_non_null(strstr(fake_request(&fake), line));
        assert_int_equal(fake.tokens, i);
        fake_gone(&fake);
        fake_pass(&fake, 5 * SEC);
    }
    fake_end(&fake);
}

TEST(a_refused_token_is_renewed_once)
{
    for (int by_code = 0; by_code < 2; by_code++) {
        fake_init(&fake);
        fake.token_result = 1;
        if (by_code) {
            connect_it();
            fake_close(&fake, 4001, "token expired");
        } else {
            assert_int_equal(fake_start(&fake), 0);
            fake_say(&fake, "HTTP/1.1 401 x\r\n\r\n");
        }
        assert_int_equal(fake.renewals, 1);
        assert_non_null(strstr(fake_request(&fake), "Bearer t2\r\n"));
        fake_say(&fake, "HTTP/1.1 401 x\r\n\r\n");
        assert_int_equal(fake.renewals, 1);
        assert_int_equal(fake.status.state, WSPOOL_CLIENT_ERROR);
        assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_TOKEN);
        assert_int_equal(fake.status.code, 401);
        fake_end(&fake);
    }
}

TEST(a_token_that_is_none_is_not_sent)
{
    static const char *const none[] = {"", " ", " \t ", "a b", "a\r\nX: y"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        fake_init(&fake);
        fake.token = none[i];
        fake.token_result = 1;
        assert_int_equal(fake_start(&fake), 0);
        assert_int_equal(fake.dials, 0);
        assert_int_equal(fake.status.state, WSPOOL_CLIENT_ERROR);
        assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_TOKEN);
        fake_end(&fake);
    }
    fake_init(&fake);
    fake.token_result = -1;
    assert_int_equal(fake_start(&fake), 0);
    assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_TOKEN);
    fake_end(&fake);
}

static void have_no_other(struct fake *f)
{
    f->token_result = -1;
}

TEST(a_refused_token_that_cannot_be_renewed_is_an_error)
{
    fake_init(&fake);
    fake.token_result = 1;
    fake.in_token = have_no_other; /* from the second call on */
    assert_int_equal(fake_start(&fake), 0);
    fake_say(&fake, "HTTP/1.1 401 x\r\n\r\n");
    assert_int_equal(fake.tokens, 2);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_ERROR);
    assert_int_equal(fake.status.code, 401);
    fake_end(&fake);
}

TEST(a_token_may_come_later)
{
    fake_init(&fake);
    fake.token_result = 2;
    assert_int_equal(fake_start(&fake), 0);
    assert_int_equal(fake.dials, 0);
    fake_pass(&fake, SEC);
    assert_int_equal(wspool_clients_token(fake.clients, fake.id, wsp_text_of("late"), fake.now), 0);
    fake_pump(&fake);
    assert_non_null(strstr(fake_request(&fake), "Bearer late\r\n"));
    assert_int_equal(wspool_clients_token(fake.clients, fake.id, wsp_text_of("late"), fake.now),
                     WSPOOL_ERR_STATE);
    fake_end(&fake);
}

TEST(disconnect_is_not_undone_by_a_token_on_its_way)
{
    fake_init(&fake);
    fake.token_result = 2;
    assert_int_equal(fake_start(&fake), 0);
    wspool_clients_disconnect(fake.clients, fake.id, fake.now);
    assert_int_equal(wspool_clients_token(fake.clients, fake.id, wsp_text_of("late"), fake.now),
                     WSPOOL_ERR_STATE);
    fake_pass(&fake, 100 * SEC);
    assert_int_equal(fake.dials, 0);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_DISCONNECTED);
    fake_end(&fake);
}

TEST(the_token_hook_is_not_called_while_it_runs)
{
    fake_init(&fake);
    fake.token_result = 2;
    assert_int_equal(fake_start(&fake), 0);
    wspool_clients_reconnect(fake.clients, fake.id, fake.now);
    wspool_clients_reconnect(fake.clients, fake.id, fake.now);
    assert_int_equal(fake.tokens, 1);
    assert_int_equal(wspool_clients_token(fake.clients, fake.id, wsp_text_of("x"), fake.now), 0);
    fake_pump(&fake);
    assert_int_equal(fake.dials, 1);
    fake_end(&fake);
}

/* ------------------------------------------------------------ old transports */

TEST(what_a_replaced_transport_reports_changes_nothing)
{
    fake_init(&fake);
    connect_it();
    wspool_clients_reconnect(fake.clients, fake.id, fake.now);
    wspool_stream old = fake.stream;
    assert_int_equal(wspool_clients_feed(fake.clients, old, "\x81\x01x", 3, fake.now),
                     WSPOOL_ERR_STALE);
    fake_pump(&fake); /* CLOSE of the old one, CONNECT of the new one */
    assert_int_equal(fake.closes, 1);
    fake_accept(&fake);
    unsigned told = fake.told;
    assert_int_equal(wspool_clients_feed(fake.clients, old, "\x81\x01x", 3, fake.now),
                     WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_gone(fake.clients, old, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_connected(fake.clients, old, fake.now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_writable(fake.clients, old), WSPOOL_ERR_STALE);
    assert_int_equal(fake.messages, 0);
    assert_int_equal(fake.told, told);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTED);
    fake_end(&fake);
}

TEST(a_removed_client_leaves_its_transport_to_be_closed)
{
    fake_init(&fake);
    connect_it();
    assert_int_equal(wspool_clients_remove(fake.clients, fake.id), 0);
    assert_int_equal(wspool_clients_remove(fake.clients, fake.id), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_clients_count(fake.clients), 0);
    unsigned told = fake.told;
    fake_pump(&fake);
    assert_int_equal(fake.closes, 1);
    assert_int_equal(fake.told, told);
    wspool_id again;
    assert_int_equal(wspool_clients_add(fake.clients, NULL, &again), 0);
    assert_int_not_equal(again, fake.id);
    fake_end(&fake);
}

TEST(a_removed_client_is_released_when_its_transport_ends_by_itself)
{
    fake_init(&fake);
    connect_it();
    assert_int_equal(wspool_clients_remove(fake.clients, fake.id), 0);
    fake_gone(&fake); /* before it was reported as CLOSE */
    assert_int_equal(fake.closes, 0);
    assert_int_equal(wspool_clients_gone(fake.clients, fake.last, fake.now), WSPOOL_ERR_STALE);
    fake_end(&fake);
}

/* -------------------------------------------------------------------- pings */

TEST(no_deadline_outlives_a_disconnect)
{
    fake_init(&fake);
    connect_it();
    assert_true(wspool_clients_deadline(fake.clients) <= fake.now + 30 * SEC);
    wspool_clients_disconnect(fake.clients, fake.id, fake.now);
    fake_pump(&fake);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_CLOSE);
    assert_memory_equal(payload, "\x03\xe8", 2);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_DISCONNECTED);
    unsigned told = fake.told;
    fake_gone(&fake);
    assert_int_equal(wspool_clients_deadline(fake.clients), UINT64_MAX);
    fake_pass(&fake, 1000 * SEC);
    assert_int_equal(fake.told, told);
    assert_int_equal(fake.dials, 1);
    fake_end(&fake);
}

TEST(a_quiet_server_is_pinged_and_a_dead_one_replaced)
{
    fake_init(&fake);
    connect_it();
    for (int i = 0; i < 3; i++) {
        fake_pass(&fake, 30 * SEC + SEC / 100);
        assert_int_equal(fake_take(&fake, payload, &len), FAKE_PING);
        fake_frame(&fake, FAKE_PONG, "", 0);
    }
    fake_pass(&fake, 20 * SEC);
    fake_text(&fake, "a sign of life");
    fake_pass(&fake, 29 * SEC);
    assert_int_equal(fake_take(&fake, payload, &len), 0);
    fake_pass(&fake, 2 * SEC);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_PING);
    fake_pass(&fake, 8 * SEC);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTED);
    fake_pass(&fake, SEC + SEC / 10);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_DISCONNECTED);
    assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_TIMEOUT);
    assert_int_equal(fake.closes, 1); /* nobody waits for its Close */
    fake_end(&fake);
}

TEST(a_probe_finds_a_dead_server_in_three_seconds)
{
    fake_init(&fake);
    connect_it();
    fake_pass(&fake, 6 * SEC);
    wspool_clients_probe(fake.clients, fake.id, fake.now);
    fake_pump(&fake);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_PING);
    fake_frame(&fake, FAKE_PONG, "", 0);
    fake_pass(&fake, 10 * SEC);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTED);
    assert_int_equal(fake.dials, 1);
    wspool_clients_probe(fake.clients, fake.id, fake.now);
    fake_pass(&fake, 3 * SEC + SEC / 100);
    assert_int_equal(fake.dials, 2); /* at once: we have cut it ourselves */
    fake_end(&fake);
}

/* The answer to a ping may come after the server has asked for no more of them. */
TEST(without_a_heartbeat_no_deadline_is_left)
{
    fake_init(&fake);
    connect_it();
    fake_pass(&fake, 30 * SEC + SEC / 100);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_PING);
    assert_int_equal(wspool_clients_set_heartbeat(fake.clients, fake.id, 0), 0);
    fake_frame(&fake, FAKE_PONG, "", 0);
    fake_pass(&fake, 1000 * SEC);
    assert_int_equal(fake_take(&fake, payload, &len), 0);
    assert_true(wspool_clients_deadline(fake.clients) == UINT64_MAX);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTED);
    fake_end(&fake);
}

TEST(a_machine_that_slept_asks_before_it_judges)
{
    fake_init(&fake);
    connect_it();
    fake.now += 3600 * SEC; /* no tick in between */
    wspool_clients_tick(fake.clients, fake.now);
    fake_pump(&fake);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTED);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_PING);
    fake.now += 3600 * SEC; /* and again, before the answer */
    wspool_clients_tick(fake.clients, fake.now);
    fake_pump(&fake);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTED);
    fake_pass(&fake, 3 * SEC + SEC / 100);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTING);
    fake_end(&fake);
}

TEST(the_servers_heartbeat_replaces_ours)
{
    fake_init(&fake);
    connect_it();
    assert_int_equal(wspool_clients_set_heartbeat(fake.clients, fake.id, 5 * SEC), 0);
    fake_pass(&fake, 5 * SEC + SEC / 100);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_PING);
    fake_frame(&fake, FAKE_PONG, "", 0);
    assert_int_equal(wspool_clients_set_heartbeat(fake.clients, fake.id, 0), 0);
    fake_pass(&fake, 1000 * SEC);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTED);
    fake_end(&fake);
}

/* -------------------------------------------------------------------- hooks */

/* What a hook does, in each event of a life. */
static int deed;
static int at_call;

static void act(struct fake *f)
{
    if (--at_call != 0) {
        return;
    }
    switch (deed) {
    case 0:
        wspool_clients_disconnect(f->clients, f->id, f->now);
        break;
    case 1:
        wspool_clients_reconnect(f->clients, f->id, f->now);
        break;
    case 2:
        wspool_clients_remove(f->clients, f->id);
        break;
    case 3:
        wspool_clients_disconnect(f->clients, f->id, f->now);
        wspool_clients_connect(f->clients, f->id, f->now);
        break;
    case 4: {
        wspool_id old = f->id;
        wspool_clients_remove(f->clients, old);
        wspool_clients_add(f->clients, NULL, &f->id);
        wspool_clients_connect(f->clients, f->id, f->now);
        break;
    }
    default:
        assert_int_equal(wspool_clients_feed(f->clients, f->stream, "x", 1, f->now),
                         f->stream ? WSPOOL_ERR_REENTRANT : WSPOOL_ERR_STALE);
        assert_int_equal(wspool_clients_tick(f->clients, f->now), WSPOOL_ERR_REENTRANT);
        assert_int_equal(wspool_clients_free(f->clients), WSPOOL_ERR_REENTRANT);
        wspool_clients_send(f->clients, f->id, "x", 1, 0);
        wspool_clients_probe(f->clients, f->id, f->now);
        break;
    }
}

static void act_in_status(struct fake *f, const wspool_client_status *status)
{
    (void)status;
    act(f);
}

TEST(a_hook_may_do_nearly_anything_at_any_event)
{
    for (deed = 0; deed < 6; deed++) {
        for (int call = 1; call < 16; call++) {
            fake_init(&fake);
            fake.token_result = 1;
            fake.in_status = act_in_status;
            fake.in_token = act;
            fake.in_message = act;
            at_call = call;
            assert_int_equal(fake_start(&fake), 0);
            for (int i = 0; i < 3; i++) {
                if (fake.stream && fake.sent_len > 0) {
                    fake_accept(&fake);
                }
                wspool_client_status status;
                if (fake.stream && wspool_clients_status(fake.clients, fake.id, &status) == 0 &&
                    status.state == WSPOOL_CLIENT_CONNECTED) {
                    fake_feed(&fake, "\x81\x01x\x81\x01y\x01\x01z", 9);
                }
                if (fake.stream) {
                    fake_gone(&fake);
                }
                fake_pass(&fake, 2 * SEC);
            }
            fake_end(&fake);
        }
    }
}

TEST(no_message_follows_what_a_hook_did_to_its_client)
{
    for (deed = 0; deed < 3; deed++) {
        fake_init(&fake);
        fake.in_message = act;
        connect_it();
        at_call = 1;
        fake_feed(&fake, "\x81\x01x\x81\x01y\x01\x01z", 9);
        assert_int_equal(fake.messages, 1);
        fake_end(&fake);
    }
}
