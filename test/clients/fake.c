/* SPDX-License-Identifier: MIT */
/* clients/fake.c - see client/fake.h. */
#include "fake.h"

#include <stdio.h>

#include "wire/frame.h"
#include "wire/opening.h"
#include "wire/text.h"

static int entropy(void *bytes, size_t len, void *user)
{
    struct fake *fake = user;
    uint8_t *out = bytes;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(test_random(&fake->seed) >> 32);
    }
    return fake->no_entropy ? -1 : 0;
}

static void on_status(wspool_clients *clients, wspool_id id, const wspool_client_status *status,
                      void *user)
{
    struct fake *fake = user;
    (void)clients;
    (void)id;
    fake->status = *status;
    snprintf(fake->reason, sizeof fake->reason, "%.*s", (int)status->reason.len,
             status->reason.data);
    fake->told++;
    if (fake->in_status) {
        fake->in_status(fake, status);
    }
}

static int on_token(wspool_clients *clients, wspool_id id, int renew, wspool_text *token,
                    void *user)
{
    static char text[32];
    struct fake *fake = user;
    (void)clients;
    (void)id;
    fake->tokens++;
    fake->renewals += renew;
    snprintf(text, sizeof text, "t%d", fake->tokens);
    *token = wsp_text_of(fake->token ? fake->token : text);
    int result = fake->token_result;
    if (fake->in_token) {
        fake->in_token(fake);
    }
    return result;
}

static void on_message(wspool_clients *clients, wspool_id id, const void *data, size_t len,
                       int binary, void *user)
{
    struct fake *fake = user;
    (void)clients;
    (void)id;
    (void)binary;
    fake->messages++;
    fake->message_len = len;
    memcpy(fake->message, data, len < sizeof fake->message ? len : sizeof fake->message - 1);
    fake->message[len < sizeof fake->message ? len : sizeof fake->message - 1] = '\0';
    if (fake->in_message) {
        fake->in_message(fake);
    }
}

void fake_init(struct fake *fake)
{
    memset(fake, 0, sizeof *fake);
    fake->now = 1000 * WSPOOL_SECOND;
    fake->seed = 1;
    wspool_clients_config_init(&fake->config);
    fake->config.url = "ws://server.example:81/path?a=1";
    fake->config.mem = test_mem_hooks(&fake->mem);
    fake->config.entropy.call = entropy;
    fake->config.entropy.user = fake;
    fake->config.status.call = on_status;
    fake->config.status.user = fake;
    fake->config.message.call = on_message;
    fake->config.message.user = fake;
    fake->config.token.user = fake;
}

/* With it, fake.token_result says what the hook returns. */
static void set_token(struct fake *fake)
{
    if (fake->token_result != 0 || fake->token) {
        fake->config.token.call = on_token;
    }
}

int fake_start(struct fake *fake)
{
    set_token(fake);
    int error = wspool_clients_new(&fake->clients, &fake->config, fake->now);
    if (!error) {
        error = wspool_clients_add(fake->clients, fake, &fake->id);
    }
    if (!error) {
        wspool_clients_connect(fake->clients, fake->id, fake->now);
        fake_pump(fake);
    }
    return error;
}

void fake_end(struct fake *fake)
{
    assert_int_equal(wspool_clients_free(fake->clients), 0);
    assert_int_equal(fake->mem.live, 0);
}

static void write_all(struct fake *fake)
{
    const void *bytes;
    size_t len;
    assert_int_equal(wspool_clients_peek(fake->clients, fake->stream, &bytes, &len), 0);
    assert_true(len > 0 && len <= sizeof fake->sent - fake->sent_len);
    if (!fake->stuck) {
        memcpy(fake->sent + fake->sent_len, bytes, len);
        fake->sent_len += len;
    }
    assert_int_equal(
        wspool_clients_ack(fake->clients, fake->stream, fake->stuck ? 0 : len, fake->now), 0);
}

void fake_pump(struct fake *fake)
{
    wspool_stream stream;
    wspool_id id;
    unsigned wants;
    while (wspool_clients_next(fake->clients, &stream, &id, &wants) == 1) {
        if (wants == WSPOOL_CLIENT_CONNECT) {
            assert_int_equal(fake->stream, 0); /* the one before it was closed */
            fake->stream = stream;
            fake->sent_len = 0;
            if (fake->dials < FAKE_EVENTS) {
                fake->dialed[fake->dials++] = fake->now;
            }
            if (!fake->no_route) {
                assert_int_equal(wspool_clients_connected(fake->clients, stream, fake->now), 0);
            }
        } else if (wants == WSPOOL_CLIENT_WRITE) {
            assert_int_equal(stream, fake->stream);
            write_all(fake);
        } else {
            assert_int_equal(wants, WSPOOL_CLIENT_CLOSE);
            assert_int_equal(stream, fake->stream);
            fake->last = stream;
            fake->stream = 0;
            fake->closes++;
        }
    }
    assert_true(wspool_clients_check(fake->clients));
    assert_true(wspool_clients_deadline(fake->clients) > 0);
}

void fake_pass(struct fake *fake, uint64_t time)
{
    uint64_t end = fake->now + time, due;
    while ((due = wspool_clients_deadline(fake->clients)) <= end) {
        fake->now = due > fake->now ? due : fake->now + 1;
        assert_int_equal(wspool_clients_tick(fake->clients, fake->now), 0);
        fake_pump(fake);
    }
    fake->now = end;
    assert_int_equal(wspool_clients_tick(fake->clients, fake->now), 0);
    fake_pump(fake);
}

void fake_await(struct fake *fake)
{
    uint64_t due;
    while (!fake->stream && (due = wspool_clients_deadline(fake->clients)) < UINT64_MAX) {
        fake_pass(fake, due > fake->now ? due - fake->now : 0);
    }
}

/* ------------------------------------------------------------------ server */

void fake_feed(struct fake *fake, const void *bytes, size_t len)
{
    assert_int_equal(wspool_clients_feed(fake->clients, fake->stream, bytes, len, fake->now), 0);
    fake_pump(fake);
}

void fake_say(struct fake *fake, const char *text)
{
    fake_feed(fake, text, strlen(text));
}

const char *fake_request(struct fake *fake)
{
    static char text[65536];
    assert_true(fake->sent_len > 4 && fake->sent_len < sizeof text);
    memcpy(text, fake->sent, fake->sent_len);
    text[fake->sent_len] = '\0';
    assert_string_equal(text + fake->sent_len - 4, "\r\n\r\n");
    fake->sent_len = 0;
    return text;
}

const char *fake_accept_value(struct fake *fake)
{
    static char accept[WSP_ACCEPT_LEN + 1];
    const char *key = strstr(fake_request(fake), "Sec-WebSocket-Key: ");
    assert_non_null(key);
    wsp_upgrade_write_accept((wspool_text){key + 19, WSP_KEY_LEN}, accept);
    return accept;
}

void fake_accept_as(struct fake *fake, const char *subprotocol)
{
    char answer[512];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
             fake_accept_value(fake), subprotocol ? "Sec-WebSocket-Protocol: " : "",
             subprotocol ? subprotocol : "", subprotocol ? "\r\n" : "");
    fake_say(fake, answer);
}

void fake_frame(struct fake *fake, int opcode, const void *payload, size_t len)
{
    uint8_t *frame = malloc(len + WSP_HEAD_MAX);
    wsp_frame_write(frame, (unsigned)opcode, payload, len);
    fake_feed(fake, frame, wsp_frame_head_len(len) + len);
    free(frame);
}

void fake_text(struct fake *fake, const char *text)
{
    fake_frame(fake, FAKE_TEXT, text, strlen(text));
}

void fake_close(struct fake *fake, int code, const char *reason)
{
    char payload[125] = {(char)(code >> 8), (char)code};
    snprintf(payload + 2, sizeof payload - 2, "%s", reason);
    fake_frame(fake, FAKE_CLOSE, payload, 2 + strlen(reason));
    fake_gone(fake);
}

void fake_gone(struct fake *fake)
{
    wspool_stream stream = fake->stream;
    fake->stream = 0;
    fake->last = stream;
    assert_int_equal(wspool_clients_gone(fake->clients, stream, fake->now), 0);
    fake_pump(fake);
}

int fake_take(struct fake *fake, char *payload, size_t *len)
{
    struct wsp_frame_parser parser = {.have = 0};
    struct wsp_frame frame;
    const uint8_t *at = fake->sent;
    size_t left = fake->sent_len;
    if (left == 0) {
        return 0;
    }
    assert_int_equal(wsp_frame_parser_feed(&parser, WSP_MASKED, &at, &left, &frame),
                     WSP_PARSED_HEAD);
    assert_true(frame.length <= left);
    for (size_t i = 0; i < frame.length; i++) {
        payload[i] = (char)(at[i] ^ frame.key[i & 3]);
    }
    payload[frame.length] = '\0';
    *len = (size_t)frame.length;
    fake->sent_len = left - *len;
    memmove(fake->sent, at + *len, fake->sent_len);
    return frame.opcode;
}
