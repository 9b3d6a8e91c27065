/* SPDX-License-Identifier: MIT */
/*
 * loop/proxied.h - clients behind a proxy that sends the PROXY protocol: the address that the pool
 * is told, and connections whose header is bad or does not come. sockets/test_proxy has the headers
 * themselves, sockets/test_waiting the table of connections without one.
 *
 * Included below loop/host.h by a test for each engine, with CLIENTS 64.
 */
#include <stdio.h>

#define V1(address) "PROXY TCP4 " address " 127.0.0.1 4711 80\r\n"

static char address[64];
static unsigned logged;

static void see_address(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    snprintf(address, sizeof address, "%.*s", (int)opened->address.len, opened->address.data);
    on_open(pool, id, opened, user);
}

static void see_log(wspool *pool, const wspool_log_record *record, void *user)
{
    (void)user;
    if (strcmp(record->reason, "proxy_header") == 0) {
        assert_string_equal(record->event, "refused");
        assert_int_equal(record->level, WSPOOL_LOG_WARNING);
        assert_int_equal(wspool_tick(pool, record->now), 0); /* the pool is not entered */
        logged++;
    }
}

static void begin(struct host *host)
{
    host->config.open.call = see_address;
    host->config.log.call = see_log;
    host_make(host);
    LOOP(proxied)(host->loop, 1);
    int port = LOOP(listen)(host->loop, "127.0.0.1", 0);
    assert_true(port > 0);
    host->port = (unsigned)port;
    address[0] = '\0';
    logged = 0;
}

/* Connects; the request follows these bytes. */
static net_client *behind(struct host *host, const void *header, size_t len)
{
    net_client *client = &host->clients[host->count++];
    net_client_connect(client, host->port, 0);
    blob_add(&client->out, header, len);
    net_client_request(client, "/echo");
    return client;
}

/* Returns 1 when the server has answered the client, or ended the connection. */
static int is_told(const net_client *client)
{
    return client->in.status != 0 || client->end != NET_HERE;
}

TEST(client_behind_a_proxy_has_the_address_that_the_proxy_names)
{
    static const char v1[] = V1("192.0.2.1");
    static const char v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\2\x7f\0\0\1\0\1\0\2";
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0";
    struct host host;
    host_init(&host);
    begin(&host);
    net_client *client = behind(&host, v1, sizeof v1 - 1);
    UNTIL(&host, client->in.status == 101);
    assert_string_equal(address, "192.0.2.1");
    net_client_text(client, "hello", 5);
    UNTIL(&host, client->in.messages == 1);
    client = behind(&host, v2, sizeof v2 - 1);
    UNTIL(&host, client->in.status == 101);
    assert_string_equal(address, "192.0.2.2");
    client = behind(&host, local, sizeof local); /* with the NUL that ends it */
    UNTIL(&host, client->in.status == 101);
    assert_string_equal(address, "127.0.0.1");
    assert_int_equal(HOST_STAT(&host, accepted), 3);
    assert_int_equal(host_count(&host), 3);
    host_end(&host);
}

TEST(header_may_come_byte_by_byte)
{
    static const char v1[] = V1("192.0.2.3");
    struct host host;
    host_init(&host);
    begin(&host);
    net_client *client = &host.clients[host.count++];
    net_client_connect(client, host.port, 0);
    for (size_t i = 0; i < sizeof v1 - 1; i++) {
        blob_add(&client->out, v1 + i, 1);
        host_turn(&host);
    }
    net_client_request(client, "/echo");
    UNTIL(&host, client->in.status == 101);
    assert_string_equal(address, "192.0.2.3");
    host_end(&host);
}

TEST(clients_of_a_proxy_are_counted_by_their_addresses)
{
    struct host host;
    host_init(&host);
    host.config.max_per_key = 1;
    begin(&host);
    net_client *first = behind(&host, V1("192.0.2.1"), strlen(V1("192.0.2.1")));
    UNTIL(&host, first->in.status == 101);
    net_client *other = behind(&host, V1("192.0.2.2"), strlen(V1("192.0.2.2")));
    UNTIL(&host, other->in.status == 101);
    net_client *again = behind(&host, V1("192.0.2.1"), strlen(V1("192.0.2.1")));
    UNTIL(&host, again->end != NET_HERE);
    assert_int_equal(again->in.status, 0);
    assert_int_equal(host.opened, 2);
    host_end(&host);
}

TEST(connection_with_a_bad_header_is_reset_and_logged)
{
    struct host host;
    host_init(&host);
    begin(&host);
    net_client *client = behind(&host, "", 0); /* a request, and no header */
    UNTIL(&host, is_told(client));
    assert_int_equal(client->end, NET_RESET);
    assert_int_equal(client->in.total, 0);
    assert_int_equal(logged, 1);
    assert_int_equal(HOST_STAT(&host, turned_away), 1);
    assert_int_equal(net_stats(host.pool).attempts, 0);
    assert_int_equal(host_count(&host), 0);
    host_end(&host);
}

TEST(connection_without_a_header_is_reset_after_handshake_time)
{
    struct host host;
    host_init(&host);
    host.config.handshake_time = 100 * WSPOOL_MILLISECOND;
    begin(&host);
    net_client *client = &host.clients[host.count++];
    net_client_connect(client, host.port, 0);
    blob_text(&client->out, "PROXY TCP4 ");
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->end, NET_RESET);
    assert_int_equal(logged, 1);
    assert_int_equal(host_count(&host), 0);
    host_end(&host);
}

/* The places move when their table grows. A client that leaves frees its place. */
TEST(many_connections_wait_for_their_headers)
{
    enum { MANY = 40, LEAVE = 5 };
    struct host host;
    char header[64];
    host_init(&host);
    begin(&host);
    for (int i = 0; i < MANY; i++) {
        net_client_connect(&host.clients[host.count++], host.port, 0);
        blob_text(&host.clients[i].out, "PROXY ");
    }
    UNTIL(&host, host_count(&host) == MANY);
    for (int i = 0; i < LEAVE; i++)
        net_client_kill(&host.clients[i], NET_KILL_FIN);
    UNTIL(&host, host_count(&host) == MANY - LEAVE);
    for (int i = LEAVE; i < MANY; i++) {
        snprintf(header, sizeof header, "TCP4 192.0.2.%d 127.0.0.1 1 2\r\n", i);
        blob_text(&host.clients[i].out, header);
        net_client_request(&host.clients[i], "/echo");
    }
    UNTIL(&host, host.opened == MANY - LEAVE);
    assert_int_equal(HOST_STAT(&host, turned_away), 0);
    host_end(&host);
}

TEST(listener_for_clients_takes_no_header)
{
    static const char v1[] = V1("192.0.2.9");
    struct host host;
    host_init(&host);
    begin(&host);
    unsigned proxied = host.port;
    LOOP(proxied)(host.loop, 0);
    host.port = (unsigned)LOOP(listen)(host.loop, "127.0.0.1", 0);
    net_client *client = behind(&host, "", 0);
    UNTIL(&host, is_told(client));
    assert_int_equal(client->in.status, 101);
    assert_string_equal(address, "127.0.0.1");
    client = behind(&host, v1, sizeof v1 - 1);
    UNTIL(&host, is_told(client));
    assert_int_equal(client->in.status, 400);
    host.port = proxied; /* and the other one still does */
    client = behind(&host, v1, sizeof v1 - 1);
    UNTIL(&host, is_told(client));
    assert_int_equal(client->in.status, 101);
    assert_string_equal(address, "192.0.2.9");
    host_end(&host);
}

TEST(connections_that_wait_for_a_header_are_closed_by_a_drain_and_at_the_end)
{
    for (int drains = 0; drains < 2; drains++) {
        struct host host;
        host_init(&host);
        host.config.handshake_time = 600 * WSPOOL_SECOND; /* nothing waits for that */
        begin(&host);
        net_client *client = &host.clients[host.count++];
        net_client_connect(client, host.port, 0);
        UNTIL(&host, host_count(&host) == 1);
        if (drains) {
            assert_int_equal(LOOP(drain)(host.loop, 0, 0, NULL, NULL), 0);
            UNTIL(&host, LOOP(drained)(host.loop) && client->end != NET_HERE);
            assert_int_equal(client->end, NET_FIN);
            assert_int_equal(logged, 0);
            host_end(&host);
        } else {
            host_free(&host);
            for (uint64_t since = 0; client->end == NET_HERE && net_patient(&since);)
                net_client_turn(client);
            net_client_free(client);
        }
    }
}
