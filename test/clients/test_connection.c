/* SPDX-License-Identifier: MIT */
/*
 * clients/test_connection.c - one connection of a client: request, answer, frames both ways, Close.
 */
#include "fake.h"

#include <stdio.h>

#include "client/client.h"

static struct fake fake;
static char payload[1 << 20];
static size_t len;

/* A client that is connected. */
static void connect_it(void)
{
    assert_int_equal(fake_start(&fake), 0);
    fake_accept(&fake);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTED);
}

TEST(a_request_names_the_client_instance)
{
    char line[128];
    fake_init(&fake);
    assert_int_equal(fake_start(&fake), 0);
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTING);
    snprintf(line, sizeof line, "GET /path?a=1&client=%s HTTP/1.1\r\nHost: server.example:81\r\n",
             wspool_clients_instance(fake.clients, fake.id));
    assert_memory_equal(fake_request(&fake), line, strlen(line));
    fake_end(&fake);
}

TEST(an_idle_client_holds_its_record_and_nothing_else)
{
    assert_true(sizeof(struct wsp_client) <= 400);
    fake_init(&fake);
    assert_int_equal(fake_start(&fake), 0);
    fake_gone(&fake); /* so that nothing that the group keeps is counted below */
    wspool_clients_connect(fake.clients, fake.id, fake.now);
    fake_pass(&fake, WSPOOL_SECOND);
    fake_accept(&fake);
    fake_text(&fake, "hi");
    size_t before = fake.mem.bytes;
    wspool_id more[100];
    for (int i = 0; i < 100; i++) {
        assert_int_equal(wspool_clients_add(fake.clients, NULL, &more[i]), 0);
    }
    assert_int_equal(fake.mem.bytes, before); /* the first chunk of records has room for 256 */
    struct wsp_client *client = wsp_slots_find(&fake.clients->slots, fake.id);
    assert_null(client->inbound);
    assert_int_equal(client->out.cap + client->head.cap, 0);
    fake_end(&fake);
}

TEST(messages_go_both_ways)
{
    fake_init(&fake);
    connect_it();
    fake_text(&fake, "hello");
    assert_string_equal(fake.message, "hello");
    assert_int_equal(wspool_clients_send(fake.clients, fake.id, "answer", 6, 0), 0);
    assert_int_equal(wspool_clients_send(fake.clients, fake.id, "\0\1", 2, 1), 0);
    fake_pump(&fake);
    assert_memory_not_equal(fake.sent + 2, fake.sent + 2 + 4 + 6 + 2, 4); /* a mask for each */
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_TEXT);
    assert_string_equal(payload, "answer");
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_BINARY);
    assert_int_equal(len, 2);
    assert_int_equal(fake_take(&fake, payload, &len), 0);
    fake_end(&fake);
}

TEST(input_may_come_byte_by_byte)
{
    static const uint8_t frames[] = {0x01, 2, 'a', 'b', 0x89, 1, 'p', 0x80, 1, 'c', 0x81, 0};
    fake_init(&fake);
    assert_int_equal(fake_start(&fake), 0);
    char answer[512];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
             fake_accept_value(&fake));
    for (size_t i = 0; answer[i]; i++) {
        fake_feed(&fake, answer + i, 1);
    }
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTED);
    for (size_t i = 0; i < sizeof frames; i++) {
        fake_feed(&fake, frames + i, 1);
    }
    assert_int_equal(fake.messages, 2);
    assert_int_equal(fake.message_len, 0);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_PONG);
    assert_string_equal(payload, "p");
    fake_end(&fake);
}

TEST(frames_may_follow_the_answer_at_once)
{
    fake_init(&fake);
    assert_int_equal(fake_start(&fake), 0);
    char answer[512];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x02hi",
             fake_accept_value(&fake));
    fake_say(&fake, answer);
    assert_string_equal(fake.message, "hi");
    fake_end(&fake);
}

TEST(a_masked_frame_ends_the_connection)
{
    static const uint8_t masked[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
    fake_init(&fake);
    connect_it();
    fake_feed(&fake, masked, sizeof masked);
    assert_int_equal(fake.messages, 0);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_CLOSE);
    assert_int_equal((uint8_t)payload[0] << 8 | (uint8_t)payload[1], WSPOOL_CLOSE_PROTOCOL);
    fake_gone(&fake);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_DISCONNECTED);
    assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_PROTOCOL);
    fake_end(&fake);
}

TEST(what_breaks_the_protocol_gets_its_code)
{
    static const struct {
        const char *bytes;
        size_t len;
        int code;
    } cases[] = {{"\x81\x01\xff", 3, WSPOOL_CLOSE_BAD_DATA},
                 {"\xc1\x01x", 3, WSPOOL_CLOSE_PROTOCOL},
                 {"\x82\x7f\0\0\0\1\0\0\0\0", 10, WSPOOL_CLOSE_TOO_BIG},
                 {"\x88\x01x", 3, WSPOOL_CLOSE_PROTOCOL},
                 {"\x80\x00", 2, WSPOOL_CLOSE_PROTOCOL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_init(&fake);
        connect_it();
        fake_feed(&fake, cases[i].bytes, cases[i].len);
        assert_int_equal(fake_take(&fake, payload, &len), FAKE_CLOSE);
        assert_int_equal((uint8_t)payload[0] << 8 | (uint8_t)payload[1], cases[i].code);
        fake_end(&fake);
    }
}

TEST(a_close_of_the_server_is_returned)
{
    fake_init(&fake);
    connect_it();
    fake_frame(&fake, FAKE_CLOSE, "\x10\x68why", 5); /* 4200 */
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_CLOSE);
    assert_int_equal(len, 2);
    assert_memory_equal(payload, "\x10\x68", 2);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTED); /* until the transport ends */
    assert_int_equal(wspool_clients_send(fake.clients, fake.id, "x", 1, 0), WSPOOL_ERR_STATE);
    fake.no_route = 1;
    fake_gone(&fake);
    assert_int_equal(fake.status.state, WSPOOL_CLIENT_CONNECTING);
    fake_end(&fake);
}

TEST(a_server_that_does_not_hang_up_is_left)
{
    fake_init(&fake);
    connect_it();
    fake_frame(&fake, FAKE_CLOSE, "\x10\x04why", 5); /* 4100 */
    fake_pass(&fake, 2 * WSPOOL_SECOND + WSPOOL_SECOND / 100);
    assert_int_equal(fake.closes, 1);
    assert_int_equal(fake.status.code, 4100);
    assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_RESOURCES);
    assert_string_equal(fake.reason, "why");
    fake_end(&fake);
}

TEST(output_is_bounded)
{
    static const char block[1000];
    fake_init(&fake);
    fake.config.queue_bytes = 4096;
    connect_it();
    fake.stuck = 1;
    int sent = 0;
    while (wspool_clients_send(fake.clients, fake.id, block, sizeof block, 1) == 0) {
        fake_pump(&fake);
        sent++;
    }
    assert_int_equal(sent, 4);
    assert_int_equal(wspool_clients_send(fake.clients, fake.id, block, sizeof block, 1),
                     WSPOOL_ERR_FULL);
    for (int i = 0; i < 1000; i++) { /* a server that pings and does not read */
        fake_frame(&fake, FAKE_PING, "x", 1);
    }
    assert_true(fake.mem.peak < 262144);
    fake.stuck = 0;
    assert_int_equal(wspool_clients_writable(fake.clients, fake.stream), 0);
    fake_pump(&fake);
    for (int i = 0; i < sent; i++) {
        assert_int_equal(fake_take(&fake, payload, &len), FAKE_BINARY);
    }
    assert_int_equal(fake_take(&fake, payload, &len), 0);
    fake_end(&fake);
}

TEST(an_answer_has_a_bound)
{
    fake_init(&fake);
    assert_int_equal(fake_start(&fake), 0);
    fake_say(&fake, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 8192 && fake.stream; i += 8) {
        fake_say(&fake, "A: bcd\r\n");
    }
    assert_int_equal(fake.closes, 1);
    assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_PROTOCOL);
    fake_end(&fake);
}

TEST(the_server_chooses_among_what_was_offered)
{
    static const char *const protocols[] = {"one", "two", NULL};
    fake_init(&fake);
    fake.config.subprotocols = protocols;
    assert_int_equal(fake_start(&fake), 0);
    fake_accept_as(&fake, "two");
    assert_string_equal(fake.status.subprotocol, "two");
    fake_gone(&fake);
    fake_pass(&fake, WSPOOL_SECOND);
    fake_accept_as(&fake, "three");
    assert_int_equal(fake.status.cause, WSPOOL_CLIENT_CAUSE_PROTOCOL);
    fake_end(&fake);
}

TEST(a_bad_configuration_is_refused)
{
    static const char *const bad_protocols[] = {"a b", NULL};
    for (int i = 0; i < 8; i++) {
        fake_init(&fake);
        fake.config.url = i == 0 ? "http://x/" : i == 1 ? NULL : fake.config.url;
        fake.config.subprotocols = i == 2 ? bad_protocols : NULL;
        fake.config.attempts = i == 3 ? 0 : 10;
        fake.config.attempt_time = i == 4 ? 0 : i == 5 ? WSPOOL_TIME_MAX + 1 : WSPOOL_SECOND;
        fake.config.mem.free = i == 6 ? NULL : fake.config.mem.free;
        fake.config.queue_bytes = i == 7 ? 100 : 4096;
        assert_int_equal(fake_start(&fake), WSPOOL_ERR_INVAL);
        assert_null(fake.clients);
    }
    fake_init(&fake);
    fake.no_entropy = 1;
    assert_int_equal(fake_start(&fake), WSPOOL_ERR_ENTROPY);
    assert_int_equal(fake.mem.live, 0);
}

/* Everything once, with each allocation failing: nothing leaks, and the client comes back. */
TEST(without_memory_nothing_leaks)
{
    for (size_t n = 1;; n++) {
        fake_init(&fake);
        fake.token_result = 1;
        fake.mem.fail_at = n;
        if (fake_start(&fake) == 0) {
            for (int i = 0; i < 3; i++) {
                if (!fake.stream) {
                    fake_pass(&fake, 2 * WSPOOL_SECOND);
                }
                if (fake.stream && fake.sent_len > 0) {
                    fake_accept(&fake);
                    if (fake.stream) {
                        fake_feed(&fake, "\x01\x01", 2);
                    }
                    if (fake.stream) {
                        fake_feed(&fake, "a\x89\x01p\x80\x01", 6);
                        wspool_clients_send(fake.clients, fake.id, "x", 1, 0);
                        fake_pump(&fake);
                    }
                }
                if (fake.stream &&
                    wspool_clients_status(fake.clients, fake.id, &fake.status) == 0) {
                    fake_close(&fake, 1001, "bye");
                }
            }
        }
        size_t failures = fake.mem.failures;
        wspool_clients_free(fake.clients);
        assert_int_equal(fake.mem.live, 0);
        if (failures == 0) {
            break;
        }
    }
}
